package lb

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/azlb/azlb/ipam"
)

// placementGroup is Services that share an address. An address is on one load balancer, so they are placed as one.
type placementGroup struct {
	members []*service // those that are there, then the older, then by name
	leader  *service   // the one whose place is everybody's; nil until entry is known
	entry   string
}

// placementGroups finds the Services that share an address, by what they ask for, directly or by way of others.
func (b *builder) placementGroups() map[*service]*placementGroup {
	of, by := map[*service]*placementGroup{}, map[string]*placementGroup{}
	for _, s := range b.services {
		if !s.wanted || !s.ours || s.held {
			continue
		}
		g := &placementGroup{members: []*service{s}}
		of[s] = g
		for _, f := range s.cfg.Families {
			for _, key := range b.addressesAsked(s, f) {
				if other := by[key]; other != nil && other != g {
					g.members = append(g.members, other.members...)
					for k, have := range by {
						if have == other {
							by[k] = g
						}
					}
					for _, m := range other.members {
						of[m] = g
					}
				}
				by[key] = g
			}
		}
	}
	for s, g := range of {
		if len(g.members) == 1 {
			delete(of, s)
			continue
		}
		slices.SortFunc(g.members, b.compareMembers)
	}
	return of
}

// isThere reports whether a Service is on an address that it asks for.
func (b *builder) isThere(s *service) bool {
	return slices.ContainsFunc(s.cfg.Families, func(f ipam.Family) bool {
		return slices.ContainsFunc(b.addressesAsked(s, f), func(key string) bool { return b.there[key][s.base] })
	})
}

func (b *builder) compareMembers(x, y *service) int {
	rank := func(s *service) int {
		if b.isThere(s) {
			return 0
		}
		return 1
	}
	return cmp.Or(rank(x)-rank(y), x.obj.CreationTimestamp.Compare(y.obj.CreationTimestamp.Time), compareNames(x.name, y.name))
}

// addressesAsked returns the keys of the objects that a Service asks for in one family, wherever it is placed.
func (b *builder) addressesAsked(s *service, f ipam.Family) []string {
	pinned := s.cfg.Addresses.Of(f)
	if s.cfg.Internal {
		if pinned.IsValid() {
			return []string{addressKey(pinned)}
		}
		return nil
	}
	group := b.c.publicIPGroup(s.cfg)
	switch name := s.cfg.PublicIP.Name.Of(f); {
	case name != "":
		return []string{b.c.publicIP(group, name).Key()}
	case s.cfg.PublicIP.PrefixOf(f) != "":
		return nil
	case pinned.IsValid():
		if p := b.seen.publicIPAt(b.groupID(group), pinned); p != nil {
			return []string{p.ID.Key()}
		}
		return nil
	default:
		return []string{b.c.publicIP(group, publicIPName(b.c.Name, Base(s.obj.UID), "", s.cfg.Dual(), f)).Key()}
	}
}

// lead decides where a group is: where its first member is, or may be. One that can be nowhere is held, and the next one decides.
func (p *placer) lead(g *placementGroup) {
	for _, s := range g.members {
		entry, bad := p.chooseAny(s)
		if bad != nil {
			p.hold(s, bad.field, bad.err)
			continue
		}
		g.leader, g.entry = s, entry
		return
	}
}

// sharer returns another Service that is on the address of s, if s is there, nil if there is none.
func (p *placer) sharer(s *service) *service {
	g := p.groups[s]
	if g == nil || !p.isThere(s) {
		return nil
	}
	i := slices.IndexFunc(g.members, func(m *service) bool { return m != s && p.isThere(m) })
	if i < 0 {
		return nil
	}
	return g.members[i]
}

// together narrows the entries that a Service may be on to those where the others that share its address may be as well, as far as there are any.
func (p *placer) together(s *service, eligible []string) []string {
	g := p.groups[s]
	if g == nil {
		return eligible
	}
	for _, other := range g.members {
		if other == s || other.held {
			continue
		}
		theirs, bad := p.eligible(other)
		both := slices.DeleteFunc(slices.Clone(eligible), func(e string) bool { return !slices.Contains(theirs, e) })
		if bad == nil && len(both) > 0 {
			eligible = both
		}
	}
	return eligible
}

// follow places a Service where the others are that share its address.
func (p *placer) follow(s *service, g *placementGroup, eligible []string) (string, *fieldError) {
	if !slices.Contains(eligible, g.entry) {
		return "", &fieldError{pin(s), fmt.Errorf("%w: it shares an address with %[3]s on load balancer %[2]s, which this Service is not allowed on", ErrClash, g.entry, g.leader.name)}
	}
	s.placed.from = g.origin()
	return g.entry, nil
}

func (g *placementGroup) origin() Origin {
	return Origin{SourceObserved, "", fmt.Sprintf("%s is there, whose address it shares", g.leader.name)}
}
