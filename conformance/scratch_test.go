package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/conformance/internal/statediff"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// host is what runs azlb through the steps of a scenario: it keeps the statuses, as a controller would in the API server.
type host struct {
	scenario scenario
	cloud    *fake.Cloud
	provider provider.Provider // its door
	cluster  lb.Cluster
	loop     *provider.Reconciler
	statuses map[types.NamespacedName]corev1.LoadBalancerStatus
	// Of a host that makes calls: what there was in the step before, and Services that are gone and not deleted in Azure yet.
	before  lb.Objects
	leaving []corev1.Service
}

// outcome is what a step came to.
type outcome struct {
	services map[types.NamespacedName]provider.ServiceReport
	err      error // of the step as a whole, beside those of Services
	notes    string
}

// runSteps goes through the steps of a scenario and compares after each. drive has azlb do what a step asks for.
func runSteps(t *testing.T, s scenario, d door, part string, drive func(*host, *testing.T, step) outcome) []result {
	h, err := newHost(s, d)
	if err != nil {
		return []result{{step: "00", part: part, differences: []statediff.Difference{problem("start", err)}}}
	}
	var results []result
	for _, st := range s.steps {
		r := h.run(t, st, drive)
		r.part = part
		results = append(results, r)
	}
	return results
}

func newHost(s scenario, d door) (*host, error) {
	cloud, err := newCloud(s, s.seed)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	cluster, err := lb.ParseCluster(s.config, s.clusterName)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	p, err := d.open(cloud)
	if err != nil {
		return nil, fmt.Errorf("door: %w", err)
	}
	return &host{
		scenario: s, cloud: cloud, provider: p, cluster: cluster,
		loop:     provider.NewReconciler(p, cluster, options(cloud)),
		statuses: map[types.NamespacedName]corev1.LoadBalancerStatus{},
	}, nil
}

// runConfigError checks that a configuration which upstream refuses is refused.
func runConfigError(s scenario) result {
	r := result{step: "00", part: scratch}
	if _, err := lb.ParseCluster(s.config, s.clusterName); err == nil {
		r.differences = []statediff.Difference{{Path: "config.error", Want: s.configError, Got: statediff.Absent}}
	}
	return r
}

// run makes one step.
func (h *host) run(t *testing.T, st step, drive func(*host, *testing.T, step) outcome) result {
	r := result{step: st.number}
	if err := h.cloud.Clock().Sleep(t.Context(), pause); err != nil {
		r.differences = append(r.differences, problem("clock", err))
	}
	if err := st.side.apply(h.cloud); err != nil {
		r.differences = append(r.differences, problem("side", err))
		return r
	}
	out := drive(h, t, st)
	h.cloud.Restart() // faults last for their step

	r.differences = append(r.differences, h.compareState(st)...)
	r.differences = append(r.differences, h.compareStatuses(st, out)...)
	if out.err != nil && !out.failed() {
		r.differences = append(r.differences, problem("call", out.err))
	}
	r.differences = append(r.differences, h.replan(t, st, out, &r)...)
	r.notes = out.notes + r.notes
	return r
}

// sync is one Sync for the whole step.
func (h *host) sync(t *testing.T, st step) outcome {
	rep, err := h.loop.Sync(t.Context(), h.carried(st))
	h.keep(st, rep)
	return outcome{services: rep.Services, err: err, notes: notes("step "+st.number, rep, err)}
}

// carried returns the objects of a step with the statuses that their Services have by now.
func (h *host) carried(st step) lb.Objects {
	return withStatuses(st.objects, func(name types.NamespacedName) corev1.LoadBalancerStatus { return h.statuses[name] })
}

// keep writes the statuses of a report, as a host does: a Service that is not served any more loses its own, a nil status changes nothing.
func (h *host) keep(st step, rep provider.Report) {
	after := map[types.NamespacedName]corev1.LoadBalancerStatus{}
	for _, svc := range st.objects.Services {
		name := nameOf(svc)
		if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
			continue
		}
		after[name] = h.statuses[name]
		if status := rep.Services[name].Status; status != nil {
			after[name] = *status
		}
	}
	h.statuses = after
}

func (h *host) compareState(st step) []statediff.Difference {
	dump, err := h.cloud.Dump()
	if err != nil {
		return []statediff.Difference{problem("dump", err)}
	}
	diffs, err := statediff.Compare(st.state, dump)
	if err != nil {
		return []statediff.Difference{problem("dump", err)}
	}
	return diffs
}

// compareStatuses compares the status of every Service, and whether it failed.
func (h *host) compareStatuses(st step, out outcome) []statediff.Difference {
	var diffs []statediff.Difference
	names := slices.Collect(maps.Keys(st.status))
	slices.SortFunc(names, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	for _, name := range names {
		recorded := st.status[name]
		diffs = compareStatus(name, recorded.LoadBalancer, h.statuses[name], diffs)
		got := failure(out.services[name])
		warned := got != nil || hasErrorFinding(out.services[name])
		if recorded.Error != "" && !warned {
			diffs = append(diffs, statediff.Difference{Path: errorPath(name), Want: recorded.Error, Got: statediff.Absent})
		}
		if recorded.Error == "" && got != nil {
			diffs = append(diffs, statediff.Difference{Path: errorPath(name), Want: statediff.Absent, Got: got.Error()})
		}
	}
	return diffs
}

func errorPath(name types.NamespacedName) string { return "status[" + name.String() + "].error" }

// failure is why a Service did not get what it asks for, or nil.
func failure(s provider.ServiceReport) error {
	list := []error{s.Err}
	for _, f := range s.Findings {
		if f.Holds {
			list = append(list, fmt.Errorf("held: %s: %w", f.Field, f.Err))
		}
	}
	return errors.Join(list...)
}

func hasErrorFinding(s provider.ServiceReport) bool {
	return slices.ContainsFunc(s.Findings, func(f lb.Finding) bool { return f.Severity == lb.SeverityError })
}

func anyFailed(rep provider.Report) bool { return outcome{services: rep.Services}.failed() }

// failed reports whether a Service did not get what it asks for.
func (o outcome) failed() bool {
	for _, s := range o.services {
		if s.Held || failure(s) != nil || hasErrorFinding(s) {
			return true
		}
	}
	return false
}

// replan checks that planning once more gives nothing to do, unless a write failed.
func (h *host) replan(t *testing.T, st step, out outcome, r *result) []statediff.Difference {
	for _, s := range out.services {
		if s.Err != nil {
			return nil
		}
	}
	again, err := planFor(t.Context(), h.provider, h.cluster, h.carried(st))
	if err != nil {
		return []statediff.Difference{problem("replan", err)}
	}
	if len(again.plan.Steps) > 0 {
		r.notes += again.text("planning once more")
	}
	return steps("replan", again.plan)
}

// notes prints what was planned and done in a call.
func notes(what string, rep provider.Report, err error) string {
	text := ""
	for i, round := range rep.Rounds {
		text += explain(fmt.Sprintf("plan %d of %s", i+1, what), round.Plan)
		for j, s := range round.Steps {
			if s.Err != nil {
				text += fmt.Sprintf("step %d %s: %v\n", j+1, s.State, s.Err)
			}
		}
	}
	text += findingsText(rep.Findings)
	if err != nil {
		text += fmt.Sprintf("%s: %v\n", what, err)
	}
	return text
}
