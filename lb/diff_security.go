package lb

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
)

// ErrNoPriority is in the findings about security rules that found no free priority.
var ErrNoPriority = errors.New("no free priority between 500 and 4095 is left in the security group")

// ErrNoAddress is in the findings about destinations that have no address and get none from the plan.
var ErrNoAddress = errors.New("has no address yet")

// securityDraft is one security group on its way into the plan.
type securityDraft struct {
	exists        bool
	failed        bool           // the last operation on it failed, so it is written whatever changes
	seen          []SecurityRule // all of it
	before, after SecurityGroup  // our part
	served        map[netip.Addr]servedAddr
	anyChanging   bool // whether any of served is
	added         []rulePair
	removed       []rulePair
	handedOver    map[ruleTarget][]string // of removed, with ports: what must be gone before the load balancers are written
	takenOver     map[ruleTarget][]string // of added, with ports: what must not be there before the load balancers are written
}

// ruleTarget is a destination of the rule with this name in lower case.
type ruleTarget struct {
	name string
	to   Address
}

func targetOf(r SecurityRule, to Address) ruleTarget { return ruleTarget{strings.ToLower(r.Name), to} }

// rulePair is one destination of a rule.
type rulePair struct {
	rule SecurityRule
	to   Address
}

// servedAddr is an address that a load balancer serves before the plan.
type servedAddr struct {
	lb       *lbDraft // nil if the plan does not write it
	frontend string
	changing bool // its frontend or one of its rules is removed or changed
	ended    bool // no rule leads to it after the plan
	dropped  bool // nor has any frontend it
}

// writeSecurityGroups makes the writes of the security groups.
//
// One write after the load balancers that build is enough, since what they build is closed until then. It goes before them if it denies
// something there, or shuts a port that another Service takes over, so that nothing is open in between; what else it takes away from traffic
// that a load balancer still serves, and what it opens for the Service that takes over, then waits for that load balancer in a second write.
func (d *differ) writeSecurityGroups() {
	seen := map[string]SeenSecurityGroup{}
	var ids []ID
	for _, s := range d.seen.SecurityGroups {
		seen[s.ID.Key()] = s
		ids = append(ids, s.ID)
	}
	served := d.servedAddrs()
	bare := func(id ID) SecurityGroup { return SecurityGroup{ID: id} }
	changing := false
	for _, a := range served {
		changing = changing || a.changing
	}
	for _, want := range targets(d.want.SecurityGroups, func(g SecurityGroup) ID { return g.ID }, bare, d, armid.NetworkSecurityGroups, ids) {
		s, exists := seen[want.ID.Key()]
		g := &securityDraft{exists: exists, seen: s.Rules, served: served, anyChanging: changing}
		g.before, g.after = d.ourSecurityGroup(s.SecurityGroup, want, exists)
		g.failed = s.Failed && len(g.after.Rules) > 0
		g.added, g.removed = rulePairs(g.before.Rules, g.after.Rules), rulePairs(g.after.Rules, g.before.Rules)
		d.writeSecurityGroup(g)
	}
}

// ourSecurityGroup returns our part of seen, and want with known addresses, priorities, and the value of seen where ARM would see no
// difference.
func (d *differ) ourSecurityGroup(seen, want SecurityGroup, exists bool) (before, after SecurityGroup) {
	if !exists {
		seen.ID = want.ID
	} else {
		before.ID = seen.ID
	}
	after.ID = seen.ID
	for _, r := range securityKind.ours(seen.ID, seen.Rules, want.Rules, d.remove) {
		before.Rules = append(before.Rules, canonicalRule(r))
	}
	old := securityKind.byName(before.Rules)
	for _, r := range securityKind.sorted(want.Rules) {
		wanted := len(r.Destinations)
		if r.Destinations = d.knownDestinations(seen.ID, r); wanted > 0 && len(r.Destinations) == 0 {
			continue
		}
		if b, ok := old[strings.ToLower(r.Name)]; ok && r.Priority == 0 {
			r.Priority = b.Priority
		}
		after.Rules = append(after.Rules, canonicalRule(r))
	}
	after.Rules = d.withPriorities(seen, after.Rules)
	after.Rules = securityKind.settled(before.Rules, after.Rules)
	before.Tags, after.Tags = ourTags(seen.Tags, want.Tags, d.removeTags(seen.ID))
	return before, after
}

