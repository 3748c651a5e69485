package lb_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// interfaceFindings plans for a cluster with pools of network interfaces and returns the findings as text.
func interfaceFindings(t *testing.T, m *lbtest.Machines, in lb.Objects) string {
	t.Helper()
	c := lbtest.Cluster()
	c.PoolType = lb.PoolInterfaces
	seen, err := m.Cloud.Observe(t.Context(), lb.ScopeOf(c, in))
	if err != nil {
		t.Fatal(err)
	}
	_, findings := lb.Build(c, in, seen)
	return fmt.Sprint(findings)
}

// TestRulesPerInterface: 299 rules are fine, one more is a warning with the count, over the pools of both load balancers.
func TestRulesPerInterface(t *testing.T) {
	for n, want := range map[int]bool{298: false, 299: true} {
		m := &lbtest.Machines{Cloud: lbtest.Cloud()}
		in := lb.Objects{Nodes: []corev1.Node{m.Machine("a", "")}, Services: []corev1.Service{lbtest.Service(0), lbtest.Service(1, lbtest.Internal)}}
		in.Services[0].Spec.Ports = nil
		for i := range n {
			in.Services[0].Spec.Ports = append(in.Services[0].Spec.Ports, corev1.ServicePort{Name: fmt.Sprint("p", i), Protocol: corev1.ProtocolTCP, Port: int32(1000 + i), NodePort: int32(30000 + i)})
		}
		got := interfaceFindings(t, m, in)
		if strings.Contains(got, fmt.Sprintf("%d rules reach network interface", n+1)) != want {
			t.Errorf("%d rules: %s", n+1, got)
		}
	}
}

// TestNodesOfOtherLoadBalancers: nodes that a load balancer of others has stay out, which one finding says for all of them.
func TestNodesOfOtherLoadBalancers(t *testing.T) {
	m := &lbtest.Machines{Cloud: lbtest.Cloud()}
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0, lbtest.Internal)}}
	other := lbtest.Resource(armid.LoadBalancers, "gateway")
	subnet := map[string]any{"id": string(lbtest.Resource(armid.VirtualNetworks, "vnet").Child(armid.Subnets, "apps"))}
	put := func(id lb.ID, body map[string]any) {
		body["location"] = "westeurope"
		if err := m.Cloud.Put(id, body); err != nil {
			t.Fatal(err)
		}
	}
	put(other, map[string]any{"sku": map[string]any{"name": "Standard"}, "properties": map[string]any{
		"frontendIPConfigurations": []any{map[string]any{"name": "f", "properties": map[string]any{"subnet": subnet}}}, "backendAddressPools": []any{map[string]any{"name": "p"}},
	}})
	for i := range 3 {
		n := m.Machine(fmt.Sprint("n", i), "")
		in.Nodes = append(in.Nodes, n)
		id := lbtest.Resource(armid.NetworkInterfaces, "nic-"+n.Name)
		body, _ := m.Cloud.Body(id)
		first := body["properties"].(map[string]any)["ipConfigurations"].([]any)[0].(map[string]any)["properties"].(map[string]any)
		first["loadBalancerBackendAddressPools"] = []any{map[string]any{"id": string(other) + "/backendAddressPools/p"}}
		put(id, body)
	}
	if got := interfaceFindings(t, m, in); strings.Count(got, "gateway") != 1 || !strings.Contains(got, "n0 and 2 more stay out") {
		t.Errorf("findings: %s", got)
	}
}

// TestOneMachineInTheWay: a network interface that Azure refuses to change, or that is being deleted, keeps no other out.
func TestOneMachineInTheWay(t *testing.T) {
	m := &lbtest.Machines{Cloud: lbtest.Cloud()}
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0)}}
	for i := range 4 {
		in.Nodes = append(in.Nodes, m.Machine(fmt.Sprint("n", i), ""))
	}
	for n, state := range map[string]string{"n0": "Deleting", "n1": "Updating", "n2": "Failed"} {
		if err := m.Cloud.Merge(lbtest.Resource(armid.NetworkInterfaces, "nic-"+n), map[string]any{"properties": map[string]any{"provisioningState": state}}); err != nil {
			t.Fatal(err)
		}
	}
	c := lbtest.Cluster()
	c.PoolType = lb.PoolInterfaces
	if _, err := provider.NewReconciler(m.Cloud, c, &provider.Options{Clock: m.Cloud.Clock()}).Sync(t.Context(), in); err == nil {
		t.Error("nothing says that n1 is not in the pool")
	}
	for n, want := range map[string]bool{"n0": false, "n1": false, "n2": true, "n3": true} {
		body, _ := m.Cloud.Body(lbtest.Resource(armid.NetworkInterfaces, "nic-"+n))
		if got := strings.Contains(fmt.Sprint(body), "/backendAddressPools/kubernetes"); got != want {
			t.Errorf("%s is in the pool: %v", n, got)
		}
	}
}

