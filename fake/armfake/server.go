package armfake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/provider"
)

// Options tunes [New]. A nil *Options means every default below.
type Options struct {
	// PageSize is how many resources are on a page of a list. Zero: all.
	PageSize int
	// PollAfter is the wait between polls that answers ask for at most. Zero means 10s.
	PollAfter time.Duration
	// Limits throttle. The zero value does not.
	Limits Limits
	// Anonymous takes requests without a token. Otherwise they are refused with 401; what the token says is never checked.
	Anonymous bool
}

// Server is Resource Manager over a cloud. It is an [http.Handler] and azcore's transport at once; its methods may be called concurrently.
// ServeHTTP ends with [http.ErrAbortHandler] where a fault loses the connection.
type Server struct {
	cloud    *fake.Cloud
	options  Options
	throttle throttle

	mu         sync.Mutex
	count      int                   // of requests, operations and tokens
	operations map[string]*operation // by name
	latest     map[string]*operation // by key of the top-level resource
	running    map[*operation]bool
}

var (
	_ http.Handler       = (*Server)(nil)
	_ policy.Transporter = (*Server)(nil)
)

// Handler serves c over HTTP.
func Handler(c *fake.Cloud, o *Options) http.Handler { return New(c, o) }

// Transport answers azcore's requests from c, in the process.
func Transport(c *fake.Cloud) policy.Transporter { return New(c, nil) }

// New returns a server of c. Operations belong to the server: give c to one only.
func New(c *fake.Cloud, o *Options) *Server {
	s := &Server{cloud: c, operations: map[string]*operation{}, latest: map[string]*operation{}, running: map[*operation]bool{}}
	if o != nil {
		s.options = *o
	}
	if s.options.PollAfter <= 0 {
		s.options.PollAfter = 10 * time.Second
	}
	s.throttle = throttle{limits: s.options.Limits, levels: map[string]level{}}
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.handle(r)
	if err != nil {
		panic(http.ErrAbortHandler) // closes the connection, and net/http is silent about it
	}
	header := w.Header()
	for name, values := range a.header {
		header[name] = values
	}
	w.WriteHeader(a.status)
	// The client may be gone; nobody is left to be told.
	_, _ = w.Write(a.content)
}

// Do answers one request of a client in the same process. Its errors are those of a connection: a fault's, or that of a context that ended.
func (s *Server) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	a, err := s.handle(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.content)), ContentLength: int64(len(a.content)), Request: r,
	}, nil
}

// reply is one answer.
type reply struct {
	status  int
	header  http.Header
	content []byte
}

// says makes an answer of a status and, unless it is nil, a body.
func says(status int, body any) *reply {
	a := &reply{status: status, header: http.Header{}}
	if body == nil {
		return a
	}
	content, err := json.Marshal(body)
	if err != nil { // of a body that nobody's JSON can have made
		return refusal(refuse(http.StatusInternalServerError, "InternalServerError", "%w", err))
	}
	a.content = content
	a.header.Set("Content-Type", "application/json; charset=utf-8")
	return a
}

// handle answers r; an error means that there is no answer.
func (s *Server) handle(r *http.Request) (*reply, error) {
	q, err := newRequest(r)
	if err != nil {
		return nil, err
	}
	a, err := s.answer(q)
	if e, ok := errors.AsType[*provider.OpError](err); ok {
		if e.Status == 0 {
			return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, e.Err)
		}
		a, err = refusal(e), nil
	}
	if err != nil {
		return nil, err
	}
	s.stamp(a, q)
	return a, nil
}

// answer lets those answer who are asked before Resource Manager is, then that.
func (s *Server) answer(q *request) (*reply, error) {
	if a := s.signIn(q); a != nil {
		return a, nil
	}
	if err := s.admit(q); err != nil {
		return nil, err
	}
	s.settle()
	if err := s.take(q); err != nil {
		return nil, err
	}
	return s.route(q)
}

// stamp adds the headers that every answer has.
func (s *Server) stamp(a *reply, q *request) {
	a.header.Set("Date", s.cloud.Clock().Now().UTC().Format(http.TimeFormat))
	a.header.Set("Cache-Control", "no-cache")
	name := s.name()
	for _, h := range []string{"X-Ms-Request-Id", "X-Ms-Correlation-Request-Id"} {
		a.header.Set(h, name)
	}
	q.left.show(a.header)
	if id := q.Header.Get("X-Ms-Client-Request-Id"); id != "" {
		a.header.Set("X-Ms-Client-Request-Id", id)
	}
}

// name returns a new name in the form of a GUID.
func (s *Server) name() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", s.count)
}
