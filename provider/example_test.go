package provider_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

const subscription = "00000000-0000-4000-8000-000000000001"

// azure is an Azure in memory with what a cluster finds there: a resource group with a virtual network and a security group.
func azure() *fake.Cloud {
	c := fake.New(nil)
	c.AddGroup(armid.Group(subscription, "rg"), "westeurope")
	network := map[string]any{"location": "westeurope", "properties": map[string]any{
		"addressSpace": map[string]any{"addressPrefixes": []any{"10.1.0.0/16"}},
		"subnets":      []any{map[string]any{"name": "nodes", "properties": map[string]any{"addressPrefix": "10.1.0.0/24"}}},
	}}
	group := map[string]any{"location": "westeurope", "properties": map[string]any{}}
	err := errors.Join(
		c.Put(armid.Resource(subscription, "rg", armid.VirtualNetworks, "vnet"), network),
		c.Put(armid.Resource(subscription, "rg", armid.NetworkSecurityGroups, "nsg"), group),
	)
	if err != nil {
		panic(err)
	}
	return c
}

// cluster is the configuration of a cluster in that Azure.
func cluster() lb.Cluster {
	c, err := lb.ParseCluster([]byte(`
subscriptionId: `+subscription+`
resourceGroup: rg
location: westeurope
vnetName: vnet
subnetName: nodes
securityGroupName: nsg
loadBalancerSku: standard
loadBalancerBackendPoolConfigurationType: nodeIP
`), "")
	if err != nil {
		panic(err)
	}
	return c
}

func node(name, ip string) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: ip}},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
}

// web is the i-th of many Services that are alike.
func web(i int) corev1.Service {
	return corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprintf("web-%d", i), UID: types.UID(fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)),
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, ClusterIP: "10.0.0.1",
			Ports: []corev1.ServicePort{{Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromInt32(8080), NodePort: int32(30000 + i)}},
		},
	}
}

func objects(services int) lb.Objects {
	in := lb.Objects{Nodes: []corev1.Node{node("node-1", "10.1.0.4"), node("node-2", "10.1.0.5")}}
	for i := range services {
		in.Services = append(in.Services, web(i+1))
	}
	return in
}

// A controller calls Sync with everything it knows and writes the statuses that come back.
func Example() {
	r := provider.NewReconciler(azure(), cluster(), nil)
	in := objects(2)

	report, err := r.Sync(context.Background(), in)
	if err != nil {
		log.Fatal(err)
	}
	for _, svc := range in.Services {
		service := report.Services[types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name}]
		fmt.Println(svc.Name, "has an address:", len(service.Status.Ingress) == 1)
	}
	fmt.Println("writes:", report.Writes)

	report, err = r.Sync(context.Background(), in)
	fmt.Println("writes when nothing changed:", report.Writes, err)
	// Output:
	// web-1 has an address: true
	// web-2 has an address: true
	// writes: 4
	// writes when nothing changed: 0 <nil>
}

// A Service that ARM refuses something does not stand in the way of others.
func ExampleReconciler_Sync_rejected() {
	cloud := azure()
	cloud.Inject(fake.Fault{
		Method: "PUT", Path: "/publicIPAddresses/kubernetes-a00000001", Status: 400, Code: "DnsRecordInUse", Message: "Taken.", Count: -1,
	})
	r := provider.NewReconciler(cloud, cluster(), nil)

	report, err := r.Sync(context.Background(), objects(2))
	fmt.Println(err)
	for _, name := range []string{"web-1", "web-2"} {
		service := report.Services[types.NamespacedName{Namespace: "shop", Name: name}]
		fmt.Printf("%s: held %t, %d addresses\n", name, service.Held, len(service.Status.Ingress))
	}
	// Output:
	// shop/web-1: kubernetes-a0000000100004000800000000000000: DnsRecordInUse: Taken. (the DNS label is taken in this region; choose another one)
	// web-1: held true, 0 addresses
	// web-2: held false, 1 addresses
}

// Ensure and Delete work on one Service and leave all others alone.
func ExampleReconciler_Ensure() {
	ctx := context.Background()
	r := provider.NewReconciler(azure(), cluster(), nil)
	in := objects(3)
	name := types.NamespacedName{Namespace: "shop", Name: "web-2"}

	status, err := r.Ensure(ctx, in, name)
	fmt.Println(len(status.Ingress), "address,", err)

	// Nil means that the finalizer can go.
	fmt.Println(r.Delete(ctx, in, name))
	// Output:
	// 1 address, <nil>
	// <nil>
}

// A dry run says what would be done, with all checks of the plan, and writes nothing.
func ExampleApply_dryRun() {
	ctx := context.Background()
	cloud := azure()
	c, in := cluster(), objects(1)

	seen, err := cloud.Observe(ctx, lb.ScopeOf(c, in))
	if err != nil {
		log.Fatal(err)
	}
	want, _ := lb.Build(c, in, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		log.Fatal(err)
	}
	report, err := provider.Apply(ctx, cloud, plan, &provider.Options{DryRun: true})
	for i, step := range report.Rounds[0].Steps {
		fmt.Println(step.State, plan.Steps[i].Op.Target().Name(), "after", plan.Steps[i].After)
	}
	fmt.Println("writes:", report.Writes, err)
	// Output:
	// planned kubernetes-a0000000100004000800000000000000 after []
	// planned kubernetes after [0]
	// planned k8s-azure-lb_allow_IPv4_d39272f7f57ed937951650d93992ad77 after [1]
	// writes: 0 <nil>
}

// Progress comes as events, one at a time.
func ExampleOptions_events() {
	o := &provider.Options{Parallel: 1, OnEvent: func(e provider.Event) {
		switch e := e.(type) {
		case provider.Planned:
			fmt.Println("plan of", len(e.Plan.Steps), "steps")
		case provider.StepDone:
			fmt.Println(e.State, e.Step.Op.Target().Name())
		}
	}}
	if _, err := provider.NewReconciler(azure(), cluster(), o).Sync(context.Background(), objects(1)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// plan of 3 steps
	// done kubernetes-a0000000100004000800000000000000
	// done kubernetes
	// done k8s-azure-lb_allow_IPv4_d39272f7f57ed937951650d93992ad77
}
