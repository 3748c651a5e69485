package armwire

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

const sub, group = "00000000-0000-0000-0000-000000000001", "rg"

func id(typ, name string) lb.ID { return armid.Resource(sub, group, typ, name) }

var (
	lbID   = id(armid.LoadBalancers, "kubernetes")
	ipID   = id(armid.PublicIPAddresses, "ip")
	nsgID  = id(armid.NetworkSecurityGroups, "nsg")
	netID  = id(armid.VirtualNetworks, "vnet")
	plsID  = id(armid.PrivateLinkServices, "pls")
	nicID  = id(armid.NetworkInterfaces, "nic")
	poolID = lbID.Child(armid.BackendAddressPools, "kubernetes")
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func rule(name string, port uint16) lb.Rule {
	return lb.Rule{
		Name: name, Frontend: "a1", Pool: "kubernetes", Probe: "a1-TCP-80", Protocol: lb.TCP, FrontendPort: port, BackendPort: port,
		IdleMinutes: 4, FloatingIP: true, TCPReset: true, Distribution: lb.DistributionDefault,
	}
}

func loadBalancer(ports ...uint16) lb.LoadBalancer {
	l := lb.LoadBalancer{
		ID: lbID, Location: "westus2", SKU: "Standard",
		Frontends: []lb.Frontend{{Name: "a1", Family: ipam.IPv4, PublicIP: ipID}},
		Pools:     []lb.Pool{{Name: "kubernetes", Network: netID, Members: []lb.Member{{Name: "node-0", IP: addr("10.0.0.4")}}}},
		Probes:    []lb.Probe{{Name: "a1-TCP-80", Protocol: annotations.ProbeTCP, Port: 30080, IntervalSeconds: 5, Threshold: 2}},
		Tags:      lb.Tags{{Key: "env", Value: "x"}},
	}
	for _, p := range ports {
		l.Rules = append(l.Rules, rule(fmt.Sprintf("a1-TCP-%d", p), p))
	}
	return l
}

func securityRule(priority int32, destinations ...string) lb.SecurityRule {
	r := lb.SecurityRule{
		Name: "k8s-azure-lb_allow_IPv4_x", Priority: priority, Access: "Allow", Protocol: "Tcp",
		Sources: []string{"Internet"}, Ports: []string{"80"},
	}
	for _, d := range destinations {
		r.Destinations = append(r.Destinations, lb.Address{IP: addr(d)})
	}
	return r
}

func publicIP(label string) lb.PublicIP {
	return lb.PublicIP{
		ID: ipID, Location: "westus2", SKU: "Standard", Family: ipam.IPv4, Allocation: "Static", Zones: "1,2,3", DNSLabel: label,
		Tags: lb.Tags{{Key: "k8s-azure-service", Value: "default/web"}},
	}
}

func privateLink(addresses ...string) pls.PrivateLinkService {
	s := pls.PrivateLinkService{
		ID: plsID, Location: "westus2", Frontends: []lb.ID{lbID.Child(armid.FrontendIPConfigurations, "a1")},
		Tags: []pls.Tag{{Key: "k8s-azure-owner-service", Value: "default/web"}},
	}
	for i, a := range addresses {
		s.NAT = append(s.NAT, pls.NATConfiguration{Name: "nat-" + a, Subnet: netID.Child(armid.Subnets, "pls"), Address: addr(a), Primary: i == 0})
	}
	return s
}

func pools(ids ...lb.ID) lb.NetworkInterface {
	return lb.NetworkInterface{ID: nicID, IPConfigurations: []lb.IPConfiguration{{Name: "ipconfig1", Pools: ids}}}
}

// row is one operation in every situation it can meet.
type row struct {
	op     lb.Op
	absent Verdict // with nothing there
	before string  // body that equals Before; empty for a creation
	other  string  // body that equals neither
}

func rows(t testing.TB) []row {
	body := func(op lb.Op) string { return string(Format(mustWrite(t, op, nil))) }
	one, two := loadBalancer(80), loadBalancer(80, 443)
	pool1, pool2 := one.Pools[0], one.Pools[0]
	pool2.Members = append(pool2.Members[:1:1], lb.Member{Name: "node-1", IP: addr("10.0.0.5")})
	sr, moved := securityRule(500, "20.0.0.1"), securityRule(501, "20.0.0.1", "20.0.0.2")
	tags := lb.Tags{{Key: "a", Value: "2"}}
	rule1 := body(lb.PutSecurityRule{After: sr})
	nsg := func(r string) string { return `{"properties":{"securityRules":[` + r + `]}}` }
	link1, link2 := privateLink("10.0.0.7"), privateLink("10.0.0.8", "10.0.0.9")
	subnet := func(on bool) lb.Subnet {
		return lb.Subnet{ID: netID.Child(armid.Subnets, "pls"), PrivateLinkPolicies: on}
	}
	managed := func(r lb.SecurityRule) lb.SecurityGroup {
		return lb.SecurityGroup{ID: nsgID, Rules: []lb.SecurityRule{r}}
	}
	connection := pls.Connection{Name: "c", Status: "Approved"}
	return []row{
		{lb.PutLoadBalancer{After: one}, Write, "", body(lb.PutLoadBalancer{After: loadBalancer(81)})},
		{
			lb.PutLoadBalancer{Before: one, After: two},
			Conflict, body(lb.PutLoadBalancer{After: one}),
			body(lb.PutLoadBalancer{After: loadBalancer(81)}),
		},
		{lb.DeleteLoadBalancer{Before: one}, Done, body(lb.PutLoadBalancer{After: one}), body(lb.PutLoadBalancer{After: two})},
		{lb.PutBackendPool{LoadBalancer: lbID, After: pool1}, Write, "", body(lb.PutBackendPool{After: pool2})},
		{
			lb.PutBackendPool{LoadBalancer: lbID, Before: pool1, After: pool2},
			Conflict, body(lb.PutBackendPool{After: pool1}),
			`{"properties":{"loadBalancerBackendAddresses":[{"name":"n","properties":{"ipAddress":"10.0.0.9"}}]}}`,
		},
		{lb.MigrateBackendPools{LoadBalancer: lbID, Pools: []string{"none"}}, Conflict, "", body(lb.PutLoadBalancer{After: one})},
		{lb.DeleteBackendPool{LoadBalancer: lbID, Before: pool1}, Done, body(lb.PutBackendPool{After: pool1}), body(lb.PutBackendPool{After: pool2})},
		{lb.PutPublicIP{After: publicIP("")}, Write, "", body(lb.PutPublicIP{After: publicIP("x")})},
		{
			lb.PutPublicIP{Before: publicIP("a"), After: publicIP("")},
			Conflict, body(lb.PutPublicIP{After: publicIP("a")}),
			body(lb.PutPublicIP{After: publicIP("x")}),
		},
		{lb.TagPublicIP{ID: ipID, Before: lb.Tags{{Key: "A", Value: "1"}}, After: tags}, Conflict, `{"tags":{"a":"1"}}`, `{"tags":{"a":"3"}}`},
		{lb.DeletePublicIP{Before: publicIP("")}, Done, body(lb.PutPublicIP{After: publicIP("")}), body(lb.PutPublicIP{After: publicIP("x")})},
		{lb.PutSecurityGroup{Before: managed(sr), After: managed(moved)}, Conflict, nsg(rule1), nsg(body(lb.PutSecurityRule{After: securityRule(500, "20.0.0.9")}))},
		{lb.PutSecurityRule{Group: nsgID, After: sr}, Write, "", body(lb.PutSecurityRule{After: moved})},
		{lb.PutSecurityRule{Group: nsgID, Before: sr, After: moved}, Conflict, rule1, body(lb.PutSecurityRule{After: securityRule(500, "20.0.0.9")})},
		{lb.DeleteSecurityRule{Group: nsgID, Before: sr}, Done, rule1, body(lb.PutSecurityRule{After: moved})},
		{lb.TagResource{ID: lbID, Before: nil, After: tags}, Conflict, `{"tags":null}`, `{"tags":{"A":"3"}}`},
		{lb.PutPrivateLinkService{After: link1}, Write, "", body(lb.PutPrivateLinkService{After: link2})},
		{
			lb.PutPrivateLinkService{Before: link1, After: link2},
			Conflict, body(lb.PutPrivateLinkService{After: link1}),
			body(lb.PutPrivateLinkService{After: privateLink("10.0.0.10")}),
		},
		{lb.DeletePrivateLinkService{Before: link1}, Done, body(lb.PutPrivateLinkService{After: link1}), body(lb.PutPrivateLinkService{After: link2})},
		{
			lb.DeleteEndpointConnection{Service: plsID, Before: connection},
			Done,
			`{"properties":{"privateLinkServiceConnectionState":{"status":"approved"}}}`,
			`{"properties":{"privateLinkServiceConnectionState":{"status":"Pending"}}}`,
		},
		{lb.PutSubnetPolicy{Before: subnet(true), After: subnet(false)}, Conflict, `{"name":"pls"}`, ""},
		{
			lb.PutNetworkInterface{Before: pools(), After: pools(poolID)},
			Conflict, `{"properties":{"ipConfigurations":[{"name":"IPConfig1"}]}}`,
			`{"properties":{"ipConfigurations":[{"name":"other"}]}}`,
		},
	}
}

func TestPrepare(t *testing.T) {
	covered := map[string]bool{}
	for _, r := range rows(t) {
		typ := reflect.TypeOf(r.op).Name()
		covered[typ] = true
		t.Run(typ, func(t *testing.T) {
			mustBe(t, r.absent, r.op, nil)
			if r.other != "" {
				mustBe(t, Conflict, r.op, parse(t, r.other))
			}
			if r.absent == Write {
				mustBe(t, Done, r.op, mustWrite(t, r.op, nil))
			}
			if r.before != "" {
				checkUpdate(t, r.op, parse(t, r.before))
			}
		})
	}
	for _, typ := range opTypes(t) {
		if !covered[typ] {
			t.Errorf("no row for %s", typ)
		}
	}
	if _, err := Prepare(nil, nil); err == nil {
		t.Error("no error for an operation that is not known")
	}
}

// checkUpdate prepares op on a body that equals Before, and again on what it wrote.
func checkUpdate(t *testing.T, op lb.Op, raw Object) {
	saved := text(raw)
	r, err := Prepare(op, raw)
	if err != nil || r.Verdict != Write {
		t.Fatalf("got %v %v, want Write", r.Verdict, err)
	}
	if text(raw) != saved {
		t.Errorf("raw was changed from %s to %s", saved, text(raw))
	}
	name := reflect.TypeOf(op).Name()
	if deletes := strings.HasPrefix(name, "Delete"); deletes != r.Delete || deletes != (r.Body == nil) {
		t.Errorf("got %+v", r)
	}
	if r.TagsOnly != strings.HasPrefix(name, "Tag") {
		t.Errorf("TagsOnly is %v", r.TagsOnly)
	}
	if r.Body != nil {
		mustBe(t, Done, op, r.Body)
	}
}

// opTypes reads the closed set of operations from its declaration.
func opTypes(t *testing.T) []string {
	f, err := parser.ParseFile(token.NewFileSet(), "../../lb/op.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "op" {
			types = append(types, fn.Recv.List[0].Type.(*ast.Ident).Name)
		}
	}
	if len(types) == 0 {
		t.Fatal("no operation found")
	}
	return types
}

