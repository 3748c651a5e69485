package sim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// TestMisfortunes pins what single misfortunes cost on the way to two external Services: four writes where nothing goes wrong.
func TestMisfortunes(t *testing.T) {
	const balancer, group = "/loadBalancers/kubernetes$", "/networkSecurityGroups/"
	throttled := func(after time.Duration, count int) fake.Fault {
		return fake.Fault{Path: balancer, Status: 429, Code: "TooManyRequests", RetryAfter: after, Count: count}
	}
	for _, tt := range []struct {
		name   string
		fault  fake.Fault
		waits  time.Duration // at least, in virtual time
		most   time.Duration // and no longer
		sent   int           // writes sent, those without effect included
		done   int           // writes that we know to have been made
		rounds int
	}{
		{"nothing", fake.Fault{Count: -1, Path: "nowhere"}, 0, 0, 4, 4, 1},
		{"429, Retry-After 1 s", throttled(time.Second, 1), time.Second, time.Second, 5, 4, 1},
		{"429, Retry-After 30 s", throttled(30*time.Second, 1), 30 * time.Second, 30 * time.Second, 5, 4, 1},
		{"429, Retry-After 120 s", throttled(2*time.Minute, 1), 2 * time.Minute, 2 * time.Minute, 5, 4, 1},
		{"429 three times, Retry-After 120 s", throttled(2*time.Minute, 3), 6 * time.Minute, 6 * time.Minute, 7, 4, 1},
		{"429 without Retry-After", throttled(0, 2), 3 * time.Second, 3 * time.Second, 6, 4, 1},
		{
			"429 on the public IPs",
			fake.Fault{Path: "/publicIPAddresses/", Status: 429, RetryAfter: 30 * time.Second, Count: 2},
			30 * time.Second, time.Minute, 6, 4, 1,
		},
		{"superseded", fake.Fault{Path: balancer, Status: 409, Code: "CanceledAndSupersededDueToAnotherOperation"}, 0, 0, 5, 4, 2},
		{"changed by another", fake.Fault{Path: balancer, Status: 412, Code: "PreconditionFailed"}, 0, 0, 5, 4, 2},
		{"fault of the service", fake.Fault{Path: group, Status: 503}, time.Second, time.Second, 5, 4, 1},
		{"connection lost before", fake.Fault{Path: balancer, Drop: fake.DropBefore}, 0, 0, 5, 4, 2},
		{"connection lost after", fake.Fault{Path: balancer, Drop: fake.DropAfter}, 0, 0, 4, 3, 2},
		{"connection lost after a public IP was made", fake.Fault{Path: "/publicIPAddresses/", Drop: fake.DropAfter}, 0, 0, 4, 3, 2},
		{"connection lost after the last write", fake.Fault{Path: group, Drop: fake.DropAfter}, 0, 0, 4, 3, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := lbtest.Cloud()
			tt.fault.Method = http.MethodPut
			cloud.Inject(tt.fault)
			in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(2)}
			rec := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock(), Parallel: 1, Jitter: prompt})
			start := cloud.Clock().Now()
			report, err := rec.Sync(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if took := cloud.Clock().Now().Sub(start); took < tt.waits || took > tt.most {
				t.Errorf("took %v, want %v to %v", took, tt.waits, tt.most)
			}
			if n := sent(cloud); n != tt.sent || report.Writes != tt.done || len(report.Rounds) != tt.rounds {
				t.Errorf("%d writes sent, %d done in %d rounds; want %d, %d, %d", n, report.Writes, len(report.Rounds), tt.sent, tt.done, tt.rounds)
			}
			cloud.ResetRequests()
			if report, err := rec.Sync(t.Context(), in); err != nil || len(report.Plan().Steps) > 0 || sent(cloud) > 0 {
				t.Errorf("again: %v, %d steps", err, len(report.Plan().Steps))
			}
		})
	}
}

// TestThrottledReads: lists are asked for again when ARM said so, too.
func TestThrottledReads(t *testing.T) {
	cloud := lbtest.Cloud()
	cloud.Inject(fake.Fault{Method: http.MethodGet, Path: "/loadBalancers$", Status: 429, RetryAfter: 2 * time.Minute, Count: 2})
	start := cloud.Clock().Now()
	rec := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock(), Jitter: prompt})
	if _, err := rec.Sync(t.Context(), lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(1)}); err != nil {
		t.Fatal(err)
	}
	if took := cloud.Clock().Now().Sub(start); took != 4*time.Minute {
		t.Errorf("took %v, want 4m", took)
	}
}

// sent counts the writes in the journal.
func sent(c *fake.Cloud) int {
	n := 0
	for _, r := range c.Requests() {
		if r.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// prompt is a jitter without any, so that waits are those that ARM asks for.
func prompt() float64 { return 0 }
