package annotations_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	p      = annotations.Prefix
	prefix = "/subscriptions/8d1c3c1e-6f6a-4a6d-9a1c-0a7b3b1f0001/resourceGroups/ips/providers/Microsoft.Network/publicIPPrefixes/pfx"
)

const wantVisible = "want no control characters, nor others that nobody sees"

// service returns a Service of type LoadBalancer with TCP port 80 and the annotations, given as keys and values in turn.
func service(annotations ...string) *corev1.Service {
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Annotations: map[string]string{}}}
	svc.Spec.Type = corev1.ServiceTypeLoadBalancer
	svc.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP}}
	for i := 0; i < len(annotations); i += 2 {
		svc.Annotations[annotations[i]] = annotations[i+1]
	}
	return svc
}

// plain is the Config of a Service without annotations.
func plain() annotations.Config {
	return annotations.Config{
		Service:  types.NamespacedName{Namespace: "shop", Name: "web"},
		Families: []ipam.Family{ipam.IPv4},
		Rules:    annotations.Rules{IdleMinutes: 4, TCPReset: true, FloatingIP: true},
	}
}

func ptr[T any](v T) *T { return &v }

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func ranges(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func families(list ...corev1.IPFamily) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.IPFamilies = list }
}

var (
	v6   = families(corev1.IPv6Protocol)
	dual = families(corev1.IPv4Protocol, corev1.IPv6Protocol)
)

type config = annotations.Config

// problem is what an error has to be: its field without the frame around a key, its outcome, and its text.
type problem struct {
	key, value string
	outcome    annotations.Outcome
	text       string
}

