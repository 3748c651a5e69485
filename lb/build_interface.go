package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
)

// Labels that keep a node's interface out of pools.
const (
	labelManaged       = "kubernetes.azure.com/managed"
	labelResourceGroup = "kubernetes.azure.com/resource-group"
)

const poolTypeField = "loadBalancerBackendPoolConfigurationType"

// attachable reports whether the interface of a node may be in a pool.
func (d *outline) attachable(n corev1.Node) bool {
	return eligible(n) && !unmanaged(n) && d.c.inGroup(n)
}

// unmanaged reports whether a node's label says that Azure does not look after it.
func unmanaged(n corev1.Node) bool { return strings.EqualFold(n.Labels[labelManaged], "false") }

// inGroup reports whether a node is in the resource group of the cluster, as far as its labels tell.
func (c Cluster) inGroup(n corev1.Node) bool {
	group := n.Labels[labelResourceGroup]
	return group == "" || strings.EqualFold(group, c.ResourceGroup)
}

// machineOf returns the id of a node's virtual machine, or of its instance in a scale set; "" if its provider id is none.
func machineOf(n corev1.Node) ID {
	id, ok := strings.CutPrefix(n.Spec.ProviderID, "azure://")
	if machine, err := armid.Parse(id); ok && err == nil {
		return machine
	}
	return ""
}

// interfaceOf finds the primary network interface of a node's machine; nil if nobody could read it.
func (d *outline) interfaceOf(n corev1.Node) *SeenInterface {
	return d.seen.interfaces[machineOf(n).Key()]
}

// unreadMember returns why nobody knows the interface of a node, nil if that is known or is not there: what keeps its list from being read.
func (d *outline) unreadMember(n corev1.Node) *Unknown {
	if d.interfaceOf(n) != nil {
		return nil
	}
	machine := machineOf(n)
	reads := []*Unknown{d.seen.unknown(armid.NetworkInterfaces, machine.GroupID())}
	if machine.Is(armid.ScaleSetInstances) {
		set := machine.Top()
		reads = []*Unknown{d.seen.unknown(armid.ScaleSets, set.GroupID()), d.seen.unknown(armid.ScaleSetInstances, set)}
	}
	for _, u := range reads {
		if u != nil && !u.Absent {
			return u
		}
	}
	return nil
}

// checkMembers says what keeps nodes out of the pools of a load balancer: an address whose pool lacks members serves nobody.
func (d *outline) checkMembers(l *balancerDraft) []fieldError {
	if d.c.PoolType != PoolInterfaces || d.preConfigured(l) {
		return nil
	}
	if bad, ok := d.unread[l.id.Key()]; ok {
		return bad
	}
	var why *Unknown
	var out excluded
	for _, n := range d.nodesOf(l) {
		if u := d.unreadMember(n); u != nil && d.attachable(n) {
			if out.add(n.Name); why == nil || out.first == n.Name {
				why = u
			}
		}
	}
	var bad []fieldError
	if why != nil {
		bad = []fieldError{{poolTypeField, fmt.Errorf("%w: %s, so %s out of its pool; %s, or set nodeIP", ErrUnreadable, why.Type, out.text(), why.remedy())}}
	}
	if d.unread == nil {
		d.unread = map[string][]fieldError{}
	}
	d.unread[l.id.Key()] = bad
	return bad
}

// scaleSetOf returns the id of the scale set that a node's machine is in, "" if it is in none or nobody knows.
func (d *outline) scaleSetOf(n corev1.Node) ID {
	machine := machineOf(n)
	if machine.Is(armid.ScaleSetInstances) {
		return machine.Top()
	}
	if m := d.seen.machines[machine.Key()]; m != nil && m.Set != "" {
		return armid.Resource(machine.Subscription(), machine.ResourceGroup(), armid.ScaleSets, m.Set)
	}
	return ""
}

