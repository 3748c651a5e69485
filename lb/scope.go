package lb

import (
	"net/netip"
	"slices"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
)

// ScopeOf returns what has to be read before [Build]. It depends on the configuration and on the annotations of Services.
func ScopeOf(c Cluster, in Objects) Scope {
	group := func(name string) ID { return armid.Group(c.NetworkSubscription, name) }
	s := Scope{
		LoadBalancers: []ID{group(c.LoadBalancerGroup)},
		PublicIPs:     []ID{group(c.ResourceGroup)},
		SecurityGroup: c.SecurityGroup,
		// A frontend that goes may have one whether or not anybody still asks for it.
		PrivateLinkServices: []ID{group(c.PrivateLinkGroup)},
		Subscription:        c.Subscription,
		Location:            c.Location,
	}
	if c.EdgeZone != "" {
		s.Location = ""
	}
	b := newBuilder(c, in, Observed{})
	for _, svc := range b.services {
		if !svc.wanted || !svc.ours {
			continue
		}
		cfg := svc.cfg
		if (cfg.Internal || cfg.PrivateLink.Create || slices.ContainsFunc(cfg.PublicIP.Additional, netip.Addr.IsPrivate)) && c.Network != "" {
			s.Networks = addID(s.Networks, c.Network)
		}
		// What the policy keeps from a Service is not even read for it.
		if cfg.PublicIP.ResourceGroup != "" && c.checkGroup(cfg.PublicIP.ResourceGroup, c.ResourceGroup) == nil {
			s.PublicIPs = addID(s.PublicIPs, group(cfg.PublicIP.ResourceGroup))
		}
		for _, f := range cfg.Families {
			if prefix := cfg.PublicIP.PrefixOf(f); prefix != "" && !cfg.Internal && c.checkPrefix(prefix) == nil {
				s.Prefixes = addID(s.Prefixes, prefix)
			}
		}
		s.addPrivateLink(c, cfg)
	}
	s.addMachines(b, in)
	slices.SortFunc(s.PublicIPs, armid.Compare)
	slices.SortFunc(s.Prefixes, armid.Compare)
	slices.SortFunc(s.PrivateLinkServices, armid.Compare)
	return s
}

func (s *Scope) addPrivateLink(c Cluster, cfg annotations.Config) {
	if group := orText(cfg.PrivateLink.ResourceGroup, c.PrivateLinkGroup); cfg.PrivateLink.Create && c.checkGroup(group, c.PrivateLinkGroup) == nil {
		s.PrivateLinkServices = addID(s.PrivateLinkServices, armid.Group(c.NetworkSubscription, group))
	}
}

// addMachines asks for the machines of nodes that are not in a scale set by their id, since only ARM tells their availability set or flexible
// scale set, and for network interfaces and scale sets where pools hold those, or hold them still.
func (s *Scope) addMachines(b *builder, in Objects) {
	c := b.c
	interfaces := c.PoolType == PoolInterfaces
	if interfaces && !c.NoScaleSets {
		s.ScaleSets = []ID{armid.Group(c.Subscription, c.ResourceGroup)}
	}
	for _, n := range in.Nodes {
		machine := machineOf(n)
		switch alone := machine.Is(armid.VirtualMachines); {
		case alone:
			if c.multiple() || interfaces && (c.Basic || !c.NoScaleSets) {
				s.Machines = addID(s.Machines, machine.GroupID())
			}
			if interfaces && c.inGroup(n) {
				s.Interfaces = addID(s.Interfaces, machine.GroupID())
			}
		case machine.Is(armid.ScaleSetInstances) && interfaces && c.inGroup(n):
			s.ScaleSets = addID(s.ScaleSets, machine.GroupID())
		}
	}
	if c.PoolType == PoolAddresses {
		s.Members = b.ourBalancers()
		slices.SortFunc(s.Members, armid.Compare)
	}
	slices.SortFunc(s.ScaleSets, armid.Compare)
	slices.SortFunc(s.Machines, armid.Compare)
	slices.SortFunc(s.Interfaces, armid.Compare)
}

// WithMembers returns s with the resource groups of the network interfaces and scale sets that are in the pools of the load balancers which
// s.Members names, of those in seen.
func (s Scope) WithMembers(seen []SeenLoadBalancer) Scope {
	s.ScaleSets, s.Interfaces = slices.Clone(s.ScaleSets), slices.Clone(s.Interfaces)
	for i := range seen {
		if !slices.ContainsFunc(s.Members, seen[i].ID.Equal) {
			continue
		}
		for _, ids := range seen[i].Attached {
			for _, id := range ids {
				s.ScaleSets = addID(s.ScaleSets, id.GroupID()) // flexible ones have their machines' interfaces in the pool
				if !id.Top().Is(armid.ScaleSets) {
					s.Interfaces = addID(s.Interfaces, id.GroupID())
				}
			}
		}
	}
	slices.SortFunc(s.ScaleSets, armid.Compare)
	slices.SortFunc(s.Interfaces, armid.Compare)
	return s
}

// Unseen returns the machines of nodes that seen, which was read for s, does not show: they have joined since, or Azure does not have them.
// Of nodes that are in no pool nothing is asked. Each is there once, in the order of the nodes.
func (s Scope) Unseen(in Objects, seen Observed) []ID {
	if len(s.Interfaces)+len(s.ScaleSets)+len(s.Machines) == 0 || len(s.Members) > 0 {
		return nil
	}
	attached, known, listed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, n := range seen.Interfaces {
		attached[n.Machine.Key()] = true
	}
	for _, m := range seen.Machines {
		known[m.ID.Key()] = true
	}
	for _, group := range slices.Concat(s.Interfaces, s.ScaleSets) {
		listed[group.Key()] = true
	}
	var ids []ID
	for _, n := range in.Nodes {
		machine := machineOf(n)
		if machine == "" || !eligible(n) || unmanaged(n) {
			continue
		}
		lists := slices.ContainsFunc(s.Machines, machine.GroupID().Equal) && machine.Is(armid.VirtualMachines)
		if key := machine.Key(); listed[machine.GroupID().Key()] && !attached[key] || lists && !known[key] {
			ids = addID(ids, machine)
		}
	}
	return ids
}

func addID(list []ID, id ID) []ID {
	if slices.ContainsFunc(list, id.Equal) {
		return list
	}
	return append(list, id)
}
