package lb

import (
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
)

// interfaceDraft is the write of one network interface, or of what stands for one in a scale set.
type interfaceDraft struct {
	put          *draft
	joined, left []ID
	stays        []ID // pools that it is in before and after
	early        bool // something of a load balancer waits for it
}

// writeInterfaces makes the writes of network interfaces. Want lists every pool of an IP configuration it names, those of others too.
// Interfaces join pools after the load balancer that has them is written, and leave them before a pool goes or becomes one of addresses. The
// model of a scale set is written before its instances.
func (d *differ) writeInterfaces() {
	seen := make(map[string]*SeenInterface, len(d.seen.Interfaces))
	for i := range d.seen.Interfaces {
		seen[d.seen.Interfaces[i].ID.Key()] = &d.seen.Interfaces[i]
	}
	d.migratePools()
	models, drafts := map[string]*draft{}, []*interfaceDraft{}
	for _, want := range d.want.Interfaces {
		nic := seen[want.ID.Key()]
		before, after := ourInterface(nic.NetworkInterface, want)
		fields := interfaceFields(before, after)
		if len(fields) == 0 && !nic.Failed {
			continue
		}
		w := &interfaceDraft{}
		w.joined, w.left, w.stays = poolMoves(before, after)
		w.put = d.steps.add(stageInterface, PutNetworkInterface{before, after, []Change{d.updateOf(before.ID, fields, nic.Failed)}}, d.interfaceRisks(nic, w.left))
		if nic.Model {
			models[before.ID.Key()] = w.put
		}
		drafts = append(drafts, w)
	}
	for _, w := range drafts {
		if id := w.put.op.Target(); id.Is(armid.ScaleSetInstances) {
			d.steps.order(models[id.Top().Key()], writesModel, w.put, writesInstance)
		}
		d.orderInterface(w)
	}
	d.joinFirst(drafts)
	d.turnPools(drafts)
}

// interfaceRisks marks what leaves a pool that serves: not models, which serve nothing, and not what ARM has migrated before.
func (d *differ) interfaceRisks(nic *SeenInterface, left []ID) []Risk {
	migrated := keySet(d.want.Migrate)
	left = slices.DeleteFunc(slices.Clone(left), func(id ID) bool {
		l := d.draftOf(id.Top())
		return migrated[id.Key()] || l == nil && d.lacks(id) || l != nil && l.exists && l.pool(id) == nil
	})
	if len(left) == 0 || nic.Model {
		return nil
	}
	return []Risk{RiskTraffic}
}

// lacks reports whether a load balancer is not there although others of its group are known.
func (d *differ) lacks(pool ID) bool {
	return !slices.ContainsFunc(d.seen.LoadBalancers, func(l SeenLoadBalancer) bool { return l.ID.Equal(pool.Top()) }) && len(d.seen.LoadBalancers) > 0
}

// pool returns what is seen of a pool, nil if it is not there.
func (l *lbDraft) pool(id ID) *Pool {
	for i := range l.seen.Pools {
		if strings.EqualFold(l.seen.Pools[i].Name, id.Name()) {
			return &l.seen.Pools[i]
		}
	}
	return nil
}

func (d *differ) orderInterface(w *interfaceDraft) {
	for _, pool := range w.joined {
		l := d.draftOf(pool.Top())
		if l == nil {
			continue
		}
		d.steps.order(l.last, serves, w.put, joinsPool)
		for _, p := range l.pools { // addresses leave it first; and each join moves the ETag of the load balancer
			d.steps.order(p, writesPool, w.put, joinsPool)
		}
	}
	for _, pool := range w.left {
		l := d.draftOf(pool.Top())
		switch {
		case l == nil:
		case d.remove[pool.Key()] || l.doomed:
			w.early = true
			d.steps.order(w.put, leavesPool, l.last, dropsPool)
		default: // it moves the ETag of the load balancer
			d.steps.order(l.last, serves, w.put, leavesPool)
			for _, p := range l.pools {
				d.steps.order(p, writesPool, w.put, leavesPool)
			}
		}
	}
	for _, pool := range w.stays {
		// ARM takes a network interface out of a pool that goes, so it would be another one than the write was planned for.
		if l := d.draftOf(pool.Top()); l != nil && (d.remove[pool.Key()] || l.doomed) {
			d.steps.order(w.put, leavesPool, l.last, dropsPool)
		}
	}
}

// joinFirst lets what replaces all members of a pool join it before they leave.
func (d *differ) joinFirst(drafts []*interfaceDraft) {
	join, leave := map[string][]*draft{}, map[string][]*draft{}
	for _, w := range drafts {
		if w.put.op.Target().Is(armid.ScaleSets) {
			continue // models serve nothing
		}
		for _, pool := range w.joined {
			if len(w.left) == 0 {
				join[pool.Key()] = append(join[pool.Key()], w.put)
			}
		}
		for _, pool := range w.left {
			if len(w.joined) == 0 && !w.early {
				leave[pool.Key()] = append(leave[pool.Key()], w.put)
			}
		}
	}
	if len(join) == 0 || len(leave) == 0 {
		return
	}
	members := map[string]int{}
	for i := range d.seen.Interfaces {
		if d.seen.Interfaces[i].Model {
			continue
		}
		for _, c := range d.seen.Interfaces[i].IPConfigurations {
			for _, pool := range c.Pools {
				members[pool.Key()]++
			}
		}
	}
	for key, last := range leave {
		if len(join[key]) == 0 || members[key] > len(last) {
			continue
		}
		for _, second := range last {
			for _, first := range join[key] {
				d.steps.order(first, joinsPool, second, leavesPool)
			}
		}
	}
}

