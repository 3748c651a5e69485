package fake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
)

// dig returns what is at path in o, or nil.
func dig(o armwire.Object, path ...string) any {
	var v any = o
	for _, key := range path {
		inner, ok := v.(armwire.Object)
		if !ok {
			return nil
		}
		v = inner[key]
	}
	return v
}

func object(o armwire.Object, path ...string) armwire.Object {
	inner, _ := dig(o, path...).(armwire.Object)
	return inner
}

func text(o armwire.Object, path ...string) string {
	s, _ := dig(o, path...).(string)
	return s
}

// idAt returns the id in the reference at path, which is the path of an object with an id.
func idAt(o armwire.Object, path ...string) lb.ID { return lb.ID(text(object(o, path...), "id")) }

func boolean(o armwire.Object, path ...string) bool {
	b, _ := dig(o, path...).(bool)
	return b
}

// number returns the whole number at path and whether there is one.
func number(o armwire.Object, path ...string) (int, bool) {
	switch v := dig(o, path...).(type) {
	case nil, bool, string, armwire.Object, []any:
		return 0, false
	case json.Number:
		n, err := strconv.Atoi(v.String())
		return n, err == nil
	default:
		n, err := strconv.Atoi(fmt.Sprint(v))
		return n, err == nil
	}
}

// objects returns the objects in the list at path.
func objects(o armwire.Object, path ...string) []armwire.Object {
	list, _ := dig(o, path...).([]any)
	var out []armwire.Object
	for _, e := range list {
		if inner, ok := e.(armwire.Object); ok {
			out = append(out, inner)
		}
	}
	return out
}

// texts returns the strings in the list at path.
func texts(o armwire.Object, path ...string) []string {
	switch list := dig(o, path...).(type) {
	case []string:
		return list
	case []any:
		var out []string
		for _, e := range list {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	default:
		return nil
	}
}

// refs returns the ids of the references in the list at path.
func refs(o armwire.Object, path ...string) []lb.ID {
	var out []lb.ID
	for _, e := range objects(o, path...) {
		if id := text(e, "id"); id != "" {
			out = append(out, lb.ID(id))
		}
	}
	return out
}

// properties returns the properties of o, which it makes if there are none.
func properties(o armwire.Object) armwire.Object {
	p := object(o, "properties")
	if p == nil {
		p = armwire.Object{}
		o["properties"] = p
	}
	return p
}

// refList makes a list of references, sorted by id; nil of no ids.
func refList(ids []lb.ID) []any {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	var out []any
	for _, id := range slices.Compact(ids) {
		out = append(out, armwire.Object{"id": string(id)})
	}
	return out
}

// plain returns o as a JSON decoder would, so that the rest of the package sees few types.
func plain(o armwire.Object) (armwire.Object, error) {
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	return armwire.Parse(data)
}

// sortLists returns v with every list in it sorted: objects by id, else by name, anything else by its JSON text.
func sortLists(v any) any {
	switch v := v.(type) {
	case armwire.Object:
		for k, e := range v {
			v[k] = sortLists(e)
		}
		return v
	case []any:
		for i := range v {
			v[i] = sortLists(v[i])
		}
		slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(sortKey(a), sortKey(b)) })
		return v
	default:
		return v
	}
}

func sortKey(v any) string {
	if o, ok := v.(armwire.Object); ok {
		if id := text(o, "id"); id != "" {
			return id
		}
		if name := text(o, "name"); name != "" {
			return name
		}
	}
	data, _ := json.Marshal(v)
	return string(data)
}
