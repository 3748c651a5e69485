package provider

import (
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// State is how a step ended.
type State string

// The states. Planned: a dry run. Unknown: the write may or may not have happened. Deferred: another call was at work on the same, and the
// step was planned again in a later round.
const (
	StateDone      State = "done"
	StateUnchanged State = "unchanged"
	StateFailed    State = "failed"
	StateSkipped   State = "skipped"
	StateUnknown   State = "unknown"
	StatePlanned   State = "planned"
	StateDeferred  State = "deferred"
)

// Report says what became of a plan, or of the several that one call of a [Reconciler] needed.
type Report struct {
	// Rounds has one plan each with what became of it, in order; [Apply] has one round.
	Rounds []Round
	// Writes counts the writes that were made in all rounds.
	Writes int
	// Services are the results by Service: after [Apply] of the Services that its steps are for, after a call of a Reconciler of all Services
	// that are served, and of deleted ones that something was done for.
	Services map[types.NamespacedName]ServiceReport
	// Findings are those of the last plan; after Ensure and Delete those about the Service and about no Service in particular.
	Findings []lb.Finding
}

// Round is one plan and what became of its steps.
type Round struct {
	Plan  lb.Plan
	Steps []StepReport // same order as Plan.Steps
}

// StepReport is what became of one step.
type StepReport struct {
	State    State
	Receipt  Receipt
	Err      error // an *OpError if the step failed; if it was skipped, why
	Attempts int
	// WaitedFor is, of a skipped step, the index of the step whose failure is the reason, or -1 if the context was cancelled. It is -1 in
	// all other states.
	WaitedFor int
}

// ServiceReport is what became of one Service.
type ServiceReport struct {
	// Status is the load balancer status to write; nil after [Apply], and while an address is not known.
	Status *corev1.LoadBalancerStatus
	// PrivateLink is the private link service of its frontend; nil after [Apply], and if there is none.
	PrivateLink *PrivateLink
	// Held says that the Service was left as it is, for the findings or the error below.
	Held     bool
	Findings []lb.Finding
	// Err is nil if every step that is for the Service ([lb.Step]) succeeded and ARM refused nothing it asks for: the members of its pools are
	// attached then. It is the first error otherwise, or why no member is in any pool of it; other findings do not count.
	Err error
}

// errs returns the error that held a Service back: its own, and those of its findings that hold it.
func (s ServiceReport) errs() error {
	if !s.Held {
		return s.Err
	}
	list := []error{s.Err, ErrHeld}
	for _, f := range s.Findings {
		// The finding about a refusal wraps the refusal, which is in the list already.
		if (f.Holds || f.Severity == lb.SeverityError) && (s.Err == nil || !errors.Is(f.Err, s.Err)) {
			list = append(list, fmt.Errorf("%s: %w", f.Field, f.Err))
		}
	}
	return errors.Join(list...)
}

// Plan returns the last plan.
func (r Report) Plan() lb.Plan {
	if len(r.Rounds) == 0 {
		return lb.Plan{}
	}
	return r.Rounds[len(r.Rounds)-1].Plan
}

// last returns the steps of the last round.
func (r Report) last() Round {
	if len(r.Rounds) == 0 {
		return Round{}
	}
	return r.Rounds[len(r.Rounds)-1]
}

// causes returns the Services that step's changes name, each once, in the order of the changes.
func causes(changes []lb.Change) []types.NamespacedName {
	var names []types.NamespacedName
	seen := map[types.NamespacedName]bool{}
	for _, change := range changes {
		for _, cause := range change.Causes {
			if cause.Service.Name != "" && !seen[cause.Service] {
				seen[cause.Service] = true
				names = append(names, cause.Service)
			}
		}
	}
	return names
}

// servicesOf returns the Services that a step is for. Nobody may change the list. A step that was made by hand is for those its changes name.
func servicesOf(step lb.Step) []types.NamespacedName {
	if len(step.Services) > 0 {
		return step.Services
	}
	return causes(step.Op.Why())
}

// isFor reports whether a step is for a Service.
func isFor(step lb.Step, name types.NamespacedName) bool {
	if len(step.Services) > 0 {
		_, found := slices.BinarySearchFunc(step.Services, name, compareNames)
		return found
	}
	return slices.Contains(causes(step.Op.Why()), name)
}

// services sums the steps of a round up by Service.
func (r Round) services() map[types.NamespacedName]ServiceReport {
	all := map[types.NamespacedName]ServiceReport{}
	for i, step := range r.Steps {
		for _, name := range servicesOf(r.Plan.Steps[i]) {
			s := all[name]
			if s.Err == nil {
				s.Err = step.Err
			}
			all[name] = s
		}
	}
	return all
}

// assigned lists the addresses that the receipts of a round tell.
func (r Round) assigned() []lb.Assigned {
	var all []lb.Assigned
	for _, step := range r.Steps {
		all = append(all, step.Receipt.Assigned...)
	}
	return all
}

// err joins the errors of the steps that were started and failed, in the order of the plan.
func (r Round) err() error {
	var list []error
	for _, step := range r.Steps {
		if step.Err != nil && step.State != StateSkipped {
			list = append(list, step.Err)
		}
	}
	return errors.Join(list...)
}

// stopped reports whether a step was not started because the context was cancelled.
func (r Round) stopped() bool {
	for _, step := range r.Steps {
		if step.State == StateSkipped && step.WaitedFor < 0 {
			return true
		}
	}
	return false
}
