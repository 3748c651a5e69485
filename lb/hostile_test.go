package lb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// settled makes Azure be what in asks for, and wants that to be all there is to do.
func settled(t *testing.T, cloud *fake.Cloud, c lb.Cluster, in lb.Objects) provider.Report {
	t.Helper()
	report, err := provider.NewReconciler(cloud, c, &provider.Options{MaxRemovals: -1, AllowEmpty: true, Parallel: 1}).Sync(t.Context(), in)
	if err != nil {
		t.Fatalf("%v\n%s", err, cloud)
	}
	if rest := planFor(t, cloud, c, in); len(rest.Steps) > 0 {
		t.Fatalf("left to do:\n%s\n%s", explained(t, rest), cloud)
	}
	return report
}

// TestNodeTakesAddressOfAnother: names are unique in a pool, and a name that stays with its address may be that of a node with a new one.
func TestNodeTakesAddressOfAnother(t *testing.T) {
	cloud, c := lbtest.Cloud(), lbtest.Cluster()
	in := lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(1)}
	settled(t, cloud, c, in)
	in.Nodes = lbtest.Nodes(2)
	a, b := &in.Nodes[0].Status, &in.Nodes[1].Status
	a.Addresses, b.Addresses = b.Addresses, a.Addresses
	settled(t, cloud, c, in)
}

// TestUnreachableNodeAddresses: Azure refuses a pool as a whole for one address that it cannot send to.
func TestUnreachableNodeAddresses(t *testing.T) {
	for _, address := range []string{"0.0.0.0", "127.0.0.1", "169.254.1.1", "::ffff:127.0.0.1", "224.0.0.1", "oops"} {
		in := lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(2)}
		in.Nodes[0].Status.Addresses = append([]corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}, in.Nodes[0].Status.Addresses...)
		cloud := lbtest.Cloud()
		settled(t, cloud, lbtest.Cluster(), in)
		if !strings.Contains(cloud.String(), "pool kubernetes: 10.1.200.10,10.1.200.11\n") {
			t.Errorf("%s: want the next address of the node:\n%s", address, cloud)
		}
	}
}

const severalBalancers = `"multipleStandardLoadBalancerConfigurations": [{"name": "kubernetes", "primaryVMSet": "set-0"}, {"name": "lb2", "primaryVMSet": "set-1"}], "loadBalancerSku"`

func severalCluster(t *testing.T) lb.Cluster {
	t.Helper()
	c, err := lb.ParseCluster([]byte(strings.Replace(lbtest.Configuration, `"loadBalancerSku"`, severalBalancers, 1)), "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLocalServiceWithoutRules: only rules tell whose a pool is, so that one without rules would stay for good, and with it the load balancer, a
// frontend and a public IP.
func TestLocalServiceWithoutRules(t *testing.T) {
	cloud, c := lbtest.Cloud(), severalCluster(t)
	before := cloud.String()
	in := lb.Objects{Services: lbtest.Services(1, lbtest.Annotate("port_80_no_lb_rule", "true")), Nodes: lbtest.Nodes(1)}
	in.Services[0].Spec.ExternalTrafficPolicy, in.Services[0].Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 32000
	settled(t, cloud, c, in)
	in.Services = nil
	settled(t, cloud, c, in)
	if after := cloud.String(); after != before {
		t.Errorf("left behind:\n%s", after)
	}
}

// TestNodesSettleAtOnce: a load balancer that would get no node has all of them, which moves them to it in the next plan if that one looks at
// where they are.
func TestNodesSettleAtOnce(t *testing.T) {
	cloud, c := lbtest.Cloud(), severalCluster(t)
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(1, lbtest.Annotate("azure-load-balancer-configurations", "lb2"))}, Nodes: lbtest.Nodes(2)}
	in.Nodes[1].Spec.ProviderID = "azure:///subscriptions/s/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/set-1/virtualMachines/0"
	settled(t, cloud, c, in)
	in.Services = append(in.Services, lbtest.Service(0, lbtest.Annotate("azure-load-balancer-configurations", "kubernetes")))
	settled(t, cloud, c, in)
}

