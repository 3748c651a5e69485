package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

func TestRun(t *testing.T) {
	for _, c := range []struct {
		golden string
		args   []string
		stdin  string
	}{
		{golden: "default.golden"},
		{golden: "one-verbose.golden", args: []string{"-v", "-f", "-"}, stdin: one},
	} {
		t.Run(c.golden, func(t *testing.T) {
			var out, errs bytes.Buffer
			if err := run(t.Context(), c.args, strings.NewReader(c.stdin), &out, &errs); err != nil {
				t.Error(err)
			}
			if errs.Len() > 0 {
				t.Errorf("on stderr: %s", &errs)
			}
			golden := filepath.Join("testdata", c.golden)
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), out.String()); d != "" {
				t.Errorf("output (-want +got), -update rewrites:\n%s", d)
			}
		})
	}
}

const one = `apiVersion: v1
kind: Service
metadata: {name: only}
spec:
  type: LoadBalancer
  ports: [{port: 80}]
`

func TestRunRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  []string
		stdin string
		want  string
	}{
		{
			"misspelt field",
			[]string{"-f", "-"},
			strings.Replace(one, "ports", "prots", 1),
			`stdin: document 1 (line 1): Service only: unknown field "spec.prots"`,
		},
		{"second document is wrong", []string{"-f", "-"}, one + "---\nkind: Service\n", "stdin: document 2 (line 8): "},
		{"file that is not there", []string{"-f", "none.yaml"}, "", "none.yaml"},
		{"no Service", []string{"-f", "nodes.yaml"}, "", "there is no Service in the manifests"},
		{"argument without -f", []string{"services.yaml"}, "", "manifests are named with -f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			err := run(t.Context(), c.args, strings.NewReader(c.stdin), &out, &errs)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want it to contain %q", err, c.want)
			}
			if out.Len() > 0 {
				t.Errorf("something was done: %s", &out)
			}
		})
	}
}
