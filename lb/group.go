package lb

import (
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/lb/armid"
)

// What Services ask for in a resource group of their own choice would not be found again once they and their annotations are gone. So each load
// balancer says in a tag in which other groups something was made for what it serves. The tag is written before the first thing is made there, and
// the load balancer stays until the last one is gone.

// tagGroups is the key of that tag: names of resource groups, separated by commas. What does not fit into one value goes on under the same key
// with "-2", "-3" and so on.
const tagGroups = "azlb-resource-groups"

// isGroupTag reports whether key is that of a tag that names resource groups.
func isGroupTag(key string) bool {
	rest, ok := strings.CutPrefix(strings.ToLower(key), tagGroups)
	if !ok {
		return false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(rest, "-"))
	return rest == "" || err == nil && rest == "-"+strconv.Itoa(n) && n > 1
}

// groupTags returns the tags that name groups, which are sorted, each once.
func groupTags(groups []string) Tags {
	var values []string
	for _, g := range groups {
		last := len(values) - 1
		switch {
		case last < 0 || len(values[last])+1+len(g) > maxTagValue:
			values = append(values, g)
		default:
			values[last] += "," + g
		}
	}
	var tags Tags
	for i, v := range values {
		key := tagGroups
		if i > 0 {
			key += "-" + strconv.Itoa(i+1)
		}
		tags = append(tags, Tag{Key: key, Value: v})
	}
	return tags
}

// taggedGroups returns the resource groups that tags name, in lower case, sorted. What is no name of a group does not count: anybody may
// write tags.
func taggedGroups(tags Tags) []string {
	var groups []string
	for _, t := range tags {
		if !isGroupTag(t.Key) {
			continue
		}
		for name := range strings.SplitSeq(t.Value, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); armid.CheckGroup(name) == nil {
				groups = append(groups, name)
			}
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// WithGroups returns s with the resource groups in which something was made for what the load balancers in seen serve, as their tags
// azlb-resource-groups say: their public IPs and private link services are read too, wherever s asks for such at all.
func (s Scope) WithGroups(seen []SeenLoadBalancer) Scope {
	s.PublicIPs, s.PrivateLinkServices = slices.Clone(s.PublicIPs), slices.Clone(s.PrivateLinkServices)
	addresses, links := len(s.PublicIPs) > 0, len(s.PrivateLinkServices) > 0
	for i := range seen {
		for _, name := range taggedGroups(seen[i].Tags) {
			group := armid.Group(seen[i].ID.Subscription(), name)
			if addresses {
				s.PublicIPs = addID(s.PublicIPs, group)
			}
			if links {
				s.PrivateLinkServices = addID(s.PrivateLinkServices, group)
			}
		}
	}
	slices.SortFunc(s.PublicIPs, armid.Compare)
	slices.SortFunc(s.PrivateLinkServices, armid.Compare)
	return s
}

// Beyond returns what of found is in none of the resource groups whose public IPs or private link services s names; s has what [Scope.WithGroups]
// adds. Public IPs that seen has from another group, since a frontend names them, are not in it either.
func (seen Observed) Beyond(s Scope, found Elsewhere) Elsewhere {
	known := map[string]bool{}
	for _, p := range seen.PublicIPs {
		known[p.ID.Key()] = true
	}
	in := func(groups []ID, id ID) bool { return slices.ContainsFunc(groups, id.GroupID().Equal) }
	found.PublicIPs = slices.DeleteFunc(found.PublicIPs, func(p SeenPublicIP) bool { return in(s.PublicIPs, p.ID) || known[p.ID.Key()] })
	found.PrivateLinkServices = slices.DeleteFunc(found.PrivateLinkServices, func(p SeenPrivateLinkService) bool { return in(s.PrivateLinkServices, p.ID) })
	return found
}
