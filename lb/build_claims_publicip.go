package lb

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
)

// ErrAddress says that a change would cost an address that somebody has.
var ErrAddress = errors.New("an address would be lost")

// AddressPolicy says what may become of addresses that Services have.
type AddressPolicy struct {
	// AllowRecreate lets changes through that Azure takes only for a new address: the IP tags of a managed public IP, the public IP prefix it is
	// from, and the only family of a Service. Default: the Service is held. An address that another Service uses, or that a Service names, is
	// never given up for such a change.
	AllowRecreate bool
}

// twinHint is how a change is made without losing an address.
const twinHint = "allow it (AddressPolicy.AllowRecreate), or go by way of a twin Service"

// settleIPTags decides about the IP tags of a managed public IP. Most cannot be changed on one that is there, so that the address would be
// another one.
func (d *outline) settleIPTags(o *object) {
	if o.seen == nil || d.userAssigned(o.seen) {
		return
	}
	have := ipTagText(o.seen.IPTags)
	winner := o.decides(have, equalText, ipTagWish)
	if winner == nil {
		return
	}
	want, _ := ipTagWish(winner.service)
	for _, u := range o.users {
		if value, ok := ipTagWish(u.service); ok && !u.held && value != want {
			d.hold(u.service, annotationField(annotations.KeyPIPIPTags), fmt.Errorf("%w: %s has the IP tags %s of %s; ask for the same, or for another address",
				ErrClash, o.describe(), orText(want, "none"), winner.name))
		}
	}
	if want == have {
		return
	}
	err := d.refuseIPTags(o, winner)
	switch field := annotationField(annotations.KeyPIPIPTags); {
	case err == nil:
	case !winner.there && winner.claim.computed && d.lists(o.seen, winner.service):
		// It had the address before it lost its frontend. Without one it would not be served at all, which is worse.
		d.findings = append(d.findings, Finding{Service: winner.name, Field: field, Severity: SeverityError, Err: err})
	default:
		d.hold(winner.service, field, err)
	}
}

func ipTagText(tags []Tag) string { return tagText(sortedTags(tags)) }

func ipTagWish(s *service) (string, bool) {
	return ipTagText(s.cfg.PublicIP.IPTags), s.cfg.PublicIP.SetIPTags
}

// refuseIPTags says why u cannot have other IP tags; nil: it can.
func (d *outline) refuseIPTags(o *object, u *user) error {
	other := d.otherUser(o, u.service)
	switch {
	case !d.manages(o.seen):
		return fmt.Errorf("%w: name and tags of %s do not both show it to be this cluster's, so that its IP tags are not changed; ask for those it has", ErrForeign, o.describe())
	case d.c.MutateIPTags && (u.there || other == ""):
		return nil
	case other != "":
		return fmt.Errorf("%w: the IP tags of %s cannot be changed while %s uses it too; give one of the two another address first", ErrClash, o.describe(), other)
	case len(o.pins) > 0:
		return fmt.Errorf("%w: %s keeps its address %s, which %s asks for, only with the IP tags that it has; ask for the address or for the IP tags",
			ErrAddress, o.describe(), o.address, o.pins[0].name)
	case o.seen.Attached == "":
		o.renewed = true // nobody is reached by it
		return nil
	case !d.c.Addresses.AllowRecreate:
		return fmt.Errorf("%w: the IP tags of %s can be changed on a new one only, and %s is given up; %s", ErrAddress, o.describe(), o.address, twinHint)
	case !u.claim.computed:
		return fmt.Errorf("%w: %s is named by the Service, and its IP tags can be changed on a new one only", ErrAddress, o.describe())
	}
	d.makeAnew(o, u)
	return nil
}

// makeAnew has the only user of a public IP ask for another one in its place, which can be made first.
func (d *outline) makeAnew(o *object, u *user) {
	if d.claims.anew[u.service] == nil {
		d.claims.anew[u.service] = map[ipam.Family]bool{}
	}
	d.claims.anew[u.service][o.family] = true
	o.users = nil
	if c, bad := d.askPublicIP(u.service, o.family); bad == nil {
		d.use(c.id.Key(), u.service, c)
		d.settleIPTags(d.object(c.id.Key()))
	}
}

// otherUser names somebody besides s who uses a public IP: a Service that is there or comes, one that its tag names and that is not ours to
// remove, or a rule of others on its frontend.
func (d *outline) otherUser(o *object, s *service) string {
	if u := o.other(s); u != nil {
		return u.name.String()
	}
	p := &publicIPDraft{publicIPClaim: publicIPClaim{id: o.id, seen: o.seen}}
	for _, n := range d.users(o.seen) {
		if !strings.EqualFold(n, s.name.String()) && d.staysOn(p, n) {
			return n
		}
	}
	if at := d.balancers[o.seen.Attached.Parent().Key()]; at != nil && at.seen != nil {
		return d.foreignUsers(at)[strings.ToLower(o.seen.Attached.Name())].Name()
	}
	return ""
}

