package conformance

import (
	"testing"

	"github.com/azlb/azlb/conformance/internal/statediff"
)

func TestRemoveAnnounced(t *testing.T) {
	results := func() []result {
		return []result{
			{step: "01", part: scratch, differences: []statediff.Difference{{Path: "resources[nsg].tags.a"}, {Path: "resources[nsg].tags.b"}}},
			{step: "02", part: scratch, differences: []statediff.Difference{{Path: "resources[nsg].tags.a"}}},
		}
	}
	for _, c := range []struct {
		name                           string
		scenario, step, part, pattern  string
		leftInFirst, leftInSecond, not int // differences left in the steps, and lines that cover nothing
	}{
		{"one of two in its step only", "s", "01", scratch, "resources[nsg].tags.a", 1, 1, 0},
		{"all below a path", "s", "01", scratch, "resources[nsg].tags", 0, 1, 0},
		{"nothing there", "s", "02", scratch, "resources[nsg].tags.b", 2, 1, 1},
		{"step that was not run", "s", "03", scratch, "resources[nsg]", 2, 1, 1},
		{"other part", "s", "01", adopt, "resources[nsg]", 2, 1, 0},
		{"other scenario", "x", "01", scratch, "resources[nsg]", 2, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			pattern, err := statediff.ParsePattern(c.pattern)
			if err != nil {
				t.Fatal(err)
			}
			r := results()
			unused := removeAnnounced(r, "s", []deviation{{scenario: c.scenario, step: c.step, part: c.part, pattern: pattern}})
			if len(r[0].differences) != c.leftInFirst || len(r[1].differences) != c.leftInSecond || len(unused) != c.not {
				t.Errorf("left %d and %d, unused %d; want %d, %d, %d",
					len(r[0].differences), len(r[1].differences), len(unused), c.leftInFirst, c.leftInSecond, c.not)
			}
		})
	}
}
