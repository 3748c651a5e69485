package lb

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// outline is one attempt at the desired state: first what held Services keep, then what each other Service claims, in order.
type outline struct {
	*builder
	claims    claims
	balancers map[string]*balancerDraft // by id
	publicIPs map[string]*publicIPDraft // by id
	security  securityOutline
	causes    map[string][]Cause
	results   map[types.NamespacedName]*result
	findings  []Finding
	remove    []ID
	removeTag map[string][]string
	// localPools are the pools of Services that have one of their own, by load balancer and lower-case name.
	localPools map[string]map[string]localPool
	nodes      map[string][]corev1.Node // by entry, when known
	unread     map[string][]fieldError  // why members of a load balancer cannot be attached, by its key, when known
	links      []pls.PrivateLinkService
	migrated   []ID           // pools that ARM migrates
	emptied    []ID           // load balancers that nothing is left on, and that stay for their tags
	last       []ID           // of those, the ones that go once all is gone that these tell of
	joined     map[string]int // by key of a pool of interfaces: the nodes that are or will be in it
	relink     []ID           // of links, those that are created anew under their name
	subnets    []Subnet
	origins    map[string]Origin     // of settings, by key of the id and field; nil unless traced
	keepers    map[string][]*service // Services that are held, by lower-case name of the security rule they keep; nil unless traced
	keeping    []*service            // those that the destination in hand is kept for
}

// result is what one Service gets.
type result struct {
	held      bool
	frontends []string // names
	ingress   []ingress
}

// ingress is one address of a Service with its family, which a reference does not show.
type ingress struct {
	family  ipam.Family
	address Address
}

// balancerDraft is one load balancer in the making; children by lower-case name.
type balancerDraft struct {
	id        ID
	seen      *seenBalancer // nil if it is not there
	frontends map[string]Frontend
	rules     map[string]Rule
	probes    map[string]Probe
	families  map[ipam.Family]bool
	// byPublicIP and byAddress name the frontend of the outline that has a public IP or a private address.
	byPublicIP map[string]string
	byAddress  map[netip.Addr]string
	kept       []string              // names of frontends that stay as they are
	claims     map[string]portClaims // by frontend, lower case
	backends   map[string]portClaims // by pool, lower case: the ports of its members that rules without floating IP take
	// foreignRules and foreignFrontends count what is not ours but counts for Azure's limits.
	foreignRules, foreignFrontends int
}

func (b *builder) outline() *outline {
	d := &outline{
		builder: b, balancers: map[string]*balancerDraft{}, publicIPs: map[string]*publicIPDraft{},
		causes: map[string][]Cause{}, results: map[types.NamespacedName]*result{}, removeTag: map[string][]string{}, localPools: map[string]map[string]localPool{},
	}
	if b.traced {
		d.origins, d.keepers = map[string]Origin{}, map[string][]*service{}
	}
	d.collectClaims()
	if d.settleClaims(); b.again {
		return d
	}
	for _, id := range b.ourBalancers() {
		d.keepHeld(d.balancer(id))
	}
	for _, s := range b.services {
		if s.held && s.ours {
			d.keepResult(s)
		}
	}
	for _, s := range b.order() {
		d.serve(s)
	}
	d.checkAdditional()
	d.finishBalancers()
	d.finishPrivateLinks()
	d.finishPublicIPs()
	d.checkLabels()
	d.finishSecurity()
	d.checkNameless()
	d.checkClasses()
	d.warnElsewhere()
	return d
}

func (d *outline) balancer(id ID) *balancerDraft {
	if l := d.balancers[id.Key()]; l != nil {
		return l
	}
	l := &balancerDraft{
		id: id, seen: d.seen.balancers[id.Key()], frontends: map[string]Frontend{}, rules: map[string]Rule{}, probes: map[string]Probe{},
		families: map[ipam.Family]bool{}, byPublicIP: map[string]string{}, byAddress: map[netip.Addr]string{}, claims: map[string]portClaims{}, backends: map[string]portClaims{},
	}
	if l.seen != nil {
		l.id = l.seen.ID
	}
	l.foreignRules, l.foreignFrontends = l.foreign(d.builder)
	d.balancers[id.Key()] = l
	return l
}

