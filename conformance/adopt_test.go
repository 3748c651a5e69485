package conformance

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/conformance/internal/statediff"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// runAdopt plans on every recorded state by itself.
func runAdopt(t *testing.T, s scenario, d door) []result {
	var results []result
	for _, st := range s.steps {
		if !st.failed() {
			results = append(results, adoptStep(t, s, st, d))
		}
	}
	return results
}

// adoptStep plans on the recorded state of one step; the plan should be empty. If it is not, the differences are what it would change.
func adoptStep(t *testing.T, s scenario, st step, d door) result {
	r := result{step: st.number, part: adopt}
	fail := func(path string, err error) result {
		r.differences = append(r.differences, problem(path, err))
		return r
	}
	cloud, err := newCloud(s, st.state)
	if err != nil {
		return fail("state", err)
	}
	way, err := d.open(cloud)
	if err != nil {
		return fail("door", err)
	}
	cluster, err := lb.ParseCluster(s.config, s.clusterName)
	if err != nil {
		return fail("config", err)
	}
	in := withStatuses(st.objects, func(name types.NamespacedName) corev1.LoadBalancerStatus { return st.status[name].LoadBalancer })
	p, err := planFor(t.Context(), way, cluster, in)
	if err != nil {
		return fail("plan", err)
	}
	r.notes = p.text("plan on the recorded state")
	r.differences = compareAdopted(st, p)
	if len(p.plan.Steps) > 0 {
		r.differences = append(r.differences, effect(t, cloud, way, st.state, p.plan)...)
	}
	return r
}

// compareAdopted compares the statuses that Services would get, and whether they are held.
func compareAdopted(st step, p planned) []statediff.Difference {
	var diffs []statediff.Difference
	for _, f := range p.findings {
		if f.Holds {
			diffs = append(diffs, statediff.Difference{Path: errorPath(f.Service), Want: statediff.Absent, Got: f.String()})
		}
	}
	planned := lb.Status(p.want, nil)
	for _, svc := range st.objects.Services {
		name := nameOf(svc)
		got, ok := planned[name]
		if !ok && (svc.Spec.Type != corev1.ServiceTypeLoadBalancer || svc.Spec.LoadBalancerClass != nil) {
			continue
		}
		diffs = compareStatus(name, st.status[name].LoadBalancer, got, diffs)
	}
	return diffs
}

// effect applies a plan and returns what that changes, and the steps that would write without changing anything.
func effect(t *testing.T, cloud *fake.Cloud, way provider.Provider, before []byte, plan lb.Plan) []statediff.Difference {
	var diffs []statediff.Difference
	if _, err := provider.Apply(t.Context(), way, plan, options(cloud)); err != nil {
		diffs = append(diffs, problem("apply", err))
	}
	after, err := cloud.Dump()
	if err != nil {
		return append(diffs, problem("dump", err))
	}
	changes, err := statediff.Compare(before, after)
	if err != nil {
		return append(diffs, problem("dump", err))
	}
	for _, s := range plan.Steps {
		if !touches(s.Op.Target(), changes) {
			diffs = append(diffs, steps("plan", lb.Plan{Steps: []lb.Step{s}})...)
		}
	}
	return append(diffs, changes...)
}

// touches reports whether a change is in the resource that target is or is in.
func touches(target lb.ID, changes []statediff.Difference) bool {
	prefix := strings.ToLower("resources[" + statediff.Label(string(target.Top())) + "]")
	for _, c := range changes {
		if strings.HasPrefix(strings.ToLower(c.Path), prefix) {
			return true
		}
	}
	return false
}
