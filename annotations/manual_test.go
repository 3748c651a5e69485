package annotations_test

import (
	"os"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/google/go-cmp/cmp"
)

func TestManualIsFresh(t *testing.T) {
	got, err := os.ReadFile("../docs/annotations.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	if err := annotations.WriteMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want.String(), string(got)); d != "" {
		t.Errorf("docs/annotations.md is stale, run go generate ./annotations (-want +got):\n%s", d)
	}
	for _, k := range annotations.Keys() {
		if !strings.Contains(string(got), "| `"+strings.TrimPrefix(k.Name, p)+"` |") {
			t.Errorf("%s is not in the manual", k.Name)
		}
	}
}
