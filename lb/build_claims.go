package lb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
)

// claims is the first stage of an outline: of each object that several Services can use, everybody who asks for it, those included that are new
// in this plan and those that are held. Whatever belongs to all users of an object is settled here, before anything is made of it.
type claims struct {
	objects map[string]*object // by key
	// anew are Services whose managed public IP gives way to another one that is made first, by family.
	anew map[*service]map[ipam.Family]bool
}

// object is a public IP, or a private address, and who uses it.
type object struct {
	id      ID            // of a public IP
	seen    *SeenPublicIP // nil if there is none yet
	address netip.Addr    // invalid while none is known
	family  ipam.Family
	users   []*user // those that are there, then the older, then by name
	pins    []*service
	renewed bool // is deleted and made anew under its name
}

// user is a Service that uses an object, or asks for it.
type user struct {
	*service
	claim publicIPClaim
	there bool // traffic of it leads there already
}

// addressPrefix begins the keys of private addresses among objects. Those of public IPs are their ids.
const addressPrefix = "address "

func addressKey(a netip.Addr) string { return addressPrefix + a.String() }

// markThere finds the bases that are on each object: those that have a rule there, or a frontend of their own without any.
func (b *builder) markThere() {
	b.there = map[string]map[string]bool{}
	for _, id := range b.ourBalancers() {
		l := b.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		for base, names := range b.uses[id.Key()] {
			for name := range names {
				key := b.objectOf(l, l.frontends[name])
				if key != "" && b.there[key] == nil {
					b.there[key] = map[string]bool{}
				}
				if key != "" && base != "" {
					b.there[key][base] = true
				}
			}
		}
	}
}

// objectOf returns the key of what a frontend has, "" if that is not known.
func (b *builder) objectOf(l *seenBalancer, f Frontend) string {
	if f.PublicIP != "" {
		return f.PublicIP.Key()
	}
	if a := l.address(b.seen, f); a.IsValid() {
		return addressKey(a)
	}
	return ""
}

// collectClaims finds out who asks for what.
func (d *outline) collectClaims() {
	d.claims = claims{objects: map[string]*object{}, anew: map[*service]map[ipam.Family]bool{}}
	for _, s := range d.services {
		switch {
		case s.held:
			d.claimHeld(s)
		case s.wanted:
			for _, f := range s.cfg.Families {
				d.claimFamily(s, f)
			}
		}
	}
	d.claimPins()
	for _, o := range d.claims.objects {
		slices.SortFunc(o.users, compareUsers)
	}
}

func compareUsers(a, b *user) int {
	if a.there != b.there {
		if a.there {
			return -1
		}
		return 1
	}
	return cmp.Or(a.obj.CreationTimestamp.Compare(b.obj.CreationTimestamp.Time), compareNames(a.name, b.name))
}

// claimHeld enters a held Service as a user of what it has.
func (d *outline) claimHeld(s *service) {
	for key, bases := range d.there {
		if bases[s.base] {
			d.object(key).use(&user{service: s, there: true})
		}
	}
}

// claimFamily enters what a Service asks for in one family.
func (d *outline) claimFamily(s *service, f ipam.Family) {
	l := d.balancer(d.balancerOf(s))
	if s.cfg.Internal {
		a := s.cfg.Addresses.Of(f)
		if fe, ok := d.own(l, s.base, d.ownName(s, l, f), f); ok && !a.IsValid() {
			a = l.seen.address(d.seen, fe)
		}
		if a.IsValid() {
			d.use(addressKey(a), s, publicIPClaim{family: f})
		}
		return
	}
	if c, bad := d.askPublicIP(s, f); bad == nil {
		d.use(c.id.Key(), s, c)
	}
}

func (d *outline) use(key string, s *service, c publicIPClaim) {
	o := d.object(key)
	if o.id == "" {
		o.id = c.id
	}
	o.family = cmp.Or(o.family, c.family)
	o.use(&user{service: s, claim: c, there: d.there[key][s.base]})
}

func (o *object) use(u *user) {
	if !slices.ContainsFunc(o.users, func(have *user) bool { return have.service == u.service }) {
		o.users = append(o.users, u)
	}
}

