package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPolicyFlags: a policy holds a Service that names what it may not, and what cannot be read of either flag stops everything.
func TestPolicyFlags(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := write("azure.json", `{"subscriptionId": "00000000-0000-0000-0000-000000000001", "resourceGroup": "rg", "location": "westeurope", "vnetName": "vnet",
		"subnetName": "nodes", "securityGroupName": "nsg", "loadBalancerSku": "standard", "loadBalancerBackendPoolConfigurationType": "nodeIP"}`)
	services := write("service.yaml", `apiVersion: v1
kind: Service
metadata:
  name: web
  annotations: {service.beta.kubernetes.io/azure-allowed-service-tags: AzureCloud}
spec:
  type: LoadBalancer
  ports: [{port: 80}]
`)
	plan := func(more ...string) (string, int) {
		stdout, stderr, code := call(t.Context(), append([]string{"plan", "--fake", "--cloud-config", config, "-f", services}, more...)...)
		return stdout + stderr, code
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		text string
	}{
		{"no policy", nil, exitChanges, ""},
		{"a policy that allows it", []string{"--policy", write("some.yaml", "serviceTags: [AzureCloud]"), "--correct", "all"}, exitChanges, ""},
		{"a policy that does not", []string{"--policy", write("none.yaml", "serviceTags: []")}, exitError, `not allowed by the policy: service tag "AzureCloud": want none`},
		{"a slip in the policy", []string{"--policy", write("slip.yaml", "serviceTag: []")}, exitError, `unknown field "serviceTag"`},
		{"no such file", []string{"--policy", filepath.Join(dir, "nowhere")}, exitError, "--policy: open"},
		{"an unknown kind", []string{"--correct", "spelling"}, exitError, `--correct: "spelling": want all or some of`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, code := plan(c.args...); code != c.code || !strings.Contains(out, c.text) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.text, out)
			}
		})
	}
}
