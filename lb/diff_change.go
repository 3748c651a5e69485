package lb

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// why looks up causes of changes in [Desired.Causes].
type why map[string][]Cause

// change makes a change with its causes.
func (w why) change(action Action, ref ID, fields []FieldChange) Change {
	return Change{Action: action, Ref: ref, Fields: fields, Causes: w.causes(action, ref, fields)}
}

// causes returns who asked for a change. A field may have causes of its own under key#Field; they win over those of the whole.
func (w why) causes(action Action, ref ID, fields []FieldChange) []Cause {
	key := ref.Key()
	var found []Cause
	if action == Update {
		for _, f := range fields {
			found = append(found, w.ofField(key, f.Field)...)
		}
	}
	if len(found) == 0 {
		found = w[key]
	}
	if len(found) == 0 {
		return []Cause{unknownCause(action)}
	}
	return sortedCauses(found)
}

// services is the set of those that ask for ref.
func (w why) services(ref ID) map[types.NamespacedName]bool {
	set := map[types.NamespacedName]bool{}
	for _, c := range w[ref.Key()] {
		set[c.Service] = true
	}
	return set
}

// with returns w with causes for ref.
func (w why) with(ref ID, causes []Cause) why {
	w = maps.Clone(w)
	if w == nil {
		w = why{}
	}
	w[ref.Key()] = causes
	return w
}

// ofField returns the causes of one field: its own (Tags[key], then Tags), else those of the whole.
func (w why) ofField(key, field string) []Cause {
	if own := w[key+"#"+field]; len(own) > 0 {
		return own
	}
	name, _, _ := strings.Cut(field, "[")
	if own := w[key+"#"+name]; len(own) > 0 {
		return own
	}
	return w[key]
}

// unknownCause is the cause of a change that nobody explained.
func unknownCause(action Action) Cause {
	if action == Delete {
		return Cause{Reason: ReasonNotWanted}
	}
	return Cause{Reason: ReasonService}
}

// inherit gives changes that nobody explained the causes of the whole that they are part of.
func (w why) inherit(changes []Change, whole ID) []Change {
	causes := w[whole.Key()]
	if len(causes) == 0 {
		return changes
	}
	causes = sortedCauses(causes)
	for i, c := range changes {
		if slices.Equal(c.Causes, []Cause{unknownCause(c.Action)}) {
			changes[i].Causes = causes
		}
	}
	return changes
}

// sortedCauses returns list sorted and without duplicates.
func sortedCauses(list []Cause) []Cause {
	list = slices.Clone(list)
	slices.SortFunc(list, compareCauses)
	return slices.Compact(list)
}

func compareCauses(a, b Cause) int {
	return cmp.Or(strings.Compare(a.Service.Namespace, b.Service.Namespace), strings.Compare(a.Service.Name, b.Service.Name),
		strings.Compare(a.Field, b.Field), strings.Compare(string(a.Reason), string(b.Reason)))
}

// recreated returns changes with the reason that something cannot be changed in place. Services and fields stay.
func recreated(changes []Change) []Change {
	changes = slices.Clone(changes)
	for i := range changes {
		causes := slices.Clone(changes[i].Causes)
		for j := range causes {
			causes[j].Reason = ReasonRecreate
		}
		changes[i].Causes = sortedCauses(causes)
	}
	return changes
}

// allGone reports whether c only cleans up after Services that are gone.
func (c Change) allGone() bool {
	return len(c.Causes) > 0 && !slices.ContainsFunc(c.Causes, func(cause Cause) bool { return cause.Reason != ReasonGone })
}

// childKind tells how children of one kind are named, compared and described.
type childKind[T any] struct {
	kind   string // segment in ids
	name   func(T) string
	fields func(before, after T) []FieldChange // nil if ARM would see no difference
}

var (
	frontendKind = childKind[Frontend]{armid.FrontendIPConfigurations, func(f Frontend) string { return f.Name }, frontendFields}
	poolKind     = childKind[Pool]{armid.BackendAddressPools, func(p Pool) string { return p.Name }, poolFields}
	probeKind    = childKind[Probe]{armid.Probes, func(p Probe) string { return p.Name }, probeFields}
	ruleKind     = childKind[Rule]{armid.LoadBalancingRules, func(r Rule) string { return r.Name }, ruleFields}
	securityKind = childKind[SecurityRule]{armid.SecurityRules, func(r SecurityRule) string { return r.Name }, securityRuleFields}
)

// byName returns list as a map by lower-case name.
func (k childKind[T]) byName(list []T) map[string]T {
	m := make(map[string]T, len(list))
	for _, c := range list {
		m[strings.ToLower(k.name(c))] = c
	}
	return m
}

// sorted returns a copy of list sorted by name.
func (k childKind[T]) sorted(list []T) []T {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(k.name(a), k.name(b)) })
	return list
}

