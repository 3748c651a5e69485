package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// parallelReads is how many reads of one observation run at a time.
const parallelReads = 8

// Observe reads what s names: one list per type and resource group, with all its pages, one GET per security group, virtual network and
// prefix, and the zones of a subscription once per backend. Public IPs are also read in the groups that ids on observed frontends name, and they and
// private link services in those that tags of load balancers name.
func (b *Backend) Observe(ctx context.Context, s lb.Scope) (lb.Observed, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	o := &observation{b: b, ctx: ctx, stop: stop, slots: make(chan struct{}, parallelReads)}
	balancers := o.lists(s.LoadBalancers, armid.LoadBalancers)
	apart := o.each(outside(s))
	addresses := o.lists(s.PublicIPs, armid.PublicIPAddresses)
	services := o.lists(s.PrivateLinkServices, armid.PrivateLinkServices)
	var security *found
	if s.SecurityGroup != "" {
		security = o.each([]lb.ID{s.SecurityGroup})
	}
	networks, prefixes := o.each(s.Networks), o.each(s.Prefixes)
	o.zones(s)
	o.machines(s)
	o.running.Wait()
	var errs []error
	read, members := decode(balancers, armwire.LoadBalancer, &errs), decode(apart, armwire.LoadBalancer, &errs)
	if len(errs) > 0 {
		o.fail(failedRead(ctx, opError(broken("%w", errors.Join(errs...)))))
	}
	asked := s
	s = s.WithGroups(read).WithMembers(slices.Concat(read, members))
	interfaces := o.lists(s.Interfaces, armid.NetworkInterfaces)
	sets := o.scaleSets(s.ScaleSets)
	elsewhere := o.lists(slices.Concat(beyond(asked.PublicIPs, s.PublicIPs), groupsOfAddresses(balancers, s.PublicIPs)), armid.PublicIPAddresses)
	surveyed, surveyedLinks := o.survey(s.Survey)
	linked := o.lists(beyond(asked.PrivateLinkServices, s.PrivateLinkServices), armid.PrivateLinkServices)
	o.running.Wait()
	if o.err != nil {
		return lb.Observed{}, o.err
	}
	o.add(addresses, elsewhere.bodies...)
	o.add(services, linked.bodies...)

	attached := decode(interfaces, armwire.Interface, &errs)
	attached = append(attached, decode(sets.models, armwire.ScaleSet, &errs)...)
	attached = append(attached, decode(sets.instances, armwire.Instance, &errs)...)
	seen := lb.Observed{
		LoadBalancers:       read,
		PublicIPs:           decode(addresses, armwire.PublicIP, &errs),
		Prefixes:            decode(prefixes, armwire.PublicIPPrefix, &errs),
		SecurityGroups:      decode(security, armwire.SecurityGroup, &errs),
		Networks:            decode(networks, armwire.Network, &errs),
		PrivateLinkServices: decode(services, armwire.PrivateLinkService, &errs),
		Interfaces:          attached,
		Machines:            o.machineList,
		Zones:               o.zoneNames,
		Unknown:             o.unknown,
	}
	seen.Elsewhere = seen.Beyond(s, lb.Elsewhere{
		PublicIPs:           decode(surveyed, armwire.PublicIP, &errs),
		PrivateLinkServices: decode(surveyedLinks, armwire.PrivateLinkService, &errs),
	})
	if len(errs) > 0 {
		return lb.Observed{}, failedRead(ctx, opError(broken("%w", errors.Join(errs...))))
	}
	slices.SortFunc(seen.Unknown, func(x, y lb.Unknown) int {
		if n := strings.Compare(x.Type, y.Type); n != 0 {
			return n
		}
		return armid.Compare(x.Scope, y.Scope)
	})
	return seen, nil
}

// outside are the load balancers whose members are asked for and that no list has.
func outside(s lb.Scope) []lb.ID {
	return slices.DeleteFunc(slices.Clone(s.Members), func(id lb.ID) bool { return slices.ContainsFunc(s.LoadBalancers, id.GroupID().Equal) })
}

// beyond returns the ids that are in all and not in asked.
func beyond(asked, all []lb.ID) []lb.ID {
	return slices.DeleteFunc(slices.Clone(all), func(id lb.ID) bool { return slices.ContainsFunc(asked, id.Equal) })
}

// observation is one Observe under way. Its first error stops it.
type observation struct {
	b       *Backend
	ctx     context.Context // it lives as long as the call that made it
	stop    context.CancelCauseFunc
	slots   chan struct{}
	running sync.WaitGroup

	mu        sync.Mutex
	err       error
	unknown   []lb.Unknown
	zoneNames []string

	machineList []lb.Machine
}

// found collects the bodies of one kind.
type found struct{ bodies []armwire.Object }

// read runs one read. What is refused with 403 or 404 becomes unknown.
func (o *observation) read(unknown lb.Unknown, do func() error) {
	o.running.Go(func() {
		o.slots <- struct{}{}
		defer func() { <-o.slots }()
		if o.ctx.Err() != nil {
			o.fail(context.Cause(o.ctx))
			return
		}
		err := do()
		if err == nil {
			return
		}
		if o.ctx.Err() != nil {
			o.fail(context.Cause(o.ctx))
			return
		}
		e := opError(err)
		if e.Status != http.StatusForbidden && !notThere(e) {
			if errors.Is(e, errAnswer) {
				o.fail(failedRead(o.ctx, e))
				return
			}
			o.fail(e)
			return
		}
		unknown.Absent = e.Status == http.StatusNotFound
		o.mu.Lock()
		defer o.mu.Unlock()
		o.unknown = append(o.unknown, unknown)
	})
}

