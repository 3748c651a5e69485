package armwire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// view is an object that is being decoded. What it holds is read by path; absent and null mean the default of the table, and what has a
// wrong type is noted in errs and read as absent.
type view struct {
	o     Object
	shape shape
	at    string // where o is in the body, with a dot at the end
	errs  *[]error
}

// decode runs one decoder over a body of the given type and joins what was wrong, with [ErrBody].
func decode[T any](typ string, o Object, read func(view) T) (T, error) {
	var errs []error
	s, _, _ := shapeOf(typ)
	v := read(view{o: o, shape: s, errs: &errs})
	if len(errs) > 0 {
		var zero T
		id, _ := o["id"].(string)
		return zero, fmt.Errorf("%s %s: %w: %w", armid.ID(typ).Name(), armid.ID(id).Name(), ErrBody, errors.Join(errs...))
	}
	return v, nil
}

func (v view) bad(at, want string, got any) {
	text, err := json.Marshal(got)
	if err != nil || len(text) > 60 {
		text = []byte(strings.TrimPrefix(fmt.Sprintf("%T", got), "map[string]"))
	}
	*v.errs = append(*v.errs, fmt.Errorf("%s%s: want %s, got %s", v.at, at, want, text))
}

// get returns what is at a path; nil if nothing is. Something on the way that is no object is an error.
func (v view) get(at string) any {
	for i := 0; ; {
		next := strings.IndexByte(at[i:], '.')
		if next < 0 {
			return v.shape.lookup(v.o, at)
		}
		i += next
		if on := value(v.o, at[:i]); on != nil {
			if _, ok := on.(Object); !ok {
				v.bad(at[:i], "an object", on)
				return nil
			}
		}
		i++
	}
}

func (v view) text(at string) string {
	got := v.get(at)
	s, ok := got.(string)
	if !ok && got != nil {
		v.bad(at, "a text", got)
	}
	return s
}

func (v view) id(at string) lb.ID { return lb.ID(v.text(at)) }

// oneOf reads a text whose known values are spelled as given; other values are returned as they are.
func (v view) oneOf(at string, known ...string) string { return spell(v.text(at), known...) }

func spell(s string, known ...string) string {
	for _, k := range known {
		if strings.EqualFold(s, k) {
			return k
		}
	}
	return s
}

func (v view) bool(at string) bool {
	got := v.get(at)
	b, ok := got.(bool)
	if !ok && got != nil {
		v.bad(at, "true or false", got)
	}
	return b
}

func (v view) number(at string, low, high int64) int64 {
	got := v.get(at)
	if got == nil {
		return 0
	}
	n, ok := whole(got)
	if !ok || n < low || n > high {
		v.bad(at, fmt.Sprintf("a whole number from %d to %d", low, high), got)
		return 0
	}
	return n
}

// whole returns the value of a JSON number, or of a Go number in an object built by hand.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, true
		}
		f, err := strconv.ParseFloat(v.String(), 64)
		return wholeFloat(f, err == nil)
	case float64:
		return wholeFloat(v, true)
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	default:
		return 0, false
	}
}

func wholeFloat(f float64, ok bool) (int64, bool) {
	ok = ok && f == math.Trunc(f) && math.Abs(f) < 1<<53
	if !ok {
		return 0, false
	}
	return int64(f), true
}

// list returns the elements at a path that are not null.
func (v view) list(at string) []any {
	got := v.get(at)
	list, ok := got.([]any)
	if !ok && got != nil {
		v.bad(at, "a list", got)
	}
	return slices.DeleteFunc(slices.Clone(list), func(e any) bool { return e == nil })
}

// texts returns the texts at a path that are not empty.
func (v view) texts(at string) []string {
	var list []string
	for i, e := range v.list(at) {
		s, ok := e.(string)
		if !ok {
			v.bad(at+"["+strconv.Itoa(i)+"]", "a text", e)
		}
		if s != "" {
			list = append(list, s)
		}
	}
	return list
}

// children returns the objects of the list at a path.
func (v view) children(at string) []view {
	var s shape
	for _, c := range v.shape.children {
		if c.at == at {
			s = c.shape
		}
	}
	var list []view
	for i, e := range v.list(at) {
		path := at + "[" + strconv.Itoa(i) + "]"
		o, ok := e.(Object)
		if !ok {
			v.bad(path, "an object", e)
			continue
		}
		list = append(list, view{o: o, shape: s, at: v.at + path + ".", errs: v.errs})
	}
	return list
}

// ids returns the ids of the references in the list at a path.
func (v view) ids(at string) []lb.ID {
	var list []lb.ID
	for _, ref := range v.children(at) {
		if id := ref.id("id"); id != "" {
			list = append(list, id)
		}
	}
	return list
}

// name returns the name of a child, which its id has too.
func (v view) name() string {
	if n := v.text("name"); n != "" {
		return n
	}
	return v.id("id").Name()
}

func (v view) addr(at string) netip.Addr {
	text := v.text(at)
	if text == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		v.bad(at, "an IP address", text)
	}
	return a.Unmap()
}

func (v view) family(at string) ipam.Family {
	switch got := v.oneOf(at, "IPv4", "IPv6"); got {
	case "":
		return 0
	case "IPv4":
		return ipam.IPv4
	case "IPv6":
		return ipam.IPv6
	default:
		v.bad(at, "IPv4 or IPv6", got)
		return 0
	}
}

func (v view) tags() lb.Tags {
	got := v.get("tags")
	o, ok := got.(Object)
	if !ok && got != nil {
		v.bad("tags", "an object", got)
	}
	m := make(map[string]string, len(o))
	for key, e := range o {
		s, ok := e.(string)
		if !ok && e != nil {
			v.bad("tags."+key, "a text", e)
		}
		m[key] = s
	}
	return lb.TagsOf(m)
}

// byName orders children as ARM compares their names.
func byName(a, b string) int {
	if n := strings.Compare(strings.ToLower(a), strings.ToLower(b)); n != 0 {
		return n
	}
	return strings.Compare(a, b)
}

// deleting reports whether o is on its way out.
func deleting(o Object) bool {
	state, _ := value(o, "properties.provisioningState").(string)
	return strings.EqualFold(state, "Deleting")
}

// failed reports whether the last operation on o, a resource or a child, failed or was cancelled.
func failed(o Object) bool {
	state, _ := value(o, "properties.provisioningState").(string)
	return strings.EqualFold(state, "Failed") || strings.EqualFold(state, "Canceled")
}