// keepHeld takes over the share of held Services, and the claims of foreign rules.
func (d *outline) keepHeld(l *balancerDraft) {
	if l.seen == nil {
		return
	}
	for _, r := range l.seen.Rules {
		base := d.owner(r.Name)
		switch {
		case base == "":
			l.take(r, nil)
		case d.keepsBase(base):
			l.take(r, d.byBase[base])
			l.rules[strings.ToLower(r.Name)] = r
			d.keepFrontend(l, r.Frontend)
			if p, ok := l.seen.probes[strings.ToLower(r.Probe)]; ok && (d.owner(p.Name) != "" || p.Name == sharedProbe) {
				l.probes[strings.ToLower(p.Name)] = p
			}
		}
	}
	for _, f := range l.seen.Frontends {
		if base := d.owner(f.Name); base != "" && d.keepsBase(base) && !d.inherited(l, f) {
			d.keepFrontend(l, f.Name)
		}
	}
	for _, p := range l.seen.Probes {
		if base := d.owner(p.Name); base != "" && d.keepsBase(base) {
			l.probes[strings.ToLower(p.Name)] = p
		}
	}
}

// inherited reports whether a frontend is named after a Service that nobody speaks for any more, while one that is not held has rules on it: it
// is that one's share now, unless others are on it too.
func (d *outline) inherited(l *balancerDraft, f Frontend) bool {
	return !d.in.KeepGone && d.byBase[d.owner(f.Name)] == nil && slices.ContainsFunc(l.seen.Rules, func(r Rule) bool {
		s := d.byBase[d.owner(r.Name)]
		return strings.EqualFold(r.Frontend, f.Name) && s != nil && !s.held
	})
}

// keepFrontend takes over a frontend as it is, if it is ours.
func (d *outline) keepFrontend(l *balancerDraft, name string) {
	f, ok := l.seen.frontends[strings.ToLower(name)]
	if !ok || d.owner(f.Name) == "" {
		return
	}
	d.enterFrontend(l, f)
	l.kept = append(l.kept, f.Name)
	if f.PublicIP != "" {
		d.keepPublicIP(f.PublicIP)
	}
}

// enterFrontend puts a frontend into the outline.
func (d *outline) enterFrontend(l *balancerDraft, f Frontend) {
	key := strings.ToLower(f.Name)
	l.frontends[key] = f
	switch {
	case f.PublicIP != "":
		l.byPublicIP[f.PublicIP.Key()] = key
	case f.Static.IsValid():
		l.byAddress[f.Static] = key
	default:
		if old, ok := l.named(f.Name); ok && old == f {
			l.byAddress[l.seen.address(d.seen, old)] = key
		}
	}
}

// keepResult gives a held Service the addresses it has now.
func (d *outline) keepResult(s *service) {
	r := &result{held: true}
	d.results[s.name] = r
	if d.byBase[s.base] != s {
		return // what is there under this name is another Service's
	}
	for _, id := range d.ourBalancers() {
		l := d.balancer(id)
		if l.seen == nil {
			continue
		}
		names := d.uses[id.Key()][s.base]
		for _, f := range sortedValues(l.seen.frontends, func(a, b Frontend) int { return cmp.Or(int(a.Family)-int(b.Family), strings.Compare(a.Name, b.Name)) }) {
			if a := l.seen.address(d.seen, f); names[strings.ToLower(f.Name)] && a.IsValid() {
				r.ingress = append(r.ingress, ingress{f.Family, Address{IP: a}})
			}
		}
	}
	for _, a := range s.cfg.PublicIP.Additional {
		if len(r.ingress) > 0 {
			r.ingress = append(r.ingress, ingress{ipam.FamilyOf(a), Address{IP: a}})
		}
	}
}

func sortedValues[K comparable, V any](m map[K]V, compare func(a, b V) int) []V {
	list := make([]V, 0, len(m))
	for _, v := range m {
		list = append(list, v)
	}
	slices.SortFunc(list, compare)
	return list
}

