package armfake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider/providertest"
)

const version = "?api-version=2025-05-01"

var (
	group    = armid.Group(providertest.Subscription, providertest.Group)
	address  = armid.Resource(providertest.Subscription, providertest.Group, armid.PublicIPAddresses, "web")
	security = armid.Resource(providertest.Subscription, providertest.Group, armid.NetworkSecurityGroups, providertest.SecurityGroup)
	balancer = armid.Resource(providertest.Subscription, providertest.Group, armid.LoadBalancers, "lb")
)

const (
	addressBody = `{"location":"westus2","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static"}}`
	ruleBody    = `{"properties":{"access":"Allow","direction":"Inbound","protocol":"Tcp","priority":%,"sourceAddressPrefix":"*",` +
		`"sourcePortRange":"*","destinationAddressPrefix":"*","destinationPortRange":"80"}}`
)

func rule(priority string) string { return strings.Replace(ruleBody, "%", priority, 1) }

// door is a server of a cloud with the seed of providertest, asked in the process.
type door struct {
	t     *testing.T
	cloud *fake.Cloud
	do    func(*http.Request) (*http.Response, error)
	base  string
}

func open(t *testing.T, clouds *fake.Options, o *armfake.Options) door {
	t.Helper()
	cloud := fake.New(clouds)
	if err := cloud.Load(providertest.Seed()); err != nil {
		t.Fatal(err)
	}
	return door{t: t, cloud: cloud, do: armfake.New(cloud, o).Do, base: "https://arm.example"}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// at returns what is at a path of dots in the body.
func (a answer) at(path string) any {
	var v any = a.body
	for _, name := range strings.Split(path, ".") {
		switch inner := v.(type) {
		case map[string]any:
			v = inner[name]
		case []any:
			v = inner[0].(map[string]any)[name]
		default:
			return nil
		}
	}
	return v
}

func (d door) try(method, path, body string, headers ...string) (answer, error) {
	d.t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = d.base + path
	}
	if !strings.Contains(url, "?") {
		url += version
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer test")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := d.do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header}
	if len(bytes.TrimSpace(data)) > 0 && data[0] == '{' {
		err = errors.Join(err, json.Unmarshal(data, &a.body))
	}
	return a, err
}

// ask makes a request that must get this status.
func (d door) ask(status int, method, path, body string, headers ...string) answer {
	d.t.Helper()
	a, err := d.try(method, path, body, headers...)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != status {
		d.t.Fatalf("%s %s: status %d, want %d: %v", method, path, a.status, status, a.body)
	}
	return a
}

func (d door) want(what string, got, want any) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestResource(t *testing.T) {
	d := open(t, nil, nil)
	path := string(address)
	created := d.ask(201, "PUT", path, addressBody, "If-None-Match", "*")
	d.want("state while running", created.at("properties.provisioningState"), "Updating")
	d.want("ETag", created.header.Get("ETag"), created.at("etag"))

	got := d.ask(200, "GET", strings.ToUpper(path), "")
	d.want("state in the end", got.at("properties.provisioningState"), "Succeeded")
	d.want("spelling", got.at("id"), path)
	if got.at("etag") == created.at("etag") {
		t.Error("the end of the operation leaves the ETag")
	}
	d.want("code", d.ask(412, "PUT", path, addressBody, "If-None-Match", "*").at("error.code"), "PreconditionFailed")
	d.want("code", d.ask(412, "PUT", path, addressBody, "If-Match", created.header.Get("ETag")).at("error.code"), "PreconditionFailed")
	d.ask(200, "PUT", path, addressBody, "If-Match", got.header.Get("ETag"))

	tagged := d.ask(200, "PATCH", path, `{"tags":{"a":"b"}}`)
	d.want("tag", tagged.at("tags.a"), "b")
	d.want("operation of a PATCH", tagged.header.Get("Azure-AsyncOperation"), "")

	deleted := d.ask(202, "DELETE", path, "")
	d.ask(204, "GET", deleted.header.Get("Location"), "")
	d.want("outcome", d.ask(200, "GET", deleted.header.Get("Azure-AsyncOperation"), "").at("status"), "Succeeded")
	d.want("code", d.ask(404, "GET", path, "").at("error.code"), "ResourceNotFound")
	d.ask(204, "DELETE", path, "")
}

func TestChildren(t *testing.T) {
	d := open(t, nil, &armfake.Options{PageSize: 2})
	rules := string(security) + "/securityRules"
	for name, priority := range map[string]string{"a": "100", "b": "101", "c": "102"} {
		d.ask(201, "PUT", rules+"/"+name, rule(priority))
	}
	first := d.ask(200, "GET", rules, "")
	d.want("first rule", first.at("value.name"), "a")
	d.ask(202, "DELETE", rules+"/b", "") // of the page that was read
	second := d.ask(200, "GET", first.at("nextLink").(string), "")
	d.want("rule after it", second.at("value.name"), "c")
	d.want("further link", second.at("nextLink"), nil)
	d.want("code", d.ask(400, "PUT", rules, "{}").at("error.code"), "InvalidResourceName")
}

func TestLists(t *testing.T) {
	d := open(t, nil, &armfake.Options{PageSize: 1})
	for _, name := range []string{"c", "a", "b"} {
		d.ask(201, "PUT", string(group)+"/providers/Microsoft.Network/publicIPAddresses/"+name, addressBody)
	}
	for _, scope := range []string{string(group), "/subscriptions/" + providertest.Subscription} {
		var names []string
		for path := scope + "/providers/microsoft.network/publicipaddresses"; path != ""; {
			page := d.ask(200, "GET", path, "")
			names = append(names, page.at("value.name").(string))
			path, _ = page.at("nextLink").(string)
		}
		d.want("names in "+scope, strings.Join(names, " "), "a b c")
	}
	empty := d.ask(200, "GET", string(group)+"/providers/Microsoft.Network/loadBalancers", "")
	d.want("length of an empty list", len(empty.body["value"].([]any)), 0)
	absent := "/subscriptions/" + providertest.Subscription + "/resourceGroups/absent/providers/Microsoft.Network/loadBalancers"
	d.want("code", d.ask(404, "GET", absent, "").at("error.code"), "ResourceGroupNotFound")
}

func TestRefusals(t *testing.T) {
	sub := "/subscriptions/" + providertest.Subscription
	for _, tt := range []struct {
		fact, method, path, body string
		status                   int
		code                     string
	}{
		{"no version", "GET", string(address) + "?x=y", "", 400, "MissingApiVersionParameter"},
		{"no date", "GET", string(address) + "?api-version=latest", "", 400, "InvalidApiVersionParameter"},
		{"version that Network does not have", "GET", string(address) + "?api-version=2020-12-31", "", 400, "NoRegisteredProviderFound"},
		{"unknown type", "GET", string(group) + "/providers/Microsoft.Network/dials/x", "", 404, "InvalidResourceType"},
		{"unknown kind", "GET", string(balancer) + "/dials/x", "", 404, "InvalidResourceType"},
		{"unknown namespace", "GET", string(group) + "/providers/Microsoft.Dials/dials", "", 404, "InvalidResourceNamespace"},
		{"no path at all", "GET", "/x", "", 404, "ResourceNotFound"},
		{"body that is no JSON", "PUT", string(address), "{", 400, "InvalidRequestContent"},
		{"child of nothing", "PUT", string(balancer) + "/backendAddressPools/p", "{}", 404, "ParentResourceNotFound"},
		{"child that cannot be written", "POST", string(address), "{}", 405, "MethodNotAllowed"},
		{"unknown group", "GET", sub + "/resourcegroups/absent", "", 404, "ResourceGroupNotFound"},
		{"unknown subscription", "GET", "/subscriptions/absent", "", 404, "SubscriptionNotFound"},
		{"unknown operation", "GET", sub + "/providers/Microsoft.Network/locations/x/operations/y", "", 404, "OperationNotFound"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			d := open(t, nil, nil)
			a := d.ask(tt.status, tt.method, tt.path, tt.body)
			d.want("code", a.at("error.code"), tt.code)
		})
	}
	d := open(t, nil, nil)
	d.want("code", d.ask(401, "GET", string(address), "", "Authorization", "").at("error.code"), "AuthenticationFailed")
	d = open(t, nil, &armfake.Options{Anonymous: true})
	d.ask(404, "GET", string(address), "", "Authorization", "")
}

