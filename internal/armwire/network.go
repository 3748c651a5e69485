package armwire

import (
	"net/netip"
	"slices"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// Network decodes a virtual network with its subnets.
func Network(o Object) (lb.SeenNetwork, error) {
	return decode(armid.VirtualNetworks, o, func(v view) lb.SeenNetwork {
		top := v.id("id")
		read := func(v view) lb.SeenSubnet { return readSubnet(v, top) }
		seen := lb.SeenNetwork{
			ID:      top,
			Subnets: readAll(v, "properties.subnets", read, func(s lb.SeenSubnet) string { return s.ID.Name() }),
		}
		for _, text := range v.texts("properties.addressSpace.addressPrefixes") {
			if p, err := netip.ParsePrefix(text); err == nil {
				seen.Prefixes = append(seen.Prefixes, p.Masked())
			}
		}
		return seen
	})
}

func readSubnet(v view, network lb.ID) lb.SeenSubnet {
	s := lb.SeenSubnet{Subnet: lb.Subnet{ID: v.id("id")}, ETag: v.text("etag")}
	if name := v.name(); s.ID == "" && name != "" {
		s.ID = network.Child(armid.Subnets, name)
	}
	for _, text := range append(v.texts("properties.addressPrefixes"), v.text("properties.addressPrefix")) {
		if p := v.prefix("properties.addressPrefixes", text); p.IsValid() && !slices.Contains(s.Prefixes, p) {
			s.Prefixes = append(s.Prefixes, p)
		}
	}
	slices.SortFunc(s.Prefixes, netip.Prefix.Compare)
	s.PrivateLinkPolicies = v.oneOf(policiesAt, "Disabled") != "Disabled"
	return s
}

// Interface decodes a network interface; its IP configurations keep their order.
func Interface(o Object) (lb.SeenInterface, error) {
	return decode(armid.NetworkInterfaces, o, func(v view) lb.SeenInterface {
		seen := lb.SeenInterface{
			NetworkInterface: lb.NetworkInterface{ID: v.id("id")}, ETag: v.text("etag"),
			Machine: v.id("properties.virtualMachine.id"), Primary: v.bool("properties.primary"),
			Failed: failed(v.o), Deleting: deleting(v.o),
		}
		for _, c := range v.children(ipConfigurationsAt) {
			seen.IPConfigurations = append(seen.IPConfigurations, readIPConfiguration(c))
		}
		return seen
	})
}

// Paths of what is written in subnets and network interfaces.
const (
	policiesAt         = "properties.privateLinkServiceNetworkPolicies"
	ipConfigurationsAt = "properties.ipConfigurations"
	interfacePoolsAt   = "properties.loadBalancerBackendAddressPools"
)

func readIPConfiguration(v view) lb.IPConfiguration {
	c := lb.IPConfiguration{
		Name:    v.name(),
		Primary: v.bool("properties.primary"),
		Family:  v.family("properties.privateIPAddressVersion"),
		IP:      v.addr("properties.privateIPAddress"),
		Subnet:  v.id("properties.subnet.id"),
		Pools:   v.ids(interfacePoolsAt),
	}
	slices.SortFunc(c.Pools, armid.Compare)
	return c
}
