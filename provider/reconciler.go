package provider

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// Reconciler brings Azure in step with a cluster, one call after the other: a call that comes while another one works waits for it. It
// keeps nothing between calls and runs no goroutine outside of them.
type Reconciler struct {
	provider Provider
	cluster  lb.Cluster
	opts     Options
	turn     chan struct{} // holds a token while a call works
	planner  planner
}

// planner is the arithmetic between reading and writing: what package lb does, and in tests something scripted.
type planner interface {
	scope(c lb.Cluster, in lb.Objects) lb.Scope
	plan(c lb.Cluster, in lb.Objects, seen lb.Observed) (lb.Desired, lb.Plan, error)
	status(want lb.Desired, known []lb.Assigned) map[types.NamespacedName]corev1.LoadBalancerStatus
	guard(c lb.Cluster, in lb.Objects, seen lb.Observed, most int) (lb.Objects, error)
}

// NewReconciler returns a Reconciler for one cluster. It touches nothing yet.
func NewReconciler(p Provider, c lb.Cluster, o *Options) *Reconciler {
	return &Reconciler{provider: p, cluster: c, opts: o.withDefaults(), turn: make(chan struct{}, 1), planner: arithmetic{}}
}

// Sync brings everything in step: it reads, plans and carries the plan out, and plans again, at most three times, where Azure turned out to
// be different from what was read. A Service that ARM refuses something is held and the rest goes through in the same call.
//
// in must hold all Services of the cluster; one that is missing loses what it has. Input without any Service and Node is [ErrNoInput]. If
// more Services than Options.MaxRemovals, and more than half of those that have something, would lose it, nothing is removed, the rest is
// done and the error is a [RemovalError].
//
// The error joins a [ServiceError] for each Service that ARM refused something, the errors of steps, and the guard's. Findings alone, of
// Services that are held for what their annotations say, are in the report and no error: nothing went wrong and trying again is no use.
// The report is filled as far as the call came, also when there is an error.
func (r *Reconciler) Sync(ctx context.Context, in lb.Objects) (Report, error) {
	if len(in.Services) == 0 && len(in.Nodes) == 0 {
		return Report{}, ErrNoInput
	}
	if err := r.enter(ctx); err != nil {
		return Report{}, err
	}
	defer r.leave()
	report, stopped, failed := r.sync(ctx, in)
	return report, errors.Join(stopped, failed)
}

// Ensure brings one Service in step while every other one is held, and returns its status. in is the same as for [Reconciler.Sync], since
// Services share load balancers, ports and addresses. The error joins [ErrHeld] and the findings that hold the Service, or is that of the
// first step it was a cause of that failed. A Service that asks for no load balancer has an empty status.
func (r *Reconciler) Ensure(ctx context.Context, in lb.Objects, name types.NamespacedName) (*corev1.LoadBalancerStatus, error) {
	if !slices.ContainsFunc(in.Services, func(s corev1.Service) bool { return nameOf(&s) == name }) {
		return nil, fmt.Errorf("%w: %s", ErrNoService, name)
	}
	in.Only = []types.NamespacedName{name}
	result, err := r.one(ctx, in, name)
	if err != nil {
		return nil, err
	}
	if result.Status == nil {
		return &corev1.LoadBalancerStatus{}, nil
	}
	return result.Status, nil
}

// Delete removes what one Service has, and nothing that others use, while every other Service is held. The Service may still be in in,
// with a deletion timestamp or without. Nil means that nothing of it is left, so that a finalizer can go.
func (r *Reconciler) Delete(ctx context.Context, in lb.Objects, name types.NamespacedName) error {
	in.Services = slices.Clone(in.Services)
	for i := range in.Services {
		if s := &in.Services[i]; nameOf(s) == name && s.DeletionTimestamp == nil {
			now := metav1.NewTime(r.opts.Clock.Now())
			s.DeletionTimestamp = &now
		}
	}
	in.Only = []types.NamespacedName{name}
	_, err := r.one(ctx, in, name)
	return err
}

