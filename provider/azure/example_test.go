package azure_test

import (
	"context"
	"fmt"

	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// A reconciler on Azure. Here Resource Manager is a fake inside the process; without Transport and with a credential of package azidentity
// it is Azure.
func ExampleNew() {
	cloud := lbtest.Cloud()
	backend, err := azure.New(anyone{"token"}, &azure.Options{Transport: armfake.Transport(cloud), Clock: cloud.Clock()})
	if err != nil {
		fmt.Println(err)
		return
	}
	reconciler := provider.NewReconciler(backend, lbtest.Cluster(), nil)
	objects := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(3)}
	report, err := reconciler.Sync(context.Background(), objects)
	fmt.Println(report.Writes, "writes,", "error:", err)
	report, err = reconciler.Sync(context.Background(), objects)
	fmt.Println(report.Writes, "writes,", "error:", err)
	// Output:
	// 4 writes, error: <nil>
	// 0 writes, error: <nil>
}