// TestUnreadMembers: where nobody may read what the nodes of a pool have, a Service is held with what to do about it, new or not.
func TestUnreadMembers(t *testing.T) {
	const sets, interfaces = "/virtualMachineScaleSets$", "/networkInterfaces$"
	all := func(in lb.Objects) []corev1.Node { return in.Nodes }
	for _, tt := range []struct {
		name   string
		refuse string // path of the list
		status int
		nodes  func(lb.Objects) []corev1.Node
		set    func(*lb.Cluster)
		want   string // in the error; empty: not held
	}{
		{"nothing is refused", "", 0, all, nil, ""},
		{"scale sets", sets, 403, all, nil, "Microsoft.Compute/virtualMachineScaleSets, so ss-000000 and 1 more stay out of its pool; grant Microsoft.Compute/virtualMachineScaleSets/read on "},
		{"instances", "/ss/virtualMachines$", 403, all, nil, "virtualMachines, so ss-000000 and 1 more stay out of its pool; grant Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read on "},
		{"network interfaces", interfaces, 403, all, nil, "networkInterfaces, so m0 and 1 more stay out of its pool; grant Microsoft.Network/networkInterfaces/read on "},
		{"scale sets, one node of which is there", sets, 403, func(in lb.Objects) []corev1.Node { return in.Nodes[:3] }, nil, "so ss-000000 stays out of its pool"},
		{"scale sets, none of which has a node", sets, 403, func(in lb.Objects) []corev1.Node { return in.Nodes[:2] }, nil, ""},
		{"interfaces, while all nodes are in scale sets", interfaces, 403, func(in lb.Objects) []corev1.Node { return in.Nodes[2:] }, nil, ""},
		{"a group that is not there", sets, 404, all, nil, ""},
		{"pools that others fill", sets, 403, all, func(c *lb.Cluster) { c.PreConfigured = "all" }, ""},
		{"pools of addresses", sets, 403, all, func(c *lb.Cluster) { c.PoolType = lb.PoolAddresses }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &lbtest.Machines{Cloud: lbtest.Cloud()}
			set := m.ScaleSet("ss", "Uniform", "Manual")
			in := lb.Objects{Services: lbtest.Services(2)}
			in.Nodes = []corev1.Node{m.Machine("m0", ""), m.Machine("m1", ""), m.Instance(set, 0), m.Instance(set, 1)}
			in.Nodes = tt.nodes(in)
			c := lbtest.Cluster()
			c.PoolType = lb.PoolInterfaces
			if tt.set != nil {
				tt.set(&c)
			}
			sync := func(in lb.Objects) provider.Report {
				t.Helper()
				report, err := provider.NewReconciler(m.Cloud, c, &provider.Options{Clock: m.Cloud.Clock()}).Sync(t.Context(), in)
				if err != nil {
					t.Fatal(err)
				}
				return report
			}
			sync(lb.Objects{Services: in.Services[:1], Nodes: in.Nodes})
			if tt.refuse != "" {
				m.Cloud.Inject(fake.Fault{Method: "GET", Path: tt.refuse, Status: tt.status, Code: "AuthorizationFailed", Count: -1})
			}
			report := sync(in)
			for i, name := range []string{"default/svc-0", "default/svc-1"} {
				got := report.Services[types.NamespacedName{Namespace: "default", Name: fmt.Sprint("svc-", i)}]
				if text := fmt.Sprint(got.Findings); got.Held != (tt.want != "") || !strings.Contains(text, tt.want) {
					t.Errorf("%s: held %v, findings %s\nwant %q", name, got.Held, text, tt.want)
				}
				if n := len(got.Status.Ingress); (n == 1) != (i == 0 || tt.want == "") {
					t.Errorf("%s has %d addresses", name, n)
				}
			}
			if tt.want != "" && report.Writes > 0 {
				t.Errorf("%d writes for Services that are held:\n%v", report.Writes, report.Plan())
			}
		})
	}
}
