package provider

import (
	"errors"
	"slices"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// unseenLinks are resource groups of private link services that nothing in the input tells of: the Service that named the group is gone.
// ARM names them when it refuses to give up the frontend that they use.
type unseenLinks struct {
	groups []lb.ID
	seen   []lb.SeenPrivateLinkService // by the last round
}

// add notes the groups of private link services named in errors of round, and reports whether there was a new one.
func (u *unseenLinks) add(round Round) bool {
	found := false
	for _, s := range round.Steps {
		e, ok := errors.AsType[*OpError](s.Err)
		if !ok || s.State == StateSkipped {
			continue
		}
		for _, id := range e.Named {
			group := id.GroupID()
			if id.Is(armid.PrivateLinkServices) && !slices.ContainsFunc(u.groups, group.Equal) {
				u.groups, found = append(u.groups, group), true
			}
		}
	}
	return found
}

// widen adds the groups to what is read.
func (u *unseenLinks) widen(s lb.Scope) lb.Scope {
	for _, group := range u.groups {
		if !slices.ContainsFunc(s.PrivateLinkServices, group.Equal) {
			s.PrivateLinkServices = append(slices.Clone(s.PrivateLinkServices), group)
		}
	}
	return s
}
