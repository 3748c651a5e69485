package fake_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// network composes an id in the resource group of testdata/world.json, of Microsoft.Compute if the path starts with scaleSets/.
func network(path string) lb.ID {
	if rest, ok := strings.CutPrefix(path, "scaleSets/"); ok {
		return lb.ID("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/" + rest)
	}
	return lb.ID("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/" + path)
}

// expand puts the ids of the world in the place of ~/.
func expand(text string) string { return strings.ReplaceAll(text, `"~/`, `"`+string(network(""))) }

func parse(text string) armwire.Object {
	o, err := armwire.Parse([]byte(expand(text)))
	if err != nil {
		panic(err)
	}
	return o
}

// world returns a cloud with testdata/world.json.
func world(t *testing.T, waive ...fake.Rule) *fake.Cloud {
	t.Helper()
	cloud := fake.New(&fake.Options{Waive: waive})
	load(t, cloud, "testdata/world.json")
	return cloud
}

// edit changes a body before it is written.
type edit func(o armwire.Object)

// set lays patch over the body.
func set(patch string) edit { return func(o armwire.Object) { overlay(o, parse(patch)) } }

func overlay(o, patch armwire.Object) {
	for k, v := range patch {
		inner, ok := v.(armwire.Object)
		below, ok2 := o[k].(armwire.Object)
		switch {
		case v == nil:
			delete(o, k)
		case ok && ok2:
			overlay(below, inner)
		default:
			o[k] = v
		}
	}
}

func list(o armwire.Object, kind string) []any {
	all, _ := o["properties"].(armwire.Object)[kind].([]any)
	return all
}

// with adds a child with these properties.
func with(kind, name, properties string) edit {
	return func(o armwire.Object) {
		o["properties"].(armwire.Object)[kind] = append(list(o, kind), armwire.Object{"name": name, "properties": parse(properties)})
	}
}

// change lays patch over a child.
func change(kind, name, patch string) edit {
	return func(o armwire.Object) {
		for _, c := range list(o, kind) {
			if c := c.(armwire.Object); c["name"] == name {
				overlay(c, parse(patch))
			}
		}
	}
}

// drop removes a child, or all of a kind for *.
func drop(kind, name string) edit {
	return func(o armwire.Object) {
		kept := []any{}
		for _, c := range list(o, kind) {
			if n := c.(armwire.Object)["name"]; n != name && name != "*" {
				kept = append(kept, c)
			}
		}
		o["properties"].(armwire.Object)[kind] = kept
	}
}

// many adds n children made from a format with one number.
func many(kind string, n int, properties string) edit {
	return func(o armwire.Object) {
		for i := range n {
			text := properties
			if strings.Contains(text, "%") {
				text = fmt.Sprintf(properties, i+1)
			}
			with(kind, fmt.Sprintf("x%d", i+1), text)(o)
		}
	}
}

const (
	frontends = "frontendIPConfigurations"
	pools     = "backendAddressPools"
	lbRules   = "loadBalancingRules"
	natRules  = "inboundNatRules"
	probes    = "probes"
	nsgRules  = "securityRules"

	onPub = `"frontendIPConfiguration":{"id":"~/loadBalancers/lb/frontendIPConfigurations/pub"},"backendAddressPool":{"id":"~/loadBalancers/lb/backendAddressPools/pool"}`
	onInt = `"frontendIPConfiguration":{"id":"~/loadBalancers/lb/frontendIPConfigurations/int"},"backendAddressPool":{"id":"~/loadBalancers/lb/backendAddressPools/pool"}`
	inNet = `"subnet":{"id":"~/virtualNetworks/vnet/subnets/nodes"}`
	allow = `"direction":"Inbound","access":"Allow","protocol":"Tcp","sourcePortRange":"*","destinationPortRange":"80"`
	newIP = `{"location":"westus","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static"}}`
	newLB = `{"location":"westus","sku":{"name":"Standard"},"properties":{}}`
	newPL = `{"location":"westus","properties":{"loadBalancerFrontendIpConfigurations":[{"id":"~/loadBalancers/served/frontendIPConfigurations/b"}],
		"ipConfigurations":[{"name":"nat","properties":{"primary":true,"subnet":{"id":"~/virtualNetworks/vnet/subnets/nat"}}}]}}`
)

