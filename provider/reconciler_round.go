package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// How often one call plans again: because Azure was different, and in all.
const (
	maxReplans = 3
	maxRounds  = 32
)

// prepare plans for b and starts what can be done of the plan, or lets b wait for what it needs. r.mu is not held.
func (r *Reconciler) prepare(b *batch) {
	in := b.input(r.wished(b), r.opts.Clock.Now())
	scope := r.planner.scope(r.cluster, in)
	if r.opts.Survey {
		scope.Survey = lb.ID("/subscriptions/" + r.cluster.NetworkSubscription)
	}
	r.mu.Lock()
	if r.dropCancelled(b); len(b.calls) == 0 {
		r.mu.Unlock()
		return
	}
	scope = widen(scope, r.groups)
	if parts, unseen := r.missing(b, scope, in); len(parts) > 0 {
		r.read(b, scope, parts, unseen)
		r.mu.Unlock()
		return
	}
	w := work{r: r, base: r.snapshot.tick, seen: r.snapshot.seen, hold: map[types.NamespacedName]bool{}}
	if b.has(syncing) {
		for name := range r.working {
			w.hold[name] = true
			in.Hold = append(in.Hold, name)
		}
		slices.SortFunc(in.Hold, compareNames)
	}
	r.mu.Unlock()
	if b.has(syncing) && len(in.Only) == 0 && r.opts.MaxRemovals >= 0 {
		in, w.refused = r.planner.guard(r.cluster, in, w.seen, r.opts.MaxRemovals)
	}
	if w.refused != nil && b.has(deleting) {
		r.divide(b)
		return
	}
	r.plan(b, in, w)
}

// dropCancelled answers the calls of b that nobody waits for any more. r.mu is held.
func (r *Reconciler) dropCancelled(b *batch) {
	for _, c := range b.calls {
		if r.closed {
			r.stop(c, ErrClosed)
		}
		if c.cancelled {
			r.stop(c, context.Cause(c.ctx))
		}
	}
	b.calls = slices.DeleteFunc(slices.Clone(b.calls), func(c *call) bool { return c.answered })
}

// divide lets a Sync that the removal guard stops go by itself: deletions are asked for one by one, and are nobody's mistake.
func (r *Reconciler) divide(b *batch) {
	syncs, others := &batch{alone: true, held: b.held}, &batch{held: b.held}
	for _, c := range b.calls {
		if c.kind == syncing {
			syncs.calls = append(syncs.calls, c)
		} else {
			others.calls = append(others.calls, c)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.enqueue(others)
	r.enqueue(syncs)
}

// plan makes the plan of b and starts it. r.mu is not held.
func (r *Reconciler) plan(b *batch, in lb.Objects, w work) {
	given := in.Rejected
	if b.held == nil {
		b.held = newRejections(given)
	}
	in.Rejected = b.held.all()
	in.Hold = slices.Concat(in.Hold, b.held.stays)
	want, plan, err := r.planner.plan(r.cluster, in, w.seen)
	w.want = want
	r.mu.Lock()
	if parts := r.sift(b, plan); err == nil && len(parts) > 1 {
		r.mu.Unlock()
		for _, part := range parts {
			r.prepare(part)
		}
		return
	}
	defer r.mu.Unlock()
	if err != nil {
		for _, c := range b.calls {
			r.stop(c, fmt.Errorf("planning: %w", err))
		}
	}
	if r.dropCancelled(b); len(b.calls) == 0 {
		return
	}
	whole := b.whole()
	for _, g := range r.split(b, plan, whole) {
		next := &batch{calls: g.calls, held: b.held, alone: b.alone}
		if !whole {
			next.held = newRejections(given)
		}
		if g.cut && len(g.plan.Steps) == 0 {
			next.resources = g.blocked
			for _, c := range next.calls {
				c.waited = true
			}
			r.enqueue(next)
			continue
		}
		r.start(next, g, w)
	}
}

// start carries out one group of a plan for the calls of b. r.mu is held.
func (r *Reconciler) start(b *batch, g *group, w work) {
	w.group, w.batch = *g, b
	w.ctx, w.cancel = context.WithCancelCause(context.WithoutCancel(b.calls[0].ctx))
	w.deaf = &earful{}
	b.work = &w
	for _, c := range b.calls {
		c.batch = b
	}
	w.start()
	r.running.Go(func() { r.carryOut(b) })
}

// carryOut carries out the plan of b and decides what becomes of its calls.
func (r *Reconciler) carryOut(b *batch) {
	w := b.work
	defer w.cancel(nil)
	gone, settle := r.opts.patience(w.ctx, nil)
	defer settle()
	w.gone = gone
	number := 1
	for _, c := range b.calls {
		number = max(number, c.rounds+1)
	}
	r.opts.Logger.Info("planned", "round", number, "calls", len(b.calls), "steps", len(w.plan.Steps), "findings", len(w.plan.Findings))
	w.tell(gone, Planned{Round: number, Plan: w.plan, Wait: r.opts.need(w.plan)})
	done, err := apply(crowd{w.ctx, w}, r.provider, w.plan, &r.opts, w, w.tell)
	if errors.Is(err, ErrPlan) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range b.calls {
			r.stop(c, err)
		}
		w.finish()
		return
	}
	r.settle(b, done)
}

// settle decides what becomes of the calls of b after a round: they are answered, or planned for again.
func (r *Reconciler) settle(b *batch, done Report) {
	o := r.outcomeOf(b, done.last())
	r.mu.Lock()
	again := o.again()
	var now, later []*call
	var answers []*call
	for _, c := range b.calls {
		switch {
		case c.answered:
		case !o.keeps(c, again):
			o.conclude(c)
			answers = append(answers, c)
		case o.waits(c, again):
			later = append(later, c)
		default:
			now = append(now, c)
		}
	}
	if !o.ended() && b.held.any() {
		now, later = slices.Concat(now, later), nil
	}
	r.mu.Unlock()
	for _, e := range o.events(answers) {
		b.work.tell(b.work.gone, e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b.work.finish()
	for _, c := range b.calls {
		if !c.answered {
			c.deaf = cmp.Or(c.deaf, b.work.deaf.first())
		}
	}
	for _, c := range answers {
		r.answer(c)
	}
	r.requeue(b, &batch{calls: now})
	r.requeue(b, &batch{calls: later, resources: b.work.blocked, services: o.unsettled(later)})
}

// requeue lets what is left of b wait for its next round. r.mu is held.
func (r *Reconciler) requeue(b, rest *batch) {
	if r.dropCancelled(rest); len(rest.calls) == 0 {
		return
	}
	rest.alone = b.alone && rest.has(syncing)
	if b.held.any() && (rest.has(syncing) || len(b.held.aside) > 0) {
		rest.held = b.held
	}
	r.enqueue(rest)
}

// tell passes an event on, with what follows from it.
func (w *work) tell(gone <-chan struct{}, e Event) {
	w.deaf.note(w.r.ear.hear(gone, e))
	if e, ok := e.(StepRetried); ok && throttled(e.Err) {
		w.deaf.note(w.r.ear.hear(gone, Throttled{Target: e.Step.Op.Target(), Wait: e.Wait, Err: e.Err}))
	}
}

// widen adds groups of private link services to what is read.
func widen(s lb.Scope, groups []lb.ID) lb.Scope {
	u := unseenLinks{groups: groups}
	return u.widen(s)
}
