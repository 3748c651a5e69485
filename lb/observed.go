package lb

import (
	"net/netip"

	"github.com/azlb/azlb/pls"
)

// Observed is what Azure has, as far as a [Scope] asked for it. It holds everything there, ours or not.
//
// Failed says of a resource that the last operation on it failed or was cancelled (properties.provisioningState): it shows what was asked
// for, and may do something else until it is written again.
type Observed struct {
	LoadBalancers       []SeenLoadBalancer
	PublicIPs           []SeenPublicIP
	Prefixes            []PublicIPPrefix
	SecurityGroups      []SeenSecurityGroup // at most one: that of the configuration
	Networks            []SeenNetwork
	PrivateLinkServices []SeenPrivateLinkService
	Interfaces          []SeenInterface
	Machines            []Machine
	Zones               []string // zones of the location, sorted; empty where there are none
	// Elsewhere is what [Scope].Survey found in other resource groups. It is told and never planned with: another cluster of the same name makes
	// what looks like ours.
	Elsewhere Elsewhere
	// Unknown lists what could not be read. Nothing is concluded from its absence above.
	Unknown []Unknown
}

// Elsewhere are public IPs and private link services in resource groups of a subscription that were not read otherwise.
type Elsewhere struct {
	PublicIPs           []SeenPublicIP
	PrivateLinkServices []SeenPrivateLinkService
}

// SeenLoadBalancer is a load balancer as read, with all its children.
type SeenLoadBalancer struct {
	LoadBalancer
	ETag   string
	Failed bool // see [Observed]
	// Assigned are the private addresses of internal frontends by frontend name, dynamic ones included.
	Assigned map[string]netip.Addr
	// Attached are the IP configurations of network interfaces in each pool, by its name in lower case.
	Attached map[string][]ID
	// Uses are outbound rules, inbound NAT rules and NAT pools: children that azlb never writes and that use frontends and pools.
	Uses []Use
}

// Use is a child that refers to frontends and pools of its load balancer by name.
type Use struct {
	ID        ID
	Frontends []string
	Pools     []string
	// Protocol and the ports from FirstPort to LastPort of its frontends are what an inbound NAT rule or pool takes; zero with outbound rules.
	Protocol            Protocol
	FirstPort, LastPort uint16
}

// SeenPublicIP is a public IP as read.
type SeenPublicIP struct {
	PublicIP
	ETag     string
	Failed   bool       // see [Observed]
	Address  netip.Addr // invalid while none is assigned
	Attached ID         // IP configuration that has it, empty for none
	DNSOther bool       // dnsSettings hold something without a label
}

// SeenSecurityGroup is a security group as read, with all its rules.
type SeenSecurityGroup struct {
	SecurityGroup
	ETag   string
	Failed bool // see [Observed]
}

// SeenNetwork is a virtual network as read.
type SeenNetwork struct {
	ID      ID
	Subnets []SeenSubnet
	// Prefixes is its address space.
	Prefixes []netip.Prefix
}

// SeenSubnet is a subnet as read.
type SeenSubnet struct {
	Subnet
	ETag string
}

// SeenPrivateLinkService is a private link service as read.
type SeenPrivateLinkService struct {
	pls.PrivateLinkService
	ETag   string
	Failed bool // see [Observed]
}

// SeenInterface is a network interface as read.
type SeenInterface struct {
	NetworkInterface
	ETag    string
	Machine ID   // virtual machine or instance of a scale set that it is attached to, empty for none
	Primary bool // of its machine
	Failed  bool // see [Observed]
	// Model says that it is no interface but what the new machines of a scale set get; ID is that of the scale set.
	Model bool
	// Rolling says of a model that the instances of the scale set follow it by themselves (upgrade policy Automatic or Rolling).
	Rolling bool
	// Deleting says that it, its machine or its scale set is being deleted: it is not written any more.
	Deleting bool
	// Stopped says that its machine does not run: it joins no pool, and stays where it is.
	Stopped bool
}

// Machine is a virtual machine with the name of the availability set or scale set that it is in.
type Machine struct {
	ID       ID
	Set      string
	Deleting bool
}

// Unknown is a part of Azure that could not be read, usually for lack of a permission. Services that need it are held.
type Unknown struct {
	Scope  ID     // resource, or resource group for a list
	Type   string // type of resource that was listed or read, such as armid.PublicIPAddresses
	Action string // permission that is needed, such as Microsoft.Network/publicIPAddresses/read
	Absent bool   // the answer was 404, not 403
	// Remedy says what makes it readable where no permission does, such as an option of the provider; empty: Action has to be granted.
	Remedy string
}

// Scope is what has to be read to plan for a cluster.
type Scope struct {
	LoadBalancers []ID // resource groups whose load balancers are listed
	// PublicIPs are resource groups whose public IPs are listed; groups in ids on observed frontends come on top. A provider adds to them, and to
	// PrivateLinkServices, what [Scope.WithGroups] makes of the load balancers it has read.
	PublicIPs           []ID
	PrivateLinkServices []ID // resource groups
	SecurityGroup       ID   // empty: none is configured
	Networks            []ID // virtual networks
	Prefixes            []ID // public IP prefixes
	Interfaces          []ID // resource groups whose network interfaces are listed; empty unless pools hold interfaces
	// ScaleSets are resource groups whose scale sets are listed, with the instances of those in uniform mode. A provider that cannot read
	// them says so in Observed.Unknown, with a Remedy: a Service whose pool needs their nodes is held then.
	ScaleSets []ID
	// Members are load balancers whose members are read where those are network interfaces: their pools are to become pools of addresses.
	Members []ID
	// Machines are resource groups whose virtual machines are listed: with several load balancers, nodes follow their availability sets.
	Machines []ID
	// Zones asks for the availability zones of Location in Subscription; empty Location: not needed.
	Subscription, Location string
	// Survey is a subscription (/subscriptions/ID) whose public IPs and private link services are listed whole, to tell of what was left in a
	// resource group that nothing names any more; empty: none is.
	Survey ID
}
