package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
)

// Labels that keep a node's interface out of pools.
const (
	labelManaged       = "kubernetes.azure.com/managed"
	labelResourceGroup = "kubernetes.azure.com/resource-group"
)

// attachable reports whether the interface of a node may be in a pool.
func (d *outline) attachable(n corev1.Node) bool {
	group := n.Labels[labelResourceGroup]
	return eligible(n) && !strings.EqualFold(n.Labels[labelManaged], "false") && (group == "" || strings.EqualFold(group, d.c.ResourceGroup))
}

// interfaceOf finds the primary network interface of a node's machine; nil for nodes of scale sets, whose interfaces belong to their model.
func (d *outline) interfaceOf(n corev1.Node) *SeenInterface {
	machine, ok := strings.CutPrefix(n.Spec.ProviderID, "azure://")
	if !ok {
		return nil
	}
	var found *SeenInterface
	for i := range d.seen.Interfaces {
		if nic := &d.seen.Interfaces[i]; nic.Machine.Equal(ID(machine)) && (found == nil || nic.Primary) {
			found = nic
		}
	}
	return found
}

// memberships are the pools that interfaces are to be in: by interface and name of the IP configuration, the keys of pools.
type memberships map[string]map[string]map[string]ID

func (m memberships) join(nic ID, config string, pool ID) {
	if m[nic.Key()] == nil {
		m[nic.Key()] = map[string]map[string]ID{}
	}
	if m[nic.Key()][config] == nil {
		m[nic.Key()][config] = map[string]ID{}
	}
	m[nic.Key()][config][pool.Key()] = pool
}

// wantInterfaces decides which interfaces are in the pools of our load balancers. Foreign pools stay. Where
// interfaces could not be read, membership is left as it is.
func (d *outline) wantInterfaces() []NetworkInterface {
	if d.c.PoolType != PoolInterfaces || len(d.seen.Interfaces) == 0 {
		return nil
	}
	wanted, ours := memberships{}, map[string]ID{}
	for _, id := range d.ourBalancers() {
		l := d.balancer(id)
		if _, _, ok := d.wantBalancer(l); !ok || d.preConfigured(l) {
			continue
		}
		for _, p := range d.wantPools(l) {
			pool := l.id.Child(armid.BackendAddressPools, p.Name)
			if members := d.attach(wanted, l, p, pool); members > 0 {
				ours[pool.Key()] = pool
			}
		}
	}
	var list []NetworkInterface
	for i := range d.seen.Interfaces {
		if nic, changed := memberOf(d.seen.Interfaces[i].NetworkInterface, wanted, ours); changed {
			d.because(nic.ID.Key(), Cause{Reason: ReasonNodes})
			list = append(list, nic)
		}
	}
	return list
}

// attach enters the nodes of a pool and returns how many there are.
func (d *outline) attach(wanted memberships, l *balancerDraft, p Pool, pool ID) int {
	family := ipam.IPv4
	if strings.EqualFold(p.Name, poolName(d.c.Name, ipam.IPv6)) {
		family = ipam.IPv6
	}
	members := 0
	for _, n := range d.nodesOf(l) {
		nic := d.interfaceOf(n)
		if nic == nil || !d.attachable(n) {
			continue
		}
		i := slices.IndexFunc(nic.IPConfigurations, func(c IPConfiguration) bool { return c.Family == family })
		if i < 0 {
			continue
		}
		if other := d.otherBalancer(nic.IPConfigurations[i], pool); other != "" {
			d.findings = append(d.findings, Finding{Field: string(nic.ID), Severity: SeverityWarning, Err: fmt.Errorf("%w: node %s stays out of %s, its interface is in a pool of load balancer %s, and Azure allows one of a kind",
				ErrForeign, n.Name, l.id.Name(), other.Name())})
			continue
		}
		wanted.join(nic.ID, nic.IPConfigurations[i].Name, pool)
		members++
	}
	return members
}

// otherBalancer returns a load balancer of the same kind as that of pool whose pool an IP configuration is in already, other than its own.
func (d *outline) otherBalancer(c IPConfiguration, pool ID) ID {
	internal := func(id ID) bool { return strings.HasSuffix(strings.ToLower(id.Name()), "-internal") }
	mine := pool.Parent()
	for _, in := range c.Pools {
		other := in.Parent()
		if !other.Equal(mine) && internal(other) == internal(mine) && d.seen.balancers[other.Key()] != nil {
			return other
		}
	}
	return ""
}

// memberOf returns nic with the pools that it should be in: those of others, and of ours those that are wanted. A pool of ours that would be
// left without any member is not in ours, so that nobody is cut off.
func memberOf(nic NetworkInterface, wanted memberships, ours map[string]ID) (NetworkInterface, bool) {
	changed := false
	nic.IPConfigurations = slices.Clone(nic.IPConfigurations)
	for i, c := range nic.IPConfigurations {
		joins := wanted[nic.ID.Key()][c.Name]
		var pools []ID
		have := map[string]bool{}
		for _, p := range c.Pools {
			if _, stays := joins[p.Key()]; stays || ours[p.Key()] == "" {
				pools, have[p.Key()] = append(pools, p), true
			} else {
				changed = true
			}
		}
		for _, p := range sortedValues(joins, armid.Compare) {
			if !have[p.Key()] {
				pools, changed = append(pools, p), true
			}
		}
		nic.IPConfigurations[i].Pools = pools
	}
	return nic, changed
}
