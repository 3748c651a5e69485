package provider_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// quiet is a cloud whose receipts do not tell what is there: of children, or of anything.
type quiet struct {
	*fake.Cloud
	all bool
}

func (q quiet) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	receipt, err := q.Cloud.Do(ctx, op)
	if q.all || op.Target() != op.Target().Top() {
		receipt.Seen = lb.Observed{}
	}
	return receipt, err
}

// What children's writes leave behind is worked out where no receipt tells it; whole resources are read again.
func TestQuietReceipts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		all   bool
		reads int // after the first Sync, at most
	}{
		{"of children", false, 0},
		{"of everything", true, 12},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := lbtest.Cloud()
			in := lb.Objects{Services: lbtest.Services(5), Nodes: lbtest.Nodes(2)}
			drift := 0
			r := provider.NewReconciler(quiet{cloud, tt.all}, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock(), OnEvent: func(e provider.Event) {
				if _, ok := e.(provider.DriftFound); ok {
					drift++
				}
			}})
			if _, err := r.Sync(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			cloud.ResetRequests()
			ensure := func(i int) {
				t.Helper()
				if _, err := r.Ensure(t.Context(), in, svcName(i)); err != nil {
					t.Error(err)
				}
			}
			in.Nodes = lbtest.Nodes(3)
			ensure(1) // the pool alone
			in.Services = append(in.Services, lbtest.Service(5))
			ensure(5) // one security rule
			in.Nodes = lbtest.Nodes(2)
			ensure(2)
			if err := r.Delete(t.Context(), in, svcName(3)); err != nil {
				t.Error(err)
			}
			in.Services = slices.Delete(in.Services, 3, 4)
			reads, writes := requests(cloud)
			if total(reads) > tt.reads || writes["loadbalancers/backendaddresspools"] != 2 || writes["networksecuritygroups/securityrules"] != 2 {
				t.Errorf("reads %v, writes %v", reads, writes)
			}
			if _, err := r.Sync(t.Context(), in); err != nil {
				t.Error(err)
			}
			if !tt.all && drift > 0 {
				t.Errorf("%d resources were not as they were thought to be", drift)
			}
			checkResync(t, cloud, in)
		})
	}
}

// slowReader is a cloud that keeps an answer back once it has read, if asked to.
type slowReader struct {
	*fake.Cloud
	stop atomic.Bool
	read chan struct{}
	on   chan struct{}
}

func (s *slowReader) Observe(ctx context.Context, scope lb.Scope) (lb.Observed, error) {
	seen, err := s.Cloud.Observe(ctx, scope)
	if s.stop.CompareAndSwap(true, false) {
		close(s.read)
		<-s.on
	}
	return seen, err
}

// A read that began before a write ended does not undo what the write made known, and a Sync that came before does not undo what a call for
// one Service asked for meanwhile.
func TestReadsDoNotUndoWrites(t *testing.T) {
	cloud := lbtest.Cloud()
	p := &slowReader{Cloud: cloud, read: make(chan struct{}), on: make(chan struct{})}
	in := lb.Objects{Services: lbtest.Services(3), Nodes: lbtest.Nodes(2)}
	r := provider.NewReconciler(p, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock()})
	if _, err := r.Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	p.stop.Store(true)
	synced := make(chan error)
	go func() { _, err := r.Sync(t.Context(), in); synced <- err }()
	<-p.read // read, but not answered
	in.Services = append(slices.Clone(in.Services), lbtest.Service(3))
	if _, err := r.Ensure(t.Context(), in, svcName(3)); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), in, svcName(1)); err != nil {
		t.Fatal(err)
	}
	cloud.ResetRequests()
	close(p.on)
	if err := <-synced; err != nil {
		t.Error(err)
	}
	if _, err := r.Ensure(t.Context(), in, svcName(3)); err != nil {
		t.Error(err)
	}
	if reads, writes := requests(cloud); total(reads)+total(writes) > 0 {
		t.Errorf("reads %v, writes %v", reads, writes)
	}
}
