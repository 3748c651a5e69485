package fake

import (
	"fmt"
	"net/netip"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// edge is one reference from a resource or child to another.
type edge struct {
	kind edgeKind
	from lb.ID
	to   lb.ID
}

type edgeKind uint8

const (
	usesPublicIP   edgeKind = iota + 1 // IP configuration → public IP
	usesSubnet                         // IP configuration → subnet
	inPool                             // IP configuration → pool
	usesGroup                          // subnet → security group
	nicUsesGroup                       // network interface → security group
	fromPrefix                         // public IP → prefix
	servesFrontend                     // private link service → frontend
	hasInterface                       // virtual machine → network interface
	inSet                              // virtual machine → availability set
)

// edgesOf returns the references in body, which may be nil.
func edgesOf(body armwire.Object) map[edge]bool {
	out := map[edge]bool{}
	add := func(kind edgeKind, from armwire.Object, to lb.ID) {
		if to != "" {
			out[edge{kind, lb.ID(text(from, "id")), to}] = true
		}
	}
	for _, kind := range []string{armid.FrontendIPConfigurations, armid.IPConfigurations} {
		for _, cfg := range objects(body, "properties", kind) {
			add(usesPublicIP, cfg, idAt(cfg, "properties", "publicIPAddress"))
			add(usesSubnet, cfg, idAt(cfg, "properties", "subnet"))
			for _, pool := range refs(cfg, "properties", "loadBalancerBackendAddressPools") {
				add(inPool, cfg, pool)
			}
		}
	}
	for _, subnet := range objects(body, "properties", armid.Subnets) {
		add(usesGroup, subnet, idAt(subnet, "properties", "networkSecurityGroup"))
	}
	add(nicUsesGroup, body, idAt(body, "properties", "networkSecurityGroup"))
	add(fromPrefix, body, idAt(body, "properties", "publicIPPrefix"))
	for _, frontend := range refs(body, "properties", "loadBalancerFrontendIpConfigurations") {
		add(servesFrontend, body, frontend)
	}
	for _, nic := range refs(body, "properties", "networkProfile", "networkInterfaces") {
		add(hasInterface, body, nic)
	}
	add(inSet, body, idAt(body, "properties", "availabilitySet"))
	for _, m := range instanceConfigurations(body) {
		if subnet := idAt(m.body, "properties", "subnet"); subnet != "" {
			out[edge{usesSubnet, m.id, subnet}] = true
		}
		for _, pool := range refs(m.body, "properties", "loadBalancerBackendAddressPools") {
			out[edge{inPool, m.id, pool}] = true
		}
	}
	return out
}

// links is every reference between resources, looked up by what is referred to.
type links struct {
	to    map[string]map[edgeKind][]lb.ID // by key of the target
	taken map[string]map[netip.Addr]lb.ID // private addresses by key of the virtual network
}

// linked returns the links of the present state. c.mu is held.
func (c *Cloud) linked() *links {
	if c.links != nil {
		return c.links
	}
	l := &links{to: map[string]map[edgeKind][]lb.ID{}, taken: map[string]map[netip.Addr]lb.ID{}}
	for _, r := range c.resources {
		for e := range edgesOf(r.body) {
			key := e.to.Key()
			if l.to[key] == nil {
				l.to[key] = map[edgeKind][]lb.ID{}
			}
			l.to[key][e.kind] = append(l.to[key][e.kind], e.from)
		}
		l.takeAddresses(r.body)
	}
	c.links = l
	return l
}

func (l *links) takeAddresses(body armwire.Object) {
	for _, kind := range []string{armid.FrontendIPConfigurations, armid.IPConfigurations} {
		for _, cfg := range objects(body, "properties", kind) {
			l.take(idOf(cfg), cfg, text(cfg, "properties", "privateIPAddress"))
		}
	}
	for _, m := range instanceConfigurations(body) {
		l.take(m.id, m.body, m.address)
	}
}

// take notes that an IP configuration has an address in the network of its subnet, if it has both.
func (l *links) take(id lb.ID, cfg armwire.Object, address string) {
	addr, err := netip.ParseAddr(address)
	subnet := idAt(cfg, "properties", "subnet")
	if err != nil || subnet == "" {
		return
	}
	network := subnet.Top().Key()
	if l.taken[network] == nil {
		l.taken[network] = map[netip.Addr]lb.ID{}
	}
	l.taken[network][addr] = id
}

// from returns what refers to id.
func (l *links) from(kind edgeKind, id lb.ID) []lb.ID { return l.to[id.Key()][kind] }

// first returns one of what refers to id, or "".
func (l *links) first(kind edgeKind, id lb.ID) lb.ID {
	if list := l.from(kind, id); len(list) > 0 {
		return list[0]
	}
	return ""
}

// stripLinks removes from body what view adds.
func stripLinks(typ string, body armwire.Object) {
	for _, name := range []string{"etag", "systemData"} {
		delete(body, name)
	}
	p := properties(body)
	for _, name := range []string{"resourceGuid", "defaultSecurityRules", "ipConfiguration", "publicIPAddresses", "virtualMachine"} {
		delete(p, name)
	}
	if typ == armid.NetworkSecurityGroups {
		delete(p, "subnets")
		delete(p, "networkInterfaces")
	}
	for _, kind := range []string{armid.FrontendIPConfigurations, armid.BackendAddressPools, armid.Probes} {
		for _, o := range objects(body, "properties", kind) {
			for _, name := range []string{"loadBalancingRules", "outboundRules", "inboundNatRules", "inboundNatPools", "outboundRule", "backendIPConfigurations"} {
				delete(object(o, "properties"), name)
			}
		}
	}
	for _, pool := range objects(body, "properties", armid.BackendAddressPools) {
		stripInterfaces(pool)
	}
	for _, subnet := range objects(body, "properties", armid.Subnets) {
		delete(object(subnet, "properties"), "ipConfigurations")
	}
}

// stripInterfaces removes the members of a pool that are network interfaces; they are members by what the interfaces say.
func stripInterfaces(pool armwire.Object) {
	if _, ok := object(pool, "properties")["loadBalancerBackendAddresses"]; !ok {
		return
	}
	kept := []any{}
	for _, m := range objects(pool, "properties", "loadBalancerBackendAddresses") {
		if idAt(m, "properties", "networkInterfaceIPConfiguration") == "" || text(m, "properties", "ipAddress") != "" {
			kept = append(kept, m)
		}
	}
	properties(pool)["loadBalancerBackendAddresses"] = kept
}

// etag returns the ETag of a resource. Children have that of their parent, as in Azure.
func etag(r *resource) string { return fmt.Sprintf(`W/"00000000-0000-0000-0000-%012x"`, r.revision) }

// view returns r as ARM shows it, with back-references and without ETags. c.mu is held.
func (c *Cloud) view(r *resource) armwire.Object {
	body, l := armwire.Clone(r.body), c.linked()
	set := func(o armwire.Object, name string, ids []lb.ID) {
		if len(ids) > 0 {
			properties(o)[name] = refList(ids)
		}
	}
	one := func(o armwire.Object, name string, id lb.ID) {
		if id != "" {
			properties(o)[name] = armwire.Object{"id": string(id)}
		}
	}
	switch {
	case r.id.Is(armid.LoadBalancers):
		viewLoadBalancer(body, l)
	case r.id.Is(armid.PublicIPAddresses):
		one(body, "ipConfiguration", l.first(usesPublicIP, r.id))
	case r.id.Is(armid.PublicIPPrefixes):
		set(body, "publicIPAddresses", l.from(fromPrefix, r.id))
	case r.id.Is(armid.NetworkSecurityGroups):
		set(body, "subnets", l.from(usesGroup, r.id))
		set(body, "networkInterfaces", l.from(nicUsesGroup, r.id))
	case r.id.Is(armid.VirtualNetworks):
		for _, subnet := range objects(body, "properties", armid.Subnets) {
			set(subnet, "ipConfigurations", l.from(usesSubnet, lb.ID(text(subnet, "id"))))
		}
	case r.id.Is(armid.NetworkInterfaces):
		one(body, "virtualMachine", l.first(hasInterface, r.id))
	case r.id.Is(armid.ScaleSetInstances):
		c.viewInstance(r.id, body)
	case r.id.Is("Microsoft.Compute/availabilitySets"):
		set(body, "virtualMachines", l.from(inSet, r.id))
	}
	return body
}

// backReferences are the lists of references that ARM adds to a child of a load balancer, by the kind of what refers to it.
var backReferences = []string{armid.LoadBalancingRules, armid.OutboundRules, armid.InboundNATRules, armid.InboundNATPools}

func viewLoadBalancer(body armwire.Object, l *links) {
	used := map[string]map[string][]lb.ID{}
	for _, kind := range backReferences {
		for _, o := range objects(body, "properties", kind) {
			for _, target := range uses(o) {
				if used[target.Key()] == nil {
					used[target.Key()] = map[string][]lb.ID{}
				}
				used[target.Key()][kind] = append(used[target.Key()][kind], lb.ID(text(o, "id")))
			}
		}
	}
	for _, kind := range []string{armid.FrontendIPConfigurations, armid.BackendAddressPools, armid.Probes} {
		for _, o := range objects(body, "properties", kind) {
			for by, ids := range used[lb.ID(text(o, "id")).Key()] {
				properties(o)[by] = refList(ids)
			}
		}
	}
	for _, pool := range objects(body, "properties", armid.BackendAddressPools) {
		viewMembers(pool, l.from(inPool, lb.ID(text(pool, "id"))))
	}
}

// viewMembers shows network interfaces in a pool as ARM does.
func viewMembers(pool armwire.Object, configs []lb.ID) {
	if len(configs) == 0 {
		return
	}
	p := properties(pool)
	p["backendIPConfigurations"] = refList(configs)
	if len(ipMembers(pool)) > 0 {
		return // made a pool of addresses, and the interfaces have not left it yet
	}
	members, _ := p["loadBalancerBackendAddresses"].([]any)
	for _, cfg := range configs {
		members = append(members, armwire.Object{
			"name":       memberName(cfg),
			"properties": armwire.Object{"networkInterfaceIPConfiguration": armwire.Object{"id": string(cfg)}},
		})
	}
	p["loadBalancerBackendAddresses"] = members
}

// uses returns what a rule, outbound rule, NAT rule or NAT pool refers to.
func uses(o armwire.Object) []lb.ID {
	var out []lb.ID
	for _, name := range []string{"frontendIPConfiguration", "backendAddressPool", "probe"} {
		if id := idAt(o, "properties", name); id != "" {
			out = append(out, id)
		}
	}
	out = append(out, refs(o, "properties", "frontendIPConfigurations")...)
	for _, id := range refs(o, "properties", "backendAddressPools") {
		if !id.Equal(idAt(o, "properties", "backendAddressPool")) {
			out = append(out, id)
		}
	}
	return out
}

// withETags marks body, a view of r, and its children with r's ETag.
// show returns r as ARM shows it, with ETags. It is made anew only when the ETag has moved, belongs to everybody and must not be changed.
func (c *Cloud) show(r *resource) armwire.Object {
	if r.id.Is(armid.ScaleSetInstances) { // what is seen of these depends on their scale set too
		return withETags(r, c.view(r))
	}
	if r.shown == nil || r.shownAt != r.revision {
		r.shown, r.shownAt = withETags(r, c.view(r)), r.revision
	}
	return r.shown
}

func withETags(r *resource, body armwire.Object) armwire.Object {
	body["etag"] = etag(r)
	for _, kind := range childKinds(r.id) {
		for _, o := range objects(body, "properties", kind) {
			o["etag"] = etag(r)
		}
	}
	return body
}
