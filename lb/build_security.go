package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"go4.org/netipx"
	corev1 "k8s.io/api/core/v1"
)

// ErrLegacyRule is in the finding about security rules that cloud providers up to 1.28 left behind.
var ErrLegacyRule = errors.New("security rules of a cloud provider up to 1.28")

// securityOutline is the security group in the making; rules by name in lower case.
type securityOutline struct {
	rules        map[string]*ruleDraft
	sources      int
	destinations int
}

type ruleDraft struct {
	rule         SecurityRule
	destinations map[Address]bool
}

// checkAccess holds a Service whose security rules cannot be written as they should be.
func (d *outline) checkAccess(s *service) []fieldError {
	if d.c.SecurityGroup == "" || s.cfg.Access.NoRules {
		return nil
	}
	if d.seen.securityGroup(d.c.SecurityGroup) == nil {
		u := d.seen.unknown(armid.NetworkSecurityGroups, d.c.SecurityGroup)
		if u == nil {
			u = &Unknown{Scope: d.c.SecurityGroup, Type: armid.NetworkSecurityGroups, Absent: true}
		}
		e := unreadable(*u)
		e.field = "securityGroupName"
		return []fieldError{e}
	}
	if s.denies() && !s.cfg.Rules.FloatingIP {
		return []fieldError{{annotationField(keyFloating), fmt.Errorf("%w: without floating IP the rule that denies everything else would cover the nodes themselves; "+
			"remove this annotation, or the unusable or denied sources", ErrUnserved)}}
	}
	return nil
}

// denies reports whether a Service denies what it does not allow.
func (s *service) denies() bool {
	a := s.cfg.Access
	return a.Closed || a.DenyAll && len(a.Ranges) > 0
}

// securityWish is one rule that a Service asks for, without destinations.
type securityWish struct {
	rule   SecurityRule
	family ipam.Family
	field  string
}

// portsByProtocol groups the ports to open by the protocol of security rules, in the order Tcp, Udp, *.
func (s *service) portsByProtocol() map[string][]string {
	ports, added := map[string][]string{}, map[string]bool{}
	for _, p := range s.obj.Spec.Ports {
		number := p.Port
		if !s.cfg.Rules.FloatingIP {
			number = p.NodePort
		}
		proto := securityProtocol(protocolOf(p))
		if text := strconv.Itoa(int(number)); !added[proto+text] {
			added[proto+text] = true
			ports[proto] = append(ports[proto], text)
		}
	}
	for _, list := range ports {
		slices.Sort(list)
	}
	return ports
}

func securityProtocol(p corev1.Protocol) string {
	switch p {
	case corev1.ProtocolTCP:
		return "Tcp"
	case corev1.ProtocolUDP:
		return "Udp"
	default:
		return "*"
	}
}

// aggregate returns the fewest prefixes of family f that cover the same addresses, as sorted text.
func aggregate(ranges []netip.Prefix, f ipam.Family) []string {
	var b netipx.IPSetBuilder
	for _, r := range ranges {
		if ipam.FamilyOf(r.Addr()) == f {
			b.AddPrefix(r)
		}
	}
	set, err := b.IPSet()
	if err != nil {
		return nil
	}
	var text []string
	for _, p := range set.Prefixes() {
		text = append(text, p.String())
	}
	slices.Sort(text)
	return text
}

// wishes returns the rules that a Service asks for, for the families that it has destinations of: one for each service tag, since ARM takes
// a tag alone only, one for all ranges of the family, and one that denies everything else.
func (s *service) wishes(families []ipam.Family) []securityWish {
	a := s.cfg.Access
	tags := slices.Clone(a.ServiceTags)
	if !s.cfg.Internal && len(tags) == 0 && len(a.Ranges) == 0 && !a.Closed {
		tags = append(tags, "Internet")
	}
	var list []securityWish
	ports := s.portsByProtocol()
	allow := func(proto string, f ipam.Family, sources []string, field string) {
		r := SecurityRule{Name: allowName(f, proto, sources, ports[proto]), Access: "Allow", Protocol: proto, Sources: sources, Ports: ports[proto]}
		list = append(list, securityWish{r, f, field})
	}
	for _, proto := range []string{"Tcp", "Udp", "*"} {
		if len(ports[proto]) == 0 {
			continue
		}
		for _, f := range families {
			for _, tag := range tags {
				allow(proto, f, []string{tag}, s.sourceField())
			}
			if ranges := aggregate(a.Ranges, f); len(ranges) > 0 {
				allow(proto, f, ranges, s.sourceField())
			}
		}
	}
	if s.denies() {
		for _, f := range families {
			r := SecurityRule{Name: denyName(f), Access: "Deny", Protocol: "*", Sources: []string{"*"}, Ports: []string{"*"}}
			list = append(list, securityWish{r, f, s.sourceField()})
		}
	}
	return list
}

