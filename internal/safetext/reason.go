package safetext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Reason says why a decoder of JSON or YAML refused data, by line, field and what was wanted, without anything of data itself, which may be a
// secret in the wrong place. first is the number of the line in its file that data begins at. Of keys those are named that look like the name
// of a field.
func Reason(err error, data []byte, first int) string {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return wrongType(wrong)
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return brokenJSON(syntax, data, first)
	}
	var list []string
	for line := range strings.Lines(err.Error()) {
		if one := reason(strings.TrimSpace(line), first); one != "" && !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	if len(list) == 0 {
		return "neither JSON nor YAML"
	}
	return strings.Join(list, "; ")
}

// wrongType names the field and what it wants.
func wrongType(e *json.UnmarshalTypeError) string {
	got, _, _ := strings.Cut(e.Value, " ") // a number is followed by itself
	text := "want " + typeText(e.Type) + ", got " + got
	if field := fieldPath(e.Field); field != "" {
		return field + ": " + text
	}
	return text
}

// typeText is what a type of Go wants of JSON.
func typeText(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Pointer:
		return typeText(t.Elem())
	default:
		return "an object"
	}
}

// brokenJSON says where JSON ends to be JSON.
func brokenJSON(e *json.SyntaxError, data []byte, first int) string {
	if e.Offset >= int64(len(data)) {
		return "JSON that ends too early"
	}
	return fmt.Sprintf("line %d: not JSON", first+bytes.Count(data[:e.Offset], []byte("\n")))
}

var (
	yamlLine  = regexp.MustCompile(`\bline ([0-9]+): `)
	fieldName = regexp.MustCompile(`^[a-z][A-Za-z]{0,39}$`)
	quotedKey = regexp.MustCompile(`^(?:json: )?(unknown field|duplicate field|key|mapping key) "([^"]*)"`)
)

// syntax are the errors of YAML parsers that have nothing of the document in them, and are worth telling.
var syntax = []string{
	"mapping values are not allowed in this context", "block sequence entries are not allowed in this context", "mapping keys are not allowed in this context",
	"could not find expected ':'", "could not find expected directive name", "did not find expected key", "did not find expected ',' or '}'",
	"did not find expected ',' or ']'", "did not find expected '-' indicator", "did not find expected node content", "did not find expected <document start>",
	"did not find expected <stream-start>", "did not find expected whitespace or line break", "did not find expected comment or line break",
	"did not find expected alphabetic or numeric character", "did not find expected hexdecimal number", "did not find expected digit or '.' character",
	"found character that cannot start any token", "found unexpected end of stream", "found a tab character that violates indentation",
	"found a tab character where an indentation space is expected", "found unexpected document indicator", "found unknown escape character",
	"found invalid Unicode character escape code", "found undefined tag handle", "found duplicate anchor", "found unexpected ':'",
	"control characters are not allowed", "document contains excessive aliasing", "exceeded max depth of 10000",
}

// reason is [Reason] for one line of an error.
func reason(text string, first int) string {
	where := ""
	if m := yamlLine.FindStringSubmatchIndex(text); m != nil {
		if n, err := strconv.Atoi(text[m[2]:m[3]]); err == nil {
			where = fmt.Sprintf("line %d: ", first-1+n)
		}
		text = text[m[1]:]
	}
	if i := strings.LastIndex(text, "yaml: "); i >= 0 {
		text = text[i+len("yaml: "):]
	}
	if m := quotedKey.FindStringSubmatch(text); m != nil {
		return where + keyReason(m[1], m[2])
	}
	if i := slices.IndexFunc(syntax, func(s string) bool { return strings.HasPrefix(text, s) }); i >= 0 {
		return where + syntax[i]
	}
	if strings.HasPrefix(text, "unmarshal errors:") {
		return ""
	}
	if where != "" {
		return where + "neither JSON nor YAML"
	}
	return ""
}

// keyReason is what is wrong with a key.
func keyReason(what, key string) string {
	problem := map[string]string{"key": "given twice", "mapping key": "given twice", "duplicate field": "given twice", "unknown field": "unknown field"}[what]
	path := fieldPath(key)
	switch {
	case problem == "unknown field" && path == "":
		return "unknown field whose name is not shown: it is none of the API"
	case problem == "unknown field":
		return fmt.Sprintf("unknown field %q", path)
	case path == "":
		return "a key is given twice"
	default:
		return fmt.Sprintf("key %q is given twice", path)
	}
}

// fieldPath returns the path of a field, or as much of its beginning as looks like names of fields.
func fieldPath(path string) string {
	var list []string
	for name := range strings.SplitSeq(path, ".") {
		bare, index, _ := strings.Cut(name, "[")
		if !fieldName.MatchString(bare) || strings.Trim(index, "0123456789]") != "" {
			if len(list) > 0 {
				list = append(list, "…")
			}
			break
		}
		list = append(list, name)
	}
	return strings.Join(list, ".")
}
