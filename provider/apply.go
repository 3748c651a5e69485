package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/azlb/azlb/lb"
)

// Apply carries plan out: each step once all steps it comes after have succeeded, as many at a time as o.Parallel allows, and never two in
// one top-level resource. References to addresses that only a write tells are resolved before p sees an operation.
//
// A step that fails stops what comes after it and nothing else. What ARM says may be sent again is sent again, after the delay it asks for.
// When ctx is cancelled no further step starts and none is tried again; writes in flight go on for o.Drain on a context of their own and
// are reported as [StateUnknown] if they have no answer then. Apply returns when no write is in flight, for which p must respect the
// context of [Provider.Do].
//
// The error joins those of the failed steps, each an [*OpError], and the cause of ctx if steps were left for it; the report has them all.
func Apply(ctx context.Context, p Provider, plan lb.Plan, o *Options) (Report, error) {
	if err := check(plan); err != nil {
		return Report{}, err
	}
	opts := o.withDefaults()
	r := newRun(p, plan, &opts)
	if opts.DryRun {
		r.pretend()
	} else {
		r.all(ctx)
	}
	round := Round{Plan: plan, Steps: r.steps}
	report := Report{Rounds: []Round{round}, Writes: r.writes, Services: round.services(), Findings: plan.Findings}
	err := round.err()
	if round.stopped() {
		err = errors.Join(err, context.Cause(ctx))
	}
	return report, err
}

// check refuses a plan that could not be carried out to its end.
func check(plan lb.Plan) error {
	for i, step := range plan.Steps {
		if step.Op == nil {
			return fmt.Errorf("%w: step %d has no operation", ErrPlan, i)
		}
		for _, before := range step.After {
			if before < 0 || before >= i {
				return fmt.Errorf("%w: step %d comes after step %d: want an earlier one", ErrPlan, i, before)
			}
		}
	}
	return nil
}

// run is one plan being carried out. All fields belong to the goroutine that called Apply, but for emit.
type run struct {
	provider  Provider
	opts      *Options
	plan      lb.Plan
	steps     []StepReport
	followers [][]int         // by step: those that come after it
	missing   []int           // by step: how many it waits for
	ready     []int           // steps that wait for nothing, sorted
	busy      map[string]bool // top-level resources that are being written
	running   int
	known     []lb.Assigned
	writes    int
	ended     chan ending
	telling   sync.Mutex
}

// ending is the end of one step.
type ending struct {
	index    int
	receipt  Receipt
	err      *OpError
	attempts int
	took     time.Duration
}

func newRun(p Provider, plan lb.Plan, opts *Options) *run {
	n := len(plan.Steps)
	r := &run{
		provider: p, opts: opts, plan: plan, steps: make([]StepReport, n),
		followers: make([][]int, n), missing: make([]int, n), busy: map[string]bool{},
		known: slices.Clone(opts.Known), ended: make(chan ending),
	}
	for i, step := range plan.Steps {
		r.steps[i].WaitedFor = -1
		r.missing[i] = len(step.After)
		for _, before := range step.After {
			r.followers[before] = append(r.followers[before], i)
		}
		if len(step.After) == 0 {
			r.ready = append(r.ready, i)
		}
	}
	return r
}

// pretend is a dry run.
func (r *run) pretend() {
	for i := range r.steps {
		r.steps[i].State = StatePlanned
	}
}

// all runs every step that can be run and returns when none is running.
func (r *run) all(ctx context.Context) {
	work, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	stop := ctx.Done()
	var drained sync.WaitGroup
	waiting, settle := context.WithCancel(context.WithoutCancel(ctx))
	// Deferred calls run last to first: stop waiting, then wait for the one who waits.
	defer drained.Wait()
	defer settle()
	for {
		if ctx.Err() == nil {
			r.start(ctx, work)
		}
		if r.running == 0 {
			break
		}
		select {
		case end := <-r.ended:
			r.finish(end)
		case <-stop:
			stop = nil // once
			drained.Go(func() {
				if r.opts.Drain < 0 || (realClock{}).Sleep(waiting, r.opts.Drain) == nil {
					abandon()
				}
			})
		}
	}
	r.leave(ctx)
}

// start starts the steps that are ready, lowest index first, as far as limits allow.
func (r *run) start(ctx, work context.Context) {
	for at := 0; at < len(r.ready) && r.running < r.opts.Parallel; {
		i := r.ready[at]
		step := r.plan.Steps[i]
		if r.busy[topOf(step)] {
			at++
			continue
		}
		r.ready = slices.Delete(r.ready, at, at+1)
		op, open := lb.Resolve(step.Op, r.known)
		r.tell(StepStarted{Index: i, Step: step})
		if len(open) > 0 {
			r.record(ending{index: i, err: unresolved(op, open)})
			continue
		}
		r.busy[topOf(step)] = true
		r.running++
		go func() { r.ended <- r.try(ctx, work, i, op) }()
	}
}

