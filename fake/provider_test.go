package fake_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/providertest"
	"github.com/google/go-cmp/cmp"
)

func TestProvider(t *testing.T) {
	providertest.Run(t, func(tb testing.TB) provider.Provider {
		cloud := fake.New(nil)
		if err := cloud.Load(providertest.Seed()); err != nil {
			tb.Fatal(err)
		}
		return cloud
	})
}

var (
	inGroup    = armid.Group("s", "g")
	freeIP     = network("publicIPAddresses/free6")
	deleteIt   = fake.Call{Method: http.MethodDelete, ID: freeIP}
	readIt     = fake.Call{Method: http.MethodGet, ID: freeIP}
	wholeGroup = lb.Scope{
		LoadBalancers: []lb.ID{inGroup}, PublicIPs: []lb.ID{inGroup, inGroup}, PrivateLinkServices: []lb.ID{inGroup}, Interfaces: []lb.ID{inGroup},
		SecurityGroup: network("networkSecurityGroups/nsg"), Networks: []lb.ID{network("virtualNetworks/vnet")},
		Prefixes: []lb.ID{network("publicIPPrefixes/pfx")}, Subscription: "s", Location: "westus",
	}
)

func TestObserveReadsEachListOnce(t *testing.T) {
	cloud := world(t)
	want := []string{
		"loadBalancers", "publicIPAddresses", "privateLinkServices", "networkInterfaces", "nsg", "vnet", "pfx", "Microsoft.Compute",
	}
	for range 2 {
		cloud.ResetRequests()
		seen, err := cloud.Observe(t.Context(), wholeGroup)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range cloud.Requests() {
			got = append(got, lb.ID(r.Path).Name())
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("reads (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"1", "2", "3"}, seen.Zones); d != "" {
			t.Errorf("zones (-want +got):\n%s", d)
		}
		want = want[:len(want)-1] // the zones are read once per cloud
	}
}

func TestObserveFollowsFrontendsToOtherGroups(t *testing.T) {
	cloud := world(t)
	far := armid.Resource("s", "far", armid.PublicIPAddresses, "ip")
	cloud.AddGroup(far.GroupID(), "westus")
	if err := cloud.Put(far, parse(newIP)); err != nil {
		t.Fatal(err)
	}
	if err := write(t, cloud, "loadBalancers/lb", []edit{with(frontends, "x", `{"publicIPAddress":{"id":"`+string(far)+`"}}`)}); err != nil {
		t.Fatal(err)
	}
	seen, err := cloud.Observe(t.Context(), lb.Scope{LoadBalancers: []lb.ID{inGroup}})
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range seen.PublicIPs {
		if ip.ID.Equal(far) {
			return
		}
	}
	t.Errorf("%s is not among %d public IPs", far, len(seen.PublicIPs))
}

func TestDeniedIsUnknown(t *testing.T) {
	cloud := fake.New(&fake.Options{Deny: []fake.Denial{{Scope: inGroup, Action: armid.PublicIPAddresses + "/read"}}})
	load(t, cloud, "testdata/world.json")
	seen, err := cloud.Observe(t.Context(), wholeGroup)
	if err != nil {
		t.Fatal(err)
	}
	want := []lb.Unknown{{Scope: inGroup, Type: armid.PublicIPAddresses, Action: armid.PublicIPAddresses + "/read"}}
	if d := cmp.Diff(want, seen.Unknown); d != "" {
		t.Errorf("unknown (-want +got):\n%s", d)
	}
}

func etagOf(t *testing.T, cloud *fake.Cloud, id lb.ID) string {
	t.Helper()
	answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Body["etag"].(string)
}

func TestETags(t *testing.T) {
	moved := func(fact string, id lb.ID, path string, edits ...edit) {
		t.Run(fact, func(t *testing.T) {
			cloud := world(t)
			before := etagOf(t, cloud, id)
			if err := write(t, cloud, path, edits); err != nil {
				t.Fatal(err)
			}
			if after := etagOf(t, cloud, id); after == before {
				t.Errorf("%s still has %s", id, after)
			}
		})
	}
	lbID := network("loadBalancers/lb")
	moved("a pool moves its load balancer", lbID, "loadBalancers/lb/backendAddressPools/pool", set(`{"properties":{"loadBalancerBackendAddresses":[]}}`))
	moved("a security rule moves its group", network("networkSecurityGroups/nsg"), "networkSecurityGroups/nsg/securityRules/web", set(`{"properties":{"priority":501}}`))
	moved("a child is moved with its parent", lbID+"/probes/p", "loadBalancers/lb", set(`{"tags":{"a":"b"}}`))
	moved("attaching moves the public IP", freeIP, "loadBalancers/lb", with(frontends, "x", `{"publicIPAddress":{"id":"~/publicIPAddresses/free6"}}`))
	moved("a private link service moves its load balancer", network("loadBalancers/served"), "privateLinkServices/new", set(newPL))
}

func TestConditionalCalls(t *testing.T) {
	cloud := world(t)
	now := etagOf(t, cloud, freeIP)
	for _, tt := range []struct {
		fact   string
		call   fake.Call
		status int
	}{
		{"a stale ETag", fake.Call{Method: http.MethodDelete, ID: freeIP, IfMatch: `W/"old"`}, 412},
		{"a condition on what is not there", fake.Call{Method: http.MethodPut, ID: network("publicIPAddresses/new"), Body: parse(newIP), IfMatch: now}, 412},
		{"a create of what is there", fake.Call{Method: http.MethodPut, ID: freeIP, Body: parse(newIP), IfNoneMatch: "*"}, 412},
		{"tags alone", fake.Call{Method: http.MethodPatch, ID: freeIP, Body: parse(`{"tags":{"a":"b"}}`), IfMatch: now}, 200},
		{"the same ETag again", fake.Call{Method: http.MethodPatch, ID: freeIP, Body: parse(`{"tags":{}}`), IfMatch: now}, 412},
		{"a deletion", deleteIt, 200},
		{"a deletion of what is gone", deleteIt, 204},
		{"a read of what is gone", readIt, 404},
		{"a rule by itself", fake.Call{Method: http.MethodDelete, ID: network("loadBalancers/lb/probes/p")}, 405},
		{"a child of nothing", fake.Call{Method: http.MethodPut, ID: network("loadBalancers/none/backendAddressPools/p"), Body: parse(`{}`)}, 404},
		{"a group that is not there", fake.Call{Method: http.MethodGet, ID: armid.Resource("s", "none", armid.LoadBalancers, "lb")}, 404},
		{"no id", fake.Call{Method: http.MethodPut, ID: "/x", Body: parse(`{}`)}, 400},
	} {
		cloud.ResetRequests()
		answer, err := cloud.Call(t.Context(), tt.call)
		status := answer.Status
		if e, ok := errors.AsType[*provider.OpError](err); ok {
			status = e.Status
		}
		if journal := cloud.Requests(); status != tt.status || len(journal) != 1 || journal[0].Status != status {
			t.Errorf("%s: got status %d (%v), journal %v, want %d", tt.fact, status, err, journal, tt.status)
		}
	}
}

func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		fact  string
		fault fake.Fault
		kind  provider.ErrorKind
		gone  bool // the deletion took effect
	}{
		{"an answer", fake.Fault{Method: "DELETE", Path: "/PUBLICIPaddresses/", Status: 429, Code: "TooManyRequests", RetryAfter: time.Minute}, provider.Retry, false},
		{"dropped before", fake.Fault{Drop: fake.DropBefore}, provider.Unknown, false},
		{"dropped after", fake.Fault{Drop: fake.DropAfter}, provider.Unknown, true},
		{"another method", fake.Fault{Method: "PUT", Status: 500}, 0, true},
		{"another path", fake.Fault{Path: "loadBalancers", Status: 500}, 0, true},
		{"later", fake.Fault{Skip: 1, Status: 500}, 0, true},
		{"another writer first", fake.Fault{Meanwhile: func(c *fake.Cloud) { c.Merge(freeIP, parse(`{"tags":{"theirs":"1"}}`)) }}, provider.Replan, false},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			cloud := world(t)
			call := deleteIt
			call.IfMatch = etagOf(t, cloud, freeIP)
			cloud.Inject(tt.fault)
			_, err := cloud.Call(t.Context(), call)
			if provider.KindOf(err) != tt.kind {
				t.Errorf("got %v, want kind %v", err, tt.kind)
			}
			if e, ok := errors.AsType[*provider.OpError](err); ok && e.RetryAfter != tt.fault.RetryAfter {
				t.Errorf("retry after %v, want %v", e.RetryAfter, tt.fault.RetryAfter)
			}
			cloud.Restart()
			if _, err := cloud.Call(t.Context(), readIt); (err != nil) != tt.gone {
				t.Errorf("read afterwards: %v, want gone %v", err, tt.gone)
			}
		})
	}
}