// ruleTests has at least one row per rule: an update of what testdata/world.json holds, a creation, or, without edits, a deletion.
var ruleTests = []struct {
	rule  fake.Rule
	fact  string
	id    string
	code  string
	edits []edit
}{
	{"names", "a frontend name of 81 characters", "loadBalancers/lb", "InvalidResourceName", []edit{with(frontends, strings.Repeat("a", 81), `{`+inNet+`}`)}},
	{"names", "a public IP whose name ends with a hyphen", "publicIPAddresses/x-", "InvalidResourceName", []edit{set(newIP)}},
	{"child-names", "two probes that differ in case only", "loadBalancers/lb", "DuplicateResourceName", []edit{with(probes, "P", `{"protocol":"Tcp","port":1}`)}},
	{"location", "none", "publicIPAddresses/new", "LocationRequired", []edit{set(newIP), set(`{"location":null}`)}},
	{"location", "another one", "publicIPAddresses/free", "InvalidResourceLocation", []edit{set(`{"location":"eastus"}`)}},
	{"tags", "51 of them", "publicIPAddresses/free", "TooManyTags", []edit{func(o armwire.Object) {
		tags := armwire.Object{}
		for i := range 51 {
			tags[fmt.Sprint("k", i)] = ""
		}
		o["tags"] = tags
	}}},
	{"tags", "a key of 513 characters", "publicIPAddresses/free", "InvalidTagNameLength", []edit{set(`{"tags":{"` + strings.Repeat("k", 513) + `":""}}`)}},
	{"tags", "a key with a slash", "publicIPAddresses/free", "InvalidTagNameCharacters", []edit{set(`{"tags":{"a/b":""}}`)}},
	{"tags", "a value of 257 characters", "publicIPAddresses/free", "InvalidTagValueLength", []edit{set(`{"tags":{"k":"` + strings.Repeat("v", 257) + `"}}`)}},
	{"tags", "keys that differ in case only", "publicIPAddresses/free", "DuplicateTagName", []edit{set(`{"tags":{"k":"","K":""}}`)}},
	{"failed-reference", "a public IP whose last operation failed", "loadBalancers/lb", "ReferencedResourceNotProvisioned", []edit{with(frontends, "x", `{"publicIPAddress":{"id":"~/publicIPAddresses/broken"}}`)}},
	{"sku-immutable", "Standard to Basic", "publicIPAddresses/free6", "SkuCannotBeChanged", []edit{set(`{"sku":{"name":"Basic"}}`)}},
	{"basic-sku", "a new public IP", "publicIPAddresses/new", "IPv4BasicSkuPublicIpCountLimitReached", []edit{set(newIP), set(`{"sku":{"name":"Basic"}}`)}},
	{"basic-sku", "a new load balancer", "loadBalancers/new", "BasicSkuLoadBalancerNotAllowed", []edit{set(newLB), set(`{"sku":{"name":"Basic"}}`)}},

	{"frontends-600", "598 more than three", "loadBalancers/lb", "FrontendIPConfigurationCountLimitReached", []edit{many(frontends, 598, `{`+inNet+`}`)}},
	{"no-frontend-no-children", "the last frontend goes", "loadBalancers/lb", "LoadBalancerWithoutFrontendIPCantHaveChildResources", []edit{drop(frontends, "*")}},
	{"no-frontend-no-children", "a pool alone", "loadBalancers/new", "LoadBalancerWithoutFrontendIPCantHaveChildResources", []edit{set(newLB), with(pools, "p", `{}`)}},
	{"frontend-one-source", "neither subnet nor public IP", "loadBalancers/lb", "FrontendIPConfigHasNoSubnetOrPublicIP", []edit{with(frontends, "x", `{}`)}},
	{
		"frontend-one-source", "both", "loadBalancers/lb", "FrontendIPConfigHasBothSubnetAndPublicIP",
		[]edit{with(frontends, "x", `{`+inNet+`,"publicIPAddress":{"id":"~/publicIPAddresses/free6"}}`)},
	},
	{"public-ip-exists", "one that is not there", "loadBalancers/lb", "InvalidResourceReference", []edit{with(frontends, "x", `{"publicIPAddress":{"id":"~/publicIPAddresses/none"}}`)}},
	{
		"public-ip-attached-once", "twice in one load balancer", "loadBalancers/lb", "PublicIPReferencedByMultipleIPConfigs",
		[]edit{with(frontends, "x", `{"publicIPAddress":{"id":"~/publicIPAddresses/WEB"}}`)},
	},
	{"public-ip-attached-once", "that of another load balancer", "loadBalancers/lb", "PublicIPAddressInUse", []edit{with(frontends, "x", `{"publicIPAddress":{"id":"~/publicIPAddresses/free"}}`)}},
	{
		"public-ip-sku", "a Basic public IP", "loadBalancers/lb", "DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed",
		[]edit{with(frontends, "x", `{"publicIPAddress":{"id":"~/publicIPAddresses/basic"}}`)},
	},
	{
		"public-ip-family", "IPv4 with an IPv6 address", "loadBalancers/lb", "IPAddressVersionMismatch",
		[]edit{with(frontends, "x", `{"privateIPAddressVersion":"IPv4","publicIPAddress":{"id":"~/publicIPAddresses/free6"}}`)},
	},
	{
		"ipv6-only", "a public IPv6 frontend alone", "loadBalancers/new", "AtleastOneIpV4RequiredForIpV6LbFrontendIpConfiguration",
		[]edit{set(newLB), with(frontends, "x", `{"publicIPAddress":{"id":"~/publicIPAddresses/free6"}}`)},
	},
	{
		"ipv6-only", "an internal IPv6 frontend alone", "loadBalancers/new", "AtleastOneIpV4RequiredForIpV6LbFrontendIpConfiguration",
		[]edit{set(newLB), with(frontends, "x", `{"privateIPAddressVersion":"IPv6",`+inNet+`}`)},
	},
	{"subnet-exists", "one that is not there", "loadBalancers/lb", "InvalidResourceReference", []edit{with(frontends, "x", `{"subnet":{"id":"~/virtualNetworks/vnet/subnets/none"}}`)}},
	{"private-address-in-subnet", "one of another subnet", "loadBalancers/lb", "PrivateIPAddressNotInSubnet", []edit{static("x", "10.0.1.9", "IPv4")}},
	{"private-address-in-subnet", "one of the other family", "loadBalancers/lb", "PrivateIPAddressNotInSubnet", []edit{static("x", "10.0.0.99", "IPv6")}},
	{"private-address-in-subnet", "no address at all", "loadBalancers/lb", "PrivateIPAddressNotInSubnet", []edit{static("x", "", "IPv4")}},
	{"private-address-reserved", "the fourth", "loadBalancers/lb", "PrivateIPAddressInReservedRange", []edit{static("x", "10.0.0.3", "IPv4")}},
	{"private-address-reserved", "the last", "loadBalancers/lb", "PrivateIPAddressInReservedRange", []edit{static("x", "10.0.0.255", "IPv4")}},
	{
		"private-address-once", "two frontends ask for one", "loadBalancers/lb", "MultipleIpConfigsRequestSamePrivateIpAddress",
		[]edit{static("x", "10.0.0.99", "IPv4"), static("y", "10.0.0.99", "IPv4")},
	},
	{"private-address-taken", "by an interface", "loadBalancers/lb", "PrivateIPAddressIsAllocated", []edit{static("x", "10.0.0.10", "IPv4")}},
	{"private-address-taken", "by a frontend of the same load balancer", "loadBalancers/lb", "PrivateIPAddressIsAllocated", []edit{static("x", "10.0.0.4", "IPv4")}},
	{"private-address-taken", "by a frontend of another one", "loadBalancers/lb", "PrivateIPAddressIsAllocated", []edit{static("x", "10.0.0.5", "IPv4")}},
	{
		"private-address-taken", "by a private link service", "loadBalancers/lb", "PrivateIPAddressIsAllocated",
		[]edit{with(frontends, "x", `{"privateIPAllocationMethod":"Static","privateIPAddress":"10.0.8.4","subnet":{"id":"~/virtualNetworks/vnet/subnets/nat"}}`)},
	},
	{
		"frontend-zones", "of a public frontend", "loadBalancers/lb", "LoadBalancerFrontendIPConfigCannotHaveZoneWhenReferencingPublicIPAddress",
		[]edit{change(frontends, "pub", `{"zones":["1"]}`)},
	},
	{"frontend-zones", "one that the location does not have", "loadBalancers/lb", "InvalidAvailabilityZone", []edit{with(frontends, "x", `{`+inNet+`}`), change(frontends, "x", `{"zones":["4"]}`)}},
	{"frontend-zones", "changed", "loadBalancers/lb", "ResourceAvailabilityZonesCannotBeModified", []edit{change(frontends, "int", `{"zones":["1"]}`)}},
	{
		"one-network", "a frontend in another network", "loadBalancers/lb", "NetworkInterfaceAndInternalLoadBalancerMustUseSameVnet",
		[]edit{with(frontends, "x", `{"subnet":{"id":"~/virtualNetworks/other/subnets/nodes"}}`)},
	},
	{
		"one-network", "a pool in another network", "loadBalancers/lb", "NetworkInterfaceAndInternalLoadBalancerMustUseSameVnet",
		[]edit{with(pools, "x", `{"virtualNetwork":{"id":"~/virtualNetworks/other"}}`)},
	},

	{"references", "a frontend that is not there", "loadBalancers/lb", "InvalidResourceReference", []edit{drop(frontends, "pub")}},
	{"references", "a pool that is not there", "loadBalancers/lb", "InvalidResourceReference", []edit{drop(pools, "pool")}},
	{"references", "a probe that is not there", "loadBalancers/lb", "InvalidResourceReference", []edit{drop(probes, "p")}},
	{"references", "an outbound rule's frontend", "loadBalancers/lb", "InvalidResourceReference", []edit{drop(lbRules, "web"), drop(natRules, "ssh"), drop(frontends, "pub")}},
	{"references", "a NAT rule's frontend", "loadBalancers/lb", "InvalidResourceReference", []edit{drop(lbRules, "web"), drop("outboundRules", "out"), drop(frontends, "pub")}},
	{
		"references", "a frontend of another load balancer", "loadBalancers/lb", "InvalidResourceReference",
		[]edit{change(lbRules, "web", `{"properties":{"frontendIPConfiguration":{"id":"~/loadBalancers/served/frontendIPConfigurations/a"}}}`)},
	},
	{"references", "a rule without a frontend", "loadBalancers/lb", "MissingFrontendIPConfiguration", []edit{change(lbRules, "web", `{"properties":{"frontendIPConfiguration":null}}`)}},
	{
		"references", "the network of a pool", "loadBalancers/lb", "InvalidResourceReference",
		[]edit{drop(lbRules, "plain"), drop(frontends, "int"), with(pools, "x", `{"virtualNetwork":{"id":"~/virtualNetworks/none"}}`)},
	},
	{"references", "a pool deleted by itself that a rule uses", "loadBalancers/lb/backendAddressPools/pool", "InvalidResourceReference", nil},
	{
		"rules-1500", "1,498 more than three", "loadBalancers/lb", "LoadBalancingRulesCountLimitReached",
		[]edit{many(lbRules, 1498, `{`+onPub+`,"protocol":"Udp","frontendPort":%[1]d,"backendPort":%[1]d,"enableFloatingIP":true}`)},
	},
	{
		"frontend-port-unique", "same port and protocol", "loadBalancers/lb", "RulesUseSameFrontendPortProtocolAndIPConfig",
		[]edit{with(lbRules, "x", `{`+onPub+`,"protocol":"tcp","frontendPort":80,"backendPort":1,"enableFloatingIP":true}`)},
	},
	{
		"frontend-port-unique", "the port of a NAT rule", "loadBalancers/lb", "RulesUseSameFrontendPortProtocolAndIPConfig",
		[]edit{with(lbRules, "x", `{`+onPub+`,"protocol":"Tcp","frontendPort":22,"backendPort":22,"enableFloatingIP":true}`)},
	},
	{
		"frontend-port-unique", "a rule of every port beside another", "loadBalancers/lb", "RulesUseSameFrontendPortProtocolAndIPConfig",
		[]edit{with(lbRules, "x", `{`+onInt+`,"protocol":"All","frontendPort":0,"backendPort":0,"enableFloatingIP":true}`)},
	},
	{"frontend-port-unique", "another beside a rule of every port", "loadBalancers/lb", "RulesUseSameFrontendPortProtocolAndIPConfig", []edit{
		drop(lbRules, "plain"),
		with(lbRules, "x", `{`+onInt+`,"protocol":"All","frontendPort":0,"backendPort":0,"enableFloatingIP":true}`),
		with(lbRules, "y", `{`+onInt+`,"protocol":"Udp","frontendPort":53,"backendPort":53,"enableFloatingIP":true}`),
	}},
	{
		"backend-port-unique", "same backend port on another frontend", "loadBalancers/lb", "RulesUseSameBackendPortProtocolAndPool",
		[]edit{with(lbRules, "x", `{`+onPub+`,"protocol":"Tcp","frontendPort":81,"backendPort":8080,"enableFloatingIP":false}`)},
	},
	{"rule-ranges", "idle timeout of 3", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(lbRules, "web", `{"properties":{"idleTimeoutInMinutes":3}}`)}},
	{"rule-ranges", "idle timeout of 101", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(lbRules, "web", `{"properties":{"idleTimeoutInMinutes":101}}`)}},
	{"rule-ranges", "frontend port 65535", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(lbRules, "web", `{"properties":{"frontendPort":65535}}`)}},
	{"rule-ranges", "port 0 with Tcp", "loadBalancers/lb", "InvalidRequestFormat", []edit{drop(natRules, "ssh"), change(lbRules, "web", `{"properties":{"frontendPort":0}}`)}},
	{"rule-ranges", "protocol Sctp", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(lbRules, "web", `{"properties":{"protocol":"Sctp"}}`)}},
	{"protocol-all-with-port", "port 80", "loadBalancers/lb", "LoadBalancingRuleProtocolAllRequiresPortZero", []edit{change(lbRules, "plain", `{"properties":{"protocol":"All"}}`)}},
	{
		"ha-ports-internal", "on a public frontend", "loadBalancers/lb", "HAPortsRuleNotAllowedOnPublicFrontend",
		[]edit{drop(natRules, "ssh"), change(lbRules, "web", `{"properties":{"protocol":"All","frontendPort":0,"backendPort":0}}`)},
	},
	{"probe-ranges", "interval of 4", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(probes, "p", `{"properties":{"intervalInSeconds":4}}`)}},
	{"probe-ranges", "port 0", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(probes, "p", `{"properties":{"port":0}}`)}},
	{"probe-ranges", "Http without a path", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(probes, "p", `{"properties":{"protocol":"Http"}}`)}},
	{"probe-ranges", "Tcp with a path", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(probes, "p", `{"properties":{"requestPath":"/"}}`)}},
	{"probe-ranges", "threshold 0", "loadBalancers/lb", "InvalidRequestFormat", []edit{change(probes, "p", `{"properties":{"probeThreshold":0}}`)}},
	{
		"pool-members", "no address", "loadBalancers/lb/backendAddressPools/pool", "InvalidRequestFormat",
		[]edit{set(`{"properties":{"loadBalancerBackendAddresses":[{"name":"x","properties":{"ipAddress":"x"}}]}}`)},
	},
	{
		"pool-members", "an address twice", "loadBalancers/lb/backendAddressPools/pool", "DuplicateBackendAddress",
		[]edit{set(`{"properties":{"loadBalancerBackendAddresses":[{"name":"x","properties":{"ipAddress":"10.0.0.9"}},{"name":"y","properties":{"ipAddress":"10.0.0.9"}}]}}`)},
	},
	{"pool-members", "no network", "loadBalancers/lb/backendAddressPools/pool", "InvalidRequestFormat", []edit{set(`{"properties":{"virtualNetwork":null}}`)}},
	{"frontend-used-by-service", "removed", "loadBalancers/served", "FrontendIPConfigurationInUseByPrivateLinkService", []edit{drop(lbRules, "a-80"), drop(frontends, "a")}},
	{"frontend-used-by-service", "deleted with its load balancer", "loadBalancers/served", "FrontendIPConfigurationInUseByPrivateLinkService", nil},
	{"used-by-scale-set", "deleted, named by a model", "loadBalancers/scaled", "LoadBalancerInUseByVirtualMachineScaleSet", nil},
	{"used-by-scale-set", "deleted, with an instance in a pool", "loadBalancers/second", "LoadBalancerInUseByVirtualMachineScaleSet", nil},
	{"used-by-scale-set", "a pool dropped that a model names", "loadBalancers/third", "LoadBalancerInUseByVirtualMachineScaleSet", []edit{drop(pools, "model")}},
	{"used-by-scale-set", "a pool dropped that an instance is in", "loadBalancers/second", "LoadBalancerInUseByVirtualMachineScaleSet", []edit{drop(pools, "p")}},
	{"used-by-scale-set", "a pool deleted that an instance is in", "loadBalancers/second/backendAddressPools/p", "LoadBalancerInUseByVirtualMachineScaleSet", nil},

	{"public-ip-version-immutable", "IPv6 to IPv4", "publicIPAddresses/free6", "PublicIPAddressVersionCannotBeChanged", []edit{set(`{"properties":{"publicIPAddressVersion":"IPv4"}}`)}},
	{
		"public-ip-prefix-immutable", "given one", "publicIPAddresses/free", "PublicIPPrefixOfPublicIPAddressCannotBeChanged",
		[]edit{set(`{"properties":{"publicIPPrefix":{"id":"~/publicIPPrefixes/pfx"}}}`)},
	},
	{"public-ip-zones", "given some", "publicIPAddresses/free", "ResourceAvailabilityZonesCannotBeModified", []edit{set(`{"zones":["1"]}`)}},
	{"public-ip-zones", "one that the location does not have", "publicIPAddresses/new", "InvalidAvailabilityZone", []edit{set(newIP), set(`{"zones":["4"]}`)}},
	{"public-ip-zones", "of SKU Basic", "publicIPAddresses/basic", "ZonesNotAllowedInBasicSkuResource", []edit{set(`{"zones":["1"]}`)}},
	{"public-ip-tags-immutable", "taken away", "publicIPAddresses/tagged", "PublicIPAddressIpTagsCannotBeChanged", []edit{set(`{"properties":{"ipTags":[]}}`)}},
	{"public-ip-static", "Dynamic", "publicIPAddresses/new", "StandardSkuPublicIPAddressesMustBeStatic", []edit{set(newIP), set(`{"properties":{"publicIPAllocationMethod":"Dynamic"}}`)}},
	{"public-ip-static", "Static to Dynamic", "publicIPAddresses/free", "StandardSkuPublicIPAddressesMustBeStatic", []edit{set(`{"properties":{"publicIPAllocationMethod":"Dynamic"}}`)}},
	{"public-ip-ranges", "idle timeout of 31", "publicIPAddresses/free", "InvalidRequestFormat", []edit{set(`{"properties":{"idleTimeoutInMinutes":31}}`)}},
	{"prefix-exists", "one that is not there", "publicIPAddresses/new", "InvalidResourceReference", []edit{set(newIP), set(`{"properties":{"publicIPPrefix":{"id":"~/publicIPPrefixes/none"}}}`)}},
	{
		"prefix-exists", "of the other family", "publicIPAddresses/new", "PublicIPAddressAndPublicIPPrefixMismatch",
		[]edit{set(newIP), set(`{"properties":{"publicIPAddressVersion":"IPv6","publicIPPrefix":{"id":"~/publicIPPrefixes/pfx"}}}`)},
	},
	{"dns-label", "with a dot", "publicIPAddresses/free", "InvalidDomainNameLabel", []edit{set(`{"properties":{"dnsSettings":{"domainNameLabel":"a.b"}}}`)}},
	{"dns-label-unique", "that of another", "publicIPAddresses/free", "DnsRecordInUse", []edit{set(`{"properties":{"dnsSettings":{"domainNameLabel":"web"}}}`)}},
	{"public-ip-in-use", "on a frontend", "publicIPAddresses/web", "PublicIPAddressCannotBeDeleted", nil},
	{"prefix-in-use", "with an address", "publicIPPrefixes/pfx", "PublicIPPrefixInUse", nil},

	{
		"security-rules-1000", "a thousand more than one", "networkSecurityGroups/nsg", "MaxNumberOfSecurityRulesPerNsgReached",
		[]edit{many(nsgRules, 1000, `{"priority":%d,`+allow+`,"sourceAddressPrefix":"*","destinationAddressPrefix":"*"}`)},
	},
	{"security-addresses-4000", "4,000 more sources than one", "networkSecurityGroups/nsg", "SecurityRuleAddressesOrPortsPerSecurityGroupLimitReached", []edit{func(o armwire.Object) {
		var sources []any
		for i := range 4000 {
			sources = append(sources, fmt.Sprintf("10.%d.%d.0/24", i/250, i%250))
		}
		rule := parse(`{"priority":600,` + allow + `,"destinationAddressPrefix":"*"}`)
		rule["sourceAddressPrefixes"] = sources
		o["properties"].(armwire.Object)[nsgRules] = append(list(o, nsgRules), armwire.Object{"name": "x", "properties": rule})
	}}},
	{"security-priority", "99", "networkSecurityGroups/nsg", "SecurityRuleInvalidPriority", []edit{change(nsgRules, "web", `{"properties":{"priority":99}}`)}},
	{"security-priority", "4097", "networkSecurityGroups/nsg", "SecurityRuleInvalidPriority", []edit{change(nsgRules, "web", `{"properties":{"priority":4097}}`)}},
	{
		"security-priority-unique", "that of another", "networkSecurityGroups/nsg/securityRules/x", "SecurityRuleConflict",
		[]edit{set(`{"properties":{"priority":500,` + allow + `,"sourceAddressPrefix":"*","destinationAddressPrefix":"*"}}`)},
	},
	{"security-values", "an unknown access", "networkSecurityGroups/nsg/securityRules/web", "InvalidRequestFormat", []edit{set(`{"properties":{"access":"Maybe"}}`)}},
	{
		"security-values", "a description of 141 characters", "networkSecurityGroups/nsg/securityRules/web", "SecurityRuleInvalidDescription",
		[]edit{set(`{"properties":{"description":"` + strings.Repeat("d", 141) + `"}}`)},
	},
	{"security-source", "empty", "networkSecurityGroups/nsg/securityRules/web", "SecurityRuleParameterMissing", []edit{set(`{"properties":{"sourceAddressPrefix":""}}`)}},
	{"security-source", "both fields", "networkSecurityGroups/nsg/securityRules/web", "SecurityRuleParameterConflict", []edit{set(`{"properties":{"sourceAddressPrefixes":["10.0.0.0/8"]}}`)}},
	{
		"security-source", "a service tag in a list", "networkSecurityGroups/nsg/securityRules/web", "SecurityRuleParameterContainsUnsupportedValue",
		[]edit{set(`{"properties":{"sourceAddressPrefix":null,"sourceAddressPrefixes":["10.0.0.0/8","AzureCloud"]}}`)},
	},
	{"security-source", "bits behind the prefix", "networkSecurityGroups/nsg/securityRules/web", "SecurityRuleInvalidAddressPrefix", []edit{set(`{"properties":{"sourceAddressPrefix":"10.0.0.1/8"}}`)}},
	{"security-destination", "empty", "networkSecurityGroups/nsg/securityRules/web", "SecurityRuleParameterMissing", []edit{set(`{"properties":{"destinationAddressPrefix":null}}`)}},
	{"security-ports", "none", "networkSecurityGroups/nsg/securityRules/web", "SecurityRuleParameterMissing", []edit{set(`{"properties":{"destinationPortRanges":[]}}`)}},
	{"security-ports", "backwards", "networkSecurityGroups/nsg/securityRules/web", "SecurityRuleInvalidPortRange", []edit{set(`{"properties":{"destinationPortRanges":["9-1"]}}`)}},
	{"security-group-in-use", "of a subnet", "networkSecurityGroups/nsg", "InUseNetworkSecurityGroupCannotBeDeleted", nil},

	{
		"subnet-group-exists", "one that is not there", "virtualNetworks/vnet/subnets/small", "InvalidResourceReference",
		[]edit{set(`{"properties":{"networkSecurityGroup":{"id":"~/networkSecurityGroups/none"}}}`)},
	},
	{"subnet-in-use", "deleted", "virtualNetworks/vnet/subnets/nodes", "InUseSubnetCannotBeDeleted", nil},
	{"subnet-in-use", "deleted with its network", "virtualNetworks/vnet", "InUseSubnetCannotBeDeleted", nil},
	{"subnet-in-use", "moved", "virtualNetworks/vnet/subnets/nodes", "InUsePrefixCannotBeDeleted", []edit{set(`{"properties":{"addressPrefixes":["10.0.5.0/24","fd00::/64"]}}`)}},
	{
		"subnet-policy-in-use", "switched on", "virtualNetworks/vnet/subnets/nat", "PrivateLinkServiceNetworkPoliciesCannotBeEnabledOnPrivateLinkServiceSubnet",
		[]edit{set(`{"properties":{"privateLinkServiceNetworkPolicies":"Enabled"}}`)},
	},
	{
		"interface-pools", "one that is not there", "networkInterfaces/nic", "InvalidResourceReference",
		[]edit{change("ipConfigurations", "ip", `{"properties":{"loadBalancerBackendAddressPools":[{"id":"~/loadBalancers/lb/backendAddressPools/none"}]}}`)},
	},
	{
		"interface-pool-kind", "a pool of addresses", "networkInterfaces/nic", "CannotMixIPBasedAddressesAndIPConfigurationsOnLoadBalancerBackendAddressPool",
		[]edit{change("ipConfigurations", "ip", inPool("ip", "p"))},
	},
	{
		"interface-pool-kind", "a pool of addresses, by an instance", "scaleSets/uni/virtualMachines/0", "CannotMixIPBasedAddressesAndIPConfigurationsOnLoadBalancerBackendAddressPool",
		[]edit{set(`{"properties":{"networkProfileConfiguration":` + interfaces("ip", "p") + `}}`)},
	},
	{
		"pool-of-one-kind", "addresses beside interfaces", "loadBalancers/served/backendAddressPools/nics", "CannotMixIPBasedAddressesAndIPConfigurationsOnLoadBalancerBackendAddressPool",
		[]edit{set(`{"properties":{"virtualNetwork":{"id":"~/virtualNetworks/vnet"},"loadBalancerBackendAddresses":[{"name":"n","properties":{"ipAddress":"10.0.0.77"}}]}}`)},
	},
	{
		"one-balancer-of-a-kind", "a second internal one", "networkInterfaces/nic", "AnotherInternalLoadBalancerExists",
		[]edit{change("ipConfigurations", "ip", `{"properties":{"loadBalancerBackendAddressPools":[{"id":"~/loadBalancers/served/backendAddressPools/nics"},{"id":"~/loadBalancers/second/backendAddressPools/p"}]}}`)},
	},
	{
		"one-balancer-of-a-kind", "the model of a scale set", "scaleSets/uni", "VMScaleSetCannotUseMultipleLoadBalancersOfSameType",
		[]edit{set(`{"properties":{"virtualMachineProfile":{"networkProfile":` + interfaces("served", "nics", "second", "p") + `}}}`)},
	},
	{
		"rules-per-interface", "301 of one load balancer", "loadBalancers/second", "LoadBalancerRuleCountLimitReachedForNic",
		[]edit{many(lbRules, 301, `{"frontendIPConfiguration":{"id":"~/loadBalancers/second/frontendIPConfigurations/f"},"backendAddressPool":{"id":"~/loadBalancers/second/backendAddressPools/p"},
			"protocol":"Tcp","frontendPort":%[1]d,"backendPort":%[1]d}`)},
	},
	{
		"scale-set-pools", "one that is not there", "scaleSets/uni", "InvalidResourceReference",
		[]edit{set(`{"properties":{"virtualMachineProfile":{"networkProfile":` + interfaces("served", "none") + `}}}`)},
	},
	{"busy", "a network interface on its way out", "networkInterfaces/leaving", "OperationNotAllowed", []edit{set(`{"tags":{"a":"b"}}`)}},
	{
		"busy", "an instance on its way out", "scaleSets/uni/virtualMachines/2", "OperationNotAllowed",
		[]edit{set(`{"properties":{"networkProfileConfiguration":` + interfaces() + `}}`)},
	},
	{"busy", "an instance being changed", "scaleSets/uni/virtualMachines/1", "AnotherOperationInProgress", []edit{set(`{"tags":{"a":"b"}}`)}},
	{"interface-in-use", "of a virtual machine", "networkInterfaces/nic", "NicInUse", nil},

	{"service-frontends", "none", "privateLinkServices/new", "PrivateLinkServiceWithoutFrontend", []edit{set(newPL), set(`{"properties":{"loadBalancerFrontendIpConfigurations":[]}}`)}},
	{
		"service-frontends", "one that is not there", "privateLinkServices/new", "InvalidResourceReference",
		[]edit{set(newPL), set(`{"properties":{"loadBalancerFrontendIpConfigurations":[{"id":"~/loadBalancers/served/frontendIPConfigurations/none"}]}}`)},
	},
	{
		"service-frontends", "that of another", "privateLinkServices/new", "FrontendIPConfigurationInUseByPrivateLinkService",
		[]edit{set(newPL), set(`{"properties":{"loadBalancerFrontendIpConfigurations":[{"id":"~/loadBalancers/served/frontendIPConfigurations/a"}]}}`)},
	},
	{
		"service-load-balancer", "with an IPv6 frontend", "privateLinkServices/new", "PrivateLinkServiceNotSupportedWithIPv6Frontend",
		[]edit{set(newPL), set(`{"properties":{"loadBalancerFrontendIpConfigurations":[{"id":"~/loadBalancers/lb/frontendIPConfigurations/int"}]}}`)},
	},
	{
		"service-on-ip-pool", "a pool of addresses", "privateLinkServices/new", "PrivateLinkServiceIsNotSupportedForIPBasedLoadBalancer",
		[]edit{set(newPL), set(`{"properties":{"loadBalancerFrontendIpConfigurations":[{"id":"~/loadBalancers/ip/frontendIPConfigurations/f"}]}}`)},
	},
	{
		"service-on-floating-ip", "a public frontend", "privateLinkServices/new", "PrivateLinkServiceIsNotSupportedWithFloatingIP",
		[]edit{set(newPL), set(`{"properties":{"loadBalancerFrontendIpConfigurations":[{"id":"~/loadBalancers/served/frontendIPConfigurations/c"}]}}`)},
	},
	{"service-nat", "no primary address", "privateLinkServices/new", "PrivateLinkServicePrimaryIPConfigurationInvalid", []edit{set(newPL), change("ipConfigurations", "nat", `{"properties":{"primary":false}}`)}},
	{
		"service-nat", "nine addresses", "privateLinkServices/new", "PrivateLinkServiceIPConfigurationCountInvalid",
		[]edit{set(newPL), many("ipConfigurations", 8, `{"subnet":{"id":"~/virtualNetworks/vnet/subnets/nat"}}`)},
	},
	{
		"service-nat", "a subnet with network policies", "privateLinkServices/new", "PrivateLinkServiceCannotBeCreatedInSubnetThatHasNetworkPoliciesEnabled",
		[]edit{set(newPL), change("ipConfigurations", "nat", `{"properties":{`+inNet+`}}`)},
	},
	{
		"service-frontend-immutable", "moved", "privateLinkServices/svc", "PrivateLinkServiceFrontendCannotBeChanged",
		[]edit{set(`{"properties":{"loadBalancerFrontendIpConfigurations":[{"id":"~/loadBalancers/served/frontendIPConfigurations/b"}]}}`)},
	},
	{"service-subscription", "the 801st", "privateLinkServices/new", "PrivateLinkServicesPerSubscriptionLimitReached", []edit{set(newPL)}},
	{"service-connected", "deleted", "privateLinkServices/svc", "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted", nil},
}

