package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the sessions in testdata and in README.md")

// TestSessions runs the commands in testdata/*/session.golden in their directory. A session reads like a terminal: a line with a command,
// what it prints on both outputs, and its exit code if that is not zero. STATE is a file that does not exist at the beginning.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("testdata/*/session.golden")
	if err != nil || len(files) == 0 {
		t.Fatalf("no sessions: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			golden, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			want := readFile(t, golden)
			t.Chdir(filepath.Dir(file))
			compare(t, golden, want, replay(t, want))
		})
	}
}

// TestREADME runs the commands in the README's console blocks, from the top of the repository.
func TestREADME(t *testing.T) {
	golden, err := filepath.Abs("README.md")
	if err != nil {
		t.Fatal(err)
	}
	want := readFile(t, golden)
	t.Chdir("../..")
	const begin, end = "```console\n", "```\n"
	var got strings.Builder
	rest, state := want, filepath.Join(t.TempDir(), "state.json")
	for {
		before, block, ok := strings.Cut(rest, begin)
		got.WriteString(before)
		if !ok {
			break
		}
		block, after, ok := strings.Cut(block, end)
		if !ok {
			t.Fatal("a console block without end")
		}
		got.WriteString(begin + replayWith(t, block, state, "/tmp/azure-state.json") + end)
		rest = after
	}
	compare(t, golden, want, pictures(t, got.String()))
}

// pictures draws the Mermaid pictures of a text anew: each has the command that makes it in a comment before it.
func pictures(t *testing.T, text string) string {
	t.Helper()
	const begin, middle, end = "<!-- azlb ", " -->\n```mermaid\n", "```\n"
	var got strings.Builder
	drawn := 0
	for {
		before, rest, ok := strings.Cut(text, begin)
		got.WriteString(before)
		if !ok {
			break
		}
		command, rest, ok := strings.Cut(rest, middle)
		if !ok {
			t.Fatal("a command without a picture")
		}
		_, after, ok := strings.Cut(rest, "\n"+end)
		if !ok {
			t.Fatal("a picture without end")
		}
		picture, _ := execute(t, command)
		got.WriteString(begin + command + middle + strings.TrimRight(picture, "\n") + "\n" + end)
		text = after
		drawn++
	}
	if drawn == 0 {
		t.Error("no picture")
	}
	return got.String()
}

func compare(t *testing.T, golden, want, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("session (-want +got), -update rewrites:\n%s", d)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// replay runs the commands of a session and returns it as it is now.
func replay(t *testing.T, session string) string {
	return replayWith(t, session, filepath.Join(t.TempDir(), "state.json"), "STATE")
}

// replayWith is replay with the file that is called name in the session.
func replayWith(t *testing.T, session, state, name string) string {
	var out strings.Builder
	for line := range strings.Lines(session) {
		command, ok := strings.CutPrefix(line, "$ azlb ")
		if !ok {
			continue
		}
		out.WriteString(line)
		text, code := execute(t, strings.ReplaceAll(strings.TrimSpace(command), name, state))
		out.WriteString(strings.ReplaceAll(text, state, name))
		if code != 0 {
			fmt.Fprintf(&out, "[exit %d]\n", code)
		}
		out.WriteString("\n")
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// execute runs one command with what a shell would make of < FILE and 2>&1 | tail -n N at its end.
func execute(t *testing.T, command string) (string, int) {
	t.Helper()
	command, tail, cut := strings.Cut(command, " 2>&1 | tail -n ")
	command, input, piped := strings.Cut(command, " < ")
	var stdin io.Reader = strings.NewReader("")
	if piped {
		stdin = strings.NewReader(readFile(t, input))
	}
	var out bytes.Buffer
	code := run(t.Context(), strings.Fields(command), stdin, &out, &out)
	text := out.String()
	if cut {
		var n int
		if _, err := fmt.Sscan(tail, &n); err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(text, "\n")
		text = strings.Join(lines[max(0, len(lines)-1-n):], "")
	}
	return text, code
}

// call runs the tool and returns both outputs.
func call(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = run(ctx, args, strings.NewReader(""), &out, &errs)
	return out.String(), errs.String(), code
}
