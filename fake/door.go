package fake

import (
	"context"
	"maps"
	"time"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// Running is an operation that a write has started.
type Running struct {
	Turn  int               // writes of the cloud have taken effect in this order
	Takes time.Duration     // from now on
	Fails *provider.OpError // its outcome; nil: it succeeds
}

// Start is [Cloud.Call] for a door that tells its callers of operations instead of waiting for them: the write takes effect at once, as
// the goal that ARM is to reach. The answer has a status if the call took effect, even where the error says that the answer was lost.
func (c *Cloud) Start(ctx context.Context, call Call) (Answer, Running, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, Running{}, err
	}
	answer, f, err := c.attempt(call, nil)
	return answer, Running{Turn: answer.turn, Takes: c.latency(call) + f.delay(), Fails: f.late()}, err
}

// Intercept is [Cloud.Call] for what is not in the state, such as the poll of an operation: faults strike it and the journal has it, and
// serve answers.
func (c *Cloud) Intercept(ctx context.Context, call Call, serve func() (Answer, *provider.OpError)) (Answer, error) {
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	answer, f, err := c.attempt(call, serve)
	if err != nil {
		return Answer{}, err
	}
	return answer, c.wait(ctx, f.delay())
}

// End moves the ETag of the resource that id is or is in, as the end of an operation on it does. If the operation fails, both show it in
// their provisioningState until they are written again, and nothing that is written may refer to them; but for an operation that a newer
// one replaced, which says nothing about the resource.
func (c *Cloud) End(id lb.ID, fails *provider.OpError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	top, kind, name := split(id)
	r := c.resources[top.Key()]
	if r == nil {
		return
	}
	c.touch(top.Key())
	if fails == nil || fails.Kind == provider.Replan {
		return
	}
	body := armwire.Clone(r.body)
	properties(body)[provisioningState] = failedState
	if o := child(body, kind, name); o != nil {
		properties(o)[provisioningState] = failedState
	}
	r.body = body
}

// Groups returns the resource groups with their locations.
func (c *Cloud) Groups() map[lb.ID]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	groups := map[lb.ID]string{}
	for _, g := range c.groups {
		groups[g.id] = g.location
	}
	return groups
}

// Zones returns the availability zones of every location that a resource group, a resource or [Options] names.
func (c *Cloud) Zones() map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	zones := map[string][]string{}
	for _, g := range c.groups {
		zones[g.location] = c.zones(g.location)
	}
	for _, r := range c.resources {
		if location := text(r.body, "location"); location != "" {
			zones[location] = c.zones(location)
		}
	}
	maps.Copy(zones, c.options.ZonesByLocation)
	return zones
}
