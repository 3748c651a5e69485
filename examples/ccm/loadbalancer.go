package main

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/cloud-provider/api"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// GetLoadBalancer reports whether a Service has anything in Azure, and with which addresses. It reads Azure, since what is kept of earlier
// reads may be older than a deletion by others; the service controller asks only before it removes a finalizer.
func (c *Cloud) GetLoadBalancer(ctx context.Context, _ string, service *corev1.Service) (*corev1.LoadBalancerStatus, bool, error) {
	if err := c.synced(ctx); err != nil {
		return nil, false, err
	}
	in, err := c.objects.without(service)
	if err != nil {
		return nil, false, err
	}
	seen, err := c.seen.now(ctx, lb.ScopeOf(c.cluster, in))
	if err != nil {
		return nil, false, retry(err)
	}
	gone, _ := lb.Removals(c.cluster, in, seen)
	if !slices.Contains(gone, nameOf(service).String()) {
		return nil, false, nil
	}
	if in, err = c.objects.with(service); err != nil {
		return nil, false, err
	}
	portrait, _ := lb.Describe(c.cluster, in, seen, nameOf(service))
	status := &corev1.LoadBalancerStatus{}
	for _, a := range portrait.Ingress {
		if a.Known() {
			status.Ingress = append(status.Ingress, corev1.LoadBalancerIngress{IP: a.IP.String()})
		}
	}
	return status, true, nil
}

// GetLoadBalancerName returns what the names of all that the Service has in Azure begin with.
func (c *Cloud) GetLoadBalancerName(_ context.Context, _ string, service *corev1.Service) string {
	return lb.Base(service.UID)
}

// EnsureLoadBalancer brings the Service in step and returns its addresses. The nodes are those of the cache: a pool belongs to all Services,
// and azlb has the service controller's own rules for which nodes are in it.
func (c *Cloud) EnsureLoadBalancer(ctx context.Context, _ string, service *corev1.Service, _ []*corev1.Node) (*corev1.LoadBalancerStatus, error) {
	if err := c.synced(ctx); err != nil {
		return nil, err
	}
	in, err := c.objects.with(service)
	if err != nil {
		return nil, err
	}
	report, err := c.reconciler.EnsureReport(ctx, in, nameOf(service))
	result := report.Services[nameOf(service)]
	c.tell(service, report, annotations.Lint(service)...)
	if err != nil {
		return nil, retry(err)
	}
	if result.Status == nil {
		return &corev1.LoadBalancerStatus{}, nil
	}
	return result.Status, nil
}

// UpdateLoadBalancer brings the pools in step with the nodes. It is asked for every Service at a time, which one plan answers.
func (c *Cloud) UpdateLoadBalancer(ctx context.Context, clusterName string, service *corev1.Service, nodes []*corev1.Node) error {
	_, err := c.EnsureLoadBalancer(ctx, clusterName, service, nodes)
	return err
}

// EnsureLoadBalancerDeleted removes all that the Service has. Nil means that nothing is left of it.
func (c *Cloud) EnsureLoadBalancerDeleted(ctx context.Context, _ string, service *corev1.Service) error {
	if err := c.synced(ctx); err != nil {
		return err
	}
	in, err := c.objects.without(service)
	if err != nil {
		return err
	}
	report, err := c.reconciler.DeleteReport(ctx, in, nameOf(service))
	c.tell(service, report)
	return retry(err)
}

// retry has the service controller come back when Azure has asked it to, and else after its own backoff.
func retry(err error) error {
	if e, ok := errors.AsType[*provider.OpError](err); ok && e.RetryAfter > 0 && e.Kind != provider.Terminal {
		return api.NewRetryError(err.Error(), e.RetryAfter)
	}
	return err
}

// reader reads Azure for whoever asks at the same time.
type reader struct {
	provider provider.Provider

	mu    sync.Mutex
	began time.Time
	scope lb.Scope
	seen  lb.Observed
}

// now returns what Azure has, read after the call began.
func (r *reader) now(ctx context.Context, scope lb.Scope) (lb.Observed, error) {
	called := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began.After(called) && reflect.DeepEqual(r.scope, scope) {
		return r.seen, nil
	}
	began := time.Now()
	seen, err := r.provider.Observe(ctx, scope)
	if err == nil {
		r.began, r.scope, r.seen = began, scope, seen
	}
	return seen, err
}
