package statediff

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// State is the content of a state.json.
type State struct {
	ResourceGroups []map[string]any `json:"resourceGroups"`
	Resources      []map[string]any `json:"resources"`
}

// Compare returns where got differs from want, sorted by path. Priorities of managed security rules are judged in got alone: distinct, from
// 500 to 4096, and every allowance before every denial.
func Compare(want, got []byte) ([]Difference, error) {
	w, err := parse(want)
	if err != nil {
		return nil, fmt.Errorf("wanted state: %w", err)
	}
	g, err := parse(got)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	diffs := priorities(g)
	compareLists("resourceGroups", groups(w), groups(g), &diffs)
	compareLists("resources", normals(w), normals(g), &diffs)
	slices.SortStableFunc(diffs, func(a, b Difference) int { return strings.Compare(a.Path, b.Path) })
	return diffs, nil
}

func parse(data []byte) (State, error) {
	var s State
	err := json.Unmarshal(data, &s)
	return s, err
}

// groups returns the names of the resource groups with their locations.
func groups(s State) []any {
	var list []any
	for _, g := range s.ResourceGroups {
		list = append(list, map[string]any{"name": g["name"], "location": g["location"]})
	}
	return list
}

func normals(s State) []any {
	var list []any
	for _, r := range s.Resources {
		list = append(list, normal(r))
	}
	return list
}

// compare appends to diffs where got differs from want.
func compare(path string, want, got any, diffs *[]Difference) {
	if empty(want) && empty(got) {
		return
	}
	if empty(want) || empty(got) {
		*diffs = append(*diffs, oneSided(path, want, got))
		return
	}
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			compareObjects(path, w, g, diffs)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			compareLists(path, w, g, diffs)
			return
		}
	}
	if !same(want, got) {
		*diffs = append(*diffs, Difference{Path: path, Want: text(want), Got: text(got)})
	}
}

// oneSided is the difference where one side has nothing.
func oneSided(path string, want, got any) Difference {
	d := Difference{Path: path, Want: Absent, Got: Absent}
	if !empty(want) {
		d.Want = text(want)
	}
	if !empty(got) {
		d.Got = text(got)
	}
	return d
}

func compareObjects(path string, want, got map[string]any, diffs *[]Difference) {
	keys := slices.Sorted(maps.Keys(want))
	for k := range got {
		if _, ok := want[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		if (k == "name" || k == "id") && sameFold(want[k], got[k]) {
			continue
		}
		compare(path+"."+k, want[k], got[k], diffs)
	}
}

// compareLists compares lists as sets: elements belong together by id, by name or, of plain values, by the value.
func compareLists(path string, want, got []any, diffs *[]Difference) {
	w, g := keyed(want), keyed(got)
	keys := slices.Collect(maps.Keys(w))
	for k := range g {
		if _, ok := w[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		label := w[k].label
		if label == "" {
			label = g[k].label
		}
		compare(path+"["+label+"]", w[k].value, g[k].value, diffs)
	}
}

// element is one element of a list with what it is called in a path.
type element struct {
	label string
	value any
}

// keyed returns the elements of a list by what tells them apart. A second object of the same key gets a number; a second plain value or
// reference is none, since lists are sets.
func keyed(list []any) map[string]element {
	m := make(map[string]element, len(list))
	for _, v := range list {
		if empty(v) {
			continue
		}
		label := labelOf(v)
		key := strings.ToLower(label)
		object, isObject := v.(map[string]any)
		if id, ok := object["id"].(string); ok {
			key = strings.ToLower(id)
		}
		for n := 2; isObject && object["name"] != nil && m[key].label != ""; n++ {
			label = fmt.Sprintf("%s#%d", labelOf(v), n)
			key = strings.ToLower(label)
		}
		m[key] = element{label: label, value: v}
	}
	return m
}

// labelOf names an element: the end of its id, its name, its IP tag, or its text.
func labelOf(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return strings.Trim(text(v), `"`)
	}
	if id, ok := m["id"].(string); ok {
		return Label(id)
	}
	if name, ok := m["name"].(string); ok {
		return name
	}
	if typ, ok := m["ipTagType"].(string); ok {
		return typ + "=" + fmt.Sprint(m["tag"])
	}
	return text(v)
}

// Label is what an id is called in a path: its segments after the provider, or all where there is none.
func Label(id string) string {
	seg := strings.Split(strings.TrimPrefix(id, "/"), "/")
	if len(seg) > 7 {
		seg = seg[6:]
	}
	return strings.Join(seg, "/")
}

// same compares plain values; ids ignoring case.
func same(want, got any) bool {
	if w, ok := want.(string); ok && strings.HasPrefix(w, "/") {
		return sameFold(want, got)
	}
	return text(want) == text(got)
}

func sameFold(want, got any) bool {
	w, ok := want.(string)
	g, isText := got.(string)
	return ok && isText && strings.EqualFold(w, g)
}
