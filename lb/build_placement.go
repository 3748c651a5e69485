package lb

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// multiple reports whether Services are spread over several standard load balancers.
func (c Cluster) multiple() bool { return len(c.Multiple) > 0 && !c.Basic }

// findEntries lists the load balancers that the configuration names, without their internal twins: one, those of
// multipleStandardLoadBalancerConfigurations, or with basic load balancers one for each set of machines that a Service names or that has
// something of ours.
func (b *builder) findEntries() {
	b.entries = []MultipleConfiguration{{Name: b.c.prefix(), AllowServicePlacement: true}}
	if b.c.multiple() {
		b.entries = b.c.Multiple
	}
	if !b.c.Basic {
		return
	}
	add := func(name string) {
		if !slices.ContainsFunc(b.entries, func(e MultipleConfiguration) bool { return strings.EqualFold(e.Name, name) }) {
			b.entries = append(b.entries, MultipleConfiguration{Name: name, PrimaryVMSet: name, AllowServicePlacement: true})
		}
	}
	for _, s := range b.services {
		for _, set := range b.setsOf(s.obj.Annotations[annotations.KeyMode]) {
			add(b.entryOf(set))
		}
	}
	for _, l := range b.seen.LoadBalancers {
		if strings.EqualFold(l.SKU, "Basic") && slices.ContainsFunc(l.Frontends, func(f Frontend) bool { return b.owner(f.Name) != "" }) {
			add(strings.TrimSuffix(strings.ToLower(l.ID.Name()), "-internal"))
		}
	}
}

// autoMode leaves the choice of a basic load balancer to us.
const autoMode = "__auto__"

// setsOf returns the sets of machines that a mode names: one, none, or those of all nodes.
func (b *builder) setsOf(mode string) []string {
	switch mode = strings.TrimSpace(mode); {
	case mode == "":
		return nil
	case strings.EqualFold(mode, autoMode):
		return slices.DeleteFunc(b.vmSets(), func(set string) bool { return set == "" })
	default:
		return []string{mode}
	}
}

// entryOf returns the entry for a set of machines. The primary one has the load balancer of the cluster.
func (b *builder) entryOf(set string) string {
	if strings.EqualFold(set, b.c.PrimaryVMSet) {
		return b.entries[0].Name
	}
	return set
}

// vmSets returns the sets of machines that nodes are in, by the names of the nodes, and an empty one if nobody knows it of some node.
func (b *builder) vmSets() []string {
	nodes := slices.SortedFunc(slices.Values(b.in.Nodes), func(x, y corev1.Node) int { return strings.Compare(x.Name, y.Name) })
	var sets []string
	for _, n := range nodes {
		if set := b.vmSet(n); !slices.ContainsFunc(sets, func(s string) bool { return strings.EqualFold(s, set) }) {
			sets = append(sets, set)
		}
	}
	return sets
}

// twin returns the id of the external or internal load balancer of an entry.
func (c Cluster) twin(entry string, internal bool) ID {
	if internal {
		entry += "-internal"
	}
	return armid.Resource(c.NetworkSubscription, c.LoadBalancerGroup, armid.LoadBalancers, entry)
}

// placer spreads Services over entries. Everything it decides follows from what is observed: frontends tell where a
// Service is, so a fresh process decides as a long-lived one does.
type placer struct {
	*builder
	rules     map[string]int  // rules by load balancer
	there     map[string]bool // load balancers that will be there
	selectors []entrySelectors
	// groups are Services that share an address, and so a load balancer.
	groups map[*service]*placementGroup
}

// entrySelectors are the selectors of one entry; nil where there is none.
type entrySelectors struct{ labels, namespaces, nodes labels.Selector }

func selectorOf(s *metav1.LabelSelector) labels.Selector {
	if s == nil {
		return nil
	}
	sel, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return labels.Nothing()
	}
	return sel
}

