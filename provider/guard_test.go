package provider_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// rude is a Provider that does not keep to what the interface asks: observe and do come before what the other one does.
type rude struct {
	provider.Provider
	observe, do func()
}

func (r rude) Observe(ctx context.Context, s lb.Scope) (lb.Observed, error) {
	if r.observe != nil {
		r.observe()
	}
	return r.Provider.Observe(ctx, s)
}

func (r rude) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	if r.do != nil {
		r.do()
	}
	return r.Provider.Do(ctx, op)
}

// rudeness is what code of others may do instead of returning.
type rudeness struct {
	name  string
	want  error // that the call's wraps
	stuck bool  // the call ends only once its context has
	act   func(release <-chan struct{})
}

var rudenesses = []rudeness{
	{"panics", provider.ErrPanic, false, func(<-chan struct{}) { panic("surprise") }},
	{"panics with an error", provider.ErrPanic, false, func(<-chan struct{}) { panic(errors.New("surprise")) }},
	{"ends its goroutine", provider.ErrPanic, false, func(<-chan struct{}) { runtime.Goexit() }},
	{"ignores its context", provider.ErrStuck, true, func(release <-chan struct{}) { <-release }},
}

// soon is how long after Drain a call may still take: code of others has a moment to notice that nobody waits.
const soon = time.Second

// ways are the methods that call code of others, in a cluster with two Services of which the second is new.
var ways = map[string]func(ctx context.Context, r *provider.Reconciler, p provider.Provider, o *provider.Options) error{
	"Apply": func(ctx context.Context, _ *provider.Reconciler, p provider.Provider, o *provider.Options) error {
		in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(2)}
		seen, err := p.(rude).Provider.Observe(ctx, lb.ScopeOf(lbtest.Cluster(), in))
		if err != nil {
			return err
		}
		want, _ := lb.Build(lbtest.Cluster(), in, seen)
		plan, err := lb.Diff(seen, lb.Adopt(seen, want))
		if err != nil {
			return err
		}
		_, err = provider.Apply(ctx, p, plan, o)
		return err
	},
	"Sync": func(ctx context.Context, r *provider.Reconciler, _ provider.Provider, _ *provider.Options) error {
		_, err := r.Sync(ctx, lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(2)})
		return err
	},
	"Ensure": func(ctx context.Context, r *provider.Reconciler, _ provider.Provider, _ *provider.Options) error {
		_, err := r.Ensure(ctx, lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(2)}, svcName(1))
		return err
	},
	"Delete": func(ctx context.Context, r *provider.Reconciler, _ provider.Provider, _ *provider.Options) error {
		return r.Delete(ctx, lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(2)}, svcName(0))
	},
}

// events that the ways tell of, each by itself.
var told = map[string]func(provider.Event) bool{
	"Planned":          func(e provider.Event) bool { _, ok := e.(provider.Planned); return ok },
	"StepStarted":      func(e provider.Event) bool { _, ok := e.(provider.StepStarted); return ok },
	"StepDone":         func(e provider.Event) bool { _, ok := e.(provider.StepDone); return ok },
	"ServiceConverged": func(e provider.Event) bool { _, ok := e.(provider.ServiceConverged); return ok },
	"DriftFound":       func(e provider.Event) bool { _, ok := e.(provider.DriftFound); return ok },
}

// TestRudeCodeOfOthers: a Provider or an OnEvent that panics or does not return ends in an error of the call, which is over within Drain of the
// end of its context, and so is Close. A polite call afterwards finds nothing of it.
func TestRudeCodeOfOthers(t *testing.T) {
	for way, call := range ways {
		for _, bad := range rudenesses {
			for _, where := range []string{"Observe", "Do", "Planned", "StepStarted", "StepDone", "ServiceConverged", "DriftFound"} {
				if way == "Apply" && (where == "Observe" || where == "Planned" || where == "ServiceConverged" || where == "DriftFound") {
					continue // not called, or not told, by Apply
				}
				t.Run(fmt.Sprintf("%s/%s/%s", way, where, bad.name), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { beRude(t, call, bad, where) })
				})
			}
		}
	}
}

func beRude(t *testing.T, call func(context.Context, *provider.Reconciler, provider.Provider, *provider.Options) error, bad rudeness, where string) {
	const drain = 20 * time.Second
	cloud, release := timedCloud(t), make(chan struct{})
	defer close(release)
	var armed, met atomic.Bool
	act := func() {
		if armed.Load() {
			met.Store(true)
			bad.act(release)
		}
	}
	p := rude{Provider: cloud}
	o := &provider.Options{Drain: drain, MaxAge: -1, OnEvent: func(e provider.Event) {
		if is := told[where]; is != nil && is(e) {
			act()
		}
	}}
	switch where {
	case "Observe":
		p.observe = act
	case "Do":
		p.do = act
	}
	r := provider.NewReconciler(p, lbtest.Cluster(), o)
	if _, err := r.Sync(t.Context(), lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(2)}); err != nil {
		t.Fatal(err)
	}
	for _, id := range cloud.IDs() {
		if id.Is(armid.LoadBalancers) { // so that there is drift to tell of
			if err := cloud.Merge(id, armwire.Object{"tags": armwire.Object{"touched": "yes"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	armed.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	start := time.Now()
	err := call(ctx, r, p, o)
	most := drain + soon
	if bad.stuck {
		most += time.Minute
	}
	if took := time.Since(start); took > most {
		t.Errorf("the call took %v, want at most %v", took, most)
	}
	// Who waits for a reading alone leaves at once when its context ends, and what is stuck is seen to by Close.
	if !met.Load() || err == nil || !errors.Is(err, bad.want) && !(bad.stuck && errors.Is(err, context.DeadlineExceeded)) {
		t.Errorf("met: %v, error %v: want %v", met.Load(), err, bad.want)
	}
	start = time.Now()
	if err := r.Close(); err != nil || time.Since(start) > drain+soon {
		t.Errorf("Close: %v after %v, want none within %v", err, time.Since(start), drain+soon)
	}
	armed.Store(false)
	polite := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
	in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(2)}
	if _, err := polite.Sync(t.Context(), in); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	checkResync(t, cloud, in)
}

// A call does not wait for a reading that is stuck and that nobody else waits for any more.
func TestStuckReadingIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, release := timedCloud(t), make(chan struct{})
		defer close(release)
		var reads atomic.Int64
		p := rude{Provider: cloud, observe: func() {
			if reads.Add(1) == 1 {
				<-release
			}
		}}
		r := provider.NewReconciler(p, lbtest.Cluster(), nil)
		in := lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(2)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Sync(ctx, in); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("first call: %v, want that its context has ended", err)
		}
		start := time.Now()
		if _, err := r.Sync(t.Context(), in); err != nil || time.Since(start) > 10*time.Second {
			t.Errorf("second call: %v after %v", err, time.Since(start))
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}
