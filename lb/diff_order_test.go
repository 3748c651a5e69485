package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/google/go-cmp/cmp"
)

// orderOf prints a plan as its verbs, names and what they wait for.
func orderOf(p Plan) []string {
	var out []string
	for _, s := range p.Steps {
		out = append(out, fmt.Sprintf("%s %s %v", verb(s.Op), s.Op.Target().Name(), s.After))
	}
	return out
}

// orderPair is two internal load balancers with two frontends each; the second of both stays.
func orderPair(addressOfA, addressOfB string) []LoadBalancer {
	var out []LoadBalancer
	for name, address := range map[string]string{"a": addressOfA, "b": addressOfB} {
		out = append(out, LoadBalancer{ID: diffLB(name), Frontends: []Frontend{
			{Name: "moves", Family: ipam.IPv4, Subnet: diffSubnet, Static: explainIP(address)},
			{Name: "stays", Family: ipam.IPv4, Subnet: diffSubnet, Static: explainIP("10.0.9." + fmt.Sprint(len(name)+int(name[0])))},
		}})
	}
	return out
}

func TestDiffOrder(t *testing.T) {
	seenPair := func(a, b string) (seen Observed) {
		for _, l := range orderPair(a, b) {
			seen.LoadBalancers = append(seen.LoadBalancers, SeenLoadBalancer{LoadBalancer: l})
		}
		return seen
	}
	for _, c := range []struct {
		fact string
		seen Observed
		want Desired
		plan []string
	}{
		{
			"an address that moves is given up first", seenPair("10.0.0.9", "10.0.0.8"),
			Desired{LoadBalancers: orderPair("10.0.0.8", "10.0.0.7")},
			[]string{"update b []", "update a [0]"},
		},
		{
			"two that swap addresses take three writes", seenPair("10.0.0.9", "10.0.0.8"),
			Desired{LoadBalancers: orderPair("10.0.0.8", "10.0.0.9")},
			[]string{"update a []", "update b [0]", "update a [1]"},
		},
		{
			"independent load balancers do not wait", seenPair("10.0.0.9", "10.0.0.8"),
			Desired{LoadBalancers: orderPair("10.0.0.5", "10.0.0.6")},
			[]string{"update a []", "update b []"},
		},
		{"pools of one load balancer are chained", explainSeenPools(), explainWantPools(), []string{"update p1 []", "update p2 [0]"}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			plan := diffMust(t, c.seen, c.want)
			if d := cmp.Diff(c.plan, orderOf(plan)); d != "" {
				t.Errorf("steps (-want +got):\n%s\n%s", d, diffText(plan))
			}
			diffApply(t, c.seen, plan)
		})
	}
}

func explainSeenPools() Observed {
	l := explainWeb()
	l.Pools = append(l.Pools, Pool{Name: "p1", Network: diffVNet}, Pool{Name: "p2", Network: diffVNet})
	return Observed{LoadBalancers: []SeenLoadBalancer{{LoadBalancer: l}}, PublicIPs: explainSeen().PublicIPs}
}

func explainWantPools() Desired {
	l := explainSeenPools().LoadBalancers[0].LoadBalancer
	l.Pools = slices.Clone(l.Pools)
	for i := 1; i < 3; i++ {
		l.Pools[i].Members = []Member{{Name: "n", IP: explainIP("10.0.0.7")}}
	}
	return Desired{LoadBalancers: []LoadBalancer{l}}
}

func TestDiffPriorities(t *testing.T) {
	to := func(ip string) []Address { return []Address{{IP: explainIP(ip)}} }
	rule := func(family, hash, protocol, source string) SecurityRule {
		return SecurityRule{
			Name: "k8s-azure-lb_allow_" + family + "_" + hash, Access: "Allow", Protocol: protocol, Sources: []string{source},
			Ports: []string{"80"}, Destinations: to("20.0.0.1"),
		}
	}
	deny := func(family string) SecurityRule {
		return SecurityRule{
			Name: "k8s-azure-lb_deny-all_" + family, Access: "Deny", Protocol: "*", Sources: []string{"*"}, Ports: []string{"*"},
			Destinations: to("20.0.0.1"),
		}
	}
	want := Desired{SecurityGroups: []SecurityGroup{{ID: diffNSG, Rules: []SecurityRule{
		rule("IPv4", "e", "*", "Internet"), rule("IPv6", "d", "Tcp", "Internet"), rule("IPv4", "c", "Udp", "Internet"),
		rule("IPv4", "a", "Tcp", "10.0.0.0/8"), rule("IPv4", "b", "Tcp", "Internet"), deny("IPv6"), deny("IPv4"),
	}}}}
	got := map[string]int32{}
	// The foreign outbound rule of diffEmpty has 501.
	for _, r := range diffMust(t, diffEmpty(), want).Steps[0].Op.(PutSecurityGroup).After.Rules {
		got[strings.TrimPrefix(r.Name, "k8s-azure-lb_")] = r.Priority
	}
	if d := cmp.Diff(map[string]int32{
		"allow_IPv4_b": 500, "allow_IPv4_a": 502, "allow_IPv6_d": 503, "allow_IPv4_c": 504, "allow_IPv4_e": 505,
		"deny-all_IPv4": 4095, "deny-all_IPv6": 4094,
	}, got); d != "" {
		t.Errorf("priorities (-want +got):\n%s", d)
	}
}

