package azure

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azlb/azlb/provider"
)

// How long to wait before a read is sent again if ARM asks for no more: twice as long each time. A read for which ARM asks for more than
// maxWait is its caller's to delay.
const (
	firstWait = time.Second
	maxWait   = time.Minute
)

// retryPolicy sends reads and polls again. Unlike azcore's it waits on the clock of the options, and leaves writes to who planned them.
type retryPolicy struct{ o *Options }

func (p retryPolicy) Do(req *policy.Request) (*http.Response, error) {
	ctx := req.Raw().Context()
	if req.Raw().Method != http.MethodGet {
		return req.Next()
	}
	x := exchangeOf(req)
	q := provider.Request{Subscription: subscriptionOf(req.Raw().URL.Path), Region: p.o.Region, Kind: provider.Read}
	for try := 0; ; try++ {
		if _, err := p.o.Rates.Wait(ctx, p.o.Clock, q); err != nil {
			return nil, err
		}
		resp, err := req.Clone(ctx).Next()
		p.slowDown(q, resp)
		if ctx.Err() != nil || !transient(resp, err) || try >= p.o.Retries {
			return resp, err
		}
		asked := delayOf(resp)
		if asked > maxWait && (x == nil || !x.polls) {
			return resp, err
		}
		if resp != nil {
			runtime.Drain(resp)
		}
		if err := p.o.Clock.Sleep(ctx, max(asked, min(firstWait<<min(try, 6), maxWait))); err != nil {
			return nil, err
		}
	}
}

// slowDown lets nobody read what ARM has no more room for.
func (p retryPolicy) slowDown(q provider.Request, resp *http.Response) {
	if resp == nil || resp.StatusCode != http.StatusTooManyRequests {
		return
	}
	body, _ := runtime.Payload(resp)
	if e := provider.ParseError(resp.StatusCode, resp.Header, body); provider.RateLimited(e) {
		p.o.Rates.Park(p.o.Clock, q, e.RetryAfter)
	}
}

// subscriptionOf returns the subscription in the path of a request, or nothing.
func subscriptionOf(path string) string {
	parts := strings.Split(path, "/")
	if len(parts) > 2 && strings.EqualFold(parts[1], "subscriptions") {
		return parts[2]
	}
	return ""
}

// transient reports whether the same request may do better later.
func transient(resp *http.Response, err error) bool {
	if err != nil {
		return !final(err)
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// final reports whether err says that nothing was sent and that nothing will be: the credential is refused, for one.
func final(err error) bool {
	var mark interface{ NonRetriable() }
	return errors.As(err, &mark)
}

// delayOf returns how long an answer asks to wait.
func delayOf(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	return provider.ParseError(resp.StatusCode, resp.Header, nil).RetryAfter
}

// recordPolicy tells the logger and the observer of every request.
type recordPolicy struct{ o *Options }

func (p recordPolicy) Do(req *policy.Request) (*http.Response, error) {
	started := p.o.Clock.Now()
	resp, err := req.Next()
	c := Call{Method: req.Raw().Method, Path: req.Raw().URL.Path, Took: p.o.Clock.Now().Sub(started), Err: err}
	if resp != nil {
		c.Status = resp.StatusCode
		c.refused(resp)
	}
	p.o.Observer(c)
	p.log(c)
	return resp, err
}

func (c *Call) refused(resp *http.Response) {
	if resp.StatusCode < 400 {
		return
	}
	// A body that cannot be read leaves the status, which is the better part of it.
	body, _ := runtime.Payload(resp)
	e := provider.ParseError(resp.StatusCode, resp.Header, body)
	c.Code, c.RetryAfter = e.Code, e.RetryAfter
}

func (p recordPolicy) log(c Call) {
	switch {
	case c.Err != nil:
		p.o.Logger.Warn("no answer", "method", c.Method, "path", c.Path, "took", c.Took, "error", c.Err)
	case c.Status >= 400:
		p.o.Logger.Warn("refused", "method", c.Method, "path", c.Path, "status", c.Status, "code", c.Code,
			"retryAfter", c.RetryAfter, "took", c.Took)
	default:
		p.o.Logger.Debug("call", "method", c.Method, "path", c.Path, "status", c.Status, "took", c.Took)
	}
}
