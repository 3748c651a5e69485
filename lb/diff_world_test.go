package lb

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"pgregory.net/rapid"
)

// diffApply applies plan to seen the way ARM would: created public IPs and dynamic frontends get addresses. It fails where ARM would: on an
// address in two frontends, on a public IP that is not there, on a load balancer without frontends and on references that stay open.
func diffApply(t rapid.TB, seen Observed, plan Plan) Observed {
	t.Helper()
	w := &diffWorld{Observed: seen}
	w.LoadBalancers = slices.Clone(seen.LoadBalancers)
	w.PublicIPs = slices.Clone(seen.PublicIPs)
	w.SecurityGroups = slices.Clone(seen.SecurityGroups)
	w.PrivateLinkServices = slices.Clone(seen.PrivateLinkServices)
	for _, a := range w.known() {
		if b := a.IP.As4(); b[0] != 10 || b[1] == 9 {
			w.given = max(w.given, b[3])
		}
	}
	for i, s := range plan.Steps {
		op, open := Resolve(s.Op, w.known())
		w.do(op)
		if problem := w.problem(); problem != "" || len(open) > 0 {
			t.Fatalf("step %d: %s %v\n%s", i+1, problem, open, diffText(plan))
		}
	}
	return w.Observed
}

type diffWorld struct {
	Observed
	given byte
}

// problem returns what ARM would not allow in the present state.
func (w *diffWorld) problem() string {
	there, used := map[string]bool{}, map[string]bool{}
	for _, ip := range w.PublicIPs {
		there[ip.ID.Key()] = true
	}
	for _, l := range w.LoadBalancers {
		if len(l.Frontends) == 0 {
			return l.ID.Name() + " has no frontend"
		}
		for _, f := range l.Frontends {
			h := string(held(f, l.Assigned[f.Name]))
			if used[h] {
				return h + " is in two frontends"
			}
			if used[h] = true; f.PublicIP != "" && !there[f.PublicIP.Key()] {
				return f.PublicIP.Name() + " is not there"
			}
		}
		frontends := frontendKind.byName(l.Frontends)
		for _, r := range l.Rules {
			if _, ok := frontends[strings.ToLower(r.Frontend)]; !ok {
				return r.Name + " has no frontend"
			}
		}
	}
	return ""
}

func (w *diffWorld) known() []Assigned {
	var list []Assigned
	for _, ip := range w.PublicIPs {
		list = append(list, Assigned{ip.ID, ip.Address})
	}
	for _, l := range w.LoadBalancers {
		for name, ip := range l.Assigned {
			list = append(list, Assigned{l.ID.Child(armid.FrontendIPConfigurations, name), ip})
		}
	}
	return list
}

func (w *diffWorld) do(op Op) {
	switch op := op.(type) {
	case PutLoadBalancer:
		w.putLoadBalancer(op)
	case DeleteLoadBalancer:
		w.LoadBalancers = diffWithout(w.LoadBalancers, func(l SeenLoadBalancer) ID { return l.ID }, op.Before.ID)
	case PutBackendPool:
		for i, l := range w.LoadBalancers {
			if l.ID.Equal(op.LoadBalancer) {
				w.LoadBalancers[i].Pools = diffOverlay(poolKind, l.Pools, []Pool{op.Before}, []Pool{op.After})
			}
		}
	case PutPublicIP:
		i := slices.IndexFunc(w.PublicIPs, func(p SeenPublicIP) bool { return p.ID.Equal(op.After.ID) })
		if i < 0 {
			w.given++
			w.PublicIPs = append(w.PublicIPs, SeenPublicIP{PublicIP: op.After, Address: netip.AddrFrom4([4]byte{40, 0, 0, w.given})})
			return
		}
		tags := diffTags(w.PublicIPs[i].Tags, op.Before.Tags, op.After.Tags)
		w.PublicIPs[i].PublicIP, w.PublicIPs[i].Failed = op.After, false
		w.PublicIPs[i].Tags = tags
	case DeletePublicIP:
		w.PublicIPs = diffWithout(w.PublicIPs, func(p SeenPublicIP) ID { return p.ID }, op.Before.ID)
	case TagPublicIP:
		w.tag(op.ID, op.Before, op.After)
	case TagResource:
		w.tag(op.ID, op.Before, op.After)
	case PutSecurityGroup:
		for i, g := range w.SecurityGroups {
			if g.ID.Equal(op.After.ID) {
				w.SecurityGroups[i].Rules = diffOverlay(securityKind, g.Rules, op.Before.Rules, op.After.Rules)
				w.SecurityGroups[i].Tags = diffTags(g.Tags, op.Before.Tags, op.After.Tags)
				w.SecurityGroups[i].Failed = false
			}
		}
	case PutSecurityRule:
		w.putRules(op.Group, nil, []SecurityRule{op.After})
	case DeleteSecurityRule:
		w.putRules(op.Group, []SecurityRule{op.Before}, nil)
	case PutPrivateLinkService:
		w.PrivateLinkServices = diffWithout(w.PrivateLinkServices, func(p SeenPrivateLinkService) ID { return p.ID }, op.After.ID)
		w.PrivateLinkServices = append(w.PrivateLinkServices, SeenPrivateLinkService{PrivateLinkService: op.After})
	case DeletePrivateLinkService:
		w.PrivateLinkServices = diffWithout(w.PrivateLinkServices, func(p SeenPrivateLinkService) ID { return p.ID }, op.Before.ID)
	case DeleteEndpointConnection:
		for i, p := range w.PrivateLinkServices {
			w.PrivateLinkServices[i].Connections = slices.DeleteFunc(slices.Clone(p.Connections),
				func(c pls.Connection) bool { return p.ID.Equal(op.Service) && c.Name == op.Before.Name })
		}
	}
}