// place gives every Service that is served its entry, in the order of names.
func (b *builder) place() {
	if !b.c.multiple() && !b.c.Basic {
		for _, s := range b.services {
			s.entry, s.placed.from = b.entries[0].Name, Origin{SourceDefault, "", "the only load balancer of the cluster"}
		}
		return
	}
	p := &placer{builder: b, rules: map[string]int{}, there: map[string]bool{}, groups: b.placementGroups()}
	for _, e := range b.entries {
		p.selectors = append(p.selectors, entrySelectors{selectorOf(e.ServiceLabels), selectorOf(e.ServiceNamespaces), selectorOf(e.Nodes)})
	}
	p.count()
	for _, s := range b.services {
		if !s.wanted || !s.ours || s.held {
			continue
		}
		g := p.groups[s]
		if g != nil && g.entry == "" {
			p.lead(g)
		}
		if s.held {
			continue
		}
		if g != nil && g.leader == s {
			p.move(s, g.entry)
			continue
		}
		entry, bad := p.chooseAny(s)
		if bad != nil {
			b.hold(s, bad.field, bad.err)
			continue
		}
		p.move(s, entry)
	}
}

func (p *placer) chooseAny(s *service) (string, *fieldError) {
	if p.c.Basic {
		return p.chooseSet(s)
	}
	return p.choose(s)
}

// count starts from what is there, less what Services that are gone give up.
func (p *placer) count() {
	for _, id := range p.ourBalancers() {
		l := p.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		for _, r := range l.Rules {
			if base := p.owner(r.Name); base == "" || p.stays(base) {
				p.rules[id.Key()]++
			}
		}
		p.there[id.Key()] = slices.ContainsFunc(l.Frontends, func(f Frontend) bool {
			base := p.owner(f.Name)
			return base == "" || p.stays(base)
		})
	}
}

func (p *placer) stays(base string) bool {
	s := p.byBase[base]
	return s != nil && s.wanted || p.keepsBase(base)
}

// move takes a Service's rules from where they are to the entry chosen.
func (p *placer) move(s *service, entry string) {
	s.entry = entry
	for _, id := range p.ourBalancers() {
		if l := p.seen.balancers[id.Key()]; l != nil {
			for _, r := range l.Rules {
				if p.owner(r.Name) == s.base {
					p.rules[id.Key()]--
				}
			}
		}
	}
	id := p.c.twin(entry, s.cfg.Internal).Key()
	p.there[id] = true
	if s.cfg.Internal && s.cfg.Rules.HAPorts {
		p.rules[id] += len(s.cfg.Families)
		return
	}
	for _, port := range s.obj.Spec.Ports {
		if !s.cfg.Ports[port.Port].NoRule {
			p.rules[id] += len(s.cfg.Families)
		}
	}
}

// choose decides the entry of one Service: where it is if it may stay, else the first load balancer without rules, else the first that is
// not there yet, else the one with the fewest rules.
func (p *placer) choose(s *service) (string, *fieldError) {
	eligible, bad := p.eligible(s)
	if bad != nil {
		return "", bad
	}
	current, pinned := p.current(s)
	if at := pin(s); at != "" && len(s.cfg.Configurations) > 0 && (pinned == "" || !slices.Contains(eligible, current)) {
		why := at + " asks for something that is on none of these load balancers yet, and such a Service cannot choose its load balancer"
		if pinned != "" {
			why = at + " already pins the load balancer: what it asks for is on " + current
		}
		return "", &fieldError{annotationField(annotations.KeyConfigurations), fmt.Errorf("%w: %s; remove one of the two annotations", annotations.ErrConflict, why)}
	}
	if g := p.groups[s]; g != nil && g.entry != "" {
		return p.follow(s, g, eligible)
	}
	if current != "" && slices.Contains(eligible, current) {
		s.placed.from = Origin{SourceObserved, pinned, "it is there already, and stays"}
		return current, nil
	}
	if current != "" && pinned != "" {
		return "", &fieldError{pinned, fmt.Errorf("%w: the address is on load balancer %s, which this Service is not allowed on", ErrClash, current)}
	}
	if current != "" {
		if other := p.sharer(s); other != nil {
			return "", &fieldError{s.placed.among.Field, fmt.Errorf("%w: its address on load balancer %s is shared with %s, which keeps it; move it first", ErrClash, current, other.name)}
		}
	}
	entry, why := p.pick(p.together(s, eligible), s.cfg.Internal)
	s.placed.from = Origin{SourceObserved, "", why}
	return entry, nil
}