var parseTests = []struct {
	name string
	anns []string
	spec func(*corev1.Service)
	want func(*config)
	errs []problem
}{
	{name: "nothing at all"},
	// Placement and addresses.
	{name: "internal", anns: []string{annotations.KeyInternal, "true"}, want: func(c *config) { c.Internal = true }},
	{name: "case and blanks of a switch do not matter", anns: []string{annotations.KeyInternal, " TRUE\n"}, want: func(c *config) { c.Internal = true }},
	{name: "false is a value", anns: []string{annotations.KeyInternal, "False"}},
	{
		name: "an internal Service spelled wrong does not become public", anns: []string{annotations.KeyInternal, "yes"},
		errs: []problem{{"azure-load-balancer-internal", "yes", annotations.Hold, "malformed: want true or false"}},
	},
	{
		name: "an empty switch", anns: []string{annotations.KeyInternal, ""},
		errs: []problem{{"azure-load-balancer-internal", "", annotations.Hold, "malformed: want true or false"}},
	},
	{name: "subnet", anns: []string{annotations.KeySubnet, " apps "}, want: func(c *config) { c.Subnet = "apps" }},
	{name: "blank subnet is none", anns: []string{annotations.KeySubnet, "  "}},
	{
		name: "subnet that would leave its place in an id", anns: []string{annotations.KeySubnet, "a/../b"},
		errs: []problem{{"azure-load-balancer-internal-subnet", "a/../b", annotations.Hold, "malformed: want letters, digits, _ . and - only, have '/'"}},
	},
	{name: "address", anns: []string{annotations.KeyIPv4, " 52.10.0.10 "}, want: func(c *config) { c.Addresses.V4 = netip.MustParseAddr("52.10.0.10") }},
	{
		name: "IPv4 in IPv6 notation", anns: []string{annotations.KeyIPv4, "::ffff:52.10.0.10"},
		want: func(c *config) { c.Addresses.V4 = netip.MustParseAddr("52.10.0.10") },
	},
	{
		name: "IPv6 in the key for IPv4", anns: []string{annotations.KeyIPv4, "2603:1030::1"},
		errs: []problem{{"azure-load-balancer-ipv4", "2603:1030::1", annotations.Hold, "malformed: want an IPv4 address"}},
	},
	{
		name: "no address", anns: []string{annotations.KeyIPv4, "not-an-ip"},
		errs: []problem{{"azure-load-balancer-ipv4", "not-an-ip", annotations.Hold, "malformed: want an IPv4 address"}},
	},
	{
		name: "IPv4 in IPv6 notation is not IPv6", spec: v6, anns: []string{annotations.KeyIPv6, "::ffff:1.2.3.4"}, want: sixOnly,
		errs: []problem{{"azure-load-balancer-ipv6", "::ffff:1.2.3.4", annotations.Hold, "malformed: want an IPv6 address"}},
	},
	{
		name: "address with a zone", spec: v6, anns: []string{annotations.KeyIPv6, "2603::1%eth0"}, want: sixOnly,
		errs: []problem{{"azure-load-balancer-ipv6", "2603::1%eth0", annotations.Hold, "malformed: want an IPv6 address"}},
	},
	{
		name: "address of a family the Service does not have", anns: []string{annotations.KeyIPv6, "2603:1030::1"},
		errs: []problem{{"azure-load-balancer-ipv6", "2603:1030::1", annotations.Hold, "conflict: want an address of a family in spec.ipFamilies, which has no IPv6"}},
	},
	{
		name: "private address of an external Service", anns: []string{annotations.KeyIPv4, "10.0.0.4"},
		errs: []problem{{"azure-load-balancer-ipv4", "10.0.0.4", annotations.Hold, "out of range: want a public address, since the Service is not internal"}},
	},
	{
		name: "Azure's own address", anns: []string{annotations.KeyIPv4, "168.63.129.16"},
		errs: []problem{{"azure-load-balancer-ipv4", "168.63.129.16", annotations.Hold, "out of range: want a public address, since the Service is not internal"}},
	},
	{
		name: "private address of an internal Service", anns: []string{annotations.KeyIPv4, "10.0.0.4", annotations.KeyInternal, "true"},
		want: func(c *config) { c.Internal, c.Addresses.V4 = true, netip.MustParseAddr("10.0.0.4") },
	},
	{
		name: "multicast", anns: []string{annotations.KeyIPv4, "224.0.0.1", annotations.KeyInternal, "true"}, want: func(c *config) { c.Internal = true },
		errs: []problem{{"azure-load-balancer-ipv4", "224.0.0.1", annotations.Hold, "out of range: want the address of one machine"}},
	},
	{
		name: "spec.loadBalancerIP", spec: func(s *corev1.Service) { s.Spec.LoadBalancerIP = "52.10.0.10" },
		want: func(c *config) { c.Addresses.V4 = netip.MustParseAddr("52.10.0.10") },
	},
	{
		name: "spec.loadBalancerIP serves the family that no annotation has an address for",
		spec: func(s *corev1.Service) { dual(s); s.Spec.LoadBalancerIP = "52.10.0.10" }, anns: []string{annotations.KeyIPv6, "2603:1030::1"},
		want: func(c *config) {
			both(c)
			c.Addresses.V4, c.Addresses.V6 = netip.MustParseAddr("52.10.0.10"), netip.MustParseAddr("2603:1030::1")
		},
	},
	{
		name: "an annotation goes before spec.loadBalancerIP",
		spec: func(s *corev1.Service) { s.Spec.LoadBalancerIP = "52.10.0.10" }, anns: []string{annotations.KeyIPv4, "52.10.0.11"},
		want: func(c *config) { c.Addresses.V4 = netip.MustParseAddr("52.10.0.11") },
	},
	{
		name: "spec.loadBalancerIP of another family beside an annotation",
		spec: func(s *corev1.Service) { s.Spec.LoadBalancerIP = "2603:1030::1" }, anns: []string{annotations.KeyIPv4, "52.10.0.11"},
		want: func(c *config) { c.Addresses.V4 = netip.MustParseAddr("52.10.0.11") },
	},
	{
		name: "malformed spec.loadBalancerIP", spec: func(s *corev1.Service) { s.Spec.LoadBalancerIP = "here" },
		errs: []problem{{"spec.loadBalancerIP", "here", annotations.Hold, "malformed: want an IPv4 or IPv6 address"}},
	},
	{
		name: "spec.loadBalancerIP of the other family", spec: func(s *corev1.Service) { v6(s); s.Spec.LoadBalancerIP = "52.10.0.10" }, want: sixOnly,
		errs: []problem{{"spec.loadBalancerIP", "52.10.0.10", annotations.Hold, "conflict: want an address of a family in spec.ipFamilies, which has no IPv4"}},
	},
	// Public IPs.
	{
		name: "names of both families", spec: dual, anns: []string{annotations.KeyPIPName, "four", annotations.KeyPIPNameIPv6, "six"},
		want: func(c *config) { both(c); c.PublicIP.Name = annotations.PerFamily{V4: "four", V6: "six"} },
	},
	{
		name: "one name on a dual-stack Service is that of IPv4", spec: dual, anns: []string{annotations.KeyPIPName, "four"},
		want: func(c *config) { both(c); c.PublicIP.Name.V4 = "four" },
	},
	{name: "the name for IPv6 on an IPv4-only Service", anns: []string{annotations.KeyPIPNameIPv6, "six"}},
	{
		name: "the name alone on an IPv6-only Service", spec: v6, anns: []string{annotations.KeyPIPName, "any", annotations.KeyPIPPrefix, prefix},
		want: func(c *config) { sixOnly(c); c.PublicIP.Name.V6, c.PublicIP.Prefix.V6 = "any", prefix },
	},
	{
		name: "both names on an IPv6-only Service", spec: v6, anns: []string{annotations.KeyPIPName, "any", annotations.KeyPIPNameIPv6, "six"},
		want: func(c *config) { sixOnly(c); c.PublicIP.Name.V6 = "six" },
	},
	{
		name: "longest name", anns: []string{annotations.KeyPIPName, strings.Repeat("a", 80)},
		want: func(c *config) { c.PublicIP.Name.V4 = strings.Repeat("a", 80) },
	},
	{
		name: "one letter more than a name has", anns: []string{annotations.KeyPIPName, strings.Repeat("a", 81)},
		errs: []problem{{"azure-pip-name", strings.Repeat("a", 81), annotations.Hold, "malformed: want 1 to 80 characters, have 81"}},
	},
	{name: "prefix", anns: []string{annotations.KeyPIPPrefix, prefix}, want: func(c *config) { c.PublicIP.Prefix.V4 = prefix }},
	{
		name: "id of something else", anns: []string{annotations.KeyPIPPrefix, strings.Replace(prefix, "publicIPPrefixes", "publicIPAddresses", 1)},
		errs: []problem{{
			"azure-pip-prefix-id", strings.Replace(prefix, "publicIPPrefixes", "publicIPAddresses", 1), annotations.Hold,
			"malformed: want /subscriptions/ID/resourceGroups/NAME/providers/Microsoft.Network/publicIPPrefixes/NAME",
		}},
	},
	{
		name: "id that ends early", anns: []string{annotations.KeyPIPPrefix, prefix + "/"},
		errs: []problem{{
			"azure-pip-prefix-id", prefix + "/", annotations.Hold,
			"malformed: want /subscriptions/ID/resourceGroups/NAME/providers/NAMESPACE/TYPE/NAME",
		}},
	},
	{name: "resource group", anns: []string{annotations.KeyResourceGroup, " Rg(1)- "}, want: func(c *config) { c.PublicIP.ResourceGroup = "Rg(1)-" }},
	{
		name: "resource group ending with a full stop", anns: []string{annotations.KeyResourceGroup, "rg."},
		errs: []problem{{"azure-load-balancer-resource-group", "rg.", annotations.Hold, "malformed: want no full stop at the end"}},
	},
	{name: "label", anns: []string{annotations.KeyDNSLabel, "my-app"}, want: func(c *config) { c.PublicIP.DNSLabel = ptr("my-app") }},
	{name: "empty label removes it", anns: []string{annotations.KeyDNSLabel, ""}, want: func(c *config) { c.PublicIP.DNSLabel = ptr("") }},
	{name: "label in capitals", anns: []string{annotations.KeyDNSLabel, "My-app"}, errs: []problem{{
		"azure-dns-label-name", "My-app", annotations.Hold,
		"malformed: want 3 to 63 of a-z, 0-9 and -, first a letter, last not -, or nothing to remove the label",
	}}},
	{
		name: "tags", anns: []string{annotations.KeyPIPTags, "team=blue, cost = 12,e=,n= null,"},
		want: func(c *config) {
			c.PublicIP.Tags = []annotations.Tag{{"team", "blue"}, {"cost", "12"}, {"e", ""}, {"n", " null"}}
		},
	},
	{
		name: "bad pairs are left out", anns: []string{annotations.KeyPIPTags, "a=b,=f,ghi,x=y=z,q?=1"},
		want: func(c *config) { c.PublicIP.Tags = []annotations.Tag{{"a", "b"}} },
		errs: []problem{
			{"azure-pip-tags", "=f", annotations.Default, "malformed: want key=value with one equals sign"},
			{"azure-pip-tags", "ghi", annotations.Default, "malformed: want key=value with one equals sign"},
			{"azure-pip-tags", "x=y=z", annotations.Default, "malformed: want key=value with one equals sign"},
			{"azure-pip-tags", "q?=1", annotations.Default, `malformed: want a key without < > % & \ ? / and no control characters`},
		},
	},
	{name: "tags that azlb keeps its notes in", anns: []string{annotations.KeyPIPTags, "K8s-Azure-Service=x/y,service=web"}, errs: []problem{
		{"azure-pip-tags", "K8s-Azure-Service=x/y", annotations.Default, "reserved: want another key: who uses the public IP is kept under this one"},
		{"azure-pip-tags", "service=web", annotations.Default, "reserved: want another key: who uses the public IP is kept under this one"},
	}},
	{name: "value one letter too long for a tag", anns: []string{annotations.KeyPIPTags, "a=" + strings.Repeat("b", 257)}, errs: []problem{
		{"azure-pip-tags", "a=" + strings.Repeat("b", 257), annotations.Default, "out of range: want a key of up to 512 and a value of up to 256 characters"},
	}},
	{
		name: "IP tags are sorted, the last of a type wins", anns: []string{annotations.KeyPIPIPTags, "RoutingPreference=x,FirstPartyUsage=/Unprivileged,RoutingPreference=Internet"},
		want: func(c *config) {
			c.PublicIP.SetIPTags = true
			c.PublicIP.IPTags = []annotations.Tag{{"FirstPartyUsage", "/Unprivileged"}, {"RoutingPreference", "Internet"}}
		},
	},
	{
		name: "IP tags that nobody sees in full", anns: []string{annotations.KeyPIPIPTags, "a=\x1b[2J\nerror: x/y: z,b=c\u202e,RoutingPreference=Internet"},
		want: func(c *config) {
			c.PublicIP.SetIPTags = true
			c.PublicIP.IPTags = []annotations.Tag{{"RoutingPreference", "Internet"}}
		},
		errs: []problem{
			{"azure-pip-ip-tags", "a=\x1b[2J\nerror: x/y: z", annotations.Default, "malformed: " + wantVisible},
			{"azure-pip-ip-tags", "b=c\u202e", annotations.Default, "malformed: " + wantVisible},
		},
	},
	{
		name: "tags that nobody sees in full", anns: []string{annotations.KeyPIPTags, "a=b\u200b,c\u00a0d=e"},
		want: func(c *config) { c.PublicIP.Tags = []annotations.Tag{{"c\u00a0d", "e"}} },
		errs: []problem{{"azure-pip-tags", "a=b\u200b", annotations.Default, "malformed: " + wantVisible}},
	},
	{name: "no IP tags wanted", anns: []string{annotations.KeyPIPIPTags, ""}, want: func(c *config) { c.PublicIP.SetIPTags = true }},
	{
		name: "no usable IP tag asks for nothing", anns: []string{annotations.KeyPIPIPTags, "Internet"},
		errs: []problem{{"azure-pip-ip-tags", "Internet", annotations.Default, "malformed: want type=tag with one equals sign"}},
	},
	{
		name: "additional addresses", anns: []string{annotations.KeyAdditionalPublicIPs, "40.1.1.1, 40.1.1.2,40.1.1.1"},
		want: func(c *config) { c.PublicIP.Additional = addrs("40.1.1.1", "40.1.1.2") },
	},
	{
		name: "a comma too many", anns: []string{annotations.KeyAdditionalPublicIPs, "40.1.1.1,"}, want: func(c *config) { c.PublicIP.Additional = addrs("40.1.1.1") },
		errs: []problem{{"azure-additional-public-ips", "", annotations.Hold, "malformed: want an address"}},
	},
	{
		name: "everybody is not an additional address", anns: []string{annotations.KeyAdditionalPublicIPs, "0.0.0.0"},
		errs: []problem{{"azure-additional-public-ips", "0.0.0.0", annotations.Hold, "out of range: want the address of one machine"}},
	},
	// Rules.
	{name: "shortest timeout", anns: []string{annotations.KeyIdleTimeout, "4"}},
	{name: "longest timeout", anns: []string{annotations.KeyIdleTimeout, " 100 "}, want: func(c *config) { c.Rules.IdleMinutes = 100 }},
	{
		name: "one below the shortest timeout", anns: []string{annotations.KeyIdleTimeout, "3"},
		errs: []problem{{"azure-load-balancer-tcp-idle-timeout", "3", annotations.Hold, "out of range: want 4 to 100 whole minutes"}},
	},
	{
		name: "one above the longest timeout", anns: []string{annotations.KeyIdleTimeout, "101"},
		errs: []problem{{"azure-load-balancer-tcp-idle-timeout", "101", annotations.Hold, "out of range: want 4 to 100 whole minutes"}},
	},
	{
		name: "a number that no integer holds", anns: []string{annotations.KeyIdleTimeout, "99999999999999999999"},
		errs: []problem{{"azure-load-balancer-tcp-idle-timeout", "99999999999999999999", annotations.Hold, "out of range: want 4 to 100 whole minutes"}},
	},
	{
		name: "timeout with a unit", anns: []string{annotations.KeyIdleTimeout, "5m"},
		errs: []problem{{"azure-load-balancer-tcp-idle-timeout", "5m", annotations.Hold, "malformed: want 4 to 100 whole minutes"}},
	},
	{
		name: "switches of rules", anns: []string{annotations.KeyHAPorts, "true", annotations.KeyDisableTCPReset, "true", annotations.KeyDisableFloatingIP, "true"},
		want: func(c *config) { c.Rules = annotations.Rules{IdleMinutes: 4, HAPorts: true} },
	},
	{
		name: "other switches fall back", anns: []string{annotations.KeyDisableTCPReset, "1"},
		errs: []problem{{"azure-load-balancer-disable-tcp-reset", "1", annotations.Default, "malformed: want true or false"}},
	},
	// Probes.
	{
		name: "probe", anns: []string{annotations.KeyProbeProtocol, " Http ", annotations.KeyProbePath, "/h", annotations.KeyProbeInterval, "10", annotations.KeyProbeThreshold, "11"},
		want: func(c *config) {
			c.Probe = annotations.Probe{Protocol: ptr(annotations.ProbeHTTP), Path: ptr("/h"), IntervalSeconds: ptr(int32(10)), Threshold: ptr(int32(11))}
		},
	},
	{
		name: "no protocol of probes", anns: []string{annotations.KeyProbeProtocol, "grpc"},
		want: func(c *config) { c.Probe.Protocol = ptr(annotations.ProbeTCP) },
		errs: []problem{{"azure-load-balancer-health-probe-protocol", "grpc", annotations.Default, "malformed: want tcp, http or https"}},
	},
	{
		name: "blank path", anns: []string{annotations.KeyProbePath, " "},
		errs: []problem{{"azure-load-balancer-health-probe-request-path", "", annotations.Default, "malformed: want a path such as /healthz; HTTP probes ask as if this key were absent"}},
	},
	{
		name: "path with a blank", anns: []string{annotations.KeyProbePath, "/a b"},
		errs: []problem{{"azure-load-balancer-health-probe-request-path", "/a b", annotations.Hold, "malformed: want a path without blanks"}},
	},
	{
		name: "one below the shortest interval", anns: []string{annotations.KeyProbeInterval, "4"},
		errs: []problem{{"azure-load-balancer-health-probe-interval", "4", annotations.Hold, "out of range: want whole seconds, 5 or more"}},
	},
	{
		name: "one below the lowest threshold", anns: []string{annotations.KeyProbeThreshold, "1"},
		errs: []problem{{"azure-load-balancer-health-probe-num-of-probe", "1", annotations.Hold, "out of range: want a whole number, 2 or more"}},
	},
	{
		name: "probing for two minutes", anns: []string{annotations.KeyProbeInterval, "60"}, want: func(c *config) { c.Probe.IntervalSeconds = ptr(int32(60)) },
		errs: []problem{{
			"azure-load-balancer-health-probe-interval", "60", annotations.Hold,
			"out of range: want interval times number of probes below 120 seconds, not 60 × 2",
		}},
	},
	{name: "probing just below two minutes", anns: []string{annotations.KeyProbeInterval, "59"}, want: func(c *config) { c.Probe.IntervalSeconds = ptr(int32(59)) }},
	{
		name: "a product beyond 32 bits", anns: []string{annotations.KeyProbeInterval, "65536", annotations.KeyProbeThreshold, "65536"},
		want: func(c *config) { c.Probe.IntervalSeconds, c.Probe.Threshold = ptr(int32(65536)), ptr(int32(65536)) },
		errs: []problem{{
			"azure-load-balancer-health-probe-interval", "65536", annotations.Hold,
			"out of range: want interval times number of probes below 120 seconds, not 65536 × 65536",
		}},
	},
	{
		name: "a port with the interval of all ports", anns: []string{annotations.KeyProbeInterval, "30", p + "port_80_health-probe_num-of-probe", "4"},
		want: func(c *config) {
			c.Probe.IntervalSeconds = ptr(int32(30))
			c.Ports = map[int32]annotations.Port{80: {Probe: annotations.Probe{Threshold: ptr(int32(4))}}}
		},
		errs: []problem{{
			"port_80_health-probe_num-of-probe", "4", annotations.Hold,
			"out of range: want interval times number of probes below 120 seconds, not 30 × 4",
		}},
	},
	{
		name: "an interval that no port has", anns: []string{annotations.KeyProbeInterval, "60", p + "port_80_no_probe_rule", "true"},
		want: func(c *config) {
			c.Probe.IntervalSeconds = ptr(int32(60))
			c.Ports = map[int32]annotations.Port{80: {NoProbe: true}}
		},
	},
	{
		name: "the health check port with local policy", anns: []string{p + "port_31000_health-probe_interval", "60"},
		spec: func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = "Local", 31000 },
		want: func(c *config) {
			c.Ports = map[int32]annotations.Port{31000: {Probe: annotations.Probe{IntervalSeconds: ptr(int32(60))}}}
		},
		errs: []problem{{
			"port_31000_health-probe_interval", "60", annotations.Hold,
			"out of range: want interval times number of probes below 120 seconds, not 60 × 2",
		}},
	},
	{name: "everything of a port", anns: []string{
		p + "port_80_no_lb_rule", "true", p + "port_80_no_probe_rule", "true", p + "port_80_health-probe_protocol", "https", p + "port_80_health-probe_port", "HTTP",
		p + "port_80_health-probe_interval", "7", p + "port_80_health-probe_num-of-probe", "3", p + "port_80_health-probe_request-path", "/tls",
	}, want: func(c *config) {
		c.Ports = map[int32]annotations.Port{80: {NoRule: true, NoProbe: true, Probe: annotations.Probe{
			Protocol: ptr(annotations.ProbeHTTPS), Path: ptr("/tls"), IntervalSeconds: ptr(int32(7)), Threshold: ptr(int32(3)),
			Port: &annotations.ProbePort{Name: "http", ByName: true},
		}}}
	}},
	{
		name: "highest probed port", anns: []string{p + "port_80_health-probe_port", "65535"},
		want: func(c *config) {
			c.Ports = map[int32]annotations.Port{80: {Probe: annotations.Probe{Port: &annotations.ProbePort{Number: 65535}}}}
		},
	},
	{
		name: "one above the highest port", anns: []string{p + "port_80_health-probe_port", "65536"}, want: port80,
		errs: []problem{{"port_80_health-probe_port", "65536", annotations.Hold, "out of range: want 1 to 65535 or the name of a service port"}},
	},
	{
		name: "name of no port", anns: []string{p + "port_80_health-probe_port", "metrics"}, want: port80,
		errs: []problem{{"port_80_health-probe_port", "metrics", annotations.Hold, "malformed: want 1 to 65535 or the name of a service port"}},
	},
	{
		name: "the empty name without an unnamed port", anns: []string{p + "port_80_health-probe_port", ""}, want: port80,
		errs: []problem{{"port_80_health-probe_port", "", annotations.Hold, "malformed: want 1 to 65535 or the name of a service port"}},
	},
	{
		name: "the empty name of an unnamed port", anns: []string{p + "port_80_health-probe_port", ""}, spec: func(s *corev1.Service) { s.Spec.Ports[0].Name = "" },
		want: func(c *config) {
			c.Ports = map[int32]annotations.Port{80: {Probe: annotations.Probe{Port: &annotations.ProbePort{ByName: true}}}}
		},
	},
	{name: "a port the Service does not have is not read", anns: []string{p + "port_81_health-probe_interval", "x"}},
	// Access.
	{
		name: "ranges of the spec", spec: sources(" 10.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"),
		want: func(c *config) { c.Access.Ranges = ranges("10.0.0.0/8", "2001:db8::/32") },
	},
	{
		name: "ranges of both annotations", anns: []string{annotations.KeyAllowedIPRanges, "10.0.0.0/8, 0.0.0.0/0", annotations.KeySourceRanges, "192.0.2.0/24"},
		want: func(c *config) { c.Access.Ranges = ranges("10.0.0.0/8", "0.0.0.0/0", "192.0.2.0/24") },
	},
	{
		name: "host bits", anns: []string{annotations.KeyAllowedIPRanges, "10.0.0.1/24,192.0.2.0/24"},
		want: func(c *config) { c.Access.Ranges, c.Access.Closed = ranges("192.0.2.0/24"), true },
		errs: []problem{{
			"azure-allowed-ip-ranges", "10.0.0.1/24", annotations.Close,
			"malformed: want a CIDR with host bits zero, such as 10.0.0.0/24; for this one 10.0.0.0/24",
		}},
	},
	{name: "an address is no range", spec: sources("10.0.0.1"), want: closed, errs: []problem{{
		"spec.loadBalancerSourceRanges[0]", "10.0.0.1", annotations.Close,
		"malformed: want a CIDR with host bits zero, such as 10.0.0.0/24; for this one address 10.0.0.1/32",
	}}},
	{
		name: "IPv4 range in IPv6 notation", anns: []string{annotations.KeySourceRanges, "::ffff:10.0.0.0/104"}, want: closed,
		errs: []problem{{"load-balancer-source-ranges", "::ffff:10.0.0.0/104", annotations.Close, "malformed: want a CIDR with host bits zero, such as 10.0.0.0/24"}},
	},
	{
		name: "empty ranges allow nobody", anns: []string{annotations.KeyAllowedIPRanges, ""}, want: closed,
		errs: []problem{{"azure-allowed-ip-ranges", "", annotations.Close, "malformed: want a CIDR with host bits zero, such as 10.0.0.0/24"}},
	},
	{
		name: "ranges in two places", spec: sources("10.0.0.0/8"), anns: []string{annotations.KeySourceRanges, "192.0.2.0/24"}, want: closed,
		errs: []problem{{"load-balancer-source-ranges", "192.0.2.0/24", annotations.Hold, "conflict: want either this or spec.loadBalancerSourceRanges, not both"}},
	},
	{
		name: "no usable range in the other place", spec: sources("10.0.0.0/8"), anns: []string{annotations.KeySourceRanges, "all"},
		want: func(c *config) { c.Access.Ranges, c.Access.Closed = ranges("10.0.0.0/8"), true },
		errs: []problem{{"load-balancer-source-ranges", "all", annotations.Close, "malformed: want a CIDR with host bits zero, such as 10.0.0.0/24"}},
	},
	{
		name: "without floating IP a closed Service would close the nodes", anns: []string{annotations.KeyAllowedIPRanges, "all", annotations.KeyDisableFloatingIP, "true"},
		want: func(c *config) { closed(c); c.Rules.FloatingIP = false },
		errs: []problem{{"azure-allowed-ip-ranges", "all", annotations.Hold, "malformed: want a CIDR with host bits zero, such as 10.0.0.0/24"}},
	},
	{
		name: "service tags", anns: []string{annotations.KeyAllowedServiceTags, "AzureCloud, AzureFrontDoor.Backend,AzureCloud"},
		want: func(c *config) { c.Access.ServiceTags = []string{"AzureCloud", "AzureFrontDoor.Backend"} },
	},
	{
		name: "a comma too many among service tags", anns: []string{annotations.KeyAllowedServiceTags, "AzureCloud,"},
		want: func(c *config) { c.Access.ServiceTags = []string{"AzureCloud"} },
		errs: []problem{{"azure-allowed-service-tags", "", annotations.Close, "malformed: want a service tag between the commas"}},
	},
	{
		name: "no service tag at all", anns: []string{annotations.KeyAllowedServiceTags, " "}, want: closed,
		errs: []problem{{"azure-allowed-service-tags", "", annotations.Close, "malformed: want a service tag between the commas"}},
	},
	{
		name: "everybody is not a service tag", anns: []string{annotations.KeyAllowedServiceTags, "*"}, want: closed,
		errs: []problem{{"azure-allowed-service-tags", "*", annotations.Close, "malformed: want a service tag: a letter, then letters, digits, . and -"}},
	},
	{
		name: "switches of access", anns: []string{annotations.KeyDenyAll, "true", annotations.KeyDisableNSGRule, "true"},
		want: func(c *config) { c.Access.DenyAll, c.Access.NoRules = true, true },
	},
	{
		name: "a denial spelled wrong", anns: []string{annotations.KeyDenyAll, "on"},
		errs: []problem{{"azure-deny-all-except-load-balancer-source-ranges", "on", annotations.Hold, "malformed: want true or false"}},
	},
	// Placement on one of several.
	{
		name: "configurations, in any case", anns: []string{p + "Azure-Load-Balancer-Configurations", "LB1, ,lb2,Lb1"},
		want: func(c *config) { c.Configurations = []string{"lb1", "lb2"} },
	},
	{name: "VM set", anns: []string{annotations.KeyMode, "as-two"}, want: func(c *config) { c.Mode = "as-two" }},
	{name: "any VM set", anns: []string{annotations.KeyMode, "__AUTO__"}, want: func(c *config) { c.Mode = "__auto__" }},
	{
		name: "no VM set", anns: []string{annotations.KeyMode, "a/b"},
		errs: []problem{{"azure-load-balancer-mode", "a/b", annotations.Default, "malformed: want the name of a VM set or __auto__"}},
	},
	// Private link.
	{
		name: "words that nobody sees in full", anns: []string{
			annotations.KeyPLSFQDNs, "a.example.com \x1b[2J", annotations.KeyPLSVisibility, "* \u202e", annotations.KeyPLSAutoApproval, "one\ntwo",
		},
		want: func(c *config) { c.PrivateLink.AutoApproval, c.PrivateLink.Options = []string{"one", "two"}, true },
		errs: []problem{
			{"azure-pls-fqdns", "a.example.com \x1b[2J", annotations.Default, "malformed: " + wantVisible},
			{"azure-pls-visibility", "* \u202e", annotations.Default, "malformed: " + wantVisible},
		},
	},
	{name: "private link", anns: []string{
		annotations.KeyPLSCreate, " True", annotations.KeyPLSName, "my-pls", annotations.KeyPLSResourceGroup, "rg-pls", annotations.KeyPLSSubnet, "pls",
		annotations.KeyPLSCount, "3", annotations.KeyPLSAddresses, "10.10.9.30  10.10.9.31", annotations.KeyPLSFQDNs, "b.example.com a.example.com",
		annotations.KeyPLSProxyProtocol, "true", annotations.KeyPLSVisibility, "one * two", annotations.KeyPLSAutoApproval, "one two",
	}, want: func(c *config) {
		c.PrivateLink = annotations.PrivateLink{
			Create: true, Name: "my-pls", ResourceGroup: "rg-pls", Subnet: "pls", Count: 3, Addresses: addrs("10.10.9.30", "10.10.9.31"),
			FQDNs: []string{"b.example.com", "a.example.com"}, ProxyProtocol: true, Visibility: []string{"*"}, AutoApproval: []string{"one", "two"}, Options: true,
		}
	}},
	{
		name: "where a private link service is is no option", anns: []string{annotations.KeyPLSCreate, "true", annotations.KeyPLSResourceGroup, "rg-pls"},
		want: func(c *config) { c.PrivateLink = annotations.PrivateLink{Create: true, ResourceGroup: "rg-pls"} },
	},
	{name: "an empty option is one", anns: []string{annotations.KeyPLSFQDNs, ""}, want: func(c *config) { c.PrivateLink.Options, c.PrivateLink.FQDNs = true, []string{} }},
	{
		name: "static addresses from one to the other", anns: []string{annotations.KeyPLSAddresses, "10.0.0.7 ... 10.0.0.10 10.0.0.9"},
		want: func(c *config) {
			c.PrivateLink.Options, c.PrivateLink.Addresses = true, addrs("10.0.0.7", "10.0.0.8", "10.0.0.9", "10.0.0.10")
		},
	},
	{
		name: "nine static addresses", anns: []string{annotations.KeyPLSAddresses, "10.0.0.1 ... 10.0.0.9"}, want: options,
		errs: []problem{{"azure-pls-ip-configuration-ip-address", "10.0.0.1 ... 10.0.0.9", annotations.Hold, "out of range: want at most 8 addresses"}},
	},
	{
		name: "backwards", anns: []string{annotations.KeyPLSAddresses, "10.0.0.9 ... 10.0.0.1"}, want: options,
		errs: []problem{{"azure-pls-ip-configuration-ip-address", "10.0.0.9 ... 10.0.0.1", annotations.Hold, "out of range: want the lower address first"}},
	},
	{
		name: "dots without an end", anns: []string{annotations.KeyPLSAddresses, "10.0.0.9 ..."}, want: options,
		errs: []problem{{"azure-pls-ip-configuration-ip-address", "...", annotations.Hold, "malformed: want IPv4 addresses with blanks between, or FIRST ... LAST"}},
	},
	{
		name: "static IPv6 address", anns: []string{annotations.KeyPLSAddresses, "fd00::1"}, want: options,
		errs: []problem{{"azure-pls-ip-configuration-ip-address", "fd00::1", annotations.Hold, "malformed: want IPv4 addresses with blanks between, or FIRST ... LAST"}},
	},
	{
		name: "nine addresses", anns: []string{annotations.KeyPLSCount, "9"}, want: options,
		errs: []problem{{"azure-pls-ip-configuration-ip-address-count", "9", annotations.Hold, "out of range: want 1 to 8 addresses"}},
	},
	{
		name: "fewer addresses than static ones", anns: []string{annotations.KeyPLSCount, "1", annotations.KeyPLSAddresses, "10.0.0.1 10.0.0.2"},
		want: func(c *config) {
			c.PrivateLink.Options, c.PrivateLink.Count, c.PrivateLink.Addresses = true, 1, addrs("10.0.0.1", "10.0.0.2")
		},
		errs: []problem{{"azure-pls-ip-configuration-ip-address-count", "1", annotations.Hold, "conflict: want at least 2, the number of static addresses"}},
	},
	// All at once.
	{
		name: "everything wrong, in the order of the registry", spec: func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"x"} },
		anns: []string{annotations.KeyPLSCount, "0", annotations.KeyIdleTimeout, "0", annotations.KeyInternal, "0", annotations.KeySharedSecurityRule, "0"},
		want: func(c *config) { closed(c); options(c) },
		errs: []problem{
			{"azure-load-balancer-internal", "0", annotations.Hold, "malformed: want true or false"},
			{"azure-load-balancer-tcp-idle-timeout", "0", annotations.Hold, "out of range: want 4 to 100 whole minutes"},
			{"spec.loadBalancerSourceRanges[0]", "x", annotations.Close, "malformed: want a CIDR with host bits zero, such as 10.0.0.0/24"},
			{"azure-pls-ip-configuration-ip-address-count", "0", annotations.Hold, "out of range: want 1 to 8 addresses"},
		},
	},
}

