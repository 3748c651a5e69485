package lb_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// built is what Build wants for one Service on the Azure of lbtest with extra subnets.
func built(t *testing.T, c lb.Cluster, svc corev1.Service) lb.Desired {
	t.Helper()
	in := lb.Objects{Services: []corev1.Service{svc}, Nodes: lbtest.Nodes(1)}
	cloud := lbtest.Cloud()
	seen, err := cloud.Observe(t.Context(), lb.ScopeOf(c, in))
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range seen.Networks {
		if name := svc.Annotations["service.beta.kubernetes.io/azure-load-balancer-internal-subnet"]; name != "" {
			sub := n.Subnets[0]
			sub.ID = n.ID.Child(armid.Subnets, name)
			seen.Networks[i].Subnets = append(slices.Clone(n.Subnets), sub)
		}
	}
	for _, prefix := range lb.ScopeOf(c, in).Prefixes {
		seen.Prefixes = append(seen.Prefixes, lb.PublicIPPrefix{ID: prefix})
	}
	want, findings := lb.Build(c, in, seen)
	for _, f := range findings {
		if f.Holds {
			t.Fatal(f)
		}
	}
	return want
}

// names lists the names of what is wanted, each after what it is of.
func names(want lb.Desired) []string {
	var list []string
	for _, l := range want.LoadBalancers {
		for _, f := range l.Frontends {
			list = append(list, "frontend "+f.Name)
		}
		for _, r := range l.Rules {
			list = append(list, "rule "+r.Name)
		}
		for _, p := range l.Pools {
			list = append(list, "pool "+p.Name)
		}
	}
	for _, p := range want.PublicIPs {
		list = append(list, "ip "+p.ID.Name())
	}
	return list
}

