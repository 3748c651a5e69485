package sim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Violation is one promise that was broken.
type Violation struct {
	Promise string // as docs/architecture.md numbers them
	What    string
}

func (v Violation) String() string { return v.Promise + ": " + v.What }

// Watch is a provider that looks at the cloud of a world before and after every write and keeps what is wrong.
type Watch struct {
	World      *World
	Violations []Violation
	Writes     int
	Replans    int

	scope    lb.Scope // of the objects
	latest   View     // of the cloud at its revision seen; zero: to be looked at
	seen     int
	foreign  foreign
	touched  []lb.ID // since foreign was read
	plan     lb.Plan
	executed []lb.Step // of the plan, in which order ever
	before   View      // when the plan was made
	after    View      // what the plan comes to, as far as it can be carried out
	complete bool      // it can be carried out to its end
	needless []lb.Step // of the plan, that find everything as it is to be
	closed   map[string]View
	served   map[string]*corev1.Service // when everything was done last, with nothing said against them, by base
	// bystanders are those of served that have not changed since.
	bystanders map[string]bystander
	parked     map[string]time.Time // by target: not to be asked earlier
	told       map[string]bool
	// Fresh says that plans of a first round are made of what was just read.
	Fresh bool
}

// NewWatch starts to look.
func NewWatch(w *World) *Watch {
	return &Watch{World: w, foreign: foreignOf(w.Cloud), closed: map[string]View{}, parked: map[string]time.Time{}, told: map[string]bool{}}
}

// Blame notes a violation, each once.
func (w *Watch) Blame(promise, format string, args ...any) {
	v := Violation{promise, fmt.Sprintf(format, args...)}
	if !w.told[v.String()] {
		w.told[v.String()] = true
		w.Violations = append(w.Violations, v)
	}
}

// Meddled must be told of every change that others made on purpose.
func (w *Watch) Meddled() { w.foreign, w.touched = foreignOf(w.World.Cloud), nil }

// As is told which process is at work: each knows only what ARM has told itself.
func (w *Watch) As(parked map[string]time.Time) { w.parked = parked }

// lookAt reads the state beside faults and journal.
func (w *Watch) lookAt(c *fake.Cloud) View {
	seen, err := c.Clone().Observe(context.Background(), w.scope)
	w.World.must(err)
	return ViewOf(w.World.Cluster, seen)
}

// look is the view of the world's own cloud, which is looked at again only when it has changed.
func (w *Watch) look() View {
	if now := w.World.Cloud.Revision(); w.latest.Ports == nil || w.seen != now {
		w.latest, w.seen = w.lookAt(w.World.Cloud), now
	}
	return w.latest
}

// Observe reads, and passes on what the cloud says.
func (w *Watch) Observe(ctx context.Context, s lb.Scope) (lb.Observed, error) {
	return w.World.Cloud.Observe(ctx, s)
}

// Do carries out op and looks at what it did.
func (w *Watch) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	cloud := w.World.Cloud
	target := op.Target().Key()
	if now := cloud.Clock().Now(); now.Before(w.parked[target]) {
		w.Blame("P12", "%s was asked again %v before the time that Retry-After gave", op.Target(), w.parked[target].Sub(now))
	}
	top := op.Target().Unit()
	was, _ := cloud.Body(top)
	receipt, err := cloud.Do(ctx, op)
	is, _ := cloud.Body(top)
	changed := !reflect.DeepEqual(was, is)
	if changed {
		w.touched = append(w.touched, top)
	}
	if e, ok := errors.AsType[*provider.OpError](err); ok && e.RetryAfter > 0 {
		w.parked[target] = cloud.Clock().Now().Add(e.RetryAfter)
	}
	if receipt.Written {
		w.Writes++
		if !changed {
			w.Blame("P5", "%T of %s changed nothing", op, op.Target())
		}
	}
	settled := err == nil || provider.KindOf(err) == provider.Unknown
	if settled || changed { // a superseded write may have been carried out all the same
		w.executed = append(w.executed, w.step(op))
	}
	if settled {
		w.check(op)
	}
	return receipt, err
}

