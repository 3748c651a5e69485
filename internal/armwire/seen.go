package armwire

import (
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// Seen decodes the body of one top-level resource into the list of what was observed where it belongs. A body of another type, or one that
// cannot be read, gives nothing.
func Seen(id lb.ID, body Object) lb.Observed {
	var seen lb.Observed
	switch {
	case body == nil:
	case id.Is(armid.LoadBalancers):
		seen.LoadBalancers = one(LoadBalancer, body)
	case id.Is(armid.PublicIPAddresses):
		seen.PublicIPs = one(PublicIP, body)
	case id.Is(armid.NetworkSecurityGroups):
		seen.SecurityGroups = one(SecurityGroup, body)
	case id.Is(armid.PrivateLinkServices):
		seen.PrivateLinkServices = one(PrivateLinkService, body)
	case id.Is(armid.NetworkInterfaces):
		seen.Interfaces = one(Interface, body)
	case id.Is(armid.ScaleSets):
		seen.Interfaces = one(ScaleSet, body)
	case id.Is(armid.ScaleSetInstances):
		seen.Interfaces = one(Instance, body)
	case id.Is(armid.VirtualNetworks):
		seen.Networks = one(Network, body)
	}
	return seen
}

func one[T any](read func(Object) (T, error), body Object) []T {
	v, err := read(body)
	if err != nil {
		return nil
	}
	return []T{v}
}
