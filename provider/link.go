package provider

import (
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/pls"
)

// PrivateLink is what consumers have to do with a Service: the private link service of its frontend.
type PrivateLink struct {
	ID lb.ID
	// Alias is what consumers name it by; empty while it is not there.
	Alias string
	// Connections are those that were there when Azure was read. One that is Pending waits for the owner's approval.
	Connections []pls.Connection
}

// Pending returns the names of the connections that wait for approval.
func (l PrivateLink) Pending() []string {
	var names []string
	for _, c := range l.Connections {
		if c.Status == "Pending" {
			names = append(names, c.Name)
		}
	}
	return names
}

// report enters the private link services of the last round: as they were read, and what the writes since made of them.
func (u *unseenLinks) report(report Report, want lb.Desired) {
	known := map[string]PrivateLink{}
	for _, p := range u.seen {
		known[p.ID.Key()] = PrivateLink{ID: p.ID, Alias: p.Alias, Connections: p.Connections}
	}
	round := report.last()
	for i, step := range round.Steps {
		if step.State != StateDone && step.State != StateUnchanged {
			continue
		}
		switch op := round.Plan.Steps[i].Op.(type) {
		case lb.PutPrivateLinkService:
			p := known[op.After.ID.Key()]
			p.ID, p.Alias = op.After.ID, step.Receipt.Alias
			known[op.After.ID.Key()] = p
		case lb.DeletePrivateLinkService:
			delete(known, op.Before.ID.Key())
		}
	}
	for _, result := range want.Services {
		if s, ok := report.Services[result.Service]; ok && result.PrivateLink != "" {
			s.PrivateLink = &PrivateLink{ID: result.PrivateLink}
			if p, ok := known[result.PrivateLink.Key()]; ok {
				s.PrivateLink = &p
			}
			report.Services[result.Service] = s
		}
	}
}
