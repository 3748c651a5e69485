package lb

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// ErrLeft is wrapped by findings about what was made for a Service in a resource group that nothing names any more.
var ErrLeft = errors.New("left behind")

// tagGroups adds to tags those that name the other resource groups in which there is, or is about to be, something that was made for what l serves.
// What they named before and does not apply any more is noted for removal. [Diff] writes them for their own sake only where something is made.
func (d *outline) tagGroups(l *balancerDraft, tags Tags) Tags {
	named := groupTags(d.groupsOf(l))
	tags = slices.Concat(tags, named)
	if l.seen == nil {
		return tags
	}
	for _, t := range l.seen.Tags {
		if _, ok := named.Get(t.Key); isGroupTag(t.Key) && !ok {
			d.removeTag[l.id.Key()] = append(d.removeTag[l.id.Key()], t.Key)
		}
	}
	return tags
}

// groupsOf returns those groups, sorted: of public IPs and private link services on the frontends that l has or gives up, and those that its tag
// names while something of ours is left there or nobody can tell.
func (d *outline) groupsOf(l *balancerDraft) []string {
	var groups []string
	note := func(id, home ID) {
		if !id.GroupID().Equal(home) && strings.EqualFold(id.Subscription(), d.c.NetworkSubscription) {
			groups = append(groups, strings.ToLower(id.ResourceGroup()))
		}
	}
	addresses, links := d.groupID(d.c.ResourceGroup), d.groupID(d.c.PrivateLinkGroup)
	for _, f := range l.frontends {
		if p := d.publicIPs[f.PublicIP.Key()]; p != nil && (p.seen == nil || d.manages(p.seen)) {
			if note(p.id, addresses); !p.id.GroupID().Equal(addresses) && p.seen == nil {
				d.groupCauses(l, p.claimants, annotations.KeyResourceGroup)
			}
		}
	}
	for _, link := range d.links {
		if slices.ContainsFunc(link.Frontends, func(f ID) bool { return f.Top().Equal(l.id) }) && link.ManagedBy(d.c.Name) {
			note(link.ID, links)
			if owner, _ := link.Tag(pls.TagOwner); !link.ID.GroupID().Equal(links) {
				d.groupCauses(l, []*service{d.byName[parseName(owner)]}, annotations.KeyPLSResourceGroup)
			}
		}
	}
	if l.seen != nil {
		for _, f := range l.seen.Frontends {
			if f.PublicIP != "" && slices.ContainsFunc(d.remove, f.PublicIP.Equal) {
				note(f.PublicIP, addresses)
			}
		}
		for _, name := range taggedGroups(l.seen.Tags) {
			if d.leftIn(d.groupID(name)) || d.unreadGroup(name) != nil {
				groups = append(groups, name)
			}
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// groupCauses notes which Services have something made in another group.
func (d *outline) groupCauses(l *balancerDraft, users []*service, key string) {
	for _, s := range users {
		if s != nil {
			d.because(l.id.Key()+"#Tags["+tagGroups+"]", Cause{Service: s.name, Field: annotationField(key), Reason: ReasonService})
		}
	}
}

// leftIn reports whether a resource group has a public IP or private link service that is proven to be ours.
func (d *outline) leftIn(group ID) bool {
	for i := range d.seen.PublicIPs {
		if p := &d.seen.PublicIPs[i]; p.ID.GroupID().Equal(group) && d.manages(p) {
			return true
		}
	}
	return slices.ContainsFunc(d.seen.PrivateLinkServices, func(p SeenPrivateLinkService) bool {
		return p.ID.GroupID().Equal(group) && p.ManagedBy(d.c.Name)
	})
}

// unreadGroup returns what could not be read of a resource group, nil if it was read or is not there any more.
func (d *outline) unreadGroup(name string) *Unknown {
	for _, typ := range []string{armid.PublicIPAddresses, armid.PrivateLinkServices} {
		if u := d.seen.unknown(typ, d.groupID(name)); u != nil && !u.Absent {
			return u
		}
	}
	return nil
}

// warnElsewhere tells of what a survey of the subscription found that looks as if this cluster had made it, and that nothing uses. Nobody but a person can
// tell it from what another cluster of the same name made.
func (d *outline) warnElsewhere() {
	tell := func(id ID, what, owner string) {
		d.findings = append(d.findings, Finding{
			Severity: SeverityWarning, Field: string(id),
			Err: fmt.Errorf("%w: %s %s was made for %s of a cluster named %s, and nothing leads to resource group %s any more; delete it, or set the tag %s=%s on load balancer %s to have it looked after again",
				ErrLeft, what, id.Name(), owner, d.c.Name, id.ResourceGroup(), tagGroups, strings.ToLower(id.ResourceGroup()), d.c.Name),
		})
	}
	for i := range d.seen.Elsewhere.PublicIPs {
		if p := &d.seen.Elsewhere.PublicIPs[i]; d.manages(p) && p.Attached == "" {
			tell(p.ID, "public IP", strings.Join(d.users(p), ", "))
		}
	}
	for _, p := range d.seen.Elsewhere.PrivateLinkServices {
		if owner, _ := p.Tag(pls.TagOwner); p.ManagedBy(d.c.Name) && slices.ContainsFunc(p.Frontends, func(f ID) bool { return d.ours(f) }) {
			tell(p.ID, "private link service", owner)
		}
	}
}

// lastBalancer is for a load balancer that nothing is left on, and whose tag is all that tells of what is left in other resource groups: it is
// emptied, and goes only after that. Where that cannot be read, it stays. It returns what becomes of it first, and false if it may go at once.
func (d *outline) lastBalancer(l *balancerDraft) (want LoadBalancer, gone []ID, ok bool) {
	var unread *Unknown
	for _, name := range taggedGroups(l.seen.Tags) {
		if u := d.unreadGroup(name); u != nil {
			unread = u
		}
	}
	groups := d.groupsOf(l)
	pending := slices.ContainsFunc(d.remove, func(id ID) bool {
		return (id.Is(armid.PublicIPAddresses) || id.Is(armid.PrivateLinkServices)) && slices.Contains(groups, strings.ToLower(id.ResourceGroup()))
	})
	if !pending && unread == nil {
		return LoadBalancer{}, nil, false
	}
	want = l.seen.LoadBalancer
	want.Frontends, want.Pools, want.Probes, want.Rules = nil, nil, nil, nil
	want.Tags = d.tagGroups(l, nil)
	told := slices.ContainsFunc(d.emptied, l.id.Equal)
	if !told {
		d.emptied = append(d.emptied, l.id)
	}
	gone = d.removeChildren(l)
	for _, p := range l.seen.Pools {
		if d.defaultPool(p.Name) {
			gone = append(gone, l.id.Child(armid.BackendAddressPools, p.Name))
		}
	}
	switch {
	case told:
	case unread == nil:
		d.last = append(d.last, d.removeBalancer(l)...)
	default:
		d.findings = append(d.findings, Finding{
			Severity: SeverityWarning, Field: string(l.id),
			Err: fmt.Errorf("%w: load balancer %s stays without frontends, since it alone tells that there may be something of ours in resource group %s, which cannot be read; %s",
				ErrUnreadable, l.id.Name(), unread.Scope.ResourceGroup(), unread.remedy()),
		})
	}
	return want, gone, true
}
