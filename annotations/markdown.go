package annotations

import (
	"fmt"
	"io"
	"strings"
)

//go:generate go run ./internal/gen -o ../docs/annotations.md

// sections are the parts of the manual, one per scope.
var sections = []struct {
	scope       Scope
	title, text string
}{
	{ScopeAll, "Every Service of type LoadBalancer", ""},
	{ScopeInternal, "Internal Services", "With `azure-load-balancer-internal: \"true\"`."},
	{ScopeExternal, "External Services", "Without `azure-load-balancer-internal: \"true\"`."},
	{ScopePort, "One port of a Service", "`{n}` is the number of the port in `spec.ports[].port`; ports that have the same number share the key."},
	{ScopePrivateLink, "Private link", "With `azure-pls-create: \"true\"`."},
	{ScopeSeveral, "Several load balancers", "In clusters whose configuration has `multipleStandardLoadBalancerConfigurations`."},
	{ScopeBasic, "Basic load balancers", "In clusters whose configuration says `loadBalancerSku: basic`."},
	{ScopeNone, "Dead keys", "Still met in manifests; nothing reads them."},
}

const head = `<!-- Made by "go generate ./annotations" from the registry of that package. Do not edit. -->

# Annotations

Every key below begins with ` + "`" + Prefix + "`" + `. Blanks around a value, and around the items of a list, do not matter.
Switches are ` + "`true` or `false`" + ` in any case.

What a value that cannot be used does stands in the last column, and there is always a finding about it:

- **hold**: what the Service has in Azure stays as it is, and nothing is added, until the value is mended.
- **close**: the bad item is dropped, and everything that is not allowed is denied. With floating IP off the denial would cover the nodes
  themselves, so the Service is held.
- **default**: the value is as good as absent.

A list with more items than Azure takes holds the Service, and is not read any further.
`

// WriteMarkdown writes the registry as the manual: a table for each scope.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(head)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		if s.text != "" {
			fmt.Fprintf(&b, "%s\n\n", s.text)
		}
		b.WriteString("| key | value | default | what it does | unusable |\n| --- | --- | --- | --- | --- |\n")
		for i := range registry {
			if k := &registry[i]; k.Scope == s.scope {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", short(k.Name), cell(k.value()), cell(k.Default), cell(k.story()), k.unusable())
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// value is what the key may hold.
func (k *Key) value() string {
	if k.Range == "" {
		return string(k.Grammar)
	}
	return string(k.Grammar) + ": " + k.Range
}

// story is what the key does, with what speaks against it.
func (k *Key) story() string {
	text := k.Doc
	if k.Deprecated != "" {
		text = "Deprecated, use " + k.Deprecated + ". " + text
	}
	for _, c := range k.Conflicts {
		text += fmt.Sprintf(" With %s: %s.", short(c.With), c.Result)
	}
	return text
}

func (k *Key) unusable() string {
	if k.Outcome == 0 {
		return "–"
	}
	return k.Outcome.String()
}

// cell makes text fit into a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "_", `\_`, "[", `\[`, "]", `\]`).Replace(text)
}
