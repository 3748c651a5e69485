package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

func reconciler(c *fake.Cloud, o *provider.Options) *provider.Reconciler {
	var opts provider.Options
	if o != nil {
		opts = *o
	}
	opts.Clock = c.Clock()
	return provider.NewReconciler(c, cluster(), &opts)
}

func nameOf(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: "shop", Name: fmt.Sprintf("web-%d", i)}
}

// addresses counts the public IPs in c.
func addresses(t *testing.T, c *fake.Cloud) int {
	t.Helper()
	seen, err := c.Observe(t.Context(), lb.ScopeOf(cluster(), lb.Objects{}))
	if err != nil {
		t.Fatal(err)
	}
	return len(seen.PublicIPs)
}

// written lists the writes as method and name.
func written(c *fake.Cloud) []string {
	var all []string
	for _, r := range c.Requests() {
		if r.Method != http.MethodGet {
			all = append(all, r.Method+" "+lb.ID(r.Path).Name())
		}
	}
	return all
}

func TestRejectedFrontendIsFoundByItsID(t *testing.T) {
	c := azure()
	balancer := armid.Resource(subscription, "rg", armid.LoadBalancers, "kubernetes")
	bad := balancer.Child(armid.FrontendIPConfigurations, "a0000000700004000800000000000000")
	c.Inject(fake.Fault{Method: "PUT", Path: "/loadBalancers/kubernetes$", Status: 400, Code: "PrivateIPAddressInUse", SubResource: bad})
	in := objects(20)
	report, err := reconciler(c, nil).Sync(t.Context(), in)
	e, ok := errors.AsType[*provider.ServiceError](err)
	if !ok || e.Service != nameOf(7) || provider.KindOf(err) != provider.Terminal {
		t.Fatalf("error %v, want one about web-7", err)
	}
	for i := range in.Services {
		s := report.Services[nameOf(i+1)]
		if bad := i+1 == 7; s.Held != bad || (len(s.Status.Ingress) == 0) != bad {
			t.Errorf("web-%d: %+v", i+1, s)
		}
	}
	// The next call tries the Service again, and now nobody minds.
	if report, err = reconciler(c, nil).Sync(t.Context(), in); err != nil || len(report.Services[nameOf(7)].Status.Ingress) != 1 {
		t.Errorf("next call: %v, %+v", err, report.Services[nameOf(7)])
	}
}

func TestRemovalGuard(t *testing.T) {
	c := azure()
	if _, err := reconciler(c, nil).Sync(t.Context(), objects(20)); err != nil {
		t.Fatal(err)
	}
	few := objects(24)
	few.Services = few.Services[15:] // 15 of 20 are gone, four are new
	report, err := reconciler(c, nil).Sync(t.Context(), few)
	guard, ok := errors.AsType[*provider.RemovalError](err)
	if !ok || !errors.Is(err, provider.ErrRemovalGuard) || guard.Observed != 20 ||
		len(guard.Services) != 15 || !slices.Contains(guard.Services, "shop/web-3") {
		t.Fatalf("error %v", err)
	}
	if n := addresses(t, c); n != 24 || len(report.Services[nameOf(24)].Status.Ingress) != 1 {
		t.Errorf("%d public IPs, want all that were there and those of the new Services", n)
	}
	if _, err := reconciler(c, &provider.Options{MaxRemovals: 15}).Sync(t.Context(), few); err != nil || addresses(t, c) != 9 {
		t.Errorf("with the guard at 15: %v, %d public IPs", err, addresses(t, c))
	}
	if _, err := reconciler(c, &provider.Options{MaxRemovals: -1, AllowEmpty: true}).Sync(t.Context(), objects(0)); err != nil || addresses(t, c) != 0 {
		t.Errorf("without a guard: %v, %d public IPs", err, addresses(t, c))
	}
}