func TestReferencesAreErrors(t *testing.T) {
	r := securityRule(500)
	r.Destinations = []lb.Address{{Of: ipID}}
	for _, op := range []lb.Op{
		lb.PutSecurityRule{Group: nsgID, After: r},
		lb.DeleteSecurityRule{Group: nsgID, Before: r},
		lb.PutSecurityGroup{After: lb.SecurityGroup{ID: nsgID, Rules: []lb.SecurityRule{r}}},
	} {
		if _, err := Prepare(op, nil); err == nil || !strings.Contains(err.Error(), "address of ip (known after apply)") {
			t.Errorf("%T: got %v", op, err)
		}
	}
}

// The body of a new load balancer, field by field.
func TestNewLoadBalancer(t *testing.T) {
	l := loadBalancer(80)
	l.Frontends = append(l.Frontends,
		lb.Frontend{Name: "a2", Family: ipam.IPv6, Subnet: netID.Child(armid.Subnets, "s"), Zones: "1,2"},
		lb.Frontend{Name: "a3", Family: ipam.IPv4, Subnet: netID.Child(armid.Subnets, "s"), Static: addr("10.0.0.9")})
	udp := rule("a1-UDP-53", 53)
	udp.Protocol, udp.TCPReset, udp.Probe = lb.UDP, false, ""
	l.Rules = append(l.Rules, udp)
	want := parse(t, strings.NewReplacer("$LB", string(lbID), "$IP", string(ipID), "$NET", string(netID)).Replace(`{
		"name": "kubernetes", "location": "westus2", "sku": {"name": "Standard"}, "tags": {"env": "x"},
		"properties": {
			"frontendIPConfigurations": [
				{"name": "a1", "id": "$LB/frontendIPConfigurations/a1", "properties": {"publicIPAddress": {"id": "$IP"}}},
				{"name": "a2", "id": "$LB/frontendIPConfigurations/a2", "zones": ["1", "2"], "properties": {"subnet": {"id": "$NET/subnets/s"},
					"privateIPAddressVersion": "IPv6", "privateIPAllocationMethod": "Dynamic"}},
				{"name": "a3", "id": "$LB/frontendIPConfigurations/a3", "properties": {"subnet": {"id": "$NET/subnets/s"},
					"privateIPAllocationMethod": "Static", "privateIPAddress": "10.0.0.9"}}],
			"backendAddressPools": [{"name": "kubernetes", "properties": {"virtualNetwork": {"id": "$NET"},
				"loadBalancerBackendAddresses": [{"name": "node-0", "properties": {"ipAddress": "10.0.0.4"}}]}}],
			"probes": [{"name": "a1-TCP-80", "properties": {"protocol": "Tcp", "port": 30080, "intervalInSeconds": 5, "probeThreshold": 2}}],
			"loadBalancingRules": [
				{"name": "a1-TCP-80", "properties": {"protocol": "Tcp", "frontendPort": 80, "backendPort": 80, "enableFloatingIP": true,
					"enableTcpReset": true, "disableOutboundSnat": false, "idleTimeoutInMinutes": 4, "loadDistribution": "Default",
					"frontendIPConfiguration": {"id": "$LB/frontendIPConfigurations/a1"},
					"backendAddressPool": {"id": "$LB/backendAddressPools/kubernetes"}, "probe": {"id": "$LB/probes/a1-TCP-80"}}},
				{"name": "a1-UDP-53", "properties": {"protocol": "Udp", "frontendPort": 53, "backendPort": 53, "enableFloatingIP": true,
					"disableOutboundSnat": false, "idleTimeoutInMinutes": 4, "loadDistribution": "Default",
					"frontendIPConfiguration": {"id": "$LB/frontendIPConfigurations/a1"},
					"backendAddressPool": {"id": "$LB/backendAddressPools/kubernetes"}}}]}}`))
	if got := mustWrite(t, lb.PutLoadBalancer{After: l}, nil); string(Format(got)) != string(Format(want)) {
		t.Errorf("got %s", Format(got))
	}
}