// ours returns the children of seen that want or remove names.
func (k childKind[T]) ours(parent ID, seen, want []T, remove map[string]bool) []T {
	wanted := k.byName(want)
	var part []T
	for _, c := range seen {
		name := k.name(c)
		if _, ok := wanted[strings.ToLower(name)]; ok || remove[parent.Child(k.kind, name).Key()] {
			part = append(part, c)
		}
	}
	return k.sorted(part)
}

// settled returns want sorted by name, with the value of before wherever ARM would see no difference.
func (k childKind[T]) settled(before, want []T) []T {
	return k.settledInOrder(before, k.sorted(want))
}

// settledInOrder is settled in the order of want.
func (k childKind[T]) settledInOrder(before, want []T) []T {
	seen := k.byName(before)
	want = slices.Clone(want)
	for i, c := range want {
		if b, ok := seen[strings.ToLower(k.name(c))]; ok && len(k.fields(b, c)) == 0 {
			want[i] = b
		}
	}
	return want
}

// changes lists what leads from before to after, by name: a merge of the two.
func (k childKind[T]) changes(w why, parent ID, before, after []T) []Change {
	old, now := k.byName(before), k.byName(after)
	var out []Change
	for _, c := range before {
		if _, ok := now[strings.ToLower(k.name(c))]; !ok {
			out = append(out, w.change(Delete, parent.Child(k.kind, k.name(c)), nil))
		}
	}
	for _, c := range after {
		ref := parent.Child(k.kind, k.name(c))
		b, ok := old[strings.ToLower(k.name(c))]
		if !ok {
			out = append(out, w.change(Create, ref, nil))
		} else if f := k.fields(b, c); len(f) > 0 {
			out = append(out, w.change(Update, ref, f))
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Ref.Name(), b.Ref.Name()) })
	return out
}

// fieldList collects the fields that differ.
type fieldList []FieldChange

func (l *fieldList) add(field, before, after string) {
	if before != after {
		*l = append(*l, FieldChange{field, before, after})
	}
}

func (l *fieldList) addBool(field string, before, after bool) {
	l.add(field, strconv.FormatBool(before), strconv.FormatBool(after))
}

func (l *fieldList) addInt(field string, before, after int) {
	l.add(field, strconv.Itoa(before), strconv.Itoa(after))
}

func (l *fieldList) addID(field string, before, after ID) {
	if !before.Equal(after) {
		l.add(field, string(before), string(after))
	}
}