func TestEnsureAndDeleteLeaveOthersAlone(t *testing.T) {
	c := azure()
	r := reconciler(c, nil)
	if _, err := r.Sync(t.Context(), objects(3)); err != nil {
		t.Fatal(err)
	}
	c.ResetRequests()
	// web-1 is missing and web-5 is new, and neither is what is asked for.
	in := objects(5)
	in.Services = in.Services[1:]
	if status, err := r.Ensure(t.Context(), in, nameOf(4)); err != nil || len(status.Ingress) != 1 {
		t.Errorf("Ensure: %v, %v", status, err)
	}
	if n := addresses(t, c); n != 4 {
		t.Errorf("%d public IPs, want those of web-1 to web-4", n)
	}
	if err := r.Delete(t.Context(), in, nameOf(2)); err != nil || addresses(t, c) != 3 {
		t.Errorf("Delete: %v, %d public IPs", err, addresses(t, c))
	}
	if in.Services[0].DeletionTimestamp != nil {
		t.Error("Delete changed its input")
	}
}

// A public IP that cannot be created anew, since an outbound rule of others uses its frontend, stays, and so does its address.
func TestAddressThatCannotBeGivenUpIsToldOn(t *testing.T) {
	c := azure()
	in := objects(1)
	r := reconciler(c, nil)
	first, err := r.Ensure(t.Context(), in, nameOf(1))
	if err != nil {
		t.Fatal(err)
	}
	balancer := armid.Resource(subscription, "rg", armid.LoadBalancers, "kubernetes")
	ref := func(kind, name string) armwire.Object {
		return armwire.Object{"id": string(balancer.Child(kind, name))}
	}
	if err := c.Merge(balancer, armwire.Object{"properties": armwire.Object{armid.OutboundRules: []any{armwire.Object{
		"name": "egress", "properties": armwire.Object{
			"protocol": "All", "backendAddressPool": ref(armid.BackendAddressPools, "kubernetes"),
			"frontendIPConfigurations": []any{ref(armid.FrontendIPConfigurations, lb.Base(in.Services[0].UID))},
		},
	}}}}); err != nil {
		t.Fatal(err)
	}
	in.Services[0].Annotations = map[string]string{annotations.KeyPIPIPTags: "RoutingPreference=Internet"} // cannot be changed in place
	report, err := reconciler(c, nil).Sync(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	got := report.Services[nameOf(1)]
	named := slices.ContainsFunc(got.Findings, func(f lb.Finding) bool { return strings.Contains(f.String(), "egress") })
	if d := cmp.Diff(first, got.Status); d != "" || !named {
		t.Errorf("status (-before +after):\n%s\nfindings %v", d, got.Findings)
	}
}

// Retry-After counts for the next call too, when a call has given up before it was over.
func TestRetryAfterOutlivesTheCall(t *testing.T) {
	c := azure()
	in := objects(1)
	r := reconciler(c, &provider.Options{Attempts: 1})
	c.Inject(fake.Fault{Method: http.MethodPut, Path: "/publicIPAddresses/", Count: 1, Status: 429, Code: "TooManyRequests", RetryAfter: time.Minute})
	start := c.Clock().Now()
	if _, err := r.Ensure(t.Context(), in, nameOf(1)); provider.KindOf(err) != provider.Retry {
		t.Fatalf("error %v", err)
	}
	if _, err := r.Ensure(t.Context(), in, nameOf(1)); err != nil || c.Clock().Now().Sub(start) < time.Minute {
		t.Errorf("%v after %v, want a minute", err, c.Clock().Now().Sub(start))
	}
}

// A NAT rule that somebody else puts on a frontend while that is about to go is seen by the next plan of the same call, and no Service's
// fault.
func TestRuleOfOthersMeanwhile(t *testing.T) {
	c := azure()
	in := objects(2)
	r := reconciler(c, nil)
	if _, err := r.Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	balancer := armid.Resource(subscription, "rg", armid.LoadBalancers, "kubernetes")
	frontend := balancer.Child(armid.FrontendIPConfigurations, lb.Base(in.Services[0].UID))
	c.Inject(fake.Fault{Method: http.MethodPut, Path: "/loadBalancers/", Count: 1, Meanwhile: func(c *fake.Cloud) {
		if err := c.Merge(balancer, armwire.Object{"properties": armwire.Object{armid.InboundNATRules: []any{armwire.Object{
			"name": "ssh", "properties": armwire.Object{
				"protocol": "Tcp", "frontendPort": 2022, "backendPort": 22, "frontendIPConfiguration": armwire.Object{"id": string(frontend)},
			},
		}}}}); err != nil {
			t.Error(err)
		}
	}})
	if _, err := r.Sync(t.Context(), lb.Objects{Services: in.Services[1:], Nodes: in.Nodes}); err != nil {
		t.Fatal(err)
	}
	seen, err := c.Observe(t.Context(), lb.ScopeOf(cluster(), in))
	if err != nil || len(seen.LoadBalancers) != 1 || len(seen.LoadBalancers[0].Frontends) != 2 || len(seen.LoadBalancers[0].Rules) != 1 {
		t.Errorf("%v, %+v: want the frontend kept, and its rule gone", err, seen.LoadBalancers)
	}
}

// A Service with a class loses it with its type; what it had goes all the same. One of another class cannot be deleted here.
func TestDeleteAcrossClasses(t *testing.T) {
	c := azure()
	before := c.String()
	class := "example.com/azure"
	served := cluster()
	served.Class = class
	in := objects(1)
	in.Services[0].Spec.LoadBalancerClass = &class
	r := provider.NewReconciler(c, served, &provider.Options{Clock: c.Clock()})
	if _, err := r.Ensure(t.Context(), in, nameOf(1)); err != nil || addresses(t, c) != 1 {
		t.Fatalf("%v, %d public IPs", err, addresses(t, c))
	}
	if err := reconciler(c, nil).Delete(t.Context(), in, nameOf(1)); !errors.Is(err, provider.ErrHeld) || addresses(t, c) != 1 {
		t.Errorf("by who serves another class: %v, %d public IPs", err, addresses(t, c))
	}
	in = objects(1)
	in.Services[0].Spec.Type = corev1.ServiceTypeClusterIP
	if err := r.Delete(t.Context(), in, nameOf(1)); err != nil || c.String() != before {
		t.Errorf("%v, left behind (-before +after):\n%s", err, cmp.Diff(before, c.String()))
	}
}

// TestWithoutUID: names in Azure are made of uids, so a Service without one is not served, and not taken for removed while something stays that may
// be its own.
func TestWithoutUID(t *testing.T) {
	for _, step := range []struct {
		fact  string
		named bool // served before under its uid
		does  func(*provider.Reconciler, lb.Objects) error
		fails bool
	}{
		{"ensured", false, func(r *provider.Reconciler, in lb.Objects) error {
			_, err := r.Ensure(t.Context(), in, nameOf(1))
			return err
		}, true},
		{"deleted, with nothing there", false, func(r *provider.Reconciler, in lb.Objects) error { return r.Delete(t.Context(), in, nameOf(1)) }, false},
		{"deleted, with all that it had under its uid", true, func(r *provider.Reconciler, in lb.Objects) error { return r.Delete(t.Context(), in, nameOf(1)) }, true},
	} {
		t.Run(step.fact, func(t *testing.T) {
			c, in := azure(), objects(1)
			before := c.String()
			r := reconciler(c, nil)
			if step.named {
				if _, err := r.Ensure(t.Context(), in, nameOf(1)); err != nil {
					t.Fatal(err)
				}
			}
			nameless := objects(1)
			nameless.Services[0].UID = ""
			err := step.does(r, nameless)
			if got := errors.Is(err, provider.ErrHeld) && errors.Is(err, annotations.ErrSyntax) && strings.Contains(err.Error(), "metadata.uid"); got != step.fails || !step.fails && err != nil {
				t.Errorf("got %v, want it held for metadata.uid: %t", err, step.fails)
			}
			if !step.named {
				if d := cmp.Diff(before, c.String()); d != "" {
					t.Errorf("something was made (-before +after):\n%s", d)
				}
				return
			}
			if err := r.Delete(t.Context(), in, nameOf(1)); err != nil || c.String() != before {
				t.Errorf("with its uid: %v, left behind (-before +after):\n%s", err, cmp.Diff(before, c.String()))
			}
		})
	}
}

func TestLastServiceLeavesNothing(t *testing.T) {
	c := azure()
	before := c.String()
	r := reconciler(c, nil)
	if _, err := r.Sync(t.Context(), objects(1)); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), objects(1), nameOf(1)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, c.String()); d != "" {
		t.Errorf("left behind (-before +after):\n%s", d)
	}
}

