package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// Reconciler brings Azure in step with a cluster, for any number of calls at a time.
//
// Calls that come while others are at work are planned together as soon as what they need is free, so that one write of a load balancer or
// of a security group serves them all; each gets its own status and error. What does not touch the same resources goes on side by side.
// A call waits for at most the writes under way when it came, and then for those it is part of.
//
// It keeps what it has read, and what became of it by its own writes, so that most calls read nothing. Nothing of that is needed for being
// correct: every write is conditional, and what turns out to be different is read and planned again. It runs no goroutine while nobody
// calls.
type Reconciler struct {
	provider Provider
	cluster  lb.Cluster
	opts     Options
	planner  planner
	ear      *listener
	slots    chan struct{} // one token per step that is being sent
	running  sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	calls    uint64 // counts calls
	queue    []*batch
	dirty    bool // there is something to dispatch
	busy     bool // somebody dispatches
	snapshot snapshot
	reading  *reading
	groups   []lb.ID           // of private link services, to be read in addition
	writing  map[string]*batch // by key of a top-level resource: who writes it
	working  map[types.NamespacedName]int
	active   map[*batch]bool                // being carried out
	parked   map[string]time.Time           // by key of a target: ARM does not want to be asked about it earlier
	syncs    int                            // Syncs that are not answered
	wishes   map[types.NamespacedName]*wish // of the latest call
	asking   map[types.NamespacedName]int   // calls that are not answered
	told     map[types.NamespacedName]string
}

// planner is the arithmetic between reading and writing: what package lb does, and in tests something scripted.
type planner interface {
	scope(c lb.Cluster, in lb.Objects) lb.Scope
	plan(c lb.Cluster, in lb.Objects, seen lb.Observed) (lb.Desired, lb.Plan, error)
	status(want lb.Desired, known []lb.Assigned) map[types.NamespacedName]corev1.LoadBalancerStatus
	guard(c lb.Cluster, in lb.Objects, seen lb.Observed, most int) (lb.Objects, error)
}

// manySteps is Options.Parallel of a Reconciler if nobody says otherwise.
const manySteps = 64

// NewReconciler returns a Reconciler for one cluster. It touches nothing yet.
func NewReconciler(p Provider, c lb.Cluster, o *Options) *Reconciler {
	opts := o.withDefaults()
	if o == nil || o.Parallel <= 0 {
		opts.Parallel = manySteps
	}
	opts.rate(p)
	c.ReleaseClasses = slices.Concat(c.ReleaseClasses, opts.ReleaseClasses)
	opts.Region = cmp.Or(opts.Region, c.Location)
	return &Reconciler{
		provider: p, cluster: c, opts: opts, planner: arithmetic{}, ear: newListener(&opts), slots: make(chan struct{}, opts.Parallel), snapshot: newSnapshot(),
		writing: map[string]*batch{}, working: map[types.NamespacedName]int{}, active: map[*batch]bool{}, parked: map[string]time.Time{}, wishes: map[types.NamespacedName]*wish{}, asking: map[types.NamespacedName]int{}, told: map[types.NamespacedName]string{},
	}
}

// Sync brings everything in step: it reads, plans and carries the plan out, and plans again, at most three times, where Azure turned out to
// be different from what was read. A Service that ARM refuses something is held and the rest goes through in the same call.
//
// in must hold all Services of the cluster; one that is missing loses what it has. Input without any Service is [ErrNoInput], and
// nothing is read or written, unless Options.AllowEmpty or lb.Objects.KeepGone says that nothing is lost by mistake. If more Services than Options.MaxRemovals, and more than half of those that have something, would lose it, nothing is removed, the rest is
// done and the error is a [RemovalError].
//
// The error joins a [ServiceError] for each Service that ARM refused something, the errors of steps, and the guard's. Findings alone, of
// Services that are held for what their annotations say, are in the report and no error: nothing went wrong and trying again is no use.
// The report is filled as far as the call came, also when there is an error. It has the rounds that the call was part of, with what was
// planned for others in them.
func (r *Reconciler) Sync(ctx context.Context, in lb.Objects) (Report, error) {
	if len(in.Services) == 0 && !in.KeepGone && !r.opts.AllowEmpty {
		return Report{}, ErrNoInput
	}
	c := newCall(ctx, syncing, in, types.NamespacedName{})
	r.do(c)
	return c.report, errors.Join(c.stopped, c.failed, c.deaf)
}

// Ensure brings one Service in step while every other one is held, unless it is called for at the same time, and returns its status. in is
// the same as for [Reconciler.Sync], since Services share load balancers, ports and addresses. The error joins [ErrHeld] and the findings
// that hold the Service, or is that of the first step for it that failed: one that it is a cause of, or one that attaches a node to a pool of
// it. Without an error its pools have the members that they should have. A Service that asks for no load balancer has an empty status.
//
// Calls that are planned together take the Service that each names as its own input has it, and everything else from the latest input; with
// a Sync among them, from the latest input of a Sync.
//
// When ctx ends, the call returns. What it asked for alone is stopped between two writes, as by [Apply]; what is being carried out for
// others too goes on.
func (r *Reconciler) Ensure(ctx context.Context, in lb.Objects, name types.NamespacedName) (*corev1.LoadBalancerStatus, error) {
	report, err := r.EnsureReport(ctx, in, name)
	if err != nil {
		return nil, err
	}
	if status := report.Services[name].Status; status != nil {
		return status, nil
	}
	return &corev1.LoadBalancerStatus{}, nil
}