// canonicalRule returns r with its lists sorted and without duplicates.
func canonicalRule(r SecurityRule) SecurityRule {
	r.Sources = slices.Compact(slices.Sorted(slices.Values(r.Sources)))
	r.Ports = slices.Compact(slices.Sorted(slices.Values(r.Ports)))
	if r.SourcePorts = slices.Compact(slices.Sorted(slices.Values(r.SourcePorts))); slices.Contains(r.SourcePorts, "*") {
		r.SourcePorts = nil
	}
	r.Destinations = sortedAddresses(r.Destinations)
	return r
}

// sortedAddresses returns list sorted and without duplicates; references are equal whatever their case.
func sortedAddresses(list []Address) []Address {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Address) int {
		return cmp.Or(CompareAddresses(a, b), strings.Compare(string(a.Of), string(b.Of)))
	})
	return slices.CompactFunc(list, func(a, b Address) bool { return CompareAddresses(a, b) == 0 })
}

// knownDestinations returns the destinations of r, references to addresses that are known already written out. One that nothing in the
// plan will ever know is left out with a finding.
func (d *differ) knownDestinations(group ID, r SecurityRule) []Address {
	list := slices.Clone(r.Destinations)
	for i, a := range list {
		if a.Known() {
			continue
		}
		of := d.addressHolder(a.Of)
		if ip := d.knownAddress(of); ip.IsValid() {
			list[i] = Address{IP: ip}
			continue
		}
		list[i] = Address{Of: of}
		if d.writes(of) == nil {
			list[i] = Address{}
			d.blame(group.Child(armid.SecurityRules, r.Name), fmt.Errorf("rule %s: destination %s %w", r.Name, of.Name(), ErrNoAddress))
		}
	}
	return slices.DeleteFunc(list, func(a Address) bool { return a == Address{} })
}

// addressHolder returns the public IP of a public frontend, else id itself.
func (d *differ) addressHolder(id ID) ID {
	l := d.draftOf(id.Top())
	if l == nil || !id.Is(frontendType) {
		return id
	}
	name := strings.ToLower(id.Name())
	if f, ok := l.afterByName[name]; ok {
		return cmp.Or(f.PublicIP, id)
	}
	return cmp.Or(l.seenByName[name].PublicIP, id)
}

// knownAddress returns the address that id has and keeps through the plan.
func (d *differ) knownAddress(id ID) netip.Addr {
	key := id.Key()
	if ip, ok := d.seenIPs[key]; ok && !d.recreate[key] {
		return ip.Address
	}
	if !id.Is(frontendType) {
		return netip.Addr{}
	}
	l := d.draftOf(id.Top())
	if l == nil {
		return d.assignedAddress(id)
	}
	name := strings.ToLower(id.Name())
	before, was := l.seenByName[name]
	after, is := l.afterByName[name]
	switch {
	case is && after.Static.IsValid():
		return after.Static
	case was && l.first == nil && (!is || before == after):
		return l.assigned(before)
	default:
		return netip.Addr{}
	}
}

// assignedAddress returns the private address of a frontend on a load balancer that the plan does not write.
func (d *differ) assignedAddress(id ID) netip.Addr {
	for _, l := range d.seen.LoadBalancers {
		if !l.ID.Equal(id.Top()) {
			continue
		}
		for _, f := range l.Frontends {
			if strings.EqualFold(f.Name, id.Name()) {
				return cmp.Or(f.Static, l.Assigned[f.Name])
			}
		}
	}
	return netip.Addr{}
}

// writes returns the write after which the address of id is known, or nil.
func (d *differ) writes(id ID) *draft {
	if put := d.ipPuts[id.Key()]; put != nil {
		return put
	}
	if l := d.draftOf(id.Top()); l != nil {
		return l.last
	}
	return nil
}

// makes returns what the write after which the address of id is known does.
func (d *differ) makes(id ID) deed {
	if d.ipPuts[id.Key()] != nil {
		return makesAddress
	}
	return serves
}

// The priorities of managed rules.
const (
	firstPriority int32 = 500
	lastPriority  int32 = 4095
)

