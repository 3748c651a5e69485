package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// world is a planner and a Provider at once: one load balancer on which every Service has a frontend, and whose PUT is refused while it
// holds a bad one.
type world struct {
	script
	has   map[string]bool // frontends
	bad   map[string]bool
	named bool // the refusal names the frontend
	code  string
	over  error // of the guard
	puts  int
	mute  int // how many times statuses are not known
	azure sync.Mutex
}

var balancer = armid.Resource("s", "rg", armid.LoadBalancers, "kubernetes")

func frontend(name string) lb.ID { return balancer.Child(armid.FrontendIPConfigurations, name) }

func (w *world) scope(lb.Cluster, lb.Objects) lb.Scope { return lb.Scope{} }

func (w *world) guard(_ lb.Cluster, in lb.Objects, _ lb.Observed, _ int) (lb.Objects, error) {
	return in, w.over
}

func (w *world) plan(_ lb.Cluster, in lb.Objects, _ lb.Observed) (want lb.Desired, plan lb.Plan, err error) {
	w.azure.Lock()
	defer w.azure.Unlock()
	var changes []lb.Change
	for i := range in.Services {
		name := nameOf(&in.Services[i])
		_, held := in.Rejected[name]
		held = held || len(in.Only) > 0 && !slices.Contains(in.Only, name)
		if in.Services[i].DeletionTimestamp == nil {
			want.Services = append(want.Services, lb.ServiceResult{Service: name, Held: held})
		}
		if held || w.has[name.Name] == (in.Services[i].DeletionTimestamp == nil) {
			continue
		}
		action := lb.Create
		if w.has[name.Name] {
			action = lb.Delete
		}
		changes = append(changes, lb.Change{Action: action, Ref: frontend(name.Name), Causes: []lb.Cause{{Service: name}}})
	}
	if len(changes) > 0 {
		plan.Steps = []lb.Step{{Op: lb.PutLoadBalancer{After: lb.LoadBalancer{ID: balancer}, Changes: changes}}}
	}
	return want, plan, nil
}

func (w *world) status(want lb.Desired, _ []lb.Assigned) map[types.NamespacedName]corev1.LoadBalancerStatus {
	w.azure.Lock()
	defer w.azure.Unlock()
	all := map[types.NamespacedName]corev1.LoadBalancerStatus{}
	if w.mute > 0 {
		w.mute--
		return nil
	}
	for _, s := range want.Services {
		var status corev1.LoadBalancerStatus
		if w.has[s.Service.Name] {
			status.Ingress = []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}
		}
		all[s.Service] = status
	}
	return all
}

// Do is the PUT of the load balancer.
func (w *world) Do(ctx context.Context, op lb.Op) (Receipt, error) {
	w.puts++
	if w.do != nil {
		if receipt, err := w.do(ctx, op.Target().Name(), w.puts); err != nil {
			return receipt, err
		}
	}
	w.azure.Lock()
	defer w.azure.Unlock()
	for _, change := range op.Why() {
		if name := change.Ref.Name(); w.bad[name] {
			e := &OpError{Kind: Terminal, Status: http.StatusBadRequest, Code: w.code, Err: errors.New("no")}
			if w.named {
				e.SubResource, e.Named = change.Ref, []lb.ID{change.Ref}
			}
			return Receipt{}, e
		}
	}
	for _, change := range op.Why() {
		w.has[change.Ref.Name()] = change.Action == lb.Create
	}
	return Receipt{Target: op.Target(), Written: true}, nil
}

func newWorld(services int, bad ...string) (*world, lb.Objects) {
	w := &world{has: map[string]bool{}, bad: map[string]bool{}, code: "Bad"}
	for _, name := range bad {
		w.bad[name] = true
	}
	var in lb.Objects
	for i := range services {
		in.Services = append(in.Services, corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("s%03d", i)}})
	}
	return w, in
}

