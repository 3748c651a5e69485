package fake

import (
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// serviceRules hold for private link services (Azure documentation and limits, Private Link).
var serviceRules = []rule{
	// The frontends exist, are of one load balancer, and no other private link service has them.
	{"service-frontends", armid.PrivateLinkServices, onPut(checkServiceFrontends)},
	// The load balancer is Standard, has no IPv6 frontend and at most 8 private link services.
	{"service-load-balancer", armid.PrivateLinkServices, onPut(checkServiceBalancer)},
	// A subscription has at most 800 private link services.
	{"service-subscription", armid.PrivateLinkServices, onPut(checkServiceSubscription)},
	// The pools behind the frontends hold network interfaces, not addresses.
	{RuleServiceOnIPPool, armid.PrivateLinkServices, onPut(checkServicePools)},
	// A public frontend has no rule with floating IP.
	{RuleServiceOnFloatingIP, armid.PrivateLinkServices, onPut(checkServiceFloating)},
	// One to eight NAT addresses, IPv4, one of them primary, in a subnet whose network policies for it are off.
	{"service-nat", armid.PrivateLinkServices, onPut(checkServiceNAT)},
	// A private link service stays on its frontends.
	{"service-frontend-immutable", armid.PrivateLinkServices, onUpdate(func(w *write) *provider.OpError {
		if !sameRefs(servedBy(w.old), servedBy(w.new)) {
			return refuse(400, "PrivateLinkServiceFrontendCannotBeChanged", "",
				"The frontend IP configurations of private link service %s cannot be changed.", w.id)
		}
		return nil
	})},
	// With connections that are approved or pending it cannot be deleted (ARM error codes of rules and references).
	{"service-connected", armid.PrivateLinkServices, onDelete(func(w *write) *provider.OpError {
		for _, o := range objects(w.old, "properties", armid.PrivateEndpointConnections) {
			if s := text(o, "properties", "privateLinkServiceConnectionState", "status"); equalFold(s, "Approved") || equalFold(s, "Pending") {
				return refuse(400, "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted", idOf(o),
					"Private link service %s cannot be deleted since it has the private endpoint connection %s.", w.id, idOf(o))
			}
		}
		return nil
	})},
}

// servedBy returns the frontends of a private link service.
func servedBy(o armwire.Object) []lb.ID {
	return refs(o, "properties", "loadBalancerFrontendIpConfigurations")
}

func sameRefs(a, b []lb.ID) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, armid.Compare)
	slices.SortFunc(b, armid.Compare)
	return slices.EqualFunc(a, b, lb.ID.Equal)
}

func checkServiceFrontends(w *write) *provider.OpError {
	frontends := servedBy(w.new)
	if len(frontends) == 0 {
		return refuse(400, "PrivateLinkServiceWithoutFrontend", "", "Private link service %s has no frontend IP configuration.", w.id)
	}
	for _, id := range frontends {
		if w.c.bare(id) == nil {
			return badReference(w.id, id)
		}
		if !id.Top().Equal(frontends[0].Top()) {
			return refuse(400, "PrivateLinkServiceWithSeveralLoadBalancers", id,
				"The frontend IP configurations of private link service %s are of several load balancers.", w.id)
		}
		for _, by := range w.c.linked().from(servesFrontend, id) {
			if !by.Equal(w.id) {
				return refuse(400, "FrontendIPConfigurationInUseByPrivateLinkService", id,
					"Frontend IP configuration %s is used by private link service %s already.", id, by)
			}
		}
	}
	return nil
}

// balancer returns the load balancer of a private link service; nil without a frontend that exists, which is another rule's matter.
func (w *write) balancer() armwire.Object {
	for _, id := range servedBy(w.new) {
		return w.c.bare(id.Top())
	}
	return nil
}