// withPriorities gives new rules their priority: allowances the smallest free one, denials the largest. Free is what no rule of the group
// has, in any direction, removed ones included, since both may be there while the write goes on.
func (d *differ) withPriorities(seen SecurityGroup, rules []SecurityRule) []SecurityRule {
	used := priorities(seen.Rules, rules)
	rules = slices.SortedFunc(slices.Values(rules), comparePlacement)
	low, high := firstPriority, lastPriority
	for _, i := range denialsFirst(rules) {
		r := rules[i]
		if r.Priority != 0 {
			continue
		}
		for low <= lastPriority && used[low] {
			low++
		}
		for high >= firstPriority && used[high] {
			high--
		}
		if low > high {
			d.blame(seen.ID.Child(armid.SecurityRules, r.Name), fmt.Errorf("security rule %s is not written: %w", r.Name, ErrNoPriority))
			continue
		}
		rules[i].Priority = low
		if r.Access == "Deny" {
			rules[i].Priority = high
		}
		used[rules[i].Priority] = true
	}
	return slices.DeleteFunc(rules, func(r SecurityRule) bool { return r.Priority == 0 })
}

// priorities is the set of those that rules of lists have.
func priorities(lists ...[]SecurityRule) map[int32]bool {
	set := map[int32]bool{}
	for _, r := range slices.Concat(lists...) {
		set[r.Priority] = true
	}
	return set
}

// denialsFirst returns the places of the rules, denials before allowances: where priorities run out, what is left out must not be what closes.
func denialsFirst(rules []SecurityRule) []int {
	var denials, rest []int
	for i, r := range rules {
		if r.Access == "Deny" {
			denials = append(denials, i)
		} else {
			rest = append(rest, i)
		}
	}
	return append(denials, rest...)
}

// comparePlacement is the order in which rules get priorities: protocol, family, tags before ranges, name.
func comparePlacement(a, b SecurityRule) int {
	return cmp.Or(cmp.Compare(protocolRank(a.Protocol), protocolRank(b.Protocol)), cmp.Compare(familyRank(a), familyRank(b)),
		cmp.Compare(sourceRank(a), sourceRank(b)), strings.Compare(a.Name, b.Name))
}

func protocolRank(p string) int {
	switch strings.ToLower(p) {
	case "tcp":
		return 0
	case "udp":
		return 1
	default:
		return 2
	}
}

// familyRank reads the family from the name of a managed rule, or from its first known destination.
func familyRank(r SecurityRule) int {
	if strings.Contains(r.Name, "_IPv6") || !strings.Contains(r.Name, "_IPv4") && len(r.Destinations) > 0 &&
		ipam.FamilyOf(r.Destinations[0].IP) == ipam.IPv6 {
		return 1
	}
	return 0
}

func sourceRank(r SecurityRule) int {
	if len(r.Sources) > 0 {
		if _, err := netip.ParsePrefix(r.Sources[0]); err == nil {
			return 1
		}
	}
	return 0
}

// sameMatch reports whether two rules of one name do the same to the same traffic, destinations aside.
func sameMatch(a, b SecurityRule) bool {
	return a.Access == b.Access && a.Outbound == b.Outbound && strings.EqualFold(a.Protocol, b.Protocol) &&
		slices.Equal(a.Sources, b.Sources) && slices.Equal(a.SourcePorts, b.SourcePorts) && slices.Equal(a.Ports, b.Ports)
}

// rulePairs lists the destinations of rules in after that before lacks.
func rulePairs(before, after []SecurityRule) []rulePair {
	old := securityKind.byName(before)
	var out []rulePair
	for _, r := range after {
		had := map[Address]bool{}
		if b, ok := old[strings.ToLower(r.Name)]; ok && sameMatch(b, r) {
			for _, a := range b.Destinations {
				had[a] = true
			}
		}
		for _, a := range r.Destinations {
			if !had[a] {
				out = append(out, rulePair{r, a})
			}
		}
	}
	return out
}

