package lb

import (
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
)

// writeInterfaces makes the writes of network interfaces. Want lists every pool of an IP configuration it names, those of others too.
// Interfaces join pools after the load balancer that has them is written, and leave them before it is.
func (d *differ) writeInterfaces() {
	seen := make(map[string]NetworkInterface, len(d.seen.Interfaces))
	for _, n := range d.seen.Interfaces {
		seen[n.ID.Key()] = n.NetworkInterface
	}
	for _, want := range d.want.Interfaces {
		before, after := ourInterface(seen[want.ID.Key()], want)
		fields := interfaceFields(before, after)
		if len(fields) == 0 {
			continue
		}
		joined, left := poolMoves(before, after)
		var risks []Risk
		if len(left) > 0 {
			risks = append(risks, RiskTraffic)
		}
		put := d.steps.add(stageInterface, PutNetworkInterface{before, after, []Change{d.why.change(Update, before.ID, fields)}}, risks)
		for _, pool := range joined {
			if l := d.draftOf(pool.Top()); l != nil {
				d.steps.prefer(l.last, put)
			}
		}
		for _, pool := range left {
			if l := d.draftOf(pool.Top()); l != nil && d.remove[pool.Key()] || l != nil && l.doomed {
				d.steps.prefer(put, l.last)
			}
		}
	}
}

// ourInterface returns the IP configurations that want names, as seen and as wanted.
func ourInterface(seen, want NetworkInterface) (before, after NetworkInterface) {
	before.ID, after.ID = seen.ID, seen.ID
	pools := map[string][]ID{}
	for _, c := range want.IPConfigurations {
		pools[strings.ToLower(c.Name)] = c.Pools
	}
	for _, c := range seen.IPConfigurations {
		wanted, ok := pools[strings.ToLower(c.Name)]
		if !ok {
			continue
		}
		c.Pools = slices.SortedFunc(slices.Values(c.Pools), armid.Compare)
		before.IPConfigurations = append(before.IPConfigurations, c)
		if wanted = slices.SortedFunc(slices.Values(wanted), armid.Compare); !slices.EqualFunc(c.Pools, wanted, ID.Equal) {
			c.Pools = wanted
		}
		after.IPConfigurations = append(after.IPConfigurations, c)
	}
	byName := func(a, b IPConfiguration) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(before.IPConfigurations, byName)
	slices.SortFunc(after.IPConfigurations, byName)
	return before, after
}

func interfaceFields(b, a NetworkInterface) []FieldChange {
	var l fieldList
	for i, c := range b.IPConfigurations {
		l.add("Pools["+c.Name+"]", frontendIDs(c.Pools), frontendIDs(a.IPConfigurations[i].Pools))
	}
	return l.sorted()
}

// poolMoves lists the pools that an interface joins and leaves.
func poolMoves(b, a NetworkInterface) (joined, left []ID) {
	for i, c := range b.IPConfigurations {
		now := a.IPConfigurations[i].Pools
		old, next := keySet(c.Pools), keySet(now)
		joined = append(joined, slices.DeleteFunc(slices.Clone(now), func(id ID) bool { return old[id.Key()] })...)
		left = append(left, slices.DeleteFunc(slices.Clone(c.Pools), func(id ID) bool { return next[id.Key()] })...)
	}
	return joined, left
}
