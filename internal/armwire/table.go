package armwire

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"

	"github.com/azlb/azlb/lb/armid"
)

// shape is what is known of one type of resource, or of one kind of child. Paths are keys joined by dots.
type shape struct {
	fills    []fill
	readOnly []path
	children []child
}

// child is a list of children in a body. A kind makes them sub-resources, which have a name, an id below their parent's and a type; lists
// without a kind hold plain objects.
type child struct {
	at   string
	kind string
	shape
}

// fill is one value that ARM puts where a client leaves it out: value, or what of makes of the object; a nil result puts nothing.
type fill struct {
	at    string
	value any
	of    func(Object) any
}

func (f fill) make(o Object) any {
	if f.of != nil {
		return f.of(o)
	}
	return cloneValue(f.value)
}

// path is something a client cannot write. Echo says that bodies keep it all the same, since leaving it out could change the membership of a
// pool: upstream has always sent it back.
type path struct {
	at   string
	echo bool
}

func strip(paths ...string) []path {
	list := make([]path, len(paths))
	for i, p := range paths {
		list[i] = path{at: p}
	}
	return list
}

func echo(paths ...string) []path {
	list := strip(paths...)
	for i := range list {
		list[i].echo = true
	}
	return list
}

// commonReadOnly is read-only in every resource and in every child that is a resource; the id is read-only in children only, where it
// follows from the names.
var (
	commonReadOnly = strip("etag", "type", "properties.provisioningState")
	childReadOnly  = append(echo("id"), commonReadOnly...)
)

