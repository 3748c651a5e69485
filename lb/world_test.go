package lb_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// world is an Azure with content of others on the resources that are ours too, and a cluster.
type world struct {
	t       *rapid.T
	cluster lb.Cluster
	cloud   *fake.Cloud
}

const worldGroup = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network"

// newWorld draws an Azure: user's public IPs, and, where foreign is set, a load balancer that somebody else uses too.
func newWorld(t *rapid.T, foreign bool) *world {
	w := &world{t: t, cluster: lbtest.Cluster(), cloud: fake.New(worldOptions())}
	if w.one("configured tags", 3) {
		w.cluster.Tags = lb.TagsOf(map[string]string{"cost": "42", "Team": "edge"})
	}
	if err := w.cloud.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	for i, v := range []string{"IPv4", "IPv4", "IPv6"} {
		w.put(fmt.Sprintf("publicIPAddresses/mine-%d", i), fmt.Sprintf(`{"location": "westeurope", "sku": {"name": "Standard"}, "tags": {"owner": "me"},
			"properties": {"publicIPAddressVersion": %q, "publicIPAllocationMethod": "Static", "ipAddress": %q}}`, v, worldAddresses[i]))
	}
	if foreign {
		w.addForeign()
	}
	return w
}

func worldOptions() *fake.Options {
	return &fake.Options{Waive: []fake.Rule{fake.RuleIPv6Only, fake.RuleProtocolAllWithPort}}
}

// worldAddresses are the addresses of the user's public IPs.
var worldAddresses = []string{"20.1.1.1", "20.1.1.2", "2603:1030::1"}

func (w *world) put(path, body string) {
	w.t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(body, "~", worldGroup)), &o); err != nil {
		w.t.Fatal(err)
	}
	if err := w.cloud.Put(lb.ID(worldGroup+"/"+path), o); err != nil {
		w.t.Fatal(err)
	}
}

// addForeign puts content of others on our resources, with fields that azlb does not know.
func (w *world) addForeign() {
	w.put("publicIPAddresses/foreign", `{"location": "westeurope", "sku": {"name": "Standard"}, "zones": ["2"],
		"properties": {"publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "ipAddress": "20.7.7.7", "idleTimeoutInMinutes": 17}}`)
	w.put("loadBalancers/kubernetes", `{"location": "westeurope", "sku": {"name": "Standard"}, "tags": {"owner": "them"}, "unknown": {"x": [1, 2]}, "properties": {
		"unknown": true,
		"frontendIPConfigurations": [{"name": "foreign", "unknown": 1, "properties": {"publicIPAddress": {"id": "~/publicIPAddresses/foreign"}, "unknown": 2}}],
		"backendAddressPools": [{"name": "foreign", "properties": {"unknown": 3}}],
		"probes": [{"name": "foreign", "properties": {"protocol": "Tcp", "port": 25, "intervalInSeconds": 7, "numberOfProbes": 3}}],
		"loadBalancingRules": [{"name": "foreign", "properties": {"protocol": "Tcp", "frontendPort": 25, "backendPort": 25, "enableConnectionTracking": true,
			"frontendIPConfiguration": {"id": "~/loadBalancers/kubernetes/frontendIPConfigurations/foreign"},
			"backendAddressPool": {"id": "~/loadBalancers/kubernetes/backendAddressPools/foreign"},
			"probe": {"id": "~/loadBalancers/kubernetes/probes/foreign"}}}],
		"outboundRules": [{"name": "foreign", "properties": {"protocol": "All", "allocatedOutboundPorts": 8,
			"frontendIPConfigurations": [{"id": "~/loadBalancers/kubernetes/frontendIPConfigurations/foreign"}],
			"backendAddressPool": {"id": "~/loadBalancers/kubernetes/backendAddressPools/foreign"}}}]}}`)
	w.put("networkSecurityGroups/nsg", `{"location": "westeurope", "tags": {"owner": "them"}, "properties": {"unknown": 4, "securityRules": [
		{"name": "foreign", "properties": {"access": "Allow", "direction": "Inbound", "protocol": "Tcp", "priority": 500, "description": "ssh",
			"sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "10.9.9.9", "destinationPortRange": "22"}},
		{"name": "foreign-out", "properties": {"access": "Deny", "direction": "Outbound", "protocol": "*", "priority": 501,
			"sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "*", "destinationPortRange": "*"}}]}}`)
}

// one draws true in one of n cases.
func (w *world) one(label string, n int) bool { return rapid.IntRange(1, n).Draw(w.t, label) == n }

