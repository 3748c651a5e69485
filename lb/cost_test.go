package lb_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	corev1 "k8s.io/api/core/v1"
)

// largest is the size of a Service whose annotations the API server still takes: 256 KiB.
const largest = 250_000

// beside is a cluster in which a Service of many bytes comes beside another one.
func beside(tb testing.TB, heavy corev1.Service) (lb.Cluster, lb.Objects, lb.Observed) {
	tb.Helper()
	c, in := lbtest.Cluster(), lb.Objects{Services: []corev1.Service{lbtest.Service(0), heavy}, Nodes: lbtest.Nodes(3)}
	cloud := fake.New(&fake.Options{Waive: fake.Rules()})
	if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
		tb.Fatal(err)
	}
	seen, err := cloud.Observe(tb.Context(), lb.ScopeOf(c, in))
	if err != nil {
		tb.Fatal(err)
	}
	return c, in, seen
}

// planOnce does what a plan costs, its text included.
func planOnce(tb testing.TB, c lb.Cluster, in lb.Objects, seen lb.Observed) (lb.Desired, []lb.Finding) {
	tb.Helper()
	lb.ScopeOf(c, in)
	want, findings := lb.Build(c, in, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		tb.Fatal(err)
	}
	if err := plan.Explain(io.Discard); err != nil {
		tb.Fatal(err)
	}
	return want, findings
}

// BenchmarkLargestService plans for one Service of 250 KB of each kind.
func BenchmarkLargestService(b *testing.B) {
	for _, h := range lbtest.HeavyServices(1, largest) {
		c, in, seen := beside(b, h.Service)
		b.Run(h.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				planOnce(b, c, in, seen)
			}
		})
	}
}

// allocated is the number of bytes that do allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLargestService: one Service of 250 KB costs a plan no more than 64 MB, and twice its size little more than twice as much; what is found is
// said in few and short texts, and the other Service is served.
func TestLargestService(t *testing.T) {
	const most, longest, told = 64 << 20, 1000, 50
	larger := lbtest.HeavyServices(1, 2*largest)
	for i, h := range lbtest.HeavyServices(1, largest) {
		t.Run(h.Name, func(t *testing.T) {
			c, in, seen := beside(t, h.Service)
			var want lb.Desired
			var findings []lb.Finding
			once := allocated(func() { want, findings = planOnce(t, c, in, seen) })
			if once > most {
				t.Errorf("got %d bytes allocated, want at most %d", once, most)
			}
			c2, in2, seen2 := beside(t, larger[i].Service)
			if twice := allocated(func() { planOnce(t, c2, in2, seen2) }); twice > 3*once+most/16 {
				t.Errorf("got %d bytes allocated for twice the size, and %d for once", twice, once)
			}
			if len(findings) > told {
				t.Errorf("got %d findings, want at most %d", len(findings), told)
			}
			for _, f := range findings {
				if n := len(f.Err.Error()); n > longest {
					t.Errorf("got a text of %d bytes, want at most %d: %.200s", n, longest, f.Err)
				}
			}
			if r := want.Services[0]; r.Service.Name != "svc-0" || r.Held || len(r.Ingress) == 0 {
				t.Errorf("got %+v, want svc-0 served", r)
			}
		})
	}
}

// TestBoundsOfAzure: what Azure has no room for is found before anything is made of it, and holds the Service.
func TestBoundsOfAzure(t *testing.T) {
	annotation := func(key string) string { return "metadata.annotations[" + annotations.Prefix + key + "]" }
	bounds := map[string]struct {
		field string
		kind  error
	}{
		"azure-pip-tags, good items":                            {annotation("azure-pip-tags"), annotations.ErrRange},
		"azure-additional-public-ips, good items":               {annotation("azure-additional-public-ips"), annotations.ErrRange},
		"azure-allowed-service-tags, good items":                {annotation("azure-allowed-service-tags"), annotations.ErrRange},
		"azure-allowed-ip-ranges, good items":                   {annotation("azure-allowed-ip-ranges"), lb.ErrLimit},
		"load-balancer-source-ranges, good items":               {annotation("load-balancer-source-ranges"), lb.ErrLimit},
		"azure-pls-ip-configuration-ip-address, good items":     {annotation("azure-pls-ip-configuration-ip-address"), annotations.ErrRange},
		"azure-pls-visibility, good items":                      {annotation("azure-pls-visibility"), annotations.ErrRange},
		"azure-pls-auto-approval, good items":                   {annotation("azure-pls-auto-approval"), annotations.ErrRange},
		"azure-pip-prefix-id, many parts":                       {annotation("azure-pip-prefix-id"), annotations.ErrSyntax},
		"spec.ports":                                            {"spec.ports", lb.ErrLimit},
		"spec.loadBalancerSourceRanges":                         {"spec.loadBalancerSourceRanges", lb.ErrLimit},
		"azure-pip-tags, no more than Azure takes":              {},
		"azure-additional-public-ips, no more than Azure takes": {},
		"azure-allowed-ip-ranges, no more than Azure takes":     {},
		"azure-allowed-service-tags, no more than Azure takes":  {},
		"spec.ports, no more than Azure takes":                  {},
	}
	for _, h := range lbtest.HeavyServices(1, largest) {
		bound, ok := bounds[h.Name]
		if !ok {
			continue
		}
		delete(bounds, h.Name)
		c, in, seen := beside(t, h.Service)
		_, findings := planOnce(t, c, in, seen)
		var got []lb.Finding
		for _, f := range findings {
			if f.Holds {
				got = append(got, f)
			}
		}
		switch {
		case bound.kind == nil && len(got) > 0:
			t.Errorf("%s: got %v, want it served", h.Name, got)
		case bound.kind != nil && (len(got) != 1 || got[0].Field != bound.field || !errors.Is(got[0].Err, bound.kind)):
			t.Errorf("%s: got %v, want it held for %s: %v", h.Name, got, bound.field, bound.kind)
		}
	}
	for name := range bounds {
		t.Errorf("no Service is made for %s", name)
	}
}

// TestTagsOfPublicIP: the tags of the configuration and of azlb itself count too.
func TestTagsOfPublicIP(t *testing.T) {
	tags := func(n int) string { return strings.TrimPrefix(strings.Repeat(",k%d=v", n), ",") }
	numbers := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = i
		}
		return list
	}
	for n, want := range map[int]bool{46: true, 47: false} {
		c, in, seen := beside(t, lbtest.Service(1, lbtest.Annotate("azure-pip-tags", fmt.Sprintf(tags(n), numbers(n)...))))
		c.Tags = lb.TagsOf(map[string]string{"team": "edge", "k0": "other", "cost": "1"})
		got, findings := lb.Build(c, in, seen)
		if served := !got.Services[1].Held; served != want {
			t.Errorf("%d tags, 2 of the configuration and 2 of azlb: got served %t, want %t: %v", n, served, want, findings)
		}
	}
}
