package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dumped is a state as --dump writes it.
type dumped struct {
	Resources []struct {
		ID         string         `json:"id"`
		Properties map[string]any `json:"properties"`
	} `json:"resources"`
}

func readState(t *testing.T, file string) dumped {
	t.Helper()
	var d dumped
	if err := json.Unmarshal([]byte(readFile(t, file)), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d dumped) ids() (ids []string) {
	for _, r := range d.Resources {
		ids = append(ids, strings.ToLower(r.ID))
	}
	slices.Sort(ids)
	return ids
}

// joined counts the places in scale sets, model and instances, that name the pool.
func (d dumped) joined(t *testing.T) int {
	t.Helper()
	n := 0
	for _, r := range d.Resources {
		if strings.Contains(r.ID, "/virtualMachineScaleSets/") {
			text, err := json.Marshal(r.Properties)
			if err != nil {
				t.Fatal(err)
			}
			n += strings.Count(string(text), "/loadBalancers/kubernetes/backendAddressPools/kubernetes\"")
		}
	}
	return n
}

// TestScaleSets: the default of AKS, over HTTP with nothing but its azure.json: the nodes are in the pool when apply says ok, and when the last
// Service has gone nothing is left of it.
func TestScaleSets(t *testing.T) {
	const dir = "testdata/scalesets/"
	base, nodes, web := dir+"azure.json", dir+"nodes.yaml", dir+"web.yaml"
	state := filepath.Join(t.TempDir(), "state.json")
	apply := func(load string, manifests ...string) string {
		t.Helper()
		config, stop := serve(t, base, "--load", load, "--dump", state)
		args := []string{"apply", "--cloud-config", config}
		for _, m := range manifests {
			args = append(args, "-f", m)
		}
		stdout, stderr, code := call(t.Context(), args...)
		if code != exitFine {
			t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
		}
		if again, stderr, code := call(t.Context(), append([]string{"plan"}, args[1:]...)...); code != exitFine {
			t.Errorf("planning again: exit code %d\n%s%s", code, again, stderr)
		}
		stop()
		return stdout
	}
	seed := dir + "seed.json"
	if out := apply(seed, nodes, web); !strings.Contains(out, "default/web") || !strings.Contains(out, "ok") {
		t.Errorf("apply:\n%s", out)
	}
	if got := readState(t, state).joined(t); got != 3 {
		t.Errorf("the pool is named by %d of the model and its 2 instances, want 3", got)
	}
	apply(state, nodes)
	before, after := readState(t, seed), readState(t, state)
	if got, want := after.ids(), before.ids(); !slices.Equal(got, want) {
		t.Errorf("left after the last Service:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := after.joined(t); got != 0 {
		t.Errorf("%d places of the scale set still name the pool", got)
	}
}
