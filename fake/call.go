package fake

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// Call is one ARM request.
type Call struct {
	Method string // GET, PUT, PATCH (tags only), DELETE, or POST of an action, whose ID ends in its name
	// ID is a resource, a child of one or, with GET, a list: the id of a resource group or subscription, /providers/ and a type, or the id
	// of a resource and a kind of children.
	ID          lb.ID
	Body        armwire.Object
	IfMatch     string // ETag that the target must have; empty: any
	IfNoneMatch string // * asks that the target is not there
}

// Answer is what ARM says to a [Call] that succeeded.
type Answer struct {
	Status int
	Body   armwire.Object   // of a resource, with ETags; nil after a deletion
	List   []armwire.Object // of a list, sorted by id

	turn int // of a write: when it took effect
}

// Request is one entry of the journal.
type Request struct {
	Method, Path string
	Status       int // zero: no answer
}

// Requests returns the calls since the start or the last [Cloud.ResetRequests], in order.
func (c *Cloud) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.journal)
}

// ResetRequests empties the journal.
func (c *Cloud) ResetRequests() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.journal = nil
}

// Call carries out one ARM request, with faults, permissions and rules, and writes it down in the journal. It returns when the operation
// that a write starts has ended. Every error is an [*provider.OpError] without Op, except that of a ctx that ended.
func (c *Cloud) Call(ctx context.Context, call Call) (Answer, error) {
	answer, err := c.call(ctx, call)
	answer.Body = armwire.Clone(answer.Body)
	for i := range answer.List {
		answer.List[i] = armwire.Clone(answer.List[i])
	}
	return answer, err
}

// call is Call for readers who leave alone what they get: others get the same.
func (c *Cloud) call(ctx context.Context, call Call) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	if err := c.wait(ctx, c.latency(call)); err != nil {
		return Answer{}, err
	}
	answer, f, err := c.attempt(call, nil)
	if err != nil {
		return Answer{}, err
	}
	if err := c.wait(ctx, f.delay()); err != nil {
		return Answer{}, err
	}
	if late := f.late(); late != nil {
		c.End(call.ID, late)
		return Answer{}, late
	}
	return answer, nil
}

// wait lets d pass.
func (c *Cloud) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	return c.options.Clock.Sleep(ctx, d)
}

// attempt carries out call, with serve instead of the state if that is not nil, under the fault that strikes it. The answer of a call that
// took effect is there even if it was lost.
func (c *Cloud) attempt(call Call, serve func() (Answer, *provider.OpError)) (Answer, *Fault, error) {
	c.mu.Lock()
	f := c.strike(call.Method, string(call.ID))
	crashed := c.crashed
	c.mu.Unlock()
	if crashed {
		return Answer{}, nil, c.log(call, 0, unanswered(ErrCrashed))
	}
	if f != nil && f.Meanwhile != nil {
		f.Meanwhile(c)
	}
	if serve == nil {
		serve = func() (Answer, *provider.OpError) { return c.take(call, f) }
	}
	answer, err := c.answer(call, f, serve)
	return answer, f, err
}

// take carries out call on the state.
func (c *Cloud) take(call Call, f *Fault) (Answer, *provider.OpError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call.Method == http.MethodDelete && f.late() != nil && c.bare(call.ID) != nil {
		return Answer{Status: http.StatusOK, turn: c.effects}, nil // what could not be deleted stays
	}
	answer, err := c.serve(call)
	if err == nil && call.Method != http.MethodGet {
		c.effects++
		answer.turn = c.effects
	}
	return answer, err
}

