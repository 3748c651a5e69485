package lb_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// describe draws the first Service of in on an Azure that has nothing yet.
func describe(t *testing.T, c lb.Cluster, in lb.Objects) lb.Portrait {
	t.Helper()
	seen, err := lbtest.Cloud().Observe(t.Context(), lb.ScopeOf(c, in))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := lb.Describe(c, in, seen, nameOfService(in.Services[0]))
	if !ok {
		t.Fatal("no portrait")
	}
	return p
}

// settings lists all settings of a portrait as "TYPE NAME: VALUE (ORIGIN)", names of Services' objects and the prefix of annotations left out.
func settings(p lb.Portrait) string {
	var b strings.Builder
	for _, piece := range piecesOf(p) {
		for _, s := range piece.Settings {
			typ := piece.ID.Type()
			fmt.Fprintf(&b, "%s %s: %s (%s)\n", typ[strings.LastIndexByte(typ, '/')+1:], s.Name, s.Value, strings.ReplaceAll(s.Origin.String(), annotations.Prefix, ""))
		}
	}
	return b.String()
}

// TestDescribeTellsOrigins: each value, and the field that decided it.
func TestDescribeTellsOrigins(t *testing.T) {
	local := func(s *corev1.Service) {
		s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32000
	}
	app := func(protocol string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.Ports[0].AppProtocol = &protocol }
	}
	udp := func(s *corev1.Service) { s.Spec.Ports[0].Protocol = corev1.ProtocolUDP }
	for _, c := range []struct {
		fact    string
		changes []func(*corev1.Service)
		cluster func(*lb.Cluster)
		want    []string
	}{
		{"an external Service that asks for nothing", nil, nil, []string{
			"loadBalancers Kind: external (default)", "loadBalancers Name: kubernetes (configuration: --cluster-name)",
			"publicIPAddresses Zones: 1,2,3 (Azure chooses: all zones of the location)",
			"probes Protocol: Tcp (default)", "probes Port: 30000 (spec.ports[0].nodePort)", "probes IntervalSeconds: 5 (default)",
			"loadBalancingRules FloatingIP: true (default)", "loadBalancingRules IdleMinutes: 4 (default)",
			"loadBalancingRules FrontendPort: 80 (spec.ports[0].port)", "securityRules Sources: Internet (spec.type)",
			"frontendIPConfigurations PublicIP: kubernetes-a0000000000004000800000000000abc (spec.type: one of its own, named after cluster and uid)",
		}},
		{"an internal one", []func(*corev1.Service){lbtest.Internal}, nil, []string{
			"loadBalancers Kind: internal (metadata.annotations[azure-load-balancer-internal])",
			"frontendIPConfigurations Subnet: nodes (azure.json subnetName)", "frontendIPConfigurations Static: dynamic (Azure chooses)",
		}},
		{"an internal one with subnet and address", []func(*corev1.Service){lbtest.Internal, lbtest.Annotate("azure-load-balancer-internal-subnet", "apps"), lbtest.Annotate("azure-load-balancer-ipv4", "10.2.0.9")}, nil, []string{
			"frontendIPConfigurations Subnet: apps (metadata.annotations[azure-load-balancer-internal-subnet])",
			"frontendIPConfigurations Static: 10.2.0.9 (metadata.annotations[azure-load-balancer-ipv4])",
		}},
		{"the probe of a port by its appProtocol", []func(*corev1.Service){app("http")}, nil, []string{
			"probes Protocol: Http (spec.ports[0].appProtocol)", "probes Path: / (default)",
		}},
		{"the annotation of the port wins", []func(*corev1.Service){app("http"), lbtest.Annotate("port_80_health-probe_protocol", "https"), lbtest.Annotate("azure-load-balancer-health-probe-request-path", "/up"), lbtest.Annotate("port_80_health-probe_port", "8080")}, nil, []string{
			"probes Protocol: Https (metadata.annotations[port_80_health-probe_protocol])",
			"probes Path: /up (metadata.annotations[azure-load-balancer-health-probe-request-path])",
			"probes Port: 8080 (metadata.annotations[port_80_health-probe_port])",
		}},
		{"a Local Service is probed on its node", []func(*corev1.Service){local}, nil, []string{
			"probes Port: 32000 (spec.healthCheckNodePort)",
			"probes Path: /healthz (spec.externalTrafficPolicy: Local: asks every node whether it has a ready pod)",
		}},
		{"one probe for all Services", nil, func(c *lb.Cluster) { c.SharedProbe, c.SharedProbePort, c.SharedProbePath = true, 10256, "/healthz" }, []string{
			"probes Port: 10256 (azure.json clusterServiceSharedLoadBalancerHealthProbePort)",
			"loadBalancingRules Probe: cluster-service-shared-health-probe (azure.json clusterServiceLoadBalancerHealthProbeMode: shared: asks every node whether it serves Services at all)",
		}},
		{"UDP has no probe", []func(*corev1.Service){udp}, nil, []string{
			"loadBalancingRules Probe: none (spec.ports[0].protocol: only TCP can be probed; every node counts as healthy)",
			"loadBalancingRules TCPReset: false (default: TCP only)",
		}},
		{"a probe switched off", []func(*corev1.Service){lbtest.Annotate("port_80_no_probe_rule", "true")}, nil, []string{
			"loadBalancingRules Probe: none (metadata.annotations[port_80_no_probe_rule])",
		}},
		{"floating IP off", []func(*corev1.Service){lbtest.Annotate("azure-disable-load-balancer-floating-ip", "true")}, nil, []string{
			"loadBalancingRules FloatingIP: false (metadata.annotations[azure-disable-load-balancer-floating-ip])",
			"loadBalancingRules BackendPort: 30000 (spec.ports[0].nodePort)",
			"securityRules Destinations: 10.1.200.10, 10.1.200.11 (metadata.annotations[azure-disable-load-balancer-floating-ip]: without floating IP traffic goes to the nodes)",
		}},
		{"an unusable switch is not where the default comes from", []func(*corev1.Service){lbtest.Annotate("azure-load-balancer-disable-tcp-reset", "maybe")}, nil, []string{
			"loadBalancingRules TCPReset: true (default)",
		}},
		{"who may reach it", []func(*corev1.Service){lbtest.Annotate("azure-allowed-ip-ranges", "198.51.100.0/24"), lbtest.Annotate("azure-deny-all-except-load-balancer-source-ranges", "true")}, nil, []string{
			"securityRules Sources: 198.51.100.0/24 (metadata.annotations[azure-allowed-ip-ranges])",
			"securityRules Access: Deny (metadata.annotations[azure-deny-all-except-load-balancer-source-ranges])",
		}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			cluster := lbtest.Cluster()
			if c.cluster != nil {
				c.cluster(&cluster)
			}
			got := settings(describe(t, cluster, lb.Objects{Services: []corev1.Service{lbtest.Service(0, c.changes...)}, Nodes: lbtest.Nodes(2)}))
			for _, want := range c.want {
				if !strings.Contains("\n"+got, "\n"+want+"\n") {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
		})
	}
}