func static(name, addr, version string) edit {
	return with(frontends, name, `{"privateIPAllocationMethod":"Static","privateIPAddressVersion":"`+version+`","privateIPAddress":"`+addr+`",`+inNet+`}`)
}

// inPool is an IP configuration in one pool.
func inPool(balancer, pool string) string {
	return `{"properties":{"loadBalancerBackendAddressPools":[{"id":"~/loadBalancers/` + balancer + `/backendAddressPools/` + pool + `"}]}}`
}

// interfaces are those of an instance or model in pools, given as names of load balancers and pools.
func interfaces(pools ...string) string {
	var refs []string
	for i := 0; i < len(pools); i += 2 {
		refs = append(refs, `{"id":"~/loadBalancers/`+pools[i]+`/backendAddressPools/`+pools[i+1]+`"}`)
	}
	return `{"networkInterfaceConfigurations":[{"name":"nic","properties":{"primary":true,"ipConfigurations":[{"name":"ip","properties":{"primary":true,"privateIPAddress":"10.0.0.30",` + inNet + `,
		"loadBalancerBackendAddressPools":[` + strings.Join(refs, ",") + `]}}]}}]}`
}

func uniInstance(number, state string, pools ...string) string {
	return `{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/uni/virtualMachines/` + number + `","instanceId":"` + number + `","location":"westus",
		"properties":{"provisioningState":"` + state + `","networkProfileConfiguration":` + interfaces(pools...) + `,"instanceView":{"statuses":[{"code":"PowerState/running"}]}}}`
}

