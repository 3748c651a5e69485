package armid_test

import (
	"fmt"

	"github.com/azlb/azlb/lb/armid"
)

func ExampleID_Equal() {
	ours := armid.Resource("0000-11", "nodes", armid.LoadBalancers, "kubernetes").Child(armid.Probes, "web")
	arms, err := armid.Parse("/subscriptions/0000-11/resourceGroups/NODES/providers/Microsoft.Network/loadBalancers/kubernetes/probes/web")
	fmt.Println(ours == arms, ours.Equal(arms), err)
	fmt.Println(arms.Type(), arms.Name(), arms.Parent().Name())
	// Output:
	// false true <nil>
	// Microsoft.Network/loadBalancers/probes web kubernetes
}

func ExampleCheckName() {
	fmt.Println(armid.CheckName(armid.PublicIPAddresses, "web/../other"))
	// Output: malformed: want letters, digits, _ . and - only, have '/'
}
