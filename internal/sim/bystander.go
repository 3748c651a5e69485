package sim

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb"
	corev1 "k8s.io/api/core/v1"
)

// bystander is a Service that had all it asks for, with nothing said against it, and that has not changed since. Whatever other Services do, it keeps
// its addresses, its ports, who gets through to them, and its DNS labels.
type bystander struct {
	object *corev1.Service
	view   View // when others began to change
	// changed: what it asks of its address has changed, but not which one it asks for. It keeps that, without consent to lose it.
	changed bool
}

// settle notes who is served, with no finding.
func (w *Watch) settle(plan lb.Plan, view View) {
	w.served = map[string]*corev1.Service{}
	for i := range w.World.Objects.Services {
		s := &w.World.Objects.Services[i]
		said := slices.ContainsFunc(plan.Findings, func(f lb.Finding) bool { return f.Service == nameOf(s) }) || w.World.Objects.Rejected[nameOf(s)] != nil
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.DeletionTimestamp == nil && !said {
			w.served[lb.Base(s.UID)] = s.DeepCopy()
			w.checkStatus(s, view)
		}
	}
}

// checkStatus: the status of a Service has the addresses it is served at.
func (w *Watch) checkStatus(s *corev1.Service, view View) {
	served := view.addresses(lb.Base(s.UID))
	for _, in := range s.Status.LoadBalancer.Ingress {
		if a, err := netip.ParseAddr(in.IP); err == nil && len(served) > 0 && !served[a] {
			w.Blame("status", "%s says %s and is served at %v", nameOf(s), in.IP, slices.Collect(maps.Keys(served)))
		}
	}
}

// await notes who of those that were served stands by while others change.
func (w *Watch) await() {
	w.bystanders = map[string]bystander{}
	view := w.look()
	for i := range w.World.Objects.Services {
		s := &w.World.Objects.Services[i]
		then := w.served[lb.Base(s.UID)]
		if then == nil || s.DeletionTimestamp != nil || !reflect.DeepEqual(then.Spec, s.Spec) {
			continue
		}
		if same := maps.Equal(then.Annotations, s.Annotations); same || w.keepsPlace(then, s) {
			w.bystanders[lb.Base(s.UID)] = bystander{object: s.DeepCopy(), view: view, changed: !same}
		}
	}
}

// keepsPlace reports whether a Service asks for the same place as before, and for nothing that costs it its address where that is allowed.
func (w *Watch) keepsPlace(then, now *corev1.Service) bool {
	keys := append(slices.Clone(places), annotations.KeyIPv6, annotations.KeyPIPNameIPv6, annotations.KeyPIPPrefixIPv6)
	if w.World.Cluster.Addresses.AllowRecreate {
		keys = append(keys, annotations.KeyPIPIPTags)
	}
	return !slices.ContainsFunc(keys, func(key string) bool {
		was, had := then.Annotations[key]
		is, has := now.Annotations[key]
		return was != is || had != has
	})
}

// addresses are those that a Service is served at.
func (v View) addresses(base string) map[netip.Addr]bool {
	out := map[netip.Addr]bool{}
	for port := range v.Ports {
		if port.Base == base {
			out[port.Address] = true
		}
	}
	return out
}

// labels returns the DNS labels of the public IPs of the addresses that a Service is served at.
func (v View) labels(base string) map[string]string {
	out := map[string]string{}
	for port := range v.Ports {
		for key, ip := range v.IPs {
			if port.Base == base && ip.Address == port.Address && ip.DNSLabel != "" {
				out[key] = ip.DNSLabel
			}
		}
	}
	return out
}

// checkBystanders looks at them after one write.
func (w *Watch) checkBystanders(op lb.Op, now View) {
	for base, by := range w.bystanders {
		name := nameOf(by.object)
		if by.changed {
			is := now.addresses(base)
			for was := range by.view.addresses(base) {
				if len(is) > 0 && !is[was] {
					w.Blame("consent", "%T of %s: %s asks for the same place and had %s, now %v", op, op.Target(), name, was, slices.Collect(maps.Keys(is)))
				}
			}
			continue
		}
		for port := range by.view.Ports {
			if port.Base == base && !now.Ports[port] {
				w.Blame("bystander", "%T of %s: %s has not changed and is not served at %v any more", op, op.Target(), name, port)
			}
		}
		// Nodes come and go; who reached the Service by way of one that stays still does.
		for flow := range by.view.Flows {
			if flow.Base == base && now.ways[Flow{Port: flow.Port, Node: flow.Node}] && !now.Flows[flow] {
				w.Blame("bystander", "%T of %s: %s has not changed and %v is shut out", op, op.Target(), name, flow)
			}
		}
		labels := now.labels(base)
		for key, label := range by.view.labels(base) {
			if by.object.Annotations[annotations.KeyDNSLabel] == label && labels[key] != label {
				w.Blame("bystander", "%T of %s: %s has not changed and its label %s is %q now", op, op.Target(), name, label, labels[key])
			}
		}
	}
}
