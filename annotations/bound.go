package annotations

import (
	"cmp"
	"fmt"
	"strings"
)

// Bounds that Azure sets to lists. A list with more items than that holds its Service, and is not looked at any further.
const (
	MaxTags          = 50   // tags of a resource
	MaxSubscriptions = 100  // subscriptions that a private link service is visible to, or that it approves by itself; asked when it is made
	MaxAdditional    = 4000 // addresses that a security group has as destinations
	MaxServiceTags   = 1000 // rules of a security group: each service tag needs one of its own
)

// maxName is the number of characters of a domain name, and of more than any service tag has.
const maxName = 253

// maxTold is the number of errors of one kind that are told of one annotation, or of one list of the spec, besides the last one. What is wrong with
// twenty items is wrong with the others too, and a quarter of a megabyte of them is nobody's reading.
const maxTold = 20

// tooMany holds the Service for a list with more items than Azure takes.
func (p *parser) tooMany(value string, most int, of string) {
	p.report(p.rank, Error{Key: p.key, Value: value, Outcome: Hold}, ErrRange, "want at most %d %s", most, of)
}

// distinct is a list without duplicates, in the order in which they came.
type distinct[T comparable] struct {
	items []T
	has   map[T]bool
}

func (d *distinct[T]) add(v T) {
	if d.has[v] {
		return
	}
	if d.has == nil {
		d.has = map[T]bool{}
	}
	d.has[v] = true
	d.items = append(d.items, v)
}

// tally tells errors that are alike up to [maxTold], and then the last one with the number of those between.
type tally map[alike]*told

// alike is what errors have in common that one of them can stand for: the annotation or the list, and the kind.
type alike struct {
	field string
	kind  error
}

// told are errors that are alike. The text of the last one is made when there are no more.
type told struct {
	n      int
	last   *Error
	format string
	args   []any
}

// add returns the error to list, nil if one that was listed stands for it.
func (t *tally) add(e Error, kind error, format string, args ...any) *Error {
	if *t == nil {
		*t = tally{}
	}
	list, _, _ := strings.Cut(e.Path, "[")
	at := alike{cmp.Or(e.Key, list), kind}
	if (*t)[at] == nil {
		(*t)[at] = &told{}
	}
	g := (*t)[at]
	g.n++
	if g.n <= maxTold {
		e.Err = fmt.Errorf("%w: %s", kind, fmt.Sprintf(format, args...))
		return &e
	}
	g.format, g.args = format, args
	if g.last != nil {
		*g.last = e
		return nil
	}
	g.last = &e
	return g.last
}

// finish writes the texts of the last errors.
func (t tally) finish() {
	for at, g := range t {
		if g.last == nil {
			continue
		}
		text := fmt.Sprintf(g.format, g.args...)
		if more := g.n - maxTold; more > 1 {
			text += fmt.Sprintf("; the last of %d more that cannot be used", more)
		}
		g.last.Err = fmt.Errorf("%w: %s", at.kind, text)
	}
}
