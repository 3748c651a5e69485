package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// outcome is what one round came to for the calls of a batch.
type outcome struct {
	r        *Reconciler
	b        *batch
	round    Round
	services map[types.NamespacedName]ServiceReport
	held     map[types.NamespacedName]error // by the end of the round
	deferred map[types.NamespacedName]bool  // Services with steps that somebody else got in the way of
	linked   bool                           // a group of private link services became known
	split    bool                           // Services were set aside, to find who is refused
	found    []types.NamespacedName         // who is refused
	spare    []int                          // steps that failed and are for no Service
	outdated bool                           // a step found Azure to be different
	replan   map[*call]bool                 // calls with steps that did
	unknown  bool                           // an address is not known that reading will tell
	named    bool                           // security rules named an address before it was assigned
}

// outcomeOf sums up a round. r.mu is not held.
func (r *Reconciler) outcomeOf(b *batch, round Round) *outcome {
	o := &outcome{r: r, b: b, round: round, deferred: map[types.NamespacedName]bool{}, replan: map[*call]bool{}}
	links := unseenLinks{seen: b.work.seen.PrivateLinkServices}
	r.mu.Lock()
	links.groups = r.groups
	o.linked = links.add(round)
	r.groups = links.groups
	r.mu.Unlock()
	if !o.linked { // else nobody is to blame yet
		o.found, o.split = b.held.add(round)
	}
	o.held = b.held.all()
	stale := map[types.NamespacedName]bool{}
	for i, s := range round.Steps {
		names := servicesOf(round.Plan.Steps[i])
		for _, name := range names {
			o.deferred[name] = o.deferred[name] || s.State == StateDeferred
			stale[name] = stale[name] || outdated(s)
		}
		o.outdated = o.outdated || outdated(s)
		if len(names) == 0 && (s.State == StateFailed || s.State == StateUnknown) {
			o.spare = append(o.spare, i)
		}
	}
	loose := slices.ContainsFunc(o.spare, func(i int) bool { return outdated(round.Steps[i]) })
	o.results()
	o.named = o.namesAssigned()
	links.report(Report{Rounds: []Round{round}, Services: o.services}, b.work.want)
	for _, c := range b.calls {
		s := o.services[c.name]
		o.replan[c] = o.named || c.kind == syncing && (o.outdated || o.unknown) ||
			c.kind != syncing && (stale[c.name] || loose || o.unknown && errors.Is(s.Err, ErrUnresolved))
	}
	return o
}

// outdated reports whether a step failed because Azure is not, or perhaps not, as the plan thought.
func outdated(s StepReport) bool {
	kind := KindOf(s.Err)
	return s.State != StateSkipped && (kind == Replan || kind == Unknown)
}

// results makes the results by Service, from the round and what was rejected in all of them.
func (o *outcome) results() {
	w := o.b.work
	services := o.round.services()
	statuses := o.r.planner.status(w.want, slices.Concat(o.r.opts.Known, o.round.assigned()))
	wrote := slices.ContainsFunc(o.round.Steps, func(s StepReport) bool { return s.State == StateDone })
	for _, result := range w.want.Services {
		s := services[result.Service]
		s.Held = result.Held && !w.hold[result.Service]
		if status, ok := statuses[result.Service]; ok {
			s.Status = &status
		}
		if s.Status == nil && s.Err == nil && !result.Held && !o.r.opts.DryRun {
			s.Err = ErrUnresolved
			// After a round without a write there is nothing new to read.
			o.unknown = o.unknown || wrote && !o.deferred[result.Service] && !w.left[result.Service]
		}
		services[result.Service] = s
	}
	for name, err := range o.held {
		s := services[name]
		s.Held, s.Err = true, err
		services[name] = s
	}
	for _, f := range o.round.Plan.Findings {
		// One that holds a Service that is served no more says that its removal is not done.
		if s, ok := services[f.Service]; ok || f.Holds && f.Service.Name != "" {
			s.Held = s.Held || f.Holds
			s.Findings = append(s.Findings, f)
			if s.Err == nil && unreached(f) {
				s.Err = f.Err
			}
			services[f.Service] = s
		}
	}
	o.services = services
}

// unreached reports whether f says that no pool of its Service has a member: it has an address, and is not served.
func unreached(f lb.Finding) bool {
	return f.Severity == lb.SeverityError && errors.Is(f.Err, lb.ErrUnreached)
}

// namesAssigned reports whether security rules that were there before the round name an address that was assigned in it. The plan could not know
// that, and another one knows whether they are to let in, or to shut out, what has the address now.
func (o *outcome) namesAssigned() bool {
	seen := o.b.work.seen
	named := map[netip.Addr]bool{}
	for _, g := range seen.SecurityGroups {
		for _, r := range g.Rules {
			for _, a := range r.Destinations {
				named[a.IP] = true
			}
		}
	}
	for _, l := range seen.LoadBalancers {
		for _, ip := range l.Assigned {
			delete(named, ip) // not new
		}
	}
	for _, ip := range seen.PublicIPs {
		delete(named, ip.Address)
	}
	return slices.ContainsFunc(o.round.assigned(), func(a lb.Assigned) bool { return a.IP.IsValid() && named[a.IP] })
}

