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

// input merges what the calls of b were given into the objects to plan for. The latest input has the say, or that of the latest Sync, which
// alone may say that a Service is gone; but each Service that a call names is as the latest call for it has it. Every input was complete at
// its moment, so each Service is as its own caller saw it, and all others as they were seen last.
func (b *batch) input(now time.Time) lb.Objects {
	var in lb.Objects
	for _, c := range b.calls {
		if c.kind == syncing || !b.has(syncing) {
			in = c.in
		}
	}
	own := map[types.NamespacedName]*call{}
	everything := false
	in.Only = nil
	for _, c := range b.calls {
		if c.kind == syncing {
			everything = everything || len(c.in.Only) == 0
			in.Only = append(in.Only, c.in.Only...)
			continue
		}
		own[c.name] = c
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
func overlay(services []corev1.Service, own map[types.NamespacedName]*call, now time.Time) []corev1.Service {
	var list []corev1.Service
	there := map[types.NamespacedName]bool{}
	add := func(s corev1.Service) {
		name := nameOf(&s)
		c := own[name]
		if there[name] && c != nil {
			return
		}
		there[name] = true
		if c != nil && c.kind == deleting && s.DeletionTimestamp == nil {
			gone := metav1.NewTime(now)
			s.DeletionTimestamp = &gone
		}
		list = append(list, s)
	}
	for _, name := range slices.SortedFunc(maps.Keys(own), compareNames) {
		if i := slices.IndexFunc(own[name].in.Services, func(s corev1.Service) bool { return nameOf(&s) == name }); i >= 0 {
			add(own[name].in.Services[i])
		}
	}
	for i := range services {
		add(services[i])
	}
	return list
}

// overlayRejected is overlay for what callers know to be refused.
func overlayRejected(rejected map[types.NamespacedName]error, own map[types.NamespacedName]*call) map[types.NamespacedName]error {
	all := maps.Clone(rejected)
	for name, c := range own {
		delete(all, name)
		if err := c.in.Rejected[name]; err != nil {
			if all == nil {
				all = map[types.NamespacedName]error{}
			}
			all[name] = err
		}
	}
	return all
}
