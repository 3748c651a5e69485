package azure

import (
	"strings"
	"sync"
	"time"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// cache has the latest body of each resource that was observed or written. Reads and writes overlap, so each has a mark: what
// was asked for earlier never replaces what was learned later.
type cache struct {
	clock  provider.Clock
	maxAge time.Duration

	mu      sync.Mutex
	order   uint64
	entries map[string]entry            // by key of a top-level resource
	parts   map[string]map[string]entry // by keys of a top-level resource and of a child that was read or written by itself
	lists   map[string]mark             // by key of a list: everything of that type and group is in entries
}

// mark is the moment at which something was asked for.
type mark struct {
	order uint64
	at    time.Time
}

// entry is what is known of one resource. A nil body means that it is not there; doubt that nothing is known any more.
type entry struct {
	mark
	body  armwire.Object
	etag  string
	doubt bool
}

func newCache(clock provider.Clock, maxAge time.Duration) *cache {
	return &cache{clock: clock, maxAge: maxAge, entries: map[string]entry{}, parts: map[string]map[string]entry{}, lists: map[string]mark{}}
}

// now returns the mark of something that is about to be asked for, or that has just been written.
func (c *cache) now() mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next()
}

func (c *cache) next() mark {
	c.order++
	return mark{order: c.order, at: c.clock.Now()}
}

func (c *cache) fresh(m mark) bool { return c.clock.Now().Sub(m.at) < c.maxAge }

// lookup returns what is known of id, and whether that is recent enough to go by.
func (c *cache) lookup(id lb.ID) (entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(id)
}

func (c *cache) find(id lb.ID) (entry, bool) {
	top := id.Unit()
	if top == id {
		if e, ok := c.entries[id.Key()]; ok {
			return e, !e.doubt && c.fresh(e.mark)
		}
		m, ok := c.lists[listKey(listScope(id), id.Type())]
		return entry{mark: m}, ok && c.fresh(m)
	}
	if e, ok := c.parts[top.Key()][id.Key()]; ok {
		return e, !e.doubt && c.fresh(e.mark)
	}
	parent, ok := c.find(top)
	if !ok || parent.body == nil {
		return entry{}, false
	}
	return childOf(parent, id)
}

// childOf finds a child in the body of its parent. One without an ETag has to be read by itself.
func childOf(parent entry, id lb.ID) (entry, bool) {
	segments := strings.Split(strings.TrimPrefix(string(id), string(id.Unit())+"/"), "/")
	if len(segments) != 2 {
		return entry{}, false
	}
	kind := canonicalKind(segments[0])
	for _, o := range objects(parent.body, "properties", kind) {
		if strings.EqualFold(text(o, "name"), segments[1]) {
			etag := text(o, "etag")
			return entry{mark: parent.mark, body: o, etag: etag}, etag != ""
		}
	}
	return entry{mark: parent.mark}, true
}

// canonicalKind returns the kind of child as it is spelled in bodies.
func canonicalKind(kind string) string {
	for _, k := range []string{armid.BackendAddressPools, armid.SecurityRules, armid.Subnets, armid.PrivateEndpointConnections} {
		if strings.EqualFold(k, kind) {
			return k
		}
	}
	return kind
}

// listScope is what the list is of that has id: a resource group, or the scale set of an instance.
func listScope(id lb.ID) lb.ID {
	if id.Is(armid.ScaleSetInstances) {
		return id.Top()
	}
	return id.GroupID()
}

func listKey(group lb.ID, typ string) string {
	return group.Key() + "/providers/" + strings.ToLower(typ)
}

// keep takes what was read of id. A nil body means that it is not there.
func (c *cache) keep(id lb.ID, body armwire.Object, etag string, since mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(id, entry{mark: since, body: body, etag: etag})
}

func (c *cache) put(id lb.ID, e entry) {
	top := id.Unit().Key()
	if c.entries[top].order > e.order || c.parts[top][id.Key()].order > e.order {
		return
	}
	if id == id.Unit() {
		c.entries[top] = e
		c.dropParts(top, e.order)
		return
	}
	if c.parts[top] == nil {
		c.parts[top] = map[string]entry{}
	}
	c.parts[top][id.Key()] = e
}

// keepList takes a whole list.
func (c *cache) keepList(group lb.ID, typ string, list []armwire.Object, since mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := listKey(group, typ)
	if c.lists[key].order > since.order {
		return
	}
	for k, e := range c.entries {
		if listKey(listScope(lb.ID(k)), lb.ID(k).Type()) == key && e.order <= since.order {
			delete(c.entries, k)
		}
	}
	c.lists[key] = since
	for _, o := range list {
		etag := text(o, "etag")
		// What has no ETag cannot be written from: it is read by itself when it comes to that.
		c.put(lb.ID(text(o, "id")), entry{mark: since, body: o, etag: etag, doubt: etag == ""})
	}
}

// written takes the outcome of a write: a nil body after a deletion. A child's write moves the ETags of all that is in its parent, and those
// of the resources that were attached or detached move too.
func (c *cache) written(id lb.ID, body armwire.Object, etag string, moved []lb.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id != id.Unit() {
		c.forgetTop(id.Unit())
	}
	switch {
	case id.Is(armid.ScaleSets):
		c.forgetInstances(id) // they may follow their model
	case id.Is(armid.ScaleSetInstances):
		c.forgetTop(id.Top()) // its ETag may move with those of its instances
	}
	for _, other := range moved {
		c.forgetTop(other)
	}
	c.put(id, entry{mark: c.next(), body: body, etag: etag, doubt: body != nil && etag == ""})
}

// forget puts everything known of the resources that ids are or are in in doubt.
func (c *cache) forget(ids ...lb.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.forgetTop(id.Unit())
	}
}

// forgetType puts everything known of the resources of some types in doubt.
func (c *cache) forgetType(types ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.entries {
		for _, typ := range types {
			if lb.ID(key).Top().Is(typ) {
				c.forgetTop(lb.ID(key))
			}
		}
	}
}

func (c *cache) forgetTop(top lb.ID) {
	m := c.next()
	c.entries[top.Key()] = entry{mark: m, doubt: true}
	c.dropParts(top.Key(), m.order)
}

func (c *cache) forgetInstances(set lb.ID) {
	for key := range c.entries {
		if lb.ID(key).Is(armid.ScaleSetInstances) && lb.ID(key).Top().Equal(set) {
			c.forgetTop(lb.ID(key))
		}
	}
}

func (c *cache) dropParts(top string, order uint64) {
	for k, e := range c.parts[top] {
		if e.order <= order {
			delete(c.parts[top], k)
		}
	}
}
