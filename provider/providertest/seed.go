package providertest

import (
	"fmt"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// What the provider that is opened for [Run] must find: the resource group Group in Location, with a virtual network named Network that has
// the subnets Subnet (10.240.0.0/24 and fd00:240::/64, nobody in it) and a security group named SecurityGroup without rules. No resource
// group named Absent. The location has zones.
const (
	Subscription  = "8d1c3c1e-6f6a-4a6d-9a1c-0a7b3b1f0001"
	Location      = "westus2"
	Group         = "rg-providertest"
	Absent        = "rg-absent"
	Network       = "vnet"
	Subnet        = "nodes"
	SecurityGroup = "nsg"
)

// Seed returns the constants as state for fake.Cloud.Load.
func Seed() []byte {
	return fmt.Appendf(nil, `{
  "resourceGroups": [{"subscription": %[1]q, "name": %[2]q, "location": %[3]q}],
  "resources": [
    {"id": %[4]q, "location": %[3]q, "properties": {"securityRules": []}},
    {"id": %[5]q, "location": %[3]q, "properties": {
      "addressSpace": {"addressPrefixes": ["10.240.0.0/16", "fd00:240::/48"]},
      "subnets": [{"name": %[6]q, "properties": {"addressPrefixes": ["10.240.0.0/24", "fd00:240::/64"]}}]}}
  ]
}`, Subscription, Group, Location, securityGroup, network, Subnet)
}

var (
	group         = armid.Group(Subscription, Group)
	securityGroup = armid.Resource(Subscription, Group, armid.NetworkSecurityGroups, SecurityGroup)
	network       = armid.Resource(Subscription, Group, armid.VirtualNetworks, Network)
	subnet        = network.Child(armid.Subnets, Subnet)
	balancer      = armid.Resource(Subscription, Group, armid.LoadBalancers, "kubernetes")
	address       = armid.Resource(Subscription, Group, armid.PublicIPAddresses, "web")
	pool          = balancer.Child(armid.BackendAddressPools, "kubernetes")
)

// scope is everything in the resource group.
func scope() lb.Scope {
	return lb.Scope{
		LoadBalancers: []lb.ID{group}, PublicIPs: []lb.ID{group}, SecurityGroup: securityGroup, Networks: []lb.ID{network},
		Subscription: Subscription, Location: Location,
	}
}
