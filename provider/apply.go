package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/azlb/azlb/lb"
)

// Apply carries plan out: each step once all steps it comes after have succeeded, as many at a time as o.Parallel allows, and never two in
// one top-level resource. References to addresses that only a write tells are resolved before p sees an operation.
//
// A step that fails stops what comes after it and nothing else. What ARM says may be sent again is sent again, after the delay it asks for.
// When ctx is cancelled no further step starts and none is tried again; writes in flight go on for o.Drain on a context of their own and
// are reported as [StateUnknown] if they have no answer then. Apply returns when no write is in flight; one whose [Provider.Do] ignores its
// context is left to itself, with [ErrStuck], and so is an Options.OnEvent that does not return.
//
// The error joins those of the failed steps, each an [*OpError], the cause of ctx if steps were left for it, and what OnEvent did wrong; the
// report has those of the steps. Where p or OnEvent panics, they wrap [ErrPanic].
func Apply(ctx context.Context, p Provider, plan lb.Plan, o *Options) (Report, error) {
	opts := o.withDefaults()
	opts.rate(p)
	var deaf earful
	ear := newListener(&opts)
	report, err := apply(ctx, p, plan, &opts, nil, func(gone <-chan struct{}, e Event) { deaf.note(ear.hear(gone, e)) })
	return report, errors.Join(err, deaf.first())
}

// apply is Apply for one of several plans that are carried out at a time, if t is not nil. Events go to hear, which returns soon after gone is
// closed.
func apply(ctx context.Context, p Provider, plan lb.Plan, opts *Options, t tracker, hear func(gone <-chan struct{}, e Event)) (Report, error) {
	if err := check(plan); err != nil {
		return Report{}, err
	}
	r := newRun(p, plan, opts)
	r.tracker, r.hear = t, hear
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

// tracker keeps plans apart that are carried out at the same time. Its methods are quick, but for wait.
type tracker interface {
	// begin is asked before a step starts. False: another plan is at work on the same, or has been since this one was made, so that the step
	// must be planned again.
	begin(i int) bool
	// wait returns when a step that has begun may send its write, op, or with ctx's error. What it takes is given back by end.
	wait(ctx context.Context, op lb.Op) error
	// end is told how a step that has begun went; sent says whether anything of it was sent.
	end(i int, op lb.Op, end ending, sent bool)
	// over is told of every step once nothing more will become of it, and how all steps are by then. It is called by one goroutine.
	over(i int, steps []StepReport)
}

// run is one plan being carried out. All fields belong to the goroutine that called Apply.
type run struct {
	provider  Provider
	tracker   tracker // nil: this is the only plan
	opts      *Options
	plan      lb.Plan
	steps     []StepReport
	followers [][]int         // by step: those that come after it
	missing   []int           // by step: how many it waits for
	ready     []int           // steps that wait for nothing, in the order in which they start
	busy      map[string]bool // top-level resources that are being written
	running   int
	known     []lb.Assigned
	writes    int
	ended     chan ending
	hear      func(gone <-chan struct{}, e Event)
	gone      <-chan struct{} // closed once nobody waits for p and OnEvent any more
}

// ending is the end of one step.
type ending struct {
	index    int
	receipt  Receipt
	err      *OpError
	op       lb.Op // resolved
	attempts int   // zero: it was not sent, since the context ended first
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
			r.line(i)
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
	gone, settle := r.opts.patience(ctx, abandon)
	defer settle()
	r.gone = gone
	for {
		if ctx.Err() == nil {
			r.start(ctx, work)
		}
		if r.running == 0 {
			break
		}
		r.finish(<-r.ended)
	}
	r.leave(ctx)
}

// start starts the steps that are ready, in their order, as far as limits allow.
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
		if len(open) > 0 {
			r.tell(StepStarted{Index: i, Step: step})
			r.record(ending{index: i, err: unresolved(op, open)})
			continue
		}
		if r.tracker != nil && !r.tracker.begin(i) {
			r.postpone(i)
			continue
		}
		r.busy[topOf(step)] = true
		r.running++
		go func() { r.ended <- r.turn(ctx, work, i, op) }()
	}
}

func topOf(step lb.Step) string { return step.Op.Target().Unit().Key() }

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

// turn tries an operation once it is its turn.
func (r *run) turn(ctx, work context.Context, i int, op lb.Op) ending {
	if r.token(ctx, op) != nil {
		return ending{index: i, op: op}
	}
	if r.tracker != nil && r.tracker.wait(ctx, op) != nil {
		r.unused(op)
		return ending{index: i, op: op}
	}
	r.tell(StepStarted{Index: i, Step: r.plan.Steps[i]})
	return r.try(ctx, work, i, op)
}

