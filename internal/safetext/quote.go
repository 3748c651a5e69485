package safetext

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Quote returns s with everything that is no printable character written as Go would in a string: \n, \x1b, \u202e. Printable are letters,
// marks, numbers, punctuation and symbols of any script, and the blank; not printable are line breaks, control and format characters, those
// that nobody sees, and bytes that are not UTF-8. A text that is printable is returned as it is: there are no quotes around it.
func Quote(s string) string {
	if Printable(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case printable(r):
			b.WriteRune(r)
		default:
			b.WriteString(escape(r))
		}
		s = s[size:]
	}
	return b.String()
}

// Printable reports whether [Quote] leaves s as it is.
func Printable(s string) bool {
	for i, r := range s {
		if !printable(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return false
		}
	}
	return true
}

func printable(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r <= '~'
	}
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// escape writes r as Go does.
func escape(r rune) string {
	text := strconv.QuoteRuneToASCII(r)
	return text[1 : len(text)-1]
}

// Fprintf is [fmt.Fprintf] with everything quoted that the arguments are printed as. What is in format itself stays.
func Fprintf(w io.Writer, format string, args ...any) {
	safe := make([]any, len(args))
	for i, a := range args {
		safe[i] = shown(a)
	}
	fmt.Fprintf(w, format, safe...)
}

// Sprintf is [Fprintf] into a string.
func Sprintf(format string, args ...any) string {
	var b strings.Builder
	Fprintf(&b, format, args...)
	return b.String()
}

// shown wraps what may print as anything. A number may be the width of something else, so it stays a number.
func shown(a any) any {
	switch a.(type) {
	case nil, bool, int, int32, int64, uint8, uint16, float64:
		return a
	}
	return quoted{a}
}

// quoted prints a value, quoted, with whatever verb it is asked for.
type quoted struct{ value any }

func (q quoted) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, Quote(fmt.Sprintf(fmt.FormatString(f, verb), q.value)))
}

// Lines returns the text of an error, quoted, with one line for each error that [errors.Join] joined in it. What is a line break in the text of
// one of them is quoted like everything else.
func Lines(err error) []string {
	var b lineBuilder
	b.add(err)
	return append(b.lines, b.line)
}

// lineBuilder collects lines.
type lineBuilder struct {
	lines []string
	line  string
}

func (b *lineBuilder) add(err error) {
	text := err.Error()
	parts, joined := parts(err)
	for i, part := range parts {
		before, after, ok := strings.Cut(text, part.Error())
		switch {
		case !ok: // it is wrapped, and does not say so
			continue
		case joined && i > 0:
			b.lines, b.line = append(b.lines, b.line), ""
		default:
			b.line += Quote(before)
		}
		b.add(part)
		text = after
	}
	b.line += Quote(text)
}

// parts returns what err wraps, and whether it is nothing but these, one below the other.
func parts(err error) (list []error, joined bool) {
	switch e := err.(type) { //nolint:errorlint // one level after the other
	case interface{ Unwrap() []error }:
		list = e.Unwrap()
		texts := make([]string, len(list))
		for i, part := range list {
			texts[i] = part.Error()
		}
		return list, strings.Join(texts, "\n") == err.Error()
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return []error{inner}, false
		}
	}
	return nil, false
}

// Error returns err with its text quoted, or err itself if it is printable. It wraps err.
func Error(err error) error {
	if err == nil || Printable(err.Error()) {
		return err
	}
	return quotedError{err}
}

type quotedError struct{ err error }

func (e quotedError) Error() string { return Quote(e.err.Error()) }

func (e quotedError) Unwrap() error { return e.err }

// JSON returns data, which must be JSON, with everything that is not printable in its texts written as \u202e. The values are the same.
func JSON(data []byte) []byte {
	text := string(data)
	if !strings.ContainsFunc(text, hidden) {
		return data
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return []byte(b.String())
}

// hidden reports whether r is not printable and can be in JSON: what is below the blank is white space between values there.
func hidden(r rune) bool { return r > '~' && !printable(r) }
