package azure_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/providertest"
)

// anyone is a credential that always has one.
type anyone struct{ text string }

func (t anyone) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: t.text, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// arm is the least of Resource Manager over a fake cloud: enough to see what the backend sends and to answer as no cloud would.
type arm struct {
	cloud *fake.Cloud
	polls int // how often an operation is in progress before it is done; negative: writes are done at once
	pages int // resources on a page of a list; zero: all
	// answer, if set, may answer in place of the cloud.
	answer func(*http.Request) *http.Response

	mu       sync.Mutex
	requests []seenRequest
	left     map[string]int
}

type seenRequest struct {
	method, path  string
	header        http.Header
	body          []byte
	ifMatch, none string
}

func newARM(t testing.TB) *arm {
	t.Helper()
	a := &arm{cloud: fake.New(nil), polls: -1, left: map[string]int{}}
	if err := a.cloud.Load(providertest.Seed()); err != nil {
		t.Fatal(err)
	}
	return a
}

// backend returns one that talks to a on its clock.
func (a *arm) backend(t testing.TB, o azure.Options) *azure.Backend {
	t.Helper()
	o.Transport = a
	if o.Clock == nil {
		o.Clock = a.cloud.Clock()
	}
	b, err := azure.New(anyone{"t"}, &o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// count returns how many requests with this method there were since the last reset.
func (a *arm) count(method string) int {
	n := 0
	for _, r := range a.seen() {
		if r.method == method {
			n++
		}
	}
	return n
}

func (a *arm) seen() []seenRequest {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]seenRequest(nil), a.requests...)
}

func (a *arm) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests = nil
}

func (a *arm) Do(req *http.Request) (*http.Response, error) {
	seen := seenRequest{method: req.Method, path: req.URL.Path, header: req.Header.Clone()}
	seen.ifMatch, seen.none = req.Header.Get("If-Match"), req.Header.Get("If-None-Match")
	if req.Body != nil {
		var err error
		if seen.body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	a.mu.Lock()
	a.requests = append(a.requests, seen)
	a.mu.Unlock()
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if a.answer != nil {
		if resp := a.answer(req); resp != nil {
			resp.Request = req
			return resp, nil
		}
	}
	resp, err := a.serve(req, seen)
	if err == nil {
		resp.Request = req
	}
	return resp, err
}

func (a *arm) serve(req *http.Request, seen seenRequest) (*http.Response, error) {
	if strings.Contains(seen.path, "/operations/") {
		return a.operation(seen.path), nil
	}
	if strings.HasSuffix(seen.path, "/providers/Microsoft.Compute") {
		return reply(200, `{"resourceTypes":[{"resourceType":"virtualMachines","zoneMappings":[{"location":"West US 2","zones":["3","1","2"]}]}]}`), nil
	}
	call := fake.Call{Method: req.Method, ID: lb.ID(seen.path), IfMatch: seen.ifMatch, IfNoneMatch: seen.none}
	if len(seen.body) > 0 {
		dec := json.NewDecoder(bytes.NewReader(seen.body))
		dec.UseNumber()
		if err := dec.Decode(&call.Body); err != nil {
			return nil, err
		}
	}
	answer, err := a.cloud.Call(req.Context(), call)
	if e, ok := errors.AsType[*provider.OpError](err); ok && e.Status != 0 {
		return refusal(e), nil
	} else if err != nil {
		return nil, err
	}
	return a.success(req, answer), nil
}

func refusal(e *provider.OpError) *http.Response {
	message := e.Err.Error()
	if e.SubResource != "" {
		message += " " + string(e.SubResource)
	}
	body, _ := json.Marshal(map[string]any{"error": map[string]any{"code": e.Code, "message": message}})
	resp := reply(e.Status, string(body))
	if e.RetryAfter > 0 {
		resp.Header.Set("Retry-After", strconv.Itoa(int(e.RetryAfter/time.Second)))
	}
	return resp
}

func (a *arm) success(req *http.Request, answer fake.Answer) *http.Response {
	if answer.List != nil {
		return a.page(req, answer)
	}
	var body []byte
	if answer.Body != nil {
		body, _ = json.Marshal(answer.Body)
	}
	resp := reply(answer.Status, string(body))
	if a.polls >= 0 && (req.Method == http.MethodPut || req.Method == http.MethodDelete) && answer.Status != http.StatusNoContent {
		a.mu.Lock()
		path := "/subscriptions/s/providers/Microsoft.Network/locations/l/operations/" + strconv.Itoa(len(a.left))
		a.left[path] = a.polls
		a.mu.Unlock()
		resp = reply(201, strings.ReplaceAll(string(body), `"provisioningState":"Succeeded"`, `"provisioningState":"Updating"`))
		if req.Method == http.MethodDelete {
			resp.StatusCode = http.StatusAccepted
		}
		resp.Header.Set("Azure-AsyncOperation", "https://management.azure.com"+path+"?api-version=1")
	}
	return resp
}

func (a *arm) page(req *http.Request, answer fake.Answer) *http.Response {
	from, _ := strconv.Atoi(req.URL.Query().Get("skip"))
	list, next := answer.List[from:], ""
	if a.pages > 0 && len(list) > a.pages {
		list = list[:a.pages]
		next = "https://management.azure.com" + req.URL.Path + "?api-version=1&skip=" + strconv.Itoa(from+a.pages)
	}
	body, _ := json.Marshal(map[string]any{"value": list, "nextLink": next})
	return reply(200, string(body))
}

func (a *arm) operation(path string) *http.Response {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left[path]--; a.left[path] >= 0 {
		return reply(200, `{"status":"InProgress"}`)
	}
	return reply(200, `{"status":"Succeeded"}`)
}

func reply(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), ProtoMajor: 1, ProtoMinor: 1,
	}
}
