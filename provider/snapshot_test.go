package provider_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
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

// A security group tells what its rules are for only beside the load balancers and public IPs of the same time. Another process has brought a
// Service up since; who reads the group again, or sees in an answer what is in it, must not take the other's rule for a leftover.
func TestRulesOfAnotherProcessStay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault *fake.Fault // of the write of the security group; nil: none
	}{
		{"the group was read again", &fake.Fault{Method: "PUT", Path: "/securityRules/", Status: 412, Code: "PreconditionFailed"}},
		{"an answer told of it", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cloud := lbtest.Cloud()
			ours := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock()})
			theirs := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock()})
			in := lb.Objects{Nodes: lbtest.Nodes(1), Services: []corev1.Service{lbtest.Service(0, lbtest.Port(90))}}
			if _, err := ours.Sync(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			in.Services = append(in.Services, lbtest.Service(1))
			if _, err := theirs.Sync(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			for i := range 3 { // each internal, on the other load balancer, with the port that the other process has opened
				if tt.fault != nil {
					cloud.Inject(*tt.fault)
				}
				in.Services = append(in.Services, lbtest.Service(2+i, lbtest.Internal, lbtest.Annotate("azure-allowed-ip-ranges", fmt.Sprintf("198.51.%d.0/24", i))))
				if _, err := ours.Ensure(t.Context(), in, svcName(2+i)); err != nil {
					t.Error(err)
				}
				report, err := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock(), DryRun: true}).Sync(t.Context(), in)
				if plan := report.Plan(); err != nil || len(plan.Steps) > 0 {
					var text strings.Builder
					_ = plan.Explain(&text)
					t.Errorf("after Ensure of %v, want nothing to do: %v\n%s", svcName(2+i), err, &text)
				}
			}
		})
	}
}
