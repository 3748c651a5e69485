package lb_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

const exampleSubscription = "00000000-0000-4000-8000-000000000001"

// exampleCluster is the configuration of a cluster.
func exampleCluster() lb.Cluster {
	c, err := lb.ParseCluster([]byte(`
subscriptionId: `+exampleSubscription+`
resourceGroup: rg
location: westeurope
vnetName: vnet
subnetName: nodes
securityGroupName: nsg
loadBalancerBackendPoolConfigurationType: nodeIP
`), "")
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// exampleAzure is what that cluster finds in Azure: a virtual network and a security group.
func exampleAzure() *fake.Cloud {
	cloud := fake.New(nil)
	err := cloud.Load([]byte(`{
		"resourceGroups": [{"subscription": "` + exampleSubscription + `", "name": "rg", "location": "westeurope"}],
		"resources": [
			{"id": "/subscriptions/` + exampleSubscription + `/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet", "location": "westeurope",
				"properties": {"subnets": [{"name": "nodes", "properties": {"addressPrefix": "10.1.0.0/16"}}]}},
			{"id": "/subscriptions/` + exampleSubscription + `/resourceGroups/rg/providers/Microsoft.Network/networkSecurityGroups/nsg", "location": "westeurope"}
		]}`))
	if err != nil {
		log.Fatal(err)
	}
	return cloud
}

// exampleWeb is the Service default/web, with annotations.
func exampleWeb(annotations map[string]string) lb.Objects {
	return lb.Objects{
		Services: []corev1.Service{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "5f2b6c1e-8d3a-4c47-9b1e-0a1b2c3d4e5f", Annotations: annotations},
			Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
				Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80, NodePort: 31234}},
			},
		}},
		Nodes: []corev1.Node{{
			ObjectMeta: metav1.ObjectMeta{Name: "node-1"},
			Spec:       corev1.NodeSpec{ProviderID: "azure:///node-1"},
			Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.1.0.4"}}},
		}},
	}
}

func exampleObserve(cloud *fake.Cloud, c lb.Cluster, in lb.Objects) lb.Observed {
	seen, err := cloud.Observe(context.Background(), lb.ScopeOf(c, in))
	if err != nil {
		log.Fatal(err)
	}
	return seen
}

// Build says what Azure should have.
func ExampleBuild() {
	c, in := exampleCluster(), exampleWeb(nil)
	want, findings := lb.Build(c, in, exampleObserve(exampleAzure(), c, in))

	for _, l := range want.LoadBalancers {
		fmt.Println("load balancer", l.ID.Name())
		for _, f := range l.Frontends {
			fmt.Println("  frontend", f.Name, "with", f.PublicIP.Name())
		}
		for _, r := range l.Rules {
			fmt.Println("  rule", r.Name, r.Protocol, r.FrontendPort, "to pool", r.Pool)
		}
		for _, p := range l.Pools {
			fmt.Println("  pool", p.Name, p.Members)
		}
	}
	fmt.Println(len(findings), "findings")
	// Output:
	// load balancer kubernetes
	//   frontend a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5 with kubernetes-a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5
	//   rule a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5-TCP-80 Tcp 80 to pool kubernetes
	//   pool kubernetes [{node-1 10.1.0.4}]
	// 0 findings
}

// What stands in the way of a Service is a finding with the field at fault, which callers can ask for with errors.Is.
func ExampleBuild_findings() {
	c := exampleCluster()
	in := exampleWeb(map[string]string{"service.beta.kubernetes.io/azure-pip-name": "mine"})
	_, findings := lb.Build(c, in, exampleObserve(exampleAzure(), c, in))
	for _, f := range findings {
		fmt.Println(f.Service, f.Severity, f.Holds, errors.Is(f.Err, lb.ErrNotFound))
		fmt.Println(f.Field)
		fmt.Println(f.Err)
	}
	// Output:
	// default/web error true true
	// metadata.annotations[service.beta.kubernetes.io/azure-pip-name]
	// not found: no public IP "mine" in resource group rg; create it or correct the name
}