// try makes attempts at one operation until it succeeds, fails for good, or ctx is done. Only writes have the context work.
func (r *run) try(ctx, work context.Context, i int, op lb.Op) ending {
	started := r.opts.Clock.Now()
	end := ending{index: i, op: op}
	for {
		end.attempts++
		receipt, err := r.do(work, op)
		end.receipt, end.err = receipt, nil
		if err == nil {
			if !receipt.Written {
				r.unused(op)
			}
			break
		}
		end.err = asOpError(op, err)
		r.slowDown(op, end.err)
		if work.Err() != nil && errors.Is(err, context.Canceled) {
			end.err.Kind = Unknown // abandoned, whatever p makes of it
		}
		wait, again := r.opts.again(end.err, end.attempts)
		if !again || ctx.Err() != nil {
			break
		}
		r.tell(StepRetried{Index: i, Step: r.plan.Steps[i], Attempt: end.attempts, Err: end.err, Wait: wait})
		r.opts.Logger.Warn("trying again", "target", op.Target(), "attempt", end.attempts, "wait", wait, "error", end.err)
		if r.opts.Clock.Sleep(ctx, wait) != nil || r.token(ctx, op) != nil {
			break
		}
	}
	end.took = r.opts.Clock.Now().Sub(started)
	return end
}

// do makes one attempt. What p did before it panicked, or does after it was left to itself, is not known.
func (r *run) do(work context.Context, op lb.Op) (Receipt, error) {
	type answer struct {
		receipt Receipt
		err     error
	}
	a, err := within(r.opts, r.gone, "Provider.Do of "+op.Target().Name(), func() answer {
		receipt, err := r.provider.Do(work, op)
		return answer{receipt, err}
	})
	return a.receipt, cmp.Or(err, a.err)
}

// finish takes note of a step that ran.
func (r *run) finish(end ending) {
	r.running--
	delete(r.busy, topOf(r.plan.Steps[end.index]))
	if r.tracker != nil {
		r.tracker.end(end.index, end.op, end, end.attempts > 0)
	}
	if end.attempts > 0 {
		r.record(end)
	}
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
	r.over(end.index)
}

// release makes those ready that waited for i alone.
func (r *run) release(i int) {
	for _, next := range r.followers[i] {
		if r.missing[next]--; r.missing[next] == 0 {
			r.line(next)
		}
	}
}

// line makes step i ready: in the order of the plan, but urgent steps first where tokens may be short.
func (r *run) line(i int) {
	late := func(i int) int {
		if r.opts.Rates != nil && !urgent(r.plan.Steps[i].Op) {
			return 1
		}
		return 0
	}
	at, _ := slices.BinarySearchFunc(r.ready, i, func(a, b int) int { return cmp.Or(late(a)-late(b), a-b) })
	r.ready = slices.Insert(r.ready, at, i)
}

// skip marks everything that comes after failed, directly or not.
func (r *run) skip(failed int) {
	for _, i := range r.after(failed) {
		r.steps[i].State = StateSkipped
		r.steps[i].WaitedFor = failed
		r.steps[i].Err = fmt.Errorf("%s: not started: %w", r.plan.Steps[i].Op.Target().Name(), r.steps[failed].Err)
		r.over(i)
	}
}

// postpone marks a step that another plan got in the way of, and everything that comes after it.
func (r *run) postpone(i int) {
	for _, i := range append([]int{i}, r.after(i)...) {
		r.steps[i].State = StateDeferred
		r.over(i)
	}
}

// after returns the steps that come after i, directly or not, and have no state yet.
func (r *run) after(i int) []int {
	var all []int
	found := map[int]bool{}
	for todo := slices.Clone(r.followers[i]); len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		if found[next] || r.steps[next].State != "" {
			continue
		}
		found[next] = true
		all = append(all, next)
		todo = append(todo, r.followers[next]...)
	}
	return all
}

func (r *run) over(i int) {
	if r.tracker != nil {
		r.tracker.over(i, r.steps)
	}
}

// leave marks what was never started because ctx is done.
func (r *run) leave(ctx context.Context) {
	for i := range r.steps {
		if r.steps[i].State == "" {
			r.steps[i].State = StateSkipped
			r.steps[i].Err = fmt.Errorf("%s: not started: %w", r.plan.Steps[i].Op.Target().Name(), context.Cause(ctx))
			r.over(i)
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

func (r *run) tell(e Event) { r.hear(r.gone, e) }
