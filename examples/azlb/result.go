package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// result is what plan and apply print with -o json. Its names are interface.
type result struct {
	Losses   []loss                   `json:"losses"` // who loses what by all steps
	Steps    []step                   `json:"steps"`
	Services map[string]serviceResult `json:"services"`
	Findings []finding                `json:"findings"` // about no Service of the manifests: configuration, nodes, deleted Services
	Requests requests                 `json:"requests"` // that were made
	Cost     *cost                    `json:"cost,omitempty"`
	Error    string                   `json:"error,omitempty"`
}

// loss is what one Service loses, which is named, or else told by its uid without the last digit.
type loss struct {
	Service string  `json:"service,omitempty"`
	UID     string  `json:"uid,omitempty"`
	Refs    []lb.ID `json:"refs"`
}

// step is a step of a plan; of apply, with what became of it. If apply had to plan several times, the steps of all plans follow each other.
type step struct {
	Op      string          `json:"op"`
	Target  lb.ID           `json:"target"`
	After   []int           `json:"after"`
	Why     []lb.Edge       `json:"why"`
	Waived  []lb.Edge       `json:"waived,omitempty"`
	Risk    []lb.Risk       `json:"risk"`
	Changes json.RawMessage `json:"changes"`
	State   provider.State  `json:"state,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// serviceResult is what became of one Service.
type serviceResult struct {
	Status   corev1.LoadBalancerStatus `json:"status"`
	Error    string                    `json:"error"` // empty for warnings
	Findings []finding                 `json:"findings"`
	// PrivateLink is the private link service of its frontend; absent if there is none.
	PrivateLink *privateLink `json:"privateLink,omitempty"`
}

type finding struct {
	Service  string `json:"service,omitempty"`
	Field    string `json:"field"`
	Severity string `json:"severity"`
	Error    string `json:"error"`
}

func newFinding(f lb.Finding) finding {
	return finding{Field: f.Field, Severity: f.Severity.String(), Error: fmt.Sprint(f.Err)}
}

// failed reports whether anything went wrong.
func (r result) failed() bool {
	if r.Error != "" {
		return true
	}
	for _, s := range r.Services {
		if s.Error != "" {
			return true
		}
	}
	for _, f := range r.Findings {
		if f.Severity == lb.SeverityError.String() {
			return true
		}
	}
	return false
}

func (j *job) result() result {
	r := result{Losses: []loss{}, Steps: []step{}, Services: map[string]serviceResult{}, Findings: []finding{}, Requests: j.azure.counts()}
	if j.err != nil {
		r.Error = j.err.Error()
	}
	for _, round := range j.report.Rounds {
		r.Steps = append(r.Steps, j.steps(round, len(r.Steps))...)
		for _, l := range round.Plan.Losses() {
			one := loss{UID: l.UID, Refs: l.Refs}
			if l.Service.Name != "" {
				one.Service = l.Service.String()
			}
			r.Losses = append(r.Losses, one)
		}
	}
	for _, name := range served(j.cluster, j.in) {
		r.Services[name.String()] = newServiceResult(j.report.Services[name])
	}
	j.enterCuts(&r)
	for _, f := range j.report.Findings {
		if _, ok := r.Services[f.Service.String()]; ok {
			continue
		}
		about := newFinding(f)
		if f.Service.Name != "" {
			about.Service = f.Service.String()
		}
		r.Findings = append(r.Findings, about)
	}
	if j.dry && len(j.report.Rounds) > 0 {
		c := j.cost()
		r.Cost = &c
	}
	return r
}

// steps returns the steps of one round, of which offset others come first.
func (j *job) steps(round provider.Round, offset int) []step {
	data, err := json.Marshal(round.Plan)
	var plan struct {
		Steps []step `json:"steps"`
	}
	if err == nil {
		err = json.Unmarshal(data, &plan)
	}
	if err != nil {
		panic("azlb: a plan is no JSON: " + err.Error()) // both forms are made in this program
	}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		for k := range s.After {
			s.After[k] += offset
		}
		if j.dry || i >= len(round.Steps) {
			continue
		}
		s.State = round.Steps[i].State
		if err := round.Steps[i].Err; err != nil {
			s.Error = err.Error()
		}
	}
	return plan.Steps
}

func newServiceResult(s provider.ServiceReport) serviceResult {
	r := serviceResult{Findings: []finding{}}
	if s.Status != nil {
		r.Status = *s.Status
	}
	if s.PrivateLink != nil {
		r.PrivateLink = newPrivateLink(*s.PrivateLink)
	}
	var texts []string
	for _, f := range s.Findings {
		r.Findings = append(r.Findings, newFinding(f))
		if f.Severity != lb.SeverityError || s.Err != nil && errors.Is(f.Err, s.Err) {
			continue
		}
		texts = append(texts, strings.TrimPrefix(fmt.Sprintf("%s: %v", f.Field, f.Err), ": "))
	}
	if s.Err != nil {
		texts = append(texts, s.Err.Error())
	}
	r.Error = strings.Join(texts, "; ")
	return r
}

// printJSON writes v to stdout.
func (t *tool) printJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := t.stdout.Write(safetext.JSON(b.Bytes()))
	return err
}
