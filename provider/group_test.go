package provider_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// timedCloud is a fresh cluster whose writes take their time: that of the bubble of testing/synctest, which passes when everybody waits.
func timedCloud(t *testing.T) *fake.Cloud {
	t.Helper()
	c := fake.New(&fake.Options{Clock: fake.WallClock{}, Latency: map[string]time.Duration{
		armid.PublicIPAddresses: time.Second, armid.LoadBalancers: 2 * time.Second, armid.NetworkSecurityGroups: time.Second,
	}})
	if err := c.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	return c
}

func svcName(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: fmt.Sprintf("svc-%d", i)}
}

// ensureAll lets a goroutine per Service ensure it, and returns the errors.
func ensureAll(ctx context.Context, r *provider.Reconciler, in lb.Objects) []error {
	errs := make([]error, len(in.Services))
	var all sync.WaitGroup
	for i, s := range in.Services {
		all.Go(func() {
			status, err := r.Ensure(ctx, in, types.NamespacedName{Namespace: s.Namespace, Name: s.Name})
			if err == nil && len(status.Ingress) != 1 {
				err = fmt.Errorf("status %v", status)
			}
			errs[i] = err
		})
	}
	all.Wait()
	return errs
}

// TestManyEnsureAtOnce: a hundred goroutines and more, each for a Service of its own, on a fresh cluster.
func TestManyEnsureAtOnce(t *testing.T) {
	const alone = 4 * time.Second // public IP, load balancer, security group
	for _, n := range []int{1, 100, 300, 600} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := timedCloud(t)
				in := lb.Objects{Services: lbtest.Services(n), Nodes: lbtest.Nodes(3)}
				r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
				start := time.Now()
				for i, err := range ensureAll(t.Context(), r, in) {
					if err != nil {
						t.Errorf("svc-%d: %v", i, err)
					}
				}
				took := time.Since(start)
				if n == 1 && took != alone {
					t.Errorf("one Service took %v, want %v", took, alone)
				}
				_, writes := requests(cloud)
				t.Logf("%d Services: %v, writes %v", n, took, writes)
				groups := writes["networksecuritygroups"] + writes["networksecuritygroups/securityrules"]
				if writes["loadbalancers"] > 5 || writes["publicipaddresses"] != n || groups > 5 {
					t.Errorf("writes %v, want %d of public IPs and at most 5 of load balancer and security group each", writes, n)
				}
				if took > 6*alone {
					t.Errorf("took %v, want at most 6 times the %v of one Service", took, alone)
				}
				checkResync(t, cloud, in)
			})
		})
	}
}

// What is called for while a write is under way is planned together, and no call waits for more than what is under way and what it is in.
func TestLateCallersShareTheNextWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := timedCloud(t)
		in := lb.Objects{Services: lbtest.Services(40), Nodes: lbtest.Nodes(3)}
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		var all sync.WaitGroup
		var slowest time.Duration
		var mu sync.Mutex
		for i := range in.Services {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 200 * time.Millisecond)
				start := time.Now()
				if _, err := r.Ensure(t.Context(), in, svcName(i)); err != nil {
					t.Errorf("svc-%d: %v", i, err)
				}
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, time.Since(start))
			})
		}
		all.Wait()
		_, writes := requests(cloud)
		t.Logf("slowest %v, writes %v", slowest, writes)
		// Its public IP, the load balancer's write under way and its own, the same of the security group.
		if slowest > 8*time.Second {
			t.Errorf("somebody waited %v: more than two writes of each resource", slowest)
		}
		if writes["loadbalancers"] > 8 || writes["publicipaddresses"] != 40 {
			t.Errorf("writes %v: callers within two seconds did not share a write", writes)
		}
	})
}

func TestMixedCallsShareOneRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := timedCloud(t)
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		in := lb.Objects{Services: lbtest.Services(10), Nodes: lbtest.Nodes(3)}
		if _, err := r.Sync(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		// While svc-0 is written, one is ensured anew, one deleted, and the whole cluster synced with a change of a third.
		first := lb.Objects{Services: slices.Clone(in.Services), Nodes: in.Nodes}
		lbtest.Port(81)(first.Services[0].DeepCopy())
		first.Services[0] = lbtest.Service(0, lbtest.Port(81))
		later := lb.Objects{Services: slices.Clone(first.Services), Nodes: in.Nodes}
		later.Services[1] = lbtest.Service(1, lbtest.Port(81))
		later.Services[3] = lbtest.Service(3, lbtest.Port(81))
		cloud.ResetRequests()
		var all sync.WaitGroup
		check := func(what string, err error) {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		all.Go(func() { _, err := r.Ensure(t.Context(), first, svcName(0)); check("Ensure 0", err) })
		synctest.Wait()
		all.Go(func() { _, err := r.Ensure(t.Context(), later, svcName(1)); check("Ensure 1", err) })
		all.Go(func() { check("Delete 2", r.Delete(t.Context(), later, svcName(2))) })
		var report provider.Report
		all.Go(func() {
			var err error
			report, err = r.Sync(t.Context(), lb.Objects{Services: slices.Delete(slices.Clone(later.Services), 2, 3), Nodes: later.Nodes})
			check("Sync", err)
		})
		all.Wait()
		_, writes := requests(cloud)
		if writes["loadbalancers"] != 2 || writes["publicipaddresses"] != 1 {
			t.Errorf("writes %v, want two of the load balancer and one deletion", writes)
		}
		if len(report.Services) < 9 {
			t.Errorf("Sync reports %d Services", len(report.Services))
		}
		for i, port := range map[int]int32{0: 81, 1: 81, 3: 81, 4: 80} {
			if !hasRule(t, cloud, in.Services[i], port) {
				t.Errorf("svc-%d is not served on %d", i, port)
			}
		}
		if hasRule(t, cloud, in.Services[2], 80) {
			t.Error("svc-2 is still served")
		}
		checkResync(t, cloud, lb.Objects{Services: slices.Delete(slices.Clone(later.Services), 2, 3), Nodes: later.Nodes})
	})
}

// Each caller's own Service is as that caller saw it, whoever came later with an older view of it.
func TestOwnVersionWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := timedCloud(t)
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		old := lb.Objects{Services: lbtest.Services(3), Nodes: lbtest.Nodes(3)}
		next := lb.Objects{Services: lbtest.Services(3, lbtest.Port(90)), Nodes: lbtest.Nodes(3)}
		var all sync.WaitGroup
		ensure := func(in lb.Objects, i int) {
			all.Go(func() {
				if _, err := r.Ensure(t.Context(), in, svcName(i)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		ensure(old, 0)
		ensure(next, 1)
		ensure(old, 2)
		all.Wait()
		for i, port := range []int32{80, 90, 80} {
			if !hasRule(t, cloud, old.Services[i], port) {
				t.Errorf("svc-%d is not served on %d", i, port)
			}
		}
	})
}

func TestCancelledCallerHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := timedCloud(t)
		in := lb.Objects{Services: lbtest.Services(20), Nodes: lbtest.Nodes(3)}
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		errs := make([]error, 20)
		took := make([]time.Duration, 20)
		var all sync.WaitGroup
		start := time.Now()
		for i := range errs {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%4*300)*time.Millisecond)
			if i%2 == 0 {
				ctx, cancel = context.WithCancel(t.Context())
			}
			defer cancel()
			all.Go(func() {
				_, errs[i] = r.Ensure(ctx, in, svcName(i))
				took[i] = time.Since(start)
			})
		}
		all.Wait()
		for i, err := range errs {
			switch {
			case i%2 == 0 && err != nil:
				t.Errorf("svc-%d: %v", i, err)
			case i%2 == 1 && (!errors.Is(err, context.DeadlineExceeded) || took[i] > 2*time.Second):
				t.Errorf("svc-%d gave up: %v after %v", i, err, took[i])
			}
		}
		checkRest(t, cloud, r, in)
	})
}

