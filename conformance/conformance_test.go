package conformance

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/azlb/azlb/conformance/internal/statediff"
)

var updatePending = flag.Bool("update-pending", false, "rewrite pending.txt with what fails now")

// maxDifferences is how many differences of one step are printed.
const maxDifferences = 25

// result is what one part of one step came to.
type result struct {
	step, part  string
	differences []statediff.Difference
	notes       string // plan and findings, to find out why
}

func TestScenarios(t *testing.T) {
	names := scenarioNames(t)
	deviations, err := readDeviations(names)
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := readPending(names)
	if err != nil {
		t.Fatal(err)
	}
	b := &board{pending: waiting}
	t.Cleanup(func() {
		if !*updatePending {
			return
		}
		if err := writePending(b.pending); err != nil {
			t.Error(err)
		}
	})
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := loadScenario(filepath.Join("scenarios", name))
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range ways {
				for _, d := range doors {
					b.check(t, name, s, part, d, deviations)
				}
			}
		})
	}
}

// check runs one part of a scenario through one door.
func (b *board) check(t *testing.T, name string, s scenario, part string, d door, deviations []deviation) {
	if d.name != "" && *updatePending {
		return
	}
	results := guarded(part, func() []result { return run(t, s, part, d) })
	unused := removeAnnounced(results, name, deviations)
	reason, isPending := b.settle(name, part, results, d)
	report(t, results, d, reason, isPending)
	if isPending {
		return
	}
	for _, u := range unused {
		t.Errorf("%s:%d: covers no difference any more: remove the line (%s%s)", deviationsFile, u.line, part, d.name)
	}
}

// scenarioNames returns the names of all scenarios.
func scenarioNames(t *testing.T) []string {
	files, err := filepath.Glob("scenarios/*/scenario.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	return names
}

// guarded turns a panic of the code under test into a result.
func guarded(part string, run func() []result) (results []result) {
	defer func() {
		if p := recover(); p != nil {
			d := statediff.Difference{Path: "panic", Want: "none", Got: fmt.Sprint(p)}
			results = []result{{step: "00", part: part, differences: []statediff.Difference{d}, notes: string(debug.Stack())}}
		}
	}()
	return run()
}

// run runs one part of a scenario.
func run(t *testing.T, s scenario, part string, d door) []result {
	switch {
	case s.configError != "" && part == scratch:
		return []result{runConfigError(s)}
	case s.configError != "":
		return nil
	case part == scratch:
		return runSteps(t, s, d, part, (*host).sync)
	case part == ensure:
		return runSteps(t, s, d, part, (*host).calls)
	default:
		return runAdopt(t, s, d)
	}
}

// removeAnnounced takes announced differences out of results and returns the announcements that covered none.
func removeAnnounced(results []result, scenario string, all []deviation) (unused []deviation) {
	for _, d := range all {
		if d.scenario != scenario || len(results) == 0 || d.part != results[0].part {
			continue
		}
		used := false
		for i := range results {
			r := &results[i]
			if r.step != d.step {
				continue
			}
			before := len(r.differences)
			r.differences = slices.DeleteFunc(r.differences, func(x statediff.Difference) bool { return d.pattern.Match(x.Path) })
			used = used || len(r.differences) < before
		}
		if !used {
			unused = append(unused, d)
		}
	}
	return unused
}

// report makes a subtest of each result.
func report(t *testing.T, results []result, d door, reason string, isPending bool) {
	failures := 0
	for _, r := range results {
		if len(r.differences) > 0 {
			failures++
		}
		t.Run(r.step+"/"+r.part+d.name, func(t *testing.T) {
			if len(r.differences) == 0 {
				return
			}
			text := fmt.Sprintf("%d differences:\n%s\n%s", len(r.differences), statediff.Format(r.differences, maxDifferences), r.notes)
			if isPending {
				t.Skipf("pending: %s\n%s", reason, text)
			}
			t.Error(text)
		})
	}
	if isPending && failures == 0 && !*updatePending {
		t.Errorf("%s passes now: remove its line from %s, or run with -update-pending", results[0].part, pendingFile)
	}
}

// board knows what is pending and, when it is to be updated, learns it.
type board struct {
	mu      sync.Mutex
	pending []pending
}

// settle returns the reason why a part of a scenario is pending, if it is.
func (b *board) settle(scenario, part string, results []result, d door) (reason string, isPending bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.IndexFunc(b.pending, func(p pending) bool { return p.scenario == scenario && p.part == part })
	first := firstDifference(results)
	if d.name != "" && at >= 0 && first == "" {
		return "", false // the cloud itself says that the line is to go
	}
	if *updatePending && at >= 0 && first == "" {
		b.pending = slices.Delete(b.pending, at, at+1)
		return "", false
	}
	if *updatePending && at < 0 && first != "" {
		at = len(b.pending)
		b.pending = append(b.pending, pending{scenario: scenario, part: part})
	}
	if *updatePending && at >= 0 && (b.pending[at].reason == "" || writtenReason.MatchString(b.pending[at].reason)) {
		b.pending[at].reason = first
	}
	if at < 0 {
		return "", false
	}
	return b.pending[at].reason, true
}

// writtenReason matches the reasons that -update-pending writes: the first difference, which begins with the number of its step.
var writtenReason = regexp.MustCompile(`^\d\d: `)

// firstDifference describes the first difference on one line, or returns "".
func firstDifference(results []result) string {
	for _, r := range results {
		if len(r.differences) > 0 {
			d := r.differences[0]
			text := strings.Join(strings.Fields(fmt.Sprintf("%s: %s: want %s got %s", r.step, d.Path, d.Want, d.Got)), " ")
			if cut := []rune(text); len(cut) > 200 {
				text = string(cut[:200]) + "…"
			}
			return text
		}
	}
	return ""
}
