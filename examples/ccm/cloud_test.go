package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	clientset "k8s.io/client-go/kubernetes/fake"
	"k8s.io/cloud-provider/api"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

const (
	configuration = `{"subscriptionId": "00000000-0000-4000-8000-000000000001", "resourceGroup": "rg", "location": "westeurope", "vnetName": "vnet",
		"subnetName": "nodes", "securityGroupName": "nsg", "loadBalancerSku": "standard", "loadBalancerBackendPoolConfigurationType": "nodeIP"}`
	network = `/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.Network`
	seed    = `{
		"resourceGroups": [{"subscription": "00000000-0000-4000-8000-000000000001", "name": "rg", "location": "westeurope"}],
		"resources": [
			{"id": "` + network + `/networkSecurityGroups/nsg", "location": "westeurope", "properties": {"securityRules": []}},
			{"id": "` + network + `/virtualNetworks/vnet", "location": "westeurope", "properties": {
				"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
				"subnets": [{"name": "nodes", "properties": {"addressPrefixes": ["10.1.0.0/24"]}}]}}
		]}`
)

func service(name string, edit func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "00000001-0000-4000-8000-000000000000", Annotations: map[string]string{}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30080, Protocol: corev1.ProtocolTCP}},
		},
	}
	if edit != nil {
		edit(s)
	}
	return s
}

func node(name, address string) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{ProviderID: "azure:///" + name},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}},
	}
}

// cloudOf returns a provider for what the API server holds, with an Azure in memory.
func cloudOf(t *testing.T, services ...*corev1.Service) (*Cloud, *fake.Cloud, *clientset.Clientset) {
	t.Helper()
	cluster, err := lb.ParseCluster([]byte(configuration), "kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	azure := fake.New(nil)
	if err := azure.Load([]byte(seed)); err != nil {
		t.Fatal(err)
	}
	client := clientset.NewClientset(node("node-1", "10.1.0.11"))
	for _, s := range services {
		if _, err := client.CoreV1().Services(s.Namespace).Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	c := NewCloud(azure, cluster, &provider.Options{Clock: azure.Clock()})
	f := informers.NewSharedInformerFactory(client, 0)
	c.SetInformers(f)
	f.Start(t.Context().Done())
	f.WaitForCacheSync(t.Context().Done())
	t.Cleanup(c.Close)
	return c, azure, client
}

// TestLoadBalancer calls the methods as the service controller does.
func TestLoadBalancer(t *testing.T) {
	web := service("web", nil)
	c, azure, client := cloudOf(t, web)
	before := azure.String()
	get := func(want bool) *corev1.LoadBalancerStatus {
		t.Helper()
		status, exists, err := c.GetLoadBalancer(t.Context(), "kubernetes", web)
		if err != nil || exists != want {
			t.Fatalf("exists %v, %v, want %v", exists, err, want)
		}
		return status
	}
	get(false)
	if err := c.EnsureLoadBalancerDeleted(t.Context(), "kubernetes", web); err != nil || azure.String() != before {
		t.Errorf("deletion of nothing: %v", err)
	}
	status, err := c.EnsureLoadBalancer(t.Context(), "kubernetes", web, nil)
	if err != nil || len(status.Ingress) != 1 {
		t.Fatalf("status %v, %v", status, err)
	}
	if d := cmp.Diff(status, get(true)); d != "" {
		t.Errorf("status (-ensured +got):\n%s", d)
	}
	if _, err := client.CoreV1().Nodes().Create(t.Context(), node("node-2", "10.1.0.12"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for nodes, _ := c.objects.with(web); len(nodes.Nodes) < 2; nodes, _ = c.objects.with(web) {
		time.Sleep(time.Millisecond)
	}
	if err := c.UpdateLoadBalancer(t.Context(), "kubernetes", web, nil); err != nil || members(t, c) != 2 {
		t.Errorf("update: %v, %d members", err, members(t, c))
	}
	if err := c.EnsureLoadBalancerDeleted(t.Context(), "kubernetes", web); err != nil || azure.String() != before {
		t.Errorf("deletion: %v\n%s", err, cmp.Diff(before, azure.String()))
	}
	get(false)
}

func members(t *testing.T, c *Cloud) int {
	t.Helper()
	seen, err := c.provider.Observe(t.Context(), lb.ScopeOf(c.cluster, lb.Objects{}))
	if err != nil || len(seen.LoadBalancers) != 1 {
		t.Fatalf("%v, %v", seen.LoadBalancers, err)
	}
	return len(seen.LoadBalancers[0].Pools[0].Members)
}

// A Service that became one without load balancer still has what it had, until it is deleted.
func TestTypeChange(t *testing.T) {
	web := service("web", nil)
	c, _, _ := cloudOf(t, web)
	if _, err := c.EnsureLoadBalancer(t.Context(), "", web, nil); err != nil {
		t.Fatal(err)
	}
	plain := service("web", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	for _, want := range []bool{true, false} {
		if _, exists, err := c.GetLoadBalancer(t.Context(), "", plain); err != nil || exists != want {
			t.Errorf("exists %v, %v, want %v", exists, err, want)
		}
		if err := c.EnsureLoadBalancerDeleted(t.Context(), "", plain); err != nil {
			t.Error(err)
		}
	}
}

// What a person has to mend comes back with the field; what Azure puts off comes back when Azure says.
func TestErrors(t *testing.T) {
	bad := service("bad", func(s *corev1.Service) { s.Annotations[annotations.KeyInternal] = "perhaps" })
	c, _, _ := cloudOf(t, bad)
	_, err := c.EnsureLoadBalancer(t.Context(), "", bad, nil)
	if !errors.Is(err, provider.ErrHeld) || !strings.Contains(err.Error(), annotations.KeyInternal) {
		t.Errorf("error %v", err)
	}
	for _, e := range []struct {
		err  error
		want time.Duration
	}{
		{&provider.OpError{Kind: provider.Retry, RetryAfter: time.Minute}, time.Minute},
		{&provider.ServiceError{Err: &provider.OpError{Kind: provider.Retry, RetryAfter: 3 * time.Second}}, 3 * time.Second},
		{&provider.OpError{Kind: provider.Retry}, 0},
		{&provider.OpError{Kind: provider.Terminal, RetryAfter: time.Minute}, 0},
		{provider.ErrHeld, 0},
	} {
		var got time.Duration
		if again, ok := errors.AsType[*api.RetryError](retry(e.err)); ok {
			got = again.RetryAfter()
		}
		if got != e.want {
			t.Errorf("%v: again after %v, want %v", e.err, got, e.want)
		}
	}
}
