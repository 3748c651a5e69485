package azure_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/providertest"
)

var (
	group   = armid.Group(providertest.Subscription, providertest.Group)
	nsg     = in(armid.NetworkSecurityGroups, providertest.SecurityGroup)
	network = in(armid.VirtualNetworks, providertest.Network)
	subnet  = network.Child(armid.Subnets, providertest.Subnet)
	address = in(armid.PublicIPAddresses, "web")
	scope   = lb.Scope{
		LoadBalancers: []lb.ID{group}, PublicIPs: []lb.ID{group}, SecurityGroup: nsg, Networks: []lb.ID{network},
		Subscription: providertest.Subscription, Location: providertest.Location,
	}
)

func in(typ, name string) lb.ID {
	return armid.Resource(providertest.Subscription, providertest.Group, typ, name)
}

func publicIP(label rune) lb.PublicIP {
	ip := lb.PublicIP{
		ID: address, Location: providertest.Location, SKU: "Standard", Family: ipam.IPv4, Allocation: "Static", Zones: "1,2,3",
		Tags: lb.Tags{{Key: "owner", Value: "test"}},
	}
	if label > 0 {
		ip.DNSLabel = "label" + string('a'+label)
	}
	return ip
}

func put(before, after lb.PublicIP) lb.Op {
	return lb.PutPublicIP{Before: before, After: after, Changes: []lb.Change{{Ref: address}}}
}

var create = put(lb.PublicIP{}, publicIP(0))

