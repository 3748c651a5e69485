package azure

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// Do carries out op as [provider.Provider] asks: content first, then one conditional write, then polls until ARM is done. When ctx ends
// before that, the error is of kind [provider.Unknown] and the receipt has a token for [Backend.Resume].
func (b *Backend) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	receipt, err := b.do(ctx, op)
	return receipt, about(op, err)
}

// Resume waits for an operation that was still running when an earlier call of Do, perhaps in another process, ended with token. Nothing
// is lost without it: the next plan is made from what is there.
func (b *Backend) Resume(ctx context.Context, op lb.Op, token string) (provider.Receipt, error) {
	receipt, err := b.resume(ctx, op, token)
	return receipt, about(op, err)
}

func about(op lb.Op, err error) error {
	if e, ok := errors.AsType[*provider.OpError](err); ok {
		e.Op = op
	}
	return err
}

// job is one operation on one resource.
type job struct {
	b *Backend
	access
	call
	id           lb.ID
	before, sent armwire.Object // of a write: what it was computed from, and its body
}

func (b *Backend) job(ctx context.Context, op lb.Op) (job, error) {
	if op == nil || op.Target() == "" {
		return job{}, refuse(http.StatusBadRequest, "InvalidRequestFormat", "an operation without a target")
	}
	return b.jobFor(ctx, op.Target())
}

func (b *Backend) jobFor(ctx context.Context, id lb.ID) (job, error) {
	if _, err := armid.Parse(string(id)); err != nil {
		return job{}, refuse(http.StatusBadRequest, "InvalidResourceName", "%s: %w", id, err)
	}
	factory, err := b.factory(id.Subscription())
	if err != nil {
		return job{}, err
	}
	var client ScaleSetClient
	if id.Top().Is(armid.ScaleSets) {
		if client, err = b.scaleSetClient(id.Subscription()); err != nil {
			return job{}, err
		}
	}
	j := job{b: b, access: accessTo(id.Type()), call: call{ClientFactory: factory, ctx: ctx}.of(id), id: id}
	if client != nil && id == id.Unit() {
		j.access = scaleSetAccess(client, id)
	}
	if j.get == nil {
		return job{}, refuse(http.StatusBadRequest, "InvalidResourceType", "%s: resources of type %s are not read or written here", id, id.Type())
	}
	return j, nil
}

func (b *Backend) do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	j, err := b.job(ctx, op)
	if err != nil {
		return provider.Receipt{}, err
	}
	now, result, err := j.prepare(op)
	if err != nil {
		return provider.Receipt{}, err
	}
	switch result.Verdict {
	case armwire.Done:
		return receipt(j.id, now.body, now.etag), nil
	case armwire.Write:
		return j.carryOut(now, result)
	default:
		b.cache.forget(j.id)
		return provider.Receipt{}, refuse(http.StatusPreconditionFailed, "PreconditionFailed", "%s is neither as planned against nor as wanted", j.id)
	}
}

// prepare compares op with the latest body. A conflict with a body that was not read just now is settled by reading it.
func (j job) prepare(op lb.Op) (entry, armwire.Result, error) {
	now, known := j.b.cache.lookup(j.id)
	for {
		if !known {
			var err error
			if now, err = j.read(); err != nil {
				return entry{}, armwire.Result{}, err
			}
		}
		result, err := armwire.Prepare(op, now.body)
		if errors.Is(err, armwire.ErrBody) {
			j.b.cache.forget(j.id)
			return entry{}, armwire.Result{}, failedRead(j.ctx, opError(broken("%s: %w", j.id, err)))
		}
		if err != nil {
			return entry{}, armwire.Result{}, refuse(http.StatusBadRequest, "InvalidRequestFormat", "%w", err)
		}
		if result.Verdict != armwire.Conflict || !known {
			return now, result, nil
		}
		known = false
	}
}