// TestObjectsNoServerLetsThrough: one Service that cannot be is held by itself.
func TestObjectsNoServerLetsThrough(t *testing.T) {
	for name, spoil := range map[string]func(*corev1.Service){
		"no uid":                            func(s *corev1.Service) { s.UID = "" },
		"a uid without any letter":          func(s *corev1.Service) { s.UID = "----" },
		"a slash in the uid":                func(s *corev1.Service) { s.UID = "a/b" },
		"a path in the uid":                 func(s *corev1.Service) { s.UID = "../.." },
		"a letter of another script":        func(s *corev1.Service) { s.UID = "ü" },
		"a comma in the name":               func(s *corev1.Service) { s.Name = "a,default/svc-0" },
		"a slash in the namespace":          func(s *corev1.Service) { s.Namespace = "a/b" },
		"a port of 17 bits":                 lbtest.Port(65536 + 80),
		"a port below zero":                 lbtest.Port(-1),
		"port zero":                         lbtest.Port(0),
		"a port above what Azure balances":  lbtest.Port(65535),
		"a node port of 17 bits":            func(s *corev1.Service) { s.Spec.Ports[0].NodePort = 65536 + 80 },
		"a protocol that there is not":      func(s *corev1.Service) { s.Spec.Ports[0].Protocol = "FOO" },
		"a family that there is not":        func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{"IPv5"} },
		"no ports":                          func(s *corev1.Service) { s.Spec.Ports = nil },
		"one port twice":                    func(s *corev1.Service) { s.Spec.Ports = append(s.Spec.Ports, s.Spec.Ports[0]) },
		"a type that there is not":          func(s *corev1.Service) { s.Spec.Type = "Loadbalancer" },
		"a health check port below nothing": func(s *corev1.Service) { s.Spec.HealthCheckNodePort = -80 },
	} {
		t.Run(name, func(t *testing.T) {
			cloud, in := lbtest.Cloud(), lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(1)}
			settled(t, cloud, lbtest.Cluster(), in)
			alone := cloud.String()
			in.Services = append(in.Services, lbtest.Service(1, spoil))
			report := settled(t, cloud, lbtest.Cluster(), in)
			if got := cloud.String(); got != alone {
				t.Errorf("something was made of it:\n%s", got)
			}
			bad := types.NamespacedName{Namespace: in.Services[1].Namespace, Name: in.Services[1].Name}
			if !report.Services[bad].Held || len(report.Services[bad].Findings) != 1 {
				t.Errorf("got %+v, want it held, with one finding", report.Services[bad])
			}
		})
	}
}

// TestSlipInType: a type that there is not is no wish to give up everything.
func TestSlipInType(t *testing.T) {
	cloud, in := lbtest.Cloud(), lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(1)}
	settled(t, cloud, lbtest.Cluster(), in)
	before := cloud.String()
	in.Services[0].Spec.Type = "Loadbalancer"
	report := settled(t, cloud, lbtest.Cluster(), in)
	if now := cloud.String(); now != before {
		t.Errorf("something changed:\n%s", now)
	}
	if s := report.Services[nameOf(in.Services[0])]; !s.Held || s.Status == nil || !strings.Contains(fmt.Sprint(s.Findings), "want LoadBalancer,") {
		t.Errorf("got %+v, want it held with its status", s)
	}
}

// TestAddressOfStatus: what a status tells is a wish of nobody, so that one which cannot be fulfilled holds no Service.
func TestAddressOfStatus(t *testing.T) {
	in := lb.Objects{Nodes: lbtest.Nodes(1)}
	for i, address := range []string{"10.1.0.1", "10.1.255.255", "10.1.7.7", "10.1.7.7", "::ffff:10.1.7.8"} {
		in.Services = append(in.Services, lbtest.Service(i, lbtest.Internal))
		in.Services[i].Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	}
	cloud := lbtest.Cloud()
	settled(t, cloud, lbtest.Cluster(), in)
	for _, address := range []string{"10.1.7.7", "10.1.7.8"} {
		if strings.Count(cloud.String(), " "+address+" Static") != 1 {
			t.Errorf("want %s once:\n%s", address, cloud)
		}
	}
}

