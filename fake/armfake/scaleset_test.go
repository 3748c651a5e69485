package armfake_test

import (
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider/providertest"
)

const computeVersion = "?api-version=2024-07-01"

var scaleSet = armid.Resource(providertest.Subscription, providertest.Group, armid.ScaleSets, "ss")

// scaled is a door to a cloud with a scale set of two instances, whose writes take a minute.
func scaled(t *testing.T) door {
	t.Helper()
	d := open(t, &fake.Options{Latency: map[string]time.Duration{armid.ScaleSetInstances: time.Minute}}, &armfake.Options{PageSize: 1})
	instance := func(n string) map[string]any {
		return map[string]any{"id": string(scaleSet.Child(armid.Instances, n)), "instanceId": n, "location": providertest.Location, "properties": map[string]any{
			"instanceView": map[string]any{"statuses": []any{map[string]any{"code": "PowerState/running"}}},
		}}
	}
	if err := d.cloud.Put(scaleSet, map[string]any{"location": providertest.Location, "properties": map[string]any{"simVirtualMachines": []any{instance("0"), instance("1")}}}); err != nil {
		t.Fatal(err)
	}
	return d
}

func instancePath(n, query string) string {
	return string(scaleSet.Child(armid.Instances, n)) + computeVersion + query
}

// TestInstancesAreWrittenSideBySide: an operation on one instance is in the way of that instance alone.
func TestInstancesAreWrittenSideBySide(t *testing.T) {
	d := scaled(t)
	body := `{"location":"` + providertest.Location + `","properties":{}}`
	running := d.ask(200, "PUT", instancePath("0", ""), body)
	d.ask(200, "PUT", instancePath("1", ""), body)
	d.ask(200, "PUT", string(scaleSet)+computeVersion, body)
	d.want("state", d.ask(200, "GET", instancePath("0", ""), "").at("properties.provisioningState"), "Updating")
	if err := d.cloud.Clock().Sleep(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	link := running.header.Get("Azure-AsyncOperation")
	if !strings.Contains(link, "/providers/Microsoft.Compute/locations/") {
		t.Errorf("the operation is at %s, want it where the api-version of the write is known", link)
	}
	d.want("operation", d.ask(200, "GET", link, "").at("status"), "Succeeded")
	d.want("state", d.ask(200, "GET", instancePath("0", ""), "").at("properties.provisioningState"), "Succeeded")
}

// TestInstanceViewIsAskedFor: as in ARM, an instance shows whether it runs only to those who ask.
func TestInstanceViewIsAskedFor(t *testing.T) {
	d := scaled(t)
	d.want("view", d.ask(200, "GET", instancePath("0", ""), "").at("properties.instanceView"), nil)
	d.want("code", d.ask(200, "GET", instancePath("0", "&$expand=instanceView"), "").at("properties.instanceView.statuses.code"), "PowerState/running")
	page := d.ask(200, "GET", string(scaleSet)+"/virtualMachines"+computeVersion+"&$expand=instanceView", "")
	d.want("code", page.at("value.properties.instanceView.statuses.code"), "PowerState/running")
	next, _ := page.at("nextLink").(string)
	d.want("second page", d.ask(200, "GET", next, "").at("value.instanceId"), "1")
}

// TestInterfacesOfInstances: they are read below the instance, and listed for the whole scale set too.
func TestInterfacesOfInstances(t *testing.T) {
	d := scaled(t)
	nic := `{"location":"` + providertest.Location + `","properties":{"networkProfileConfiguration":{"networkInterfaceConfigurations":[{"name":"nic","properties":{"ipConfigurations":[{"name":"ip"}]}}]}}}`
	d.ask(200, "PUT", instancePath("1", ""), nic)
	path := string(scaleSet.Child(armid.Instances, "1")) + "/networkInterfaces"
	d.want("one", d.ask(200, "GET", path+"/nic"+computeVersion, "").at("properties.ipConfigurations.id"), path+"/nic/ipConfigurations/ip")
	d.want("of the instance", d.ask(200, "GET", path+computeVersion, "").at("value.name"), "nic")
	d.want("of the scale set", d.ask(200, "GET", string(scaleSet)+"/networkInterfaces"+computeVersion, "").at("value.id"), path+"/nic")
	d.want("code", d.ask(404, "GET", path+"/none"+computeVersion, "").at("error.code"), "ResourceNotFound")
}

// TestInstanceOnItsWayOut: what is being deleted refuses to be written, and those beside it do not.
func TestInstanceOnItsWayOut(t *testing.T) {
	d := scaled(t)
	if err := d.cloud.Merge(scaleSet.Child(armid.Instances, "0"), map[string]any{"properties": map[string]any{"provisioningState": "Deleting"}}); err != nil {
		t.Fatal(err)
	}
	body := `{"location":"` + providertest.Location + `","properties":{}}`
	d.want("code", d.ask(409, "PUT", instancePath("0", ""), body).at("error.code"), "OperationNotAllowed")
	d.ask(200, "PUT", instancePath("1", ""), body)
}

func TestMigrationOverHTTP(t *testing.T) {
	d := open(t, nil, nil)
	pool := balancer.Child(armid.BackendAddressPools, "p")
	if err := d.cloud.Put(balancer, map[string]any{"location": providertest.Location, "properties": map[string]any{"backendAddressPools": []any{map[string]any{"name": "p"}}}}); err != nil {
		t.Fatal(err)
	}
	a := d.ask(200, "POST", string(balancer)+"/migrateToIpBased", `{"pools":["p"]}`)
	if list, _ := a.at("migratedPools.migratedPools").([]any); len(list) != 1 || !strings.EqualFold(list[0].(string), pool.Name()) {
		t.Errorf("migrated: %v", a.body)
	}
	d.want("code", d.ask(400, "POST", string(balancer)+"/migrateToIpBased", `{"pools":["q"]}`).at("error.code"), "InvalidResourceReference")
}
