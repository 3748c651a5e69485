package lbtest

import (
	"fmt"
	"strconv"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const subscription = "00000000-0000-0000-0000-000000000001"

// Resource is the id of a resource in the group of Configuration.
func Resource(typ, name string) lb.ID { return armid.Resource(subscription, "rg", typ, name) }

// Machines adds virtual machines and scale sets to a cloud that Cloud made, each machine with an address of each family on one network
// interface in no pool.
type Machines struct {
	Cloud *fake.Cloud
	made  int
}

func (m *Machines) put(id lb.ID, body map[string]any) {
	body["location"] = "westeurope"
	if err := m.Cloud.Put(id, body); err != nil {
		panic(err)
	}
}

// configurations are those of a network interface with addresses of its own, or of a model without.
func (m *Machines) configurations(addresses bool) ([]any, []corev1.NodeAddress) {
	subnet := map[string]any{"id": string(Resource(armid.VirtualNetworks, "vnet").Child(armid.Subnets, "nodes"))}
	v4 := map[string]any{"primary": true, "privateIPAddressVersion": "IPv4", "subnet": subnet}
	v6 := map[string]any{"primary": false, "privateIPAddressVersion": "IPv6", "subnet": subnet}
	var list []corev1.NodeAddress
	if addresses {
		m.made++
		for _, c := range []struct {
			properties map[string]any
			address    string
		}{{v4, fmt.Sprintf("10.1.%d.%d", 100+m.made/200, 10+m.made%200)}, {v6, fmt.Sprintf("fd00:0:0:1::%x", 0x2000+m.made)}} {
			c.properties["privateIPAddress"], c.properties["privateIPAllocationMethod"] = c.address, "Static"
			list = append(list, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: c.address})
		}
	}
	return []any{map[string]any{"name": "ip4", "properties": v4}, map[string]any{"name": "ip6", "properties": v6}}, list
}

// Machine makes a virtual machine, in a flexible scale set if set is not empty, and returns its node.
func (m *Machines) Machine(name string, set lb.ID) corev1.Node {
	configurations, addresses := m.configurations(true)
	nic, id := Resource(armid.NetworkInterfaces, "nic-"+name), Resource(armid.VirtualMachines, name)
	m.put(nic, map[string]any{"properties": map[string]any{"ipConfigurations": configurations}})
	properties := map[string]any{"networkProfile": map[string]any{"networkInterfaces": []any{map[string]any{"id": string(nic)}}}}
	if set != "" {
		properties["virtualMachineScaleSet"] = map[string]any{"id": string(set)}
	}
	m.put(id, map[string]any{"properties": properties})
	return node(name, id, addresses)
}

// ScaleSet makes a scale set without machines.
func (m *Machines) ScaleSet(name, mode, policy string) lb.ID {
	id := Resource(armid.ScaleSets, name)
	configurations, _ := m.configurations(false)
	m.put(id, map[string]any{
		"sku": map[string]any{"name": "Standard_D2s_v5", "capacity": 0},
		"properties": map[string]any{
			"orchestrationMode": mode, "upgradePolicy": map[string]any{"mode": policy}, "virtualMachineProfile": map[string]any{
				"osProfile": map[string]any{"computerNamePrefix": name}, "networkProfile": interfaces(configurations),
			},
		},
	})
	return id
}

func interfaces(configurations []any) map[string]any {
	return map[string]any{"networkInterfaceConfigurations": []any{
		map[string]any{"name": "nic", "properties": map[string]any{"primary": true, "ipConfigurations": configurations}},
	}}
}

// Instance makes the n-th instance of a uniform scale set, in the pools that the model of the set is in, and returns its node.
func (m *Machines) Instance(set lb.ID, n int) corev1.Node {
	configurations, addresses := m.configurations(true)
	model, _ := m.Cloud.Body(set)
	for i, c := range modelConfigurations(model) {
		if pools := c["loadBalancerBackendAddressPools"]; pools != nil {
			configurations[i].(map[string]any)["properties"].(map[string]any)["loadBalancerBackendAddressPools"] = pools
		}
	}
	id := set.Child(armid.Instances, strconv.Itoa(n))
	m.put(id, map[string]any{"properties": map[string]any{
		"hardwareProfile": map[string]any{"vmSize": "Standard_D2s_v5"}, "networkProfileConfiguration": interfaces(configurations),
		"instanceView": map[string]any{"statuses": []any{map[string]any{"code": "PowerState/running"}}},
	}})
	return node(fmt.Sprintf("%s-%06d", set.Name(), n), id, addresses)
}

func modelConfigurations(body map[string]any) []map[string]any {
	var at any = body
	for _, key := range []string{"properties", "virtualMachineProfile", "networkProfile", "networkInterfaceConfigurations"} {
		o, _ := at.(map[string]any)
		at = o[key]
	}
	var list []map[string]any
	nics, _ := at.([]any)
	for _, nic := range nics {
		configurations, _ := nic.(map[string]any)["properties"].(map[string]any)["ipConfigurations"].([]any)
		for _, c := range configurations {
			list = append(list, c.(map[string]any)["properties"].(map[string]any))
		}
	}
	return list
}

func node(name string, machine lb.ID, addresses []corev1.NodeAddress) corev1.Node {
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}},
		Spec:       corev1.NodeSpec{ProviderID: "azure://" + string(machine)},
		Status:     corev1.NodeStatus{Addresses: addresses},
	}
}