func number(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// shapes is the one table of what ARM fills in and of what only ARM writes, by type of resource. The defaults are those of the recorded
// scenarios, where a recording shows them, else those of the REST reference.
var shapes = map[string]shape{
	armid.LoadBalancers: {
		fills: []fill{
			{at: "sku.name", value: "Basic"},
			{at: "sku.tier", value: "Regional"},
			{at: "properties.frontendIPConfigurations", value: []any{}},
			{at: "properties.backendAddressPools", value: []any{}},
			{at: "properties.loadBalancingRules", value: []any{}},
			{at: "properties.probes", value: []any{}},
			{at: "properties.inboundNatRules", value: []any{}},
			{at: "properties.inboundNatPools", value: []any{}},
			{at: "properties.outboundRules", value: []any{}},
		},
		readOnly: strip("properties.resourceGuid"),
		children: []child{
			{at: "properties.frontendIPConfigurations", kind: armid.FrontendIPConfigurations, shape: frontendShape},
			{at: "properties.backendAddressPools", kind: armid.BackendAddressPools, shape: poolShape},
			{at: "properties.loadBalancingRules", kind: armid.LoadBalancingRules, shape: ruleShape},
			{at: "properties.probes", kind: armid.Probes, shape: probeShape},
			{at: "properties.inboundNatRules", kind: armid.InboundNATRules, shape: shape{readOnly: echo("properties.backendIPConfiguration")}},
			{at: "properties.inboundNatPools", kind: armid.InboundNATPools},
			{at: "properties.outboundRules", kind: armid.OutboundRules},
		},
	},
	armid.PublicIPAddresses: {
		fills: []fill{
			{at: "sku.name", value: "Basic"},
			{at: "sku.tier", value: "Regional"},
			{at: "properties.publicIPAddressVersion", value: "IPv4"},
			{at: "properties.publicIPAllocationMethod", value: "Dynamic"},
			{at: "properties.idleTimeoutInMinutes", value: number(4)},
			{at: "properties.ipTags", value: []any{}},
			{at: "properties.ddosSettings.protectionMode", value: "VirtualNetworkInherited"},
		},
		readOnly: strip("properties.ipAddress", "properties.ipConfiguration", "properties.resourceGuid", "properties.dnsSettings.fqdn"),
	},
	armid.PublicIPPrefixes: {
		fills: []fill{
			{at: "sku.name", value: "Standard"},
			{at: "sku.tier", value: "Regional"},
			{at: "properties.publicIPAddressVersion", value: "IPv4"},
			{at: "properties.ipTags", value: []any{}},
			{at: "properties.prefixLength", of: prefixLength},
		},
		readOnly: strip("properties.ipPrefix", "properties.publicIPAddresses", "properties.loadBalancerFrontendIpConfiguration",
			"properties.resourceGuid"),
	},
	armid.NetworkSecurityGroups: {
		fills: []fill{{at: "properties.securityRules", value: []any{}}},
		readOnly: strip("properties.defaultSecurityRules", "properties.flowLogs", "properties.networkInterfaces", "properties.subnets",
			"properties.resourceGuid"),
		children: []child{{at: "properties.securityRules", kind: armid.SecurityRules, shape: securityRuleShape}},
	},
	armid.VirtualNetworks: {
		fills: []fill{
			{at: "properties.subnets", value: []any{}},
			{at: "properties.virtualNetworkPeerings", value: []any{}},
			{at: "properties.enableDdosProtection", value: false},
		},
		readOnly: strip("properties.flowLogs", "properties.resourceGuid"),
		children: []child{{at: "properties.subnets", kind: armid.Subnets, shape: subnetShape}},
	},
	armid.NetworkInterfaces: {
		fills: []fill{
			{at: "properties.enableAcceleratedNetworking", value: false},
			{at: "properties.enableIPForwarding", value: false},
			{at: "properties.nicType", value: "Standard"},
		},
		readOnly: strip("properties.dscpConfiguration", "properties.hostedWorkloads", "properties.macAddress", "properties.primary",
			"properties.privateEndpoint", "properties.resourceGuid", "properties.tapConfigurations", "properties.virtualMachine",
			"properties.vnetEncryptionSupported", "properties.defaultOutboundConnectivityEnabled"),
		children: []child{{at: "properties.ipConfigurations", kind: armid.IPConfigurations, shape: shape{
			fills: []fill{
				{at: "properties.privateIPAllocationMethod", value: "Dynamic"},
				{at: "properties.privateIPAddressVersion", value: "IPv4"},
			},
			readOnly: strip("properties.privateLinkConnectionProperties"),
		}}},
	},
	armid.PrivateLinkServices: {
		fills: []fill{
			{at: "properties.enableProxyProtocol", value: false},
			{at: "properties.fqdns", value: []any{}},
			{at: "properties.visibility.subscriptions", value: []any{}},
			{at: "properties.autoApproval.subscriptions", value: []any{}},
			{at: "properties.privateEndpointConnections", value: []any{}},
		},
		readOnly: strip("properties.alias", "properties.networkInterfaces", "properties.privateEndpointConnections"),
		children: []child{
			{at: "properties.ipConfigurations", kind: armid.IPConfigurations, shape: shape{fills: []fill{
				{at: "properties.privateIPAllocationMethod", value: "Dynamic"},
				{at: "properties.privateIPAddressVersion", value: "IPv4"},
				{at: "properties.primary", value: false},
			}}},
			{at: "properties.privateEndpointConnections", kind: armid.PrivateEndpointConnections, shape: shape{
				readOnly: strip("properties.linkIdentifier", "properties.privateEndpoint", "properties.privateEndpointLocation"),
			}},
		},
	},
}

var (
	frontendShape = shape{
		fills: []fill{
			{at: "properties.privateIPAllocationMethod", value: "Dynamic"},
			{at: "properties.privateIPAddressVersion", of: func(o Object) any {
				if value(o, "properties.subnet") == nil {
					return nil // the family is that of the public IP
				}
				return "IPv4"
			}},
		},
		readOnly: strip("properties.loadBalancingRules", "properties.outboundRules", "properties.inboundNatRules", "properties.inboundNatPools"),
	}
	poolShape = shape{
		fills: []fill{{at: "properties.loadBalancerBackendAddresses", value: []any{}}},
		readOnly: append(strip("properties.loadBalancingRules", "properties.outboundRule", "properties.outboundRules",
			"properties.inboundNatRules"), echo("properties.backendIPConfigurations")...),
		children: []child{{at: "properties.loadBalancerBackendAddresses", shape: shape{
			readOnly: echo("properties.networkInterfaceIPConfiguration", "properties.inboundNatRulesPortMapping"),
		}}},
	}
	ruleShape = shape{fills: []fill{
		{at: "properties.enableFloatingIP", value: false},
		{at: "properties.enableTcpReset", value: false},
		{at: "properties.disableOutboundSnat", value: false},
		{at: "properties.idleTimeoutInMinutes", value: number(4)},
		{at: "properties.loadDistribution", value: "Default"},
		{at: "properties.backendAddressPool", of: onlyPool},
		{at: "properties.backendAddressPools", of: poolAsList},
	}}
	// numberOfProbes does not follow probeThreshold: recordings with a threshold of 3 or 4 still show 2.
	probeShape = shape{
		fills: []fill{
			{at: "properties.intervalInSeconds", value: number(15)},
			{at: "properties.numberOfProbes", value: number(2)},
			{at: "properties.probeThreshold", value: number(1)},
			{at: "properties.noHealthyBackendsBehavior", value: "AllProbedDown"},
		},
		readOnly: strip("properties.loadBalancingRules"),
	}
	securityRuleShape = shape{fills: []fill{
		{at: "properties.sourceAddressPrefixes", value: []any{}},
		{at: "properties.destinationAddressPrefixes", value: []any{}},
		{at: "properties.sourcePortRanges", value: []any{}},
		{at: "properties.destinationPortRanges", value: []any{}},
	}}
	subnetShape = shape{
		fills: []fill{
			{at: "properties.delegations", value: []any{}},
			{at: "properties.privateEndpointNetworkPolicies", value: "Disabled"},
			{at: "properties.privateLinkServiceNetworkPolicies", value: "Enabled"},
		},
		readOnly: strip("properties.ipConfigurations", "properties.ipConfigurationProfiles", "properties.privateEndpoints",
			"properties.purpose", "properties.resourceNavigationLinks", "properties.serviceAssociationLinks"),
	}
)

// poolAsList is the plural form of a rule's pool, which ARM shows beside the singular one.
func poolAsList(rule Object) any {
	pool, ok := value(rule, "properties.backendAddressPool").(Object)
	if !ok {
		return nil
	}
	return []any{Object{"id": pool["id"]}}
}

// onlyPool is the singular form of a rule's pool when the plural one has exactly one.
func onlyPool(rule Object) any {
	pools, ok := value(rule, "properties.backendAddressPools").([]any)
	if !ok || len(pools) != 1 {
		return nil
	}
	pool, ok := pools[0].(Object)
	if !ok {
		return nil
	}
	return Object{"id": pool["id"]}
}

func prefixLength(o Object) any {
	text, _ := value(o, "properties.ipPrefix").(string)
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return nil
	}
	return number(int64(p.Bits()))
}

