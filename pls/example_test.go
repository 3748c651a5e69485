package pls_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/azlb/azlb/provider"
)

// An Azure with a load balancer that some other controller made.
const ownAzure = `{
	"resourceGroups": [{"subscription": "00000000-0000-0000-0000-000000000001", "name": "rg", "location": "westeurope"}],
	"resources": [
		{
			"id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet",
			"location": "westeurope",
			"properties": {"addressSpace": {"addressPrefixes": ["10.1.0.0/16"]}, "subnets": [{"name": "links", "properties": {"addressPrefix": "10.1.9.0/24"}}]}
		},
		{
			"id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/gateway",
			"location": "westeurope", "sku": {"name": "Standard"},
			"properties": {"frontendIPConfigurations": [{"name": "front", "properties": {"privateIPAddress": "10.1.9.100", "privateIPAllocationMethod": "Static",
				"subnet": {"id": "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/vnet/subnets/links"}}}]}
		}
	]
}`

// ensureLink gives the frontend at an address a private link service, and returns its alias. It needs neither Services nor a Reconciler.
func ensureLink(ctx context.Context, azure provider.Provider, address string, o annotations.PrivateLink) (string, error) {
	group := armid.Group("00000000-0000-0000-0000-000000000001", "rg")
	network := armid.Resource(group.Subscription(), "rg", armid.VirtualNetworks, "vnet")
	seen, err := azure.Observe(ctx, lb.Scope{LoadBalancers: []lb.ID{group}, PrivateLinkServices: []lb.ID{group}, Networks: []lb.ID{network}})
	if err != nil {
		return "", err
	}
	frontend, _, err := lb.FindFrontend(seen, address)
	if err != nil {
		return "", err
	}
	subnet := seen.Networks[0].Subnets[0]
	request := pls.Request{
		Options: o, Frontend: frontend, Group: group, Location: "westeurope", Cluster: "gateways",
		Subnet: subnet.ID, Prefixes: subnet.Prefixes, Taken: []netip.Addr{netip.MustParseAddr(address)},
	}
	for _, p := range seen.PrivateLinkServices {
		request.Others = append(request.Others, p.PrivateLinkService)
	}
	link, findings := pls.Build(request)
	for _, f := range findings {
		if f.Holds {
			return "", fmt.Errorf("%s: %w", f.Field, f.Err)
		}
	}
	open := subnet.Subnet
	open.PrivateLinkPolicies = false // ARM wants it so
	want := lb.Desired{PrivateLinkServices: []pls.PrivateLinkService{link}, Subnets: []lb.Subnet{open}}
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		return "", err
	}
	if err := plan.Explain(os.Stdout); err != nil {
		return "", err
	}
	report, err := provider.Apply(ctx, azure, plan, nil)
	if err != nil {
		return "", err
	}
	for _, step := range report.Rounds[0].Steps {
		if step.Receipt.Alias != "" {
			return step.Receipt.Alias, nil
		}
	}
	if request.Existing = pls.Find(request.Others, frontend); request.Existing == nil {
		return "", errors.New("no alias")
	}
	return request.Existing.Alias, nil
}

// A controller with a load balancer of its own puts a private link service on its frontend.
func ExampleBuild_ownFrontend() {
	azure := fake.New(nil)
	if err := azure.Load([]byte(ownAzure)); err != nil {
		fmt.Println(err)
		return
	}
	options := annotations.PrivateLink{Addresses: []netip.Addr{netip.MustParseAddr("10.1.9.50")}, Visibility: []string{"*"}}
	for range 2 {
		alias, err := ensureLink(context.Background(), azure, "10.1.9.100", options)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("alias:", alias != "")
	}
	options.Addresses = []netip.Addr{netip.MustParseAddr("10.1.9.100")}
	_, err := ensureLink(context.Background(), azure, "10.1.9.100", options)
	fmt.Println(err)
	// Output:
	// 2 steps: 1 to create, 1 to update, 0 to delete; risks: exposure in 1 step
	//
	// 1. update subnet links
	//    ~ subnet links
	//        PrivateLinkPolicies: true → false
	//        asked for
	//
	// 2. create private link service pls-front  [risk: exposure]  (after 1)
	//    + private link service pls-front: for frontend front
	//        Visibility: none → *
	//        asked for
	// alias: true
	// nothing to do
	// alias: true
	// metadata.annotations[service.beta.kubernetes.io/azure-pls-ip-configuration-ip-address]: 10.1.9.100 in subnet links: 10.1.9.100: in use
}