// sourceField names the field that says who may reach the Service.
func (s *service) sourceField() string {
	if len(s.obj.Spec.LoadBalancerSourceRanges) > 0 {
		return "spec.loadBalancerSourceRanges"
	}
	for _, key := range sourceKeys {
		if _, ok := s.obj.Annotations[key]; ok {
			return annotationField(key)
		}
	}
	return "spec.type"
}

// destinations returns where the traffic of a Service goes, by family.
func (d *outline) destinations(s *service) map[ipam.Family][]Address {
	byFamily := map[ipam.Family][]Address{}
	added := map[ingress]bool{}
	add := func(f ipam.Family, a Address) {
		if at := (ingress{f, a}); !added[at] {
			added[at] = true
			byFamily[f] = append(byFamily[f], a)
		}
	}
	own := len(d.results[s.name].ingress) - len(s.cfg.PublicIP.Additional)
	for i, in := range d.results[s.name].ingress {
		if i >= own || s.cfg.Rules.FloatingIP {
			add(in.family, in.address)
		}
	}
	if !s.cfg.Rules.FloatingIP {
		l := d.balancer(d.balancerOf(s))
		local := d.localPools[l.id.Key()]
		for _, p := range d.wantPools(l) {
			if own, isLocal := local[strings.ToLower(p.Name)]; d.ownPool(s) != isLocal || isLocal && own.s != s {
				continue
			}
			for _, m := range p.Members {
				if f := ipam.FamilyOf(m.IP); slices.Contains(s.cfg.Families, f) {
					add(f, Address{IP: m.IP})
				}
			}
		}
	}
	return byFamily
}

// finishSecurity works out the managed rules: what held Services keep, then what the others ask for.
func (d *outline) finishSecurity() {
	d.security.rules = map[string]*ruleDraft{}
	group := d.seen.securityGroup(d.c.SecurityGroup)
	if d.c.SecurityGroup == "" || group == nil {
		return
	}
	d.keepSecurity(group)
	for _, s := range d.order() {
		if d.results[s.name] == nil || s.cfg.Access.NoRules {
			continue
		}
		d.allow(s)
	}
	d.keepByHand(group)
	d.reportLegacyRules(group)
}

// keepByHand keeps allowances for ranges of ports where they lead to addresses in use. Neither azlb nor upstream makes such rules, so
// somebody gave them a managed name, and upstream leaves them alone.
func (d *outline) keepByHand(group *SeenSecurityGroup) {
	var used map[netip.Addr]bool
	for _, r := range group.Rules {
		if _, readable := numbers(r.Ports); readable || !managed(r) || r.Outbound || r.Access == "Deny" || d.wishedFor(r.Name) {
			continue
		}
		if used == nil {
			used = d.usedAddresses()
		}
		for _, a := range r.Destinations {
			if used[a.IP] {
				d.destine(d.securityRule(r), a)
			}
		}
		d.because(group.ID.Child(armid.SecurityRules, r.Name).Key(), Cause{Reason: ReasonUnused})
	}
}

// wishedFor reports whether a rule has destinations already.
func (d *outline) wishedFor(name string) bool {
	have := d.security.rules[strings.ToLower(name)]
	return have != nil && len(have.destinations) > 0
}

