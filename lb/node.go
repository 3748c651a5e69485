package lb

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/ipam"
	corev1 "k8s.io/api/core/v1"
)

// Labels and taints that keep a node out of pools.
const (
	labelExclude      = "node.kubernetes.io/exclude-from-external-load-balancers"
	labelControlPlane = "node-role.kubernetes.io/control-plane"
	labelMaster       = "node-role.kubernetes.io/master"
	labelRole         = "kubernetes.io/role"
	taintScaleDown    = "ToBeDeletedByClusterAutoscaler"
)

// eligible is the one predicate for membership in pools of addresses. Readiness does not matter: health probes look after that. Neither does
// kubernetes.azure.com/managed=false: upstream removes such nodes and adds them again in the same pass, so they are members.
func eligible(n corev1.Node) bool {
	if n.Spec.ProviderID == "" || n.DeletionTimestamp != nil || controlPlane(n) {
		return false
	}
	if v, ok := n.Labels[labelExclude]; ok {
		if excluded, err := strconv.ParseBool(v); err != nil || excluded {
			return false
		}
	}
	return !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == taintScaleDown })
}

func controlPlane(n corev1.Node) bool {
	_, a := n.Labels[labelControlPlane]
	_, b := n.Labels[labelMaster]
	return a || b || n.Labels[labelRole] == "master"
}

// members returns the pool members of family f: the first internal address of that family of every eligible node, sorted by address.
func members(nodes []corev1.Node, f ipam.Family) []Member {
	var list []Member
	for _, n := range nodes {
		if !eligible(n) {
			continue
		}
		for _, a := range n.Status.Addresses {
			if a.Type != corev1.NodeInternalIP {
				continue
			}
			ip, err := netip.ParseAddr(a.Address)
			if err == nil && ipam.FamilyOf(ip) == f && reachable(ip) {
				list = append(list, Member{Name: n.Name, IP: ip.Unmap()})
				break
			}
		}
	}
	slices.SortFunc(list, func(a, b Member) int {
		if c := a.IP.Compare(b.IP); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return slices.CompactFunc(list, func(a, b Member) bool { return a.IP == b.IP })
}

// reachable reports whether a load balancer could send to an address of a node. Azure refuses the whole pool for one that it could not.
func reachable(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsMulticast() && !ip.IsLinkLocalUnicast()
}
