package provider

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/azlb/azlb/internal/safelog"
	"github.com/azlb/azlb/lb"
)

// Options tunes [Apply] and [NewReconciler]. A nil *Options means every default below.
type Options struct {
	// Parallel is how many steps may run at a time. Zero means 8, and 64 for a [Reconciler], where it counts the steps of all calls together:
	// what there are many of are public IPs, which do not touch each other.
	Parallel int
	// Attempts is how often an operation is tried in all when ARM answers that the same may be sent again. Zero means 5. An operation that
	// waits for something it refers to is tried at most 3 times.
	Attempts int
	// Clock tells the time and waits between attempts. Nil means the real one.
	Clock Clock
	// Jitter returns numbers from 0 to less than 1 that spread retries, so that clients which were refused together do not come back
	// together: a wait is longer by that part of a quarter of it, at most 10s, and never shorter than what ARM asks for. It may be called
	// from several goroutines. Nil means random ones; with those of a seed a run can be repeated.
	Jitter func() float64
	// Drain is how long writes in flight are waited for after the context was cancelled, in real time whatever Clock says, since somebody is
	// waiting for the process to end. Then their own context ends, and who does not heed that is left to itself a moment later. Zero means
	// 60s; negative: not at all.
	Drain time.Duration
	// Logger gets one record per step, retry and plan. Nil discards them.
	Logger *slog.Logger
	// OnEvent is told what happens, one event at a time. It must return quickly and not call what it is an option of: a call waits for it, but
	// once its context has ended no longer than for writes in flight. If it panics, that is an error of the call, which goes on. Nil: nobody
	// listens.
	OnEvent func(Event)
	// Rates make writes wait for a token each, before they are sent; reads and polls are the provider's to count. Nil means those of the
	// provider, if it is a [RatedProvider], else that nothing waits; so do rates of a zero [Budget].
	Rates *Rates
	// Region is where the requests are counted, for Rates. Empty means that of the cluster for a [Reconciler], and none for [Apply].
	Region string
	// Known are addresses that steps may refer to and that no step of the plan assigns.
	Known []lb.Assigned
	// DryRun reports what would be done and writes nothing.
	DryRun bool
	// MaxAge is how old what a [Reconciler] has read may be for [Reconciler.Ensure] and [Reconciler.Delete] to plan from it; what was written
	// since is known anyway. Zero means 5m; negative: read for every call. [Reconciler.Sync] always reads.
	MaxAge time.Duration
	// MaxRemovals is the removal guard of [Reconciler.Sync]: how many Services may lose what they have in one call, unless that is half of
	// them or less. Zero means 10; negative: any number.
	MaxRemovals int
	// AllowEmpty lets [Reconciler.Sync] take an input without any Service for what it says: everything of all Services is to go, as far as
	// MaxRemovals lets it. Without it such an input is [ErrNoInput].
	AllowEmpty bool
	// Survey lists all public IPs and private link services of the subscription besides, at the first reading and whenever everything is read: two
	// reads, which tell of what was left in a resource group that nothing names any more ([lb.Scope].Survey). Where the identity may not list a
	// subscription, nothing is told.
	Survey bool
	// ReleaseClasses are added to those of the cluster, [lb.Cluster.ReleaseClasses], by [NewReconciler].
	ReleaseClasses []string
}

// Clock is the time as far as waiting is concerned.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx is done and returns its error then.
	Sleep(ctx context.Context, d time.Duration) error
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withDefaults returns a copy of o in which everything is set.
func (o *Options) withDefaults() Options {
	var all Options
	if o != nil {
		all = *o
	}
	if all.Parallel <= 0 {
		all.Parallel = 8
	}
	if all.Attempts <= 0 {
		all.Attempts = 5
	}
	if all.Clock == nil {
		all.Clock = realClock{}
	}
	if all.Jitter == nil {
		all.Jitter = rand.Float64
	}
	if all.Drain == 0 {
		all.Drain = time.Minute
	}
	if all.Logger == nil {
		all.Logger = slog.New(slog.DiscardHandler)
	}
	all.Logger = safelog.Wrap(all.Logger)
	if all.OnEvent == nil {
		all.OnEvent = func(Event) {}
	}
	if all.MaxAge == 0 {
		all.MaxAge = 5 * time.Minute
	}
	if all.MaxRemovals == 0 {
		all.MaxRemovals = 10
	}
	return all
}

// How long to wait before the next attempt if ARM asks for no more: twice as long each time.
const (
	firstRetry      = time.Second
	firstDependency = 5 * time.Second
	lastRetry       = 30 * time.Second
	dependencyTries = 3
	mostJitter      = 10 * time.Second
)

// again reports whether an operation that failed for the attempt-th time with e is tried again, and after which delay.
func (o *Options) again(e *OpError, attempt int) (time.Duration, bool) {
	first, tries := firstRetry, o.Attempts
	switch e.Kind {
	case Retry:
	case Dependency:
		first, tries = firstDependency, min(o.Attempts, dependencyTries)
	default:
		return 0, false
	}
	backoff := lastRetry
	if attempt < 6 {
		backoff = min(first<<(attempt-1), lastRetry)
	}
	if attempt >= tries {
		return 0, false
	}
	wait := max(e.RetryAfter, backoff)
	return wait + time.Duration(o.Jitter()*float64(min(wait/4, mostJitter))), true
}
