package provider

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// Event is something a host may want to show, count or turn into a Kubernetes Event. The set is closed: [Planned], [StepStarted],
// [StepRetried], [StepDone], [ServiceRejected]. More may come, so a switch over events should let unknown ones pass.
type Event interface{ event() }

// Planned: a [Reconciler] made a plan and is about to carry it out. Round counts from 1 within one call.
type Planned struct {
	Round int
	Plan  lb.Plan
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

func (Planned) event()         {}
func (StepStarted) event()     {}
func (StepRetried) event()     {}
func (StepDone) event()        {}
func (ServiceRejected) event() {}
