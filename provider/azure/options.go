package azure

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/tracing"

	"github.com/azlb/azlb/internal/safelog"
	"github.com/azlb/azlb/provider"
)

// Options tunes [New]. Set ScaleSets wherever nodes may be instances of scale sets, as they are by default on AKS; everything else may be left
// out. A nil *Options means every default below.
type Options struct {
	// ScaleSets reads and writes scale sets, which pools of network interfaces need whose nodes are instances of them: set it to vmss.Clients{}
	// of github.com/azlb/azlb/provider/azure/vmss unless vmType is standard or the pools hold addresses (nodeIP). Nil: a Service
	// whose pool needs such nodes is held, with an error that says so, and a load balancer that scale sets are in cannot be deleted.
	ScaleSets ScaleSets
	// Logger gets one record per ARM call: debug, or warn if it was refused. Nil discards them.
	Logger *slog.Logger
	// Tracing makes spans of the calls. The zero value makes none.
	Tracing tracing.Provider
	// Observer is told of every HTTP request after its answer, for metrics. It is called from several goroutines and must return quickly.
	Observer func(Call)
	// Cloud names the endpoint of Resource Manager and the audience of its tokens. The zero value is the public cloud.
	Cloud cloud.Configuration
	// Transport sends the requests. Nil means a client like azcore's. An *http.Client is copied, and follows redirects at the endpoint of Cloud
	// only; anything else must follow none, since what it sends elsewhere has the token in it. An answer from elsewhere is refused.
	Transport policy.Transporter
	// WithoutETags says that the endpoint of Cloud has no ETags and that nobody else writes there. Without it, what was read without an ETag is
	// not written or deleted, since a change that somebody else made meanwhile would be lost.
	WithoutETags bool
	// PlainHTTP lets tokens travel to an endpoint without TLS, for tests on loopback.
	PlainHTTP bool
	// NetworkCredential is used for NetworkSubscription where that belongs to another tenant (networkResourceTenantID of azure.json).
	NetworkCredential   azcore.TokenCredential
	NetworkSubscription string
	// PollInterval is the wait between polls of a long-running operation when ARM names none. Zero means 5s.
	PollInterval time.Duration
	// PollTimeout is how long one operation is polled before its outcome is reported as unknown. Zero means 15m.
	PollTimeout time.Duration
	// Retries is how often one read or poll is sent again after a fault, or after a refusal that asks for it. A read for which ARM asks for
	// more than a minute is not: the delay is in the error. Zero means 3; negative: never. Writes are never sent again here.
	Retries int
	// MaxAge is how old a body may be for a write to be computed from it without reading it again. Zero means 1m.
	MaxAge time.Duration
	// Rates make reads and polls wait for a token each, and are those of the writes that [provider.Apply] and a [provider.Reconciler] send
	// through the backend, unless their own options say otherwise. Share one among all that sign in as the same principal. Nil means rates of
	// [provider.RecommendedBudget], for this backend alone; those of a zero [provider.Budget] let nothing wait.
	Rates *provider.Rates
	// Region is where reads are counted, for Rates. Empty is fine as long as one Rates serves one region.
	Region string
	// Clock tells the time and waits, between polls and retries. Nil means the real one.
	Clock provider.Clock
}

// Call is one HTTP request to Resource Manager and its answer, for metrics. Waits are not in it.
type Call struct {
	Method     string
	Path       string // without the query
	Status     int    // zero: no answer
	Code       string // of a refusal
	RetryAfter time.Duration
	Took       time.Duration
	Err        error // why there was no answer
}

// Type is the type of the top-level resource, or of the list, that was asked for, in lower case and without its provider, such as
// loadbalancers; "other" for anything else. There are few of them, so that it can label a metric.
func (c Call) Type() string {
	_, after, _ := strings.Cut(strings.ToLower(c.Path), "/providers/")
	if parts := strings.Split(after, "/"); len(parts) > 1 {
		return parts[1]
	}
	return "other"
}

type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withDefaults returns a copy of o in which everything is set.
func (o *Options) withDefaults() Options {
	var all Options
	if o != nil {
		all = *o
	}
	if all.Logger == nil {
		all.Logger = slog.New(slog.DiscardHandler)
	}
	all.Logger = safelog.Wrap(all.Logger)
	if all.Observer == nil {
		all.Observer = func(Call) {}
	}
	if all.PollInterval <= 0 {
		all.PollInterval = 5 * time.Second
	}
	if all.PollTimeout <= 0 {
		all.PollTimeout = 15 * time.Minute
	}
	if all.Retries == 0 {
		all.Retries = 3
	}
	if all.MaxAge <= 0 {
		all.MaxAge = time.Minute
	}
	if all.Rates == nil {
		all.Rates = provider.NewRates(provider.RecommendedBudget())
	}
	if all.Clock == nil {
		all.Clock = realClock{}
	}
	return all
}
