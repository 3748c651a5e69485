package lb_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/property"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

func nameOfService(s corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}

// TestPortraitsAgreeWithBuild: whatever the Services ask for and whatever was there before, the portraits of all Services together show
// every rule, probe, frontend, pool, public IP and security rule that is wanted for them, and each one what is its own, once.
func TestPortraitsAgreeWithBuild(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		w := newWorld(t, true)
		choices := slices.Concat(steady, lasting)
		if rapid.Bool().Draw(t, "earlier state") {
			_, _ = w.reconciler().Sync(t.Context(), w.objects(w.services(4, choices)))
		}
		in := w.objects(w.services(4, choices))
		if len(in.Services) > 0 && w.one("one only", 4) {
			in.Only = []types.NamespacedName{nameOfService(in.Services[0])}
		}
		seen := w.observe(in.Services)
		want, findings := lb.Build(w.cluster, in, seen)
		want = lb.Adopt(seen, want)
		results := map[types.NamespacedName]lb.ServiceResult{}
		for _, r := range want.Services {
			results[r.Service] = r
		}
		shown := map[string]map[types.NamespacedName]bool{}
		shares := map[string]map[types.NamespacedName][]types.NamespacedName{}
		for _, svc := range in.Services {
			name := nameOfService(svc)
			p, ok := lb.Describe(w.cluster, in, seen, name)
			if !ok || p.Service != name {
				t.Fatalf("no portrait of %s", name)
			}
			if r, served := results[name]; served && (r.Held != p.Held || !slices.Equal(r.Ingress, p.Ingress)) {
				t.Errorf("%s: held %v with %v, Build says %v with %v", name, p.Held, p.Ingress, r.Held, r.Ingress)
			} else if !served && p.Why == "" {
				t.Errorf("%s has no result, and nothing says why", name)
			}
			for _, f := range findings {
				if f.Service == name && !slices.ContainsFunc(p.Findings, func(g lb.Finding) bool { return g.String() == f.String() }) {
					t.Errorf("%s: finding %s is missing", name, f)
				}
			}
			for _, piece := range piecesOf(p) {
				key := piece.ID.Key()
				if shown[key] == nil {
					shown[key], shares[key] = map[types.NamespacedName]bool{}, map[types.NamespacedName][]types.NamespacedName{}
				}
				if shown[key][name] {
					t.Errorf("%s: %s is there twice", name, piece.ID)
				}
				shown[key][name], shares[key][name] = true, piece.SharedWith
				for _, s := range piece.Settings {
					if s.Origin.Source == "" || s.Origin.String() == "" {
						t.Errorf("%s: %s: nothing says where %s comes from", name, piece.ID, s.Name)
					}
					if p.Held && s.Origin.Source != lb.SourceObserved && s.Name != "Members" {
						t.Errorf("%s is held, and %s of %s comes from %s", name, s.Name, piece.ID, s.Origin)
					}
					if key, ok := strings.CutPrefix(s.Origin.Field, "metadata.annotations["); ok {
						if _, has := svc.Annotations[strings.TrimSuffix(key, "]")]; !has {
							t.Errorf("%s: %s of %s comes from %s, which is not there", name, s.Name, piece.ID, s.Origin)
						}
					}
				}
				if !p.Held && piece.Asked.Source == "" && piece.ID.Type() != "" && !piece.ID.Is(armid.PrivateLinkServices) {
					t.Errorf("%s is served, and nothing says why it has %s", name, piece.ID)
				}
			}
		}
		if d := cmp.Diff(wantedBy(in, seen, want), owners(shown)); d != "" {
			t.Errorf("who has what (-Build +portraits):\n%s\n%s", d, w.cloud)
		}
		for key, by := range shares {
			for name, with := range by {
				for _, other := range with {
					if !shown[key][other] || other == name {
						t.Errorf("%s shares %s with %s, which has no part in it", name, key, other)
					}
				}
				if len(with) != len(by)-1 {
					t.Errorf("%s shares %s with %v, and %d Services have it", name, key, with, len(by))
				}
			}
		}
	})
}

func owners(shown map[string]map[types.NamespacedName]bool) map[string][]string {
	out := map[string][]string{}
	for key, names := range shown {
		for name := range names {
			out[key] = append(out[key], name.String())
		}
		slices.Sort(out[key])
	}
	return out
}

func piecesOf(p lb.Portrait) []lb.Piece {
	list := slices.Concat(p.LoadBalancers, p.PublicIPs, p.Probes, p.Pools, p.SecurityRules, p.Subnets)
	for _, f := range p.Frontends {
		list = append(list, f.Piece)
	}
	for _, r := range p.Rules {
		list = append(list, r.Piece)
	}
	for _, l := range p.PrivateLinkServices {
		list = append(list, l.Piece)
	}
	return list
}

