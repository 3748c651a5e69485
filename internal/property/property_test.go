package property_test

import (
	"flag"
	"slices"
	"testing"

	"github.com/azlb/azlb/internal/property"
	"pgregory.net/rapid"
)

// TestSameValues draws twice, which gives the same values, and not always the same one. The command line may ask for a seed that nobody knows.
func TestSameValues(t *testing.T) {
	draw := func() []int {
		var drawn []int
		property.Check(t, func(t *rapid.T) { drawn = append(drawn, rapid.IntRange(0, 1_000_000).Draw(t, "n")) })
		return drawn
	}
	first, second := draw(), draw()
	if seed := flag.Lookup("rapid.seed").Value.String(); seed != "0" && !slices.Equal(first, second) {
		t.Errorf("drew %v, and then %v", first, second)
	}
	if len(slices.Compact(slices.Sorted(slices.Values(first)))) < len(first)/2 {
		t.Errorf("drew few values: %v", first)
	}
}