func sixOnly(c *config) { c.Families = []ipam.Family{ipam.IPv6} }
func both(c *config)    { c.Families = []ipam.Family{ipam.IPv4, ipam.IPv6} }
func closed(c *config)  { c.Access.Closed = true }
func options(c *config) { c.PrivateLink.Options = true }
func port80(c *config)  { c.Ports = map[int32]annotations.Port{80: {}} }

func sources(list ...string) func(*corev1.Service) {
	return func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = list }
}

var comparableValues = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, armid.ID(""))

func TestParse(t *testing.T) {
	for _, test := range parseTests {
		t.Run(test.name, func(t *testing.T) {
			svc := service(test.anns...)
			if test.spec != nil {
				test.spec(svc)
			}
			want := plain()
			if test.want != nil {
				test.want(&want)
			}
			before := svc.DeepCopy()
			got, err := annotations.Parse(svc)
			if d := cmp.Diff(want, got, comparableValues, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("Config (-want +got):\n%s", d)
			}
			if d := cmp.Diff(test.errs, problems(err), cmp.AllowUnexported(problem{})); d != "" {
				t.Errorf("errors (-want +got):\n%s", d)
			}
			if d := cmp.Diff(before, svc); d != "" {
				t.Errorf("Parse changed the Service:\n%s", d)
			}
		})
	}
}

func problems(err error) []problem {
	var list []problem
	for _, e := range annotations.Errors(err) {
		key := e.Path
		if key == "" {
			key = strings.TrimPrefix(e.Key, p)
		}
		list = append(list, problem{key, e.Value, e.Outcome, e.Err.Error()})
	}
	return list
}

func TestErrorsAreOfAKind(t *testing.T) {
	kinds := []error{annotations.ErrSyntax, annotations.ErrRange, annotations.ErrConflict, annotations.ErrReserved}
	for _, test := range parseTests {
		svc := service(test.anns...)
		if test.spec != nil {
			test.spec(svc)
		}
		_, err := annotations.Parse(svc)
		for _, e := range annotations.Errors(err) {
			n := 0
			for _, kind := range kinds {
				if errors.Is(e, kind) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s: %v is of %d kinds", test.name, e, n)
			}
		}
	}
}
