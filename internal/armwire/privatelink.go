package armwire

import (
	"slices"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// PrivateLinkService decodes a private link service with its connections.
func PrivateLinkService(o Object) (lb.SeenPrivateLinkService, error) {
	return decode(armid.PrivateLinkServices, o, readPrivateLinkService)
}

const plsFrontendsAt = "properties.loadBalancerFrontendIpConfigurations"

func readPrivateLinkService(v view) lb.SeenPrivateLinkService {
	s := lb.SeenPrivateLinkService{
		PrivateLinkService: pls.PrivateLinkService{
			ID:            v.id("id"),
			Location:      v.text("location"),
			EdgeZone:      v.text("extendedLocation.name"),
			Frontends:     v.ids(plsFrontendsAt),
			ProxyProtocol: v.bool("properties.enableProxyProtocol"),
			FQDNs:         v.texts("properties.fqdns"),
			Visibility:    v.texts("properties.visibility.subscriptions"),
			AutoApproval:  v.texts("properties.autoApproval.subscriptions"),
			Alias:         v.text("properties.alias"),
		},
		ETag:   v.text("etag"),
		Failed: failed(v.o),
	}
	for _, c := range v.children(ipConfigurationsAt) {
		s.NAT = append(s.NAT, readNAT(c))
	}
	slices.SortStableFunc(s.NAT, primaryFirst)
	for _, t := range v.tags() {
		s.Tags = append(s.Tags, pls.Tag(t))
	}
	connection := func(v view) pls.Connection { return pls.Connection{Name: v.name(), Status: v.connectionStatus()} }
	s.Connections = readAll(v, "properties.privateEndpointConnections", connection, func(c pls.Connection) string { return c.Name })
	return s
}

func (v view) connectionStatus() string {
	return v.oneOf("properties.privateLinkServiceConnectionState.status", "Pending", "Approved", "Rejected", "Disconnected")
}

func readNAT(v view) pls.NATConfiguration {
	n := pls.NATConfiguration{Name: v.name(), Subnet: v.id("properties.subnet.id"), Primary: v.bool("properties.primary")}
	if v.oneOf("properties.privateIPAllocationMethod", "Static") == "Static" {
		n.Address = v.addr("properties.privateIPAddress")
	}
	return n
}

func primaryFirst(a, b pls.NATConfiguration) int {
	switch {
	case a.Primary == b.Primary:
		return 0
	case a.Primary:
		return -1
	default:
		return 1
	}
}
