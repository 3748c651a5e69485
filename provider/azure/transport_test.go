package azure_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// elsewhere are places that look like https://management.azure.com to somebody.
var elsewhere = []string{
	"https://evil.example",
	"http://management.azure.com",
	"https://management.azure.com:8443",
	"https://management.azure.com.evil.example",
	"https://login.management.azure.com",
	"https://management.azure.com@evil.example",
	"https://t@management.azure.com",
	"https://evil.example#@management.azure.com",
	"//evil.example",
}

// wire answers as http.RoundTripper, below a client that follows redirects, and takes note of who was asked.
type wire struct {
	answer func(*http.Request) *http.Response
	asked  []string
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	w.asked = append(w.asked, req.Method+" "+req.URL.Scheme+"://"+req.URL.Host)
	if req.Body != nil {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
	}
	resp := w.answer(req)
	resp.Request = req
	return resp, nil
}

func (w *wire) foreign() []string {
	return slices.DeleteFunc(slices.Clone(w.asked), func(s string) bool { return strings.HasSuffix(s, " https://management.azure.com") })
}

// leads is an answer that leads somewhere.
type leads struct {
	name   string
	writes bool
	answer func(r *http.Request, to string) *http.Response
}

func header(resp *http.Response, key, value string) *http.Response {
	resp.Header.Set(key, value)
	return resp
}

// keptIP is the body of the public IP that ways out are tried with.
func keptIP() string {
	for _, k := range keptTypes() {
		if k.id.Is(armid.PublicIPAddresses) {
			return strings.Replace(k.body, "{", `{"etag":"e","id":"`+string(k.id)+`",`, 1)
		}
	}
	return ""
}

var waysOut = []leads{
	{"nextLink", false, func(_ *http.Request, to string) *http.Response {
		return reply(200, `{"value":[],"nextLink":"`+to+`/subscriptions/s/next"}`)
	}},
	{"redirect of a read", false, func(_ *http.Request, to string) *http.Response { return header(reply(307, ""), "Location", to+"/x") }},
	{"redirect of a read, moved for good", false, func(_ *http.Request, to string) *http.Response { return header(reply(301, ""), "Location", to+"/x") }},
	{"redirect of a write", true, func(_ *http.Request, to string) *http.Response { return header(reply(308, ""), "Location", to+"/x") }},
	{"redirect of a write to a read", true, func(_ *http.Request, to string) *http.Response { return header(reply(303, ""), "Location", to+"/x") }},
	{"Location", true, func(_ *http.Request, to string) *http.Response {
		return header(reply(202, ""), "Location", to+"/operations/1")
	}},
	{"Azure-AsyncOperation", true, func(_ *http.Request, to string) *http.Response {
		return header(reply(202, ""), "Azure-AsyncOperation", to+"/operations/1")
	}},
}

// TestTokenStaysAtTheEndpoint: wherever an answer leads, nothing is sent to another place than the configured one.
func TestTokenStaysAtTheEndpoint(t *testing.T) {
	for _, way := range waysOut {
		for _, to := range elsewhere {
			t.Run(way.name+"/"+to, func(t *testing.T) {
				w := &wire{answer: func(r *http.Request) *http.Response {
					if r.Method == http.MethodGet && way.writes {
						return reply(200, keptIP())
					}
					return way.answer(r, to)
				}}
				b, err := azure.New(anyone{"t"}, &azure.Options{Transport: &http.Client{Transport: w}, Clock: fake.New(nil).Clock()})
				if err != nil {
					t.Fatal(err)
				}
				if way.writes {
					_, err = b.Do(t.Context(), lb.DeletePublicIP{Before: lb.PublicIP{ID: address, SKU: "Standard", Family: 1, Allocation: "Static"}})
				} else {
					_, err = b.Observe(t.Context(), lb.Scope{PublicIPs: []lb.ID{group}})
				}
				if err == nil || len(w.foreign()) > 0 {
					t.Errorf("error %v, asked %v", err, w.asked)
				}
				if kind := provider.KindOf(err); way.writes && kind != provider.Unknown {
					t.Errorf("a write that was sent is %v: %v", kind, err)
				}
				if len(w.asked) > 2 {
					t.Errorf("asked %v, want one request and what comes before it", w.asked)
				}
			})
		}
	}
}

