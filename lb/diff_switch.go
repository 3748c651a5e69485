package lb

import (
	"maps"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// findSwitches finds the load balancers that only drop what others build for the same Service, as when it goes from internal to external,
// and lets them wait for those.
func (d *differ) findSwitches() {
	d.switches = map[*lbDraft]bool{}
	adds, drops := map[types.NamespacedName][]*lbDraft{}, map[types.NamespacedName][]*lbDraft{}
	for _, l := range d.lbs {
		if l.last == nil {
			continue
		}
		for _, c := range l.last.op.Why() {
			if !c.Ref.Is(armid.LoadBalancers+"/"+armid.FrontendIPConfigurations) && !c.Ref.Is(armid.LoadBalancers+"/"+armid.LoadBalancingRules) {
				continue
			}
			for _, cause := range c.Causes {
				switch c.Action {
				case Create:
					adds[cause.Service] = appendOnce(adds[cause.Service], l)
				case Delete:
					drops[cause.Service] = appendOnce(drops[cause.Service], l)
				}
			}
		}
	}
	d.orderSwitches(adds, drops)
}

// appendOnce appends l unless it is the last already: load balancers come one after the other.
func appendOnce(list []*lbDraft, l *lbDraft) []*lbDraft {
	if len(list) > 0 && list[len(list)-1] == l {
		return list
	}
	return append(list, l)
}

func (d *differ) orderSwitches(adds, drops map[types.NamespacedName][]*lbDraft) {
	done := map[[2]*lbDraft]bool{}
	for _, svc := range slices.SortedFunc(maps.Keys(drops), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
		for _, from := range drops[svc] {
			for _, to := range adds[svc] {
				if to == from || done[[2]*lbDraft{to, from}] {
					continue
				}
				done[[2]*lbDraft{to, from}] = true
				d.steps.order(to.last, replaces, from.last, retires)
				if !from.builds() {
					d.switches[from] = true
				}
			}
		}
	}
}

// securityBeforeSwitches lets load balancers that only drop wait for the security group, which opens what replaces them.
func (d *differ) securityBeforeSwitches() {
	for _, l := range d.lbs {
		if d.switches[l] && len(d.security) > 0 {
			d.steps.order(d.security[0], opens, l.last, retires)
		}
	}
}
