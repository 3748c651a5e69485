package lb

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
)

// ipUse is a frontend that uses a public IP.
type ipUse struct {
	lb       *lbDraft
	frontend string
}

// ipUsers are the frontends with a public IP before the plan and after it, those of others not included.
type ipUsers struct{ before, after []ipUse }

// indexUsers finds the frontends of each public IP.
func (d *differ) indexUsers() {
	d.ipUsers = map[string]ipUsers{}
	for _, l := range d.lbs {
		for _, f := range l.before.Frontends {
			if key := f.PublicIP.Key(); key != "" {
				u := d.ipUsers[key]
				u.before = append(u.before, ipUse{l, f.Name})
				d.ipUsers[key] = u
			}
		}
		for _, f := range l.after.Frontends {
			if key := f.PublicIP.Key(); key != "" {
				u := d.ipUsers[key]
				u.after = append(u.after, ipUse{l, f.Name})
				d.ipUsers[key] = u
			}
		}
	}
}

// compareRecreated has load balancers give up the public IPs that must be created anew, and gives up on those that cannot be.
func (d *differ) compareRecreated() {
	if len(d.recreate) == 0 {
		return
	}
	attached := map[string]ID{} // frontends by key of the public IP, those of others too
	for _, l := range d.seen.LoadBalancers {
		for _, f := range l.Frontends {
			if f.PublicIP != "" {
				attached[f.PublicIP.Key()] = l.ID.Child(armid.FrontendIPConfigurations, f.Name)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.recreate)) {
		if err := d.detach(key, attached[key]); err != nil {
			id := d.seenIPs[key].ID
			d.blame(id, fmt.Errorf("public IP %s cannot be deleted and created anew: %w", id.Name(), err))
			delete(d.recreate, key)
			d.stuckIPs[key] = true
		}
	}
}

// errAttached is the reason why a public IP that something else uses cannot be created anew.
var errAttached = errors.New("it is attached to something that is not ours")

// detach has the frontend that uses a public IP give it up early if its load balancer keeps using it.
func (d *differ) detach(key string, frontend ID) error {
	users := d.ipUsers[key]
	if frontend == "" {
		if other := d.seenIPs[key].Attached; other != "" {
			return fmt.Errorf("%w: %s", errAttached, other)
		}
		return nil
	}
	if len(users.before) == 0 {
		return fmt.Errorf("%w: %s", errAttached, frontend)
	}
	for _, b := range users.before {
		keeps := slices.ContainsFunc(users.after, func(a ipUse) bool { return a.lb == b.lb })
		if !keeps {
			continue
		}
		if err := b.lb.tryDrop(b.frontend); err != nil {
			return err
		}
	}
	return nil
}

// writePublicIPs makes the writes of all public IPs and orders them with those of the load balancers.
func (d *differ) writePublicIPs() {
	ids := make([]ID, 0, len(d.seen.PublicIPs))
	for _, ip := range d.seen.PublicIPs {
		ids = append(ids, ip.ID)
	}
	bare := func(id ID) PublicIP {
		ip := d.seenIPs[id.Key()].PublicIP
		ip.Tags = nil
		return ip
	}
	for _, want := range targets(d.want.PublicIPs, func(p PublicIP) ID { return p.ID }, bare, d, armid.PublicIPAddresses, ids) {
		key := want.ID.Key()
		seen, exists := d.seenIPs[key]
		want.Tags = slices.Clone(want.Tags)
		want.Tags.sort()
		want.IPTags = sortedTags(want.IPTags)
		switch {
		case d.stuckIPs[key]:
		case d.remove[key]:
			d.ipDrops[key] = d.deletePublicIP(seen.PublicIP, []Change{d.why.change(Delete, seen.ID, nil)})
		case !exists:
			d.createPublicIP(want, nil)
		case d.recreate[key]:
			gone := d.deletePublicIP(seen.PublicIP, recreated([]Change{d.why.change(Delete, seen.ID, nil)}))
			d.createPublicIP(want, gone)
		default:
			failed := seen.Failed && wants(d.want.PublicIPs, func(p PublicIP) ID { return p.ID }, seen.ID)
			d.updatePublicIP(seen.PublicIP, want, failed)
		}
	}
}

// deletePublicIP deletes ip after the writes that take it from its frontends.
func (d *differ) deletePublicIP(ip PublicIP, changes []Change) *draft {
	del := d.steps.add(stageRelease, DeletePublicIP{ip, changes}, []Risk{RiskAddress})
	for _, u := range d.ipUsers[ip.ID.Key()].before {
		d.steps.order(u.lb.release(u.frontend), releases, del, dropsAddress)
	}
	return del
}

// createPublicIP creates ip, after gone if that is not nil, before the load balancers that use it.
func (d *differ) createPublicIP(ip PublicIP, gone *draft) {
	put := d.steps.add(stagePublicIP, PutPublicIP{PublicIP{}, ip, []Change{d.why.change(Create, ip.ID, nil)}}, nil)
	d.steps.order(gone, deletes, put, recreates)
	d.ipPuts[ip.ID.Key()] = put
	d.beforeUsers(ip.ID, put, makesAddress)
	for _, u := range d.ipUsers[ip.ID.Key()].after {
		d.steps.order(u.lb.tagged, tagsBalancer, put, makesRecorded)
	}
}

func (d *differ) beforeUsers(ip ID, put *draft, does deed) {
	for _, u := range d.ipUsers[ip.Key()].after {
		d.steps.order(put, does, u.lb.last, serves)
	}
}

func (d *differ) afterUsers(ip ID, write *draft) {
	users := d.ipUsers[ip.Key()]
	for _, u := range slices.Concat(users.before, users.after) {
		d.steps.order(u.lb.last, serves, write, narrowsAddress)
	}
}

// updatePublicIP writes what differs. A write that takes something from a Service, its entry in the tags or its DNS label, comes after
// the load balancers that stop serving it; any other comes before them. One whose last operation failed is written whatever differs.
func (d *differ) updatePublicIP(seen, want PublicIP, failed bool) {
	before, after := seen, want
	after.ID, after.Location, after.EdgeZone, after.Zones = seen.ID, seen.Location, seen.EdgeZone, seen.Zones
	if want.SKU == "" || seen.SKU == "" || !strings.EqualFold(want.SKU, "Standard") {
		after.SKU = seen.SKU // the only change there is is the upgrade
	}
	before.IPTags = sortedTags(before.IPTags)
	before.Tags, after.Tags = ourTags(seen.Tags, want.Tags, d.removeTags(seen.ID))
	before.Tags = d.joinFirstInTag(seen.ID, before.Tags, after.Tags)
	fields := publicIPFields(before, after)
	tags := tagFields(before.Tags, after.Tags)
	late := slices.ContainsFunc(tags, takesAway) || before.DNSLabel != "" && after.DNSLabel == ""
	all := slices.Concat(fields, tags)
	change := d.updateOf(seen.ID, all, failed)
	fields, all = append(fields, stateField(failed)...), append(all, stateField(failed)...)
	var write *draft
	switch {
	case len(all) == 0:
		return
	case len(fields) == 0:
		write = d.steps.add(stageTag, TagPublicIP{seen.ID, before.Tags, after.Tags, []Change{change}}, nil)
	default:
		write = d.steps.add(stagePublicIP, PutPublicIP{before, after, []Change{change}}, publicIPRisks(fields))
	}
	if before.SKU != after.SKU {
		// Only an address that nothing has can be upgraded.
		for _, u := range d.ipUsers[seen.ID.Key()].before {
			d.steps.order(u.lb.release(u.frontend), releases, write, upgradesAddress)
		}
	}
	switch {
	case late:
		d.afterUsers(seen.ID, write)
	case len(fields) == 0 && slices.ContainsFunc(tags, func(f FieldChange) bool { return f.Field == "Tags["+tagService+"]" }):
		// Without its name in the tag nobody could tell that a Service uses the address, and the tag may be refused.
		d.beforeUsers(seen.ID, write, namesAddress)
	case len(fields) > 0:
		d.ipPuts[seen.ID.Key()] = write
		d.beforeUsers(seen.ID, write, makesAddress)
		if failed && before.SKU == after.SKU {
			d.beforeKeepers(seen.ID, write)
		}
	}
}

// joinFirstInTag adds the names of Services that join a public IP to its tag, before the load balancers that serve them, where others leave it, whose
// names go after those: in one write, either would be served without its name. It returns the tags after that write; before, if none is needed.
func (d *differ) joinFirstInTag(ip ID, before, after Tags) Tags {
	old, had := exact(before, tagService)
	now, has := exact(after, tagService)
	joining := slices.DeleteFunc(serviceNames(now), func(n string) bool { return slices.Contains(serviceNames(old), n) })
	names := strings.Join(append(serviceNames(old), joining...), ",")
	if !had || !has || len(joining) == 0 || !takesAway(FieldChange{Before: old, After: now}) || len(names) > maxTagValue {
		return before
	}
	joined := before.exactly(tagService, names)
	joined.sort()
	change := d.why.change(Update, ip, tagFields(before, joined))
	d.beforeUsers(ip, d.steps.add(stageTag, TagPublicIP{ip, before, joined, []Change{change}}, nil), namesAddress)
	return joined
}

// beforeKeepers lets write, which mends the failed public IP ip, come before the first of two writes of a load balancer that has ip in it
// still: ARM refuses what refers to a failed resource.
func (d *differ) beforeKeepers(ip ID, write *draft) {
	for _, u := range d.ipUsers[ip.Key()].before {
		if first := u.lb.first; first != nil && u.lb.release(u.frontend) != first {
			d.steps.order(write, mendsAddress, first, releases)
		}
	}
}

// takesAway reports whether a change of a tag removes something: the tag, or an entry of its list.
func takesAway(f FieldChange) bool {
	if f.Before == "" {
		return false
	}
	now := strings.Split(f.After, ",")
	return slices.ContainsFunc(strings.Split(f.Before, ","), func(entry string) bool { return !slices.Contains(now, entry) })
}
