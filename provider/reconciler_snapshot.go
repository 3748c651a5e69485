package provider

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// snapshot is what a Reconciler knows of Azure: what it has read, with what its own writes made of it since. What is in it is never
// changed in place, so a copy of seen may be planned from while writes go on.
type snapshot struct {
	seen  lb.Observed
	scope lb.Scope  // that has been read
	at    time.Time // when all of it was asked for; zero: never
	tick  uint64    // counts what happens: writes that end, reads that begin
	full  uint64    // when the last reading of everything began
	// wrote is when the last write of a resource ended, and doubts when something put in doubt what is known of a part.
	wrote  map[string]uint64
	doubts map[part]uint64
	began  map[part]uint64      // when the last reading of a part began
	missed map[string]time.Time // by key of a machine: when it was looked for and not found
}

// part is what is read again together.
type part string

// The parts. Load balancers and public IPs are one, since each tells something about the other.
const (
	partBalancing  part = "load balancers and public IPs"
	partSecurity   part = "security group"
	partNetworks   part = "virtual networks"
	partLinks      part = "private link services"
	partInterfaces part = "network interfaces"
	partOther      part = "everything else"
)

var allParts = []part{partBalancing, partSecurity, partNetworks, partLinks, partInterfaces, partOther}

func partOf(id lb.ID) part {
	top := id.Top()
	switch {
	case top.Is(armid.LoadBalancers), top.Is(armid.PublicIPAddresses):
		return partBalancing
	case top.Is(armid.NetworkSecurityGroups):
		return partSecurity
	case top.Is(armid.VirtualNetworks):
		return partNetworks
	case top.Is(armid.PrivateLinkServices):
		return partLinks
	case top.Is(armid.NetworkInterfaces), top.Is(armid.ScaleSets):
		return partInterfaces
	default:
		return partOther
	}
}

// partOfType is partOf for a type of resource.
func partOfType(typ string) part {
	for _, t := range []string{
		armid.LoadBalancers, armid.PublicIPAddresses, armid.NetworkSecurityGroups, armid.VirtualNetworks, armid.PrivateLinkServices, armid.NetworkInterfaces, armid.ScaleSets,
	} {
		if strings.EqualFold(t, typ) || strings.HasPrefix(strings.ToLower(typ), strings.ToLower(t)+"/") {
			return partOf(armid.Resource("s", "g", t, "n"))
		}
	}
	return partOther
}

func newSnapshot() snapshot {
	return snapshot{wrote: map[string]uint64{}, doubts: map[part]uint64{}, began: map[part]uint64{}, missed: map[string]time.Time{}}
}

func (s *snapshot) next() uint64 {
	s.tick++
	return s.tick
}

// doubt says that a part may be different from what is known. What the rules of a security group are for is known only beside load balancers and
// public IPs of the same time: without those that another process has made since, its rules would look like leftovers.
func (s *snapshot) doubt(p part) {
	if s.doubts[p] = s.next(); p == partSecurity {
		s.doubts[partBalancing] = s.doubts[p]
	}
}

// doubtMembers is doubt for the members of pools, where interfaces are read for them.
func (s *snapshot) doubtMembers() {
	if len(s.scope.Interfaces)+len(s.scope.ScaleSets)+len(s.seen.Interfaces) > 0 {
		s.doubt(partInterfaces)
	}
}

// doubtAll is doubt for everything.
func (s *snapshot) doubtAll() {
	for _, p := range allParts {
		s.doubt(p)
	}
}

// stale returns the parts of scope that have to be read before anybody plans from s for it: those in doubt and those never read.
func (s *snapshot) stale(scope lb.Scope) []part {
	var parts []part
	for _, p := range allParts {
		if s.doubts[p] > 0 || !covers(restrict(s.scope, p), restrict(scope, p)) {
			parts = append(parts, p)
		}
	}
	return parts
}

