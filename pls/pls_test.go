package pls

import (
	"strings"
	"testing"

	"github.com/azlb/azlb/lb/armid"
)

func TestName(t *testing.T) {
	for _, c := range []struct{ name, frontend, want string }{
		{"default frontend", "a257b965551374ad2b091ef3f07043ad", "pls-a257b965551374ad2b091ef3f07043ad"},
		{"frontend on a subnet of its own", "a257b965551374ad2b091ef3f07043ad-apps", "pls-a257b965551374ad2b091ef3f07043ad-apps"},
		{"longest name of a frontend", strings.Repeat("f", 80), "pls-" + strings.Repeat("f", 76)},
		{"cut before a character that no name ends with", strings.Repeat("f", 75) + "-ffff", "pls-" + strings.Repeat("f", 75)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Name(c.frontend)
			if got != c.want {
				t.Errorf("Name(%q) = %q, want %q", c.frontend, got, c.want)
			}
			if err := armid.CheckName(armid.PrivateLinkServices, got); err != nil {
				t.Errorf("ARM would refuse %q: %v", got, err)
			}
		})
	}
}
