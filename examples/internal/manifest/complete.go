package manifest

import (
	"crypto/sha256"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Complete fills in what an API server would have, so that manifests written by hand work: the uid of every Service, from which the names of
// its resources are made, and the defaults of Services of type LoadBalancer. The same manifests give the same values.
func (s *Set) Complete() {
	taken := map[int32]bool{}
	for _, svc := range s.Objects.Services {
		taken[svc.Spec.HealthCheckNodePort] = true
		for _, p := range svc.Spec.Ports {
			taken[p.NodePort] = true
		}
	}
	for i := range s.Objects.Services {
		complete(&s.Objects.Services[i], taken)
	}
}

func complete(svc *corev1.Service, taken map[int32]bool) {
	if svc.UID == "" {
		svc.UID = uidOf(svc.Namespace + "/" + svc.Name)
	}
	if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return
	}
	completeFamilies(&svc.Spec)
	if svc.Spec.SessionAffinity == "" {
		svc.Spec.SessionAffinity = corev1.ServiceAffinityNone
	}
	if svc.Spec.ExternalTrafficPolicy == "" {
		svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	}
	if svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal && svc.Spec.HealthCheckNodePort == 0 {
		svc.Spec.HealthCheckNodePort = freePort(taken)
	}
	for i := range svc.Spec.Ports {
		completePort(&svc.Spec.Ports[i], taken)
	}
}

func completeFamilies(spec *corev1.ServiceSpec) {
	if spec.IPFamilyPolicy == nil {
		single := corev1.IPFamilyPolicySingleStack
		spec.IPFamilyPolicy = &single
	}
	if len(spec.IPFamilies) == 0 {
		spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	if *spec.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack || len(spec.IPFamilies) > 1 {
		return
	}
	other := corev1.IPv6Protocol
	if slices.Contains(spec.IPFamilies, other) {
		other = corev1.IPv4Protocol
	}
	spec.IPFamilies = append(spec.IPFamilies, other)
}

func completePort(p *corev1.ServicePort, taken map[int32]bool) {
	if p.Protocol == "" {
		p.Protocol = corev1.ProtocolTCP
	}
	if p.TargetPort == (intstr.IntOrString{}) {
		p.TargetPort = intstr.FromInt32(p.Port)
	}
	if p.NodePort == 0 {
		p.NodePort = freePort(taken)
	}
}

// freePort takes the lowest free node port.
func freePort(taken map[int32]bool) int32 {
	port := int32(30000)
	for taken[port] {
		port++
	}
	taken[port] = true
	return port
}

// uidOf makes a uid of a name.
func uidOf(name string) types.UID {
	sum := sha256.Sum256([]byte(name))
	return types.UID(fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]))
}
