package lb

import (
	"fmt"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// opName returns the name of op as the JSON form of plans has it; it is interface.
func opName(op Op) (string, error) {
	switch op.(type) {
	case PutLoadBalancer:
		return "PutLoadBalancer", nil
	case DeleteLoadBalancer:
		return "DeleteLoadBalancer", nil
	case PutBackendPool:
		return "PutBackendPool", nil
	case DeleteBackendPool:
		return "DeleteBackendPool", nil
	case MigrateBackendPools:
		return "MigrateBackendPools", nil
	case PutPublicIP:
		return "PutPublicIP", nil
	case TagPublicIP:
		return "TagPublicIP", nil
	case DeletePublicIP:
		return "DeletePublicIP", nil
	case PutSecurityGroup:
		return "PutSecurityGroup", nil
	case PutSecurityRule:
		return "PutSecurityRule", nil
	case DeleteSecurityRule:
		return "DeleteSecurityRule", nil
	case TagResource:
		return "TagResource", nil
	case PutPrivateLinkService:
		return "PutPrivateLinkService", nil
	case DeletePrivateLinkService:
		return "DeletePrivateLinkService", nil
	case DeleteEndpointConnection:
		return "DeleteEndpointConnection", nil
	case PutSubnetPolicy:
		return "PutSubnetPolicy", nil
	case PutNetworkInterface:
		return "PutNetworkInterface", nil
	default:
		return "", fmt.Errorf("unknown operation %T", op)
	}
}

// verb returns what op does to its target, in one word.
func verb(op Op) string {
	switch op := op.(type) {
	case PutLoadBalancer:
		return createOr("update", op.Before.ID == "")
	case PutPublicIP:
		return createOr("update", op.Before.ID == "")
	case PutSecurityGroup:
		return createOr("update", op.Before.ID == "")
	case PutPrivateLinkService:
		return createOr("update", op.Before.ID == "")
	case PutBackendPool:
		return createOr("update", op.Before.Name == "")
	case PutSecurityRule:
		return createOr("update", op.Before.Name == "")
	case TagPublicIP, TagResource:
		return "tag"
	case DeleteLoadBalancer, DeleteBackendPool, DeletePublicIP, DeleteSecurityRule, DeletePrivateLinkService, DeleteEndpointConnection:
		return "delete"
	case MigrateBackendPools:
		return "migrate pools of"
	case PutSubnetPolicy, PutNetworkInterface:
		return "update"
	default:
		return fmt.Sprintf("%T", op)
	}
}

func createOr(verb string, create bool) string {
	if create {
		return "create"
	}
	return verb
}

// typeNames are the types of resources and children in words.
var typeNames = map[string]string{
	strings.ToLower(armid.LoadBalancers):              "load balancer",
	strings.ToLower(armid.PublicIPAddresses):          "public IP",
	strings.ToLower(armid.NetworkSecurityGroups):      "security group",
	strings.ToLower(armid.NetworkInterfaces):          "network interface",
	strings.ToLower(armid.ScaleSets):                  "scale set",
	strings.ToLower(armid.PrivateLinkServices):        "private link service",
	strings.ToLower(armid.FrontendIPConfigurations):   "frontend",
	strings.ToLower(armid.BackendAddressPools):        "pool",
	strings.ToLower(armid.LoadBalancingRules):         "rule",
	strings.ToLower(armid.Probes):                     "probe",
	strings.ToLower(armid.SecurityRules):              "security rule",
	strings.ToLower(armid.Subnets):                    "subnet",
	strings.ToLower(armid.PrivateEndpointConnections): "endpoint connection",
}

// nameOf prints an id as its type and name: "rule a123-TCP-80". A child of another type than a step's target is known from context.
func nameOf(id ID) string {
	typ := strings.ToLower(id.Type())
	if id.Is(armid.ScaleSetInstances) {
		return "instance " + id.Name() + " of scale set " + id.Top().Name()
	}
	if top := strings.ToLower(id.Top().Type()); top != typ {
		typ = typ[strings.LastIndexByte(typ, '/')+1:]
	}
	word, ok := typeNames[typ]
	if !ok {
		word = id.Type()
	}
	return word + " " + id.Name()
}

// describe says in words what op creates, by key of the id.
func describe(op Op) map[string]string {
	m := map[string]string{}
	switch op := op.(type) {
	case PutLoadBalancer:
		describeLoadBalancer(m, op.After)
	case PutBackendPool:
		m[op.Target().Key()] = poolText(op.After)
	case PutPublicIP:
		m[op.After.ID.Key()] = publicIPText(op.After)
	case PutSecurityGroup:
		for _, r := range op.After.Rules {
			m[op.After.ID.Child(armid.SecurityRules, r.Name).Key()] = securityRuleText(r)
		}
	case PutSecurityRule:
		m[op.Target().Key()] = securityRuleText(op.After)
	case PutPrivateLinkService:
		m[op.After.ID.Key()] = privateLinkText(op.After)
	}
	return m
}

func describeLoadBalancer(m map[string]string, l LoadBalancer) {
	if l.SKU != "" {
		m[l.ID.Key()] = l.SKU + " in " + l.Location
	}
	for _, f := range l.Frontends {
		m[l.ID.Child(armid.FrontendIPConfigurations, f.Name).Key()] = frontendText(f)
	}
	for _, p := range l.Pools {
		m[l.ID.Child(armid.BackendAddressPools, p.Name).Key()] = poolText(p)
	}
	for _, p := range l.Probes {
		m[l.ID.Child(armid.Probes, p.Name).Key()] = probeText(p)
	}
	for _, r := range l.Rules {
		m[l.ID.Child(armid.LoadBalancingRules, r.Name).Key()] = ruleText(r)
	}
}

func frontendText(f Frontend) string {
	switch {
	case f.PublicIP != "":
		return "public IP " + f.PublicIP.Name()
	case f.Static.IsValid():
		return fmt.Sprintf("%s in subnet %s", f.Static, f.Subnet.Name())
	default:
		return fmt.Sprintf("%s address in subnet %s (known after apply)", f.Family, f.Subnet.Name())
	}
}

func poolText(p Pool) string {
	if p.Interfaces {
		return "of network interfaces"
	}
	return count(len(memberAddrs(p.Members)), "member")
}

func probeText(p Probe) string {
	return fmt.Sprintf("%s port %d%s every %d s", p.Protocol, p.Port, p.Path, p.IntervalSeconds)
}

func ruleText(r Rule) string {
	if r.FrontendPort == 0 {
		return fmt.Sprintf("%s, all ports, from frontend %s to pool %s", r.Protocol, r.Frontend, r.Pool)
	}
	text := fmt.Sprintf("%s port %d from frontend %s to pool %s", r.Protocol, r.FrontendPort, r.Frontend, r.Pool)
	if r.BackendPort != r.FrontendPort {
		text += fmt.Sprintf(" port %d", r.BackendPort)
	}
	return text
}

func publicIPText(p PublicIP) string {
	text := fmt.Sprintf("%s address (known after apply)", p.Family)
	if p.Family != ipam.IPv4 && p.Family != ipam.IPv6 {
		text = "address (known after apply)"
	}
	if p.Prefix != "" {
		text += ", from prefix " + p.Prefix.Name()
	}
	if p.DNSLabel != "" {
		text += ", DNS label " + p.DNSLabel
	}
	return text
}

func securityRuleText(r SecurityRule) string {
	to := make([]string, len(r.Destinations))
	for i, a := range r.Destinations {
		to[i] = a.String()
	}
	from := atMost(r.Sources, 5)
	if len(r.SourcePorts) > 0 {
		from += " port " + atMost(r.SourcePorts, 10)
	}
	return fmt.Sprintf("%s %s from %s to %s port %s, priority %d", strings.ToLower(r.Access), protocolText(r.Protocol), from,
		atMost(to, 5), atMost(r.Ports, 10), r.Priority)
}

func protocolText(p string) string {
	if p == "*" {
		return "any protocol"
	}
	return p
}

func privateLinkText(p pls.PrivateLinkService) string {
	var frontends []string
	for _, f := range p.Frontends {
		frontends = append(frontends, f.Name())
	}
	return "for frontend " + strings.Join(frontends, ", ")
}
