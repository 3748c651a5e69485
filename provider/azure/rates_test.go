package azure_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// day is a cluster of many Services over hours, with a reconciler that talks to an Azure which counts every request.
type day struct {
	cloud    *fake.Cloud
	r        *provider.Reconciler
	services []corev1.Service
	nodes    int

	mu                              sync.Mutex
	reads, writes, deletes, refused int
}

func newDay(t *testing.T, services int, budget provider.Budget) *day {
	t.Helper()
	d := &day{services: lbtest.Services(services), nodes: 50}
	d.cloud = fake.New(&fake.Options{Clock: fake.WallClock{}, Latency: map[string]time.Duration{
		armid.PublicIPAddresses: 4 * time.Second, armid.LoadBalancers: 10 * time.Second, armid.NetworkSecurityGroups: 4 * time.Second,
	}})
	if err := d.cloud.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	backend, err := azure.New(anyone{"token"}, &azure.Options{
		Transport: armfake.New(d.cloud, &armfake.Options{Limits: armfake.AzureLimits()}), Clock: fake.WallClock{}, Rates: provider.NewRates(budget),
		Observer: d.count,
	})
	if err != nil {
		t.Fatal(err)
	}
	cluster := lbtest.Cluster()
	cluster.Limits.RulesPerInterface = 2000
	d.r = provider.NewReconciler(backend, cluster, &provider.Options{MaxRemovals: -1, AllowEmpty: true, Parallel: 300})
	return d
}

func (d *day) count(c azure.Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch c.Method {
	case http.MethodGet:
		d.reads++
	case http.MethodDelete:
		d.deletes++
	default:
		d.writes++
	}
	if c.Status == http.StatusTooManyRequests {
		d.refused++
	}
}

func (d *day) objects() lb.Objects {
	return lb.Objects{Services: d.services, Nodes: lbtest.Nodes(d.nodes)}
}

func (d *day) sync(t *testing.T) {
	t.Helper()
	if _, err := d.r.Sync(t.Context(), d.objects()); err != nil {
		t.Error(err)
	}
}

// all ensures every Service at once.
func (d *day) all(t *testing.T) {
	t.Helper()
	var calls sync.WaitGroup
	in := d.objects()
	for _, s := range in.Services {
		calls.Go(func() {
			if _, err := d.r.Ensure(t.Context(), in, types.NamespacedName{Namespace: s.Namespace, Name: s.Name}); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		})
	}
	calls.Wait()
}

// TestHalfADayWithoutThrottling is design P12: 600 Services come, change and go, and nodes too, for twelve hours, at the limits that Azure
// documents. It never has to refuse anything, neither writes nor reads, polls among them.
func TestHalfADayWithoutThrottling(t *testing.T) {
	services, hours := 600, 12
	if testing.Short() { // under the race detector
		services, hours = 250, 4
	}
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, services, provider.DocumentedBudget())
		started := time.Now()
		d.all(t) // a burst
		t.Logf("%d Services came up in %v with %d writes and %d reads", services, time.Since(started), d.writes, d.reads)
		all := d.services
		for hour := range hours {
			next := started.Add(time.Duration(hour+1) * time.Hour)
			switch hour % 4 {
			case 0: // node churn
				for range 5 {
					d.nodes += 3 - 2*(hour%3)
					d.sync(t)
					time.Sleep(time.Minute)
				}
			case 1: // half of the Services go at once
				d.services = all[:services/2]
				d.sync(t)
			case 2: // and come back, each with a call of its own
				d.services = all
				d.all(t)
			case 3: // all get another port
				port := int32(8000 + hour)
				d.services = lbtest.Services(services, lbtest.Port(port))
				all = d.services
				d.all(t)
			}
			time.Sleep(time.Until(next))
		}
		d.sync(t)
		if d.refused > 0 {
			t.Errorf("Azure refused %d requests", d.refused)
		}
		if took := time.Since(started); took < time.Duration(hours)*time.Hour {
			t.Errorf("that were only %v", took)
		}
		t.Logf("%d reads, %d writes, %d deletions", d.reads, d.writes, d.deletes)
		if err := d.r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestThrottlingIsThere: without rates the same burst is refused, so that the test above shows something; it converges all the same.
func TestThrottlingIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, 300, provider.Budget{})
		d.sync(t)
		if d.refused == 0 {
			t.Error("Azure refused nothing")
		}
		if rest := d.cloud.String(); !strings.Contains(rest, "frontend") {
			t.Errorf("it did not converge:\n%s", rest)
		}
	})
}