// servedAddrs finds the addresses that load balancers serve before the plan.
func (d *differ) servedAddrs() map[netip.Addr]servedAddr {
	kept, used := map[hold]bool{}, map[hold]bool{}
	for _, l := range d.lbs {
		maps.Copy(kept, l.holds(l.after))
		maps.Copy(used, l.holds(LoadBalancer{Frontends: l.after.leading()}))
	}
	out := map[netip.Addr]servedAddr{}
	for _, s := range d.seen.LoadBalancers {
		l := d.draftOf(s.ID)
		changing := map[string]bool{}
		if l != nil {
			changing = l.changingFrontends()
		}
		for _, f := range s.Frontends {
			ip := cmp.Or(f.Static, s.Assigned[f.Name])
			if f.PublicIP != "" {
				ip = d.seenIPs[f.PublicIP.Key()].Address
			}
			if !ip.IsValid() {
				continue
			}
			name := strings.ToLower(f.Name)
			h := held(f, ip)
			out[ip] = servedAddr{l, f.Name, changing[name], changing[name] && !used[h], changing[name] && !kept[h]}
		}
	}
	return out
}

// leading returns the frontends that rules have.
func (l LoadBalancer) leading() []Frontend {
	used := map[string]bool{}
	for _, r := range l.Rules {
		used[strings.ToLower(r.Frontend)] = true
	}
	return slices.DeleteFunc(slices.Clone(l.Frontends), func(f Frontend) bool { return !used[strings.ToLower(f.Name)] })
}

// changingFrontends returns the lower-case names of seen frontends that l removes or changes, or whose rules it does.
func (l *lbDraft) changingFrontends() map[string]bool {
	set := map[string]bool{}
	frontends, rules := frontendKind.byName(l.after.Frontends), ruleKind.byName(l.after.Rules)
	for _, f := range l.before.Frontends {
		if name := strings.ToLower(f.Name); frontends[name] != f {
			set[name] = true
		}
	}
	for _, r := range l.before.Rules {
		if rules[strings.ToLower(r.Name)] != r {
			set[strings.ToLower(r.Frontend)] = true
		}
	}
	for name := range l.drop {
		set[name] = true
	}
	return set
}

// builders returns the load balancers whose last write adds or changes something.
func (d *differ) builders() []*lbDraft {
	return slices.DeleteFunc(slices.Clone(d.lbs), func(l *lbDraft) bool { return !l.builds() })
}

func (l *lbDraft) builds() bool {
	return !l.doomed && l.last != nil &&
		slices.ContainsFunc(l.last.op.Why(), func(c Change) bool { return c.Action != Delete })
}

// writeSecurityGroup decides on one write or two, and on their place.
func (d *differ) writeSecurityGroup(g *securityDraft) {
	builders := d.builders()
	early := false
	if len(builders) > 0 {
		g.handedOver = d.lettingIn(g, g.removed, g.after, false)
		early = len(g.handedOver) > 0 || slices.ContainsFunc(g.added, d.isEarlyDenial)
	}
	if early {
		g.takenOver = d.lettingIn(g, g.added, g.before, true)
	}
	if !d.splits(g, early, builders) {
		d.placeSecurity(g, d.putSecurityGroup(g, g.before, g.after, g.exists), early, builders)
		return
	}
	ready := func(r SecurityRule, a Address) bool {
		return !early || len(g.takenOver[targetOf(r, a)]) == 0 && d.knownBefore(a, builders)
	}
	first, mid := d.putInterim(g, g.before, g.exists, ready)
	d.placeSecurity(g, first, early, builders)
	between := d.denyBetween(g, &mid, first, ready, builders)
	second := d.putSecurityGroup(g, mid, g.after, g.exists || first != nil || between != nil)
	d.placeSecurity(g, second, false, builders)
	d.steps.order(first, firstState, second, secondState)
	d.steps.order(between, firstState, second, secondState)
}

// putInterim writes what is added as far as ready says, takes nothing away but what is handed over, and returns what the group is then.
func (d *differ) putInterim(g *securityDraft, before SecurityGroup, exists bool, ready func(SecurityRule, Address) bool) (*draft, SecurityGroup) {
	why := d.why
	mid := g.additions(ready)
	mid.Rules = d.withoutHandedOver(g, mid.Rules)
	write := d.putSecurityGroup(g, before, mid, exists)
	d.why = why // a rule for the time between the two goes because nothing uses it
	return write, mid
}

