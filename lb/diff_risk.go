package lb

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// lbRisks returns what leading l from before to after does to traffic: [RiskTraffic] if something that carries traffic is removed or
// re-pointed, [RiskAddress] if a frontend changes or gives up its address. What is
// deleted counts whoever it was for, also a Service that is gone: it was serving until then. Probes, timeouts and distribution cut nothing.
func lbRisks(l *lbDraft, before, after LoadBalancer) []Risk {
	var risks []Risk
	if slices.ContainsFunc(ruleKind.changedOf(before.Rules, after.Rules), func(p [2]Rule) bool { return rerouted(p[0], p[1]) }) {
		risks = append(risks, RiskTraffic)
	}
	frontends, pools := l.inUse()
	for _, p := range frontendKind.changedOf(before.Frontends, after.Frontends) {
		if !readdressed(p[0], p[1], l.assigned(p[0])) {
			continue
		}
		risks = append(risks, RiskAddress)
		if frontends[strings.ToLower(p[0].Name)] {
			risks = append(risks, RiskTraffic)
		}
	}
	for _, p := range poolKind.changedOf(before.Pools, after.Pools) {
		if pools[strings.ToLower(p[0].Name)] && losesMembers(p[0], p[1]) {
			risks = append(risks, RiskTraffic)
		}
	}
	return risks
}

// markMoved marks the writes that make rules of a Service anew while the same ones stay on another load balancer, where nobody looks after
// them any more: the Service's status will name the new address, and clients of the old one are on their own. It is what another cluster
// name, or another name of the load balancer, comes to.
func (d *differ) markMoved() {
	for _, l := range d.lbs {
		if l.doomed || l.last == nil || !d.leavesBehind(l) {
			continue
		}
		l.last.mark(RiskAddress, RiskTraffic)
	}
}

// leavesBehind reports whether a rule that l gets is, and stays, on another load balancer too. Only names made of a uid tell.
func (d *differ) leavesBehind(l *lbDraft) bool {
	had := ruleKind.byName(l.seen.Rules)
	made := map[string]bool{}
	for _, r := range l.after.Rules {
		if _, ok := had[strings.ToLower(r.Name)]; !ok && baseOf(r.Name) != "" {
			made[strings.ToLower(r.Name)] = true
		}
	}
	if len(made) == 0 {
		return false
	}
	return slices.ContainsFunc(d.seen.LoadBalancers, func(s SeenLoadBalancer) bool {
		return !s.ID.Equal(l.id) && slices.ContainsFunc(s.Rules, func(r Rule) bool {
			return made[strings.ToLower(r.Name)] && !d.dropsRule(s.ID, r)
		})
	})
}

// dropsRule reports whether the plan removes a rule.
func (d *differ) dropsRule(balancer ID, r Rule) bool {
	return d.remove[balancer.Key()] || d.remove[balancer.Child(armid.LoadBalancingRules, r.Name).Key()]
}

// poolRisks is [lbRisks] for the write of one pool.
func poolRisks(l *lbDraft, before, after Pool, c Change) []Risk {
	_, pools := l.inUse()
	if pools[strings.ToLower(before.Name)] && losesMembers(before, after) && !c.allGone() {
		return []Risk{RiskTraffic}
	}
	return nil
}

// changedOf pairs the children of before with what becomes of them, the zero value if they go; equal ones are left out.
func (k childKind[T]) changedOf(before, after []T) [][2]T {
	now := k.byName(after)
	var out [][2]T
	for _, b := range before {
		a, ok := now[strings.ToLower(k.name(b))]
		if !ok || len(k.fields(b, a)) > 0 {
			out = append(out, [2]T{b, a})
		}
	}
	return out
}