func TestMisfortunes(t *testing.T) {
	balancer := "/loadBalancers/kubernetes$"
	for _, tt := range []struct {
		name   string
		fault  fake.Fault
		rounds int
		puts   int // of the load balancer that the journal has
	}{
		{"throttled", fake.Fault{Status: 429, Code: "SubscriptionRequestsThrottled", Count: 3}, 1, 4},
		{"busy", fake.Fault{Status: 429, Code: "ReferencedResourceNotProvisioned", Count: 2}, 1, 3},
		{"superseded", fake.Fault{Status: 409, Code: "CanceledAndSupersededDueToAnotherOperation", Count: 3}, 4, 4},
		{"connection lost before", fake.Fault{Drop: fake.DropBefore}, 2, 2},
		{"connection lost after", fake.Fault{Drop: fake.DropAfter}, 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := azure()
			tt.fault.Method, tt.fault.Path = "PUT", balancer
			c.Inject(tt.fault)
			report, err := reconciler(c, nil).Sync(t.Context(), objects(3))
			if err != nil || len(report.Rounds) != tt.rounds {
				t.Errorf("%v after %d rounds, want %d", err, len(report.Rounds), tt.rounds)
			}
			if n := len(slices.DeleteFunc(written(c), func(s string) bool { return s != "PUT kubernetes" })); n != tt.puts {
				t.Errorf("%d PUTs of the load balancer, want %d:\n%v", n, tt.puts, written(c))
			}
			for i := range 3 {
				if s := report.Services[nameOf(i+1)]; s.Status == nil || len(s.Status.Ingress) != 1 || s.Err != nil {
					t.Errorf("web-%d: %+v", i+1, s)
				}
			}
			if report, err := reconciler(c, nil).Sync(t.Context(), objects(3)); err != nil || report.Writes != 0 {
				t.Errorf("again: %v, %d writes", err, report.Writes)
			}
		})
	}
}