// TestPortOfEveryProtocol: a rule for SCTP is one for every protocol, beside which no other can have the port.
func TestPortOfEveryProtocol(t *testing.T) {
	pin := lbtest.Annotate("azure-load-balancer-ipv4", "10.1.7.7")
	in := lb.Objects{Services: lbtest.Services(2, lbtest.Internal, pin), Nodes: lbtest.Nodes(1)}
	in.Services[1].Spec.Ports[0].Protocol = corev1.ProtocolSCTP
	in.Services[1].CreationTimestamp = metav1.Unix(1, 0)
	cloud := fake.New(&fake.Options{Waive: []fake.Rule{fake.RuleProtocolAllWithPort}})
	if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	report := settled(t, cloud, lbtest.Cluster(), in)
	late := report.Services[types.NamespacedName{Namespace: "default", Name: "svc-1"}]
	if !late.Held || !strings.Contains(fmt.Sprint(late.Findings), "belongs to default/svc-0") {
		t.Errorf("got %+v, want the younger one held", late)
	}
}

// TestNamesakeOfSecurityRule: a rule outside of azlb's priorities is somebody else's whatever its name, and not written over.
func TestNamesakeOfSecurityRule(t *testing.T) {
	cloud, c := lbtest.Cloud(), lbtest.Cluster()
	in := lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(1)}
	want, _ := lb.Build(c, in, observed(t, cloud, c, in))
	id := want.SecurityGroups[0].ID.Child(armid.SecurityRules, want.SecurityGroups[0].Rules[0].Name)
	if err := cloud.Put(id, map[string]any{"name": id.Name(), "properties": map[string]any{
		"access": "Allow", "direction": "Inbound", "protocol": "Tcp", "priority": 499, "sourceAddressPrefix": "Internet", "sourcePortRange": "*",
		"destinationAddressPrefix": "10.9.9.9", "destinationPortRange": "80",
	}}); err != nil {
		t.Fatal(err)
	}
	before := cloud.String()
	in.Services = append(in.Services, lbtest.Service(1, lbtest.Port(81)))
	report := settled(t, cloud, c, in)
	if first := report.Services[types.NamespacedName{Namespace: "default", Name: "svc-0"}]; !first.Held {
		t.Errorf("got %+v, want it held", first)
	}
	if second := report.Services[types.NamespacedName{Namespace: "default", Name: "svc-1"}]; second.Held || second.Status == nil {
		t.Errorf("got %+v, want it served", second)
	}
	in.Services = nil
	settled(t, cloud, c, in)
	if after := cloud.String(); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
}

// TestLastFrontendMoves: the last frontend beside what others have cannot stay and give its public IP to another load balancer.
func TestLastFrontendMoves(t *testing.T) {
	cloud, c := lbtest.Cloud(), severalCluster(t)
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0, lbtest.Annotate("azure-load-balancer-configurations", "kubernetes"))}, Nodes: lbtest.Nodes(2)}
	settled(t, cloud, c, in)
	theirs := lb.ID(worldGroup + "/loadBalancers/kubernetes/backendAddressPools/theirs")
	if err := cloud.Put(theirs, map[string]any{"name": "theirs", "properties": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	before := cloud.String()
	lbtest.Annotate("azure-load-balancer-configurations", "lb2")(&in.Services[0])
	report := settled(t, cloud, c, in)
	if s := report.Services[types.NamespacedName{Namespace: "default", Name: "svc-0"}]; !s.Held || s.Status == nil {
		t.Errorf("got %+v, want it held", s)
	}
	if after := cloud.String(); after != before {
		t.Errorf("got\n%s\nwant\n%s", after, before)
	}
	if err := cloud.Delete(theirs); err != nil {
		t.Fatal(err)
	}
	if s := settled(t, cloud, c, in).Services[types.NamespacedName{Namespace: "default", Name: "svc-0"}]; s.Held {
		t.Errorf("got %+v, want it moved", s)
	}
}

func observed(t *testing.T, cloud *fake.Cloud, c lb.Cluster, in lb.Objects) lb.Observed {
	t.Helper()
	seen, err := cloud.Observe(t.Context(), lb.ScopeOf(c, in))
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestOneAddressOnTwoBalancers: who comes second to an address that another load balancer has by then is held, rather than refused by Azure.
func TestOneAddressOnTwoBalancers(t *testing.T) {
	for name, ask := range map[string]func(*corev1.Service){
		"public": lbtest.Annotate("azure-pip-name", "mine-0"),
		"private": func(s *corev1.Service) {
			lbtest.Internal(s)
			lbtest.Annotate("azure-load-balancer-ipv4", "10.1.7.7")(s)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cloud, c := lbtest.Cloud(), severalCluster(t)
			for i := range c.Multiple {
				c.Multiple[i].ServiceLabels = &metav1.LabelSelector{MatchLabels: map[string]string{"on": c.Multiple[i].Name}}
			}
			on := func(name string) func(*corev1.Service) {
				return func(s *corev1.Service) { s.Labels = map[string]string{"on": name} }
			}
			if err := cloud.Put(lb.ID(worldGroup+"/publicIPAddresses/mine-0"), map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{
				"publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "ipAddress": "20.1.1.1",
			}}); err != nil {
				t.Fatal(err)
			}
			in := lb.Objects{Nodes: lbtest.Nodes(2), Services: []corev1.Service{
				lbtest.Service(0, ask, on("kubernetes")),
				lbtest.Service(1, ask, lbtest.Port(81), on("lb2")),
			}}
			report := settled(t, cloud, c, in)
			for i, held := range []bool{false, true} {
				if s := report.Services[types.NamespacedName{Namespace: "default", Name: fmt.Sprintf("svc-%d", i)}]; s.Held != held {
					t.Errorf("service %d: got %+v", i, s)
				}
			}
		})
	}
}