// settlePrefix holds a Service whose managed public IP would give way to one that is from another prefix.
func (d *outline) settlePrefix(u *user) {
	if u.held || !u.claim.computed {
		return
	}
	own := d.ownPublicIP(u.service, u.claim.family)
	if own == nil || u.claim.id.Equal(own.ID) {
		return
	}
	field := u.claim.field
	if u.claim.prefix == "" && own.Prefix != "" {
		field = annotationField(annotations.KeyPIPPrefix)
	}
	switch pinned := u.cfg.Addresses.Of(u.claim.family); {
	case pinned.IsValid() && pinned == own.Address:
		d.hold(u.service, field, fmt.Errorf("%w: %s asks for the address %s, which public IP %s has, and %s for another public IP; ask for one of the two",
			ErrAddress, addressField(u.service, u.claim.family), pinned, own.ID.Name(), field))
	case own.Prefix.Equal(u.claim.prefix):
	case d.otherUser(d.object(own.ID.Key()), u.service) != "":
		d.hold(u.service, field, fmt.Errorf("%w: %s uses public IP %s too; give one of the two another address first", ErrClash, d.otherUser(d.object(own.ID.Key()), u.service), own.ID.Name()))
	case !d.c.Addresses.AllowRecreate:
		d.hold(u.service, field, fmt.Errorf("%w: public IP %s is %s, which can be chosen for a new one only, and %s is given up; %s",
			ErrAddress, own.ID.Name(), fromPrefix(own.Prefix), own.Address, twinHint))
	}
}

func fromPrefix(prefix ID) string {
	if prefix == "" {
		return "from no prefix"
	}
	return "from prefix " + prefix.Name()
}

// ownPublicIP returns the managed public IP that was made for s and that its frontend of family f has, nil if there is none.
func (d *outline) ownPublicIP(s *service, f ipam.Family) *SeenPublicIP {
	base := Base(s.obj.UID)
	for _, e := range d.entries {
		fe, ok := d.own(d.balancer(d.c.twin(e.Name, false)), s.base, frontendName(base, "", s.cfg.Dual(), f), f)
		if !ok || fe.PublicIP == "" {
			continue
		}
		seen := d.seen.publicIPs[fe.PublicIP.Key()]
		if seen != nil && d.lists(seen, s) && slices.ContainsFunc(d.publicIPNames(s, seen.Prefix, f), func(name string) bool { return sameButFamily(seen.ID.Name(), name) }) {
			return seen
		}
	}
	return nil
}

// publicIPNames are the names that a managed public IP of s may have: the usual one, and the one it has instead after it was made beside one
// that has the usual name. The second one is never the usual name of another.
func (d *outline) publicIPNames(s *service, prefix ID, f ipam.Family) []string {
	usual := publicIPName(d.c.Name, Base(s.obj.UID), prefix, s.cfg.Dual(), f)
	stem, suffix := usual, suffix(s.cfg.Dual(), f)
	stem = strings.TrimSuffix(stem, suffix)
	return []string{usual, head(stem, nameRoom-len(secondMark)) + secondMark + suffix}
}

// secondMark ends the name of a public IP that was made while another one had the usual name.
const secondMark = "_2"

// settleFamilies holds a Service that would give up all families it has addresses of.
func (d *outline) settleFamilies(s *service) {
	if d.c.Addresses.AllowRecreate {
		return
	}
	var lost []string
	for _, id := range d.ourBalancers() {
		l := d.seen.balancers[id.Key()]
		for name := range d.uses[id.Key()][s.base] {
			f, ok := l.frontends[name]
			if ok && slices.Contains(s.cfg.Families, f.Family) {
				return
			}
			if a := l.address(d.seen, f); ok && a.IsValid() {
				lost = append(lost, a.String())
			}
		}
	}
	if len(lost) > 0 {
		slices.Sort(lost)
		d.hold(s, "spec.ipFamilies", fmt.Errorf("%w: the Service has addresses of other families only, and %s would be given up; %s",
			ErrAddress, strings.Join(slices.Compact(lost), ", "), twinHint))
	}
}

