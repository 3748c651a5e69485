package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
)

// differs reports whether the outline has another frontend under the name of f.
func (l *balancerDraft) differs(f Frontend) bool {
	have, ok := l.frontends[strings.ToLower(f.Name)]
	return ok && (have.PublicIP.Key() != f.PublicIP.Key() || have.Subnet.Key() != f.Subnet.Key() || have.Static != f.Static || have.Family != f.Family)
}

// named returns the frontend that was observed under name.
func (l *balancerDraft) named(name string) (Frontend, bool) {
	if l.seen == nil {
		return Frontend{}, false
	}
	f, ok := l.seen.frontends[strings.ToLower(name)]
	return f, ok
}

// own returns the frontend of family f that is named after base, the one called name first.
func (d *outline) own(l *balancerDraft, base, name string, f ipam.Family) (Frontend, bool) {
	if fe, ok := l.named(name); ok && fe.Family == f {
		return fe, true
	}
	for _, key := range d.named[l.id.Key()][base] {
		if fe := l.seen.frontends[key]; fe.Family == f {
			return fe, true
		}
	}
	return Frontend{}, false
}

// ownName returns the name for a new frontend of s. If the name is that of a frontend of the other family, which stays (a Service that
// was IPv6-only becomes dual stack), the family goes into the name.
func (d *outline) ownName(s *service, l *balancerDraft, f ipam.Family) string {
	base := Base(s.obj.UID)
	name := frontendName(base, subnetSegment(s.cfg), s.cfg.Dual(), f)
	if fe, ok := l.named(name); ok && fe.Family != f && slices.Contains(s.cfg.Families, fe.Family) && s.cfg.Dual() {
		return name + "-" + f.String()
	}
	return name
}

// sameButFamily reports whether two names of frontends differ only in the suffix of the family.
func sameButFamily(a, b string) bool {
	trim := func(s string) string {
		s = strings.ToLower(s)
		return strings.TrimSuffix(strings.TrimSuffix(s, "-ipv6"), "-ipv4")
	}
	return trim(a) == trim(b)
}

// externalFrontend decides the frontend of one family of an external Service.
func (d *outline) externalFrontend(s *service, p *part, f ipam.Family) (Frontend, Address, []fieldError) {
	l := p.balancer
	claim, bad := d.choosePublicIP(s, l, f)
	if bad != nil {
		return Frontend{}, Address{}, []fieldError{*bad}
	}
	fe, bad := d.frontendOf(s, l, claim, f)
	if bad != nil {
		return Frontend{}, Address{}, []fieldError{*bad}
	}
	p.publicIPs = append(p.publicIPs, claim)
	p.fields[fe.Name] = claim.field
	d.notePublic(s, p, fe, claim)
	return fe, d.publicAddress(claim), nil
}

// publicAddress is the address of a public IP: a reference while it has none, or will be created anew.
func (d *outline) publicAddress(c publicIPClaim) Address {
	if c.seen != nil && c.seen.Address.IsValid() && !c.recreate {
		return Address{IP: c.seen.Address}
	}
	return Address{Of: c.id}
}

// frontendOf finds the frontend that has the public IP, or makes one.
func (d *outline) frontendOf(s *service, l *balancerDraft, c publicIPClaim, f ipam.Family) (Frontend, *fieldError) {
	if key, ok := l.byPublicIP[c.id.Key()]; ok {
		return l.frontends[key], nil
	}
	name := d.ownName(s, l, f)
	if l.seen != nil {
		fe, ok := l.seen.frontends[l.seen.byPublicIP[c.id.Key()]]
		if ok && !l.differs(fe) && (d.owner(fe.Name) != s.base || sameButFamily(fe.Name, name)) {
			return fe, nil
		}
	}
	if c.seen != nil && c.seen.Attached != "" && !d.ours(c.seen.Attached) {
		return Frontend{}, &fieldError{c.field, fmt.Errorf("%w: public IP %s is attached to %s; detach it or name another", ErrForeign, c.id.Name(), c.seen.Attached)}
	}
	want := Frontend{Name: name, Family: f, PublicIP: c.id}
	if old, ok := l.named(name); ok {
		want.Name = old.Name
	}
	if l.differs(want) {
		return Frontend{}, &fieldError{c.field, fmt.Errorf("%w: frontend %s is shared with other Services, which keep its address; move them first", ErrClash, name)}
	}
	return want, nil
}

// ours reports whether an IP configuration is a frontend of one of our load balancers.
func (d *outline) ours(id ID) bool {
	return slices.ContainsFunc(d.ourBalancers(), func(l ID) bool { return id.Parent().Equal(l) })
}