// denyBetween makes a write of its own for denials of addresses that come to be known only after some load balancer is written, since that one gives
// up what they are made of, and before the one that begins to serve them; nil if there are none. mid is what the group is before it and then after.
func (d *differ) denyBetween(g *securityDraft, mid *SecurityGroup, first *draft, ready func(SecurityRule, Address) bool, builders []*lbDraft) *draft {
	late := map[Address]bool{}
	for _, p := range g.added {
		if d.isEarlyDenial(p) && !d.knownBefore(p.to, builders) {
			late[p.to] = true
		}
	}
	if len(late) == 0 {
		return nil
	}
	write, after := d.putInterim(g, *mid, g.exists || first != nil, func(r SecurityRule, a Address) bool { return ready(r, a) || r.Access == "Deny" && late[a] })
	if write == nil {
		return nil
	}
	*mid = after
	d.steps.order(first, firstState, write, secondState)
	for a := range late {
		d.steps.order(d.writes(a.Of), d.makes(a.Of), write, namesNew)
		for _, l := range builders {
			if slices.ContainsFunc(l.after.Frontends, func(f Frontend) bool { return f.PublicIP.Equal(a.Of) }) {
				d.steps.order(write, shuts, l.last, serves)
			}
		}
	}
	d.security = append(d.security, write)
	return write
}

// knownBefore reports whether an address is known before any of the load balancers gets its last write: that of a public IP which one of them has to
// give up first is not.
func (d *differ) knownBefore(a Address, builders []*lbDraft) bool {
	put := d.ipPuts[a.Of.Key()]
	return a.Known() || put != nil && !slices.ContainsFunc(builders, func(l *lbDraft) bool { return put.waitsFor(l.last) })
}

// lettingIn finds the allowances of pairs that would let somebody in to another Service than the one they are for while load balancers give ports
// of an address to others, and these ports: those for the traffic of rules that go, or else of rules that come, where with does not let it in
// anyway.
func (d *differ) lettingIn(g *securityDraft, pairs []rulePair, with SecurityGroup, going bool) map[ruleTarget][]string {
	list := map[ruleTarget][]string{}
	var changed map[netip.Addr][]Rule
	open := allowances(with.Rules)
	for _, p := range pairs {
		if p.rule.Access != "Allow" || p.rule.Outbound || !g.served[p.to.IP].changing {
			continue
		}
		if changed == nil {
			changed = d.changedRules(g.served, going)
		}
		for _, r := range changed[p.to.IP] {
			if part, matches := p.rule.through(r); matches && !covered(part, open[p.to]) {
				list[targetOf(p.rule, p.to)] = append(list[targetOf(p.rule, p.to)], part.Ports...)
			}
		}
	}
	return list
}

// changedRules lists the rules whose traffic leaves its Service, or else comes to one, with a write of a load balancer, by the address that the
// traffic comes to. served is what has the addresses before.
func (d *differ) changedRules(served map[netip.Addr]servedAddr, going bool) map[netip.Addr][]Rule {
	was := addressesBefore(served)
	all := map[netip.Addr][]Rule{}
	for _, l := range d.lbs {
		before := rulesTo(l.before.Rules, func(r Rule) netip.Addr { return was[l][strings.ToLower(r.Frontend)] })
		after := rulesTo(l.after.Rules, func(r Rule) netip.Addr {
			return d.knownAddress(d.addressHolder(l.id.Child(armid.FrontendIPConfigurations, r.Frontend)))
		})
		if going {
			before, after = after, before
		}
		for to, rules := range after {
			for _, r := range rules {
				if !slices.ContainsFunc(before[to], r.meets) {
					all[to.address] = append(all[to.address], r)
				}
			}
		}
	}
	return all
}

// addressesBefore is served by load balancer and lower-case name of the frontend.
func addressesBefore(served map[netip.Addr]servedAddr) map[*lbDraft]map[string]netip.Addr {
	was := map[*lbDraft]map[string]netip.Addr{}
	for ip, s := range served {
		if was[s.lb] == nil {
			was[s.lb] = map[string]netip.Addr{}
		}
		was[s.lb][strings.ToLower(s.frontend)] = ip
	}
	return was
}

