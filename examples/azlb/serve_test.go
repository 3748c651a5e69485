package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveShop runs azlb serve on the shop's configuration until the test ends, and returns the azure.json that leads there.
func serveShop(t *testing.T, more ...string) string {
	t.Helper()
	config, stop := serve(t, "testdata/shop/azure.json", more...)
	t.Cleanup(stop)
	return config
}

// serve runs azlb serve on an azure.json, and returns the one that leads there and what ends it.
func serve(t *testing.T, base string, more ...string) (string, func()) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "azure.json")
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	args := append([]string{"serve", "--cloud-config", base, "--write-config", config}, more...)
	go func() { ended <- run(ctx, args, strings.NewReader(""), in, os.Stderr) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "serving on http") {
		t.Fatalf("%q, %v", line, err)
	}
	return config, func() {
		cancel()
		if code := <-ended; code != exitFine {
			t.Errorf("serve: exit code %d", code)
		}
	}
}

var manifests = []string{"-f", "testdata/shop/services.yaml", "-f", "testdata/shop/nodes.yaml"}

// TestServe applies to an endpoint over HTTP, credentials included, until there is nothing to do.
func TestServe(t *testing.T) {
	config := serveShop(t, manifests[:2]...)
	apply := append([]string{"apply", "--cloud-config", config}, manifests...)
	stdout, stderr, code := call(t.Context(), apply...)
	if code != exitFine || !strings.Contains(stdout, "steps: 4 done;") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	stdout, stderr, code = call(t.Context(), append([]string{"plan", "-o", "json", "--cloud-config", config}, manifests...)...)
	var r result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitFine || r.Requests.Reads == 0 || r.Requests.Writes != 0 {
		t.Errorf("planning again: exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
}

// TestServeInterrupted interrupts an apply over HTTP while it reads and while it writes; going on always ends with nothing to do.
func TestServeInterrupted(t *testing.T) {
	for _, after := range []time.Duration{2 * time.Millisecond, 50 * time.Millisecond} {
		config := serveShop(t, append([]string{"--latency", "20ms"}, manifests[:2]...)...)
		apply := append([]string{"apply", "--cloud-config", config}, manifests...)
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, _, code := call(ctx, apply...)
		cancel()
		if code != exitError {
			t.Errorf("after %v: exit code %d, want %d", after, code, exitError)
		}
		if stdout, stderr, code := call(t.Context(), apply...); code != exitFine {
			t.Errorf("after %v: going on: exit code %d\n%s%s", after, code, stdout, stderr)
		}
		if stdout, _, code := call(t.Context(), append([]string{"plan", "--cloud-config", config}, manifests...)...); code != exitFine {
			t.Errorf("after %v: planning again: exit code %d\n%s", after, code, stdout)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"an address that others reach", []string{"--listen", "0.0.0.0:0"}, "want an address of this machine only"},
		{"no address", []string{"--listen", "8080"}, "want an address of this machine only"},
		{"a certificate without TLS", []string{"--write-cert", "x"}, "--write-cert is for --tls only"},
	} {
		_, stderr, code := call(t.Context(), append([]string{"serve", "--cloud-config", "testdata/shop/azure.json"}, c.args...)...)
		if code != exitError || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, stderr %q", c.name, code, stderr)
		}
	}
}

// TestServeWritesNoSecret: whatever signs in to Azure is not in the copy that leads to the endpoint, in any spelling of its key; the copy works, and
// is its owner's alone.
func TestServeWritesNoSecret(t *testing.T) {
	const mark = "MARKED-"
	keys := map[string]any{}
	if err := json.Unmarshal([]byte(readFile(t, "testdata/shop/azure.json")), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"aadClientId", "AADClientSecret", "aadClientCertPath", "aadClientCertPassword", "userAssignedIdentityID", "aadFederatedTokenFile",
		"aadMSIDataPlaneIdentityPath", "clientSecret", "registryPassword",
	} {
		keys[key] = mark + key
	}
	keys["useManagedIdentityExtension"], keys["UseFederatedWorkloadIdentityExtension"], keys["RESOURCEMANAGERENDPOINT"] = true, true, "https://arm.example"
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), "azure.json")
	if err := os.WriteFile(base, text, 0o600); err != nil {
		t.Fatal(err)
	}
	config, stop := serve(t, base, manifests[:2]...)
	t.Cleanup(stop)
	if got := readFile(t, config); strings.Contains(got, mark) || strings.Contains(got, "arm.example") || !strings.Contains(got, `"resourceGroup": "shop"`) {
		t.Errorf("the copy:\n%s", got)
	}
	info, err := os.Stat(config)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if stdout, stderr, code := call(t.Context(), append([]string{"apply", "--cloud-config", config}, manifests...)...); code != exitFine {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}
