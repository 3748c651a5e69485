package providertest

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Run asks of a provider what planning and carrying out rely on. open returns one on a fresh cloud that holds exactly what the constants of
// this package name; it is called once per test of the suite.
func Run(t *testing.T, open func(testing.TB) provider.Provider) {
	for _, tt := range []struct {
		name string
		test func(*suite)
	}{
		{"ObserveNothing", observeNothing},
		{"ObserveAbsentGroup", observeAbsentGroup},
		{"CreateAndReadBack", createAndReadBack},
		{"TwiceIsOnce", twiceIsOnce},
		{"AddressesInReceipts", addressesInReceipts},
		{"ConflictIsReplan", conflictIsReplan},
		{"OthersSurvive", othersSurvive},
		{"PoolAlone", poolAlone},
		{"SecurityRules", securityRules},
		{"TagsAlone", tagsAlone},
		{"RemoveAll", removeAll},
		{"DeleteAbsentIsDone", deleteAbsentIsDone},
		{"DeleteInUseIsDependency", deleteInUseIsDependency},
		{"BadReferenceIsRefused", badReferenceIsRefused},
		{"CancelledContext", cancelledContext},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(&suite{T: t, p: open(t)}) })
	}
}

// suite is one test with its provider.
type suite struct {
	*testing.T
	p provider.Provider
}

// observe reads the whole resource group; nothing of it may be unknown.
func (s *suite) observe() lb.Observed {
	s.Helper()
	seen, err := s.p.Observe(s.Context(), scope())
	if err != nil {
		s.Fatalf("Observe: %v", err)
	}
	if len(seen.Unknown) > 0 {
		s.Fatalf("Observe: unknown %v", seen.Unknown)
	}
	return seen
}

// do carries out ops, all of which must be written.
func (s *suite) do(ops ...lb.Op) provider.Receipt {
	s.Helper()
	var last provider.Receipt
	for _, op := range ops {
		receipt, err := s.p.Do(s.Context(), op)
		if err != nil {
			s.Fatalf("%T: %v", op, err)
		}
		if !receipt.Written || !receipt.Target.Equal(op.Target()) {
			s.Fatalf("%T: receipt %+v, want a write of %s", op, receipt, op.Target())
		}
		s.told(op, receipt)
		last = receipt
	}
	return last
}

// told compares what a receipt tells of the resource with what Observe shows; it may tell nothing.
func (s *suite) told(op lb.Op, receipt provider.Receipt) {
	s.Helper()
	if reflect.ValueOf(receipt.Seen).IsZero() {
		return
	}
	seen := s.observe()
	is := func(id lb.ID) bool { return id.Equal(op.Target().Top()) }
	want := lb.Observed{
		LoadBalancers:  slices.DeleteFunc(seen.LoadBalancers, func(l lb.SeenLoadBalancer) bool { return !is(l.ID) }),
		PublicIPs:      slices.DeleteFunc(seen.PublicIPs, func(p lb.SeenPublicIP) bool { return !is(p.ID) }),
		SecurityGroups: slices.DeleteFunc(seen.SecurityGroups, func(g lb.SeenSecurityGroup) bool { return !is(g.ID) }),
	}
	if d := cmp.Diff(want, receipt.Seen, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); d != "" {
		s.Errorf("%T: the receipt tells of something else than what is there (-there +told):\n%s", op, d)
	}
}

// unwritten carries out op, which must find that nothing is to do.
func (s *suite) unwritten(op lb.Op) provider.Receipt {
	s.Helper()
	receipt, err := s.p.Do(s.Context(), op)
	if err != nil || receipt.Written {
		s.Errorf("%T: receipt %+v, error %v, want no write", op, receipt, err)
	}
	return receipt
}

// refused carries out op, which must fail with this kind.
func (s *suite) refused(op lb.Op, kind provider.ErrorKind) {
	s.Helper()
	receipt, err := s.p.Do(s.Context(), op)
	if provider.KindOf(err) != kind {
		s.Errorf("%T: receipt %+v, error %v of kind %v, want kind %v", op, receipt, err, provider.KindOf(err), kind)
	}
}

func why(id lb.ID) []lb.Change { return []lb.Change{{Action: lb.Update, Ref: id}} }

func publicIP() lb.PublicIP {
	return lb.PublicIP{
		ID: address, Location: Location, SKU: "Standard", Family: ipam.IPv4, Allocation: "Static", Zones: "1,2,3",
		Tags: lb.Tags{{Key: "k8s-azure-service", Value: "default/web"}},
	}
}

