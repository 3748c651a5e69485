package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
)

// lbDraft is one load balancer on its way into the plan.
type lbDraft struct {
	id            ID
	seen          SeenLoadBalancer // zero if it is not there yet
	exists        bool
	failed        bool         // the last operation on it failed, so it is written whatever changes
	doomed        bool         // is deleted for good
	before, after LoadBalancer // our part
	seenByName    map[string]Frontend
	afterByName   map[string]Frontend
	drop          map[string]bool // lower-case names of frontends that a write of its own must give up first
	rebuild       bool            // dropping would leave no frontend: delete and create anew
	first, last   *draft          // last is the final write; first the extra one before it, mostly nil
	pools         []*draft        // writes of single pools instead of last
	turns         []turn          // pools whose members change their kind
	migrate       *draft          // lets ARM do that
	goesLast      bool            // is doomed, and becomes after until it goes
	gone          *draft          // its deletion, if last is another write
	tagged        *draft          // makes its tags name the resource groups in which something is made for it, if another write than last does
}

// release returns the write in which the frontend with the given name gives up its address; nil if nothing of it is written.
func (l *lbDraft) release(frontend string) *draft {
	if l.drop[strings.ToLower(frontend)] {
		return l.first
	}
	return l.last
}

// compareLoadBalancers pairs what is seen with what is wanted.
func (d *differ) compareLoadBalancers() {
	seen := make(map[string]SeenLoadBalancer, len(d.seen.LoadBalancers))
	ids := make([]ID, 0, len(d.seen.LoadBalancers))
	for _, s := range d.seen.LoadBalancers {
		seen[s.ID.Key()] = s
		ids = append(ids, s.ID)
	}
	bare := func(id ID) LoadBalancer { return LoadBalancer{ID: id} }
	for _, want := range targets(d.want.LoadBalancers, func(l LoadBalancer) ID { return l.ID }, bare, d, armid.LoadBalancers, ids) {
		s, exists := seen[want.ID.Key()]
		l := &lbDraft{id: want.ID, seen: s, exists: exists, drop: map[string]bool{}}
		switch {
		case d.remove[want.ID.Key()]:
			l.doomed, l.before = true, canonicalLB(s.LoadBalancer)
		case exists && slices.ContainsFunc(d.want.RemoveLast, want.ID.Equal):
			l.doomed, l.goesLast = true, true
			l.before, l.after = d.ourLoadBalancer(s.LoadBalancer, want)
		case exists:
			l.before, l.after = d.ourLoadBalancer(s.LoadBalancer, want)
			l.failed = s.Failed && wants(d.want.LoadBalancers, func(l LoadBalancer) ID { return l.ID }, s.ID)
			if d.rebuilds[want.ID.Key()] {
				d.rebuild(l, want)
			}
			l.takeTurns()
		default:
			l.after = canonicalLB(want)
			l.after.Frontends = slices.Clone(want.Frontends) // ARM gives addresses in this order
		}
		l.seenByName, l.afterByName = frontendKind.byName(s.Frontends), frontendKind.byName(l.after.Frontends)
		d.lbs = append(d.lbs, l)
	}
}

// rebuild has l deleted and created anew as want says: its SKU cannot be changed in place.
func (d *differ) rebuild(l *lbDraft, want LoadBalancer) {
	l.rebuild, l.before = true, canonicalLB(l.seen.LoadBalancer)
	l.after.Location, l.after.SKU, l.after.EdgeZone = want.Location, want.SKU, want.EdgeZone
	for _, f := range l.seen.Frontends {
		l.drop[strings.ToLower(f.Name)] = true
	}
}

// canonicalLB returns l with its lists sorted.
func canonicalLB(l LoadBalancer) LoadBalancer {
	l.Frontends = frontendKind.sorted(l.Frontends)
	l.Pools = sortedPools(l.Pools)
	l.Probes = probeKind.sorted(l.Probes)
	l.Rules = ruleKind.sorted(l.Rules)
	l.Tags = slices.Clone(l.Tags)
	l.Tags.sort()
	return l
}

func sortedPools(list []Pool) []Pool {
	list = poolKind.sorted(list)
	for i := range list {
		list[i].Members = slices.Clone(list[i].Members)
		slices.SortFunc(list[i].Members, func(a, b Member) int {
			if c := a.IP.Compare(b.IP); c != 0 {
				return c
			}
			return strings.Compare(a.Name, b.Name)
		})
	}
	return list
}

