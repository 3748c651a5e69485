package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// interrupter cancels a context during the write number at, from 1; that write and its answer are not disturbed.
type interrupter struct {
	provider.Provider
	cancel context.CancelFunc
	at     int
}

func (i *interrupter) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	if i.at--; i.at == 0 {
		i.cancel()
	}
	return i.Provider.Do(ctx, op)
}

var shop = []string{
	"apply", "--fake", "--cloud-config", "testdata/shop/azure.json", "-f", "testdata/shop/services.yaml", "-f", "testdata/shop/nodes.yaml",
}

// interrupt runs apply and interrupts it during its second write.
func interrupt(t *testing.T, more ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out, errs bytes.Buffer
	tool := &tool{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	tool.opened = func(c *session) { c.Provider = &interrupter{c.Provider, cancel, 2} }
	code = tool.run(ctx, append(shop[:len(shop):len(shop)], more...))
	return out.String(), errs.String(), code
}

func TestInterruptSaysWhatWasDone(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.json")
	_, stderr, code := interrupt(t, "--load", state, "--dump", state)
	if code != exitError {
		t.Errorf("exit code %d, want %d", code, exitError)
	}
	for _, want := range []string{
		"azlb: interrupted; apply again to go on\n",
		"  done          PutPublicIP publicIPAddresses/kubernetes-",
		"  done          PutLoadBalancer loadBalancers/kubernetes\n",
		"  not done      PutLoadBalancer loadBalancers/kubernetes-internal\n",
		"  not done      PutSecurityRule networkSecurityGroups/nsg/securityRules/k8s-azure-lb",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	stdout, stderr, code := call(t.Context(), append(shop[:len(shop):len(shop)], "--load", state, "--dump", state)...)
	if code != exitFine || !strings.Contains(stdout, "steps: 2 done;") {
		t.Errorf("going on: exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestInterruptedJSON(t *testing.T) {
	stdout, _, _ := interrupt(t, "-o", "json")
	var r result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	var states []provider.State
	for _, s := range r.Steps {
		states = append(states, s.State)
	}
	want := []provider.State{provider.StateDone, provider.StateDone, provider.StateSkipped, provider.StateSkipped}
	if len(states) != len(want) || states[1] != want[1] || states[2] != want[2] || r.Requests.Writes != 2 || r.Error == "" {
		t.Errorf("states %v, writes %d, error %q; want %v, 2, an error", states, r.Requests.Writes, r.Error, want)
	}
}

// TestInterruptBeforeReading: nothing is read, nothing is written, and the state is still dumped.
func TestInterruptBeforeReading(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	state := filepath.Join(t.TempDir(), "state.json")
	_, stderr, code := call(ctx, append(shop[:len(shop):len(shop)], "--dump", state)...)
	if code != exitError || !strings.Contains(stderr, "context canceled") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
	if _, err := os.Stat(state); err != nil {
		t.Error(err)
	}
}

// TestJSONShape pins the names that scripts read.
func TestJSONShape(t *testing.T) {
	stdout, _, code := call(t.Context(), append([]string{"plan", "-o", "json"}, shop[1:]...)...)
	if code != exitChanges {
		t.Errorf("exit code %d, want %d", code, exitChanges)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	keys := func(v any, want ...string) map[string]any {
		t.Helper()
		o, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v is no object", v)
		}
		for _, k := range want {
			if o[k] == nil {
				t.Errorf("no %s in %v", k, o)
			}
		}
		return o
	}
	keys(got, "steps", "services", "findings", "requests", "cost")
	step := keys(got["steps"].([]any)[0], "op", "target", "after", "why", "risk", "changes")
	keys(step["changes"].([]any)[0], "action", "ref", "fields", "service", "field", "reason", "also")
	keys(keys(got["services"], "shop/web", "shop/orders")["shop/web"], "status", "error", "findings")
	keys(got["requests"], "reads", "writes")
	keys(got["cost"], "reads", "writes", "minutes", "limits")
	if _, ok := got["services"].(map[string]any)["shop/inside"]; ok {
		t.Error("a Service that is not of type LoadBalancer is among the services")
	}
}

// TestNoInput: no Service at all looks like a mistake.
func TestNoInput(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(empty, []byte("# nothing\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := call(t.Context(), "apply", "--fake", "--cloud-config", "testdata/shop/azure.json", "-f", empty)
	if code != exitError || !strings.Contains(stderr, "no Service at all") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}

// TestAnnotations: every form has every key.
func TestAnnotations(t *testing.T) {
	for _, form := range []string{"text", "markdown", "json"} {
		stdout, stderr, code := call(t.Context(), "annotations", "-o", form)
		if code != exitFine || !strings.Contains(stdout, "azure-load-balancer-tcp-idle-timeout") {
			t.Errorf("%s: exit code %d, stderr %q", form, code, stderr)
		}
		if form == "json" && !json.Valid([]byte(stdout)) {
			t.Error("no JSON")
		}
	}
}

// TestVerbose: the log goes to stderr, the result stays what it is.
func TestVerbose(t *testing.T) {
	quiet, _, _ := call(t.Context(), append(shop[:len(shop):len(shop)], "-o", "json")...)
	stdout, stderr, _ := call(t.Context(), append(shop[:len(shop):len(shop)], "-o", "json", "-v")...)
	if stdout != quiet || !strings.Contains(stderr, "level=INFO") {
		t.Errorf("stderr %q", stderr)
	}
}
