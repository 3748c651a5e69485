package armfake

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// maxBody is the longest body that ARM takes, about.
const maxBody = 4 << 20

// request is a request as the routes want it.
type request struct {
	*http.Request
	base     string   // scheme and host, by which the client knows the server
	path     string   // without a slash at the end
	segments []string // of path
	query    url.Values
	body     []byte
	left     tokens
}

func newRequest(r *http.Request) (*request, error) {
	q := &request{Request: r, base: base(r), path: strings.TrimRight(r.URL.Path, "/"), query: r.URL.Query()}
	q.segments = strings.Split(strings.TrimPrefix(q.path, "/"), "/")
	if r.Body == nil {
		return q, nil
	}
	var err error
	q.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	return q, err
}

func base(r *http.Request) string {
	scheme, host := r.URL.Scheme, r.Host
	if host == "" {
		host = r.URL.Host
	}
	switch forwarded := r.Header.Get("X-Forwarded-Proto"); {
	case scheme != "":
	case forwarded != "":
		scheme = forwarded
	case r.TLS != nil:
		scheme = "https"
	default:
		scheme = "http"
	}
	return scheme + "://" + host
}

// segment returns the i-th segment of the path, counted from 0, or "".
func (q *request) segment(i int) string {
	if i >= len(q.segments) {
		return ""
	}
	return q.segments[i]
}

// is reports whether the i-th segment is text, in any case.
func (q *request) is(i int, text string) bool { return strings.EqualFold(q.segment(i), text) }

// version returns the api-version that is asked for.
func (q *request) version() string {
	for name, values := range q.query {
		if strings.EqualFold(name, "api-version") && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// call is the request as the cloud takes it.
func (q *request) call() fake.Call {
	return fake.Call{
		Method: q.Method, ID: lb.ID(q.path), IfMatch: q.Header.Get("If-Match"), IfNoneMatch: q.Header.Get("If-None-Match"),
	}
}

// object decodes the body.
func (q *request) object() (armwire.Object, *provider.OpError) {
	if len(q.body) > maxBody {
		return nil, refuse(http.StatusRequestEntityTooLarge, "RequestContentTooLarge", "The request content is larger than %d bytes.", maxBody)
	}
	o, err := armwire.Parse(q.body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "InvalidRequestContent",
			"The request content was invalid and could not be deserialized: '%w'.", err)
	}
	return o, nil
}