// inUse returns the lower-case names of frontends and pools that any seen rule or use of l refers to.
func (l *lbDraft) inUse() (frontends, pools map[string]bool) {
	frontends, pools = map[string]bool{}, map[string]bool{}
	for _, r := range l.seen.Rules {
		frontends[strings.ToLower(r.Frontend)] = true
		pools[strings.ToLower(r.Pool)] = true
	}
	for _, u := range l.seen.Uses {
		for _, f := range u.Frontends {
			frontends[strings.ToLower(f)] = true
		}
		for _, p := range u.Pools {
			pools[strings.ToLower(p)] = true
		}
	}
	return frontends, pools
}

// rerouted reports whether traffic of rule b goes another way under a.
func rerouted(b, a Rule) bool {
	return b.Protocol != a.Protocol || b.FrontendPort != a.FrontendPort || b.BackendPort != a.BackendPort || b.FloatingIP != a.FloatingIP ||
		!strings.EqualFold(b.Frontend, a.Frontend) || !strings.EqualFold(b.Pool, a.Pool)
}

// readdressed reports whether frontend b, which has the private address assigned, may have another one as a. Pinning the address it has
// changes nothing; giving up the pin may.
func readdressed(b, a Frontend, assigned netip.Addr) bool {
	if b.PublicIP != "" || a.PublicIP != "" {
		return !b.PublicIP.Equal(a.PublicIP)
	}
	if !b.Subnet.Equal(a.Subnet) {
		return true
	}
	if b.Static.IsValid() {
		assigned = b.Static
	}
	return a.Static != b.Static && a.Static != assigned
}

// losesMembers reports whether an address of b is not in a, or b stops being a pool of that kind.
func losesMembers(b, a Pool) bool {
	now := map[netip.Addr]bool{}
	for _, m := range a.Members {
		now[m.IP] = true
	}
	return b.Interfaces && !a.Interfaces || slices.ContainsFunc(b.Members, func(m Member) bool { return !now[m.IP] })
}

// publicIPRisks returns [RiskAddress] if the address or the name it is found under may change.
func publicIPRisks(fields []FieldChange) []Risk {
	for _, f := range fields {
		switch f.Field {
		case "Family", "Allocation", "Prefix":
			return []Risk{RiskAddress}
		case "DNSLabel":
			if f.Before != "" {
				return []Risk{RiskAddress}
			}
		}
	}
	return nil
}

// securityRisks returns [RiskExposure] and [RiskTraffic], sorted, if the write from before to after opens or cuts something.
func (d *differ) securityRisks(g *securityDraft, before, after SecurityGroup, changes []Change) []Risk {
	gone := map[string]bool{}
	for _, c := range changes {
		if c.allGone() {
			gone[strings.ToLower(c.Ref.Name())] = true
		}
	}
	var risks []Risk
	if g.exposes(before, after, gone) {
		risks = append(risks, RiskExposure)
	}
	if g.cuts(before, after, gone) || d.shutsOut(g, before, after) {
		risks = append(risks, RiskTraffic)
	}
	return risks
}

// cuts reports whether an address loses its last allowance while a load balancer goes on serving it. Where that changes too, its own write
// has the mark.
func (g *securityDraft) cuts(before, after SecurityGroup, gone map[string]bool) bool {
	now := allowances(after.Rules)
	return slices.ContainsFunc(rulePairs(after.Rules, before.Rules), func(p rulePair) bool {
		s, served := g.served[p.to.IP]
		return served && !s.changing && p.rule.Access == "Allow" && !p.rule.Outbound && len(now[p.to]) == 0 && !gone[strings.ToLower(p.rule.Name)]
	})
}

// shutsOut reports whether a denial comes to an address at which a load balancer goes on serving a Service that does not ask for it: who shares
// an address shares its denials too, and with them everybody whom Azure lets in by default.
func (d *differ) shutsOut(g *securityDraft, before, after SecurityGroup) bool {
	var staying map[netip.Addr][]ID
	asking := map[string]map[types.NamespacedName]bool{} // by name of the denial
	return slices.ContainsFunc(rulePairs(before.Rules, after.Rules), func(p rulePair) bool {
		if p.rule.Access != "Deny" || p.rule.Outbound || g.served[p.to.IP].lb == nil {
			return false
		}
		if staying == nil {
			staying = d.stayingRules(g.served)
		}
		if asking[p.rule.Name] == nil {
			asking[p.rule.Name] = d.why.services(after.ID.Child(armid.SecurityRules, p.rule.Name))
		}
		return slices.ContainsFunc(staying[p.to.IP], func(rule ID) bool {
			return !slices.ContainsFunc(d.why[rule.Key()], func(c Cause) bool { return asking[p.rule.Name][c.Service] })
		})
	})
}

