package provider

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// script is a Provider that does what the test says and takes note of it.
type script struct {
	do      func(ctx context.Context, name string, attempt int) (Receipt, error)
	observe func(attempt int) (lb.Observed, error)

	mu       sync.Mutex
	calls    []string // names of targets, in the order of Do
	ops      []lb.Op
	attempts map[string]int
	reads    int
	running  int
	most     int // most that were running at a time
}

func (s *script) Observe(context.Context, lb.Scope) (lb.Observed, error) {
	s.mu.Lock()
	s.reads++
	reads := s.reads
	s.mu.Unlock()
	if s.observe != nil {
		return s.observe(reads)
	}
	return lb.Observed{}, nil
}

func (s *script) Do(ctx context.Context, op lb.Op) (Receipt, error) {
	name := op.Target().Name()
	s.mu.Lock()
	if s.attempts == nil {
		s.attempts = map[string]int{}
	}
	s.attempts[name]++
	attempt := s.attempts[name]
	s.calls, s.ops = append(s.calls, name), append(s.ops, op)
	s.running++
	s.most = max(s.most, s.running)
	s.mu.Unlock()
	defer func() { s.mu.Lock(); s.running--; s.mu.Unlock() }()
	if s.do != nil {
		return s.do(ctx, name, attempt)
	}
	return Receipt{Target: op.Target(), Written: true}, nil
}

// slow is a write that takes a second and succeeds.
func slow(ctx context.Context, name string, _ int) (Receipt, error) {
	if err := (realClock{}).Sleep(ctx, time.Second); err != nil {
		return Receipt{Resume: "token of " + name}, err
	}
	return Receipt{Written: true}, nil
}

func pip(name string) lb.ID { return armid.Resource("s", "rg", armid.PublicIPAddresses, name) }

func service(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "default", Name: name}
}

// step writes the public IP called name because the Service of the same name asked for it.
func step(name string, after ...int) lb.Step {
	change := lb.Change{Action: lb.Create, Ref: pip(name), Causes: []lb.Cause{{Service: service(name), Reason: lb.ReasonService}}}
	return lb.Step{Op: lb.PutPublicIP{After: lb.PublicIP{ID: pip(name)}, Changes: []lb.Change{change}}, After: after}
}

func planOf(steps ...lb.Step) lb.Plan { return lb.Plan{Steps: steps} }

func states(r Report) []State {
	var all []State
	for _, s := range r.last().Steps {
		all = append(all, s.State)
	}
	return all
}

func refuse(kind ErrorKind) *OpError {
	return &OpError{Kind: kind, Code: "Code", Err: errors.New("refused")}
}

func TestApplyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &script{do: slow}
		started := time.Now()
		// A diamond, and one that stands alone.
		report, err := Apply(t.Context(), p, planOf(step("a"), step("b", 0), step("c", 0), step("d", 1, 2), step("e")), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("took %v, want the 3s of the longest path", took)
		}
		slices.Sort(p.calls[:2])
		slices.Sort(p.calls[2:4])
		if d := cmp.Diff([]string{"a", "e", "b", "c", "d"}, p.calls); d != "" {
			t.Errorf("calls (-want +got):\n%s", d)
		}
		if report.Writes != 5 || len(report.Services) != 5 || report.Services[service("d")].Err != nil {
			t.Errorf("writes %d, services %v", report.Writes, report.Services)
		}
	})
}

func TestApplyParallel(t *testing.T) {
	var many []lb.Step
	for i := range 20 {
		many = append(many, step(fmt.Sprintf("p%02d", i)))
	}
	for _, tt := range []struct {
		name     string
		steps    []lb.Step
		parallel int
		most     int
		took     time.Duration
	}{
		{"default", many, 0, 8, 3 * time.Second},
		{"one at a time", many, 1, 1, 20 * time.Second},
		{"all", many, 100, 20, time.Second},
		{"below one parent", []lb.Step{rule("r1"), rule("r2"), rule("R3"), step("p")}, 0, 2, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &script{do: slow}
				started := time.Now()
				if _, err := Apply(t.Context(), p, planOf(tt.steps...), &Options{Parallel: tt.parallel}); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(started); took != tt.took || p.most != tt.most {
					t.Errorf("took %v with up to %d at a time, want %v with %d", took, p.most, tt.took, tt.most)
				}
			})
		})
	}
}