// checkRest syncs and asserts that after it nothing is left to do.
func checkRest(t *testing.T, cloud *fake.Cloud, r *provider.Reconciler, in lb.Objects) {
	t.Helper()
	if _, err := r.Sync(t.Context(), in); err != nil {
		t.Error(err)
	}
	checkResync(t, cloud, in)
}

// Work on one load balancer does not wait for a write of another one that takes long.
func TestLoadBalancersGoSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := timedCloud(t)
		cloud.Inject(fake.Fault{Method: http.MethodPut, Path: "/loadBalancers/kubernetes$", Delay: time.Hour})
		services := append(lbtest.Services(2), lbtest.Service(2, lbtest.Internal), lbtest.Service(3, lbtest.Internal))
		in := lb.Objects{Services: services, Nodes: lbtest.Nodes(3)}
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		start := time.Now()
		var all sync.WaitGroup
		took := make([]time.Duration, 4)
		ensure := func(i int) {
			all.Go(func() {
				if _, err := r.Ensure(t.Context(), in, svcName(i)); err != nil {
					t.Errorf("svc-%d: %v", i, err)
				}
				took[i] = time.Since(start)
			})
		}
		ensure(0)
		ensure(2) // planned with the first, or right after it
		time.Sleep(time.Minute)
		ensure(1)
		ensure(3)
		all.Wait()
		if took[2] > 3*time.Second || took[3] > time.Minute+3*time.Second || took[0] < time.Hour {
			t.Errorf("took %v: the internal Services waited for the external load balancer", took)
		}
		if took[1] > time.Hour+10*time.Second {
			t.Errorf("svc-1 took %v", took[1])
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails when a goroutine is left
		cloud := timedCloud(t)
		in := lb.Objects{Services: lbtest.Services(10), Nodes: lbtest.Nodes(3)}
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		var all sync.WaitGroup
		errs := make([]error, 10)
		for i := range errs {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 300 * time.Millisecond)
				_, errs[i] = r.Ensure(context.Background(), in, svcName(i))
			})
		}
		time.Sleep(1500 * time.Millisecond)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		closed := time.Now()
		all.Wait()
		for i, err := range errs {
			if !errors.Is(err, provider.ErrClosed) {
				t.Errorf("svc-%d: %v", i, err)
			}
		}
		if _, err := r.Sync(t.Context(), in); !errors.Is(err, provider.ErrClosed) {
			t.Errorf("Sync: %v", err)
		}
		if late := time.Since(closed); late > 2*time.Second {
			t.Errorf("callers came back %v after Close", late)
		}
		if err := r.Close(); err != nil {
			t.Errorf("twice: %v", err)
		}
		checkRest(t, cloud, provider.NewReconciler(cloud, lbtest.Cluster(), nil), in)
	})
}

