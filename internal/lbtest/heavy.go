package lbtest

import (
	"fmt"
	"strings"

	"github.com/azlb/azlb/annotations"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Heavy is a Service that is as large as the API server lets its annotations be, or larger, and what fills it.
type Heavy struct {
	Name    string
	Service corev1.Service
}

// HeavyServices makes Services of about size bytes: for each key of the registry one with a single long word, one with many items that can be
// used and one with many that cannot, and the same for the fields of the spec that have lists. Each is the i-th Service of [Service].
func HeavyServices(i, size int) []Heavy {
	var list []Heavy
	add := func(name string, changes ...func(*corev1.Service)) {
		list = append(list, Heavy{name, Service(i, changes...)})
	}
	for _, k := range annotations.Keys() {
		name := strings.TrimPrefix(k.Name, annotations.Prefix)
		if k.PerPort() {
			add(name+", many ports", manyPorts(size/120), onEachPort(k))
			add(name+", no such ports", keysOfPorts(k.Name, size/len(k.Name)))
			continue
		}
		around := inScope(k)
		add(name+", one word", around, setKey(k.Name, strings.Repeat("x", size)))
		add(name+", bad items", around, setKey(k.Name, fill(size, func(n int) string { return fmt.Sprintf("a=b=%d!", n) }, separator(k))))
		if item := goodItem(k); item != nil {
			add(name+", good items", around, setKey(k.Name, fill(size, item, separator(k))))
		}
	}
	deep := "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Network/publicIPPrefixes/p"
	add("azure-pip-prefix-id, many parts", setKey(annotations.KeyPIPPrefix, deep+strings.Repeat("/a/b", size/4)))
	add("azure-pip-tags, no more than Azure takes", setKey(annotations.KeyPIPTags, count(47, func(n int) string { return fmt.Sprintf("key%d=", n) + strings.Repeat("v", 256) })))
	add("azure-additional-public-ips, no more than Azure takes", setKey(annotations.KeyAdditionalPublicIPs, count(3900, goodAddress)))
	add("azure-allowed-ip-ranges, no more than Azure takes", setKey(annotations.KeyAllowedIPRanges, count(3900, goodRange)))
	add("azure-allowed-service-tags, no more than Azure takes", setKey(annotations.KeyAllowedServiceTags, count(900, func(n int) string { return fmt.Sprintf("Tag%d", n) })))
	add("spec.ports, no more than Azure takes", manyPorts(1400))
	add("spec.ports, no more than Azure takes, named probes", manyPorts(1400), onEachPort(annotations.Key{Name: annotations.KeyPortProbePort, Grammar: annotations.PortReference}))
	add("spec.ports, no more than Azure takes, without floating IP", manyPorts(1400), Annotate("azure-disable-load-balancer-floating-ip", "true"))
	add("attributes of AWS", setKey(annotations.Prefix+"aws-load-balancer-attributes", fill(size, func(n int) string { return fmt.Sprintf("unknown.%d=true", n) }, ",")))
	add("tags of AWS", setKey(annotations.Prefix+"aws-load-balancer-additional-resource-tags", fill(size, func(n int) string { return fmt.Sprintf("key%d=v", n) }, ",")))
	add("probe path of AWS, many ports", manyPorts(size/60), setKey(annotations.Prefix+"aws-load-balancer-healthcheck-path", "/x"),
		setKey(annotations.Prefix+"aws-load-balancer-healthcheck-interval", "100"), setKey(annotations.Prefix+"aws-load-balancer-healthcheck-unhealthy-threshold", "9"))
	add("unknown keys", keysNamed(size/40, func(n int) string { return fmt.Sprintf("azure-load-balancer-unknown-%d", n) }))
	add("misspelt keys", keysNamed(size/40, func(n int) string {
		return fmt.Sprintf("azure-load-balancer-intrenal%d", n%1000) + strings.Repeat("x", n/1000)
	}))
	add("keys of AWS", keysNamed(size/60, func(n int) string { return fmt.Sprintf("aws-load-balancer-unknown-%d", n) }))
	add("spec.ports", manyPorts(size/60))
	add("spec.ports, HA ports", Internal, Annotate("azure-load-balancer-enable-high-availability-ports", "true"), manyPorts(size/60))
	add("spec.ports, appProtocol", manyPorts(size/60), func(s *corev1.Service) {
		http := "http"
		for i := range s.Spec.Ports {
			s.Spec.Ports[i].AppProtocol = &http
		}
	})
	add("spec.ports, all the same", func(s *corev1.Service) {
		for range size / 60 {
			s.Spec.Ports = append(s.Spec.Ports, s.Spec.Ports[0])
		}
	})
	add("spec.loadBalancerSourceRanges", func(s *corev1.Service) {
		for n := range size / 20 {
			s.Spec.LoadBalancerSourceRanges = append(s.Spec.LoadBalancerSourceRanges, goodRange(n))
		}
	})
	add("spec.loadBalancerSourceRanges, bad items", func(s *corev1.Service) {
		for n := range size / 20 {
			s.Spec.LoadBalancerSourceRanges = append(s.Spec.LoadBalancerSourceRanges, fmt.Sprint("no range ", n))
		}
	})
	add("spec.ipFamilies", func(s *corev1.Service) {
		for n := range size / 10 {
			s.Spec.IPFamilies = append(s.Spec.IPFamilies, corev1.IPFamily(fmt.Sprint("IPv", n%2*2+4)))
		}
	})
	add("spec.ipFamilies, unknown", func(s *corev1.Service) {
		for n := range size / 10 {
			s.Spec.IPFamilies = append(s.Spec.IPFamilies, corev1.IPFamily(fmt.Sprint("IPv", n)))
		}
	})
	add("spec.loadBalancerIP", func(s *corev1.Service) { s.Spec.LoadBalancerIP = strings.Repeat("1.", size/2) })
	add("spec.type", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceType(strings.Repeat("x", size)) })
	add("spec.loadBalancerClass", func(s *corev1.Service) { class := strings.Repeat("x", size); s.Spec.LoadBalancerClass = &class })
	add("metadata.labels", func(s *corev1.Service) {
		s.Labels = map[string]string{}
		for n := range size / 20 {
			s.Labels[fmt.Sprint("label-", n)] = "x"
		}
	})
	add("metadata.name", func(s *corev1.Service) { s.Name = strings.Repeat("x", size) })
	add("metadata.uid", func(s *corev1.Service) { s.UID = types.UID(strings.Repeat("x", size)) })
	add("status.loadBalancer.ingress", Internal, func(s *corev1.Service) {
		for n := range size / 25 {
			s.Status.LoadBalancer.Ingress = append(s.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{IP: fmt.Sprintf("10.9.%d.%d", n/250%250, n%250)})
		}
	})
	return list
}

