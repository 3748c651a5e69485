// Package lbtest makes clusters for tests: Services, nodes, a configuration, and an Azure for it.
package lbtest

import (
	"fmt"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Configuration is an azure.json with pools of addresses.
const Configuration = `{
	"subscriptionId": "00000000-0000-0000-0000-000000000001", "resourceGroup": "rg", "location": "westeurope",
	"vnetName": "vnet", "subnetName": "nodes", "securityGroupName": "nsg",
	"loadBalancerSku": "standard", "loadBalancerBackendPoolConfigurationType": "nodeIP"
}`

// Seed is the Azure that Configuration describes: a virtual network with the subnets nodes and apps, and a security group.
const Seed = `{
	"resourceGroups": [{"subscription": "00000000-0000-0000-0000-000000000001", "name": "rg", "location": "westeurope"}],
	"resources": [
		{
			"id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet",
			"location": "westeurope",
			"properties": {
				"addressSpace": {"addressPrefixes": ["10.0.0.0/8", "fd00::/48"]},
				"subnets": [
					{"name": "nodes", "properties": {"addressPrefixes": ["10.1.0.0/16", "fd00:0:0:1::/64"]}},
					{"name": "apps", "properties": {"addressPrefixes": ["10.2.0.0/24", "fd00:0:0:2::/64"]}}
				]
			}
		},
		{
			"id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/nsg",
			"location": "westeurope",
			"properties": {"securityRules": []}
		}
	]
}`

// Cluster is Configuration, read.
func Cluster() lb.Cluster {
	c, err := lb.ParseCluster([]byte(Configuration), "")
	if err != nil {
		panic(err)
	}
	return c
}

// Cloud is Seed, loaded.
func Cloud() *fake.Cloud {
	c := fake.New(nil)
	if err := c.Load([]byte(Seed)); err != nil {
		panic(err)
	}
	return c
}

// Nodes makes n nodes with an address of each family.
func Nodes(n int) []corev1.Node {
	nodes := make([]corev1.Node, n)
	for i := range nodes {
		nodes[i] = corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("node-%d", i)},
			Spec:       corev1.NodeSpec{ProviderID: fmt.Sprintf("azure:///node-%d", i)},
			Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.1.%d.%d", 200+i/200, 10+i%200)},
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("fd00:0:0:1::%x", 0x1000+i)},
			}},
		}
	}
	return nodes
}

// Service makes the i-th Service of type LoadBalancer: default/svc-i, with TCP port 80 and a uid of its own.
func Service(i int, changes ...func(*corev1.Service)) corev1.Service {
	svc := corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: fmt.Sprintf("svc-%d", i), UID: types.UID(fmt.Sprintf("%08x-0000-4000-8000-00000000abcd", i)),
			Annotations: map[string]string{},
		},
		Spec: corev1.ServiceSpec{
			Type:       corev1.ServiceTypeLoadBalancer,
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports:      []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, NodePort: int32(30000 + i)}},
		},
	}
	for _, change := range changes {
		change(&svc)
	}
	return svc
}

// Services makes Services 0 to n-1.
func Services(n int, changes ...func(*corev1.Service)) []corev1.Service {
	list := make([]corev1.Service, n)
	for i := range list {
		list[i] = Service(i, changes...)
	}
	return list
}

// Annotate sets an annotation; key comes without the prefix of Azure's keys.
func Annotate(key, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Annotations[annotations.Prefix+key] = value }
}

// Internal makes a Service internal.
func Internal(s *corev1.Service) { s.Annotations[annotations.KeyInternal] = "true" }

// Dual makes a Service dual stack.
func Dual(s *corev1.Service) {
	s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}
}

// Port sets the port of a Service.
func Port(port int32) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.Ports[0].Port = port }
}