// TestSecretsInErrors: what cannot be read may be a secret.
func TestSecretsInErrors(t *testing.T) {
	for _, text := range []string{
		"aadClientSecret: *hunter2\n",
		"aadClientSecret: \"hunter2\\q\"\n",
		"aadClientSecret: hunter2: hunter2\n",
		"aadClientSecret: !!int hunter2\n",
		"{aadClientSecret: hunter2, hunter2: [}",
		`{"aadClientSecret": "hunter2`,
		`"hunter2"`,
	} {
		_, err := lb.ParseCluster([]byte(text), "")
		if !errors.Is(err, lb.ErrConfiguration) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

// TestAddressOfDeletedService: an address that a Service gives up holds nobody on its load balancer.
func TestAddressOfDeletedService(t *testing.T) {
	cloud, c := lbtest.Cloud(), severalCluster(t)
	if err := cloud.Put(lb.ID(worldGroup+"/publicIPAddresses/mine-0"), map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{
		"publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "ipAddress": "20.1.1.1",
	}}); err != nil {
		t.Fatal(err)
	}
	pin := lbtest.Annotate("azure-load-balancer-ipv4", "20.1.1.1")
	in := lb.Objects{Nodes: lbtest.Nodes(2), Services: []corev1.Service{lbtest.Service(0, pin), lbtest.Service(2)}}
	settled(t, cloud, c, in)
	c.Multiple[1].ServiceLabels = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	in.Services[0] = lbtest.Service(1, pin)
	in.Services[0].Labels = map[string]string{"a": "b"}
	report := settled(t, cloud, c, in)
	if s := report.Services[types.NamespacedName{Namespace: "default", Name: "svc-1"}]; s.Held {
		t.Errorf("got %+v, want it served", s)
	}
}

// TestUIDsAlike: names in Azure have room for 31 characters of a uid. Of two Services that they cannot tell apart the younger is held, and both are named.
func TestUIDsAlike(t *testing.T) {
	in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(1)}
	in.Services[0].UID, in.Services[1].UID = "0123456789abcdef0123456789abcde-0", "0123456789ABCDEF0123456789abcde-1"
	report := settled(t, lbtest.Cloud(), lbtest.Cluster(), in)
	first, second := report.Services[nameOf(in.Services[0])], report.Services[nameOf(in.Services[1])]
	text := fmt.Sprint(second.Findings)
	if first.Held || !second.Held || !strings.Contains(text, "metadata.uid") || !strings.Contains(text, "default/svc-0") || !strings.Contains(text, "default/svc-1") {
		t.Errorf("held %t and %t, want the second one, with both names; findings %s", first.Held, second.Held, text)
	}
}