// one is Sync for the sake of one Service.
func (r *Reconciler) one(ctx context.Context, in lb.Objects, name types.NamespacedName) (ServiceReport, error) {
	if err := r.enter(ctx); err != nil {
		return ServiceReport{}, err
	}
	defer r.leave()
	report, stopped, _ := r.sync(ctx, in)
	result := report.Services[name]
	if err := errors.Join(result.errs(), stopped); err != nil {
		return result, err
	}
	if r.opts.DryRun && len(report.Plan().Steps) > 0 {
		return result, ErrDryRun
	}
	return result, nil
}

func nameOf(s *corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}

// enter waits for the turn of a call.
func (r *Reconciler) enter(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *Reconciler) leave() { <-r.turn }

// How often one call plans again: because Azure was different, and in all.
const (
	maxReplans = 3
	maxRounds  = 32
)

// sync is one call: rounds of reading, planning and writing until there is nothing more to gain. failed joins what ARM and the guard
// refused; stopped says that the call did not get to its end, so that silence about a Service means nothing.
func (r *Reconciler) sync(ctx context.Context, in lb.Objects) (report Report, stopped, failed error) {
	held := newRejections(in.Rejected)
	links := &unseenLinks{}
	for replans := 0; ; {
		in.Rejected = held.all()
		want, guard, err := r.round(ctx, in, links, &report)
		if err != nil {
			return report, err, r.err(report, held, guard)
		}
		round := report.last()
		more := links.add(round) || r.reject(held, round)
		complete := r.results(&report, want, held)
		links.report(report, want)
		if !more && (outdated(round) || !complete) && replans < maxReplans {
			replans++
			more = true
		}
		more = more || held.next()
		if round.stopped() || more && ctx.Err() != nil {
			return report, context.Cause(ctx), r.err(report, held, guard)
		}
		if !more || r.opts.DryRun || len(report.Rounds) == maxRounds {
			return report, nil, r.err(report, held, guard)
		}
	}
}

// reject takes those out of the game that ARM refused something in round, and reports whether there were any who still were in it.
func (r *Reconciler) reject(held *rejections, round Round) bool {
	found, split := held.add(round)
	for _, name := range found {
		r.opts.Logger.Warn("service rejected", "service", name, "error", held.found[name])
		r.opts.OnEvent(ServiceRejected{Service: name, Err: held.found[name]})
	}
	return split || len(found) > 0
}

// outdated reports whether a step failed because Azure is not, or perhaps not, as the plan thought.
func outdated(round Round) bool {
	return slices.ContainsFunc(round.Steps, func(s StepReport) bool {
		kind := KindOf(s.Err)
		return s.State != StateSkipped && (kind == Replan || kind == Unknown)
	})
}

// round reads, plans and carries the plan out. refused is the removal guard's error; err means that the round did not take place.
func (r *Reconciler) round(ctx context.Context, in lb.Objects, links *unseenLinks, report *Report) (want lb.Desired, refused, err error) {
	seen, err := r.observe(ctx, links.widen(r.planner.scope(r.cluster, in)))
	if err != nil {
		return want, nil, fmt.Errorf("reading Azure: %w", err)
	}
	links.seen = seen.PrivateLinkServices
	if len(in.Only) == 0 && r.opts.MaxRemovals >= 0 {
		in, refused = r.planner.guard(r.cluster, in, seen, r.opts.MaxRemovals)
	}
	want, plan, err := r.planner.plan(r.cluster, in, seen)
	if err != nil {
		return want, refused, fmt.Errorf("planning: %w", err)
	}
	number := len(report.Rounds) + 1
	r.opts.Logger.Info("planned", "round", number, "steps", len(plan.Steps), "findings", len(plan.Findings))
	r.opts.OnEvent(Planned{Round: number, Plan: plan})
	done, err := Apply(ctx, r.provider, plan, &r.opts)
	if errors.Is(err, ErrPlan) {
		return want, refused, err
	}
	report.Rounds = append(report.Rounds, done.Rounds...)
	report.Writes += done.Writes
	return want, refused, nil
}