// settleLabel decides about the DNS label. On a managed public IP it belongs to the Service that its tag names; on others to whoever has what
// there is, else to the first.
func (d *outline) settleLabel(o *object) {
	if o.id == "" {
		return
	}
	have, owner := "", ""
	if o.seen != nil {
		have, owner = o.seen.DNSLabel, d.labelOwner(o)
	}
	if owner != "" {
		for _, u := range o.users {
			if _, ok := labelWish(u.service); ok && !u.held && !strings.EqualFold(owner, u.name.String()) {
				d.hold(u.service, u.claim.field, fmt.Errorf("%w: the DNS label of public IP %s belongs to %s; remove %s from one of them", ErrClash, o.id.Name(), owner, annotations.KeyDNSLabel))
			}
		}
		return
	}
	winner := o.decides(have, strings.EqualFold, labelWish)
	if winner == nil {
		return
	}
	field, managed := annotationField(annotations.KeyDNSLabel), o.seen == nil || !d.userAssigned(o.seen)
	want, _ := labelWish(winner.service)
	for _, u := range o.users {
		value, ok := labelWish(u.service)
		if same := strings.EqualFold(value, want) && (!managed || value == ""); ok && !u.held && u != winner && !same {
			d.hold(u.service, field, fmt.Errorf("%w: the DNS label of %s is %s for %s; ask for the same, or for another address", ErrClash, o.describe(), labelText(want), winner.name))
		}
	}
	if other := o.keepsLabel(want); other != nil {
		d.findings = append(d.findings, Finding{
			Service: winner.name, Field: field, Severity: SeverityWarning,
			Err: fmt.Errorf("%w: the DNS label of %s stays %q while %s, which is held, is on it", ErrClash, o.describe(), have, other.name),
		})
		return
	}
	if other := o.other(winner.service); have != "" && !strings.EqualFold(want, have) && !winner.there && other != nil && other.there {
		d.hold(winner.service, field, fmt.Errorf("%w: %s has the DNS label %q, by which clients may know %s too; ask for the same, or for another address", ErrClash, o.describe(), have, other.name))
	}
}

// keepsLabel returns a held Service that is on a public IP and keeps its DNS label from becoming want, nil if none does: its clients may know it
// by that name.
func (o *object) keepsLabel(want string) *user {
	if o.seen == nil || o.seen.DNSLabel == "" || strings.EqualFold(o.seen.DNSLabel, want) {
		return nil
	}
	if i := slices.IndexFunc(o.users, func(u *user) bool { return u.held && u.there }); i >= 0 {
		return o.users[i]
	}
	return nil
}

func labelWish(s *service) (string, bool) {
	if l := s.cfg.PublicIP.DNSLabel; l != nil {
		return *l, true
	}
	return "", false
}

// labelText is a DNS label for people.
func labelText(label string) string {
	if label == "" {
		return "none"
	}
	return fmt.Sprintf("%q", label)
}

// labelOwner returns the Service that the tag of a managed public IP names as owner of its DNS label, if it stays.
func (d *outline) labelOwner(o *object) string {
	owner := o.seen.Tags.either(tagDNS, legacyTagDNS)
	p := &publicIPDraft{publicIPClaim: publicIPClaim{id: o.id, seen: o.seen}}
	for _, u := range o.users {
		p.claimants = append(p.claimants, u.service)
	}
	if owner == "" || !d.staysOn(p, owner) && len(d.only) == 0 {
		return ""
	}
	return owner
}

// tagsOfUsers returns the tags that the users of a public IP ask for. Where they differ, one decides as about everything else, and the others
// are told.
func (d *outline) tagsOfUsers(o *object, seen Tags) Tags {
	var asked Tags
	for _, u := range o.users {
		for _, t := range ownTags(u.service) {
			if _, known := asked.Get(t.Key); known || u.held {
				continue
			}
			w := func(s *service) (string, bool) { return ownTags(s).Get(t.Key) }
			have, _ := seen.Get(t.Key)
			winner := o.decides(have, equalText, w)
			value, _ := w(winner.service)
			asked = asked.With(t.Key, value)
			d.warnTags(o, winner, t.Key, value)
		}
	}
	return asked
}

// warnTags tells those whose tag of a public IP another Service decides.
func (d *outline) warnTags(o *object, winner *user, key, value string) {
	for _, u := range o.users {
		if other, ok := ownTags(u.service).Get(key); ok && !u.held && other != value {
			d.findings = append(d.findings, Finding{
				Service: u.name, Field: annotationField(annotations.KeyPIPTags), Severity: SeverityWarning,
				Err: fmt.Errorf("%w: the tag %s of %s is %q for %s; ask for the same, or for another address", ErrClash, key, o.describe(), value, winner.name),
			})
		}
	}
}

// ownTags are the tags that a Service asks for.
func ownTags(s *service) Tags {
	var tags Tags
	for _, t := range s.cfg.PublicIP.Tags {
		tags = tags.withTrimmed(t)
	}
	return tags
}
