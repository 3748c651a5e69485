package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/lb"
)

// serveShop runs azlb serve on the shop's configuration and returns the azure.json that leads there.
func serveShop(t *testing.T, more ...string) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "azure.json")
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan int, 1)
	args := append([]string{"serve", "--cloud-config", "testdata/shop/azure.json", "--write-config", config}, more...)
	go func() { ended <- run(ctx, args, strings.NewReader(""), in, os.Stderr) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "serving on http") {
		t.Fatalf("%q, %v", line, err)
	}
	t.Cleanup(func() {
		cancel()
		if code := <-ended; code != exitFine {
			t.Errorf("serve: exit code %d", code)
		}
	})
	return config
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

func TestEnvironment(t *testing.T) {
	answer := `[{"authentication": {"loginEndpoint": "https://login.example/", "audiences": ["https://arm.example"]}}]`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	defer server.Close()
	for _, c := range []struct {
		name    string
		account account
		want    string // authority, or part of the error
	}{
		{"public by default", account{}, "https://login.microsoftonline.com/"},
		{"in any case", account{Cloud: "AZUREUSGOVERNMENTCLOUD"}, "https://login.microsoftonline.us/"},
		{"China", account{Cloud: "AzureChinaCloud"}, "https://login.chinacloudapi.cn/"},
		{"unknown", account{Cloud: "AzureStackCloud"}, "set resourceManagerEndpoint"},
		{"discovered", account{Cloud: "AzureStackCloud", ResourceManagerEndpoint: server.URL + "/"}, "https://login.example"},
		{"without TLS elsewhere", account{ResourceManagerEndpoint: "http://arm.example"}, "want https"},
	} {
		env, err := c.account.environment()
		got := env.config.ActiveDirectoryAuthorityHost
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCredential(t *testing.T) {
	public, err := account{}.environment()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		account account
		want    string // part of the error; empty for none
	}{
		{"client secret", account{ClientID: "c", ClientSecret: "s"}, ""},
		{"AKS writes msi for id and secret", account{UseManagedIdentityExtension: true, ClientID: "msi", ClientSecret: "msi"}, ""},
		{"managed identity by id", account{UseManagedIdentityExtension: true, UserAssignedIdentityID: "/subscriptions/s/x"}, ""},
		{"workload identity", account{UseWorkloadIdentity: true, ClientID: "c", FederatedTokenFile: "token"}, ""},
		{"default chain", account{}, ""},
		{"secret without client", account{ClientSecret: "s"}, "aadClientId"},
		{"certificate that is not there", account{ClientID: "c", ClientCertPath: "none.pem"}, "aadClientCertPath"},
	} {
		cred, err := c.account.credential(public, "00000000-0000-4000-8000-00000000000a")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if (cred == nil) != (err != nil) {
			t.Errorf("%s: credential %v beside error %v", c.name, cred, err)
		}
	}
}

// TestNetworkTenant: another tenant for the network needs a subscription and a credential of its own.
func TestNetworkTenant(t *testing.T) {
	a := account{TenantID: "t", ClientID: "c", ClientSecret: "s", NetworkResourceTenantID: "other"}
	if _, _, err := a.backend(lb.Cluster{Subscription: "s", NetworkSubscription: "n"}, newAzureOptions(nil)); err != nil {
		t.Error(err)
	}
}