// In the steady state one change costs the writes that it needs and no reading.
func TestSteadyStateReadsNothing(t *testing.T) {
	cloud := lbtest.Cloud()
	in := lb.Objects{Services: append(lbtest.Services(20), lbtest.Service(20, lbtest.Internal)), Nodes: lbtest.Nodes(3)}
	var drift []provider.Event
	r := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock(), OnEvent: func(e provider.Event) {
		if _, ok := e.(provider.DriftFound); ok {
			drift = append(drift, e)
		}
	}})
	if _, err := r.Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func()
		of     int
		writes string
	}{
		{"port", func() { in.Services[3] = lbtest.Service(3, lbtest.Port(81)) }, 3, "map[loadbalancers:1 networksecuritygroups:1]"},
		{"nothing", func() {}, 3, "map[]"},
		{"one more", func() { in.Services = append(in.Services, lbtest.Service(30)) }, 30, "map[loadbalancers:1 networksecuritygroups/securityrules:1 publicipaddresses:1]"},
		{"internal", func() { in.Services[20] = lbtest.Service(20, lbtest.Internal, lbtest.Port(8080)) }, 20, "map[loadbalancers:1]"},
		{"to external", func() { in.Services[20] = lbtest.Service(20, lbtest.Port(8080)) }, 20, "map[loadbalancers:2 networksecuritygroups/securityrules:1 publicipaddresses:1]"},
		{"nodes", func() { in.Nodes = lbtest.Nodes(4) }, 1, "map[loadbalancers/backendaddresspools:1]"},
		{"gone", func() {}, 3, "map[loadbalancers:1 networksecuritygroups/securityrules:1 publicipaddresses:1]"},
	} {
		tt.change()
		cloud.ResetRequests()
		var err error
		if tt.name == "gone" {
			err = r.Delete(t.Context(), in, svcName(tt.of))
			in.Services = slices.Delete(in.Services, 3, 4)
		} else {
			_, err = r.Ensure(t.Context(), in, svcName(tt.of))
		}
		reads, writes := requests(cloud)
		if err != nil || total(reads) > 0 || fmt.Sprint(writes) != tt.writes {
			t.Errorf("%s: %v, reads %v, writes %v, want %s", tt.name, err, reads, writes, tt.writes)
		}
	}
	// What was known by receipts is what is there.
	if _, err := r.Sync(t.Context(), in); err != nil || len(drift) > 0 {
		t.Errorf("%v, drift %+v", err, drift)
	}
	checkResync(t, cloud, in)
	cloud.Clock().(*fake.VirtualClock).Advance(5 * time.Minute)
	cloud.ResetRequests()
	if _, err := r.Ensure(t.Context(), in, svcName(1)); err != nil {
		t.Fatal(err)
	}
	if reads, _ := requests(cloud); total(reads) == 0 {
		t.Error("nothing was read after MaxAge")
	}
}

// What others change is found by the write that meets it, which reads again what it is about: a security group with the load balancers and public
// IPs that say what its rules are for, and nothing else.
func TestDriftIsReadAgain(t *testing.T) {
	cloud := lbtest.Cloud()
	in := lb.Objects{Services: lbtest.Services(5), Nodes: lbtest.Nodes(3)}
	var drift []lb.ID
	r := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock(), OnEvent: func(e provider.Event) {
		if e, ok := e.(provider.DriftFound); ok {
			drift = append(drift, e.Target)
		}
	}})
	if _, err := r.Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	nsg := armid.Resource("00000000-0000-0000-0000-000000000001", "rg", armid.NetworkSecurityGroups, "nsg")
	body, _ := cloud.Body(nsg)
	body["properties"].(armwire.Object)["securityRules"] = []any{}
	if err := cloud.Put(nsg, body); err != nil {
		t.Fatal(err)
	}
	cloud.ResetRequests()
	in.Services[2] = lbtest.Service(2, lbtest.Port(81))
	if _, err := r.Ensure(t.Context(), in, svcName(2)); err != nil {
		t.Fatal(err)
	}
	reads, writes := requests(cloud)
	if total(reads) != 3 || writes["loadbalancers"] != 1 {
		t.Errorf("reads %v, writes %v; want 3 lists and one write of a load balancer", reads, writes)
	}
	if len(drift) == 0 || !drift[0].Top().Equal(nsg) {
		t.Errorf("drift %v", drift)
	}
	if !hasRule(t, cloud, in.Services[2], 81) {
		t.Error("not served")
	}
	checkRest(t, cloud, r, in)
}