// sorted returns the collected fields by name.
func (l fieldList) sorted() []FieldChange {
	slices.SortFunc(l, func(a, b FieldChange) int { return strings.Compare(a.Field, b.Field) })
	return l
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func frontendFields(b, a Frontend) []FieldChange {
	if b == a {
		return nil
	}
	var l fieldList
	l.add("Name", b.Name, a.Name)
	l.add("Family", b.Family.String(), a.Family.String())
	l.add("PublicIP", string(b.PublicIP), string(a.PublicIP))
	l.add("Subnet", string(b.Subnet), string(a.Subnet))
	l.add("Static", addrText(b.Static), addrText(a.Static))
	l.add("Zones", string(b.Zones), string(a.Zones))
	return l.sorted()
}

func probeFields(b, a Probe) []FieldChange {
	if b == a {
		return nil
	}
	var l fieldList
	l.add("Name", b.Name, a.Name)
	l.add("Protocol", string(b.Protocol), string(a.Protocol))
	l.addInt("Port", int(b.Port), int(a.Port))
	l.add("Path", b.Path, a.Path)
	l.addInt("IntervalSeconds", int(b.IntervalSeconds), int(a.IntervalSeconds))
	l.addInt("Threshold", int(b.Threshold), int(a.Threshold))
	return l.sorted()
}

func ruleFields(b, a Rule) []FieldChange {
	if b == a {
		return nil
	}
	var l fieldList
	l.add("Name", b.Name, a.Name)
	l.add("Frontend", b.Frontend, a.Frontend)
	l.add("Pool", b.Pool, a.Pool)
	l.add("Probe", b.Probe, a.Probe)
	l.add("Protocol", string(b.Protocol), string(a.Protocol))
	l.addInt("FrontendPort", int(b.FrontendPort), int(a.FrontendPort))
	l.addInt("BackendPort", int(b.BackendPort), int(a.BackendPort))
	l.addInt("IdleMinutes", int(b.IdleMinutes), int(a.IdleMinutes))
	l.addBool("FloatingIP", b.FloatingIP, a.FloatingIP)
	l.addBool("TCPReset", b.TCPReset, a.TCPReset)
	l.addBool("DisableOutboundSNAT", b.DisableOutboundSNAT, a.DisableOutboundSNAT)
	l.add("Distribution", string(b.Distribution), string(a.Distribution))
	return l.sorted()
}

// poolFields compares pools: members as sets of addresses. ARM shows no network on pools that have no address, so an empty one in before
// says nothing.
func poolFields(b, a Pool) []FieldChange {
	var l fieldList
	l.add("Name", b.Name, a.Name)
	l.addBool("Interfaces", b.Interfaces, a.Interfaces)
	if b.Network != "" {
		l.addID("Network", b.Network, a.Network)
	}
	if !sameMembers(b.Members, a.Members) {
		l.add("Members", memberText(b.Members), memberText(a.Members))
	}
	return l.sorted()
}

// memberAddrs returns the addresses of list, sorted and without duplicates.
func memberAddrs(list []Member) []netip.Addr {
	addrs := make([]netip.Addr, len(list))
	for i, m := range list {
		addrs[i] = m.IP
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}

func sameMembers(b, a []Member) bool { return slices.Equal(memberAddrs(b), memberAddrs(a)) }

func memberText(list []Member) string {
	addrs := memberAddrs(list)
	text := make([]string, len(addrs))
	for i, a := range addrs {
		text[i] = a.String()
	}
	return strings.Join(text, ", ")
}

func securityRuleFields(b, a SecurityRule) []FieldChange {
	var l fieldList
	l.add("Name", b.Name, a.Name)
	l.addInt("Priority", int(b.Priority), int(a.Priority))
	l.add("Access", b.Access, a.Access)
	l.addBool("Outbound", b.Outbound, a.Outbound)
	l.add("Protocol", b.Protocol, a.Protocol)
	l.add("Sources", strings.Join(b.Sources, ", "), strings.Join(a.Sources, ", "))
	l.add("SourcePorts", sourcePortsText(b.SourcePorts), sourcePortsText(a.SourcePorts))
	l.add("Ports", strings.Join(b.Ports, ", "), strings.Join(a.Ports, ", "))
	if !slices.Equal(b.Destinations, a.Destinations) {
		l.add("Destinations", addressesText(b.Destinations), addressesText(a.Destinations))
	}
	return l.sorted()
}

// sourcePortsText spells out that no port means any.
func sourcePortsText(ports []string) string {
	if len(ports) == 0 {
		return "any"
	}
	return strings.Join(ports, ", ")
}

func addressesText(list []Address) string {
	text := make([]string, len(list))
	for i, a := range list {
		text[i] = a.String()
	}
	return strings.Join(text, ", ")
}

// publicIPFields compares what can be changed on a public IP, tags aside. Location, extended location, zones and SKU are decided when it
// is created.
func publicIPFields(b, a PublicIP) []FieldChange {
	var l fieldList
	l.add("Family", b.Family.String(), a.Family.String())
	l.add("Allocation", b.Allocation, a.Allocation)
	l.addID("Prefix", b.Prefix, a.Prefix)
	l.add("IPTags", tagText(sortedTags(b.IPTags)), tagText(sortedTags(a.IPTags)))
	l.add("DNSLabel", b.DNSLabel, a.DNSLabel)
	if !strings.EqualFold(b.SKU, a.SKU) {
		l.add("SKU", b.SKU, a.SKU)
	}
	return l.sorted()
}

func sortedTags(list []Tag) []Tag {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Tag) int { return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value)) })
	return list
}

func tagText(list []Tag) string {
	text := make([]string, len(list))
	for i, t := range list {
		text[i] = t.Key + "=" + t.Value
	}
	return strings.Join(text, ", ")
}

// tagFields compares tags key by key.
func tagFields(b, a Tags) []FieldChange {
	var l fieldList
	for _, t := range b {
		value, ok := a.Get(t.Key)
		if !ok {
			l = append(l, FieldChange{"Tags[" + t.Key + "]", t.Value, ""})
			continue
		}
		l.add("Tags["+t.Key+"]", t.Value, value)
	}
	for _, t := range a {
		if _, ok := b.Get(t.Key); !ok {
			l = append(l, FieldChange{"Tags[" + t.Key + "]", "", t.Value})
		}
	}
	return l.sorted()
}

// ourTags returns the tags of seen under the keys that want has or that are to be removed, and want with the spelling of seen.
func ourTags(seen, want Tags, remove []string) (before, after Tags) {
	for _, t := range seen {
		_, wanted := want.Get(t.Key)
		if wanted || slices.ContainsFunc(remove, func(key string) bool { return strings.EqualFold(key, t.Key) }) {
			before = append(before, t)
		}
	}
	after = slices.Clone(want)
	for i, t := range after {
		for _, s := range seen {
			if strings.EqualFold(s.Key, t.Key) {
				after[i].Key = s.Key
			}
		}
	}
	before.sort()
	after.sort()
	return before, after
}
