package sim

import (
	"errors"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
)

const labelExclude = "node.kubernetes.io/exclude-from-external-load-balancers"

// machines are those of a world whose pools hold network interfaces.
type machines struct {
	lbtest.Machines
	rng  *rand.Rand // apart from that of the world, as for spelling
	sets []lb.ID    // two uniform scale sets and a flexible one
}

// newMachines returns nil for a world whose pools hold addresses.
func (w *World) newMachines() *machines {
	if w.Cluster.PoolType != lb.PoolInterfaces {
		return nil
	}
	m := &machines{Machines: lbtest.Machines{Cloud: w.Cloud}, rng: rand.New(rand.NewPCG(w.Seed, 0xf1ee7))}
	m.sets = []lb.ID{m.ScaleSet("manual", "Uniform", "Manual"), m.ScaleSet("auto", "Uniform", "Automatic"), m.ScaleSet("flex", "Flexible", "Manual")}
	return m
}

// machine gives a node a machine: by itself, in one of the scale sets, or, now and then, none that Azure knows.
func (w *World) machine(n corev1.Node) corev1.Node {
	m := w.machines
	if m == nil || m.rng.IntN(12) == 0 {
		return n
	}
	m.Cloud = w.Cloud
	var made corev1.Node
	switch kind := m.rng.IntN(4); kind {
	case 0:
		made = m.Machine(n.Name, "")
	case 1:
		made = m.Machine(n.Name, m.sets[2])
	default:
		made = m.Instance(m.sets[kind-2], w.nodes)
	}
	made.Name = n.Name
	return made
}

// retire takes the machine of a node that has left out of Azure, mostly.
func (w *World) retire(n corev1.Node) {
	if w.machines == nil || w.machines.rng.IntN(4) == 0 {
		return
	}
	for _, id := range []lb.ID{machineOf(n), interfaceOf(n)} {
		if _, ok := w.Cloud.Body(id); ok && id != "" {
			w.must(w.Cloud.Delete(id))
		}
	}
}

// leavePools takes out of the body of an interface, an instance or a model what is not of others: which pools of ours it is in, and how it is.
func leavePools(body object) {
	for _, name := range []string{"provisioningState", "latestModelApplied", "networkApiVersion"} { // without the last no flexible set can be written
		delete(body, name)
	}
	if list, ok := body["loadBalancerBackendAddressPools"].([]any); ok {
		others := slices.DeleteFunc(slices.Clone(list), func(e any) bool {
			pool, _ := e.(object)
			id, _ := pool["id"].(string)
			return slices.ContainsFunc(balancers, lb.ID(id).Top().Equal)
		})
		if body["loadBalancerBackendAddressPools"] = others; len(others) == 0 {
			delete(body, "loadBalancerBackendAddressPools")
		}
	}
	for _, v := range body {
		for _, below := range objectsOf(v) {
			leavePools(below)
		}
	}
}

// exclude lets a node join its pools or leave them at times.
func (w *World) exclude() {
	if w.machines == nil || len(w.Objects.Nodes) == 0 || w.machines.rng.IntN(3) > 0 {
		return
	}
	n := &w.Objects.Nodes[w.machines.rng.IntN(len(w.Objects.Nodes))]
	n.Labels = maps.Clone(n.Labels)
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	n.Labels[labelExclude] = []string{"true", "false"}[w.machines.rng.IntN(2)]
}

// interfacesFail scripts faults of the writes that attach nodes.
func (w *World) interfacesFail(meddled func()) {
	if w.machines == nil {
		return
	}
	apart := *w
	apart.rng = w.machines.rng
	for range w.machines.rng.IntN(3) {
		f := apart.misfortune(meddled)
		if f.Meanwhile != nil {
			continue // others number what they make by the world
		}
		f.Method = http.MethodPut
		f.Path = []string{"/networkInterfaces/", "/virtualMachineScaleSets/[a-z]+$", "/virtualMachineScaleSets/.*/virtualMachines/"}[w.machines.rng.IntN(3)]
		w.Cloud.Inject(f)
	}
}

