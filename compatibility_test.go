package azlb_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unrecorded are deviations from the upstream provider that no recorded scenario shows.
var unrecorded = []string{
	"switch-is-true-or-false", "ip-tags-whole", "idle-timeout-trimmed", "ranges-are-errors", "moved-subnet-takes-free-address", "exclude-label-by-value",
	"owned-by-name-and-tag", "others-on-shared-objects", "class-told", "uid-needed", "group-checked-first", "pin-and-name-agree", "pools-told-apart", "prefix-by-itself",
}

// TestCompatibilityIsComplete: each deviation, those that the recorded scenarios show and those that they do not, has one row in
// docs/compatibility.md with all its cells, and what the row says shows it is there.
func TestCompatibilityIsComplete(t *testing.T) {
	rows := map[string][]string{}
	for line := range strings.Lines(read(t, "docs/compatibility.md")) {
		cells := strings.Split(strings.Trim(strings.ReplaceAll(strings.TrimSpace(line), `\|`, ""), "|"), "|")
		id := strings.TrimSpace(cells[0])
		if len(cells) < 4 || !strings.HasPrefix(id, "`") {
			continue
		}
		id = strings.Trim(id, "`")
		if rows[id] != nil {
			t.Errorf("%s has two rows", id)
		}
		rows[id] = cells
	}
	if len(rows) < 50 {
		t.Fatalf("%d rows, want the table", len(rows))
	}
	want := slices.Clone(unrecorded)
	for line := range strings.Lines(read(t, "conformance/deviations.txt")) {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
			want = append(want, f[len(f)-1])
		}
	}
	for _, id := range want {
		if rows[id] == nil {
			t.Errorf("no row for %s", id)
		}
	}
	for id, cells := range rows {
		if len(cells) != 6 || slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "" }) {
			t.Errorf("%s has the cells %q, want six", id, cells)
			continue
		}
		checkEvidence(t, id, cells[5])
	}
}

var quoted = regexp.MustCompile("`([^`]+)`(?: in `([^`]+)`)?")

// checkEvidence looks for the cases, tests and scenarios that a cell names.
func checkEvidence(t *testing.T, id, cell string) {
	t.Helper()
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		name, in := m[1], m[2]
		switch {
		case strings.Contains(name, "/"):
			if _, err := os.Stat(name); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		case strings.HasPrefix(name, "Test"):
			files, err := filepath.Glob(filepath.Join(in, "*_test.go"))
			if err != nil || !slices.ContainsFunc(files, func(f string) bool { return strings.Contains(read(t, f), "func "+name+"(") }) {
				t.Errorf("%s: no %s in %q", id, name, in)
			}
		case in == "":
			dirs := []string{"conformance/scenarios", "lb/testdata/plan"}
			if !slices.ContainsFunc(dirs, func(dir string) bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }) {
				t.Errorf("%s: no %s in any of %q", id, name, dirs)
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
