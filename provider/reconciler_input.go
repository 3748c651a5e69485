package provider

import (
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// wish is what a call for one Service asks for.
type wish struct {
	kind     callKind
	order    uint64
	service  *corev1.Service // as the call has it; nil: it has not
	rejected error
	answered bool
}

func (c *call) wish() *wish {
	w := &wish{kind: c.kind, order: c.order, rejected: c.in.Rejected[c.name]}
	if i := slices.IndexFunc(c.in.Services, func(s corev1.Service) bool { return nameOf(&s) == c.name }); i >= 0 {
		w.service = &c.in.Services[i]
	}
	return w
}

// input merges what the calls of b were given into the objects to plan for. The latest input has the say, or that of the latest Sync, which
// alone may say that a Service is gone; but each Service that a call names is as the latest call for it has it. Every input was complete at
// its moment, so each Service is as its own caller saw it, and all others as they were seen last. others are the wishes of calls that are not
// in b: a Sync knows nothing of those that came after it, and a call that is planned once more nothing of a later one for its Service.
func (b *batch) input(others map[types.NamespacedName]*wish, now time.Time) lb.Objects {
	var in lb.Objects
	own := map[types.NamespacedName]*wish{}
	for _, c := range b.calls {
		if c.kind != syncing && b.has(syncing) {
			continue
		}
		if in = c.in; c.kind == syncing {
			for name, w := range others {
				if delete(own, name); !w.answered || w.order > c.order {
					own[name] = w
				}
			}
		}
	}
	everything := false
	in.Only = nil
	for _, c := range b.calls {
		if c.kind == syncing {
			everything = everything || len(c.in.Only) == 0
			in.Only = append(in.Only, c.in.Only...)
			continue
		}
		own[c.name] = c.wish()
		if later := others[c.name]; later != nil && later.order > c.order {
			own[c.name] = later
		}
		in.Only = append(in.Only, c.name)
	}
	slices.SortFunc(in.Only, compareNames)
	if in.Only = slices.Compact(in.Only); everything {
		in.Only = nil
	}
	if len(own) > 0 {
		in.Services = overlay(in.Services, own, now)
		in.Rejected = overlayRejected(in.Rejected, own)
	}
	return in
}

// overlay returns services with those that calls name as these have them.
func overlay(services []corev1.Service, own map[types.NamespacedName]*wish, now time.Time) []corev1.Service {
	var list []corev1.Service
	there := map[types.NamespacedName]bool{}
	add := func(s corev1.Service) {
		name := nameOf(&s)
		w := own[name]
		if there[name] && w != nil {
			return
		}
		there[name] = true
		if w != nil && w.kind == deleting && s.DeletionTimestamp == nil {
			gone := metav1.NewTime(now)
			s.DeletionTimestamp = &gone
		}
		list = append(list, s)
	}
	for _, name := range slices.SortedFunc(maps.Keys(own), compareNames) {
		if own[name].service != nil {
			add(*own[name].service)
		}
	}
	for i := range services {
		add(services[i])
	}
	return list
}

// overlayRejected is overlay for what callers know to be refused.
func overlayRejected(rejected map[types.NamespacedName]error, own map[types.NamespacedName]*wish) map[types.NamespacedName]error {
	all := maps.Clone(rejected)
	for name, w := range own {
		delete(all, name)
		if w.rejected != nil {
			if all == nil {
				all = map[types.NamespacedName]error{}
			}
			all[name] = w.rejected
		}
	}
	return all
}

// note keeps what a call for a Service asks for, for Syncs and earlier calls that do not know of it. r.mu is held.
func (r *Reconciler) note(c *call) {
	if c.kind == syncing {
		r.syncs++
		return
	}
	c.wished = c.wish()
	if c.wished.service != nil {
		c.wished.service = c.wished.service.DeepCopy() // it may be needed when the caller has gone
	}
	r.wishes[c.name] = c.wished
	r.asking[c.name]++
}

// forget drops what nobody can be mistaken about any more, once c is answered. r.mu is held.
func (r *Reconciler) forget(c *call) {
	if c.kind == syncing {
		r.syncs--
	} else {
		c.wished.answered = true
		if r.asking[c.name]--; r.asking[c.name] == 0 {
			delete(r.asking, c.name)
		}
	}
	switch {
	case r.syncs > 0:
	case c.kind == syncing:
		maps.DeleteFunc(r.wishes, func(name types.NamespacedName, w *wish) bool { return w.answered && r.asking[name] == 0 })
	case r.asking[c.name] == 0:
		delete(r.wishes, c.name)
	}
}

// wished returns what other calls than those of b ask for, as far as b can be mistaken about it.
func (r *Reconciler) wished(b *batch) map[types.NamespacedName]*wish {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[types.NamespacedName]*wish{}
	see := func(name types.NamespacedName) {
		if w := r.wishes[name]; w != nil {
			now := *w // answered may change
			all[name] = &now
		}
	}
	if b.has(syncing) {
		for name := range r.wishes {
			see(name)
		}
		return all
	}
	for _, c := range b.calls {
		see(c.name)
	}
	return all
}
