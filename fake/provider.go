package fake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// Observe reads what s names: one list per type and resource group, one GET per security group, virtual network and prefix, and the zones
// once per cloud. The tags of load balancers may name more groups, see [lb.Scope.WithGroups].
func (c *Cloud) Observe(ctx context.Context, s lb.Scope) (lb.Observed, error) {
	r := reader{c: c, ctx: ctx}
	r.loadBalancers(s)
	s = s.WithGroups(r.seen.LoadBalancers)
	r.publicIPs(s)
	listed(&r, s.PrivateLinkServices, armid.PrivateLinkServices, armwire.PrivateLinkService, &r.seen.PrivateLinkServices)
	s = r.members(s)
	listed(&r, s.Interfaces, armid.NetworkInterfaces, armwire.Interface, &r.seen.Interfaces)
	r.scaleSets(s)
	listed(&r, s.Machines, armid.VirtualMachines, armwire.Machine, &r.seen.Machines)
	if s.SecurityGroup != "" {
		single(&r, []lb.ID{s.SecurityGroup}, armwire.SecurityGroup, &r.seen.SecurityGroups)
	}
	single(&r, s.Networks, armwire.Network, &r.seen.Networks)
	single(&r, s.Prefixes, armwire.PublicIPPrefix, &r.seen.Prefixes)
	r.zones(s)
	r.survey(s)
	if r.err != nil {
		return lb.Observed{}, r.err
	}
	return r.seen, nil
}

// reader collects what is observed and stops at the first error.
type reader struct {
	c    *Cloud
	ctx  context.Context
	seen lb.Observed
	err  error
}

// call reads id. What is refused with 403 or 404 becomes unknown.
func (r *reader) call(id, scope lb.ID, typ string) (Answer, bool) {
	if r.err != nil {
		return Answer{}, false
	}
	return r.ask(id, lb.Unknown{Scope: scope, Type: typ, Action: typ + "/read"})
}

// ask is call with what becomes unknown.
func (r *reader) ask(id lb.ID, unknown lb.Unknown) (Answer, bool) {
	answer, err := r.c.call(r.ctx, Call{Method: http.MethodGet, ID: id})
	if e, ok := errors.AsType[*provider.OpError](err); ok && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound) {
		unknown.Absent = e.Status == http.StatusNotFound
		r.seen.Unknown = append(r.seen.Unknown, unknown)
		return Answer{}, false
	}
	r.err = err
	return answer, err == nil
}

// listed reads one list per group and decodes it with from.
func listed[T any](r *reader, groups []lb.ID, typ string, from func(armwire.Object) (T, error), to *[]T) {
	for _, group := range distinct(groups) {
		answer, ok := r.call(listPath(group, typ), group, typ)
		if !ok {
			continue
		}
		for _, o := range answer.List {
			decode(r, o, from, to)
		}
	}
}

// single reads one resource per id.
func single[T any](r *reader, ids []lb.ID, from func(armwire.Object) (T, error), to *[]T) {
	for _, id := range distinct(ids) {
		if answer, ok := r.call(id, id, canonicalType(id)); ok {
			decode(r, answer.Body, from, to)
		}
	}
}

func decode[T any](r *reader, o armwire.Object, from func(armwire.Object) (T, error), to *[]T) {
	v, err := from(o)
	if err != nil {
		r.err = errors.Join(r.err, fmt.Errorf("%s: %w", text(o, "id"), err))
		return
	}
	*to = append(*to, v)
}

// distinct returns ids sorted, each once.
func distinct(ids []lb.ID) []lb.ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, armid.Compare)
	return slices.CompactFunc(ids, lb.ID.Equal)
}

func (r *reader) loadBalancers(s lb.Scope) {
	listed(r, s.LoadBalancers, armid.LoadBalancers, armwire.LoadBalancer, &r.seen.LoadBalancers)
}

// publicIPs lists the groups that s names and those of the public IPs on the frontends seen.
func (r *reader) publicIPs(s lb.Scope) {
	groups := slices.Clone(s.PublicIPs)
	for _, l := range r.seen.LoadBalancers {
		for _, f := range l.Frontends {
			if f.PublicIP != "" {
				groups = append(groups, f.PublicIP.GroupID())
			}
		}
	}
	listed(r, groups, armid.PublicIPAddresses, armwire.PublicIP, &r.seen.PublicIPs)
}

// survey lists what is in groups of the subscription that were not read.
func (r *reader) survey(s lb.Scope) {
	if s.Survey == "" {
		return
	}
	var found lb.Elsewhere
	listed(r, []lb.ID{s.Survey}, armid.PublicIPAddresses, armwire.PublicIP, &found.PublicIPs)
	listed(r, []lb.ID{s.Survey}, armid.PrivateLinkServices, armwire.PrivateLinkService, &found.PrivateLinkServices)
	r.seen.Elsewhere = r.seen.Beyond(s, found)
}

