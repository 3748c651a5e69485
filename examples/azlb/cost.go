package main

import (
	"fmt"
	"time"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// cost is what carrying a plan out will take.
type cost struct {
	Writes  int     `json:"writes"`
	Reads   int     `json:"reads"`   // of one apply, polls of long-running operations included
	Minutes float64 `json:"minutes"` // at documented rates and usual latencies
	Limits  []limit `json:"limits"`  // that the result comes near to
}

// limit is a limit of Azure that a resource comes near to.
type limit struct {
	Resource string `json:"resource"`
	What     string `json:"what"`
	Used     int    `json:"used"`
	Max      int    `json:"max"`
}

// Usual time of a write by type of resource, as users report it, and the pause between two looks at a write that is under way.
var latencies = map[string]time.Duration{
	armid.LoadBalancers:         10 * time.Second,
	armid.PublicIPAddresses:     5 * time.Second,
	armid.NetworkSecurityGroups: 5 * time.Second,
	armid.PrivateLinkServices:   30 * time.Second,
}

const (
	otherLatency = 5 * time.Second
	pollInterval = 5 * time.Second
)

// Documented rates: Azure Resource Manager lets a burst of writes through and then so many per second; the network provider has a window.
const (
	burst        = 200
	perSecond    = 10
	windowWrites = 1000
	window       = 5 * time.Minute
)

func latency(op lb.Op) time.Duration {
	for typ, d := range latencies {
		if op.Target().Top().Is(typ) {
			return d
		}
	}
	return otherLatency
}

// cost estimates what applying the plan of a dry run takes. The reads of apply are those of the plan, and polls.
func (j *job) cost() cost {
	plan := j.report.Plan()
	c := cost{Writes: len(plan.Steps), Reads: j.azure.counts().Reads, Limits: j.limits()}
	for _, s := range plan.Steps {
		c.Reads += int(latency(s.Op) / pollInterval)
	}
	d := max(makespan(plan, 8), throttled(len(plan.Steps)))
	c.Minutes = float64(d.Round(6*time.Second)) / float64(time.Minute)
	return c
}

// makespan is how long the steps take, each after those it waits for, parallel of them at a time.
func makespan(p lb.Plan, parallel int) time.Duration {
	ends := make([]time.Duration, len(p.Steps))
	lanes := make([]time.Duration, parallel)
	var last time.Duration
	for i, s := range p.Steps {
		lane := 0
		for k := range lanes {
			if lanes[k] < lanes[lane] {
				lane = k
			}
		}
		start := lanes[lane]
		for _, a := range s.After {
			start = max(start, ends[a])
		}
		ends[i] = start + latency(s.Op)
		lanes[lane] = ends[i]
		last = max(last, ends[i])
	}
	return last
}

// throttled is how long Azure's rates stretch n writes at least.
func throttled(n int) time.Duration {
	manager := time.Duration(max(0, n-burst)) * time.Second / perSecond
	network := time.Duration(max(0, n-1)/windowWrites) * window
	return max(manager, network)
}

// print writes the cost for people.
func (c *cost) print(t *tool) {
	text := fmt.Sprintf("cost: %s, %s", plural(c.Writes, "write"), plural(c.Reads, "read"))
	if c.Writes > 0 {
		text += fmt.Sprintf(", about %.1f minutes", c.Minutes)
	}
	t.printf("%s\n", text)
	for _, l := range c.Limits {
		t.printf("near a limit: %s has %d of %d %s\n", l.Resource, l.Used, l.Max, l.What)
	}
}

// limits lists the limits that what will be there comes near to: four fifths of them, or more.
func (j *job) limits() []limit {
	out := []limit{}
	add := func(resource, what string, used, most int) {
		if 5*used >= 4*most {
			out = append(out, limit{resource, what, used, most})
		}
	}
	after := j.after()
	limits := documented(j.cluster.Limits)
	for _, l := range after.balancers {
		name := "load balancer " + l.id.Name()
		add(name, "rules", len(l.rules)+l.natRules, limits.RulesPerLoadBalancer)
		add(name, "frontends", len(l.frontends), limits.FrontendsPerLoadBalancer)
		add(name, "private link services", after.linksOf(l.id), linksPerBalancer)
	}
	if node, n := after.busiestNode(); node != "" {
		add("the network interface of "+node, "rules", n, limits.RulesPerInterface)
	}
	for _, g := range after.groups {
		sources, destinations := 0, 0
		for _, r := range g.rules {
			sources += len(r.Sources)
			destinations += len(r.Destinations)
		}
		name := "security group " + g.id.Name()
		add(name, "rules", len(g.rules), limits.RulesPerSecurityGroup)
		add(name, "sources", sources, limits.AddressesPerSecurityRule)
		add(name, "destinations", destinations, limits.AddressesPerSecurityRule)
	}
	return out
}

const linksPerBalancer = 8

// documented fills in the limits that Azure documents.
func documented(l lb.Limits) lb.Limits {
	for _, d := range []struct {
		value *int
		limit int
	}{
		{&l.RulesPerLoadBalancer, 1500},
		{&l.FrontendsPerLoadBalancer, 600},
		{&l.RulesPerSecurityGroup, 1000},
		{&l.AddressesPerSecurityRule, 4000},
		{&l.RulesPerInterface, 299},
	} {
		if *d.value == 0 {
			*d.value = d.limit
		}
	}
	return l
}

// removes reports whether id is in list.
func removes(list []lb.ID, id lb.ID) bool {
	for _, r := range list {
		if r.Equal(id) {
			return true
		}
	}
	return false
}