func (w *world) pick(label string, list ...string) string {
	return rapid.SampledFrom(list).Draw(w.t, label)
}

// choice is one thing that a Service may ask for; the values of a key that come first are good. {i} is the number of the Service.
type choice struct {
	key    string
	values []string
}

// steady are choices whose effect does not depend on what was there before.
var steady = []choice{
	{"azure-load-balancer-internal", []string{"true", "false", "yes"}},
	{"azure-load-balancer-internal-subnet", []string{"apps", "nodes", "nowhere"}},
	{"azure-allowed-ip-ranges", []string{"198.51.100.0/24", "198.51.100.0/24,2001:db8::/32", "0.0.0.0/0", "oops", "198.51.100.0/24,oops"}},
	{"azure-allowed-service-tags", []string{"AzureCloud", "AzureCloud,AzureFrontDoor.Backend"}},
	{"azure-deny-all-except-load-balancer-source-ranges", []string{"true", "maybe"}},
	{"azure-disable-load-balancer-nsg-rule", []string{"true"}},
	{"azure-disable-load-balancer-floating-ip", []string{"true"}},
	{"azure-load-balancer-enable-high-availability-ports", []string{"true"}},
	{"azure-load-balancer-disable-tcp-reset", []string{"true"}},
	{"azure-load-balancer-tcp-idle-timeout", []string{"30", "4", "3", "soon"}},
	{"azure-load-balancer-health-probe-protocol", []string{"http", "https", "smtp"}},
	{"azure-load-balancer-health-probe-interval", []string{"15", "4"}},
	{"port_80_health-probe_port", []string{"8080", "443", "nowhere"}},
	{"port_80_no_probe_rule", []string{"true"}},
	{"port_443_no_lb_rule", []string{"true"}},
}

// lasting are choices whose effect stays, or depends on who was first.
var lasting = []choice{
	{"azure-load-balancer-ipv4", []string{"10.1.3.3", "10.1.3.4", "10.2.0.9", "20.1.1.1", "20.7.7.7", "10.9.9.9", "::1"}},
	{"azure-load-balancer-ipv6", []string{"fd00:0:0:1::99", "2603:1030::1"}},
	{"azure-pip-name", []string{"mine-0", "mine-1", "mine-2", "nobody", "foreign"}},
	{"azure-pip-name-ipv6", []string{"mine-2"}},
	{"azure-pip-tags", []string{"a=b", "Cost=43,c=d", "nopair"}},
	{"azure-pip-ip-tags", []string{"RoutingPreference=Internet", "FirstPartyUsage=/Sql"}},
	{"azure-dns-label-name", []string{"shop-{i}", "", "Not A Label"}},
	{"azure-additional-public-ips", []string{"20.5.5.5", "20.5.5.6", "20.5.5.5,20.5.5.7"}},
}

// service draws the i-th Service.
func (w *world) service(i int, choices []choice) corev1.Service {
	svc := lbtest.Service(i)
	switch w.pick("families", "4", "4", "4", "6", "46", "64") {
	case "6":
		svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol}
	case "46":
		lbtest.Dual(&svc)
	case "64":
		svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol, corev1.IPv4Protocol}
	}
	svc.Spec.Ports = nil
	for _, text := range slices.Compact(slices.Sorted(slices.Values(rapid.SliceOfN(rapid.SampledFrom([]string{"TCP 80", "TCP 443", "UDP 80", "UDP 53"}), 1, 3).Draw(w.t, "ports")))) {
		var proto string
		var port int32
		_, _ = fmt.Sscan(text, &proto, &port)
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{
			Name: strings.ToLower(proto) + fmt.Sprint(port), Protocol: corev1.Protocol(proto), Port: port, NodePort: 30000 + 100*int32(i) + port%100,
		})
	}
	if w.one("local", 5) {
		svc.Spec.ExternalTrafficPolicy, svc.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32000+int32(i)
	}
	if w.one("affinity", 5) {
		svc.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	}
	if w.one("internal", 3) {
		lbtest.Internal(&svc)
	}
	for range rapid.IntRange(0, 3).Draw(w.t, "annotations") {
		c := rapid.SampledFrom(choices).Draw(w.t, "annotation")
		switch {
		case c.key == "azure-dns-label-name" && len(svc.Spec.IPFamilies) > 1:
			continue // ARM lets one public IP have a label
		case strings.Contains(c.key, "high-availability") && (svc.Spec.IPFamilies[0] != corev1.IPv4Protocol || len(svc.Spec.IPFamilies) > 1):
			continue // without floating IP such a rule takes every port of the pool
		}
		lbtest.Annotate(c.key, strings.ReplaceAll(w.pick("value", c.values...), "{i}", fmt.Sprint(i)))(&svc)
	}
	return svc
}

