package provider

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// Event is something a host may want to show, count or turn into a Kubernetes Event. The set is closed: [Planned], [StepStarted],
// [StepRetried], [StepDone], [ServiceConverged], [ServiceHeld], [ServiceFailed], [ServiceRejected], [DriftFound], [Throttled], [RateWaited]. More may come, so a
// switch over events should let unknown ones pass.
type Event interface{ event() }

// Planned: a [Reconciler] made a plan and is about to carry it out. Round counts from 1 within one call; with several, it is that of the call
// that has had most. Several plans may be under way at a time, for resources that do not touch each other; their events are mixed.
type Planned struct {
	Round int
	Plan  lb.Plan
	// Wait is how long Options.Rates will make its writes wait at least, were they all ready now.
	Wait time.Duration
}

// StepStarted: the first attempt at a step is about to be made.
type StepStarted struct {
	Index int // in the plan
	Step  lb.Step
}

// StepRetried: an attempt failed and the same is tried again after Wait.
type StepRetried struct {
	Index   int
	Step    lb.Step
	Attempt int // that failed, from 1
	Err     *OpError
	Wait    time.Duration
}

// StepDone: a step that was started has ended, well or not. Steps that are skipped have no event.
type StepDone struct {
	Index   int
	Step    lb.Step
	State   State
	Receipt Receipt
	Err     error
	Took    time.Duration // waits between attempts included
}

// ServiceRejected: ARM refused what the Service asks for; it is held for the rest of the call.
type ServiceRejected struct {
	Service types.NamespacedName
	Err     error
}

// ServiceConverged: a Service has all it asks for, and something was done for it, or it had been held. A deleted one has nothing any more.
type ServiceConverged struct {
	Service types.NamespacedName
	Status  corev1.LoadBalancerStatus // as it is to be written
}

// ServiceHeld: a Service is left as it is, for what its findings say or for what ARM refused. It is told once, until the reason changes.
type ServiceHeld struct {
	Service  types.NamespacedName
	Findings []lb.Finding
	Err      error // what ARM refused; nil: the findings say all
}

// ServiceFailed: a call ended and the Service, which is not held, has not all that it asks for: a step for it failed, such as one that attaches a
// node, or no pool of it has a member. It is told once, until the reason changes.
type ServiceFailed struct {
	Service types.NamespacedName
	Err     error
}

// DriftFound: something in Azure is not as it was known to be; somebody else has changed it. With Err it was a write that found it, which is
// planned again, else it was found by reading.
type DriftFound struct {
	Target lb.ID
	Err    error
}

// Throttled: ARM answered 429, and the same is asked again after Wait.
type Throttled struct {
	Target lb.ID // of a write; empty: reading
	Wait   time.Duration
	Err    *OpError
}

// RateWaited: a write has waited for its token, since Options.Rates were used up, and is sent now.
type RateWaited struct {
	Target lb.ID
	Wait   time.Duration
}

func (Planned) event()          {}
func (StepStarted) event()      {}
func (StepRetried) event()      {}
func (StepDone) event()         {}
func (ServiceConverged) event() {}
func (ServiceHeld) event()      {}
func (ServiceFailed) event()    {}
func (ServiceRejected) event()  {}
func (DriftFound) event()       {}
func (Throttled) event()        {}
func (RateWaited) event()       {}
