// Package ccm_test runs examples/ccm, the Kubernetes project's own service controller on top of azlb, against a real API server.
package ccm_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
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
	}.Run(t)
}

// TestHealthAndMetrics asks a manager how it is.
func TestHealthAndMetrics(t *testing.T) {
	w := hosttest.NewWorld(t, "", nil)
	port := harness.Port(t)
	start(t, w, fmt.Sprintf("--secure-port=%d", port), "--bind-address=127.0.0.1", "--cert-dir="+t.TempDir(),
		"--authorization-always-allow-paths=/healthz,/metrics", "--authentication-kubeconfig="+w.Kubeconfig, "--authorization-kubeconfig="+w.Kubeconfig)
	w.Service(t, "web", nil)
	w.Ready(t, w.Name("web"), 1)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // its own certificate
	get := func(path string) string {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, path), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s %v", path, resp.Status, body, err)
		}
		return string(body)
	}
	if got := get("/healthz"); got != "ok" {
		t.Errorf("health %q", got)
	}
	if got := get("/metrics"); !strings.Contains(got, `azlb_arm_requests_total{method="PUT",status="201",type="publicipaddresses"} 1`) {
		t.Errorf("no metric of the public IP's write among\n%s", grep(got, "azlb_"))
	}
}

func grep(text, part string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