// TestLatestCallCounts: however calls for the same Services overlap, what came last is how it ends. An Ensure that has to be planned once more
// does not bring back what a later Delete has removed.
func TestLatestCallCounts(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			cloud := timedCloud(t)
			base := lb.Objects{Services: lbtest.Services(4), Nodes: lbtest.Nodes(2)}
			r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
			last := make([]int32, len(base.Services)) // port; 0: deleted
			var all sync.WaitGroup
			for range 10 {
				i := rng.IntN(len(base.Services))
				in := base
				in.Services = slices.Clone(base.Services)
				in.Services[i] = *base.Services[i].DeepCopy()
				if last[i] = int32(rng.IntN(3)); last[i] > 0 {
					last[i] += 8000
					in.Services[i].Spec.Ports[0].Port = last[i]
				}
				gone := last[i] == 0
				all.Go(func() {
					if gone {
						if err := r.Delete(t.Context(), in, svcName(i)); err != nil {
							t.Error(err)
						}
					} else if _, err := r.Ensure(t.Context(), in, svcName(i)); err != nil {
						t.Error(err)
					}
				})
				time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
			}
			all.Wait()
			for i := range base.Services {
				for port := int32(8001); port <= 8002; port++ {
					if got := hasRule(t, cloud, base.Services[i], port); got != (port == last[i]) {
						t.Errorf("seed %d: svc-%d: rule for %d: %v; the last call asked for %d", seed, i, port, got, last[i])
					}
				}
			}
		})
	}
}

// TestAddressThatWasDenied: a denial that a crash or somebody else has left behind, and that is left alone while a Service is held to which it may
// belong, may name the address that a new frontend gets. It cannot be known before the frontend is there, and must not shut its traffic out until
// the next Sync.
func TestAddressThatWasDenied(t *testing.T) {
	cloud := lbtest.Cloud()
	held := lbtest.Service(2, lbtest.Annotate("azure-load-balancer-internal", "yes"))
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0, lbtest.Internal), held}, Nodes: lbtest.Nodes(1)}
	r := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock()})
	for _, tags := range []string{"AzureCloud", "Azure Cloud"} { // sources that cannot be read any more: nobody is let in
		in.Services[0].Annotations[annotations.KeyAllowedServiceTags] = tags
		if _, err := r.Sync(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	nsg := lbtest.Resource(armid.NetworkSecurityGroups, "nsg")
	body, _ := cloud.Body(nsg)
	denial := body["properties"].(armwire.Object)["securityRules"].([]any)[0].(armwire.Object)["properties"].(armwire.Object)
	denial["destinationAddressPrefix"], denial["destinationAddressPrefixes"] = "", []any{"10.1.0.4", "10.1.0.5"}
	if err := cloud.Put(nsg, body); err != nil {
		t.Fatal(err)
	}
	in.Services = append(in.Services, lbtest.Service(1, lbtest.Internal))
	report, err := r.Sync(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Rounds) != 2 {
		t.Errorf("%d rounds; want one for the frontend, and one for the denial of what turned out to be its address", len(report.Rounds))
	}
	checkResync(t, cloud, in)
}

// lateAnswer shows what is written a second before it answers, as Azure does.
type lateAnswer struct{ *fake.Cloud }

func (l lateAnswer) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	receipt, err := l.Cloud.Do(ctx, op)
	time.Sleep(time.Second)
	return receipt, err
}

// What is read while it is being written is our own doing, and no drift.
func TestOwnWritesAreNoDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := lb.Objects{Services: lbtest.Services(10), Nodes: lbtest.Nodes(3)}
		r := provider.NewReconciler(lateAnswer{lbtest.Cloud()}, lbtest.Cluster(), &provider.Options{OnEvent: func(e provider.Event) {
			if e, ok := e.(provider.DriftFound); ok {
				t.Errorf("drift of %s", e.Target)
			}
		}})
		if _, err := r.Ensure(t.Context(), in, svcName(0)); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range in.Services {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				if _, err := r.Ensure(t.Context(), in, svcName(i)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			time.Sleep(250 * time.Millisecond)
			if _, err := r.Sync(t.Context(), in); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
	})
}

