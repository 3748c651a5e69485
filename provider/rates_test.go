package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/internal/property"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"pgregory.net/rapid"
)

var (
	aRead   = provider.Request{Subscription: "s", Region: "westeurope", Kind: provider.Read}
	aWrite  = provider.Request{Subscription: "s", Region: "westeurope", Kind: provider.Write}
	aDelete = provider.Request{Subscription: "s", Region: "westeurope", Kind: provider.Delete}
)

// TestRates: how long n requests at once take until the last is sent.
func TestRates(t *testing.T) {
	for _, tt := range []struct {
		name     string
		budget   provider.Budget
		requests []provider.Request
		n        int
		want     time.Duration
	}{
		{"no budget", provider.Budget{}, []provider.Request{aWrite}, 10_000, 0},
		{"what a bucket holds", provider.DocumentedBudget(), []provider.Request{aWrite}, 200, 0},
		{"one more", provider.DocumentedBudget(), []provider.Request{aWrite}, 201, 100 * time.Millisecond},
		{"600 Services at Resource Manager's refill rate", provider.DocumentedBudget(), []provider.Request{aWrite}, 605, 40500 * time.Millisecond},
		{"what a window holds", provider.DocumentedBudget(), []provider.Request{aWrite}, 1000, 80 * time.Second},
		{"one more than a window holds", provider.DocumentedBudget(), []provider.Request{aWrite}, 1001, 300 * time.Second},
		{"writes and deletions have buckets of their own", provider.DocumentedBudget(), []provider.Request{aWrite, aDelete}, 400, 0},
		{"but one window", provider.DocumentedBudget(), []provider.Request{aWrite, aDelete}, 1001, 300 * time.Second},
		{"reads", provider.DocumentedBudget(), []provider.Request{aRead}, 275, time.Second},
		{"recommended: writes", provider.RecommendedBudget(), []provider.Request{aWrite, aDelete}, 54, 2 * time.Second},
		{"recommended: reads", provider.RecommendedBudget(), []provider.Request{aRead}, 120, 2 * time.Second},
		{
			"two subscriptions do not wait for each other", provider.RecommendedBudget(),
			[]provider.Request{aWrite, {Subscription: "other", Region: "westeurope", Kind: provider.Write}},
			100, 0,
		},
		{
			"nor do two regions", provider.RecommendedBudget(),
			[]provider.Request{aWrite, {Subscription: "s", Region: "northeurope", Kind: provider.Write}},
			100, 0,
		},
		{
			"case is nothing", provider.RecommendedBudget(),
			[]provider.Request{aWrite, {Subscription: "S", Region: "WestEurope", Kind: provider.Write}},
			100, 25 * time.Second,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rates, start := provider.NewRates(tt.budget), time.Now()
				all := make([]provider.Request, tt.n)
				for i := range all {
					all[i] = tt.requests[i%len(tt.requests)]
				}
				if need := rates.Need(fake.WallClock{}, all...); near(need, tt.want) {
					t.Errorf("Need says %v, want %v", need, tt.want)
				}
				var waiting sync.WaitGroup
				for _, q := range all {
					waiting.Go(func() {
						if _, err := rates.Wait(t.Context(), fake.WallClock{}, q); err != nil {
							t.Error(err)
						}
					})
				}
				waiting.Wait()
				if took := time.Since(start); near(took, tt.want) {
					t.Errorf("took %v, want %v", took, tt.want)
				}
			})
		})
	}
}

// near reports whether got is not want, as far as a token takes that is a little more than whole.
func near(got, want time.Duration) bool { return got < want || got > want+time.Millisecond }

// TestRatesOrder: urgent requests overtake, others are served in the order in which they came; who gives up does not count.
func TestRatesOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rates := provider.NewRates(provider.Budget{Writes: provider.Bucket{Size: 1, PerSecond: 1}})
		var order []string
		var mu sync.Mutex
		var all sync.WaitGroup
		start := time.Now()
		ask := func(ctx context.Context, name string, urgent bool) {
			all.Go(func() {
				q := aWrite
				q.Urgent = urgent
				waited, err := rates.Wait(ctx, fake.WallClock{}, q)
				if took := time.Since(start).Round(time.Second); took != waited.Round(time.Second) {
					t.Errorf("%s: says it waited %v, not %v", name, waited, took)
				}
				if err != nil {
					name += " gave up"
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
			})
			synctest.Wait()
		}
		short, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		ask(t.Context(), "first", false)
		ask(t.Context(), "second", false)
		ask(short, "impatient", false)
		ask(t.Context(), "third", false)
		ask(t.Context(), "urgent", true)
		ask(t.Context(), "urgent too", true)
		all.Wait()
		if want := []string{"first", "urgent", "impatient gave up", "urgent too", "second", "third"}; !slices.Equal(order, want) {
			t.Errorf("got %q, want %q", order, want)
		}
		// The last token came after 4 s; nobody had one that was not there, and the one who gave up took none.
		if took := time.Since(start).Round(time.Second); took != 4*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestParkedRates: what ARM asks for is kept, however long, for the kind of request it was asked for.
func TestParkedRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, start := fake.WallClock{}, time.Now()
		rates := provider.NewRates(provider.Budget{})
		rates.Park(clock, aWrite, 3*time.Hour)
		rates.Park(clock, aWrite, time.Second) // does not shorten it
		for _, q := range []provider.Request{aRead, aWrite} {
			if _, err := rates.Wait(t.Context(), clock, q); err != nil {
				t.Error(err)
			}
			if want := map[provider.RequestKind]time.Duration{provider.Write: 3 * time.Hour}[q.Kind]; time.Since(start) != want {
				t.Errorf("kind %d after %v, want %v", q.Kind, time.Since(start), want)
			}
		}
	})
}