// destination is an address and the Service that has rules for it.
type destination struct {
	address netip.Addr
	base    string // or the name of a rule that is not by the scheme
}

// rulesTo groups the rules that security rules see the traffic of under the address of the frontend.
func rulesTo(rules []Rule, address func(Rule) netip.Addr) map[destination][]Rule {
	to := map[destination][]Rule{}
	for _, r := range rules {
		if ip := address(r); ip.IsValid() && r.FloatingIP {
			key := destination{ip, cmp.Or(baseOf(r.Name), strings.ToLower(r.Name))}
			to[key] = append(to[key], r)
		}
	}
	return to
}

// meets reports whether some traffic to one address is that of both rules.
func (r Rule) meets(o Rule) bool {
	return (r.Protocol == o.Protocol || r.Protocol == All || o.Protocol == All) &&
		(r.FrontendPort == o.FrontendPort || r.FrontendPort == 0 || o.FrontendPort == 0)
}

// through returns the part of s that is about the traffic of r, if there is any.
func (s SecurityRule) through(r Rule) (SecurityRule, bool) {
	if s.Protocol != "*" && r.Protocol != All && !strings.EqualFold(s.Protocol, string(r.Protocol)) {
		return s, false
	}
	if port := strconv.Itoa(int(r.FrontendPort)); r.FrontendPort != 0 && !slices.Contains(s.Ports, "*") {
		if !slices.Contains(s.Ports, port) {
			return s, false
		}
		s.Ports = []string{port}
	}
	return s, true
}

// isEarlyDenial reports whether p denies something that can be denied before a load balancer is written.
func (d *differ) isEarlyDenial(p rulePair) bool {
	return p.rule.Access == "Deny" && !p.rule.Outbound && (p.to.Known() || d.ipPuts[p.to.Of.Key()] != nil)
}

// splits reports whether g needs two writes: denials that must be early together with something that must be late, or denials that a
// load balancer needs until it drops the address, together with allowances that must be there before it does.
func (d *differ) splits(g *securityDraft, early bool, builders []*lbDraft) bool {
	if early {
		return len(g.takenOver) > 0 || slices.ContainsFunc(g.added, func(p rulePair) bool { return !d.knownBefore(p.to, builders) }) ||
			slices.ContainsFunc(g.removed, g.stillServed)
	}
	return len(g.added) > 0 && slices.ContainsFunc(g.removed, func(p rulePair) bool {
		l := g.dropper(p)
		return l != nil && d.switches[l]
	})
}

// stillServed reports whether a load balancer serves p's traffic until its own write. Addresses of nodes, which are no frontend's, are
// taken to be.
func (g *securityDraft) stillServed(p rulePair) bool {
	s, ok := g.served[p.to.IP]
	if !ok {
		return p.to.IP.IsValid() && g.anyChanging
	}
	return s.changing
}

// dropper returns the load balancer that serves a denied address until its write; nil if p is no denial or the address is served afterwards.
func (g *securityDraft) dropper(p rulePair) *lbDraft {
	if s, ok := g.served[p.to.IP]; ok && s.ended && p.rule.Access == "Deny" {
		return s.lb
	}
	return nil
}

// additions returns our part of before with what after adds, as far as ready says, and nothing taken away.
func (g *securityDraft) additions(ready func(SecurityRule, Address) bool) SecurityGroup {
	mid := SecurityGroup{ID: g.after.ID, Tags: g.after.Tags}
	old, now := securityKind.byName(g.before.Rules), securityKind.byName(g.after.Rules)
	for _, r := range g.after.Rules {
		r.Destinations = slices.DeleteFunc(slices.Clone(r.Destinations), func(a Address) bool { return !ready(r, a) })
		b, ok := old[strings.ToLower(r.Name)]
		if ok {
			r.Destinations = sortedAddresses(slices.Concat(r.Destinations, b.Destinations))
		}
		if ok || len(r.Destinations) > 0 {
			mid.Rules = append(mid.Rules, r)
		}
	}
	for _, b := range g.before.Rules {
		if _, ok := now[strings.ToLower(b.Name)]; !ok {
			mid.Rules = append(mid.Rules, b)
		}
	}
	mid.Rules = securityKind.settled(g.before.Rules, mid.Rules)
	return mid
}