// TestTakenAddress: of a hundred Services one asks for an address that a network interface has.
func TestTakenAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := timedCloud(t)
		nic := armid.Resource("00000000-0000-0000-0000-000000000001", "rg", armid.NetworkInterfaces, "jumpbox")
		subnet := armid.Resource("00000000-0000-0000-0000-000000000001", "rg", armid.VirtualNetworks, "vnet").Child(armid.Subnets, "nodes")
		if err := cloud.Put(nic, armwire.Object{"location": "westeurope", "properties": armwire.Object{"ipConfigurations": []any{armwire.Object{
			"name": "ip", "properties": armwire.Object{
				"subnet": armwire.Object{"id": string(subnet)}, "privateIPAllocationMethod": "Static", "privateIPAddress": "10.1.7.7",
			},
		}}}}); err != nil {
			t.Fatal(err)
		}
		in := lb.Objects{Services: lbtest.Services(100, lbtest.Internal), Nodes: lbtest.Nodes(3)}
		in.Services[41] = lbtest.Service(41, lbtest.Internal, lbtest.Annotate("azure-load-balancer-ipv4", "10.1.7.7"))
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		start := time.Now()
		errs := ensureAll(t.Context(), r, in)
		took := time.Since(start)
		bad := errs[41]
		errs = slices.Delete(errs, 41, 42)
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		if _, writes := requests(cloud); took > 10*time.Second || writes["loadbalancers"] > 4 {
			t.Errorf("took %v, writes %v", took, writes)
		}
		if bad == nil {
			t.Fatal("nobody minds")
		}
		for _, part := range []string{annotations.Prefix + "azure-load-balancer-ipv4", "10.1.7.7", string(nic)} {
			if !strings.Contains(bad.Error(), part) {
				t.Errorf("the error does not name %s: %v", part, bad)
			}
		}
		if !errors.Is(bad, provider.ErrHeld) || provider.KindOf(bad) != provider.Terminal {
			t.Errorf("error %v", bad)
		}
		// The hold is gone as soon as the Service asks for something else.
		in.Services[41] = lbtest.Service(41, lbtest.Internal, lbtest.Annotate("azure-load-balancer-ipv4", "10.1.7.8"))
		if status, err := r.Ensure(t.Context(), in, svcName(41)); err != nil || status.Ingress[0].IP != "10.1.7.8" {
			t.Errorf("with another address: %v, %v", status, err)
		}
		checkRest(t, cloud, r, in)
	})
}

