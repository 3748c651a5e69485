package lb

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	corev1 "k8s.io/api/core/v1"
)

// flows tells which base names have traffic to which address, protocol and port, from the load-balancing rules that lead there. It is how a
// destination of a shared security rule is found to be somebody's.
type flows struct {
	ports map[flow][]string
	// any holds the owners of every port of an address (HA ports, and addresses that only a tag gives an owner).
	any map[netip.Addr][]string
	// known are the addresses that something leads to.
	known map[netip.Addr]bool
	// served are the ports that somebody has, whatever the address.
	served map[servedPort][]string
	// worked are the ports that Services have, or ask for, which are not held.
	worked map[servedPort]bool
}

type flow struct {
	address netip.Addr
	servedPort
}

type servedPort struct {
	protocol string // of security rules
	port     uint16
}

// flows works out the flows of what was observed.
func (b *builder) flows() flows {
	f := flows{ports: map[flow][]string{}, any: map[netip.Addr][]string{}, known: map[netip.Addr]bool{}, served: map[servedPort][]string{}}
	for _, id := range b.ourBalancers() {
		l := b.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		for _, r := range l.Rules {
			if base := b.owner(r.Name); base != "" {
				b.addFlows(&f, l, r, base)
			}
		}
		for _, fe := range l.Frontends {
			if base := b.owner(fe.Name); base != "" {
				f.known[l.address(b.seen, fe)] = true
			}
		}
	}
	for _, s := range b.services {
		b.addRuleless(&f, s)
	}
	for i := range b.seen.PublicIPs {
		p := &b.seen.PublicIPs[i]
		for _, name := range b.users(p) {
			if s := b.byName[parseName(name)]; s != nil && p.Address.IsValid() && !f.known[p.Address] {
				f.any[p.Address] = append(f.any[p.Address], s.base)
			}
		}
	}
	for a := range f.any {
		f.known[a] = true
	}
	return f
}

func (b *builder) addFlows(f *flows, l *seenBalancer, r Rule, base string) {
	protocol := map[Protocol]string{TCP: "Tcp", UDP: "Udp", All: "*"}[r.Protocol]
	port := r.FrontendPort
	var to []netip.Addr
	if r.FloatingIP || r.BackendPort == r.FrontendPort {
		to = append(to, l.address(b.seen, l.frontends[strings.ToLower(r.Frontend)]))
	}
	if !r.FloatingIP {
		port = r.BackendPort
		if r.BackendPort != r.FrontendPort {
			// An IPv6 frontend of an internal Service keeps its own address as destination, though its rule is without floating IP.
			fe := l.frontends[strings.ToLower(r.Frontend)]
			f.add(l.address(b.seen, fe), servedPort{protocol, r.FrontendPort}, base)
		}
		for _, m := range l.pools[strings.ToLower(r.Pool)].Members {
			to = append(to, m.IP)
		}
	}
	for _, a := range to {
		f.add(a, servedPort{protocol, port}, base)
	}
}

// addRuleless adds the flows of ports that are to have no load-balancing rule: the security group lets them in like any other.
func (b *builder) addRuleless(f *flows, s *service) {
	if !slices.ContainsFunc(s.obj.Spec.Ports, func(p corev1.ServicePort) bool {
		_, ok := s.obj.Annotations[annotations.PortKey(annotations.KeyPortNoRule, p.Port)]
		return ok
	}) {
		return
	}
	cfg, _ := annotations.Parse(s.obj)
	for _, port := range s.obj.Spec.Ports {
		if !cfg.Ports[port.Port].NoRule {
			continue
		}
		for _, id := range b.ourBalancers() {
			for name := range b.uses[id.Key()][s.base] {
				b.addPort(f, b.seen.balancers[id.Key()], name, port, cfg.Rules.FloatingIP, s.base)
			}
		}
	}
}

// addPort adds the flow of one port to a frontend: to its address or, without floating IP, to the node port of the members of its pool.
func (b *builder) addPort(f *flows, l *seenBalancer, frontend string, port corev1.ServicePort, floating bool, base string) {
	fe, protocol := l.frontends[frontend], securityProtocol(protocolOf(port))
	if floating {
		f.add(l.address(b.seen, fe), servedPort{protocol, uint16(port.Port)}, base)
		return
	}
	for _, m := range l.pools[strings.ToLower(poolName(b.c.Name, fe.Family))].Members {
		f.add(m.IP, servedPort{protocol, uint16(port.NodePort)}, base)
	}
}

func (f *flows) add(a netip.Addr, p servedPort, base string) {
	if !a.IsValid() {
		return
	}
	f.known[a] = true
	if p.port == 0 {
		f.any[a] = append(f.any[a], base)
		return
	}
	f.ports[flow{a, p}] = append(f.ports[flow{a, p}], base)
	f.served[p] = append(f.served[p], base)
}

