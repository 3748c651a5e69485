package armwire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
)

const (
	setID      = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/ss"
	joinedPool = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/kubernetes/backendAddressPools/kubernetes"
)

// nics are two interfaces of a machine, the second of them primary, with an address of each family and a field that nobody knows.
func nics(pools ...string) string {
	var refs []string
	for _, p := range pools {
		refs = append(refs, `{"id":"`+p+`"}`)
	}
	return `{"networkInterfaceConfigurations":[
		{"name":"data","properties":{"primary":false,"ipConfigurations":[{"name":"ip","properties":{}}]}},
		{"name":"main","properties":{"primary":true,"novel":1,"ipConfigurations":[
			{"name":"ip","properties":{"primary":true,"novel":2,"loadBalancerBackendAddressPools":[` + strings.Join(refs, ",") + `]}},
			{"name":"ip6","properties":{"privateIPAddressVersion":"IPv6"}}]}}]}`
}

func instanceBody(pools ...string) string {
	return `{"id":"` + setID + `/virtualMachines/3","etag":"\"1\"","location":"westus","instanceId":"3","sku":{"name":"x"},"properties":{"hardwareProfile":{"vmSize":"x"},
		"osProfile":{"computerName":"ss3"},"provisioningState":"Succeeded","networkProfileConfiguration":` + nics(pools...) + `,"instanceView":{"statuses":[{"code":"PowerState/%s"}]}}}`
}

func TestInstance(t *testing.T) {
	for state, stopped := range map[string]bool{"running": false, "deallocated": true, "Stopping": true} {
		seen, err := Instance(parse(t, fmt.Sprintf(instanceBody(joinedPool), state)))
		if err != nil {
			t.Fatal(err)
		}
		if seen.Stopped != stopped || seen.Machine != seen.ID || !seen.Primary || seen.ETag != `"1"` {
			t.Errorf("%s: %+v", state, seen)
		}
		if c := seen.IPConfigurations; len(c) != 2 || c[0].Family != ipam.IPv4 || c[1].Family != ipam.IPv6 || len(c[0].Pools) != 1 || len(c[1].Pools) != 0 {
			t.Errorf("IP configurations of the primary interface: %+v", c)
		}
	}
}

// TestInstanceBody: the write of an instance sends nothing that Microsoft.Compute would refuse, and its interfaces as they were read but for
// the pool.
func TestInstanceBody(t *testing.T) {
	raw := parse(t, fmt.Sprintf(instanceBody("/foreign"), "running"))
	seen, err := Instance(raw)
	if err != nil {
		t.Fatal(err)
	}
	after := seen.NetworkInterface
	after.IPConfigurations = append([]lb.IPConfiguration{}, after.IPConfigurations...)
	after.IPConfigurations[0].Pools = []lb.ID{"/foreign", joinedPool}
	op := lb.PutNetworkInterface{Before: seen.NetworkInterface, After: after}
	r, err := Prepare(op, raw)
	if err != nil || r.Verdict != Write {
		t.Fatalf("%v, %v", r, err)
	}
	want := parse(t, `{"location":"westus","properties":{"hardwareProfile":{"vmSize":"x"},"networkProfileConfiguration":`+nics("/foreign", joinedPool)+`}}`)
	diff(t, "", want, r.Body, "body")
	mustBe(t, Done, op, parse(t, fmt.Sprintf(instanceBody(joinedPool, "/foreign"), "running")))
	mustBe(t, Conflict, op, parse(t, fmt.Sprintf(instanceBody(), "running")))
	mustBe(t, Conflict, op, nil)
}

func TestScaleSetBody(t *testing.T) {
	const profile = `"virtualMachineProfile":{"storageProfile":{"novel":3},"networkProfile":`
	for _, tt := range []struct{ mode, extra string }{{"Uniform", ""}, {"Flexible", `,"networkApiVersion":"2020-11-01"`}} {
		raw := parse(t, `{"id":"`+setID+`","location":"westus","extendedLocation":{"name":"e"},"sku":{"capacity":3},"properties":{"orchestrationMode":"`+tt.mode+`",`+profile+nics()+`}}}`)
		seen, err := ScaleSet(raw)
		if err != nil || !seen.Model || seen.Machine != "" {
			t.Fatalf("%+v, %v", seen, err)
		}
		after := seen.NetworkInterface
		after.IPConfigurations = append([]lb.IPConfiguration{}, after.IPConfigurations...)
		after.IPConfigurations[0].Pools = []lb.ID{joinedPool}
		r, err := Prepare(lb.PutNetworkInterface{Before: seen.NetworkInterface, After: after}, raw)
		if err != nil || r.Verdict != Write {
			t.Fatalf("%v, %v", r, err)
		}
		text := nics(joinedPool)
		want := parse(t, `{"location":"westus","extendedLocation":{"name":"e"},"properties":{"virtualMachineProfile":{"networkProfile":`+text[:len(text)-1]+tt.extra+`}}}}`)
		diff(t, "", want, r.Body, tt.mode)
	}
}

// TestInstanceWithoutInterfaces: while an instance is made or deleted, ARM does not tell them.
func TestInstanceWithoutInterfaces(t *testing.T) {
	seen, err := Instance(parse(t, `{"id":"`+setID+`/virtualMachines/3","properties":{"provisioningState":"Deleting"}}`))
	if err != nil || !seen.Deleting || len(seen.IPConfigurations) > 0 {
		t.Errorf("%+v, %v", seen, err)
	}
}
