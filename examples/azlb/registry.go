package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/azlb/azlb/annotations"
)

func (t *tool) annotationsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "annotations",
		Short: "Print every annotation that is read, with what it may hold and does",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return t.printRegistry() },
	}
	t.outputFlag(c, "text", "markdown", "json")
	return c
}

// registryKey is one key as -o json prints it.
type registryKey struct {
	Name       string          `json:"name"`
	Grammar    string          `json:"grammar"`
	Range      string          `json:"range,omitempty"`
	Default    string          `json:"default"`
	Scope      string          `json:"scope"`
	Conflicts  []registryClash `json:"conflicts"`
	Unusable   string          `json:"unusable,omitempty"`
	Deprecated string          `json:"deprecated,omitempty"`
	Dead       bool            `json:"dead,omitempty"`
	Doc        string          `json:"doc"`
}

type registryClash struct {
	With   string `json:"with"`
	Result string `json:"result"`
}

func (t *tool) printRegistry() error {
	switch t.flags.output {
	case "markdown":
		return annotations.WriteMarkdown(t.stdout)
	case "json":
		keys := []registryKey{}
		for _, k := range annotations.Keys() {
			keys = append(keys, newRegistryKey(k))
		}
		return t.printJSON(keys)
	}
	for _, k := range annotations.Keys() {
		t.printKey(newRegistryKey(k))
	}
	return nil
}

func newRegistryKey(k annotations.Key) registryKey {
	r := registryKey{
		Name: k.Name, Grammar: string(k.Grammar), Range: k.Range, Default: k.Default, Scope: k.Scope.String(),
		Conflicts: []registryClash{}, Deprecated: k.Deprecated, Dead: k.Dead, Doc: k.Doc,
	}
	if k.Outcome != 0 {
		r.Unusable = k.Outcome.String()
	}
	for _, c := range k.Conflicts {
		r.Conflicts = append(r.Conflicts, registryClash(c))
	}
	return r
}

func (t *tool) printKey(k registryKey) {
	t.printf("%s\n    %s\n", k.Name, k.Doc)
	line := func(name, value string) {
		if value != "" {
			t.printf("    %-10s  %s\n", name, value)
		}
	}
	value := k.Grammar
	if k.Range != "" {
		value += ": " + k.Range
	}
	line("value", value)
	line("default", k.Default)
	line("services", k.Scope)
	line("unusable", k.Unusable)
	if k.Dead {
		line("dead", "nothing reads it any more")
	}
	if k.Deprecated != "" {
		line("deprecated", "use "+k.Deprecated)
	}
	for _, c := range k.Conflicts {
		line("with", fmt.Sprintf("%s: %s", strings.TrimPrefix(c.With, annotations.Prefix), c.Result))
	}
	t.printf("\n")
}
