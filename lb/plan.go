package lb

import (
	"net/netip"

	"k8s.io/apimachinery/pkg/types"
)

// Plan is the way from what is observed to what is desired.
type Plan struct {
	Steps    []Step
	Findings []Finding
}

// Step is one write of a plan.
type Step struct {
	Op    Op
	After []int  // indices of the steps that must have succeeded before this one starts; all smaller than its own
	Why   []Edge // of each entry of After, why this step waits for that one
	Risks []Risk // sorted
	// Waived are the rules that cannot be kept at this step, sorted: steps would wait for each other in a circle. What it means that one is not kept
	// is in Risks. Mostly empty.
	Waived []Edge
	// Services are those that are not served as they ask until the step is done, sorted: the causes of its changes; of what no Service asked
	// for, those that are served through what changes; and, where members of a pool come or go, everybody whose rules lead to it. Empty: no
	// Service is the worse for it if the step fails.
	Services []types.NamespacedName
}

// Risk says what a step may do to traffic beyond what it adds.
type Risk string

// The risks.
const (
	RiskTraffic  Risk = "traffic"  // cuts or moves traffic of something that is in use
	RiskAddress  Risk = "address"  // changes or gives up an address
	RiskExposure Risk = "exposure" // lets in traffic that was not let in before
)

// Assigned is an address that ARM assigned to a public IP or to a frontend.
type Assigned struct {
	ID ID
	IP netip.Addr
}