// wantedBy says who has what of want, by the names that things have and the results of Services, not by what Build thought.
func wantedBy(in lb.Objects, seen lb.Observed, want lb.Desired) map[string][]string {
	out := map[string][]string{}
	add := func(id lb.ID, name types.NamespacedName) {
		if text := name.String(); !slices.Contains(out[id.Key()], text) {
			out[id.Key()] = append(out[id.Key()], text)
			slices.Sort(out[id.Key()])
		}
	}
	byBase, byName := map[string]corev1.Service{}, map[types.NamespacedName]corev1.Service{}
	for _, s := range in.Services {
		byBase[base(s)], byName[nameOfService(s)] = s, s
	}
	results := map[types.NamespacedName]lb.ServiceResult{}
	for _, r := range want.Services {
		results[r.Service] = r
	}
	ownerOf := func(object string) (corev1.Service, bool) {
		s, ok := byBase[strings.ToLower(object[:min(len(object), 32)])]
		return s, ok
	}
	for _, l := range want.LoadBalancers {
		users := map[string][]types.NamespacedName{}
		for _, r := range l.Rules {
			s, ok := ownerOf(r.Name)
			if !ok {
				continue
			}
			name := nameOfService(s)
			users[strings.ToLower(r.Frontend)] = append(users[strings.ToLower(r.Frontend)], name)
			add(l.ID, name)
			add(l.ID.Child(armid.LoadBalancingRules, r.Name), name)
			add(l.ID.Child(armid.BackendAddressPools, r.Pool), name)
			if r.Probe != "" {
				add(l.ID.Child(armid.Probes, r.Probe), name)
			}
		}
		asked := func(id lb.ID) (names []types.NamespacedName) {
			for _, c := range want.Causes[id.Key()] {
				if _, ok := byName[c.Service]; ok && c.Reason == lb.ReasonService {
					names = append(names, c.Service)
				}
			}
			return names
		}
		for _, p := range l.Pools {
			for _, name := range asked(l.ID.Child(armid.BackendAddressPools, p.Name)) {
				add(l.ID.Child(armid.BackendAddressPools, p.Name), name)
			}
		}
		for _, f := range l.Frontends {
			// Services without rules have the frontends that they ask for or, held, that are named after them.
			key := strings.ToLower(f.Name)
			users[key] = append(users[key], asked(l.ID.Child(armid.FrontendIPConfigurations, f.Name))...)
			if s, ok := ownerOf(f.Name); ok && !slices.ContainsFunc(l.Rules, func(r lb.Rule) bool { o, _ := ownerOf(r.Name); return o.UID == s.UID }) {
				if keeps(in, results, s) {
					users[key] = append(users[key], nameOfService(s))
				}
			}
			for _, name := range users[strings.ToLower(f.Name)] {
				add(l.ID, name)
				add(l.ID.Child(armid.FrontendIPConfigurations, f.Name), name)
				if f.PublicIP != "" {
					add(f.PublicIP, name)
				}
			}
		}
	}
	for _, sub := range want.Subnets {
		for _, c := range want.Causes[sub.ID.Key()] {
			add(sub.ID, c.Service)
		}
	}
	for _, g := range want.SecurityGroups {
		for _, r := range g.Rules {
			id := g.ID.Child(armid.SecurityRules, r.Name)
			for _, s := range in.Services {
				name := nameOfService(s)
				asked := slices.ContainsFunc(want.Causes[id.Key()], func(c lb.Cause) bool { return c.Service == name && c.Reason == lb.ReasonService })
				if asked || keeps(in, results, s) && reaches(seen, want, r, s) {
					add(id, name)
				}
			}
		}
	}
	return out
}

// reaches reports whether a security rule lets traffic through that a load-balancing rule of the Service takes, by address, protocol and port.
func reaches(seen lb.Observed, want lb.Desired, sec lb.SecurityRule, svc corev1.Service) bool {
	for _, l := range want.LoadBalancers {
		for _, r := range slices.Concat(l.Rules, ruleless(l, svc)) {
			if !strings.EqualFold(r.Name[:min(len(r.Name), 32)], base(svc)) {
				continue
			}
			protocol := map[lb.Protocol]string{lb.TCP: "Tcp", lb.UDP: "Udp", lb.All: "*"}[r.Protocol]
			matches := func(port uint16) bool {
				return sec.Access == "Deny" || port == 0 || sec.Protocol == protocol && slices.Contains(sec.Ports, fmt.Sprint(port))
			}
			for _, a := range sec.Destinations {
				if !wasIn(seen, sec, a) {
					continue // who is held has what was there
				}
				// An address that no rule explains counts as everybody's who has the port.
				if (matches(r.BackendPort) || matches(r.FrontendPort)) && sec.Access == "Allow" && r.FrontendPort != 0 && unexplained(seen, a) {
					return true
				}
				if matches(r.FrontendPort) && leadsTo(seen, l, r.Frontend, a) && (r.FloatingIP || a.IP.Is6()) || !r.FloatingIP && matches(r.BackendPort) && isMember(l, r.Pool, a) {
					return true
				}
			}
		}
	}
	return false
}

