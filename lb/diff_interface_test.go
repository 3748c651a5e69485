package lb_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
)

// TestMembersAndBalancersTakeTurns: a network interface that joins or leaves a pool makes the ETag of the load balancer another one, so no step may
// write the one while another writes the other. That is so in migrations both ways, whatever else changes on the load balancer, and for nodes that
// come and go.
func TestMembersAndBalancersTakeTurns(t *testing.T) {
	ports := func(in *lb.Objects) { in.Services[0].Spec.Ports[0].Port = 8080 }
	for _, pools := range [][2]lb.PoolType{
		{lb.PoolInterfaces, lb.PoolAddresses},
		{lb.PoolAddresses, lb.PoolInterfaces},
		{lb.PoolInterfaces, lb.PoolInterfaces},
	} {
		for what, change := range map[string]func(*lb.Objects){
			"nothing": func(*lb.Objects) {}, "a port": ports,
			"a node leaves":                       func(in *lb.Objects) { in.Nodes = in.Nodes[1:] },
			"a node of a set leaves, with a port": func(in *lb.Objects) { ports(in); in.Nodes = in.Nodes[:len(in.Nodes)-1] },
		} {
			for _, migrate := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s to %s/%s/by ARM %v", pools[0], pools[1], what, migrate), func(t *testing.T) {
					c, cloud := lbtest.Cluster(), lbtest.Cloud()
					c.MigrateToIPBased = migrate
					m := &lbtest.Machines{Cloud: cloud}
					set := m.ScaleSet("set", "Uniform", "Manual")
					in := lb.Objects{
						Services: lbtest.Services(3, lbtest.Dual), Nodes: []corev1.Node{m.Machine("a", ""), m.Machine("b", ""), m.Instance(set, 0), m.Instance(set, 1)},
					}
					lbtest.Internal(&in.Services[2])
					c.PoolType = pools[0]
					settled(t, cloud, c, in)
					in.Services = []corev1.Service{*in.Services[0].DeepCopy(), *in.Services[1].DeepCopy(), *in.Services[2].DeepCopy()}
					change(&in)
					c.PoolType = pools[1]
					plan := planFor(t, cloud, c, in)
					takeTurns(t, plan)
					settled(t, cloud, c, in)
				})
			}
		}
	}
}

// takeTurns wants each write of an interface and each of a load balancer whose pools it joins or leaves in some order.
func takeTurns(t *testing.T, plan lb.Plan) {
	t.Helper()
	waits := make([]map[int]bool, len(plan.Steps))
	for i, s := range plan.Steps {
		waits[i] = map[int]bool{}
		for _, a := range s.After {
			waits[i][a] = true
			for b := range waits[a] {
				waits[i][b] = true
			}
		}
	}
	for i, s := range plan.Steps {
		nic, ok := s.Op.(lb.PutNetworkInterface)
		if !ok || nic.After.ID.Is(armid.ScaleSets) { // a model has no traffic, and is no member
			continue
		}
		for j, other := range plan.Steps {
			balancer := other.Op.Target().Top()
			if balancer.Is(armid.LoadBalancers) && moves(nic, balancer) && !waits[i][j] && !waits[j][i] {
				t.Errorf("steps %d and %d may run side by side:\n%s", i+1, j+1, explained(t, plan))
				return
			}
		}
	}
}

// moves reports whether an interface joins or leaves a pool of a load balancer.
func moves(nic lb.PutNetworkInterface, balancer lb.ID) bool {
	for i, c := range nic.Before.IPConfigurations {
		for _, pools := range [][2][]lb.ID{{c.Pools, nic.After.IPConfigurations[i].Pools}, {nic.After.IPConfigurations[i].Pools, c.Pools}} {
			if slices.ContainsFunc(pools[0], func(p lb.ID) bool { return p.Top().Equal(balancer) && !slices.ContainsFunc(pools[1], p.Equal) }) {
				return true
			}
		}
	}
	return false
}
