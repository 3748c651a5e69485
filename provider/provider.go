package provider

import (
	"context"

	"github.com/azlb/azlb/lb"
)

// Provider reads Azure and carries out single writes. It neither reorders nor decides: what to write, and in which order, is the plan's.
//
// An implementer keeps to this, and package providertest checks most of it:
//
//   - Both methods may be called from several goroutines at a time. Do is never called twice at a time for resources below one top-level one.
//   - Both return soon after ctx has ended, whatever they wait for, with its error or with an [*OpError] of kind [Unknown]. One that does not
//     is left to itself once Options.Drain is over, and its call ends with [ErrStuck]: what it still does then happens behind the back of
//     later calls, so every write must be conditional on what it was computed from.
//   - Neither panics. If one does all the same, the call ends with [ErrPanic], and a write counts as one whose outcome is not known.
//   - What was not read is not absent. An answer that is not what was asked for is an error; only 403 and 404 are told apart from it.
//   - Waits that Azure asks for are not cut short: they are waited for, or they are in OpError.RetryAfter.
type Provider interface {
	// Observe reads what s names. Parts that answer 403 or 404 go to Observed.Unknown; any other failure is an error, an [*OpError] where ARM answered.
	Observe(ctx context.Context, s lb.Scope) (lb.Observed, error)
	// Do carries out one operation whose references are resolved. It compares content first: what is there already is not written again,
	// and what is neither op's Before nor its After is an [*OpError] of kind [Replan]. Every other refusal is an [*OpError] too.
	Do(ctx context.Context, op lb.Op) (Receipt, error)
}

// RatedProvider is a [Provider] whose requests are to keep to rates, as long as Options.Rates do not say otherwise. It takes tokens for its
// reads and polls itself; those for writes are taken by [Apply] and the [Reconciler], which know what is urgent.
type RatedProvider interface {
	Provider
	Rates() *Rates
}

// Receipt is the outcome of one operation.
type Receipt struct {
	Target  lb.ID
	Written bool   // false: Azure had it already
	ETag    string // of Target after the write; empty after a deletion
	// Assigned are addresses of the public IP, or of the frontends, that were written.
	Assigned []lb.Assigned
	// Seen has the top-level resource that Target is or is in, as [Provider.Observe] would show it now: one entry in one of its lists. It
	// spares a [Reconciler] reading what was just written. Empty after a deletion, and if the provider does not know.
	Seen lb.Observed
	// Alias is that of the private link service that was written.
	Alias string
	// Resume is a token with which an operation that was still running can be waited for; empty otherwise.
	Resume string
}
