package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/azlb/azlb/internal/property"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

var cmpAddrs = cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty(), cmp.Comparer(func(a, b error) bool {
	return fmt.Sprint(a) == fmt.Sprint(b)
})}

func diffLB(name string) ID  { return armid.Resource("sub", "rg", armid.LoadBalancers, name) }
func diffPIP(name string) ID { return armid.Resource("sub", "rg", armid.PublicIPAddresses, name) }

var (
	diffNSG    = armid.Resource("sub", "rg", armid.NetworkSecurityGroups, "nsg")
	diffVNet   = armid.Resource("sub", "rg", armid.VirtualNetworks, "vnet")
	diffSubnet = diffVNet.Child(armid.Subnets, "nodes")
)

// diffDraw draws one state of the world: load balancers kubernetes (public) and kubernetes-internal, with frontends f0..f3 each.
func diffDraw(t *rapid.T, label string) Desired {
	draw := func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(t, label+" "+what) }
	want := Desired{Causes: map[string][]Cause{}}
	group := SecurityGroup{ID: diffNSG}
	for n, name := range []string{"kubernetes", "kubernetes-internal"} {
		l := LoadBalancer{ID: diffLB(name), Location: "westeurope", SKU: "Standard"}
		l.Pools = []Pool{{Name: "pool", Network: diffVNet}}
		for i := range draw("members", 3) {
			l.Pools[0].Members = append(l.Pools[0].Members, Member{IP: netip.AddrFrom4([4]byte{10, 0, 0, byte(10 + i)})})
		}
		for i := range 3 {
			f := Frontend{Name: fmt.Sprintf("f%d", i), Family: ipam.IPv4}
			switch kind := draw("frontend", 4); {
			case kind == 0:
				continue
			case n == 0 || kind == 3:
				// Which frontend has which address differs from state to state, so that addresses move.
				f.PublicIP = diffPIP(fmt.Sprintf("pip%d", (i+kind)%3))
				if slices.ContainsFunc(want.PublicIPs, func(p PublicIP) bool { return p.ID == f.PublicIP }) {
					continue
				}
				want.PublicIPs = append(want.PublicIPs, PublicIP{
					ID: f.PublicIP, SKU: "Standard", Family: ipam.IPv4, Allocation: "Static",
					DNSLabel: []string{"", "a"}[draw("label", 2)], Tags: Tags{{Key: "service", Value: []string{"a", "a,b", "b"}[draw("tag", 3)]}},
				})
			case kind == 1:
				f.Subnet, f.Static = diffSubnet, netip.AddrFrom4([4]byte{10, 0, 1, byte(10 + draw("address", 2)*3 + i)})
			default:
				f.Subnet = diffSubnet
			}
			l.Frontends = append(l.Frontends, f)
			ref := l.ID.Child(armid.FrontendIPConfigurations, f.Name)
			want.Causes[ref.Key()] = []Cause{{Service: types.NamespacedName{Namespace: "ns", Name: f.Name}, Reason: ReasonService}}
			if draw("rule", 3) > 0 {
				l.Rules = append(l.Rules, Rule{
					Name: f.Name + "-TCP-80", Frontend: f.Name, Pool: "pool", Protocol: TCP, FrontendPort: 80,
					BackendPort: 80, IdleMinutes: uint8(4 + draw("idle", 2)), FloatingIP: true, Distribution: DistributionDefault,
				})
			}
			to := Address{Of: ref}
			if f.PublicIP != "" {
				to.Of = f.PublicIP
			}
			for _, r := range []SecurityRule{
				{Name: "k8s-azure-lb_allow_IPv4_a", Access: "Allow", Protocol: "Tcp", Sources: []string{"Internet"}, Ports: []string{"80"}},
				{Name: "k8s-azure-lb_allow_IPv4_b", Access: "Allow", Protocol: "Tcp", Sources: []string{"10.0.0.0/8"}, Ports: []string{"80"}},
				{Name: "k8s-azure-lb_deny-all_IPv4", Access: "Deny", Protocol: "*", Sources: []string{"*"}, Ports: []string{"*"}},
			} {
				if draw(r.Name, 2) == 0 {
					continue
				}
				at := slices.IndexFunc(group.Rules, func(s SecurityRule) bool { return s.Name == r.Name })
				if at < 0 {
					group.Rules, at = append(group.Rules, r), len(group.Rules)
				}
				group.Rules[at].Destinations = append(group.Rules[at].Destinations, to)
			}
		}
		if len(l.Frontends) > 0 {
			want.LoadBalancers = append(want.LoadBalancers, l)
		}
	}
	want.SecurityGroups = []SecurityGroup{group}
	return want
}

