package fake

import (
	"fmt"
	"hash/fnv"
	"net/netip"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// assign gives body the addresses and names that ARM chooses. given, if set, is the body as somebody else wrote it, whose addresses count.
// c.mu is held.
func (c *Cloud) assign(id lb.ID, old, body, given armwire.Object) *provider.OpError {
	switch {
	case id.Is(armid.PublicIPAddresses):
		return c.assignPublic(id, body)
	case id.Is(armid.LoadBalancers):
		return c.assignPrivate(old, body, given, armid.FrontendIPConfigurations)
	case id.Is(armid.NetworkInterfaces):
		return c.assignPrivate(old, body, given, armid.IPConfigurations)
	case id.Is(armid.PrivateLinkServices):
		c.nameService(id, body)
		return c.assignPrivate(old, body, given, armid.IPConfigurations)
	default:
		return nil
	}
}

func (c *Cloud) assignPublic(id lb.ID, body armwire.Object) *provider.OpError {
	p := properties(body)
	if label := text(body, "properties", "dnsSettings", "domainNameLabel"); label != "" {
		object(body, "properties", "dnsSettings")["fqdn"] = label + "." + text(body, "location") + ".cloudapp.azure.com"
	}
	if text(body, "properties", "ipAddress") != "" || text(body, "properties", "publicIPAllocationMethod") == "Dynamic" {
		return nil
	}
	used := c.usedPublic()
	if addr, ok := c.addresses[id.Key()]; ok && !used[addr] {
		p["ipAddress"] = addr.String()
		return nil
	}
	for _, addr := range c.addresses {
		used[addr] = true
	}
	addr := derived(id, equalFold(text(body, "properties", "publicIPAddressVersion"), "IPv6"), used)
	if ref := idAt(body, "properties", "publicIPPrefix"); ref != "" {
		prefix, err := netip.ParsePrefix(text(c.bare(ref), "properties", "ipPrefix"))
		if err == nil {
			if addr = lowest(prefix, prefix.Masked().Addr(), used); !addr.IsValid() {
				return refuse(400, "PublicIPPrefixOutOfAddresses", id, "Public IP prefix %s has no free address for %s.", ref, id)
			}
		}
	}
	p["ipAddress"] = addr.String()
	return nil
}

func (c *Cloud) usedPublic() map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, r := range c.resources {
		if addr, err := netip.ParseAddr(text(r.body, "properties", "ipAddress")); err == nil && r.id.Is(armid.PublicIPAddresses) {
			used[addr] = true
		}
	}
	return used
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// derived makes an address of id: 20.0.0.0/8, or 2001:db8::/32, which is for documentation.
func derived(id lb.ID, v6 bool, used map[netip.Addr]bool) netip.Addr {
	h := hash(id.Key())
	addr := netip.AddrFrom4([4]byte{20, byte(h >> 16), byte(h >> 8), byte(h)})
	if v6 {
		addr = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(h >> 40), byte(h >> 32), byte(h >> 24), byte(h >> 16), 14: byte(h >> 8), 15: byte(h)})
	}
	for used[addr] {
		addr = addr.Next()
	}
	return addr
}

// lowest returns the first address of p, from start on, that is not used, or the zero Addr.
func lowest(p netip.Prefix, start netip.Addr, used map[netip.Addr]bool) netip.Addr {
	for a := start; p.Contains(a); a = a.Next() {
		if !used[a] {
			return a
		}
	}
	return netip.Addr{}
}

// nameService gives a private link service the alias and the interface that ARM makes for it, others than before if it is made anew.
func (c *Cloud) nameService(id lb.ID, body armwire.Object) {
	p := properties(body)
	h := hash(id.Key())
	if n := c.deletions[id.Key()]; n > 0 {
		h = hash(fmt.Sprintf("%s#%d", id.Key(), n))
	}
	guid := fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(h>>32), uint16(h>>16), h>>8&0xfff, h&0xfff, h&0xffffffffffff)
	if p["alias"] == nil {
		p["alias"] = id.Name() + "." + guid + "." + text(body, "location") + ".azure.privatelinkservice"
	}
	if p["networkInterfaces"] == nil {
		nic := armid.Resource(id.Subscription(), id.ResourceGroup(), armid.NetworkInterfaces, id.Name()+".nic."+guid)
		p["networkInterfaces"] = []any{armwire.Object{"id": string(nic)}}
	}
	if p[armid.PrivateEndpointConnections] == nil {
		p[armid.PrivateEndpointConnections] = []any{}
	}
}

