package provider

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// rejections are the Services that one call holds because ARM refused what they ask for.
//
// Where one write serves several Services and ARM does not name the one at fault, half of them is set aside: if the write of the others is
// refused too they are halved again, and a half that was set aside gets its turn once nothing is refused any more. One bad Service among n
// is so found within twice the binary logarithm of n further rounds, with everyone else's changes done on the way.
type rejections struct {
	given map[types.NamespacedName]error // by the caller
	found map[types.NamespacedName]error // in this call
	aside [][]types.NamespacedName       // halves that wait for their turn
	why   map[types.NamespacedName]error // of those set aside
	stays []types.NamespacedName         // of found: deleted Services that keep what they have, and a load balancer with it
}

func newRejections(given map[types.NamespacedName]error) *rejections {
	return &rejections{given: maps.Clone(given), found: map[types.NamespacedName]error{}, why: map[types.NamespacedName]error{}}
}

// all returns everyone to hold, with the reason.
func (r *rejections) all() map[types.NamespacedName]error {
	all := r.mine()
	maps.Copy(all, r.given)
	return all
}

// mine is all without those that the caller gave.
func (r *rejections) mine() map[types.NamespacedName]error {
	all := maps.Clone(r.found)
	for _, group := range r.aside {
		for _, name := range group {
			all[name] = r.why[name]
		}
	}
	return all
}

// any reports whether ARM refused anybody something.
func (r *rejections) any() bool { return len(r.found)+len(r.aside) > 0 }

// waiting returns those set aside.
func (r *rejections) waiting() map[types.NamespacedName]bool {
	names := map[types.NamespacedName]bool{}
	for _, group := range r.aside {
		for _, name := range group {
			names[name] = true
		}
	}
	return names
}

// add looks for the culprits of the refusals in round. It returns those it found, and whether it set others aside.
func (r *rejections) add(round Round) (names []types.NamespacedName, split bool) {
	held := r.all()
	for i, step := range round.Steps {
		e, ok := errors.AsType[*OpError](step.Err)
		if !ok || step.State != StateFailed || e.Kind != Terminal && e.Kind != Dependency {
			continue
		}
		// Those that are held already are not at fault, or holding them is no help.
		changes := round.Plan.Steps[i].Op.Why()
		blamed, sure := suspects(changes, e)
		blamed = slices.DeleteFunc(blamed, func(name types.NamespacedName) bool { _, ok := held[name]; return ok })
		switch {
		case len(blamed) == 0:
		case sure || len(blamed) == 1:
			for _, name := range blamed {
				r.found[name] = refused(changes, e, name)
				held[name] = r.found[name]
			}
			names = append(names, blamed...)
		case removes(round.Plan.Steps[i].Op):
			// The load balancer has to stay, and one frontend with it: the others give up what they have.
			last := slices.MaxFunc(blamed, compareNames)
			r.found[last], held[last], r.stays = e, e, append(r.stays, last)
			names = append(names, last)
		case divisible(e):
			slices.SortFunc(blamed, compareNames)
			half := blamed[len(blamed)/2:]
			for _, name := range half {
				held[name], r.why[name] = e, e
			}
			r.aside = append(r.aside, half)
			split = true
		}
	}
	return names, split
}

// next gives a half that was set aside its turn, and reports whether there was one.
func (r *rejections) next() bool {
	if len(r.aside) == 0 {
		return false
	}
	r.aside = r.aside[:len(r.aside)-1]
	return true
}

// suspects returns the Services that e, the refusal of a write with these changes, may be about; sure says that it is about all of them.
func suspects(changes []lb.Change, e *OpError) (names []types.NamespacedName, sure bool) {
	for _, id := range append([]lb.ID{e.SubResource}, e.Named...) {
		for _, change := range changes {
			// The write as a whole says nothing about whose part of it was refused.
			if change.Ref.Equal(id) && id.Top() != id {
				return suspectsOf(change)
			}
		}
	}
	return causes(changes), isOnePublicIP(changes)
}

// refused is e as an error about what the Service has to change, if e names a part of the write that some field of it asks for.
func refused(changes []lb.Change, e *OpError, name types.NamespacedName) error {
	for _, id := range append([]lb.ID{e.SubResource}, e.Named...) {
		for _, change := range changes {
			if !change.Ref.Equal(id) || id.Top() == id {
				continue
			}
			for _, cause := range change.Causes {
				// That it is of type LoadBalancer tells nobody anything.
				if cause.Service == name && cause.Field != "" && cause.Field != "spec.type" {
					return &FieldError{Field: cause.Field, Err: e}
				}
			}
		}
	}
	return e
}

// suspectsOf is suspects when ARM named what changes. Who shares a frontend shares its fate; a security rule or a probe that several
// Services need may suit all of them but one; and a pool is everybody's, so that nobody in particular is at fault.
func suspectsOf(change lb.Change) (names []types.NamespacedName, sure bool) {
	switch {
	case change.Ref.Is(armid.LoadBalancers + "/" + armid.BackendAddressPools):
		return nil, false
	case change.Ref.Is(armid.LoadBalancers + "/" + armid.FrontendIPConfigurations):
		return causes([]lb.Change{change}), true
	default:
		return causes([]lb.Change{change}), false
	}
}

// isOnePublicIP reports whether the changes are of a public IP, which all who ask for it share.
func isOnePublicIP(changes []lb.Change) bool {
	return !slices.ContainsFunc(changes, func(c lb.Change) bool { return !c.Ref.Is(armid.PublicIPAddresses) })
}

// removes reports whether op deletes a load balancer for good, since its Services are gone.
func removes(op lb.Op) bool {
	_, deletes := op.(lb.DeleteLoadBalancer)
	return deletes && !slices.ContainsFunc(op.Why(), func(c lb.Change) bool {
		return slices.ContainsFunc(c.Causes, func(c lb.Cause) bool { return c.Reason == lb.ReasonRecreate })
	})
}

// divisible reports whether e may go away with one of the Services that a write serves. Missing permissions, locks and whatever waits for
// something else concern all of them, but for permissions on what single Services name.
func divisible(e *OpError) bool {
	switch {
	case e.Kind != Terminal:
		return false
	case strings.EqualFold(e.Code, "LinkedAuthorizationFailed"):
		return true
	}
	return e.Status == http.StatusBadRequest || e.Status == http.StatusUnprocessableEntity || e.Status == http.StatusOK
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