// picky refuses to write a load balancer with one of some frontends, and does not say which.
type picky struct {
	*fake.Cloud
	bad []string
}

func (p picky) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	if put, ok := op.(lb.PutLoadBalancer); ok {
		for _, f := range put.After.Frontends {
			if slices.Contains(p.bad, f.Name) {
				return provider.Receipt{}, &provider.OpError{
					Op: op, Kind: provider.Terminal, Status: 400, Code: "LoadBalancerInvalid", Err: errors.New("no"),
				}
			}
		}
	}
	return p.Cloud.Do(ctx, op)
}

func TestRejectedFrontendIsFoundByHalves(t *testing.T) {
	c := azure()
	p := picky{c, []string{"a0000000500004000800000000000000", "a0000000c00004000800000000000000"}}
	report, err := provider.NewReconciler(p, cluster(), &provider.Options{Clock: c.Clock()}).Sync(t.Context(), objects(16))
	if provider.KindOf(err) != provider.Terminal {
		t.Fatalf("error %v", err)
	}
	for i := range 16 {
		s := report.Services[nameOf(i+1)]
		bad := i+1 == 5 || i+1 == 12
		if s.Held != bad || (s.Err != nil) != bad || !bad && len(s.Status.Ingress) != 1 {
			t.Errorf("web-%d: %+v", i+1, s)
		}
	}
	// The public IPs of the two were made before the refusal. Who is held keeps what it has, and so does not get another address next time.
	if n := addresses(t, c); n != 16 {
		t.Errorf("%d public IPs, want 16", n)
	}
}