// withoutHandedOver takes the destinations out of rules that must be gone before the load balancers are written. What else their rules let in
// there, and something lets in afterwards, stays open.
func (d *differ) withoutHandedOver(g *securityDraft, rules []SecurityRule) []SecurityRule {
	if len(g.handedOver) == 0 {
		return rules
	}
	rules = slices.Clone(rules)
	for i, r := range rules {
		rules[i].Destinations = slices.DeleteFunc(slices.Clone(r.Destinations), func(a Address) bool {
			return len(g.handedOver[targetOf(r, a)]) > 0
		})
	}
	rules = slices.DeleteFunc(rules, func(r SecurityRule) bool { return len(r.Destinations) == 0 })
	for _, p := range g.removed {
		if given := g.handedOver[targetOf(p.rule, p.to)]; len(given) > 0 {
			rules = d.withInterim(g, rules, g.kept(rules, p, given))
		}
	}
	return securityKind.settled(g.before.Rules, rules)
}

// kept returns a rule for those ports of p that are not given away, as far as they are open afterwards and nothing in rules has them open. One
// for all ports is not divided.
func (g *securityDraft) kept(rules []SecurityRule, p rulePair, given []string) SecurityRule {
	now, later := allowances(rules)[p.to], allowances(g.after.Rules)[p.to]
	kept := p.rule
	kept.Ports = slices.DeleteFunc(slices.Clone(p.rule.Ports), func(port string) bool {
		one := p.rule
		one.Ports = []string{port}
		return slices.Contains(given, port) || covered(one, now) || !covered(one, later)
	})
	kept.Name, kept.Destinations = allowName(familyOfRule(kept), kept.Protocol, kept.Sources, kept.Ports), []Address{p.to}
	return kept
}

// withInterim returns rules with what r lets in until the second write. Without a priority for it, it is left out.
func (d *differ) withInterim(g *securityDraft, rules []SecurityRule, r SecurityRule) []SecurityRule {
	if len(r.Ports) == 0 {
		return rules
	}
	same := func(o SecurityRule) bool { return strings.EqualFold(o.Name, r.Name) }
	if i := slices.IndexFunc(rules, same); i >= 0 {
		if sameMatch(rules[i], r) {
			rules[i].Destinations = sortedAddresses(slices.Concat(rules[i].Destinations, r.Destinations))
		}
		return rules
	}
	if i := slices.IndexFunc(g.after.Rules, same); i >= 0 {
		r.Priority = g.after.Rules[i].Priority
		return append(rules, r)
	}
	if r.Priority = freePriority(priorities(g.seen, g.after.Rules, rules)); r.Priority == 0 {
		return rules
	}
	d.why = d.why.with(g.after.ID.Child(armid.SecurityRules, r.Name), d.causesOf(g, r))
	return append(rules, r)
}

// causesOf returns who asks for what r lets in.
func (d *differ) causesOf(g *securityDraft, r SecurityRule) []Cause {
	var causes []Cause
	for _, o := range g.after.Rules {
		if slices.ContainsFunc(o.Ports, func(port string) bool { return coversPort(r.Ports, port) }) &&
			slices.ContainsFunc(o.Destinations, func(a Address) bool { return slices.Contains(r.Destinations, a) }) {
			causes = append(causes, d.why.causes(Create, g.after.ID.Child(armid.SecurityRules, o.Name), nil)...)
		}
	}
	return causes
}

// freePriority returns the smallest that is not used, or 0.
func freePriority(used map[int32]bool) int32 {
	for p := firstPriority; p <= lastPriority; p++ {
		if !used[p] {
			return p
		}
	}
	return 0
}