// TestNames pins names of upstream.
func TestNames(t *testing.T) {
	const uid, base = "257b9655-5137-4ad2-b091-ef3f07043ad3", "a257b965551374ad2b091ef3f07043ad"
	const uid2, base2 = "5f2b6c1e-8d3a-4c47-9b1e-0a1b2c3d4e5f", "a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5"
	const prefix = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/publicIPPrefixes/"
	subnet := func(name string) func(*corev1.Service) {
		return func(s *corev1.Service) {
			lbtest.Internal(s)
			lbtest.Annotate("azure-load-balancer-internal-subnet", name)(s)
		}
	}
	six := func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol} }
	long := "a" + strings.Repeat("-", 50) + "z"
	for _, c := range []struct {
		name, cluster string
		uid           types.UID
		change        func(*corev1.Service)
		want          []string // each of them is there
	}{
		{"the last digit of a uid is lost", "", uid, lbtest.Internal, []string{"frontend " + base, "rule " + base + "-TCP-9000", "pool kubernetes"}},
		{"dual stack has a suffix", "", uid, lbtest.Dual, []string{"frontend " + base, "frontend " + base + "-IPv6", "rule " + base + "-TCP-9000-IPv6", "pool kubernetes-IPv6"}},
		{"IPv6 alone has none, but for the pool", "", uid, six, []string{"frontend " + base, "rule " + base + "-TCP-9000", "pool kubernetes-IPv6", "ip kubernetes-" + base}},
		{"subnet", "", uid, subnet("shortsubnet"), []string{"frontend " + base + "-shortsubnet", "rule " + base + "-shortsubnet-TCP-9000"}},
		{"subnet that is cut after a dash", "", uid, subnet(long), []string{"frontend " + base + "-a" + strings.Repeat("-", 40) + "_"}},
		{
			"subnet of 78 characters, of which the rule keeps 33", "", uid, subnet(strings.Repeat("s", 78)),
			[]string{"frontend " + base + "-" + strings.Repeat("s", 42), "rule " + base + "-" + strings.Repeat("s", 33) + "-TCP-9000"},
		},
		{"public IP", "", uid2, nil, []string{"ip kubernetes-" + base2}},
		{"public IPs, dual stack", "", uid2, lbtest.Dual, []string{"ip kubernetes-" + base2, "ip kubernetes-" + base2 + "-IPv6"}},
		{
			"public IP of a prefix, 75 bytes", "", uid2, lbtest.Annotate("azure-pip-prefix-id", prefix+"egress-prefix-weu-prod-000000000000000001"),
			[]string{"ip kubernetes-" + base2 + "-egress-prefix-weu-prod-00000000"},
		},
		{"short uid", "azure", "uid", lbtest.Annotate("azure-pip-prefix-id", prefix+"prefix-id"), []string{"ip azure-auid-prefix-id"}},
		{"80 bytes with the suffix", "azure", "uid", func(s *corev1.Service) {
			lbtest.Dual(s)
			lbtest.Annotate("azure-pip-prefix-id-ipv6", prefix+"prefix-id-ipv6-"+strings.Repeat("a", 60))(s)
		}, []string{"ip azure-auid", "ip azure-auid-prefix-id-ipv6-" + strings.Repeat("a", 49) + "-IPv6"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := lbtest.Cluster()
			if c.cluster != "" {
				cluster.Name = c.cluster
			}
			svc := lbtest.Service(1, lbtest.Port(9000))
			svc.UID = c.uid
			if c.change != nil {
				c.change(&svc)
			}
			got := names(built(t, cluster, svc))
			for _, name := range c.want {
				if !slices.Contains(got, name) {
					t.Errorf("no %s in\n%s", name, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// securityRules prints the wanted security rules: family, sources, ports.
func securityRules(want lb.Desired) []string {
	var list []string
	for _, g := range want.SecurityGroups {
		for _, r := range g.Rules {
			family := r.Name[strings.Index(r.Name, "_IPv")+4:][:1]
			list = append(list, strings.ToLower(r.Access)+family+" "+r.Protocol+" "+strings.Join(r.Sources, ",")+" "+strings.Join(r.Ports, ","))
		}
	}
	slices.Sort(list)
	return list
}

// TestSecurityRules pins which rules a Service gets.
func TestSecurityRules(t *testing.T) {
	const deny = "azure-deny-all-except-load-balancer-source-ranges"
	ranges := func(v string) map[string]string { return map[string]string{"azure-allowed-ip-ranges": v} }
	with := func(maps ...map[string]string) map[string]string {
		all := map[string]string{}
		for _, m := range maps {
			for k, v := range m {
				all[k] = v
			}
		}
		return all
	}
	internal := map[string]string{"azure-load-balancer-internal": "true"}
	tags := map[string]string{"azure-allowed-service-tags": "Tag1, Tag2"}
	closed := []string{"deny4 * * *", "deny6 * * *"}
	for _, c := range []struct {
		name  string
		notes map[string]string
		want  []string
	}{
		{"external, nothing", nil, []string{"allow4 Tcp Internet 80", "allow6 Tcp Internet 80"}},
		{"external, ranges of both families", ranges("10.0.0.0/8,2001:db8::/32"), []string{"allow4 Tcp 10.0.0.0/8 80", "allow6 Tcp 2001:db8::/32 80"}},
		{"external, ranges that are neighbours", ranges("10.0.0.0/9,10.128.0.0/9"), []string{"allow4 Tcp 10.0.0.0/8 80"}},
		{"external, everything in IPv4 closes IPv6", ranges("0.0.0.0/0"), []string{"allow4 Tcp 0.0.0.0/0 80"}},
		{"external, tags", tags, []string{"allow4 Tcp Tag1 80", "allow4 Tcp Tag2 80", "allow6 Tcp Tag1 80", "allow6 Tcp Tag2 80"}},
		{"external, ranges and tags", with(tags, ranges("10.0.0.0/8")), []string{"allow4 Tcp 10.0.0.0/8 80", "allow4 Tcp Tag1 80", "allow4 Tcp Tag2 80", "allow6 Tcp Tag1 80", "allow6 Tcp Tag2 80"}},
		{"external, only unreadable ranges", ranges("x"), closed},
		{"external, some unreadable ranges", ranges("x,10.0.0.0/8"), append([]string{"allow4 Tcp 10.0.0.0/8 80"}, closed...)},
		{"internal, nothing", internal, nil},
		{"internal, everything in IPv4", with(internal, ranges("0.0.0.0/0")), []string{"allow4 Tcp 0.0.0.0/0 80"}},
		{"internal, tags", with(internal, tags), []string{"allow4 Tcp Tag1 80", "allow4 Tcp Tag2 80", "allow6 Tcp Tag1 80", "allow6 Tcp Tag2 80"}},
		{"deny-all without ranges", with(tags, map[string]string{deny: "true"}), []string{"allow4 Tcp Tag1 80", "allow4 Tcp Tag2 80", "allow6 Tcp Tag1 80", "allow6 Tcp Tag2 80"}},
		{"deny-all with ranges", with(ranges("10.0.0.0/8"), map[string]string{deny: "true"}), append([]string{"allow4 Tcp 10.0.0.0/8 80"}, closed...)},
		{"rules switched off", with(ranges("x"), map[string]string{"azure-disable-load-balancer-nsg-rule": "true"}), nil},
		{"floating IP off opens node ports", map[string]string{"azure-disable-load-balancer-floating-ip": "true"}, []string{"allow4 Tcp Internet 30001", "allow6 Tcp Internet 30001"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := lbtest.Service(1, lbtest.Dual)
			for _, k := range slices.Sorted(maps.Keys(c.notes)) {
				lbtest.Annotate(k, c.notes[k])(&svc)
			}
			if d := cmp.Diff(c.want, securityRules(built(t, lbtest.Cluster(), svc))); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// TestSecurityRuleNames pins the hashes in the names of security rules.
func TestSecurityRuleNames(t *testing.T) {
	for _, c := range []struct {
		ports       []int32
		key, value  string
		protocol    corev1.Protocol
		want        string
		dual, inner bool
	}{
		{[]int32{80}, "", "", "TCP", "k8s-azure-lb_allow_IPv6_d39272f7f57ed937951650d93992ad77", true, false},
		{[]int32{80}, "", "", "TCP", "k8s-azure-lb_allow_IPv4_d39272f7f57ed937951650d93992ad77", false, false},
		{[]int32{443, 80}, "", "", "TCP", "k8s-azure-lb_allow_IPv4_556f7044ec033071ec0dfcf7cd85bc93", false, false},
		{[]int32{80, 8080, 443}, "", "", "TCP", "k8s-azure-lb_allow_IPv4_42ba9ab7c4d8d5b6ceb13703374ab4fd", false, false},
		{[]int32{53}, "", "", "UDP", "k8s-azure-lb_allow_IPv4_eacf5e21d4ad7b5345009ad51af9d388", false, false},
		{[]int32{3868}, "azure-allowed-service-tags", "Internet", "SCTP", "k8s-azure-lb_allow_IPv4_8682bc4e032d96ad9f86cd2eb3fe2ca1", false, true},
		{[]int32{80}, "azure-allowed-ip-ranges", "0.0.0.0/0", "TCP", "k8s-azure-lb_allow_IPv4_171627efadb2d53e9804aac21fa6e380", false, false},
		{[]int32{443}, "azure-allowed-ip-ranges", "192.168.0.0/16,10.0.0.0/8", "TCP", "k8s-azure-lb_allow_IPv4_7462e4897a4aa356e879012239f036bf", false, false},
		{[]int32{443}, "azure-allowed-service-tags", "AzureFrontDoor.Backend", "TCP", "k8s-azure-lb_allow_IPv4_598d0a13637535cc1b65d2a9515d212f", false, false},
		{[]int32{443}, "azure-allowed-ip-ranges", "2001:db8::/32", "TCP", "k8s-azure-lb_allow_IPv6_c56f1b267e1371d3b38c25b4fcc5feef", true, false},
	} {
		svc := lbtest.Service(1)
		if c.dual {
			lbtest.Dual(&svc)
		}
		if c.inner {
			lbtest.Internal(&svc)
		}
		if c.key != "" {
			lbtest.Annotate(c.key, c.value)(&svc)
		}
		svc.Spec.Ports = nil
		for _, p := range c.ports {
			svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Protocol: c.protocol, Port: p, NodePort: 30000 + p})
		}
		if rules := built(t, lbtest.Cluster(), svc).SecurityGroups[0].Rules; !slices.ContainsFunc(rules, func(r lb.SecurityRule) bool { return r.Name == c.want }) {
			t.Errorf("%v %s: no %s in %v", c.ports, c.value, c.want, rules)
		}
	}
}

// TestProbes pins which probe a rule has.
func TestProbes(t *testing.T) {
	local := func(s *corev1.Service) {
		s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32001
	}
	udp := func(s *corev1.Service) { s.Spec.Ports[0].Protocol = corev1.ProtocolUDP }
	app := func(v string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.Ports[0].AppProtocol = &v }
	}
	note := func(key, value string) func(*corev1.Service) {
		return lbtest.Annotate(strings.ReplaceAll(strings.ReplaceAll(key, "hp-", "azure-load-balancer-health-probe-"), "p80-", "port_80_health-probe_"), value)
	}
	const node = "Http 32001/healthz 5s x2"
	for _, c := range []struct {
		name    string
		shared  bool
		changes []func(*corev1.Service)
		want    string
	}{
		{"TCP", false, nil, "Tcp 30001 5s x2"},
		{"UDP", false, []func(*corev1.Service){udp}, "none"},
		{"shared", true, nil, "Http 10256/healthz 5s x2"},
		{"shared, UDP too", true, []func(*corev1.Service){udp}, "Http 10256/healthz 5s x2"},
		{"shared, own settings ignored", true, []func(*corev1.Service){note("p80-port", "8080"), note("hp-interval", "9")}, "Http 10256/healthz 5s x2"},
		{"Local", false, []func(*corev1.Service){local}, node},
		{"Local before shared", true, []func(*corev1.Service){local}, node},
		{"Local, UDP too", false, []func(*corev1.Service){local, udp}, node},
		{"Local, own port", false, []func(*corev1.Service){local, note("p80-port", "8080")}, "Tcp 8080 5s x2"},
		{"Local, UDP, own port ignored", false, []func(*corev1.Service){local, udp, note("p80-port", "8080")}, node},
		{"Local takes numbers of all ports", false, []func(*corev1.Service){local, note("hp-interval", "9"), note("hp-num-of-probe", "3")}, "Http 32001/healthz 9s x3"},
		{"Local ignores protocol and path", false, []func(*corev1.Service){local, note("hp-protocol", "https"), note("hp-request-path", "/x")}, node},
		{"no probe", false, []func(*corev1.Service){lbtest.Annotate("port_80_no_probe_rule", "true")}, "none"},
		{"no rule", false, []func(*corev1.Service){lbtest.Annotate("port_80_no_lb_rule", "true")}, "no rule"},
		{"protocol of all ports", false, []func(*corev1.Service){note("hp-protocol", "HTTPS")}, "Https 30001/ 5s x2"},
		{"appProtocol before that of all ports", false, []func(*corev1.Service){note("hp-protocol", "https"), app("HTTP")}, "Http 30001/ 5s x2"},
		{"an unknown appProtocol masks it", false, []func(*corev1.Service){note("hp-protocol", "https"), app("kubernetes.io/h2c")}, "Tcp 30001 5s x2"},
		{"protocol of the port first", false, []func(*corev1.Service){note("hp-protocol", "https"), app("http"), note("p80-protocol", "tcp")}, "Tcp 30001 5s x2"},
		{"path of the port first", false, []func(*corev1.Service){note("hp-protocol", "http"), note("hp-request-path", "/a"), note("p80-request-path", "/b")}, "Http 30001/b 5s x2"},
		{"TCP has no path", false, []func(*corev1.Service){note("hp-request-path", "/a")}, "Tcp 30001 5s x2"},
		{"numbers of the port first", false, []func(*corev1.Service){note("hp-interval", "9"), note("p80-interval", "7"), note("p80-num-of-probe", "4")}, "Tcp 30001 7s x4"},
		{"port by name", false, []func(*corev1.Service){note("p80-port", "HTTP")}, "Tcp 30001 5s x2"},
		{"number of a service port means its node port", false, []func(*corev1.Service){note("p80-port", "80")}, "Tcp 30001 5s x2"},
		{"any other number is itself", false, []func(*corev1.Service){note("p80-port", "81")}, "Tcp 81 5s x2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := lbtest.Cluster()
			cluster.SharedProbe = c.shared
			if d := cmp.Diff(c.want, probeText(built(t, cluster, lbtest.Service(1, c.changes...)).LoadBalancers[0])); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// probeText prints the probe of the first rule.
func probeText(l lb.LoadBalancer) string {
	if len(l.Rules) == 0 {
		return "no rule"
	}
	for _, p := range l.Probes {
		if p.Name == l.Rules[0].Probe {
			return fmt.Sprintf("%s %d%s %ds x%d", p.Protocol, p.Port, p.Path, p.IntervalSeconds, p.Threshold)
		}
	}
	return "none"
}

// TestMembers pins which nodes are in pools.
func TestMembers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*corev1.Node)
		want   bool
	}{
		{"plain", func(*corev1.Node) {}, true},
		{"not ready: probes look after that", func(n *corev1.Node) {
			n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
		}, true},
		{"not known to the cloud yet", func(n *corev1.Node) { n.Spec.ProviderID = "" }, false},
		{"being deleted", func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{} }, false},
		{"control plane", func(n *corev1.Node) { n.Labels["node-role.kubernetes.io/control-plane"] = "" }, false},
		{"master", func(n *corev1.Node) { n.Labels["node-role.kubernetes.io/master"] = "" }, false},
		{"role master", func(n *corev1.Node) { n.Labels["kubernetes.io/role"] = "master" }, false},
		{"role node", func(n *corev1.Node) { n.Labels["kubernetes.io/role"] = "node" }, true},
		{"excluded", func(n *corev1.Node) { n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "true" }, false},
		{"excluded by any text", func(n *corev1.Node) { n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "" }, false},
		{"not excluded", func(n *corev1.Node) { n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "false" }, true},
		{"about to be scaled down", func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "ToBeDeletedByClusterAutoscaler"}} }, false},
		{"external address only", func(n *corev1.Node) { n.Status.Addresses[0].Type = corev1.NodeExternalIP }, false},
		{"address that is none", func(n *corev1.Node) { n.Status.Addresses[0].Address = "x" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			nodes := lbtest.Nodes(2)
			nodes[0].Labels = map[string]string{}
			c.change(&nodes[0])
			in := lb.Objects{Services: lbtest.Services(1), Nodes: nodes}
			seen, err := lbtest.Cloud().Observe(t.Context(), lb.ScopeOf(lbtest.Cluster(), in))
			if err != nil {
				t.Fatal(err)
			}
			want, _ := lb.Build(lbtest.Cluster(), in, seen)
			got := slices.ContainsFunc(want.LoadBalancers[0].Pools[0].Members, func(m lb.Member) bool { return m.Name == nodes[0].Name })
			if got != c.want || len(want.LoadBalancers[0].Pools[0].Members) == 0 {
				t.Errorf("member: %t, want %t", got, c.want)
			}
		})
	}
}