// keepSecurity enters what held Services, and other clusters, have in the managed rules.
func (d *outline) keepSecurity(group *SeenSecurityGroup) {
	others := d.othersAddresses()
	held := slices.ContainsFunc(d.services, func(s *service) bool { return s.held }) || len(d.only) > 0 || d.in.KeepGone
	if !held && len(others) == 0 {
		return
	}
	f, asked := d.flows(), d.askedAdditional()
	f.worked = d.workedPorts(f)
	for _, r := range group.Rules {
		if !managed(r) || r.Outbound {
			continue
		}
		for _, a := range r.Destinations {
			switch {
			case others[a.IP]:
				d.destine(d.securityRule(r), a)
			case held && !asked[strings.ToLower(r.Name)][a]:
				d.keepDestination(f, r, a)
			}
		}
	}
}

// workedPorts are the ports of Services that are not held. An address that nothing leads to, in a rule of such a port alone, is one that such a
// Service gave up.
func (d *outline) workedPorts(f flows) map[servedPort]bool {
	worked := map[servedPort]bool{}
	for at, bases := range f.served {
		worked[at] = slices.ContainsFunc(bases, func(base string) bool { return !d.keepsBase(base) })
	}
	for _, s := range d.services {
		if s.held {
			continue
		}
		cfg := s.cfg
		if !s.wanted {
			cfg, _ = annotations.Parse(s.obj)
		}
		for _, p := range s.obj.Spec.Ports {
			number := p.Port
			if !cfg.Rules.FloatingIP {
				number = p.NodePort
			}
			worked[servedPort{securityProtocol(protocolOf(p)), uint16(number)}] = true
		}
	}
	return worked
}

// askedAdditional are the additional addresses that Services which are not held ask for, by the names of the rules they want them in.
func (d *outline) askedAdditional() map[string]map[Address]bool {
	asked := map[string]map[Address]bool{}
	for _, s := range d.order() {
		if len(s.cfg.PublicIP.Additional) == 0 || d.results[s.name] == nil || s.cfg.Access.NoRules {
			continue
		}
		for _, w := range s.wishes([]ipam.Family{ipam.IPv4, ipam.IPv6}) {
			key := strings.ToLower(w.rule.Name)
			if asked[key] == nil {
				asked[key] = map[Address]bool{}
			}
			for _, a := range s.cfg.PublicIP.Additional {
				asked[key][Address{IP: a}] = ipam.FamilyOf(a) == w.family
			}
		}
	}
	return asked
}

// keepDestination keeps one destination of a rule for the ports that held Services have there.
func (d *outline) keepDestination(f flows, r SecurityRule, a Address) {
	ports, readable := numbers(r.Ports)
	var kept []string
	switch {
	case !a.IP.IsValid() || r.Access == "Deny" || !readable:
		if d.keepsWhole(f, r, a) {
			kept = r.Ports
		}
	case !f.known[a.IP]:
		for i, p := range ports {
			if at := (servedPort{r.Protocol, p}); d.anyKept(f.served[at]) || len(d.only) > 0 && !f.worked[at] {
				kept = append(kept, r.Ports[i])
			}
		}
	default:
		for i, p := range ports {
			if d.anyKept(f.ports[flow{a.IP, servedPort{r.Protocol, p}}]) || d.anyKept(f.any[a.IP]) {
				kept = append(kept, r.Ports[i])
			}
		}
	}
	if len(kept) == 0 {
		return
	}
	keepers := d.takeKeepers()
	rule := r
	if len(kept) < len(r.Ports) {
		rule = SecurityRule{Access: r.Access, Protocol: r.Protocol, Sources: r.Sources, SourcePorts: r.SourcePorts, Ports: kept}
		rule.Name = allowName(familyOfRule(r), r.Protocol, r.Sources, kept)
	}
	d.destine(d.securityRule(rule), a)
	d.noteKeepers(rule.Name, keepers)
}

// keepsWhole decides about destinations of rules without readable ports: they stay while anybody who is held has the address.
func (d *outline) keepsWhole(f flows, r SecurityRule, a Address) bool {
	if !a.IP.IsValid() || !f.known[a.IP] {
		return true
	}
	if d.anyKept(f.any[a.IP]) {
		return true
	}
	kept := false
	for at, bases := range f.ports {
		if at.address == a.IP && d.anyKept(bases) {
			kept = true
			if !d.traced {
				break
			}
		}
	}
	return kept
}

// anyKept reports whether a Service is held, or was deleted and stays; if traced, it remembers which.
func (d *outline) anyKept(bases []string) bool {
	if d.traced {
		d.collectKeepers(bases)
	}
	return slices.ContainsFunc(bases, d.keepsBase)
}

// numbers reads ports; it reports false if one is no single port.
func numbers(ports []string) ([]uint16, bool) {
	var list []uint16
	for _, p := range ports {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, false
		}
		list = append(list, uint16(n))
	}
	return list, true
}