// services draws up to n Services; each is there, or of another type or class, being deleted, or not there at all.
func (w *world) services(n int, choices []choice) []corev1.Service {
	var list []corev1.Service
	for i := range n {
		svc := w.service(i, choices)
		switch rapid.IntRange(0, 15).Draw(w.t, "kind") {
		case 0, 1, 2:
			continue
		case 3:
			svc.Spec.Type = corev1.ServiceTypeClusterIP
		case 4:
			svc.Spec.LoadBalancerClass = new("example.com/other")
		case 5:
			svc.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		}
		list = append(list, svc)
	}
	return list
}

func (w *world) objects(list []corev1.Service) lb.Objects {
	return lb.Objects{Services: list, Nodes: lbtest.Nodes(2)}
}

// reconciler never stops for the number of removals and does one thing at a time, so that addresses are the same each time.
func (w *world) reconciler() *provider.Reconciler {
	return provider.NewReconciler(w.cloud, w.cluster, &provider.Options{MaxRemovals: -1, AllowEmpty: true, Parallel: 1})
}

func (w *world) sync(list []corev1.Service) provider.Report {
	w.t.Helper()
	report, err := w.reconciler().Sync(w.t.Context(), w.objects(list))
	if err != nil {
		w.t.Fatalf("%v\n%s", err, w.cloud)
	}
	return report
}

func (w *world) plan(list []corev1.Service) lb.Plan {
	w.t.Helper()
	return planFor(w.t, w.cloud, w.cluster, w.objects(list))
}

func (w *world) dump() string {
	w.t.Helper()
	data, err := w.cloud.Dump()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// fork is the same world once more.
func (w *world) fork() *world { return w.load(w.dump()) }

func (w *world) load(state string) *world {
	w.t.Helper()
	twin := &world{t: w.t, cluster: w.cluster, cloud: fake.New(worldOptions())}
	if err := twin.cloud.Load([]byte(state)); err != nil {
		w.t.Fatal(err)
	}
	return twin
}

// observe reads what planning for list needs.
func (w *world) observe(list []corev1.Service) lb.Observed {
	w.t.Helper()
	seen, err := w.cloud.Observe(w.t.Context(), lb.ScopeOf(w.cluster, w.objects(list)))
	if err != nil {
		w.t.Fatal(err)
	}
	return seen
}

// unaddressed is the state as text, with the names of who has them instead of addresses that Azure chose, how it did that, and without priorities.
func (w *world) unaddressed() string {
	var pairs []string
	add := func(a netip.Addr, name string) {
		if a.IsValid() && !slices.Contains(worldAddresses, a.String()) {
			pairs = append(pairs, a.String(), "<"+name+">")
		}
	}
	seen := w.observe(nil)
	for _, p := range seen.PublicIPs {
		add(p.Address, p.ID.Name())
	}
	for _, l := range seen.LoadBalancers {
		for name, a := range l.Assigned {
			add(a, name)
		}
	}
	lines := strings.Split(w.cloud.String(), "\n")
	for i, line := range lines {
		line = " " + strings.ReplaceAll(line, ",", " , ") + " "
		for k := 0; k < len(pairs); k += 2 {
			line = strings.ReplaceAll(line, " "+pairs[k]+" ", " "+pairs[k+1]+" ")
		}
		words := slices.DeleteFunc(strings.Fields(line), func(word string) bool { return slices.Contains([]string{",", "Static", "Dynamic"}, word) })
		if strings.Contains(line, "k8s-azure-lb") {
			words = slices.DeleteFunc(words, func(word string) bool { return len(word) < 5 && strings.Trim(word, "0123456789") == "" })
			slices.Sort(words[2:])
		}
		lines[i] = strings.Join(words, " ")
	}
	return strings.Join(lines, "\n")
}

// base is the base name of a Service in lower case.
func base(svc corev1.Service) string { return strings.ToLower(lb.Base(svc.UID)) }

// spoil gives a Service an annotation that holds it.
func spoil(svc *corev1.Service) {
	svc.Annotations[annotations.KeyIdleTimeout] = "soon"
}

// groupOf is the resource group of the world.
var groupOf = armid.Group("00000000-0000-0000-0000-000000000001", "rg")