// restrict leaves one part of a scope.
func restrict(s lb.Scope, p part) lb.Scope {
	switch p {
	case partBalancing:
		return lb.Scope{LoadBalancers: s.LoadBalancers, PublicIPs: s.PublicIPs}
	case partSecurity:
		return lb.Scope{SecurityGroup: s.SecurityGroup}
	case partNetworks:
		return lb.Scope{Networks: s.Networks}
	case partLinks:
		return lb.Scope{PrivateLinkServices: s.PrivateLinkServices}
	case partInterfaces:
		return lb.Scope{Interfaces: s.Interfaces, ScaleSets: s.ScaleSets, Members: s.Members}
	default:
		return lb.Scope{Prefixes: s.Prefixes, Machines: s.Machines, Subscription: s.Subscription, Location: s.Location, Survey: s.Survey}
	}
}

// restrictAll leaves some parts of a scope.
func restrictAll(s lb.Scope, parts []part) lb.Scope {
	var all lb.Scope
	for _, p := range parts {
		all = union(all, restrict(s, p))
	}
	return all
}

// union returns what is in a or in b.
func union(a, b lb.Scope) lb.Scope {
	ids := func(a, b []lb.ID) []lb.ID {
		all := slices.Concat(a, b)
		slices.SortFunc(all, armid.Compare)
		return slices.CompactFunc(all, lb.ID.Equal)
	}
	a.LoadBalancers, a.PublicIPs = ids(a.LoadBalancers, b.LoadBalancers), ids(a.PublicIPs, b.PublicIPs)
	a.PrivateLinkServices, a.Networks = ids(a.PrivateLinkServices, b.PrivateLinkServices), ids(a.Networks, b.Networks)
	a.Prefixes, a.Interfaces, a.Machines = ids(a.Prefixes, b.Prefixes), ids(a.Interfaces, b.Interfaces), ids(a.Machines, b.Machines)
	a.ScaleSets, a.Members = ids(a.ScaleSets, b.ScaleSets), ids(a.Members, b.Members)
	if a.SecurityGroup == "" {
		a.SecurityGroup = b.SecurityGroup
	}
	if a.Location == "" {
		a.Subscription, a.Location = b.Subscription, b.Location
	}
	a.Survey = cmp.Or(a.Survey, b.Survey)
	return a
}

// covers reports whether everything in b is in a.
func covers(a, b lb.Scope) bool {
	ids := func(a, b []lb.ID) bool {
		return !slices.ContainsFunc(b, func(id lb.ID) bool { return !slices.ContainsFunc(a, id.Equal) })
	}
	return ids(a.LoadBalancers, b.LoadBalancers) && ids(a.PublicIPs, b.PublicIPs) && ids(a.PrivateLinkServices, b.PrivateLinkServices) &&
		ids(a.Networks, b.Networks) && ids(a.Prefixes, b.Prefixes) && ids(a.Interfaces, b.Interfaces) && ids(a.Machines, b.Machines) &&
		ids(a.ScaleSets, b.ScaleSets) && ids(a.Members, b.Members) &&
		(b.Survey == "" || a.Survey.Equal(b.Survey)) &&
		(b.SecurityGroup == "" || a.SecurityGroup.Equal(b.SecurityGroup)) && (b.Location == "" || a.Location == b.Location && a.Subscription == b.Subscription)
}

