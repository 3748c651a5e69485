// Package harness runs what end-to-end tests need: a real API server with its etcd, an Azure in memory that answers as Azure Resource
// Manager on a loopback port, and helpers that make objects and wait for what becomes of them.
package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// ControlPlane is a running API server with an etcd of its own.
type ControlPlane struct {
	Config *rest.Config
	Client kubernetes.Interface
	// Kubeconfig is a file that leads to the API server, for programs that take --kubeconfig.
	Kubeconfig string

	env *envtest.Environment
}

// recipe says how to get what the tests run.
const recipe = `build kube-apiserver and etcd, from the repository's root, with

	.ci/controlplane

and run the tests with

	KUBEBUILDER_ASSETS=$PWD/.bin GOWORK=off go -C test/e2e test ./...`

// Binaries is an error that says how to get the binaries when one of them is missing.
func Binaries() error {
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		return fmt.Errorf("KUBEBUILDER_ASSETS is not set: %s", recipe)
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("%w: KUBEBUILDER_ASSETS has no %s: %s", err, name, recipe)
		}
	}
	return nil
}

// Start starts a dual-stack control plane that ends with the test. The test fails when the binaries are missing.
func Start(t testing.TB) *ControlPlane {
	t.Helper()
	if err := Binaries(); err != nil {
		t.Fatal(err)
	}
	env := &envtest.Environment{BinaryAssetsDirectory: os.Getenv("KUBEBUILDER_ASSETS")}
	env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.0.0.0/16,fd00:10::/112")
	config, err := env.Start()
	if err != nil {
		t.Fatalf("control plane: %v", err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Errorf("control plane: %v", err)
		}
	})
	config.QPS, config.Burst = -1, 0
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	return &ControlPlane{Config: config, Client: client, Kubeconfig: path, env: env}
}