func TestSingularAndPlural(t *testing.T) {
	forms := []string{
		`{"name":"r","properties":{"priority":500,"access":"allow","protocol":"TCP","sourceAddressPrefix":"internet",
			"destinationAddressPrefix":"20.0.0.1/32","destinationAddressPrefixes":null,"destinationPortRange":"80"}}`,
		`{"name":"r","properties":{"priority":500,"access":"Allow","protocol":"Tcp","direction":"Inbound",
			"sourceAddressPrefix":"","sourceAddressPrefixes":["Internet"],
			"destinationAddressPrefixes":["20.0.0.1"],"destinationPortRange":null,"destinationPortRanges":["80"]}}`,
	}
	want := securityRule(500, "20.0.0.1")
	for _, f := range forms {
		mustBe(t, Done, lb.PutSecurityRule{Group: nsgID, Before: securityRule(500, "20.0.0.1"), After: want}, parse(t, f))
		body := mustWrite(t, lb.PutSecurityRule{Group: nsgID, Before: want, After: securityRule(500, "20.0.0.1", "20.0.0.2")}, parse(t, f))
		plural := text(value(body, "properties.destinationAddressPrefixes"))
		if value(body, "properties.destinationAddressPrefix") != nil || plural != `["20.0.0.1","20.0.0.2"]` {
			t.Errorf("got %s", Format(body))
		}
	}
}

