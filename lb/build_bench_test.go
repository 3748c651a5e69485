package lb_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// benchCluster has limits for the largest benchmark.
func benchCluster() lb.Cluster {
	c := lbtest.Cluster()
	c.Limits = lb.Limits{FrontendsPerLoadBalancer: 10000, RulesPerLoadBalancer: 10000, AddressesPerSecurityRule: 10000}
	return c
}

// BenchmarkPlan measures Build, Diff with Adopt, and both, for fresh Services and for Services that are all there, one of which changes a
// port. sent-bytes is the size of the load balancer's JSON as it is written, got-bytes as Azure answers it.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		c, in := benchCluster(), lb.Objects{Services: lbtest.Services(n), Nodes: lbtest.Nodes(100)}
		cloud := fake.New(&fake.Options{Waive: fake.Rules()}) // a thousand Services are beyond the limits
		if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
			b.Fatal(err)
		}
		fresh := benchObserve(b, cloud, c, in)
		want, _ := lb.Build(c, in, fresh)
		if _, err := provider.NewReconciler(cloud, c, nil).Sync(b.Context(), in); err != nil {
			b.Fatal(err)
		}
		sizes := sizesOf(b, cloud, want.LoadBalancers[0])
		benchPlan(b, fmt.Sprintf("fresh-%d", n), c, in, fresh, sizes)
		lbtest.Port(8080)(&in.Services[n/2])
		benchPlan(b, fmt.Sprintf("change-%d", n), c, in, benchObserve(b, cloud, c, in), sizes)
	}
}

// sizes are lengths of the JSON of one load balancer.
type sizes struct{ sent, got float64 }

func sizesOf(b *testing.B, cloud *fake.Cloud, l lb.LoadBalancer) sizes {
	b.Helper()
	sent, err := armwire.Prepare(lb.PutLoadBalancer{After: l}, nil)
	if err != nil {
		b.Fatal(err)
	}
	got, err := cloud.Call(b.Context(), fake.Call{Method: http.MethodGet, ID: l.ID})
	if err != nil {
		b.Fatal(err)
	}
	return sizes{float64(len(compact(b, sent.Body))), float64(len(compact(b, got.Body)))}
}

func compact(b *testing.B, o map[string]any) []byte {
	b.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func benchPlan(b *testing.B, name string, c lb.Cluster, in lb.Objects, seen lb.Observed, size sizes) {
	want, _ := lb.Build(c, in, seen)
	run := func(what string, do func()) {
		b.Run(what+"/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
			b.ReportMetric(size.sent, "sent-bytes")
			b.ReportMetric(size.got, "got-bytes")
		})
	}
	run("Build", func() { lb.Build(c, in, seen) })
	run("Diff", func() { benchDiff(b, seen, want) })
	run("Both", func() {
		want, _ := lb.Build(c, in, seen)
		benchDiff(b, seen, want)
	})
}

func benchDiff(b *testing.B, seen lb.Observed, want lb.Desired) {
	if _, err := lb.Diff(seen, lb.Adopt(seen, want)); err != nil {
		b.Fatal(err)
	}
}

func benchObserve(b *testing.B, cloud *fake.Cloud, c lb.Cluster, in lb.Objects) lb.Observed {
	b.Helper()
	seen, err := cloud.Observe(b.Context(), lb.ScopeOf(c, in))
	if err != nil {
		b.Fatal(err)
	}
	return seen
}