func putIP() lb.Op { return lb.PutPublicIP{After: publicIP(), Changes: why(address)} }

// loadBalancer has a public frontend with a rule and a probe, and an internal one without.
func loadBalancer() lb.LoadBalancer {
	return lb.LoadBalancer{
		ID: balancer, Location: Location, SKU: "Standard",
		Frontends: []lb.Frontend{
			{Name: "inside", Family: ipam.IPv4, Subnet: subnet, Zones: "1,2,3"},
			{Name: "web", Family: ipam.IPv4, PublicIP: address},
		},
		Pools:  []lb.Pool{{Name: "kubernetes", Network: network, Members: []lb.Member{{Name: "node-0", IP: netip.MustParseAddr("10.240.0.100")}}}},
		Probes: []lb.Probe{{Name: "web-TCP-80", Protocol: annotations.ProbeTCP, Port: 30080, IntervalSeconds: 5, Threshold: 2}},
		Rules: []lb.Rule{{
			Name: "web-TCP-80", Frontend: "web", Pool: "kubernetes", Probe: "web-TCP-80", Protocol: lb.TCP, FrontendPort: 80, BackendPort: 80,
			IdleMinutes: 4, FloatingIP: true, TCPReset: true, Distribution: lb.DistributionDefault,
		}},
		Tags: lb.Tags{{Key: "owner", Value: "providertest"}},
	}
}

func putLB(before, after lb.LoadBalancer) lb.Op {
	return lb.PutLoadBalancer{Before: before, After: after, Changes: why(balancer)}
}

func create(s *suite) { s.do(putIP(), putLB(lb.LoadBalancer{}, loadBalancer())) }

func rule(name string, priority int32) lb.SecurityRule {
	return lb.SecurityRule{
		Name: name, Priority: priority, Access: "Allow", Protocol: "Tcp", Sources: []string{"Internet"},
		Destinations: []lb.Address{{IP: netip.MustParseAddr("20.0.0.1")}}, Ports: []string{"80"},
	}
}

