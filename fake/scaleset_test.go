package fake_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// scaled is the world with a scale set of two instances in no pool; policy is its upgrade policy.
func scaled(t *testing.T, policy string) *fake.Cloud {
	t.Helper()
	cloud := world(t)
	fill(t, cloud, policy)
	return cloud
}

// fill puts that scale set into a world.
func fill(t *testing.T, cloud *fake.Cloud, policy string) {
	t.Helper()
	put(t, cloud, "scaleSets/uni", `{"location":"westus","sku":{"name":"Standard_D2s_v5","capacity":2},"properties":{"upgradePolicy":{"mode":"`+policy+`"},
		"virtualMachineProfile":{"osProfile":{"computerNamePrefix":"uni"},"networkProfile":`+interfaces()+`},
		"simVirtualMachines":[`+uniInstance("0", "Succeeded")+`,`+uniInstance("1", "Succeeded")+`]}}`)
}

func modelIn(pools ...string) edit {
	return set(`{"properties":{"virtualMachineProfile":{"networkProfile":` + interfaces(pools...) + `}}}`)
}

func get(t *testing.T, cloud *fake.Cloud, path string) armwire.Object {
	t.Helper()
	answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: network(path)})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Body
}

// membersOf lists what is in a pool.
func membersOf(t *testing.T, cloud *fake.Cloud, path string) []string {
	t.Helper()
	var ids []string
	for _, o := range list(get(t, cloud, path), "backendIPConfigurations") {
		ids = append(ids, o.(armwire.Object)["id"].(string))
	}
	return ids
}

func applied(t *testing.T, cloud *fake.Cloud) (latest []bool) {
	t.Helper()
	answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: network("scaleSets/uni") + "/virtualMachines"})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range answer.List {
		latest = append(latest, o["properties"].(armwire.Object)["latestModelApplied"].(bool))
	}
	return latest
}

func TestModelOfManualScaleSet(t *testing.T) {
	cloud := scaled(t, "Manual")
	if err := write(t, cloud, "scaleSets/uni", []edit{modelIn("served", "scale")}); err != nil {
		t.Fatal(err)
	}
	if got := applied(t, cloud); !slices.Equal(got, []bool{false, false}) {
		t.Errorf("latestModelApplied: %v", got)
	}
	before := get(t, cloud, "scaleSets/uni/virtualMachines/1")["etag"]
	if err := write(t, cloud, "scaleSets/uni/virtualMachines/0", []edit{set(`{"properties":{"networkProfileConfiguration":` + interfaces("served", "scale") + `}}`)}); err != nil {
		t.Fatal(err)
	}
	if got := applied(t, cloud); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("latestModelApplied after the first instance: %v", got)
	}
	if after := get(t, cloud, "scaleSets/uni/virtualMachines/1")["etag"]; after != before {
		t.Error("the write of one instance moved the ETag of another")
	}
	want := []string{string(network("scaleSets/uni")) + "/virtualMachines/0/networkInterfaces/nic/ipConfigurations/ip"}
	if got := membersOf(t, cloud, "loadBalancers/served/backendAddressPools/scale"); !slices.Equal(got, want) {
		t.Errorf("members: %v, want %v", got, want)
	}
}

// TestWriteOfInstanceKeepsTheRest: what a write of Microsoft.Compute leaves out stays.
func TestWriteOfInstanceKeepsTheRest(t *testing.T) {
	cloud := scaled(t, "Manual")
	body := parse(`{"location":"westus","properties":{"networkProfileConfiguration":` + interfaces("served", "scale") + `}}`)
	if _, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodPut, ID: network("scaleSets/uni/virtualMachines/0"), Body: body}); err != nil {
		t.Fatal(err)
	}
	if got := get(t, cloud, "scaleSets/uni/virtualMachines/0")["properties"].(armwire.Object)["instanceView"]; got == nil {
		t.Error("the instance view is gone")
	}
}

func TestAutomaticScaleSetFollowsItsModel(t *testing.T) {
	cloud := scaled(t, "Automatic")
	if err := write(t, cloud, "scaleSets/uni/virtualMachines/1", []edit{set(`{"properties":{"protectionPolicy":{"protectFromScaleSetActions":true}}}`)}); err != nil {
		t.Fatal(err)
	}
	if err := write(t, cloud, "scaleSets/uni", []edit{modelIn("served", "scale")}); err != nil {
		t.Fatal(err)
	}
	if got := applied(t, cloud); !slices.Equal(got, []bool{true, false}) {
		t.Errorf("latestModelApplied: %v, want that of the protected instance to be false", got)
	}
}