// stayingRules lists the rules that are there before the plan and after it, by the address at which security rules see their traffic.
func (d *differ) stayingRules(served map[netip.Addr]servedAddr) map[netip.Addr][]ID {
	was := addressesBefore(served)
	all := map[netip.Addr][]ID{}
	for _, l := range d.lbs {
		after := ruleKind.byName(l.after.Rules)
		for _, r := range l.before.Rules {
			ip := was[l][strings.ToLower(r.Frontend)]
			if _, stays := after[strings.ToLower(r.Name)]; stays && ip.IsValid() && r.FloatingIP {
				all[ip] = append(all[ip], l.id.Child(armid.LoadBalancingRules, r.Name))
			}
		}
	}
	return all
}

// exposes reports whether the write from before to after lets in what was not let in before: an allowance for a destination that
// was there already and that no allowance covered, or a denial taken from an address that stays. What is allowed for addresses that are
// new with this plan is what their Service asks for, no risk.
func (g *securityDraft) exposes(before, after SecurityGroup, gone map[string]bool) bool {
	for _, p := range rulePairs(after.Rules, before.Rules) {
		if p.rule.Access == "Deny" && !p.rule.Outbound && !g.served[p.to.IP].dropped && !gone[strings.ToLower(p.rule.Name)] {
			return true
		}
	}
	allowed := allowances(before.Rules)
	for _, p := range rulePairs(before.Rules, after.Rules) {
		if p.rule.Access != "Allow" || p.rule.Outbound || !p.to.Known() {
			continue
		}
		_, served := g.served[p.to.IP]
		_, named := allowed[p.to]
		if (served || named) && !covered(p.rule, allowed[p.to]) {
			return true
		}
	}
	return false
}

// allowances lists the allowing rules by destination; denied destinations have an entry too, since they are no news either.
func allowances(rules []SecurityRule) map[Address][]SecurityRule {
	m := map[Address][]SecurityRule{}
	for _, r := range rules {
		for _, a := range r.Destinations {
			if r.Access == "Allow" && !r.Outbound {
				m[a] = append(m[a], r)
			} else if _, ok := m[a]; !ok {
				m[a] = nil
			}
		}
	}
	return m
}

// covered reports whether every source and port of r was let in by one of rules.
func covered(r SecurityRule, rules []SecurityRule) bool {
	for _, source := range r.Sources {
		for _, port := range r.Ports {
			if !slices.ContainsFunc(rules, func(b SecurityRule) bool {
				return (b.Protocol == "*" || strings.EqualFold(b.Protocol, r.Protocol)) && coversPort(b.Ports, port) && coversSource(b.Sources, source) &&
					(len(b.SourcePorts) == 0 || slices.Equal(b.SourcePorts, r.SourcePorts))
			}) {
				return false
			}
		}
	}
	return true
}

func coversPort(ports []string, port string) bool {
	return slices.Contains(ports, "*") || slices.Contains(ports, port)
}

// coversSource reports whether source is in one of sources: the same, everything, or a prefix around it. "Internet" is not taken to be
// around any prefix, since some are private.
func coversSource(sources []string, source string) bool {
	prefix, err := netip.ParsePrefix(source)
	return slices.ContainsFunc(sources, func(s string) bool {
		if s == "*" || strings.EqualFold(s, source) {
			return true
		}
		around, wrong := netip.ParsePrefix(s)
		return err == nil && wrong == nil && around.Bits() <= prefix.Bits() && around.Contains(prefix.Addr())
	})
}