// TestDescribeTellsPlacement: which of several load balancers, among which, and why.
func TestDescribeTellsPlacement(t *testing.T) {
	several := func(entries ...lb.MultipleConfiguration) lb.Cluster {
		c := lbtest.Cluster()
		c.Name, c.Multiple = "one", entries // one entry has to be named like the cluster
		return c
	}
	entry := func(name string) lb.MultipleConfiguration {
		return lb.MultipleConfiguration{Name: name, PrimaryVMSet: name, AllowServicePlacement: true}
	}
	selected := entry("two")
	selected.ServiceLabels = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "gold"}}
	spaced := entry("two")
	spaced.ServiceNamespaces = selected.ServiceLabels
	gold := map[string]string{"tier": "gold"}
	for _, c := range []struct {
		fact    string
		cluster lb.Cluster
		change  func(*lb.Objects)
		want    []string
	}{
		{"the first that is not there yet", several(entry("one"), entry("two")), nil, []string{
			"Placement: one (it is the first that is not there yet)", "Eligible: one, two (azure.json multipleStandardLoadBalancerConfigurations)",
		}},
		{"an annotation names it", several(entry("one"), entry("two")), func(in *lb.Objects) { lbtest.Annotate("azure-load-balancer-configurations", "two")(&in.Services[0]) }, []string{
			"Placement: two", "Eligible: two (metadata.annotations[azure-load-balancer-configurations])",
		}},
		{"labels of the Service select it", several(entry("one"), selected), func(in *lb.Objects) { in.Services[0].Labels = gold }, []string{
			"Placement: two", "Eligible: two (azure.json multipleStandardLoadBalancerConfigurations: by the labels of the Service)",
		}},
		{"labels of the Namespace select it", several(entry("one"), spaced), func(in *lb.Objects) {
			in.Namespaces = []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "default", Labels: gold}}}
		}, []string{
			"Placement: two", "Eligible: two (labels of the Namespace: selected by multipleStandardLoadBalancerConfigurations[1])",
		}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			in := lb.Objects{Services: []corev1.Service{lbtest.Service(0)}, Nodes: lbtest.Nodes(2)}
			if c.change != nil {
				c.change(&in)
			}
			got := settings(describe(t, c.cluster, in))
			for _, want := range c.want {
				if !strings.Contains(got, "loadBalancers "+want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
		})
	}
}