// answer lets serve answer call unless f stops it.
func (c *Cloud) answer(call Call, f *Fault, serve func() (Answer, *provider.OpError)) (Answer, error) {
	if f != nil && f.Status != 0 && !f.Late {
		err := refuse(f.Status, f.Code, f.SubResource, "%s", f.Message)
		err.RetryAfter = f.RetryAfter
		return Answer{}, c.log(call, f.Status, err)
	}
	if f != nil && f.Drop == DropBefore {
		return Answer{}, c.log(call, 0, unanswered(ErrDropped))
	}
	answer, err := serve()
	switch {
	case f != nil && f.Drop == DropAfter:
		return answer, c.log(call, 0, unanswered(ErrDropped))
	case err != nil:
		return Answer{}, c.log(call, err.Status, err)
	default:
		return answer, c.log(call, answer.Status, nil)
	}
}

// log writes call down and returns err.
func (c *Cloud) log(call Call, status int, err *provider.OpError) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.journal = append(c.journal, Request{Method: call.Method, Path: string(call.ID), Status: status})
	if err == nil {
		return nil
	}
	return err
}

func (c *Cloud) latency(call Call) time.Duration {
	if call.Method == http.MethodGet {
		return 0
	}
	for typ, d := range c.options.Latency {
		if call.ID.Unit().Is(typ) {
			return d
		}
	}
	return 0
}

// serve carries out call. c.mu is held.
func (c *Cloud) serve(call Call) (Answer, *provider.OpError) {
	if err := c.permitted(call); err != nil {
		return Answer{}, err
	}
	if call.Method == http.MethodGet {
		if scope, typ, ok := listOf(call.ID); ok {
			return c.list(scope, typ)
		}
		if parent, kind, ok := childListOf(call.ID); ok {
			if equalFold(kind, armid.Instances) && parent.Is(armid.ScaleSets) {
				return c.listInstances(parent)
			}
			if !parent.Is(armid.ScaleSets) || !equalFold(kind, instanceInterfaces) {
				return c.listChildren(parent, kind)
			}
		}
		if parent, name, ok := interfaceRead(call.ID); ok {
			return c.readInterfaces(parent, name)
		}
	}
	if balancer, ok := migrationOf(call); ok {
		return c.migrateAll(balancer, call.Body)
	}
	if _, err := armid.Parse(string(call.ID)); err != nil {
		return Answer{}, refuse(400, "InvalidResourceName", "", "%s: %v", call.ID, err)
	}
	if _, ok := c.groups[call.ID.GroupID().Key()]; !ok {
		return Answer{}, noGroup(call.ID)
	}
	switch call.Method {
	case http.MethodGet:
		return c.get(call.ID)
	case http.MethodPut:
		return c.put(call)
	case http.MethodPatch:
		return c.patch(call)
	case http.MethodDelete:
		return c.delete(call)
	default:
		return Answer{}, refuse(405, "MethodNotAllowed", "", "The method %s is not allowed on %s.", call.Method, call.ID)
	}
}

func noGroup(id lb.ID) *provider.OpError {
	return refuse(404, "ResourceGroupNotFound", "", "Resource group '%s' could not be found.", id.ResourceGroup())
}

// providerType is the type in the action for the description of a resource provider, the zones of a location among it.
const providerType = "Microsoft.Resources/subscriptions/providers"

// permitted asks Options.Deny.
func (c *Cloud) permitted(call Call) *provider.OpError {
	verb := map[string]string{http.MethodGet: "/read", http.MethodDelete: "/delete"}[call.Method]
	if verb == "" {
		verb = "/write"
	}
	typ, scope := call.ID.Type(), call.ID
	if call.Method == http.MethodPost {
		verb = "/" + call.ID.Name() + "/action"
	}
	if s, t, ok := listOf(call.ID); ok {
		typ, scope = t, s
	}
	if parent, kind, ok := childListOf(call.ID); ok && call.Method == http.MethodGet {
		typ, scope = parent.Type()+"/"+kind, parent
	}
	if parent, _, ok := interfaceRead(call.ID); ok && call.Method == http.MethodGet {
		typ, scope = parent.Type()+"/"+instanceInterfaces, parent
	}
	if !strings.Contains(typ, "/") {
		typ = providerType // not a list, but the description of a resource provider
	}
	for _, d := range c.options.Deny {
		below := equalFold(string(scope), string(d.Scope)) || strings.HasPrefix(scope.Key(), d.Scope.Key()+"/")
		if below && (d.Action == "" || equalFold(d.Action, typ+verb)) {
			return refuse(403, "AuthorizationFailed", "",
				"The client does not have authorization to perform action '%s' over scope '%s' or "+
					"the scope is invalid.", typ+verb, scope)
		}
	}
	return nil
}

