package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Options tunes [Run]. A nil *Options means every default below.
type Options struct {
	// Phases is how often objects change while somebody watches. Zero means three for every eighth seed, which begin with nothing in Azure, and
	// one for the others, which begin with a cluster that was brought up before.
	Phases int
	// Quiet leaves misfortunes out, and others change things between calls only.
	Quiet bool
	// Sharing draws worlds in which Services share what they can ([NewSharing]), which end when all Services have gone.
	Sharing bool
	// Log is told what happens; nil: nobody.
	Log func(format string, args ...any)
}

// Result is what became of one world.
type Result struct {
	Violations []Violation
	Plans      int
	Writes     int
	Replans    int
	Crashes    int
	Calls      int            // of the reconciler
	Faults     map[string]int // scripted, by kind
}

// run is one world being lived through.
type run struct {
	*World
	watch  *Watch
	opts   Options
	logs   bool // somebody reads the log
	result Result
	// elder is another process with the same configuration, which brought the cluster up and remembers it as it was then.
	elder *provider.Reconciler
	relay *relay               // what elder talks to
	told  map[string]time.Time // what ARM has told elder: not to be asked earlier, by target
	// meddled says that others have changed something during a call.
	meddled bool
}

// Run lives through the world of seed.
func Run(seed uint64, o *Options) Result {
	r := run{told: map[string]time.Time{}}
	if o != nil {
		r.opts = *o
	}
	if r.World = New(seed); r.opts.Sharing {
		r.World = NewSharing(seed)
	}
	r.logs = r.opts.Log != nil
	if !r.logs {
		r.opts.Log = func(string, ...any) {}
	}
	raised := false
	if r.opts.Phases == 0 {
		if r.opts.Phases = 3; seed%8 != 0 {
			r.opts.Phases, raised = 1, r.raise()
		}
	}
	if r.sharing {
		r.opts.Phases += 2
	}
	r.watch = NewWatch(r.World)
	if r.relay != nil {
		r.relay.Provider = r.watch
	}
	for phase := range r.opts.Phases {
		if phase > 0 || raised {
			r.Mutate()
			r.meddle()
		}
		if r.logs {
			r.opts.Log("phase %d: %s", phase, r.describe())
		}
		r.watch.Changed()
		r.phase()
		if len(r.watch.Violations) > 0 {
			break
		}
	}
	if r.sharing && len(r.watch.Violations) == 0 {
		r.empty()
	}
	r.result.Faults = r.Scripted
	r.result.Violations, r.result.Writes, r.result.Replans = r.watch.Violations, r.watch.Writes, r.watch.Replans
	return r.result
}

// empty takes all Services away, and what others have on what was theirs: nothing of ours is left.
func (r *run) empty() {
	if r.Objects.Services = nil; len(r.Objects.Nodes) == 0 {
		r.addNode() // neither Services nor nodes is no input
	}
	r.opts.Log("all Services go")
	r.watch.Changed()
	r.phase()
	r.release(r.Cloud)
	r.watch.Meddled()
	if err := r.sync(r.reconciler()); err != nil {
		r.watch.Blame("P7", "after others have let go: %v", err)
	}
	for _, id := range leftovers(r.World) {
		r.watch.Blame("leftover", "%s is left, and no Service", id)
	}
}

// raise brings the cluster up with nobody watching and nothing going wrong, and reports whether that went well.
func (r *run) raise() bool {
	r.relay = &relay{r.Cloud}
	r.elder = r.reconcilerOf(r.relay)
	report, err := r.elder.Sync(context.Background(), r.Objects)
	r.hand(report)
	return err == nil || r.unreachable(err)
}

// hand gives every Service its status, as a host does.
func (r *run) hand(report provider.Report) {
	for i := range r.Objects.Services {
		s := &r.Objects.Services[i]
		if status := report.Services[nameOf(s)].Status; status != nil {
			s.Status.LoadBalancer = *status.DeepCopy()
		}
	}
}

// meddle is others at work between two calls.
func (r *run) meddle() {
	for range r.rng.IntN(3) {
		r.Meddle(r.Cloud)
	}
	r.Respell(r.Cloud)
	r.watch.Meddled()
}

// relay is a provider that can be exchanged.
type relay struct{ provider.Provider }

func (r *run) reconciler() *provider.Reconciler { return r.reconcilerOf(r.watch) }

