package lb_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
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