// Deletions that are asked for one by one are no business of the removal guard, though it stops a Sync that is planned with them.
func TestRemovalGuardAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := timedCloud(t)
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		in := lb.Objects{Services: lbtest.Services(31), Nodes: lbtest.Nodes(3)}
		if _, err := r.Sync(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		all.Go(func() { // keeps the load balancer busy while the others come
			changed := lb.Objects{Services: append(slices.Clone(in.Services[:30]), lbtest.Service(30, lbtest.Port(81))), Nodes: in.Nodes}
			if _, err := r.Ensure(t.Context(), changed, svcName(30)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		for i := range 3 {
			all.Go(func() {
				if err := r.Delete(t.Context(), in, svcName(i)); err != nil {
					t.Errorf("Delete svc-%d: %v", i, err)
				}
			})
		}
		all.Go(func() {
			few := lb.Objects{Services: append(slices.Clone(in.Services[25:30]), lbtest.Service(30, lbtest.Port(81))), Nodes: in.Nodes}
			if _, err := r.Sync(t.Context(), few); !errors.Is(err, provider.ErrRemovalGuard) {
				t.Errorf("Sync: %v", err)
			}
		})
		all.Wait()
		for i, svc := range in.Services[:30] {
			if there := hasRule(t, cloud, svc, 80); there != (i >= 3) {
				t.Errorf("svc-%d is there: %t", i, there)
			}
		}
	})
}

func TestEventsOfServices(t *testing.T) {
	cloud := lbtest.Cloud()
	in := lb.Objects{Services: lbtest.Services(3), Nodes: lbtest.Nodes(1)}
	lbtest.Annotate("azure-load-balancer-tcp-idle-timeout", "soon")(&in.Services[1])
	var told []string
	r := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock(), OnEvent: func(e provider.Event) {
		switch e := e.(type) {
		case provider.ServiceConverged:
			told = append(told, fmt.Sprintf("%s has %d", e.Service.Name, len(e.Status.Ingress)))
		case provider.ServiceHeld:
			told = append(told, fmt.Sprintf("%s held by %d", e.Service.Name, len(e.Findings)))
		case provider.Throttled:
			told = append(told, fmt.Sprintf("wait %v for %s", e.Wait.Truncate(time.Minute), e.Target.Name()))
		}
	}})
	expect := func(want ...string) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		told = nil
	}
	sync := func() {
		t.Helper()
		if _, err := r.Sync(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	sync()
	expect("svc-0 has 1", "svc-1 held by 1", "svc-2 has 1")
	sync()
	expect()
	in.Services[1] = lbtest.Service(1)
	cloud.Inject(fake.Fault{Method: http.MethodPut, Path: "/loadBalancers/", Status: 429, RetryAfter: time.Minute})
	sync()
	expect("wait 1m0s for kubernetes", "svc-1 has 1")
	if err := r.Delete(t.Context(), in, svcName(2)); err != nil {
		t.Fatal(err)
	}
	expect("svc-2 has 0")
}

func TestEnsureReportHasOwnSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := timedCloud(t)
		in := lb.Objects{Services: lbtest.Services(12), Nodes: lbtest.Nodes(1)}
		r := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
		var all sync.WaitGroup
		for i := range in.Services {
			all.Go(func() {
				report, err := r.EnsureReport(t.Context(), in, svcName(i))
				if err != nil {
					t.Error(err)
				}
				done := map[string]int{}
				for _, round := range report.Rounds {
					for k, step := range round.Plan.Steps {
						names := map[types.NamespacedName]bool{}
						for _, change := range step.Op.Why() {
							for _, cause := range change.Causes {
								names[cause.Service] = true
							}
						}
						if !names[svcName(i)] {
							t.Errorf("svc-%d: %T of %v", i, step.Op, slices.Collect(maps.Keys(names)))
						}
						if round.Steps[k].State == provider.StateDone {
							done[fmt.Sprintf("%T", step.Op)]++
						}
						for _, before := range step.After {
							if before >= k {
								t.Errorf("step %d after %d", k, before)
							}
						}
					}
				}
				if done["lb.PutPublicIP"] != 1 || done["lb.PutLoadBalancer"] != 1 || len(done) != 3 {
					t.Errorf("svc-%d: %v", i, done)
				}
				if s := report.Services[svcName(i)]; len(report.Services) != 1 || s.Status == nil {
					t.Errorf("svc-%d: %+v", i, report.Services)
				}
			})
		}
		all.Wait()
	})
}

// canceller ends a context as soon as it has carried out a number of operations.
type canceller struct {
	*fake.Cloud
	after  int
	cancel context.CancelFunc
}

func (c *canceller) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	receipt, err := c.Cloud.Do(ctx, op)
	if c.after--; c.after == 0 {
		c.cancel()
	}
	return receipt, err
}

// Nothing is written any more once the only caller's context has ended, however soon.
func TestNoWriteAfterTheEnd(t *testing.T) {
	for n := range 5 {
		cloud := lbtest.Cloud()
		ctx, cancel := context.WithCancel(t.Context())
		r := provider.NewReconciler(&canceller{cloud, n + 1, cancel}, lbtest.Cluster(), &provider.Options{Parallel: 1, Clock: cloud.Clock()})
		report, err := r.Sync(ctx, lb.Objects{Services: lbtest.Services(4), Nodes: lbtest.Nodes(1)})
		if _, writes := requests(cloud); !errors.Is(err, context.Canceled) || total(writes) != n+1 || report.Writes != n+1 {
			t.Errorf("%v, writes %v, want %d", err, writes, n+1)
		}
		cancel()
	}
}
