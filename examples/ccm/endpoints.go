package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
)

// followEndpoints brings Services with externalTrafficPolicy Local in step with their endpoints. On several load balancers each has a pool of
// its own, of the nodes that have an endpoint; the service controller does not look at endpoints.
func (c *Cloud) followEndpoints(f informers.SharedInformerFactory) {
	queue := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[types.NamespacedName]())
	add := func(obj any) {
		if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = gone.Obj
		}
		if e, ok := obj.(*discoveryv1.EndpointSlice); ok {
			queue.AddAfter(serviceOf(e), endpointsDelay)
		}
	}
	_, err := f.Discovery().V1().EndpointSlices().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: add, UpdateFunc: func(_, e any) { add(e) }, DeleteFunc: add,
	})
	if err != nil {
		klog.ErrorS(err, "Cannot follow endpoints")
		return
	}
	ctx := wait.ContextForChannel(c.stop)
	go func() {
		<-ctx.Done()
		queue.ShutDown()
	}()
	for range endpointsWorkers {
		go func() {
			for c.nextEndpoints(ctx, queue) {
			}
		}()
	}
}

// A rollout changes the endpoints of a Service many times in a row; calls of several Services are planned together.
const (
	endpointsDelay   = time.Second
	endpointsWorkers = 4
)

// nextEndpoints brings one Service in step, and reports false when there will be no more.
func (c *Cloud) nextEndpoints(ctx context.Context, queue workqueue.TypedRateLimitingInterface[types.NamespacedName]) bool {
	name, down := queue.Get()
	if down {
		return false
	}
	defer queue.Done(name)
	service, err := c.objects.services.Services(name.Namespace).Get(name.Name)
	if err != nil || service.DeletionTimestamp != nil || len(service.Status.LoadBalancer.Ingress) == 0 ||
		service.Spec.Type != corev1.ServiceTypeLoadBalancer || service.Spec.LoadBalancerClass != nil ||
		service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal {
		queue.Forget(name) // the service controller looks after all others
		return true
	}
	if _, err := c.EnsureLoadBalancer(ctx, "", service, nil); err != nil {
		klog.ErrorS(err, "Cannot follow the endpoints", "service", name)
		queue.AddRateLimited(name)
		return true
	}
	queue.Forget(name)
	return true
}
