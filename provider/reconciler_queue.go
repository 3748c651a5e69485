package provider

import (
	"cmp"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// callKind is what a call asks for.
type callKind uint8

const (
	syncing callKind = iota + 1
	ensuring
	deleting
)

// call is one call of a Reconciler's method. What follows done belongs to whoever has its batch until done is closed.
type call struct {
	ctx   context.Context // of the caller, who waits for done
	kind  callKind
	in    lb.Objects
	name  types.NamespacedName // of the Service; empty for Sync
	order uint64
	since uint64 // of the snapshot, when it came

	batch     *batch // with Reconciler.mu
	wished    *wish  // with Reconciler.mu
	cancelled bool   // with Reconciler.mu
	answered  bool   // with Reconciler.mu

	done    chan struct{}
	report  Report
	stopped error // the call did not get to its end, so that silence about a Service means nothing
	failed  error // what ARM and the removal guard refused a Sync
	deaf    error // what went wrong while events were told
	waited  bool  // it was planned for already, and somebody was in the way
	rounds  int
	replans int
	// unsettled are Services that other calls were at work on whenever this Sync was planned; nil before the first time.
	unsettled map[types.NamespacedName]bool
}

func newCall(ctx context.Context, kind callKind, in lb.Objects, name types.NamespacedName) *call {
	return &call{ctx: ctx, kind: kind, in: in, name: name, done: make(chan struct{})}
}

// batch is calls that are planned together.
type batch struct {
	calls []*call
	held  *rejections // of earlier rounds; nil: none
	alone bool        // not to be planned with other calls
	// What it waits for before it is worth planning again; it is ready once any of it is free.
	resources map[string]bool
	services  map[types.NamespacedName]bool
	reading   *reading

	work *work // while it is carried out
}

// reading is one reading of Azure under way.
type reading struct {
	cancel context.CancelCauseFunc
	deaf   earful
}

func (b *batch) has(kind callKind) bool {
	return slices.ContainsFunc(b.calls, func(c *call) bool { return c.kind == kind })
}

// apart reports whether b must be planned by itself, for what its earlier rounds found or because of the removal guard.
func (b *batch) apart() bool { return b.alone || b.held != nil && b.held.any() }

// do makes a call and returns when it is answered.
func (r *Reconciler) do(c *call) {
	if c.ctx.Err() != nil {
		c.stopped = context.Cause(c.ctx)
		return
	}
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		c.stopped = ErrClosed
		return
	}
	r.calls++
	c.order, c.since = r.calls, r.snapshot.next()
	r.note(c)
	r.enqueue(&batch{calls: []*call{c}})
	r.mu.Unlock()
	select {
	case <-c.done:
	case <-c.ctx.Done():
		r.abandon(c)
		<-c.done
	}
	c.in = lb.Objects{}
}

// enqueue lets b wait for its turn. r.mu is held, as it is for all that follows unless it says otherwise.
func (r *Reconciler) enqueue(b *batch) {
	for _, c := range b.calls {
		c.batch = b
	}
	r.queue = append(r.queue, b)
	r.kick()
}

// kick sees to it that the queue is looked at.
func (r *Reconciler) kick() {
	if r.closed {
		r.clear()
		return
	}
	if r.dirty = true; !r.busy && len(r.queue) > 0 {
		r.busy = true
		r.running.Go(r.dispatch)
	}
}

// clear answers everybody who waits.
func (r *Reconciler) clear() {
	queue := r.queue
	r.queue = nil
	for _, b := range queue {
		for _, c := range b.calls {
			r.stop(c, ErrClosed)
		}
	}
}

// answer ends a call.
func (r *Reconciler) answer(c *call) {
	if c.answered {
		return
	}
	c.answered = true
	r.forget(c)
	c.batch = nil
	close(c.done)
	if len(r.queue) > 0 {
		r.kick() // perhaps another call for the same Service waits
	}
}

// stop ends a call that did not get to its end.
func (r *Reconciler) stop(c *call, cause error) {
	if !c.answered {
		c.stopped = cause
		r.answer(c)
	}
}

