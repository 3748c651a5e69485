package azure_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// kept is one type of resource that the backend reads: a body as Azure answers it, and what is done with it.
type kept struct {
	id   lb.ID
	body string // what is not in every body
	at   string // something in it that is read
	put  lb.Op  // nil: it is only read
	del  lb.Op
	tag  lb.Op
}

// ops are the writes of it.
func (k kept) ops() []lb.Op {
	return slices.DeleteFunc([]lb.Op{k.put, k.del, k.tag}, func(op lb.Op) bool { return op == nil })
}

func (k kept) object(t testing.TB, etag string) armwire.Object {
	t.Helper()
	o, err := armwire.Parse([]byte(k.body))
	if err != nil {
		t.Fatal(err)
	}
	o["id"], o["name"], o["etag"] = string(k.id), k.id.Name(), etag
	return o
}

var (
	keptLB   = in(armid.LoadBalancers, "l")
	keptPool = keptLB.Child(armid.BackendAddressPools, "p")
	keptNIC  = in(armid.NetworkInterfaces, "n")
	keptRule = nsg.Child(armid.SecurityRules, "r")
	keptPLS  = in(armid.PrivateLinkServices, "s")
	tagged   = lb.Tags{{Key: "owner", Value: "me"}}
)

func rule(priority int32) lb.SecurityRule {
	return lb.SecurityRule{Name: "r", Priority: priority, Access: "Allow", Protocol: "Tcp", Sources: []string{"*"}, Ports: []string{"80"}}
}

// keptTypes has every type of resource that the network client reads.
func keptTypes() []kept {
	ip := lb.PublicIP{ID: address, SKU: "Standard", Family: 1, Allocation: "Static"}
	labelled := ip
	labelled.DNSLabel = "web"
	return []kept{
		{
			id: keptLB, at: "properties.probes",
			body: `{"location":"l","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[],"backendAddressPools":[],"loadBalancingRules":[],"probes":[]}}`,
			put:  lb.PutLoadBalancer{Before: lb.LoadBalancer{ID: keptLB, SKU: "Standard"}, After: lb.LoadBalancer{ID: keptLB, SKU: "Standard", Tags: tagged}},
			del:  lb.DeleteLoadBalancer{Before: lb.LoadBalancer{ID: keptLB, SKU: "Standard"}}, tag: lb.TagResource{ID: keptLB, After: tagged},
		},
		{
			id: keptPool, at: "properties.loadBalancerBackendAddresses", body: `{"properties":{"loadBalancerBackendAddresses":[]}}`,
			put: lb.PutBackendPool{
				LoadBalancer: keptLB, Before: lb.Pool{Name: "p"},
				After: lb.Pool{Name: "p", Network: network, Members: []lb.Member{{Name: "m", IP: netip.MustParseAddr("10.240.0.4")}}},
			},
			del: lb.DeleteBackendPool{LoadBalancer: keptLB, Before: lb.Pool{Name: "p"}},
		},
		{
			id: address, at: "properties.ipAddress",
			body: `{"location":"l","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static","publicIPAddressVersion":"IPv4","ipAddress":"192.0.2.1"}}`,
			put:  lb.PutPublicIP{Before: ip, After: labelled}, del: lb.DeletePublicIP{Before: ip}, tag: lb.TagPublicIP{ID: address, After: tagged},
		},
		{id: in(armid.PublicIPPrefixes, "x"), at: "properties.ipPrefix", body: `{"properties":{"ipPrefix":"192.0.2.0/28"}}`},
		{
			id: nsg, at: "properties.securityRules", body: `{"location":"l","properties":{"securityRules":[]}}`,
			put: lb.PutSecurityGroup{Before: lb.SecurityGroup{ID: nsg}, After: lb.SecurityGroup{ID: nsg, Tags: tagged}}, tag: lb.TagResource{ID: nsg, After: tagged},
		},
		{
			id: keptRule, at: "properties.priority",
			body: `{"properties":{"priority":500,"access":"Allow","direction":"Inbound","protocol":"Tcp","sourceAddressPrefix":"*","destinationPortRange":"80"}}`,
			put:  lb.PutSecurityRule{Group: nsg, Before: rule(500), After: rule(501)}, del: lb.DeleteSecurityRule{Group: nsg, Before: rule(500)},
		},
		{id: network, at: "properties.subnets", body: `{"properties":{"subnets":[]}}`},
		{
			id: subnet, at: "properties.addressPrefix",
			body: `{"properties":{"addressPrefix":"10.240.0.0/24","privateLinkServiceNetworkPolicies":"Enabled"}}`,
			put: lb.PutSubnetPolicy{
				Before: lb.Subnet{ID: subnet, PrivateLinkPolicies: true}, After: lb.Subnet{ID: subnet},
			},
		},
		{
			id: keptNIC, at: "properties.ipConfigurations", body: `{"location":"l","properties":{"ipConfigurations":[{"name":"ip","properties":{}}]}}`,
			put: lb.PutNetworkInterface{
				Before: lb.NetworkInterface{ID: keptNIC, IPConfigurations: []lb.IPConfiguration{{Name: "ip"}}},
				After:  lb.NetworkInterface{ID: keptNIC, IPConfigurations: []lb.IPConfiguration{{Name: "ip", Pools: []lb.ID{keptPool}}}},
			},
		},
		{
			id: keptPLS, at: "properties.fqdns", body: `{"location":"l","properties":{"ipConfigurations":[]}}`,
			put: lb.PutPrivateLinkService{
				Before: pls.PrivateLinkService{ID: keptPLS}, After: pls.PrivateLinkService{ID: keptPLS, ProxyProtocol: true},
			},
			del: lb.DeletePrivateLinkService{Before: pls.PrivateLinkService{ID: keptPLS}}, tag: lb.TagResource{ID: keptPLS, After: tagged},
		},
		{
			id: keptPLS.Child(armid.PrivateEndpointConnections, "c"), at: "properties.privateLinkServiceConnectionState.status",
			body: `{"properties":{"privateLinkServiceConnectionState":{"status":"Approved"}}}`,
			del:  lb.DeleteEndpointConnection{Service: keptPLS, Before: pls.Connection{Name: "c", Status: "Approved"}},
		},
	}
}

