package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// keyWord is what keys of annotations look like, at least those that are read here.
var keyWord = regexp.MustCompile(`^[a-z0-9._/-]{1,317}$`)

// wrongAnnotations names the annotations and labels of an object whose values are no texts, which the decoder does not: a true or a number
// that somebody forgot to quote is the usual slip.
func wrongAnnotations(data []byte) []error {
	fields, err := fieldsOf(data)
	if err != nil {
		return nil
	}
	var metadata struct {
		Annotations map[string]any `json:"annotations"`
		Labels      map[string]any `json:"labels"`
	}
	if json.Unmarshal(fields["metadata"], &metadata) != nil {
		return nil
	}
	var errs []error
	for _, kind := range []struct {
		name   string
		values map[string]any
	}{{"annotations", metadata.Annotations}, {"labels", metadata.Labels}} {
		for _, key := range slices.Sorted(maps.Keys(kind.values)) {
			where := "metadata." + kind.name + "[" + shown(key, keyWord) + "]"
			switch v := kind.values[key].(type) {
			case string, nil:
			case bool:
				errs = append(errs, fmt.Errorf("%w: %s: want a text, write \"%t\" in quotes", ErrSyntax, where, v))
			case float64:
				errs = append(errs, fmt.Errorf("%w: %s: want a text, write the number in quotes", ErrSyntax, where))
			default:
				errs = append(errs, fmt.Errorf("%w: %s: want a text", ErrSyntax, where))
			}
		}
	}
	return errs
}
