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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestClashes: what Azure would refuse is found before, and holds the Service that comes later.
func TestClashes(t *testing.T) {
	floatingOff := lbtest.Annotate("azure-disable-load-balancer-floating-ip", "true")
	six := func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol} }
	ports := func(list ...corev1.ServicePort) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Spec.Ports = list }
	}
	label := lbtest.Annotate("azure-dns-label-name", "shop")
	for _, c := range []struct {
		name     string
		services []corev1.Service
		held     int // index of the one that is held; -1: none
		field    string
		text     string
	}{
		{"one DNS label", []corev1.Service{lbtest.Service(0, label), lbtest.Service(1, label)}, 1, "azure-dns-label-name", `the DNS label "shop" is that of public IP kubernetes-a0000000000004000800000000000abc`},
		{"one DNS label, the older one keeps it", []corev1.Service{
			lbtest.Service(0, label, func(s *corev1.Service) { s.CreationTimestamp = metav1.Unix(9, 0) }), lbtest.Service(1, label),
		}, 0, "azure-dns-label-name", `the DNS label "shop"`},
		{"one DNS label for two families", []corev1.Service{lbtest.Service(0, label), lbtest.Service(1, label, six)}, -1, "", ""},
		{"two DNS labels", []corev1.Service{lbtest.Service(0, label), lbtest.Service(1, lbtest.Annotate("azure-dns-label-name", "shop2"))}, -1, "", ""},
		{"SCTP beside TCP", []corev1.Service{lbtest.Service(0, lbtest.Internal, ports(
			corev1.ServicePort{Name: "a", Protocol: "TCP", Port: 80, NodePort: 30080}, corev1.ServicePort{Name: "b", Protocol: "SCTP", Port: 80, NodePort: 30081},
		))}, 0, "spec.ports[1]", "it and spec.ports[0] both take port 80"},
		{"two ports with one node port", []corev1.Service{lbtest.Service(0, floatingOff, ports(
			corev1.ServicePort{Name: "a", Protocol: "TCP", Port: 80, NodePort: 30080}, corev1.ServicePort{Name: "b", Protocol: "TCP", Port: 81, NodePort: 30080},
		))}, 0, "spec.ports[1]", "it and spec.ports[0] both lead to port 30080"},
		{"two ports with one node port, floating", []corev1.Service{lbtest.Service(0, ports(
			corev1.ServicePort{Name: "a", Protocol: "TCP", Port: 80, NodePort: 30080}, corev1.ServicePort{Name: "b", Protocol: "TCP", Port: 81, NodePort: 30080},
		))}, -1, "", ""},
		{"two protocols with one node port", []corev1.Service{lbtest.Service(0, floatingOff, ports(
			corev1.ServicePort{Name: "a", Protocol: "TCP", Port: 80, NodePort: 30080}, corev1.ServicePort{Name: "b", Protocol: "UDP", Port: 80, NodePort: 30080},
		))}, -1, "", ""},
		{"two Services with one node port", []corev1.Service{
			lbtest.Service(0, floatingOff), lbtest.Service(1, floatingOff, func(s *corev1.Service) { s.Spec.Ports[0].NodePort = 30000 }),
		}, 1, "spec.ports[0].port", "port 30000 Tcp of pool kubernetes belongs to default/svc-0"},
		{"all ports over IPv6 beside another", []corev1.Service{
			lbtest.Service(0, lbtest.Internal, six), lbtest.Service(1, lbtest.Internal, six, lbtest.Annotate("azure-load-balancer-enable-high-availability-ports", "true")),
		}, 1, "azure-load-balancer-enable-high-availability-ports", "every port of pool kubernetes-IPv6 belongs to default/svc-0"},
		{"another beside all ports over IPv6", []corev1.Service{
			lbtest.Service(0, lbtest.Internal, six, lbtest.Annotate("azure-load-balancer-enable-high-availability-ports", "true")), lbtest.Service(1, lbtest.Internal, six),
		}, 1, "spec.ports[0].port", "port 30001 Tcp of pool kubernetes-IPv6 belongs to default/svc-0"},
		{"a uid that makes names which ARM refuses", []corev1.Service{
			lbtest.Service(0, func(s *corev1.Service) { s.UID = "ends-with-a." }),
		}, 0, "spec.type", "want a letter, digit or _ at the end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud := fake.New(&fake.Options{Waive: []fake.Rule{fake.RuleProtocolAllWithPort, fake.RuleIPv6Only}})
			if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
				t.Fatal(err)
			}
			report := settled(t, cloud, lbtest.Cluster(), lb.Objects{Services: c.services, Nodes: lbtest.Nodes(1)})
			for i, svc := range c.services {
				s := report.Services[nameOf(svc)]
				if s.Held != (i == c.held) || s.Held && !(strings.Contains(fmt.Sprint(s.Findings), c.field) && strings.Contains(fmt.Sprint(s.Findings), c.text)) {
					t.Errorf("service %d: got %+v, want held: %t, %s: %s", i, s, i == c.held, c.field, c.text)
				}
				if strings.Contains(fmt.Sprint(s.Findings), lb.ErrRejected.Error()) {
					t.Errorf("service %d: Azure had to say it: %v", i, s.Findings)
				}
			}
		})
	}
}