func TestOperation(t *testing.T) {
	d := open(t, &fake.Options{Latency: map[string]time.Duration{armid.PublicIPAddresses: 12500 * time.Millisecond}}, nil)
	path := string(address)
	started := d.ask(201, "PUT", path, addressBody)
	d.want("Retry-After", started.header.Get("Retry-After"), "10")
	poll := started.header.Get("Azure-AsyncOperation")
	d.want("status", d.ask(200, "GET", poll, "").at("status"), "InProgress")
	d.want("goal", d.ask(200, "GET", path, "").at("properties.provisioningState"), "Updating")
	d.sleep(10 * time.Second)
	running := d.ask(200, "GET", poll, "")
	d.want("Retry-After", running.header.Get("Retry-After"), "3")
	d.want("Retry-After-Ms", running.header.Get("Retry-After-Ms"), "2500")
	d.sleep(2500 * time.Millisecond)
	d.want("status", d.ask(200, "GET", poll, "").at("status"), "Succeeded")

	deleted := d.ask(202, "DELETE", path, "")
	d.ask(202, "GET", deleted.header.Get("Location"), "")
	d.want("code", d.ask(409, "PUT", path, addressBody).at("error.code"), "AnotherOperationInProgress")
}

func (d door) sleep(t time.Duration) {
	d.t.Helper()
	if err := d.cloud.Clock().Sleep(d.t.Context(), t); err != nil {
		d.t.Fatal(err)
	}
}

