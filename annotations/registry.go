package annotations

import (
	"net/netip"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
)

// Ranges and defaults that several rows share.
const (
	rangeName  = "1–80 letters, digits, _ . -; first a letter or digit, last a letter, digit or _"
	rangeGroup = "1–90 letters, digits, _ . - ( ); last not a dot"
	rangeID    = "id of a Microsoft.Network/publicIPPrefixes"
	asConfig   = "that of the configuration"
)

var registry = []Key{
	{
		Name: KeyInternal, Grammar: Boolean, Default: "false", Scope: ScopeAll, Outcome: Hold,
		Doc:  "Frontend with a private address on the internal load balancer, instead of a public one.",
		read: boolean(func(c *Config) *bool { return &c.Internal }),
	}, {
		Name: KeySubnet, Grammar: Name, Range: rangeName, Default: asConfig, Scope: ScopeInternal, Outcome: Hold,
		Doc:  "Subnet of the configured virtual network that the frontend is in.",
		read: name(armid.Subnets, func(p *parser, s string) { p.cfg.Subnet = s }),
	}, {
		Name: KeyIPv4, Grammar: AddressV4, Default: "spec.loadBalancerIP, else any free address", Scope: ScopeAll, Outcome: Hold,
		Range: "on an external Service that of a public IP in the resource group",
		Conflicts: []Conflict{
			{KeyPIPName, "the name decides"},
			{KeyPIPPrefix, "the prefix decides"},
			{"spec.loadBalancerIP", "the annotation decides"},
		},
		Doc:  "IPv4 address of the frontend.",
		read: address(ipam.IPv4),
	}, {
		Name: KeyIPv6, Grammar: AddressV6, Default: "spec.loadBalancerIP, else any free address", Scope: ScopeAll, Outcome: Hold,
		Range: "on an external Service that of a public IP in the resource group",
		Conflicts: []Conflict{
			{KeyPIPNameIPv6, "the name decides"},
			{KeyPIPPrefixIPv6, "the prefix decides"},
			{"spec.loadBalancerIP", "the annotation decides"},
		},
		Doc:  "IPv6 address of the frontend.",
		read: address(ipam.IPv6),
	}, {
		Name: KeyPIPName, Grammar: Name, Range: rangeName, Default: "a public IP that azlb makes", Scope: ScopeExternal, Outcome: Hold,
		Conflicts: []Conflict{{KeyPIPPrefix, "the name decides"}},
		Doc:       "Existing public IP to use: for IPv4, or for IPv6 on an IPv6-only Service without azure-pip-name-ipv6.",
		read:      name(armid.PublicIPAddresses, func(p *parser, s string) { p.pipName.V4 = s }),
	}, {
		Name: KeyPIPNameIPv6, Grammar: Name, Range: rangeName, Default: "a public IP that azlb makes", Scope: ScopeExternal, Outcome: Hold,
		Conflicts: []Conflict{{KeyPIPPrefixIPv6, "the name decides"}},
		Doc:       "Existing public IP to use for IPv6; without effect on IPv4-only Services.",
		read:      name(armid.PublicIPAddresses, func(p *parser, s string) { p.pipName.V6 = s }),
	}, {
		Name: KeyPIPPrefix, Grammar: ResourceID, Range: rangeID, Default: "none", Scope: ScopeExternal, Outcome: Hold,
		Doc:  "Public IP prefix that a new public IP is taken from; families as for azure-pip-name.",
		read: prefixID(func(p *parser, id armid.ID) { p.pipPrefix.V4 = id }),
	}, {
		Name: KeyPIPPrefixIPv6, Grammar: ResourceID, Range: rangeID, Default: "none", Scope: ScopeExternal, Outcome: Hold,
		Doc:  "Public IP prefix for IPv6; families as for azure-pip-name-ipv6.",
		read: prefixID(func(p *parser, id armid.ID) { p.pipPrefix.V6 = id }),
	}, {
		Name: KeyResourceGroup, Grammar: GroupName, Range: rangeGroup, Default: "that of the cluster", Scope: ScopeExternal, Outcome: Hold,
		Doc:  "Resource group of the public IPs; despite its name never that of the load balancer.",
		read: group(func(p *parser, s string) { p.cfg.PublicIP.ResourceGroup = s }),
	}, {
		Name: KeyDNSLabel, Grammar: Label, Range: "3–63 of a–z, 0–9, -; first a letter, last not -; or empty", Default: "the label stays as it is",
		Scope: ScopeExternal, Outcome: Hold,
		Doc:  "DNS label of the public IPs, also of those that the Service names; the empty value removes it.",
		read: readDNSLabel,
	}, {
		Name: KeyPIPTags, Grammar: Pairs, Range: "at most 50; keys up to 512, values up to 256 characters; not the keys azlb keeps its own notes under",
		Default: "none", Scope: ScopeExternal, Outcome: Default,
		Doc:  "ARM tags of the public IPs that azlb makes; they win over those of the configuration.",
		read: readPIPTags,
	}, {
		Name: KeyPIPIPTags, Grammar: Pairs, Range: "one tag per type", Default: "the IP tags stay as they are", Scope: ScopeExternal, Outcome: Default,
		Doc:  "IP tags (type=tag) of the public IPs that azlb makes, such as RoutingPreference=Internet; the empty value asks for none.",
		read: readIPTags,
	}, {
		Name: KeyAdditionalPublicIPs, Grammar: AddressList, Range: "at most 4,000; none of a node, of pods, of Azure's platform, of another Service, or of the virtual network but for frontends", Default: "none", Scope: ScopeAll, Outcome: Hold,
		Doc:  "Addresses that lead to the Service too: they appear in its status and in its security rules, and kube-proxy leads what is sent to them to the Service, on every node.",
		read: readAdditional,
	}, {
		Name: KeyIdleTimeout, Grammar: WholeNumber, Range: "4–100 minutes", Default: "4", Scope: ScopeAll, Outcome: Hold,
		Doc:  "Idle timeout of every rule of the Service, whatever its protocol.",
		read: whole(4, 100, "4 to 100 whole minutes", func(p *parser, n int32) { p.cfg.Rules.IdleMinutes = uint8(n) }),
	}, {
		Name: KeyHAPorts, Grammar: Boolean, Default: "false", Scope: ScopeInternal, Outcome: Default,
		Conflicts: []Conflict{
			{KeyPortNoRule, "the one rule for all ports stays"},
			{KeyPortNoProbe, "the one rule for all ports keeps its probe"},
			{KeyDisableFloatingIP, "the one rule for all ports keeps floating IP"},
		},
		Doc:  "One rule for all ports and protocols instead of one per port.",
		read: boolean(func(c *Config) *bool { return &c.Rules.HAPorts }),
	}, {
		Name: KeyDisableTCPReset, Grammar: Boolean, Default: "false", Scope: ScopeAll, Outcome: Default,
		Doc:  "No TCP reset to both ends when a connection times out idle.",
		read: negated(func(c *Config) *bool { return &c.Rules.TCPReset }),
	}, {
		Name: KeyDisableFloatingIP, Grammar: Boolean, Default: "false", Scope: ScopeAll, Outcome: Default,
		Conflicts: []Conflict{{KeyDenyAll, "the denial would cover the addresses of the nodes themselves"}},
		Doc:       "Rules lead to the node port on the node's own address instead of to the frontend's address.",
		read:      negated(func(c *Config) *bool { return &c.Rules.FloatingIP }),
	}, {
		Name: KeyProbeProtocol, Grammar: Protocol, Default: "spec.ports[].appProtocol, else tcp", Scope: ScopeAll, Outcome: Default,
		Doc:  "Protocol of the health probes; HTTP and HTTPS count status 200 alone as up.",
		read: protocol(func(p *parser) *Probe { return &p.cfg.Probe }),
	}, {
		Name: KeyProbePath, Grammar: Path, Default: "/", Scope: ScopeAll, Outcome: Hold,
		Doc:  "Path that HTTP and HTTPS probes ask for.",
		read: path(func(p *parser) *Probe { return &p.cfg.Probe }),
	}, {
		Name: KeyProbeInterval, Grammar: WholeNumber, Range: "5 seconds or more; times the number of probes below 120", Default: "5",
		Scope: ScopeAll, Outcome: Hold,
		Doc:  "Time between two probes, in seconds.",
		read: interval(func(p *parser) *Probe { return &p.cfg.Probe }),
	}, {
		Name: KeyProbeThreshold, Grammar: WholeNumber, Range: "2 or more; times the interval below 120", Default: "2", Scope: ScopeAll, Outcome: Hold,
		Doc:  "Number of equal answers after which a node counts as up or down.",
		read: threshold(func(p *parser) *Probe { return &p.cfg.Probe }),
	}, {
		Name: KeyPortNoRule, Grammar: Boolean, Default: "false", Scope: ScopePort, Outcome: Default,
		Doc:  "Neither rule nor probe for the port; its security rule stays.",
		read: portBoolean(func(p *Port) *bool { return &p.NoRule }),
	}, {
		Name: KeyPortNoProbe, Grammar: Boolean, Default: "false", Scope: ScopePort, Outcome: Default,
		Doc:  "A rule without a probe for the port: every node counts as up.",
		read: portBoolean(func(p *Port) *bool { return &p.NoProbe }),
	}, {
		Name: KeyPortProbeProtocol, Grammar: Protocol, Default: "spec.ports[].appProtocol, else that of all ports", Scope: ScopePort, Outcome: Default,
		Doc:  "Protocol of the port's health probe.",
		read: protocol(func(p *parser) *Probe { return &p.at.Probe }),
	}, {
		Name: KeyPortProbePort, Grammar: PortReference, Range: "1–65535, or the name of a service port", Default: "the node port of the port",
		Scope: ScopePort, Outcome: Hold,
		Doc:  "What is probed: the node port of the service port with that name or number, or else the number itself.",
		read: readProbePort,
	}, {
		Name: KeyPortProbeInterval, Grammar: WholeNumber, Range: "5 seconds or more; times the number of probes below 120",
		Default: "that of all ports", Scope: ScopePort, Outcome: Hold,
		Doc:  "Time between two probes of the port, in seconds.",
		read: interval(func(p *parser) *Probe { return &p.at.Probe }),
	}, {
		Name: KeyPortProbeThreshold, Grammar: WholeNumber, Range: "2 or more; times the interval below 120", Default: "that of all ports",
		Scope: ScopePort, Outcome: Hold,
		Doc:  "Number of equal answers after which a node counts as up or down, for the port.",
		read: threshold(func(p *parser) *Probe { return &p.at.Probe }),
	}, {
		Name: KeyPortProbePath, Grammar: Path, Default: "that of all ports", Scope: ScopePort, Outcome: Hold,
		Doc:  "Path that the port's HTTP or HTTPS probe asks for.",
		read: path(func(p *parser) *Probe { return &p.at.Probe }),
	}, {
		Name: KeyAllowedServiceTags, Grammar: TagList, Range: "[A-Za-z][A-Za-z0-9.-]*, at most 1,000", Default: "Internet, if no source at all is given",
		Scope: ScopeAll, Outcome: Close,
		Conflicts: []Conflict{{"spec.loadBalancerSourceRanges", "both are allowed; write the ranges as an annotation to keep them together"}},
		Doc:       "Service tags that may reach the Service; without any source an external Service is open to the Internet.",
		read:      readServiceTags,
	}, {
		Name: KeyAllowedIPRanges, Grammar: Ranges, Range: "host bits zero", Default: "the Internet, if no source at all is given",
		Scope: ScopeAll, Outcome: Close,
		Conflicts: []Conflict{{"spec.loadBalancerSourceRanges", "the Service is held"}},
		Doc:       "Sources that may reach the Service. The empty value allows none.",
		read:      readRanges,
	}, {
		Name: KeySourceRanges, Grammar: Ranges, Range: "host bits zero", Default: "the Internet, if no source at all is given",
		Scope: ScopeAll, Outcome: Close,
		Conflicts:  []Conflict{{"spec.loadBalancerSourceRanges", "the Service is held"}},
		Deprecated: "azure-allowed-ip-ranges",
		Doc:        "The generic key of Kubernetes: more sources beside those of azure-allowed-ip-ranges.",
		read:       readRanges,
	}, {
		Name: KeyDenyAll, Grammar: Boolean, Default: "false", Scope: ScopeAll, Outcome: Hold,
		Doc:  "With source ranges: deny everything else, the virtual network too. Without source ranges it has no effect.",
		read: boolean(func(c *Config) *bool { return &c.Access.DenyAll }),
	}, {
		Name: KeyDisableNSGRule, Grammar: Boolean, Default: "false", Scope: ScopeAll, Outcome: Default,
		Conflicts: []Conflict{
			{KeyAllowedServiceTags, "nothing is allowed"},
			{KeyAllowedIPRanges, "nothing is allowed"},
			{KeySourceRanges, "nothing is allowed"},
			{KeyDenyAll, "nothing is denied"},
			{"spec.loadBalancerSourceRanges", "nothing is allowed"},
		},
		Doc:  "No security rules for the Service; somebody else writes them.",
		read: boolean(func(c *Config) *bool { return &c.Access.NoRules }),
	}, {
		Name: KeySharedSecurityRule, Grammar: Boolean, Default: "false", Scope: ScopeNone, Dead: true,
		Doc: "Shared a security rule between Services up to version 1.28 of the upstream provider; rules are always shared now.",
	}, {
		Name: KeyConfigurations, Grammar: NameList, Range: "names of the configuration, in any case", Default: "all", Scope: ScopeSeveral, Outcome: Default,
		Conflicts: []Conflict{
			{KeyIPv4, "the address decides; another load balancer than the one that holds it is an error"},
			{KeyIPv6, "the address decides; another load balancer than the one that holds it is an error"},
			{KeyPIPName, "the name decides; another load balancer than the one that holds it is an error"},
			{KeyPIPNameIPv6, "the name decides; another load balancer than the one that holds it is an error"},
		},
		Doc:  "Load balancers that the Service may be placed on. The key itself is recognised in any case.",
		read: readConfigurations,
	}, {
		Name: KeyMode, Grammar: Name, Range: rangeName + "; or __auto__", Default: "the primary one", Scope: ScopeBasic, Outcome: Default,
		Doc:  "VM set whose load balancer is used.",
		read: readMode,
	}, {
		Name: KeyPLSCreate, Grammar: Boolean, Default: "false", Scope: ScopeAll, Outcome: Default,
		Doc:  "A private link service on the IPv4 frontend. Internal Services, or external ones with floating IP off.",
		read: boolean(func(c *Config) *bool { return &c.PrivateLink.Create }),
	}, {
		Name: KeyPLSName, Grammar: Name, Range: rangeName, Default: "pls- and the name of the frontend", Scope: ScopePrivateLink, Outcome: Hold,
		Doc:  "Name of the private link service; it cannot be changed afterwards.",
		read: name(armid.PrivateLinkServices, func(p *parser, s string) { p.cfg.PrivateLink.Name = s }),
	}, {
		Name: KeyPLSResourceGroup, Grammar: GroupName, Range: rangeGroup, Default: asConfig, Scope: ScopePrivateLink, Outcome: Hold,
		Doc:  "Resource group of the private link service.",
		read: group(func(p *parser, s string) { p.cfg.PrivateLink.ResourceGroup = s }),
	}, {
		Name: KeyPLSSubnet, Grammar: Name, Range: rangeName, Default: "azure-load-balancer-internal-subnet, else " + asConfig,
		Scope: ScopePrivateLink, Outcome: Hold,
		Doc:  "Subnet that the NAT addresses are taken from.",
		read: name(armid.Subnets, func(p *parser, s string) { p.cfg.PrivateLink.Subnet = s }),
	}, {
		Name: KeyPLSCount, Grammar: WholeNumber, Range: "1–8, not below the number of static addresses", Default: "the number of static addresses, at least 1",
		Scope: ScopePrivateLink, Outcome: Hold,
		Doc:  "Number of NAT addresses.",
		read: whole(1, 8, "1 to 8 addresses", func(p *parser, n int32) { p.cfg.PrivateLink.Count = n }),
	}, {
		Name: KeyPLSAddresses, Grammar: NATAddresses, Range: "at most 8; FIRST ... LAST means all from one to the other", Default: "ARM chooses all",
		Scope: ScopePrivateLink, Outcome: Hold,
		Doc:  "Static NAT addresses, the primary one first; ARM chooses the rest.",
		read: readNATAddresses,
	}, {
		Name: KeyPLSFQDNs, Grammar: Words, Default: "none", Scope: ScopePrivateLink, Outcome: Default,
		Doc:  "Names that consumers may use for the service, each of at most 253 characters.",
		read: readFQDNs,
	}, {
		Name: KeyPLSProxyProtocol, Grammar: Boolean, Default: "false", Scope: ScopePrivateLink, Outcome: Default,
		Doc:  "Connections begin with a PROXY protocol header, which the pods must understand.",
		read: boolean(func(c *Config) *bool { return &c.PrivateLink.ProxyProtocol }),
	}, {
		Name: KeyPLSVisibility, Grammar: Words, Range: "at most 100 subscription ids, or * for everybody", Default: "whoever has a role on it",
		Scope: ScopePrivateLink, Outcome: Default,
		Doc:  "Subscriptions that can see the private link service.",
		read: readVisibility,
	}, {
		Name: KeyPLSAutoApproval, Grammar: Words, Range: "at most 100 subscription ids", Default: "none", Scope: ScopePrivateLink, Outcome: Default,
		Doc:  "Subscriptions whose connections need no approval.",
		read: words(func(c *Config) *[]string { return &c.PrivateLink.AutoApproval }),
	},
}

