package fake

import (
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// networkRules hold for virtual networks and network interfaces.
var networkRules = []rule{
	// The security group of a subnet exists.
	{"subnet-group-exists", armid.VirtualNetworks, forEach(armid.Subnets, func(w *write, o armwire.Object) *provider.OpError {
		if id := idAt(o, "properties", "networkSecurityGroup"); id != "" && w.c.bare(id) == nil {
			return badReference(idOf(o), id)
		}
		return nil
	})},
	// A subnet with IP configurations stays (ARM error codes of addresses and subnets), and its prefixes with it.
	{"subnet-in-use", armid.VirtualNetworks, checkSubnetsInUse},
	// The network policies of a subnet that private link services use stay off.
	{"subnet-policy-in-use", armid.VirtualNetworks, onUpdate(checkPolicyInUse)},
	// The pools that an interface joins exist.
	{"interface-pools", armid.NetworkInterfaces, forEach(armid.IPConfigurations, func(w *write, o armwire.Object) *provider.OpError {
		for _, id := range refs(o, "properties", "loadBalancerBackendAddressPools") {
			if w.c.bare(id) == nil {
				return badReference(idOf(o), id)
			}
		}
		return nil
	})},
	// An interface of a virtual machine stays.
	{"interface-in-use", armid.NetworkInterfaces, onDelete(func(w *write) *provider.OpError {
		if by := w.c.linked().first(hasInterface, w.id); by != "" {
			return refuse(400, "NicInUse", "", "Network Interface %s is used by existing resource %s.", w.id, by)
		}
		return nil
	})},
}

func checkSubnetsInUse(w *write) *provider.OpError {
	for _, was := range objects(w.old, "properties", armid.Subnets) {
		by := w.c.linked().first(usesSubnet, idOf(was))
		if by == "" {
			continue
		}
		now := child(w.new, armid.Subnets, text(was, "name"))
		if now == nil {
			return refuse(400, "InUseSubnetCannotBeDeleted", idOf(was), "Subnet %s is in use by %s and cannot be deleted.", idOf(was), by)
		}
		if addr, id := w.stranded(now); id != "" {
			return refuse(400, "InUsePrefixCannotBeDeleted", idOf(was),
				"The address %s of %s would not be in subnet %s any more.", addr, id, idOf(was))
		}
	}
	return nil
}

// stranded returns an IP configuration whose address is in no prefix of subnet.
func (w *write) stranded(subnet armwire.Object) (addr string, id lb.ID) {
	all := prefixes(subnet)
	for ip, by := range w.c.linked().taken[w.id.Key()] {
		cfg, _ := w.c.configuration(by)
		inside := !idAt(cfg, "properties", "subnet").Equal(idOf(subnet))
		for _, p := range all {
			inside = inside || p.Contains(ip)
		}
		if !inside {
			return ip.String(), by
		}
	}
	return "", ""
}

func policiesDisabled(subnet armwire.Object) bool {
	return equalFold(text(subnet, "properties", "privateLinkServiceNetworkPolicies"), "Disabled")
}

func checkPolicyInUse(w *write) *provider.OpError {
	for _, was := range objects(w.old, "properties", armid.Subnets) {
		now := child(w.new, armid.Subnets, text(was, "name"))
		if now == nil || !policiesDisabled(was) || policiesDisabled(now) {
			continue
		}
		for _, by := range w.c.linked().from(usesSubnet, idOf(was)) {
			if by.Top().Is(armid.PrivateLinkServices) {
				return refuse(400, "PrivateLinkServiceNetworkPoliciesCannotBeEnabledOnPrivateLinkServiceSubnet", idOf(was),
					"Private link service network policies cannot be enabled on subnet %s since it has private link service %s.", idOf(was), by.Top())
			}
		}
	}
	return nil
}