// read takes what reading scope gave: all of it, or some parts, asked for at since. What was written in the meantime stays as the write left
// it, since the answer may be of before or after.
func (s *snapshot) read(seen lb.Observed, scope lb.Scope, parts []part, since uint64, at time.Time) {
	old := s.seen
	later := func(id lb.ID) bool { return s.wrote[id.Unit().Key()] > since }
	next := old
	for _, p := range parts {
		switch p {
		case partBalancing:
			next.LoadBalancers = refresh(old.LoadBalancers, seen.LoadBalancers, balancerID, later)
			next.PublicIPs = refresh(old.PublicIPs, seen.PublicIPs, publicIPID, later)
		case partSecurity:
			next.SecurityGroups = refresh(old.SecurityGroups, seen.SecurityGroups, groupID, later)
		case partNetworks:
			next.Networks = refresh(old.Networks, seen.Networks, networkID, later)
		case partLinks:
			next.PrivateLinkServices = refresh(old.PrivateLinkServices, seen.PrivateLinkServices, linkID, later)
		case partInterfaces:
			next.Interfaces = refresh(old.Interfaces, seen.Interfaces, interfaceID, later)
		default:
			next.Prefixes, next.Machines, next.Zones, next.Elsewhere = seen.Prefixes, seen.Machines, seen.Zones, seen.Elsewhere
		}
		if s.began[p] = since; s.doubts[p] <= since {
			delete(s.doubts, p)
		}
	}
	next.Unknown = slices.Concat(seen.Unknown, slices.DeleteFunc(slices.Clone(old.Unknown), func(u lb.Unknown) bool {
		return slices.Contains(parts, partOfType(u.Type))
	}))
	s.seen = next
	if len(parts) == len(allParts) {
		s.scope, s.at, s.full = scope, at, since
		maps.DeleteFunc(s.wrote, func(_ string, ended uint64) bool { return ended <= since })
		return
	}
	s.scope = union(s.scope, scope)
}

// miss takes note of machines that were looked for at that time. Those that were found are not asked about any more.
func (s *snapshot) miss(ids []lb.ID, at time.Time) {
	maps.DeleteFunc(s.missed, func(_ string, when time.Time) bool { return at.Sub(when) >= missedAge })
	for _, id := range ids {
		s.missed[id.Key()] = at
	}
}

// refresh returns what was read, but for those that were written since it was asked for: they are as in old.
func refresh[T any](old, read []T, id func(*T) lb.ID, later func(lb.ID) bool) []T {
	var list []T
	for i := range read {
		if !later(id(&read[i])) {
			list = append(list, read[i])
		}
	}
	for i := range old {
		if later(id(&old[i])) {
			list = append(list, old[i])
		}
	}
	return sorted(list, id)
}

func sorted[T any](list []T, id func(*T) lb.ID) []T {
	slices.SortStableFunc(list, func(a, b T) int { return armid.Compare(id(&a), id(&b)) })
	return list
}

func balancerID(l *lb.SeenLoadBalancer) lb.ID   { return l.ID }
func publicIPID(p *lb.SeenPublicIP) lb.ID       { return p.ID }
func groupID(g *lb.SeenSecurityGroup) lb.ID     { return g.ID }
func networkID(n *lb.SeenNetwork) lb.ID         { return n.ID }
func linkID(p *lb.SeenPrivateLinkService) lb.ID { return p.ID }
func interfaceID(n *lb.SeenInterface) lb.ID     { return n.ID }

// written takes the receipt of an operation that succeeded.
func (s *snapshot) written(op lb.Op, receipt Receipt) {
	top := op.Target().Unit()
	s.wrote[top.Key()] = s.next()
	s.seen.Unknown = slices.DeleteFunc(slices.Clone(s.seen.Unknown), func(u lb.Unknown) bool { return u.Scope.Equal(top) && strings.EqualFold(u.Type, top.Type()) })
	if !s.fold(op, receipt.Seen) {
		s.doubt(partOf(top))
	}
	switch op.(type) {
	case lb.PutNetworkInterface:
		s.doubt(partBalancing) // load balancers show which interfaces are in their pools
		if top.Top().Is(armid.ScaleSets) {
			s.doubt(partInterfaces) // a scale set and its instances move each other
		}
	case lb.MigrateBackendPools:
		s.doubt(partBalancing)
		s.doubtMembers()
	case lb.DeleteLoadBalancer, lb.DeleteBackendPool:
		s.doubtMembers() // they leave a pool that goes, by themselves
	}
	if top.Is(armid.LoadBalancers) {
		s.attach(top)
	}
}

