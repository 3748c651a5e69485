package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
)

// settle is how long changes of nodes and endpoints are collected: they come in crowds.
const settle = time.Second

// register has m call c: for a Service by its name, for nodes and endpoints once for all.
func (c *controller) register(m ctrl.Manager, workers int) error {
	b := ctrl.NewControllerManagedBy(m).Named("azlb").
		For(&corev1.Service{}, builder.WithPredicates(predicate.NewPredicateFuncs(c.concerned))).
		Watches(&corev1.Node{}, all(), builder.WithPredicates(nodeChanges)).
		WithOptions(ctrlcontroller.Options{MaxConcurrentReconciles: workers})
	if len(c.cluster.Multiple) > 0 {
		b = b.Watches(&discoveryv1.EndpointSlice{}, all(), builder.WithPredicates(endpointChanges))
	}
	return b.Complete(c)
}

// concerned reports whether a Service is, or was, served here.
func (c *controller) concerned(o client.Object) bool {
	s, ok := o.(*corev1.Service)
	return ok && (c.wants(s) || controllerutil.ContainsFinalizer(s, finalizer))
}

// all asks for everything, a moment later.
func all() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[ctrl.Request]
	ask := func(q queue) { q.AddAfter(everything, settle) }
	return handler.Funcs{
		CreateFunc:  func(_ context.Context, _ event.CreateEvent, q queue) { ask(q) },
		UpdateFunc:  func(_ context.Context, _ event.UpdateEvent, q queue) { ask(q) },
		DeleteFunc:  func(_ context.Context, _ event.DeleteEvent, q queue) { ask(q) },
		GenericFunc: func(_ context.Context, _ event.GenericEvent, q queue) { ask(q) },
	}
}

// nodeChanges lets through what decides about membership in a pool. Kubelets write the rest every few seconds.
var nodeChanges = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	was, ok := e.ObjectOld.(*corev1.Node)
	is, alike := e.ObjectNew.(*corev1.Node)
	return !ok || !alike || was.Spec.ProviderID != is.Spec.ProviderID || !was.DeletionTimestamp.Equal(is.DeletionTimestamp) ||
		!equality.Semantic.DeepEqual(was.Labels, is.Labels) || !equality.Semantic.DeepEqual(was.Spec.Taints, is.Spec.Taints) ||
		!equality.Semantic.DeepEqual(was.Status.Addresses, is.Status.Addresses)
}}

// endpointChanges lets through what decides about the nodes of a Service with externalTrafficPolicy Local.
var endpointChanges = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	was, ok := e.ObjectOld.(*discoveryv1.EndpointSlice)
	is, alike := e.ObjectNew.(*discoveryv1.EndpointSlice)
	return !ok || !alike || !equality.Semantic.DeepEqual(was.Endpoints, is.Endpoints)
}}
