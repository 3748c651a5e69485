package lb_test

import (
	"slices"
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestRenamedIsARisk changes a name in the configuration while Services are served under the old one: they get new addresses, and the
// security group closes the old ones. The first Service is external, the second internal.
func TestRenamedIsARisk(t *testing.T) {
	rename := func(c *lb.Cluster) { c.Name = "renamed" }
	same := func(*lb.Cluster) {}
	both := []lb.Risk{lb.RiskAddress, lb.RiskTraffic}
	for _, c := range []struct {
		fact          string
		before, after func(*lb.Cluster)
		fresh         bool // other Services than those that are there
		want          map[string][]lb.Risk
	}{
		{"a cluster name: nobody looks after the old load balancers any more", same, rename, false, map[string][]lb.Risk{
			"renamed": both, "renamed-internal": both, "security": {lb.RiskTraffic},
		}},
		{"a cluster name, where load balancers have a name of their own", func(c *lb.Cluster) { c.LoadBalancerName = "edge" }, rename, false, map[string][]lb.Risk{
			"edge": both, "edge-internal": {lb.RiskTraffic}, "security": nil,
		}},
		{"the name of load balancers: the public IP is in use, so its Service is held", same, func(c *lb.Cluster) { c.LoadBalancerName = "edge" }, false, map[string][]lb.Risk{
			"edge-internal": both,
		}},
		{"another cluster beside the first", same, rename, true, map[string][]lb.Risk{
			"renamed": nil, "renamed-internal": nil, "security": nil, // what the first one opened stays open
		}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
			c.before(&cluster)
			in := lb.Objects{Services: []corev1.Service{lbtest.Service(0), lbtest.Service(1, lbtest.Internal)}, Nodes: lbtest.Nodes(2)}
			if _, err := provider.NewReconciler(cloud, cluster, nil).Sync(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			c.after(&cluster)
			if c.fresh {
				in.Services = []corev1.Service{lbtest.Service(2), lbtest.Service(3, lbtest.Internal)}
			}
			plan := planFor(t, cloud, cluster, in)
			got := map[string][]lb.Risk{}
			for _, s := range plan.Steps {
				switch op := s.Op.(type) {
				case lb.PutLoadBalancer:
					got[op.Target().Name()] = s.Risks
				case lb.PutSecurityRule, lb.PutSecurityGroup:
					got["security"] = s.Risks
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("risks (-want +got):\n%s\n%s", d, explained(t, plan))
			}
		})
	}
}

// TestMoveIsMarkedOnce: a Service that leaves a load balancer for another one of ours has the mark where it leaves.
func TestMoveIsMarkedOnce(t *testing.T) {
	cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0)}, Nodes: lbtest.Nodes(2)}
	if _, err := provider.NewReconciler(cloud, cluster, nil).Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	lbtest.Internal(&in.Services[0])
	var marked []string
	for _, s := range planFor(t, cloud, cluster, in).Steps {
		if slices.Contains(s.Risks, lb.RiskTraffic) {
			marked = append(marked, s.Op.Target().Name())
		}
	}
	if d := cmp.Diff([]string{"kubernetes"}, marked); d != "" {
		t.Errorf("steps that cut traffic (-want +got):\n%s", d)
	}
}