// configurationFor returns the index of the IP configuration that joins pools of family f: the primary one of the family, else the first; of a
// network interface by itself the first. -1: it has none.
func (n *SeenInterface) configurationFor(f ipam.Family) int {
	first := slices.IndexFunc(n.IPConfigurations, func(c IPConfiguration) bool { return c.Family == f })
	if n.ID.Is(armid.NetworkInterfaces) {
		return first
	}
	if i := slices.IndexFunc(n.IPConfigurations, func(c IPConfiguration) bool { return c.Family == f && c.Primary }); i >= 0 {
		return i
	}
	return first
}

// inPool reports whether an IP configuration is in a pool.
func (c IPConfiguration) inPool(pool ID) bool { return slices.ContainsFunc(c.Pools, pool.Equal) }

// memberships is what interfaces should be in: by interface and name of the IP configuration the pools, by key.
type memberships struct {
	wanted map[string]map[string]map[string]ID
	// ours are the pools that have no other members than the wanted ones.
	ours map[string]bool
	// joined counts the nodes in pools of interfaces, without those that cannot be written into it any more.
	joined map[string]int
	// dying are the pools of load balancers that go: ARM takes network interfaces out of them, but not scale sets.
	dying map[string][]Cause
}

func (m memberships) join(nic ID, config string, pool ID) {
	if m.wanted[nic.Key()] == nil {
		m.wanted[nic.Key()] = map[string]map[string]ID{}
	}
	if m.wanted[nic.Key()][config] == nil {
		m.wanted[nic.Key()][config] = map[string]ID{}
	}
	m.wanted[nic.Key()][config][pool.Key()] = pool
}

// wantInterfaces decides which interfaces are in the pools of our load balancers. Foreign pools stay. Where
// interfaces could not be read, membership is left as it is, and so is that of what is being deleted.
func (d *outline) wantInterfaces() []NetworkInterface {
	if len(d.seen.Interfaces) == 0 {
		return nil
	}
	m := d.memberships()
	d.joined = m.joined
	var list []NetworkInterface
	for i := range d.seen.Interfaces {
		nic := &d.seen.Interfaces[i]
		if nic.Deleting {
			continue
		}
		next, changed := d.memberOf(nic, m)
		if changed && nic.Rolling && d.hasOutsider(nic, m) {
			delete(m.wanted, nic.ID.Key()) // a write of the model would take the instance along
			next, changed = d.memberOf(nic, m)
		}
		if changed || nic.Failed && len(m.wanted[nic.ID.Key()]) > 0 {
			if len(d.causes[nic.ID.Key()]) == 0 {
				d.because(nic.ID.Key(), d.nodesCause())
			}
			list = append(list, next)
		}
	}
	return list
}

// hasOutsider reports whether a scale set has an instance that is in fewer pools than its model.
func (d *outline) hasOutsider(model *SeenInterface, m memberships) bool {
	pools := func(id ID) (n int) {
		for _, joined := range m.wanted[id.Key()] {
			n += len(joined)
		}
		return n
	}
	return slices.ContainsFunc(d.seen.Interfaces, func(n SeenInterface) bool {
		return n.ID.Is(armid.ScaleSetInstances) && n.ID.Top().Equal(model.ID) && !n.Deleting && pools(n.ID) < pools(model.ID)
	})
}

// nodesCause is why members come and go if nothing else is.
func (d *outline) nodesCause() Cause {
	if d.c.PoolType == PoolAddresses {
		return Cause{Field: poolTypeField, Reason: ReasonConfiguration}
	}
	return Cause{Reason: ReasonNodes}
}

func (d *outline) memberships() memberships {
	m := memberships{wanted: map[string]map[string]map[string]ID{}, ours: map[string]bool{}, joined: map[string]int{}, dying: map[string][]Cause{}}
	for _, id := range d.ourBalancers() {
		l := d.balancer(id)
		if d.preConfigured(l) {
			continue
		}
		if _, gone, ok := d.wantBalancer(l); !ok || slices.ContainsFunc(d.emptied, l.id.Equal) {
			if len(gone) > 0 {
				for _, p := range l.seen.Pools {
					m.dying[l.id.Child(armid.BackendAddressPools, p.Name).Key()] = d.causes[l.id.Key()]
				}
			}
			continue
		}
		for _, p := range d.wantPools(l) {
			pool := l.id.Child(armid.BackendAddressPools, p.Name)
			switch {
			case d.c.PoolType == PoolInterfaces && p.Interfaces:
				m.ours[pool.Key()] = d.attach(m, l, p, pool) > 0
			case d.c.PoolType == PoolAddresses && !p.Interfaces && d.defaultPool(p.Name):
				m.ours[pool.Key()] = true // what is left of a pool of interfaces leaves
			}
		}
	}
	return m
}