// step finds the step of the plan that op is. Of several on one resource it is the one with op's changes.
func (w *Watch) step(op lb.Op) lb.Step {
	var found []lb.Step
	for _, s := range w.plan.Steps {
		if s.Op.Target().Equal(op.Target()) && reflect.TypeOf(s.Op) == reflect.TypeOf(op) {
			found = append(found, s)
		}
	}
	if i := slices.IndexFunc(found, func(s lb.Step) bool { return reflect.DeepEqual(s.Op.Why(), op.Why()) }); i >= 0 {
		return found[i]
	}
	w.Blame("plan", "%T of %s is not in the plan", op, op.Target())
	return lb.Step{Op: op}
}

// OnEvent takes note of plans.
func (w *Watch) OnEvent(e provider.Event) {
	if planned, ok := e.(provider.Planned); ok {
		if planned.Round > 1 {
			w.Replans++
		}
		w.Expect(planned.Plan)
		if w.Fresh && planned.Round == 1 {
			w.checkNeed()
		}
	}
}

// Expect says that plan is about to be carried out: it is tried on a copy first, to know where it leads.
func (w *Watch) Expect(plan lb.Plan) {
	w.plan, w.executed = plan, nil
	w.before = w.look()
	trial := w.World.Cloud.Clone()
	report, err := provider.Apply(context.Background(), trial, plan, &provider.Options{Parallel: 1, Attempts: 1, Clock: trial.Clock()})
	w.complete = err == nil
	w.needless = needless(report)
	w.after = w.lookAt(trial)
	w.checkPlan()
}

// needless returns the steps that found everything as it was to be.
func needless(report provider.Report) []lb.Step {
	var list []lb.Step
	for _, round := range report.Rounds {
		for i, step := range round.Steps {
			if step.State == provider.StateUnchanged {
				list = append(list, round.Plan.Steps[i])
			}
		}
	}
	return list
}

// checkNeed: what was just read and is as it is to be is not written (P2). A step that comes after others may turn out to have nothing to do, where
// what is made anew gets the address that it had.
func (w *Watch) checkNeed() {
	for _, s := range w.needless {
		if len(s.After) == 0 {
			w.Blame("P2", "%T of %s is planned, but was as it is to be when it was read", s.Op, s.Op.Target())
		}
	}
}

// outrun reports whether a load balancer is as planned already: somebody else was quicker, and who planned does not know what it serves.
func (w *Watch) outrun() bool {
	return slices.ContainsFunc(w.needless, func(s lb.Step) bool {
		_, is := s.Op.(lb.PutLoadBalancer)
		return is
	})
}

// check looks at the state after one write of the plan.
func (w *Watch) check(op lb.Op) {
	now := w.foreign.after(w.World.Cloud, w.touched...)
	for _, lost := range w.foreign.lost(now) {
		w.Blame("P4", "%T of %s: %s", op, op.Target(), lost)
	}
	w.foreign, w.touched = now, nil
	view := w.look()
	w.checkTraffic(op, view)
	w.checkExposure(op, view)
	w.checkHeld(op, view)
	w.checkBystanders(op, view)
}

// announced reports whether a step that was carried out has one of risks and concerns the Service with this base.
func announced(steps []lb.Step, name types.NamespacedName, risks ...lb.Risk) bool {
	return slices.ContainsFunc(steps, func(s lb.Step) bool {
		if !slices.ContainsFunc(s.Risks, func(r lb.Risk) bool { return slices.Contains(risks, r) }) {
			return false
		}
		return slices.ContainsFunc(s.Op.Why(), func(c lb.Change) bool {
			return slices.ContainsFunc(c.Causes, func(c lb.Cause) bool { return c.Service.Name == "" || c.Service == name })
		})
	})
}

// nameOf returns the Service with this base.
func (w *World) nameOf(base string) (types.NamespacedName, *corev1.Service) {
	for i := range w.Objects.Services {
		if s := &w.Objects.Services[i]; lb.Base(s.UID) == base {
			return nameOf(s), s
		}
	}
	return types.NamespacedName{}, nil
}

