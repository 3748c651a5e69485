package azure

import (
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
)

// reference is one mention of another resource in a body: by which child, and of which top-level resource.
type reference struct {
	by string
	to lb.ID // in lower case
}

// references returns the mentions of other resources in the body of id.
func references(id lb.ID, body armwire.Object) map[reference]bool {
	r := mentions{own: id.Unit().Key(), found: map[reference]bool{}}
	r.walk(body, id.Key())
	return r.found
}

type mentions struct {
	own   string
	found map[reference]bool
}

func (r mentions) walk(v any, by string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			r.walk(e, by)
		}
	case armwire.Object:
		if id := strings.ToLower(text(v, "id")); strings.HasPrefix(id, "/subscriptions/") {
			switch top := lb.ID(id).Unit(); {
			case string(top) != r.own:
				r.found[reference{by, top}] = true
			case text(v, "name") != "":
				by = id
			}
		}
		for _, e := range v {
			r.walk(e, by)
		}
	}
}

// moved returns the resources that a write of id attached or detached: ARM shows them who has them, which moves their ETags.
func moved(id lb.ID, before, after armwire.Object) []lb.ID {
	was, is := references(id, before), references(id, after)
	var ids []lb.ID
	for r := range was {
		if !is[r] {
			ids = append(ids, r.to)
		}
	}
	for r := range is {
		if !was[r] {
			ids = append(ids, r.to)
		}
	}
	return ids
}