// object returns the object of a key.
func (d *outline) object(key string) *object {
	o := d.claims.objects[key]
	if o == nil {
		o = &object{}
		if p := d.seen.publicIPs[key]; p != nil {
			o.id, o.seen, o.address, o.family = p.ID, p, p.Address, p.Family
		} else if text, private := strings.CutPrefix(key, addressPrefix); private {
			o.address, _ = netip.ParseAddr(text)
		}
		d.claims.objects[key] = o
	}
	return o
}

// claimPins notes who asks for a certain address or name, whether that Service is served or held: nobody may lose what it names.
func (d *outline) claimPins() {
	pins := map[netip.Addr][]*service{}
	for _, s := range d.services {
		if !s.wanted || !s.ours {
			continue
		}
		for _, f := range []ipam.Family{ipam.IPv4, ipam.IPv6} {
			if a := s.cfg.Addresses.Of(f); a.IsValid() {
				pins[a] = append(pins[a], s)
			}
			if name := s.cfg.PublicIP.Name.Of(f); name != "" && !s.cfg.Internal {
				if o := d.claims.objects[d.c.publicIP(d.c.publicIPGroup(s.cfg), name).Key()]; o != nil {
					o.pin(s)
				}
			}
		}
	}
	for _, o := range d.claims.objects {
		for _, s := range pins[o.address] {
			o.pin(s)
		}
	}
}

func (o *object) pin(s *service) {
	if !slices.Contains(o.pins, s) {
		o.pins = append(o.pins, s)
	}
}

// settleClaims holds whoever asks for something of an object that its other users do not have to accept. Who is there already comes first, then
// the older Service, then the first by name.
func (d *outline) settleClaims() {
	for _, s := range d.order() {
		d.settleFamilies(s)
	}
	for _, o := range d.sharedObjects() {
		for _, u := range o.users {
			d.settlePrefix(u)
		}
		// One after the other: who is held asks for nothing more.
		for _, settle := range []func(*object){d.settleIPTags, d.settleLabel, d.settleNames, d.settleDenials} {
			if settle(o); d.again {
				break
			}
		}
	}
}

// sharedObjects lists all objects in the order of their keys.
func (d *outline) sharedObjects() []*object {
	keys := make([]string, 0, len(d.claims.objects))
	for key := range d.claims.objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	list := make([]*object, len(keys))
	for i, key := range keys {
		list[i] = d.claims.objects[key]
	}
	return list
}

// other returns a user besides s, nil if there is none.
func (o *object) other(s *service) *user {
	for _, u := range o.users {
		if u.service != s {
			return u
		}
	}
	return nil
}

// wish is what a Service asks for of one property; false: nothing.
type wish func(*service) (string, bool)

// decides returns the user who decides about a property: of those that are there, the first one whose wish is what there is, else the first
// who has any; nil if nobody has.
func (o *object) decides(have string, same func(a, b string) bool, w wish) *user {
	var first *user
	for _, u := range o.users {
		if u.held {
			continue
		}
		value, ok := w(u.service)
		switch {
		case !ok:
		case u.there && same(value, have):
			return u
		case first == nil:
			first = u
		}
	}
	return first
}

// equalText and never compare what is there with what is asked for, where case counts, and where it does not matter what is there.
func equalText(a, b string) bool { return a == b }

func never(string, string) bool { return false }

// describe names an object.
func (o *object) describe() string {
	if o.id != "" {
		return "public IP " + o.id.Name()
	}
	return "address " + o.address.String()
}

// settleNames holds those who come to a managed public IP whose tag has no room for their names: Azure takes 256 characters, and without its
// name there nobody could tell that a Service uses it.
func (d *outline) settleNames(o *object) {
	if o.seen == nil || d.userAssigned(o.seen) {
		return
	}
	p := &publicIPDraft{publicIPClaim: publicIPClaim{id: o.id, seen: o.seen}}
	for _, u := range o.users {
		if u.there || u.held {
			p.claimants = append(p.claimants, u.service)
		}
	}
	names := d.serviceRefs(p, o.seen.Tags)
	for _, u := range o.users {
		name := u.name.String()
		if u.there || u.held || containsFold(names, name) {
			continue
		}
		if text := strings.Join(append(slices.Clone(names), name), ","); len(text) > maxTagValue {
			d.hold(u.service, u.claim.field, fmt.Errorf("%w: the names of the Services on %s would take %d characters of its tag %s, at most %d; use another address: %s were first",
				ErrLimit, o.describe(), len(text), tagService, maxTagValue, strings.Join(names, ", ")))
			continue
		}
		names = append(names, name)
	}
}