func TestNewerWriteSupersedes(t *testing.T) {
	d := open(t, &fake.Options{Latency: map[string]time.Duration{armid.NetworkSecurityGroups: time.Minute}}, nil)
	put := func() string {
		return d.ask(200, "PUT", string(security), `{"location":"westus2","properties":{"securityRules":[]}}`).header.Get("Azure-AsyncOperation")
	}
	first, second := put(), put()
	lost := d.ask(200, "GET", first, "")
	d.want("status", lost.at("status"), "Canceled")
	d.want("code", lost.at("error.code"), "Canceled")
	d.want("detail", lost.at("error.details.code"), "CanceledAndSupersededDueToAnotherOperation")
	d.want("code of a child", d.ask(409, "PUT", string(security)+"/securityRules/a", rule("100")).at("error.code"), "AnotherOperationInProgress")
	d.sleep(time.Minute)
	d.want("status", d.ask(200, "GET", second, "").at("status"), "Succeeded")
	d.ask(201, "PUT", string(security)+"/securityRules/a", rule("100"))
}

func TestWritersAtTheSameTime(t *testing.T) {
	d := open(t, &fake.Options{Latency: map[string]time.Duration{armid.NetworkSecurityGroups: time.Minute}}, nil)
	const writers = 20
	polls := make([]string, writers)
	var wait sync.WaitGroup
	for i := range writers {
		wait.Go(func() {
			a, err := d.try("PUT", string(security), fmt.Sprintf(`{"location":"westus2","tags":{"by":"%d"}}`, i))
			if err != nil || a.status != 200 {
				t.Errorf("writer %d: status %d, error %v", i, a.status, err)
				return
			}
			polls[i] = a.header.Get("Azure-AsyncOperation")
		})
	}
	wait.Wait()
	d.sleep(time.Minute)
	by := d.ask(200, "GET", string(security), "").at("tags.by")
	for i, poll := range polls {
		want := "Canceled"
		if by == fmt.Sprint(i) {
			want = "Succeeded"
		}
		d.want(fmt.Sprintf("status of writer %d", i), d.ask(200, "GET", poll, "").at("status"), want)
	}
}