func (r *run) reconcilerOf(p provider.Provider) *provider.Reconciler {
	return provider.NewReconciler(p, r.Cluster, &provider.Options{
		Parallel: 1, Clock: r.Cloud.Clock(), OnEvent: r.onEvent, MaxRemovals: -1, AllowEmpty: true,
		Jitter: rand.New(rand.NewPCG(r.Seed, 0x71773)).Float64,
	})
}

func (r *run) onEvent(e provider.Event) {
	switch e := e.(type) {
	case provider.Planned:
		r.result.Plans++
		var b strings.Builder
		if r.logs && e.Plan.Explain(&b) == nil {
			r.opts.Log("round %d: %s", e.Round, &b)
		}
	case provider.StepRetried:
		r.opts.Log("again in %v: %v", e.Wait, e.Err)
	case provider.StepDone:
		r.opts.Log("%s %T %s: %v", e.State, e.Step.Op, e.Step.Op.Target().Name(), e.Err)
	}
	if r.watch != nil {
		r.watch.OnEvent(e)
	}
}

// maxCalls is how many calls a host makes before misfortunes are taken away, and then before it counts as stuck.
const maxCalls = 4

// phase is a host that calls until nothing is left to do.
func (r *run) phase() {
	if !r.opts.Quiet {
		r.Misfortunes(func() {
			r.meddled = true
			r.watch.Meddled()
		})
	}
	rec := r.reconciler()
	own := map[string]time.Time{}
	r.watch.As(own)
	if !r.opts.Quiet && len(r.Objects.Services) > 0 && r.chance(4) {
		r.single(rec)
	}
	if r.elder != nil && len(r.Objects.Services) > 0 && r.chance(4) {
		r.watch.As(r.told)
		r.single(r.elder) // what it remembers is older than what others and we have done since
		r.watch.As(own)
	}
	for call := range 2 * maxCalls {
		if call == maxCalls {
			r.Cloud.Restart()
		}
		err := r.sync(rec)
		if err == nil {
			break
		}
		if errors.Is(err, fake.ErrCrashed) {
			r.result.Crashes++
			r.opts.Log("crash and restart")
			r.Cloud.Restart()
			rec = r.reconciler()
			clear(own)
		}
		if call == 2*maxCalls-1 {
			r.watch.Blame("P7", "stuck: %v", err)
			return
		}
	}
	r.Cloud.Restart()
	// What others did in the middle of the last call was perhaps not seen by it.
	if r.meddled {
		r.meddled = false
		if err := r.sync(rec); err != nil {
			r.watch.Blame("P6", "after others have come to rest: %v", err)
		}
	}
	r.settled()
}

// single is a call for one Service.
func (r *run) single(rec *provider.Reconciler) {
	s := &r.Objects.Services[r.rng.IntN(len(r.Objects.Services))]
	name := nameOf(s)
	r.result.Calls++
	if s.DeletionTimestamp != nil {
		r.opts.Log("Delete %s: %v", name, rec.Delete(context.Background(), r.Objects, name))
		return
	}
	_, err := rec.Ensure(context.Background(), r.Objects, name)
	r.opts.Log("Ensure %s: %v", name, err)
	if err == nil {
		r.checkReached(s)
	}
}

// sync is one call for the cluster. Who ARM refuses something has its share, which is no reason to call again.
func (r *run) sync(rec *provider.Reconciler) error {
	if len(r.Objects.Services)+len(r.Objects.Nodes) == 0 {
		return nil
	}
	r.result.Calls++
	r.Objects.Rejected = nil
	r.watch.Fresh = true
	report, err := rec.Sync(context.Background(), r.Objects)
	r.watch.Fresh = false
	r.opts.Log("Sync: %d writes, %v", report.Writes, err)
	r.hand(report)
	r.checkReport(report)
	if halfway(report) {
		return errors.Join(err, errors.New("one call is not enough"))
	}
	if r.unreachable(err) {
		return nil
	}
	if provider.KindOf(err) == provider.Terminal {
		return r.refused(report, err)
	}
	return err
}

// refusals are the codes with which ARM may refuse what was planned: what only it can know, and what planning leaves to it.
var refusals = []string{
	"DnsRecordInUse", "RulesUseSameBackendPortProtocolAndPool",
	"RulesUseSameFrontendPortProtocolAndIPConfig", // with a NAT rule of others, whose ports are not read
}