// TestEndpointMayLeadToItself: links and redirects within the endpoint are followed, however it is spelled, and by a client of others too.
func TestEndpointMayLeadToItself(t *testing.T) {
	for _, tt := range []struct{ endpoint, to string }{
		{"https://management.azure.com", "https://management.azure.com"},
		{"https://management.azure.com", "https://MANAGEMENT.azure.com:443"},
		{"https://management.example.net:443/", "https://management.example.net"},
		{"https://management.example.net:8443", "https://management.example.net:8443"},
	} {
		hops := 0
		w := &wire{answer: func(r *http.Request) *http.Response {
			switch r.URL.Path {
			case "/second":
				return header(reply(307, ""), "Location", tt.to+"/third")
			case "/third":
				hops++
				return reply(200, `{"value":[]}`)
			default:
				return reply(200, `{"value":[],"nextLink":"`+tt.to+`/second"}`)
			}
		}}
		checked := 0
		client := &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error { checked++; return nil }}
		b, err := azure.New(anyone{"t"}, &azure.Options{Transport: client, Clock: fake.New(nil).Clock(), Cloud: cloud.Configuration{
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: tt.endpoint, Audience: "a"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Observe(t.Context(), lb.Scope{PublicIPs: []lb.ID{group}}); err != nil || hops != 1 || checked != 1 {
			t.Errorf("%s to %s: %v, %d hops, %d asked of the client's own check", tt.endpoint, tt.to, err, hops, checked)
		}
	}
	for _, bad := range []string{"management.azure.com", "://", "/"} {
		if _, err := azure.New(anyone{"t"}, &azure.Options{Cloud: cloud.Configuration{
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: bad, Audience: "a"}},
		}}); err == nil {
			t.Errorf("the endpoint %q is taken", bad)
		}
	}
}

// TestForeignAnswer: what a transport that follows redirects by itself brings from elsewhere is no answer.
func TestForeignAnswer(t *testing.T) {
	door := &instead{of: func(*http.Request) bool { return true }, answer: `{"value":[]}`}
	b, err := azure.New(anyone{"t"}, &azure.Options{Transport: follower{door}, Clock: fake.New(nil).Clock()})
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := b.Observe(t.Context(), lb.Scope{PublicIPs: []lb.ID{group}}); err == nil || !strings.Contains(err.Error(), "evil.example") {
		t.Errorf("observed %v, %v", seen, err)
	}
}

// follower is a transport that was led to another place.
type follower struct{ next *instead }

func (f follower) Do(req *http.Request) (*http.Response, error) {
	resp, err := f.next.Do(req)
	if err == nil {
		resp.Request = req.Clone(req.Context())
		resp.Request.URL.Host = "evil.example"
	}
	return resp, err
}

// TestResumeStaysAtTheEndpoint: a token comes from outside, and so do the addresses in it.
func TestResumeStaysAtTheEndpoint(t *testing.T) {
	w := &wire{answer: func(r *http.Request) *http.Response {
		if r.Method == http.MethodGet {
			return reply(200, keptIP())
		}
		return header(reply(202, ""), "Azure-AsyncOperation", "https://evil.example/operations/1")
	}}
	b, err := azure.New(anyone{"t"}, &azure.Options{Transport: &http.Client{Transport: w}, Clock: fake.New(nil).Clock()})
	if err != nil {
		t.Fatal(err)
	}
	op := lb.DeletePublicIP{Before: lb.PublicIP{ID: address, SKU: "Standard", Family: 1, Allocation: "Static"}}
	receipt, err := b.Do(t.Context(), op)
	if receipt.Resume == "" {
		t.Fatalf("no token: %v", err)
	}
	if _, err := b.Resume(t.Context(), op, receipt.Resume); provider.KindOf(err) != provider.Unknown || len(w.foreign()) > 0 {
		t.Errorf("resumed: %v, asked %v", err, w.foreign())
	}
}

// endless is a body without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte(" "), len(p)))
	e.read += len(p)
	return len(p), nil
}

func (e *endless) Close() error { return nil }

