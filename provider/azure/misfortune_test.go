package azure_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// TestMisfortunes lets one write of the load balancer go wrong in every way there is. The call that meets it, or the next one, converges,
// and no write is sent more often than that takes.
func TestMisfortunes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault fake.Fault
		syncs int           // after which everything is as wanted
		puts  int           // of the load balancer in all
		waits time.Duration // at least
	}{
		{"throttled for a second", fake.Fault{Status: 429, Code: "SubscriptionRequestsThrottled", RetryAfter: time.Second}, 1, 2, time.Second},
		{"throttled for half a minute", fake.Fault{Status: 429, Code: "TooManyRequests", RetryAfter: 30 * time.Second}, 1, 2, 30 * time.Second},
		{"throttled for two minutes", fake.Fault{Status: 429, Code: "TooManyRequests", RetryAfter: 2 * time.Minute}, 1, 2, 2 * time.Minute},
		{"superseded at once", fake.Fault{Status: 409, Code: "CanceledAndSupersededDueToAnotherOperation"}, 1, 2, 0},
		{"superseded in the end", fake.Fault{Late: true, Code: "CanceledAndSupersededDueToAnotherOperation"}, 1, 1, 0},
		{"failed in the end, may be sent again", fake.Fault{Late: true, Code: "RetryableErrorDueToAnotherOperation"}, 1, 1, 0},
		{"fault of the server", fake.Fault{Status: 503, Code: "ServiceUnavailable"}, 1, 2, 0},
		{"stuck", fake.Fault{Delay: time.Hour}, 1, 1, 15 * time.Minute},
		{"connection lost before", fake.Fault{Drop: fake.DropBefore}, 1, 2, 0},
		{"connection lost after", fake.Fault{Drop: fake.DropAfter}, 1, 1, 0},
		{"another writer in between", fake.Fault{Meanwhile: touch}, 1, 2, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := lbtest.Cloud()
			b, err := azure.New(anyone{"t"}, &azure.Options{Transport: armfake.Transport(c), Clock: c.Clock()})
			if err != nil {
				t.Fatal(err)
			}
			met := 0
			r := provider.NewReconciler(b, lbtest.Cluster(), &provider.Options{Clock: c.Clock(), OnEvent: func(e provider.Event) {
				switch e := e.(type) {
				case provider.StepRetried:
					met++
				case provider.StepDone:
					if e.Err != nil {
						met++
					}
				}
			}})
			in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(2)}
			if _, err := r.Sync(t.Context(), in); err != nil { // so that there is something to be in the way of
				t.Fatal(err)
			}
			c.ResetRequests()
			tt.fault.Method, tt.fault.Path = "PUT", "/loadBalancers/[^/]+$"
			c.Inject(tt.fault)
			start := c.Clock().Now()
			in.Services = lbtest.Services(4)
			for n := 1; ; n++ {
				_, err = r.Sync(t.Context(), in)
				if err == nil {
					if n != tt.syncs {
						t.Errorf("%d calls, want %d", n, tt.syncs)
					}
					break
				}
				if n > 5 {
					t.Fatalf("no end: %v", err)
				}
			}
			if met != 1 {
				t.Errorf("met %d times, want once", met)
			}
			if waited := c.Clock().Now().Sub(start); waited < tt.waits || waited > 2*tt.waits+5*time.Minute {
				t.Errorf("took %v, want %v and not much more", waited, tt.waits)
			}
			if n := puts(c); n != tt.puts {
				t.Errorf("%d PUTs of the load balancer, want %d", n, tt.puts)
			}
			report, err := r.Sync(t.Context(), in)
			if err != nil || len(report.Plan().Steps) > 0 {
				t.Errorf("afterwards: %v, plan %v", err, report.Plan())
			}
		})
	}
}

// touch is somebody else who tags the load balancer.
func touch(c *fake.Cloud) {
	for _, id := range c.IDs() {
		if id.Is(armid.LoadBalancers) {
			// It is there, so this cannot fail.
			_ = c.Merge(id, map[string]any{"tags": map[string]any{"touched": "yes"}})
		}
	}
}

func puts(c *fake.Cloud) int {
	list := slices.DeleteFunc(c.Requests(), func(r fake.Request) bool {
		return r.Method != "PUT" || !lb.ID(r.Path).Is(armid.LoadBalancers) || strings.Contains(r.Path, "/operations/")
	})
	return len(list)
}
