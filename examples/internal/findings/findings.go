// Package findings helps programs to say what was found out about Services: each thing once, until it changes.
package findings

import (
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// Cluster is the Service of the API server itself, which every cluster has: what is found about no Service in particular is said of it.
var Cluster = types.NamespacedName{Namespace: "default", Name: "kubernetes"}

// Text is a finding without the name of its Service, for whoever writes it where that is known.
func Text(f lb.Finding) string { return strings.TrimPrefix(f.Field+": "+f.Err.Error(), ": ") }

// Texts are the texts of findings, each once.
func Texts(findings []lb.Finding) []string {
	var all []string
	for _, f := range findings {
		if line := Text(f); !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// Of returns those about one Service; the zero name: about none in particular.
func Of(findings []lb.Finding, name types.NamespacedName) []lb.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f lb.Finding) bool { return f.Service != name })
}

// Told remembers what has been said. The zero value has heard nothing.
type Told struct {
	mu   sync.Mutex
	last map[types.NamespacedName][]string
}

// News returns those of texts that were not there when the same Service was asked about last.
func (t *Told) News(name types.NamespacedName, texts []string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.last[name]
	if t.last == nil {
		t.last = map[types.NamespacedName][]string{}
	}
	if t.last[name] = texts; len(texts) == 0 {
		delete(t.last, name)
	}
	return slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return slices.Contains(before, s) })
}

// Cut is text of at most n bytes, with an ellipsis where something is left out.
func Cut(text string, n int) string {
	const ellipsis = "…"
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n-len(ellipsis)], "") + ellipsis
}

// MostNote is how long the API server lets the note of an Event be, in bytes.
const MostNote = 1024