// ourLoadBalancer returns our part of seen, and want with the value of seen wherever ARM would see no difference.
func (d *differ) ourLoadBalancer(seen, want LoadBalancer) (before, after LoadBalancer) {
	before = LoadBalancer{ID: seen.ID, Location: seen.Location, SKU: seen.SKU, EdgeZone: seen.EdgeZone}
	after = before
	before.Frontends = frontendKind.ours(seen.ID, seen.Frontends, want.Frontends, d.remove)
	before.Pools = sortedPools(poolKind.ours(seen.ID, seen.Pools, want.Pools, d.remove))
	before.Probes = probeKind.ours(seen.ID, seen.Probes, want.Probes, d.remove)
	before.Rules = ruleKind.ours(seen.ID, seen.Rules, want.Rules, d.remove)
	after.Frontends = frontendKind.settledInOrder(before.Frontends, want.Frontends)
	after.Pools = poolKind.settled(before.Pools, sortedPools(want.Pools))
	after.Probes = probeKind.settled(before.Probes, want.Probes)
	after.Rules = ruleKind.settled(before.Rules, want.Rules)
	before.Tags, after.Tags = ourTags(seen.Tags, want.Tags, d.removeTags(seen.ID))
	return before, after
}

// lbChanges lists what leads from before to after. A zero before is a creation, a zero after a deletion.
func (d *differ) lbChanges(before, after LoadBalancer) []Change {
	id, whole := after.ID, after.ID
	var out []Change
	switch {
	case before.ID == "":
		out = append(out, d.why.change(Create, id, nil))
	case after.ID == "":
		id, whole = before.ID, before.ID
		out = append(out, d.why.change(Delete, id, nil))
	default:
		whole = ""
		if f := tagFields(before.Tags, after.Tags); len(f) > 0 {
			out = append(out, d.why.change(Update, id, f))
		}
	}
	out = append(out, frontendKind.changes(d.why, id, before.Frontends, after.Frontends)...)
	out = append(out, poolKind.changes(d.why, id, before.Pools, after.Pools)...)
	out = append(out, probeKind.changes(d.why, id, before.Probes, after.Probes)...)
	out = append(out, ruleKind.changes(d.why, id, before.Rules, after.Rules)...)
	return d.why.inherit(out, whole)
}

// without returns our part l without the given frontends and the rules that use them.
func (l LoadBalancer) without(drop map[string]bool) LoadBalancer {
	l.Frontends = slices.DeleteFunc(slices.Clone(l.Frontends), func(f Frontend) bool { return drop[strings.ToLower(f.Name)] })
	l.Rules = slices.DeleteFunc(slices.Clone(l.Rules), func(r Rule) bool { return drop[strings.ToLower(r.Frontend)] })
	return l
}

// errRelease is the reason of findings about addresses that cannot be given up.
var errRelease = errors.New("its address cannot be given up")

// dropped returns the public IP of the first frontend that is dropped, which is what it is dropped for.
func (l *lbDraft) dropped() ID {
	for _, f := range l.before.Frontends {
		if l.drop[strings.ToLower(f.Name)] {
			return f.PublicIP
		}
	}
	return ""
}

// canDrop reports why the frontends named in drop cannot be taken from l before its final write; rebuild says that l has to be deleted
// for it, since a load balancer must not be left without frontend.
func (l *lbDraft) canDrop(drop map[string]bool) (rebuild bool, err error) {
	ours := frontendKind.byName(l.before.Frontends)
	rules := ruleKind.byName(l.before.Rules)
	for name := range drop {
		if _, ok := ours[name]; !ok {
			return false, fmt.Errorf("%w: a frontend of load balancer %s that is not ours has it", errRelease, l.id.Name())
		}
	}
	for _, r := range l.seen.Rules {
		if _, ok := rules[strings.ToLower(r.Name)]; !ok && drop[strings.ToLower(r.Frontend)] {
			return false, fmt.Errorf("%w: rule %s of load balancer %s, which is not ours, uses it", errRelease, r.Name, l.id.Name())
		}
	}
	for _, u := range l.seen.Uses {
		if slices.ContainsFunc(u.Frontends, func(f string) bool { return drop[strings.ToLower(f)] }) {
			return false, fmt.Errorf("%w: %s of load balancer %s, which is not ours, uses it", errRelease, u.ID.Name(), l.id.Name())
		}
	}
	if len(drop) < len(l.seen.Frontends) {
		return false, nil
	}
	if l.hasForeign() {
		return false, fmt.Errorf("%w: load balancer %s would be left without frontend, and holds content that is not ours",
			errRelease, l.id.Name())
	}
	return true, nil
}