// TestRatesReturn: what was not sent can be sent later.
func TestRatesReturn(t *testing.T) {
	for name, b := range map[string]provider.Bucket{"bucket": {Size: 2, PerSecond: 1}, "window": {Size: 2, Window: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			clock := fake.NewVirtualClock(time.Unix(0, 0))
			rates := provider.NewRates(provider.Budget{Deletes: b})
			for range 10 {
				if waited, err := rates.Wait(t.Context(), clock, aDelete); waited > 0 || err != nil {
					t.Fatalf("waited %v, %v", waited, err)
				}
				rates.Return(clock, aDelete)
			}
		})
	}
}

// TestRatesProperty: whatever is asked for and when, no bucket ever gives out more than it has, counted by other means.
func TestRatesProperty(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		size, window := rapid.IntRange(1, 5).Draw(t, "size"), time.Duration(rapid.IntRange(1, 20).Draw(t, "window"))*time.Second
		perSecond := rapid.SampledFrom([]float64{0.3, 1, 7}).Draw(t, "per second")
		rates := provider.NewRates(provider.Budget{
			Writes: provider.Bucket{Size: size, PerSecond: perSecond}, NetworkWrites: provider.Bucket{Size: size + 1, Window: window},
		})
		clock := fake.NewVirtualClock(time.Unix(0, 0))
		var sent []time.Time
		for range 30 {
			clock.Advance(time.Duration(rapid.IntRange(0, 4000).Draw(t, "pause")) * time.Millisecond)
			if _, err := rates.Wait(context.Background(), clock, aWrite); err != nil {
				t.Fatal(err)
			}
			sent = append(sent, clock.Now())
		}
		for i := range sent {
			for j := i; j < len(sent); j++ {
				n, d := j-i+1, sent[j].Sub(sent[i])
				if float64(n) > float64(size)+d.Seconds()*perSecond+1e-6 {
					t.Fatalf("%d in %v, more than %d and %v per second", n, d, size, perSecond)
				}
				if d < window && n > size+1 {
					t.Fatalf("%d in %v, want at most %d in %v", n, d, size+1, window)
				}
			}
		}
	})
}

// TestManyEnsureWithRates is TestManyEnsureAtOnce within what Azure allows: it takes as much longer as the buckets need.
func TestManyEnsureWithRates(t *testing.T) {
	const alone = 4 * time.Second
	for _, n := range []int{1, 100, 300, 600} {
		if n > 100 && testing.Short() { // under the race detector
			break
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := timedCloud(t)
				in := lb.Objects{Services: lbtest.Services(n), Nodes: lbtest.Nodes(3)}
				budget := provider.DocumentedBudget()
				r := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Rates: provider.NewRates(budget)})
				start := time.Now()
				for i, err := range ensureAll(t.Context(), r, in) {
					if err != nil {
						t.Errorf("svc-%d: %v", i, err)
					}
				}
				took := time.Since(start)
				_, writes := requests(cloud)
				needed := provider.NewRates(budget).Need(fake.WallClock{}, slices.Repeat([]provider.Request{aWrite}, total(writes))...)
				t.Logf("%d Services: %v, of which the buckets need %v, writes %v", n, took, needed, writes)
				groups := writes["networksecuritygroups"] + writes["networksecuritygroups/securityrules"]
				if writes["publicipaddresses"] != n {
					t.Errorf("%d writes of public IPs, want %d", writes["publicipaddresses"], n)
				}
				if writes["loadbalancers"] > 5 || groups > 5 {
					t.Errorf("writes %v, want at most 5 of load balancer and security group each", writes)
				}
				if took > 6*alone+needed {
					t.Errorf("took %v, want at most 6 times the %v of one Service and the %v that the buckets need", took, alone, needed)
				}
				checkResync(t, cloud, in)
			})
		})
	}
}

// TestThrottledTogether: one 429 that counts what everybody sends makes everybody wait; one about a busy resource does not.
func TestThrottledTogether(t *testing.T) {
	for _, tt := range []struct {
		code    string
		refused int // requests that ARM had to refuse
	}{
		{"SubscriptionRequestsThrottled", 1},
		{"RetryableError", 1},
	} {
		t.Run(tt.code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud := timedCloud(t)
				cloud.Inject(fake.Fault{Method: http.MethodPut, Path: "/publicIPAddresses/", Status: http.StatusTooManyRequests, Code: tt.code, RetryAfter: 2 * time.Minute})
				in := lb.Objects{Services: append(lbtest.Services(1), lbtest.Service(1, lbtest.Internal)), Nodes: lbtest.Nodes(3)}
				r := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Rates: provider.NewRates(provider.Budget{}), Jitter: func() float64 { return 0 }})
				start := time.Now()
				var all sync.WaitGroup
				var took [2]time.Duration
				for i := range took {
					all.Go(func() {
						time.Sleep(time.Duration(i) * 2 * time.Second) // the internal one comes when ARM has refused already
						if _, err := r.Ensure(t.Context(), in, svcName(i)); err != nil {
							t.Error(err)
						}
						took[i] = time.Since(start)
					})
				}
				all.Wait()
				if took[0] < 2*time.Minute {
					t.Errorf("the one who was refused was back after %v", took[0])
				}
				if waited := took[1] > 2*time.Minute; waited != (tt.code == "SubscriptionRequestsThrottled") {
					t.Errorf("the other one took %v", took[1])
				}
			})
		})
	}
}

func BenchmarkRates(b *testing.B) {
	rates, clock := provider.NewRates(provider.DocumentedBudget()), fake.NewVirtualClock(time.Unix(0, 0))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rates.Wait(context.Background(), clock, aWrite); err != nil {
			b.Fatal(err)
		}
	}
}
