package lb_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
)

// elsewhere are Services that have something made in a resource group of their own choice.
var elsewhere = map[string]func(*corev1.Service){
	"public IP": lbtest.Annotate("azure-load-balancer-resource-group", "other"),
	"private link service": func(s *corev1.Service) {
		lbtest.Internal(s)
		lbtest.Annotate("azure-pls-create", "true")(s)
		lbtest.Annotate("azure-pls-resource-group", "other")(s)
	},
}

// endings are what may become of such a Service while nobody looks.
var endings = map[string]func(*lb.Objects){
	"the annotation goes": func(in *lb.Objects) {
		delete(in.Services[0].Annotations, annotations.KeyResourceGroup)
		delete(in.Services[0].Annotations, annotations.KeyPLSResourceGroup)
		delete(in.Services[0].Annotations, annotations.KeyPLSCreate)
	},
	"it is deleted": func(in *lb.Objects) { in.Services = nil },
	"it is retyped": func(in *lb.Objects) { in.Services[0].Spec.Type = corev1.ServiceTypeClusterIP },
	"it goes to another class": func(in *lb.Objects) {
		class := "example.com/other"
		in.Services[0].Spec.LoadBalancerClass = &class
	},
	"it turns round": func(in *lb.Objects) {
		s := &in.Services[0]
		internal := s.Annotations[annotations.KeyInternal] == "true"
		s.Annotations = nil
		if !internal {
			s.Annotations = map[string]string{annotations.KeyInternal: "true"}
		}
	},
}

// without returns p without step x and all that has to wait for it: what is carried out if Azure refuses x.
func without(p lb.Plan, x int) lb.Plan {
	at, out := map[int]int{}, lb.Plan{}
	for i, s := range p.Steps {
		var after []int
		for _, a := range s.After {
			if j, ok := at[a]; ok {
				after = append(after, j)
			}
		}
		if i != x && len(after) == len(s.After) {
			at[i] = len(out.Steps)
			s.After = after
			out.Steps = append(out.Steps, s)
		}
	}
	return out
}

// stopped returns all ways in which p may be carried out in part, and in whole.
func stopped(p lb.Plan) []lb.Plan {
	var list []lb.Plan
	for i := range len(p.Steps) + 1 {
		list = append(list, lb.Plan{Steps: p.Steps[:i]})
		if i < len(p.Steps) {
			list = append(list, without(p, i))
		}
	}
	return list
}

// leftIn lists what a cloud has in a resource group.
func leftIn(cloud *fake.Cloud, group string) []lb.ID {
	return slices.DeleteFunc(cloud.IDs(), func(id lb.ID) bool {
		return !strings.EqualFold(id.ResourceGroup(), group) || !id.Is(armid.PublicIPAddresses) && !id.Is(armid.PrivateLinkServices)
	})
}

// TestNothingIsForgottenElsewhere: what was made in another resource group goes when its Service does not ask for it any more, wherever making it
// and taking it away were stopped or refused, beside others or alone.
func TestNothingIsForgottenElsewhere(t *testing.T) {
	runs := 0
	for what, ask := range elsewhere {
		for ending, end := range endings {
			for _, beside := range []int{0, 1} {
				t.Run(fmt.Sprintf("%s/%s/%d beside", what, ending, beside), func(t *testing.T) {
					runs += forget(t, ask, end, beside)
				})
			}
		}
	}
	if runs < 500 {
		t.Errorf("got %d runs, want 500 at least", runs)
	}
}