// hasForeign reports whether l holds anything that is not ours, or members that its own PUT cannot bring back.
func (l *lbDraft) hasForeign() bool {
	s := l.seen
	return len(s.Uses) > 0 || len(s.Frontends) != len(l.before.Frontends) || len(s.Pools) != len(l.before.Pools) ||
		len(s.Probes) != len(l.before.Probes) || len(s.Rules) != len(l.before.Rules) ||
		slices.ContainsFunc(s.Pools, func(p Pool) bool { return p.Interfaces })
}

// tryDrop adds names to what l gives up first, if that is possible.
func (l *lbDraft) tryDrop(names ...string) error {
	drop := map[string]bool{}
	for name := range l.drop {
		drop[name] = true
	}
	for _, name := range names {
		drop[strings.ToLower(name)] = true
	}
	rebuild, err := l.canDrop(drop)
	if err == nil {
		l.drop, l.rebuild = drop, rebuild
	}
	return err
}

// move is an address that goes from one load balancer to another.
type move struct {
	from, to *lbDraft
	frontend string // of from
}

// moves lists the addresses that one load balancer gives up and another takes.
func (d *differ) moves() []move {
	type giver struct {
		lb       *lbDraft
		frontend string
	}
	given := map[hold]giver{}
	for _, l := range d.lbs {
		now := l.holds(l.after)
		for _, f := range l.before.Frontends {
			if h := held(f, l.assigned(f)); h != "" && !now[h] {
				given[h] = giver{l, f.Name}
			}
		}
	}
	var out []move
	for _, l := range d.lbs {
		had := l.holds(l.before)
		for _, f := range l.after.Frontends {
			h := held(f, netip.Addr{})
			if g, ok := given[h]; ok && !had[h] && g.lb != l {
				out = append(out, move{g.lb, l, g.frontend})
			}
		}
	}
	return out
}

func (l *lbDraft) assigned(f Frontend) netip.Addr { return l.seen.Assigned[f.Name] }

// holds returns what the frontends of part hold.
func (l *lbDraft) holds(part LoadBalancer) map[hold]bool {
	set := make(map[hold]bool, len(part.Frontends))
	for _, f := range part.Frontends {
		var assigned netip.Addr
		if b, ok := l.seenByName[strings.ToLower(f.Name)]; ok && b.Subnet == f.Subnet {
			assigned = l.assigned(b)
		}
		set[held(f, assigned)] = true
	}
	return set
}

// breakSwaps finds load balancers that wait for each other's addresses and has one of them give its own up in a write of its own.
func (d *differ) breakSwaps() {
	moves := d.moves()
	next := map[*lbDraft][]*lbDraft{}
	for _, m := range moves {
		if !m.from.drop[strings.ToLower(m.frontend)] {
			next[m.from] = append(next[m.from], m.to)
		}
	}
	for _, l := range d.lbs {
		if !onCycle(l, next) {
			continue
		}
		var names []string
		for _, m := range moves {
			if m.from == l {
				names = append(names, m.frontend)
			}
		}
		if err := l.tryDrop(names...); err != nil {
			d.blame(l.id.Child(armid.FrontendIPConfigurations, names[0]), err)
		}
		// Also where it could not be broken: the rest of the plan still needs an order.
		delete(next, l)
	}
}

// onCycle reports whether l can be reached from itself.
func onCycle(l *lbDraft, next map[*lbDraft][]*lbDraft) bool {
	visited := map[*lbDraft]bool{}
	todo := slices.Clone(next[l])
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if at == l {
			return true
		}
		if !visited[at] {
			visited[at] = true
			todo = append(todo, next[at]...)
		}
	}
	return false
}

// writeLoadBalancers makes the writes of all load balancers and orders those that hand on addresses.
func (d *differ) writeLoadBalancers() {
	for _, l := range d.lbs {
		d.writeLoadBalancer(l)
	}
	done := map[[2]*draft]bool{}
	for _, m := range d.moves() {
		pair := [2]*draft{m.from.release(m.frontend), m.to.last}
		if !done[pair] {
			done[pair] = true
			d.steps.order(pair[0], releases, pair[1], serves)
		}
	}
}