// internalFrontend decides the frontend of one family of an internal Service.
func (d *outline) internalFrontend(s *service, p *part, f ipam.Family) (Frontend, Address, []fieldError) {
	subnet, field, bad := d.findSubnet(s)
	if bad != nil {
		return Frontend{}, Address{}, []fieldError{*bad}
	}
	w := internalWish{s: s, l: p.balancer, f: f, subnet: subnet, pinned: s.cfg.Addresses.Of(f)}
	var fe Frontend
	if w.pinned.IsValid() {
		field = addressField(s, f)
		fe, bad = d.pinnedFrontend(w)
	} else {
		fe, bad = d.unpinnedFrontend(w)
	}
	if bad != nil {
		if bad.field == "" {
			bad.field = field
		}
		return Frontend{}, Address{}, []fieldError{*bad}
	}
	if w.l.differs(fe) {
		return Frontend{}, Address{}, []fieldError{{field, fmt.Errorf("%w: frontend %s is shared with other Services, which keep its address; move them first", ErrClash, fe.Name)}}
	}
	p.fields[fe.Name] = field
	d.notePrivate(w, p, fe)
	return fe, d.privateAddress(w.l, fe), nil
}

// addressField names the field that a requested address comes from.
func addressField(s *service, f ipam.Family) string {
	key := annotations.KeyIPv4
	if f == ipam.IPv6 {
		key = annotations.KeyIPv6
	}
	if s.obj.Annotations[key] != "" {
		return annotationField(key)
	}
	return "spec.loadBalancerIP"
}

// privateAddress is the address of a private frontend: a reference until ARM has chosen one.
func (d *outline) privateAddress(l *balancerDraft, fe Frontend) Address {
	if fe.Static.IsValid() {
		return Address{IP: fe.Static}
	}
	if old, ok := l.named(fe.Name); ok && old == fe {
		if a := l.seen.address(d.seen, old); a.IsValid() {
			return Address{IP: a}
		}
	}
	return Address{Of: l.id.Child(armid.FrontendIPConfigurations, fe.Name)}
}

// findSubnet finds the subnet of an internal Service, and the field that names it.
func (b *builder) findSubnet(s *service) (*SeenSubnet, string, *fieldError) {
	name, field := s.cfg.Subnet, annotationField(annotations.KeySubnet)
	if name == "" {
		name, field = b.c.Subnet, "subnetName"
	}
	if name == "" || b.c.Network == "" {
		return nil, "", &fieldError{field, fmt.Errorf("%w: the configuration names no virtual network or subnet; set vnetName and subnetName", ErrNotFound)}
	}
	id := b.c.subnet(name)
	if sub := b.seen.subnets[id.Key()]; sub != nil {
		return sub, field, nil
	}
	if u := b.seen.unknown(armid.VirtualNetworks, b.c.Network); u != nil {
		e := unreadable(*u)
		e.field = field
		return nil, "", &e
	}
	return nil, "", &fieldError{field, fmt.Errorf("%w: no subnet %q in virtual network %s", ErrNotFound, name, b.c.Network.Name())}
}

// internalWish is what is asked of one private frontend.
type internalWish struct {
	s      *service
	l      *balancerDraft
	f      ipam.Family
	subnet *SeenSubnet
	pinned netip.Addr
}

// pinnedFrontend finds the frontend that has the requested address, or makes one.
func (d *outline) pinnedFrontend(w internalWish) (Frontend, *fieldError) {
	name := d.ownName(w.s, w.l, w.f)
	if key, ok := w.l.byAddress[w.pinned]; ok {
		// Its own frontend, that others share by now, does not take it to a subnet that the address is not in.
		if fe := w.l.frontends[key]; d.owner(fe.Name) != w.s.base || fe.Subnet.Equal(w.subnet.ID) {
			return fe, nil
		}
	}
	if w.l.seen != nil {
		fe, ok := w.l.seen.frontends[w.l.seen.byAddress[w.pinned]]
		if ok && !w.l.differs(fe) && !d.goesWithLink(w, fe) && (d.owner(fe.Name) != w.s.base || sameButFamily(fe.Name, name) && fe.Subnet.Equal(w.subnet.ID) || d.heldInPlace(w, fe)) {
			return fe, nil
		}
	}
	if bad := d.checkPinned(w); bad != nil {
		return Frontend{}, bad
	}
	return d.newInternal(w, w.pinned), nil
}

// heldInPlace reports whether a frontend cannot go, since a foreign child uses it, and is in the subnet asked for: then the Service stays on it and
// keeps its address, which a frontend of the right name could not have beside it.
func (d *outline) heldInPlace(w internalWish, fe Frontend) bool {
	_, used := d.foreignUsers(w.l)[strings.ToLower(fe.Name)]
	return used && fe.Subnet.Equal(w.subnet.ID)
}