// rule writes one rule of the one security group.
func rule(name string, destinations ...lb.Address) lb.Step {
	group := armid.Resource("s", "rg", armid.NetworkSecurityGroups, "nsg")
	ref := group.Child(armid.SecurityRules, name)
	return lb.Step{Op: lb.PutSecurityRule{
		Group: group, After: lb.SecurityRule{Name: name, Destinations: destinations},
		Changes: []lb.Change{{Action: lb.Create, Ref: ref, Causes: []lb.Cause{{Service: service(name)}}}},
	}}
}

func TestApplyFailureStopsOnlyWhatDependsOnIt(t *testing.T) {
	p := &script{do: func(_ context.Context, name string, _ int) (Receipt, error) {
		switch name {
		case "a":
			return Receipt{}, refuse(Terminal)
		case "x":
			return Receipt{}, nil // there already
		}
		return Receipt{Written: true}, nil
	}}
	report, err := Apply(t.Context(), p, planOf(step("a"), step("b", 0), step("c", 1), step("x"), step("y", 3), step("z", 2, 4)), nil)
	want := []State{StateFailed, StateSkipped, StateSkipped, StateUnchanged, StateDone, StateSkipped}
	if d := cmp.Diff(want, states(report)); d != "" {
		t.Errorf("states (-want +got):\n%s", d)
	}
	for i, s := range report.last().Steps {
		waited := -1
		if s.State == StateSkipped {
			waited = 0
		}
		if s.WaitedFor != waited {
			t.Errorf("step %d waited for %d, want %d", i, s.WaitedFor, waited)
		}
	}
	if report.Writes != 1 {
		t.Errorf("%d writes, want 1", report.Writes)
	}
	for name, ok := range map[string]bool{"a": false, "b": false, "c": false, "x": true, "y": true, "z": false} {
		if (report.Services[service(name)].Err == nil) != ok {
			t.Errorf("Service %s: %v", name, report.Services[service(name)].Err)
		}
	}
	e, ok := errors.AsType[*OpError](err)
	if !ok || e.Op.Target().Name() != "a" || KindOf(report.Services[service("c")].Err) != Terminal {
		t.Errorf("error %v: want the one of a", err)
	}
}

// prompt is a jitter without any.
func prompt() float64 { return 0 }

// TestJitter: retries are spread by up to a quarter of the wait and 10s, never earlier than the wait, and the same way for the same numbers.
func TestJitter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    OpError
		jitter float64
		want   time.Duration
	}{
		{"none", OpError{Kind: Retry}, 0, time.Second},
		{"most", OpError{Kind: Retry}, 1, 1250 * time.Millisecond},
		{"on top of what ARM asks for", OpError{Kind: Retry, RetryAfter: 20 * time.Second}, 0.5, 22500 * time.Millisecond},
		{"never more than ten seconds", OpError{Kind: Retry, RetryAfter: time.Hour}, 1, time.Hour + 10*time.Second},
		{"of a dependency", OpError{Kind: Dependency}, 0.2, 5250 * time.Millisecond},
	} {
		o := (&Options{Jitter: func() float64 { return tt.jitter }}).withDefaults()
		if got, again := o.again(&tt.err, 1); got != tt.want || !again {
			t.Errorf("%s: %v, %v; want %v", tt.name, got, again, tt.want)
		}
	}
	random := (*Options)(nil).withDefaults()
	waits := map[time.Duration]bool{}
	for range 100 {
		wait, _ := random.again(&OpError{Kind: Retry, RetryAfter: time.Minute}, 1)
		if waits[wait] = true; wait < time.Minute || wait > 70*time.Second {
			t.Errorf("waits %v when ARM asks for a minute", wait)
		}
	}
	if len(waits) < 50 {
		t.Errorf("%d different waits of 100", len(waits))
	}
}

func TestApplyRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		err      OpError
		fails    int // attempts
		attempts int // option
		calls    int
		took     time.Duration
		want     State
	}{
		{"until it works", OpError{Kind: Retry}, 3, 0, 4, 7 * time.Second, StateDone},
		{"five times", OpError{Kind: Retry}, 9, 0, 5, 15 * time.Second, StateFailed},
		{"backoff has an end", OpError{Kind: Retry}, 99, 9, 9, (1 + 2 + 4 + 8 + 16 + 3*30) * time.Second, StateFailed},
		{"as long as ARM says", OpError{Kind: Retry, RetryAfter: 2 * time.Minute}, 1, 0, 2, 2 * time.Minute, StateDone},
		{"no sooner than the backoff", OpError{Kind: Retry, RetryAfter: time.Millisecond}, 1, 0, 2, time.Second, StateDone},
		{"a dependency three times", OpError{Kind: Dependency}, 9, 0, 3, 15 * time.Second, StateFailed},
		{"never when told so", OpError{Kind: Retry}, 9, 1, 1, 0, StateFailed},
		{"replan not", OpError{Kind: Replan}, 9, 0, 1, 0, StateFailed},
		{"terminal not", OpError{Kind: Terminal}, 9, 0, 1, 0, StateFailed},
		{"unknown not", OpError{Kind: Unknown}, 9, 0, 1, 0, StateUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &script{do: func(_ context.Context, _ string, attempt int) (Receipt, error) {
					if attempt <= tt.fails {
						return Receipt{}, &tt.err
					}
					return Receipt{Written: true}, nil
				}}
				started := time.Now()
				report, err := Apply(t.Context(), p, planOf(step("a")), &Options{Attempts: tt.attempts, Jitter: prompt})
				got := report.last().Steps[0]
				if took := time.Since(started); got.State != tt.want || len(p.calls) != tt.calls || took != tt.took || got.Attempts != tt.calls {
					t.Errorf("%s after %d calls (%d reported) and %v, want %s after %d and %v",
						got.State, len(p.calls), got.Attempts, took, tt.want, tt.calls, tt.took)
				}
				if (err == nil) != (tt.want == StateDone) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestApplyResolves(t *testing.T) {
	address, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	p := &script{do: func(_ context.Context, name string, _ int) (Receipt, error) {
		if name == "a" {
			return Receipt{Written: true, Assigned: []lb.Assigned{{ID: pip("A"), IP: address}}}, nil
		}
		return Receipt{Written: true}, nil
	}}
	open := rule("r", lb.Address{Of: pip("a")}, lb.Address{Of: pip("b")})
	open.After = []int{0}
	if _, err := Apply(t.Context(), p, planOf(step("a"), open), &Options{Known: []lb.Assigned{{ID: pip("b"), IP: other}}}); err != nil {
		t.Fatal(err)
	}
	want := []lb.Address{{IP: address}, {IP: other}}
	if d := cmp.Diff(want, p.ops[1].(lb.PutSecurityRule).After.Destinations, cmp.Comparer(func(a, b lb.Address) bool { return a == b })); d != "" {
		t.Errorf("destinations (-want +got):\n%s", d)
	}

	report, err := Apply(t.Context(), p, planOf(step("a"), open), nil)
	if got := report.last().Steps[1]; got.State != StateFailed || got.Attempts != 0 || !errors.Is(err, ErrUnresolved) || KindOf(err) != Replan {
		t.Errorf("an address that nobody tells: %+v, %v", got, err)
	}
}

func TestApplyCancelled(t *testing.T) {
	for _, tt := range []struct {
		name  string
		takes time.Duration
		drain time.Duration
		want  []State
		took  time.Duration
	}{
		{"a write in flight is waited for", 30 * time.Second, 0, []State{StateDone, StateSkipped, StateSkipped}, 30 * time.Second},
		{"but not for ever", time.Hour, 0, []State{StateUnknown, StateSkipped, StateSkipped}, 61 * time.Second},
		{"or as long as one likes", time.Hour, 5 * time.Second, []State{StateUnknown, StateSkipped, StateSkipped}, 6 * time.Second},
		{"or not at all", time.Hour, -1, []State{StateUnknown, StateSkipped, StateSkipped}, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
				p := &script{do: func(ctx context.Context, name string, _ int) (Receipt, error) {
					if (realClock{}).Sleep(ctx, tt.takes) != nil {
						return Receipt{Resume: "token"}, fmt.Errorf("polling: %w", ctx.Err())
					}
					return Receipt{Written: true}, nil
				}}
				stop := errors.New("pod is going away")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(stop) })
				started := time.Now()
				report, err := Apply(ctx, p, planOf(step("a"), step("b"), step("c", 0)), &Options{Parallel: 1, Drain: tt.drain})
				if took := time.Since(started); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if d := cmp.Diff(tt.want, states(report)); d != "" {
					t.Errorf("states (-want +got):\n%s", d)
				}
				steps := report.last().Steps
				if !errors.Is(err, stop) || !errors.Is(steps[1].Err, stop) || steps[1].WaitedFor != -1 {
					t.Errorf("error %v, second step %+v: want the cause of the context", err, steps[1])
				}
				if steps[0].State == StateUnknown && steps[0].Receipt.Resume != "token" {
					t.Error("no token to resume with")
				}
			})
		})
	}
}

func TestApplyCancelledWhileWaitingToRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &script{do: func(context.Context, string, int) (Receipt, error) {
			return Receipt{}, &OpError{Kind: Retry, RetryAfter: time.Hour}
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := time.Now()
		report, err := Apply(ctx, p, planOf(step("a")), nil)
		if got := report.last().Steps[0]; time.Since(started) != time.Second || got.State != StateFailed || len(p.calls) != 1 || KindOf(err) != Retry {
			t.Errorf("after %v: %+v, %v", time.Since(started), got, err)
		}
	})
}

func TestApplyCancelledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := &script{}
	report, err := Apply(ctx, p, planOf(step("a")), nil)
	if !errors.Is(err, context.Canceled) || len(p.calls) != 0 || report.last().Steps[0].State != StateSkipped {
		t.Errorf("%v, %d calls, %+v", err, len(p.calls), report)
	}
}

func TestApplyForeignErrorLeavesItOpen(t *testing.T) {
	cause := errors.New("connection reset")
	p := &script{do: func(context.Context, string, int) (Receipt, error) { return Receipt{}, cause }}
	report, err := Apply(t.Context(), p, planOf(step("a")), nil)
	if report.last().Steps[0].State != StateUnknown || !errors.Is(err, cause) {
		t.Errorf("%+v, %v", report.last().Steps[0], err)
	}
}

func TestApplyRefusesMalformedPlans(t *testing.T) {
	for name, plan := range map[string]lb.Plan{
		"no operation":     planOf(lb.Step{}),
		"after itself":     planOf(step("a", 0)),
		"after later ones": planOf(step("a", 1), step("b")),
		"after nothing":    planOf(step("a", -1)),
	} {
		p := &script{}
		if _, err := Apply(t.Context(), p, plan, nil); !errors.Is(err, ErrPlan) || len(p.calls) > 0 {
			t.Errorf("%s: %v after %d calls", name, err, len(p.calls))
		}
	}
}

func TestApplyDryRun(t *testing.T) {
	p := &script{}
	report, err := Apply(t.Context(), p, planOf(step("a"), step("b", 0)), &Options{DryRun: true})
	if d := cmp.Diff([]State{StatePlanned, StatePlanned}, states(report)); d != "" || err != nil || len(p.calls) > 0 {
		t.Errorf("%v, %d calls\n%s", err, len(p.calls), d)
	}
}

func TestApplyEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &script{do: func(_ context.Context, name string, attempt int) (Receipt, error) {
			if name == "b" && attempt == 1 {
				return Receipt{}, refuse(Retry)
			}
			return slow(t.Context(), name, attempt)
		}}
		var got []string
		o := &Options{Jitter: prompt, OnEvent: func(e Event) { // no lock: one at a time
			switch e := e.(type) {
			case StepStarted:
				got = append(got, fmt.Sprintf("%d started", e.Index))
			case StepRetried:
				got = append(got, fmt.Sprintf("%d retried after attempt %d in %v", e.Index, e.Attempt, e.Wait))
			case StepDone:
				got = append(got, fmt.Sprintf("%d %s took %v", e.Index, e.State, e.Took))
			}
		}}
		if _, err := Apply(t.Context(), p, planOf(step("a"), step("b", 0)), o); err != nil {
			t.Fatal(err)
		}
		want := []string{"0 started", "0 done took 1s", "1 started", "1 retried after attempt 1 in 1s", "1 done took 2s"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("events (-want +got):\n%s", d)
		}
	})
}