// chooseSet decides the basic load balancer of one Service: that of the set of machines that it names, else the one it is on, else that of the
// primary set, or of any if its mode leaves the choice to us.
func (p *placer) chooseSet(s *service) (string, *fieldError) {
	mode := strings.TrimSpace(s.cfg.Mode)
	auto := strings.EqualFold(mode, autoMode)
	at := slices.IndexFunc(p.entries, func(e MultipleConfiguration) bool {
		return len(p.uses[p.c.twin(e.Name, s.cfg.Internal).Key()][s.base]) > 0
	})
	switch entry := p.entryOf(mode); {
	case mode != "" && !auto:
		s.placed.from = annotated(annotations.KeyMode)
		if stays := at >= 0 && strings.EqualFold(p.entries[at].Name, entry); !stays && !p.hasNodes(mode) {
			return "", &fieldError{annotationField(annotations.KeyMode), fmt.Errorf("%w: no node is in a set of machines %q", ErrNotFound, mode)}
		}
		return entry, nil
	case at >= 0:
		s.placed.from = Origin{SourceObserved, "", "it is there already, and stays"}
		return p.entries[at].Name, nil
	}
	var eligible []string
	for _, set := range p.setsOf(mode) {
		eligible = append(eligible, p.entryOf(set))
	}
	if g := p.groups[s]; g != nil && g.entry != "" && (len(eligible) == 0 || slices.Contains(eligible, g.entry)) {
		s.placed = placement{from: g.origin(), eligible: eligible, among: annotated(annotations.KeyMode)}
		return g.entry, nil
	}
	if len(eligible) == 0 {
		s.placed.from = Origin{SourceDefault, "", "the load balancer of the primary set of machines"}
		return p.entries[0].Name, nil
	}
	entry, why := p.pick(eligible, s.cfg.Internal)
	s.placed = placement{from: Origin{SourceObserved, "", why}, eligible: eligible, among: annotated(annotations.KeyMode)}
	return entry, nil
}

// hasNodes reports whether a node is in a set of machines, as far as that is known.
func (b *builder) hasNodes(set string) bool {
	sets := b.vmSets()
	return len(sets) == 0 || slices.ContainsFunc(sets, func(s string) bool { return s == "" || strings.EqualFold(s, set) })
}

// pick chooses among several, and says why.
func (p *placer) pick(eligible []string, internal bool) (entry, why string) {
	id := func(entry string) string { return p.c.twin(entry, internal).Key() }
	for _, e := range eligible {
		if p.there[id(e)] && p.rules[id(e)] == 0 {
			return e, "it has no rules"
		}
	}
	for _, e := range eligible {
		if !p.there[id(e)] {
			return e, "it is the first that is not there yet"
		}
	}
	return slices.MinFunc(eligible, func(a, b string) int { return p.rules[id(a)] - p.rules[id(b)] }), "it has the fewest rules"
}

