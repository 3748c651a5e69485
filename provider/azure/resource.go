package azure

import (
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// pager is a list in pages. What is in them is captured on its way.
type pager interface {
	More() bool
	next(ctx context.Context) error
}

type pagerOf[T any] struct{ *runtime.Pager[T] }

func (p pagerOf[T]) next(ctx context.Context) error {
	_, err := p.NextPage(ctx)
	return err
}

// poller is a long-running operation.
type poller interface {
	Done() bool
	Poll(ctx context.Context) (*http.Response, error)
	ResumeToken() (string, error)
	result(ctx context.Context) error
}

type pollerOf[T any] struct{ *runtime.Poller[T] }

func (p pollerOf[T]) result(ctx context.Context) error {
	_, err := p.Result(ctx)
	return err
}

// polled wraps what a client returns.
func polled[T any](p *runtime.Poller[T], err error) (poller, error) {
	if err != nil {
		return nil, err
	}
	return pollerOf[T]{p}, nil
}

// call is one request to a client: for id, or to go on with an operation if there is a token. Bodies and conditions travel in the context.
type call struct {
	*armnetwork.ClientFactory
	ctx                 context.Context // an argument of the calls below, which differ in nothing else
	group, name, parent string          // parent is the name of the top-level resource, for children
	token               string
	pools               []*string // of a migration
}

func (c call) of(id lb.ID) call {
	c.group, c.name = id.ResourceGroup(), id.Name()
	c.parent = id.Top().Name()
	return c
}

// access is how one type of resource is read and written; nil: not at all.
type access struct {
	list func(c call) pager
	// listAll lists a whole subscription.
	listAll func(c call) pager
	get     func(c call) error
	put     func(c call) (poller, error)
	tag     func(c call) error
	delete  func(c call) (poller, error)
	// migrate makes pools of network interfaces pools of addresses.
	migrate func(c call) error
}

// accessTo returns the row for a type, in any case; the zero value for a type without one.
func accessTo(typ string) access { return accesses[strings.ToLower(typ)] }

// accesses is keyed by type in lower case. The SDK's models stay empty: see [rawPolicy].
var accesses = map[string]access{
	strings.ToLower(armid.LoadBalancers): {
		list: func(c call) pager {
			return pagerOf[armnetwork.LoadBalancersClientListResponse]{c.NewLoadBalancersClient().NewListPager(c.group, nil)}
		},
		get: func(c call) error {
			_, err := c.NewLoadBalancersClient().Get(c.ctx, c.group, c.name, nil)
			return err
		},
		put: func(c call) (poller, error) {
			return polled(c.NewLoadBalancersClient().BeginCreateOrUpdate(c.ctx, c.group, c.name, armnetwork.LoadBalancer{},
				&armnetwork.LoadBalancersClientBeginCreateOrUpdateOptions{ResumeToken: c.token}))
		},
		tag: func(c call) error {
			_, err := c.NewLoadBalancersClient().UpdateTags(c.ctx, c.group, c.name, armnetwork.TagsObject{}, nil)
			return err
		},
		delete: func(c call) (poller, error) {
			return polled(c.NewLoadBalancersClient().BeginDelete(c.ctx, c.group, c.name,
				&armnetwork.LoadBalancersClientBeginDeleteOptions{ResumeToken: c.token}))
		},
		migrate: func(c call) error {
			_, err := c.NewLoadBalancersClient().MigrateToIPBased(c.ctx, c.group, c.name, &armnetwork.LoadBalancersClientMigrateToIPBasedOptions{
				Parameters: &armnetwork.MigrateLoadBalancerToIPBasedRequest{Pools: c.pools},
			})
			return err
		},
	},
	strings.ToLower(armid.LoadBalancers + "/" + armid.BackendAddressPools): {
		get: func(c call) error {
			_, err := c.NewLoadBalancerBackendAddressPoolsClient().Get(c.ctx, c.group, c.parent, c.name, nil)
			return err
		},
		put: func(c call) (poller, error) {
			return polled(c.NewLoadBalancerBackendAddressPoolsClient().BeginCreateOrUpdate(c.ctx, c.group, c.parent, c.name,
				armnetwork.BackendAddressPool{}, &armnetwork.LoadBalancerBackendAddressPoolsClientBeginCreateOrUpdateOptions{ResumeToken: c.token}))
		},
		delete: func(c call) (poller, error) {
			return polled(c.NewLoadBalancerBackendAddressPoolsClient().BeginDelete(c.ctx, c.group, c.parent, c.name,
				&armnetwork.LoadBalancerBackendAddressPoolsClientBeginDeleteOptions{ResumeToken: c.token}))
		},
	},
	strings.ToLower(armid.PublicIPAddresses): {
		list: func(c call) pager {
			return pagerOf[armnetwork.PublicIPAddressesClientListResponse]{c.NewPublicIPAddressesClient().NewListPager(c.group, nil)}
		},
		listAll: func(c call) pager {
			return pagerOf[armnetwork.PublicIPAddressesClientListAllResponse]{c.NewPublicIPAddressesClient().NewListAllPager(nil)}
		},
		get: func(c call) error {
			_, err := c.NewPublicIPAddressesClient().Get(c.ctx, c.group, c.name, nil)
			return err
		},
		put: func(c call) (poller, error) {
			return polled(c.NewPublicIPAddressesClient().BeginCreateOrUpdate(c.ctx, c.group, c.name, armnetwork.PublicIPAddress{},
				&armnetwork.PublicIPAddressesClientBeginCreateOrUpdateOptions{ResumeToken: c.token}))
		},
		tag: func(c call) error {
			_, err := c.NewPublicIPAddressesClient().UpdateTags(c.ctx, c.group, c.name, armnetwork.TagsObject{}, nil)
			return err
		},
		delete: func(c call) (poller, error) {
			return polled(c.NewPublicIPAddressesClient().BeginDelete(c.ctx, c.group, c.name,
				&armnetwork.PublicIPAddressesClientBeginDeleteOptions{ResumeToken: c.token}))
		},
	},
	strings.ToLower(armid.PublicIPPrefixes): {
		get: func(c call) error {
			_, err := c.NewPublicIPPrefixesClient().Get(c.ctx, c.group, c.name, nil)
			return err
		},
	},
	strings.ToLower(armid.NetworkSecurityGroups): {
		get: func(c call) error {
			_, err := c.NewSecurityGroupsClient().Get(c.ctx, c.group, c.name, nil)
			return err
		},
		put: func(c call) (poller, error) {
			return polled(c.NewSecurityGroupsClient().BeginCreateOrUpdate(c.ctx, c.group, c.name, armnetwork.SecurityGroup{},
				&armnetwork.SecurityGroupsClientBeginCreateOrUpdateOptions{ResumeToken: c.token}))
		},
		tag: func(c call) error {
			_, err := c.NewSecurityGroupsClient().UpdateTags(c.ctx, c.group, c.name, armnetwork.TagsObject{}, nil)
			return err
		},
	},
	strings.ToLower(armid.NetworkSecurityGroups + "/" + armid.SecurityRules): {
		get: func(c call) error {
			_, err := c.NewSecurityRulesClient().Get(c.ctx, c.group, c.parent, c.name, nil)
			return err
		},
		put: func(c call) (poller, error) {
			return polled(c.NewSecurityRulesClient().BeginCreateOrUpdate(c.ctx, c.group, c.parent, c.name, armnetwork.SecurityRule{},
				&armnetwork.SecurityRulesClientBeginCreateOrUpdateOptions{ResumeToken: c.token}))
		},
		delete: func(c call) (poller, error) {
			return polled(c.NewSecurityRulesClient().BeginDelete(c.ctx, c.group, c.parent, c.name,
				&armnetwork.SecurityRulesClientBeginDeleteOptions{ResumeToken: c.token}))
		},
	},
	strings.ToLower(armid.VirtualNetworks): {
		get: func(c call) error {
			_, err := c.NewVirtualNetworksClient().Get(c.ctx, c.group, c.name, nil)
			return err
		},
	},
	strings.ToLower(armid.VirtualNetworks + "/" + armid.Subnets): {
		get: func(c call) error {
			_, err := c.NewSubnetsClient().Get(c.ctx, c.group, c.parent, c.name, nil)
			return err
		},
		put: func(c call) (poller, error) {
			return polled(c.NewSubnetsClient().BeginCreateOrUpdate(c.ctx, c.group, c.parent, c.name, armnetwork.Subnet{},
				&armnetwork.SubnetsClientBeginCreateOrUpdateOptions{ResumeToken: c.token}))
		},
	},
	strings.ToLower(armid.NetworkInterfaces): {
		list: func(c call) pager {
			return pagerOf[armnetwork.InterfacesClientListResponse]{c.NewInterfacesClient().NewListPager(c.group, nil)}
		},
		get: func(c call) error {
			_, err := c.NewInterfacesClient().Get(c.ctx, c.group, c.name, nil)
			return err
		},
		put: func(c call) (poller, error) {
			return polled(c.NewInterfacesClient().BeginCreateOrUpdate(c.ctx, c.group, c.name, armnetwork.Interface{},
				&armnetwork.InterfacesClientBeginCreateOrUpdateOptions{ResumeToken: c.token}))
		},
	},
	// Private link services have no PATCH of their tags: those are written with the whole.
	strings.ToLower(armid.PrivateLinkServices): {
		list: func(c call) pager {
			return pagerOf[armnetwork.PrivateLinkServicesClientListResponse]{c.NewPrivateLinkServicesClient().NewListPager(c.group, nil)}
		},
		listAll: func(c call) pager {
			return pagerOf[armnetwork.PrivateLinkServicesClientListBySubscriptionResponse]{c.NewPrivateLinkServicesClient().NewListBySubscriptionPager(nil)}
		},
		get: func(c call) error {
			_, err := c.NewPrivateLinkServicesClient().Get(c.ctx, c.group, c.name, nil)
			return err
		},
		put: func(c call) (poller, error) {
			return polled(c.NewPrivateLinkServicesClient().BeginCreateOrUpdate(c.ctx, c.group, c.name, armnetwork.PrivateLinkService{},
				&armnetwork.PrivateLinkServicesClientBeginCreateOrUpdateOptions{ResumeToken: c.token}))
		},
		delete: func(c call) (poller, error) {
			return polled(c.NewPrivateLinkServicesClient().BeginDelete(c.ctx, c.group, c.name,
				&armnetwork.PrivateLinkServicesClientBeginDeleteOptions{ResumeToken: c.token}))
		},
	},
	strings.ToLower(armid.PrivateLinkServices + "/" + armid.PrivateEndpointConnections): {
		get: func(c call) error {
			_, err := c.NewPrivateLinkServicesClient().GetPrivateEndpointConnection(c.ctx, c.group, c.parent, c.name, nil)
			return err
		},
		delete: func(c call) (poller, error) {
			return polled(c.NewPrivateLinkServicesClient().BeginDeletePrivateEndpointConnection(c.ctx, c.group, c.parent, c.name,
				&armnetwork.PrivateLinkServicesClientBeginDeletePrivateEndpointConnectionOptions{ResumeToken: c.token}))
		},
	},
}
