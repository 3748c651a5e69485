package fake

import (
	"net/netip"
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// frontendRules hold for frontends of load balancers, and those about private addresses for every IP configuration.
var frontendRules = []rule{
	// At most 600 frontends in a load balancer (Azure limits, Load Balancer).
	{"frontends-600", armid.LoadBalancers, onPut(func(w *write) *provider.OpError {
		if n := len(objects(w.new, "properties", armid.FrontendIPConfigurations)); n > 600 {
			return refuse(400, "FrontendIPConfigurationCountLimitReached", "",
				"Load balancer %s has %d frontend IP configurations; at most 600 are allowed.", w.id, n)
		}
		return nil
	})},
	// A load balancer without frontend has no children (ARM error codes of rules and references).
	{"no-frontend-no-children", armid.LoadBalancers, onPut(checkChildless)},
	// A frontend has either a public IP, a public IP prefix or a subnet.
	{"frontend-one-source", armid.LoadBalancers, forEach(armid.FrontendIPConfigurations, checkFrontendSource)},
	// A public IP exists, and is attached once (ARM error codes of addresses, cloud-provider-azure#4243).
	{"public-ip-exists", "", onPut(checkPublicIPExists)},
	{"public-ip-attached-once", "", onPut(checkAttachedOnce)},
	// Basic and Standard do not mix (ARM error codes of rules and references).
	{"public-ip-sku", armid.LoadBalancers, forEach(armid.FrontendIPConfigurations, checkPublicIPSKU)},
	// A frontend that names a family has a public IP of that family.
	{"public-ip-family", armid.LoadBalancers, forEach(armid.FrontendIPConfigurations, checkPublicIPFamily)},
	// A load balancer with an IPv6 frontend has an IPv4 frontend (ARM error codes of addresses and subnets, cloud-provider-azure#1831).
	{RuleIPv6Only, armid.LoadBalancers, onPut(checkIPv4Frontend)},
	// The subnet exists.
	{"subnet-exists", "", onPut(checkSubnets)},
	// A static private address is one, in a prefix of the subnet, none that Azure reserves, and nobody else's
	// (ARM error codes of addresses and subnets, recorded in internal-static-taken).
	{"private-address-in-subnet", "", onPut(eachPrivate(checkInSubnet))},
	{"private-address-reserved", "", onPut(eachPrivate(checkNotReserved))},
	{"private-address-once", "", onPut(checkSamePrivate)},
	{"private-address-taken", "", onPut(eachPrivate(checkNotTaken))},
	// Zones are those of the location, of internal frontends only, and stay as they are.
	{"frontend-zones", armid.LoadBalancers, forEach(armid.FrontendIPConfigurations, checkFrontendZones)},
	// All internal frontends of a load balancer are in one virtual network, which is that of its pools
	// (ARM error codes of addresses and subnets).
	{"one-network", armid.LoadBalancers, onPut(checkOneNetwork)},
}

func checkChildless(w *write) *provider.OpError {
	if len(objects(w.new, "properties", armid.FrontendIPConfigurations)) > 0 {
		return nil
	}
	for _, kind := range childKinds(w.id) {
		for _, o := range objects(w.new, "properties", kind) {
			return refuse(400, "LoadBalancerWithoutFrontendIPCantHaveChildResources", idOf(o),
				"Load balancer %s without frontend IP configurations cannot have the child resource %s.", w.id, idOf(o))
		}
	}
	return nil
}

func checkFrontendSource(w *write, o armwire.Object) *provider.OpError {
	n := 0
	for _, name := range []string{"publicIPAddress", "publicIPPrefix", "subnet"} {
		if idAt(o, "properties", name) != "" {
			n++
		}
	}
	switch n {
	case 0:
		return refuse(400, "FrontendIPConfigHasNoSubnetOrPublicIP", idOf(o),
			"Frontend IP Configuration %s must reference either a Subnet or a Public IP Address.", idOf(o))
	case 1:
		return nil
	default:
		return refuse(400, "FrontendIPConfigHasBothSubnetAndPublicIP", idOf(o),
			"Frontend IP Configuration %s must not reference both a Subnet and a Public IP Address.", idOf(o))
	}
}

// configurations returns every IP configuration of the new body.
func (w *write) configurations() []armwire.Object {
	return append(objects(w.new, "properties", armid.FrontendIPConfigurations), objects(w.new, "properties", armid.IPConfigurations)...)
}

func checkPublicIPExists(w *write) *provider.OpError {
	for _, o := range w.configurations() {
		for _, name := range []string{"publicIPAddress", "publicIPPrefix"} {
			if id := idAt(o, "properties", name); id != "" && w.c.bare(id) == nil {
				return badReference(idOf(o), id)
			}
		}
	}
	return nil
}

func checkAttachedOnce(w *write) *provider.OpError {
	mine := map[string]bool{}
	for _, o := range w.configurations() {
		id := idAt(o, "properties", "publicIPAddress")
		if id == "" {
			continue
		}
		if mine[id.Key()] {
			return refuse(400, "PublicIPReferencedByMultipleIPConfigs", idOf(o),
				"Public ip address %s is referenced by multiple ipconfigs in resource %s.", id, w.id)
		}
		mine[id.Key()] = true
		for _, by := range w.c.linked().from(usesPublicIP, id) {
			if !by.Top().Equal(w.id) {
				return refuse(400, "PublicIPAddressInUse", idOf(o),
					"Resource %s is referencing public IP address %s that is already allocated to resource %s.", idOf(o), id, by)
			}
		}
	}
	return nil
}

func checkPublicIPSKU(w *write, o armwire.Object) *provider.OpError {
	id := idAt(o, "properties", "publicIPAddress")
	if id == "" || equalFold(sku(w.c.bare(id)), sku(w.new)) {
		return nil
	}
	return refuse(400, "DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed", idOf(o),
		"Different sku load balancers and public IP addresses are not allowed. Load balancer %s is %s, public IP address %s is %s.", w.id, sku(w.new), id, sku(w.c.bare(id)))
}

func publicFamily(o armwire.Object) string {
	if equalFold(text(o, "properties", "publicIPAddressVersion"), "IPv6") {
		return "IPv6"
	}
	return "IPv4"
}

func checkPublicIPFamily(w *write, o armwire.Object) *provider.OpError {
	id, asked := idAt(o, "properties", "publicIPAddress"), text(o, "properties", "privateIPAddressVersion")
	if id == "" || asked == "" || equalFold(asked, publicFamily(w.c.bare(id))) {
		return nil
	}
	return refuse(400, "IPAddressVersionMismatch", idOf(o),
		"Frontend IP Configuration %s is %s, public IP address %s is %s.", idOf(o), asked, id, publicFamily(w.c.bare(id)))
}

// frontendIsIPv6 looks at the public IP, else at the frontend itself.
func (w *write) frontendIsIPv6(o armwire.Object) bool {
	if id := idAt(o, "properties", "publicIPAddress"); id != "" {
		return publicFamily(w.c.bare(id)) == "IPv6"
	}
	if id := idAt(o, "properties", "publicIPPrefix"); id != "" {
		return publicFamily(w.c.bare(id)) == "IPv6"
	}
	return wantsIPv6(o)
}

func checkIPv4Frontend(w *write) *provider.OpError {
	frontends := objects(w.new, "properties", armid.FrontendIPConfigurations)
	if len(frontends) == 0 || slices.ContainsFunc(frontends, func(o armwire.Object) bool { return !w.frontendIsIPv6(o) }) {
		return nil
	}
	return refuse(400, "AtleastOneIpV4RequiredForIpV6LbFrontendIpConfiguration", idOf(frontends[0]),
		"At least one IPv4 frontend IP configuration is required in load balancer %s for the IPv6 frontend IP configuration %s.", w.id, idOf(frontends[0]))
}

func checkSubnets(w *write) *provider.OpError {
	for _, o := range w.configurations() {
		if id := idAt(o, "properties", "subnet"); id != "" && w.c.bare(id) == nil {
			return badReference(idOf(o), id)
		}
	}
	return nil
}

// eachPrivate makes a check that is asked of every IP configuration with a static private address in a subnet.
func eachPrivate(check func(w *write, o armwire.Object, addr netip.Addr) *provider.OpError) func(w *write) *provider.OpError {
	return func(w *write) *provider.OpError {
		for _, o := range w.configurations() {
			if !isStatic(o) || idAt(o, "properties", "subnet") == "" {
				continue
			}
			addr, _ := netip.ParseAddr(text(o, "properties", "privateIPAddress"))
			if err := check(w, o, addr); err != nil {
				return err
			}
		}
		return nil
	}
}

func checkInSubnet(w *write, o armwire.Object, addr netip.Addr) *provider.OpError {
	subnet := idAt(o, "properties", "subnet")
	right := addr.IsValid() && addr.Is6() == wantsIPv6(o)
	if right && slices.ContainsFunc(prefixes(w.c.bare(subnet)), func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	return refuse(400, "PrivateIPAddressNotInSubnet", idOf(o),
		"Private static IP address %s of %s does not belong to the range of subnet prefix of %s.",
		text(o, "properties", "privateIPAddress"), idOf(o), subnet)
}

func checkNotReserved(w *write, o armwire.Object, addr netip.Addr) *provider.OpError {
	for _, p := range prefixes(w.c.bare(idAt(o, "properties", "subnet"))) {
		if p.Contains(addr) && reserved(p, addr) {
			return refuse(400, "PrivateIPAddressInReservedRange", idOf(o),
				"Private static IP address %s of %s falls within reserved IP range of subnet prefix %s.", addr, idOf(o), p)
		}
	}
	return nil
}

func checkSamePrivate(w *write) *provider.OpError {
	seen := map[string]lb.ID{}
	return eachPrivate(func(w *write, o armwire.Object, addr netip.Addr) *provider.OpError {
		key := idAt(o, "properties", "subnet").Top().Key() + " " + addr.String()
		if other := seen[key]; other != "" {
			return refuse(400, "MultipleIpConfigsRequestSamePrivateIpAddress", idOf(o),
				"IP configurations %s and %s request the same private IP address %s.", other, idOf(o), addr)
		}
		seen[key] = idOf(o)
		return nil
	})(w)
}

func checkNotTaken(w *write, o armwire.Object, addr netip.Addr) *provider.OpError {
	by := w.c.linked().taken[idAt(o, "properties", "subnet").Top().Key()][addr]
	if by == "" || by.Equal(idOf(o)) {
		return nil
	}
	if by.Top().Equal(w.id) && !w.keeps(by, addr) {
		return nil
	}
	return refuse(400, "PrivateIPAddressIsAllocated", idOf(o),
		"IP configuration %s is using the private IP address %s which is already allocated to resource %s.",
		idOf(o), addr, by)
}

// keeps reports whether the configuration id of the resource being written still has addr afterwards.
func (w *write) keeps(id lb.ID, addr netip.Addr) bool {
	_, kind, name := split(id)
	now := child(w.new, kind, name)
	return now != nil && settled(now, child(w.old, kind, name), nil) == addr
}

func checkFrontendZones(w *write, o armwire.Object) *provider.OpError {
	zones := texts(o, "zones")
	if len(zones) > 0 && idAt(o, "properties", "subnet") == "" {
		return refuse(400, "LoadBalancerFrontendIPConfigCannotHaveZoneWhenReferencingPublicIPAddress", idOf(o),
			"Frontend IP Configuration %s cannot have zones since it references a public IP address.", idOf(o))
	}
	if len(zones) > 0 && equalFold(sku(w.new), "Basic") {
		return refuse(400, "ZonesNotAllowedInBasicSkuResource", idOf(o),
			"Zones not allowed in basic SKU resource %s. Please use standard SKU.", w.id)
	}
	if err := w.checkZones(idOf(o), zones); err != nil {
		return err
	}
	was := child(w.old, armid.FrontendIPConfigurations, text(o, "name"))
	if was == nil || idAt(was, "properties", "subnet") == "" || idAt(o, "properties", "subnet") == "" {
		return nil
	}
	return sameZones(idOf(o), texts(was, "zones"), zones)
}

// checkZones reports zones that the location does not have.
func (w *write) checkZones(id lb.ID, zones []string) *provider.OpError {
	there := w.c.zones(text(w.new, "location"))
	for _, zone := range zones {
		if !slices.Contains(there, zone) {
			return refuse(400, "InvalidAvailabilityZone", id,
				"The zone '%s' of %s is not supported in location '%s'; supported: %v.", zone, id, text(w.new, "location"), there)
		}
	}
	return nil
}

func sameZones(id lb.ID, was, now []string) *provider.OpError {
	if slices.Equal(slices.Sorted(slices.Values(was)), slices.Sorted(slices.Values(now))) {
		return nil
	}
	return refuse(400, "ResourceAvailabilityZonesCannotBeModified", id,
		"Resource %s has an existing availability zone constraint %v and the request has %v, which "+
			"do not match. Zones cannot be added, updated or removed once the resource is created.", id, was, now)
}

func checkOneNetwork(w *write) *provider.OpError {
	var network lb.ID
	for _, o := range objects(w.new, "properties", armid.FrontendIPConfigurations) {
		subnet := idAt(o, "properties", "subnet")
		if subnet == "" {
			continue
		}
		if network != "" && !network.Equal(subnet.Top()) {
			return differentNetwork(idOf(o), subnet.Top(), network)
		}
		network = subnet.Top()
	}
	for _, o := range objects(w.new, "properties", armid.BackendAddressPools) {
		if of := idAt(o, "properties", "virtualNetwork"); network != "" && of != "" && !of.Equal(network) {
			return differentNetwork(idOf(o), of, network)
		}
	}
	return nil
}

func differentNetwork(id, network, other lb.ID) *provider.OpError {
	return refuse(400, "NetworkInterfaceAndInternalLoadBalancerMustUseSameVnet", id,
		"%s is in virtual network %s, its load balancer in %s.", id, network, other)
}
