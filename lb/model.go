package lb

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
)

// ID is an ARM id; see [armid.ID].
type ID = armid.ID

// Finding is something a person should know about one Service; see [annotations.Finding].
type Finding = annotations.Finding

// Severity is how bad a [Finding] is.
type Severity = annotations.Severity

// The severities of a [Finding].
const (
	SeverityInfo    = annotations.SeverityInfo
	SeverityWarning = annotations.SeverityWarning
	SeverityError   = annotations.SeverityError
)

// LoadBalancer is our part of one load balancer. Its lists are sorted by name, but for new frontends, whose order is that in which ARM gives
// them addresses.
type LoadBalancer struct {
	ID        ID
	Location  string
	SKU       string // Standard, or Basic on old clusters
	EdgeZone  string // name of the extended location; empty for none
	Frontends []Frontend
	Pools     []Pool
	Probes    []Probe
	Rules     []Rule
	Tags      Tags
}

// Frontend is one frontend IP configuration: public if PublicIP is set, else in Subnet. It is comparable.
type Frontend struct {
	Name     string // at most 80 bytes, unique in its load balancer
	Family   ipam.Family
	PublicIP ID
	Subnet   ID
	// Static is the pinned private address; invalid means that ARM chooses one (Dynamic).
	Static netip.Addr
	Zones  Zones // of internal frontends; empty for none
}

// Zones is a sorted list of availability zones joined by commas, such as 1,2,3, so that it is comparable.
type Zones string

// ZonesOf makes Zones of a list.
func ZonesOf(list []string) Zones {
	list = slices.Clone(list)
	slices.Sort(list)
	return Zones(strings.Join(list, ","))
}

// List returns the zones one by one, nil for none.
func (z Zones) List() []string {
	if z == "" {
		return nil
	}
	return strings.Split(string(z), ",")
}

// Pool is one backend address pool.
type Pool struct {
	Name string
	// Interfaces says that the members are network interfaces, which are not written through the load balancer: Members and Network are
	// empty then and membership is left as it is.
	Interfaces bool
	Network    ID       // virtual network of the addresses
	Members    []Member // sorted by address
}

// Member is one address of a pool. Only the address counts for equality of membership; the name is that of the node when we add it.
type Member struct {
	Name string
	IP   netip.Addr
}

// Protocol is the transport protocol of a load-balancing rule, as ARM spells it.
type Protocol string

// The protocols of rules. All is for rules of every port (HA ports), and what SCTP becomes.
const (
	TCP Protocol = "Tcp"
	UDP Protocol = "Udp"
	All Protocol = "All"
)

// Distribution is how flows are spread over the pool, as ARM spells it.
type Distribution string

// The distributions.
const (
	DistributionDefault  Distribution = "Default"  // five-tuple
	DistributionSourceIP Distribution = "SourceIP" // sessionAffinity: ClientIP
)

// Rule is one load-balancing rule. It is comparable: == is the question "would ARM see a difference?", so every default ARM would fill in
// is spelled out here, and causes, ETags and read-only echoes live elsewhere.
type Rule struct {
	Name                string // at most 80 bytes, unique in its load balancer; ARM ignores case, so an adopted rule keeps its spelling
	Frontend            string // name of a Frontend of the same load balancer
	Pool                string // name of a Pool of the same load balancer
	Probe               string // name of a Probe of the same load balancer; empty for none
	Protocol            Protocol
	FrontendPort        uint16 // 1–65534; 0 for an HA-ports rule
	BackendPort         uint16 // 0 for an HA-ports rule
	IdleMinutes         uint8  // 4–100, default 4; written on every rule whatever its protocol
	FloatingIP          bool
	TCPReset            bool // meaningful with protocol Tcp and All; false otherwise
	DisableOutboundSNAT bool
	Distribution        Distribution
}

// Probe is one health probe. It is comparable like [Rule].
type Probe struct {
	Name            string
	Protocol        annotations.ProbeProtocol
	Port            uint16
	Path            string // of Http and Https probes; empty with Tcp
	IntervalSeconds int32
	Threshold       int32 // probeThreshold
}

// PublicIP is one public IP address.
type PublicIP struct {
	ID         ID
	Location   string
	EdgeZone   string
	SKU        string // Standard
	Family     ipam.Family
	Allocation string // Static or Dynamic
	Zones      Zones
	Prefix     ID    // public IP prefix it is allocated from; empty for none
	IPTags     []Tag // sorted by key, then value
	DNSLabel   string
	Tags       Tags
}

