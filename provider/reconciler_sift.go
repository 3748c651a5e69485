package provider

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// sift divides b where planning all its calls together would make some wait for others: what they share comes after all that it is about. It
// returns b alone if there is nothing to divide. r.mu is held.
func (r *Reconciler) sift(b *batch, plan lb.Plan) []*batch {
	if b.apart() || len(b.calls) < 2 {
		return []*batch{b}
	}
	if parts := r.siftBusy(b, plan); len(parts) > 1 || b.has(syncing) {
		return parts
	}
	return siftReady(b, plan)
}

// siftBusy takes those calls out of b that somebody else is in the way of only because others of b need the same later: nobody writes what
// they are for, and yet none of their steps could be carried out.
func (r *Reconciler) siftBusy(b *batch, plan lb.Plan) []*batch {
	late, does, hampered := map[types.NamespacedName]bool{}, map[types.NamespacedName]bool{}, map[types.NamespacedName]bool{}
	blocked, why := r.blocked(plan)
	for i, step := range plan.Steps {
		for _, c := range b.calls {
			if isFor(step, c.name) {
				late[c.name] = late[c.name] || why[i] != ""
				does[c.name] = does[c.name] || !blocked[i]
				hampered[c.name] = hampered[c.name] || blocked[i]
			}
		}
	}
	free, rest := &batch{}, &batch{}
	for _, c := range b.calls {
		if hampered[c.name] && !does[c.name] && !late[c.name] {
			free.calls = append(free.calls, c)
		} else {
			rest.calls = append(rest.calls, c)
		}
	}
	if len(free.calls) == 0 || len(rest.calls) == 0 {
		return []*batch{b}
	}
	return []*batch{free, rest}
}

// siftReady divides b by what its calls need first, if one has waited already that needs less than another one: its load balancer is not to
// wait for the public IP of somebody who came just now, nor its security group for a load balancer that only others need.
func siftReady(b *batch, plan lb.Plan) []*batch {
	first := map[types.NamespacedName]int{}
	for i := len(plan.Steps) - 1; i >= 0; i-- {
		step := plan.Steps[i]
		for _, c := range b.calls {
			if isFor(step, c.name) {
				first[c.name] = stage(step)
			}
		}
	}
	least, most := -1, -1
	for _, c := range b.calls {
		s, ok := first[c.name]
		if !ok {
			continue
		}
		if least < 0 || s < least {
			least = s
		}
		if c.waited {
			most = max(most, s)
		}
	}
	if most <= least {
		return []*batch{b}
	}
	ready, rest := &batch{}, &batch{}
	for _, c := range b.calls {
		if s, ok := first[c.name]; ok && s < most {
			rest.calls = append(rest.calls, c)
		} else {
			ready.calls = append(ready.calls, c)
		}
	}
	if len(rest.calls) == 0 {
		return []*batch{b}
	}
	return []*batch{ready, rest}
}

// stage orders resources by how early they are written on the way to a new Service.
func stage(step lb.Step) int {
	switch top := step.Op.Target().Top(); {
	case top.Is(armid.PublicIPAddresses):
		return 0
	case top.Is(armid.LoadBalancers):
		return 1
	default:
		return 2
	}
}