func (d *outline) familyOfPool(name string) ipam.Family {
	if strings.EqualFold(name, poolName(d.c.Name, ipam.IPv6)) {
		return ipam.IPv6
	}
	return ipam.IPv4
}

// attach enters the nodes of a pool, and the models of their scale sets, and returns how many nodes there are.
func (d *outline) attach(m memberships, l *balancerDraft, p Pool, pool ID) int {
	family := d.familyOfPool(p.Name)
	members, sets, kept := 0, map[string]bool{}, elsewhere{}
	for _, n := range d.nodesOf(l) {
		if !d.attachable(n) {
			continue
		}
		if set := d.scaleSetOf(n); set != "" {
			sets[set.Key()] = true
		}
		nic := d.interfaceOf(n)
		if nic == nil {
			continue
		}
		i := nic.configurationFor(family)
		if i < 0 || nic.Stopped && !nic.IPConfigurations[i].inPool(pool) {
			continue
		}
		if other := d.otherBalancer(nic, l); other != "" && !nic.IPConfigurations[i].inPool(pool) {
			kept.add(other, n.Name)
			continue
		}
		m.join(nic.ID, nic.IPConfigurations[i].Name, pool)
		if members++; !nic.Deleting || nic.IPConfigurations[i].inPool(pool) {
			m.joined[pool.Key()]++
		}
	}
	d.attachModels(m, l, pool, family, sets, kept)
	for _, other := range sortedValues(kept, func(a, b excluded) int { return armid.Compare(a.by, b.by) }) {
		d.findings = append(d.findings, Finding{Field: string(pool), Severity: SeverityWarning, Err: fmt.Errorf("%w: %s out of it, since Azure allows an interface one load balancer of a kind: they are in a pool of %s", ErrForeign, other.text(), other.by.Name())})
	}
	return members
}

// elsewhere are nodes and scale sets that a load balancer of others has, by its key.
type elsewhere map[string]excluded

type excluded struct {
	by    ID
	first string // by name
	count int
}

func (e elsewhere) add(by ID, name string) {
	x := e[by.Key()]
	x.by = by
	x.add(name)
	e[by.Key()] = x
}

func (x *excluded) add(name string) {
	if x.first == "" || name < x.first {
		x.first = name
	}
	x.count++
}

func (x excluded) text() string {
	if x.count == 1 {
		return x.first + " stays"
	}
	return fmt.Sprintf("%s and %d more stay", x.first, x.count-1)
}

// attachModels enters the models of the scale sets whose nodes are in the pool, so that new machines are in it from the start. The model of a
// scale set that has no node in the cluster stays as it is, and so do those of other resource groups.
func (d *outline) attachModels(m memberships, l *balancerDraft, pool ID, family ipam.Family, sets map[string]bool, kept elsewhere) {
	inCluster := map[string]bool{}
	for _, n := range d.in.Nodes {
		inCluster[d.scaleSetOf(n).Key()] = true
	}
	for i := range d.seen.Interfaces {
		model := &d.seen.Interfaces[i]
		at := model.configurationFor(family)
		if !model.Model || at < 0 {
			continue
		}
		c, key := model.IPConfigurations[at], model.ID.Key()
		leftAlone := !inCluster[key] || !strings.EqualFold(model.ID.ResourceGroup(), d.c.ResourceGroup)
		switch other := d.otherBalancer(model, l); {
		case leftAlone && !c.inPool(pool) || !leftAlone && !sets[key]:
		case other != "" && !c.inPool(pool):
			kept.add(other, model.ID.Name())
		default:
			m.join(model.ID, c.Name, pool)
		}
	}
}