// Tag is one ARM tag, or the type and tag of an IP tag.
type Tag = annotations.Tag

// Tags are ARM tags sorted by key without regard to case; ARM ignores case in keys.
type Tags []Tag

// Get returns the value under key, which is compared without regard to case.
func (t Tags) Get(key string) (string, bool) {
	for _, tag := range t {
		if strings.EqualFold(tag.Key, key) {
			return tag.Value, true
		}
	}
	return "", false
}

// With returns t with key set to value; an existing spelling of key is kept.
func (t Tags) With(key, value string) Tags {
	t = slices.Clone(t)
	for i := range t {
		if strings.EqualFold(t[i].Key, key) {
			t[i].Value = value
			return t
		}
	}
	t = append(t, Tag{Key: key, Value: value})
	t.sort()
	return t
}

// Without returns t without key.
func (t Tags) Without(key string) Tags {
	return slices.DeleteFunc(slices.Clone(t), func(tag Tag) bool { return strings.EqualFold(tag.Key, key) })
}

func (t Tags) sort() {
	slices.SortFunc(t, func(a, b Tag) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key)), strings.Compare(a.Key, b.Key))
	})
}

// TagsOf makes sorted Tags of a map.
func TagsOf(m map[string]string) Tags {
	var t Tags
	for k, v := range m {
		t = append(t, Tag{Key: k, Value: v})
	}
	t.sort()
	return t
}

// SecurityGroup is our part of one network security group: its managed rules and the tags of the configuration.
type SecurityGroup struct {
	ID    ID
	Rules []SecurityRule // sorted by name
	Tags  Tags
}

// SecurityRule is one inbound rule of a network security group.
type SecurityRule struct {
	Name     string
	Priority int32    // 100–4096, unique in its direction; a lower number wins
	Access   string   // Allow or Deny
	Outbound bool     // managed rules are inbound
	Protocol string   // Tcp, Udp or *
	Sources  []string // canonical prefixes or one service tag or *; sorted
	// SourcePorts are where the traffic comes from, sorted as text; empty for any port, as managed rules have it.
	SourcePorts []string
	// Destinations are where the traffic goes, sorted; addresses that are known only after a write are references.
	Destinations []Address
	Ports        []string // destination ports, sorted as text, or * alone
}

// Address is an address that is known (IP), or the id of the public IP or frontend that will have it once it is written (Of), or, in rules
// that were observed, a text that is no single address (Text: a prefix, a service tag, *). Exactly one is set. It is comparable.
type Address struct {
	IP   netip.Addr
	Of   ID
	Text string
}

// Known reports whether a is written out.
func (a Address) Known() bool { return a.Of == "" }

// String returns the address as it is written, or "address of NAME (known after apply)".
func (a Address) String() string {
	switch {
	case a.IP.IsValid():
		return a.IP.String()
	case a.Of != "":
		return "address of " + a.Of.Name() + " (known after apply)"
	default:
		return a.Text
	}
}

// CompareAddresses orders addresses: by their text, references last.
func CompareAddresses(a, b Address) int {
	if a.Known() != b.Known() {
		if a.Known() {
			return -1
		}
		return 1
	}
	if !a.Known() {
		return armid.Compare(a.Of, b.Of)
	}
	return strings.Compare(a.String(), b.String())
}

// Subnet is a subnet as far as load balancing cares.
type Subnet struct {
	ID       ID
	Prefixes []netip.Prefix
	// PrivateLinkPolicies says that network policies for private link services are enabled, which keeps private link services out.
	PrivateLinkPolicies bool
}

// PublicIPPrefix is a public IP prefix.
type PublicIPPrefix struct {
	ID     ID
	Family ipam.Family
	Prefix netip.Prefix
}

// NetworkInterface is a network interface with the pools its IP configurations are in.
//
// Scale sets in uniform mode have their interfaces inside: what is written is the instance, or the model that new instances are made of. Their
// primary interface goes by the id of the instance, or of the scale set.
type NetworkInterface struct {
	ID               ID
	IPConfigurations []IPConfiguration
}

// IPConfiguration is one IP configuration of a network interface.
type IPConfiguration struct {
	Name    string
	Primary bool
	Family  ipam.Family
	IP      netip.Addr
	Subnet  ID
	Pools   []ID // backend address pools it is a member of
}
