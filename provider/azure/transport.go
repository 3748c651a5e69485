package azure

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// maxBody is the most bytes of one answer that are read, unpacked. Lists come in pages; the largest resource, a load balancer with all the rules
// that one may have, is a tenth of it.
const maxBody = 32 << 20

// maxHops is how many redirects are followed, as by net/http.
const maxHops = 10

// strayError is a request that would leave the endpoint, or has.
type strayError struct {
	to   string
	sent bool // an earlier request led there, which may have done something
}

func (e *strayError) Error() string {
	return "leads to " + e.to + ", which is not the configured endpoint; no token is sent there"
}

// NonRetriable keeps azcore and [retryPolicy] from asking again.
func (*strayError) NonRetriable() {}

// bulkError is an answer that has no end, or one that is out of all proportion.
type bulkError struct{ what string }

func (e *bulkError) Error() string { return e.what }

// NonRetriable keeps azcore and [retryPolicy] from asking again.
func (*bulkError) NonRetriable() {}

// endpoint is the one place that tokens go to.
type endpoint struct{ url *url.URL }

func newEndpoint(text string) (endpoint, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return endpoint{}, fmt.Errorf("azure: Cloud: %q is no address of a Resource Manager: want one like https://management.azure.com", text)
	}
	return endpoint{u}, nil
}

// has reports whether u is at the endpoint: with the same scheme, host and port.
func (e endpoint) has(u *url.URL) bool {
	return u != nil && u.User == nil && strings.EqualFold(u.Scheme, e.url.Scheme) && strings.EqualFold(u.Hostname(), e.url.Hostname()) &&
		portOf(u) == portOf(e.url)
}

func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	default:
		return "80"
	}
}

// Do is the policy that is asked before the one that signs in: links, and the addresses of operations, come from answers.
func (e endpoint) Do(req *policy.Request) (*http.Response, error) {
	if u := req.Raw().URL; !e.has(u) {
		return nil, &strayError{to: u.Scheme + "://" + u.Host}
	}
	return req.Next()
}

// redirect refuses to follow an answer to another place, and one that would make another request of a write.
func (e endpoint) redirect(next func(*http.Request, []*http.Request) error) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		switch {
		case !e.has(req.URL):
			return &strayError{to: req.URL.Scheme + "://" + req.URL.Host, sent: true}
		case req.Method != via[0].Method:
			return &strayError{to: "a " + req.Method + " where a " + via[0].Method + " was asked for", sent: true}
		case next != nil:
			return next(req, via)
		case len(via) >= maxHops:
			return &bulkError{"answers lead from one to the other without an end"}
		}
		return nil
	}
}

// transport sends requests to the endpoint alone and reads answers up to maxBody. Reading them here makes a connection that breaks in the
// middle of an answer the same as one that breaks before it: of a write nobody knows then what became of it.
type transport struct {
	endpoint endpoint
	next     policy.Transporter
}

// newTransport wraps t. Redirects are followed by http.Client, below all policies, so that it has to be told; anything else than an http.Client
// can only be checked afterwards.
func newTransport(e endpoint, t policy.Transporter) transport {
	if t == nil {
		t = defaultClient()
	}
	if c, ok := t.(*http.Client); ok && c != nil {
		own := *c
		own.CheckRedirect = e.redirect(c.CheckRedirect)
		t = &own
	}
	return transport{endpoint: e, next: t}
}

// defaultClient is like azcore's, which cannot be had without its way with redirects.
func defaultClient() *http.Client {
	t := http.DefaultTransport
	if own, ok := t.(*http.Transport); ok {
		own = own.Clone()
		own.MaxIdleConnsPerHost = 10
		own.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, Renegotiation: tls.RenegotiateFreelyAsClient}
		// A connection that went silent is noticed by pings, and not by requests that wait for ever.
		own.HTTP2 = &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second}
		t = own
	}
	return &http.Client{Transport: t}
}

// Do sends one request.
func (t transport) Do(req *http.Request) (*http.Response, error) {
	if !t.endpoint.has(req.URL) {
		return nil, &strayError{to: req.URL.Scheme + "://" + req.URL.Host}
	}
	resp, err := t.next.Do(req)
	if err != nil || resp.Body == nil {
		return resp, err
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxBody {
		return nil, &bulkError{fmt.Sprintf("an answer of more than %d MiB", maxBody>>20)}
	}
	if from := resp.Request; from != nil && !t.endpoint.has(from.URL) {
		return nil, &strayError{to: from.URL.Scheme + "://" + from.URL.Host, sent: true}
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	return resp, nil
}