// TestRules asks each row twice: with the rule it is refused with the code of the row, and without the rule it is not.
func TestRules(t *testing.T) {
	for _, tt := range ruleTests {
		t.Run(string(tt.rule)+"/"+tt.fact, func(t *testing.T) {
			cloud := prepared(t)
			if tt.rule == "service-subscription" {
				crowd(t, cloud)
			}
			before := dump(t, cloud)
			err := write(t, cloud, tt.id, tt.edits)
			refusal, ok := errors.AsType[*provider.OpError](err)
			if !ok || refusal.Code != tt.code || refusal.Kind == 0 || refusal.Status < 400 {
				t.Fatalf("got %v, want %s", err, tt.code)
			}
			if after := dump(t, cloud); after != before {
				t.Error("a refused write changed the state")
			}
			without := prepared(t, tt.rule)
			if tt.rule == "service-subscription" {
				crowd(t, without)
			}
			if err := write(t, without, tt.id, tt.edits); err != nil && strings.Contains(err.Error(), tt.code) {
				t.Errorf("without the rule: %v", err)
			}
		})
	}
}

// prepared is the world with what single rows need beside it.
func prepared(t *testing.T, waive ...fake.Rule) *fake.Cloud {
	t.Helper()
	cloud := world(t, waive...)
	put(t, cloud, "loadBalancers/ip", `{"location":"westus","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{`+inNet+`}}],
		"backendAddressPools":[{"name":"p","properties":{"virtualNetwork":{"id":"~/virtualNetworks/vnet"},"loadBalancerBackendAddresses":[{"name":"n","properties":{"ipAddress":"10.0.0.10"}}]}}]}}`)
	put(t, cloud, "publicIPAddresses/broken", `{"location":"westus","sku":{"name":"Standard"},"properties":{"publicIPAllocationMethod":"Static","provisioningState":"Failed"}}`)
	put(t, cloud, "loadBalancers/scaled", `{"location":"westus","sku":{"name":"Standard"},"properties":{}}`)
	put(t, cloud, "loadBalancers/second", `{"location":"westus","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{`+inNet+`}}],"backendAddressPools":[{"name":"p","properties":{}}]}}`)
	put(t, cloud, "networkInterfaces/other", `{"location":"westus","properties":{"ipConfigurations":[{"name":"ip","properties":{"primary":true,"privateIPAddress":"10.0.0.20","privateIPAllocationMethod":"Static",`+inNet+`}}]}}`)
	put(t, cloud, "networkInterfaces/leaving", `{"location":"westus","properties":{"provisioningState":"Deleting","ipConfigurations":[{"name":"ip","properties":{"privateIPAddress":"10.0.0.21","privateIPAllocationMethod":"Static",`+inNet+`}}]}}`)
	put(t, cloud, "loadBalancers/third", `{"location":"westus","sku":{"name":"Standard"},"properties":{"frontendIPConfigurations":[{"name":"f","properties":{`+inNet+`}}],"backendAddressPools":[{"name":"model","properties":{}},{"name":"free","properties":{}}]}}`)
	put(t, cloud, "scaleSets/flex", `{"location":"westus","properties":{"orchestrationMode":"Flexible","virtualMachineProfile":{"networkProfile":`+interfaces("third", "model")+`}}}`)
	put(t, cloud, "scaleSets/uni", `{"location":"westus","sku":{"name":"Standard_D2s_v5","capacity":3},"properties":{"virtualMachineProfile":{"networkProfile":`+interfaces()+`},
		"simVirtualMachines":[`+uniInstance("0", "Succeeded", "second", "p")+`,`+uniInstance("1", "Updating")+`,`+uniInstance("2", "Deleting", "second", "p")+`]}}`)
	put(t, cloud, "privateLinkServices/svc/privateEndpointConnections/pe", `{"properties":{"privateLinkServiceConnectionState":{"status":"Approved"}}}`)
	return cloud
}