// part is what one Service claims. It is worked out whole before anything of it is entered, so that a Service that must be held leaves no
// trace.
type part struct {
	balancer  *balancerDraft
	frontends []Frontend
	fields    map[string]string // field of the Service by name of frontend
	publicIPs []publicIPClaim
	ports     []portRules
	ingress   []ingress
	origins   origins
}

// serve works out what s claims and enters it, or holds s.
func (d *outline) serve(s *service) {
	p := part{balancer: d.balancer(d.balancerOf(s)), fields: map[string]string{}, origins: newOrigins(d.traced)}
	var bad []fieldError
	if u := d.seen.unknown(armid.LoadBalancers, p.balancer.id.GroupID()); u != nil {
		e := unreadable(*u)
		if e.field = "loadBalancerResourceGroup"; strings.EqualFold(d.c.LoadBalancerGroup, d.c.ResourceGroup) {
			e.field = "resourceGroup"
		}
		bad = append(bad, e)
	}
	bad = append(bad, d.checkMembers(p.balancer)...)
	for _, f := range s.cfg.Families {
		bad = append(bad, d.frontend(s, &p, f)...)
	}
	bad = append(bad, d.additional(s, &p)...)
	bad = append(bad, d.checkOutdated(p.balancer)...)
	bad = append(bad, d.checkAccess(s)...)
	bad = append(bad, d.checkPrivateLink(s)...)
	bad = append(bad, p.checkNames()...)
	bad = append(bad, d.checkOwnPools(s, p.balancer)...)
	bad = append(bad, p.checkOwnPorts()...)
	if len(bad) == 0 {
		bad = d.checkLeft(s, &p)
	}
	bad = append(bad, d.checkJoin(s, p)...)
	if len(bad) == 0 {
		bad = d.checkClaims(s, p)
	}
	if len(bad) == 0 {
		bad = d.checkLimits(p)
	}
	for _, e := range bad {
		d.hold(s, e.field, e.err)
	}
	if len(bad) == 0 {
		d.enter(s, p)
	}
}

func unreadable(u Unknown) fieldError {
	if u.Absent {
		return fieldError{"", fmt.Errorf("%w: %s does not exist; create it or correct the configuration", ErrNotFound, u.Scope)}
	}
	return fieldError{"", fmt.Errorf("%w: %s; %s", ErrUnreadable, u.Type, u.remedy())}
}

// remedy says what makes u readable.
func (u Unknown) remedy() string {
	if u.Remedy != "" {
		return u.Remedy
	}
	return fmt.Sprintf("grant %s on %s", u.Action, u.Scope)
}

// frontend works out the frontend of one family, with its rules and probes.
func (d *outline) frontend(s *service, p *part, f ipam.Family) []fieldError {
	var fe Frontend
	var address Address
	var bad []fieldError
	if s.cfg.Internal {
		fe, address, bad = d.internalFrontend(s, p, f)
	} else {
		fe, address, bad = d.externalFrontend(s, p, f)
	}
	if len(bad) > 0 {
		return bad
	}
	m := ruleMaker{c: d.c, svc: s.obj, cfg: s.cfg, base: Base(s.obj.UID), family: f, frontend: fe.Name, pool: d.poolOf(s, p.balancer, f), traced: d.traced}
	ports, bad := m.make()
	p.frontends = append(p.frontends, fe)
	p.ports = append(p.ports, ports)
	p.ingress = append(p.ingress, ingress{f, address})
	return bad
}

// poolName returns the name of the default pool as the load balancer spells it.
func (d *outline) poolName(l *balancerDraft, f ipam.Family) string {
	name := poolName(d.c.Name, f)
	if l.seen != nil {
		if p, ok := l.seen.pools[strings.ToLower(name)]; ok {
			return p.Name
		}
	}
	return name
}