// diffRemovals names everything of seen that want does not have.
func diffRemovals(seen Observed, want *Desired) {
	wanted := map[string]bool{}
	add := func(id ID) { wanted[id.Key()] = true }
	each := func(l LoadBalancer, do func(ID)) {
		do(l.ID)
		for _, f := range l.Frontends {
			do(l.ID.Child(armid.FrontendIPConfigurations, f.Name))
		}
		for _, r := range l.Rules {
			do(l.ID.Child(armid.LoadBalancingRules, r.Name))
		}
	}
	for _, l := range want.LoadBalancers {
		each(l, add)
	}
	for _, p := range want.PublicIPs {
		add(p.ID)
	}
	for _, r := range want.SecurityGroups[0].Rules {
		add(diffNSG.Child(armid.SecurityRules, r.Name))
	}
	remove := func(id ID) {
		if !wanted[id.Key()] {
			want.Remove = append(want.Remove, id)
		}
	}
	for _, l := range seen.LoadBalancers {
		each(l.LoadBalancer, remove)
	}
	for _, p := range seen.PublicIPs {
		remove(p.ID)
	}
	for _, r := range seen.SecurityGroups[0].Rules {
		if r.Name != "foreign" {
			remove(diffNSG.Child(armid.SecurityRules, r.Name))
		}
	}
}

func diffEmpty() Observed {
	return Observed{SecurityGroups: []SeenSecurityGroup{{SecurityGroup: SecurityGroup{
		ID:    diffNSG,
		Rules: []SecurityRule{{Name: "foreign", Priority: 501, Access: "Allow", Outbound: true}},
	}}}}
}

func diffMust(t rapid.TB, seen Observed, want Desired) Plan {
	t.Helper()
	plan, err := Diff(seen, want)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestDiffProperties(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		first := diffDraw(t, "first")
		seen := diffApply(t, diffEmpty(), diffMust(t, diffEmpty(), first))
		if rest := diffMust(t, seen, first); len(rest.Steps) > 0 {
			t.Fatalf("after the first apply: %s", diffText(rest))
		}
		seen = diffFailures(t, seen)
		want := diffDraw(t, "second")
		diffRemovals(seen, &want)
		for _, ip := range want.PublicIPs {
			if rapid.IntRange(0, 5).Draw(t, "recreate") == 0 {
				want.Recreate = append(want.Recreate, ip.ID)
			}
		}
		given := fmt.Sprint(seen, want)
		plan := diffMust(t, seen, want)
		if fmt.Sprint(seen, want) != given {
			t.Fatal("Diff changed its arguments")
		}
		if d := cmp.Diff(plan, diffMust(t, seen, want), cmpAddrs); d != "" {
			t.Fatalf("two plans differ: %s", d)
		}
		if d := cmp.Diff(plan, diffMust(t, diffShuffledSeen(seen), diffShuffled(want)), cmpAddrs); d != "" {
			t.Fatalf("order of input matters: %s", d)
		}
		checkPlanForm(t, plan)
		checkPlanOrder(t, plan)
		want.Recreate = nil
		if rest := diffMust(t, diffApply(t, seen, plan), want); len(rest.Steps) > 0 {
			t.Fatalf("plan:\n%s\nleaves:\n%s", diffText(plan), diffText(rest))
		}
	})
}

// diffFailures lets the last operation on some of what is seen have failed.
func diffFailures(t *rapid.T, seen Observed) Observed {
	failed := func() bool { return rapid.IntRange(0, 3).Draw(t, "failed") == 0 }
	for i := range seen.LoadBalancers {
		seen.LoadBalancers[i].Failed = failed()
	}
	for i := range seen.PublicIPs {
		seen.PublicIPs[i].Failed = failed()
	}
	for i := range seen.SecurityGroups {
		seen.SecurityGroups[i].Failed = failed()
	}
	return seen
}

func diffText(p Plan) string {
	var b textBuilder
	_ = p.Explain(&b)
	return string(b)
}

type textBuilder []byte

func (b *textBuilder) Write(p []byte) (int, error) { *b = append(*b, p...); return len(p), nil }

