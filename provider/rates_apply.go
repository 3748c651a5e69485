package provider

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/azlb/azlb/lb"
)

// rate settles which rates writes to p keep to.
func (o *Options) rate(p Provider) {
	if rated, ok := p.(RatedProvider); ok && o.Rates == nil {
		o.Rates = rated.Rates()
	}
}

// request is op as far as its rate is concerned.
func (o *Options) request(op lb.Op) Request {
	q := Request{Subscription: op.Target().Subscription(), Region: o.Region, Kind: Write, Urgent: urgent(op)}
	switch op.(type) {
	case lb.DeleteLoadBalancer, lb.DeleteBackendPool, lb.DeletePublicIP, lb.DeleteSecurityRule, lb.DeletePrivateLinkService, lb.DeleteEndpointConnection:
		q.Kind = Delete
	}
	return q
}

// need is how long the rates will make the writes of plan wait at least.
func (o *Options) need(plan lb.Plan) time.Duration {
	if o.Rates == nil {
		return 0
	}
	writes := make([]Request, len(plan.Steps))
	for i, step := range plan.Steps {
		writes[i] = o.request(step.Op)
	}
	return o.Rates.Need(o.Clock, writes...)
}

// urgent reports whether op comes first when tokens are short: it frees something, or is what traffic runs through. New addresses, private
// links and tags can wait.
func urgent(op lb.Op) bool {
	switch op.(type) {
	case lb.PutPublicIP, lb.TagPublicIP, lb.TagResource, lb.PutPrivateLinkService, lb.PutSubnetPolicy:
		return false
	default:
		return true
	}
}

// token waits until op may be sent.
func (r *run) token(ctx context.Context, op lb.Op) error {
	if r.opts.Rates == nil {
		return nil
	}
	waited, err := r.opts.Rates.Wait(ctx, r.opts.Clock, r.opts.request(op))
	if err == nil && waited > 0 {
		r.tell(RateWaited{Target: op.Target(), Wait: waited})
	}
	return err
}

// unused gives back the token of op, of which nothing was written.
func (r *run) unused(op lb.Op) {
	if r.opts.Rates != nil {
		r.opts.Rates.Return(r.opts.Clock, r.opts.request(op))
	}
}

// slowDown lets nobody send what ARM has no more room for.
func (r *run) slowDown(op lb.Op, e *OpError) {
	if r.opts.Rates != nil && RateLimited(e) {
		r.opts.Rates.Park(r.opts.Clock, r.opts.request(op), e.RetryAfter)
	}
}

// RateLimited reports whether ARM refused something since too much was asked of it in all, and not since one resource is busy, for which it
// has the same status, 429.
func RateLimited(e *OpError) bool {
	return throttled(e) && !slices.ContainsFunc([]string{"RetryableError", "ReferencedResourceNotProvisioned", "GatewayError", "AnotherOperationInProgress"},
		func(busy string) bool { return strings.HasPrefix(strings.ToLower(e.Code), strings.ToLower(busy)) })
}

func throttled(e *OpError) bool { return e.Status == http.StatusTooManyRequests }
