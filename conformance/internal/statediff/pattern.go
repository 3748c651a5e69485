package statediff

import (
	"fmt"
	"regexp"
	"strings"
)

// Pattern matches the paths of differences. It is a path in which * stands for any text within one step: within a pair of brackets, or
// within a field name. It matches a difference at its path and every difference below it. In resources[NAME] a name without a slash
// matches a resource of any type.
type Pattern struct {
	text string
	re   *regexp.Regexp
}

// ParsePattern reads a pattern.
func ParsePattern(s string) (Pattern, error) {
	var b strings.Builder
	b.WriteString(`(?i)^`)
	rest := s
	for rest != "" {
		open := strings.IndexByte(rest, '[')
		if open < 0 {
			b.WriteString(glob(rest, `[^.\[]*`))
			break
		}
		end := strings.IndexByte(rest[open:], ']')
		if end < 0 {
			return Pattern{}, fmt.Errorf("%q: bracket is not closed", s)
		}
		label := rest[open+1 : open+end]
		b.WriteString(glob(rest[:open], `[^.\[]*`) + `\[`)
		if rest[:open] == "resources" && !strings.Contains(label, "/") {
			b.WriteString(`(?:[^\]]*/)?`)
		}
		b.WriteString(glob(label, `[^\]]*`) + `\]`)
		rest = rest[open+end+1:]
	}
	b.WriteString(`(?:$|[.\[])`)
	re, err := regexp.Compile(b.String())
	return Pattern{text: s, re: re}, err
}

// glob quotes s with every * as star.
func glob(s, star string) string {
	parts := strings.Split(s, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return strings.Join(parts, star)
}

// Match reports whether p covers path.
func (p Pattern) Match(path string) bool { return p.re.MatchString(path) }

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }
