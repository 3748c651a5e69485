package lb_test

import (
	"fmt"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// failing makes the last operation on a resource have failed.
func failing(t *testing.T, c *fake.Cloud, typ string) {
	t.Helper()
	for _, id := range c.IDs() {
		if !id.Is(typ) {
			continue
		}
		if err := c.Merge(id, map[string]any{"properties": map[string]any{"provisioningState": "Failed"}}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFailedIsWrittenAgain: what is ours is as wanted, and the last operation on it failed. One write as it is mends it.
func TestFailedIsWrittenAgain(t *testing.T) {
	for typ, want := range map[string]string{
		armid.LoadBalancers:         "PutLoadBalancer",
		armid.PublicIPAddresses:     "PutPublicIP",
		armid.NetworkSecurityGroups: "PutSecurityGroup",
		armid.PrivateLinkServices:   "PutPrivateLinkService",
		armid.VirtualNetworks:       "",
	} {
		t.Run(typ, func(t *testing.T) {
			x := newLinkTest(t)
			external, inside := lbtest.Service(0), linked(1)
			x.sync(external, inside)
			failing(t, x.cloud, typ)
			in := x.objects(external, inside)
			plan := planOf(t, x, in)
			wanted := map[string]int{armid.LoadBalancers: 2}[typ] // an external one and an internal one
			if want != "" {
				wanted = max(wanted, 1)
			}
			if len(plan.Steps) != wanted {
				t.Fatalf("plan %v, want %d steps", explained(t, plan), wanted)
			}
			for _, s := range plan.Steps {
				c := s.Op.Why()[0]
				if fmt.Sprintf("%T", s.Op) != "lb."+want || len(s.Risks) > 0 || len(s.Op.Why()) != 1 || c.Action != lb.Update || c.Causes[0].Reason != lb.ReasonFailed {
					t.Errorf("step %T with %+v", s.Op, s.Op.Why())
				}
			}
			if report := x.sync(external, inside); report.Writes != wanted {
				t.Errorf("%d writes, want %d", report.Writes, wanted)
			}
			if plan := planOf(t, x, in); len(plan.Steps) > 0 {
				t.Errorf("afterwards: %s", explained(t, plan))
			}
		})
	}
}

// TestFailedWithChanges: a change that would be less than a PUT of the whole is part of the one that mends it.
func TestFailedWithChanges(t *testing.T) {
	x := newLinkTest(t)
	svc := lbtest.Service(0)
	x.sync(svc)
	failing(t, x.cloud, armid.LoadBalancers)
	in := x.objects(svc)
	in.Nodes = lbtest.Nodes(len(in.Nodes) + 1)
	plan := planOf(t, x, in)
	op, ok := plan.Steps[0].Op.(lb.PutLoadBalancer)
	if !ok || len(plan.Steps) != 1 || len(op.Changes) != 2 {
		t.Errorf("plan:\n%s\nwant one write of the load balancer, with pool and state", explained(t, plan))
	}
	failing(t, x.cloud, armid.PublicIPAddresses)
	svc.Annotations[annotations.KeyDNSLabel] = "web"
	plan = planOf(t, x, x.objects(svc))
	ip, ok := plan.Steps[0].Op.(lb.PutPublicIP)
	if !ok || len(ip.Changes) != 1 || len(ip.Changes[0].Fields) < 2 || len(plan.Steps) != 2 || len(plan.Steps[1].After) != 1 {
		t.Errorf("plan:\n%s\nwant the public IP with label and state, and the load balancer after it", explained(t, plan))
	}
}

// TestFailedOfOthersStays: what failed and is not ours is none of our business.
func TestFailedOfOthersStays(t *testing.T) {
	x := newLinkTest(t)
	x.sync(lbtest.Service(0))
	other := armid.Resource(x.cluster.Subscription, "rg", armid.PublicIPAddresses, "other")
	if err := x.cloud.Put(other, map[string]any{"properties": map[string]any{"provisioningState": "Failed"}}); err != nil {
		t.Fatal(err)
	}
	if plan := planOf(t, x, x.objects(lbtest.Service(0))); len(plan.Steps) > 0 {
		t.Errorf("plan:\n%s", explained(t, plan))
	}
}

func planOf(t *testing.T, x *linkTest, in lb.Objects) lb.Plan {
	t.Helper()
	report, err := provider.NewReconciler(x.cloud, x.cluster, &provider.Options{Clock: x.cloud.Clock(), DryRun: true}).Sync(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return report.Plan()
}