// EnsureReport is [Reconciler.Ensure] with all that is known of how it went: the rounds have only steps that are for the Service.
func (r *Reconciler) EnsureReport(ctx context.Context, in lb.Objects, name types.NamespacedName) (Report, error) {
	if !slices.ContainsFunc(in.Services, func(s corev1.Service) bool { return nameOf(&s) == name }) {
		return Report{}, fmt.Errorf("%w: %s", ErrNoService, name)
	}
	return r.one(newCall(ctx, ensuring, in, name))
}

// Delete removes what one Service has, and nothing that others use, while every other Service is held. The Service must be in in, with a
// deletion timestamp or without, as it is for whoever removes its finalizer: its UID is in the names of what it has. Nil means that nothing
// of it is left, so that the finalizer can go. Of a Service that is in no input nothing can be told; it is taken for gone, and what it may
// have left is removed by the next [Reconciler.Sync]. One whose loadBalancerClass is another one than the cluster's, and none of
// Options.ReleaseClasses, is [ErrHeld].
func (r *Reconciler) Delete(ctx context.Context, in lb.Objects, name types.NamespacedName) error {
	_, err := r.DeleteReport(ctx, in, name)
	return err
}

// DeleteReport is [Reconciler.Delete] with all that is known of how it went: the rounds have only steps that are for the Service.
func (r *Reconciler) DeleteReport(ctx context.Context, in lb.Objects, name types.NamespacedName) (Report, error) {
	i := slices.IndexFunc(in.Services, func(s corev1.Service) bool { return nameOf(&s) == name })
	if i >= 0 && in.Services[i].Spec.LoadBalancerClass != nil && *in.Services[i].Spec.LoadBalancerClass != r.cluster.Class && !r.cluster.Releases(&in.Services[i]) {
		return Report{}, fmt.Errorf("%w: %s: spec.loadBalancerClass: %q belongs to another controller; this one serves %q",
			ErrHeld, name, *in.Services[i].Spec.LoadBalancerClass, r.cluster.Class)
	}
	return r.one(newCall(ctx, deleting, in, name))
}

// one makes a call for the sake of one Service.
func (r *Reconciler) one(c *call) (Report, error) {
	r.do(c)
	if err := errors.Join(c.report.Services[c.name].errs(), c.stopped, c.deaf); err != nil {
		return c.report, err
	}
	if r.opts.DryRun && len(c.report.Plan().Steps) > 0 {
		return c.report, ErrDryRun
	}
	return c.report, nil
}

// Close ends the Reconciler: calls that wait, and later ones, fail with [ErrClosed], those at work are stopped between two writes as if their
// contexts had ended. It returns when no goroutine is left but those in which the provider or Options.OnEvent is stuck, at the latest when
// Options.Drain is over.
func (r *Reconciler) Close() error {
	r.mu.Lock()
	r.closed = true
	r.clear()
	for b := range r.active {
		b.work.cancel(ErrClosed)
	}
	if r.reading != nil {
		r.reading.cancel(ErrClosed)
	}
	r.mu.Unlock()
	r.running.Wait()
	return nil
}

func nameOf(s *corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}

// arithmetic is the planner that package lb is.
type arithmetic struct{}

func (arithmetic) scope(c lb.Cluster, in lb.Objects) lb.Scope { return lb.ScopeOf(c, in) }

func (arithmetic) plan(c lb.Cluster, in lb.Objects, seen lb.Observed) (lb.Desired, lb.Plan, error) {
	want, findings := lb.Build(c, in, seen)
	want = lb.Adopt(seen, want)
	plan, err := lb.Diff(seen, want)
	plan.Findings = slices.Concat(findings, plan.Findings)
	keepAddresses(want, seen, plan)
	return want, plan, err
}

// keepAddresses tells Services the addresses of public IPs that were to be created anew and stay as they are, since plan found that they
// cannot be given up.
func keepAddresses(want lb.Desired, seen lb.Observed, plan lb.Plan) {
	stays := map[string]netip.Addr{}
	for _, id := range want.Recreate {
		deleted := slices.ContainsFunc(plan.Steps, func(s lb.Step) bool { return s.Op.Target().Equal(id) })
		i := slices.IndexFunc(seen.PublicIPs, func(ip lb.SeenPublicIP) bool { return ip.ID.Equal(id) })
		if !deleted && i >= 0 {
			stays[id.Key()] = seen.PublicIPs[i].Address
		}
	}
	for _, s := range want.Services {
		for i, a := range s.Ingress {
			if ip, ok := stays[a.Of.Key()]; ok && !a.Known() {
				s.Ingress[i] = lb.Address{IP: ip}
			}
		}
	}
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
