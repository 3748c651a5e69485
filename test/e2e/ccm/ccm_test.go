// Package ccm_test runs examples/ccm, the Kubernetes project's own service controller on top of azlb, against a real API server.
package ccm_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/azlb/azlb/test/e2e/harness"
	"github.com/azlb/azlb/test/e2e/hosttest"
)

func TestMain(m *testing.M) { harness.Main(m) }

// start starts a manager.
func start(t *testing.T, w *hosttest.World, more ...string) *harness.Process {
	t.Helper()
	args := []string{
		"--kubeconfig", w.Kubeconfig, "--cloud-config", w.Azure.Path, "--leader-elect=false", "--secure-port=0", "--arm-budget=unlimited", "-v=2",
	}
	return harness.StartProcess(t, harness.Build(t, "ccm"), append(args, more...)...)
}

func TestHost(t *testing.T) {
	hosttest.Host{
		Start: start,
		Elect: []string{
			"--leader-elect=true", "--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms",
		},
		Many:      []string{"--concurrent-service-syncs=100"},
		Finalizer: "service.kubernetes.io/load-balancer-cleanup", Converged: "EnsuredLoadBalancer", Held: "SyncLoadBalancerFailed",
		Told: func(t *testing.T, w *hosttest.World, name, text string) {
			w.Event(t, name, "LoadBalancerConfiguration", text)
		},
	}.Run(t)
}

// TestHealthAndMetrics asks a manager how it is.
func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	w := hosttest.NewWorld(t, "", nil, nil)
	port := harness.Port(t)
	start(t, w, fmt.Sprintf("--secure-port=%d", port), "--bind-address=127.0.0.1", "--cert-dir="+t.TempDir(),
		"--authentication-kubeconfig="+w.Kubeconfig, "--authorization-kubeconfig="+w.Kubeconfig)
	w.Service(t, "web", nil)
	w.Ready(t, w.Name("web"), 1)
	address := fmt.Sprintf("https://127.0.0.1:%d", port)
	if got := harness.Get(t, address+"/healthz"); got != "ok" {
		t.Errorf("health %q", got)
	}
	if got := w.Metrics(t, address+"/metrics"); !strings.Contains(got, `azlb_arm_requests_total{method="PUT",status="201",type="publicipaddresses"} 1`) {
		t.Error("no metric of the public IP's write")
	}
}
