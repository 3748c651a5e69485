package provider

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// work is a plan being carried out for the calls of a batch. It keeps its writes apart from those of others: a resource is written by one at
// a time, and a step whose resource somebody else has written since the plan was made is planned again.
type work struct {
	r      *Reconciler
	batch  *batch
	ctx    context.Context // ends with the last caller's, or the Reconciler
	cancel context.CancelCauseFunc

	group   // what of the plan can be done now
	want    lb.Desired
	refused error                         // by the removal guard
	seen    lb.Observed                   // what the plan was made from
	base    uint64                        // when that was so
	hold    map[types.NamespacedName]bool // Services that others were at work on, for a Sync
	aside   map[types.NamespacedName]bool // Services that wait for their turn, since some of them or of others are refused something

	own  map[string]uint64            // by key: the last write of this plan
	open map[int]bool                 // steps that something may still become of
	todo map[types.NamespacedName]int // by Service of a call: how many of them are for it

	gone <-chan struct{} // closed once nobody waits for what is carried out any more
	deaf *earful
}

var _ tracker = (*work)(nil)

// start makes b known as the one who works on the Services of its steps. r.mu is held.
func (w *work) start() {
	w.aside = w.batch.held.waiting()
	w.own, w.open, w.todo = map[string]uint64{}, map[int]bool{}, map[types.NamespacedName]int{}
	w.r.active[w.batch] = true
	for i := range w.plan.Steps {
		w.open[i] = true
		for _, name := range causes(w.plan.Steps[i].Op.Why()) {
			w.r.working[name]++
		}
		for _, c := range w.batch.calls {
			if isFor(w.plan.Steps[i], c.name) {
				w.todo[c.name]++
			}
		}
	}
}

// finish gives back what start took.
func (w *work) finish() {
	for i := range w.plan.Steps {
		w.close(i)
	}
	delete(w.r.active, w.batch)
	w.r.kick()
}

// crowd is the context of a work. It has ended once those of all its callers have: not a moment later, when they have noticed, for until then
// another write might start.
type crowd struct {
	context.Context
	work *work
}

func (c crowd) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	c.work.r.mu.Lock()
	defer c.work.r.mu.Unlock()
	var cause error
	for _, call := range c.work.batch.calls {
		if call.answered {
			continue
		}
		if call.ctx.Err() == nil {
			return nil
		}
		cause = context.Cause(call.ctx)
	}
	if cause != nil {
		c.work.cancel(cause)
	}
	return c.Context.Err()
}

func (w *work) close(i int) {
	if !w.open[i] {
		return
	}
	delete(w.open, i)
	for _, c := range w.batch.calls {
		if isFor(w.plan.Steps[i], c.name) {
			w.todo[c.name]--
		}
	}
	for _, name := range causes(w.plan.Steps[i].Op.Why()) {
		if w.r.working[name]--; w.r.working[name] == 0 {
			delete(w.r.working, name)
		}
	}
}

func (w *work) begin(i int) bool {
	key := w.plan.Steps[i].Op.Target().Unit().Key()
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	last := w.r.snapshot.wrote[key]
	if w.r.writing[key] != nil || last > w.base && last != w.own[key] {
		return false
	}
	w.r.writing[key] = w.batch
	return true
}

