// Ccm is a cloud-controller-manager for Azure that does one thing: it runs the Kubernetes project's own service controller on top of azlb.
// It has the flags of every cloud-controller-manager and reads the azure.json of the upstream provider.
//
//	go run . --kubeconfig ~/.kube/config --cloud-config azure.json --cluster-name kubernetes --concurrent-service-syncs 10
//
// README.md beside this file says how to run it in a cluster.
package main

import (
	"fmt"
	"os"

	"k8s.io/apiserver/pkg/server"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/app"
	"k8s.io/cloud-provider/app/config"
	"k8s.io/cloud-provider/names"
	"k8s.io/cloud-provider/options"
	"k8s.io/component-base/cli"
	cliflag "k8s.io/component-base/cli/flag"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // metrics of the client
	_ "k8s.io/component-base/metrics/prometheus/version"  // a metric with the version
	"k8s.io/klog/v2"

	"github.com/azlb/azlb/examples/internal/signin"
)

func main() { os.Exit(run()) }

func run() int {
	opts, err := options.NewCloudControllerManagerOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	opts.KubeCloudShared.CloudProvider.Name = ProviderName
	// Calls are planned together, so that many at a time cost no more writes than one after the other.
	opts.ServiceController.ConcurrentServiceSyncs = 10
	flags := cliflag.NamedFlagSets{}
	budget := flags.FlagSet("azure").String("arm-budget", "recommended", signin.BudgetUsage)
	var cloud *Cloud
	open := func(c *config.CompletedConfig) cloudprovider.Interface {
		shared := c.ComponentConfig.KubeCloudShared
		if cloud, err = Open(shared.CloudProvider.CloudConfigFile, shared.ClusterName, *budget); err != nil {
			klog.ErrorS(err, "Cannot open Azure")
			klog.FlushAndExit(klog.ExitFlushTimeout, 1)
		}
		return cloud
	}
	controllers := map[string]app.ControllerInitFuncConstructor{
		names.ServiceLBController: app.DefaultInitFuncConstructors[names.ServiceLBController],
	}
	code := cli.Run(app.NewCloudControllerManagerCommand(opts, open, controllers, names.CCMControllerAliases(), flags, server.SetupSignalHandler()))
	if cloud != nil {
		cloud.Close() // writes under way are waited for
	}
	return code
}