// same compares what a client can write; empty and absent lists are one.
func (s *suite) same(what string, got, want any) {
	s.Helper()
	ids := cmp.Comparer(func(a, b lb.ID) bool { return a.Equal(b) })
	// The body of a load balancer does not tell the family of a public frontend: that is the public IP's.
	public := func(p cmp.Path) bool {
		return p.Last().String() == ".Family" && p.Index(-2).Type() == reflect.TypeFor[lb.Frontend]()
	}
	open := cmp.FilterPath(public, cmp.Comparer(func(a, b ipam.Family) bool { return a == b || a == 0 || b == 0 }))
	if d := cmp.Diff(want, got, ids, open, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); d != "" {
		s.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func observeNothing(s *suite) {
	seen := s.observe()
	if len(seen.LoadBalancers)+len(seen.PublicIPs) > 0 {
		s.Errorf("load balancers %v and public IPs %v in a group without any", seen.LoadBalancers, seen.PublicIPs)
	}
	if len(seen.SecurityGroups) != 1 || len(seen.SecurityGroups[0].Rules) != 0 || seen.SecurityGroups[0].ETag == "" {
		s.Errorf("security groups %+v, want one without rules, with an ETag", seen.SecurityGroups)
	}
	if len(seen.Networks) != 1 || len(seen.Networks[0].Subnets) != 1 {
		s.Fatalf("networks %+v, want one with one subnet", seen.Networks)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.240.0.0/24"), netip.MustParsePrefix("fd00:240::/64")}
	if got := seen.Networks[0].Subnets[0]; !got.ID.Equal(subnet) || !slices.Equal(got.Prefixes, want) {
		s.Errorf("subnet %+v, want %s with %v", got, subnet, want)
	}
	if len(seen.Zones) == 0 {
		s.Error("no zones in a location that has some")
	}
}

func observeAbsentGroup(s *suite) {
	absent := armid.Group(Subscription, Absent)
	seen, err := s.p.Observe(s.Context(), lb.Scope{LoadBalancers: []lb.ID{absent}, SecurityGroup: securityGroup + "-none"})
	if err != nil {
		s.Fatalf("Observe: %v", err)
	}
	var got []string
	for _, u := range seen.Unknown {
		if !u.Absent {
			s.Errorf("%+v is not marked as absent", u)
		}
		got = append(got, u.Action)
	}
	slices.Sort(got)
	s.same("unknown", got, []string{armid.LoadBalancers + "/read", armid.NetworkSecurityGroups + "/read"})
}

func createAndReadBack(s *suite) {
	create(s)
	seen := s.observe()
	if len(seen.LoadBalancers) != 1 || len(seen.PublicIPs) != 1 {
		s.Fatalf("load balancers %v and public IPs %v, want one of each", seen.LoadBalancers, seen.PublicIPs)
	}
	s.same("load balancer", seen.LoadBalancers[0].LoadBalancer, loadBalancer())
	s.same("public IP", seen.PublicIPs[0].PublicIP, publicIP())
	if got, want := seen.PublicIPs[0].Attached, balancer.Child(armid.FrontendIPConfigurations, "web"); !got.Equal(want) {
		s.Errorf("public IP attached to %q, want %q", got, want)
	}
	if seen.LoadBalancers[0].ETag == "" || seen.PublicIPs[0].ETag == "" {
		s.Error("an ETag is missing")
	}
}

func twiceIsOnce(s *suite) {
	create(s)
	before := s.observe()
	s.unwritten(putIP())
	s.unwritten(putLB(lb.LoadBalancer{}, loadBalancer()))
	s.same("state", s.observe(), before)
}

func addressesInReceipts(s *suite) {
	ip := s.do(putIP())
	if len(ip.Assigned) != 1 || !ip.Assigned[0].ID.Equal(address) || !ip.Assigned[0].IP.Is4() {
		s.Errorf("receipt of the public IP %+v, want its address", ip)
	}
	s.same("receipt of the same again", s.unwritten(putIP()).Assigned, ip.Assigned)
	created := s.do(putLB(lb.LoadBalancer{}, loadBalancer()))
	seen := s.observe()
	s.same("public address", seen.PublicIPs[0].Address, ip.Assigned[0].IP)
	inside := seen.LoadBalancers[0].Assigned["inside"]
	if !netip.MustParsePrefix("10.240.0.0/24").Contains(inside) {
		s.Errorf("address of the internal frontend %v, want one of its subnet", inside)
	}
	want := lb.Assigned{ID: balancer.Child(armid.FrontendIPConfigurations, "inside"), IP: inside}
	if !slices.ContainsFunc(created.Assigned, func(a lb.Assigned) bool { return a.ID.Equal(want.ID) && a.IP == want.IP }) {
		s.Errorf("receipt of the load balancer %+v, want %v in it", created.Assigned, want)
	}
	if created.ETag == "" || ip.ETag == "" {
		s.Error("an ETag is missing in a receipt")
	}
}

func conflictIsReplan(s *suite) {
	create(s)
	before := s.observe()
	other := loadBalancer()
	other.Rules[0].IdleMinutes = 10
	s.refused(putLB(lb.LoadBalancer{}, other), provider.Replan)
	planned := loadBalancer()
	planned.Probes[0].Port = 1
	s.refused(putLB(planned, other), provider.Replan)
	tagged := publicIP()
	tagged.DNSLabel = "other"
	s.refused(lb.PutPublicIP{After: tagged, Changes: why(address)}, provider.Replan)
	s.refused(lb.DeleteLoadBalancer{Before: lb.LoadBalancer{ID: balancer, Location: Location, SKU: "Standard"}, Changes: why(balancer)}, provider.Replan)
	s.same("state", s.observe(), before)
}

// othersSurvive writes a load balancer as somebody who knows of nothing on it.
func othersSurvive(s *suite) {
	create(s)
	empty := lb.LoadBalancer{ID: balancer, Location: Location, SKU: "Standard"}
	ours := empty
	ours.Frontends = []lb.Frontend{{Name: "ours", Family: ipam.IPv4, Subnet: subnet, Zones: "1,2,3"}}
	ours.Tags = lb.Tags{{Key: "zzz", Value: "ours"}}
	s.do(putLB(empty, ours))
	want := loadBalancer()
	want.Frontends = slices.Insert(want.Frontends, 1, ours.Frontends[0])
	want.Tags = append(want.Tags, ours.Tags[0])
	s.same("with ours", s.observe().LoadBalancers[0].LoadBalancer, want)
	s.do(putLB(ours, empty))
	s.same("without ours", s.observe().LoadBalancers[0].LoadBalancer, loadBalancer())
}

func poolAlone(s *suite) {
	create(s)
	before, after := loadBalancer().Pools[0], loadBalancer().Pools[0]
	after.Members = append(slices.Clone(after.Members), lb.Member{Name: "node-1", IP: netip.MustParseAddr("10.240.0.101")})
	etag := s.observe().LoadBalancers[0].ETag
	put := lb.PutBackendPool{LoadBalancer: balancer, Before: before, After: after, Changes: why(pool)}
	s.do(put)
	s.unwritten(put)
	want := loadBalancer()
	want.Pools[0] = after
	seen := s.observe().LoadBalancers[0]
	s.same("load balancer", seen.LoadBalancer, want)
	if seen.ETag == etag {
		s.Error("the write of a pool did not move the ETag of its load balancer")
	}
}

func securityRules(s *suite) {
	one, two, three := rule("one", 500), rule("two", 501), rule("three", 502)
	single := lb.PutSecurityRule{Group: securityGroup, After: one, Changes: why(securityGroup)}
	s.do(single)
	s.unwritten(single)
	group := lb.SecurityGroup{ID: securityGroup}
	both := lb.PutSecurityGroup{Before: group, After: lb.SecurityGroup{ID: securityGroup, Rules: []lb.SecurityRule{three, two}}, Changes: why(securityGroup)}
	s.do(both)
	s.same("rules", s.observe().SecurityGroups[0].Rules, []lb.SecurityRule{one, three, two})
	s.do(lb.DeleteSecurityRule{Group: securityGroup, Before: one, Changes: why(securityGroup)})
	s.same("rules", s.observe().SecurityGroups[0].Rules, []lb.SecurityRule{three, two})
	s.refused(lb.PutSecurityRule{Group: securityGroup, After: rule("clash", 501), Changes: why(securityGroup)}, provider.Replan)
}

func tagsAlone(s *suite) {
	create(s)
	s.do(
		lb.TagPublicIP{ID: address, After: lb.Tags{{Key: "new", Value: "1"}}, Changes: why(address)},
		lb.TagResource{ID: balancer, After: lb.Tags{{Key: "new", Value: "1"}}, Changes: why(balancer)},
	)
	seen := s.observe()
	s.same("tags of the public IP", seen.PublicIPs[0].Tags, append(publicIP().Tags, lb.Tag{Key: "new", Value: "1"}))
	s.same("tags of the load balancer", seen.LoadBalancers[0].Tags, append(lb.Tags{{Key: "new", Value: "1"}}, loadBalancer().Tags...))
}

func removeAll(s *suite) {
	create(s)
	s.do(
		lb.DeleteLoadBalancer{Before: loadBalancer(), Changes: why(balancer)},
		lb.DeletePublicIP{Before: publicIP(), Changes: why(address)},
	)
	if seen := s.observe(); len(seen.LoadBalancers)+len(seen.PublicIPs) > 0 {
		s.Errorf("left: %v, %v", seen.LoadBalancers, seen.PublicIPs)
	}
}

func deleteAbsentIsDone(s *suite) {
	s.unwritten(lb.DeleteLoadBalancer{Before: loadBalancer(), Changes: why(balancer)})
	s.unwritten(lb.DeletePublicIP{Before: publicIP(), Changes: why(address)})
	s.unwritten(lb.DeleteSecurityRule{Group: securityGroup, Before: rule("one", 500), Changes: why(securityGroup)})
	s.unwritten(lb.DeleteBackendPool{LoadBalancer: balancer, Before: loadBalancer().Pools[0], Changes: why(pool)})
}

func deleteInUseIsDependency(s *suite) {
	create(s)
	s.refused(lb.DeletePublicIP{Before: publicIP(), Changes: why(address)}, provider.Dependency)
	if len(s.observe().PublicIPs) != 1 {
		s.Error("the public IP is gone")
	}
}

func badReferenceIsRefused(s *suite) {
	_, err := s.p.Do(s.Context(), putLB(lb.LoadBalancer{}, loadBalancer())) // without the public IP
	if err == nil || provider.KindOf(err) == 0 {
		s.Errorf("got %v, want an OpError", err)
	}
	if len(s.observe().LoadBalancers) != 0 {
		s.Error("the load balancer is there")
	}
}

func cancelledContext(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.p.Do(ctx, putIP()); err == nil {
		s.Error("Do on a context that ended succeeded")
	}
	if _, err := s.p.Observe(ctx, scope()); err == nil {
		s.Error("Observe on a context that ended succeeded")
	}
	if len(s.observe().PublicIPs) != 0 {
		s.Error("the public IP is there")
	}
}
