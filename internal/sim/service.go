package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/lbtest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// values are what a Service may say under each key: mostly usable, some not.
var values = map[string][]string{
	annotations.KeySubnet:      {"apps", "nodes", "no such subnet!"},
	annotations.KeyIPv4:        {"10.2.0.50", "10.2.0.51", "10.1.0.60", "40.0.0.10", "40.0.0.11", "not an address"},
	annotations.KeyIPv6:        {"fd00:0:0:2::50", "2603:1020::10", "10.2.0.50"},
	annotations.KeyPIPName:     {"user-0", "user-1", "absent", "bad/name"},
	annotations.KeyPIPNameIPv6: {"user-6", "absent"},
	annotations.KeyPIPPrefix: {
		"/subscriptions/" + subscription + "/resourceGroups/rg/providers/Microsoft.Network/publicIPPrefixes/prefix",
		"prefix",
	},
	annotations.KeyResourceGroup:       {"other", "rg"},
	annotations.KeyDNSLabel:            {"shop", "web", "", "Not A Label"},
	annotations.KeyPIPTags:             {"a=1", "a=2,b=3", "k8s-azure-service=evil"},
	annotations.KeyPIPIPTags:           {"RoutingPreference=Internet", ""},
	annotations.KeyAdditionalPublicIPs: {"60.0.0.1", "60.0.0.1,60.0.0.2", "sixty"},
	annotations.KeyIdleTimeout:         {"5", "30", "soon", "101"},
	annotations.KeyHAPorts:             {"true", "false", "perhaps"},
	annotations.KeyDisableTCPReset:     {"true", "maybe"},
	annotations.KeyDisableFloatingIP:   {"true", "false"},
	annotations.KeyProbeProtocol:       {"http", "tcp", "smoke"},
	annotations.KeyProbePath:           {"/healthz", "/ready"},
	annotations.KeyProbeInterval:       {"10", "0"},
	annotations.KeyProbeThreshold:      {"3", "many"},
	annotations.KeyAllowedServiceTags:  {"AzureCloud", "Internet", "Azure Cloud"},
	annotations.KeyAllowedIPRanges: {
		"203.0.113.0/24", "198.51.100.0/24,203.0.113.7/32",
		"2001:db8::/32,203.0.113.0/24", "203.0.113.7/24", "anywhere", "",
	},
	annotations.KeySourceRanges:                               {"198.51.100.0/24", "0.0.0.0/0", "198.51.100.0"},
	annotations.KeyDenyAll:                                    {"true", "false", "ture"},
	annotations.KeyDisableNSGRule:                             {"true", "false"},
	annotations.PortKey(annotations.KeyPortNoRule, 80):        {"true"},
	annotations.PortKey(annotations.KeyPortNoProbe, 80):       {"true"},
	annotations.PortKey(annotations.KeyPortProbePort, 443):    {"80", "http"},
	annotations.PortKey(annotations.KeyPortProbeProtocol, 80): {"http", "x"},
}

var keys = slices.Sorted(maps.Keys(values))

// service makes the i-th Service. Its name and uid depend on i alone.
func (w *World) service(i int) corev1.Service {
	s := lbtest.Service(i)
	s.CreationTimestamp = metav1.NewTime(time.Unix(int64(1_700_000_000+i), 0))
	w.spec(&s)
	for range w.rng.IntN(3) {
		w.annotate(&s)
	}
	return s
}

// spec draws what a Service is like without annotations other than whether it is internal.
func (w *World) spec(s *corev1.Service) {
	s.Spec.IPFamilies = pick(w, families...)
	delete(s.Annotations, annotations.KeyInternal)
	if w.chance(2) {
		s.Annotations[annotations.KeyInternal] = pick(w, "true", "true", "true", "true", "yes")
	}
	w.ports(s)
	s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyCluster
	if w.chance(6) {
		s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
		s.Spec.HealthCheckNodePort = s.Spec.Ports[0].NodePort + 1000
	}
	s.Spec.SessionAffinity = corev1.ServiceAffinityNone
	if w.chance(6) {
		s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	}
	s.Spec.LoadBalancerSourceRanges = nil
	if w.chance(8) {
		s.Spec.LoadBalancerSourceRanges = pick(w,
			[]string{"203.0.113.0/24"}, []string{"203.0.113.0/24", "198.51.100.0/24"}, []string{"203.0.113.0/33"})
	}
	s.Spec.LoadBalancerIP = ""
	if w.chance(10) {
		s.Spec.LoadBalancerIP = pick(w, "10.2.0.50", "40.0.0.11")
	}
}