// abandon is what happens when the context of a call ends. r.mu is not held.
func (r *Reconciler) abandon(c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := c.batch
	if c.answered {
		return
	}
	c.cancelled = true
	queued := slices.Contains(r.queue, b)
	switch {
	case !r.active[b] && !queued: // it is being planned for, which is soon over
	case r.active[b] && !slices.ContainsFunc(b.calls, func(c *call) bool { return !c.cancelled && !c.answered }):
		b.work.cancel(context.Cause(c.ctx)) // it ends soon, and answers
	case r.active[b]:
		r.stop(c, context.Cause(c.ctx)) // others still want what is being done
	default:
		r.stop(c, context.Cause(c.ctx))
		b.calls = slices.DeleteFunc(slices.Clone(b.calls), func(other *call) bool { return other == c })
		r.queue = slices.DeleteFunc(r.queue, func(b *batch) bool { return len(b.calls) == 0 })
		r.unread()
	}
}

// unread stops reading if nobody waits for it any more.
func (r *Reconciler) unread() {
	if r.reading == nil || slices.ContainsFunc(r.queue, func(b *batch) bool { return b.reading == r.reading }) {
		return
	}
	r.reading.cancel(context.Canceled)
	r.reading = nil // whoever comes now reads anew
}

// dispatch plans for the queue until there is nothing that can be done now. There is one at a time, and r.mu is not held.
func (r *Reconciler) dispatch() {
	for {
		r.mu.Lock()
		if !r.dirty || r.closed {
			r.busy = false
			r.mu.Unlock()
			return
		}
		r.dirty = false
		units := r.take()
		r.mu.Unlock()
		for _, b := range units {
			r.prepare(b)
		}
	}
}

// take takes out of the queue what is to be planned now. If there is anything, everybody else who only waits for something goes along, so
// that whoever gets hold of a resource does it for all.
func (r *Reconciler) take() []*batch {
	var units, rest, idle []*batch
	ready := false
	for _, b := range r.queue {
		switch {
		case b.reading != nil && b.reading == r.reading:
			rest = append(rest, b)
		case !b.apart():
			idle = append(idle, b)
			ready = ready || r.ready(b) && !r.behind(b)
		case r.ready(b) && !slices.ContainsFunc(b.calls, func(c *call) bool { return r.working[c.name] > 0 }):
			units = append(units, b)
		default:
			rest = append(rest, b)
		}
	}
	if !ready {
		r.queue = slices.Concat(rest, idle)
		return units
	}
	var calls []*call
	for _, b := range idle {
		calls = append(calls, b.calls...)
	}
	slices.SortFunc(calls, func(a, b *call) int { return cmp.Compare(a.order, b.order) })
	all := &batch{}
	kinds := map[types.NamespacedName]callKind{}
	for _, c := range calls {
		if kind := kinds[c.name]; c.kind != syncing && (r.working[c.name] > 0 || kind != 0 && kind != c.kind) {
			c.batch = &batch{calls: []*call{c}, services: map[types.NamespacedName]bool{c.name: true}}
			rest = append(rest, c.batch)
			continue
		}
		kinds[c.name] = c.kind
		c.batch = all
		all.calls = append(all.calls, c)
	}
	r.queue = rest
	if len(all.calls) > 0 {
		units = append(units, all)
	}
	return units
}

// ready reports whether something that b waits for is free, or it waits for nothing.
func (r *Reconciler) ready(b *batch) bool {
	for key := range b.resources {
		if r.writing[key] == nil {
			return true
		}
	}
	for name := range b.services {
		if r.working[name] == 0 {
			return true
		}
	}
	return len(b.resources)+len(b.services) == 0
}

// behind reports whether all of b waits for earlier calls for the same Services that are in the queue themselves: it is their turn first, and
// until then b is no reason to plan.
func (r *Reconciler) behind(b *batch) bool {
	earlier := func(c *call) bool {
		return slices.ContainsFunc(r.queue, func(other *batch) bool {
			return slices.ContainsFunc(other.calls, func(o *call) bool { return c.kind != syncing && o.name == c.name && o.order < c.order })
		})
	}
	return !slices.ContainsFunc(b.calls, func(c *call) bool { return !earlier(c) })
}