func TestReferenceToWhatIsNotReady(t *testing.T) {
	d := open(t, &fake.Options{Latency: map[string]time.Duration{armid.PublicIPAddresses: time.Minute}}, nil)
	d.ask(201, "PUT", string(address), addressBody)
	body := `{"location":"westus2","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"web","properties":{` +
		`"publicIPAddress":{"id":"` + string(address) + `"}}}]}}`
	early := d.ask(429, "PUT", string(balancer), body)
	d.want("code", early.at("error.code"), "RetryableError")
	d.want("detail", early.at("error.details.code"), "ReferencedResourceNotProvisioned")
	d.sleep(time.Minute)
	d.ask(201, "PUT", string(balancer), body)
}

func TestFaults(t *testing.T) {
	d := open(t, nil, nil)
	path := string(address)
	d.cloud.Inject(fake.Fault{Method: "PUT", Status: 429, Code: "RetryableErrorDueToAnotherOperation", Message: "busy", RetryAfter: 90 * time.Second})
	refused := d.ask(429, "PUT", path, addressBody)
	d.want("Retry-After", refused.header.Get("Retry-After"), "90")
	d.want("detail", refused.at("error.details.message"), "busy")

	d.cloud.Inject(fake.Fault{Method: "PUT", Late: true, Code: "InUseCannotBeDeleted", Message: "no"})
	taken := d.ask(201, "PUT", path, addressBody)
	outcome := d.ask(200, "GET", taken.header.Get("Azure-AsyncOperation"), "")
	d.want("status", outcome.at("status"), "Failed")
	d.want("code", outcome.at("error.code"), "InUseCannotBeDeleted")
	d.want("state", d.ask(200, "GET", path, "").at("properties.provisioningState"), "Failed")
	d.ask(200, "PUT", path, addressBody)
	d.want("state", d.ask(200, "GET", path, "").at("properties.provisioningState"), "Succeeded")

	d.cloud.Inject(fake.Fault{Method: "DELETE", Late: true, Code: "InternalServerError"})
	d.want("outcome", d.ask(200, "GET", d.ask(202, "DELETE", path, "").header.Get("Azure-AsyncOperation"), "").at("status"), "Failed")
	d.ask(200, "GET", path, "")

	d.cloud.Inject(fake.Fault{Method: "PUT", Delay: time.Hour})
	stuck := d.ask(200, "PUT", path, addressBody).header.Get("Azure-AsyncOperation")
	d.cloud.Inject(fake.Fault{Path: "/operations/", Status: 503, Code: "ServerBusy"})
	d.ask(503, "GET", stuck, "")
	d.sleep(30 * time.Minute)
	d.want("status", d.ask(200, "GET", stuck, "").at("status"), "InProgress")
}

func TestLostConnection(t *testing.T) {
	d := open(t, &fake.Options{Latency: map[string]time.Duration{armid.PublicIPAddresses: time.Minute}}, nil)
	server := httptest.NewServer(armfake.Handler(d.cloud, nil))
	defer server.Close()
	socket := d
	socket.base, socket.do = server.URL, server.Client().Do
	for _, d := range []door{d, socket} {
		path := string(group) + "/providers/Microsoft.Network/publicIPAddresses/" + strings.Trim(d.base[len(d.base)-2:], ".:/")
		d.cloud.Inject(fake.Fault{Method: "PUT", Drop: fake.DropBefore})
		if _, err := d.try("PUT", path, addressBody); err == nil {
			t.Error("an answer came over a connection that was lost")
		}
		d.ask(404, "GET", path, "")
		d.cloud.Inject(fake.Fault{Method: "PUT", Drop: fake.DropAfter})
		if _, err := d.try("PUT", path, addressBody); err == nil {
			t.Error("an answer came over a connection that was lost")
		}
		d.want("state", d.ask(200, "GET", path, "").at("properties.provisioningState"), "Updating")
	}
	d.cloud.Inject(fake.Fault{Drop: fake.DropBefore})
	if _, err := d.try("GET", string(address), ""); !errors.Is(err, fake.ErrDropped) {
		t.Errorf("error %v, want one that wraps ErrDropped", err)
	}
}

