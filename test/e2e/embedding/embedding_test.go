// Package embedding_test follows docs/embedding.md word for word in an empty directory.
package embedding_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/azlb/azlb/test/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// block is a piece of code of a document.
type block struct{ language, text string }

// blocks reads those of one section.
func blocks(t *testing.T, document, heading string) []block {
	t.Helper()
	_, section, ok := strings.Cut(document, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var all []block
	for i, part := range strings.Split("\n"+section, "\n```") {
		if language, text, _ := strings.Cut(part, "\n"); i%2 == 1 {
			all = append(all, block{language, text + "\n"})
		}
	}
	return all
}

// TestEmptyDirectory sets the directory up, writes the program, runs it, and applies the manifest, in the order of the document.
func TestEmptyDirectory(t *testing.T) {
	root := harness.Root(t)
	document, err := os.ReadFile(filepath.Join(root, "docs", "embedding.md"))
	if err != nil {
		t.Fatal(err)
	}
	code := blocks(t, string(document), "A controller in an empty directory")
	if len(code) < 4 || code[0].language != "sh" || code[1].language != "go" || code[2].language != "sh" || code[3].language != "yaml" {
		t.Fatalf("%d blocks, want shell, Go, shell, YAML", len(code))
	}
	c := harness.Start(t)
	c.Node(t, 1)
	dir := t.TempDir()
	shell(t, dir, root, code[0].text)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(code[1].text), 0o600); err != nil {
		t.Fatal(err)
	}
	build, run, ok := strings.Cut(strings.TrimSpace(code[2].text), "\n./")
	if !ok {
		t.Fatalf("the program is not started: %s", code[2].text)
	}
	shell(t, dir, root, build)
	t.Setenv("KUBECONFIG", c.Kubeconfig)
	program := harness.StartProcess(t, filepath.Join(dir, run))

	var service corev1.Service
	if err := yaml.UnmarshalStrict([]byte(code[3].text), &service); err != nil {
		t.Fatal(err)
	}
	name := types.NamespacedName{Namespace: service.Namespace, Name: service.Name}
	services := c.Client.CoreV1().Services(name.Namespace)
	if _, err := services.Create(t.Context(), &service, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
		t.Fatal(err)
	}
	got := c.Ready(t, name, 1)
	t.Logf("%s has %s and the finalizers %v", name, got.Status.LoadBalancer.Ingress[0].IP, got.Finalizers)
	if err := services.Delete(t.Context(), name.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Gone(t, name)
	if err := program.Stop(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

// shell runs commands as a reader would, with AZLB as the document says.
func shell(t *testing.T, dir, azlb, commands string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "bash", "-euxc", commands)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "AZLB="+azlb, "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
