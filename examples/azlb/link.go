package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// privateLink is what consumers have to do with a Service.
type privateLink struct {
	ID          lb.ID        `json:"id"`
	Alias       string       `json:"alias"` // empty until it is there
	Connections []connection `json:"connections"`
	Pending     []string     `json:"pending"` // names of the connections that wait for approval
	// Cut is how many connected endpoints the plan cuts off, or cut off: those of a private link service that is deleted or made anew.
	Cut int `json:"cut"`
}

type connection struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

func newPrivateLink(l provider.PrivateLink) *privateLink {
	p := privateLink{ID: l.ID, Alias: l.Alias, Connections: []connection{}, Pending: append([]string{}, l.Pending()...)}
	for _, c := range l.Connections {
		p.Connections = append(p.Connections, connection{c.Name, c.Status})
	}
	return &p
}

// cuts are the endpoints that plans cut off, by key of the private link service.
type cuts map[string]cutLink

type cutLink struct {
	id       lb.ID
	services []string // who caused it
	n        int
}

// cuts counts the endpoints that the plans of all rounds cut off; of what was not carried out, only in a dry run.
func (j *job) cuts() cuts {
	found := cuts{}
	for _, round := range j.report.Rounds {
		for i, step := range round.Plan.Steps {
			op, ok := step.Op.(lb.DeleteEndpointConnection)
			if !ok || !connected(op.Before.Status) || !j.dry && (i >= len(round.Steps) || round.Steps[i].State != provider.StateDone) {
				continue
			}
			key := op.Service.Key()
			cut := found[key]
			cut.id, cut.n = op.Service, cut.n+1
			for _, c := range op.Changes {
				for _, cause := range c.Causes {
					if name := cause.Service.String(); cause.Service.Name != "" && !slices.Contains(cut.services, name) {
						cut.services = append(cut.services, name)
					}
				}
			}
			found[key] = cut
		}
	}
	return found
}

// connected reports whether a connection leads somewhere, or may soon.
func connected(status string) bool {
	return !strings.EqualFold(status, "Rejected") && !strings.EqualFold(status, "Disconnected")
}

// enterCuts enters the cut endpoints where they belong: with the private link service of a Service, or, where that is gone for good, with
// the Services that caused it.
func (j *job) enterCuts(r *result) {
	for _, cut := range j.cuts() {
		for _, name := range slices.Sorted(maps.Keys(r.Services)) {
			s := r.Services[name]
			same := s.PrivateLink != nil && s.PrivateLink.ID.Equal(cut.id)
			if !same && !slices.Contains(cut.services, name) {
				continue
			}
			if s.PrivateLink == nil {
				s.PrivateLink = &privateLink{ID: cut.id, Connections: []connection{}, Pending: []string{}}
			}
			s.PrivateLink.Cut += cut.n
			r.Services[name] = s
		}
	}
}

// printLinks writes the private link services of the Services, one line each, and one per connection.
func (t *tool) printLinks(r result) {
	first := true
	for _, name := range slices.Sorted(maps.Keys(r.Services)) {
		l := r.Services[name].PrivateLink
		if l == nil {
			continue
		}
		if first {
			t.printf("\nprivate link services:\n")
			first = false
		}
		alias := l.Alias
		switch {
		case alias == "" && l.Cut > 0:
			alias = "no alias any more"
		case alias == "":
			alias = "alias known after apply"
		}
		t.printf("  %s: %s, %s, %s", name, l.ID.Name(), alias, plural(len(l.Connections), "connection"))
		if n := len(l.Pending); n > 0 {
			t.printf(", %d waiting for approval", n)
		}
		if l.Cut > 0 {
			t.printf(", %s cut off", plural(l.Cut, "endpoint"))
		}
		t.printf("\n")
		for _, c := range l.Connections {
			t.printf("    %s: %s\n", c.Name, c.Status)
		}
	}
}