// TestDNSLabelOfOthers: a public IP that is nobody's of ours has its label as well.
func TestDNSLabelOfOthers(t *testing.T) {
	cloud := lbtest.Cloud()
	if err := cloud.Put(lb.ID(worldGroup+"/publicIPAddresses/theirs"), map[string]any{
		"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{
			"publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "ipAddress": "20.1.1.1", "dnsSettings": map[string]any{"domainNameLabel": "Shop"},
		},
	}); err != nil {
		t.Fatal(err)
	}
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0, lbtest.Annotate("azure-dns-label-name", "shop"))}, Nodes: lbtest.Nodes(1)}
	s := settled(t, cloud, lbtest.Cluster(), in).Services[nameOf(in.Services[0])]
	if !s.Held || !strings.Contains(fmt.Sprint(s.Findings), `the DNS label "shop" is that of public IP theirs`) {
		t.Errorf("got %+v, want it held", s)
	}
}

// TestNATRuleOnSharedFrontend: an inbound NAT rule of somebody else takes its port as a rule does.
func TestNATRuleOnSharedFrontend(t *testing.T) {
	cloud, c := lbtest.Cloud(), lbtest.Cluster()
	putPublicIP(t, cloud, "mine", "20.1.1.1", nil)
	mine := lbtest.Annotate("azure-pip-name", "mine")
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0, mine)}, Nodes: lbtest.Nodes(1)}
	settled(t, cloud, c, in)
	balancer := lb.ID(worldGroup + "/loadBalancers/kubernetes")
	frontend := observed(t, cloud, c, in).LoadBalancers[0].Frontends[0].Name
	if err := cloud.Put(balancer.Child(armid.InboundNATRules, "ssh"), map[string]any{"name": "ssh", "properties": map[string]any{
		"protocol": "Tcp", "frontendPort": 22, "backendPort": 22,
		"frontendIPConfiguration": map[string]any{"id": string(balancer.Child(armid.FrontendIPConfigurations, frontend))},
	}}); err != nil {
		t.Fatal(err)
	}
	in.Services = append(in.Services, lbtest.Service(1, mine, lbtest.Port(22)), lbtest.Service(2, mine, lbtest.Port(23)))
	report := settled(t, cloud, c, in)
	for i, held := range []bool{false, true, false} {
		s := report.Services[nameOf(in.Services[i])]
		if s.Held != held || held && !strings.Contains(fmt.Sprint(s.Findings), "belongs to ssh, which is not azlb's") {
			t.Errorf("service %d: got %+v", i, s)
		}
	}
}

// TestNoPriorityLeft: a Service whose security rules find no priority is not opened, whatever it denies.
func TestNoPriorityLeft(t *testing.T) {
	cloud, c := lbtest.Cloud(), lbtest.Cluster()
	c.Limits.RulesPerSecurityGroup = 10000
	in := lb.Objects{Nodes: lbtest.Nodes(1), Services: []corev1.Service{
		lbtest.Service(0), lbtest.Service(1, lbtest.Port(81), lbtest.Annotate("azure-allowed-ip-ranges", "10.0.0.0/8"), lbtest.Annotate("azure-deny-all-except-load-balancer-source-ranges", "true")),
	}}
	seen := observed(t, cloud, c, in)
	for p := int32(500); p <= 4095; p++ {
		if p != 600 && p != 700 {
			seen.SecurityGroups[0].Rules = append(seen.SecurityGroups[0].Rules, lb.SecurityRule{
				Name: fmt.Sprintf("theirs-%d", p), Priority: p, Access: "Allow", Protocol: "Tcp", Sources: []string{"*"}, Destinations: []lb.Address{{Text: "*"}}, Ports: []string{"22"},
			})
		}
	}
	want, findings := lb.Build(c, in, seen)
	var held []string
	for _, f := range findings {
		if f.Holds && errors.Is(f.Err, lb.ErrNoPriority) {
			held = append(held, f.Service.Name)
		}
	}
	if fmt.Sprint(held) != "[svc-1]" || len(want.LoadBalancers) != 1 || len(want.LoadBalancers[0].Rules) != 1 {
		t.Errorf("held %v, and rules %+v; want svc-1 held and svc-0 alone served", held, want.LoadBalancers)
	}
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil || len(plan.Findings) > 0 {
		t.Errorf("%v %v", err, plan.Findings)
	}
}

// TestUnknownSKU: a SKU that there is not counts as basic, and is said to.
func TestUnknownSKU(t *testing.T) {
	c, err := lb.ParseCluster([]byte(strings.Replace(lbtest.Configuration, `"standard"`, `"gold"`, 1)), "")
	if err != nil {
		t.Fatal(err)
	}
	in := lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(1)}
	_, findings := lb.Build(c, in, observed(t, lbtest.Cloud(), c, in))
	for _, f := range findings {
		if f.Field == "loadBalancerSku" && f.Severity == lb.SeverityError && errors.Is(f.Err, lb.ErrConfiguration) && strings.Contains(f.Err.Error(), `"gold": unknown SKU, treated as basic like upstream`) {
			return
		}
	}
	t.Errorf("got %v", findings)
}
