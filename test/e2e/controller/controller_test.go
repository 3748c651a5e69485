// Package controller_test runs examples/controller, the template on controller-runtime, against a real API server.
package controller_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/test/e2e/harness"
	"github.com/azlb/azlb/test/e2e/hosttest"
)

const (
	class     = "azlb.example.com/azure"
	condition = "azlb.example.com/Ready"
)

func TestMain(m *testing.M) { harness.Main(m) }

// start starts a controller.
func start(t *testing.T, w *hosttest.World, more ...string) *harness.Process {
	t.Helper()
	args := []string{
		"--kubeconfig", w.Kubeconfig, "--cloud-config", w.Azure.Path, "--leader-elect=false", "--arm-budget=unlimited",
		"--metrics-bind-address=0", "--health-probe-bind-address=0",
	}
	return harness.StartProcess(t, harness.Build(t, "controller"), append(args, more...)...)
}

func TestHost(t *testing.T) {
	hosttest.Host{
		Start: start, Class: class,
		Elect: []string{
			"--leader-elect=true", "--leader-elect-namespace=default", "--leader-elect-lease-duration=3s",
			"--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms",
		},
		Many:      []string{"--concurrent-reconciles=100"},
		Finalizer: "azlb.example.com/cleanup", Converged: "Converged", Held: "Held",
		Told: func(t *testing.T, w *hosttest.World, name, text string) {
			ready(t, w, name, metav1.ConditionFalse, text)
		},
	}.Run(t)
}

// ready waits until the condition of a Service is as said, and returns it.
func ready(t *testing.T, w *hosttest.World, name string, want metav1.ConditionStatus, part string) metav1.Condition {
	t.Helper()
	var got *metav1.Condition
	w.WaitService(t, w.Name(name), fmt.Sprintf("condition %s with %q", want, part), func(s *corev1.Service) bool {
		got = meta.FindStatusCondition(s.Status.Conditions, condition)
		return got != nil && got.Status == want && strings.Contains(got.Message, part) && got.ObservedGeneration == s.Generation
	})
	return *got
}

// TestCondition: the owner of a Service sees whether it is served, and what keeps it from that.
func TestCondition(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWorld(t, class, nil, nil)
	start(t, w)
	w.Service(t, "web", nil)
	if c := ready(t, w, "web", metav1.ConditionTrue, ""); c.Reason != "Programmed" {
		t.Errorf("condition %+v", c)
	}
	for _, in := range w.Ready(t, w.Name("web"), 1).Status.LoadBalancer.Ingress {
		if in.IPMode == nil || *in.IPMode != corev1.LoadBalancerIPModeVIP {
			t.Errorf("ingress %+v, want the mode VIP", in)
		}
	}
	w.Edit(t, "web", func(s *corev1.Service) { hosttest.Annotate(s, annotations.KeySubnet, "apps") })
	ready(t, w, "web", metav1.ConditionTrue, annotations.KeySubnet) // without effect, which is a warning
	w.Edit(t, "web", func(s *corev1.Service) { hosttest.Annotate(s, annotations.KeyInternal, "perhaps") })
	if c := ready(t, w, "web", metav1.ConditionFalse, annotations.KeyInternal); c.Reason != "Held" {
		t.Errorf("condition %+v", c)
	}
	if n := len(w.Ready(t, w.Name("web"), 1).Status.LoadBalancer.Ingress); n != 1 || len(w.Observe(t).PublicIPs) != 1 {
		t.Error("a held Service has lost what it had")
	}
	w.Edit(t, "web", func(s *corev1.Service) { delete(s.Annotations, annotations.KeyInternal) })
	ready(t, w, "web", metav1.ConditionTrue, annotations.KeySubnet)
}

// TestNodesAreOnePlan: a node that joins is one write of each pool, for any number of Services.
func TestNodesAreOnePlan(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWorld(t, class, nil, nil)
	start(t, w)
	for i := range 10 {
		w.Service(t, fmt.Sprintf("web-%d", i), nil)
	}
	for i := range 10 {
		ready(t, w, fmt.Sprintf("web-%d", i), metav1.ConditionTrue, "")
	}
	w.Azure.Cloud.ResetRequests()
	w.Node(t, 3)
	harness.Eventually(t, "third member", func() bool { return hosttest.Members(w.Observe(t)) == 3 })
	if n := w.Azure.Writes(armid.LoadBalancers); n != 1 {
		t.Errorf("%d writes of load balancers and their pools, want 1", n)
	}
}

// TestOthers: Services of another class, or of none, are somebody else's.
func TestOthers(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWorld(t, class, nil, nil)
	other := "example.com/other"
	w.ControlPlane.Service(t, w.Namespace, "none", nil)
	w.ControlPlane.Service(t, w.Namespace, "other", func(s *corev1.Service) { s.Spec.LoadBalancerClass = &other })
	start(t, w)
	w.Service(t, "ours", nil)
	ready(t, w, "ours", metav1.ConditionTrue, "")
	for _, name := range []string{"none", "other"} {
		s, err := w.Client.CoreV1().Services(w.Namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || len(s.Finalizers)+len(s.Status.LoadBalancer.Ingress)+len(s.Status.Conditions) != 0 {
			t.Errorf("%s: %v, finalizers %v, status %+v", name, err, s.Finalizers, s.Status)
		}
	}
	if n := len(w.Observe(t).PublicIPs); n != 1 {
		t.Errorf("%d public IPs, want 1", n)
	}
}

// TestHealthMetricsAndTraces asks a controller how it is and what it does, and collects its spans.
func TestHealthMetricsAndTraces(t *testing.T) {
	var spans atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil && r.URL.Path == "/v1/traces" && strings.Contains(string(body), "LoadBalancersClient.BeginCreateOrUpdate") {
			spans.Add(1)
		}
	}))
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
	w := hosttest.NewWorld(t, class, nil, nil)
	metrics, health := harness.Port(t), harness.Port(t)
	process := start(t, w, fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", metrics), fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", health))
	w.Service(t, "web", nil)
	ready(t, w, "web", metav1.ConditionTrue, "")
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := harness.Get(t, fmt.Sprintf("http://127.0.0.1:%d%s", health, path)); got != "ok" {
			t.Errorf("%s: %q", path, got)
		}
	}
	got := w.Metrics(t, fmt.Sprintf("https://127.0.0.1:%d/metrics", metrics))
	for _, want := range []string{
		`azlb_arm_requests_total{method="PUT",status="201",type="publicipaddresses"} 1`, `azlb_steps_total{operation="PutPublicIP",state="done"} 1`,
		`azlb_services_total{outcome="converged"} 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s among the metrics", want)
		}
	}
	if err := process.Stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if spans.Load() == 0 {
		t.Error("no span of the load balancer's write")
	}
}
