package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
)

const linkID = lb.ID("/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/privatelink/providers/Microsoft.Network/privateLinkServices/orders")

// linked is the example examples/privatelink, applied, with one endpoint approved and one that waits. It returns the flags of a command on
// it with the manifests of edit.
func linked(t *testing.T) func(edit func(string) string) []string {
	t.Helper()
	dir := filepath.Join("..", "privatelink")
	state := filepath.Join(t.TempDir(), "state.json")
	with := func(edit func(string) string) []string {
		manifest := filepath.Join(t.TempDir(), "services.yaml")
		if err := os.WriteFile(manifest, []byte(edit(readFile(t, filepath.Join(dir, "services.yaml")))), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--fake", "--load", state, "--cloud-config", filepath.Join(dir, "azure.json"), "-f", manifest}
	}
	same := func(s string) string { return s }
	if stdout, stderr, code := call(t.Context(), slices.Concat([]string{"apply", "--dump", state}, with(same), []string{"--load", filepath.Join(dir, "seed.json")})...); code != exitFine {
		t.Fatal(stdout, stderr)
	}
	cloud := fake.New(&fake.Options{Waive: contested})
	if err := cloud.Load([]byte(readFile(t, state))); err != nil {
		t.Fatal(err)
	}
	for name, status := range map[string]fake.ConnectionStatus{"partner": "Approved", "visitor": "Pending"} {
		if err := cloud.Connect(linkID, name, status); err != nil {
			t.Fatal(err)
		}
	}
	data, err := cloud.Dump()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(state, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return with
}

// TestPrivateLinkIsShown: plan, apply and explain tell alias, connections, what waits for approval and how many endpoints are cut.
func TestPrivateLinkIsShown(t *testing.T) {
	with := linked(t)
	same := func(s string) string { return s }
	ask := func(command string, edit func(string) string, more ...string) (result, string) {
		t.Helper()
		out, stderr, _ := call(t.Context(), slices.Concat([]string{command, "-o", "json"}, with(edit), more)...)
		var r result
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v\n%s", err, stderr)
		}
		text, _, _ := call(t.Context(), slices.Concat([]string{command}, with(edit), more)...)
		return r, text
	}
	connections := []connection{{"partner", "Approved"}, {"visitor", "Pending"}}
	for _, command := range []string{"plan", "apply"} {
		r, text := ask(command, same)
		for _, name := range []string{"shop/orders", "shop/returns"} {
			got := r.Services[name].PrivateLink
			if got == nil || got.Alias == "" {
				t.Fatalf("%s: %s: %+v", command, name, got)
			}
			want := privateLink{ID: linkID, Alias: got.Alias, Connections: connections, Pending: []string{"visitor"}}
			if d := cmp.Diff(want, *got); d != "" {
				t.Errorf("%s: %s (-want +got):\n%s", command, name, d)
			}
			if line := "  " + name + ": orders, " + got.Alias + ", 2 connections, 1 waiting for approval\n    partner: Approved\n    visitor: Pending\n"; !strings.Contains(text, line) {
				t.Errorf("%s: no %q in\n%s", command, line, text)
			}
		}
	}
	// Both ask no more, and the policy lets it go: the report counts who is cut off.
	unasked := func(s string) string {
		return strings.ReplaceAll(s, `azure-pls-create: "true"`, `azure-pls-create: "false"`)
	}
	for _, command := range []string{"plan", "apply"} {
		if r, _ := ask(command, unasked); r.Services["shop/orders"].PrivateLink.Cut != 0 {
			t.Errorf("%s: cut without a flag: %+v", command, r.Services["shop/orders"].PrivateLink)
		}
		r, text := ask(command, unasked, "--pls-remove-unrequested", "--pls-remove-connected")
		got := r.Services["shop/orders"].PrivateLink
		if got == nil || got.Cut != 2 || got.ID != linkID {
			t.Errorf("%s: %+v, want 2 endpoints cut\n%s", command, got, text)
		}
		if !strings.Contains(text, "2 endpoints cut off") {
			t.Errorf("%s: no word of the endpoints in\n%s", command, text)
		}
	}
	text, _, _ := call(t.Context(), slices.Concat([]string{"explain", "shop/returns"}, with(same))...)
	for _, want := range []string{
		"private link service orders: for frontend ", "shared with          shop/orders", "configured by shop/orders", "owner                shop/orders",
		"connection           partner  (Approved)", "connection           visitor  (Pending, waits for approval)",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("explain: no %q in\n%s", want, text)
		}
	}
	if _, stderr, code := call(t.Context(), slices.Concat([]string{"plan", "--pls-remove-connected"}, with(same))...); code != exitError || !strings.Contains(stderr, "--pls-remove-unrequested") {
		t.Errorf("a flag without its other: %d %s", code, stderr)
	}
}