// again decides whether there is something to gain from another round, beyond what others got in the way of. r.mu is held.
func (o *outcome) again() bool {
	if o.linked || o.split || len(o.found) > 0 {
		return true
	}
	again := false
	for c, want := range o.replan {
		if want && c.replans < maxReplans {
			c.replans++
			again = true
		}
	}
	if again && o.unknown {
		o.r.snapshot.doubtAll()
	}
	return again || o.b.held.next()
}

// ended reports whether the context of the round ended, so that nothing can follow.
func (o *outcome) ended() bool { return o.b.work.ctx.Err() != nil }

// more reports whether c is to have another round if it can.
func (o *outcome) more(c *call, again bool) bool {
	w := o.b.work
	if c.kind == syncing {
		return again || w.cut || len(o.deferredSteps()) > 0 || len(o.others(c)) > 0
	}
	switch {
	case slices.Contains(o.found, c.name):
		return false
	case w.left[c.name], o.deferred[c.name], w.aside[c.name]:
		return true
	default:
		return again && (o.named || o.services[c.name].Err != nil || len(o.spare) > 0)
	}
}

func (o *outcome) deferredSteps() []int {
	var list []int
	for i, s := range o.round.Steps {
		if s.State == StateDeferred {
			list = append(list, i)
		}
	}
	return list
}

// others are the Services that other calls have been at work on every time that c, a Sync, was planned.
func (o *outcome) others(c *call) map[types.NamespacedName]bool {
	if c.unsettled == nil {
		return o.b.work.hold
	}
	both := maps.Clone(c.unsettled)
	maps.DeleteFunc(both, func(name types.NamespacedName, _ bool) bool { return !o.b.work.hold[name] })
	return both
}

// keeps takes note of the round for c and reports whether there is another one. r.mu is held.
func (o *outcome) keeps(c *call, again bool) bool {
	if c.kind == syncing {
		c.add(o.round)
	} else {
		c.add(o.round.of(c.name))
	}
	more := o.more(c, again)
	if c.kind == syncing {
		c.unsettled = o.others(c)
	}
	if o.round.stopped() || more && o.ended() {
		c.stopped = context.Cause(o.b.work.ctx)
		return false
	}
	return more && !o.r.opts.DryRun && c.rounds < maxRounds
}

// add takes note of a round that c was part of.
func (c *call) add(round Round) {
	c.rounds++
	c.waited = true
	c.report.Rounds = append(c.report.Rounds, round)
	for _, s := range round.Steps {
		if s.Receipt.Written {
			c.report.Writes++
		}
	}
}

// waits reports whether the next round of c waits for others, and not only for its turn.
func (o *outcome) waits(c *call, again bool) bool {
	if c.kind == syncing {
		return !again && len(o.deferredSteps()) == 0
	}
	return o.b.work.left[c.name] && !o.deferred[c.name] && !(again && o.services[c.name].Err != nil)
}

// unsettled are the Services that the Syncs among calls wait for.
func (o *outcome) unsettled(calls []*call) map[types.NamespacedName]bool {
	all := map[types.NamespacedName]bool{}
	for _, c := range calls {
		maps.Copy(all, c.unsettled)
	}
	return all
}

// conclude writes the report of a call that has had its last round. r.mu is held.
func (o *outcome) conclude(c *call) {
	if c.kind != syncing {
		s, ok := o.services[c.name]
		s.Findings = append(slices.Clip(s.Findings), o.spared(c.name)...)
		if ok {
			c.report.Services = map[types.NamespacedName]ServiceReport{c.name: s}
		}
		c.report.Findings = slices.Concat(s.Findings, general(o.round.Plan.Findings))
		return
	}
	services := map[types.NamespacedName]ServiceReport{}
	for _, earlier := range c.report.Rounds {
		for name := range earlier.services() {
			services[name] = ServiceReport{}
		}
	}
	maps.Copy(services, o.services)
	c.report.Services, c.report.Findings = services, o.round.Plan.Findings
	c.failed = o.err(c.report)
}

// general returns the findings that are about no Service in particular.
func general(findings []lb.Finding) []lb.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f lb.Finding) bool { return f.Service != types.NamespacedName{} })
}

