package lb

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEdgesAreDocumented compares the table of docs/operations.md with the rules.
func TestEdgesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "<!-- edges:")
	table, _, _ = strings.Cut(table, "\n## ")
	var got []string
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	row := func(name Edge, hard bool, risk Risk) string {
		mark := ""
		if risk != "" {
			mark = "`" + string(risk) + "`"
		}
		return fmt.Sprintf("| `%s` | %s | %s | %s |", name, name.Text(), map[bool]string{true: "yes", false: "no"}[hard], mark)
	}
	var want []string
	for _, r := range orderRules {
		want = append(want, row(r.name, r.hard, r.risk))
	}
	want = append(want, row(EdgeOneParent, true, ""))
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("table of rules in docs/operations.md (-want +got):\n%s", d)
	}
}

// TestRulesAreDistinct checks that a pair of deeds, and a name, stand for one rule each.
func TestRulesAreDistinct(t *testing.T) {
	pairs, names := map[[2]deed]Edge{}, map[Edge]bool{EdgeOneParent: true}
	for _, r := range orderRules {
		if was, ok := pairs[[2]deed{r.first, r.second}]; ok {
			t.Errorf("%s has the deeds of %s", r.name, was)
		}
		if names[r.name] {
			t.Errorf("two rules are named %s", r.name)
		}
		pairs[[2]deed{r.first, r.second}], names[r.name] = r.name, true
	}
}

// TestCircle has two steps wait for each other, by a soft rule and by hard ones.
func TestCircle(t *testing.T) {
	rules := []orderRule{
		{first: serves, second: namesNew, name: "known", hard: true},
		{first: shuts, second: serves, name: "hard", hard: true, risk: RiskExposure},
		{first: replaces, second: retires, name: "soft", risk: RiskTraffic},
	}
	type edge struct {
		first  int
		does   deed
		second int
		then   deed
	}
	for _, c := range []struct {
		fact   string
		edges  []edge
		order  []string
		waived map[string][]Edge
		risks  map[string][]Risk
	}{
		{
			"a soft rule gives way to a hard one, though it came first",
			[]edge{{0, replaces, 1, retires}, {1, shuts, 0, serves}},
			[]string{"b", "a", "c"},
			map[string][]Edge{"b": {"soft"}},
			map[string][]Risk{"b": {RiskTraffic}},
		},
		{
			"of two hard ones the lower row gives way, and is marked",
			[]edge{{0, serves, 1, namesNew}, {1, shuts, 0, serves}},
			[]string{"a", "b", "c"},
			map[string][]Edge{"b": nil, "a": {"hard"}},
			map[string][]Risk{"a": {RiskExposure}},
		},
		{
			"who only waits for a circle keeps its wait",
			[]edge{{0, serves, 1, namesNew}, {1, shuts, 0, serves}, {1, shuts, 2, serves}},
			[]string{"a", "b", "c"},
			map[string][]Edge{"a": {"hard"}},
			map[string][]Risk{"a": {RiskExposure}},
		},
	} {
		t.Run(c.fact, func(t *testing.T) {
			s := newDrafts(rules)
			for _, name := range []string{"a", "b", "c"} {
				s.add(stagePublicIP, PutPublicIP{After: PublicIP{ID: diffPIP(name)}}, nil)
			}
			for _, e := range c.edges {
				s.order(s.list[e.first], e.does, s.list[e.second], e.then)
			}
			var order []string
			for _, step := range s.ordered() {
				name := step.Op.Target().Name()
				order = append(order, name)
				if d := cmp.Diff(c.waived[name], step.Waived, cmpAddrs); d != "" {
					t.Errorf("waived of %s (-want +got):\n%s", name, d)
				}
				if d := cmp.Diff(c.risks[name], step.Risks, cmpAddrs); d != "" {
					t.Errorf("risks of %s (-want +got):\n%s", name, d)
				}
				if len(step.Why) != len(step.After) {
					t.Errorf("%s waits for %v by %v", name, step.After, step.Why)
				}
			}
			if d := cmp.Diff(c.order, order); d != "" {
				t.Errorf("order (-want +got):\n%s", d)
			}
		})
	}
}