// eligible returns the entries that a Service may be on, in the order of the configuration.
func (p *placer) eligible(s *service) ([]string, *fieldError) {
	type candidate struct {
		name               string
		selected, selector bool
	}
	var list []candidate
	named, drained, mismatched := 0, 0, 0
	if p.c.multiple() && !slices.ContainsFunc(p.entries, func(e MultipleConfiguration) bool { return strings.EqualFold(e.Name, p.c.Name) }) {
		return nil, &fieldError{multipleField, fmt.Errorf("%w: one entry must have the cluster's name, %s", ErrNotFound, p.c.Name)}
	}
	for i, e := range p.entries {
		if len(s.cfg.Configurations) > 0 && !slices.Contains(s.cfg.Configurations, strings.ToLower(e.Name)) {
			continue
		}
		named++
		if !e.AllowServicePlacement && !p.on(s, e.Name) {
			drained++
			continue
		}
		sel := p.selectors[i]
		if sel.labels != nil && !sel.labels.Matches(labels.Set(s.obj.Labels)) || sel.namespaces != nil && !sel.namespaces.Matches(p.namespaceLabels(s)) {
			mismatched++
			continue
		}
		chosen := sel.labels != nil || sel.namespaces != nil
		list = append(list, candidate{e.Name, chosen, chosen})
	}
	if len(list) == 0 {
		field := multipleField
		if named == 0 {
			field = annotationField(annotations.KeyConfigurations)
		}
		return nil, &fieldError{field, fmt.Errorf("%w: no load balancer is eligible: %d of %d named, %d of those drained, %d not selected by labels", ErrNotFound, named, len(p.entries), drained, mismatched)}
	}
	s.placed.among = Origin{Source: SourceConfiguration, Field: multipleField}
	if len(s.cfg.Configurations) > 0 {
		s.placed.among = annotated(annotations.KeyConfigurations)
	}
	if slices.ContainsFunc(list, func(c candidate) bool { return c.selected }) {
		s.placed.among = p.selectedBy(s)
		list = slices.DeleteFunc(list, func(c candidate) bool { return !c.selector })
	}
	var names []string
	for _, c := range list {
		names = append(names, c.name)
	}
	s.placed.eligible = names
	return names, nil
}

func (p *placer) namespaceLabels(s *service) labels.Set {
	for _, n := range p.in.Namespaces {
		if n.Name == s.name.Namespace {
			return n.Labels
		}
	}
	return nil
}

// on reports whether a Service has anything on either twin of an entry.
func (p *placer) on(s *service, entry string) bool {
	return len(p.uses[p.c.twin(entry, false).Key()][s.base])+len(p.uses[p.c.twin(entry, true).Key()][s.base]) > 0
}

// current returns the entry that a Service is on, and the field that pins it there: that of an address or public IP that it asks for.
func (p *placer) current(s *service) (entry, pinned string) {
	for _, e := range p.entries {
		l := p.seen.balancers[p.c.twin(e.Name, s.cfg.Internal).Key()]
		if l == nil {
			continue
		}
		for _, f := range s.cfg.Families {
			if field := p.holds(s, l, f); field != "" {
				return e.Name, field
			}
		}
	}
	for _, internal := range []bool{s.cfg.Internal, !s.cfg.Internal} {
		for _, e := range p.entries {
			if len(p.uses[p.c.twin(e.Name, internal).Key()][s.base]) > 0 {
				return e.Name, ""
			}
		}
	}
	return "", ""
}

// vmSet returns the name of the scale set or availability set that a node is in, empty if it is in none or nobody knows.
func (b *builder) vmSet(n corev1.Node) string {
	_, rest, ok := strings.Cut(n.Spec.ProviderID, "azure://")
	if !ok {
		return ""
	}
	seg := strings.Split(rest, "/")
	for i := 0; i+1 < len(seg); i++ {
		if strings.EqualFold(seg[i], "virtualMachineScaleSets") {
			return seg[i+1]
		}
	}
	for _, m := range b.seen.Machines {
		if m.ID.Equal(ID(rest)) {
			return m.Set
		}
	}
	return ""
}

// spread gives every usable node its entry. The load balancers of both kinds of an entry share its nodes; an entry that gets none has all,
// as upstream has it.
func (d *outline) spread() map[string][]corev1.Node {
	got := d.spreadFrom(d.member)
	// Where a node is decides where it stays. So this goes on from what it comes to, for the next plan to come to the same.
	for range 2 * len(d.entries) {
		last := got
		got = d.spreadFrom(func(entry string, n corev1.Node) bool {
			return d.pooled(entry) && slices.ContainsFunc(last[entry], func(m corev1.Node) bool { return m.Name == n.Name })
		})
		if maps.EqualFunc(last, got, sameNodes) {
			break
		}
	}
	return got
}

func sameNodes(a, b []corev1.Node) bool {
	return slices.EqualFunc(a, b, func(x, y corev1.Node) bool { return x.Name == y.Name })
}

// pooled reports whether a load balancer of an entry has a default pool, or gets one.
func (d *outline) pooled(entry string) bool {
	for _, internal := range []bool{false, true} {
		l := d.balancer(d.c.twin(entry, internal))
		if len(l.families) > 0 || l.seen != nil && slices.ContainsFunc(l.seen.Pools, func(p Pool) bool { return d.defaultPool(p.Name) }) {
			return true
		}
	}
	return false
}