// crowd gives the subscription all private link services that it can have.
func crowd(t *testing.T, cloud *fake.Cloud) {
	t.Helper()
	for n := range 800 - 1 { // one is in the world
		put(t, cloud, fmt.Sprintf("privateLinkServices/crowd-%d", n), `{"location":"westus","properties":{}}`)
	}
}

func put(t *testing.T, cloud *fake.Cloud, path, body string) {
	t.Helper()
	if err := cloud.Put(network(path), parse(body)); err != nil {
		t.Fatal(err)
	}
}

// write edits what is at path, or an empty body, and writes it; without edits it deletes.
func write(t *testing.T, cloud *fake.Cloud, path string, edits []edit) error {
	t.Helper()
	id := network(path)
	if edits == nil {
		_, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodDelete, ID: id})
		return err
	}
	body := armwire.Object{"properties": armwire.Object{}}
	if answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: id}); err == nil {
		body = answer.Body
	}
	for _, e := range edits {
		e(body)
	}
	_, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodPut, ID: id, Body: body})
	return err
}

// TestInterfaceJoinsFullLoadBalancer: the rules of a load balancer count for whoever joins it, too.
func TestInterfaceJoinsFullLoadBalancer(t *testing.T) {
	for n, code := range map[int]string{300: "", 301: "LoadBalancerRuleCountLimitReachedForNic"} {
		cloud := prepared(t)
		full, _ := cloud.Body(network("loadBalancers/second"))
		for _, in := range cloud.IDs() {
			if in.Is(armid.ScaleSetInstances) {
				if err := cloud.Delete(in); err != nil {
					t.Fatal(err)
				}
			}
		}
		many(lbRules, n, `{"frontendIPConfiguration":{"id":"~/loadBalancers/second/frontendIPConfigurations/f"},"backendAddressPool":{"id":"~/loadBalancers/second/backendAddressPools/p"},"protocol":"Tcp","frontendPort":%[1]d,"backendPort":%[1]d}`)(full)
		if err := cloud.Put(network("loadBalancers/second"), full); err != nil {
			t.Fatal(err)
		}
		if err := write(t, cloud, "networkInterfaces/other", []edit{change("ipConfigurations", "ip", inPool("second", "p"))}); codeOf(err) != code {
			t.Errorf("%d rules: got %v, want %q", n, err, code)
		}
	}
}

