package armwire

import (
	"strings"

	"github.com/azlb/azlb/lb"
)

// layer puts values over an object: all of them over a fresh one, only those that differ over one that is there.
type layer struct {
	o     Object
	fresh bool
}

func (l layer) put(at string, differs bool, v any) {
	if l.fresh || differs {
		set(l.o, at, v)
	}
}

// putRef puts a reference to another resource, or removes it.
func (l layer) putRef(at string, have, want lb.ID) {
	switch {
	case have.Equal(want):
	case want == "":
		unset(l.o, at)
	default:
		set(l.o, at, ref(want))
	}
}

func ref(id lb.ID) Object { return Object{"id": string(id)} }

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// layChildren lays before and after over the list at a path of o: children that only before names go, those of after are laid over the
// ones of their name or appended; all others stay where they are. lay gets nil as have for a child that is new.
func layChildren[T any](o Object, at string, have, before, after []T, name func(T) string, lay func(o Object, have *T, want T)) {
	is, was, want := byKey(have, name), byKey(before, name), byKey(after, name)
	list, _ := value(o, at).([]any)
	kept := make([]any, 0, len(list)+len(after))
	laid := map[string]bool{}
	for _, e := range list {
		c, _ := e.(Object)
		key := strings.ToLower(nameOf(c))
		h := is[key]
		if w, ok := want[key]; ok && c != nil {
			laid[key] = true
			lay(c, &h, w)
		} else if _, ok := was[key]; ok && c != nil {
			continue
		}
		kept = append(kept, e)
	}
	for _, w := range after {
		if key := strings.ToLower(name(w)); !laid[key] {
			laid[key] = true
			c := Object{"name": name(w)}
			lay(c, nil, w)
			kept = append(kept, c)
		}
	}
	if len(kept) > 0 || list != nil {
		set(o, at, kept)
	}
}

func nameOf(o Object) string {
	if name, _ := o["name"].(string); name != "" {
		return name
	}
	id, _ := o["id"].(string)
	return lb.ID(id).Name()
}

// topBody is the beginning of the body of a new top-level resource.
func topBody(id lb.ID, location, edgeZone, sku string, tags lb.Tags) Object {
	o := Object{"name": id.Name(), "location": location}
	if edgeZone != "" {
		o["extendedLocation"] = Object{"name": edgeZone, "type": "EdgeZone"}
	}
	if sku != "" {
		o["sku"] = Object{"name": sku}
	}
	layTags(o, nil, tags)
	return o
}

// sameSKU compares names of SKUs; none is Basic.
func sameSKU(a, b string) bool {
	return strings.EqualFold(a, b) || strings.EqualFold(a+b, "Basic")
}

// layTags lays our tags over those of o. A key that is there keeps its spelling.
func layTags(o Object, before, after lb.Tags) {
	tags, _ := o["tags"].(Object)
	want := byKey(after, tagKey)
	spelled := map[string]bool{}
	for key := range tags {
		folded := strings.ToLower(key)
		if t, ok := want[folded]; ok {
			tags[key] = t.Value
			spelled[folded] = true
		} else if _, ok := before.Get(key); ok {
			delete(tags, key)
		}
	}
	for folded, t := range want {
		if spelled[folded] {
			continue
		}
		if tags == nil {
			tags = Object{}
		}
		tags[t.Key] = t.Value
	}
	if tags != nil {
		o["tags"] = tags
	}
}
