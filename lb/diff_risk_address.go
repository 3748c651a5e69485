package lb

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// markReaddressed marks the writes after which a Service that stays has an address no more: its status will name another one. That is so also
// where the frontend stays as it is, for others who use it.
func (d *differ) markReaddressed() {
	now := map[types.NamespacedName][]Address{}
	for _, s := range d.want.Services {
		now[s.Service] = s.Ingress
	}
	for _, l := range d.lbs {
		after, frontends := ruleKind.byName(l.after.Rules), frontendKind.byName(l.before.Frontends)
		for _, r := range l.before.Rules {
			f, known := frontends[strings.ToLower(r.Frontend)]
			a, stays := after[strings.ToLower(r.Name)]
			if w := l.release(r.Frontend); known && w != nil && d.readdresses(l, r, f, a, stays, now) {
				w.mark(RiskAddress)
			}
		}
	}
}

// readdresses reports whether the Service of rule r, which leads to frontend f, loses the address of f. Where the wish lists no Services, it is
// a rule that leads to another address than before.
func (d *differ) readdresses(l *lbDraft, r Rule, f Frontend, after Rule, stays bool, now map[types.NamespacedName][]Address) bool {
	listed := false
	for _, c := range d.why[l.id.Child(armid.LoadBalancingRules, r.Name).Key()] {
		ingress, ok := now[c.Service]
		if !ok || c.Reason == ReasonGone {
			continue
		}
		listed = true
		if a := d.addressOf(l, f); a.IsValid() && !slices.Contains(ingress, Address{IP: a}) && !slices.Contains(ingress, Address{Of: f.PublicIP}) {
			return true
		}
	}
	if listed || !stays || strings.EqualFold(after.Frontend, r.Frontend) {
		return false
	}
	to, ok := l.afterByName[strings.ToLower(after.Frontend)]
	return ok && held(to, l.assigned(to)) != held(f, l.assigned(f))
}

// addressOf is the address that frontend f of l has before the plan, invalid if none is known.
func (d *differ) addressOf(l *lbDraft, f Frontend) netip.Addr {
	switch {
	case f.PublicIP != "":
		return d.seenIPs[f.PublicIP.Key()].Address
	case f.Static.IsValid():
		return f.Static
	default:
		return l.assigned(f)
	}
}
