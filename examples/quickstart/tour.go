package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// tour goes through the life of some Services: created, unchanged, changed, deleted.
type tour struct {
	azure   *fake.Cloud
	loop    *provider.Reconciler
	in      lb.Objects
	out     io.Writer
	verbose bool
	calls   int // calls to Azure that were printed
}

// newTour makes a tour with a Reconciler that tells what it does on out.
func newTour(azure *fake.Cloud, cluster lb.Cluster, in lb.Objects, out io.Writer, verbose bool) *tour {
	t := &tour{azure: azure, in: in, out: out, verbose: verbose}
	t.loop = provider.NewReconciler(azure, cluster, &provider.Options{
		Clock:       azure.Clock(), // waiting takes no time
		Parallel:    1,             // one write at a time, so that the output is always the same
		MaxRemovals: -1,            // the last act deletes everything on purpose
		AllowEmpty:  true,          // and there is no other Service here, as there is in a cluster
		OnEvent:     t.event,
	})
	return t
}

func (t *tour) run(ctx context.Context) error {
	acts := []struct {
		title  string
		change func() string // changes the input and tells what it did; empty: there is nothing to change
	}{
		{"create", func() string { return fmt.Sprintf("%d Services, %d Nodes", len(t.in.Services), len(t.in.Nodes)) }},
		{"once more", func() string { return "the same input" }},
		{"change a port", t.changePort},
		{"delete a Service", t.deleteOne},
		{"delete all", t.deleteAll},
	}
	for _, act := range acts {
		what := act.change()
		if what == "" {
			continue
		}
		t.printf("\n=== %s: %s\n\n", act.title, what)
		if err := t.sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sync is what a controller does whenever something changes: one call, then the statuses are written.
func (t *tour) sync(ctx context.Context) error {
	report, err := t.loop.Sync(ctx, t.in)
	if t.verbose {
		t.printCalls()
	}
	t.printFindings(report)
	for i := range t.in.Services {
		s := &t.in.Services[i]
		if status := report.Services[nameOf(*s)].Status; status != nil {
			s.Status.LoadBalancer = *status
		}
	}
	t.printServices()
	t.printAzure()
	return err
}

// event prints plans and what becomes of their steps.
func (t *tour) event(e provider.Event) {
	switch e := e.(type) {
	case provider.Planned:
		t.printPlan(e.Plan)
	case provider.StepDone:
		t.printf("%-9s %-24s %s\n", e.State, operation(e.Step.Op), label(e.Step.Op.Target()))
		if e.Err != nil {
			t.printf("          %v\n", e.Err)
		}
	}
}

// changePort moves the first port of the first Service of type LoadBalancer.
func (t *tour) changePort() string {
	i := t.first()
	if i < 0 || len(t.in.Services[i].Spec.Ports) == 0 {
		return ""
	}
	s := t.in.Services[i].DeepCopy()
	port := &s.Spec.Ports[0].Port
	before := *port
	for slices.ContainsFunc(t.in.Services[i].Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == *port }) {
		*port = *port%65534 + 1
	}
	t.in.Services[i] = *s
	return fmt.Sprintf("%s listens on %d, was %d", nameOf(*s), *port, before)
}

// deleteOne deletes the last Service of type LoadBalancer, unless it is the only one.
func (t *tour) deleteOne() string {
	at, found := -1, 0
	for i, s := range t.in.Services {
		if s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			at = i
			found++
		}
	}
	if found < 2 {
		return ""
	}
	name := nameOf(t.in.Services[at])
	t.in.Services = slices.Delete(slices.Clone(t.in.Services), at, at+1)
	return name.String() + " is gone"
}

func (t *tour) deleteAll() string {
	n := len(t.in.Services)
	t.in.Services = nil
	return fmt.Sprintf("%d Services are gone", n)
}

// first returns the index of the first Service of type LoadBalancer, or -1.
func (t *tour) first() int {
	return slices.IndexFunc(t.in.Services, func(s corev1.Service) bool { return s.Spec.Type == corev1.ServiceTypeLoadBalancer })
}

func nameOf(s corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}