// name reads the name of a resource of the type typ; an empty value is as good as none.
func name(typ string, set func(*parser, string)) reader {
	return func(p *parser, v string) {
		if v == "" {
			return
		}
		if err := armid.CheckName(typ, v); err != nil {
			p.failWith(v, err)
			return
		}
		set(p, v)
	}
}

// group reads the name of a resource group; an empty value is as good as none.
func group(set func(*parser, string)) reader {
	return func(p *parser, v string) {
		if v == "" {
			return
		}
		if err := armid.CheckGroup(v); err != nil {
			p.failWith(v, err)
			return
		}
		set(p, v)
	}
}

// prefixID reads the id of a public IP prefix; an empty value is as good as none.
func prefixID(set func(*parser, armid.ID)) reader {
	return func(p *parser, v string) {
		if v == "" {
			return
		}
		id := armid.ID(v)
		switch err := id.Check(); {
		case err != nil:
			p.failWith(v, err)
		case !id.Is(armid.PublicIPPrefixes):
			p.fail(v, ErrSyntax, "want /subscriptions/ID/resourceGroups/NAME/providers/%s/NAME", armid.PublicIPPrefixes)
		default:
			set(p, id)
		}
	}
}

// address reads the requested address of family f; an empty value is as good as none. What it may be is decided in parser.addresses.
func address(f ipam.Family) reader {
	return func(p *parser, v string) {
		if v == "" {
			return
		}
		p.pinned = append(p.pinned, f)
		a, err := netip.ParseAddr(v)
		if err != nil || a.Zone() != "" || ipam.FamilyOf(a) != f {
			p.fail(v, ErrSyntax, "want an %s address", f)
			return
		}
		p.request(v, a.Unmap())
	}
}
