package lb

import (
	"net/netip"
	"slices"

	"github.com/azlb/azlb/lb/armid"
)

// Resolve returns op with references replaced by the addresses in known, and the references that are still open, sorted. Only security
// rules have any. Ids are compared without regard to case; op itself stays as it is.
func Resolve(op Op, known []Assigned) (Op, []ID) {
	r := resolver{}
	for _, a := range known {
		if a.IP.IsValid() {
			if r.known == nil {
				r.known = make(map[string]netip.Addr, len(known))
			}
			r.known[a.ID.Key()] = a.IP.Unmap()
		}
	}
	switch o := op.(type) {
	case PutSecurityGroup:
		o.Before.Rules, o.After.Rules = r.rules(o.Before.Rules), r.rules(o.After.Rules)
		op = o
	case PutSecurityRule:
		o.Before, o.After = r.rule(o.Before), r.rule(o.After)
		op = o
	case DeleteSecurityRule:
		o.Before = r.rule(o.Before)
		op = o
	}
	slices.SortFunc(r.open, armid.Compare)
	return op, slices.CompactFunc(r.open, ID.Equal)
}

// resolver replaces references and collects those it cannot.
type resolver struct {
	known map[string]netip.Addr
	open  []ID
}

func (r *resolver) rules(list []SecurityRule) []SecurityRule {
	list = slices.Clone(list)
	for i := range list {
		list[i] = r.rule(list[i])
	}
	return list
}

func (r *resolver) rule(rule SecurityRule) SecurityRule {
	if !slices.ContainsFunc(rule.Destinations, func(a Address) bool { return !a.Known() }) {
		return rule
	}
	to := slices.Clone(rule.Destinations)
	for i, a := range to {
		if a.Known() {
			continue
		}
		if ip, ok := r.known[a.Of.Key()]; ok {
			to[i] = Address{IP: ip}
		} else {
			r.open = append(r.open, a.Of)
		}
	}
	rule.Destinations = sortedAddresses(to)
	return rule
}