func TestThrottling(t *testing.T) {
	d := open(t, nil, &armfake.Options{Limits: armfake.Limits{
		Reads: armfake.Bucket{Size: 2, PerSecond: 0.1}, NetworkWrites: armfake.Bucket{Size: 1, PerSecond: 1},
	}})
	remaining := func(a answer, kind string) string {
		return a.header.Get("X-Ms-Ratelimit-Remaining-Subscription-" + kind)
	}
	d.want("reads", remaining(d.ask(404, "GET", string(address), ""), "Reads"), "1")
	d.want("reads", remaining(d.ask(404, "GET", string(address), ""), "Reads"), "0")
	full := d.ask(429, "GET", string(address), "")
	d.want("code", full.at("error.code"), "SubscriptionRequestsThrottled")
	d.want("Retry-After", full.header.Get("Retry-After"), "10")
	d.sleep(10 * time.Second)
	d.ask(404, "GET", string(address), "")

	d.want("writes", remaining(d.ask(201, "PUT", string(address), addressBody), "Resource-Requests"), "0")
	d.want("code", d.ask(429, "PUT", string(address), addressBody).at("error.code"), "ResourceRequestsThrottled")
	d.want("status in the journal", d.cloud.Requests()[5].Status, 429)
}

func TestBeforeResourceManager(t *testing.T) {
	d := open(t, nil, nil)
	anonymous := func(method, path string) answer {
		return d.ask(200, method, path, "grant_type=client_credentials", "Authorization", "")
	}
	d.want("login endpoint", anonymous("GET", "/metadata/endpoints?api-version=2022-09-01").at("authentication.loginEndpoint"), d.base)
	d.want("graph endpoint", anonymous("GET", "/metadata/endpoints?api-version=2015-01-01").at("graphEndpoint"), d.base)
	found := anonymous("GET", "/t/v2.0/.well-known/openid-configuration?x=y")
	d.want("token type", anonymous("POST", found.at("token_endpoint").(string)).at("token_type"), "Bearer")
	d.want("lifetime", anonymous("POST", "/t/oauth2/token").at("expires_in"), "3600")
	if n := len(d.cloud.Requests()); n != 0 {
		t.Errorf("%d requests in the journal", n)
	}
}

func TestContainers(t *testing.T) {
	d := open(t, &fake.Options{Zones: []string{"1", "3"}}, nil)
	sub := "/subscriptions/" + providertest.Subscription
	d.want("location", d.ask(200, "GET", string(group), "").at("location"), providertest.Location)
	d.want("code", d.ask(400, "PUT", sub+"/resourceGroups/new", "{}").at("error.code"), "LocationRequired")
	d.ask(201, "PUT", sub+"/resourceGroups/new", `{"location":"eastus"}`)
	d.want("groups", len(d.ask(200, "GET", sub+"/resourceGroups", "").body["value"].([]any)), 2)
	d.want("subscription", d.ask(200, "GET", "/subscriptions", "").at("value.subscriptionId"), providertest.Subscription)
	d.want("subscription", d.ask(200, "GET", sub, "").at("subscriptionId"), providertest.Subscription)
	mapping := d.ask(200, "GET", sub+"/providers/Microsoft.Compute?api-version=2021-04-01", "").at("resourceTypes.zoneMappings").([]any)
	if len(mapping) != 2 {
		t.Errorf("zones of %v, want those of eastus and westus2", mapping)
	}
}

