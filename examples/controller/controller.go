package main

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/azlb/azlb/examples/internal/findings"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// What people see of this controller in a cluster: rename it for your own.
const (
	domain    = "azlb.example.com"
	finalizer = domain + "/cleanup"
	condition = domain + "/Ready"
)

// How long until something is looked at again of which no event tells.
const (
	resync    = 5 * time.Minute // what others changed in Azure
	heldRetry = time.Minute     // what holds a Service may be another one, or Azure
)

// controller brings Services in step: each when it changes, and all of them when nodes or endpoints do.
type controller struct {
	client.Client
	azure   *provider.Reconciler
	cluster lb.Cluster
	events  *narrator
}

// everything is the request to bring all Services in step, in one plan.
var everything = ctrl.Request{NamespacedName: types.NamespacedName{Name: "everything"}}

// Reconcile answers one request. Those that come while Azure is being written are planned together.
func (c *controller) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	in, err := c.objects(ctx)
	if err != nil {
		return ctrl.Result{}, err
	}
	if req == everything {
		return c.sync(ctx, in)
	}
	i := slices.IndexFunc(in.Services, func(s corev1.Service) bool { return nameOf(&s) == req.NamespacedName })
	switch {
	case i < 0:
		return ctrl.Result{}, nil
	case c.wants(&in.Services[i]):
		return c.serve(ctx, in, in.Services[i].DeepCopy())
	case controllerutil.ContainsFinalizer(&in.Services[i], finalizer):
		return c.release(ctx, in, in.Services[i].DeepCopy())
	default:
		return ctrl.Result{}, nil
	}
}

// objects is the whole cluster, out of the cache. Nothing in it is changed, so nothing is copied.
func (c *controller) objects(ctx context.Context) (lb.Objects, error) {
	var (
		services   corev1.ServiceList
		nodes      corev1.NodeList
		endpoints  discoveryv1.EndpointSliceList
		namespaces corev1.NamespaceList
	)
	for _, list := range []client.ObjectList{&services, &nodes, &endpoints, &namespaces} {
		if err := c.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return lb.Objects{}, err
		}
	}
	return lb.Objects{
		Services: services.Items, Nodes: nodes.Items, EndpointSlices: endpoints.Items, Namespaces: namespaces.Items,
	}, nil
}

// wants reports whether a Service is to be served here.
func (c *controller) wants(s *corev1.Service) bool {
	return s.DeletionTimestamp == nil && s.Spec.Type == corev1.ServiceTypeLoadBalancer &&
		s.Spec.LoadBalancerClass != nil && *s.Spec.LoadBalancerClass == c.cluster.Class
}

// serve gives a Service what it asks for. The finalizer comes first, so that nothing can be left behind.
func (c *controller) serve(ctx context.Context, in lb.Objects, s *corev1.Service) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s, finalizer) {
		before := s.DeepCopy()
		controllerutil.AddFinalizer(s, finalizer)
		if err := c.Patch(ctx, s, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
	}
	report, err := c.azure.EnsureReport(ctx, in, nameOf(s))
	if stopped(ctx, err) {
		return ctrl.Result{}, nil
	}
	if _, planned := report.Services[nameOf(s)]; planned {
		c.events.found(findings.Cluster, findings.Of(report.Findings, types.NamespacedName{}))
	}
	return next(err, c.tell(ctx, s, report.Services[nameOf(s)], err))
}

// release takes away what a Service has that is deleted, or asks for no load balancer any more.
func (c *controller) release(ctx context.Context, in lb.Objects, s *corev1.Service) (ctrl.Result, error) {
	report, err := c.azure.DeleteReport(ctx, in, nameOf(s))
	if stopped(ctx, err) {
		return ctrl.Result{}, nil
	}
	result := report.Services[nameOf(s)]
	if err != nil {
		return next(err, c.tell(ctx, s, result, err))
	}
	c.events.found(nameOf(s), result.Findings) // the condition goes
	if err := c.clear(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	before := s.DeepCopy()
	controllerutil.RemoveFinalizer(s, finalizer)
	return ctrl.Result{}, client.IgnoreNotFound(c.Patch(ctx, s, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})))
}

// sync brings all Services in step, and finds what others have changed.
func (c *controller) sync(ctx context.Context, in lb.Objects) (ctrl.Result, error) {
	for i := range in.Services {
		// One without finalizer gets nothing yet, since nothing would see to it that it is taken away again.
		if s := &in.Services[i]; c.wants(s) && !controllerutil.ContainsFinalizer(s, finalizer) {
			in.Hold = append(in.Hold, nameOf(s))
		}
	}
	report, err := c.azure.Sync(ctx, in)
	if stopped(ctx, err) {
		return ctrl.Result{}, nil
	}
	if errors.Is(err, provider.ErrNoInput) {
		// A cache that is not filled, or one of namespaces that have no Service: nothing was read or written.
		ctrl.LoggerFrom(ctx).Info("nothing is brought in step", "reason", err.Error())
		return ctrl.Result{RequeueAfter: resync}, nil
	}
	about := map[types.NamespacedName][]lb.Finding{}
	for _, f := range report.Findings {
		about[f.Service] = append(about[f.Service], f)
	}
	c.events.found(findings.Cluster, about[types.NamespacedName{}])
	var told []error
	for i := range in.Services {
		s := &in.Services[i]
		result, ok := report.Services[nameOf(s)]
		switch {
		case !c.wants(s):
			c.events.found(nameOf(s), about[nameOf(s)]) // it has no condition of ours
		case ok && !slices.Contains(in.Hold, nameOf(s)):
			told = append(told, c.tell(ctx, s.DeepCopy(), result, result.Err))
		}
	}
	if err := errors.Join(append(told, err)...); err != nil {
		return next(err, nil)
	}
	return ctrl.Result{RequeueAfter: resync}, nil
}

// next decides when to come back. A held Service waits for somebody to change it; Azure may say itself when to ask again.
func next(err, told error) (ctrl.Result, error) {
	if told != nil {
		return ctrl.Result{}, errors.Join(err, told)
	}
	if e, ok := errors.AsType[*provider.OpError](err); ok && e.RetryAfter > 0 {
		return ctrl.Result{RequeueAfter: e.RetryAfter}, nil
	}
	if errors.Is(err, provider.ErrHeld) {
		return ctrl.Result{RequeueAfter: heldRetry}, nil
	}
	return ctrl.Result{}, err
}

// stopped reports whether a call ended because this process does: nothing went wrong.
func stopped(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil || errors.Is(err, provider.ErrClosed)
}

func nameOf(o client.Object) types.NamespacedName { return client.ObjectKeyFromObject(o) }