// turn is a pool of interfaces that becomes one of addresses: that is a write of its own, after everything that leaves it, so that an interface
// which cannot leave keeps nothing else from being written.
type turn struct{ before, after Pool }

// takeTurns keeps the pools that become pools of addresses as they are in the write of their load balancer.
func (l *lbDraft) takeTurns() {
	if !l.exists || l.doomed || l.rebuild {
		return
	}
	before := poolKind.byName(l.before.Pools)
	l.after.Pools = slices.Clone(l.after.Pools)
	for i, p := range l.after.Pools {
		if was, ok := before[strings.ToLower(p.Name)]; ok && was.Interfaces && !p.Interfaces {
			l.turns = append(l.turns, turn{was, p})
			l.after.Pools[i] = was
		}
	}
}

// migratePools lets ARM make pools of interfaces pools of addresses.
func (d *differ) migratePools() {
	migrate := keySet(d.want.Migrate)
	for _, l := range d.lbs {
		op := MigrateBackendPools{LoadBalancer: l.id}
		for _, t := range l.turns {
			id := l.id.Child(armid.BackendAddressPools, t.before.Name)
			if migrate[id.Key()] {
				op.Pools = append(op.Pools, t.before.Name)
				op.Changes = append(op.Changes, d.why.change(Update, id, fieldList{{Field: "Interfaces", Before: "true", After: "false"}}.sorted()))
			}
		}
		if len(op.Pools) > 0 {
			l.migrate = d.steps.add(stageLoadBalancer, op, nil)
			d.steps.order(l.last, serves, l.migrate, migratesPools)
		}
	}
}

// turnPools writes the addresses of pools whose interfaces have left: none of them before the last interface has left any pool of that load
// balancer, since each one that leaves makes the ETag of the load balancer another one.
func (d *differ) turnPools(drafts []*interfaceDraft) {
	leave, leaveAny := map[string][]*draft{}, map[string][]*draft{}
	for _, w := range drafts {
		for _, pool := range w.left {
			leave[pool.Key()] = append(leave[pool.Key()], w.put)
			leaveAny[pool.Top().Key()] = append(leaveAny[pool.Top().Key()], w.put)
		}
	}
	for _, l := range d.lbs {
		migrated := []string{}
		if l.migrate != nil {
			migrated = l.migrate.op.(MigrateBackendPools).Pools
		}
		for _, t := range l.turns {
			id := l.id.Child(armid.BackendAddressPools, t.before.Name)
			change := d.why.change(Update, id, poolFields(t.before, t.after))
			var risks []Risk
			if !slices.Contains(migrated, t.before.Name) {
				risks = poolRisks(l, t.before, t.after, change)
			}
			put := d.steps.add(stageInterface, PutBackendPool{l.id, t.before, t.after, []Change{change}}, risks)
			l.pools = append(l.pools, put)
			d.steps.order(l.last, serves, put, turnsPool)
			d.steps.order(l.migrate, migratesPools, put, turnsPool)
			for _, first := range leave[id.Key()] {
				// Once the pool has no interface any more, nobody looks for models that still name it.
				for _, model := range leave[id.Key()] {
					if model.op.Target().Is(armid.ScaleSets) && !first.op.Target().Is(armid.ScaleSets) {
						d.steps.order(model, writesModel, first, writesInstance)
					}
				}
				if l.migrate != nil {
					d.steps.order(l.migrate, migratesPools, first, leavesPool)
				}
			}
			for _, first := range leaveAny[l.id.Key()] {
				d.steps.order(first, leavesPool, put, turnsPool)
			}
		}
	}
}

// ourInterface returns the IP configurations that want names, as seen and as wanted.
func ourInterface(seen, want NetworkInterface) (before, after NetworkInterface) {
	before.ID, after.ID = seen.ID, seen.ID
	pools := map[string][]ID{}
	for _, c := range want.IPConfigurations {
		pools[strings.ToLower(c.Name)] = c.Pools
	}
	for _, c := range seen.IPConfigurations {
		wanted, ok := pools[strings.ToLower(c.Name)]
		if !ok {
			continue
		}
		c.Pools = slices.SortedFunc(slices.Values(c.Pools), armid.Compare)
		before.IPConfigurations = append(before.IPConfigurations, c)
		if wanted = slices.SortedFunc(slices.Values(wanted), armid.Compare); !slices.EqualFunc(c.Pools, wanted, ID.Equal) {
			c.Pools = wanted
		}
		after.IPConfigurations = append(after.IPConfigurations, c)
	}
	byName := func(a, b IPConfiguration) int { return strings.Compare(a.Name, b.Name) }
	slices.SortFunc(before.IPConfigurations, byName)
	slices.SortFunc(after.IPConfigurations, byName)
	return before, after
}

func interfaceFields(b, a NetworkInterface) []FieldChange {
	var l fieldList
	for i, c := range b.IPConfigurations {
		l.add("Pools["+c.Name+"]", frontendIDs(c.Pools), frontendIDs(a.IPConfigurations[i].Pools))
	}
	return l.sorted()
}

// poolMoves lists the pools that an interface joins, leaves and stays in.
func poolMoves(b, a NetworkInterface) (joined, left, stays []ID) {
	for i, c := range b.IPConfigurations {
		now := a.IPConfigurations[i].Pools
		old, next := keySet(c.Pools), keySet(now)
		for _, id := range now {
			if old[id.Key()] {
				stays = append(stays, id)
			} else {
				joined = append(joined, id)
			}
		}
		left = append(left, slices.DeleteFunc(slices.Clone(c.Pools), func(id ID) bool { return next[id.Key()] })...)
	}
	return joined, left, stays
}