// observe reads, again where ARM says that the same may be asked again.
func (r *Reconciler) observe(ctx context.Context, scope lb.Scope) (lb.Observed, error) {
	for attempt := 1; ; attempt++ {
		seen, err := r.provider.Observe(ctx, scope)
		e, ok := errors.AsType[*OpError](err)
		if err == nil || !ok {
			return seen, err
		}
		wait, again := r.opts.again(e, attempt)
		if !again {
			return seen, err
		}
		r.opts.Logger.Warn("reading again", "attempt", attempt, "wait", wait, "error", err)
		if r.opts.Clock.Sleep(ctx, wait) != nil {
			return seen, err
		}
	}
}

// results writes the part of the report that is by Service, from the last round and what was rejected in all of them. It reports whether
// every Service has its status, or would not get it by reading again.
func (r *Reconciler) results(report *Report, want lb.Desired, held *rejections) (complete bool) {
	round := report.last()
	services := map[types.NamespacedName]ServiceReport{}
	for _, earlier := range report.Rounds {
		for name := range earlier.services() {
			services[name] = ServiceReport{}
		}
	}
	maps.Copy(services, round.services())
	statuses := r.planner.status(want, slices.Concat(r.opts.Known, round.assigned()))
	complete = true
	for _, result := range want.Services {
		s := services[result.Service]
		s.Held = result.Held
		if status, ok := statuses[result.Service]; ok {
			s.Status = &status
		}
		if s.Status == nil && s.Err == nil && !s.Held && !r.opts.DryRun {
			s.Err = ErrUnresolved
			complete = false
		}
		services[result.Service] = s
	}
	for name, err := range held.all() {
		s := services[name]
		s.Held, s.Err = true, err
		services[name] = s
	}
	for _, f := range round.Plan.Findings {
		if s, ok := services[f.Service]; ok {
			s.Findings = append(s.Findings, f)
			services[f.Service] = s
		}
	}
	report.Findings, report.Services = round.Plan.Findings, services
	// After a round without a write there is nothing new to read.
	return complete || !slices.ContainsFunc(round.Steps, func(s StepReport) bool { return s.State == StateDone })
}

// err joins what went wrong in a call and was not mended in it.
func (r *Reconciler) err(report Report, held *rejections, guard error) error {
	var list []error
	mine := held.mine()
	for _, name := range slices.SortedFunc(maps.Keys(report.Services), compareNames) {
		err := report.Services[name].Err
		if mine[name] != nil || err == ErrUnresolved { //nolint:errorlint // itself: errors of steps that wrap it are joined below
			list = append(list, &ServiceError{Service: name, Err: err})
		}
	}
	return errors.Join(append(list, report.last().err(), guard)...)
}

// arithmetic is the planner that package lb is.
type arithmetic struct{}

func (arithmetic) scope(c lb.Cluster, in lb.Objects) lb.Scope { return lb.ScopeOf(c, in) }

func (arithmetic) plan(c lb.Cluster, in lb.Objects, seen lb.Observed) (lb.Desired, lb.Plan, error) {
	want, findings := lb.Build(c, in, seen)
	want = lb.Adopt(seen, want)
	plan, err := lb.Diff(seen, want)
	plan.Findings = slices.Concat(findings, plan.Findings)
	return want, plan, err
}

func (arithmetic) status(want lb.Desired, known []lb.Assigned) map[types.NamespacedName]corev1.LoadBalancerStatus {
	return lb.Status(want, known)
}

// guard returns what to plan for: in, or, if more than most Services and more than half of those that have something would lose it, in
// with everything of deleted Services kept.
func (arithmetic) guard(c lb.Cluster, in lb.Objects, seen lb.Observed, most int) (lb.Objects, error) {
	gone, observed := lb.Removals(c, in, seen)
	if len(gone) <= most || 2*len(gone) <= observed {
		return in, nil
	}
	in.KeepGone = true
	return in, &RemovalError{Services: gone, Observed: observed, Max: most}
}
