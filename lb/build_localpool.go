package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// localPool is the pool of a Service with externalTrafficPolicy Local where several load balancers are configured: it holds the nodes that
// have an endpoint of the Service.
type localPool struct {
	name   string
	family ipam.Family
	s      *service
}

// ownPool reports whether a Service has pools of its own.
func (b *builder) ownPool(s *service) bool {
	return b.c.multiple() && s.obj.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// localPoolName returns the name of a Service's own pool.
func localPoolName(s *service, f ipam.Family) string {
	return strings.ToLower(s.name.Namespace+"-"+s.name.Name) + strings.ToLower(suffix(true, f))
}

// poolOf returns the name of the pool that a Service's rules of family f send to, as the load balancer spells it.
func (d *outline) poolOf(s *service, l *balancerDraft, f ipam.Family) string {
	if !d.ownPool(s) {
		return d.poolName(l, f)
	}
	name := localPoolName(s, f)
	if p := l.seenPool(name); p != nil {
		return p.Name
	}
	return name
}

// enterPool enters the pool that a Service's rules of family f send to.
func (d *outline) enterPool(s *service, l *balancerDraft, f ipam.Family) {
	name := d.poolOf(s, l, f)
	d.cause(l.id.Child(armid.BackendAddressPools, name), s, "spec.type")
	if !d.ownPool(s) {
		l.families[f] = true
		return
	}
	if d.localPools[l.id.Key()] == nil {
		d.localPools[l.id.Key()] = map[string]localPool{}
	}
	d.localPools[l.id.Key()][strings.ToLower(name)] = localPool{name, f, s}
}

// checkOwnPools holds a Service whose own pool would be another one's too: namespace and name are joined by a dash, which both may have in them.
func (d *outline) checkOwnPools(s *service, l *balancerDraft) []fieldError {
	if !d.ownPool(s) {
		return nil
	}
	for _, f := range s.cfg.Families {
		name := localPoolName(s, f)
		other := ""
		if at, ok := d.localPools[l.id.Key()][name]; ok && at.s != s {
			other = at.s.name.String()
		} else if l.seen != nil && l.seenPool(name) != nil {
			if by := d.byBase[d.poolOwner(l, name)]; by != nil && by != s && by.held {
				other = by.name.String()
			}
		}
		if d.defaultPool(name) {
			other = "the cluster"
		}
		if other != "" {
			return []fieldError{{"metadata.name", fmt.Errorf("%w: with externalTrafficPolicy Local, %s would have the pool %s, which is that of %s; give one of them another name, or this one the policy Cluster",
				ErrClash, s.name, name, other)}}
		}
	}
	return nil
}

// poolOwner returns the base name of the Services whose rules send to a pool, "" if nobody's or others' do too.
func (d *outline) poolOwner(l *balancerDraft, pool string) string {
	owner := ""
	for _, r := range l.seen.Rules {
		if !strings.EqualFold(r.Pool, pool) {
			continue
		}
		base := d.owner(r.Name)
		if base == "" || owner != "" && owner != base {
			return ""
		}
		owner = base
	}
	return owner
}

// heldPools are the own pools of Services that are held.
func (d *outline) heldPools(l *balancerDraft) []Pool {
	if l.seen == nil || !d.c.multiple() {
		return nil
	}
	var pools []Pool
	for _, p := range l.seen.Pools {
		_, wanted := d.localPools[l.id.Key()][strings.ToLower(p.Name)]
		if base := d.poolOwner(l, p.Name); base != "" && !wanted && !d.defaultPool(p.Name) && d.keepsBase(base) {
			pools = append(pools, p)
		}
	}
	return pools
}

// nodesOfLocal returns the nodes that have an endpoint of a Service that may get traffic. While no EndpointSlice is known, which is not the
// same as one without endpoints, all nodes count: probes find the right ones.
func (d *outline) nodesOfLocal(s *service, l *balancerDraft) []corev1.Node {
	hosts, known := map[string]bool{}, false
	for _, slice := range d.in.EndpointSlices {
		if slice.Namespace != s.name.Namespace || slice.Labels[discoveryv1.LabelServiceName] != s.name.Name {
			continue
		}
		known = true
		for _, e := range slice.Endpoints {
			if e.NodeName != nil && serving(e) {
				hosts[*e.NodeName] = true
			}
		}
	}
	if !known {
		return d.in.Nodes
	}
	return slices.DeleteFunc(slices.Clone(d.in.Nodes), func(n corev1.Node) bool { return !hosts[n.Name] })
}

// serving reports whether an endpoint may get traffic: not ready ones may not, unless they still serve while they terminate.
func serving(e discoveryv1.Endpoint) bool {
	c := e.Conditions
	return c.Ready == nil || *c.Ready || c.Serving != nil && *c.Serving
}

// holds returns the field by which a Service pins itself to what load balancer l has, "" if it does not.
func (p *placer) holds(s *service, l *seenBalancer, f ipam.Family) string {
	pinned := s.cfg.Addresses.Of(f)
	if pinned.IsValid() {
		for _, fe := range l.Frontends {
			if base := p.owner(fe.Name); l.address(p.seen, fe) == pinned && (base == "" || p.stays(base)) {
				return addressField(s, f)
			}
		}
	}
	if name := s.cfg.PublicIP.Name.Of(f); name != "" && !s.cfg.Internal {
		id := p.c.publicIP(p.c.publicIPGroup(s.cfg), name)
		if _, ok := l.byPublicIP[id.Key()]; ok {
			return nameField(s, f)
		}
	}
	return ""
}

// pin returns the field by which a Service asks for a certain address or public IP, "" if it does not.
func pin(s *service) string {
	for _, f := range s.cfg.Families {
		switch {
		case s.cfg.PublicIP.Name.Of(f) != "" && !s.cfg.Internal:
			return nameField(s, f)
		case s.cfg.Addresses.Of(f).IsValid():
			return addressField(s, f)
		}
	}
	return ""
}

// hasInternal reports whether a is an internal address of a node.
func hasInternal(n corev1.Node, a netip.Addr) bool {
	return slices.ContainsFunc(n.Status.Addresses, func(at corev1.NodeAddress) bool {
		ip, err := netip.ParseAddr(at.Address)
		return at.Type == corev1.NodeInternalIP && err == nil && ip.Unmap() == a
	})
}
