package sim

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// Port is one port that a load balancer serves for a Service: what a client connects to.
type Port struct {
	Base     string // of the Service's names
	Address  netip.Addr
	Protocol lb.Protocol
	Number   uint16 // 0: every port
}

// Flow is traffic from somewhere to a port and on to one node.
type Flow struct {
	Port
	Source string     // see sources
	Node   netip.Addr // without floating IP; else the security group sees the address of the port
}

// sources stand for everybody: the Internet at large, some in it, and the virtual network.
var sources = []string{"Internet", "AzureCloud", "VirtualNetwork", "203.0.113.7/32", "198.51.100.9/32", "2001:db8::7/128"}

// View is the state of Azure as clients feel it.
type View struct {
	Seen  lb.Observed
	Ports map[Port]bool // that lead to at least one node
	Flows map[Flow]bool // that the security group lets through
	IPs   map[string]lb.SeenPublicIP

	leadsTo map[netip.Addr]bool // addresses that the security group sees traffic to
	ways    map[Flow]bool       // the same by port, without a source
	manned  bool                // pools without members are served by somebody, since others attach the nodes
}

// ViewOf looks at what was observed of a cluster.
func ViewOf(c lb.Cluster, seen lb.Observed) View {
	v := View{
		leadsTo: map[netip.Addr]bool{}, ways: map[Flow]bool{}, manned: c.PoolType == lb.PoolInterfaces,
		Seen: seen, Ports: map[Port]bool{}, Flows: map[Flow]bool{}, IPs: map[string]lb.SeenPublicIP{},
	}
	for _, ip := range seen.PublicIPs {
		v.IPs[ip.ID.Key()] = ip
	}
	for _, l := range seen.LoadBalancers {
		for _, r := range l.Rules {
			if baseOf(r.Name) != "" {
				v.rule(l, r)
			}
		}
	}
	return v
}

func (v View) rule(l lb.SeenLoadBalancer, r lb.Rule) {
	frontend, ok := find(l.Frontends, r.Frontend, func(f lb.Frontend) string { return f.Name })
	pool, has := find(l.Pools, r.Pool, func(p lb.Pool) string { return p.Name })
	address := v.address(l, frontend)
	if !ok || !has || !address.IsValid() || !v.manned && len(pool.Members) == 0 {
		return
	}
	port := Port{Base: baseOf(r.Name), Address: address, Protocol: r.Protocol, Number: r.FrontendPort}
	v.Ports[port] = true
	destinations, number := []netip.Addr{address}, r.FrontendPort
	if !r.FloatingIP {
		destinations, number = nil, r.BackendPort
		for _, m := range pool.Members {
			destinations = append(destinations, m.IP)
		}
		if pool.Interfaces {
			destinations = v.attached(l.ID.Child(armid.BackendAddressPools, pool.Name))
		}
	}
	for _, source := range sources {
		for _, to := range destinations {
			v.leadsTo[to], v.ways[Flow{Port: port, Node: to}] = true, true
			if v.allowed(source, r.Protocol, to, number) {
				v.Flows[Flow{port, source, to}] = true
			}
		}
	}
}

// attached returns the addresses of the network interfaces in a pool.
func (v View) attached(pool lb.ID) []netip.Addr {
	var list []netip.Addr
	for _, n := range v.Seen.Interfaces {
		for _, c := range n.IPConfigurations {
			if c.IP.IsValid() && slices.ContainsFunc(c.Pools, pool.Equal) { // models of scale sets have none
				list = append(list, c.IP)
			}
		}
	}
	return list
}

// shut reports whether f's port is served, and f kept from it.
func (v View) shut(f Flow) bool {
	return v.Ports[f.Port] && !v.Flows[f] && v.leadsTo[f.Node] && v.opened(f) && !v.reached(f)
}

// opened reports whether the addresses that f leads to are those of its port, or are open to somebody outside for it already: the first
// allowance for nodes, which their Service asks for, is not announced.
func (v View) opened(f Flow) bool {
	return f.Node == f.Address || slices.ContainsFunc(sources, func(source string) bool {
		return source != "VirtualNetwork" && v.Flows[Flow{f.Port, source, f.Node}]
	})
}

