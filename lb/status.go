package lb

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Status returns the load balancer status of every Service of want: the addresses of its frontends, IPv4 before IPv6 unless the Service
// says otherwise, then its additional ones. References are resolved from known. A Service with an address that is not known yet is not in
// the map.
func Status(want Desired, known []Assigned) map[types.NamespacedName]corev1.LoadBalancerStatus {
	byID := make(map[string]Assigned, len(known))
	for _, a := range known {
		byID[a.ID.Key()] = a
	}
	statuses := make(map[types.NamespacedName]corev1.LoadBalancerStatus, len(want.Services))
	for _, s := range want.Services {
		if status, ok := statusOf(s, byID); ok {
			statuses[s.Service] = status
		}
	}
	return statuses
}

func statusOf(s ServiceResult, known map[string]Assigned) (corev1.LoadBalancerStatus, bool) {
	var status corev1.LoadBalancerStatus
	for _, a := range s.Ingress {
		ip := a.IP
		if !a.Known() {
			ip = known[a.Of.Key()].IP
		}
		if !ip.IsValid() {
			return status, false
		}
		status.Ingress = append(status.Ingress, corev1.LoadBalancerIngress{IP: ip.String()})
	}
	return status, true
}
