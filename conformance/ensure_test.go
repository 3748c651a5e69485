package conformance

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/provider"
)

// The calls that the service controller makes of a cloud provider.
const (
	opEnsure = "EnsureLoadBalancer"
	opUpdate = "UpdateLoadBalancer"
	opDelete = "EnsureLoadBalancerDeleted"
)

// calls makes the calls that were recorded of the step, one after the other.
func (h *host) calls(t *testing.T, st step) outcome {
	out := outcome{services: map[types.NamespacedName]provider.ServiceReport{}}
	h.leave(st)
	due := h.due(st)
	h.before = st.objects
	for _, c := range due {
		name := nameFrom(c.Service)
		rep, err := h.call(t, st, c.Op, name)
		out.notes += notes(fmt.Sprintf("%s of %s in step %s", c.Op, name, st.number), rep, err)
		service := rep.Services[name]
		if err != nil && failure(service) == nil {
			service.Err = err
		}
		out.services[name] = service
	}
	return out
}

// due are the calls of a step: those that were recorded, then one for each Service whose endpoints alone have changed. Upstream follows these
// in the background; whoever embeds azlb calls Ensure.
func (h *host) due(st step) []recordedCall {
	list := slices.Clone(st.calls)
	for _, s := range st.objects.Services {
		called := func(c recordedCall) bool { return nameFrom(c.Service) == nameOf(s) }
		served := s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.LoadBalancerClass == nil
		moved := !cmp.Equal(slicesOf(s, h.before.EndpointSlices), slicesOf(s, st.objects.EndpointSlices))
		if served && moved && !slices.ContainsFunc(list, called) {
			list = append(list, recordedCall{Op: opUpdate, Service: nameOf(s).String()})
		}
	}
	return list
}

func slicesOf(s corev1.Service, all []discoveryv1.EndpointSlice) []discoveryv1.EndpointSlice {
	return slices.DeleteFunc(slices.Clone(all), func(e discoveryv1.EndpointSlice) bool {
		return e.Namespace != s.Namespace || e.Labels[discoveryv1.LabelServiceName] != s.Name
	})
}

// call makes one call, and does with its result what the service controller does.
func (h *host) call(t *testing.T, st step, op string, name types.NamespacedName) (provider.Report, error) {
	in := h.carried(st)
	in.Services = append(in.Services, h.leaving...)
	switch op {
	case opDelete:
		rep, err := h.loop.DeleteReport(t.Context(), in, name)
		if err == nil {
			h.leaving = slices.DeleteFunc(h.leaving, func(s corev1.Service) bool { return nameOf(s) == name })
			delete(h.statuses, name)
		}
		return rep, err
	case opEnsure, opUpdate:
		rep, err := h.loop.EnsureReport(t.Context(), in, name)
		if status := rep.Services[name].Status; err == nil && status != nil && op == opEnsure {
			h.statuses[name] = *status
		}
		return rep, err
	default:
		return provider.Report{}, fmt.Errorf("unknown call %q", op)
	}
}

// leave keeps the Services that the step does not have any more, with a deletion timestamp, until their deletion has succeeded.
func (h *host) leave(st step) {
	there := map[types.NamespacedName]bool{}
	for _, s := range st.objects.Services {
		there[nameOf(s)] = true
	}
	gone := metav1.NewTime(h.cloud.Clock().Now())
	for _, s := range h.before.Services {
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer && !there[nameOf(s)] {
			s.DeletionTimestamp = &gone
			s.Status.LoadBalancer = h.statuses[nameOf(s)]
			h.leaving = append(h.leaving, s)
		}
	}
	h.leaving = slices.DeleteFunc(h.leaving, func(s corev1.Service) bool { return there[nameOf(s)] })
}
