package statediff

import (
	"slices"
	"strings"
)

// readOnly lists what a client cannot write, by resource type without its provider in lower case; the empty type holds for all. A path steps
// through lists with [].
var readOnly = map[string][]string{
	"": {
		"type", "etag", "properties.resourceGuid", "properties.provisioningState",
	},
	"loadbalancers": {
		"properties.frontendIPConfigurations[].properties.loadBalancingRules",
		"properties.frontendIPConfigurations[].properties.outboundRules",
		"properties.frontendIPConfigurations[].properties.inboundNatRules",
		"properties.frontendIPConfigurations[].properties.inboundNatPools",
		"properties.backendAddressPools[].properties.backendIPConfigurations",
		"properties.backendAddressPools[].properties.loadBalancingRules",
		"properties.backendAddressPools[].properties.outboundRule",
		"properties.backendAddressPools[].properties.outboundRules",
		"properties.backendAddressPools[].properties.inboundNatRules",
		"properties.probes[].properties.loadBalancingRules",
		"properties.inboundNatRules[].properties.backendIPConfiguration",
	},
	"publicipaddresses": {"properties.ipConfiguration", "properties.natGateway", "properties.dnsSettings.fqdn"},
	"publicipprefixes": {
		"properties.ipPrefix", "properties.publicIPAddresses", "properties.loadBalancerFrontendIpConfiguration",
		"properties.prefixLength", // written once by whoever made the prefix; the seeds leave it out
	},
	"networksecuritygroups": {"properties.subnets", "properties.networkInterfaces", "properties.defaultSecurityRules"},
	"virtualnetworks":       {"properties.subnets[].properties.ipConfigurations", "properties.subnets[].properties.privateEndpoints"},
	"networkinterfaces":     {"properties.virtualMachine", "properties.macAddress", "properties.nicType"},
	"privatelinkservices": {
		"properties.alias", "properties.networkInterfaces", "properties.privateEndpointConnections[].properties.linkIdentifier",
	},
	"availabilitysets": {"properties.virtualMachines"},
	"virtualmachines":  {"properties.vmId"},
	// Instances, which ARM lists elsewhere, are in their scale set in the recordings. Pools are written at each.
	"virtualmachinescalesets": {
		"properties.simVirtualMachines[].properties.instanceView", "properties.simVirtualMachines[].properties.latestModelApplied",
	},
}

// plurals maps a field to the list it is the singular of; both name one set of values.
var plurals = map[string]string{
	"sourceAddressPrefix":      "sourceAddressPrefixes",
	"destinationAddressPrefix": "destinationAddressPrefixes",
	"sourcePortRange":          "sourcePortRanges",
	"destinationPortRange":     "destinationPortRanges",
	"addressPrefix":            "addressPrefixes",
	"backendAddressPool":       "backendAddressPools",
}

// managedRule is how the names of security rules begin whose priorities are anyone's choice.
const managedRule = "k8s-azure-lb"

// normal returns a resource with only what is compared. It changes its argument.
func normal(resource map[string]any) map[string]any {
	typ := strings.ToLower(resourceType(resource))
	for _, path := range slices.Concat(readOnly[""], readOnly[typ]) {
		remove(resource, strings.Split(path, "."))
	}
	prune(resource, true)
	if typ == "loadbalancers" {
		dropInterfaceMembers(resource)
	}
	if typ == "networksecuritygroups" {
		for _, rule := range objects(resource, "properties", "securityRules") {
			if name, _ := rule["name"].(string); strings.HasPrefix(name, managedRule) {
				remove(rule, []string{"properties", "priority"})
			}
		}
	}
	return resource
}

// resourceType returns the type of a resource without its provider, as its id spells it.
func resourceType(resource map[string]any) string {
	id, _ := resource["id"].(string)
	if seg := strings.Split(id, "/"); len(seg) > 7 {
		return seg[7]
	}
	return ""
}

// remove deletes what path names; a step that ends in [] goes into every element of a list.
func remove(v any, path []string) {
	m, ok := v.(map[string]any)
	if !ok {
		return
	}
	step, isList := strings.CutSuffix(path[0], "[]")
	switch {
	case len(path) == 1:
		delete(m, step)
	case isList:
		list, _ := m[step].([]any)
		for _, e := range list {
			remove(e, path[1:])
		}
	default:
		remove(m[step], path[1:])
	}
}

// prune removes below v what the parent says already (ids and types of children, their state) and folds singulars into plurals.
func prune(v any, top bool) {
	switch v := v.(type) {
	case map[string]any:
		if _, isChild := v["name"]; isChild && !top && v["properties"] != nil {
			for _, key := range []string{"id", "type", "etag"} {
				delete(v, key)
			}
		}
		if p, ok := v["properties"].(map[string]any); ok {
			delete(p, "provisioningState")
		}
		for one, many := range plurals {
			fold(v, one, many)
		}
		for _, child := range v {
			prune(child, false)
		}
	case []any:
		for _, child := range v {
			prune(child, false)
		}
	}
}

func fold(m map[string]any, one, many string) {
	single, ok := m[one]
	if !ok {
		return
	}
	delete(m, one)
	if empty(single) {
		return
	}
	list, _ := m[many].([]any)
	m[many] = append(list, single)
}

// dropInterfaceMembers removes pool members that ARM echoes for network interfaces: membership is written, and compared, at the interface.
func dropInterfaceMembers(balancer map[string]any) {
	for _, pool := range objects(balancer, "properties", "backendAddressPools") {
		p, _ := pool["properties"].(map[string]any)
		list, _ := p["loadBalancerBackendAddresses"].([]any)
		if list == nil {
			continue
		}
		p["loadBalancerBackendAddresses"] = slices.DeleteFunc(list, func(e any) bool {
			member, _ := e.(map[string]any)
			props, _ := member["properties"].(map[string]any)
			return !empty(props["networkInterfaceIPConfiguration"])
		})
	}
}

// objects returns the objects of the list at path.
func objects(m map[string]any, path ...string) []map[string]any {
	for _, step := range path[:len(path)-1] {
		m, _ = m[step].(map[string]any)
	}
	list, _ := m[path[len(path)-1]].([]any)
	var found []map[string]any
	for _, e := range list {
		if o, ok := e.(map[string]any); ok {
			found = append(found, o)
		}
	}
	return found
}

// empty reports whether v is as good as absent.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !empty(e) })
	case map[string]any:
		for _, e := range v {
			if !empty(e) {
				return false
			}
		}
		return true
	default:
		return false
	}
}
