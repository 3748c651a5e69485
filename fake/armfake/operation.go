package armfake

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// The states of an operation, as polls tell them.
const (
	inProgress = "InProgress"
	succeeded  = "Succeeded"
	failed     = "Failed"
	canceled   = "Canceled"
)

// operation is what a PUT or DELETE has started.
type operation struct {
	name   string
	method string
	target lb.ID
	turn   int // in the order in which writes took effect
	ends   time.Time
	fails  *provider.OpError // how it ends; nil: it succeeds
	state  string
}

// provisioning is the state that the operation gives its resource while it runs. How it ended shows in the cloud.
func (op *operation) provisioning() string {
	switch {
	case op.state != inProgress:
		return succeeded
	case op.method == http.MethodDelete && op.target == op.target.Unit():
		return "Deleting"
	default:
		return "Updating"
	}
}

// connectionType is the type of connections of consumers.
const connectionType = armid.PrivateLinkServices + "/" + armid.PrivateEndpointConnections

// write answers a PUT or DELETE: the state changes at once, the operation goes on.
func (s *Server) write(q *request) (*reply, error) {
	call := q.call()
	e := s.busy(q)
	if q.Method == http.MethodPut && e == nil {
		if call.Body, e = q.object(); e == nil {
			e = s.unready(call.ID, call.Body)
		}
	}
	if e != nil {
		return nil, s.refused(q, e)
	}
	if q.Method == http.MethodPut && strings.EqualFold(call.ID.Type(), connectionType) {
		answer, err := s.cloud.Call(q.Context(), call) // a decision is no operation: the answer says that it counts
		if err != nil {
			return nil, err
		}
		return s.shown(answer.Status, answer.Body), nil
	}
	answer, running, err := s.cloud.Start(q.Context(), call)
	if answer.Status == 0 || answer.Status == http.StatusNoContent {
		return says(answer.Status, nil), err
	}
	op := s.begin(call, running)
	if err != nil {
		return nil, err // the answer is lost; the operation runs
	}
	a := s.shown(answer.Status, answer.Body)
	s.announce(a, q, op)
	return a, nil
}

// busy refuses a write of what is being changed by an operation that it does not replace.
func (s *Server) busy(q *request) *provider.OpError {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := lb.ID(q.path)
	op := s.latest[key(id)]
	replaces := id == id.Unit() && op != nil && (op.method == http.MethodPut || op.target != op.target.Unit())
	if op == nil || op.state != inProgress || replaces {
		return nil
	}
	return refuse(http.StatusConflict, "AnotherOperationInProgress",
		"Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri: %s.", s.link(q, op, "operations"))
}

// unready refuses a body that refers to a resource that is being changed.
func (s *Server) unready(id lb.ID, body armwire.Object) *provider.OpError {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ref := range references(body, nil) {
		op := s.latest[key(ref)]
		if op == nil || key(ref) == key(id) || op.provisioning() == succeeded {
			continue
		}
		e := refuse(http.StatusTooManyRequests, "ReferencedResourceNotProvisioned", "Cannot proceed with operation because resource %s used by "+
			"resource %s is not in Succeeded state. Resource is in %s state.", ref, id, op.provisioning())
		e.SubResource = ref
		return e
	}
	return nil
}

// references collects the ids in a body.
func references(v any, ids []lb.ID) []lb.ID {
	switch v := v.(type) {
	case armwire.Object:
		if id, ok := v["id"].(string); ok {
			ids = append(ids, lb.ID(id))
		}
		for _, inner := range v {
			ids = references(inner, ids)
		}
	case []any:
		for _, inner := range v {
			ids = references(inner, ids)
		}
	}
	return ids
}

