package hosttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/test/e2e/harness"
)

// World is a cluster with two nodes, an Azure, and a namespace in which a host looks after Services.
type World struct {
	*harness.ControlPlane
	Azure     *harness.Azure
	Namespace string
	Class     string // of the Services that [World.Service] makes; empty: none

	nodes []*corev1.Node
}

// NewWorld starts all of it. latency and more are those of [harness.NewAzure].
func NewWorld(t *testing.T, class string, latency map[string]time.Duration, more map[string]any) *World {
	t.Helper()
	c := harness.Start(t)
	w := &World{ControlPlane: c, Azure: harness.NewAzure(t, latency, more), Namespace: c.Namespace(t), Class: class}
	w.Azure.Cluster.Class = class
	w.nodes = []*corev1.Node{w.Node(t, 1), w.Node(t, 2)}
	return w
}

// Name is that of a Service in the namespace.
func (w *World) Name(s string) types.NamespacedName {
	return types.NamespacedName{Namespace: w.Namespace, Name: s}
}

// Service creates one.
func (w *World) Service(t testing.TB, name string, edit func(*corev1.Service)) *corev1.Service {
	t.Helper()
	return w.ControlPlane.Service(t, w.Namespace, name, func(s *corev1.Service) {
		w.classify(s)
		if edit != nil {
			edit(s)
		}
	})
}

func (w *World) classify(s *corev1.Service) {
	if w.Class != "" {
		s.Spec.LoadBalancerClass = &w.Class
	}
}

// Edit changes a Service.
func (w *World) Edit(t *testing.T, name string, change func(*corev1.Service)) {
	t.Helper()
	services := w.Client.CoreV1().Services(w.Namespace)
	if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		s, err := services.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(s)
		_, err = services.Update(t.Context(), s, metav1.UpdateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Annotate sets an annotation.
func Annotate(s *corev1.Service, key, value string) {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[key] = value
}

// Remove deletes a Service, and does not wait.
func (w *World) Remove(t *testing.T, name string) {
	t.Helper()
	if err := w.Client.CoreV1().Services(w.Namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

// all waits until the Services of the namespace are as done says.
func (w *World) all(t *testing.T, what string, done func([]corev1.Service) bool) {
	t.Helper()
	harness.Eventually(t, what, func() bool {
		list, err := w.Client.CoreV1().Services(w.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return done(list.Items)
	})
}

// Observe reads what is in Azure.
func (w *World) Observe(t *testing.T) lb.Observed {
	t.Helper()
	seen, err := w.Azure.Cloud.Clone().Observe(t.Context(), lb.ScopeOf(w.Azure.Cluster, lb.Objects{}))
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// Rules lists the rules of all load balancers: that one's name, protocol and port.
func Rules(seen lb.Observed) []string {
	var all []string
	for _, l := range seen.LoadBalancers {
		for _, r := range l.Rules {
			all = append(all, fmt.Sprintf("%s %s %d", l.ID.Name(), r.Protocol, r.FrontendPort))
		}
	}
	slices.Sort(all)
	return all
}

// Members counts those of all pools.
func Members(seen lb.Observed) int {
	n := 0
	for _, l := range seen.LoadBalancers {
		for _, p := range l.Pools {
			n += len(p.Members)
		}
	}
	return n
}

// Event waits for an Event about a Service.
func (w *World) Event(t *testing.T, name, reason, text string) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("an Event %s about %s with %q", reason, name, text), func() bool {
		events, err := w.Client.CoreV1().Events(w.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
			return e.InvolvedObject.Name == name && e.Reason == reason && strings.Contains(e.Message, text)
		})
	})
}

// Events counts how often Events about a Service had a text in their message.
func (w *World) Events(t *testing.T, name, text string) int {
	t.Helper()
	events, err := w.Client.CoreV1().Events(w.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range events.Items {
		if e.InvolvedObject.Name == name && strings.Contains(e.Message, text) {
			n += max(int(e.Count), 1)
			if e.Series != nil {
				n += int(e.Series.Count) - 1
			}
		}
	}
	return n
}

// Plan plans for what the API server has.
func (w *World) Plan(t *testing.T) lb.Plan {
	t.Helper()
	services, err := w.Client.CoreV1().Services("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := w.Client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	in := lb.Objects{Services: services.Items, Nodes: nodes.Items}
	seen, err := w.Azure.Cloud.Clone().Observe(t.Context(), lb.ScopeOf(w.Azure.Cluster, in))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := lb.Build(w.Azure.Cluster, in, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
