package lb

import (
	"maps"
	"slices"
	"strings"
)

// Adopt gives want the spelling of seen wherever the content is equal: names and ids in ARM's case, keys and values of tags that differ only
// in case, names of pool members, priorities of security rules. References follow. After it, comparing with == asks for content. It decides
// nothing, and works on a Desired made by hand too.
func Adopt(seen Observed, want Desired) Desired {
	x := newIndex(seen)
	want.LoadBalancers = slices.Clone(want.LoadBalancers)
	for i, l := range want.LoadBalancers {
		if s := x.balancers[l.ID.Key()]; s != nil {
			want.LoadBalancers[i] = adoptBalancer(s, l)
			if slices.ContainsFunc(want.Recreate, l.ID.Equal) {
				want.LoadBalancers[i].Location, want.LoadBalancers[i].SKU, want.LoadBalancers[i].EdgeZone = l.Location, l.SKU, l.EdgeZone
			}
		}
	}
	want.PublicIPs = slices.Clone(want.PublicIPs)
	for i, p := range want.PublicIPs {
		if s := x.publicIPs[p.ID.Key()]; s != nil {
			p.ID, p.Tags = s.ID, adoptTags(s.Tags, p.Tags)
			p.DNSLabel = sameText(s.DNSLabel, p.DNSLabel)
			want.PublicIPs[i] = p
		}
	}
	want.SecurityGroups = slices.Clone(want.SecurityGroups)
	for i, g := range want.SecurityGroups {
		if s := x.securityGroup(g.ID); s != nil {
			want.SecurityGroups[i] = adoptSecurityGroup(s, g)
		}
	}
	want.Remove = slices.Clone(want.Remove)
	return want
}

// sameText returns seen if both are equal but for case, else want.
func sameText(seen, want string) string {
	if strings.EqualFold(seen, want) {
		return seen
	}
	return want
}

// spelling maps lower-case names to the names that were observed.
type spelling map[string]string

func spell[T any](list []T, name func(T) string) spelling {
	s := make(spelling, len(list))
	for _, v := range list {
		s[strings.ToLower(name(v))] = name(v)
	}
	return s
}

func (s spelling) of(name string) string {
	if seen, ok := s[strings.ToLower(name)]; ok {
		return seen
	}
	return name
}

func adoptBalancer(seen *seenBalancer, want LoadBalancer) LoadBalancer {
	frontends := spell(seen.Frontends, func(f Frontend) string { return f.Name })
	pools := spell(seen.Pools, func(p Pool) string { return p.Name })
	probes := spell(seen.Probes, func(p Probe) string { return p.Name })
	rules := spell(seen.Rules, func(r Rule) string { return r.Name })

	frontendAt := make(map[string]int, len(seen.Frontends))
	for i, f := range seen.Frontends {
		frontendAt[strings.ToLower(f.Name)] = i
	}
	want.ID, want.Tags = seen.ID, adoptTags(seen.Tags, want.Tags)
	want.Location, want.SKU, want.EdgeZone = seen.Location, seen.SKU, seen.EdgeZone
	want.Frontends = adoptEach(want.Frontends, func(f Frontend) Frontend {
		f.Name = frontends.of(f.Name)
		if old, ok := seen.frontends[strings.ToLower(f.Name)]; ok {
			f.PublicIP, f.Subnet = sameID(old.PublicIP, f.PublicIP), sameID(old.Subnet, f.Subnet)
			if old.PublicIP != "" && f.PublicIP != "" {
				f.Family = seen.Frontends[frontendAt[strings.ToLower(f.Name)]].Family // ARM keeps it with the public IP
			}
		}
		return f
	})
	want.Pools = adoptEach(want.Pools, func(p Pool) Pool {
		p.Name = pools.of(p.Name)
		if old, ok := seen.pools[strings.ToLower(p.Name)]; ok {
			p.Network, p.Members = sameID(old.Network, p.Network), adoptMembers(old.Members, p.Members)
			if p.Interfaces && len(old.Members) == 0 {
				p.Interfaces, p.Network = old.Interfaces, old.Network // an empty pool does not tell what it is for
			}
		}
		return p
	})
	want.Probes = adoptEach(want.Probes, func(p Probe) Probe {
		p.Name = probes.of(p.Name)
		if old, ok := seen.probes[strings.ToLower(p.Name)]; ok {
			p.Path = sameText(old.Path, p.Path)
		}
		return p
	})
	want.Rules = adoptEach(want.Rules, func(r Rule) Rule {
		r.Name, r.Frontend, r.Pool, r.Probe = rules.of(r.Name), frontends.of(r.Frontend), pools.of(r.Pool), probes.of(r.Probe)
		if old, ok := seen.rules[strings.ToLower(r.Name)]; ok {
			// Ids in rules may be spelt differently from the names of what they lead to.
			r.Frontend, r.Pool, r.Probe = sameText(old.Frontend, r.Frontend), sameText(old.Pool, r.Pool), sameText(old.Probe, r.Probe)
		}
		return r
	})
	return want
}

// adoptEach returns a copy of list with each element respelled.
func adoptEach[T any](list []T, respell func(T) T) []T {
	list = slices.Clone(list)
	for i := range list {
		list[i] = respell(list[i])
	}
	return list
}

func sameID(seen, want ID) ID {
	if seen.Equal(want) {
		return seen
	}
	return want
}

// adoptMembers takes over the names of members, but for a name that another member has now: a node may have the address of another one, which
// is there with a new address, and names are unique in a pool.
func adoptMembers(seen, want []Member) []Member {
	names, owners := make(map[string]string, len(seen)), make(map[string]string, len(want))
	for _, m := range seen {
		names[m.IP.String()] = m.Name
	}
	for _, m := range want {
		owners[strings.ToLower(m.Name)] = m.IP.String()
	}
	return adoptEach(want, func(m Member) Member {
		at := m.IP.String()
		name, ok := names[at]
		if owner, taken := owners[strings.ToLower(name)]; ok && (!taken || owner == at) {
			m.Name = name
		}
		return m
	})
}

// adoptTags takes over the spelling of keys, and of values that differ only in case: ARM would see no change worth writing.
func adoptTags(seen, want Tags) Tags {
	want = slices.Clone(want)
	for i, t := range want {
		for _, s := range seen {
			if !strings.EqualFold(s.Key, t.Key) {
				continue
			}
			want[i] = Tag{Key: s.Key, Value: sameText(s.Value, t.Value)}
			if s.Key == t.Key {
				break
			}
		}
	}
	want.sort()
	return want
}

func adoptSecurityGroup(seen *SeenSecurityGroup, want SecurityGroup) SecurityGroup {
	old := map[string]SecurityRule{}
	for _, r := range seen.Rules {
		old[strings.ToLower(r.Name)] = r
	}
	want.ID, want.Tags = seen.ID, adoptTags(seen.Tags, want.Tags)
	want.Rules = adoptEach(want.Rules, func(r SecurityRule) SecurityRule {
		s, ok := old[strings.ToLower(r.Name)]
		if !ok {
			return r
		}
		r.Name, r.Priority = s.Name, s.Priority
		r.Sources = sameSources(s.Sources, r.Sources)
		return r
	})
	return want
}

// sameSources keeps the spelling of service tags.
func sameSources(seen, want []string) []string {
	names := maps.Collect(func(yield func(string, string) bool) {
		for _, s := range seen {
			if !yield(strings.ToLower(s), s) {
				return
			}
		}
	})
	return adoptEach(want, func(s string) string { return spelling(names).of(s) })
}