// putSecurityGroup makes the smallest write that leads from before to after; nil if there is nothing to write.
func (d *differ) putSecurityGroup(g *securityDraft, before, after SecurityGroup, exists bool) *draft {
	changes := securityKind.changes(d.why, after.ID, before.Rules, after.Rules)
	rules := len(changes)
	if !exists {
		changes = slices.Insert(changes, 0, d.why.change(Create, after.ID, nil))
	} else if f := tagFields(before.Tags, after.Tags); len(f) > 0 {
		changes = slices.Insert(changes, 0, d.why.change(Update, after.ID, f))
	}
	tags := len(changes) > rules
	if g.failed {
		changes = d.again(changes, after.ID)
	}
	risks := d.securityRisks(g, before, after, changes)
	var op Op
	switch {
	case len(changes) == 0:
		return nil
	case g.failed:
		g.failed = false // the first write mends it
		op = PutSecurityGroup{before, after, changes}
	case rules == 0 && exists:
		op, risks = TagResource{after.ID, before.Tags, after.Tags, changes}, nil
	case rules == 1 && !tags:
		op = securityRuleOp(before, after, changes[0])
	default:
		op = PutSecurityGroup{before, after, changes}
	}
	return d.steps.add(stageSecurity, op, risks)
}

// securityRuleOp writes or deletes the one rule that changes.
func securityRuleOp(before, after SecurityGroup, c Change) Op {
	name := strings.ToLower(c.Ref.Name())
	old, now := securityKind.byName(before.Rules)[name], securityKind.byName(after.Rules)[name]
	if c.Action == Delete {
		return DeleteSecurityRule{after.ID, old, []Change{c}}
	}
	return PutSecurityRule{after.ID, old, now, []Change{c}}
}

// placeSecurity orders one write of a security group with those of public IPs and load balancers.
func (d *differ) placeSecurity(g *securityDraft, write *draft, early bool, builders []*lbDraft) {
	if write == nil {
		return
	}
	before, after := securityPart(write.op)
	for _, p := range rulePairs(before, after) {
		if !p.to.Known() {
			d.steps.order(d.writes(p.to.Of), d.makes(p.to.Of), write, namesNew)
		}
	}
	for _, l := range builders {
		if early {
			d.steps.order(write, shuts, l.last, serves)
		} else {
			d.steps.order(l.last, serves, write, opens)
		}
	}
	addresses := map[netip.Addr]*draft{}
	for key, del := range d.ipDrops {
		if ip := d.seenIPs[key].Address; ip.IsValid() {
			addresses[ip] = del
		}
	}
	for _, p := range rulePairs(after, before) {
		if l := g.dropper(p); l != nil {
			d.steps.order(l.release(g.served[p.to.IP].frontend), releases, write, endsDenial)
		}
		if del := addresses[p.to.IP]; del != nil {
			d.steps.order(write, unlists, del, dropsAddress)
			delete(addresses, p.to.IP)
		}
	}
	d.security = append(d.security, write)
}

// securityPart returns the rules that a security write starts from and leads to.
func securityPart(op Op) (before, after []SecurityRule) {
	switch op := op.(type) {
	case PutSecurityGroup:
		return op.Before.Rules, op.After.Rules
	case PutSecurityRule:
		if op.Before.Name != "" {
			before = []SecurityRule{op.Before}
		}
		return before, []SecurityRule{op.After}
	case DeleteSecurityRule:
		return []SecurityRule{op.Before}, nil
	default:
		return nil, nil
	}
}

// markOpenFrontends marks the writes of load balancers that begin to serve an address before it is denied: only they make it known, or the denial
// would wait for itself.
func (d *differ) markOpenFrontends() {
	for _, write := range d.security {
		for _, p := range rulePairs(securityPart(write.op)) {
			if p.rule.Access != "Deny" || p.rule.Outbound {
				continue
			}
			for _, l := range d.lbs {
				if l.last != nil && l.begins(d, p.to) && !l.last.waitsFor(write) {
					l.last.mark(RiskExposure)
				}
			}
		}
	}
}

// begins reports whether rules of l lead to an address after the plan that they do not lead to before.
func (l *lbDraft) begins(d *differ, to Address) bool {
	leads := func(part LoadBalancer) bool {
		return slices.ContainsFunc(part.leading(), func(f Frontend) bool {
			id := l.id.Child(armid.FrontendIPConfigurations, f.Name)
			if f.PublicIP != "" {
				id = f.PublicIP
			}
			return to.Of != "" && id.Equal(to.Of) || to.Known() && d.knownAddress(id) == to.IP
		})
	}
	return leads(l.after) && (!to.Known() || !leads(l.before)) // what is not known yet is another one than before
}