// read asks ARM for the resource; the body is nil if it is not there.
func (j job) read() (entry, error) {
	since := j.b.cache.now()
	x := exchange{target: j.id}
	c := j.call
	c.ctx = x.in(j.ctx)
	switch err := j.get(c); {
	case err == nil && x.got == nil:
		return entry{}, failedRead(j.ctx, opError(broken("%s: nothing in it", j.id)))
	case err != nil:
		e := opError(err)
		if !notThere(e) {
			return entry{}, failedRead(j.ctx, e)
		}
	}
	j.b.cache.keep(j.id, x.got, x.etag, since)
	return entry{mark: since, body: x.got, etag: x.etag}, nil
}

// failedRead is the error of a read before a write. Nothing was written, so a lost answer may simply be asked for again.
func failedRead(ctx context.Context, e *provider.OpError) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e.Kind == provider.Unknown {
		e.Kind = provider.Retry
		if !errors.Is(e, errAnswer) {
			e.Remedy = "there was no answer to a read; nothing was written"
		}
	}
	return e
}

// carryOut sends what result says, on condition that the resource is still as in now.
func (j job) carryOut(now entry, result armwire.Result) (provider.Receipt, error) {
	x := &exchange{target: j.id, gone: result.Delete}
	if result.Action != "" {
		return j.act(result)
	}
	send, body := j.verb(result, now)
	j.before, j.sent = now.body, body
	if send == nil {
		return provider.Receipt{}, refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "%s cannot be written by itself", j.id.Type())
	}
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return provider.Receipt{}, refuse(http.StatusBadRequest, "InvalidRequestFormat", "%w", err)
		}
		x.send = data
	}
	condition, err := j.b.condition(now)
	if err != nil {
		return provider.Receipt{}, err
	}
	c := j.call
	c.ctx = policy.WithHTTPHeader(x.in(j.ctx), condition)
	running, err := send(c)
	return j.finish(x, running, err, result.Delete)
}

// act sends an action of the resource, and reads what became of it and of what it touches.
func (j job) act(result armwire.Result) (provider.Receipt, error) {
	if j.migrate == nil {
		return provider.Receipt{}, refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "%s has no action %s", j.id.Type(), result.Action)
	}
	c := j.call
	for _, name := range texts(result.Body, "pools") {
		c.pools = append(c.pools, &name)
	}
	if err := j.migrate(c); err != nil {
		e := opError(err)
		if doubtful(e) {
			j.b.cache.forget(j.id)
		}
		return provider.Receipt{Target: j.id}, e
	}
	j.b.cache.forgetType(armid.NetworkInterfaces, armid.ScaleSets)
	return j.outcome(&exchange{target: j.id})
}

// verb chooses between DELETE, PATCH and PUT. Tags of a type that has no PATCH go with the whole body.
func (j job) verb(r armwire.Result, now entry) (func(call) (poller, error), armwire.Object) {
	switch {
	case r.Delete:
		return j.delete, nil
	case r.TagsOnly && j.tag != nil:
		return func(c call) (poller, error) { return nil, j.tag(c) }, r.Body
	case r.TagsOnly:
		body := armwire.Clone(now.body)
		body["tags"] = r.Body["tags"]
		armwire.StripReadOnly(j.id.Type(), body)
		return j.put, body
	default:
		return j.put, r.Body
	}
}

// condition makes the write fail if the resource is not as it was read. Without an ETag there is no such condition.
func (b *Backend) condition(now entry) (http.Header, error) {
	switch {
	case now.body == nil:
		return http.Header{"If-None-Match": {"*"}}, nil
	case now.etag != "":
		return http.Header{"If-Match": {now.etag}}, nil
	case b.options.WithoutETags:
		return http.Header{"If-Match": {"*"}}, nil
	default:
		return nil, &provider.OpError{
			Kind: provider.Terminal, Err: errNoETag,
			Remedy: "use an endpoint that has ETags; where there is none and nobody else writes, azure.Options.WithoutETags lets this happen",
		}
	}
}