func TestDiffPrioritiesExhausted(t *testing.T) {
	seen := diffEmpty()
	for p := firstPriority; p <= lastPriority; p++ {
		seen.SecurityGroups[0].Rules = append(seen.SecurityGroups[0].Rules, SecurityRule{Name: fmt.Sprint("r", p), Priority: p})
	}
	want := Desired{
		SecurityGroups: []SecurityGroup{{ID: diffNSG, Rules: []SecurityRule{explainRule("new", "Allow", Address{IP: explainIP("20.0.0.1")})}}},
		Causes:         map[string][]Cause{diffNSG.Child(armid.SecurityRules, "new").Key(): explainCause("web", "", ReasonService)},
	}
	plan := diffMust(t, seen, want)
	if len(plan.Steps) > 0 || len(plan.Findings) != 1 || !errors.Is(plan.Findings[0].Err, ErrNoPriority) || plan.Findings[0].Service.Name != "web" {
		t.Errorf("got %s", diffText(plan))
	}
}

func TestExposure(t *testing.T) {
	base := explainSeen()
	for _, c := range []struct {
		fact string
		edit func(*SecurityGroup)
		want bool
	}{
		{"another port for an address in use", func(g *SecurityGroup) {
			r := explainRule("other", "Allow", Address{IP: explainIP("20.1.2.3")})
			r.Ports = []string{"443"}
			g.Rules = append(g.Rules, r)
		}, true},
		{"what was open, under another name", func(g *SecurityGroup) {
			r := explainRule("other", "Allow", Address{IP: explainIP("20.1.2.3")})
			g.Rules = append(g.Rules, r)
		}, false},
		{"an address that nothing served", func(g *SecurityGroup) {
			g.Rules[0].Destinations = append(slices.Clone(g.Rules[0].Destinations), Address{IP: netip.MustParseAddr("20.9.9.9")})
		}, false},
	} {
		t.Run(c.fact, func(t *testing.T) {
			want := explainWant()
			c.edit(&want.SecurityGroups[0])
			plan := diffMust(t, base, want)
			if got := slices.Contains(plan.Steps[0].Risks, RiskExposure); got != c.want {
				t.Errorf("exposure %v, want %v:\n%s", got, c.want, diffText(plan))
			}
		})
	}
}

func TestDiffInterfaces(t *testing.T) {
	id := armid.Resource("sub", "rg", armid.NetworkInterfaces, "node-1")
	pool := func(name string) ID { return diffLB("new").Child(armid.BackendAddressPools, name) }
	nic := func(pools ...ID) NetworkInterface {
		return NetworkInterface{ID: id, IPConfigurations: []IPConfiguration{{Name: "primary", Primary: true, Pools: pools}}}
	}
	seen := Observed{Interfaces: []SeenInterface{{NetworkInterface: nic(pool("old"))}}}
	want := Desired{
		Interfaces:    []NetworkInterface{nic(pool("Kubernetes"))},
		LoadBalancers: []LoadBalancer{{ID: diffLB("new"), Pools: []Pool{{Name: "kubernetes", Interfaces: true}}}},
	}
	plan := diffMust(t, seen, want)
	if d := cmp.Diff([]string{"create new []", "update node-1 [0]"}, orderOf(plan)); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
	if !slices.Equal(plan.Steps[1].Risks, []Risk{RiskTraffic}) {
		t.Errorf("risks of leaving a pool: %v", plan.Steps[1].Risks)
	}
	want.Interfaces, want.LoadBalancers = []NetworkInterface{nic(pool("OLD"))}, nil
	if plan := diffMust(t, seen, want); len(plan.Steps) > 0 {
		t.Errorf("ids in another case: %s", diffText(plan))
	}
}

func TestDiffPrivateLinkUpdate(t *testing.T) {
	frontend := diffLB("kubernetes").Child(armid.FrontendIPConfigurations, "aweb")
	link := pls.PrivateLinkService{
		ID: armid.Resource("sub", "rg", armid.PrivateLinkServices, "p"), Frontends: []armid.ID{frontend},
		NAT: []pls.NATConfiguration{{Name: "x", Subnet: diffSubnet, Primary: true}}, FQDNs: []string{"b", "a"}, Alias: "p.guid",
	}
	seen := explainSeen()
	seen.PrivateLinkServices = []SeenPrivateLinkService{{PrivateLinkService: link}}
	want := explainWant()
	link.Alias, link.FQDNs, link.NAT = "", []string{"a", "b"}, []pls.NATConfiguration{{Name: "y", Subnet: diffSubnet, Primary: true}}
	want.PrivateLinkServices = []pls.PrivateLinkService{link}
	if plan := diffMust(t, seen, want); len(plan.Steps) > 0 {
		t.Errorf("names and order are free: %s", diffText(plan))
	}
	want.PrivateLinkServices[0].Tags = []pls.Tag{{Key: "k", Value: "v"}}
	if _, ok := diffMust(t, seen, want).Steps[0].Op.(TagResource); !ok {
		t.Error("a change of tags alone is no TagResource")
	}
	want.PrivateLinkServices[0].ProxyProtocol = true
	plan := diffMust(t, seen, want)
	if _, ok := plan.Steps[0].Op.(PutPrivateLinkService); !ok || !slices.Equal(plan.Steps[0].Risks, []Risk{RiskTraffic}) {
		t.Errorf("got %s", diffText(plan))
	}
}
