package lb_test

import (
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/google/go-cmp/cmp"
)

// TestOrphans: what a deleted Service left behind is told by name, and nothing of those that stay.
func TestOrphans(t *testing.T) {
	cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
	in := lb.Objects{Services: append(lbtest.Services(2), lbtest.Service(2, lbtest.Internal)), Nodes: lbtest.Nodes(1)}
	if _, err := provider.NewReconciler(cloud, cluster, nil).Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	seen, err := cloud.Observe(t.Context(), lb.ScopeOf(cluster, in))
	if err != nil {
		t.Fatal(err)
	}
	if got := lb.Orphans(cluster, in, seen); len(got) > 0 {
		t.Errorf("orphans though every Service is there: %v", got)
	}
	if got := len(lb.Shares(seen)); got != 3 {
		t.Errorf("%d shares, want 3", got)
	}

	gone := in.Services[1]
	in.Services = in.Services[:1] // svc-1 and svc-2 are deleted
	var names []string
	for _, s := range lb.Orphans(cluster, in, seen) {
		names = append(names, s.Service.String()+" "+s.Base)
		if len(s.Parts) < 3 {
			t.Errorf("%s has parts %v, want frontend, rule and probe at least", s.Base, s.Parts)
		}
	}
	want := []string{"default/svc-1 " + lb.Base(gone.UID), "/ a0000000200004000800000000000abc"}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("orphans (-want +got):\n%s", d)
	}
}
