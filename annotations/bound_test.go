package annotations_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// largest is the size of a Service whose annotations the API server still takes: 256 KiB.
const largest = 250_000

// list makes n items with commas between.
func list(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(items, ",")
}

// TestBounds: a list with as many items as Azure takes is taken, and one more holds the Service, which is said once.
func TestBounds(t *testing.T) {
	addresses := func(n int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf("52.0.%d.%d", i/250, i%250)
		}
		return strings.Join(items, ",")
	}
	for _, c := range []struct {
		key, fits, over string
		got             func(annotations.Config) int
		most            int
	}{
		{annotations.KeyPIPTags, list(50, "k%d=v"), list(51, "k%d=v"), func(c annotations.Config) int { return len(c.PublicIP.Tags) }, annotations.MaxTags},
		{annotations.KeyPIPTags, list(50, "k%d=v") + ",K0=w,,k1=x", list(20000, "k%d=v"), func(c annotations.Config) int { return len(c.PublicIP.Tags) - 2 }, annotations.MaxTags},
		{annotations.KeyAdditionalPublicIPs, addresses(4000), addresses(4001), func(c annotations.Config) int { return len(c.PublicIP.Additional) }, annotations.MaxAdditional},
		{annotations.KeyAllowedServiceTags, list(1000, "T%d"), list(1001, "T%d"), func(c annotations.Config) int { return len(c.Access.ServiceTags) }, annotations.MaxServiceTags},
	} {
		cfg, err := annotations.Parse(service(c.key, c.fits))
		if got := c.got(cfg); err != nil || got != c.most {
			t.Errorf("%s: got %d items and %v, want %d", c.key, got, err, c.most)
		}
		cfg, err = annotations.Parse(service(c.key, c.over))
		errs := annotations.Errors(err)
		if len(errs) != 1 || errs[0].Key != c.key || errs[0].Outcome != annotations.Hold || !errors.Is(err, annotations.ErrRange) {
			t.Errorf("%s: got %v, want one error that holds the Service", c.key, err)
		}
		if got := c.got(cfg); got > 0 {
			t.Errorf("%s: got %d items of a list that is too long", c.key, got)
		}
	}
	for _, key := range []string{annotations.KeyPLSVisibility, annotations.KeyPLSAutoApproval} {
		for n, want := range map[int]int{100: 0, 101: 1} {
			got := annotations.Lint(service(annotations.KeyInternal, "true", annotations.KeyPLSCreate, "true", key, strings.Repeat("a ", n)))
			if len(got) != want || want > 0 && !errors.Is(got[0].Err, annotations.ErrRange) {
				t.Errorf("%s with %d subscriptions: got %v, want %d findings", key, n, got, want)
			}
		}
	}
	if cfg, err := annotations.Parse(service(annotations.KeyAllowedServiceTags, list(1001, "T%d"))); !cfg.Access.Closed {
		t.Errorf("too many service tags: got %+v and %v, want it closed", cfg.Access, err)
	}
}

// TestManyErrors: of many that are alike, twenty and the last one are told, with the number of those between; another kind is told as ever.
func TestManyErrors(t *testing.T) {
	_, err := annotations.Parse(service(annotations.KeyPIPTags, list(1000, "bad%d")+",k8s-azure-service=x"))
	errs := annotations.Errors(err)
	var got []string
	for _, e := range errs[max(0, len(errs)-3):] {
		got = append(got, strings.ReplaceAll(e.Error(), p, ""))
	}
	at := "metadata.annotations[azure-pip-tags]: "
	want := []string{
		at + `"bad19": malformed: want key=value with one equals sign`,
		at + `"bad999": malformed: want key=value with one equals sign; the last of 980 more that cannot be used`,
		at + `"k8s-azure-service=x": reserved: want another key: who uses the public IP is kept under this one`,
	}
	if d := cmp.Diff(want, got); d != "" || len(errs) != 22 {
		t.Errorf("got %d errors, want 22; the last three (-want +got):\n%s", len(errs), d)
	}
	_, err = annotations.Parse(service(annotations.KeyAllowedIPRanges, list(21, "x%d")))
	if errs := annotations.Errors(err); len(errs) != 21 || strings.Contains(errs[20].Error(), "last of") {
		t.Errorf("got %v, want all 21 told as they are", err)
	}
}

// TestLongValues: what a finding shows of a value has an end, and says how long the value is.
func TestLongValues(t *testing.T) {
	long := strings.Repeat("x", 250_000)
	for _, k := range annotations.Keys() {
		for _, value := range []string{long, " " + long + " ", "true" + strings.Repeat(" ", 250_000), long + "=" + long, long + "/32," + long, "/" + long} {
			svc := service(annotations.PortKey(k.Name, 80), value)
			for _, f := range annotations.Lint(svc) {
				if text := f.String(); len(text) > 1000 {
					t.Fatalf("%s: a text of %d bytes: %.300s", k.Name, len(text), text)
				}
			}
		}
	}
	_, err := annotations.Parse(service(annotations.KeyPIPName, long))
	want := `"` + long[:200] + `"… (250000 characters): malformed: want 1 to 80 characters, have 250000`
	if d := cmp.Diff(want, annotations.Findings(annotations.Config{}.Service, err)[0].Err.Error()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// unknown is a Service with n keys that nobody knows, half of them nearly right.
func unknown(n int) *corev1.Service {
	svc := service()
	for i := range n {
		svc.Annotations[fmt.Sprintf("%sazure-load-balancer-%s-%d", p, []string{"unknown", "intrenal"}[i%2], i)] = "true"
	}
	return svc
}

// TestLintIsLinear: what twice as many unknown keys cost is twice as much, and of each there is a finding.
func TestLintIsLinear(t *testing.T) {
	const n = 20_000
	once, twice := unknown(n), unknown(2*n)
	if got := len(annotations.Lint(once)); got != n {
		t.Errorf("got %d findings, want %d", got, n)
	}
	a := testing.AllocsPerRun(1, func() { annotations.Lint(once) })
	b := testing.AllocsPerRun(1, func() { annotations.Lint(twice) })
	if a > 40*n || b > 2.2*a {
		t.Errorf("got %v allocations for %d keys and %v for twice as many, want at most %d, and twice that", a, n, b, 40*n)
	}
}

// TestLargestServiceLinted: whatever fills a Service of 250 KB, looking at it takes no more than 64 MB.
func TestLargestServiceLinted(t *testing.T) {
	const most = 64 << 20
	for _, h := range lbtest.HeavyServices(1, largest) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		annotations.Lint(&h.Service)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("%s: got %d bytes allocated, want at most %d", h.Name, got, most)
		}
	}
}

// BenchmarkLint looks at one Service of 250 KB of each kind, and at 20,000 unknown keys.
func BenchmarkLint(b *testing.B) {
	all := append(lbtest.HeavyServices(1, largest), lbtest.Heavy{Name: "20,000 unknown keys", Service: *unknown(20_000)})
	for _, h := range all {
		b.Run(h.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				annotations.Lint(&h.Service)
			}
		})
	}
}

// TestLargestServiceTranslated is TestLargestServiceLinted for translating, which looks at its own result.
func TestLargestServiceTranslated(t *testing.T) {
	const most = 128 << 20
	for _, h := range lbtest.HeavyServices(1, largest) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		annotations.FromAWS(&h.Service, nil)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > most {
			t.Errorf("%s: got %d bytes allocated, want at most %d", h.Name, got, most)
		}
	}
}
