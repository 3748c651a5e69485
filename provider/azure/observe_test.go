package azure_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/providertest"
)

// lastSegments are the ends of the paths of all requests, sorted.
func lastSegments(a *arm) []string {
	var list []string
	for _, r := range a.seen() {
		list = append(list, lb.ID(r.path).Name())
	}
	slices.Sort(list)
	return list
}

func TestObserveReadsEachListOnce(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	twice := scope
	twice.LoadBalancers = []lb.ID{group, lb.ID(strings.ToUpper(string(group)))}
	want := []string{"Microsoft.Compute", "loadBalancers", "nsg", "publicIPAddresses", "vnet"}
	for range 2 {
		a.reset()
		seen, err := b.Observe(t.Context(), twice)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, lastSegments(a)); d != "" {
			t.Errorf("reads (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"1", "2", "3"}, seen.Zones); d != "" {
			t.Errorf("zones of a location in another spelling (-want +got):\n%s", d)
		}
		want = want[1:] // the zones are read once
	}
}

func TestObserveAgreesWithTheFake(t *testing.T) {
	a := newARM(t)
	a.pages = 2
	b := a.backend(t, azure.Options{})
	for i := range 7 {
		ip := publicIP(0)
		ip.ID = in(armid.PublicIPAddresses, fmt.Sprint("ip", i))
		do(t, b, lb.PutPublicIP{After: ip})
	}
	want, err := a.cloud.Observe(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	a.reset()
	got := observe(t, b)
	if len(got.PublicIPs) != 7 {
		t.Errorf("%d public IPs, want 7", len(got.PublicIPs))
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); d != "" {
		t.Errorf("observed (-fake +got):\n%s", d)
	}
	if n := len(a.seen()); n != 1+4+1+1+1 {
		t.Errorf("%d requests %q, want four pages and one each", n, lastSegments(a))
	}
}

func TestForbiddenIsUnknown(t *testing.T) {
	a := newARM(t)
	a.answer = func(r *http.Request) *http.Response {
		if r.Method == http.MethodGet {
			return reply(403, `{"error":{"code":"AuthorizationFailed","message":"no"}}`)
		}
		return nil
	}
	got := observe(t, a.backend(t, azure.Options{})).Unknown
	want := []lb.Unknown{
		{Scope: "/subscriptions/" + providertest.Subscription, Type: "Microsoft.Compute", Action: "Microsoft.Resources/subscriptions/providers/read"},
		{Scope: group, Type: armid.LoadBalancers, Action: armid.LoadBalancers + "/read"},
		{Scope: nsg, Type: armid.NetworkSecurityGroups, Action: armid.NetworkSecurityGroups + "/read"},
		{Scope: group, Type: armid.PublicIPAddresses, Action: armid.PublicIPAddresses + "/read"},
		{Scope: network, Type: armid.VirtualNetworks, Action: armid.VirtualNetworks + "/read"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("unknown (-want +got):\n%s", d)
	}
}

// TestDeniedThroughBothDoors: what may not be read is unknown in the same words, the zones of the location included.
func TestDeniedThroughBothDoors(t *testing.T) {
	for _, action := range []string{
		"Microsoft.Resources/subscriptions/providers/read", armid.LoadBalancers + "/read", armid.NetworkSecurityGroups + "/read",
	} {
		c := fake.New(&fake.Options{Deny: []fake.Denial{{Scope: lb.ID("/subscriptions/" + providertest.Subscription), Action: action}}})
		if err := c.Load(providertest.Seed()); err != nil {
			t.Fatal(err)
		}
		for door, open := range doors {
			seen, err := open(t, c).Observe(t.Context(), scope)
			if err != nil || len(seen.Unknown) != 1 || seen.Unknown[0].Action != action || seen.Unknown[0].Absent {
				t.Errorf("%s: unknown %v, %v; want %s", door, seen.Unknown, err, action)
			}
		}
	}
}

func TestObserveStopsAtTheFirstError(t *testing.T) {
	a := newARM(t)
	a.answer = func(r *http.Request) *http.Response {
		if strings.HasSuffix(r.URL.Path, "publicIPAddresses") {
			return reply(400, `{"error":{"code":"Broken","message":"no"}}`)
		}
		return nil
	}
	_, err := a.backend(t, azure.Options{}).Observe(t.Context(), scope)
	if e, ok := errors.AsType[*provider.OpError](err); !ok || e.Code != "Broken" || e.Op != nil {
		t.Errorf("error %v, want ARM's", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newARM(t).backend(t, azure.Options{}).Observe(ctx, scope); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestBodyThatDoesNotDecodeIsAnError(t *testing.T) {
	wrongTypes := `{"value":[{"id":"` + string(address) + `","properties":{"idleTimeoutInMinutes":"four","ipTags":7}}]}`
	for _, body := range []string{wrongTypes, `[]`, `{"value`} {
		a := newARM(t)
		a.answer = func(r *http.Request) *http.Response {
			if strings.HasSuffix(r.URL.Path, "publicIPAddresses") {
				return reply(200, body)
			}
			return nil
		}
		if _, err := a.backend(t, azure.Options{}).Observe(t.Context(), scope); err == nil {
			t.Errorf("%s: no error", body)
		}
	}
}

// who remembers which credential asked for which path.
type who struct {
	*arm
	mu  sync.Mutex
	got map[string]string
}

func (w *who) Do(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.got[lb.ID(r.URL.Path).Subscription()] = r.Header.Get("Authorization")
	w.mu.Unlock()
	return w.arm.Do(r)
}

func TestSubscriptionsAndCredentials(t *testing.T) {
	w := &who{arm: newARM(t), got: map[string]string{}}
	b, err := azure.New(anyone{"cluster"}, &azure.Options{
		Transport: w, NetworkCredential: anyone{"network"}, NetworkSubscription: "NET", Clock: w.cloud.Clock(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Observe(t.Context(), lb.Scope{
		LoadBalancers: []lb.ID{armid.Group("net", "g")}, PublicIPs: []lb.ID{armid.Group("third", "g")}, Subscription: "cluster", Location: "l",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"net": "Bearer network", "third": "Bearer cluster", "cluster": "Bearer cluster"}
	if d := cmp.Diff(want, w.got); d != "" {
		t.Errorf("credentials by subscription (-want +got):\n%s", d)
	}
}

// locked is a credential that is refused.
type locked struct{}

func (locked) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, refusedSecret{}
}

type refusedSecret struct{}

func (refusedSecret) Error() string { return "invalid client secret" }
func (refusedSecret) NonRetriable() {}

func TestRefusedCredentialIsTerminal(t *testing.T) {
	a := newARM(t)
	b, err := azure.New(locked{}, &azure.Options{Transport: a, Clock: a.cloud.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	if e := failed(t, b, create); e.Kind != provider.Terminal || !errors.Is(e, refusedSecret{}) {
		t.Errorf("error %+v, want a terminal one", e)
	}
	if _, err := b.Observe(t.Context(), scope); provider.KindOf(err) != provider.Terminal {
		t.Errorf("error %v, want a terminal one", err)
	}
	if len(a.seen()) > 0 {
		t.Errorf("requests %v, want none", methods(a))
	}
}

func TestNewChecksItsArguments(t *testing.T) {
	if _, err := azure.New(nil, nil); err == nil {
		t.Error("no credential: no error")
	}
	if _, err := azure.New(anyone{}, &azure.Options{NetworkCredential: anyone{}}); err == nil {
		t.Error("network credential for no subscription: no error")
	}
	if _, err := azure.New(anyone{}, &azure.Options{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: "https://login"}}); err == nil {
		t.Error("cloud without Resource Manager: no error")
	}
	if _, err := azure.New(anyone{}, nil); err != nil {
		t.Errorf("defaults: %v", err)
	}
}

func TestPlainHTTPNeedsConsent(t *testing.T) {
	a := newARM(t)
	o := azure.Options{Transport: a, Clock: a.cloud.Clock(), Cloud: cloud.Configuration{
		Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: "http://127.0.0.1:1", Audience: "x"}},
	}}
	for _, consent := range []bool{false, true} {
		o.PlainHTTP = consent
		b, err := azure.New(anyone{"t"}, &o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Do(t.Context(), create); (err == nil) != consent {
			t.Errorf("consent %v: error %v", consent, err)
		}
	}
}

func TestEveryRequestIsTold(t *testing.T) {
	a := newARM(t)
	var mu sync.Mutex
	var calls []string
	var log strings.Builder
	b := a.backend(t, azure.Options{
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observer: func(c azure.Call) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, fmt.Sprint(c.Method, " ", lb.ID(c.Path).Name(), " ", c.Status, " ", c.Code, " ", c.RetryAfter, " ", c.Err))
		},
	})
	a.cloud.Inject(fake.Fault{Method: "GET", Status: 503, Code: "ServiceUnavailable", Message: "x", RetryAfter: time.Second})
	a.cloud.Inject(fake.Fault{Method: "PUT", Drop: fake.DropBefore})
	failed(t, b, create)
	want := []string{
		"GET web 503 ServiceUnavailable 1s <nil>", "GET web 404 ResourceNotFound 0s <nil>", "PUT web 0  0s connection lost",
	}
	if d := cmp.Diff(want, calls); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
	if n := strings.Count(log.String(), "\n"); n != 3 || strings.Contains(log.String(), "Bearer") {
		t.Errorf("%d records, want 3 without a token:\n%s", n, log.String())
	}
}

func TestReadsBesideWritesNeverGoBack(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	do(t, b, create)
	var running sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if _, err := b.Observe(context.Background(), scope); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for i := range int32(200) {
		if _, err := b.Do(t.Context(), put(publicIP(i%7), publicIP((i+1)%7))); err != nil {
			t.Errorf("write %d: %v", i, err)
			break
		}
	}
	close(stop)
	running.Wait()
}

func TestObserveFollowsFrontendsToOtherGroups(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	far := armid.Resource(providertest.Subscription, "far", armid.PublicIPAddresses, "ip")
	a.cloud.AddGroup(far.GroupID(), providertest.Location)
	ip := publicIP(0)
	ip.ID = far
	do(t, b, lb.PutPublicIP{After: ip})
	do(t, b, lb.PutLoadBalancer{After: lb.LoadBalancer{
		ID: in(armid.LoadBalancers, "kubernetes"), Location: providertest.Location, SKU: "Standard",
		Frontends: []lb.Frontend{{Name: "web", Family: ipam.IPv4, PublicIP: far}},
	}})
	if seen := observe(t, b); len(seen.PublicIPs) != 1 || !seen.PublicIPs[0].ID.Equal(far) {
		t.Errorf("public IPs %v, want that of the frontend", seen.PublicIPs)
	}
}

// TestSurvey: a survey tells of what is in groups that nothing names, as the fake does, and of nothing where it is not allowed; a tag of a load
// balancer has its groups read without one.
func TestSurvey(t *testing.T) {
	a := newARM(t)
	b := a.backend(t, azure.Options{})
	far := armid.Resource(providertest.Subscription, "far", armid.PublicIPAddresses, "ip")
	a.cloud.AddGroup(far.GroupID(), providertest.Location)
	near, ip := publicIP(0), publicIP(0)
	ip.ID = far
	do(t, b, lb.PutPublicIP{After: near})
	do(t, b, lb.PutPublicIP{After: ip})
	whole := scope
	whole.Survey = lb.ID("/subscriptions/" + providertest.Subscription)
	survey := func() lb.Observed {
		got, err := b.Observe(t.Context(), whole)
		if err != nil {
			t.Fatal(err)
		}
		want, err := a.cloud.Observe(t.Context(), whole)
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); err != nil || d != "" {
			t.Errorf("surveyed, %v (-fake +got):\n%s", err, d)
		}
		return got
	}
	if found := survey().Elsewhere.PublicIPs; len(found) != 1 || found[0].ID != far {
		t.Errorf("got %v elsewhere, want %s", found, far)
	}
	if found := observe(t, b).Elsewhere.PublicIPs; len(found) > 0 {
		t.Errorf("got %v elsewhere without a survey, want nothing", found)
	}
	do(t, b, lb.PutLoadBalancer{After: lb.LoadBalancer{
		ID: in(armid.LoadBalancers, "kubernetes"), Location: providertest.Location, SKU: "Standard", Tags: lb.Tags{{Key: "azlb-resource-groups", Value: "far,../x"}},
	}})
	if seen := survey(); len(seen.Elsewhere.PublicIPs) > 0 || len(seen.PublicIPs) != 2 {
		t.Errorf("got %d public IPs and %v elsewhere, want both, since the tag names the group", len(seen.PublicIPs), seen.Elsewhere.PublicIPs)
	}

	a.answer = func(r *http.Request) *http.Response {
		if r.Method == http.MethodGet && !strings.Contains(strings.ToLower(r.URL.Path), "/resourcegroups/") {
			return reply(403, `{"error":{"code":"AuthorizationFailed","message":"no"}}`)
		}
		return nil
	}
	seen, err := b.Observe(t.Context(), whole)
	if err != nil || len(seen.PublicIPs) != 2 || len(seen.Elsewhere.PublicIPs) > 0 {
		t.Errorf("got %v and %v elsewhere where a survey is not allowed, want the rest", err, seen.Elsewhere)
	}
}
