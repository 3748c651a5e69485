package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/azlb/azlb/provider"
)

// future is what will be there once the plan is carried out: what is wanted, and what others have.
type future struct {
	balancers []futureBalancer
	groups    []futureGroup
	links     []pls.PrivateLinkService
}

// futureBalancer is a load balancer with its children by name in lower case.
type futureBalancer struct {
	id        lb.ID
	frontends map[string]lb.Frontend
	rules     map[string]lb.Rule
	pools     map[string]lb.Pool
	natRules  int
}

type futureGroup struct {
	id    lb.ID
	rules map[string]lb.SecurityRule
}

// after works out the future of the last plan.
func (j *job) after() future {
	in := j.in
	if errors.Is(j.err, provider.ErrRemovalGuard) {
		in.KeepGone = true
	}
	seen := j.azure.last()
	want, _ := lb.Build(j.cluster, in, seen)
	return futureOf(seen, lb.Adopt(seen, want))
}

func futureOf(seen lb.Observed, want lb.Desired) future {
	var f future
	stays := func(id lb.ID) bool { return !removes(want.Remove, id) }
	for _, id := range balancerIDs(seen, want) {
		if stays(id) {
			f.balancers = append(f.balancers, futureBalancerOf(id, seen, want, stays))
		}
	}
	groups := map[string]*futureGroup{}
	enter := func(g lb.SecurityGroup) {
		if groups[g.ID.Key()] == nil {
			groups[g.ID.Key()] = &futureGroup{g.ID, map[string]lb.SecurityRule{}}
		}
		for _, r := range g.Rules {
			if stays(g.ID.Child(armid.SecurityRules, r.Name)) {
				groups[g.ID.Key()].rules[strings.ToLower(r.Name)] = r
			}
		}
	}
	for _, g := range seen.SecurityGroups {
		enter(g.SecurityGroup)
	}
	for _, g := range want.SecurityGroups {
		enter(g)
	}
	for _, g := range groups {
		f.groups = append(f.groups, *g)
	}
	slices.SortFunc(f.groups, func(a, b futureGroup) int { return armid.Compare(a.id, b.id) })
	for _, s := range seen.PrivateLinkServices {
		wanted := slices.ContainsFunc(want.PrivateLinkServices, func(w pls.PrivateLinkService) bool { return w.ID.Equal(s.ID) })
		if stays(s.ID) && !wanted {
			f.links = append(f.links, s.PrivateLinkService)
		}
	}
	f.links = append(f.links, want.PrivateLinkServices...)
	return f
}

func balancerIDs(seen lb.Observed, want lb.Desired) []lb.ID {
	var ids []lb.ID
	for _, l := range seen.LoadBalancers {
		ids = append(ids, l.ID)
	}
	for _, l := range want.LoadBalancers {
		ids = append(ids, l.ID)
	}
	slices.SortFunc(ids, armid.Compare)
	return slices.CompactFunc(ids, lb.ID.Equal)
}

func futureBalancerOf(id lb.ID, seen lb.Observed, want lb.Desired, stays func(lb.ID) bool) futureBalancer {
	l := futureBalancer{id: id, frontends: map[string]lb.Frontend{}, rules: map[string]lb.Rule{}, pools: map[string]lb.Pool{}}
	enter := func(b lb.LoadBalancer) {
		children(l.frontends, id, armid.FrontendIPConfigurations, b.Frontends, func(f lb.Frontend) string { return f.Name }, stays)
		children(l.rules, id, armid.LoadBalancingRules, b.Rules, func(r lb.Rule) string { return r.Name }, stays)
		children(l.pools, id, armid.BackendAddressPools, b.Pools, func(p lb.Pool) string { return p.Name }, stays)
	}
	for _, s := range seen.LoadBalancers {
		if s.ID.Equal(id) {
			enter(s.LoadBalancer)
			l.natRules = len(s.Uses)
		}
	}
	for _, w := range want.LoadBalancers {
		if w.ID.Equal(id) {
			enter(w)
		}
	}
	return l
}

// children enters those of list that stay, by name in lower case.
func children[T any](to map[string]T, parent lb.ID, kind string, list []T, name func(T) string, stays func(lb.ID) bool) {
	for _, child := range list {
		if stays(parent.Child(kind, name(child))) {
			to[strings.ToLower(name(child))] = child
		}
	}
}

// linksOf counts the private link services of a load balancer.
func (f future) linksOf(id lb.ID) int {
	n := 0
	for _, s := range f.links {
		if slices.ContainsFunc(s.Frontends, func(fe lb.ID) bool { return fe.Top().Equal(id) }) {
			n++
		}
	}
	return n
}

// busiestNode returns the node that most rules reach, and how many: each rule counts on every member of its pool.
func (f future) busiestNode() (string, int) {
	rules := map[string]int{}
	for _, l := range f.balancers {
		perPool := map[string]int{}
		for _, r := range l.rules {
			perPool[strings.ToLower(r.Pool)]++
		}
		for name, n := range perPool {
			pool := l.pools[name]
			for _, m := range pool.Members {
				rules[memberName(m)] += n
			}
			if pool.Interfaces {
				rules["every node in pool "+pool.Name] += n
			}
		}
	}
	best := ""
	for name, n := range rules {
		if best == "" || n > rules[best] || n == rules[best] && name < best {
			best = name
		}
	}
	return best, rules[best]
}

// memberName names the node of a pool member.
func memberName(m lb.Member) string {
	if m.Name != "" {
		return "node " + strings.TrimSuffix(m.Name, "-ipv6")
	}
	return "address " + m.IP.String()
}
