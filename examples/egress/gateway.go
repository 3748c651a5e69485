package main

import (
	"fmt"
	"net/netip"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// gateway names what the egress gateway has in Azure. The names do not look like those that Services get, so nobody takes them for such.
type gateway struct {
	balancer lb.ID // the cluster's, by the name that its Services give it
	publicIP lb.ID
	network  lb.ID
	location string
}

// The names of the gateway's parts of the load balancer, which are all the same.
const name = "egress"

func (t *tale) gateway() gateway {
	c := t.cluster
	of := func(typ, name string) lb.ID { return armid.Resource(c.Subscription, c.ResourceGroup, typ, name) }
	return gateway{
		balancer: of(armid.LoadBalancers, "kubernetes"), publicIP: of(armid.PublicIPAddresses, "egress"),
		network: c.Network, location: c.Location,
	}
}

// on is what Azure should have for a gateway on machines with these addresses: WireGuard on a public address, and all that goes out from the
// machines goes out from it.
func (g gateway) on(addresses ...string) (lb.Desired, error) {
	pool := lb.Pool{Name: name, Network: g.network}
	for _, text := range addresses {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return lb.Desired{}, fmt.Errorf("address of a machine: %w", err)
		}
		pool.Members = append(pool.Members, lb.Member{Name: "egress-" + text, IP: ip})
	}
	return lb.Desired{
		PublicIPs: []lb.PublicIP{{
			ID: g.publicIP, Location: g.location, SKU: "Standard", Family: ipam.IPv4, Allocation: "Static",
			Tags: lb.TagsOf(map[string]string{"app": "egress"}),
		}},
		LoadBalancers: []lb.LoadBalancer{{
			ID: g.balancer, Location: g.location, SKU: "Standard",
			Frontends: []lb.Frontend{{Name: name, Family: ipam.IPv4, PublicIP: g.publicIP}},
			Pools:     []lb.Pool{pool},
			Probes:    []lb.Probe{{Name: name, Protocol: "Tcp", Port: 9100, IntervalSeconds: 5, Threshold: 2}},
			Rules: []lb.Rule{{
				Name: name, Frontend: name, Pool: name, Probe: name, Protocol: lb.UDP, FrontendPort: 51820, BackendPort: 51820,
				IdleMinutes: 4, FloatingIP: true, Distribution: lb.DistributionSourceIP,
			}},
		}},
	}, nil
}

// gone removes what on makes, and the load balancer if nobody else has anything on it.
func (g gateway) gone(seen lb.Observed) lb.Desired {
	want := lb.Desired{Remove: []lb.ID{g.publicIP}}
	for _, l := range seen.LoadBalancers {
		switch {
		case !l.ID.Equal(g.balancer):
		case len(l.Frontends) == 1:
			want.Remove = append(want.Remove, l.ID)
		default:
			for _, kind := range []string{armid.FrontendIPConfigurations, armid.BackendAddressPools, armid.LoadBalancingRules, armid.Probes} {
				want.Remove = append(want.Remove, l.ID.Child(kind, name))
			}
		}
	}
	return want
}
