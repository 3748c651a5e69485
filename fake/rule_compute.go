package fake

import (
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// computeRules hold for the interfaces of machines, whoever writes them: network interfaces, instances and models of scale sets.
var computeRules = []rule{
	// What is being deleted is not written any more, and what is being changed not yet.
	{"busy", "", onUpdate(checkBusy)},
	// The pools that a scale set joins exist.
	{"scale-set-pools", "", onPut(checkModelPools)},
	// A pool has either addresses or network interfaces (Azure documentation, backend pool management; error code as users report it).
	{"interface-pool-kind", "", onPut(checkJoinedPools)},
	// The interfaces of a scale set are in pools of one load balancer of a kind at most, and those of a machine of one internal one
	// (ARM error codes of rules and references).
	{"one-balancer-of-a-kind", "", onPut(checkBalancersOfKind)},
	// At most 300 rules reach a network interface (Azure limits, Load Balancer).
	{"rules-per-interface", "", onPut(checkInterfaceRules)},
}

// joined returns the pools by IP configuration that a network interface, instance or model is in; nothing of other bodies.
func joined(id lb.ID, body armwire.Object) []lb.ID {
	var pools []lb.ID
	switch {
	case body == nil:
	case id.Is(armid.NetworkInterfaces):
		for _, cfg := range objects(body, "properties", armid.IPConfigurations) {
			pools = append(pools, refs(cfg, "properties", "loadBalancerBackendAddressPools")...)
		}
	case id.Is(armid.ScaleSetInstances):
		for _, m := range instanceConfigurations(body) {
			pools = append(pools, refs(m.body, "properties", "loadBalancerBackendAddressPools")...)
		}
	case id.Is(armid.ScaleSets):
		pools = modelPools(body)
	}
	return pools
}

func checkBusy(w *write) *provider.OpError {
	switch text(w.old, "properties", provisioningState) {
	case deletingState:
		return refuse(409, "OperationNotAllowed", "", "Operation on %s is not allowed since it is marked for deletion.", w.id)
	case updatingState:
		return refuse(409, "AnotherOperationInProgress", "", "Another operation on %s or a dependent resource is in progress.", w.id)
	default:
		return nil
	}
}

func checkModelPools(w *write) *provider.OpError {
	if !ofScaleSet(w.id) {
		return nil
	}
	for _, pool := range joined(w.id, w.new) {
		if w.c.bare(pool) == nil {
			return badReference(w.id, pool)
		}
	}
	return nil
}

func checkJoinedPools(w *write) *provider.OpError {
	before := joined(w.id, w.old)
	for _, pool := range joined(w.id, w.new) {
		if !slices.ContainsFunc(before, pool.Equal) && len(ipMembers(w.c.bare(pool))) > 0 {
			return mixed(pool, w.id)
		}
	}
	return nil
}

// isInternal reports whether a load balancer has private frontends; without a frontend nobody can tell.
func isInternal(body armwire.Object) (internal, known bool) {
	frontends := objects(body, "properties", armid.FrontendIPConfigurations)
	if len(frontends) == 0 {
		return false, false
	}
	return refersTo(frontends[0], "subnet"), true
}

func checkBalancersOfKind(w *write) *provider.OpError {
	if w.new == nil || len(joined(w.id, w.new)) < 2 {
		return nil
	}
	of := map[bool]lb.ID{}
	for _, pool := range joined(w.id, w.new) {
		internal, known := isInternal(w.c.bare(pool.Top()))
		if !known {
			continue
		}
		other := of[internal]
		of[internal] = pool.Top()
		switch {
		case other == "" || other.Equal(pool.Top()):
		case ofScaleSet(w.id):
			return refuse(400, "VMScaleSetCannotUseMultipleLoadBalancersOfSameType", "",
				"Virtual machine scale set %s references load balancers %s and %s of the same type.", w.id.Top(), other, pool.Top())
		case internal:
			return refuse(400, "AnotherInternalLoadBalancerExists", "", "Network interface %s is in internal load balancer %s already, and cannot be in %s.", w.id, other, pool.Top())
		}
	}
	return nil
}

// ruleCounts counts rules by pool.
type ruleCounts map[string]int

// count adds the rules of a load balancer.
func (n ruleCounts) count(body armwire.Object) {
	for _, o := range objects(body, "properties", armid.LoadBalancingRules) {
		for _, pool := range poolsOf(o) {
			n[pool.Key()]++
		}
	}
	for _, kind := range []string{armid.OutboundRules, armid.InboundNATRules} {
		for _, o := range objects(body, "properties", kind) {
			if pool := idAt(o, "properties", "backendAddressPool"); pool != "" {
				n[pool.Key()]++
			}
		}
	}
}

const rulesPerInterface = 300

func tooManyRules(id lb.ID, n int) *provider.OpError {
	return refuse(400, "LoadBalancerRuleCountLimitReachedForNic", "", "%d load balancer rules reach network interface %s; at most %d are allowed.", n, id, rulesPerInterface)
}

func checkInterfaceRules(w *write) *provider.OpError {
	if w.id.Is(armid.LoadBalancers) {
		return checkReachedInterfaces(w)
	}
	pools := joined(w.id, w.new)
	counts, seen, n := ruleCounts{}, map[string]bool{}, 0
	for _, pool := range pools {
		if top := pool.Top(); !seen[top.Key()] {
			seen[top.Key()] = true
			counts.count(w.c.bare(top))
		}
		n += counts[pool.Key()]
	}
	if n > rulesPerInterface {
		return tooManyRules(w.id, n)
	}
	return nil
}

// checkReachedInterfaces counts for every interface in a pool of the load balancer that is written.
func checkReachedInterfaces(w *write) *provider.OpError {
	counts := ruleCounts{}
	counts.count(w.new)
	total := 0
	for _, n := range counts {
		total += n
	}
	others := ruleCounts{}
	for _, r := range w.c.resources {
		if r.id.Is(armid.LoadBalancers) && !r.id.Equal(w.id) {
			others.count(r.body)
		}
	}
	for _, n := range others {
		total += n
	}
	if total <= rulesPerInterface {
		return nil
	}
	done := map[string]bool{}
	for _, pool := range objects(w.new, "properties", armid.BackendAddressPools) {
		for _, cfg := range w.c.linked().from(inPool, idOf(pool)) {
			id := cfg.Unit()
			r := w.c.resources[id.Key()]
			if r == nil || done[id.Key()] {
				continue
			}
			done[id.Key()] = true
			n := 0
			for _, in := range joined(r.id, r.body) {
				n += counts[in.Key()] + others[in.Key()]
			}
			if n > rulesPerInterface {
				return tooManyRules(r.id, n)
			}
		}
	}
	return nil
}
