package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
)

// checkReached says which Services nothing behind the load balancer would answer for: there are nodes for it, and no pool that they use has a
// member. Of one that only lacks the members of one family that is said too. A pool of one Service alone may be empty, since its endpoints
// may be.
func (d *outline) checkReached(balancers []LoadBalancer, uses map[string][]ID) {
	empty := map[string]error{} // by key of a default pool; nil: it has members
	for _, want := range balancers {
		l := d.balancer(want.ID)
		for _, p := range want.Pools {
			if d.defaultPool(p.Name) && !d.preConfigured(l) {
				empty[want.ID.Child(armid.BackendAddressPools, p.Name).Key()] = d.emptiness(l, p)
			}
		}
	}
	for _, s := range d.services {
		if s.held || !s.wanted || !s.ours {
			continue
		}
		var bad []error
		pools := 0
		for _, id := range uses[s.base] {
			if !id.Is(typePool) {
				continue
			}
			if pools++; empty[id.Key()] != nil {
				bad = append(bad, empty[id.Key()])
			}
		}
		severity := SeverityError
		if len(bad) < pools {
			severity = SeverityWarning
		}
		for _, err := range bad {
			d.findings = append(d.findings, Finding{Service: s.name, Severity: severity, Err: err})
		}
	}
}

// emptiness says why a default pool has no member although there are nodes for it; nil if it has some, or there are none.
func (d *outline) emptiness(l *balancerDraft, p Pool) error {
	nodes := slices.DeleteFunc(slices.Clone(d.nodesOf(l)), func(n corev1.Node) bool { return !eligible(n) })
	if len(nodes) == 0 || len(p.Members) > 0 {
		return nil
	}
	family := d.familyOfPool(p.Name)
	why := fmt.Sprintf("has an %s address that could be in it", family)
	if p.Interfaces {
		if d.joined[l.id.Child(armid.BackendAddressPools, p.Name).Key()] > 0 || l.seen != nil && len(l.seen.Attached[strings.ToLower(p.Name)]) > 0 {
			return nil
		}
		why = fmt.Sprintf("has a network interface with an %s configuration that is known and could be in it", family)
	}
	return fmt.Errorf("%w: pool %s of load balancer %s is empty, since no node (%s) %s", ErrUnreached, p.Name, l.id.Name(), nodeNames(nodes), why)
}

// nodeNames names the first nodes, in order, and counts the rest.
func nodeNames(nodes []corev1.Node) string {
	const most = 3
	var names []string
	for _, n := range nodes {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	if len(names) > most+1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