// listOf splits the path of a list.
func listOf(id lb.ID) (scope lb.ID, typ string, ok bool) {
	at := strings.Index(id.Key(), "/providers/")
	if at < 0 {
		return "", "", false
	}
	typ = string(id[at+len("/providers/"):])
	return id[:at], typ, strings.Count(typ, "/") < 2
}

// childListOf splits the path of a list of children.
func childListOf(id lb.ID) (parent lb.ID, kind string, ok bool) {
	at := strings.LastIndexByte(string(id), '/')
	if at < 0 || strings.Count(string(id), "/") != 9 {
		return "", "", false
	}
	return id[:at], id.Name(), true
}

// listPath composes the path of a list.
func listPath(scope lb.ID, typ string) lb.ID { return scope + lb.ID("/providers/"+typ) }

func (c *Cloud) list(scope lb.ID, typ string) (Answer, *provider.OpError) {
	if group := scope.ResourceGroup(); group != "" {
		if _, ok := c.groups[scope.Key()]; !ok {
			return Answer{}, noGroup(scope)
		}
	}
	answer := Answer{Status: 200, List: []armwire.Object{}}
	for _, r := range c.resources {
		if r.id.Is(typ) && strings.HasPrefix(r.id.Key(), scope.Key()+"/") {
			answer.List = append(answer.List, c.show(r))
		}
	}
	slices.SortFunc(answer.List, func(a, b armwire.Object) int { return armid.Compare(lb.ID(text(a, "id")), lb.ID(text(b, "id"))) })
	return answer, nil
}

func (c *Cloud) listChildren(parent lb.ID, kind string) (Answer, *provider.OpError) {
	body := c.read(parent)
	if body == nil {
		return Answer{}, notFound(parent)
	}
	_, kind, _ = split(parent.Child(kind, "any"))
	answer := Answer{Status: 200, List: append([]armwire.Object{}, objects(body, "properties", kind)...)}
	slices.SortFunc(answer.List, func(a, b armwire.Object) int { return armid.Compare(lb.ID(text(a, "id")), lb.ID(text(b, "id"))) })
	return answer, nil
}

func (c *Cloud) get(id lb.ID) (Answer, *provider.OpError) {
	body := c.read(id)
	if body == nil {
		return Answer{}, notFound(id)
	}
	return Answer{Status: 200, Body: body}, nil
}

// read returns the resource or child id as ARM shows it, with ETags, or nil. It belongs to everybody and must not be changed. c.mu is held.
func (c *Cloud) read(id lb.ID) armwire.Object {
	top, kind, name := split(id)
	r := c.resources[top.Key()]
	if r == nil {
		return nil
	}
	body := c.show(r)
	if kind != "" {
		return child(body, kind, name)
	}
	return body
}

// precondition checks the conditional headers against what is there.
func (c *Cloud) precondition(call Call) *provider.OpError {
	there := c.bare(call.ID) != nil
	var now string
	if r := c.resources[call.ID.Unit().Key()]; there && r != nil {
		now = etag(r)
	}
	switch {
	case call.IfMatch != "" && (!there || call.IfMatch != "*" && call.IfMatch != now):
		return refuse(412, "PreconditionFailed", "",
			"The condition '%s' in the If-Match header was not satisfied: %s has '%s'.", call.IfMatch, call.ID, now)
	case call.IfNoneMatch == "*" && there:
		return refuse(412, "PreconditionFailed", "", "The condition '*' in the If-None-Match header was not satisfied: %s exists.", call.ID)
	default:
		return nil
	}
}

