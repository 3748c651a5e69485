package safetext_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/google/go-cmp/cmp"
)

func TestQuote(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"ASCII, with what Go would escape", `a "b" \n ~`, `a "b" \n ~`},
		{"other scripts", "Grüße, 東京, שלום, नमस्ते, 🚢", "Grüße, 東京, שלום, नमस्ते, 🚢"},
		{"line breaks and tabs", "a\r\n\tb\v\f", `a\r\n\tb\v\f`},
		{"escape sequences", "\x1b[2J\x1b]0;x\a\x7f", `\x1b[2J\x1b]0;x\a\x7f`},
		{"control characters of Latin 1", "\u0085\u009b2J", `\u0085\u009b2J`},
		{"reading direction", "\u202etxt\u2066\u200f", `\u202etxt\u2066\u200f`},
		{"no width", "a\u200bb\u00ad\ufeff\u2060", `a\u200bb\u00ad\ufeff\u2060`},
		{"seen by nobody", "\u3164\u034f\ufe0f\U000e0041", `\u3164\u034f\ufe0f\U000e0041`},
		{"breaks that are no control characters", "a\u2028b\u2029c\u00a0d", `a\u2028b\u2029c\u00a0d`},
		{"no UTF-8", "a\xff\xc3b", `a\xff\xc3b`},
		{"the character for no UTF-8 itself", "\ufffd", "\ufffd"},
	} {
		if got := safetext.Quote(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFprintf(t *testing.T) {
	type name string
	got := safetext.Sprintf("%-4s|%*d|%v|%v|%q|%s|%5.1f\n", name("a\n"), 3, 7, errors.New("b\x1b"), []name{"c\u202e"}, "d\n", unicode.Lu, 1.25)
	if want := `a\n  |  7|b\x1b|[c\u202e]|"d\n"|`; !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q, want %q and one line break", got, want)
	}
}

func TestLines(t *testing.T) {
	hostile := errors.New("x\nazlb: all fine\x1b[2J")
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"one", hostile, []string{`x\nazlb: all fine\x1b[2J`}},
		{"joined", errors.Join(hostile, errors.New("y")), []string{`x\nazlb: all fine\x1b[2J`, "y"}},
		{"wrapped", fmt.Errorf("a\n: %w", errors.Join(hostile, errors.New("y"))), []string{`a\n: x\nazlb: all fine\x1b[2J`, "y"}},
		{"several wrapped", fmt.Errorf("%w: %w", errors.New("a"), errors.Join(errors.New("b"), errors.New("c"))), []string{"a: b", "c"}},
		{"joined in joined", errors.Join(errors.Join(errors.New("a"), errors.New("a")), errors.New("b")), []string{"a", "a", "b"}},
		{"wrapped without its text", silent{hostile}, []string{"silent"}},
	} {
		if d := cmp.Diff(c.want, safetext.Lines(c.err)); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

type silent struct{ err error }

func (silent) Error() string   { return "silent" }
func (s silent) Unwrap() error { return s.err }

// FuzzQuote: what is quoted is printable, quoting again changes nothing, and JSON has the same value as before.
func FuzzQuote(f *testing.F) {
	f.Add("a\u202e\x1b\xff\U000e0041")
	f.Fuzz(func(t *testing.T, s string) {
		quoted := safetext.Quote(s)
		if !safetext.Printable(quoted) || safetext.Quote(quoted) != quoted {
			t.Errorf("%q is quoted as %q", s, quoted)
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		safe := safetext.JSON(data)
		if err := errors.Join(json.Unmarshal(data, &before), json.Unmarshal(safe, &after)); err != nil || before != after {
			t.Errorf("%s became %s: %v", data, safe, err)
		}
		if !safetext.Printable(string(safe)) {
			t.Errorf("%q is not printable", safe)
		}
		if lines := safetext.Lines(errors.New(s)); !slices.Equal(lines, []string{quoted}) {
			t.Errorf("lines %q, want %q", lines, quoted)
		}
	})
}
