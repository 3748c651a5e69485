package lb

import (
	"slices"
	"strings"
)

// newGroups returns the resource groups in which something is made for l and that its tags are to name and do not name yet. With addresses, those
// in which public IPs are made: they come before the write of l that uses them, and private link services come after it.
func (d *differ) newGroups(l *lbDraft, before Tags, addresses bool) []string {
	missing := slices.DeleteFunc(taggedGroups(l.after.Tags), func(g string) bool { return slices.Contains(taggedGroups(before), g) })
	if len(missing) == 0 {
		return nil
	}
	made := map[string]bool{}
	for _, f := range l.after.Frontends {
		if _, there := d.seenIPs[f.PublicIP.Key()]; f.PublicIP != "" && !there {
			made[strings.ToLower(f.PublicIP.ResourceGroup())] = true
		}
	}
	for _, p := range d.want.PrivateLinkServices {
		there := slices.ContainsFunc(d.seen.PrivateLinkServices, func(s SeenPrivateLinkService) bool { return s.ID.Equal(p.ID) })
		if !addresses && !there && slices.ContainsFunc(p.Frontends, func(f ID) bool { return f.Top().Equal(l.id) }) {
			made[strings.ToLower(p.ID.ResourceGroup())] = true
		}
	}
	return slices.DeleteFunc(missing, func(g string) bool { return !made[g] })
}

// tagFirst makes the tags of l name the resource groups in which public IPs are made for it, in a write that comes before those, and returns what l
// is after it: before, if there is no such group. A load balancer that is not there yet is made without anything on it.
func (d *differ) tagFirst(l *lbDraft, before LoadBalancer) LoadBalancer {
	if len(d.newGroups(l, before.Tags, true)) == 0 {
		return before
	}
	after := before
	after.Tags = l.after.Tags
	if before.ID == "" {
		after = LoadBalancer{ID: l.after.ID, Location: l.after.Location, SKU: l.after.SKU, EdgeZone: l.after.EdgeZone, Tags: l.after.Tags}
		l.tagged = d.putLoadBalancer(l, before, after)
		return after
	}
	change := d.why.change(Update, l.id, tagFields(before.Tags, after.Tags))
	l.tagged = d.steps.add(stageLoadBalancer, TagResource{l.id, before.Tags, after.Tags, []Change{change}}, nil)
	return after
}

// rideAlong takes a change of the tags that name resource groups back if it would be the reason for a write, and reports whether it did. What such
// a tag names can be found without it for now: it is written for its own sake only before something is made.
func (d *differ) rideAlong(l *lbDraft, changes []Change) bool {
	named := func(f FieldChange) bool {
		key, ok := strings.CutPrefix(f.Field, "Tags[")
		return ok && isGroupTag(strings.TrimSuffix(key, "]"))
	}
	i := slices.IndexFunc(changes, func(c Change) bool { return c.Ref.Equal(l.id) && slices.ContainsFunc(c.Fields, named) })
	if i < 0 || slices.ContainsFunc(changes[i].Fields, func(f FieldChange) bool { return !named(f) }) {
		return false
	}
	rest := slices.Delete(slices.Clone(changes), i, i+1)
	if l.failed || len(rest) > 0 && !onlyMembers(rest) || len(d.newGroups(l, l.before.Tags, false)) > 0 {
		return false
	}
	l.after.Tags = l.before.Tags
	return true
}

// emptyLoadBalancer takes everything from a load balancer, and deletes it once all is gone that its tags alone tell of.
func (d *differ) emptyLoadBalancer(l *lbDraft) {
	changes := d.lbChanges(l.before, l.after)
	if slices.ContainsFunc(changes, func(c Change) bool { return !c.Ref.Equal(l.id) }) {
		l.last = d.steps.add(stageLoadBalancer, l.put(l.before, l.after, changes), lbRisks(l, l.before, l.after))
	} else {
		l.after = l.before // it is empty, and its tags can stay as they are
	}
	l.gone = d.steps.add(stageRelease, DeleteLoadBalancer{l.after, []Change{d.why.change(Delete, l.id, nil)}}, nil)
	d.steps.order(l.last, empties, l.gone, dropsBalancer)
}

// deleteLast has the load balancers that go last wait for the public IPs and private link services that go, and for the load balancers that take
// over what stays.
func (d *differ) deleteLast() {
	for _, l := range d.lbs {
		if l.gone == nil {
			continue
		}
		for _, w := range d.steps.list {
			switch w.op.(type) {
			case DeletePublicIP, DeletePrivateLinkService, PutLoadBalancer:
				d.steps.order(w, dropsRecorded, l.gone, dropsBalancer)
			}
		}
	}
}