func TestCapacityMakesAndRemovesInstances(t *testing.T) {
	cloud := scaled(t, "Manual")
	if err := write(t, cloud, "scaleSets/uni", []edit{modelIn("served", "scale"), set(`{"sku":{"capacity":4}}`)}); err != nil {
		t.Fatal(err)
	}
	if got := applied(t, cloud); !slices.Equal(got, []bool{false, false, true, true}) {
		t.Errorf("latestModelApplied: %v, want new instances as the model is", got)
	}
	if err := write(t, cloud, "scaleSets/uni", []edit{set(`{"sku":{"capacity":1}}`)}); err != nil {
		t.Fatal(err)
	}
	if got := membersOf(t, cloud, "loadBalancers/served/backendAddressPools/scale"); len(applied(t, cloud)) != 1 || len(got) > 0 {
		t.Errorf("after scale-in: %v members, %d instances", got, len(applied(t, cloud)))
	}
	if err := write(t, cloud, "scaleSets/uni", nil); err != nil {
		t.Fatal(err)
	}
	for _, id := range cloud.IDs() {
		if id.Top().Equal(network("scaleSets/uni")) {
			t.Errorf("%s outlived its scale set", id)
		}
	}
}

// TestETagsOfScaleSetAndInstances: what else the ETag of a scale set and those of its instances do when the other is written, both ways.
func TestETagsOfScaleSetAndInstances(t *testing.T) {
	const instance, sibling, model = "scaleSets/uni/virtualMachines/0", "scaleSets/uni/virtualMachines/1", "scaleSets/uni"
	for _, o := range []fake.Options{{}, {InstanceMovesScaleSet: true}, {ScaleSetMovesInstances: true}, {InstanceMovesScaleSet: true, ScaleSetMovesInstances: true}} {
		cloud := fake.New(&o)
		load(t, cloud, "testdata/world.json")
		fill(t, cloud, "Manual")
		moved := func(written string, body edit, others ...string) []bool {
			t.Helper()
			before := make([]any, len(others))
			for i, path := range others {
				before[i] = get(t, cloud, path)["etag"]
			}
			if err := write(t, cloud, written, []edit{body}); err != nil {
				t.Fatal(err)
			}
			var list []bool
			for i, path := range others {
				list = append(list, get(t, cloud, path)["etag"] != before[i])
			}
			return list
		}
		inPool := set(`{"properties":{"networkProfileConfiguration":` + interfaces("served", "scale") + `}}`)
		if got, want := moved(instance, inPool, model, sibling), []bool{o.InstanceMovesScaleSet, false}; !slices.Equal(got, want) {
			t.Errorf("%+v: a write of an instance moves scale set and sibling: %v, want %v", o, got, want)
		}
		if got, want := moved(model, modelIn("served", "scale"), instance, sibling), []bool{o.ScaleSetMovesInstances, o.ScaleSetMovesInstances}; !slices.Equal(got, want) {
			t.Errorf("%+v: a write of the model moves instances: %v, want %v", o, got, want)
		}
	}
}

// TestInterfacesOfInstances: they are there to be read, by instance and scale set, and hold their addresses in the subnet.
func TestInterfacesOfInstances(t *testing.T) {
	cloud := scaled(t, "Manual")
	first := get(t, cloud, "scaleSets/uni/virtualMachines/0/networkInterfaces/nic")
	cfg := list(first, "ipConfigurations")[0].(armwire.Object)
	if got, want := cfg["id"], string(network("scaleSets/uni/virtualMachines/0/networkInterfaces/nic/ipConfigurations/ip")); got != want {
		t.Errorf("IP configuration %v, want %s", got, want)
	}
	for path, want := range map[string]int{"scaleSets/uni/networkInterfaces": 2, "scaleSets/uni/virtualMachines/1/networkInterfaces": 1} {
		answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: network(path)})
		if err != nil || len(answer.List) != want {
			t.Errorf("%s: %d interfaces, %v, want %d", path, len(answer.List), err, want)
		}
	}
	if _, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: network("scaleSets/uni/virtualMachines/0/networkInterfaces/none")}); codeOf(err) != "ResourceNotFound" {
		t.Errorf("an interface that is not there: %v", err)
	}
	err := write(t, cloud, "scaleSets/uni/virtualMachines/0/networkInterfaces/nic", []edit{set(`{"properties":{}}`)})
	if codeOf(err) != "MethodNotAllowed" {
		t.Errorf("written by itself: %v", err)
	}
	if err := write(t, cloud, "loadBalancers/lb", []edit{static("x", "10.0.0.30", "IPv4")}); codeOf(err) != "PrivateIPAddressIsAllocated" {
		t.Errorf("a frontend with the address of an instance: %v", err)
	}
	if err := write(t, cloud, "loadBalancers/lb", []edit{static("x", "10.0.0.31", "IPv4")}); err != nil {
		t.Errorf("a frontend with the next address: %v", err)
	}
	subnet := list(get(t, cloud, "virtualNetworks/vnet"), "subnets")[0].(armwire.Object)
	if back := fmt.Sprint(list(subnet, "ipConfigurations")); !strings.Contains(back, "/uni/virtualMachines/1/networkInterfaces/nic/ipConfigurations/ip") {
		t.Errorf("the subnet shows %s", back)
	}
}