func (w *diffWorld) putRules(group ID, before, after []SecurityRule) {
	for i, g := range w.SecurityGroups {
		if g.ID.Equal(group) {
			w.SecurityGroups[i].Rules = diffOverlay(securityKind, g.Rules, before, after)
		}
	}
}

func (w *diffWorld) putLoadBalancer(op PutLoadBalancer) {
	i := slices.IndexFunc(w.LoadBalancers, func(l SeenLoadBalancer) bool { return l.ID.Equal(op.After.ID) })
	if i < 0 {
		w.LoadBalancers = append(w.LoadBalancers, SeenLoadBalancer{LoadBalancer: LoadBalancer{ID: op.After.ID}})
		i = len(w.LoadBalancers) - 1
	}
	l := w.LoadBalancers[i]
	l.Failed = false
	l.Location, l.SKU, l.EdgeZone = op.After.Location, op.After.SKU, op.After.EdgeZone
	l.Frontends = diffOverlay(frontendKind, l.Frontends, op.Before.Frontends, op.After.Frontends)
	l.Pools = diffOverlay(poolKind, l.Pools, op.Before.Pools, op.After.Pools)
	l.Probes = diffOverlay(probeKind, l.Probes, op.Before.Probes, op.After.Probes)
	l.Rules = diffOverlay(ruleKind, l.Rules, op.Before.Rules, op.After.Rules)
	l.Tags = diffTags(l.Tags, op.Before.Tags, op.After.Tags)
	assigned := map[string]netip.Addr{}
	for _, f := range l.Frontends {
		switch {
		case f.PublicIP != "":
		case f.Static.IsValid():
			assigned[f.Name] = f.Static
		case l.Assigned[f.Name].IsValid():
			assigned[f.Name] = l.Assigned[f.Name]
		default:
			w.given++
			assigned[f.Name] = netip.AddrFrom4([4]byte{10, 9, 9, w.given})
		}
	}
	l.Assigned = assigned
	w.LoadBalancers[i] = l
}

func (w *diffWorld) tag(id ID, before, after Tags) {
	for i := range w.LoadBalancers {
		if w.LoadBalancers[i].ID.Equal(id) {
			w.LoadBalancers[i].Tags = diffTags(w.LoadBalancers[i].Tags, before, after)
		}
	}
	for i := range w.PublicIPs {
		if w.PublicIPs[i].ID.Equal(id) {
			w.PublicIPs[i].Tags = diffTags(w.PublicIPs[i].Tags, before, after)
		}
	}
	for i := range w.SecurityGroups {
		if w.SecurityGroups[i].ID.Equal(id) {
			w.SecurityGroups[i].Tags = diffTags(w.SecurityGroups[i].Tags, before, after)
		}
	}
}

func diffWithout[T any](list []T, idOf func(T) ID, id ID) []T {
	return slices.DeleteFunc(slices.Clone(list), func(t T) bool { return idOf(t).Equal(id) })
}

func diffTags(seen, before, after Tags) Tags {
	for _, t := range before {
		seen = seen.Without(t.Key)
	}
	for _, t := range after {
		seen = seen.With(t.Key, t.Value)
	}
	return seen
}

func diffOverlay[T any](k childKind[T], seen, before, after []T) []T {
	mine := k.byName(slices.Concat(before, after))
	out := slices.DeleteFunc(slices.Clone(seen), func(c T) bool { _, ok := mine[strings.ToLower(k.name(c))]; return ok })
	return k.sorted(append(out, after...))
}
