package azure

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/azlb/azlb/provider"
)

// errStillRunning is what is known of an operation that outlasts Options.PollTimeout.
var errStillRunning = errors.New("the operation is still running")

// await polls an operation to its end on the clock of the options. If its outcome stays unknown, the token is one to resume it with.
func (j job) await(x *exchange, p poller) (string, error) {
	x.polls = true
	ctx := x.in(j.ctx) // without the conditions of the write, which are not those of polls
	o := &j.b.options
	deadline := o.Clock.Now().Add(o.PollTimeout)
	for !p.Done() {
		wait := interval(x.delay, o.PollInterval)
		if o.Clock.Now().Add(wait).After(deadline) {
			return unfinished(p, &provider.OpError{RetryAfter: asked(x.delay), Err: fmt.Errorf("%w after %v", errStillRunning, o.PollTimeout)})
		}
		if err := o.Clock.Sleep(ctx, wait); err != nil {
			return unfinished(p, err)
		}
		if _, err := p.Poll(ctx); err != nil {
			return unfinished(p, err)
		}
	}
	err := p.result(ctx)
	if err == nil {
		return "", nil
	}
	if e := opError(err); e.Status == http.StatusOK || e.Status/100 == 4 && e.Kind != provider.Retry && e.Status != http.StatusNotFound {
		return "", e
	}
	// The operation succeeded; only the look at the resource afterwards failed, and the caller takes another one.
	x.got = nil
	return "", nil
}

// interval is the time until the next poll: what ARM asks for, else the default.
func interval(h http.Header, otherwise time.Duration) time.Duration {
	return cmp.Or(asked(h), otherwise)
}

// asked is how long the latest answer asks to wait.
func asked(h http.Header) time.Duration { return provider.ParseError(0, h, nil).RetryAfter }

// unfinished is an operation whose outcome is not known, whatever the reason.
func unfinished(p poller, cause error) (string, error) {
	token, err := p.ResumeToken()
	if err != nil {
		token = ""
	}
	e := opError(cause)
	_, remedy := provider.Classify(0, "")
	return token, &provider.OpError{Kind: provider.Unknown, RetryAfter: e.RetryAfter, Remedy: remedy, Err: fmt.Errorf("waiting for ARM: %w", cause)}
}