func topOf(step lb.Step) string { return step.Op.Target().Top().Key() }

func unresolved(op lb.Op, open []lb.ID) *OpError {
	names := make([]string, len(open))
	for i, id := range open {
		names[i] = id.Name()
	}
	return &OpError{
		Op: op, Kind: Replan, Remedy: "read again and plan again",
		Err: fmt.Errorf("%w: %s", ErrUnresolved, strings.Join(names, ", ")),
	}
}

// try makes attempts at one operation until it succeeds, fails for good, or ctx is done. Only writes have the context work.
func (r *run) try(ctx, work context.Context, i int, op lb.Op) ending {
	started := r.opts.Clock.Now()
	end := ending{index: i}
	for {
		end.attempts++
		receipt, err := r.provider.Do(work, op)
		end.receipt, end.err = receipt, nil
		if err == nil {
			break
		}
		end.err = asOpError(op, err)
		if work.Err() != nil && errors.Is(err, context.Canceled) {
			end.err.Kind = Unknown // abandoned, whatever p makes of it
		}
		wait, again := r.opts.again(end.err, end.attempts)
		if !again || ctx.Err() != nil {
			break
		}
		r.tell(StepRetried{Index: i, Step: r.plan.Steps[i], Attempt: end.attempts, Err: end.err, Wait: wait})
		r.opts.Logger.Warn("trying again", "target", op.Target(), "attempt", end.attempts, "wait", wait, "error", end.err)
		if r.opts.Clock.Sleep(ctx, wait) != nil {
			break
		}
	}
	end.took = r.opts.Clock.Now().Sub(started)
	return end
}

// finish takes note of a step that ran.
func (r *run) finish(end ending) {
	r.running--
	delete(r.busy, topOf(r.plan.Steps[end.index]))
	r.record(end)
}

// record writes the report of a step and releases or skips what comes after it.
func (r *run) record(end ending) {
	step := &r.steps[end.index]
	step.Receipt, step.Attempts = end.receipt, end.attempts
	if end.receipt.Written {
		r.writes++
	}
	r.known = append(r.known, end.receipt.Assigned...)
	switch {
	case end.err == nil && end.receipt.Written:
		step.State = StateDone
	case end.err == nil:
		step.State = StateUnchanged
	case end.err.Kind == Unknown:
		step.State = StateUnknown
	default:
		step.State = StateFailed
	}
	if end.err != nil {
		step.Err = end.err
		r.skip(end.index)
	} else {
		r.release(end.index)
	}
	r.log(end, step.State)
	r.tell(StepDone{
		Index: end.index, Step: r.plan.Steps[end.index], State: step.State, Receipt: end.receipt, Err: step.Err, Took: end.took,
	})
}

// release makes those ready that waited for i alone.
func (r *run) release(i int) {
	for _, next := range r.followers[i] {
		if r.missing[next]--; r.missing[next] == 0 {
			at, _ := slices.BinarySearch(r.ready, next)
			r.ready = slices.Insert(r.ready, at, next)
		}
	}
}

// skip marks everything that comes after failed, directly or not.
func (r *run) skip(failed int) {
	cause := r.steps[failed].Err
	todo := slices.Clone(r.followers[failed])
	for len(todo) > 0 {
		i := todo[0]
		todo = todo[1:]
		if r.steps[i].State != "" {
			continue
		}
		r.steps[i].State = StateSkipped
		r.steps[i].WaitedFor = failed
		r.steps[i].Err = fmt.Errorf("%s: not started: %w", r.plan.Steps[i].Op.Target().Name(), cause)
		todo = append(todo, r.followers[i]...)
	}
}

// leave marks what was never started because ctx is done.
func (r *run) leave(ctx context.Context) {
	for i := range r.steps {
		if r.steps[i].State == "" {
			r.steps[i].State = StateSkipped
			r.steps[i].Err = fmt.Errorf("%s: not started: %w", r.plan.Steps[i].Op.Target().Name(), context.Cause(ctx))
		}
	}
}

func (r *run) log(end ending, state State) {
	target := r.plan.Steps[end.index].Op.Target()
	if end.err != nil {
		r.opts.Logger.Error("step", "state", state, "target", target, "attempts", end.attempts, "took", end.took, "error", end.err)
		return
	}
	r.opts.Logger.Info("step", "state", state, "target", target, "attempts", end.attempts, "took", end.took)
}

func (r *run) tell(e Event) {
	r.telling.Lock()
	defer r.telling.Unlock()
	r.opts.OnEvent(e)
}
