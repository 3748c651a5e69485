package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/azlb/azlb/lb"
)

// missedAge is how long a machine that Azure did not show is not looked for again, so that a node without one costs a reading now and then.
const missedAge = time.Minute

// missing returns the parts of scope that must be read before b may be planned, and the machines of nodes that are the reason if nothing else
// is. r.mu is held.
func (r *Reconciler) missing(b *batch, scope lb.Scope, in lb.Objects) ([]part, []lb.ID) {
	s := &r.snapshot
	if s.at.IsZero() || r.opts.MaxAge > 0 && r.opts.Clock.Now().Sub(s.at) >= r.opts.MaxAge {
		return allParts, nil
	}
	for _, c := range b.calls {
		if (c.kind == syncing || r.opts.MaxAge < 0) && s.full <= c.since {
			return allParts, nil
		}
	}
	parts := s.stale(scope)
	if len(parts) > 0 || !slices.ContainsFunc(b.calls, func(c *call) bool { return s.began[partInterfaces] <= c.since }) {
		return parts, nil
	}
	now := r.opts.Clock.Now()
	unseen := slices.DeleteFunc(scope.Unseen(in, s.seen), func(id lb.ID) bool { return now.Sub(s.missed[id.Key()]) < missedAge })
	if len(unseen) == 0 {
		return nil, nil
	}
	return []part{partInterfaces, partOther}, unseen
}

// read lets b wait until these parts of scope were read, or what is being read at the moment. unseen are machines that are looked for. r.mu is
// held.
func (r *Reconciler) read(b *batch, scope lb.Scope, parts []part, unseen []lb.ID) {
	defer r.enqueue(b)
	if b.reading = r.reading; b.reading != nil {
		return
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(b.calls[0].ctx))
	mine := &reading{cancel: cancel}
	r.reading, b.reading = mine, mine
	s := &r.snapshot
	since, at := s.next(), r.opts.Clock.Now()
	if len(parts) < len(allParts) {
		scope = restrictAll(union(s.scope, scope).WithGroups(s.seen.LoadBalancers), parts)
	}
	r.running.Go(func() {
		defer cancel(nil)
		gone, settle := r.opts.patience(ctx, nil)
		defer settle()
		seen, err := r.observe(ctx, scope, func(e Event) { mine.deaf.note(r.ear.hear(gone, e)) }, gone)
		r.mu.Lock()
		defer r.mu.Unlock()
		if ctx.Err() != nil {
			r.fail(mine, context.Cause(ctx))
			return
		}
		if err != nil {
			r.fail(mine, err)
			return
		}
		before := s.seen
		s.read(seen, scope, parts, since, at)
		s.miss(unseen, at)
		drift := slices.DeleteFunc(drifted(before, s.seen, parts), func(id lb.ID) bool {
			return r.writing[id.Key()] != nil // it shows already what has no answer yet
		})
		r.mu.Unlock()
		r.tellDrift(drift, func(e Event) { mine.deaf.note(r.ear.hear(gone, e)) })
		r.mu.Lock()
		r.release(mine)
	})
}

// fail answers everybody who waited for something that could not be read. r.mu is held.
func (r *Reconciler) fail(mine *reading, err error) {
	queue := r.queue
	r.queue = nil
	for _, b := range queue {
		if b.reading != mine {
			r.queue = append(r.queue, b)
			continue
		}
		for _, c := range b.calls {
			c.deaf = mine.deaf.first()
			r.stop(c, fmt.Errorf("reading Azure: %w", err))
		}
	}
	r.release(mine)
}

// release lets those go on who waited for what was read. r.mu is held.
func (r *Reconciler) release(mine *reading) {
	if r.reading == mine {
		r.reading = nil
	}
	for _, b := range r.queue {
		for _, c := range b.calls {
			if b.reading == mine {
				c.deaf = cmp.Or(c.deaf, mine.deaf.first())
			}
		}
	}
	r.kick()
}

// observe reads, again where ARM says that the same may be asked again.
func (r *Reconciler) observe(ctx context.Context, scope lb.Scope, tell func(Event), gone <-chan struct{}) (lb.Observed, error) {
	type answer struct {
		seen lb.Observed
		err  error
	}
	for attempt := 1; ; attempt++ {
		a, err := within(&r.opts, gone, "Provider.Observe", func() answer {
			seen, err := r.provider.Observe(ctx, scope)
			return answer{seen, err}
		})
		if err = cmp.Or(err, a.err); err == nil {
			return a.seen, nil
		}
		e, ok := errors.AsType[*OpError](err)
		if !ok {
			return lb.Observed{}, err
		}
		wait, again := r.opts.again(e, attempt)
		if !again {
			return lb.Observed{}, err
		}
		r.opts.Logger.Warn("reading again", "attempt", attempt, "wait", wait, "error", err)
		if throttled(e) {
			tell(Throttled{Wait: wait, Err: e})
		}
		if r.opts.Clock.Sleep(ctx, wait) != nil {
			return lb.Observed{}, err
		}
	}
}

// drifted lists the resources that are different from what was known of them.
func drifted(before, now lb.Observed, parts []part) []lb.ID {
	if reflect.ValueOf(before).IsZero() {
		return nil // the first time
	}
	var ids []lb.ID
	if slices.Contains(parts, partBalancing) {
		ids = append(ids, changed(before.LoadBalancers, now.LoadBalancers, balancerID, func(l *lb.SeenLoadBalancer) { l.ETag, l.Attached = "", nil })...)
		ids = append(ids, changed(before.PublicIPs, now.PublicIPs, publicIPID, func(p *lb.SeenPublicIP) { p.ETag = "" })...)
	}
	if slices.Contains(parts, partSecurity) {
		ids = append(ids, changed(before.SecurityGroups, now.SecurityGroups, groupID, func(g *lb.SeenSecurityGroup) { g.ETag = "" })...)
	}
	if slices.Contains(parts, partLinks) {
		ids = append(ids, changed(before.PrivateLinkServices, now.PrivateLinkServices, linkID, func(p *lb.SeenPrivateLinkService) { p.ETag = "" })...)
	}
	return ids
}

// changed lists what is in one list only, or not the same in both but for what blank takes out.
func changed[T any](before, now []T, id func(*T) lb.ID, blank func(*T)) []lb.ID {
	known := map[string]T{}
	for _, v := range before {
		blank(&v)
		known[id(&v).Key()] = v
	}
	var ids []lb.ID
	for _, v := range now {
		blank(&v)
		key := id(&v).Key()
		if was, ok := known[key]; !ok || !reflect.DeepEqual(was, v) {
			ids = append(ids, id(&v))
		}
		delete(known, key)
	}
	for _, v := range known {
		ids = append(ids, id(&v))
	}
	slices.Sort(ids)
	return ids
}

func (r *Reconciler) tellDrift(ids []lb.ID, tell func(Event)) {
	for _, id := range ids {
		r.opts.Logger.Info("changed by others", "target", id)
		tell(DriftFound{Target: id})
	}
}