// TestMembersOfScaleSets: a pool shows each instance under a name of its own.
func TestMembersOfScaleSets(t *testing.T) {
	cloud := scaled(t, "Manual")
	for _, n := range []string{"0", "1"} {
		put(t, cloud, "scaleSets/uni/virtualMachines/"+n, `{"location":"westus","properties":{"networkProfileConfiguration":`+interfaces("served", "scale")+`}}`)
	}
	pool := get(t, cloud, "loadBalancers/served/backendAddressPools/scale")
	names := map[any]bool{}
	for _, m := range list(pool, "loadBalancerBackendAddresses") {
		names[m.(armwire.Object)["name"]] = true
	}
	if members := membersOf(t, cloud, "loadBalancers/served/backendAddressPools/scale"); len(members) != 2 || len(names) != 2 {
		t.Errorf("%d members with %d names, want 2 of each: %v", len(members), len(names), names)
	}
}

// TestInstanceKeepsLoadBalancer: the instance alone is in the way, whatever the model says.
func TestInstanceKeepsLoadBalancer(t *testing.T) {
	cloud := scaled(t, "Manual")
	put(t, cloud, "loadBalancers/own", `{"location":"westus","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{`+inNet+`}}],"backendAddressPools":[{"name":"p","properties":{}}]}}`)
	put(t, cloud, "scaleSets/uni/virtualMachines/0", `{"location":"westus","properties":{"networkProfileConfiguration":`+interfaces("own", "p")+`}}`)
	if err := write(t, cloud, "loadBalancers/own", nil); codeOf(err) != "LoadBalancerInUseByVirtualMachineScaleSet" {
		t.Errorf("got %v", err)
	}
}

func TestScaleSetsAreDumpedAsLoaded(t *testing.T) {
	cloud := scaled(t, "Manual")
	first := dump(t, cloud)
	again := fake.New(nil)
	if err := again.Load([]byte(first)); err != nil {
		t.Fatal(err)
	}
	if second := dump(t, again); second != first {
		t.Errorf("loaded and dumped:\n%s\nwant:\n%s", second, first)
	}
	if n := len(list(get(t, again, "scaleSets/uni"), "simVirtualMachines")); n > 0 {
		t.Error("what ARM shows has the recorded list of instances")
	}
}

// TestMigrateToIPBased: the pool has the addresses of its interfaces, which stay until they leave by themselves; then it takes others.
func TestMigrateToIPBased(t *testing.T) {
	cloud := scaled(t, "Manual")
	put(t, cloud, "scaleSets/uni/virtualMachines/0", `{"location":"westus","properties":{"networkProfileConfiguration":`+interfaces("served", "nics")+`}}`)
	const path = "loadBalancers/served/backendAddressPools/nics"
	call := fake.Call{Method: http.MethodPost, ID: network("loadBalancers/served") + "/migrateToIpBased", Body: armwire.Object{"pools": []any{"nics"}}}
	if _, err := cloud.Call(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	var addresses []string
	for _, o := range list(get(t, cloud, path), "loadBalancerBackendAddresses") {
		addresses = append(addresses, fmt.Sprint(o.(armwire.Object)["properties"].(armwire.Object)["ipAddress"]))
	}
	slices.Sort(addresses)
	if !slices.Equal(addresses, []string{"10.0.0.10", "10.0.0.30"}) || len(membersOf(t, cloud, path)) != 2 {
		t.Errorf("addresses: %v, interfaces: %v", addresses, membersOf(t, cloud, path))
	}
	seen, err := cloud.Observe(t.Context(), lb.Scope{LoadBalancers: []lb.ID{armid.Group("s", "g")}})
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(seen.LoadBalancers, func(l lb.SeenLoadBalancer) bool { return l.ID.Name() == "served" })
	for _, p := range seen.LoadBalancers[at].Pools {
		if p.Name == "nics" && (p.Interfaces || len(p.Members) != 2) {
			t.Errorf("observed: %+v, want a pool of addresses", p)
		}
	}
	call.Body = armwire.Object{"pools": []any{"none"}}
	if _, err := cloud.Call(t.Context(), call); codeOf(err) != "InvalidResourceReference" {
		t.Errorf("a pool that is not there: %v", err)
	}
}