// checkTraffic: what was there before the plan and is there after it is there all the time, unless a step announced otherwise (P7).
func (w *Watch) checkTraffic(op lb.Op, now View) {
	for port := range w.before.Ports {
		name, _ := w.World.nameOf(port.Base)
		if w.after.Ports[port] && !now.Ports[port] && !announced(w.executed, name, lb.RiskTraffic, lb.RiskAddress) {
			w.Blame("P7", "%T of %s cut %v", op, op.Target(), port)
		}
	}
	for flow := range w.before.Flows {
		name, _ := w.World.nameOf(flow.Base)
		if w.after.Flows[flow] && now.Ports[flow.Port] && !now.Flows[flow] && !announced(w.executed, name, lb.RiskTraffic, lb.RiskAddress) {
			w.Blame("P7", "%T of %s shut out %v", op, op.Target(), flow)
		}
	}
	for key, ip := range w.before.IPs {
		is, there := now.IPs[key]
		if to, stays := w.after.IPs[key]; stays && to.Address == ip.Address && (!there || is.Address != ip.Address) && !w.givenUp(ip.ID) {
			w.Blame("P7", "%T of %s lost public IP %s", op, op.Target(), ip.ID.Name())
		}
	}
}

// givenUp reports whether a step that was carried out announced that a public IP goes.
func (w *Watch) givenUp(ip lb.ID) bool {
	return slices.ContainsFunc(w.executed, func(s lb.Step) bool { return s.Op.Target().Equal(ip) && slices.Contains(s.Risks, lb.RiskAddress) })
}

// renewed reports whether the public IP with this address was deleted by a step that was carried out: who has the address again got it anew.
func (w *Watch) renewed(address netip.Addr) bool {
	return slices.ContainsFunc(w.executed, func(s lb.Step) bool {
		ip := w.before.IPs[s.Op.Target().Key()]
		_, deleted := s.Op.(lb.DeletePublicIP)
		return deleted && ip.Address == address
	})
}

// checkExposure: nothing that was served and shut becomes open without having been announced (P9).
func (w *Watch) checkExposure(op lb.Op, now View) {
	outrun := w.outrun()
	for flow := range now.Flows {
		if outrun || !w.before.shut(flow) || w.renewed(flow.Address) {
			continue
		}
		if !slices.ContainsFunc(w.executed, func(s lb.Step) bool { return slices.Contains(s.Risks, lb.RiskExposure) }) {
			w.Blame("P9", "%T of %s let in %v", op, op.Target(), flow)
		}
	}
	for base, then := range w.closed {
		name, _ := w.World.nameOf(base)
		for flow := range now.Flows {
			// An address that only the load balancer's write makes known can be denied only after it, as that announces.
			known := then.Ports[flow.Port] || !announced(w.executed, name, lb.RiskExposure)
			if flow.Base == base && flow.Source == "Internet" && !then.Flows[flow] && known {
				w.Blame("P9", "%T of %s let the Internet in to %v, whose sources cannot be read", op, op.Target(), flow)
			}
		}
	}
}

// checkHeld: what a held Service has stays as it is (P8).
func (w *Watch) checkHeld(op lb.Op, now View) {
	for _, f := range w.plan.Findings {
		_, s := w.World.nameOf(baseOfName(w.World, f.Service))
		if !f.Holds || s == nil {
			continue
		}
		base := lb.Base(s.UID)
		was, is := w.before.share(base), now.share(base)
		for key := range was {
			if !reflect.DeepEqual(was[key], is[key]) {
				w.Blame("P8", "%T of %s: %s is held for %v, but %s was %v and is %v", op, op.Target(), f.Service, f.Err, key, was[key], is[key])
			}
		}
		for key := range is {
			if _, ok := was[key]; !ok && !strings.HasSuffix(key, labelOf) {
				w.Blame("P8", "%T of %s: %s is held for %v, but has %s now", op, op.Target(), f.Service, f.Err, key)
			}
		}
		// Nodes come and go for held Services too; who may reach them stays.
		for flow := range w.before.Flows {
			if flow.Base == base && now.ways[Flow{Port: flow.Port, Node: flow.Node}] && !now.Flows[flow] && !w.shared(flow) {
				w.Blame("P8", "%T of %s: %s is held for %v, but %v is shut out now", op, op.Target(), f.Service, f.Err, flow)
			}
		}
	}
}

