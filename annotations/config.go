package annotations

import (
	"net/netip"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// Prefix is what every Azure key starts with.
const Prefix = "service.beta.kubernetes.io/"

// Config is what a Service asks for, in types: every annotation and the fields of its spec that azlb reads, with defaults filled in. What
// could not be used is left at its default, or closed (see Access); [Parse] says so in its error.
type Config struct {
	Service  types.NamespacedName
	Families []ipam.Family // of spec.ipFamilies in its order; IPv4 alone if that is empty
	Internal bool          // azure-load-balancer-internal
	Subnet   string        // azure-load-balancer-internal-subnet, trimmed; empty: the subnet of the configuration. Has no effect unless Internal
	// Addresses are the requested addresses per family: azure-load-balancer-ipv4 and -ipv6 over spec.loadBalancerIP.
	Addresses ipam.Pair
	PublicIP  PublicIP
	Rules     Rules
	// Probe holds the settings of the health probe for all ports; Ports may override them.
	Probe       Probe
	Ports       map[int32]Port // by service port number; only ports that have an annotation of their own
	Access      Access
	PrivateLink PrivateLink
	// Configurations are the load balancers a Service may be placed on with several standard load balancers, lower case; empty: all.
	Configurations []string
	// Mode is azure-load-balancer-mode: the VM set whose load balancer is used; basic SKU only.
	Mode string
}

// Dual reports whether the Service asks for both families.
func (c Config) Dual() bool { return len(c.Families) == 2 }

// PerFamily is one text per family; empty means not set.
type PerFamily struct{ V4, V6 string }

// Of returns the text for family f.
func (p PerFamily) Of(f ipam.Family) string {
	if f == ipam.IPv6 {
		return p.V6
	}
	return p.V4
}

// PublicIP is what a Service asks of its public IP addresses.
type PublicIP struct {
	// Name is the existing public IP to use. The families are resolved already: on an IPv6-only Service azure-pip-name serves where
	// azure-pip-name-ipv6 is absent, and V6 is empty on an IPv4-only Service.
	Name PerFamily
	// Prefix is the id of the public IP prefix to allocate from, resolved like Name. Each is checked with armid.Parse.
	Prefix struct{ V4, V6 armid.ID }
	// ResourceGroup of the public IPs (azure-load-balancer-resource-group); empty: the cluster's.
	ResourceGroup string
	// DNSLabel is the label asked for; nil leaves the label as it is, the empty label removes it.
	DNSLabel *string
	Tags     []Tag // azure-pip-tags, in order of appearance, later ones win
	// IPTags are azure-pip-ip-tags sorted by type; they count only if SetIPTags, since no annotation leaves the IP tags as they are.
	IPTags    []Tag
	SetIPTags bool
	// Additional are azure-additional-public-ips in their order, without duplicates.
	Additional []netip.Addr
}

// Tag is a key with a value: an ARM tag, or the type and tag of an IP tag.
type Tag struct{ Key, Value string }

// Rules is what a Service asks of its load-balancing rules.
type Rules struct {
	IdleMinutes uint8 // 4–100, default 4
	HAPorts     bool  // one rule for all ports; internal Services only
	TCPReset    bool  // default true
	FloatingIP  bool  // default true
}

// Probe is a set of health probe settings; nil means not set.
type Probe struct {
	Protocol        *ProbeProtocol
	Path            *string
	IntervalSeconds *int32 // at least 5
	Threshold       *int32 // at least 2
	// Port is the probed port, per port only: the number of a service port means its node port, a name that of the named port, any other
	// number itself. Nil: the node port of the port.
	Port *ProbePort
}

// ProbePort is a port by number or, if Name is set, by the name of a service port. ByName is set also for the empty name, which an unnamed
// port has.
type ProbePort struct {
	Number uint16
	Name   string
	ByName bool
}

// ProbeProtocol is the protocol of a health probe, spelled as ARM spells it.
type ProbeProtocol string

// The protocols of health probes.
const (
	ProbeTCP   ProbeProtocol = "Tcp"
	ProbeHTTP  ProbeProtocol = "Http"
	ProbeHTTPS ProbeProtocol = "Https"
)

// Port holds the annotations of one service port.
type Port struct {
	NoRule  bool // port_{n}_no_lb_rule: neither rule nor probe
	NoProbe bool // port_{n}_no_probe_rule: a rule without a probe
	Probe   Probe
}

// Access is who may reach the Service.
type Access struct {
	// Ranges are the allowed sources, masked, in order of appearance, from spec.loadBalancerSourceRanges or from the two annotations.
	Ranges      []netip.Prefix
	ServiceTags []string // azure-allowed-service-tags, trimmed, without empty ones and duplicates
	DenyAll     bool     // azure-deny-all-except-load-balancer-source-ranges
	// Closed says that an item could not be used: everything not allowed is denied, and the Internet is not allowed by default.
	Closed bool
	// NoRules says that no security rules are wanted (azure-disable-load-balancer-nsg-rule).
	NoRules bool
}

// PrivateLink is what a Service asks of its private link service.
type PrivateLink struct {
	Create        bool
	Name          string // empty: "pls-" and the name of the frontend
	ResourceGroup string // empty: that of the configuration
	Subnet        string // empty: the subnet of the internal frontend if it has one of its own, else that of the configuration
	// Count is the number of NAT addresses, 1–8; zero when the annotation is absent.
	Count         int32
	Addresses     []netip.Addr // static NAT addresses in their order, IPv4; the first is the primary one
	FQDNs         []string
	ProxyProtocol bool
	Visibility    []string // subscription ids; one "*" alone means everybody
	AutoApproval  []string
	// Options says that an annotation besides azure-pls-create and azure-pls-resource-group is present, even with an empty value.
	Options bool
}

// PrefixOf returns the prefix to allocate from for family f, empty for none.
func (p PublicIP) PrefixOf(f ipam.Family) armid.ID {
	if f == ipam.IPv6 {
		return p.Prefix.V6
	}
	return p.Prefix.V4
}