func TestPermissions(t *testing.T) {
	d := open(t, &fake.Options{Deny: []fake.Denial{{Scope: group, Action: "Microsoft.Network/networkSecurityGroups/securityRules/read"}}}, nil)
	d.want("code", d.ask(403, "GET", string(security.Child("securityRules", "a")), "").at("error.code"), "AuthorizationFailed")
	d.want("code", d.ask(403, "GET", string(security)+"/securityRules", "").at("error.code"), "AuthorizationFailed")
	d.ask(200, "GET", string(security), "")
}

// TestConnections lets a client over HTTP list, approve, reject and remove the connections of consumers.
func TestConnections(t *testing.T) {
	d := open(t, &fake.Options{Latency: map[string]time.Duration{armid.PrivateLinkServices: 10 * time.Second}}, &armfake.Options{PageSize: 1})
	service := armid.Resource(providertest.Subscription, providertest.Group, armid.PrivateLinkServices, "link")
	if err := d.cloud.Put(service, map[string]any{"location": providertest.Location, "properties": map[string]any{}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if _, err := d.cloud.ConnectFrom(service, name, providertest.Subscription); err != nil {
			t.Fatal(err)
		}
	}
	connections := string(service) + "/privateEndpointConnections"
	const state = "properties.privateLinkServiceConnectionState."
	decide := func(status string) string {
		return `{"properties":{"privateLinkServiceConnectionState":{"status":"` + status + `","description":"of ours"}}}`
	}
	page := d.ask(http.StatusOK, "GET", connections, "")
	d.want("the first", page.at("value.name"), "a")
	page = d.ask(http.StatusOK, "GET", page.at("nextLink").(string), "")
	d.want("the second", page.at("value.name"), "b")
	d.want("what it waits for", page.at("value."+state+"status"), "Pending")
	d.want("another page", page.at("nextLink"), nil)

	a := d.ask(http.StatusOK, "PUT", connections+"/a", decide("Approved"))
	d.want("an approval is", a.at(state+"status"), "Approved")
	d.want("its reason", a.at(state+"description"), "of ours")
	d.want("its endpoint", strings.HasSuffix(fmt.Sprint(a.at("properties.privateEndpoint.id")), "/privateEndpoints/a"), true)
	d.want("an operation", a.header.Get("Azure-AsyncOperation"), "") // the SDK's method waits for none
	d.want("a rejection", d.ask(http.StatusOK, "PUT", connections+"/b", decide("Rejected")).at(state+"status"), "Rejected")
	d.want("of the service", d.ask(http.StatusOK, "GET", string(service), "").at("properties.privateEndpointConnections."+state+"status"), "Approved")
	d.want("a new one", d.ask(http.StatusNotFound, "PUT", connections+"/c", decide("Approved")).at("error.code"), "ResourceNotFound")
	d.want("a wish", d.ask(http.StatusBadRequest, "PUT", connections+"/a", decide("Pending")).at("error.code"), "InvalidPrivateEndpointConnectionStatus")
	d.ask(http.StatusBadRequest, "DELETE", string(service), "") // a is connected

	gone := d.ask(http.StatusAccepted, "DELETE", connections+"/a", "")
	busy := d.ask(http.StatusConflict, "PUT", connections+"/b", decide("Approved"))
	d.want("a decision while that goes on", busy.at("error.code"), "AnotherOperationInProgress")
	d.sleep(time.Minute)
	d.ask(http.StatusOK, "GET", gone.header.Get("Azure-AsyncOperation"), "")
	d.ask(http.StatusNotFound, "GET", connections+"/a", "")
	d.want("what is left", d.ask(http.StatusOK, "GET", connections, "").at("value.name"), "b")
}