func TestCrashAfter(t *testing.T) {
	cloud := world(t)
	cloud.Inject(fake.CrashAfter(1))
	if _, err := cloud.Call(t.Context(), deleteIt); err != nil {
		t.Fatal(err)
	}
	for _, call := range []fake.Call{{Method: http.MethodPut, ID: freeIP, Body: parse(newIP)}, {Method: http.MethodGet, ID: network("loadBalancers/lb")}} {
		if _, err := cloud.Call(t.Context(), call); !errors.Is(err, fake.ErrCrashed) {
			t.Errorf("%s: got %v, want ErrCrashed", call.Method, err)
		}
	}
	cloud.Restart()
	if _, err := cloud.Call(t.Context(), readIt); provider.KindOf(err) != provider.Replan {
		t.Errorf("after the restart: %v, want what the crash left: nothing there", err)
	}
}

func TestPublicAddresses(t *testing.T) {
	chosen := network("publicIPAddresses/CHOSEN")
	cloud := fake.New(&fake.Options{PublicAddresses: map[string]netip.Addr{string(chosen): netip.MustParseAddr("52.9.9.9")}})
	load(t, cloud, "testdata/world.json")
	create := func(name, patch string) string {
		if err := write(t, cloud, "publicIPAddresses/"+name, []edit{set(newIP), set(patch)}); err != nil {
			return codeOf(err)
		}
		answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: network("publicIPAddresses/" + name)})
		if err != nil {
			t.Fatal(err)
		}
		return answer.Body["properties"].(map[string]any)["ipAddress"].(string)
	}
	fromPrefix := `{"properties":{"publicIPPrefix":{"id":"~/publicIPPrefixes/pfx"}}}`
	if got := create("chosen", `{}`); got != "52.9.9.9" {
		t.Errorf("chosen address %s", got)
	}
	if got := create("second", fromPrefix); got != "52.0.0.1" { // the first is taken in the world
		t.Errorf("second address of the prefix %s", got)
	}
	if got := create("third", fromPrefix); got != "PublicIPPrefixOutOfAddresses" {
		t.Errorf("third address of a prefix of two: %s", got)
	}
	one, again := create("one", `{}`), create("one", `{"tags":{"a":"b"}}`)
	if !strings.HasPrefix(one, "20.") || one != again {
		t.Errorf("derived address %s, later %s", one, again)
	}
}

