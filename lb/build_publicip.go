package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// Tags of public IPs that tell whose they are. The legacy keys are read where the new ones are absent.
const (
	tagService       = "k8s-azure-service"
	tagCluster       = "k8s-azure-cluster-name"
	tagDNS           = "k8s-azure-dns-label-service"
	legacyTagService = "service"
	legacyTagCluster = "kubernetes-cluster-name"
	legacyTagDNS     = "kubernetes-dns-label-service"
)

// maxTagValue is how many characters Azure takes for the value of a tag.
const maxTagValue = 256

// either returns the value under key, else that under legacy. Keys of identity are compared exactly, as upstream does.
func (t Tags) either(key, legacy string) string {
	value := ""
	for _, tag := range t {
		switch tag.Key {
		case key:
			return tag.Value
		case legacy:
			value = tag.Value
		}
	}
	return value
}

// serviceNames splits a service tag.
func serviceNames(value string) []string {
	var names []string
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func parseName(text string) types.NamespacedName {
	namespace, name, _ := strings.Cut(text, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// publicIPClaim is a public IP that a Service asks for.
type publicIPClaim struct {
	id       ID
	field    string
	seen     *SeenPublicIP // nil: to be created
	family   ipam.Family
	prefix   ID
	recreate bool // IP tags differ and cannot be changed in place
	computed bool // the name is ours to choose
}

// publicIPDraft is one public IP in the making.
type publicIPDraft struct {
	publicIPClaim
	claimants []*service
	held      bool // a frontend that is kept has it
	// reserved is a Service that asks for its address and cannot be served now; nobody else is left.
	reserved *service
}

// askPublicIP finds the public IP that a Service asks for in one family, whoever else uses it.
func (d *outline) askPublicIP(s *service, f ipam.Family) (publicIPClaim, *fieldError) {
	group := d.c.publicIPGroup(s.cfg)
	if u := d.seen.unknown(armid.PublicIPAddresses, d.groupID(group)); u != nil {
		e := unreadable(*u)
		e.field = "resourceGroup"
		if s.cfg.PublicIP.ResourceGroup != "" {
			e.field = annotationField(annotations.KeyResourceGroup)
		}
		return publicIPClaim{}, &e
	}
	var c publicIPClaim
	var bad *fieldError
	name, prefix, pinned := s.cfg.PublicIP.Name.Of(f), s.cfg.PublicIP.PrefixOf(f), s.cfg.Addresses.Of(f)
	switch {
	case name != "":
		c, bad = d.publicIPNamed(s, group, name, f)
	case prefix != "":
		c, bad = d.publicIPFromPrefix(s, group, prefix, f)
	case pinned.IsValid():
		c, bad = d.publicIPWithAddress(s, group, f)
	default:
		c = d.computedPublicIP(s, group, f)
	}
	c.family = f
	return c, bad
}

// choosePublicIP decides which public IP serves one family of an external Service.
func (d *outline) choosePublicIP(s *service, l *balancerDraft, f ipam.Family) (publicIPClaim, *fieldError) {
	c, bad := d.askPublicIP(s, f)
	if bad != nil {
		return c, bad
	}
	if err := d.allowedPublicIP(s, c, f); err != nil {
		return c, &fieldError{c.field, err}
	}
	if err := d.checkPublicIP(s, c, f); err != nil {
		return c, &fieldError{c.field, err}
	}
	if other := d.elsewhere(l, func(at *balancerDraft) bool { return at.byPublicIP[c.id.Key()] != "" }); other != "" {
		return c, &fieldError{c.field, fmt.Errorf("%w: public IP %s is on load balancer %s, and the Service on %s", ErrClash, c.id.Name(), other.Name(), l.id.Name())}
	}
	c.recreate = d.object(c.id.Key()).renewed
	return c, nil
}

// elsewhere finds another load balancer of the outline that has something: an address is on one only.
func (d *outline) elsewhere(l *balancerDraft, has func(*balancerDraft) bool) ID {
	for _, id := range d.ourBalancers() {
		if at := d.balancer(id); at != l && has(at) {
			return at.id
		}
	}
	return ""
}

// nameField names the field that a public IP's name comes from.
func nameField(s *service, f ipam.Family) string {
	if f == ipam.IPv6 && strings.TrimSpace(s.obj.Annotations[annotations.KeyPIPNameIPv6]) != "" {
		return annotationField(annotations.KeyPIPNameIPv6)
	}
	return annotationField(annotations.KeyPIPName)
}

func (d *outline) publicIPNamed(s *service, group, name string, f ipam.Family) (publicIPClaim, *fieldError) {
	field := nameField(s, f)
	seen := d.seen.publicIPs[d.c.publicIP(group, name).Key()]
	if seen == nil {
		return publicIPClaim{}, &fieldError{field, fmt.Errorf("%w: no public IP %q in resource group %s; create it or correct the name", ErrNotFound, name, group)}
	}
	return publicIPClaim{id: seen.ID, seen: seen, field: field}, nil
}

func (d *outline) publicIPFromPrefix(s *service, group string, prefix ID, f ipam.Family) (publicIPClaim, *fieldError) {
	field := annotationField(annotations.KeyPIPPrefix)
	if f == ipam.IPv6 && s.obj.Annotations[annotations.KeyPIPPrefixIPv6] != "" {
		field = annotationField(annotations.KeyPIPPrefixIPv6)
	}
	id := d.managedPublicIP(s, group, prefix, f)
	c := publicIPClaim{id: id, field: field, prefix: prefix, computed: true, seen: d.seen.publicIPs[id.Key()]}
	if c.seen != nil {
		c.id = c.seen.ID
		return c, nil
	}
	i := slices.IndexFunc(d.seen.Prefixes, func(p PublicIPPrefix) bool { return p.ID.Equal(prefix) })
	if i < 0 {
		return c, &fieldError{field, fmt.Errorf("%w: no public IP prefix %s; create it or correct the id", ErrNotFound, prefix)}
	}
	if have := d.seen.Prefixes[i].Family; have != 0 && have != f {
		return c, &fieldError{field, fmt.Errorf("%w: prefix %s is %s, the address %s", ErrFamily, prefix.Name(), have, f)}
	}
	return c, nil
}

func (d *outline) publicIPWithAddress(s *service, group string, f ipam.Family) (publicIPClaim, *fieldError) {
	field, pinned := addressField(s, f), s.cfg.Addresses.Of(f)
	seen := d.seen.publicIPAt(d.groupID(group), pinned)
	if seen == nil {
		return publicIPClaim{}, &fieldError{field, fmt.Errorf("%w: no public IP with address %s in resource group %s; create it, or name its group in %s", ErrNotFound, pinned, group, annotations.KeyResourceGroup)}
	}
	return publicIPClaim{id: seen.ID, seen: seen, field: field}, nil
}

// computedPublicIP is the public IP that a Service has when it asks for none: the managed one that its frontend has already, else one whose
// name is made from the base name.
func (d *outline) computedPublicIP(s *service, group string, f ipam.Family) publicIPClaim {
	id := d.managedPublicIP(s, group, "", f)
	seen := d.seen.publicIPs[id.Key()]
	if seen != nil && seen.Family != f && (s.cfg.Dual() || d.c.Addresses.AllowRecreate) {
		// The name is that of the other family's address, which stays, or goes later: the Service was of that family only.
		id = d.c.publicIP(group, id.Name()+"-"+f.String())
		seen = d.seen.publicIPs[id.Key()]
	}
	if seen != nil {
		id = seen.ID
	}
	return publicIPClaim{id: id, seen: seen, field: "spec.type", computed: true}
}

// managedPublicIP returns the id of the public IP that is made for s: the one that its frontend has, unless that gives way to another one, else
// one by the usual name.
func (d *outline) managedPublicIP(s *service, group string, prefix ID, f ipam.Family) ID {
	names := d.publicIPNames(s, prefix, f)
	own := d.ownPublicIP(s, f)
	if own == nil || !own.Prefix.Equal(prefix) || !own.ID.GroupID().Equal(d.groupID(group)) {
		usual, second := d.c.publicIP(group, names[0]), d.c.publicIP(group, names[1])
		// Names have room for the start of a prefix's name only, and none for its group: the public IP itself says which one it is from.
		fits := func(id ID) bool {
			p := d.seen.publicIPs[id.Key()]
			return p == nil || prefix == "" || d.c.Basic || p.Prefix.Equal(prefix)
		}
		if p := d.seen.publicIPs[second.Key()]; p != nil && d.seen.publicIPs[usual.Key()] == nil && d.lists(p, s) && fits(second) {
			return second
		}
		if !fits(usual) {
			return second
		}
		return usual
	}
	if !d.claims.anew[s][f] {
		return own.ID
	}
	if sameButFamily(own.ID.Name(), names[1]) {
		return d.c.publicIP(group, names[0])
	}
	return d.c.publicIP(group, names[1])
}

// lists reports whether a public IP is managed for s.
func (d *outline) lists(p *SeenPublicIP, s *service) bool {
	return slices.ContainsFunc(d.users(p), func(n string) bool {
		return strings.EqualFold(n, s.name.String())
	})
}

// checkPublicIP refuses what ARM would refuse, and names that belong to another Service.
func (d *outline) checkPublicIP(s *service, c publicIPClaim, f ipam.Family) error {
	if have := d.publicIPs[c.id.Key()]; c.computed && have != nil {
		for _, other := range have.claimants {
			if other != s && have.computed {
				return fmt.Errorf("%w: the name %s is that of the public IP of %s too; use a shorter cluster name or %s", ErrClash, c.id.Name(), other.name, annotations.KeyPIPName)
			}
		}
	}
	if err := armid.CheckName(armid.PublicIPAddresses, c.id.Name()); err != nil {
		return fmt.Errorf("public IP name %q: %w", c.id.Name(), err)
	}
	if c.seen == nil {
		return nil
	}
	if c.seen.Family != 0 && c.seen.Family != f {
		return fmt.Errorf("%w: public IP %s is %s, and the family of a public IP cannot be changed; use one of %s", ErrFamily, c.id.Name(), c.seen.Family, f)
	}
	if basic := !strings.EqualFold(c.seen.SKU, "Standard"); basic && !d.c.Basic && (!d.detachable(c.seen) || !strings.EqualFold(c.seen.Allocation, "Static")) {
		return fmt.Errorf("%w: public IP %s is of SKU %s, and only a static one that nothing uses can be upgraded; detach it or name another",
			ErrUnserved, c.id.Name(), orText(c.seen.SKU, "Basic"))
	}
	return nil
}

// detachable reports whether nothing has a public IP, or only a basic load balancer that gives way to a standard one.
func (d *outline) detachable(p *SeenPublicIP) bool {
	return p.Attached == "" || d.ours(p.Attached) && d.outdated(d.balancer(p.Attached.Parent()))
}

func (d *outline) claimPublicIP(s *service, c publicIPClaim) {
	p := d.publicIPs[c.id.Key()]
	if p == nil {
		p = &publicIPDraft{publicIPClaim: c}
		d.publicIPs[c.id.Key()] = p
	}
	p.recreate = p.recreate || c.recreate
	p.computed = p.computed || c.computed
	if p.prefix == "" {
		p.prefix = c.prefix
	}
	p.claimants = append(p.claimants, s)
	d.cause(c.id, s, c.field)
}

func (d *outline) keepPublicIP(id ID) {
	if d.publicIPs[id.Key()] == nil {
		d.publicIPs[id.Key()] = &publicIPDraft{publicIPClaim: publicIPClaim{id: id, seen: d.seen.publicIPs[id.Key()]}}
	}
	d.publicIPs[id.Key()].held = true
}

// finishPublicIPs decides about every public IP that is ours or claimed.
func (d *outline) finishPublicIPs() {
	for i := range d.seen.PublicIPs {
		seen := &d.seen.PublicIPs[i]
		switch {
		case d.publicIPs[seen.ID.Key()] != nil:
		case d.manages(seen):
			d.release(seen)
		default:
			d.warnUnproven(seen)
		}
	}
}

// release gives up a managed public IP that no frontend of the outline has: it is deleted when nobody that stays is named in its tags.
func (d *outline) release(seen *SeenPublicIP) {
	names := d.users(seen)
	kept := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !d.keepsName(parseName(n)) })
	switch {
	case len(kept) == len(names):
		return
	case len(kept) == 0 && d.pinnedBy(seen) != nil:
		d.publicIPs[seen.ID.Key()] = &publicIPDraft{publicIPClaim: publicIPClaim{id: seen.ID, seen: seen}, reserved: d.pinnedBy(seen)}
	case len(kept) > 0:
		d.publicIPs[seen.ID.Key()] = &publicIPDraft{publicIPClaim: publicIPClaim{id: seen.ID, seen: seen}}
	case d.usedElsewhere(seen):
		d.findings = append(d.findings, Finding{
			Severity: SeverityWarning, Field: string(seen.ID),
			Err: fmt.Errorf("%w: public IP %s stays, %s has it", ErrForeign, seen.ID.Name(), seen.Attached),
		})
	default:
		d.remove = append(d.remove, seen.ID)
		for _, n := range names {
			d.because(seen.ID.Key(), d.removalCause(parseName(n)))
		}
	}
}

// pinnedBy finds a Service that asks for a public IP by its address or name and is held, nil if there is none: it stays for that Service.
func (d *outline) pinnedBy(p *SeenPublicIP) *service {
	for _, s := range d.services {
		if !s.wanted || !s.ours || !s.held || s.cfg.Internal {
			continue
		}
		group := d.c.publicIPGroup(s.cfg)
		for _, f := range []ipam.Family{ipam.IPv4, ipam.IPv6} {
			name := s.cfg.PublicIP.Name.Of(f)
			if name != "" && d.c.publicIP(group, name).Equal(p.ID) || name == "" && p.Address.IsValid() && s.cfg.Addresses.Of(f) == p.Address && d.groupID(group).Equal(p.ID.GroupID()) {
				return s
			}
		}
	}
	return nil
}

// usedElsewhere reports whether something that stays has the public IP.
func (d *outline) usedElsewhere(p *SeenPublicIP) bool {
	if p.Attached == "" {
		return false
	}
	if !d.ours(p.Attached) {
		return true
	}
	l := d.balancers[p.Attached.Parent().Key()]
	if l == nil || l.seen == nil {
		return false
	}
	fe, there := l.seen.frontends[strings.ToLower(p.Attached.Name())]
	if !there || !fe.PublicIP.Equal(p.ID) {
		return false
	}
	want, ok := l.frontends[strings.ToLower(fe.Name)]
	return ok && want.PublicIP.Equal(p.ID) || !ok && d.owner(fe.Name) == ""
}

func (d *outline) removalCause(name types.NamespacedName) Cause {
	if s := d.byName[name]; s != nil && s.wanted {
		return Cause{Service: name, Reason: ReasonNotWanted}
	}
	return Cause{Service: name, Reason: ReasonGone}
}

// spec returns the public IP as it should be.
func (d *outline) publicIPSpec(p *publicIPDraft) PublicIP {
	var want PublicIP
	if p.seen != nil {
		want = p.seen.PublicIP
	} else {
		want = PublicIP{
			ID: p.id, Location: d.c.Location, EdgeZone: d.c.EdgeZone, SKU: d.c.sku(), Family: p.family, Allocation: "Static", Prefix: p.prefix,
		}
		if d.c.Basic {
			want.Prefix = ""
			if p.family == ipam.IPv6 {
				want.Allocation = "Dynamic"
			}
		} else if d.c.EdgeZone == "" {
			want.Zones = ZonesOf(d.seen.Zones)
		}
	}
	managed, o := p.seen == nil || !d.userAssigned(p.seen), d.object(p.id.Key())
	if u := o.decides(want.DNSLabel, strings.EqualFold, labelWish); u != nil {
		if label, _ := labelWish(u.service); !strings.EqualFold(label, want.DNSLabel) && o.keepsLabel(label) == nil {
			want.DNSLabel = label
		}
	}
	if u := o.decides(ipTagText(want.IPTags), equalText, ipTagWish); u != nil && managed && (p.seen == nil || p.recreate || d.c.MutateIPTags) {
		want.IPTags = u.cfg.PublicIP.IPTags
	}
	if len(p.claimants) > 0 && !d.c.Basic {
		want.SKU = "Standard" // Azure upgrades a static one in place
	}
	want.Tags = nil
	if managed {
		want.Tags = d.publicIPTags(p)
	}
	return want
}

// publicIPTags returns our tags of a managed public IP. A DNS owner that leaves loses its tag.
func (d *outline) publicIPTags(p *publicIPDraft) Tags {
	var seen Tags
	if p.seen != nil {
		seen = p.seen.Tags
	}
	refs := d.serviceRefs(p, seen)
	if len(p.claimants) == 0 && p.reserved == nil && (len(refs) == 0 || len(refs) == len(serviceNames(seen.either(tagService, legacyTagService)))) {
		// An address that only foreign content keeps stays ours by its tag, so that it goes once nothing keeps it any more.
		return nil
	}
	// What is not proven to be ours gets no tags but those that keep it while our Services use it. Where only held Services have it, what the
	// configuration or annotations ask for waits.
	var tags Tags
	asked := len(p.claimants) > 0 && (p.seen == nil || d.manages(p.seen))
	if asked {
		tags = slices.Clone(d.c.Tags)
	}
	key := p.id.Key()
	o := d.object(key)
	if asked {
		for _, t := range d.tagsOfUsers(o, seen) {
			tags = tags.With(t.Key, t.Value)
		}
	}
	dns := seen.either(tagDNS, legacyTagDNS)
	if dns == "" || !d.staysOn(p, dns) {
		if u := o.decides("", never, labelWish); u != nil && *u.cfg.PublicIP.DNSLabel != "" {
			dns = u.name.String()
		}
	}
	if dns != "" && !d.staysOn(p, dns) {
		dns = "" // the label stays, for clients may know the address by it
		d.removeTag[key] = append(d.removeTag[key], tagDNS, legacyTagDNS)
	}
	names := strings.Join(refs, ",")
	if have, ok := exact(seen, tagService); ok && slices.Equal(serviceNames(have), refs) {
		names = have // blanks and empty items do no harm
	}
	tags = tags.exactly(tagService, names)
	if cluster := seen.either(tagCluster, legacyTagCluster); cluster != "" {
		tags = tags.exactly(tagCluster, cluster)
	} else if p.seen == nil {
		tags = tags.exactly(tagCluster, d.c.Name)
	}
	if dns != "" {
		tags = tags.exactly(tagDNS, dns)
	}
	if asked {
		d.removeSystemTags(key, seen, tags)
	}
	return tags
}

// exact is Get for keys whose case counts.
func exact(t Tags, key string) (string, bool) {
	i := slices.IndexFunc(t, func(tag Tag) bool { return tag.Key == key })
	if i < 0 {
		return "", false
	}
	return t[i].Value, true
}

// exactly is With for keys whose case counts.
func (t Tags) exactly(key, value string) Tags {
	return t.Without(key).With(key, value)
}

// staysOn reports whether the Service named in a tag of p is still one of p's. Those of another cluster are not ours to remove.
func (d *outline) staysOn(p *publicIPDraft, name string) bool {
	if p.seen != nil && d.otherCluster(p.seen) && d.byName[parseName(name)] == nil {
		return true
	}
	return d.keepsName(parseName(name)) || slices.ContainsFunc(p.claimants, func(s *service) bool { return strings.EqualFold(s.name.String(), name) })
}

// serviceRefs returns the service tag's names: those that stay in their order, then the new ones in order of name.
func (d *outline) serviceRefs(p *publicIPDraft, seen Tags) []string {
	var names, added []string
	for _, n := range serviceNames(seen.either(tagService, legacyTagService)) {
		if d.staysOn(p, n) {
			names = append(names, n)
		}
	}
	users := p.claimants
	if p.reserved != nil {
		users = []*service{p.reserved}
	}
	for _, s := range users {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, s.name.String()) }) {
			added = append(added, s.name.String())
		}
	}
	slices.Sort(added)
	for _, n := range added {
		if len(strings.Join(append(slices.Clone(names), n), ",")) <= maxTagValue {
			names = append(names, n)
		}
	}
	return names
}

// removeSystemTags notes tags to delete: with systemTags set, everything that is neither wanted nor protected by a prefix goes.
func (d *outline) removeSystemTags(key string, seen, want Tags) {
	if len(d.c.SystemTags) == 0 {
		return
	}
	for _, t := range seen {
		if _, ok := want.Get(t.Key); ok || isGroupTag(t.Key) {
			continue
		}
		protected := slices.ContainsFunc(d.c.SystemTags, func(p string) bool {
			return strings.HasPrefix(strings.ToLower(t.Key), strings.ToLower(p))
		})
		if !protected {
			d.removeTag[key] = append(d.removeTag[key], t.Key)
		}
	}
}