// shared reports whether f is from the virtual network, which the denial of another Service on the address shuts out, as was announced: no rule
// lets it in, and a held Service blocks no other.
func (w *Watch) shared(f Flow) bool {
	return f.Source == "VirtualNetwork" && slices.ContainsFunc(w.executed, func(s lb.Step) bool {
		return s.Op.Target().Top().Is(armid.NetworkSecurityGroups) && slices.Contains(s.Risks, lb.RiskTraffic)
	})
}

func baseOfName(w *World, name types.NamespacedName) string {
	for i := range w.Objects.Services {
		if s := &w.Objects.Services[i]; nameOf(s) == name {
			return lb.Base(s.UID)
		}
	}
	return ""
}

// checkPlan looks at a plan before it is carried out: a Service that keeps a port but not the address under it must have been announced.
func (w *Watch) checkPlan() {
	if !w.complete {
		return
	}
	w.checkMoves()
	for _, port := range slices.SortedFunc(maps.Keys(w.before.Ports), comparePorts) {
		name, s := w.World.nameOf(port.Base)
		if w.after.Ports[port] || s == nil || !asks(s, port) {
			continue
		}
		if !announced(w.plan.Steps, name, lb.RiskTraffic, lb.RiskAddress) {
			w.Blame("P7", "the plan ends %v without announcing it", port)
		}
	}
}

// checkMoves: a Service that is to have another address than before is told so.
func (w *Watch) checkMoves() {
	for i := range w.World.Objects.Services {
		s := &w.World.Objects.Services[i]
		is := w.after.addresses(lb.Base(s.UID))
		for a := range w.before.addresses(lb.Base(s.UID)) {
			moves := !is[a] && slices.ContainsFunc(slices.Collect(maps.Keys(is)), func(b netip.Addr) bool { return a.Is4() == b.Is4() })
			if moves && !announced(w.plan.Steps, nameOf(s), lb.RiskAddress) {
				w.Blame("address", "the plan moves %s from %v without saying so", nameOf(s), a)
			}
		}
	}
}

// asks reports whether a Service still wants a port of that number and protocol in that family.
func asks(s *corev1.Service, port Port) bool {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.DeletionTimestamp != nil {
		return false
	}
	family := corev1.IPv4Protocol
	if port.Address.Is6() {
		family = corev1.IPv6Protocol
	}
	return slices.Contains(s.Spec.IPFamilies, family) && slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool {
		return uint16(p.Port) == port.Number && equalProtocol(p.Protocol, port.Protocol)
	})
}

func equalProtocol(k corev1.Protocol, p lb.Protocol) bool {
	return k == corev1.ProtocolTCP && p == lb.TCP || k == corev1.ProtocolUDP && p == lb.UDP
}

func comparePorts(a, b Port) int {
	if a.Base != b.Base {
		return map[bool]int{true: -1, false: 1}[a.Base < b.Base]
	}
	if c := a.Address.Compare(b.Address); c != 0 {
		return c
	}
	if a.Number != b.Number {
		return int(a.Number) - int(b.Number)
	}
	return len(a.Protocol) - len(b.Protocol)
}

// Changed must be told when the objects changed: it notes who has sources that cannot be read, and what it lets in until then.
func (w *Watch) Changed() {
	w.scope, w.latest = lb.ScopeOf(w.World.Cluster, w.World.Objects), View{} // other objects may need more of it
	now := w.look()
	w.await()
	closed := map[string]View{}
	if w.World.Cluster.SecurityGroup == "" {
		return // nothing is closed to anybody, as a finding says
	}
	for i := range w.World.Objects.Services {
		s := &w.World.Objects.Services[i]
		_, err := annotations.Parse(s)
		for _, e := range annotations.Errors(err) {
			if e.Outcome == annotations.Close && !saysInternet(s) {
				base := lb.Base(s.UID)
				if closed[base] = now; w.closed[base].Flows != nil {
					closed[base] = w.closed[base]
				}
			}
		}
	}
	w.closed = closed
}

// saysInternet reports whether what can be read of the sources of s is the Internet.
func saysInternet(s *corev1.Service) bool {
	for _, key := range []string{annotations.KeyAllowedServiceTags, annotations.KeySourceRanges, annotations.KeyAllowedIPRanges} {
		if v := s.Annotations[key]; v == "Internet" || v == "0.0.0.0/0" {
			return true
		}
	}
	return false
}
