package azure_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// TestRequestCounts pins through ARM what design P5 promises.
func TestRequestCounts(t *testing.T) {
	for _, n := range []int{1, 10, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			a := &arm{cloud: lbtest.Cloud(), polls: -1, left: map[string]int{}}
			backend := a.backend(t, azure.Options{Rates: provider.NewRates(provider.Budget{})}) // while a write waits what was read grows old
			r := provider.NewReconciler(backend, lbtest.Cluster(), &provider.Options{Clock: a.cloud.Clock()})
			in := lb.Objects{Services: lbtest.Services(n), Nodes: lbtest.Nodes(3)}
			if _, err := r.Sync(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if writes, reads := a.count(http.MethodPut), a.count(http.MethodGet); writes != n+2 || len(a.seen()) != writes+reads || reads > 5 {
				t.Errorf("%d writes and %d reads of %d requests, want %d writes and at most 5 reads", writes, reads, len(a.seen()), n+2)
			}
			a.reset()
			report, err := r.Sync(t.Context(), in)
			if err != nil || len(report.Plan().Steps) > 0 {
				t.Errorf("resync: %v, %v, want an empty plan", err, report.Plan())
			}
			if reads := a.count(http.MethodGet); reads != len(a.seen()) || reads > 4 {
				t.Errorf("resync: requests %q, want at most four reads", lastSegments(a))
			}
		})
	}
}