func checkServiceBalancer(w *write) *provider.OpError {
	l := w.balancer()
	if l != nil && !equalFold(sku(l), "Standard") {
		return refuse(400, "PrivateLinkServiceRequiresStandardLoadBalancer", idOf(l),
			"Private link service %s needs a Standard load balancer; %s is %s.", w.id, idOf(l), sku(l))
	}
	services := map[string]bool{w.id.Key(): true}
	for _, o := range objects(l, "properties", armid.FrontendIPConfigurations) {
		if w.frontendIsIPv6(o) {
			return refuse(400, "PrivateLinkServiceNotSupportedWithIPv6Frontend", idOf(o),
				"Private link service %s: load balancer %s has the IPv6 frontend %s.", w.id, idOf(l), idOf(o))
		}
		for _, by := range w.c.linked().from(servesFrontend, idOf(o)) {
			services[by.Key()] = true
		}
	}
	if len(services) > 8 {
		return refuse(400, "PrivateLinkServicesPerLoadBalancerLimitReached", "",
			"Load balancer %s has %d private link services; at most 8 are allowed.", idOf(l), len(services))
	}
	return nil
}

func checkServiceSubscription(w *write) *provider.OpError {
	const most = 800
	if w.old != nil {
		return nil
	}
	n := 0
	for _, r := range w.c.resources {
		if r.id.Is(armid.PrivateLinkServices) && equalFold(r.id.Subscription(), w.id.Subscription()) {
			n++
		}
	}
	if n >= most {
		return refuse(400, "PrivateLinkServicesPerSubscriptionLimitReached", "",
			"Subscription %s has %d private link services; at most %d are allowed.", w.id.Subscription(), n, most)
	}
	return nil
}

// rulesOn returns the load-balancing rules of l on the frontend id.
func rulesOn(l armwire.Object, id lb.ID) []armwire.Object {
	return slices.DeleteFunc(objects(l, "properties", armid.LoadBalancingRules), func(o armwire.Object) bool {
		return !idAt(o, "properties", "frontendIPConfiguration").Equal(id)
	})
}

func checkServicePools(w *write) *provider.OpError {
	l := w.balancer()
	for _, pool := range objects(l, "properties", armid.BackendAddressPools) {
		if refersTo(pool, "virtualNetwork") || len(objects(pool, "properties", "loadBalancerBackendAddresses")) > 0 {
			return refuse(400, "PrivateLinkServiceIsNotSupportedForIPBasedLoadBalancer", idOf(pool),
				"Private link service %s is not supported for load balancer %s with the IP based backend pool %s.", w.id, idOf(l), idOf(pool))
		}
	}
	return nil
}

func checkServiceFloating(w *write) *provider.OpError {
	l := w.balancer()
	for _, id := range servedBy(w.new) {
		if !refersTo(w.c.bare(id), "publicIPAddress") {
			continue
		}
		for _, o := range rulesOn(l, id) {
			if boolean(o, "properties", "enableFloatingIP") {
				return refuse(400, "PrivateLinkServiceIsNotSupportedWithFloatingIP", idOf(o),
					"Private link service %s: rule %s has floating IP enabled.", w.id, idOf(o))
			}
		}
	}
	return nil
}

func checkServiceNAT(w *write) *provider.OpError {
	configs, primary := objects(w.new, "properties", armid.IPConfigurations), 0
	if len(configs) < 1 || len(configs) > 8 {
		return refuse(400, "PrivateLinkServiceIPConfigurationCountInvalid", "",
			"Private link service %s has %d IP configurations; 1 to 8 are allowed.", w.id, len(configs))
	}
	for _, o := range configs {
		if boolean(o, "properties", "primary") {
			primary++
		}
		subnet := idAt(o, "properties", "subnet")
		switch {
		case wantsIPv6(o):
			return refuse(400, "PrivateLinkServiceIPConfigurationMustBeIPv4", idOf(o), "IP configuration %s must be IPv4.", idOf(o))
		case subnet == "":
			return refuse(400, "InvalidRequestFormat", idOf(o), "IP configuration %s has no subnet.", idOf(o))
		case !policiesDisabled(w.c.bare(subnet)):
			return refuse(400, "PrivateLinkServiceCannotBeCreatedInSubnetThatHasNetworkPoliciesEnabled", idOf(o),
				"Private link service %s cannot be created in subnet %s since it has private link service network policies enabled.", w.id, subnet)
		}
	}
	if primary != 1 {
		return refuse(400, "PrivateLinkServicePrimaryIPConfigurationInvalid", "",
			"Private link service %s has %d primary IP configurations, needs one.", w.id, primary)
	}
	return nil
}
