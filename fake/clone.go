package fake

import (
	"maps"
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// Clone returns a cloud that holds what c holds and goes its own way from now on, with the same options, and with an empty journal, no
// faults and a clock of its own that shows the same time.
func (c *Cloud) Clone() *Cloud {
	c.mu.Lock()
	defer c.mu.Unlock()
	options := c.options
	options.Clock = NewVirtualClock(c.options.Clock.Now())
	return &Cloud{
		options: options, addresses: c.addresses, waived: c.waived,
		groups: maps.Clone(c.groups), resources: c.cloneResources(), links: c.links,
		revision: c.revision, effects: c.effects, zonesRead: maps.Clone(c.zonesRead), deletions: maps.Clone(c.deletions),
	}
}

// cloneResources copies what touch changes; bodies are shared, since they are only ever replaced.
func (c *Cloud) cloneResources() map[string]*resource {
	all := make(map[string]*resource, len(c.resources))
	for key, r := range c.resources {
		same := *r
		all[key] = &same
	}
	return all
}

// Body returns a resource, or a child of one, as it is stored: without ETags and without what follows from other resources. It is for
// tests that look at the state, or that write as somebody else with [Cloud.Put], beside the journal and the faults. False: not there.
func (c *Cloud) Body(id lb.ID) (armwire.Object, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body := c.bare(id)
	return armwire.Clone(body), body != nil
}

// Revision counts what changed in what the cloud holds: while it is the same, so is that. A clone goes on counting from where it was made.
func (c *Cloud) Revision() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.revision
}

// IDs returns the ids of all top-level resources and of the instances of scale sets, sorted.
func (c *Cloud) IDs() []lb.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]lb.ID, 0, len(c.resources))
	for _, r := range c.resources {
		ids = append(ids, r.id)
	}
	slices.SortFunc(ids, armid.Compare)
	return ids
}
