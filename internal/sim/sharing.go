package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NewSharing makes the world of seed in which Services share what can be shared: public IPs of the user and of each other, private addresses,
// DNS labels, tags. They come from namespaces that need not trust each other, and beside them are objects of people and of other clusters
// that look like ours by their name, or by their tags, but not by both.
func NewSharing(seed uint64) *World {
	w := &World{
		Seed: seed, Scripted: map[string]int{}, sharing: true,
		rng: rand.New(rand.NewPCG(seed, 0x5a4e)), spelling: rand.New(rand.NewPCG(seed, 0x5a4e11)),
	}
	w.Cluster = w.cluster()
	w.Cluster.Addresses.AllowRecreate = w.chance(2)
	w.Cloud = template().Clone()
	w.machines = w.newMachines()
	w.lookalikes()
	w.addNode()
	for i := range 2 + w.rng.IntN(3) {
		w.Objects.Services = append(w.Objects.Services, w.sharer(i))
	}
	return w
}

// lookalikes puts public IPs beside ours that have a tag or a name as ours have, and are not ours.
func (w *World) lookalikes() {
	gone := "a" + "00000000000000000000000000000bb" // what a Service of another cluster with our name could be called
	for name, tags := range map[string]object{
		"looks-legacy":       {"service": "default/svc-0"},
		"looks-present":      {"k8s-azure-service": "default/svc-1"},
		"looks-whole":        {"k8s-azure-service": "default/svc-2", "k8s-azure-cluster-name": "kubernetes"},
		"looks-gone":         {"service": "default/gone", "kubernetes-cluster-name": "kubernetes"},
		"kubernetes-" + gone: {"x-owner": "user"},
		"blue-" + gone:       {"k8s-azure-service": "default/svc-0", "k8s-azure-cluster-name": "blue"},
	} {
		w.must(w.Cloud.Put(publicIP(pick(w, "rg", "other"), name), object{
			"location": "westeurope", "sku": object{"name": "Standard"}, "tags": tags, "xForeign": name,
			"properties": object{"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
		}))
	}
}

// namespaces are those that sharers come from.
var namespaces = []string{"default", "default", "guests"}

// sharer makes the i-th Service of a world of sharing.
func (w *World) sharer(i int) corev1.Service {
	s := w.service(i)
	s.Namespace = namespaces[i%len(namespaces)]
	s.CreationTimestamp = metav1.Unix(int64(1_700_000_000+(i*7)%5), 0)
	s.Annotations = map[string]string{}
	s.Spec.LoadBalancerIP, s.Spec.LoadBalancerSourceRanges = "", nil
	s.Spec.IPFamilies = pick(w, families[0], families[0], families[0], families[0], families[4])
	s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyCluster, 0
	w.sharerPorts(&s)
	w.join(&s)
	for range w.rng.IntN(3) {
		w.property(&s)
	}
	return s
}

// sharerPorts draws ports that are nobody else's, but for one in eight.
func (w *World) sharerPorts(s *corev1.Service) {
	number := int32(index(s))
	s.Spec.Ports = nil
	for j := range int32(1 + w.rng.IntN(2)) {
		port := 1000 + number*10 + j
		if w.chance(8) {
			port = 80 + j
		}
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{
			Name: fmt.Sprintf("p%d", j), Protocol: corev1.ProtocolTCP, Port: port, NodePort: 30000 + number*10 + j,
		})
	}
}

// join lets a Service ask for an address: one of the user's, one that another Service has or pins, one of a prefix, or none in particular.
func (w *World) join(s *corev1.Service) {
	for _, key := range places {
		delete(s.Annotations, key)
	}
	if s.Spec.LoadBalancerIP = ""; w.chance(3) {
		s.Annotations[annotations.KeyInternal] = "true"
		if w.chance(4) {
			s.Annotations[annotations.KeySubnet] = "apps"
		}
	}
	switch w.rng.IntN(8) {
	case 0, 1:
		w.pinAddress(s, pick(w, w.addresses()...))
	case 2:
		s.Annotations[annotations.KeyPIPName] = pick(w, "user-0", "user-1")
	case 3:
		w.pinAddress(s, pick(w, "10.2.0.50", "10.2.0.51", "10.1.0.60", "40.0.0.10", "40.0.0.11"))
	case 4:
		s.Annotations[annotations.KeyPIPPrefix] = values[annotations.KeyPIPPrefix][0]
	case 5:
		s.Annotations[annotations.KeyResourceGroup] = "other"
	}
}

