package examples_test

import (
	"context"
	"fmt"
	"log"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// Plan first, then do it: the planning half is arithmetic on values.
func Example() {
	ctx := context.Background()
	azure := fake.New(nil) // or any other provider.Provider
	if err := azure.Load(seed); err != nil {
		log.Fatal(err)
	}
	cluster, err := lb.ParseCluster(config, "kubernetes")
	if err != nil {
		log.Fatal(err)
	}
	in := lb.Objects{Services: services, Nodes: nodes} // all of the cluster

	seen, err := azure.Observe(ctx, lb.ScopeOf(cluster, in))
	if err != nil {
		log.Fatal(err)
	}
	want, findings := lb.Build(cluster, in, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if err := plan.Explain(os.Stdout); err != nil {
		log.Fatal(err)
	}

	// Sync is all of the above, and does what the plan says.
	report, err := provider.NewReconciler(azure, cluster, nil).Sync(ctx, in)
	if err != nil {
		log.Fatal(err)
	}
	for name, result := range report.Services {
		for _, ingress := range result.Status.Ingress { // none while a Service is held
			fmt.Println(name, "has", ingress.IP)
		}
	}
	// Output:
	// 1 step: 5 to create, 0 to update, 0 to delete
	//
	// 1. create load balancer kubernetes-internal
	//    + load balancer kubernetes-internal: Standard in westeurope
	//        shop/orders asks for it (spec.type)
	//    + frontend a4d0f1a526f0b4a399d1e0c6f5b1d7a1: IPv4 address in subnet nodes (known after apply)
	//        shop/orders asks for it (azure.json subnetName)
	//    + pool kubernetes: 1 member
	//        shop/orders asks for it (spec.type)
	//    + probe a4d0f1a526f0b4a399d1e0c6f5b1d7a1-TCP-80: Tcp port 30080 every 5 s
	//        shop/orders asks for it (spec.ports[0])
	//    + rule a4d0f1a526f0b4a399d1e0c6f5b1d7a1-TCP-80: Tcp port 80 from frontend a4d0f1a526f0b4a399d1e0c6f5b1d7a1 to pool kubernetes
	//        shop/orders asks for it (spec.ports[0])
	// shop/orders has 10.1.0.4
}

const group = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/shop/providers/Microsoft.Network/"

var (
	config = []byte(`{
		"subscriptionId": "00000000-0000-4000-8000-000000000001", "resourceGroup": "shop", "location": "westeurope",
		"vnetName": "vnet", "subnetName": "nodes", "securityGroupName": "nsg",
		"loadBalancerSku": "standard", "loadBalancerBackendPoolConfigurationType": "nodeIP"}`)

	seed = []byte(`{
		"resourceGroups": [{"subscription": "00000000-0000-4000-8000-000000000001", "name": "shop", "location": "westeurope"}],
		"resources": [
			{"id": "` + group + `networkSecurityGroups/nsg", "location": "westeurope"},
			{"id": "` + group + `virtualNetworks/vnet", "location": "westeurope",
				"properties": {"subnets": [{"name": "nodes", "properties": {"addressPrefix": "10.1.0.0/24"}}]}}]}`)

	services = []corev1.Service{{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "orders", UID: "4d0f1a52-6f0b-4a39-9d1e-0c6f5b1d7a11",
			Annotations: map[string]string{"service.beta.kubernetes.io/azure-load-balancer-internal": "true"},
		},
		Spec: corev1.ServiceSpec{
			Type:       corev1.ServiceTypeLoadBalancer,
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports:      []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP, NodePort: 30080}},
		},
	}}

	nodes = []corev1.Node{{
		ObjectMeta: metav1.ObjectMeta{Name: "node-0"},
		Spec:       corev1.NodeSpec{ProviderID: "azure://" + group + "virtualMachines/node-0"},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.1.0.10"}}},
	}}
)
