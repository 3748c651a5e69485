package azure_test

import (
	"testing"

	"github.com/azlb/azlb/provider/azure"
)

func TestCallType(t *testing.T) {
	const network = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network"
	for path, want := range map[string]string{
		network + "/loadBalancers":                                                       "loadbalancers",
		network + "/loadBalancers/a/backendAddressPools/b":                               "loadbalancers",
		"/subscriptions/s/providers/Microsoft.Network/locations/westeurope/operations/x": "locations",
		"/subscriptions": "other",
		"":               "other",
	} {
		if got := (azure.Call{Path: path}).Type(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