// places are the keys that join sets.
var places = []string{
	annotations.KeyInternal, annotations.KeySubnet, annotations.KeyIPv4, annotations.KeyPIPName, annotations.KeyPIPPrefix, annotations.KeyResourceGroup,
}

func (w *World) pinAddress(s *corev1.Service, address string) {
	if w.chance(3) {
		s.Spec.LoadBalancerIP = address
		return
	}
	s.Annotations[annotations.KeyIPv4] = address
}

// addresses are those of the user's public IPs and of all Services.
func (w *World) addresses() []string {
	list := []string{"40.0.0.10", "10.2.0.50"}
	for i := range w.Objects.Services {
		for _, in := range w.Objects.Services[i].Status.LoadBalancer.Ingress {
			list = append(list, in.IP)
		}
	}
	return list
}

// properties are what sharers ask of what they share.
var properties = map[string][]string{
	annotations.KeyDNSLabel:           {"shop", "web", ""},
	annotations.KeyPIPTags:            {"a=1", "a=2", "b=3"},
	annotations.KeyPIPIPTags:          {"RoutingPreference=Internet", "FirstPartyUsage=Shop", ""},
	annotations.KeyDenyAll:            {"true"},
	annotations.KeyAllowedIPRanges:    {"203.0.113.0/24", "198.51.100.0/24"},
	annotations.KeyAllowedServiceTags: {"AzureCloud"},
	annotations.KeyDisableFloatingIP:  {"true"},
	annotations.KeyIdleTimeout:        {"5", "30"},
	annotations.KeyProbeInterval:      {"10"},
}

var propertyKeys = slices.Sorted(maps.Keys(properties))

// property sets or removes one property.
func (w *World) property(s *corev1.Service) { w.annotateFrom(s, propertyKeys, properties) }

// share changes one thing about one sharer.
func (w *World) share() {
	if n := len(w.Objects.Services); n == 0 || n < 8 && w.chance(5) {
		w.addSharer()
		return
	}
	at := w.rng.IntN(len(w.Objects.Services))
	s := &w.Objects.Services[at]
	switch w.rng.IntN(12) {
	case 0:
		w.Objects.Services = slices.Delete(w.Objects.Services, at, at+1)
	case 1:
		now := metav1.NewTime(w.Cloud.Clock().Now())
		s.DeletionTimestamp = &now
	case 2:
		s.Spec.Type = pick(w, corev1.ServiceTypeClusterIP, corev1.ServiceTypeLoadBalancer)
	case 3:
		w.sharerPorts(s)
	case 4, 5, 6:
		w.join(s)
	case 7:
		w.mutateNodes()
	default:
		w.property(s)
	}
}

func (w *World) addSharer() {
	if i, ok := w.unused(); ok {
		w.Objects.Services = append(w.Objects.Services, w.sharer(i))
	}
}

// release takes away what others have on load balancers that we write.
func (w *World) release(c *fake.Cloud) {
	for _, id := range balancers {
		w.change(c, id, nil, func(_, p object) {
			for _, kind := range []string{armid.OutboundRules, armid.InboundNATRules, armid.LoadBalancingRules} {
				list, _ := p[kind].([]any)
				p[kind] = slices.DeleteFunc(slices.Clone(list), func(e any) bool {
					o, ok := e.(object)
					return ok && !owned(kind, o)
				})
			}
		})
	}
}

// leftovers lists what is ours in a cloud, when nothing should be.
func leftovers(w *World) []lb.ID {
	var left []lb.ID
	for _, id := range w.Cloud.IDs() {
		body, _ := w.Cloud.Body(id)
		tags, _ := body["tags"].(object)
		properties, _ := body["properties"].(object)
		switch {
		case id.Is(armid.PublicIPAddresses):
			if _, theirs := body["xForeign"]; !theirs && tags["k8s-azure-cluster-name"] == "kubernetes" {
				left = append(left, id)
			}
		case id.Equal(external), id.Equal(internal), id.Equal(securityGroup):
			for _, kind := range []string{armid.FrontendIPConfigurations, armid.LoadBalancingRules, armid.Probes, armid.SecurityRules} {
				for _, child := range children(properties, kind) {
					if owned(kind, child) {
						left = append(left, id.Child(kind, fmt.Sprint(child["name"])))
					}
				}
			}
		}
	}
	return left
}