func (o *observation) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
		o.stop(err)
	}
}

// lists reads one list per group.
func (o *observation) lists(groups []lb.ID, typ string) *found {
	to := &found{}
	for _, group := range distinct(groups) {
		o.read(lb.Unknown{Scope: group, Type: typ, Action: typ + "/read"}, func() error {
			bodies, err := o.b.list(o.ctx, group, typ)
			o.add(to, bodies...)
			return err
		})
	}
	return to
}

// survey lists the public IPs and private link services of a subscription; nothing without one.
func (o *observation) survey(subscription lb.ID) (addresses, links *found) {
	if subscription == "" {
		return nil, nil
	}
	whole := []lb.ID{subscription}
	return o.lists(whole, armid.PublicIPAddresses), o.lists(whole, armid.PrivateLinkServices)
}

// each reads one resource per id.
func (o *observation) each(ids []lb.ID) *found {
	to := &found{}
	for _, id := range distinct(ids) {
		typ := spelled(id.Type())
		o.read(lb.Unknown{Scope: id, Type: typ, Action: typ + "/read"}, func() error {
			body, err := o.b.get(o.ctx, id)
			if err == nil {
				o.add(to, body)
			}
			return err
		})
	}
	return to
}

func (o *observation) add(to *found, bodies ...armwire.Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	to.bodies = append(to.bodies, bodies...)
}

// list reads all pages of the list of a type in a group, or in a whole subscription.
func (b *Backend) list(ctx context.Context, group lb.ID, typ string) ([]armwire.Object, error) {
	factory, err := b.factory(group.Subscription())
	if err != nil {
		return nil, err
	}
	since := b.cache.now()
	x := exchange{target: group, typ: typ}
	ctx = x.in(ctx)
	var all []armwire.Object
	to := accessTo(typ).list
	if group.ResourceGroup() == "" {
		to = accessTo(typ).listAll
	}
	for pages := to(call{ClientFactory: factory, ctx: ctx, group: group.ResourceGroup()}); pages.More(); {
		x.page = nil
		if err := pages.next(ctx); err != nil {
			return nil, err
		}
		all = append(all, x.page...)
	}
	all = once(all)
	if group.ResourceGroup() != "" { // what a survey finds is told, and not written
		b.cache.keepList(group, typ, all, since)
	}
	return all, nil
}

// once leaves of each resource what was read last: one that comes while pages are read can be on two of them.
func once(list []armwire.Object) []armwire.Object {
	last := map[string]int{}
	for i, o := range list {
		last[lb.ID(text(o, "id")).Key()] = i
	}
	var kept []armwire.Object
	for i, o := range list {
		if last[lb.ID(text(o, "id")).Key()] == i {
			kept = append(kept, o)
		}
	}
	return kept
}

// get reads one resource; that it is not there is an error.
func (b *Backend) get(ctx context.Context, id lb.ID) (armwire.Object, error) {
	j, err := b.jobFor(ctx, id)
	if err != nil {
		return nil, err
	}
	now, err := j.read()
	if err == nil && now.body == nil {
		err = refuse(http.StatusNotFound, "ResourceNotFound", "%s is not there", id)
	}
	return now.body, err
}

// decode turns bodies into values, in the order of their ids.
func decode[T any](from *found, read func(armwire.Object) (T, error), errs *[]error) []T {
	if from == nil {
		return nil
	}
	slices.SortFunc(from.bodies, func(x, y armwire.Object) int { return armid.Compare(lb.ID(text(x, "id")), lb.ID(text(y, "id"))) })
	var list []T
	for _, body := range from.bodies {
		v, err := read(body)
		if err != nil {
			*errs = append(*errs, fmt.Errorf("%s: %w", text(body, "id"), err))
			continue
		}
		list = append(list, v)
	}
	return list
}

// groupsOfAddresses returns the groups of the public IPs on frontends, but for those that are read already.
func groupsOfAddresses(balancers *found, read []lb.ID) []lb.ID {
	var groups []lb.ID
	for _, body := range balancers.bodies {
		for _, frontend := range objects(body, "properties", armid.FrontendIPConfigurations) {
			id, err := armid.Parse(text(frontend, "properties", "publicIPAddress", "id"))
			if err == nil && !slices.ContainsFunc(read, id.GroupID().Equal) {
				groups = append(groups, id.GroupID())
			}
		}
	}
	return groups
}

// distinct returns ids sorted, each once.
func distinct(ids []lb.ID) []lb.ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, armid.Compare)
	return slices.CompactFunc(ids, lb.ID.Equal)
}

// spelled returns a type as ARM spells it.
func spelled(typ string) string {
	for _, t := range []string{
		armid.LoadBalancers, armid.PublicIPAddresses, armid.PublicIPPrefixes, armid.NetworkSecurityGroups, armid.VirtualNetworks,
		armid.NetworkInterfaces, armid.PrivateLinkServices, armid.ScaleSets, armid.ScaleSetInstances,
	} {
		if strings.EqualFold(t, typ) {
			return t
		}
	}
	return typ
}
