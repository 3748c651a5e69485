package lb

import (
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// Share is what one Service has in Azure: frontends, rules and probes by their names, public IPs by their tags or through its frontends. Its
// part of shared security rules follows from these and is not listed.
type Share struct {
	Base    string               // base name, made from the uid; empty if only a tag tells of the Service
	Service types.NamespacedName // as tags of public IPs say; empty if none does
	Parts   []ID                 // sorted
	// Unreached are more of them in resource groups that nothing names any more, as a survey of the subscription shows ([Scope].Survey), sorted.
	// Another cluster of the same name may have made them, so no Sync removes them.
	Unreached []ID
}

// Shares tells what of the observed state belongs to which Service, sorted by base name and Service. It looks at names and tags
// alone, so it does not know whether the Services are still there; [Orphans] does.
func Shares(seen Observed) []Share {
	byBase := map[string]*Share{}
	byName := map[types.NamespacedName]*Share{}
	owners := map[string]*Share{} // by public IP
	take := func(base string, id ID) {
		if base == "" {
			return
		}
		if byBase[base] == nil {
			byBase[base] = &Share{Base: base}
		}
		byBase[base].Parts = append(byBase[base].Parts, id)
	}
	for _, l := range seen.LoadBalancers {
		for _, f := range l.Frontends {
			base := baseOf(f.Name)
			take(base, l.ID.Child(armid.FrontendIPConfigurations, f.Name))
			if base != "" && f.PublicIP != "" {
				owners[f.PublicIP.Key()] = byBase[base]
			}
		}
		for _, r := range l.Rules {
			take(baseOf(r.Name), l.ID.Child(armid.LoadBalancingRules, r.Name))
		}
		for _, p := range l.Probes {
			take(baseOf(p.Name), l.ID.Child(armid.Probes, p.Name))
		}
	}
	for _, p := range seen.PublicIPs {
		for _, text := range taggedServices(p) {
			name := parseName(text)
			share := byName[name]
			if share == nil {
				if share = shareNamed(byBase, p.ID, owners[p.ID.Key()]); share == nil {
					share = &Share{}
				}
				share.Service, byName[name] = name, share
			}
			share.Parts = append(share.Parts, p.ID)
		}
	}
	return sortedShares(byBase, byName)
}

// taggedServices returns the Services that the tags of a public IP name. The key of former days is a common word, and counts only on a name that
// is made of a base name.
func taggedServices(p SeenPublicIP) []string {
	value, today := exact(p.Tags, tagService)
	if today {
		return serviceNames(value)
	}
	for name := p.ID.Name(); name != ""; {
		if _, name, _ = strings.Cut(name, "-"); baseOf(name) != "" {
			return serviceNames(p.Tags.either(tagService, legacyTagService))
		}
	}
	return nil
}

// shareNamed finds the share that a managed public IP belongs to: that whose base name its own has, if it is on that share's frontend.
func shareNamed(byBase map[string]*Share, ip ID, holder *Share) *Share {
	if holder != nil && holder.Service == (types.NamespacedName{}) && strings.Contains(ip.Key(), holder.Base) {
		return byBase[holder.Base]
	}
	return nil
}

func sortedShares(byBase map[string]*Share, byName map[types.NamespacedName]*Share) []Share {
	all := map[*Share]bool{}
	for _, s := range byBase {
		all[s] = true
	}
	for _, s := range byName {
		all[s] = true
	}
	list := make([]Share, 0, len(all))
	for s := range all {
		slices.SortFunc(s.Parts, armid.Compare)
		s.Parts = slices.CompactFunc(s.Parts, ID.Equal)
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Share) int {
		if c := strings.Compare(a.Base, b.Base); c != 0 {
			return c
		}
		return compareNames(a.Service, b.Service)
	})
	return list
}

// Orphans returns the shares on the load balancers of the configuration, and on managed public IPs of the cluster, whose Service is deleted
// or not of type LoadBalancer any more. A Sync removes them, under the removal guard.
func Orphans(c Cluster, in Objects, seen Observed) []Share {
	b := newBuilder(c, in, seen)
	wanted := func(s *service) bool { return s != nil && (s.wanted || s.held) }
	ours := Observed{}
	for _, l := range seen.LoadBalancers {
		if slices.ContainsFunc(b.ourBalancers(), l.ID.Equal) {
			ours.LoadBalancers = append(ours.LoadBalancers, l)
		}
	}
	for i := range seen.PublicIPs {
		if b.manages(&seen.PublicIPs[i]) {
			ours.PublicIPs = append(ours.PublicIPs, seen.PublicIPs[i])
		}
	}
	unreached := map[string]bool{}
	for i := range seen.Elsewhere.PublicIPs {
		if p := &seen.Elsewhere.PublicIPs[i]; b.manages(p) && p.Attached == "" {
			ours.PublicIPs, unreached[p.ID.Key()] = append(ours.PublicIPs, *p), true
		}
	}
	list := slices.DeleteFunc(Shares(ours), func(s Share) bool {
		return s.Base != "" && wanted(b.byBase[s.Base]) || s.Base == "" && wanted(b.byName[s.Service])
	})
	if len(unreached) == 0 {
		return list
	}
	for i, s := range list {
		parts := s.Parts
		list[i].Parts = slices.DeleteFunc(slices.Clone(parts), func(id ID) bool { return unreached[id.Key()] })
		list[i].Unreached = slices.DeleteFunc(slices.Clone(parts), func(id ID) bool { return !unreached[id.Key()] })
	}
	return list
}
