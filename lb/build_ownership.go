package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Tags tell whose a public IP is, but people write tags too, and the keys of former days are common words. So a tag is believed only together
// with the name of what it is on, and what is not proven by both is neither deleted nor tagged.

// users returns the Services that the tags of a public IP name, as far as the tags are ones that a cluster wrote: those of today come with the
// name of the cluster, and those of former days, which may come without it, count only where this cluster would give such a name.
func (b *builder) users(p *SeenPublicIP) []string {
	value, today := exact(p.Tags, tagService)
	old, legacy := exact(p.Tags, legacyTagService)
	if !today {
		value = old
	}
	marked := today && p.Tags.either(tagCluster, legacyTagCluster) != ""
	if !marked && (!legacy || !b.givesName(p.ID.Name())) {
		return nil
	}
	return serviceNames(value)
}

// userAssigned reports whether a public IP is the user's: its tags name nobody.
func (b *builder) userAssigned(p *SeenPublicIP) bool { return len(b.users(p)) == 0 }

// manages reports whether a public IP is proven to be ours: its tags name Services of this cluster, and its name is one that this cluster gives.
// Public IPs of former versions may lack the name of the cluster.
func (b *builder) manages(p *SeenPublicIP) bool {
	if b.userAssigned(p) || !b.givesName(p.ID.Name()) {
		return false
	}
	cluster := p.Tags.either(tagCluster, legacyTagCluster)
	return cluster == "" || strings.EqualFold(cluster, b.c.Name)
}

// otherCluster reports whether a public IP is managed for another cluster, which Services of ours may share.
func (b *builder) otherCluster(p *SeenPublicIP) bool {
	cluster := p.Tags.either(tagCluster, legacyTagCluster)
	return cluster != "" && !strings.EqualFold(cluster, b.c.Name)
}

// givesName reports whether this cluster would give a public IP such a name: its own and the base name of a Service, of which as much is there
// as [publicIPName] leaves.
func (b *builder) givesName(name string) bool {
	name = strings.ToLower(name)
	stem := head(strings.ToLower(b.c.Name)+"-", nameRoom)
	rest, ok := strings.CutPrefix(name, stem)
	if !ok {
		return false
	}
	cut, second := strings.CutSuffix(strings.TrimSuffix(strings.TrimSuffix(rest, "-ipv6"), "-ipv4"), secondMark)
	if b.owner(rest) != "" || b.owner(cut) != "" {
		return true
	}
	room := nameRoom
	if second {
		room -= len(secondMark)
	}
	return len(stem)+len(cut) == room && len(cut) < baseLength && (cut == "" || baseOf((cut + strings.Repeat("0", baseLength))[:baseLength]) != "")
}

// findOthers finds the base names of another cluster on the load balancers that were read, which two clusters share if both are configured so: no
// Service here has the uid, and the public IP of the frontend is that cluster's, by its tag and its name.
func (b *builder) findOthers() {
	b.others = map[string]bool{}
	for _, l := range b.seen.LoadBalancers {
		for _, f := range l.Frontends {
			base, p := baseOf(f.Name), b.seen.publicIPs[f.PublicIP.Key()]
			if base != "" && b.byBase[base] == nil && p != nil && b.otherCluster(p) && strings.Contains(strings.ToLower(p.ID.Name()), base) {
				b.others[base] = true
			}
		}
	}
}

// othersAddresses are the destinations of security rules that are proven to be another cluster's, which may have the same security group, and in it
// the same rules, since their names are made of their content alone: it has them on load balancers of its own, for Services that are not here.
func (b *builder) othersAddresses() map[netip.Addr]bool {
	others := map[netip.Addr]bool{}
	for i := range b.seen.PublicIPs {
		p := &b.seen.PublicIPs[i]
		if base := baseOf(p.Attached.Name()); b.otherCluster(p) && !b.userAssigned(p) && base != "" && b.byBase[base] == nil && !b.frontendOfOurs(p.Attached) {
			others[p.Address] = true
		}
	}
	for _, l := range b.seen.balancers {
		ours := slices.ContainsFunc(b.ourBalancers(), l.ID.Equal)
		theirs := func(name string) bool {
			base := baseOf(name)
			return base != "" && b.byBase[base] == nil && (!ours || b.others[base])
		}
		for _, f := range l.frontends {
			if theirs(f.Name) {
				others[l.address(b.seen, f)] = true
			}
		}
		for _, r := range l.rules {
			if r.FloatingIP || !theirs(r.Name) {
				continue
			}
			for _, m := range l.pools[strings.ToLower(r.Pool)].Members {
				if !slices.ContainsFunc(b.in.Nodes, func(n corev1.Node) bool { return hasInternal(n, m.IP) }) {
					others[m.IP] = true
				}
			}
		}
	}
	delete(others, netip.Addr{})
	return others
}

// frontendOfOurs reports whether an IP configuration is a frontend on one of our load balancers that belongs to a Service of this cluster.
func (b *builder) frontendOfOurs(id ID) bool {
	return slices.ContainsFunc(b.ourBalancers(), id.Parent().Equal) && b.owner(id.Name()) != ""
}

// provenOurs reports whether there is something of ours on a load balancer, or was when its last frontend went. One that somebody else made under
// the name, and that no Service is on yet, is not ours to delete.
func (d *outline) provenOurs(l *balancerDraft) bool {
	if len(l.seen.Frontends) > 0 {
		return true
	}
	if len(taggedGroups(l.seen.Tags)) > 0 { // made or emptied for the sake of what is in other resource groups
		return d.foreignChild(l) == ""
	}
	return d.foreignChild(l) == "" && slices.ContainsFunc(l.seen.Pools, func(p Pool) bool { return d.defaultPool(p.Name) })
}

// warnUnproven tells of a public IP that only tags show to be ours. It stays, since people write tags too.
func (d *outline) warnUnproven(p *SeenPublicIP) {
	names := d.users(p)
	if len(names) == 0 || d.otherCluster(p) || slices.ContainsFunc(names, func(n string) bool { return d.byName[parseName(n)] != nil || d.keepsName(parseName(n)) }) {
		return
	}
	d.findings = append(d.findings, Finding{
		Severity: SeverityWarning, Field: string(p.ID),
		Err: fmt.Errorf("%w: public IP %s stays: by its tags it was made for %s, which is gone, but its name is none that this cluster gives; delete it if nobody needs it, or take the tags off",
			ErrForeign, p.ID.Name(), strings.Join(names, ", ")),
	})
}
