package lb_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sections are the parts of upstream's behaviour that cases of testdata/plan follow where no recorded scenario does. What follows in a section
// file after the name of the part says more.
var sections = []string{
	"load balancer: configuration",
	"load balancer: tags",
	"load balancer: annotations",
	"load balancer: spec fields",
	"load balancer: names",
	"load balancer: selection",
	"load balancer: internal and external",
	"load balancer: several load balancers",
	"load balancer: basic load balancers",
	"load balancer: foreign objects",
	"load balancer: sharing a frontend",
	"load balancer: frontends",
	"load balancer: rules",
	"load balancer: probes",
	"load balancer: pools",
	"load balancer: outbound rules",
	"load balancer: quirks",
	"public IP: inputs",
	"public IP: names",
	"public IP: lookup by address",
	"public IP: owners",
	"public IP: writing",
	"public IP: tags",
	"public IP: DNS label",
	"public IP: IP tags",
	"public IP: releasing",
	"public IP: outcome of changes",
	"public IP: status",
	"public IP: internal and external",
	"public IP: quirks",
	"access control: configuration",
	"access control: inputs",
	"access control: range parsing and normalisation",
	"access control: destinations and ports",
	"access control: which rules a Service wants",
	"access control: rule shape",
	"access control: one reconcile",
	"access control: Services that share destinations",
	"access control: tags",
	"access control: deletion",
	"access control: what upstream gets wrong",
	"private link service: configuration",
	"private link service: inputs",
	"private link service: which Services may have one",
	"private link service: ensure",
	"private link service: desired properties and comparison",
	"private link service: subnet network policies",
	"private link service: tags and ownership",
	"private link service: deletion and order",
	"private link service: limits",
	"private link service: neighbouring effects",
	"private link service: what upstream gets wrong",
	"private link service: the documentation",
}

// TestEverySectionHasCases counts the cases of each section: none may be without, and no case may name one that is not in the list.
func TestEverySectionHasCases(t *testing.T) {
	cases := map[string]int{}
	for _, pattern := range []string{"lb-*", "ip-*", "nsg-*", "pls-*"} {
		dirs, err := filepath.Glob(filepath.Join("testdata/plan", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			text := strings.TrimSpace(string(mustRead(t, dir, "section")))
			at := slices.IndexFunc(sections, func(s string) bool {
				rest, ok := strings.CutPrefix(text, s)
				return ok && (rest == "" || strings.ContainsRune(":;,", rune(rest[0])) || strings.HasPrefix(rest, " of "))
			})
			if at < 0 {
				t.Errorf("%s: no section %q", dir, text)
				continue
			}
			if states := pattern == "lb-*" || pattern == "ip-*"; states && !exists(dir, "state.golden") {
				t.Errorf("%s: no state.golden, which says what comes of it", dir)
			}
			cases[sections[at]]++
		}
	}
	for _, s := range sections {
		if cases[s] == 0 {
			t.Errorf("no case follows %q", s)
		}
		t.Logf("%3d %s", cases[s], s)
	}
}