// otherBalancer returns a load balancer of the same kind as l, other than l, that an interface is in a pool of already.
func (d *outline) otherBalancer(nic *SeenInterface, l *balancerDraft) ID {
	mine := internalByName(l.id)
	for _, c := range nic.IPConfigurations {
		for _, in := range c.Pools {
			other := d.seen.balancers[in.Top().Key()]
			if other != nil && !other.ID.Equal(l.id) && other.internal() == mine && !d.ourBalancer(other.ID) {
				return other.ID
			}
		}
	}
	return ""
}

func internalByName(id ID) bool { return strings.HasSuffix(strings.ToLower(id.Name()), "-internal") }

// internal reports whether a load balancer has private frontends; one without any is what its name says.
func (b *seenBalancer) internal() bool {
	if len(b.Frontends) == 0 {
		return internalByName(b.ID)
	}
	return b.Frontends[0].Subnet != ""
}

func (d *outline) ourBalancer(id ID) bool {
	return slices.ContainsFunc(d.ourBalancers(), id.Equal)
}

// memberOf returns nic with the pools that it should be in: those of others, and of ours those that are wanted. A pool of ours that would be
// left without any member is not in m.ours, so that nobody is cut off.
func (d *outline) memberOf(nic *SeenInterface, m memberships) (NetworkInterface, bool) {
	next, changed := nic.NetworkInterface, false
	next.IPConfigurations = slices.Clone(next.IPConfigurations)
	for i, c := range next.IPConfigurations {
		joins := m.wanted[nic.ID.Key()][c.Name]
		var pools []ID
		have := map[string]bool{}
		for _, p := range c.Pools {
			_, stays := joins[p.Key()]
			if !stays && (m.ours[p.Key()] || d.leaves(nic, p, m)) {
				changed = true
				continue
			}
			pools, have[p.Key()] = append(pools, p), true
		}
		for _, p := range sortedValues(joins, armid.Compare) {
			if !have[p.Key()] {
				pools, changed = append(pools, p), true
			}
		}
		next.IPConfigurations[i].Pools = pools
	}
	return next, changed
}

// leaves reports whether a scale set or an instance leaves a pool that goes, or that is gone already: ARM deletes no load balancer before they
// have left it, and takes no write of theirs that names a pool which is not there.
func (d *outline) leaves(nic *SeenInterface, pool ID, m memberships) bool {
	if !nic.ID.Top().Is(armid.ScaleSets) {
		return false
	}
	if causes, ok := m.dying[pool.Key()]; ok {
		for _, c := range causes {
			d.because(nic.ID.Key(), c)
		}
		return true
	}
	if !d.orphaned(pool) {
		return false
	}
	d.because(nic.ID.Key(), Cause{Reason: ReasonUnused})
	return true
}

// orphaned reports whether a pool of a load balancer of ours is not there, nor about to be.
func (d *outline) orphaned(pool ID) bool {
	id := pool.Top()
	if !d.ourBalancer(id) || d.seen.unknown(armid.LoadBalancers, id.GroupID()) != nil {
		return false
	}
	l := d.balancer(id)
	if l.seenPool(pool.Name()) != nil {
		return false
	}
	if _, _, ok := d.wantBalancer(l); !ok {
		return true
	}
	return !slices.ContainsFunc(d.wantPools(l), func(p Pool) bool { return strings.EqualFold(p.Name, pool.Name()) })
}

// attaches reports whether an interface is known that would join the pool of family f: until then its addresses stay, since they serve.
func (d *outline) attaches(l *balancerDraft, f ipam.Family) bool {
	return slices.ContainsFunc(d.nodesOf(l), func(n corev1.Node) bool {
		nic := d.interfaceOf(n)
		return nic != nil && d.attachable(n) && !nic.Deleting && !nic.Stopped && nic.configurationFor(f) >= 0 && d.otherBalancer(nic, l) == ""
	})
}