// shapeOf returns the shape of a type of resource, or of a type of child such as Microsoft.Network/loadBalancers/backendAddressPools, and
// the type in ARM's spelling. Case is ignored.
func shapeOf(typ string) (shape, string, bool) {
	for name, s := range shapes {
		if len(typ) < len(name) || !strings.EqualFold(typ[:len(name)], name) {
			continue
		}
		switch rest := typ[len(name):]; {
		case rest == "":
			return s, name, true
		case rest[0] == '/':
			return s.find(name, rest[1:])
		}
	}
	return shape{}, "", false
}

func (s shape) find(typ, kind string) (shape, string, bool) {
	for _, c := range s.children {
		if c.kind != "" && strings.EqualFold(c.kind, kind) {
			return c.shape, typ + "/" + c.kind, true
		}
	}
	return shape{}, "", false
}

// value returns what is at a path of o; nil if there is nothing or something on the way is no object.
func value(o Object, at string) any {
	for {
		key, rest, more := strings.Cut(at, ".")
		if !more {
			return o[key]
		}
		next, ok := o[key].(Object)
		if !ok {
			return nil
		}
		o, at = next, rest
	}
}

// set puts v at a path of o and makes the objects on the way. It leaves o alone if something on the way is there and no object.
func set(o Object, at string, v any) {
	for {
		key, rest, more := strings.Cut(at, ".")
		if !more {
			o[key] = v
			return
		}
		next, ok := o[key].(Object)
		if !ok || next == nil {
			if o[key] != nil && !ok {
				return
			}
			next = Object{}
			o[key] = next
		}
		o, at = next, rest
	}
}

// unset removes what is at a path of o.
func unset(o Object, at string) {
	parent, key := o, at
	if i := strings.LastIndexByte(at, '.'); i >= 0 {
		parent, _ = value(o, at[:i]).(Object)
		key = at[i+1:]
	}
	delete(parent, key)
}

// objects returns the objects of the list at a path of o and passes over everything else.
func objects(o Object, at string) []Object {
	list, _ := value(o, at).([]any)
	found := make([]Object, 0, len(list))
	for _, e := range list {
		if child, ok := e.(Object); ok && child != nil {
			found = append(found, child)
		}
	}
	return found
}