func (w *world) reconciler(o *Options) *Reconciler {
	r := NewReconciler(w, lb.Cluster{}, o)
	r.planner = w
	return r
}

func TestSyncConverges(t *testing.T) {
	w, in := newWorld(3)
	r := w.reconciler(nil)
	report, err := r.Sync(t.Context(), in)
	if err != nil || len(report.Rounds) != 1 || report.Writes != 1 || w.reads != 1 {
		t.Fatalf("%v, %d rounds, %d writes, %d reads", err, len(report.Rounds), report.Writes, w.reads)
	}
	if s := report.Services[service("s001")]; s.Status == nil || len(s.Status.Ingress) != 1 || s.Err != nil || s.Held {
		t.Errorf("s001: %+v", s)
	}
	report, err = r.Sync(t.Context(), in)
	if err != nil || report.Writes != 0 || w.reads != 2 || len(report.Services) != 3 {
		t.Errorf("again: %v, %d writes, %d reads, %d Services", err, report.Writes, w.reads, len(report.Services))
	}
}

func TestSyncHoldsWhoIsRejected(t *testing.T) {
	for _, tt := range []struct {
		name     string
		services int
		bad      []string
		named    bool
		most     int // writes, at most
	}{
		{"named", 50, []string{"s007"}, true, 2},
		{"two named", 50, []string{"s007", "s031"}, true, 3},
		{"alone", 1, []string{"s000"}, false, 1},
		{"found by halves", 50, []string{"s007"}, false, 13},
		{"found by halves, the last", 64, []string{"s063"}, false, 13},
		{"two found by halves", 16, []string{"s003", "s012"}, false, 20},
		{"all of a few", 4, []string{"s000", "s001", "s002", "s003"}, false, 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, in := newWorld(tt.services, tt.bad...)
			w.named = tt.named
			var told []string
			report, err := w.reconciler(&Options{OnEvent: func(e Event) {
				if e, ok := e.(ServiceRejected); ok {
					told = append(told, e.Service.Name)
				}
			}}).Sync(t.Context(), in)
			for _, s := range in.Services {
				got := report.Services[nameOf(&s)]
				if bad := w.bad[s.Name]; w.has[s.Name] == bad || (got.Err != nil) != bad || got.Held != bad {
					t.Errorf("%s is there: %t; %+v", s.Name, w.has[s.Name], got)
				}
			}
			slices.Sort(told)
			if d := cmp.Diff(tt.bad, told); d != "" {
				t.Errorf("rejected (-want +got):\n%s", d)
			}
			if w.puts > tt.most {
				t.Errorf("%d writes, want at most %d", w.puts, tt.most)
			}
			e, ok := errors.AsType[*ServiceError](err)
			if !ok || e.Service.Name != tt.bad[0] || KindOf(e) != Terminal {
				t.Errorf("error %v", err)
			}
			if in.Rejected != nil {
				t.Error("the caller's objects were changed")
			}
		})
	}
}

func TestSyncDoesNotBlameServicesForEverybodysTrouble(t *testing.T) {
	w, in := newWorld(10)
	w.do = func(context.Context, string, int) (Receipt, error) {
		return Receipt{}, &OpError{Kind: Terminal, Status: http.StatusForbidden, Code: "AuthorizationFailed", Err: errors.New("no")}
	}
	report, err := w.reconciler(nil).Sync(t.Context(), in)
	if w.puts != 1 || KindOf(err) != Terminal || report.Services[service("s003")].Held || report.Services[service("s003")].Err == nil {
		t.Errorf("%d writes, %v, %+v", w.puts, err, report.Services[service("s003")])
	}
}

func TestSyncGivesUpOnSearching(t *testing.T) {
	w, in := newWorld(200)
	for _, s := range in.Services {
		w.bad[s.Name] = true
	}
	report, err := w.reconciler(nil).Sync(t.Context(), in)
	if w.puts > maxRounds || err == nil {
		t.Errorf("%d writes, %v", w.puts, err)
	}
	for _, s := range in.Services {
		if report.Services[nameOf(&s)].Err == nil {
			t.Errorf("%s has no error", s.Name)
		}
	}
}