func (d *differ) writeLoadBalancer(l *lbDraft) {
	switch {
	case l.doomed && !l.exists:
	case l.goesLast:
		d.emptyLoadBalancer(l)
	case l.doomed:
		op := DeleteLoadBalancer{Before: l.before, Changes: d.lbChanges(l.before, LoadBalancer{})}
		l.last = d.steps.add(stageLoadBalancer, op, lbRisks(l, l.before, LoadBalancer{}))
	case !l.exists:
		l.last = d.putLoadBalancer(l, d.tagFirst(l, LoadBalancer{}), l.after)
	case l.rebuild:
		changes := recreated(d.why.inherit(d.lbChanges(l.before, LoadBalancer{}), l.dropped()))
		before := canonicalLB(l.seen.LoadBalancer)
		l.first = d.steps.add(stageLoadBalancer, DeleteLoadBalancer{before, changes}, lbRisks(l, l.before, LoadBalancer{}))
		after := l.after
		_, after.Tags = ourTags(nil, l.after.Tags, nil)
		for _, t := range l.seen.Tags {
			if _, ours := l.before.Tags.Get(t.Key); !ours {
				after.Tags = after.Tags.With(t.Key, t.Value)
			}
		}
		l.last = d.putLoadBalancer(l, d.tagFirst(l, LoadBalancer{}), after)
		d.steps.order(l.first, deletes, l.last, recreates)
		d.steps.order(l.first, deletes, l.tagged, recreates)
	case len(l.drop) > 0:
		mid := l.before.without(l.drop)
		mid.Tags = l.after.Tags
		changes := recreated(d.why.inherit(d.lbChanges(l.before, mid), l.dropped()))
		l.first = d.steps.add(stageLoadBalancer, l.put(l.before, mid, changes), lbRisks(l, l.before, mid))
		l.last = d.putLoadBalancer(l, mid, l.after)
		d.steps.order(l.first, releases, l.last, serves)
	default:
		d.updateLoadBalancer(l)
	}
}

func (d *differ) putLoadBalancer(l *lbDraft, before, after LoadBalancer) *draft {
	op := l.put(before, after, d.lbChanges(before, after))
	return d.steps.add(stageLoadBalancer, op, lbRisks(l, before, after))
}

// put is the write that leads from before to after. Rules of others on a frontend that moves are in both: the write refuses to move it from
// under any that is in neither, for it has come since.
func (l *lbDraft) put(before, after LoadBalancer, changes []Change) PutLoadBalancer {
	if before.ID == "" {
		return PutLoadBalancer{before, after, changes}
	}
	ours, want, moves := ruleKind.byName(before.Rules), frontendKind.byName(after.Frontends), map[string]bool{}
	for name, f := range frontendKind.byName(before.Frontends) {
		moves[name] = want[name] != f
	}
	var others []Rule
	for _, r := range l.seen.Rules {
		if _, our := ours[strings.ToLower(r.Name)]; !our && moves[strings.ToLower(r.Frontend)] {
			others = append(others, r)
		}
	}
	before.Rules, after.Rules = slices.Concat(before.Rules, others), slices.Concat(after.Rules, others)
	return PutLoadBalancer{before, after, changes}
}

// updateLoadBalancer writes only tags, only pools or, if it must, the whole.
func (d *differ) updateLoadBalancer(l *lbDraft) {
	l.before = d.tagFirst(l, l.before)
	changes := d.lbChanges(l.before, l.after)
	if d.rideAlong(l, changes) {
		changes = d.lbChanges(l.before, l.after)
	}
	switch {
	case l.failed:
		changes = d.again(changes, l.id)
		l.last = d.steps.add(stageLoadBalancer, l.put(l.before, l.after, changes), lbRisks(l, l.before, l.after))
	case len(changes) == 0:
	case len(changes) == 1 && changes[0].Ref.Equal(l.id):
		tag := d.steps.add(stageLoadBalancer, TagResource{l.before.ID, l.before.Tags, l.after.Tags, changes}, nil)
		if len(d.newGroups(l, l.before.Tags, false)) > 0 {
			l.tagged = tag
		}
	case onlyMembers(changes):
		before, after := poolKind.byName(l.before.Pools), poolKind.byName(l.after.Pools)
		for _, c := range changes {
			name := strings.ToLower(c.Ref.Name())
			op := PutBackendPool{l.before.ID, before[name], after[name], []Change{c}}
			l.pools = append(l.pools, d.steps.add(stageLoadBalancer, op, poolRisks(l, before[name], after[name], c)))
		}
	default:
		l.last = d.putLoadBalancer(l, l.before, l.after)
	}
}

// onlyMembers reports whether nothing but members of pools change.
func onlyMembers(changes []Change) bool {
	for _, c := range changes {
		pool := c.Ref.Is(armid.LoadBalancers + "/" + armid.BackendAddressPools)
		if !pool || c.Action != Update || len(c.Fields) != 1 && !slices.ContainsFunc(c.Fields, func(f FieldChange) bool { return f.Field == "Interfaces" }) ||
			!slices.ContainsFunc(c.Fields, func(f FieldChange) bool { return f.Field == "Members" }) {
			return false
		}
	}
	return true
}