// reached reports whether who gets to the address of f's port got to the port before by way of the nodes, as without floating IP.
func (v View) reached(f Flow) bool {
	if f.Node != f.Address {
		return false
	}
	for other := range v.Flows {
		if other.Port == f.Port && other.Source == f.Source {
			return true
		}
	}
	return false
}

func find[T any](list []T, name string, of func(T) string) (T, bool) {
	i := slices.IndexFunc(list, func(t T) bool { return strings.EqualFold(of(t), name) })
	if i < 0 {
		var none T
		return none, false
	}
	return list[i], true
}

// address returns the address of a frontend.
func (v View) address(l lb.SeenLoadBalancer, f lb.Frontend) netip.Addr {
	if f.PublicIP != "" {
		return v.IPs[f.PublicIP.Key()].Address
	}
	return l.Assigned[f.Name]
}

// allowed asks the security group: the first rule that matches decides, the virtual network is let in by default, and nobody else.
func (v View) allowed(source string, protocol lb.Protocol, to netip.Addr, port uint16) bool {
	if len(v.Seen.SecurityGroups) == 0 {
		return true
	}
	decides := lb.SecurityRule{Access: "Deny", Priority: 65536}
	if source == "VirtualNetwork" {
		decides.Access = "Allow"
	}
	for _, r := range v.Seen.SecurityGroups[0].Rules {
		if !r.Outbound && r.Priority < decides.Priority && matches(r, source, protocol, to, port) {
			decides = r
		}
	}
	return decides.Access == "Allow"
}

func matches(r lb.SecurityRule, source string, protocol lb.Protocol, to netip.Addr, port uint16) bool {
	if r.Protocol != "*" && !strings.EqualFold(r.Protocol, string(protocol)) {
		return false
	}
	return slices.ContainsFunc(r.Ports, func(p string) bool { return holdsPort(p, port) }) &&
		slices.ContainsFunc(r.Destinations, func(a lb.Address) bool { return a.IP == to || a.Text == "*" || holds(a.Text, to) }) &&
		slices.ContainsFunc(r.Sources, func(s string) bool { return holdsSource(s, source, to) })
}

func holdsPort(p string, port uint16) bool {
	first, last, _ := strings.Cut(p, "-")
	low, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return p == "*"
	}
	high, err := strconv.ParseUint(last, 10, 16)
	if err != nil {
		high = low
	}
	return uint64(port) >= low && uint64(port) <= high
}

func holds(prefix string, a netip.Addr) bool {
	p, err := netip.ParsePrefix(prefix)
	return err == nil && p.Contains(a)
}

// holdsSource reports whether a rule for s matches traffic from source.
func holdsSource(s, source string, to netip.Addr) bool {
	p, err := netip.ParsePrefix(s)
	from, single := netip.ParsePrefix(source)
	switch {
	case s == "*" || strings.EqualFold(s, source):
		return true
	case err == nil && single == nil:
		return p.Contains(from.Addr())
	case err == nil:
		return p.Bits() == 0 && p.Addr().Is4() == to.Is4() // everything; smaller prefixes are only part of the Internet
	default:
		return strings.EqualFold(s, "Internet") && source != "VirtualNetwork"
	}
}

// labelOf ends the key of the DNS label of a public IP in a share. Who gets a label where there was none takes nothing from anybody.
const labelOf = " label"

// share lists what the Service with this base has, as text by id: its frontends, rules, probes and the public IPs of its frontends.
func (v View) share(base string) map[string]any {
	out := map[string]any{}
	for _, l := range v.Seen.LoadBalancers {
		for _, f := range l.Frontends {
			if baseOf(f.Name) == base {
				out[l.ID.Child(armid.FrontendIPConfigurations, f.Name).Key()] = f
				if f.PublicIP != "" {
					ip := v.IPs[f.PublicIP.Key()]
					if out[f.PublicIP.Key()] = ip.Address; ip.DNSLabel != "" {
						out[f.PublicIP.Key()+labelOf] = ip.DNSLabel
					}
				}
			}
		}
		for _, r := range l.Rules {
			if baseOf(r.Name) == base {
				out[l.ID.Child(armid.LoadBalancingRules, r.Name).Key()] = r
			}
		}
		for _, p := range l.Probes {
			if baseOf(p.Name) == base {
				out[l.ID.Child(armid.Probes, p.Name).Key()] = p
			}
		}
	}
	return out
}