func machineOf(n corev1.Node) lb.ID {
	id := lb.ID(strings.TrimPrefix(n.Spec.ProviderID, "azure://"))
	if !id.Is(armid.VirtualMachines) && !id.Is(armid.ScaleSetInstances) {
		return ""
	}
	return id
}

// interfaceOf is what is in pools for a node; nothing for one whose machine nobody knows.
func interfaceOf(n corev1.Node) lb.ID {
	if id := machineOf(n); !id.Is(armid.VirtualMachines) {
		return id
	}
	return lbtest.Resource(armid.NetworkInterfaces, "nic-"+n.Name)
}

// checkReached: the pools of a Service for which a call has returned no error have every node that may be in them (P8).
func (r *run) checkReached(s *corev1.Service) {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.DeletionTimestamp != nil {
		return
	}
	base, view := lb.Base(s.UID), r.watch.look()
	for _, l := range view.Seen.LoadBalancers {
		for _, rule := range l.Rules {
			pool, ok := find(l.Pools, rule.Pool, func(p lb.Pool) string { return p.Name })
			if baseOf(rule.Name) != base || !ok {
				continue
			}
			for _, n := range r.Objects.Nodes {
				if n.Labels[labelExclude] != "true" && !r.isIn(n, pool, l.ID.Child(armid.BackendAddressPools, pool.Name)) {
					r.watch.Blame("P8", "%s: no error, but node %s is not in pool %s of %s", nameOf(s), n.Name, pool.Name, l.ID.Name())
				}
			}
		}
	}
}

// isIn reports whether a node is in a pool, or cannot be.
func (r *run) isIn(n corev1.Node, p lb.Pool, id lb.ID) bool {
	if r.machines == nil {
		family := ipam.IPv4
		if strings.HasSuffix(strings.ToLower(p.Name), "-ipv6") {
			family = ipam.IPv6
		}
		for _, a := range n.Status.Addresses {
			if ip, err := netip.ParseAddr(a.Address); err == nil && ipam.FamilyOf(ip) == family {
				return slices.ContainsFunc(p.Members, func(m lb.Member) bool { return m.IP == ip })
			}
		}
		return true
	}
	nic := interfaceOf(n)
	at := slices.IndexFunc(r.watch.look().Seen.Interfaces, func(seen lb.SeenInterface) bool { return seen.ID.Equal(nic) })
	return at < 0 || slices.ContainsFunc(r.watch.look().Seen.Interfaces[at].IPConfigurations, func(c lb.IPConfiguration) bool {
		return slices.ContainsFunc(c.Pools, id.Equal)
	})
}

// checkReport is checkReached for all Services that a call says nothing against.
func (r *run) checkReport(report provider.Report) {
	for i := range r.Objects.Services {
		s := &r.Objects.Services[i]
		if result, ok := report.Services[nameOf(s)]; ok && result.Err == nil && !result.Held {
			r.checkReached(s)
		}
	}
}

// halfway reports whether a call has made one public IP of a Service anew and not the other one: the load balancer, whose pools hold
// interfaces, keeps a frontend all the time, so that the next call does the rest.
func halfway(report provider.Report) bool {
	return report.Writes > 0 && slices.ContainsFunc(report.Findings, func(f lb.Finding) bool {
		return f.Severity == lb.SeverityError && strings.Contains(f.Err.Error(), "its address cannot be given up: load balancer")
	})
}

// unreachable reports whether err says nothing but that Services are not served, in a world in which Azure knows no machine of a node that may
// be in pools: calling again is no use.
func (r *run) unreachable(err error) bool {
	return r.machines != nil && only(err, lb.ErrUnreached) && !slices.ContainsFunc(r.Objects.Nodes, func(n corev1.Node) bool {
		_, known := r.Cloud.Body(interfaceOf(n))
		return known && n.Labels[labelExclude] != "true"
	})
}

// only reports whether every error that err joins is target.
func only(err, target error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return errors.Is(err, target)
	}
	return !slices.ContainsFunc(joined.Unwrap(), func(e error) bool { return !only(e, target) })
}