// assignPrivate gives dynamic IP configurations their addresses: the one they have if they stay in the subnet, else the first free one.
func (c *Cloud) assignPrivate(old, body, given armwire.Object, kind string) *provider.OpError {
	top := lb.ID(text(body, "id"))
	mine := map[netip.Addr]bool{}
	var open []armwire.Object
	for _, cfg := range objects(body, "properties", kind) {
		if idAt(cfg, "properties", "subnet") == "" {
			continue
		}
		addr := settled(cfg, child(old, kind, text(cfg, "name")), child(given, kind, text(cfg, "name")))
		if !addr.IsValid() {
			delete(properties(cfg), "privateIPAddress")
			open = append(open, cfg)
			continue
		}
		properties(cfg)["privateIPAddress"] = addr.String()
		mine[addr] = true
	}
	for _, cfg := range open {
		addr, err := c.firstFree(top, cfg, mine)
		if err != nil {
			return err
		}
		properties(cfg)["privateIPAddress"] = addr.String()
		mine[addr] = true
	}
	return nil
}

func isStatic(cfg armwire.Object) bool {
	return equalFold(text(cfg, "properties", "privateIPAllocationMethod"), "Static")
}

// settled returns the address that cfg has without anything being chosen: the static one, that of a body that counts as written, or the one
// it had in the same subnet. Otherwise the zero Addr.
func settled(cfg, old, given armwire.Object) netip.Addr {
	parse := func(o armwire.Object) netip.Addr {
		addr, _ := netip.ParseAddr(text(o, "properties", "privateIPAddress"))
		return addr
	}
	switch {
	case isStatic(cfg):
		return parse(cfg)
	case parse(given).IsValid():
		return parse(given)
	case idAt(old, "properties", "subnet").Equal(idAt(cfg, "properties", "subnet")) && parse(old).Is6() == wantsIPv6(cfg):
		return parse(old)
	default:
		return netip.Addr{}
	}
}

func wantsIPv6(cfg armwire.Object) bool {
	return equalFold(text(cfg, "properties", "privateIPAddressVersion"), "IPv6")
}

// firstFree returns the first address of cfg's subnet that Azure does not reserve and nobody has. mine are taken in the body being written.
func (c *Cloud) firstFree(top lb.ID, cfg armwire.Object, mine map[netip.Addr]bool) (netip.Addr, *provider.OpError) {
	subnet := idAt(cfg, "properties", "subnet")
	used := map[netip.Addr]bool{}
	for addr, by := range c.linked().taken[subnet.Top().Key()] {
		used[addr] = !by.Top().Equal(top)
	}
	for addr := range mine {
		used[addr] = true
	}
	for _, p := range prefixes(c.bare(subnet)) {
		if p.Addr().Is6() != wantsIPv6(cfg) {
			continue
		}
		used[last(p)] = p.Addr().Is4() || used[last(p)]
		start := p.Addr()
		for range 4 {
			start = start.Next()
		}
		if addr := lowest(p, start, used); addr.IsValid() {
			return addr, nil
		}
	}
	return netip.Addr{}, refuse(400, "SubnetIsFull", lb.ID(text(cfg,
		"id")), "Subnet %s has no free address for %s.", subnet, text(cfg, "id"))
}

// prefixes returns the address prefixes of a subnet, masked.
func prefixes(subnet armwire.Object) []netip.Prefix {
	var out []netip.Prefix
	all := append(texts(subnet, "properties", "addressPrefixes"), text(subnet, "properties", "addressPrefix"))
	for _, s := range all {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p.Masked())
		}
	}
	return out
}

// last returns the highest address of p.
func last(p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(raw)*8; bit++ {
		raw[bit/8] |= 1 << (7 - bit%8)
	}
	addr, _ := netip.AddrFromSlice(raw)
	return addr
}

// reserved reports whether Azure keeps a for itself in p: the first four addresses and, for IPv4, the last.
func reserved(p netip.Prefix, a netip.Addr) bool {
	low := p.Addr()
	for range 4 {
		if a == low {
			return true
		}
		low = low.Next()
	}
	return a.Is4() && a == last(p)
}