// keeps reports whether a Service keeps what it has: held, of another class, or not among those that are worked on.
func keeps(in lb.Objects, results map[types.NamespacedName]lb.ServiceResult, s corev1.Service) bool {
	r, served := results[nameOfService(s)]
	return r.Held || !served && (s.Spec.LoadBalancerClass != nil || len(in.Only) > 0 && !slices.Contains(in.Only, nameOfService(s)))
}

// ruleless are the rules that the ports without one would have: the security group lets them in like any other.
func ruleless(l lb.LoadBalancer, svc corev1.Service) []lb.Rule {
	cfg, _ := annotations.Parse(&svc)
	frontends := map[string]bool{}
	for _, f := range l.Frontends {
		frontends[f.Name] = strings.EqualFold(f.Name[:min(len(f.Name), 32)], base(svc))
	}
	for _, r := range l.Rules {
		if strings.EqualFold(r.Name[:min(len(r.Name), 32)], base(svc)) {
			frontends[r.Frontend] = true
		}
	}
	var rules []lb.Rule
	for _, port := range svc.Spec.Ports {
		for name, uses := range frontends {
			for _, pool := range l.Pools {
				if !uses || !cfg.Ports[port.Port].NoRule {
					continue
				}
				protocol := lb.TCP
				if port.Protocol == corev1.ProtocolUDP {
					protocol = lb.UDP
				}
				rules = append(rules, lb.Rule{
					Name: base(svc), Frontend: name, Pool: pool.Name, Protocol: protocol, FloatingIP: cfg.Rules.FloatingIP,
					FrontendPort: uint16(port.Port), BackendPort: uint16(port.NodePort),
				})
			}
		}
	}
	return rules
}

// wasIn reports whether a security rule, or a wider one, had the destination.
func wasIn(seen lb.Observed, sec lb.SecurityRule, a lb.Address) bool {
	return slices.ContainsFunc(seen.SecurityGroups[0].Rules, func(r lb.SecurityRule) bool {
		return r.Access == sec.Access && r.Protocol == sec.Protocol && slices.Equal(r.Sources, sec.Sources) && slices.Contains(r.Destinations, a) &&
			!slices.ContainsFunc(sec.Ports, func(port string) bool { return !slices.Contains(r.Ports, port) })
	})
}

// unexplained reports whether an address is neither that of a frontend or of a managed public IP nor of a member.
func unexplained(seen lb.Observed, a lb.Address) bool {
	const ours = "a0000000"
	tagged := func(p lb.SeenPublicIP) bool {
		_, ok := p.Tags.Get("k8s-azure-service")
		return ok || strings.Contains(string(p.Attached), "/"+ours) || slices.ContainsFunc(seen.LoadBalancers, func(l lb.SeenLoadBalancer) bool {
			return slices.ContainsFunc(l.Rules, func(r lb.Rule) bool {
				return strings.HasPrefix(r.Name, ours) && l.ID.Child(armid.FrontendIPConfigurations, r.Frontend).Equal(p.Attached)
			})
		})
	}
	return a.IP.IsValid() && !slices.ContainsFunc(seen.PublicIPs, func(p lb.SeenPublicIP) bool { return p.Address == a.IP && tagged(p) }) &&
		!slices.ContainsFunc(seen.LoadBalancers, func(l lb.SeenLoadBalancer) bool {
			return slices.ContainsFunc(l.Pools, func(p lb.Pool) bool { return isMember(l.LoadBalancer, p.Name, a) }) ||
				slices.Contains(slices.Collect(maps.Values(l.Assigned)), a.IP)
		})
}

func isMember(l lb.LoadBalancer, pool string, a lb.Address) bool {
	return slices.ContainsFunc(l.Pools, func(p lb.Pool) bool {
		return strings.EqualFold(p.Name, pool) && slices.ContainsFunc(p.Members, func(m lb.Member) bool { return m.IP == a.IP })
	})
}

// leadsTo reports whether a is the address that a frontend has, or will have.
func leadsTo(seen lb.Observed, l lb.LoadBalancer, frontend string, a lb.Address) bool {
	frontends := slices.Clone(l.Frontends)
	for _, s := range seen.LoadBalancers {
		if s.ID.Equal(l.ID) {
			frontends = append(frontends, s.Frontends...) // who is held may be on somebody else's
		}
	}
	i := slices.IndexFunc(frontends, func(f lb.Frontend) bool { return strings.EqualFold(f.Name, frontend) })
	if i < 0 {
		return false
	}
	f := frontends[i]
	if !a.Known() {
		return a.Of.Equal(f.PublicIP) || a.Of.Equal(l.ID.Child(armid.FrontendIPConfigurations, f.Name))
	}
	if f.Static.IsValid() {
		return f.Static == a.IP
	}
	return slices.ContainsFunc(seen.PublicIPs, func(p lb.SeenPublicIP) bool { return p.ID.Equal(f.PublicIP) && p.Address == a.IP }) ||
		slices.ContainsFunc(seen.LoadBalancers, func(s lb.SeenLoadBalancer) bool {
			return s.ID.Equal(l.ID) && s.Assigned[f.Name] == a.IP && f.PublicIP == ""
		})
}