// inScope makes a Service one on which a key has an effect.
func inScope(k annotations.Key) func(*corev1.Service) {
	return func(s *corev1.Service) {
		switch k.Scope {
		case annotations.ScopeInternal:
			Internal(s)
		case annotations.ScopePrivateLink:
			Internal(s)
			s.Annotations[annotations.KeyPLSCreate] = "true"
		}
	}
}

func setKey(key, value string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Annotations[key] = value }
}

// goodItem makes items of a list that can be used, all of them different; nil if the value is no list.
func goodItem(k annotations.Key) func(int) string {
	switch k.Grammar {
	case annotations.Pairs:
		return func(n int) string { return fmt.Sprintf("key%d=v", n) }
	case annotations.Ranges:
		return goodRange
	case annotations.TagList:
		return func(n int) string { return fmt.Sprintf("Tag%d", n) }
	case annotations.NameList:
		return func(n int) string { return fmt.Sprintf("lb-%d", n) }
	case annotations.AddressList:
		return goodAddress
	case annotations.NATAddresses:
		return func(n int) string { return fmt.Sprintf("10.1.%d.%d", n/250%250, n%250) }
	case annotations.Words:
		return func(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
	default:
		return nil
	}
}

func goodAddress(n int) string { return fmt.Sprintf("52.%d.%d.%d", n/62500%250, n/250%250, n%250+1) }

// goodRange makes ranges that do not join into larger ones.
func goodRange(n int) string { return fmt.Sprintf("20.%d.%d.%d/32", n/32000%250, n/128%250, n%128*2) }

func separator(k annotations.Key) string {
	if k.Grammar == annotations.Words || k.Grammar == annotations.NATAddresses {
		return " "
	}
	return ","
}

// fill joins items to a text of about size bytes.
func fill(size int, item func(int) string, separator string) string {
	var b strings.Builder
	for n := 0; b.Len() < size; n++ {
		b.WriteString(item(n) + separator)
	}
	return strings.TrimSuffix(b.String(), separator)
}

// count joins n items with commas.
func count(n int, item func(int) string) string {
	list := make([]string, n)
	for i := range list {
		list[i] = item(i)
	}
	return strings.Join(list, ",")
}

func manyPorts(n int) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Spec.Ports = nil
		for i := range n {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: fmt.Sprint("p-", i), Port: int32(i + 1), NodePort: int32(i%30000 + 30000)})
		}
	}
}

// onEachPort sets the key of each port to something that can be used.
func onEachPort(k annotations.Key) func(*corev1.Service) {
	value := map[annotations.Grammar]string{annotations.Boolean: "true", annotations.WholeNumber: "6", annotations.Path: "/x", annotations.Protocol: "http"}[k.Grammar]
	return func(s *corev1.Service) {
		for i, p := range s.Spec.Ports {
			v := value
			if k.Grammar == annotations.PortReference {
				v = s.Spec.Ports[len(s.Spec.Ports)-1-i].Name
			}
			s.Annotations[annotations.PortKey(k.Name, p.Port)] = v
		}
	}
}

func keysOfPorts(key string, n int) func(*corev1.Service) {
	return func(s *corev1.Service) {
		for i := range n {
			s.Annotations[annotations.PortKey(key, int32(i+1000))] = "true"
		}
	}
}

func keysNamed(n int, key func(int) string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		for i := range n {
			s.Annotations[annotations.Prefix+key(i)] = "true"
		}
	}
}