// spared are findings about steps that failed and are for no Service, for whoever carried them out: nobody else would hear of them, and
// nobody is the worse for them.
func (o *outcome) spared(name types.NamespacedName) []lb.Finding {
	var list []lb.Finding
	for _, i := range o.spare {
		list = append(list, lb.Finding{
			Service: name, Field: string(o.round.Plan.Steps[i].Op.Target()), Severity: lb.SeverityWarning,
			Err: fmt.Errorf("%w: no Service needs it, and the next call tries again: %w", lb.ErrRejected, o.round.Steps[i].Err),
		})
	}
	return list
}

// err joins what went wrong in a call and was not mended in it.
func (o *outcome) err(report Report) error {
	var list []error
	mine := o.b.held.mine()
	for _, name := range slices.SortedFunc(maps.Keys(report.Services), compareNames) {
		err := report.Services[name].Err
		if mine[name] != nil || err == ErrUnresolved || errors.Is(err, lb.ErrUnreached) { //nolint:errorlint // itself: errors of steps that wrap it are joined below
			list = append(list, &ServiceError{Service: name, Err: err})
		}
	}
	return errors.Join(append(list, report.last().err(), o.b.work.refused)...)
}

// events are what the host is told of a round: what showed that Azure is different, and what became of Services. r.mu is not held.
func (o *outcome) events(answers []*call) []Event {
	var list []Event
	for i, s := range o.round.Steps {
		if s.State != StateSkipped && KindOf(s.Err) == Replan {
			list = append(list, DriftFound{Target: o.round.Plan.Steps[i].Op.Target(), Err: s.Err})
		}
	}
	for _, name := range o.found {
		list = append(list, ServiceRejected{Service: name, Err: o.held[name]})
	}
	did := map[types.NamespacedName]bool{}
	for _, c := range answers {
		for _, round := range c.report.Rounds {
			for _, step := range round.Plan.Steps {
				for _, change := range step.Op.Why() {
					// What others share with it says nothing of the Service.
					if names := causes([]lb.Change{change}); len(names) == 1 {
						did[names[0]] = true
					}
				}
			}
		}
	}
	var names []types.NamespacedName
	for _, c := range answers {
		names = slices.AppendSeq(names, maps.Keys(c.report.Services))
	}
	slices.SortFunc(names, compareNames)
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	for _, name := range slices.Compact(names) {
		if e := o.r.news(name, o.services[name], did[name]); e != nil && !o.ended() {
			list = append(list, e)
		}
	}
	return list
}

// news is what there is to tell of a Service after a call: that it is held or that something failed, if that is new, or that it has all it asks for, if something was
// done for it or it had not. r.mu is held.
func (r *Reconciler) news(name types.NamespacedName, s ServiceReport, did bool) Event {
	if r.opts.DryRun {
		return nil
	}
	if err := s.errs(); err != nil {
		if r.told[name] == err.Error() {
			return nil
		}
		r.told[name] = err.Error()
		if !s.Held {
			return ServiceFailed{Service: name, Err: err}
		}
		return ServiceHeld{Service: name, Findings: s.Findings, Err: s.Err}
	}
	if _, ok := r.told[name]; !ok && !did {
		return nil
	}
	delete(r.told, name)
	status := corev1.LoadBalancerStatus{}
	if s.Status != nil {
		status = *s.Status
	}
	return ServiceConverged{Service: name, Status: status}
}

// of leaves the steps that are for a Service. Those that come after another one do so directly or by way of steps that are left out.
func (r Round) of(name types.NamespacedName) Round {
	var mine Round
	at := map[int]int{}
	before := make([]map[int]lb.Edge, len(r.Plan.Steps)) // of each step, those of the Service that it comes after, and why
	for i, step := range r.Plan.Steps {
		before[i] = map[int]lb.Edge{}
		for n, b := range step.After {
			if k, ok := at[b]; ok {
				before[i][k] = edge(step, n)
				continue
			}
			for k := range before[b] {
				if _, direct := before[i][k]; !direct {
					before[i][k] = edge(step, n)
				}
			}
		}
		if !isFor(step, name) {
			continue
		}
		report := r.Steps[i]
		if k, ok := at[report.WaitedFor]; ok && report.WaitedFor >= 0 {
			report.WaitedFor = k
		}
		at[i] = len(mine.Steps)
		step.After, step.Why = slices.Sorted(maps.Keys(before[i])), nil
		for _, k := range step.After {
			step.Why = append(step.Why, before[i][k])
		}
		mine.Plan.Steps, mine.Steps = append(mine.Plan.Steps, step), append(mine.Steps, report)
	}
	for _, f := range r.Plan.Findings {
		if f.Service == name {
			mine.Plan.Findings = append(mine.Plan.Findings, f)
		}
	}
	return mine
}

// edge is why step waits for the n-th of those it waits for; empty in a plan that somebody made without reasons.
func edge(step lb.Step, n int) lb.Edge {
	if n < len(step.Why) {
		return step.Why[n]
	}
	return ""
}