// TestDescribeThoseWithoutAnything: Services that get nothing, and why.
func TestDescribeThoseWithoutAnything(t *testing.T) {
	for fact, c := range map[string]struct {
		change func(*corev1.Service)
		why    string
	}{
		"another type":  {func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP }, "it is not of type LoadBalancer"},
		"being deleted": {func(s *corev1.Service) { s.DeletionTimestamp = &metav1.Time{} }, "it is being deleted"},
		"another class": {func(s *corev1.Service) { s.Spec.LoadBalancerClass = new("theirs") }, `its loadBalancerClass is "theirs", and ours ""`},
		"held":          {lbtest.Annotate("azure-load-balancer-tcp-idle-timeout", "soon"), "a requested setting cannot be applied; see the findings"},
	} {
		p := describe(t, lbtest.Cluster(), lb.Objects{Services: []corev1.Service{lbtest.Service(0, c.change)}, Nodes: lbtest.Nodes(1)})
		if len(piecesOf(p)) > 0 || p.Why != c.why {
			t.Errorf("%s: %q with %d pieces, want %q", fact, p.Why, len(piecesOf(p)), c.why)
		}
	}
	if _, ok := lb.Describe(lbtest.Cluster(), lb.Objects{}, lb.Observed{}, types.NamespacedName{Name: "nobody"}); ok {
		t.Error("a portrait of a Service that is not there")
	}
}

// TestDescribeTellsWhatGoes: a Service that changes direction gives up its frontend.
func TestDescribeTellsWhatGoes(t *testing.T) {
	cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
	in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(2)}
	if _, err := provider.NewReconciler(cloud, cluster, nil).Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	lbtest.Internal(&in.Services[0])
	seen, err := cloud.Observe(t.Context(), lb.ScopeOf(cluster, in))
	if err != nil {
		t.Fatal(err)
	}
	p, _ := lb.Describe(cluster, in, seen, nameOfService(in.Services[0]))
	removed := map[string]bool{}
	for _, id := range p.Removed {
		removed[id.Type()[strings.LastIndexByte(id.Type(), '/')+1:]] = true
	}
	for _, kind := range []string{"frontendIPConfigurations", "loadBalancingRules", "probes", "publicIPAddresses"} {
		if !removed[kind] {
			t.Errorf("no %s is given up: %v", kind, p.Removed)
		}
	}
	for _, f := range p.Frontends {
		if f.Action != lb.Create {
			t.Errorf("frontend %s: %q, want it created", f.ID, f.Action)
		}
	}
	data, err := json.Marshal(p)
	if err != nil || strings.Contains(string(data), "null,") && !strings.Contains(string(data), `"asked":null`) {
		t.Errorf("%v\n%s", err, data)
	}
}

func ExampleDescribe() {
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0, lbtest.Internal, lbtest.Annotate("port_80_health-probe_protocol", "http"))}, Nodes: lbtest.Nodes(1)}
	seen := lb.Observed{Networks: []lb.SeenNetwork{{ID: lbtest.Cluster().Network, Subnets: []lb.SeenSubnet{{Subnet: lb.Subnet{ID: lbtest.Cluster().Network.Child("subnets", "nodes")}}}}}}
	c := lbtest.Cluster()
	c.SecurityGroup = "" // none is needed to see the rest
	p, _ := lb.Describe(c, in, seen, types.NamespacedName{Namespace: "default", Name: "svc-0"})
	p.Findings = nil
	_ = p.Explain(os.Stdout)
	// Output:
	// Service default/svc-0: internal, address of a0000000000004000800000000000abc (known after apply)
	//
	// load balancer kubernetes-internal (to be created): Standard in westeurope
	//   asked for by         spec.type
	//   Kind                 internal  (metadata.annotations[service.beta.kubernetes.io/azure-load-balancer-internal])
	//   Name                 kubernetes-internal  (configuration: --cluster-name)
	//   Placement            kubernetes  (default: the only load balancer of the cluster)
	//   SKU                  Standard  (azure.json loadBalancerSku)
	//
	// frontend a0000000000004000800000000000abc (to be created): (known after apply)
	//   asked for by         azure.json subnetName
	//   Family               IPv4  (spec.ipFamilies)
	//   Subnet               nodes  (azure.json subnetName)
	//   Static               dynamic  (Azure chooses)
	//   Zones                none  (Azure chooses: all zones of the location)
	//
	// rule a0000000000004000800000000000abc-TCP-80 (to be created): Tcp port 80 from frontend a0000000000004000800000000000abc to pool kubernetes
	//   asked for by         spec.ports[0]
	//   Protocol             Tcp  (spec.ports[0].protocol)
	//   FrontendPort         80  (spec.ports[0].port)
	//   BackendPort          80  (spec.ports[0].port: floating IP)
	//   Probe                a0000000000004000800000000000abc-TCP-80  (default: probes the node port)
	//   FloatingIP           true  (default)
	//   IdleMinutes          4  (default)
	//   TCPReset             true  (default)
	//   Distribution         Default  (default)
	//   DisableOutboundSNAT  false  (default)
	//
	// probe a0000000000004000800000000000abc-TCP-80 (to be created): Http port 30000/ every 5 s
	//   asked for by         spec.ports[0]
	//   Protocol             Http  (metadata.annotations[service.beta.kubernetes.io/port_80_health-probe_protocol])
	//   Port                 30000  (spec.ports[0].nodePort)
	//   Path                 /  (default)
	//   IntervalSeconds      5  (default)
	//   Threshold            2  (default)
	//
	// pool kubernetes (to be created): 1 member
	//   asked for by         spec.type
	//   Members              node-0 (10.1.200.10)  (nodes: all nodes that may be in pools)
}
