package lb

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/property"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"pgregory.net/rapid"
)

// TestDeniedBeforeServed: no step begins to serve an address whose denial does not stand yet, unless it says so by the risk of exposure.
func TestDeniedBeforeServed(t *testing.T) {
	plans, begun, marked, circles := 0, 0, 0, 0
	property.Check(t, func(t *rapid.T) {
		first := diffDraw(t, "first")
		seen := diffApply(t, diffEmpty(), diffMust(t, diffEmpty(), first))
		want := diffDraw(t, "second")
		diffRemovals(seen, &want)
		for _, ip := range want.PublicIPs {
			if rapid.IntRange(0, 5).Draw(t, "recreate") == 0 {
				want.Recreate = append(want.Recreate, ip.ID)
			}
		}
		plan := diffMust(t, seen, want)
		b, m, k := checkDenials(t, seen, want, plan)
		plans, begun, marked, circles = plans+1, begun+b, marked+m, circles+k
	})
	t.Logf("%d plans: of %d denied addresses that begin to be served %d are marked, %d though they are known", plans, begun, marked, circles)
	if !t.Failed() && begun == 0 {
		t.Error("got no denied address that begins to be served, want some")
	}
}

// checkDenials returns how many denied addresses begin to be served by steps of a plan, how many of these are marked since their denial comes later,
// and of how many of those the address is known before the step: a denial that waits for itself. Of others only the step makes it known.
func checkDenials(t rapid.TB, seen Observed, want Desired, plan Plan) (begun, marked, known int) {
	t.Helper()
	address := map[string]netip.Addr{} // by what has it, where it keeps it
	for _, p := range seen.PublicIPs {
		if !slices.ContainsFunc(want.Recreate, p.ID.Equal) {
			address[p.ID.Key()] = p.Address
		}
	}
	for _, l := range seen.LoadBalancers {
		for _, f := range l.Frontends {
			if f.PublicIP == "" {
				address[l.ID.Child(armid.FrontendIPConfigurations, f.Name).Key()+" "+f.Static.String()] = l.Assigned[f.Name]
			}
		}
	}
	serves := func(id ID, frontends []Frontend, rules []Rule) map[string]Address {
		set := map[string]Address{}
		for _, r := range rules {
			for _, f := range frontends {
				if !strings.EqualFold(f.Name, r.Frontend) {
					continue
				}
				of := id.Child(armid.FrontendIPConfigurations, f.Name)
				if f.PublicIP != "" {
					of = f.PublicIP
				}
				set[of.Key()+" "+f.Static.String()] = Address{Of: of, IP: firstValid(firstValid(f.Static, address[of.Key()]), address[of.Key()+" "+f.Static.String()])}
			}
		}
		return set
	}
	denied := func(rules []SecurityRule, a Address) bool {
		return slices.ContainsFunc(rules, func(r SecurityRule) bool {
			return r.Access == "Deny" && !r.Outbound && slices.ContainsFunc(r.Destinations, func(to Address) bool {
				return to.Of != "" && to.Of.Equal(a.Of) || to.IP.IsValid() && to.IP == a.IP
			})
		})
	}
	before := make([]map[int]bool, len(plan.Steps))
	for i, s := range plan.Steps {
		before[i] = map[int]bool{}
		rules := slices.Clone(seen.SecurityGroups[0].Rules)
		for _, a := range s.After {
			before[i][a] = true
			for b := range before[a] {
				before[i][b] = true
			}
		}
		for j := range before[i] {
			_, after := securityPart(plan.Steps[j].Op)
			rules = append(rules, after...)
		}
		op, ok := s.Op.(PutLoadBalancer)
		if !ok {
			continue
		}
		had := serves(op.After.ID, op.Before.Frontends, op.Before.Rules)
		for key, a := range serves(op.After.ID, op.After.Frontends, op.After.Rules) {
			if _, there := had[key]; there || !denied(want.SecurityGroups[0].Rules, Address{Of: a.Of}) {
				continue
			}
			if begun++; denied(rules, a) {
				continue
			}
			if marked++; a.IP.IsValid() || a.Of.Is(armid.PublicIPAddresses) {
				known++
			}
			if !slices.Contains(s.Risks, RiskExposure) {
				t.Fatalf("step %d begins to serve %s (%s) before it is denied, and says nothing of it:\n%s", i+1, a.Of.Name(), a.IP, diffText(plan))
			}
		}
	}
	return begun, marked, known
}