// fold makes the snapshot what op left, and reports whether it knows what that is.
func (s *snapshot) fold(op lb.Op, told lb.Observed) bool {
	seen, top := &s.seen, op.Target().Unit()
	if told := told.LoadBalancers; len(told) == 1 && told[0].ID.Equal(top) {
		seen.LoadBalancers = with(seen.LoadBalancers, told[0], balancerID)
		return true
	}
	if told := told.PublicIPs; len(told) == 1 && told[0].ID.Equal(top) {
		seen.PublicIPs = with(seen.PublicIPs, told[0], publicIPID)
		return true
	}
	if told := told.SecurityGroups; len(told) == 1 && told[0].ID.Equal(top) {
		if s.strange(op, told[0]) {
			s.doubt(partBalancing)
		}
		seen.SecurityGroups = with(seen.SecurityGroups, told[0], groupID)
		return true
	}
	if told := told.PrivateLinkServices; len(told) == 1 && told[0].ID.Equal(top) {
		seen.PrivateLinkServices = with(seen.PrivateLinkServices, told[0], linkID)
		return true
	}
	if told := told.Interfaces; len(told) == 1 && told[0].ID.Equal(top) {
		seen.Interfaces = with(seen.Interfaces, told[0], interfaceID)
		return true
	}
	if told := told.Networks; len(told) == 1 && told[0].ID.Equal(top) {
		seen.Networks = with(seen.Networks, told[0], networkID)
		return true
	}
	return s.foldPart(op)
}

// strange reports whether a security group, as the answer to op tells it, leads somewhere that is neither known nor asked for by op: another
// process is at work, and what it does on load balancers is not known either.
func (s *snapshot) strange(op lb.Op, told lb.SeenSecurityGroup) bool {
	var known []lb.SecurityRule
	for _, g := range s.seen.SecurityGroups {
		if g.ID.Equal(told.ID) {
			known = append(known, g.Rules...)
		}
	}
	switch op := op.(type) {
	case lb.PutSecurityGroup:
		known = append(known, op.After.Rules...)
	case lb.PutSecurityRule:
		known = append(known, op.After)
	}
	leads := map[string]map[lb.Address]bool{}
	for _, r := range known {
		key := strings.ToLower(r.Name)
		if leads[key] == nil {
			leads[key] = map[lb.Address]bool{}
		}
		for _, a := range r.Destinations {
			leads[key][a] = true
		}
	}
	return slices.ContainsFunc(told.Rules, func(r lb.SecurityRule) bool {
		to := leads[strings.ToLower(r.Name)]
		return to == nil || slices.ContainsFunc(r.Destinations, func(a lb.Address) bool { return !to[a] })
	})
}