// TestPrepareAfterFailure: content equals what is wanted, and the last operation failed or was cancelled, so it is written once more.
func TestPrepareAfterFailure(t *testing.T) {
	for _, r := range rows(t) {
		wanted := apply(t, r)
		if wanted == nil || tagsOnly(r.op) {
			continue
		}
		for state, want := range map[string]Verdict{"Failed": Write, "canceled": Write, "Succeeded": Done, "Updating": Done} {
			body := Clone(wanted)
			set(body, "properties.provisioningState", state)
			got := mustPrepare(t, r.op, body)
			if got.Verdict != want {
				t.Errorf("%T in state %s: %v, want %v", r.op, state, got.Verdict, want)
			}
			if got.Verdict == Write && (got.Delete || got.TagsOnly || value(got.Body, "properties.provisioningState") != nil) {
				t.Errorf("%T in state %s: %+v, want a PUT without the state", r.op, state, got)
			}
		}
	}
}

// apply returns the body that r's operation leads to; nil if it deletes.
func apply(t *testing.T, r row) Object {
	t.Helper()
	var raw Object
	if r.before != "" {
		raw = parse(t, r.before)
	}
	got := mustPrepare(t, r.op, raw)
	if got.Verdict != Write || got.Delete {
		return nil
	}
	return got.Body
}

