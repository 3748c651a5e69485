package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// What can be wrong with a document as such.
var (
	ErrYAML  = errors.New("neither YAML nor JSON")
	ErrType  = errors.New("wrong type")
	ErrField = errors.New("unknown field")
)

// explain returns what is wrong with the document at e, in words: the decoder speaks of Go types, and of lines from the document's first on.
func (e *Error) explain(err error) error {
	if typed, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return e.because(fmt.Errorf("%s: %w: want %s, have %s", typed.Field, ErrType, wanted(typed.Type), found(typed.Value)))
	}
	switch {
	case runtime.IsMissingKind(err):
		return e.because(errors.New("kind: required"))
	case runtime.IsMissingVersion(err):
		return e.because(errors.New("apiVersion: required"))
	}
	var errs []error
	for _, m := range numbered.FindAllStringSubmatch(err.Error(), -1) {
		errs = append(errs, e.inLine(m[1], m[2]))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	text := err.Error()
	if rest, ok := strings.CutPrefix(text, "couldn't get version/kind; json parse error: "); ok {
		if strings.HasPrefix(rest, "json: cannot unmarshal") {
			return e.because(fmt.Errorf("%w: want an object with apiVersion and kind", ErrType))
		}
		text = rest
	}
	if rest, ok := strings.CutPrefix(text, "unknown field "); ok {
		return e.because(fmt.Errorf("%w %s", ErrField, rest))
	}
	if rest, ok := strings.CutPrefix(text, "duplicate field "); ok {
		return e.because(fmt.Errorf("field %s: %w", rest, ErrDuplicate))
	}
	return e.because(fmt.Errorf("%w: %s", ErrYAML, strings.TrimPrefix(text, "yaml: ")))
}

// numbered finds what the YAML decoder says about single lines.
var numbered = regexp.MustCompile(`line (\d+): ([^\n]+)`)

// twice is a key that is given twice, in the words of the YAML decoder.
var twice = regexp.MustCompile(`^key (.+) already set in map$`)

// inLine is an error in a line of the document.
func (e *Error) inLine(line, text string) error {
	c := *e
	if n, err := strconv.Atoi(line); err == nil {
		c.Line += n - 1
	}
	if m := twice.FindStringSubmatch(text); m != nil {
		return c.because(fmt.Errorf("key %s: %w", m[1], ErrDuplicate))
	}
	return c.because(fmt.Errorf("%w: %s", ErrYAML, text))
}

// wanted says in words what a Go type takes.
func wanted(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		most := int64(1)<<(t.Bits()-1) - 1
		return fmt.Sprintf("a whole number from %d to %d", -most-1, most)
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "an object"
	}
}

// found says in words what the decoder found.
func found(value string) string {
	switch value {
	case "string":
		return "a text"
	case "bool":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "an object"
	case "number":
		return "a number"
	default:
		return strings.TrimPrefix(value, "number ")
	}
}
