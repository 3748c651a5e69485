package statediff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// Absent is the text of a side that has nothing.
const Absent = "(absent)"

// Difference is one place where two states differ. An element that only one side has is one difference, however much is in it.
type Difference struct {
	Path      string // such as resources[loadBalancers/kubernetes].properties.probes[web].properties.port
	Want, Got string // compact JSON with ids cut to what follows the provider, or Absent
}

// String returns the difference on three lines.
func (d Difference) String() string {
	return fmt.Sprintf("%s\n    want %s\n    got  %s", d.Path, d.Want, d.Got)
}

// Format prints at most limit differences, and how many more there are.
func Format(list []Difference, limit int) string {
	var b strings.Builder
	for i, d := range list {
		if i == limit {
			fmt.Fprintf(&b, "... and %d more\n", len(list)-limit)
			break
		}
		fmt.Fprintln(&b, d)
	}
	return b.String()
}

// maxText is how much of one side is printed.
const maxText = 600

// network is the boring part of an id; what follows it tells resources apart within a scenario.
var network = regexp.MustCompile(`(?i)/subscriptions/[^/"]+/resourceGroups/[^/"]+/providers/Microsoft\.[a-z]+/`)

// text renders one side for people.
func text(v any) string {
	if v == nil {
		return Absent
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	s := network.ReplaceAllString(strings.TrimSpace(b.String()), "…/")
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText]) + "…"
	}
	return s
}
