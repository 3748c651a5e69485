package armwire

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// Paths of the lists of children of a load balancer.
const (
	frontendsAt = "properties.frontendIPConfigurations"
	poolsAt     = "properties.backendAddressPools"
	rulesAt     = "properties.loadBalancingRules"
	probesAt    = "properties.probes"
	membersAt   = "properties.loadBalancerBackendAddresses"
)

// LoadBalancer decodes a load balancer with all its children. The family of a public frontend is that of its public IP, which the body does
// not tell: it stays zero.
func LoadBalancer(o Object) (lb.SeenLoadBalancer, error) {
	return decode(armid.LoadBalancers, o, readLoadBalancer)
}

func readLoadBalancer(v view) lb.SeenLoadBalancer {
	seen := lb.SeenLoadBalancer{
		LoadBalancer: lb.LoadBalancer{
			ID:        v.id("id"),
			Location:  v.text("location"),
			SKU:       v.oneOf("sku.name", "Standard", "Basic"),
			EdgeZone:  v.text("extendedLocation.name"),
			Frontends: readAll(v, frontendsAt, readFrontend, frontendName),
			Pools:     readAll(v, poolsAt, readPool, poolName),
			Probes:    readAll(v, probesAt, readProbe, probeName),
			Rules:     readAll(v, rulesAt, readRule, ruleName),
			Tags:      v.tags(),
		},
		ETag:   v.text("etag"),
		Failed: failed(v.o),
		Uses:   readUses(v),
	}
	for _, p := range v.children(poolsAt) {
		if ids := p.ids("properties.backendIPConfigurations"); len(ids) > 0 {
			if seen.Attached == nil {
				seen.Attached = map[string][]lb.ID{}
			}
			slices.SortFunc(ids, armid.Compare)
			seen.Attached[strings.ToLower(p.name())] = ids
		}
	}
	for _, f := range v.children(frontendsAt) {
		if a := f.addr("properties.privateIPAddress"); a.IsValid() {
			if seen.Assigned == nil {
				seen.Assigned = map[string]netip.Addr{}
			}
			seen.Assigned[f.name()] = a
		}
	}
	return seen
}

// readAll decodes the children at a path and sorts them by name.
func readAll[T any](v view, at string, read func(view) T, name func(T) string) []T {
	var list []T
	for _, c := range v.children(at) {
		list = append(list, read(c))
	}
	slices.SortStableFunc(list, func(a, b T) int { return byName(name(a), name(b)) })
	return list
}

func frontendName(f lb.Frontend) string { return f.Name }
func poolName(p lb.Pool) string         { return p.Name }
func probeName(p lb.Probe) string       { return p.Name }
func ruleName(r lb.Rule) string         { return r.Name }

func readFrontend(v view) lb.Frontend {
	f := lb.Frontend{
		Name:     v.name(),
		Family:   v.family("properties.privateIPAddressVersion"),
		PublicIP: v.id("properties.publicIPAddress.id"),
		Subnet:   v.id("properties.subnet.id"),
		Zones:    lb.ZonesOf(v.texts("zones")),
	}
	if f.PublicIP != "" {
		f.Family = 0
	}
	if v.oneOf("properties.privateIPAllocationMethod", "Static") == "Static" {
		f.Static = v.addr("properties.privateIPAddress")
	}
	return f
}

func readPool(v view) lb.Pool {
	p := lb.Pool{Name: v.name(), Network: v.id("properties.virtualNetwork.id")}
	addresses := 0
	for _, e := range v.children(membersAt) {
		m := lb.Member{Name: e.name(), IP: e.addr("properties.ipAddress")}
		if m.IP.IsValid() {
			addresses++
		}
		p.Interfaces = p.Interfaces || !m.IP.IsValid()
		p.Members = append(p.Members, m)
		if p.Network == "" {
			p.Network = e.id("properties.virtualNetwork.id")
		}
	}
	// A pool that ARM has made one of addresses still shows the interfaces that have not left it.
	p.Interfaces = p.Interfaces || addresses == 0 && len(v.list("properties.backendIPConfigurations")) > 0
	if p.Interfaces {
		p.Network, p.Members = "", nil
	}
	slices.SortStableFunc(p.Members, func(a, b lb.Member) int { return a.IP.Compare(b.IP) })
	return p
}