// refused takes note of the Services that ARM refused something. They are held and the rest is done, so that there is nothing to call for.
func (r *run) refused(report provider.Report, err error) error {
	r.Objects.Rejected = map[types.NamespacedName]error{}
	for name, s := range report.Services {
		if s.Held && s.Err != nil {
			r.Objects.Rejected[name] = s.Err
		}
		if e, ok := errors.AsType[*provider.OpError](s.Err); ok && e.Kind == provider.Terminal && !slices.Contains(refusals, e.Code) {
			r.watch.Blame("plan", "Azure refuses what was planned: %v", err)
		}
	}
	if len(r.Objects.Rejected) == 0 {
		return err
	}
	return nil
}

// settled checks what holds when everything was done: nothing more to do (P2), and nobody without an address.
func (r *run) settled() {
	if len(r.Objects.Services)+len(r.Objects.Nodes) == 0 {
		return
	}
	r.Cloud.ResetRequests()
	plan, err := r.Plan(r.Cloud)
	if err != nil {
		r.watch.Blame("P2", "planning again: %v", err)
		return
	}
	if len(plan.Steps) > 0 {
		var b strings.Builder
		if err := plan.Explain(&b); err != nil {
			fmt.Fprint(&b, err)
		}
		r.watch.Blame("P2", "there is more to do after everything was done:\n%s", &b)
	}
	r.checkServed(plan)
	r.watch.settle(plan, r.watch.look())
}

// Plan plans for the objects of w against c.
func (w *World) Plan(c *fake.Cloud) (lb.Plan, error) {
	seen, err := c.Clone().Observe(context.Background(), lb.ScopeOf(w.Cluster, w.Objects))
	if err != nil {
		return lb.Plan{}, err
	}
	want, findings := lb.Build(w.Cluster, w.Objects, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	plan.Findings = append(findings, plan.Findings...)
	return plan, err
}

// checkServed: every Service without a finding that holds it has all its ports (P8).
func (r *run) checkServed(plan lb.Plan) {
	view := r.watch.look()
	for i := range r.Objects.Services {
		s := &r.Objects.Services[i]
		excused := len(r.Objects.Nodes) == 0 || s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.DeletionTimestamp != nil
		for _, f := range plan.Findings {
			excused = excused || f.Service == nameOf(s)
		}
		excused = excused || r.Objects.Rejected[nameOf(s)] != nil
		for key := range s.Annotations {
			excused = excused || strings.Contains(key, "port_") || strings.Contains(key, "high-availability")
		}
		if excused {
			continue
		}
		for _, p := range s.Spec.Ports {
			served := false
			for port := range view.Ports {
				served = served || port.Base == lb.Base(s.UID) && port.Number == uint16(p.Port) && equalProtocol(p.Protocol, port.Protocol)
			}
			if !served {
				r.watch.Blame("P8", "%s has no finding and port %d is not served", nameOf(s), p.Port)
			}
		}
	}
}

func (r *run) describe() string {
	var b strings.Builder
	for i := range r.Objects.Services {
		s := &r.Objects.Services[i]
		fmt.Fprintf(&b, "\n  %s %s deleted=%v %v %v %v %s %v", s.Name, s.Spec.Type, s.DeletionTimestamp != nil, s.Spec.IPFamilies, s.Spec.Ports,
			s.Annotations, s.Spec.LoadBalancerIP, s.Spec.LoadBalancerSourceRanges)
	}
	fmt.Fprintf(&b, "\n  %d nodes\n%s", len(r.Objects.Nodes), r.Cloud)
	return b.String()
}

// Overlay lives through plans only: others write into everything, objects change, a plan is carried out, and what others have must be what it
// was. It returns how many plans had something to do.
func Overlay(seed uint64) (plans int, lost []string) {
	w := New(seed)
	for range 5 {
		for range 1 + w.rng.IntN(4) {
			w.Meddle(w.Cloud)
		}
		plan, err := w.Plan(w.Cloud)
		if err != nil {
			return plans, []string{err.Error()}
		}
		before := foreignOf(w.Cloud)
		// What ARM refuses matters elsewhere.
		report, _ := provider.Apply(context.Background(), w.Cloud, plan, &provider.Options{Parallel: 1, Clock: w.Cloud.Clock()})
		if report.Writes > 0 {
			plans++
		}
		before.forget(report)
		if lost = before.lost(foreignOf(w.Cloud)); len(lost) > 0 {
			return plans, lost
		}
		w.Mutate()
	}
	return plans, nil
}
