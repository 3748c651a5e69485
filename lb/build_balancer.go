package lb

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// finishBalancers decides what becomes of everything on our load balancers that the outline has not claimed.
func (d *outline) finishBalancers() {
	for _, id := range d.ourBalancers() {
		l := d.balancer(id)
		if l.seen == nil {
			continue
		}
		d.keepUsedByOthers(l)
		d.keepLinked()
		if len(l.frontends) > 0 || d.foreignFrontend(l) {
			continue
		}
		if why := d.foreignChild(l); why != "" {
			d.keepLastFrontend(l, why)
		}
	}
}

// keepUsedByOthers keeps our frontends that foreign children use.
func (d *outline) keepUsedByOthers(l *balancerDraft) {
	users := d.foreignUsers(l)
	for _, f := range l.seen.Frontends {
		user, used := users[strings.ToLower(f.Name)]
		if _, ok := l.frontends[strings.ToLower(f.Name)]; ok || !used || d.owner(f.Name) == "" {
			continue
		}
		d.keepFrontend(l, f.Name)
		d.findings = append(d.findings, Finding{
			Severity: SeverityWarning, Field: string(l.id.Child(armid.FrontendIPConfigurations, f.Name)),
			Err: fmt.Errorf("%w: the frontend stays, %s uses it", ErrForeign, user),
		})
	}
}

// foreignUsers finds a foreign child by the name of the frontend it uses, in lower case.
func (d *outline) foreignUsers(l *balancerDraft) map[string]ID {
	users := map[string]ID{}
	for _, r := range l.seen.Rules {
		if d.owner(r.Name) == "" {
			users[strings.ToLower(r.Frontend)] = l.id.Child(armid.LoadBalancingRules, r.Name)
		}
	}
	for _, u := range l.seen.Uses {
		for _, f := range u.Frontends {
			users[strings.ToLower(f)] = u.ID
		}
	}
	return users
}

func (d *outline) foreignFrontend(l *balancerDraft) bool {
	return slices.ContainsFunc(l.seen.Frontends, func(f Frontend) bool { return d.owner(f.Name) == "" })
}

// foreignChild names something on the load balancer that is not ours, empty for nothing.
func (d *outline) foreignChild(l *balancerDraft) string {
	for _, r := range l.seen.Rules {
		if d.owner(r.Name) == "" {
			return "rule " + r.Name
		}
	}
	for _, p := range l.seen.Probes {
		if d.owner(p.Name) == "" && p.Name != sharedProbe {
			return "probe " + p.Name
		}
	}
	for _, p := range l.seen.Pools {
		if !d.defaultPool(p.Name) && d.poolOwner(l, p.Name) == "" {
			return "pool " + p.Name
		}
	}
	for _, u := range l.seen.Uses {
		return u.ID.Name()
	}
	for _, p := range l.seen.Pools {
		if d.preConfigured(l) && d.defaultPool(p.Name) {
			return "pool " + p.Name + ", which somebody else looks after (preConfiguredBackendPoolLoadBalancerTypes)"
		}
	}
	return ""
}

func (d *outline) defaultPool(name string) bool {
	return strings.EqualFold(name, poolName(d.c.Name, ipam.IPv4)) || strings.EqualFold(name, poolName(d.c.Name, ipam.IPv6))
}

// keepLastFrontend keeps one frontend without rules: a load balancer without any may have no children, and these are not ours to delete.
// One whose address a Service takes along to another load balancer cannot stay; if all are, the Service is held.
func (d *outline) keepLastFrontend(l *balancerDraft, why string) {
	var takers []*service
	for _, f := range l.seen.Frontends {
		if d.owner(f.Name) == "" {
			continue
		}
		if s := d.taker(f); s != nil {
			takers = append(takers, s)
			continue
		}
		d.keepFrontend(l, f.Name)
		d.findings = append(d.findings, Finding{
			Severity: SeverityWarning, Field: string(l.id.Child(armid.FrontendIPConfigurations, f.Name)),
			Err: fmt.Errorf("%w: the last frontend stays without rules, since the load balancer holds %s", ErrForeign, why),
		})
		return
	}
	if len(takers) > 0 && !takers[0].held {
		d.hold(takers[0], "", fmt.Errorf("%w: its frontend is the last one of load balancer %s, which holds %s; remove that, or give the Service another address", ErrForeign, l.id.Name(), why))
	}
}

// taker finds the Service that asks for the public IP of a frontend which the outline does not have.
func (d *outline) taker(f Frontend) *service {
	if p := d.publicIPs[f.PublicIP.Key()]; f.PublicIP != "" && p != nil && len(p.claimants) > 0 {
		return p.claimants[0]
	}
	return nil
}