func TestSyncPlansAgain(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kind  ErrorKind
		fails int
		puts  int
		ok    bool
	}{
		{"once", Replan, 1, 2, true},
		{"three times", Replan, 3, 4, true},
		{"not four times", Replan, 4, 4, false},
		{"when the outcome is unknown", Unknown, 1, 2, true},
		{"not when ARM is busy, after five attempts", Retry, 99, 5, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, in := newWorld(2)
				w.do = func(_ context.Context, _ string, put int) (Receipt, error) {
					if put <= tt.fails {
						return Receipt{}, refuse(tt.kind)
					}
					return Receipt{}, nil
				}
				report, err := w.reconciler(nil).Sync(t.Context(), in)
				if w.puts != tt.puts || (err == nil) != tt.ok || (report.Services[service("s000")].Err == nil) != tt.ok {
					t.Errorf("%d writes, %v, want %d", w.puts, err, tt.puts)
				}
			})
		})
	}
}

func TestSyncReadsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, in := newWorld(1)
		w.observe = func(attempt int) (lb.Observed, error) {
			if attempt == 1 {
				return lb.Observed{}, &OpError{Kind: Retry, RetryAfter: time.Minute}
			}
			return lb.Observed{}, nil
		}
		started := time.Now()
		if _, err := w.reconciler(&Options{Jitter: prompt}).Sync(t.Context(), in); err != nil || w.reads != 2 || time.Since(started) != time.Minute {
			t.Errorf("%v, %d reads, %v", err, w.reads, time.Since(started))
		}
		w.observe = func(int) (lb.Observed, error) { return lb.Observed{}, refuse(Terminal) }
		if report, err := w.reconciler(nil).Sync(t.Context(), in); KindOf(err) != Terminal || len(report.Rounds) > 0 || w.reads != 3 {
			t.Errorf("%v, %d rounds, %d reads", err, len(report.Rounds), w.reads)
		}
	})
}

func TestSyncRefusesNoInput(t *testing.T) {
	w, _ := newWorld(0)
	nodes := lb.Objects{Nodes: []corev1.Node{{}}}
	for name, in := range map[string]lb.Objects{"nothing": {}, "nodes alone": nodes} {
		if _, err := w.reconciler(nil).Sync(t.Context(), in); !errors.Is(err, ErrNoInput) || w.reads > 0 || w.puts > 0 {
			t.Errorf("%s: %v after %d reads and %d writes, want %v before any", name, err, w.reads, w.puts, ErrNoInput)
		}
		if _, err := w.reconciler(&Options{AllowEmpty: true}).Sync(t.Context(), in); err != nil {
			t.Errorf("%s, allowed: %v", name, err)
		}
		w.reads, w.puts = 0, 0
	}
	nodes.KeepGone = true
	if _, err := w.reconciler(nil).Sync(t.Context(), nodes); err != nil {
		t.Errorf("nothing that could be lost: %v", err)
	}
}

func TestSyncSaysWhatTheGuardKept(t *testing.T) {
	w, in := newWorld(2)
	w.over = &RemovalError{Services: []string{"default/x", "default/y"}, Observed: 3, Max: 1}
	report, err := w.reconciler(nil).Sync(t.Context(), in)
	if !errors.Is(err, ErrRemovalGuard) || report.Writes != 1 {
		t.Errorf("%v, %d writes", err, report.Writes)
	}
	w, in = newWorld(2)
	w.over = ErrRemovalGuard
	if _, err := w.reconciler(&Options{MaxRemovals: -1, AllowEmpty: true}).Sync(t.Context(), in); err != nil {
		t.Errorf("switched off: %v", err)
	}
}