func firstValid(a, b netip.Addr) netip.Addr {
	if a.IsValid() {
		return a
	}
	return b
}

// TestDenialOfAKnownAddressComesFirst: the denial of an address that is known does not wait for another one of the same group that is not, whose
// public IP waits in turn for the load balancer that begins to serve the first.
func TestDenialOfAKnownAddressComesFirst(t *testing.T) {
	id := func(typ, name string) ID { return armid.Resource("sub", "rg", typ, name) }
	a, b := id(armid.LoadBalancers, "a"), id(armid.LoadBalancers, "b")
	moving, known, group := id(armid.PublicIPAddresses, "moving"), id(armid.PublicIPAddresses, "known"), id(armid.NetworkSecurityGroups, "nsg")
	balancer := func(id ID, frontend string, ip ID) LoadBalancer {
		l := LoadBalancer{ID: id, Location: "westeurope", SKU: "Standard", Pools: []Pool{{Name: "pool"}}}
		if ip != "" {
			l.Frontends = []Frontend{{Name: frontend, Family: ipam.IPv4, PublicIP: ip}}
			l.Rules = []Rule{{
				Name: frontend + "-TCP-80", Frontend: frontend, Pool: "pool", Protocol: TCP, FrontendPort: 80, BackendPort: 80, IdleMinutes: 4,
				FloatingIP: true, Distribution: DistributionDefault,
			}}
		}
		return l
	}
	ip := func(id ID) PublicIP {
		return PublicIP{ID: id, Location: "westeurope", SKU: "Standard", Family: ipam.IPv4, Allocation: "Static"}
	}
	seen := Observed{
		LoadBalancers: []SeenLoadBalancer{{LoadBalancer: balancer(a, "moving", moving)}, {LoadBalancer: balancer(b, "", "")}},
		PublicIPs: []SeenPublicIP{
			{PublicIP: ip(moving), Address: netip.MustParseAddr("20.0.0.1"), Attached: a.Child(armid.FrontendIPConfigurations, "moving")},
			{PublicIP: ip(known), Address: netip.MustParseAddr("20.0.0.2")},
		},
		SecurityGroups: []SeenSecurityGroup{{SecurityGroup: SecurityGroup{ID: group}}},
	}
	want := Desired{
		LoadBalancers: []LoadBalancer{balancer(a, "known", known), balancer(b, "moving", moving)},
		PublicIPs:     []PublicIP{ip(moving), ip(known)},
		Recreate:      []ID{moving},
		Remove:        []ID{a.Child(armid.FrontendIPConfigurations, "moving"), a.Child(armid.LoadBalancingRules, "moving-TCP-80")},
		SecurityGroups: []SecurityGroup{{ID: group, Rules: []SecurityRule{
			{Name: "k8s-azure-lb_allow_IPv4_x", Access: "Allow", Protocol: "Tcp", Sources: []string{"Internet"}, Ports: []string{"80"}, Destinations: []Address{{Of: moving}}},
			{Name: "k8s-azure-lb_deny-all_IPv4", Access: "Deny", Protocol: "*", Sources: []string{"*"}, Ports: []string{"*"}, Destinations: []Address{{Of: known}}},
		}}},
	}
	plan := diffMust(t, seen, Adopt(seen, want))
	if begun, marked, _ := checkDenials(t, seen, want, plan); begun != 1 || marked != 0 {
		t.Errorf("got %d denied addresses that begin to be served and %d of them late, want 1 and 0:\n%s", begun, marked, diffText(plan))
	}
}
