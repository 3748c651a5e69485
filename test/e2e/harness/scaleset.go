package harness

import (
	"fmt"
	"testing"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// scaleSet is where [ControlPlane.Node] says that nodes are.
var scaleSet = armid.Resource(subscription, "e2e", armid.ScaleSets, "nodes")

// ScaleSet makes the scale set of the nodes, in uniform mode and without instances.
func (a *Azure) ScaleSet(t testing.TB) {
	t.Helper()
	a.put(t, scaleSet, map[string]any{
		"sku": map[string]any{"name": "Standard_D2s_v5", "capacity": 0},
		"properties": map[string]any{
			"orchestrationMode": "Uniform", "upgradePolicy": map[string]any{"mode": "Manual"},
			"virtualMachineProfile": map[string]any{
				"osProfile": map[string]any{"computerNamePrefix": "node-"}, "networkProfile": networkInterface(""),
			},
		},
	})
}

// Instance makes the machine of node n, in no pool.
func (a *Azure) Instance(t testing.TB, n int) {
	t.Helper()
	a.put(t, scaleSet.Child(armid.Instances, fmt.Sprint(n)), map[string]any{"properties": map[string]any{
		"hardwareProfile":             map[string]any{"vmSize": "Standard_D2s_v5"},
		"networkProfileConfiguration": networkInterface(fmt.Sprintf("10.1.0.%d", n+10)),
		"instanceView":                map[string]any{"statuses": []any{map[string]any{"code": "PowerState/running"}}},
	}})
}

// networkInterface is the network profile of a machine with one interface; without an address that of the machines to come.
func networkInterface(address string) map[string]any {
	nodes := armid.Resource(subscription, "e2e", armid.VirtualNetworks, "vnet").Child(armid.Subnets, "nodes")
	configuration := map[string]any{"primary": true, "privateIPAddressVersion": "IPv4", "subnet": map[string]any{"id": string(nodes)}}
	if address != "" {
		configuration["privateIPAddress"], configuration["privateIPAllocationMethod"] = address, "Static"
	}
	return map[string]any{"networkInterfaceConfigurations": []any{map[string]any{"name": "nic", "properties": map[string]any{
		"primary": true, "ipConfigurations": []any{map[string]any{"name": "ipv4", "properties": configuration}},
	}}}}
}

func (a *Azure) put(t testing.TB, id lb.ID, body map[string]any) {
	t.Helper()
	body["location"] = "westeurope"
	if err := a.Cloud.Put(id, body); err != nil {
		t.Fatal(err)
	}
}