// spreadFrom is spread for nodes that are where at says.
func (d *outline) spreadFrom(at func(entry string, n corev1.Node) bool) map[string][]corev1.Node {
	var nodes []corev1.Node
	for _, n := range d.in.Nodes {
		if eligible(n) {
			nodes = append(nodes, n)
		}
	}
	slices.SortFunc(nodes, func(a, b corev1.Node) int { return strings.Compare(a.Name, b.Name) })
	got := map[string][]corev1.Node{}
	if !d.c.multiple() {
		for _, e := range d.entries {
			got[e.Name] = nodes
			if d.c.Basic {
				got[e.Name] = d.ofSet(nodes, e)
			}
		}
		return got
	}
	var rest []corev1.Node
	for _, n := range nodes {
		if e := d.primaryEntry(n); e != "" {
			got[e] = append(got[e], n)
		} else {
			rest = append(rest, n)
		}
	}
	for _, n := range rest {
		e := d.secondaryEntry(n, got, at)
		if e == "" {
			d.findings = append(d.findings, Finding{Field: multipleField, Severity: SeverityWarning, Err: fmt.Errorf("%w: node %s is on no load balancer", ErrNoNodes, n.Name)})
			continue
		}
		got[e] = append(got[e], n)
	}
	for _, e := range d.entries {
		if len(got[e.Name]) == 0 {
			got[e.Name] = nodes
		}
	}
	return got
}

// ofSet returns the nodes that a basic load balancer can have: those of one set of machines.
func (d *outline) ofSet(nodes []corev1.Node, e MultipleConfiguration) []corev1.Node {
	set := orText(e.PrimaryVMSet, d.c.PrimaryVMSet)
	return slices.DeleteFunc(slices.Clone(nodes), func(n corev1.Node) bool {
		of := d.vmSet(n)
		return of != "" && set != "" && !strings.EqualFold(of, set)
	})
}

// stands reports whether either load balancer of an entry is there or is being made.
func (d *outline) stands(entry string) bool {
	for _, internal := range []bool{false, true} {
		l := d.balancer(d.c.twin(entry, internal))
		if len(l.frontends) > 0 || l.seen != nil && d.foreignFrontend(l) {
			return true
		}
	}
	return false
}

func (d *outline) primaryEntry(n corev1.Node) string {
	set := d.vmSet(n)
	for _, e := range d.entries {
		if set != "" && strings.EqualFold(e.PrimaryVMSet, set) && d.stands(e.Name) {
			return e.Name
		}
	}
	return ""
}

// secondaryEntry chooses among the entries whose selector matches, else those without one: where the node is, else the one with the fewest.
func (d *outline) secondaryEntry(n corev1.Node, got map[string][]corev1.Node, at func(entry string, n corev1.Node) bool) string {
	var selected, open []string
	for _, e := range d.entries {
		sel := selectorOf(e.Nodes)
		switch {
		case sel == nil || sel.Empty():
			open = append(open, e.Name)
		case sel.Matches(labels.Set(n.Labels)):
			selected = append(selected, e.Name)
		}
	}
	if len(selected) == 0 {
		selected = open
	}
	selected = slices.DeleteFunc(selected, func(e string) bool { return !d.stands(e) })
	if len(selected) == 0 {
		return ""
	}
	for _, e := range selected {
		if at(e, n) {
			return e
		}
	}
	return slices.MinFunc(selected, func(a, b string) int { return len(got[a]) - len(got[b]) })
}

// member reports whether a default pool of the entry has the node now.
func (d *outline) member(entry string, n corev1.Node) bool {
	for _, internal := range []bool{false, true} {
		l := d.balancer(d.c.twin(entry, internal))
		if l.seen == nil {
			continue
		}
		for _, p := range l.seen.Pools {
			if d.defaultPool(p.Name) && slices.ContainsFunc(p.Members, func(m Member) bool { return hasInternal(n, m.IP) }) {
				return true
			}
		}
	}
	return false
}