// stuck says why a pool of interfaces cannot become one of addresses yet, nil if nothing is in the way: Azure does not mix the two, so all of
// its interfaces have to leave it, unless ARM migrates it.
func (d *outline) stuck(l *balancerDraft, p Pool) error {
	if d.c.MigrateToIPBased {
		return nil
	}
	known := map[string]*SeenInterface{}
	for i := range d.seen.Interfaces {
		known[d.seen.Interfaces[i].ID.Key()] = &d.seen.Interfaces[i]
	}
	unread, deleting := 0, 0
	for _, id := range l.seen.Attached[strings.ToLower(p.Name)] {
		switch nic := known[id.Unit().Key()]; {
		case nic == nil:
			unread++
		case nic.Deleting:
			deleting++
		}
	}
	switch {
	case unread > 0:
		return fmt.Errorf("%w: %d network interfaces of pool %s, so it stays a pool of interfaces; let them be read, take them out of it, or set enableMigrateToIPBasedBackendPoolAPI", ErrUnreadable, unread, p.Name)
	case deleting > 0:
		return fmt.Errorf("%w: %d network interfaces of pool %s are being deleted; it becomes one of addresses after that", ErrForeign, deleting, p.Name)
	default:
		return nil
	}
}

// warnRules says when more rules reach a network interface than Azure allows.
func (d *outline) warnRules(interfaces []NetworkInterface) {
	if d.c.PoolType != PoolInterfaces {
		return
	}
	counts := d.rulesByPool()
	worst, name, beyond := 0, "", 0
	count := func(of string, pools []ID) {
		n := 0
		for _, p := range pools {
			n += counts[p.Key()]
		}
		if n > d.c.Limits.RulesPerInterface {
			beyond++
		}
		if n > worst || n == worst && of < name {
			worst, name = n, of
		}
	}
	next := map[string]NetworkInterface{}
	for _, n := range interfaces {
		next[n.ID.Key()] = n
	}
	for i := range d.seen.Interfaces {
		nic := d.seen.Interfaces[i].NetworkInterface
		if n, ok := next[nic.ID.Key()]; ok {
			nic = n
		}
		var pools []ID
		for _, c := range nic.IPConfigurations {
			pools = append(pools, c.Pools...)
		}
		if !d.seen.Interfaces[i].Model {
			count(strings.TrimPrefix(string(nic.ID), string(nic.ID.GroupID())+"/providers/"), pools)
		}
	}
	// Nodes that nobody reads are in the pools of both load balancers, as far as anybody knows.
	for _, e := range d.entries {
		var pools []ID
		for _, internal := range []bool{false, true} {
			l := d.balancer(d.c.twin(e.Name, internal))
			for _, f := range []ipam.Family{ipam.IPv4, ipam.IPv6} {
				pools = append(pools, l.id.Child(armid.BackendAddressPools, poolName(d.c.Name, f)))
			}
		}
		if len(d.seen.Interfaces) == 0 && len(d.in.Nodes) > 0 {
			count("of every node", pools)
		}
	}
	if worst > d.c.Limits.RulesPerInterface {
		d.findings = append(d.findings, Finding{Field: poolTypeField, Severity: SeverityWarning, Err: fmt.Errorf(
			"%w: %d rules reach network interface %s, at most %d (%d interfaces have too many); use fewer ports, or HA ports", ErrLimit, worst, name, d.c.Limits.RulesPerInterface, beyond)})
	}
}

// rulesByPool counts the rules that lead to each pool of every load balancer, as they will be.
func (d *outline) rulesByPool() map[string]int {
	counts := map[string]int{}
	add := func(balancer ID, pool string) {
		counts[balancer.Child(armid.BackendAddressPools, pool).Key()]++
	}
	for key, l := range d.seen.balancers {
		ours := d.ourBalancer(l.ID)
		for _, r := range l.Rules {
			if !ours || d.owner(r.Name) == "" {
				add(ID(key), r.Pool)
			}
		}
		for _, u := range l.Uses {
			for _, p := range u.Pools {
				add(ID(key), p)
			}
		}
	}
	for _, id := range d.ourBalancers() {
		for _, r := range d.balancer(id).rules {
			add(id, r.Pool)
		}
	}
	return counts
}
