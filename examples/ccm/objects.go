package main

import (
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/azlb/azlb/lb"
)

// objects are the caches of everything that a plan depends on.
type objects struct {
	services   corelisters.ServiceLister
	nodes      corelisters.NodeLister
	slices     discoverylisters.EndpointSliceLister
	namespaces corelisters.NamespaceLister
	caches     []cache.InformerSynced
}

func newObjects(f informers.SharedInformerFactory) *objects {
	services, nodes, namespaces := f.Core().V1().Services(), f.Core().V1().Nodes(), f.Core().V1().Namespaces()
	endpoints := f.Discovery().V1().EndpointSlices()
	return &objects{
		services: services.Lister(), nodes: nodes.Lister(), slices: endpoints.Lister(), namespaces: namespaces.Lister(),
		caches: []cache.InformerSynced{
			services.Informer().HasSynced, nodes.Informer().HasSynced, endpoints.Informer().HasSynced, namespaces.Informer().HasSynced,
		},
	}
}

// with returns everything there is, and service as the caller has it: the cache may be ahead of it or behind.
func (o *objects) with(service *corev1.Service) (lb.Objects, error) {
	var in lb.Objects
	err := errors.Join(list(o.services.List, &in.Services), list(o.nodes.List, &in.Nodes), list(o.slices.List, &in.EndpointSlices),
		list(o.namespaces.List, &in.Namespaces))
	if err != nil {
		return in, err
	}
	i := slices.IndexFunc(in.Services, func(s corev1.Service) bool { return nameOf(&s) == nameOf(service) })
	if i < 0 {
		in.Services = append(in.Services, *service)
	} else {
		in.Services[i] = *service
	}
	return in, nil
}

// without is with, where service asks for nothing any more.
func (o *objects) without(service *corev1.Service) (lb.Objects, error) {
	gone := *service
	if gone.DeletionTimestamp == nil {
		gone.DeletionTimestamp = &metav1.Time{Time: time.Now()}
	}
	return o.with(&gone)
}

// list copies what a cache holds, one level deep: nothing below is written to.
func list[T any](from func(labels.Selector) ([]*T, error), to *[]T) error {
	all, err := from(labels.Everything())
	*to = make([]T, len(all))
	for i, v := range all {
		(*to)[i] = *v
	}
	return err
}

func nameOf(s *corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}

// serviceOf is the Service that an EndpointSlice belongs to.
func serviceOf(e *discoveryv1.EndpointSlice) types.NamespacedName {
	return types.NamespacedName{Namespace: e.Namespace, Name: e.Labels[discoveryv1.LabelServiceName]}
}