func forget(t *testing.T, ask func(*corev1.Service), end func(*lb.Objects), beside int) (runs int) {
	c := lbtest.Cluster()
	c.PoolType = lb.PoolInterfaces
	c.ReleaseClasses = []string{"example.com/other"}
	c.PrivateLink = lb.PrivateLinkPolicy{AllowRecreate: true, RemoveOnUnrequest: true, RemoveConnected: true}
	start := func() (*fake.Cloud, lb.Objects) {
		cloud := lbtest.Cloud()
		cloud.AddGroup(armid.Group(c.NetworkSubscription, "other"), "westeurope")
		// A machine of a scale set keeps Azure from taking pools away under it.
		m := &lbtest.Machines{Cloud: cloud}
		nodes := []corev1.Node{m.Machine("alone", ""), m.Instance(m.ScaleSet("set", "Uniform", "Manual"), 0)}
		in := lb.Objects{Nodes: nodes, Services: lbtest.Services(1 + beside)}
		for i := range in.Services[1:] {
			lbtest.Internal(&in.Services[1+i])
		}
		alone := in
		if alone.Services = in.Services[1:]; beside > 0 {
			settled(t, cloud, c, alone)
		}
		ask(&in.Services[0])
		return cloud, in
	}
	ended := func(in lb.Objects) lb.Objects {
		in.Services = slices.Clone(in.Services)
		in.Services[0] = *in.Services[0].DeepCopy()
		rest := in.Services[1:]
		end(&in)
		if len(in.Services) == 0 {
			in.Services = rest
		}
		return in
	}
	carryOut := func(cloud *fake.Cloud, p lb.Plan) {
		if _, err := provider.Apply(t.Context(), cloud, p, &provider.Options{Parallel: 1}); err != nil {
			t.Fatalf("%v\n%s", err, explained(t, p))
		}
	}
	cloud, in := start()
	for _, making := range stopped(planFor(t, cloud, c, in)) {
		cloud, in := start()
		carryOut(cloud, making)
		after := ended(in)
		for _, undoing := range stopped(planFor(t, cloud, c, after)) {
			runs++
			cloud := cloud.Clone()
			carryOut(cloud, undoing)
			settled(t, cloud, c, after)
			if left := leftIn(cloud, "other"); len(left) > 0 {
				t.Fatalf("got %v left in the other group, want nothing; made:\n%sthen\n%sand now\n%s", left, explained(t, making), explained(t, undoing), cloud)
			}
		}
	}
	return runs
}

// TestLeftInAGroupThatNothingNames: what a failed deletion left in another group before there was a tag is told by a survey, and found again once
// somebody sets the tag.
func TestLeftInAGroupThatNothingNames(t *testing.T) {
	s := newSharing(t)
	group := armid.Group(s.cluster.NetworkSubscription, "other")
	s.cloud.AddGroup(group, "westeurope")
	left := armid.Resource(s.cluster.NetworkSubscription, "other", armid.PublicIPAddresses, "kubernetes-"+lb.Base(svc(9).UID))
	if err := s.cloud.Put(left, map[string]any{
		"location": "westeurope", "sku": map[string]any{"name": "Standard"},
		"tags":       map[string]any{"k8s-azure-cluster-name": "kubernetes", "k8s-azure-service": "default/svc-9"},
		"properties": map[string]any{"publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static"},
	}); err != nil {
		t.Fatal(err)
	}
	s.sync(svc(0))
	in := lb.Objects{Services: []corev1.Service{svc(0)}, Nodes: lbtest.Nodes(2)}
	scope := lb.ScopeOf(s.cluster, in)
	scope.Survey = lb.ID("/subscriptions/" + s.cluster.NetworkSubscription)
	seen, err := s.cloud.Observe(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	plan := planOn(t, s.cluster, in, seen)
	told := slices.ContainsFunc(plan.Findings, func(f lb.Finding) bool { return errors.Is(f.Err, lb.ErrLeft) && f.Field == string(left) })
	if !told || len(plan.Steps) > 0 {
		t.Errorf("got %v and\n%swant a finding about %s and no step", plan.Findings, explained(t, plan), left)
	}
	orphans := lb.Orphans(s.cluster, in, seen)
	i := slices.IndexFunc(orphans, func(o lb.Share) bool { return o.Service.Name == "svc-9" })
	if i < 0 || !slices.Equal(orphans[i].Unreached, []lb.ID{left}) || len(orphans[i].Parts) > 0 {
		t.Errorf("got orphans %v, want %s among what is not reached", orphans, left)
	}

	balancer := lbtest.Resource(armid.LoadBalancers, "kubernetes")
	if err := s.cloud.Merge(balancer, map[string]any{"tags": map[string]any{"azlb-resource-groups": "OTHER"}}); err != nil {
		t.Fatal(err)
	}
	if s.sync(svc(0)); len(leftIn(s.cloud, "other")) > 0 {
		t.Errorf("got %v left, want nothing once the tag names the group", leftIn(s.cloud, "other"))
	}
}
