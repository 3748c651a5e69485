package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// state is a state of the fake in the form of its Load.
type state struct {
	ResourceGroups []stateGroup `json:"resourceGroups"`
	Resources      []any        `json:"resources"`
}

type stateGroup struct {
	Subscription string `json:"subscription"`
	Name         string `json:"name"`
	Location     string `json:"location"`
}

type object = map[string]any

// emptyState returns an Azure in which nobody has put a load balancer yet: the resource groups, the security group and the virtual network
// that the configuration names, with the subnets of configuration and Services.
func emptyState(c lb.Cluster, in lb.Objects) ([]byte, error) {
	location := c.Location
	if location == "" {
		location = "westeurope"
	}
	s := state{Resources: []any{}}
	for _, id := range groupsOf(c, in) {
		s.ResourceGroups = append(s.ResourceGroups, stateGroup{id.Subscription(), id.ResourceGroup(), location})
	}
	if c.SecurityGroup != "" {
		s.Resources = append(s.Resources, object{
			"id": c.SecurityGroup, "location": location, "properties": object{"securityRules": []any{}},
		})
	}
	if c.Network != "" {
		s.Resources = append(s.Resources, network(c, in, location))
	}
	return json.Marshal(s)
}

// groupsOf lists the resource groups that configuration and annotations name.
func groupsOf(c lb.Cluster, in lb.Objects) []lb.ID {
	scope := lb.ScopeOf(c, in)
	ids := slices.Concat(scope.LoadBalancers, scope.PublicIPs, scope.PrivateLinkServices, []lb.ID{
		armid.Group(c.Subscription, c.ResourceGroup), armid.Group(c.NetworkSubscription, c.PrivateLinkGroup),
	})
	for _, id := range []lb.ID{c.SecurityGroup, c.Network, c.PoolNetwork} {
		if id != "" {
			ids = append(ids, id.GroupID())
		}
	}
	slices.SortFunc(ids, armid.Compare)
	return slices.CompactFunc(ids, lb.ID.Equal)
}

func network(c lb.Cluster, in lb.Objects, location string) object {
	plan, wished := newAddressPlan(in), subnetsOf(c, in)
	for _, s := range wished {
		for _, a := range s.pinned {
			plan.taken[block(a)] = true
		}
	}
	var subnets []any
	for _, s := range wished {
		subnets = append(subnets, object{"name": s.name, "properties": object{"addressPrefixes": plan.prefixes(s.pinned)}})
	}
	space := append([]string{"10.0.0.0/8", "fd00::/8"}, plan.outside...)
	return object{
		"id": c.Network, "location": location,
		"properties": object{"addressSpace": object{"addressPrefixes": space}, "subnets": subnets},
	}
}

// wishedSubnet is a subnet that something names, with the addresses that Services want in it.
type wishedSubnet struct {
	name   string
	pinned []netip.Addr
}

// subnetsOf lists the subnets that configuration and Services name, that of the configuration first.
func subnetsOf(c lb.Cluster, in lb.Objects) []*wishedSubnet {
	var list []*wishedSubnet
	named := func(name string) *wishedSubnet {
		if name == "" {
			return &wishedSubnet{}
		}
		i := slices.IndexFunc(list, func(s *wishedSubnet) bool { return strings.EqualFold(s.name, name) })
		if i < 0 {
			list = append(list, &wishedSubnet{name: name})
			i = len(list) - 1
		}
		return list[i]
	}
	named(c.Subnet)
	for _, svc := range in.Services {
		cfg, _ := annotations.Parse(&svc) // what is wrong with it is said when planning
		if !wanted(svc) || !cfg.Internal {
			continue
		}
		name := cfg.Subnet
		if name == "" {
			name = c.Subnet
		}
		s := named(name)
		for _, f := range cfg.Families {
			if a := cfg.Addresses.Of(f); a.IsValid() {
				s.pinned = append(s.pinned, a)
			}
		}
		if cfg.PrivateLink.Create {
			named(cfg.PrivateLink.Subnet)
		}
	}
	return list
}

// addressPlan gives out prefixes of subnets: those around addresses that are asked for, else free ones, never one with nodes in it, since
// the fake does not know the addresses of nodes.
type addressPlan struct {
	taken   map[netip.Prefix]bool
	next    int
	outside []string // prefixes outside of the usual address space
}

func newAddressPlan(in lb.Objects) *addressPlan {
	p := &addressPlan{taken: map[netip.Prefix]bool{}}
	for _, n := range in.Nodes {
		for _, a := range n.Status.Addresses {
			if addr, err := netip.ParseAddr(a.Address); err == nil {
				p.taken[block(addr)] = true
			}
		}
	}
	return p
}

// block is the usual subnet around a.
func block(a netip.Addr) netip.Prefix {
	bits := 24
	if ipam.FamilyOf(a) == ipam.IPv6 {
		bits = 64
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// prefixes returns the prefixes of one subnet, at least one per family.
func (p *addressPlan) prefixes(pinned []netip.Addr) []string {
	var text []string
	has := map[ipam.Family]bool{}
	mine := map[netip.Prefix]bool{}
	for _, a := range pinned {
		b := block(a)
		has[ipam.FamilyOf(a)] = true
		if !mine[b] {
			text = append(text, b.String())
			if !netip.MustParsePrefix("10.0.0.0/8").Contains(a) && !netip.MustParsePrefix("fd00::/8").Contains(a) {
				p.outside = append(p.outside, b.String())
			}
		}
		mine[b] = true
	}
	for _, f := range []ipam.Family{ipam.IPv4, ipam.IPv6} {
		if !has[f] {
			text = append(text, p.free(f).String())
		}
	}
	return text
}

// free returns a prefix that nothing has.
func (p *addressPlan) free(f ipam.Family) netip.Prefix {
	for {
		p.next++
		text := fmt.Sprintf("10.%d.%d.0/24", 224+p.next/256%32, p.next%256)
		if f == ipam.IPv6 {
			text = fmt.Sprintf("fd00:224:0:%x::/64", p.next)
		}
		if prefix := netip.MustParsePrefix(text); !p.taken[prefix] {
			p.taken[prefix] = true
			return prefix
		}
	}
}