// foldPart is fold for deletions, and for writes of children that tell nothing of their parent.
func (s *snapshot) foldPart(op lb.Op) bool {
	seen := &s.seen
	switch op := op.(type) {
	case lb.DeleteLoadBalancer:
		seen.LoadBalancers = without(seen.LoadBalancers, op.Before.ID, balancerID)
		return true
	case lb.DeletePublicIP:
		seen.PublicIPs = without(seen.PublicIPs, op.Before.ID, publicIPID)
		return true
	case lb.DeletePrivateLinkService:
		seen.PrivateLinkServices = without(seen.PrivateLinkServices, op.Before.ID, linkID)
		return true
	case lb.PutBackendPool:
		return edit(&seen.LoadBalancers, op.LoadBalancer, balancerID, func(l *lb.SeenLoadBalancer) { l.Pools = withPool(l.Pools, op.After) })
	case lb.DeleteBackendPool:
		return edit(&seen.LoadBalancers, op.LoadBalancer, balancerID, func(l *lb.SeenLoadBalancer) { l.Pools = withoutPool(l.Pools, op.Before.Name) })
	case lb.PutSecurityRule:
		return edit(&seen.SecurityGroups, op.Group, groupID, func(g *lb.SeenSecurityGroup) { g.Rules = withRule(g.Rules, op.After) })
	case lb.DeleteSecurityRule:
		return edit(&seen.SecurityGroups, op.Group, groupID, func(g *lb.SeenSecurityGroup) { g.Rules = withoutRule(g.Rules, op.Before.Name) })
	case lb.DeleteEndpointConnection:
		return edit(&seen.PrivateLinkServices, op.Service, linkID, func(p *lb.SeenPrivateLinkService) {
			p.Connections = slices.DeleteFunc(slices.Clone(p.Connections), func(c pls.Connection) bool { return strings.EqualFold(c.Name, op.Before.Name) })
		})
	case lb.PutSubnetPolicy:
		return edit(&seen.Networks, op.After.ID.Top(), networkID, func(n *lb.SeenNetwork) {
			n.Subnets = slices.Clone(n.Subnets)
			for i := range n.Subnets {
				if n.Subnets[i].ID.Equal(op.After.ID) {
					n.Subnets[i].PrivateLinkPolicies = op.After.PrivateLinkPolicies
				}
			}
		})
	default:
		return false
	}
}

// attach makes the public IPs tell which frontends of a load balancer have them.
func (s *snapshot) attach(balancer lb.ID) {
	has := map[string]lb.ID{}
	for i := range s.seen.LoadBalancers {
		if l := &s.seen.LoadBalancers[i]; l.ID.Equal(balancer) {
			for _, f := range l.Frontends {
				has[f.PublicIP.Key()] = l.ID.Child(armid.FrontendIPConfigurations, f.Name)
			}
		}
	}
	list := slices.Clone(s.seen.PublicIPs)
	for i := range list {
		p := &list[i]
		frontend := has[p.ID.Key()]
		was := p.Attached != "" && p.Attached.Top().Equal(balancer)
		if frontend == "" && !was || frontend != "" && p.Attached.Equal(frontend) {
			continue
		}
		p.Attached = frontend
		s.wrote[p.ID.Key()] = s.next()
	}
	s.seen.PublicIPs = list
}

// with returns list with v in the place of what has its id.
func with[T any](list []T, v T, id func(*T) lb.ID) []T {
	return sorted(append(without(list, id(&v), id), v), id)
}

// without returns list without what has this id.
func without[T any](list []T, gone lb.ID, id func(*T) lb.ID) []T {
	return slices.DeleteFunc(slices.Clone(list), func(v T) bool { return id(&v).Equal(gone) })
}

// edit lets change make another one of what has this id, and reports whether there is one.
func edit[T any](list *[]T, of lb.ID, id func(*T) lb.ID, change func(*T)) bool {
	i := slices.IndexFunc(*list, func(v T) bool { return id(&v).Equal(of) })
	if i < 0 {
		return false
	}
	next := slices.Clone(*list)
	change(&next[i])
	*list = next
	return true
}

func withPool(list []lb.Pool, p lb.Pool) []lb.Pool {
	list = append(withoutPool(list, p.Name), p)
	slices.SortFunc(list, func(a, b lb.Pool) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return list
}

func withoutPool(list []lb.Pool, name string) []lb.Pool {
	return slices.DeleteFunc(slices.Clone(list), func(p lb.Pool) bool { return strings.EqualFold(p.Name, name) })
}

func withRule(list []lb.SecurityRule, r lb.SecurityRule) []lb.SecurityRule {
	list = append(withoutRule(list, r.Name), r)
	slices.SortFunc(list, func(a, b lb.SecurityRule) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return list
}

func withoutRule(list []lb.SecurityRule, name string) []lb.SecurityRule {
	return slices.DeleteFunc(slices.Clone(list), func(r lb.SecurityRule) bool { return strings.EqualFold(r.Name, name) })
}