// stage is a request of a write that something else than Azure may answer.
type stage string

const (
	reading   stage = "the read before it"
	writing   stage = "the write"
	polling   stage = "a poll"
	following stage = "a poll by Location"
	looking   stage = "the look afterwards"
)

// oneResource is the least of Resource Manager: one resource, and what it answers at one stage.
type oneResource struct {
	t      testing.TB
	kept   kept
	at     stage
	broken *string // nil: all is well

	mu       sync.Mutex
	requests []string
	wrote    bool
}

func (r *oneResource) Do(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, req.Method)
	resp := r.answer(req)
	resp.Request = req
	return resp, nil
}

func (r *oneResource) answer(req *http.Request) *http.Response {
	operation := strings.Contains(req.URL.Path, "/operations/")
	is := writing
	switch {
	case operation && r.at == following:
		is = following
	case operation:
		is = polling
	case req.Method == http.MethodGet && !r.wrote:
		is = reading
	case req.Method == http.MethodGet:
		is = looking
	}
	if is == r.at && r.broken != nil {
		r.wrote = r.wrote || is == writing
		return reply(200, *r.broken)
	}
	etag := map[bool]string{false: "before", true: "after"}[r.wrote]
	switch body := string(armwire.Format(r.kept.object(r.t, etag))); {
	case operation:
		return reply(200, `{"status":"Succeeded"}`)
	case req.Method == http.MethodGet:
		return reply(200, body)
	default:
		r.wrote = true
		return r.accept(req.Method, body)
	}
}

// accept answers a write: at once, or with an operation to poll.
func (r *oneResource) accept(method, body string) *http.Response {
	const operation = "https://management.azure.com/subscriptions/s/providers/Microsoft.Network/locations/l/operations/1?api-version=1"
	header := map[stage]string{polling: "Azure-AsyncOperation", looking: "Azure-AsyncOperation", following: "Location"}[r.at]
	switch {
	case method == http.MethodPatch || header == "" && method == http.MethodPut:
		return reply(200, body)
	case header == "":
		return reply(200, "")
	}
	resp := reply(202, "")
	if method == http.MethodPut {
		resp = reply(201, strings.Replace(body, `"properties": {`, `"properties": {"provisioningState": "Updating",`, 1))
	}
	resp.Header.Set(header, operation)
	return resp
}

func (r *oneResource) writes() int {
	return len(slices.DeleteFunc(slices.Clone(r.requests), func(m string) bool { return m == http.MethodGet }))
}

// TestBrokenAnswers: whatever comes with status 200 instead of what was asked for is an error at every request of every write. Nothing is
// written after a read of that kind, and nothing follows from it: the same write afterwards begins by reading again.
func TestBrokenAnswers(t *testing.T) {
	tried := 0
	for _, k := range keptTypes() {
		for _, op := range k.ops() {
			for _, at := range []stage{reading, writing, polling, following, looking} {
				for what, answer := range brokenAt(t, k, op, at) {
					t.Run(fmt.Sprintf("%T/%s/%s", op, at, what), func(t *testing.T) { k.breaks(t, op, at, answer) })
					tried++
				}
			}
		}
	}
	if tried < 25*4*len(keptTypes()) {
		t.Errorf("%d answers tried", tried)
	}
}