func tagsOnly(op lb.Op) bool {
	switch op.(type) {
	case lb.TagPublicIP, lb.TagResource:
		return true
	default:
		return false
	}
}

func mustPrepare(t *testing.T, op lb.Op, raw Object) Result {
	t.Helper()
	r, err := Prepare(op, raw)
	if err != nil {
		t.Fatalf("%T: %v", op, err)
	}
	return r
}

// TestMigrateBackendPools: only pools that are of interfaces still are migrated, in any case of their names.
func TestMigrateBackendPools(t *testing.T) {
	op := lb.MigrateBackendPools{LoadBalancer: lbID, Pools: []string{"a", "B"}}
	pool := func(name, members string) string {
		return `{"name":"` + name + `","properties":{"backendIPConfigurations":[{"id":"/x"}],"loadBalancerBackendAddresses":[` + members + `]}}`
	}
	const nic, ip = `{"name":"n","properties":{}}`, `{"name":"n","properties":{"ipAddress":"10.0.0.4"}}`
	balancer := func(pools ...string) Object {
		return parse(t, `{"id":"`+string(lbID)+`","properties":{"backendAddressPools":[`+strings.Join(pools, ",")+`]}}`)
	}
	r, err := Prepare(op, balancer(pool("A", ip), pool("b", nic), pool("c", nic)))
	if err != nil || r.Verdict != Write || r.Action != "migrateToIpBased" || text(r.Body) != text(Object{"pools": []any{"B"}}) {
		t.Errorf("got %+v, %v", r, err)
	}
	mustBe(t, Done, op, balancer(pool("a", ip), pool("b", ip)))
	mustBe(t, Conflict, op, balancer(pool("a", nic)))
}

// TestFrontendMoves: a frontend goes, or gets another address, only under the rules that were planned with.
func TestFrontendMoves(t *testing.T) {
	before, after, gone := loadBalancer(80), loadBalancer(80), loadBalancer()
	after.Frontends = []lb.Frontend{{Name: "a1", Family: ipam.IPv4, PublicIP: id(armid.PublicIPAddresses, "other")}}
	gone.Frontends = nil
	theirs, elsewhere := rule("theirs", 25), rule("elsewhere", 26)
	elsewhere.Frontend = "b1"
	with := func(l lb.LoadBalancer, rules ...lb.Rule) lb.LoadBalancer {
		l.Rules = slices.Concat(l.Rules, rules)
		return l
	}
	for _, tt := range []struct {
		name string
		op   lb.PutLoadBalancer
		have lb.LoadBalancer
		want Verdict
	}{
		{"nobody joined", lb.PutLoadBalancer{Before: before, After: after}, before, Write},
		{"somebody joined", lb.PutLoadBalancer{Before: before, After: after}, with(before, theirs), Conflict},
		{"somebody joined what goes", lb.PutLoadBalancer{Before: before, After: gone}, with(before, theirs), Conflict},
		{"somebody was there", lb.PutLoadBalancer{Before: with(before, theirs), After: with(after, theirs)}, with(before, theirs), Write},
		{"another frontend", lb.PutLoadBalancer{Before: before, After: after}, with(before, elsewhere), Write},
		{"nothing moves", lb.PutLoadBalancer{Before: before, After: loadBalancer(80, 443)}, with(before, theirs), Write},
	} {
		t.Run(tt.name, func(t *testing.T) { mustBe(t, tt.want, tt.op, newLoadBalancer(tt.have)) })
	}
}
