package lb_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/azlb/azlb/provider"
)

// linked makes an internal Service that asks for a private link service; notes are keys without prefix and values, in turn.
func linked(i int, notes ...string) corev1.Service {
	s := lbtest.Service(i, lbtest.Internal, lbtest.Annotate("azure-pls-create", "true"), lbtest.Port(int32(80+i)))
	for n := 0; n < len(notes); n += 2 {
		s.Annotations[annotations.Prefix+notes[n]] = notes[n+1]
	}
	return s
}

// linkTest is an Azure that takes private link services on pools of addresses, and a cluster in it.
type linkTest struct {
	*testing.T
	cloud   *fake.Cloud
	cluster lb.Cluster
}

func newLinkTest(t *testing.T) *linkTest {
	c := fake.New(&fake.Options{Waive: []fake.Rule{fake.RuleServiceOnIPPool}})
	if err := c.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	c.AddGroup(armid.Group(lbtest.Cluster().Subscription, "links"), "westeurope")
	return &linkTest{t, c, lbtest.Cluster()}
}

func (t *linkTest) objects(services ...corev1.Service) lb.Objects {
	return lb.Objects{Services: services, Nodes: lbtest.Nodes(1)}
}

// build returns what Build makes of the Services: private link services and findings as text, without the warning about pools.
func (t *linkTest) build(services ...corev1.Service) (links, findings []string) {
	t.Helper()
	in := t.objects(services...)
	scope := lb.ScopeOf(t.cluster, in)
	scope.PrivateLinkServices = []lb.ID{armid.Group(t.cluster.Subscription, "rg"), armid.Group(t.cluster.Subscription, "links")}
	seen, err := t.cloud.Observe(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	want, found := lb.Build(t.cluster, in, seen)
	for _, p := range want.PrivateLinkServices {
		links = append(links, linkText(p))
	}
	for _, f := range found {
		text := fmt.Sprintf("%s: %s: %v", f.Severity, strings.ReplaceAll(f.Field, annotations.Prefix, ""), f.Err)
		if !strings.Contains(text, "IP-based backend pools") {
			findings = append(findings, strings.ReplaceAll(text, annotations.Prefix, ""))
		}
	}
	return links, findings
}

func linkText(p pls.PrivateLinkService) string {
	var nat []string
	for _, n := range p.NAT {
		text := n.Subnet.Name() + " dynamic"
		if n.Address.IsValid() {
			text = n.Subnet.Name() + " " + n.Address.String()
		}
		if n.Primary {
			text += " primary"
		}
		nat = append(nat, text)
	}
	owner, _ := p.Tag(pls.TagOwner)
	return fmt.Sprintf("%s/%s of %s: %s; proxy %t, fqdns %v, visible %v, approved %v",
		p.ID.ResourceGroup(), p.ID.Name(), owner, strings.Join(nat, ", "), p.ProxyProtocol, p.FQDNs, p.Visibility, p.AutoApproval)
}

func TestPrivateLinkAnnotations(t *testing.T) {
	many := strings.Repeat("a ", 101)
	for _, c := range []struct {
		name  string
		notes []string
		links []string
		finds []string
	}{
		{
			"nothing but create",
			[]string{},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"create in any case, with blanks",
			[]string{"azure-pls-create", " True "},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"create is no boolean",
			[]string{"azure-pls-create", "yes"},
			nil,
			[]string{`warning: metadata.annotations[azure-pls-create]: "yes": malformed: want true or false`},
		},
		{
			"create is false",
			[]string{"azure-pls-create", "false"},
			nil,
			nil,
		},
		{
			"name",
			[]string{"azure-pls-name", "orders"},
			[]string{"rg/orders of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"name with a blank in it",
			[]string{"azure-pls-name", "or ders"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-name]: "or ders": malformed: want letters, digits, _ . and - only, have ' '`},
		},
		{
			"name too long",
			[]string{"azure-pls-name", strings.Repeat("n", 81)},
			nil,
			[]string{`error: metadata.annotations[azure-pls-name]: "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn": malformed: want 1 to 80 characters, have 81`},
		},
		{
			"resource group",
			[]string{"azure-pls-resource-group", "links"},
			[]string{"links/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"resource group cannot be one",
			[]string{"azure-pls-resource-group", "a/b"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-resource-group]: "a/b": malformed: want letters, digits, _ - . ( and ) only, have '/'`},
		},
		{
			"subnet",
			[]string{"azure-pls-ip-configuration-subnet", "apps"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: apps dynamic primary; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"subnet by default that of the frontend",
			[]string{"azure-load-balancer-internal-subnet", "apps"},
			[]string{"rg/pls-a0000000100004000800000000000abc-apps of default/svc-1: apps dynamic primary; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"subnet is not there",
			[]string{"azure-pls-ip-configuration-subnet", "nowhere"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-ip-configuration-subnet]: not found: no subnet "nowhere" in virtual network vnet`},
		},
		{
			"count of 8",
			[]string{"azure-pls-ip-configuration-ip-address-count", "8"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary, nodes dynamic, nodes dynamic, nodes dynamic, nodes dynamic, nodes dynamic, nodes dynamic, nodes dynamic; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"count of 9",
			[]string{"azure-pls-ip-configuration-ip-address-count", "9"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "9": out of range: want 1 to 8 addresses`},
		},
		{
			"count of 0",
			[]string{"azure-pls-ip-configuration-ip-address-count", "0"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "0": out of range: want 1 to 8 addresses`},
		},
		{
			"count is no number",
			[]string{"azure-pls-ip-configuration-ip-address-count", "two"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "two": malformed: want 1 to 8 addresses`},
		},
		{
			"static address",
			[]string{"azure-pls-ip-configuration-ip-address", "10.1.9.9"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes 10.1.9.9 primary; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"two static addresses need no count",
			[]string{"azure-pls-ip-configuration-ip-address", "10.1.9.9 10.1.9.8"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes 10.1.9.9 primary, nodes 10.1.9.8; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"range of addresses",
			[]string{"azure-pls-ip-configuration-ip-address", "10.1.9.7 ... 10.1.9.9"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes 10.1.9.7 primary, nodes 10.1.9.8, nodes 10.1.9.9; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"static and dynamic addresses",
			[]string{"azure-pls-ip-configuration-ip-address", "10.1.9.9", "azure-pls-ip-configuration-ip-address-count", "2"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes 10.1.9.9 primary, nodes dynamic; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"more static addresses than the count",
			[]string{"azure-pls-ip-configuration-ip-address", "10.1.9.9 10.1.9.8", "azure-pls-ip-configuration-ip-address-count", "1"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "1": conflict: want at least 2, the number of static addresses`},
		},
		{
			"static address of IPv6",
			[]string{"azure-pls-ip-configuration-ip-address", "fd00:0:0:1::9"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address]: "fd00:0:0:1::9": malformed: want IPv4 addresses with blanks between, or FIRST ... LAST`},
		},
		{
			"static address outside the subnet",
			[]string{"azure-pls-ip-configuration-ip-address", "10.2.0.9"},
			nil,
			[]string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address]: 10.2.0.9 in subnet nodes: 10.2.0.9: in no prefix of the subnet"},
		},
		{
			"static address that Azure keeps",
			[]string{"azure-pls-ip-configuration-ip-address", "10.1.0.1"},
			nil,
			[]string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address]: 10.1.0.1 in subnet nodes: 10.1.0.1: kept by Azure, which needs the first four addresses of each prefix and the last IPv4 one"},
		},
		{
			"static address of a node",
			[]string{"azure-pls-ip-configuration-ip-address", "10.1.200.10"},
			nil,
			[]string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address]: 10.1.200.10 in subnet nodes: 10.1.200.10: in use"},
		},
		{
			"static address of the frontend itself",
			[]string{"azure-pls-ip-configuration-ip-address", "10.1.9.9", "azure-load-balancer-ipv4", "10.1.9.9"},
			nil,
			[]string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address]: 10.1.9.9 in subnet nodes: 10.1.9.9: in use"},
		},
		{
			"domain names",
			[]string{"azure-pls-fqdns", "a.example.com  b.example.com"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [a.example.com b.example.com], visible [], approved []"},
			nil,
		},
		{
			"PROXY protocol",
			[]string{"azure-pls-proxy-protocol", "TRUE"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy true, fqdns [], visible [], approved []"},
			nil,
		},
		{
			"PROXY protocol is no boolean",
			[]string{"azure-pls-proxy-protocol", "on"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [], approved []"},
			[]string{`warning: metadata.annotations[azure-pls-proxy-protocol]: "on": malformed: want true or false`},
		},
		{
			"visible to all, whatever else is said",
			[]string{"azure-pls-visibility", "a * b"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [*], approved []"},
			nil,
		},
		{
			"visible to too many",
			[]string{"azure-pls-visibility", many},
			nil,
			[]string{"error: metadata.annotations[azure-pls-visibility]: out of range: 101 subscriptions, at most 100"},
		},
		{
			"approved and visible",
			[]string{"azure-pls-visibility", "a b", "azure-pls-auto-approval", "B"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [a b], approved [B]"},
			nil,
		},
		{
			"approved but not visible",
			[]string{"azure-pls-visibility", "a", "azure-pls-auto-approval", "a c"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [a], approved [a c]"},
			[]string{`warning: metadata.annotations[azure-pls-auto-approval]: "c": cannot see the private link service, so that its approval has no effect; add it to azure-pls-visibility`},
		},
		{
			"too many approved",
			[]string{"azure-pls-visibility", "*", "azure-pls-auto-approval", many},
			nil,
			[]string{"error: metadata.annotations[azure-pls-auto-approval]: out of range: 101 subscriptions, at most 100"},
		},
		{
			"external with floating IP",
			[]string{"azure-load-balancer-internal", "false"},
			nil,
			[]string{`error: metadata.annotations[azure-pls-create]: not served: an external Service has a private link service only without floating IP; set azure-load-balancer-internal or azure-disable-load-balancer-floating-ip to "true"`},
		},
		{
			"external without floating IP",
			[]string{"azure-load-balancer-internal", "false", "azure-disable-load-balancer-floating-ip", "true"},
			[]string{"rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [], approved []"},
			nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			links, findings := newLinkTest(t).build(linked(1, c.notes...))
			if d := cmp.Diff(c.links, links); d != "" {
				t.Errorf("private link services (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.finds, findings); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

// sync brings Azure in step.
func (t *linkTest) sync(services ...corev1.Service) provider.Report {
	t.Helper()
	report, err := provider.NewReconciler(t.cloud, t.cluster, &provider.Options{Clock: t.cloud.Clock(), MaxRemovals: -1, AllowEmpty: true}).Sync(t.Context(), t.objects(services...))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// state lists the private link services that are there, with their connections.
func (t *linkTest) state() []string {
	t.Helper()
	seen, err := t.cloud.Observe(t.Context(), lb.Scope{PrivateLinkServices: []lb.ID{
		armid.Group(t.cluster.Subscription, "rg"), armid.Group(t.cluster.Subscription, "links"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, p := range seen.PrivateLinkServices {
		owner, _ := p.Tag(pls.TagOwner)
		list = append(list, fmt.Sprintf("%s on %s of %s, %d connected", p.ID.Name(), p.Frontends[0].Name()[:9], owner, p.Connected()))
	}
	slices.Sort(list)
	return list
}

func (t *linkTest) connect(name string) {
	t.Helper()
	id := armid.Resource(t.cluster.Subscription, "rg", armid.PrivateLinkServices, name)
	if err := t.cloud.Connect(id, "pe", fake.Approved); err != nil {
		t.Fatal(err)
	}
}

func (t *linkTest) retag(name string, tags armwire.Object) {
	t.Helper()
	id := armid.Resource(t.cluster.Subscription, "rg", armid.PrivateLinkServices, name)
	if err := t.cloud.Merge(id, armwire.Object{"tags": tags}); err != nil {
		t.Fatal(err)
	}
}

// TestPrivateLinkPolicy pins what becomes of a private link service with a consumer, by occasion and policy.
func TestPrivateLinkPolicy(t *testing.T) {
	const there = "mine on a00000001 of default/svc-1, 1 connected"
	mine := linked(1, "azure-pls-name", "mine")
	unasked := linked(1, "azure-pls-name", "mine", "azure-pls-create", "false")
	unread := linked(1, "azure-pls-name", "mine", "azure-pls-create", "yes")
	moved := linked(1, "azure-pls-name", "mine", "azure-load-balancer-ipv4", "10.1.5.5")
	external := linked(1, "azure-pls-name", "mine", "azure-load-balancer-internal", "false", "azure-disable-load-balancer-floating-ip", "true")
	other := lbtest.Service(2, lbtest.Internal)
	for _, c := range []struct {
		name   string
		policy lb.PrivateLinkPolicy
		then   []corev1.Service
		want   []string
		find   error // that a finding wraps
	}{
		{"deleted", lb.PrivateLinkPolicy{}, []corev1.Service{other}, nil, lb.ErrCut},
		{"deleted, refused", lb.PrivateLinkPolicy{RefuseOnDelete: true}, []corev1.Service{other}, []string{there}, lb.ErrLinked},
		{"not asked for", lb.PrivateLinkPolicy{}, []corev1.Service{unasked}, []string{there}, nil},
		{"not asked for, removed unless connected", lb.PrivateLinkPolicy{RemoveOnUnrequest: true}, []corev1.Service{unasked}, []string{there}, nil},
		{"not asked for, removed", lb.PrivateLinkPolicy{RemoveOnUnrequest: true, RemoveConnected: true}, []corev1.Service{unasked}, nil, lb.ErrCut},
		{"not readable whether asked for", lb.PrivateLinkPolicy{RemoveOnUnrequest: true, RemoveConnected: true}, []corev1.Service{unread}, []string{there}, nil},
		{"address changes", lb.PrivateLinkPolicy{}, []corev1.Service{moved}, []string{there}, lb.ErrLinked},
		{"address changes, allowed", lb.PrivateLinkPolicy{AllowRecreate: true}, []corev1.Service{moved}, []string{"mine on a00000001 of default/svc-1, 0 connected"}, lb.ErrCut},
		{"goes external", lb.PrivateLinkPolicy{}, []corev1.Service{external}, []string{there}, lb.ErrLinked},
		{"goes external, allowed", lb.PrivateLinkPolicy{AllowRecreate: true}, []corev1.Service{external}, []string{"mine on a00000001 of default/svc-1, 0 connected"}, lb.ErrCut},
		{"goes external and is not asked for", lb.PrivateLinkPolicy{AllowRecreate: true}, []corev1.Service{lbtest.Service(1)}, []string{there}, lb.ErrLinked},
		{"renamed", lb.PrivateLinkPolicy{AllowRecreate: true}, []corev1.Service{linked(1, "azure-pls-name", "other")}, []string{there}, pls.ErrRename},
		{"to another resource group", lb.PrivateLinkPolicy{AllowRecreate: true}, []corev1.Service{linked(1, "azure-pls-resource-group", "links")}, []string{there}, pls.ErrRename},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newLinkTest(t)
			x.sync(mine)
			x.connect("mine")
			x.cluster.PrivateLink = c.policy
			report := x.sync(c.then...)
			if d := cmp.Diff(c.want, x.state()); d != "" {
				t.Errorf("private link services (-want +got):\n%s", d)
			}
			if c.find != nil && !slices.ContainsFunc(report.Findings, func(f lb.Finding) bool { return errors.Is(f.Err, c.find) }) &&
				!slices.ContainsFunc(report.Rounds[0].Plan.Findings, func(f lb.Finding) bool { return errors.Is(f.Err, c.find) }) {
				t.Errorf("findings %v, want one about %v", report.Findings, c.find)
			}
			if again := x.sync(c.then...); again.Writes > 0 {
				t.Errorf("again: %d writes", again.Writes)
			}
		})
	}
}

func TestPrivateLinkSubnetPolicyIsKept(t *testing.T) {
	x := newLinkTest(t)
	x.cluster.PrivateLink.KeepSubnetPolicies = true
	links, findings := x.build(linked(1))
	want := []string{"error: metadata.annotations[azure-pls-ip-configuration-subnet]: not served: subnet nodes has network policies for private link services; disable them (privateLinkServiceNetworkPolicies) or choose another subnet"}
	if d := cmp.Diff(want, findings); d != "" || len(links) > 0 {
		t.Errorf("%v, findings (-want +got):\n%s", links, d)
	}
}

func TestPrivateLinkLocalTraffic(t *testing.T) {
	s := linked(1)
	s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 31000
	_, findings := newLinkTest(t).build(s)
	want := []string{"warning: metadata.annotations[azure-pls-create]: may be refused by Azure: private link services are not documented for externalTrafficPolicy Local in subnet nodes, which the pods use; if it refuses, name another subnet with azure-pls-ip-configuration-subnet"}
	if d := cmp.Diff(want, findings); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

// What belongs to somebody else stays, whatever the policy says.
func TestForeignPrivateLinkStays(t *testing.T) {
	everything := lb.PrivateLinkPolicy{RemoveOnUnrequest: true, RemoveConnected: true, AllowRecreate: true, AdoptUnmanaged: true}
	for _, c := range []struct {
		name string
		then []corev1.Service
	}{
		{"asked for", []corev1.Service{linked(1)}},
		{"not asked for", []corev1.Service{linked(1, "azure-pls-create", "false")}},
		{"frontend changes", []corev1.Service{linked(1, "azure-load-balancer-ipv4", "10.1.5.5")}},
		{"frontend leaves its subnet", []corev1.Service{linked(1, "azure-load-balancer-internal-subnet", "apps")}},
		{"Service goes", []corev1.Service{lbtest.Service(2, lbtest.Internal)}},
		{"its name is asked for", []corev1.Service{linked(2, "azure-pls-name", "mine")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newLinkTest(t)
			x.sync(linked(1, "azure-pls-name", "mine"))
			x.retag("mine", armwire.Object{pls.TagCluster: "another"})
			x.connect("mine")
			before := x.state()
			x.cluster.PrivateLink = everything
			x.sync(c.then...)
			if d := cmp.Diff(before, x.state()); d != "" {
				t.Errorf("private link services (-before +after):\n%s", d)
			}
		})
	}
}

func TestUnmanagedPrivateLinkIsAdoptedWhenAllowed(t *testing.T) {
	x := newLinkTest(t)
	x.sync(linked(1))
	name := pls.Name(lb.Base(linked(1).UID))
	x.retag(name, armwire.Object{pls.TagCluster: nil, pls.TagOwner: nil})
	if _, findings := x.build(linked(1)); len(findings) != 1 || !strings.Contains(findings[0], "tag it k8s-azure-cluster-name=kubernetes to hand it over") {
		t.Errorf("findings %v", findings)
	}
	x.cluster.PrivateLink.AdoptUnmanaged = true
	x.sync(linked(1))
	if got := x.state(); len(got) != 1 || !strings.Contains(got[0], "of default/svc-1") {
		t.Errorf("after adoption: %v", got)
	}
}

func TestSharedPrivateLink(t *testing.T) {
	at := []string{"azure-load-balancer-ipv4", "10.1.5.5"}
	plain := func(i int, more ...string) corev1.Service { return linked(i, append(slices.Clone(at), more...)...) }
	x := newLinkTest(t)
	owner, guest := plain(1, "azure-pls-proxy-protocol", "true"), plain(2)
	x.sync(owner, guest)
	if _, findings := x.build(owner, plain(2, "azure-pls-proxy-protocol", "true")); len(findings) > 0 {
		t.Errorf("a guest that wants the same: %v", findings)
	}
	_, findings := x.build(owner, plain(2, "azure-pls-visibility", "*"))
	if len(findings) != 1 || !strings.Contains(findings[0], "is configured by default/svc-1") {
		t.Errorf("a guest that conflict: %v", findings)
	}
	name := x.state()
	x.cluster.PrivateLink = lb.PrivateLinkPolicy{RemoveOnUnrequest: true}
	x.sync(plain(1, "azure-pls-create", "false"), guest)
	if d := cmp.Diff(name, x.state()); d != "" {
		t.Errorf("the owner asks no more, the guest does (-before +after):\n%s", d)
	}
	x.sync(plain(2, "azure-pls-visibility", "*"))
	if got := x.state(); len(got) != 1 || !strings.Contains(got[0], "of default/svc-2") {
		t.Errorf("handed over: %v", got)
	}
}

func TestOneNameForTwoPrivateLinks(t *testing.T) {
	x := newLinkTest(t)
	links, findings := x.build(linked(2, "azure-pls-name", "mine"), linked(1, "azure-pls-name", "mine"))
	if len(findings) != 1 || !strings.Contains(findings[0], "private link service mine serves another frontend; choose another name") || len(links) != 1 ||
		!strings.Contains(links[0], "default/svc-1") {
		t.Errorf("links %v, findings %v", links, findings)
	}
	x.sync(linked(2, "azure-pls-name", "mine"))
	// Who is there already wins.
	if links, _ := x.build(linked(2, "azure-pls-name", "mine"), linked(1, "azure-pls-name", "mine")); len(links) != 1 || !strings.Contains(links[0], "default/svc-2") {
		t.Errorf("links %v", links)
	}
}

func TestEightPrivateLinksOnALoadBalancer(t *testing.T) {
	x := newLinkTest(t)
	var list []corev1.Service
	for i := 9; i >= 2; i-- {
		list = append(list, linked(i))
	}
	x.sync(list...)
	links, findings := x.build(append(list, linked(1))...)
	want := []string{"error: metadata.annotations[azure-pls-create]: limit of private link services reached: load balancer kubernetes-internal already has the maximum of 8; use another load balancer, or share a frontend"}
	if d := cmp.Diff(want, findings); d != "" || len(links) != 8 {
		t.Errorf("%d links, findings (-want +got):\n%s", len(links), d)
	}
}

// TestPrivateLinkLimit: who is there already keeps its private link service, and the limits can be set.
func TestPrivateLinkLimit(t *testing.T) {
	for _, c := range []struct {
		limits lb.Limits
		want   string
	}{
		{lb.Limits{LinksPerLoadBalancer: 1}, "load balancer kubernetes-internal already has the maximum of 1; use another load balancer, or share a frontend"},
		{lb.Limits{LinksPerSubscription: 1}, "subscription 00000000-0000-0000-0000-000000000001 already has the maximum of 1; remove some, or share a frontend"},
	} {
		x := newLinkTest(t)
		x.cluster.Limits = c.limits
		x.sync(linked(2))
		links, findings := x.build(linked(1), linked(2))
		want := []string{"error: metadata.annotations[azure-pls-create]: limit of private link services reached: " + c.want}
		if d := cmp.Diff(want, findings); d != "" || len(links) != 1 || !strings.Contains(links[0], "default/svc-2") {
			t.Errorf("%v, findings (-want +got):\n%s", links, d)
		}
	}
}
