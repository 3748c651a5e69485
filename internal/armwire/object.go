package armwire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/azlb/azlb/internal/safetext"
)

// Object is one ARM resource, or a child of one, as JSON decoded with numbers kept as [json.Number].
type Object = map[string]any

// Parse decodes one JSON object and nothing after it.
func Parse(data []byte) (Object, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var o Object
	if err := dec.Decode(&o); err != nil {
		return nil, fmt.Errorf("ARM JSON: %s", safetext.Reason(err, data, 1))
	}
	if o == nil {
		return nil, errors.New("ARM JSON: null, want an object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("ARM JSON: something follows the object")
	}
	return o, nil
}

// Format encodes o with sorted keys, indented by two spaces, with a newline at the end. A value that JSON cannot express, which no decoder
// yields, gives null.
func Format(o Object) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if enc.Encode(o) != nil {
		return []byte("null\n")
	}
	return b.Bytes()
}

// Clone returns a copy of o that shares no object and no list with it.
func Clone(o Object) Object {
	if o == nil {
		return nil
	}
	c := maps.Clone(o)
	for k, v := range c {
		c[k] = cloneValue(v)
	}
	return c
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case Object:
		return Clone(v)
	case []any:
		if v == nil {
			return v
		}
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = cloneValue(e)
		}
		return c
	default:
		return v
	}
}