func TestEnsure(t *testing.T) {
	w, in := newWorld(3, "s002")
	r := w.reconciler(nil)
	status, err := r.Ensure(t.Context(), in, service("s001"))
	if err != nil || len(status.Ingress) != 1 || w.has["s000"] {
		t.Errorf("%v, %v, %v", status, err, w.has)
	}
	if _, err := r.Ensure(t.Context(), in, service("s002")); !errors.Is(err, ErrHeld) || KindOf(err) != Terminal {
		t.Errorf("rejected: %v", err)
	}
	if _, err := r.Ensure(t.Context(), in, service("none")); !errors.Is(err, ErrNoService) {
		t.Errorf("not there: %v", err)
	}
}

func TestStatusThatNobodyTells(t *testing.T) {
	w, in := newWorld(1)
	w.mute = 1
	if status, err := w.reconciler(nil).Ensure(t.Context(), in, service("s000")); err != nil || len(status.Ingress) != 1 || w.reads != 2 || w.puts != 1 {
		t.Errorf("known after reading again: %v, %v, %d reads", status, err, w.reads)
	}
	w.mute = 99
	if _, err := w.reconciler(nil).Ensure(t.Context(), in, service("s000")); !errors.Is(err, ErrUnresolved) || w.reads != 3 {
		t.Errorf("never known: %v, %d reads", err, w.reads)
	}
	if _, err := w.reconciler(nil).Sync(t.Context(), in); !errors.Is(err, ErrUnresolved) {
		t.Errorf("Sync: %v", err)
	}
}

func TestDelete(t *testing.T) {
	w, in := newWorld(3)
	r := w.reconciler(nil)
	if _, err := r.Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), in, service("s001")); err != nil || w.has["s001"] || !w.has["s002"] {
		t.Errorf("%v, %v", err, w.has)
	}
	if in.Services[1].DeletionTimestamp != nil || in.Only != nil {
		t.Error("the caller's objects were changed")
	}
	if err := r.Delete(t.Context(), in, service("s001")); err != nil {
		t.Errorf("twice: %v", err)
	}
	w.bad["s002"] = true
	if err := r.Delete(t.Context(), in, service("s002")); !errors.Is(err, ErrHeld) {
		t.Errorf("refused: %v", err)
	}
	w.observe = func(int) (lb.Observed, error) { return lb.Observed{}, refuse(Terminal) }
	if err := r.Delete(t.Context(), in, service("s000")); KindOf(err) != Terminal {
		t.Errorf("not even read: %v", err)
	}
}

func TestDryRun(t *testing.T) {
	w, in := newWorld(2)
	r := w.reconciler(&Options{DryRun: true})
	report, err := r.Sync(t.Context(), in)
	if err != nil || w.puts > 0 || len(report.Plan().Steps) != 1 {
		t.Errorf("%v, %d writes, %d steps", err, w.puts, len(report.Plan().Steps))
	}
	if _, err := r.Ensure(t.Context(), in, service("s000")); !errors.Is(err, ErrDryRun) {
		t.Errorf("Ensure: %v", err)
	}
}

func TestWritesOfOneResourceTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, in := newWorld(2)
		w.do = slow
		r := w.reconciler(nil)
		go func() { _, _ = r.Sync(t.Context(), in) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := r.Sync(ctx, in); !errors.Is(err, context.DeadlineExceeded) || w.puts != 1 {
			t.Errorf("impatient: %v after %d writes", err, w.puts)
		}
		if _, err := r.Ensure(t.Context(), in, service("s000")); err != nil || w.puts != 1 {
			t.Errorf("patient: %v after %d writes", err, w.puts)
		}
	})
}

func TestSyncCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, in := newWorld(4, "s001")
		w.do = slow
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		report, err := w.reconciler(nil).Sync(ctx, in)
		if !errors.Is(err, context.DeadlineExceeded) || w.puts != 1 || len(report.Rounds) != 1 {
			t.Errorf("%v, %d writes, %d rounds", err, w.puts, len(report.Rounds))
		}
	})
}
