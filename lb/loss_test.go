package lb

import (
	"bytes"
	"strings"
	"testing"

	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// TestLosses: who loses something is named by whatever names it in Azure or in the input, and else told by uid.
func TestLosses(t *testing.T) {
	const base, other = "a1b2c3d4000040008000000000000abc", "a2b2c3d4000040008000000000000abc"
	balancer := armid.Resource("sub", "rg", armid.LoadBalancers, "kubernetes")
	frontend := func(base string) ID { return balancer.Child(armid.FrontendIPConfigurations, base) }
	rule := func(base string) ID { return balancer.Child(armid.LoadBalancingRules, base+"-TCP-80") }
	ip := armid.Resource("sub", "rg", armid.PublicIPAddresses, "kubernetes-"+base)
	link := armid.Resource("sub", "rg", armid.PrivateLinkServices, "link")
	del := func(ref ID, causes ...Cause) Change { return Change{Action: Delete, Ref: ref, Causes: causes} }
	named := func(names string) Tags { return Tags{{Key: tagService, Value: names}} }
	web, api := types.NamespacedName{Namespace: "shop", Name: "web"}, types.NamespacedName{Namespace: "shop", Name: "api"}
	gone := Cause{Reason: ReasonGone}
	before := LoadBalancer{
		ID: balancer, Frontends: []Frontend{{Name: base, PublicIP: ip}, {Name: other}},
		Rules: []Rule{{Name: base + "-TCP-80", Frontend: base}, {Name: other + "-TCP-80", Frontend: base}},
	}
	for _, c := range []struct {
		name string
		ops  []Op
		want []Loss
	}{
		{"nothing is lost", []Op{PutLoadBalancer{before, before, []Change{{Action: Update, Ref: balancer}}}}, nil},
		{
			"nothing names it",
			[]Op{DeleteLoadBalancer{LoadBalancer{ID: balancer}, []Change{del(balancer, gone), del(frontend(base), gone), del(rule(base), gone)}}},
			[]Loss{{UID: "1b2c3d40-0004-0008-0000-00000000abc", Refs: []ID{frontend(base), rule(base)}}},
		},
		{
			"the input names it",
			[]Op{PutLoadBalancer{before, before, []Change{del(rule(base), Cause{Service: web, Field: "spec.ports", Reason: ReasonNotWanted})}}},
			[]Loss{{Service: web, Refs: []ID{rule(base)}}},
		},
		{
			"the public IP names it",
			[]Op{
				DeleteLoadBalancer{before, []Change{del(frontend(base), gone), del(rule(base), gone)}},
				DeletePublicIP{PublicIP{ID: ip, Tags: named("shop/web")}, []Change{del(ip, gone)}},
			},
			[]Loss{{Service: web, Refs: []ID{frontend(base), rule(base), ip}}},
		},
		{
			"one of two leaves a public IP",
			[]Op{
				PutLoadBalancer{before, before, []Change{del(rule(other), gone)}},
				TagPublicIP{ip, named("shop/api,shop/web"), named("shop/web"), []Change{{Action: Update, Ref: ip}}},
			},
			[]Loss{{Service: api, Refs: []ID{rule(other), ip}}},
		},
		{
			"two leave a public IP, and nobody can tell which rule was whose",
			[]Op{
				DeleteLoadBalancer{before, []Change{del(rule(base), gone), del(rule(other), gone)}},
				DeletePublicIP{PublicIP{ID: ip, Tags: named("shop/api,shop/web")}, []Change{del(ip, gone)}},
			},
			[]Loss{
				{Service: api, Refs: []ID{ip}},
				{Service: web, Refs: []ID{ip}},
				{UID: "1b2c3d40-0004-0008-0000-00000000abc", Refs: []ID{rule(base)}},
				{UID: "2b2c3d40-0004-0008-0000-00000000abc", Refs: []ID{rule(other)}},
			},
		},
		{
			"the private link service names it",
			[]Op{
				DeleteEndpointConnection{link, pls.Connection{Name: "c"}, []Change{del(link.Child(armid.PrivateEndpointConnections, "c"), gone)}},
				DeletePrivateLinkService{
					pls.PrivateLinkService{ID: link, Frontends: []ID{frontend(other)}, Tags: []pls.Tag{{Key: pls.TagOwner, Value: "shop/api"}}},
					[]Change{del(link, gone)},
				},
				DeleteLoadBalancer{before, []Change{del(frontend(other), gone)}},
			},
			[]Loss{{Service: api, Refs: []ID{frontend(other), link, link.Child(armid.PrivateEndpointConnections, "c")}}},
		},
		{
			"what is made anew is not lost",
			[]Op{
				DeletePublicIP{PublicIP{ID: ip, Tags: named("shop/web")}, []Change{del(ip, Cause{Service: web, Reason: ReasonRecreate})}},
				PutPublicIP{PublicIP{}, PublicIP{ID: ip}, []Change{{Action: Create, Ref: ip}}},
			},
			nil,
		},
		{
			"what no Service has", []Op{DeleteLoadBalancer{LoadBalancer{ID: balancer}, []Change{del(balancer), del(frontend("gateway")), del(rule("gateway"))}}}, nil,
		},
	} {
		var plan Plan
		for _, op := range c.ops {
			plan.Steps = append(plan.Steps, Step{Op: op})
		}
		if d := cmp.Diff(c.want, plan.Losses()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		var text bytes.Buffer
		if err := plan.Explain(&text); err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(text.String(), "\n")[:len(c.want)] {
			if !strings.HasPrefix(line, c.want[i].Who()+" loses ") {
				t.Errorf("%s: line %d of the plan is %q, want what %s loses", c.name, i+1, line, c.want[i].Who())
			}
		}
	}
}