// usedAddresses are the addresses of Services and nodes, as far as they are known.
func (d *outline) usedAddresses() map[netip.Addr]bool {
	used := map[netip.Addr]bool{}
	for _, l := range d.balancers {
		seen := d.seen.balancers[l.id.Key()]
		if seen == nil {
			seen = &seenBalancer{}
		}
		for _, f := range l.frontends {
			used[seen.address(d.seen, f)] = true
		}
	}
	for _, s := range d.services {
		for _, a := range s.cfg.PublicIP.Additional {
			used[a] = true
		}
	}
	for _, a := range nodeAddresses(d.in.Nodes) {
		used[a] = true
	}
	delete(used, netip.Addr{})
	return used
}

// reportLegacyRules says which rules of former controllers are left: they still let in what they let in, and nobody looks after them.
func (d *outline) reportLegacyRules(group *SeenSecurityGroup) {
	var names []string
	for _, r := range group.Rules {
		if legacyRule(r.Name) {
			names = append(names, r.Name)
		}
	}
	if len(names) == 0 || len(d.only) > 0 {
		return
	}
	slices.Sort(names)
	d.findings = append(d.findings, Finding{
		Field: string(group.ID), Severity: SeverityInfo,
		Err: fmt.Errorf("%d %w stay and let in what they always did; remove them: %s", len(names), ErrLegacyRule, atMost(names, 5)),
	})
}

// legacyRule reports whether a name is that of a rule of cloud providers up to 1.28: the base name of a Service or "shared", then protocol,
// port and source.
func legacyRule(name string) bool {
	head, rest, ok := strings.Cut(name, "-")
	if !ok || head != "shared" && baseOf(head) == "" {
		return false
	}
	part := strings.SplitN(rest, "-", 3)
	if len(part) < 3 || !slices.Contains([]string{"TCP", "UDP", "SCTP"}, part[0]) {
		return false
	}
	_, err := strconv.ParseUint(part[1], 10, 16)
	return err == nil
}

// allow enters the rules of one Service, or holds it where they would pass a limit.
func (d *outline) allow(s *service) {
	byFamily := d.destinations(s)
	d.keepOpened(s, byFamily)
	var families []ipam.Family
	for _, f := range []ipam.Family{ipam.IPv4, ipam.IPv6} {
		if len(byFamily[f]) > 0 {
			families = append(families, f)
		}
	}
	wishes, to := s.wishes(families), func(w securityWish) []Address { return byFamily[w.family] }
	if undenied := d.undenied(s, wishes, byFamily); len(undenied) > 0 {
		to = func(w securityWish) []Address {
			if w.rule.Access != "Deny" {
				return byFamily[w.family]
			}
			return slices.DeleteFunc(slices.Clone(byFamily[w.family]), func(a Address) bool { return slices.Contains(undenied, a) })
		}
	}
	for _, w := range wishes {
		if r, ok := d.namesake(w.rule.Name); ok {
			d.hold(s, s.sourceField(), fmt.Errorf("%w: security rule %s exists already and its priority %d is outside 500–4096, the range azlb manages; rename or remove it", ErrForeign, r.Name, r.Priority))
			return
		}
	}
	rules, sources, destinations := 0, 0, 0
	for _, w := range wishes {
		r := d.security.rules[strings.ToLower(w.rule.Name)]
		if r == nil {
			rules, sources = rules+1, sources+len(w.rule.Sources)
		}
		for _, a := range to(w) {
			if r == nil || !r.destinations[a] {
				destinations++
			}
		}
	}
	limits, foreign := d.c.Limits, d.foreignSecurity()
	if n := len(d.security.rules) + foreign.rules + rules; rules > 0 && n > limits.RulesPerSecurityGroup {
		d.hold(s, s.sourceField(), fmt.Errorf("%w: %d security rules in %s, at most %d", ErrLimit, n, d.c.SecurityGroup.Name(), limits.RulesPerSecurityGroup))
		return
	}
	if n := max(foreign.sources+d.security.sources+sources, foreign.destinations+d.security.destinations+destinations); n > limits.AddressesPerSecurityRule && sources+destinations > 0 {
		d.hold(s, s.sourceField(), fmt.Errorf("%w: %d sources or destinations in security group %s, at most %d", ErrLimit, n, d.c.SecurityGroup.Name(), limits.AddressesPerSecurityRule))
		return
	}
	if d.priorities(wishes) > foreign.priorities {
		d.hold(s, s.sourceField(), fmt.Errorf("%w: remove rules of others from %s", ErrNoPriority, d.c.SecurityGroup.Name()))
		return
	}
	for _, w := range wishes {
		r := d.securityRule(w.rule)
		for _, a := range to(w) {
			d.destine(r, a)
		}
		d.cause(d.c.SecurityGroup.Child(armid.SecurityRules, w.rule.Name), s, w.field)
	}
}