// A plan as people read it.
func ExamplePlan_Explain() {
	c := exampleCluster()
	in := exampleWeb(map[string]string{"service.beta.kubernetes.io/azure-load-balancer-internal": "true"})
	seen := exampleObserve(exampleAzure(), c, in)
	want, findings := lb.Build(c, in, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		log.Fatal(err)
	}
	plan.Findings = append(findings, plan.Findings...)
	if err := plan.Explain(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 step: 5 to create, 0 to update, 0 to delete
	//
	// 1. create load balancer kubernetes-internal
	//    + load balancer kubernetes-internal: Standard in westeurope
	//        default/web asks for it (spec.type)
	//    + frontend a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5: IPv4 address in subnet nodes (known after apply)
	//        default/web asks for it (azure.json subnetName)
	//    + pool kubernetes: 1 member
	//        default/web asks for it (spec.type)
	//    + probe a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5-TCP-80: Tcp port 31234 every 5 s
	//        default/web asks for it (spec.ports[0])
	//    + rule a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5-TCP-80: Tcp port 80 from frontend a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5 to pool kubernetes
	//        default/web asks for it (spec.ports[0])
}

// What is there already, however it is spelt, is taken over: the plan is empty.
func ExampleDiff_adoptExisting() {
	c, in := exampleCluster(), exampleWeb(nil)
	cloud := exampleAzure()
	if _, err := provider.NewReconciler(cloud, c, nil).Sync(context.Background(), in); err != nil {
		log.Fatal(err)
	}

	c.ResourceGroup, c.LoadBalancerGroup = "RG", "Rg" // Azure ignores case, and answers in its own
	seen := exampleObserve(cloud, c, in)
	want, _ := lb.Build(c, in, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	fmt.Println(len(plan.Steps), "steps", err)
	// Output:
	// 0 steps <nil>
}

// Without any Service: a model made by hand is planned in the same way. Nothing is removed that Remove does not name.
func Example_handBuilt() {
	group := armid.Group(exampleSubscription, "rg")
	id := group + "/providers/Microsoft.Network/loadBalancers/egress"
	network := group + "/providers/Microsoft.Network/virtualNetworks/vnet"
	want := lb.Desired{LoadBalancers: []lb.LoadBalancer{{
		ID: id, Location: "westeurope", SKU: "Standard",
		Frontends: []lb.Frontend{{Name: "front", Family: ipam.IPv4, Subnet: network + "/subnets/nodes", Static: netip.MustParseAddr("10.1.0.100")}},
		Pools:     []lb.Pool{{Name: "gateways", Network: network, Members: []lb.Member{{Name: "gw-1", IP: netip.MustParseAddr("10.1.0.7")}}}},
		Rules: []lb.Rule{{
			Name: "all", Frontend: "front", Pool: "gateways", Protocol: lb.All, IdleMinutes: 4, FloatingIP: true, Distribution: lb.DistributionDefault,
		}},
	}}}

	seen := exampleObserve(exampleAzure(), exampleCluster(), lb.Objects{})
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		log.Fatal(err)
	}
	if err := plan.Explain(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 1 step: 4 to create, 0 to update, 0 to delete
	//
	// 1. create load balancer egress
	//    + load balancer egress: Standard in westeurope
	//    + frontend front: 10.1.0.100 in subnet nodes
	//    + pool gateways: 1 member
	//    + rule all: All, all ports, from frontend front to pool gateways
	//      asked for
}

// Removals tells whose share a plan would remove, for guards against input that is not complete.
func ExampleRemovals() {
	c, in := exampleCluster(), exampleWeb(nil)
	cloud := exampleAzure()
	if _, err := provider.NewReconciler(cloud, c, nil).Sync(context.Background(), in); err != nil {
		log.Fatal(err)
	}
	in.Services = nil
	gone, observed := lb.Removals(c, in, exampleObserve(cloud, c, in))
	fmt.Println(gone, "of", observed)
	// Output:
	// [default/web] of 1
}