// checkLimits keeps a Service out whose rules or frontends would not fit.
func (d *outline) checkLimits(p part) []fieldError {
	l, rules, frontends := p.balancer, 0, 0
	for _, ports := range p.ports {
		for _, r := range ports.rules {
			if _, ok := l.rules[strings.ToLower(r.Name)]; !ok {
				rules++
			}
		}
	}
	for _, f := range p.frontends {
		if _, ok := l.frontends[strings.ToLower(f.Name)]; !ok {
			frontends++
		}
	}
	if n := len(l.rules) + l.foreignRules + rules; n > d.c.Limits.RulesPerLoadBalancer && rules > 0 {
		return []fieldError{{"spec.ports", fmt.Errorf("%w: %d rules on load balancer %s, at most %d; use fewer ports or Services", ErrLimit, n, l.id.Name(), d.c.Limits.RulesPerLoadBalancer)}}
	}
	if n := len(l.frontends) + l.foreignFrontends + frontends; n > d.c.Limits.FrontendsPerLoadBalancer && frontends > 0 {
		return []fieldError{{"", fmt.Errorf("%w: %d frontends on load balancer %s, at most %d; share addresses", ErrLimit, n, l.id.Name(), d.c.Limits.FrontendsPerLoadBalancer)}}
	}
	return nil
}

// foreign counts the rules and frontends that are not ours.
func (l *balancerDraft) foreign(b *builder) (rules, frontends int) {
	if l.seen == nil {
		return 0, 0
	}
	for _, r := range l.seen.Rules {
		if b.owner(r.Name) == "" {
			rules++
		}
	}
	for _, f := range l.seen.Frontends {
		if b.owner(f.Name) == "" {
			frontends++
		}
	}
	return rules + len(l.seen.Uses), frontends
}

// enter writes a part into the outline.
func (d *outline) enter(s *service, p part) {
	l := p.balancer
	for _, f := range p.frontends {
		d.enterFrontend(l, f)
		d.cause(l.id.Child(armid.FrontendIPConfigurations, f.Name), s, p.fields[f.Name])
	}
	for _, ports := range p.ports {
		for _, r := range ports.rules {
			l.rules[strings.ToLower(r.Name)] = r
			l.take(r, s)
			d.cause(l.id.Child(armid.LoadBalancingRules, r.Name), s, ports.fields["rule "+r.Name])
			d.ruleCauses(l.id.Child(armid.LoadBalancingRules, r.Name), s)
		}
		for _, probe := range ports.probes {
			l.probes[strings.ToLower(probe.Name)] = probe
			d.cause(l.id.Child(armid.Probes, probe.Name), s, ports.fields["probe "+probe.Name])
		}
	}
	for _, c := range p.publicIPs {
		d.claimPublicIP(s, c)
	}
	d.enterOrigins(p)
	d.results[s.name] = &result{ingress: p.ingress, frontends: p.names()}
	d.causeOnce(l.id, s, "spec.type")
	for i, in := range p.ingress[:len(p.frontends)] {
		// Nothing but a rule tells whose a pool is: without one, a pool of its own could not be removed any more.
		if len(p.ports[i].rules) > 0 || !d.ownPool(s) {
			d.enterPool(s, l, in.family)
		}
	}
}

func (p part) names() []string {
	var names []string
	for _, f := range p.frontends {
		names = append(names, f.Name)
	}
	return names
}

// cause notes that s asks for id by the given field.
func (d *outline) cause(id ID, s *service, field string) {
	d.because(id.Key(), Cause{Service: s.name, Field: field, Reason: ReasonService})
}

// causeOnce is cause for the first time that s asks for id by the field: there is nothing to compare it with.
func (d *outline) causeOnce(id ID, s *service, field string) {
	d.causes[id.Key()] = append(d.causes[id.Key()], Cause{Service: s.name, Field: field, Reason: ReasonService})
}

func (d *outline) because(key string, c Cause) {
	if list := d.causes[key]; !slices.Contains(list, c) {
		d.causes[key] = append(list, c)
	}
}

// ruleCauses notes which annotation or field decides each field of a rule.
func (d *outline) ruleCauses(id ID, s *service) {
	for field, from := range map[string]string{
		"IdleMinutes":  annotationField(keyIdle),
		"TCPReset":     annotationField(keyReset),
		"FloatingIP":   annotationField(keyFloating),
		"Distribution": "spec.sessionAffinity",
	} {
		d.causes[id.Key()+"#"+field] = []Cause{{Service: s.name, Field: from, Reason: ReasonService}}
	}
	d.causes[id.Key()+"#DisableOutboundSNAT"] = []Cause{{Field: "disableOutboundSNAT", Reason: ReasonConfiguration}}
}