func observe(t *testing.T, b *azure.Backend) lb.Observed {
	t.Helper()
	seen, err := b.Observe(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func do(t *testing.T, b *azure.Backend, op lb.Op) provider.Receipt {
	t.Helper()
	receipt, err := b.Do(t.Context(), op)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func failed(t *testing.T, b *azure.Backend, op lb.Op) *provider.OpError {
	t.Helper()
	_, err := b.Do(t.Context(), op)
	e, ok := errors.AsType[*provider.OpError](err)
	if !ok {
		t.Fatalf("error %v, want an OpError", err)
	}
	if e.Op == nil || e.Op.Target() != op.Target() {
		t.Errorf("error about %v, want %v", e.Op, op)
	}
	return e
}

func TestEveryWriteIsConditional(t *testing.T) {
	a := newARM(t)
	a.polls = 1
	b := a.backend(t, azure.Options{})
	observe(t, b)
	a.reset()
	etag := do(t, b, create).ETag
	tagged := lb.TagPublicIP{ID: address, Before: lb.Tags{{Key: "owner", Value: "test"}}, After: lb.Tags{{Key: "owner", Value: "me"}}}
	do(t, b, tagged)
	ip := publicIP(0)
	ip.Tags = tagged.After
	do(t, b, lb.DeletePublicIP{Before: ip})
	var got []string
	for _, r := range a.seen() {
		if r.method == http.MethodGet && (r.ifMatch != "" || r.none != "") {
			t.Errorf("GET %s carries the condition of the write", r.path)
		}
		if r.method != http.MethodGet {
			got = append(got, strings.TrimSpace(r.method+" "+strings.Repeat("new", len(r.none))+strings.Repeat("match", min(1, len(r.ifMatch)))))
		}
	}
	if d := cmp.Diff([]string{"PUT new", "PATCH match", "DELETE match"}, got); d != "" {
		t.Errorf("writes (-want +got):\n%s", d)
	}
	for _, r := range a.seen() {
		if r.method == http.MethodPatch && r.ifMatch != etag {
			t.Errorf("PATCH matches %s, want the ETag of the PUT's answer, %s", r.ifMatch, etag)
		}
	}
}

func TestCreateThatNobodyObservedReadsFirst(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	do(t, b, create)
	if d := cmp.Diff([]string{"GET", "PUT"}, methods(a)); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

func methods(a *arm) []string {
	var list []string
	for _, r := range a.seen() {
		list = append(list, r.method)
	}
	return list
}

func TestUnknownContentSurvives(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	do(t, b, create)
	future := map[string]any{
		"futureTop": map[string]any{"a": json.Number("12345678901234567890")}, "properties": map[string]any{"futureProperty": "kept"},
	}
	if err := a.cloud.Merge(address, future); err != nil {
		t.Fatal(err)
	}
	observe(t, b)
	a.reset()
	do(t, b, put(publicIP(0), publicIP(1)))
	for _, r := range a.seen() {
		for _, want := range []string{`"a":12345678901234567890`, `"futureProperty":"kept"`} {
			if r.method == http.MethodPut && !strings.Contains(string(r.body), want) {
				t.Errorf("PUT without %s: %s", want, r.body)
			}
		}
	}
	if a.count(http.MethodPut) != 1 || a.count(http.MethodGet) != 0 {
		t.Errorf("requests %v, want one PUT", methods(a))
	}
}

func TestAnotherWriterIsNoticed(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	do(t, b, create)
	meddle := func(c *fake.Cloud) {
		if err := c.Merge(address, map[string]any{"tags": map[string]any{"owner": "other"}}); err != nil {
			t.Error(err)
		}
	}
	a.cloud.Inject(fake.Fault{Method: http.MethodPut, Meanwhile: meddle})
	e := failed(t, b, put(publicIP(0), publicIP(1)))
	if e.Kind != provider.Replan || e.Status != http.StatusPreconditionFailed {
		t.Errorf("error %+v, want a replan by 412", e)
	}
	a.reset()
	failed(t, b, put(publicIP(0), publicIP(1)))
	if d := cmp.Diff([]string{"GET"}, methods(a)); d != "" {
		t.Errorf("what was in doubt is read again (-want +got):\n%s", d)
	}
}

func TestOldBodyIsReadAgain(t *testing.T) {
	a := newARM(t)
	clock := fake.NewVirtualClock(time.Unix(1e9, 0))
	b := a.backend(t, azure.Options{Clock: clock, MaxAge: 10 * time.Second})
	do(t, b, create)
	a.reset()
	clock.Advance(9 * time.Second)
	do(t, b, put(publicIP(0), publicIP(1)))
	clock.Advance(10 * time.Second)
	do(t, b, put(publicIP(1), publicIP(2)))
	if d := cmp.Diff([]string{"PUT", "GET", "PUT"}, methods(a)); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

// ending answers polls with a state.
func ending(state string) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		if strings.Contains(r.URL.Path, "/operations/") {
			return reply(200, state)
		}
		return nil
	}
}

func TestFailedOperationIsClassifiedByCode(t *testing.T) {
	for name, c := range map[string]struct {
		state string
		kind  provider.ErrorKind
		code  string
	}{
		"superseded": {
			`{"status":"Canceled","error":{"code":"Canceled","message":"Operation was canceled.","details":[` +
				`{"code":"CanceledAndSupersededDueToAnotherOperation","message":"Operation was superseded."}]}}`,
			provider.Replan, "CanceledAndSupersededDueToAnotherOperation",
		},
		"cancelled without a word": {`{"status":"Canceled"}`, provider.Replan, "Canceled"},
		"failed": {
			`{"status":"Failed","error":{"code":"PublicIPCountLimitReached","message":"Cannot create more than 10 public IP addresses."}}`,
			provider.Terminal, "PublicIPCountLimitReached",
		},
		"failed and may be sent again": {
			`{"status":"Failed","error":{"code":"RetryableError","message":"x","details":[{"code":"RetryableErrorDueToAnotherOperation",` +
				`"message":"Operation can be retried in 7 seconds."}]}}`,
			provider.Retry, "RetryableErrorDueToAnotherOperation",
		},
		"failed without a word": {`{"status":"Failed"}`, provider.Terminal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := newARM(t)
			a.polls, a.answer = 0, ending(c.state)
			b := a.backend(t, azure.Options{})
			e := failed(t, b, create)
			if e.Kind != c.kind || e.Code != c.code || e.Status != http.StatusOK {
				t.Errorf("error %+v, want kind %v, code %s, status 200", e, c.kind, c.code)
			}
			if e.Kind == provider.Retry && e.RetryAfter != 7*time.Second {
				t.Errorf("retry after %v, want 7s", e.RetryAfter)
			}
			a.reset()
			do(t, b, create) // the write took effect here, which the next attempt finds out
			if d := cmp.Diff([]string{"GET"}, methods(a)); d != "" {
				t.Errorf("requests (-want +got):\n%s", d)
			}
		})
	}
}

func TestStuckOperationCanBeResumed(t *testing.T) {
	a := newARM(t)
	a.polls = 200
	b := a.backend(t, azure.Options{PollInterval: time.Second, PollTimeout: 100 * time.Second})
	receipt, err := b.Do(t.Context(), create)
	if provider.KindOf(err) != provider.Unknown || receipt.Resume == "" {
		t.Fatalf("receipt %+v, error %v, want an unknown outcome with a token", receipt, err)
	}
	receipt, err = b.Resume(t.Context(), create, receipt.Resume)
	if provider.KindOf(err) != provider.Unknown {
		t.Fatalf("resumed: %+v, %v, want unknown once more", receipt, err)
	}
	other := a.backend(t, azure.Options{}) // another process
	receipt, err = other.Resume(t.Context(), create, receipt.Resume)
	if err != nil || !receipt.Written || len(receipt.Assigned) != 1 {
		t.Errorf("resumed: %+v, %v, want the write's receipt", receipt, err)
	}
	if n := a.count(http.MethodPut); n != 1 {
		t.Errorf("%d PUTs, want 1", n)
	}
	if _, err := other.Resume(t.Context(), create, "nonsense"); provider.KindOf(err) != provider.Terminal {
		t.Errorf("a token that is none: %v", err)
	}
}

func TestCancelledWhilePolling(t *testing.T) {
	a := newARM(t)
	a.polls = 1000
	ctx, cancel := context.WithCancel(t.Context())
	a.answer = func(r *http.Request) *http.Response {
		if strings.Contains(r.URL.Path, "/operations/") {
			cancel()
		}
		return nil
	}
	receipt, err := a.backend(t, azure.Options{}).Do(ctx, create)
	if provider.KindOf(err) != provider.Unknown || !errors.Is(err, context.Canceled) || receipt.Resume == "" {
		t.Errorf("receipt %+v, error %v, want an unknown outcome by cancellation, with a token", receipt, err)
	}
}

func TestThrottledReads(t *testing.T) {
	for seconds, requests := range map[int]int{1: 2, 30: 2, 120: 1} {
		a := newARM(t)
		clock := fake.NewVirtualClock(time.Unix(1e9, 0))
		start := clock.Now()
		a.cloud.Inject(fake.Fault{
			Path: "publicIPAddresses$", Status: 429, Code: "SubscriptionRequestsThrottled", Message: "slow down",
			RetryAfter: time.Duration(seconds) * time.Second,
		})
		_, err := a.backend(t, azure.Options{Clock: clock}).Observe(t.Context(), lb.Scope{PublicIPs: []lb.ID{group}})
		if n := a.count(http.MethodGet); n != requests {
			t.Errorf("asked to wait %ds: %d requests, want %d", seconds, n, requests)
		}
		waited := clock.Now().Sub(start)
		if requests == 2 && (err != nil || waited != time.Duration(seconds)*time.Second) {
			t.Errorf("asked to wait %ds: waited %v, error %v", seconds, waited, err)
		}
		if e, _ := errors.AsType[*provider.OpError](err); requests == 1 && (e == nil || e.RetryAfter != 2*time.Minute || e.Kind != provider.Retry) {
			t.Errorf("asked to wait %ds: error %+v, want the delay in it", seconds, err)
		}
	}
}

func TestThrottledWriteIsSentOnce(t *testing.T) {
	for _, asked := range []time.Duration{time.Second, 30 * time.Second, 2 * time.Minute} {
		a := newARM(t)
		b := a.backend(t, azure.Options{})
		observe(t, b)
		a.cloud.Inject(fake.Fault{Method: "PUT", Status: 429, Code: "TooManyRequests", RetryAfter: asked, Message: "slow down"})
		if e := failed(t, b, create); e.Kind != provider.Retry || e.RetryAfter != asked {
			t.Errorf("error %+v, want a retry after %v", e, asked)
		}
		a.reset()
		do(t, b, create)
		if d := cmp.Diff([]string{"PUT"}, methods(a)); d != "" {
			t.Errorf("nothing happened, so nothing is read again (-want +got):\n%s", d)
		}
	}
}

func TestThrottledPollIsWaitedOut(t *testing.T) {
	a := newARM(t)
	a.polls = 1
	clock := fake.NewVirtualClock(time.Unix(1e9, 0))
	throttled := 0
	a.answer = func(r *http.Request) *http.Response {
		if !strings.Contains(r.URL.Path, "/operations/") || throttled > 1 {
			return nil
		}
		throttled++
		resp := reply(429, `{"error":{"code":"SubscriptionRequestsThrottled","message":"slow down"}}`)
		resp.Header.Set("Retry-After", "120")
		return resp
	}
	do(t, a.backend(t, azure.Options{Clock: clock, PollInterval: time.Second}), create)
	if waited := clock.Now().Sub(time.Unix(1e9, 0)); waited < 4*time.Minute || waited > 5*time.Minute {
		t.Errorf("waited %v, want the four minutes that ARM asked for and little more", waited)
	}
	if n := a.count(http.MethodPut); n != 1 {
		t.Errorf("%d PUTs, want 1", n)
	}
}

func TestLostConnection(t *testing.T) {
	for name, c := range map[string]struct {
		drop fake.Drop
		want []string
	}{
		"before the write took effect": {fake.DropBefore, []string{"PUT", "GET", "PUT"}},
		"after the write took effect":  {fake.DropAfter, []string{"PUT", "GET"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newARM(t)
			b := a.backend(t, azure.Options{})
			observe(t, b)
			a.reset()
			a.cloud.Inject(fake.Fault{Method: "PUT", Drop: c.drop})
			if e := failed(t, b, create); e.Kind != provider.Unknown || !errors.Is(e, fake.ErrDropped) {
				t.Errorf("error %+v, want an unknown outcome", e)
			}
			do(t, b, create)
			if d := cmp.Diff(c.want, methods(a)); d != "" {
				t.Errorf("requests (-want +got):\n%s", d)
			}
		})
	}
}

func TestLostReadIsTriedAgain(t *testing.T) {
	a := newARM(t)
	a.cloud.Inject(fake.Fault{Method: "GET", Drop: fake.DropBefore, Count: 3})
	do(t, a.backend(t, azure.Options{}), create)
	a.cloud.Inject(fake.Fault{Method: "GET", Drop: fake.DropBefore, Count: -1})
	b := a.backend(t, azure.Options{Retries: -1})
	if e := failed(t, b, create); e.Kind != provider.Retry {
		t.Errorf("error %+v, want one that may be tried again: nothing was written", e)
	}
}

func TestNextPoolIsReadAgain(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	id := in(armid.LoadBalancers, "kubernetes")
	balancer := lb.LoadBalancer{
		ID: id, Location: providertest.Location, SKU: "Standard",
		Frontends: []lb.Frontend{{Name: "inside", Family: ipam.IPv4, Subnet: subnet, Zones: "1,2,3"}},
		Pools:     []lb.Pool{{Name: "one"}, {Name: "two"}},
	}
	do(t, b, lb.PutLoadBalancer{After: balancer})
	a.reset()
	do(t, b, lb.DeleteBackendPool{LoadBalancer: id, Before: lb.Pool{Name: "one"}})
	do(t, b, lb.DeleteBackendPool{LoadBalancer: id, Before: lb.Pool{Name: "two"}})
	if d := cmp.Diff([]string{"DELETE", "GET", "DELETE"}, methods(a)); d != "" {
		t.Errorf("a pool's write moves the ETags beside it (-want +got):\n%s", d)
	}
}

func TestRefusalsOfOurOwn(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	for name, op := range map[string]lb.Op{
		"no operation":          nil,
		"no target":             lb.DeletePublicIP{},
		"malformed target":      lb.DeletePublicIP{Before: lb.PublicIP{ID: "/subscriptions/s/x?y"}},
		"type without a client": lb.TagResource{ID: in("Microsoft.Compute/virtualMachines", "vm")},
		"type without a list":   lb.TagResource{ID: in(armid.LoadBalancers, "l").Child("probes", "p")},
	} {
		if _, err := b.Do(t.Context(), op); provider.KindOf(err) != provider.Terminal {
			t.Errorf("%s: %v, want a terminal error", name, err)
		}
	}
	if len(a.seen()) > 0 {
		t.Errorf("requests %v, want none", methods(a))
	}
}