// begin starts the operation of a write that was taken. Of two that are under way, the one whose write is older is over.
func (s *Server) begin(call fake.Call, running fake.Running) *operation {
	op := &operation{
		name: s.name(), method: call.Method, target: call.ID, turn: running.Turn, state: inProgress,
		ends: s.cloud.Clock().Now().Add(running.Takes), fails: running.Fails,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.operations[op.name] = op
	was := s.latest[key(op.target)]
	if was != nil && was.turn > op.turn { // writes at the same time come here in any order
		op.superseded(was)
		return op
	}
	if was != nil && was.state == inProgress {
		was.superseded(op)
		delete(s.running, was)
	}
	s.latest[key(op.target)], s.running[op] = op, true
	return op
}

func (op *operation) superseded(by *operation) {
	op.state = canceled
	op.fails = refuse(http.StatusOK, "CanceledAndSupersededDueToAnotherOperation",
		"Operation %s was canceled and superseded by operation %s on %s.", op.name, by.name, by.target)
}

// settle ends the operations whose time has come.
func (s *Server) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cloud.Clock().Now()
	for op := range s.running {
		if op.ends.After(now) {
			continue
		}
		delete(s.running, op)
		op.state = succeeded
		if op.fails != nil {
			op.state = failed
		}
		s.cloud.End(op.target, op.fails)
	}
}

// overlay shows in body, a resource or child with its ETags, what operations are doing to it.
func (s *Server) overlay(body armwire.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.latest[key(idOf(body))]
	properties, ok := body["properties"].(armwire.Object)
	if op != nil && ok && op.provisioning() != succeeded {
		properties["provisioningState"] = op.provisioning()
	}
}

// announce tells where an operation can be followed.
func (s *Server) announce(a *reply, q *request, op *operation) {
	a.header.Set("Azure-AsyncOperation", s.link(q, op, "operations"))
	a.header.Set("Azure-AsyncNotification", "Enabled")
	if op.method == http.MethodDelete {
		a.status = http.StatusAccepted
		a.header.Set("Location", s.link(q, op, "operationResults"))
	}
	s.hurry(a, op)
}

// hurry asks for the next poll.
func (s *Server) hurry(a *reply, op *operation) {
	retryAfter(a.header, min(op.ends.Sub(s.cloud.Clock().Now()), s.options.PollAfter))
}

// link is where the operation can be followed: at the provider of its resource, since each has api-versions of its own.
func (s *Server) link(q *request, op *operation, kind string) string {
	namespace, _, _ := strings.Cut(op.target.Type(), "/")
	path := "/subscriptions/" + op.target.Subscription() + "/providers/" + namespace + "/locations/" + location(s.cloud, op.target) + "/" + kind + "/" + op.name
	return q.base + path + "?" + url.Values{"api-version": {q.version()}}.Encode()
}

// location is that of the resource group of id.
func location(c *fake.Cloud, id lb.ID) string {
	for group, location := range c.Groups() {
		if group.Equal(id.GroupID()) && location != "" {
			return location
		}
	}
	return "global"
}

// find returns the operation that a poll is about, with what it says now.
func (s *Server) find(q *request) (operation, bool) {
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	op := s.operations[q.segment(7)]
	if op == nil {
		return operation{}, false
	}
	return *op, true
}

// look asks for an operation as any other request is made.
func (s *Server) look(q *request, say func(operation) *reply) (*reply, error) {
	var a *reply
	_, err := s.cloud.Intercept(q.Context(), q.call(), func() (fake.Answer, *provider.OpError) {
		op, ok := s.find(q)
		if !ok || q.Method != http.MethodGet {
			return fake.Answer{}, refuse(http.StatusNotFound, "OperationNotFound", "The operation '%s' was not found.", q.segment(7))
		}
		a = say(op)
		return fake.Answer{Status: a.status}, nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// poll answers the Azure-AsyncOperation link.
func (s *Server) poll(q *request) (*reply, error) {
	return s.look(q, func(op operation) *reply {
		body := armwire.Object{"status": op.state}
		if op.fails != nil && op.state != inProgress {
			body["error"] = bodyOf(op.fails)
		}
		a := says(http.StatusOK, body)
		if op.state == inProgress {
			s.hurry(a, &op)
		}
		return a
	})
}

// result answers the Location link: 202 while the operation runs, then what it came to.
func (s *Server) result(q *request) (*reply, error) {
	return s.look(q, func(op operation) *reply {
		switch {
		case op.state == inProgress:
			a := says(http.StatusAccepted, nil)
			a.header.Set("Location", s.link(q, &op, "operationResults"))
			s.hurry(a, &op)
			return a
		case op.fails != nil:
			outcome := *op.fails
			outcome.Status = http.StatusConflict
			return refusal(&outcome)
		default:
			return says(http.StatusNoContent, nil)
		}
	})
}