// brokenAt are the answers that are none at a stage of op; none if op has no such stage.
func brokenAt(t *testing.T, k kept, op lb.Op, at stage) map[string]string {
	deletion := strings.HasPrefix(fmt.Sprintf("%T", op), "lb.Delete")
	patches := strings.HasPrefix(fmt.Sprintf("%T", op), "lb.Tag") && !k.id.Is(armid.PrivateLinkServices)
	if patches && at != reading && at != writing || deletion && at == looking {
		return nil
	}
	answers := lbtest.BrokenResources(k.object(t, "e"), k.at)
	if at == polling || at == following {
		answers = lbtest.BrokenStates()
	}
	if deletion && at == writing || at == following {
		for _, what := range []string{"nothing", "blanks"} { // which is what Azure answers
			delete(answers, what)
		}
	}
	return answers
}

func (k kept) breaks(t *testing.T, op lb.Op, at stage, answer string) {
	world := &oneResource{t: t, kept: k, at: at, broken: &answer}
	c := fake.New(nil)
	b, err := azure.New(anyone{"t"}, &azure.Options{Transport: world, Clock: c.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Do(t.Context(), op)
	kind, writes := provider.Unknown, 1
	if at == reading {
		kind, writes = provider.Retry, 0
	}
	if provider.KindOf(err) != kind || world.writes() != writes {
		t.Errorf("answered %.100q: %v (%v) after %d writes, want %v after %d", answer, err, provider.KindOf(err), world.writes(), kind, writes)
	}
	world.broken, world.requests = nil, nil
	if _, err := b.Do(t.Context(), op); err != nil || len(world.requests) == 0 || world.requests[0] != http.MethodGet {
		t.Errorf("afterwards: %v, requests %v; want a read first", err, world.requests)
	}
}

// instead answers some requests to a cloud itself.
type instead struct {
	next interface {
		Do(*http.Request) (*http.Response, error)
	}
	of     func(*http.Request) bool
	answer string

	mu     sync.Mutex
	writes []string
	met    bool
}

func (i *instead) Do(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if req.Method != http.MethodGet {
		i.writes = append(i.writes, req.Method+" "+lb.ID(req.URL.Path).Name())
	}
	if i.of(req) {
		i.met = true
		resp := reply(200, i.answer)
		resp.Request = req
		return resp, nil
	}
	return i.next.Do(req)
}

// TestBrokenReads: the same for what a whole cluster is read with. A Sync that meets it ends with an error, writes nothing and says nothing of any
// Service.
func TestBrokenReads(t *testing.T) {
	c := lbtest.Cloud()
	cluster := lbtest.Cluster()
	objects := lb.Objects{Services: lbtest.Services(8), Nodes: lbtest.Nodes(2)}
	if _, err := provider.NewReconciler(c, cluster, &provider.Options{Clock: c.Clock()}).Sync(t.Context(), objects); err != nil {
		t.Fatal(err)
	}
	objects.Services = lbtest.Services(9) // so that there is something to do
	tried := 0
	for _, id := range c.IDs() {
		body, _ := c.Body(id)
		body["tags"] = armwire.Object{"note": lbtest.Secret}
		k := kept{at: "properties.provisioningState"}
		for _, known := range keptTypes() {
			if known.id.Is(id.Type()) {
				k = known
			}
		}
		answers, path := lbtest.BrokenResources(body, k.at), id.Key()
		if id.Is(armid.LoadBalancers) || id.Is(armid.PublicIPAddresses) {
			answers, path = lbtest.BrokenLists(body, k.at), strings.ToLower(string(id.GroupID())+"/providers/"+id.Type())
		}
		for what, answer := range answers {
			tried++
			door := &instead{next: armfake.Transport(c), answer: answer, of: func(r *http.Request) bool {
				return r.Method == http.MethodGet && strings.EqualFold(r.URL.Path, path)
			}}
			var log strings.Builder
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			b, err := azure.New(anyone{"t"}, &azure.Options{Transport: door, Clock: c.Clock(), Logger: logger})
			if err != nil {
				t.Fatal(err)
			}
			report, err := provider.NewReconciler(b, cluster, &provider.Options{Clock: c.Clock(), Logger: logger}).Sync(t.Context(), objects)
			if text := fmt.Sprint(err, log.String()); strings.Contains(text, lbtest.Secret) {
				t.Errorf("%s: %s: what was answered is told:\n%s", id.Name(), what, text)
			}
			if err == nil || !door.met || len(door.writes) > 0 || len(report.Services) > 0 || len(report.Findings) > 0 {
				t.Errorf("%s: %s: error %v, writes %v, findings %v, Services %v; want an error and nothing else",
					id.Name(), what, err, door.writes, report.Findings, report.Services)
			}
			seen, err := b.Observe(t.Context(), lb.ScopeOf(cluster, objects))
			if err == nil || !reflect.ValueOf(seen).IsZero() {
				t.Errorf("%s: %s: observed %v, %v", id.Name(), what, seen, err)
			}
		}
		if id.Is(armid.PublicIPAddresses) {
			break // one is as good as eight
		}
	}
	if tried < 100 {
		t.Errorf("%d answers tried", tried)
	}
}

// TestBrokenMachines: machines and zones are read past the network client, and by the same rules.
func TestBrokenMachines(t *testing.T) {
	machine := armwire.Object{"id": string(in(armid.VirtualMachines, "m")), "name": "m", "properties": armwire.Object{}}
	zones := map[string]string{"no types": `{"namespace":"Microsoft.Compute"}`, "types that are null": `{"resourceTypes":null}`, "other types": `{"resourceTypes":[]}`}
	for what, answer := range lbtest.BrokenResources(machine, "properties.availabilitySet.id") {
		zones[what] = answer
	}
	for _, tt := range []struct {
		path    string
		answers map[string]string
	}{
		{string(group) + "/providers/" + armid.VirtualMachines, lbtest.BrokenLists(machine, "properties.availabilitySet.id")},
		{"/subscriptions/" + group.Subscription() + "/providers/Microsoft.Compute", zones},
	} {
		for what, answer := range tt.answers {
			a := newARM(t)
			met := 0
			a.answer = func(r *http.Request) *http.Response {
				if !strings.EqualFold(r.URL.Path, tt.path) {
					return nil
				}
				met++
				return reply(200, answer)
			}
			everything := scope
			everything.Machines = []lb.ID{group}
			b := a.backend(t, azure.Options{})
			for range 2 { // what is remembered of zones is not what was broken
				if seen, err := b.Observe(t.Context(), everything); err == nil || !reflect.ValueOf(seen).IsZero() {
					t.Errorf("%s: %s: observed %v", tt.path, what, seen)
				}
			}
			if met != 2 {
				t.Errorf("%s: %s: asked for %d times, want 2", tt.path, what, met)
			}
		}
	}
}

// TestNotFoundIsAzuresToSay: a page with status 404 does not say that a resource is not there.
func TestNotFoundIsAzuresToSay(t *testing.T) {
	for body, want := range map[string][]string{
		`{"error":{"code":"ResourceNotFound","message":"no"}}`: {"GET", "PUT"},
		"<html>404 page not found</html>":                      {"GET"},
		"":                                                     {"GET"},
	} {
		a := newARM(t)
		a.answer = func(r *http.Request) *http.Response {
			if r.Method == http.MethodGet {
				return reply(404, body)
			}
			return nil
		}
		_, err := a.backend(t, azure.Options{}).Do(t.Context(), create)
		if d := cmp.Diff(want, methods(a)); d != "" || (err == nil) != (len(want) == 2) {
			t.Errorf("%q: %v, requests (-want +got):\n%s", body, err, d)
		}
	}
}

// TestWriteNeedsAnETag: what shows no ETag, or one that matches everything, is neither changed nor deleted.
func TestWriteNeedsAnETag(t *testing.T) {
	for _, etag := range []any{nil, "", "*", `"*"`} {
		for _, k := range keptTypes() {
			for _, op := range k.ops() {
				for _, without := range []bool{false, true} {
					o := k.object(t, "")
					o["etag"] = etag
					body := string(armwire.Format(o))
					var sent []string
					door := &instead{of: func(r *http.Request) bool {
						if r.Method != http.MethodGet {
							sent = append(sent, r.Header.Get("If-Match"))
						}
						return true
					}, answer: body}
					b, err := azure.New(anyone{"t"}, &azure.Options{Transport: door, WithoutETags: without, Clock: fake.New(nil).Clock()})
					if err != nil {
						t.Fatal(err)
					}
					_, err = b.Do(t.Context(), op)
					e, _ := errors.AsType[*provider.OpError](err)
					if without && (err != nil || !slices.Equal(sent, []string{"*"})) {
						t.Errorf("%T with ETag %v where there are none: %v, sent with %q", op, etag, err, sent)
					}
					if !without && (e == nil || e.Kind != provider.Terminal || !strings.Contains(e.Remedy, "WithoutETags") || len(sent) > 0) {
						t.Errorf("%T with ETag %v: %v, sent with %q; want a refusal that names the option", op, etag, err, sent)
					}
				}
			}
		}
	}
}
