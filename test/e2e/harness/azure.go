package harness

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// subscription holds everything that the tests make.
const subscription = "00000000-0000-4000-8000-000000000001"

// seed is a virtual network with a subnet for nodes of both families, and its security group.
const seed = `{
  "resourceGroups": [{"subscription": "` + subscription + `", "name": "e2e", "location": "westeurope"}],
  "resources": [
    {"id": "/subscriptions/` + subscription + `/resourceGroups/e2e/providers/Microsoft.Network/networkSecurityGroups/nsg",
     "location": "westeurope", "properties": {"securityRules": []}},
    {"id": "/subscriptions/` + subscription + `/resourceGroups/e2e/providers/Microsoft.Network/virtualNetworks/vnet",
     "location": "westeurope", "properties": {
       "addressSpace": {"addressPrefixes": ["10.1.0.0/16", "fd00:1::/48"]},
       "subnets": [{"name": "nodes", "properties": {
         "addressPrefixes": ["10.1.0.0/24", "fd00:1:0:1::/64"],
         "networkSecurityGroup": {"id": "/subscriptions/` + subscription +
	`/resourceGroups/e2e/providers/Microsoft.Network/networkSecurityGroups/nsg"}}}]}}
  ]
}`

// Azure is an Azure in memory behind a loopback port.
type Azure struct {
	Cloud   *fake.Cloud
	URL     string
	Config  []byte // azure.json that leads to URL
	Path    string // a file with Config
	Cluster lb.Cluster
}

// NewAzure serves an Azure until the test ends. latency is how long writes take, by type of resource, in real time; nil: no time. more are keys
// of azure.json beyond those that every test has.
func NewAzure(t testing.TB, latency map[string]time.Duration, more map[string]any) *Azure {
	t.Helper()
	cloud := fake.New(&fake.Options{Clock: fake.WallClock{}, Latency: latency})
	if err := cloud.Load([]byte(seed)); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(armfake.Handler(cloud, nil))
	t.Cleanup(server.Close)
	keys := map[string]any{
		"resourceManagerEndpoint": server.URL, "tenantId": "00000000-0000-4000-8000-00000000000a",
		"aadClientId": "azlb", "aadClientSecret": "not-a-secret",
		"subscriptionId": subscription, "resourceGroup": "e2e", "location": "westeurope", "vnetName": "vnet", "subnetName": "nodes",
		"securityGroupName": "nsg", "loadBalancerSku": "standard", "loadBalancerBackendPoolConfigurationType": "nodeIP",
	}
	maps.Copy(keys, more)
	config, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	a := &Azure{Cloud: cloud, URL: server.URL, Config: config, Path: filepath.Join(t.TempDir(), "azure.json")}
	if err := os.WriteFile(a.Path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	if a.Cluster, err = lb.ParseCluster(config, "kubernetes"); err != nil {
		t.Fatal(err)
	}
	return a
}

// Writes counts the PUT requests for resources of one type, such as armid.LoadBalancers, and their children.
func (a *Azure) Writes(typ string) int { return a.count(http.MethodPut, typ) }

// Deletions counts the DELETE requests.
func (a *Azure) Deletions(typ string) int { return a.count(http.MethodDelete, typ) }

func (a *Azure) count(method, typ string) int {
	n := 0
	for _, r := range a.Cloud.Requests() {
		if r.Method == method && strings.Contains(strings.ToLower(r.Path), strings.ToLower("/"+typ+"/")) {
			n++
		}
	}
	return n
}

// Left are the resources, and the security rules, that the seed and the scale set of the nodes do not have.
func (a *Azure) Left() []lb.ID {
	var left []lb.ID
	for _, id := range a.Cloud.IDs() {
		switch {
		case id.Is(armid.VirtualNetworks), id.Top().Is(armid.ScaleSets):
		case id.Is(armid.NetworkSecurityGroups):
			left = append(left, a.rules(id)...)
		default:
			left = append(left, id)
		}
	}
	return left
}

func (a *Azure) rules(group lb.ID) []lb.ID {
	var all []lb.ID
	body, _ := a.Cloud.Body(group)
	properties, _ := body["properties"].(map[string]any)
	list, _ := properties[armid.SecurityRules].([]any)
	for _, e := range list {
		if rule, ok := e.(map[string]any); ok {
			name, _ := rule["name"].(string)
			all = append(all, group.Child(armid.SecurityRules, name))
		}
	}
	return all
}

// Log writes the whole state to the test's log, for failures.
func (a *Azure) Log(t testing.TB) {
	t.Helper()
	state, err := a.Cloud.Dump()
	if err != nil {
		t.Error(err)
	}
	t.Logf("%s", state)
}
