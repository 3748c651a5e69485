package conformance

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/azlb/azlb/conformance/internal/statediff"
)

// The ways to run a scenario.
const (
	scratch = "scratch"
	ensure  = "ensure"
	adopt   = "adopt"
)

var ways = []string{scratch, ensure, adopt}

const (
	deviationsFile    = "deviations.txt"
	pendingFile       = "pending.txt"
	compatibilityFile = "../docs/compatibility.md"
)

// deviation is a line of deviations.txt, for one of its parts.
type deviation struct {
	line           int
	scenario, step string
	part           string
	pattern        statediff.Pattern
	row            string // id of a row of docs/compatibility.md
}

// pending is a line of pending.txt.
type pending struct{ scenario, part, reason string }

// readDeviations reads deviations.txt. A line that names something that is not there is an error.
func readDeviations(scenarios []string) ([]deviation, error) {
	rows, err := compatibilityRows()
	if err != nil {
		return nil, err
	}
	var list []deviation
	err = eachLine(deviationsFile, func(number int, line string) error {
		f := strings.Fields(line)
		if len(f) != 5 {
			return fmt.Errorf("want SCENARIO STEP PARTS PATTERN ROW")
		}
		d := deviation{line: number, scenario: f[0], step: f[1], row: f[4]}
		if d.pattern, err = statediff.ParsePattern(f[3]); err != nil {
			return err
		}
		if !rows[d.row] {
			return fmt.Errorf("docs/compatibility.md has no row %q", d.row)
		}
		if _, err := os.Stat(filepath.Join("scenarios", d.scenario, "expected", d.step)); err != nil {
			return fmt.Errorf("no step %s of %s", d.step, d.scenario)
		}
		for _, d.part = range strings.Split(f[2], ",") {
			if err := checkNames(scenarios, d.scenario, d.part); err != nil {
				return err
			}
			list = append(list, d)
		}
		return nil
	})
	return list, err
}

// readPending reads pending.txt.
func readPending(scenarios []string) ([]pending, error) {
	var list []pending
	err := eachLine(pendingFile, func(_ int, line string) error {
		f := strings.SplitN(line, " ", 3)
		if len(f) != 3 {
			return fmt.Errorf("want SCENARIO scratch|ensure|adopt REASON")
		}
		list = append(list, pending{scenario: f[0], part: f[1], reason: f[2]})
		return checkNames(scenarios, f[0], f[1])
	})
	return list, err
}

func checkNames(scenarios []string, scenario, part string) error {
	if !slices.Contains(scenarios, scenario) {
		return fmt.Errorf("no scenario %q", scenario)
	}
	if !slices.Contains(ways, part) {
		return fmt.Errorf("%q: want one of %v", part, ways)
	}
	return nil
}

// eachLine calls do for each line of a file that is no comment and not empty.
func eachLine(file string, do func(number int, line string) error) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := do(n, line); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	return lines.Err()
}

var compatibilityRow = regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|")

// compatibilityRows returns the ids of the rows of docs/compatibility.md: the first cell of each, in backquotes.
func compatibilityRows() (map[string]bool, error) {
	data, err := os.ReadFile(compatibilityFile)
	if err != nil {
		return nil, err
	}
	rows := map[string]bool{}
	for _, match := range compatibilityRow.FindAllSubmatch(data, -1) {
		rows[string(match[1])] = true
	}
	return rows, nil
}

// writePending rewrites pending.txt, keeping its comment at the top.
func writePending(list []pending) error {
	data, err := os.ReadFile(pendingFile)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "#") {
			break
		}
		b.WriteString(line)
	}
	slices.SortFunc(list, func(a, b pending) int {
		return strings.Compare(a.scenario+" "+b.part, b.scenario+" "+a.part) // scratch before adopt
	})
	for _, p := range list {
		fmt.Fprintf(&b, "%s %s %s\n", p.scenario, p.part, p.reason)
	}
	return os.WriteFile(pendingFile, b.Bytes(), 0o644)
}
