package lb

import (
	"cmp"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// writePrivateLinks makes the writes of subnets, private link services and their connections. A private link service goes before the
// load balancer that drops its frontend, and comes after the one that makes it, since ARM lets neither stand without the other.
func (d *differ) writePrivateLinks() {
	subnets := d.writeSubnets()
	id := func(p pls.PrivateLinkService) ID { return p.ID }
	seen := map[string]pls.PrivateLinkService{}
	failed := map[string]bool{}
	var ids []ID
	for _, s := range d.seen.PrivateLinkServices {
		seen[s.ID.Key()] = s.PrivateLinkService
		failed[s.ID.Key()] = s.Failed && wants(d.want.PrivateLinkServices, id, s.ID)
		ids = append(ids, s.ID)
	}
	bare := func(id ID) pls.PrivateLinkService {
		p := seen[id.Key()]
		p.Tags = nil
		return p
	}
	for _, want := range targets(d.want.PrivateLinkServices, id, bare, d, armid.PrivateLinkServices, ids) {
		before, exists := seen[want.ID.Key()]
		again := exists && slices.ContainsFunc(d.want.Recreate, want.ID.Equal)
		whole := d.remove[want.ID.Key()] || again
		gone := d.writeConnections(before, whole)
		var del *draft
		if whole {
			del = d.deletePrivateLink(before, gone)
		}
		if whole && !again {
			continue
		}
		put := d.putPrivateLink(before, exists && !again, failed[want.ID.Key()], want)
		if put == nil {
			continue
		}
		d.steps.order(del, deletes, put, recreates)
		for _, f := range want.Frontends {
			if l := d.draftOf(f.Top()); l != nil {
				d.steps.order(l.last, serves, put, linksFrontend)
				d.steps.order(l.tagged, tagsBalancer, put, makesRecorded)
			}
		}
		for _, n := range want.NAT {
			d.steps.order(subnets[n.Subnet.Key()], allowsLinks, put, linksFrontend)
		}
	}
}

// draftOf returns the draft of the load balancer id, or nil.
func (d *differ) draftOf(id ID) *lbDraft {
	i, ok := slices.BinarySearchFunc(d.lbs, id.Key(), func(l *lbDraft, key string) int { return strings.Compare(l.id.Key(), key) })
	if !ok {
		return nil
	}
	return d.lbs[i]
}

// writeSubnets switches policies and returns the writes by key of the subnet.
func (d *differ) writeSubnets() map[string]*draft {
	seen := map[string]Subnet{}
	for _, n := range d.seen.Networks {
		for _, s := range n.Subnets {
			seen[s.ID.Key()] = s.Subnet
		}
	}
	puts := map[string]*draft{}
	for _, want := range d.want.Subnets {
		before := seen[want.ID.Key()]
		if before.PrivateLinkPolicies == want.PrivateLinkPolicies {
			continue
		}
		after := before
		after.PrivateLinkPolicies = want.PrivateLinkPolicies
		var l fieldList
		l.addBool("PrivateLinkPolicies", before.PrivateLinkPolicies, after.PrivateLinkPolicies)
		op := PutSubnetPolicy{before, after, []Change{d.why.change(Update, before.ID, l)}}
		puts[before.ID.Key()] = d.steps.add(stageSubnet, op, nil)
	}
	return puts
}

// writeConnections removes the connections of p that are to go: all of them if p goes as a whole.
func (d *differ) writeConnections(p pls.PrivateLinkService, whole bool) []*draft {
	var gone []*draft
	for _, c := range slices.SortedFunc(slices.Values(p.Connections), func(a, b pls.Connection) int { return strings.Compare(a.Name, b.Name) }) {
		ref := p.ID.Child(armid.PrivateEndpointConnections, c.Name)
		if !whole && !d.remove[ref.Key()] {
			continue
		}
		change := d.why.change(Delete, ref, nil)
		if len(d.why[ref.Key()]) == 0 {
			change.Causes = d.why.causes(Delete, p.ID, nil)
		}
		var risks []Risk
		if strings.EqualFold(c.Status, "Approved") {
			risks = append(risks, RiskTraffic)
		}
		gone = append(gone, d.steps.add(stageConnection, DeleteEndpointConnection{p.ID, c, []Change{change}}, risks))
	}
	return gone
}

func (d *differ) deletePrivateLink(p pls.PrivateLinkService, gone []*draft) *draft {
	op := DeletePrivateLinkService{withoutEcho(p), []Change{d.why.change(Delete, p.ID, nil)}}
	del := d.steps.add(stageConnection, op, []Risk{RiskAddress}) // its alias goes with it
	for _, c := range gone {
		d.steps.order(c, dropsConnection, del, dropsLink)
	}
	for _, f := range p.Frontends {
		if l := d.draftOf(f.Top()); l != nil && l.touches(f.Name()) {
			d.steps.order(del, dropsLink, l.release(f.Name()), releases)
		}
	}
	return del
}

// touches reports whether l drops or changes a frontend.
func (l *lbDraft) touches(frontend string) bool {
	name := strings.ToLower(frontend)
	before, was := l.seenByName[name]
	after, is := l.afterByName[name]
	return l.drop[name] || is && after != before || was && !is && (l.doomed || slices.Contains(l.before.Frontends, before))
}

// withoutEcho returns p without what ARM assigned.
func withoutEcho(p pls.PrivateLinkService) pls.PrivateLinkService {
	p.Alias, p.Connections = "", nil
	return p
}

// putPrivateLink creates or updates one private link service; nil if it is as wanted and the last operation on it did not fail.
func (d *differ) putPrivateLink(before pls.PrivateLinkService, exists, failed bool, want pls.PrivateLinkService) *draft {
	before, after := withoutEcho(before), withoutEcho(want)
	if !exists {
		change := d.why.change(Create, want.ID, audience(privateLinkFields(pls.PrivateLinkService{}, after)))
		return d.steps.add(stagePrivateLink, PutPrivateLinkService{pls.PrivateLinkService{}, after, []Change{change}}, []Risk{RiskExposure})
	}
	after.ID, after.Location, after.EdgeZone = before.ID, before.Location, before.EdgeZone
	old, now := ourTags(linkTags(before.Tags), linkTags(want.Tags), d.removeTags(before.ID))
	before.Tags, after.Tags = plsTags(old), plsTags(now)
	fields := privateLinkFields(before, after)
	all := slices.Concat(fields, tagFields(old, now))
	change := d.updateOf(before.ID, all, failed)
	fields, all = append(fields, stateField(failed)...), append(all, stateField(failed)...)
	switch {
	case len(all) == 0:
		return nil
	case len(fields) == 0:
		return d.steps.add(stageTag, TagResource{before.ID, old, now, []Change{change}}, nil)
	}
	var risks []Risk
	if newcomers(before.Visibility, after.Visibility) || newcomers(before.AutoApproval, after.AutoApproval) || frontendIDs(before.Frontends) != frontendIDs(after.Frontends) {
		risks = append(risks, RiskExposure)
	}
	if slices.ContainsFunc(fields, func(f FieldChange) bool { return f.Field == "Frontends" || f.Field == "ProxyProtocol" }) {
		risks = append(risks, RiskTraffic)
	}
	return d.steps.add(stagePrivateLink, PutPrivateLinkService{before, after, []Change{change}}, risks)
}

// audience are the changes of who sees a private link service, and who is let in without being asked.
func audience(fields []FieldChange) []FieldChange {
	return slices.DeleteFunc(fields, func(f FieldChange) bool { return f.Field != "Visibility" && f.Field != "AutoApproval" })
}

// newcomers reports whether a list of subscriptions has any that it had not before.
func newcomers(before, after []string) bool {
	return !slices.Contains(before, "*") && slices.ContainsFunc(after, func(s string) bool { return !containsFold(before, s) })
}

func linkTags(list []pls.Tag) Tags {
	var t Tags
	for _, tag := range list {
		t = append(t, Tag{Key: tag.Key, Value: tag.Value})
	}
	return t
}

func plsTags(t Tags) []pls.Tag {
	var list []pls.Tag
	for _, tag := range t {
		list = append(list, pls.Tag{Key: tag.Key, Value: tag.Value})
	}
	return list
}

// privateLinkFields compares private link services, tags aside: NAT addresses by number, subnet, static addresses and the primary one;
// their names and order are free.
func privateLinkFields(b, a pls.PrivateLinkService) []FieldChange {
	var l fieldList
	l.add("Frontends", frontendIDs(b.Frontends), frontendIDs(a.Frontends))
	l.add("NAT", natText(b.NAT), natText(a.NAT))
	l.addBool("ProxyProtocol", b.ProxyProtocol, a.ProxyProtocol)
	l.add("FQDNs", setText(b.FQDNs), setText(a.FQDNs))
	l.addSubscriptions("Visibility", b.Visibility, a.Visibility)
	l.addSubscriptions("AutoApproval", b.AutoApproval, a.AutoApproval)
	return l.sorted()
}

// addSubscriptions adds a change of subscription ids, which have no case.
func (l *fieldList) addSubscriptions(field string, b, a []string) {
	if before, after := setText(b), setText(a); !strings.EqualFold(before, after) {
		l.add(field, before, after)
	}
}

// setText is a list as text, in an order that depends on nothing but the items, whatever their case.
func setText(list []string) string {
	return strings.Join(slices.SortedFunc(slices.Values(list), func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	}), ", ")
}

func frontendIDs(list []ID) string {
	var text []string
	for _, id := range list {
		text = append(text, id.Key())
	}
	return setText(text)
}

func natText(list []pls.NATConfiguration) string {
	var text []string
	for _, n := range list {
		one := "dynamic"
		if n.Address.IsValid() {
			one = n.Address.String()
		}
		if n.Primary && n.Address.IsValid() {
			one += " primary"
		}
		text = append(text, one+" in "+n.Subnet.Key())
	}
	return setText(text)
}
