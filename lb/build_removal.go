package lb

import (
	"slices"
	"strings"
)

// Removals returns the names of the Services whose share of Azure planning for in would remove, and how many have a share at all. A share
// whose Service nobody knows any more goes by its base name. It is what a removal guard asks.
func Removals(c Cluster, in Objects, seen Observed) (gone []string, observed int) {
	b := newBuilder(c, in, seen)
	owners := map[string]bool{} // whether it stays
	for base, uses := range b.bases() {
		if uses {
			name, stays := b.ownerName(base)
			owners[name] = owners[name] || stays
		}
	}
	for i := range seen.PublicIPs {
		p := &seen.PublicIPs[i]
		if !b.manages(p) {
			continue
		}
		for _, text := range b.users(p) {
			s := b.byName[parseName(text)]
			owners[text] = owners[text] || s != nil && s.wanted || b.keepsName(parseName(text))
		}
	}
	for name, stays := range owners {
		if !stays {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	return gone, len(owners)
}

// bases returns the base names that have something on our load balancers.
func (b *builder) bases() map[string]bool {
	found := map[string]bool{}
	for _, id := range b.ourBalancers() {
		for base := range b.uses[id.Key()] {
			found[base] = base != ""
		}
	}
	return found
}

// ownerName names the Service of a base name, as its public IP's tag does where the Service is not known any more.
func (b *builder) ownerName(base string) (string, bool) {
	if s := b.byBase[base]; s != nil {
		return s.name.String(), s.wanted || s.held
	}
	for _, id := range b.ourBalancers() {
		l := b.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		for _, f := range l.Frontends {
			if p := b.seen.publicIPs[f.PublicIP.Key()]; p != nil && b.owner(f.Name) == base && strings.Contains(strings.ToLower(p.ID.Name()), base) {
				if names := b.users(p); len(names) == 1 {
					return names[0], false
				}
			}
		}
	}
	return base, b.keepsBase(base)
}
