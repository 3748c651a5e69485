package armfake

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// skipToken is the parameter in links to further pages. It has the last id before the page, so pages stay right while resources come and go.
const skipToken = "$skipToken"

// list answers one page.
func (s *Server) list(q *request) (*reply, error) {
	after, err := base64.RawURLEncoding.DecodeString(q.query.Get(skipToken))
	if err != nil {
		return nil, s.refused(q, refuse(http.StatusBadRequest, "InvalidSkipToken", "The skip token '%s' is invalid.", q.query.Get(skipToken)))
	}
	answer, err := s.cloud.Call(q.Context(), q.call())
	if err != nil {
		return nil, err
	}
	rest := slices.DeleteFunc(answer.List, func(o armwire.Object) bool {
		return len(after) > 0 && armid.Compare(idOf(o), lb.ID(after)) <= 0
	})
	return says(answer.Status, s.page(q, rest)), nil
}

func (s *Server) page(q *request, rest []armwire.Object) armwire.Object {
	size := s.options.PageSize
	if size <= 0 || size >= len(rest) {
		size = len(rest)
	}
	page := rest[:size]
	for _, o := range page {
		q.narrow(o)
		s.overlay(o)
	}
	body := armwire.Object{"value": page}
	if size < len(rest) {
		query := url.Values{"api-version": {q.version()}}
		query.Set(skipToken, base64.RawURLEncoding.EncodeToString([]byte(idOf(page[size-1]))))
		link := url.URL{Path: q.path, RawQuery: query.Encode()}
		body["nextLink"] = q.base + link.String()
	}
	return body
}

func idOf(o armwire.Object) lb.ID {
	id, _ := o["id"].(string)
	return lb.ID(id)
}

// key is the key of the resource with operations of its own that id is or is in.
func key(id lb.ID) string { return id.Unit().Key() }