func readProbe(v view) lb.Probe {
	return lb.Probe{
		Name:            v.name(),
		Protocol:        annotations.ProbeProtocol(v.oneOf("properties.protocol", "Tcp", "Http", "Https")),
		Port:            uint16(v.number("properties.port", 0, 65535)),
		Path:            v.text("properties.requestPath"),
		IntervalSeconds: int32(v.number("properties.intervalInSeconds", 0, 1<<31-1)),
		Threshold:       int32(v.number("properties.probeThreshold", 0, 1<<31-1)),
	}
}

func readRule(v view) lb.Rule {
	r := lb.Rule{
		Name:                v.name(),
		Frontend:            v.id("properties.frontendIPConfiguration.id").Name(),
		Pool:                v.id("properties.backendAddressPool.id").Name(),
		Probe:               v.id("properties.probe.id").Name(),
		Protocol:            lb.Protocol(v.oneOf("properties.protocol", "Tcp", "Udp", "All")),
		FrontendPort:        uint16(v.number("properties.frontendPort", 0, 65535)),
		BackendPort:         uint16(v.number("properties.backendPort", 0, 65535)),
		IdleMinutes:         uint8(v.number("properties.idleTimeoutInMinutes", 0, 255)),
		FloatingIP:          v.bool("properties.enableFloatingIP"),
		TCPReset:            v.bool("properties.enableTcpReset"),
		DisableOutboundSNAT: v.bool("properties.disableOutboundSnat"),
		Distribution:        lb.Distribution(v.oneOf("properties.loadDistribution", "Default", "SourceIP", "SourceIPProtocol")),
	}
	if r.Pool == "" {
		if pools := v.ids("properties.backendAddressPools"); len(pools) > 0 {
			r.Pool = pools[0].Name()
		}
	}
	r.TCPReset = r.TCPReset && r.Protocol != lb.UDP // means nothing there
	return r
}

// readUses reads the children that azlb never writes and that use frontends or pools.
func readUses(v view) []lb.Use {
	top := v.id("id")
	var uses []lb.Use
	for _, kind := range []string{armid.OutboundRules, armid.InboundNATRules, armid.InboundNATPools} {
		for _, c := range v.children("properties." + kind) {
			uses = append(uses, readUse(c, top, kind))
		}
	}
	slices.SortStableFunc(uses, func(a, b lb.Use) int { return armid.Compare(a.ID, b.ID) })
	return uses
}

func readUse(v view, top lb.ID, kind string) lb.Use {
	u := lb.Use{ID: v.id("id")}
	if u.ID == "" {
		u.ID = top.Child(kind, v.name())
	}
	frontends := v.ids("properties.frontendIPConfigurations")
	if f := v.id("properties.frontendIPConfiguration.id"); f != "" {
		frontends = append(frontends, f)
	}
	for _, f := range frontends {
		u.Frontends = append(u.Frontends, f.Name())
	}
	if p := v.id("properties.backendAddressPool.id"); p != "" {
		u.Pools = append(u.Pools, p.Name())
	}
	slices.SortFunc(u.Frontends, byName)
	if kind != armid.OutboundRules {
		u.Protocol = lb.Protocol(v.oneOf("properties.protocol", "Tcp", "Udp", "All"))
		u.FirstPort = uint16(max(v.number("properties.frontendPort", 0, 65535), v.number("properties.frontendPortRangeStart", 0, 65535)))
		u.LastPort = max(u.FirstPort, uint16(v.number("properties.frontendPortRangeEnd", 0, 65535)))
	}
	return u
}