// TestPrivateLinkFlags: each flag reaches the policy, and changes what the plan does.
func TestPrivateLinkFlags(t *testing.T) {
	with := linked(t)
	alone := func(s string) string { // only the node is left
		return s[strings.LastIndex(s, "---\n")+4:]
	}
	owner := func(s string) string { // without the guest
		first, _, _ := strings.Cut(s, "---\n")
		return first + "---\n" + alone(s)
	}
	readdressed := func(s string) string { return strings.ReplaceAll(owner(s), "10.1.0.200", "10.1.0.201") }
	resettled := func(s string) string { // NAT addresses in a subnet that has network policies
		s = strings.ReplaceAll(owner(s), "ip-configuration-subnet: apps", "ip-configuration-subnet: nodes")
		return strings.ReplaceAll(s, "10.1.8.10 10.1.8.11", "10.1.0.20 10.1.0.21")
	}
	unasked := func(s string) string {
		return strings.ReplaceAll(owner(s), `azure-pls-create: "true"`, `azure-pls-create: "false"`)
	}
	plan := func(edit func(string) string, more ...string) string {
		out, stderr, _ := call(t.Context(), slices.Concat([]string{"plan", "--max-removals", "-1", "--allow-empty"}, with(edit), more)...)
		return out + stderr
	}
	unmanaged := filepath.Join(t.TempDir(), "unmanaged.json")
	state := with(owner)[2]
	if err := os.WriteFile(unmanaged, []byte(strings.ReplaceAll(readFile(t, state), "k8s-azure-cluster-name", "somebody")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		fact  string
		edit  func(string) string
		flags []string
		text  string
		want  bool
	}{
		{"it goes with its Services", alone, nil, "delete private link service orders", true},
		{"it stays when they go", alone, []string{"--pls-keep-deleted"}, "delete private link service orders", false},
		{"not asked for it stays", unasked, nil, "delete private link service orders", false},
		{"not asked for it stays while endpoints are connected", unasked, []string{"--pls-remove-unrequested"}, "delete private link service orders", false},
		{"not asked for it goes", unasked, []string{"--pls-remove-unrequested", "--pls-remove-connected"}, "delete private link service orders", true},
		{"another address waits", readdressed, nil, "private link service in the way", true},
		{"another address makes it anew", readdressed, []string{"--pls-recreate"}, "2 endpoints cut off", true},
		{"network policies are switched off", resettled, nil, "update subnet nodes", true},
		{"network policies are left alone", resettled, []string{"--pls-keep-subnet-policies"}, "update subnet nodes", false},
		{"nobody's is not touched", owner, []string{"--load", unmanaged}, "error: shop/orders", true},
		{"nobody's is taken over", owner, []string{"--load", unmanaged, "--pls-adopt"}, "Tags[k8s-azure-cluster-name]: none → kubernetes", true},
	} {
		if got := plan(c.edit, c.flags...); strings.Contains(got, c.text) != c.want {
			t.Errorf("%s: %q should be there: %v\n%s", c.fact, c.text, c.want, got)
		}
	}
}