// TestAnswersHaveAnEnd: lists that lead in a circle or on and on, and bodies without an end, are errors, and not asked for again.
func TestAnswersHaveAnEnd(t *testing.T) {
	page := func(link string) *http.Response { return reply(200, `{"value":[],"nextLink":"`+link+`"}`) }
	body := &endless{}
	for _, tt := range []struct {
		name   string
		answer func(n int, r *http.Request) *http.Response
		most   int
	}{
		{"a page that leads to itself", func(_ int, r *http.Request) *http.Response { return page(r.URL.String()) }, 2},
		{"two pages that lead to each other", func(n int, _ *http.Request) *http.Response {
			return page(fmt.Sprintf("https://management.azure.com/page/%d", n%2))
		}, 3},
		{"pages that lead on and on", func(n int, _ *http.Request) *http.Response {
			return page(fmt.Sprintf("https://management.azure.com/page/%d", n))
		}, 1000},
		{"redirects that lead to each other", func(n int, _ *http.Request) *http.Response {
			return header(reply(307, ""), "Location", fmt.Sprintf("https://management.azure.com/hop/%d", n%2))
		}, 10},
		{"a body without an end", func(int, *http.Request) *http.Response {
			resp := reply(200, "")
			resp.Body, resp.ContentLength = body, -1
			return resp
		}, 1},
		{"an error without an end", func(int, *http.Request) *http.Response {
			resp := reply(503, "")
			resp.Body, resp.ContentLength = &endless{}, -1
			return resp
		}, 1},
	} {
		for kind, scope := range map[string]lb.Scope{
			"list": {PublicIPs: []lb.ID{group}}, "machines": {Machines: []lb.ID{group}},
		} {
			n := 0
			w := &wire{answer: func(r *http.Request) *http.Response {
				n++
				return tt.answer(n, r)
			}}
			b, err := azure.New(anyone{"t"}, &azure.Options{Transport: &http.Client{Transport: w}, Clock: fake.New(nil).Clock(), Rates: provider.NewRates(provider.Budget{})})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Observe(t.Context(), scope); provider.KindOf(err) != provider.Terminal || n > tt.most {
				t.Errorf("%s of %s: %v (%v) after %d requests, want at most %d", tt.name, kind, err, provider.KindOf(err), n, tt.most)
			}
		}
	}
	if body.read > 80<<20 {
		t.Errorf("%d bytes of two answers without an end were read", body.read)
	}
}

// TestListOnTwoPages: a resource that moves from one page to the next while they are read is one, as it was read last.
func TestListOnTwoPages(t *testing.T) {
	w := &wire{answer: func(r *http.Request) *http.Response {
		if r.URL.Path == "/second" {
			return reply(200, `{"value":[`+strings.Replace(keptIP(), "192.0.2.1", "192.0.2.2", 1)+`]}`)
		}
		return reply(200, `{"value":[`+keptIP()+`],"nextLink":"https://management.azure.com/second"}`)
	}}
	b, err := azure.New(anyone{"t"}, &azure.Options{Transport: &http.Client{Transport: w}, Clock: fake.New(nil).Clock()})
	if err != nil {
		t.Fatal(err)
	}
	seen, err := b.Observe(t.Context(), lb.Scope{PublicIPs: []lb.ID{group}})
	if err != nil || len(seen.PublicIPs) != 1 || seen.PublicIPs[0].Address.String() != "192.0.2.2" {
		t.Errorf("observed %+v, %v", seen.PublicIPs, err)
	}
}

// TestDelayOfAnOperation: an operation that is to be asked about in two days is left to whoever asks then.
func TestDelayOfAnOperation(t *testing.T) {
	const days = 48 * time.Hour
	w := &wire{answer: func(r *http.Request) *http.Response {
		if r.Method == http.MethodGet {
			return reply(200, keptIP())
		}
		return header(header(reply(202, ""), "Azure-AsyncOperation", "https://management.azure.com/operations/1"), "Retry-After", "172800")
	}}
	b, err := azure.New(anyone{"t"}, &azure.Options{Transport: &http.Client{Transport: w}, Clock: fake.New(nil).Clock()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Do(t.Context(), lb.DeletePublicIP{Before: lb.PublicIP{ID: address, SKU: "Standard", Family: 1, Allocation: "Static"}})
	if e, ok := errors.AsType[*provider.OpError](err); !ok || e.Kind != provider.Unknown || e.RetryAfter != days || len(w.asked) != 2 {
		t.Errorf("%v, requests %v: want it unknown, with %v to wait", err, w.asked, days)
	}
}
