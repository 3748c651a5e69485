package lb

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
)

// index makes what was observed easy to find.
type index struct {
	Observed
	balancers map[string]*seenBalancer // by id; every load balancer of the group, ours or not
	publicIPs map[string]*SeenPublicIP // by id
	subnets   map[string]*SeenSubnet   // by id
	// interfaces are the primary ones, by id of their machine, and machines by their own.
	interfaces map[string]*SeenInterface
	machines   map[string]*Machine
}

// seenBalancer is a load balancer with its children by lower-case name, and frontends with their family.
type seenBalancer struct {
	*SeenLoadBalancer
	frontends map[string]Frontend
	rules     map[string]Rule
	probes    map[string]Probe
	pools     map[string]Pool
	// byPublicIP and byAddress name the frontend, in lower case, that has a public IP or a private address.
	byPublicIP map[string]string
	byAddress  map[netip.Addr]string
}

func newIndex(seen Observed) *index {
	x := &index{
		Observed: seen, balancers: map[string]*seenBalancer{}, publicIPs: map[string]*SeenPublicIP{}, subnets: map[string]*SeenSubnet{},
		interfaces: map[string]*SeenInterface{}, machines: map[string]*Machine{},
	}
	for i := range seen.Machines {
		x.machines[seen.Machines[i].ID.Key()] = &seen.Machines[i]
	}
	for i := range seen.Interfaces {
		nic := &seen.Interfaces[i]
		key := nic.Machine.Key()
		if m := x.machines[key]; m != nil && m.Deleting && !nic.Deleting {
			leaving := *nic
			leaving.Deleting, nic = true, &leaving
		}
		if nic.Machine != "" && (x.interfaces[key] == nil || nic.Primary) {
			x.interfaces[key] = nic
		}
	}
	for i := range seen.PublicIPs {
		x.publicIPs[seen.PublicIPs[i].ID.Key()] = &seen.PublicIPs[i]
	}
	for _, n := range seen.Networks {
		for i := range n.Subnets {
			x.subnets[n.Subnets[i].ID.Key()] = &n.Subnets[i]
		}
	}
	for i := range seen.LoadBalancers {
		l := &seen.LoadBalancers[i]
		b := &seenBalancer{
			SeenLoadBalancer: l, frontends: map[string]Frontend{}, rules: map[string]Rule{}, probes: map[string]Probe{}, pools: map[string]Pool{},
			byPublicIP: map[string]string{}, byAddress: map[netip.Addr]string{},
		}
		for _, f := range l.Frontends {
			f.Family = x.familyOf(f)
			b.frontends[strings.ToLower(f.Name)] = f
			if f.PublicIP != "" {
				b.byPublicIP[f.PublicIP.Key()] = strings.ToLower(f.Name)
			} else if a := b.address(x, f); a.IsValid() {
				b.byAddress[a] = strings.ToLower(f.Name)
			}
		}
		for _, r := range l.Rules {
			b.rules[strings.ToLower(r.Name)] = r
		}
		for _, p := range l.Probes {
			b.probes[strings.ToLower(p.Name)] = p
		}
		for _, p := range l.Pools {
			b.pools[strings.ToLower(p.Name)] = p
		}
		x.balancers[l.ID.Key()] = b
	}
	return x
}

// familyOf tells the family of a frontend from its address, not from its name; only where the address is unknown does the name decide.
func (x *index) familyOf(f Frontend) ipam.Family {
	if f.PublicIP != "" {
		if p, ok := x.publicIPs[f.PublicIP.Key()]; ok && p.Family != 0 {
			return p.Family
		}
	} else if f.Family != 0 {
		return f.Family
	}
	if strings.HasSuffix(strings.ToLower(f.Name), strings.ToLower(v6Suffix)) {
		return ipam.IPv6
	}
	return ipam.IPv4
}

// address returns the address that a frontend has now, if it has one.
func (b *seenBalancer) address(x *index, f Frontend) netip.Addr {
	if f.PublicIP != "" {
		if p, ok := x.publicIPs[f.PublicIP.Key()]; ok {
			return p.Address
		}
		return netip.Addr{}
	}
	if a, ok := b.Assigned[f.Name]; ok {
		return a
	}
	return f.Static
}

// publicIPAt finds the public IP with the given address in a resource group.
func (x *index) publicIPAt(group ID, a netip.Addr) *SeenPublicIP {
	for i := range x.PublicIPs {
		if p := &x.PublicIPs[i]; p.Address == a && p.ID.GroupID().Equal(group) {
			return p
		}
	}
	return nil
}

// unknown returns what is known of a list or resource that could not be read, nil if it was read.
func (x *index) unknown(typ string, scope ID) *Unknown {
	i := slices.IndexFunc(x.Unknown, func(u Unknown) bool { return strings.EqualFold(u.Type, typ) && u.Scope.Equal(scope) })
	if i < 0 {
		return nil
	}
	return &x.Unknown[i]
}

// securityGroup returns the security group with the given id, nil if it was not seen.
func (x *index) securityGroup(id ID) *SeenSecurityGroup {
	for i := range x.SecurityGroups {
		if x.SecurityGroups[i].ID.Equal(id) {
			return &x.SecurityGroups[i]
		}
	}
	return nil
}

// privateTaken reports the frontend that has the private address a on another load balancer than except, empty for none.
func (x *index) privateTaken(a netip.Addr, except ID) ID {
	for i := range x.LoadBalancers {
		l := &x.LoadBalancers[i]
		if l.ID.Equal(except) {
			continue
		}
		for name, at := range l.Assigned {
			if at == a {
				return l.ID.Child(armid.FrontendIPConfigurations, name)
			}
		}
	}
	return ""
}