// want returns the load balancer as it should be, and the ids of what has to go.
func (d *outline) wantBalancer(l *balancerDraft) (LoadBalancer, []ID, bool) {
	if l.seen == nil && len(l.frontends) == 0 {
		return LoadBalancer{}, nil, false
	}
	if l.seen != nil && len(l.frontends) == 0 && !d.foreignFrontend(l) {
		if !d.provenOurs(l) {
			return LoadBalancer{}, nil, false
		}
		if want, gone, ok := d.lastBalancer(l); ok {
			return want, gone, true
		}
		return LoadBalancer{}, d.removeBalancer(l), false
	}
	want := LoadBalancer{ID: l.id, Location: d.c.Location, SKU: d.c.sku(), EdgeZone: d.c.EdgeZone, Tags: d.tagGroups(l, d.c.Tags)}
	want.Frontends = d.inServiceOrder(l)
	want.Rules = sortedValues(l.rules, func(a, b Rule) int { return strings.Compare(a.Name, b.Name) })
	want.Probes = sortedValues(l.probes, func(a, b Probe) int { return strings.Compare(a.Name, b.Name) })
	want.Pools = d.wantPools(l)
	if l.seen == nil {
		return want, nil, true
	}
	if !d.outdated(l) {
		want.Location, want.SKU, want.EdgeZone = l.seen.Location, l.seen.SKU, l.seen.EdgeZone
	}
	d.removeSystemTags(l.id.Key(), l.seen.Tags, want.Tags)
	return want, d.removeChildren(l), true
}

// outdated reports whether a load balancer is a basic one that gives way to a standard one of the same name.
func (d *outline) outdated(l *balancerDraft) bool {
	return !d.c.Basic && l.seen != nil && strings.EqualFold(l.seen.SKU, "Basic")
}

// checkOutdated holds a Service whose basic load balancer cannot be replaced, since others have something on it.
func (d *outline) checkOutdated(l *balancerDraft) []fieldError {
	if !d.outdated(l) {
		return nil
	}
	why := d.foreignChild(l)
	if d.foreignFrontend(l) {
		why = "a frontend"
	}
	if why == "" && len(l.kept) > 0 {
		why = "frontend " + l.kept[0] + " of a Service that is held"
	}
	if why == "" {
		return nil
	}
	return []fieldError{{"loadBalancerSku", fmt.Errorf("%w: load balancer %s is a basic one, and cannot be replaced while it holds %s", ErrForeign, l.id.Name(), why)}}
}

// inServiceOrder returns the frontends in the order of their Services' names, IPv4 first: ARM gives out dynamic addresses in the order of the
// list, so that the same Services get the same addresses whatever their uids are.
func (d *outline) inServiceOrder(l *balancerDraft) []Frontend {
	name := func(f Frontend) types.NamespacedName {
		if s := d.byBase[d.owner(f.Name)]; s != nil {
			return s.name
		}
		return types.NamespacedName{}
	}
	return sortedValues(l.frontends, func(a, b Frontend) int {
		return cmp.Or(compareNames(name(a), name(b)), int(a.Family)-int(b.Family), strings.Compare(a.Name, b.Name))
	})
}

func (d *outline) removeBalancer(l *balancerDraft) []ID {
	for _, f := range l.seen.Frontends {
		d.removalCauses(l.id, d.owner(f.Name))
	}
	for _, r := range l.seen.Rules { // others may be on the frontend of a Service
		d.removalCauses(l.id, d.owner(r.Name))
		d.removalCauses(l.id.Child(armid.LoadBalancingRules, r.Name), d.owner(r.Name))
	}
	if len(d.causes[l.id.Key()]) == 0 {
		d.because(l.id.Key(), Cause{Reason: ReasonUnused})
	}
	return []ID{l.id}
}

// removalCauses notes why something of base goes.
func (d *outline) removalCauses(id ID, base string) {
	if s := d.byBase[base]; s != nil {
		d.because(id.Key(), d.removalCause(s.name))
		return
	}
	d.because(id.Key(), Cause{Reason: ReasonGone})
}

// removeChildren lists the children of ours that the outline does not have.
func (d *outline) removeChildren(l *balancerDraft) []ID {
	var gone []ID
	drop := func(kind, name string) {
		id := l.id.Child(kind, name)
		d.removalCauses(id, d.owner(name))
		gone = append(gone, id)
	}
	for _, f := range l.seen.Frontends {
		if _, ok := l.frontends[strings.ToLower(f.Name)]; !ok && d.owner(f.Name) != "" {
			drop(armid.FrontendIPConfigurations, f.Name)
		}
	}
	foreign := map[string]bool{}
	for _, r := range l.seen.Rules {
		_, ok := l.rules[strings.ToLower(r.Name)]
		switch {
		case d.owner(r.Name) == "":
			foreign[strings.ToLower(r.Probe)] = true
		case !ok:
			drop(armid.LoadBalancingRules, r.Name)
		}
	}
	for _, p := range l.seen.Probes {
		if _, ok := l.probes[strings.ToLower(p.Name)]; !ok && (d.owner(p.Name) != "" || p.Name == sharedProbe) && !foreign[strings.ToLower(p.Name)] {
			drop(armid.Probes, p.Name)
		}
	}
	for _, p := range l.seen.Pools {
		base := d.poolOwner(l, p.Name)
		if _, wanted := d.localPools[l.id.Key()][strings.ToLower(p.Name)]; base != "" && !wanted && !d.keepsBase(base) && !d.defaultPool(p.Name) {
			id := l.id.Child(armid.BackendAddressPools, p.Name)
			d.removalCauses(id, base)
			gone = append(gone, id)
		}
	}
	return gone
}

