package fake_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/google/go-cmp/cmp"
)

// TestLoadDumpIsIdentity loads recorded states and dumps them again.
func TestLoadDumpIsIdentity(t *testing.T) {
	for _, file := range states(t) {
		t.Run(file, func(t *testing.T) {
			cloud := fake.New(nil)
			want := load(t, cloud, file)
			if d := cmp.Diff(string(want), dump(t, cloud)); d != "" {
				t.Errorf("state (-loaded +dumped):\n%s", d)
			}
		})
	}
}

// glob returns the files that match pattern and fails when there are none.
func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	return files
}

// TestNoRuleRefusesWhatAzureHas writes every recorded resource once more, unchanged: no rule may object, but for those on whose subject
// recordings and references disagree, and nothing may change.
func TestNoRuleRefusesWhatAzureHas(t *testing.T) {
	for _, file := range states(t) {
		t.Run(file, func(t *testing.T) {
			cloud := fake.New(&fake.Options{Waive: disputed})
			want := load(t, cloud, file)
			for _, o := range resources(t, want) {
				id := lb.ID(o["id"].(string))
				if _, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodPut, ID: id, Body: o}); err != nil {
					t.Errorf("PUT %s: %v", id, err)
				}
			}
			if d := cmp.Diff(string(want), dump(t, cloud)); d != "" {
				t.Errorf("state (-loaded +dumped):\n%s", d)
			}
		})
	}
}

// disputed are the rules on whose subject recordings and references disagree.
var disputed = []fake.Rule{
	fake.RuleBasicSKU, fake.RuleIPv6Only, fake.RuleProtocolAllWithPort, fake.RuleServiceOnIPPool, fake.RuleServiceOnFloatingIP,
}

// states returns the recorded states; AZLB_STATES names a folder with more of them, such as a copy of all recorded scenarios
// (SCENARIO/expected/NN/state.json).
func states(t *testing.T) []string {
	t.Helper()
	files := glob(t, "testdata/state/*.json")
	if dir := os.Getenv("AZLB_STATES"); dir != "" {
		files = append(files, glob(t, filepath.Join(dir, "*/expected/*/state.json"))...)
	}
	return files
}

// load loads file into cloud and returns what it holds.
func load(t *testing.T, cloud *fake.Cloud, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := cloud.Load(data); err != nil {
		t.Fatal(err)
	}
	return data
}

func dump(t *testing.T, cloud *fake.Cloud) string {
	t.Helper()
	data, err := cloud.Dump()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func resources(t *testing.T, state []byte) []armwire.Object {
	t.Helper()
	doc, err := armwire.Parse(state)
	if err != nil {
		t.Fatal(err)
	}
	var out []armwire.Object
	for _, o := range doc["resources"].([]any) {
		out = append(out, o.(armwire.Object))
	}
	return out
}
