package safetext_test

import (
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/safetext"
)

func TestValue(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"empty", "", `""`},
		{"short", "a b", `"a b"`},
		{"what does not print", "a\x1b[31m\nb\u202e", `"a\x1b[31m\nb\u202e"`},
		{"as long as can be", strings.Repeat("x", 200), `"` + strings.Repeat("x", 200) + `"`},
		{"one more", strings.Repeat("x", 201), `"` + strings.Repeat("x", 200) + `"… (201 characters)`},
		{"characters, not bytes", strings.Repeat("ü", 250), `"` + strings.Repeat("ü", 200) + `"… (250 characters)`},
		{"not UTF-8", strings.Repeat("\xff", 300), `"` + strings.Repeat(`\xff`, 200) + `"… (300 characters)`},
	} {
		if got := safetext.Value(c.value); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}
