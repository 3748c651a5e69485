package fake

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// Options tunes [New]. A nil *Options means every default below.
type Options struct {
	// PublicAddresses are the addresses of public IPs by resource id, in any case.
	PublicAddresses map[string]netip.Addr
	// Zones are the availability zones of every location; nil means 1, 2, 3, an empty list none.
	Zones []string
	// ZonesByLocation wins over Zones.
	ZonesByLocation map[string][]string
	// Waive names rules that are not enforced; see [Rules].
	Waive []Rule
	// Deny are permissions that the caller lacks.
	Deny []Denial
	// Clock defaults to a [VirtualClock] that starts at the beginning of 2026.
	Clock Clock
	// InstanceMovesScaleSet and ScaleSetMovesInstances say whether a write of an instance moves the ETag of its scale set, and a write of a
	// scale set those of its instances. Both occur in Azure: a client must be right either way.
	InstanceMovesScaleSet, ScaleSetMovesInstances bool
	// Latency is how long a write takes, by type of resource such as [armid.LoadBalancers]; children take the time of their parent.
	Latency map[string]time.Duration
}

// Denial is a missing permission: every call for Action, or any if that is empty, on Scope or below it is answered with 403.
type Denial struct {
	Scope  lb.ID
	Action string // such as Microsoft.Network/publicIPAddresses/read
}

// Cloud is an Azure in memory. Its methods may be called concurrently.
type Cloud struct {
	options   Options
	addresses map[string]netip.Addr // of Options, by key
	waived    map[Rule]bool

	mu        sync.Mutex
	groups    map[string]group
	resources map[string]*resource
	links     *links // nil: to be computed
	revision  int    // counts changes of resources; ETags are made of it
	effects   int    // writes of callers that took effect
	faults    []*Fault
	crashed   bool
	journal   []Request
	zonesRead map[string]bool // by subscription and location
	deletions map[string]int  // of private link services, by key: each made anew has another alias
}

type group struct {
	id       lb.ID
	location string
}

// resource is one top-level resource. body is replaced, never changed, and has neither ETags nor what follows from other resources.
type resource struct {
	id       lb.ID
	body     armwire.Object // replaced, never changed
	revision int
	shown    armwire.Object // body as it was shown last, when its revision was shownAt
	shownAt  int
}

var _ provider.Provider = (*Cloud)(nil)

// New returns a cloud without resource groups. It panics if o waives a rule that there is not.
func New(o *Options) *Cloud {
	c := &Cloud{
		addresses: map[string]netip.Addr{}, waived: map[Rule]bool{},
		groups: map[string]group{}, resources: map[string]*resource{}, zonesRead: map[string]bool{}, deletions: map[string]int{},
	}
	if o != nil {
		c.options = *o
	}
	for id, addr := range c.options.PublicAddresses {
		c.addresses[lb.ID(id).Key()] = addr
	}
	for _, name := range c.options.Waive {
		if !slices.Contains(Rules(), name) {
			panic("fake: no rule " + string(name) + " to waive")
		}
		c.waived[name] = true
	}
	if c.options.Clock == nil {
		c.options.Clock = NewVirtualClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	return c
}

// Clock returns the clock of c.
func (c *Cloud) Clock() Clock { return c.options.Clock }

// AddGroup makes a resource group, or moves one that is there.
func (c *Cloud) AddGroup(id lb.ID, location string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups[id.Key()] = group{id: id, location: location}
}

func (c *Cloud) zones(location string) []string {
	for l, zones := range c.options.ZonesByLocation {
		if equalFold(l, location) {
			return zones
		}
	}
	if c.options.Zones == nil {
		return []string{"1", "2", "3"}
	}
	return c.options.Zones
}

// Put is somebody else writing a whole resource, child or not, without any rule being asked. ETags move, the journal does not.
func (c *Cloud) Put(id lb.ID, body armwire.Object) error {
	body, err := plain(body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.force(id, body)
}

// Merge is somebody else laying patch over a resource: objects are merged, lists and other values replaced; null removes.
func (c *Cloud) Merge(id lb.ID, patch armwire.Object) error {
	patch, err := plain(patch)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	body := c.bare(id)
	if body == nil {
		return notFound(id)
	}
	return c.force(id, merge(armwire.Clone(body), patch))
}

func merge(o, patch armwire.Object) armwire.Object {
	for k, v := range patch {
		inner, isObject := v.(armwire.Object)
		below, hasObject := o[k].(armwire.Object)
		switch {
		case v == nil:
			delete(o, k)
		case isObject && hasObject:
			o[k] = merge(below, inner)
		default:
			o[k] = v
		}
	}
	return o
}

// Delete is somebody else deleting a resource or a child of one, without any rule being asked.
func (c *Cloud) Delete(id lb.ID) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bare(id) == nil {
		return notFound(id)
	}
	top, kind, name := split(id)
	if kind == "" {
		c.removeWhole(id)
		return nil
	}
	c.store(top, withoutChild(c.resources[top.Key()].body, kind, name))
	return nil
}

// force writes body under id without rules. c.mu is held.
func (c *Cloud) force(id lb.ID, body armwire.Object) error {
	if _, err := armid.Parse(string(id)); err != nil {
		return err
	}
	top, kind, name := split(id)
	if kind != "" {
		parent := c.resources[top.Key()]
		if parent == nil {
			return notFound(top)
		}
		body = withChild(parent.body, kind, name, body)
	}
	var old armwire.Object
	if r := c.resources[top.Key()]; r != nil {
		old = r.body
	}
	body, instances := splitInstances(top, body)
	given := body
	body = complete(top, old, given, given, old)
	if text(body, "location") == "" {
		if g, ok := c.groups[top.GroupID().Key()]; ok {
			body["location"] = g.location
		}
	}
	if err := c.assign(top, old, body, given); err != nil {
		return err
	}
	keepFailed(top, given, body)
	if view := object(given, "properties", "instanceView"); view != nil && top.Is(armid.ScaleSetInstances) {
		properties(body)["instanceView"] = view
	}
	c.store(top, body)
	return c.forceInstances(top, instances)
}

// keepFailed lets what is put by force, or loaded, be in the state that is given.
func keepFailed(id lb.ID, given, body armwire.Object) {
	if state := text(given, "properties", provisioningState); slices.Contains([]string{failedState, deletingState, updatingState}, state) {
		properties(body)[provisioningState] = state
	}
	for _, kind := range childKinds(id) {
		for _, o := range objects(given, "properties", kind) {
			if text(o, "properties", provisioningState) == failedState {
				properties(child(body, kind, text(o, "name")))[provisioningState] = failedState
			}
		}
	}
}