// members adds to s what has the interfaces in the pools of the load balancers that s.Members names.
func (r *reader) members(s lb.Scope) lb.Scope {
	if len(s.Members) == 0 {
		return s
	}
	balancers := r.seen.LoadBalancers
	for _, id := range distinct(s.Members) {
		if !slices.ContainsFunc(s.LoadBalancers, id.GroupID().Equal) {
			single(r, []lb.ID{id}, armwire.LoadBalancer, &balancers)
		}
	}
	return s.WithMembers(balancers)
}

// scaleSets lists scale sets, and the instances of those that have any.
func (r *reader) scaleSets(s lb.Scope) {
	for _, group := range distinct(s.ScaleSets) {
		answer, ok := r.call(listPath(group, armid.ScaleSets), group, armid.ScaleSets)
		if !ok {
			continue
		}
		for _, set := range answer.List {
			decode(r, set, armwire.ScaleSet, &r.seen.Interfaces)
			if !armwire.Uniform(set) {
				continue
			}
			id := idOf(set)
			instances, ok := r.call(id+"/"+armid.Instances, id, armid.ScaleSetInstances)
			if !ok {
				continue
			}
			for _, instance := range instances.List {
				decode(r, instance, armwire.Instance, &r.seen.Interfaces)
			}
		}
	}
}

// zones reads the zones of the location; the call is made once per cloud.
func (r *reader) zones(s lb.Scope) {
	if s.Location == "" || r.err != nil {
		return
	}
	id := lb.ID("/subscriptions/" + s.Subscription + "/providers/Microsoft.Compute")
	r.c.mu.Lock()
	read := r.c.zonesRead[id.Key()]
	r.c.mu.Unlock()
	if !read {
		unknown := lb.Unknown{Scope: "/subscriptions/" + lb.ID(s.Subscription), Type: "Microsoft.Compute", Action: providerType + "/read"}
		if _, ok := r.ask(id, unknown); !ok {
			return
		}
	}
	r.c.mu.Lock()
	r.c.zonesRead[id.Key()] = true
	r.c.mu.Unlock()
	r.seen.Zones = slices.Sorted(slices.Values(r.c.zones(s.Location)))
}

// Do carries out op as [provider.Provider] asks: content first, then one conditional write.
func (c *Cloud) Do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	receipt, err := c.do(ctx, op)
	if e, ok := errors.AsType[*provider.OpError](err); ok {
		e.Op = op
	}
	return receipt, err
}

func (c *Cloud) do(ctx context.Context, op lb.Op) (provider.Receipt, error) {
	if op == nil || op.Target() == "" {
		return provider.Receipt{}, refuse(400, "InvalidRequestFormat", "", "an operation without a target")
	}
	id := op.Target()
	c.mu.Lock()
	raw := c.read(id)
	c.mu.Unlock()
	result, err := armwire.Prepare(op, raw)
	if err != nil {
		return provider.Receipt{}, refuse(400, "InvalidRequestFormat", "", "%v", err)
	}
	switch result.Verdict {
	case armwire.Done:
		return c.receipt(id, raw), nil
	case armwire.Write:
		return c.carryOut(ctx, id, raw, result)
	default:
		return provider.Receipt{}, refuse(http.StatusPreconditionFailed, "PreconditionFailed", "",
			"%s is neither as planned against nor as wanted", id)
	}
}

func (c *Cloud) carryOut(ctx context.Context, id lb.ID, raw armwire.Object, result armwire.Result) (provider.Receipt, error) {
	call := Call{Method: http.MethodPut, ID: id, Body: result.Body, IfMatch: text(raw, "etag")}
	if raw == nil {
		call.IfNoneMatch = "*"
	}
	switch {
	case result.Delete:
		call.Method, call.Body = http.MethodDelete, nil
	case result.TagsOnly:
		call.Method = http.MethodPatch
	}
	if result.Action != "" {
		call = Call{Method: http.MethodPost, ID: id + "/" + lb.ID(result.Action), Body: result.Body}
	}
	answer, err := c.call(ctx, call)
	if err != nil {
		return provider.Receipt{}, err
	}
	if result.Action != "" {
		c.mu.Lock()
		answer.Body = c.read(id)
		c.mu.Unlock()
	}
	done := c.receipt(id, answer.Body)
	done.Written = true
	return done, nil
}

// receipt tells of the resource id as it is: body, nil if it is gone.
func (c *Cloud) receipt(id lb.ID, body armwire.Object) provider.Receipt {
	r := provider.Receipt{Target: id, ETag: text(body, "etag")}
	if top := id.Unit(); top == id {
		r.Seen = armwire.Seen(id, body)
	} else {
		c.mu.Lock()
		r.Seen = armwire.Seen(top, c.read(top))
		c.mu.Unlock()
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
