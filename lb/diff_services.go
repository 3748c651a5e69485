package lb

import (
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// typePool is the type of the pools of load balancers.
const typePool = armid.LoadBalancers + "/" + armid.BackendAddressPools

// users tells by the key of an id which Services are served through it, sorted.
type users struct {
	why   why
	by    map[string][]types.NamespacedName
	known map[string][]types.NamespacedName // by keys of pools: who is served through any of them
}

// usersOf reads off want who is served through what: as Build says it, and by the rules that somebody asked for, which is all that a
// model made by hand tells.
func usersOf(want Desired) users {
	u := users{why: want.Causes, by: map[string][]types.NamespacedName{}, known: map[string][]types.NamespacedName{}}
	for _, s := range want.Services {
		for _, id := range s.Uses {
			u.by[id.Key()] = append(u.by[id.Key()], s.Service)
		}
	}
	for _, l := range want.LoadBalancers {
		for _, r := range l.Rules {
			pool := l.ID.Child(armid.BackendAddressPools, r.Pool).Key()
			for _, c := range u.why[l.ID.Child(armid.LoadBalancingRules, r.Name).Key()] {
				if c.Service.Name != "" {
					u.by[pool] = append(u.by[pool], c.Service)
				}
			}
		}
	}
	for key, names := range u.by {
		u.by[key] = sortedNames(names)
	}
	return u
}

func sortedNames(names []types.NamespacedName) []types.NamespacedName {
	slices.SortFunc(names, compareNames)
	return slices.Compact(names)
}

// servicesOf returns the Services that are not served as they ask until op is done, sorted. What several operations have in common is not
// copied: nobody may change it.
func (u users) servicesOf(op Op) []types.NamespacedName {
	var names []types.NamespacedName
	for _, c := range op.Why() {
		asked := false
		for _, cause := range c.Causes {
			if cause.Service.Name != "" {
				names, asked = append(names, cause.Service), true
			}
		}
		if !asked {
			for _, cause := range u.why[c.Ref.Key()] {
				if cause.Service.Name != "" {
					names = append(names, cause.Service)
				}
			}
		}
		if !asked || c.Ref.Is(typePool) {
			names = append(names, u.by[c.Ref.Key()]...)
		}
	}
	if put, ok := op.(PutNetworkInterface); ok {
		served := u.through(put.moved())
		if len(names) == 0 {
			return served
		}
		names = append(names, served...)
	}
	return sortedNames(names)
}

// through returns who is served through any of pools.
func (u users) through(pools []ID) []types.NamespacedName {
	keys := make([]string, len(pools))
	for i, p := range pools {
		keys[i] = p.Key()
	}
	all := strings.Join(keys, " ")
	names, ok := u.known[all]
	if !ok {
		for _, key := range keys {
			names = append(names, u.by[key]...)
		}
		names = sortedNames(names)
		u.known[all] = names
	}
	return names
}

// moved lists the pools that an interface joins and leaves; those that it is in if it is written again as it is.
func (o PutNetworkInterface) moved() []ID {
	joined, left, _ := poolMoves(o.Before, o.After)
	if pools := slices.Concat(joined, left); len(pools) > 0 {
		return pools
	}
	var pools []ID
	for _, c := range o.After.IPConfigurations {
		pools = append(pools, c.Pools...)
	}
	return pools
}