func (c *Cloud) put(call Call) (Answer, *provider.OpError) {
	top, kind, name := split(call.ID)
	parent := c.resources[top.Key()]
	if kind != "" && parent == nil {
		return Answer{}, refuse(404, "ParentResourceNotFound", "",
			"Can not perform requested operation on nested resource. Parent resource '%s' not found.", top.Name())
	}
	if kind != "" && !slices.Contains(writable, kind) {
		return Answer{}, refuse(405, "MethodNotAllowed", "", "The resource type %s cannot be written by itself.", call.ID.Type())
	}
	if err := c.precondition(call); err != nil {
		return Answer{}, err
	}
	status := http.StatusOK
	if c.bare(call.ID) == nil {
		status = http.StatusCreated
	}
	body, source := call.Body, armwire.Object(nil)
	if kind == armid.PrivateEndpointConnections {
		return c.decide(call)
	}
	if parent != nil {
		source = parent.body
	}
	if kind != "" {
		body = withChild(parent.body, kind, name, body)
		source = body
	}
	if err := c.write(top, body, source); err != nil {
		return Answer{}, err
	}
	return Answer{Status: status, Body: c.read(call.ID)}, nil
}

// write is every client's write of a top-level resource, or of a part of one: rules, addresses, then the state.
func (c *Cloud) write(top lb.ID, body, source armwire.Object) *provider.OpError {
	w := write{c: c, id: top}
	if r := c.resources[top.Key()]; r != nil {
		w.id, w.old = r.id, r.body
	}
	w.new = complete(top, w.old, body, source)
	if err := w.check(); err != nil {
		return err
	}
	if err := c.assign(w.id, w.old, w.new, nil); err != nil {
		return err
	}
	c.store(w.id, w.new)
	c.moveOthers(w.id)
	c.followModel(w.id, w.old)
	return nil
}

// patch replaces the tags, which is all that PATCH can do here.
func (c *Cloud) patch(call Call) (Answer, *provider.OpError) {
	r := c.resources[call.ID.Key()]
	if r == nil {
		return Answer{}, notFound(call.ID)
	}
	if err := c.precondition(call); err != nil {
		return Answer{}, err
	}
	body := armwire.Clone(r.body)
	delete(body, "tags")
	if tags := object(call.Body, "tags"); len(tags) > 0 {
		body["tags"] = armwire.Clone(tags)
	}
	w := write{c: c, id: r.id, old: r.body, new: body}
	if err := w.checkOnly("tags"); err != nil {
		return Answer{}, err
	}
	c.store(r.id, body)
	return Answer{Status: 200, Body: c.read(call.ID)}, nil
}

func (c *Cloud) delete(call Call) (Answer, *provider.OpError) {
	if c.bare(call.ID) == nil {
		return Answer{Status: http.StatusNoContent}, nil
	}
	if err := c.precondition(call); err != nil {
		return Answer{}, err
	}
	top, kind, name := split(call.ID)
	r := c.resources[top.Key()]
	if kind == "" {
		w := write{c: c, id: r.id, old: r.body}
		if err := w.check(); err != nil {
			return Answer{}, err
		}
		c.removeWhole(top)
		return Answer{Status: 200}, nil
	}
	if !slices.Contains(writable, kind) {
		return Answer{}, refuse(405, "MethodNotAllowed", "", "The resource type %s cannot be deleted by itself.", call.ID.Type())
	}
	body := withoutChild(r.body, kind, name)
	if kind == armid.PrivateEndpointConnections {
		c.store(r.id, body) // the rules are about the service, which stays as it is
		return Answer{Status: 200}, nil
	}
	if err := c.write(top, body, body); err != nil {
		return Answer{}, err
	}
	return Answer{Status: 200}, nil
}