func (b *Backend) resume(ctx context.Context, op lb.Op, token string) (provider.Receipt, error) {
	j, err := b.job(ctx, op)
	if err != nil {
		return provider.Receipt{}, err
	}
	j.token = token
	start := j.put
	deletion := deletes(op)
	if deletion {
		start = j.delete
	}
	if start == nil || token == "" {
		return provider.Receipt{}, refuse(http.StatusBadRequest, "InvalidRequestFormat", "there is nothing to resume for %s", j.id)
	}
	running, err := start(j.call)
	if err != nil {
		return provider.Receipt{}, refuse(http.StatusBadRequest, "InvalidRequestFormat", "token: %w", err)
	}
	return j.finish(&exchange{target: j.id, gone: deletion}, running, nil, deletion)
}

func deletes(op lb.Op) bool {
	switch op.(type) {
	case lb.DeleteLoadBalancer, lb.DeleteBackendPool, lb.DeletePublicIP, lb.DeleteSecurityRule, lb.DeletePrivateLinkService,
		lb.DeleteEndpointConnection:
		return true
	default:
		return false
	}
}

// finish waits for what was started and tells the cache what came of it.
func (j job) finish(x *exchange, running poller, err error, deletion bool) (provider.Receipt, error) {
	token := ""
	if err == nil && running != nil {
		token, err = j.await(x, running)
	}
	if err != nil {
		e := opError(err)
		if deletion && e.Status == http.StatusNotFound && absent(e.Code) {
			j.b.cache.written(j.id, nil, "", nil)
			return provider.Receipt{Target: j.id}, nil
		}
		if doubtful(e) {
			j.b.cache.forget(append(moved(j.id, j.before, j.sent), j.id)...)
		}
		return provider.Receipt{Target: j.id, Resume: token}, e
	}
	if deletion {
		j.b.cache.written(j.id, nil, "", moved(j.id, j.before, nil))
		return provider.Receipt{Target: j.id, Written: true}, nil
	}
	return j.outcome(x)
}

// absent reports whether a code says that the resource itself, or what it is in, is not there.
func absent(code string) bool {
	return strings.EqualFold(code, "ResourceNotFound") || strings.EqualFold(code, "NotFound") || strings.EqualFold(code, "ParentResourceNotFound")
}

// outcome is the receipt of a write that was done. If the answers do not show the resource as it is at the end, it is read.
func (j job) outcome(x *exchange) (provider.Receipt, error) {
	if x.got == nil || x.etag == "" || !settled(x.got) {
		j.b.cache.forget(j.id)
		now, err := j.read()
		if err != nil {
			e := opError(err)
			e.Kind = provider.Unknown
			return provider.Receipt{Target: j.id, Written: true}, e
		}
		x.got, x.etag = now.body, now.etag
	}
	j.b.cache.written(j.id, x.got, x.etag, moved(j.id, j.before, x.got))
	done := receipt(j.id, x.got, x.etag)
	done.Written = true
	return done, nil
}

func settled(o armwire.Object) bool {
	state := text(o, "properties", "provisioningState")
	return state == "" || strings.EqualFold(state, "Succeeded") || strings.EqualFold(state, "Failed")
}

// receipt tells of the resource id as it is: body, nil if it is gone.
func receipt(id lb.ID, body armwire.Object, etag string) provider.Receipt {
	r := provider.Receipt{Target: id, ETag: etag, Seen: armwire.Seen(id, body)}
	if body == nil {
		r.ETag = ""
	}
	add := func(o armwire.Object, property string) {
		if addr, err := netip.ParseAddr(text(o, "properties", property)); err == nil {
			r.Assigned = append(r.Assigned, lb.Assigned{ID: lb.ID(text(o, "id")), IP: addr})
		}
	}
	switch {
	case id.Is(armid.PrivateLinkServices):
		r.Alias = text(body, "properties", "alias")
	case id.Is(armid.PublicIPAddresses):
		add(body, "ipAddress")
	case id.Is(armid.LoadBalancers):
		for _, frontend := range objects(body, "properties", armid.FrontendIPConfigurations) {
			add(frontend, "privateIPAddress")
		}
	}
	return r
}
