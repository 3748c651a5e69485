package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
)

// scenarios is where the recorded scenarios are; package conformance of the module beside this one compares everything about them.
const scenarios = "../../conformance/scenarios"

// TestRecordedScenarios takes every recorded scenario through the tool, one process per step so to speak: state from file to file. Exit
// codes and statuses must be as recorded, planning again must find nothing, and what upstream left behind must be taken over as it is.
// What package conformance announces as different, or as pending, is left out.
func TestRecordedScenarios(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(scenarios, "*", "steps"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	except := exceptions(t)
	for _, dir := range dirs {
		s := scenario{dir: filepath.Dir(dir), name: filepath.Base(filepath.Dir(dir)), except: except}
		t.Run(s.name, s.run)
	}
}

// exceptions are the words of the lines of deviations.txt and pending.txt, which begin with a scenario and its part; of deviations, with a
// scenario, a step and its parts, with commas between.
func exceptions(t *testing.T) [][]string {
	t.Helper()
	var list [][]string
	for _, file := range []string{"deviations.txt", "pending.txt"} {
		for line := range strings.Lines(readFile(t, filepath.Join(filepath.Dir(scenarios), file))) {
			words := strings.Fields(line)
			if len(words) > 2 && words[0] != "#" {
				list = append(list, words)
			}
		}
	}
	return list
}

type scenario struct {
	dir, name string
	except    [][]string
}

// excepted reports whether a step is announced to differ in part (scratch or adopt), or the scenario is pending.
func (s scenario) excepted(part, step string) bool {
	return slices.ContainsFunc(s.except, func(words []string) bool {
		if words[0] != s.name {
			return false
		}
		return words[1] == part || words[1] == step && slices.Contains(strings.Split(words[2], ","), part)
	})
}

// pending reports whether the scenario is known not to pass.
func (s scenario) pending(part string) bool {
	return slices.ContainsFunc(s.except, func(words []string) bool { return words[0] == s.name && words[1] == part })
}

// recorded is a status.json.
type recorded struct {
	ConfigError string `json:"configError"`
	Services    map[string]struct {
		LoadBalancer corev1.LoadBalancerStatus `json:"loadBalancer"`
		Error        string                    `json:"error"`
	} `json:"services"`
}

func (s scenario) run(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(s.dir, "steps", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "state.json")
	from := filepath.Join(s.dir, "seed.json")
	for _, file := range files {
		step := filepath.Base(file)[:2]
		var want recorded
		if !readJSON(t, filepath.Join(s.dir, "expected", step, "status.json"), &want) {
			s.refused(t, file)
			return
		}
		if !s.pending("scratch") {
			s.apply(t, file, from, state, want, s.excepted("scratch", step))
			from = state
		}
		if !s.excepted("adopt", step) && !want.failed() {
			s.adopt(t, file, filepath.Join(s.dir, "expected", step, "state.json"))
		}
	}
}

func (r recorded) failed() bool {
	for _, s := range r.Services {
		if s.Error != "" {
			return true
		}
	}
	return false
}

// readJSON reads a file, if it is there.
func readJSON(t *testing.T, path string, to any) bool {
	t.Helper()
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return false
	}
	if err == nil {
		err = json.Unmarshal(data, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func (s scenario) args(t *testing.T, command, file, from string, more ...string) []string {
	t.Helper()
	var about struct{ ClusterName string }
	readJSON(t, filepath.Join(s.dir, "scenario.json"), &about)
	return append([]string{
		command, "--fake", "--cloud-config", filepath.Join(s.dir, "azure.json"), "--cluster-name", about.ClusterName, "-f", file, "-o", "json",
		"--load", from, "--addresses", filepath.Join(s.dir, "addresses.json"), "--max-removals", "-1", "--allow-empty",
	}, more...)
}

// refused checks that a configuration is refused.
func (s scenario) refused(t *testing.T, file string) {
	var want recorded
	readJSON(t, filepath.Join(s.dir, "expected", "00", "status.json"), &want)
	if _, stderr, code := call(t.Context(), s.args(t, "plan", file, filepath.Join(s.dir, "seed.json"))...); code != exitError || stderr == "" {
		t.Errorf("exit code %d, stderr %q; the configuration is refused for %q", code, stderr, want.ConfigError)
	}
}

// apply takes one step and plans again after it.
func (s scenario) apply(t *testing.T, file, from, state string, want recorded, announced bool) {
	var out, errs bytes.Buffer
	tool := &tool{stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	var sides side
	readJSON(t, strings.TrimSuffix(file, ".yaml")+".arm.json", &sides)
	tool.opened = func(c *session) { sides.happen(t, c.Provider.(*fake.Cloud)) }
	code := tool.run(t.Context(), s.args(t, "apply", file, from, "--dump", state))
	var got result
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%s: exit code %d: %v\n%s%s", file, code, err, &out, &errs)
	}
	if announced || len(sides.Faults) > 0 {
		return // a fault that upstream gives up on may be mended in the call
	}
	if d := difference(got, want); d != "" {
		t.Errorf("%s: exit code %d: %s\n%s", file, code, d, &errs)
	}
	if failed := got.failed(); failed != (code == exitError) {
		t.Errorf("%s: exit code %d, failed %v", file, code, failed)
	}
	refused := slices.ContainsFunc(got.Steps, func(s step) bool { return s.Error != "" })
	if stdout, _, code := call(t.Context(), s.args(t, "plan", file, state)...); code == exitChanges && !refused {
		t.Errorf("%s: planning again finds something to do:\n%s", file, stdout)
	}
}

// difference compares statuses and errors. A Service whose bad input closes it is served, with an error that upstream does not have.
func difference(got result, want recorded) string {
	for name, w := range want.Services {
		g, ours := got.Services[name]
		switch {
		case !ours && (w.Error == "" || len(w.LoadBalancer.Ingress) == 0): // deleted, or of another class
		case w.Error != "" && g.Error == "":
			return fmt.Sprintf("%s: no error, want %q", name, w.Error)
		case w.Error == "" && addresses(g.Status) != addresses(w.LoadBalancer):
			return fmt.Sprintf("%s: %s, want %s; error %q", name, addresses(g.Status), addresses(w.LoadBalancer), g.Error)
		case w.Error == "" && g.Error != "" && !hasError(g.Findings):
			return fmt.Sprintf("%s: error %q, want none", name, g.Error)
		}
	}
	return ""
}

func hasError(list []finding) bool {
	return slices.ContainsFunc(list, func(f finding) bool { return f.Severity == lb.SeverityError.String() })
}

// adopt checks that what upstream left behind needs no change.
func (s scenario) adopt(t *testing.T, file, state string) {
	if stdout, stderr, code := call(t.Context(), s.args(t, "plan", file, state)...); code == exitChanges {
		t.Errorf("%s: adopting %s finds something to do:\n%s%s", file, state, stdout, stderr)
	}
}

// side is an .arm.json: what happens in Azure behind everybody's back before a step.
type side struct {
	Resources []map[string]any
	Delete    []lb.ID
	Faults    []struct {
		Method, Path string
		Count        int
		Action       struct {
			Type, Code, Message string
			Status              int
		}
	}
}

func (s side) happen(t *testing.T, azure *fake.Cloud) {
	t.Helper()
	for _, body := range s.Resources {
		put, id := azure.Put, lb.ID(body["id"].(string))
		if body["merge"] == true {
			put = azure.Merge
		}
		delete(body, "merge")
		if err := put(id, body); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range s.Delete {
		if err := azure.Delete(id); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range s.Faults {
		fault := fake.Fault{Method: f.Method, Path: f.Path, Count: f.Count}
		fault.Status, fault.Code, fault.Message = f.Action.Status, f.Action.Code, f.Action.Message
		switch f.Action.Type {
		case "conflict":
			fault.Status, fault.Code = http.StatusConflict, "AnotherOperationInProgress"
		case "precondition":
			fault.Status, fault.Code = http.StatusPreconditionFailed, "PreconditionFailed"
		}
		azure.Inject(fault)
	}
}

// TestExplainRecorded draws every Service of every scenario before and after it is served: nothing panics, and what is there is shown.
func TestExplainRecorded(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(scenarios, "*", "steps"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		dir = filepath.Dir(dir)
		s := scenario{dir: dir, name: filepath.Base(dir)}
		var want recorded
		if !readJSON(t, filepath.Join(dir, "expected", "01", "status.json"), &want) {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, "steps", "01-*.yaml"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v %v", dir, files, err)
		}
		for name := range want.Services {
			for _, from := range []string{"seed.json", "expected/01/state.json"} {
				args := slices.Insert(s.args(t, "explain", files[0], filepath.Join(dir, from)), 1, name)
				args = args[:len(args)-3] // --max-removals and --allow-empty are for those that plan
				stdout, stderr, _ := call(context.WithoutCancel(t.Context()), args...)
				var p struct{ Service string }
				if err := json.Unmarshal([]byte(stdout), &p); err != nil || p.Service != name {
					t.Errorf("%s: %s: %v\n%s", s.name, name, err, stderr)
				}
			}
		}
	}
}
