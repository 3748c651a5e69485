package azure

import (
	"errors"
	"fmt"
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// errAnswer is what a success comes down to that does not have what was asked for. Nothing follows from it, least of all that something is not
// there.
var errAnswer = errors.New("the answer is not what was asked for")

const answerRemedy = "something answers that is not Azure Resource Manager, or not all of it arrived; look at the endpoint and at proxies on the way"

// How much of one list is read. Azure has at most a few thousand resources of a type in a group.
const (
	maxPages = 1000
	maxList  = 256 << 20 // bytes
)

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errAnswer, fmt.Errorf(format, args...))
}

// listing is what is known of a list while its pages are read.
type listing struct {
	pages, bytes int
	links        map[string]bool
}

// take checks one page of the list of a type below target, and returns what is on it and the link to the next one.
func (l *listing) take(target lb.ID, typ string, body armwire.Object, size int) ([]armwire.Object, string, error) {
	list, ok := body["value"].([]any)
	if !ok {
		return nil, "", broken("a list of %s: value: want a list, got %s", typ, kindOf(body["value"]))
	}
	link, ok := body["nextLink"].(string)
	if !ok && body["nextLink"] != nil {
		return nil, "", broken("a list of %s: nextLink: want a text, got %s", typ, kindOf(body["nextLink"]))
	}
	page := make([]armwire.Object, len(list))
	for i, e := range list {
		o, ok := e.(armwire.Object)
		if !ok {
			return nil, "", broken("a list of %s: value[%d]: want an object, got %s", typ, i, kindOf(e))
		}
		id := lb.ID(text(o, "id"))
		if whole := target.ResourceGroup() == ""; !id.Is(typ) || !whole && !listScope(id).Equal(target) || whole && !strings.EqualFold(id.Subscription(), target.Subscription()) {
			return nil, "", broken("a list of %s: value[%d].id: want one in %s, got %.200q", typ, i, target, id)
		}
		if err := complete(id, o); err != nil {
			return nil, "", err
		}
		page[i] = o
	}
	l.pages++
	l.bytes += size
	switch {
	case link == "":
	case l.links[link]:
		return nil, "", &bulkError{"the list of " + typ + " in " + string(target) + " has no end: a page leads back to an earlier one"}
	case l.pages >= maxPages, l.bytes > maxList:
		return nil, "", &bulkError{fmt.Sprintf("the list of %s in %s has no end: %d pages with %d MiB", typ, target, l.pages, l.bytes>>20)}
	}
	if l.links == nil {
		l.links = map[string]bool{}
	}
	l.links[link] = true
	return page, link, nil
}

// checkResource reports why body is not the resource id.
func checkResource(id lb.ID, body armwire.Object) error {
	if got := lb.ID(text(body, "id")); !got.Equal(id) {
		return broken("id: want %s, got %.200q", id, got)
	}
	if err := complete(id, body); err != nil {
		return err
	}
	if err := armwire.Readable(id, body); err != nil {
		return broken("%s: %w", id, err)
	}
	return nil
}

// complete reports why body is not all of what id is the id of. Instances of scale sets have other names than their ids.
func complete(id lb.ID, body armwire.Object) error {
	if name := text(body, "name"); name != "" && !strings.EqualFold(name, id.Name()) && !id.Is(armid.ScaleSetInstances) {
		return broken("%.200s: name: got %.200q", id, name)
	}
	if err := armwire.Complete(id.Type(), body); err != nil {
		return broken("%.200s: %w", id, err)
	}
	return nil
}

// checkOutcome reports why data is not the state of an operation. An operation that is followed by its Location ends with an empty answer, or
// with one that shows what it was about, which says nothing about a deletion.
func checkOutcome(data []byte, deletion bool) error {
	if len(data) == 0 {
		return nil
	}
	body, err := armwire.Parse(data)
	if err != nil {
		return broken("the state of an operation: %w", err)
	}
	status, id := text(body, "status"), text(body, "id")
	if status == "" && (deletion || id == "") {
		return broken("the state of an operation has no status")
	}
	return nil
}

// kindOf says of which kind a value of JSON is, and not what is in it.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case []any:
		return "a list"
	case armwire.Object:
		return "an object"
	default:
		return "a number or truth value"
	}
}