func (w *work) wait(ctx context.Context, op lb.Op) error {
	if d := w.r.parkedFor(op.Target()); d > 0 {
		if err := w.r.opts.Clock.Sleep(ctx, d); err != nil {
			return err
		}
	}
	select {
	case w.r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// parkedFor is how long ARM still wants to be left alone about id: an earlier call ended before that was over.
func (r *Reconciler) parkedFor(id lb.ID) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.parked[id.Key()]
	if !ok {
		return 0
	}
	d := until.Sub(r.opts.Clock.Now())
	if d <= 0 {
		delete(r.parked, id.Key())
	}
	return d
}

func (w *work) end(_ int, op lb.Op, end ending, sent bool) {
	if sent {
		<-w.r.slots
	}
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	top := op.Target().Unit()
	delete(w.r.writing, top.Key())
	s := &w.r.snapshot
	switch {
	case !sent:
	case end.err == nil:
		delete(w.r.parked, op.Target().Key())
		before := s.tick
		s.written(op, end.receipt)
		for key, at := range s.wrote {
			if at > before {
				w.own[key] = at
			}
		}
	default:
		if end.err.Kind == Terminal && w.stranger(end.err) {
			end.err.Kind = Replan
		}
		if end.err.RetryAfter > 0 {
			w.r.parked[op.Target().Key()] = w.r.opts.Clock.Now().Add(end.err.RetryAfter)
		}
		// Whatever the refusal says, it may be due to something that was not seen, such as an address that somebody else has deleted.
		s.doubt(partOf(top))
		switch {
		case partOf(top) == partInterfaces:
			s.doubt(partBalancing) // load balancers show which interfaces are in their pools
		case top.Is(armid.LoadBalancers):
			s.doubtMembers() // it may have gone, and the interfaces have left its pools with it
		}
		for _, id := range end.err.Named {
			s.doubt(partOf(id))
		}
	}
	w.r.kick()
}

// stranger reports whether a refusal names a rule of others on a load balancer that was not there when the plan was made: nobody's fault, and
// another plan knows it.
func (w *work) stranger(e *OpError) bool {
	return slices.ContainsFunc(e.Named, func(id lb.ID) bool {
		kind := path.Base(id.Type())
		if !slices.ContainsFunc(usingKinds, func(k string) bool { return strings.EqualFold(k, kind) }) {
			return false
		}
		at := slices.IndexFunc(w.seen.LoadBalancers, func(l lb.SeenLoadBalancer) bool { return l.ID.Equal(id.Top()) })
		return at >= 0 && !slices.ContainsFunc(w.seen.LoadBalancers[at].Uses, func(u lb.Use) bool { return u.ID.Equal(id) })
	})
}

// usingKinds are the children of a load balancer that use frontends and are never azlb's.
var usingKinds = []string{armid.InboundNATRules, armid.InboundNATPools, armid.OutboundRules}

func (w *work) over(i int, steps []StepReport) {
	w.r.mu.Lock()
	w.close(i)
	var done []*call
	if len(w.open) > 0 {
		for _, c := range w.batch.calls {
			if !c.answered && w.todo[c.name] == 0 && isFor(w.plan.Steps[i], c.name) {
				done = append(done, c)
			}
		}
	}
	w.r.kick()
	w.r.mu.Unlock()
	for _, c := range done {
		w.early(c, steps)
	}
}

// early answers a call of whose steps all have succeeded, while those of others go on.
func (w *work) early(c *call, steps []StepReport) {
	round := Round{Plan: w.plan, Steps: steps}
	mine := round.of(c.name)
	if slices.ContainsFunc(mine.Steps, func(s StepReport) bool { return s.State != StateDone && s.State != StateUnchanged }) {
		return
	}
	if w.left[c.name] || w.aside[c.name] || slices.ContainsFunc(mine.Plan.Findings, unreached) {
		return
	}
	s := ServiceReport{Findings: mine.Plan.Findings}
	if at := slices.IndexFunc(w.want.Services, func(s lb.ServiceResult) bool { return s.Service == c.name }); at >= 0 {
		result := w.want.Services[at]
		status, ok := w.r.planner.status(lb.Desired{Services: []lb.ServiceResult{result}}, slices.Concat(w.r.opts.Known, round.assigned()))[c.name]
		if !ok || result.Held {
			return
		}
		s.Status = &status
	}
	report := Report{Rounds: []Round{round}, Services: map[types.NamespacedName]ServiceReport{c.name: s}}
	links := unseenLinks{seen: w.seen.PrivateLinkServices}
	links.report(report, w.want)
	w.r.mu.Lock()
	defer w.r.mu.Unlock()
	// Somebody must stay to wait for the rest.
	if c.answered || !slices.ContainsFunc(w.batch.calls, func(other *call) bool { return other != c && !other.answered && !other.cancelled }) {
		return
	}
	c.add(mine)
	c.report.Services, c.report.Findings = report.Services, slices.Concat(s.Findings, general(w.plan.Findings))
	if e := w.r.news(c.name, report.Services[c.name], true); e != nil {
		w.r.mu.Unlock()
		w.tell(w.gone, e)
		w.r.mu.Lock()
	}
	if !c.answered {
		c.deaf = cmp.Or(c.deaf, w.deaf.first())
	}
	w.r.answer(c)
}