// namesake finds the rule of somebody else that has a name of ours.
func (d *outline) namesake(name string) (SecurityRule, bool) {
	for _, r := range d.seen.securityGroup(d.c.SecurityGroup).Rules {
		if len(r.Name) == len(name) && strings.EqualFold(r.Name, name) && !managed(r) {
			return r, true
		}
	}
	return SecurityRule{}, false
}

// foreignSecurity is what rules of others take of the limits of the group; priorities are those that no rule has yet.
type foreignSecurity struct{ rules, sources, destinations, priorities int }

func (d *outline) foreignSecurity() foreignSecurity {
	f := foreignSecurity{priorities: int(lastPriority-firstPriority) + 1}
	taken := map[int32]bool{}
	for _, r := range d.seen.securityGroup(d.c.SecurityGroup).Rules {
		if r.Priority >= firstPriority && r.Priority <= lastPriority && !taken[r.Priority] {
			taken[r.Priority] = true
			f.priorities--
		}
		if !managed(r) {
			f.rules, f.sources, f.destinations = f.rules+1, f.sources+len(r.Sources), f.destinations+len(r.Destinations)
		}
	}
	return f
}

// priorities counts the rules that need a priority once wishes are entered: those that are not in the group yet.
func (d *outline) priorities(wishes []securityWish) int {
	fresh := map[string]bool{}
	for key := range d.security.rules {
		fresh[key] = true
	}
	for _, w := range wishes {
		fresh[strings.ToLower(w.rule.Name)] = true
	}
	for _, r := range d.seen.securityGroup(d.c.SecurityGroup).Rules {
		delete(fresh, strings.ToLower(r.Name))
	}
	return len(fresh)
}

// securityRule returns the rule of the outline with the name of r, entering r if there is none.
func (d *outline) securityRule(r SecurityRule) *ruleDraft {
	key := strings.ToLower(r.Name)
	if have := d.security.rules[key]; have != nil {
		return have
	}
	r.Destinations = nil
	have := &ruleDraft{rule: r, destinations: map[Address]bool{}}
	d.security.rules[key] = have
	d.security.sources += len(r.Sources)
	return have
}

func (d *outline) destine(r *ruleDraft, a Address) {
	if !r.destinations[a] {
		r.destinations[a] = true
		d.security.destinations++
	}
}

// wantSecurityGroup returns the managed rules and the ids of those to delete.
func (d *outline) wantSecurityGroup() (SecurityGroup, []ID, bool) {
	group := d.seen.securityGroup(d.c.SecurityGroup)
	if d.c.SecurityGroup == "" || group == nil {
		return SecurityGroup{}, nil, false
	}
	want := SecurityGroup{ID: group.ID, Tags: d.c.Tags}
	d.removeSystemTags(group.ID.Key(), group.Tags, want.Tags)
	for _, r := range sortedValues(d.security.rules, func(a, b *ruleDraft) int { return strings.Compare(a.rule.Name, b.rule.Name) }) {
		if len(r.destinations) == 0 {
			continue
		}
		for a := range r.destinations {
			r.rule.Destinations = append(r.rule.Destinations, a)
		}
		slices.SortFunc(r.rule.Destinations, CompareAddresses)
		want.Rules = append(want.Rules, r.rule)
	}
	var gone []ID
	for _, r := range group.Rules {
		if !managed(r) || len(r.Destinations) == 0 {
			continue // one without an address is for application security groups, which azlb never writes
		}
		if have := d.security.rules[strings.ToLower(r.Name)]; have == nil || len(have.destinations) == 0 {
			id := group.ID.Child(armid.SecurityRules, r.Name)
			gone = append(gone, id)
			d.because(id.Key(), Cause{Reason: ReasonUnused})
		}
	}
	return want, gone, true
}
