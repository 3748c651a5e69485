package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefuses: what is wrong with the call itself is one error that names the flag, and nothing is done.
func TestRefuses(t *testing.T) {
	file := func(text string) string {
		path := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"cluster name with a slash", append([]string{"--cluster-name", "a/b"}, shop[1:]...), "--cluster-name a/b: load balancers cannot have this name: "},
		{"cluster name that is too long", append([]string{"--cluster-name", strings.Repeat("a", 72)}, shop[1:]...), "--cluster-name aaa"},
		{"no cluster name", append([]string{"--cluster-name", ""}, shop[1:]...), "--cluster-name: want the name given to the cloud controller manager"},
		{"state that is none", append([]string{"--load", file(`{"/x": 3}`)}, shop[1:]...), `state.json: "/x": want an object with resourceGroups and resources`},
		{"state with resources that are none", append([]string{"--load", file(`{"resources": 3}`)}, shop[1:]...), "state.json: resources: want a list of objects"},
		{"state with a resource that is none", append([]string{"--load", file(`{"resources": [3]}`)}, shop[1:]...), "state.json: resources[0]: want an object"},
		{"state that is no JSON", append([]string{"--load", file(`resources:`)}, shop[1:]...), "state.json: "},
		{"manifest that is not there", append([]string{"-f", "none.yaml"}, shop[1:]...), "none.yaml"},
		{"azure.json that is not there", []string{"--fake", "--cloud-config", "none.json", "-f", "testdata/shop/services.yaml"}, "--cloud-config: open none.json"},
	} {
		for _, command := range []string{"plan", "apply"} {
			stdout, stderr, code := call(t.Context(), append([]string{command}, c.args...)...)
			if code != exitError || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
				t.Errorf("%s: %s: exit code %d, stdout %q, stderr %q; want one line with %q", command, c.name, code, stdout, stderr, c.want)
			}
			stdout, again, code := call(t.Context(), append([]string{command, "-o", "json"}, c.args...)...)
			var got map[string]string
			if err := json.Unmarshal([]byte(stdout), &got); err != nil || len(got) != 1 || "azlb: "+got["error"]+"\n" != stderr || again != stderr || code != exitError {
				t.Errorf("%s -o json: %s: exit code %d, %v, stdout %s, stderr %q", command, c.name, code, err, stdout, again)
			}
		}
	}
}

func TestExplainWithoutName(t *testing.T) {
	if _, stderr, code := call(t.Context(), "explain"); code != exitError || !strings.Contains(stderr, "name a Service, as in azlb explain NAMESPACE/NAME") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}