// goesWithLink reports whether a frontend has a private link service that the Service cannot take over as it is, and nobody who stays is on
// it: then both go with the Services that are gone, and the address is free for a frontend of its own.
func (d *outline) goesWithLink(w internalWish, fe Frontend) bool {
	link, ask := d.linkOn(w.l.id.Child(armid.FrontendIPConfigurations, fe.Name)), w.s.cfg.PrivateLink
	if link == nil || !ask.Create || !inherits(w.s, link) || !ask.Options {
		return false
	}
	if (ask.Name == "" || strings.EqualFold(ask.Name, link.ID.Name())) && d.privateLinkGroup(w.s).Equal(link.ID.GroupID()) {
		return false
	}
	for base, names := range d.uses[w.l.id.Key()] {
		s := d.byBase[base]
		if names[strings.ToLower(fe.Name)] && (s != nil && s.wanted || d.keepsBase(base)) {
			return false
		}
	}
	return true
}

// checkPinned asks whether ARM could give out the requested address.
func (d *outline) checkPinned(w internalWish) *fieldError {
	pool, err := ipam.NewPool(w.subnet.Prefixes)
	if err != nil {
		return &fieldError{"", err}
	}
	if err := pool.Check(w.pinned); err != nil {
		kind := err
		if errors.Is(err, ipam.ErrOutside) {
			kind = fmt.Errorf("%w: %w", ErrOutside, err)
		}
		return &fieldError{"", fmt.Errorf("%s in subnet %s: %w", w.pinned, w.subnet.ID.Name(), kind)}
	}
	if other := d.elsewhere(w.l, func(at *balancerDraft) bool { return at.byAddress[w.pinned] != "" }); other != "" {
		return &fieldError{"", fmt.Errorf("%w: %s is on load balancer %s, and the Service on %s", ErrClash, w.pinned, other.Name(), w.l.id.Name())}
	}
	if holder := d.seen.privateTaken(w.pinned, w.l.id); holder != "" && !d.ours(holder) {
		return &fieldError{"", fmt.Errorf("%w: %s is the address of %s", ErrClash, w.pinned, holder)}
	}
	return nil
}

// unpinnedFrontend keeps the frontend that is there, or makes one whose address ARM chooses.
func (d *outline) unpinnedFrontend(w internalWish) (Frontend, *fieldError) {
	name := d.ownName(w.s, w.l, w.f)
	old, ok := d.own(w.l, w.s.base, name, w.f)
	if !ok {
		return d.newInternal(w, d.statusAddress(w)), nil
	}
	if sameButFamily(old.Name, name) && (w.s.cfg.Subnet == "" || old.Subnet.Equal(w.subnet.ID)) || d.heldInPlace(w, old) {
		return old, nil
	}
	// The frontend has to be rebuilt; the address that clients know stays if the new subnet has room for it.
	keep := w.l.seen.address(d.seen, old)
	if !contains(w.subnet.Prefixes, keep) {
		keep = netip.Addr{}
	}
	fe := d.newInternal(w, keep)
	fe.Zones = old.Zones
	return fe, nil
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// statusAddress is the address that the status of the Service tells its clients, if the subnet still has it and nobody else took it.
func (d *outline) statusAddress(w internalWish) netip.Addr {
	pool, err := ipam.NewPool(w.subnet.Prefixes)
	if err != nil {
		return netip.Addr{}
	}
	for _, in := range w.s.obj.Status.LoadBalancer.Ingress {
		a, err := netip.ParseAddr(in.IP)
		if a = a.Unmap(); err != nil || pool.Check(a) != nil || ipam.FamilyOf(a) != w.f || d.seen.privateTaken(a, "") != "" || w.l.byAddress[a] != "" {
			continue
		}
		return a
	}
	return netip.Addr{}
}

// newInternal makes a private frontend; an invalid address leaves the choice to ARM.
func (d *outline) newInternal(w internalWish, static netip.Addr) Frontend {
	fe := Frontend{Name: d.ownName(w.s, w.l, w.f), Family: w.f, Subnet: w.subnet.ID, Static: static}
	if d.c.EdgeZone == "" && !d.c.Basic {
		fe.Zones = ZonesOf(d.seen.Zones)
	}
	if old, ok := d.own(w.l, w.s.base, fe.Name, w.f); ok {
		fe.Zones = old.Zones
		if strings.EqualFold(old.Name, fe.Name) {
			fe.Name = old.Name
		}
	}
	return fe
}