// diffShuffled reverses every list that has no order.
func diffShuffled(want Desired) Desired {
	want.LoadBalancers = diffReversed(want.LoadBalancers)
	for i, l := range want.LoadBalancers {
		want.LoadBalancers[i].Rules = diffReversed(l.Rules) // frontends have an order: that of their addresses
	}
	want.PublicIPs, want.Remove, want.Recreate = diffReversed(want.PublicIPs), diffReversed(want.Remove), diffReversed(want.Recreate)
	want.SecurityGroups = slices.Clone(want.SecurityGroups)
	want.SecurityGroups[0].Rules = diffReversed(want.SecurityGroups[0].Rules)
	for i, r := range want.SecurityGroups[0].Rules {
		want.SecurityGroups[0].Rules[i].Destinations = diffReversed(r.Destinations)
	}
	return want
}

func diffShuffledSeen(seen Observed) Observed {
	seen.LoadBalancers, seen.PublicIPs = diffReversed(seen.LoadBalancers), diffReversed(seen.PublicIPs)
	for i, l := range seen.LoadBalancers {
		seen.LoadBalancers[i].Frontends, seen.LoadBalancers[i].Rules = diffReversed(l.Frontends), diffReversed(l.Rules)
	}
	seen.SecurityGroups = slices.Clone(seen.SecurityGroups)
	seen.SecurityGroups[0].Rules = diffReversed(seen.SecurityGroups[0].Rules)
	return seen
}

func diffReversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// checkPlanForm checks that changes sit in one step each, and that steps wait for earlier ones.
func checkPlanForm(t rapid.TB, plan Plan) {
	changes := map[string]int{}
	for i, s := range plan.Steps {
		if len(s.Op.Why()) == 0 {
			t.Fatalf("step %d changes nothing", i+1)
		}
		for _, c := range s.Op.Why() {
			key := fmt.Sprint(c.Action, c.Ref.Key(), c.Fields)
			if at, ok := changes[key]; ok {
				t.Fatalf("%s is in steps %d and %d:\n%s", key, at+1, i+1, diffText(plan))
			}
			changes[key] = i
			if len(c.Causes) == 0 {
				t.Fatalf("%s has no cause", key)
			}
		}
		if !slices.IsSorted(s.After) || slices.ContainsFunc(s.After, func(a int) bool { return a < 0 || a >= i }) {
			t.Fatalf("step %d waits for %v", i+1, s.After)
		}
	}
}

// checkPlanOrder carries the plan out in the worst order that After allows, backwards, and checks what ARM would refuse: a frontend with a
// public IP that is not there, and the deletion of one that is attached.
func checkPlanOrder(t rapid.TB, plan Plan) {
	before := make([]map[int]bool, len(plan.Steps))
	for i, s := range plan.Steps {
		before[i] = map[int]bool{}
		for _, a := range s.After {
			before[i][a] = true
			for b := range before[a] {
				before[i][b] = true
			}
		}
	}
	at := map[string]int{}
	for i, s := range plan.Steps {
		if op, ok := s.Op.(PutPublicIP); ok && (op.Before.ID == "" || len(op.Changes[0].Fields) == 1 && op.Changes[0].Fields[0].Field == fieldState) {
			at[op.After.ID.Key()] = i
		}
		if j, ok := at["parent "+s.Op.Target().Top().Key()]; ok && !before[i][j] {
			t.Fatalf("steps %d and %d write below one parent at once:\n%s", j+1, i+1, diffText(plan))
		}
		at["parent "+s.Op.Target().Top().Key()] = i
		l, ok := s.Op.(PutLoadBalancer)
		if !ok {
			continue
		}
		for _, f := range l.After.Frontends {
			// A public IP that failed cannot be referred to either.
			if j, ok := at[f.PublicIP.Key()]; ok && !before[i][j] {
				t.Fatalf("step %d uses public IP %s without waiting for it:\n%s", i+1, f.PublicIP.Name(), diffText(plan))
			}
		}
	}
	for i, s := range plan.Steps {
		del, ok := s.Op.(DeletePublicIP)
		if !ok {
			continue
		}
		attached := -1
		for j, other := range plan.Steps[:i] {
			if l, ok := other.Op.(PutLoadBalancer); ok && slices.ContainsFunc(l.Before.Frontends, func(f Frontend) bool { return f.PublicIP.Equal(del.Before.ID) }) {
				attached = j
			}
		}
		if attached >= 0 && !before[i][attached] {
			t.Fatalf("step %d deletes an attached address:\n%s", i+1, diffText(plan))
		}
	}
}