func TestEveryRuleHasATest(t *testing.T) {
	tested := map[fake.Rule]bool{}
	for _, tt := range ruleTests {
		tested[tt.rule] = true
	}
	for _, name := range fake.Rules() {
		if !tested[name] {
			t.Errorf("rule %s has no row", name)
		}
	}
}

// TestAllowed are writes close to what rules refuse.
func TestAllowed(t *testing.T) {
	for _, tt := range []struct {
		fact, id string
		edits    []edit
	}{
		{"same port, other protocol", "loadBalancers/lb", []edit{with(lbRules, "x", `{`+onPub+`,"protocol":"Udp","frontendPort":80,"backendPort":80,"enableFloatingIP":true}`)}},
		{"every port of an internal frontend", "loadBalancers/lb", []edit{drop(lbRules, "plain"), with(lbRules, "x", `{`+onInt+`,"protocol":"All","frontendPort":0,"backendPort":0,"enableFloatingIP":true}`)}},
		{"an address that another frontend gives up in the same write", "loadBalancers/lb", []edit{drop(lbRules, "plain"), drop(frontends, "int"), static("x", "10.0.0.4", "IPv4")}},
		{"a dynamic frontend pinned to the address it has", "loadBalancers/lb", []edit{change(frontends, "int", `{"properties":{"privateIPAllocationMethod":"Static","privateIPAddress":"10.0.0.4"}}`)}},
		{"the last address of an IPv6 prefix", "loadBalancers/lb", []edit{static("x", "fd00::ffff:ffff:ffff:ffff", "IPv6")}},
		{"a public IP moved between frontends of one load balancer", "loadBalancers/lb", []edit{
			drop(lbRules, "web"), drop(natRules, "ssh"), drop("outboundRules", "out"), drop(frontends, "pub"),
			with(frontends, "x", `{"publicIPAddress":{"id":"~/publicIPAddresses/web"}}`),
		}},
		{
			"the same priority in the other direction", "networkSecurityGroups/nsg/securityRules/x",
			[]edit{set(`{"properties":{"priority":500,` + allow + `,"sourceAddressPrefix":"*","destinationAddressPrefix":"*"}}`), set(`{"properties":{"direction":"Outbound"}}`)},
		},
		{"a first-party IP tag", "publicIPAddresses/free", []edit{set(`{"properties":{"ipTags":[{"ipTagType":"FirstPartyUsage","tag":"/x"}]}}`)}},
		{"a free address deleted", "publicIPAddresses/free6", nil},
		{"an unused subnet deleted", "virtualNetworks/vnet/subnets/small", nil},
		{"an empty load balancer", "loadBalancers/new", []edit{set(newLB)}},
		{"a private link service on interfaces", "privateLinkServices/new", []edit{set(newPL)}},
		{"a pool dropped that nothing of a scale set is in", "loadBalancers/third", []edit{drop(pools, "free")}},
		{"such a pool deleted by itself", "loadBalancers/third/backendAddressPools/free", nil},
		{"a load balancer with a pool of an instance, written as it is", "loadBalancers/second", []edit{set(`{"tags":{"a":"b"}}`)}},
		{"an instance beside one on its way out", "scaleSets/uni/virtualMachines/0", []edit{set(`{"properties":{"networkProfileConfiguration":` + interfaces() + `}}`)}},
		{"the model of a scale set with an instance on its way out", "scaleSets/uni", []edit{set(`{"tags":{"a":"b"}}`)}},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			if err := write(t, prepared(t), tt.id, tt.edits); err != nil {
				t.Error(err)
			}
		})
	}
}