// TestPrivateAddresses follows a dynamic frontend: lowest free, kept, and new in another subnet.
func TestPrivateAddresses(t *testing.T) {
	cloud := world(t)
	for _, step := range []struct {
		edits []edit
		want  string
	}{
		{[]edit{with(frontends, "x", `{`+inNet+`}`)}, "10.0.0.7"}, // 4 to 6 are taken in the world
		{[]edit{drop(lbRules, "plain"), drop(frontends, "int")}, "10.0.0.7"},
		{[]edit{change(frontends, "x", `{"properties":{"privateIPAllocationMethod":"Static","privateIPAddress":"10.0.0.50"}}`)}, "10.0.0.50"},
		{[]edit{change(frontends, "x", `{"properties":{"privateIPAllocationMethod":"Dynamic","privateIPAddress":"10.0.0.51"}}`)}, "10.0.0.50"},
		{[]edit{change(frontends, "x", `{"properties":{"subnet":{"id":"~/virtualNetworks/vnet/subnets/small"}}}`)}, "10.0.9.4"},
		{[]edit{change(frontends, "x", `{"properties":{`+inNet+`}}`)}, "10.0.0.4"},
	} {
		if err := write(t, cloud, "loadBalancers/lb", step.edits); err != nil {
			t.Fatal(err)
		}
		answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: network("loadBalancers/lb/frontendIPConfigurations/x")})
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.Body["properties"].(map[string]any)["privateIPAddress"]; got != step.want {
			t.Errorf("address %v, want %s", got, step.want)
		}
	}
}

func TestSubnetIsFull(t *testing.T) {
	small := `{"subnet":{"id":"~/virtualNetworks/vnet/subnets/small"}}` // a /29: three addresses
	if err := write(t, world(t), "loadBalancers/lb", []edit{many(frontends, 3, small)}); err != nil {
		t.Error(err)
	}
	err := write(t, world(t), "loadBalancers/lb", []edit{many(frontends, 4, small)})
	if err == nil || !strings.Contains(err.Error(), "SubnetIsFull") {
		t.Errorf("got %v, want SubnetIsFull", err)
	}
}

func TestDeletedPoolLetsInterfacesGo(t *testing.T) {
	cloud := world(t)
	if err := write(t, cloud, "loadBalancers/served", []edit{drop(lbRules, "*"), drop(pools, "nics")}); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, cloud); strings.Contains(got, "/backendAddressPools/nics") {
		t.Error("somebody still refers to the pool")
	}
}

func TestLatencyPassesOnTheClock(t *testing.T) {
	cloud := fake.New(&fake.Options{Latency: map[string]time.Duration{armid.PublicIPAddresses: 5 * time.Second}})
	load(t, cloud, "testdata/world.json")
	start := cloud.Clock().Now()
	if _, err := cloud.Call(t.Context(), deleteIt); err != nil {
		t.Fatal(err)
	}
	if _, err := cloud.Call(t.Context(), readIt); err == nil {
		t.Error("still there")
	}
	if got := cloud.Clock().Now().Sub(start); got != 5*time.Second {
		t.Errorf("a deletion and a read took %v, want 5s", got)
	}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*provider.OpError](err); ok {
		return e.Code
	}
	return ""
}
