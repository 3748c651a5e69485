package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/klog/v2"

	"github.com/azlb/azlb/examples/internal/findings"
	"github.com/azlb/azlb/examples/internal/signin"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// ProviderName is what --cloud-provider is by default: that of the upstream provider, whose clusters can be taken over.
const ProviderName = "azure"

// Cloud is the cloud provider: load balancers and nothing else.
type Cloud struct {
	provider   provider.Provider
	reconciler *provider.Reconciler
	cluster    lb.Cluster
	objects    *objects
	seen       reader
	recorder   record.EventRecorder
	told       findings.Told
	stop       <-chan struct{}
}

var (
	_ cloudprovider.Interface    = (*Cloud)(nil)
	_ cloudprovider.InformerUser = (*Cloud)(nil)
	_ cloudprovider.LoadBalancer = (*Cloud)(nil)
)

// Open returns the Azure of the cluster that an azure.json describes. Nobody is asked for anything yet.
func Open(path, clusterName, budget string) (*Cloud, error) {
	logs := logger()
	backend, cluster, err := signin.OpenFile(path, clusterName, budget, azure.Options{Logger: logs, Observer: observe})
	if err != nil {
		return nil, err
	}
	return NewCloud(backend, cluster, &provider.Options{Logger: logs}), nil
}

// NewCloud returns a cloud provider on any backend.
func NewCloud(p provider.Provider, cluster lb.Cluster, o *provider.Options) *Cloud {
	return &Cloud{provider: p, cluster: cluster, reconciler: provider.NewReconciler(p, cluster, o), seen: reader{provider: p}}
}

// Close waits for writes under way and ends every call.
func (c *Cloud) Close() {
	if err := c.reconciler.Close(); err != nil {
		klog.ErrorS(err, "Closing")
	}
}

// Initialize makes what is needed to tell people about Services.
func (c *Cloud) Initialize(builder cloudprovider.ControllerClientBuilder, stop <-chan struct{}) {
	c.stop = stop
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: builder.ClientOrDie("azlb").CoreV1().Events("")})
	c.recorder = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "azlb"})
	go func() {
		<-stop
		broadcaster.Shutdown()
	}()
}

// SetInformers takes the caches that the service controller uses too.
func (c *Cloud) SetInformers(f informers.SharedInformerFactory) {
	c.objects = newObjects(f)
	if len(c.cluster.Multiple) > 0 {
		c.followEndpoints(f)
	}
}

// LoadBalancer is what this provider is for.
func (c *Cloud) LoadBalancer() (cloudprovider.LoadBalancer, bool) { return c, true }

// Instances are somebody else's.
func (c *Cloud) Instances() (cloudprovider.Instances, bool) { return nil, false }

// InstancesV2 are somebody else's.
func (c *Cloud) InstancesV2() (cloudprovider.InstancesV2, bool) { return nil, false }

// Zones are somebody else's.
func (c *Cloud) Zones() (cloudprovider.Zones, bool) { return nil, false }

// Clusters are somebody else's.
func (c *Cloud) Clusters() (cloudprovider.Clusters, bool) { return nil, false }

// Routes are somebody else's.
func (c *Cloud) Routes() (cloudprovider.Routes, bool) { return nil, false }

// ProviderName returns the name of the upstream provider.
func (c *Cloud) ProviderName() string { return ProviderName }

// HasClusterID reports that clusters are told apart, by --cluster-name.
func (c *Cloud) HasClusterID() bool { return true }

// synced waits for the caches that the service controller does not wait for.
func (c *Cloud) synced(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), c.objects.caches...) {
		return context.Cause(ctx)
	}
	return nil
}