var families = [][]corev1.IPFamily{
	{corev1.IPv4Protocol},
	{corev1.IPv4Protocol},
	{corev1.IPv4Protocol},
	{corev1.IPv6Protocol},
	{corev1.IPv4Protocol, corev1.IPv6Protocol},
	{corev1.IPv6Protocol, corev1.IPv4Protocol},
}

func (w *World) ports(s *corev1.Service) {
	number := index(s)
	s.Spec.Ports = nil
	for j, port := range w.rng.Perm(5)[:1+w.rng.IntN(3)] {
		p := corev1.ServicePort{
			Name: []string{"http", "https", "dns", "alt", "more"}[port], Protocol: pick(w, corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP),
			Port: []int32{80, 443, 53, 8080, 9000}[port], NodePort: int32(30000 + number*10 + j),
		}
		s.Spec.Ports = append(s.Spec.Ports, p)
	}
}

// index returns the number that a Service was made with.
func index(s *corev1.Service) (i int) {
	if _, err := fmt.Sscanf(s.Name, "svc-%d", &i); err != nil {
		panic(err)
	}
	return i
}

// annotate sets or removes one annotation.
func (w *World) annotate(s *corev1.Service) { w.annotateFrom(s, keys, values) }

// annotateFrom sets or removes the annotation under one of keys.
func (w *World) annotateFrom(s *corev1.Service, keys []string, values map[string][]string) {
	key := pick(w, keys...)
	if _, ok := s.Annotations[key]; ok && w.chance(2) {
		delete(s.Annotations, key)
		return
	}
	s.Annotations[key] = pick(w, values[key]...)
}

func (w *World) addNode() {
	node := lbtest.Nodes(w.nodes + 1)[w.nodes]
	w.nodes++
	w.Objects.Nodes = append(w.Objects.Nodes, w.machine(node))
}

// Mutate changes a few objects, as users and the cluster do.
func (w *World) Mutate() {
	w.Objects.Services = clone(w.Objects.Services)
	w.Objects.Nodes = slices.Clone(w.Objects.Nodes)
	w.exclude()
	for range 1 + w.rng.IntN(3) {
		w.mutate()
	}
}

func (w *World) mutate() {
	if w.sharing {
		w.share()
		return
	}
	what := w.rng.IntN(16)
	if len(w.Objects.Services) == 0 || what == 0 {
		w.addService()
		return
	}
	at := w.rng.IntN(len(w.Objects.Services))
	s := &w.Objects.Services[at]
	switch what {
	case 1, 2:
		w.Objects.Services = slices.Delete(w.Objects.Services, at, at+1)
	case 3:
		now := metav1.NewTime(w.Cloud.Clock().Now())
		s.DeletionTimestamp = &now
	case 4:
		s.Spec.Type = pick(w, corev1.ServiceTypeClusterIP, corev1.ServiceTypeLoadBalancer)
	case 5:
		w.mutateNodes()
	case 6, 7:
		w.ports(s)
	case 8, 9:
		w.spec(s)
	case 10:
		maps.DeleteFunc(s.Annotations, func(k, _ string) bool { return strings.HasPrefix(k, annotations.Prefix) })
	case 11:
		other := w.Objects.Services[w.rng.IntN(len(w.Objects.Services))]
		s.Annotations = maps.Clone(other.Annotations) // they now want to share an address, or clash
	default:
		w.annotate(s)
	}
}

func (w *World) addService() {
	if i, ok := w.unused(); ok {
		w.Objects.Services = append(w.Objects.Services, w.service(i))
	}
}

// unused returns the first number that no Service has.
func (w *World) unused() (int, bool) {
	used := map[int]bool{}
	for i := range w.Objects.Services {
		used[index(&w.Objects.Services[i])] = true
	}
	for i := range 12 {
		if !used[i] {
			return i, true
		}
	}
	return 0, false
}

func (w *World) mutateNodes() {
	if n := len(w.Objects.Nodes); n == 0 || w.chance(2) {
		w.addNode()
	} else if at := w.rng.IntN(n); n > 1 || w.chance(4) {
		w.retire(w.Objects.Nodes[at])
		w.Objects.Nodes = slices.Delete(w.Objects.Nodes, at, at+1)
	}
}

// clone copies Services as deep as Mutate changes them.
func clone(list []corev1.Service) []corev1.Service {
	out := make([]corev1.Service, len(list))
	for i := range list {
		out[i] = *list[i].DeepCopy()
	}
	return out
}

func nameOf(s *corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}