// wantPools returns the default pools, those that are there and those that a family needs, and the pools of Services that have their own.
func (d *outline) wantPools(l *balancerDraft) []Pool {
	var pools []Pool
	for _, f := range []ipam.Family{ipam.IPv4, ipam.IPv6} {
		name := poolName(d.c.Name, f)
		seen := l.seenPool(name)
		if seen != nil || l.families[f] {
			pools = append(pools, d.wantPool(l, name, seen, members(d.nodesOf(l), f)))
		}
	}
	for name, p := range d.localPools[l.id.Key()] {
		pools = append(pools, d.wantPool(l, p.name, l.seenPool(name), members(d.nodesOfLocal(p.s, l), p.family)))
	}
	pools = append(pools, d.heldPools(l)...)
	slices.SortFunc(pools, func(a, b Pool) int { return strings.Compare(a.Name, b.Name) })
	return pools
}

// seenPool returns the pool that was observed under name, nil if there is none.
func (l *balancerDraft) seenPool(name string) *Pool {
	if l.seen == nil {
		return nil
	}
	if p, ok := l.seen.pools[strings.ToLower(name)]; ok {
		return &p
	}
	return nil
}

// wantPool returns one pool with its members. Members of pools of interfaces, and of pools that somebody else looks after, stay as they are.
func (d *outline) wantPool(l *balancerDraft, name string, seen *Pool, list []Member) Pool {
	want := Pool{Name: name, Interfaces: d.c.PoolType == PoolInterfaces}
	if seen != nil {
		// A new pool is there because Services ask for it, whatever the nodes do.
		d.because(l.id.Child(armid.BackendAddressPools, name).Key(), Cause{Reason: ReasonNodes})
		want = *seen
		switch {
		case d.preConfigured(l):
			return want
		case seen.Interfaces && (d.c.PoolType != PoolAddresses || len(list) == 0 || !d.unstick(l, *seen)):
			return want
		case seen.Interfaces:
			want = Pool{Name: seen.Name} // interfaces make room for addresses
		case d.c.PoolType == PoolInterfaces && len(seen.Members) > 0 && !d.attaches(l, d.familyOfPool(seen.Name)):
			return want
		case d.c.PoolType == PoolInterfaces:
			return Pool{Name: seen.Name, Interfaces: true} // addresses make room for interfaces
		}
	} else if want.Interfaces {
		return want
	}
	if want.Network == "" {
		want.Network = d.poolNetwork(l)
	}
	if len(list) > 0 || seen == nil || d.usableNode() && !d.defaultPool(name) {
		want.Members = list
	}
	return want
}

// poolNetwork is the virtual network of a new pool of addresses. Beside internal frontends it is the one of their subnets, since Azure takes
// no other.
func (d *outline) poolNetwork(l *balancerDraft) ID {
	if l.internal() {
		return d.c.Network
	}
	return d.c.PoolNetwork
}

// internal reports whether the load balancer is for internal Services, which its name tells.
func (l *balancerDraft) internal() bool {
	return strings.HasSuffix(strings.ToLower(l.id.Name()), "-internal")
}

// unstick reports whether a pool of interfaces becomes one of addresses, and says why if it does not.
func (d *outline) unstick(l *balancerDraft, p Pool) bool {
	id := l.id.Child(armid.BackendAddressPools, p.Name)
	if err := d.stuck(l, p); err != nil {
		f := Finding{Field: poolTypeField, Severity: SeverityWarning, Err: err}
		if !slices.ContainsFunc(d.findings, func(other Finding) bool { return other.String() == f.String() }) {
			d.findings = append(d.findings, f)
		}
		return false
	}
	if d.c.MigrateToIPBased && !slices.ContainsFunc(d.migrated, id.Equal) {
		d.migrated = append(d.migrated, id)
	}
	d.because(id.Key(), Cause{Field: poolTypeField, Reason: ReasonConfiguration})
	return true
}

func (d *outline) preConfigured(l *balancerDraft) bool {
	return d.c.PreConfigured == "all" || d.c.PreConfigured == "internal" && l.internal() || d.c.PreConfigured == "external" && !l.internal()
}

func (b *builder) usableNode() bool { return slices.ContainsFunc(b.in.Nodes, eligible) }

// nodesOf returns the nodes of a load balancer's default pools.
func (d *outline) nodesOf(l *balancerDraft) []corev1.Node {
	if d.nodes == nil {
		d.nodes = d.spread()
	}
	for _, e := range d.entries {
		if d.c.twin(e.Name, false).Equal(l.id) || d.c.twin(e.Name, true).Equal(l.id) {
			return d.nodes[e.Name]
		}
	}
	return nil
}
