package lb

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// Op is one ARM write. The set is closed. Ops are values; running one twice is harmless, since whoever runs it compares content
// first: equal to After is done, equal to Before is written, anything else asks for a new plan.
//
// Before and After hold our part of the resource. What is in Before and not in After is removed; what is in neither belongs to others and
// survives. A zero Before means that the resource is created.
type Op interface {
	Target() ID    // the resource written
	Why() []Change // what changes and which Service asked; never empty
	op()
}

// PutLoadBalancer creates a load balancer or makes our part of it equal After. A frontend that goes or gets another address has no rules but
// those of Before, else the write is a conflict: rules of others on it that are known are in Before and After.
type PutLoadBalancer struct {
	Before, After LoadBalancer
	Changes       []Change
}

// DeleteLoadBalancer deletes a load balancer that holds nothing but Before.
type DeleteLoadBalancer struct {
	Before  LoadBalancer
	Changes []Change
}

// PutBackendPool writes the members of one pool without writing its load balancer.
type PutBackendPool struct {
	LoadBalancer  ID
	Before, After Pool
	Changes       []Change
}

// DeleteBackendPool deletes one pool.
type DeleteBackendPool struct {
	LoadBalancer ID
	Before       Pool
	Changes      []Change
}

// MigrateBackendPools lets ARM make pools of network interfaces pools of the addresses of these, without a gap in between. It is an action of
// the load balancer, and no write of it: the interfaces leave the pools, and the addresses become what they should be, in later writes.
type MigrateBackendPools struct {
	LoadBalancer ID
	Pools        []string // names, sorted
	Changes      []Change
}

// PutPublicIP creates or updates a public IP.
type PutPublicIP struct {
	Before, After PublicIP
	Changes       []Change
}

// TagPublicIP writes only the tags of a public IP. Before and After hold our tags.
type TagPublicIP struct {
	ID            ID
	Before, After Tags
	Changes       []Change
}

// DeletePublicIP deletes a public IP.
type DeletePublicIP struct {
	Before  PublicIP
	Changes []Change
}

// PutSecurityGroup writes two or more rules of a security group at once, and its tags.
type PutSecurityGroup struct {
	Before, After SecurityGroup
	Changes       []Change
}

// PutSecurityRule writes one rule.
type PutSecurityRule struct {
	Group         ID
	Before, After SecurityRule
	Changes       []Change
}

// DeleteSecurityRule deletes one rule.
type DeleteSecurityRule struct {
	Group   ID
	Before  SecurityRule
	Changes []Change
}

// TagResource writes only the tags of a load balancer, security group or private link service.
type TagResource struct {
	ID            ID
	Before, After Tags
	Changes       []Change
}

// PutPrivateLinkService creates or updates a private link service.
type PutPrivateLinkService struct {
	Before, After pls.PrivateLinkService
	Changes       []Change
}

// DeletePrivateLinkService deletes a private link service without connections.
type DeletePrivateLinkService struct {
	Before  pls.PrivateLinkService
	Changes []Change
}

// DeleteEndpointConnection removes one private endpoint connection of a private link service.
type DeleteEndpointConnection struct {
	Service ID
	Before  pls.Connection
	Changes []Change
}

// PutSubnetPolicy switches the network policies for private link services of a subnet.
type PutSubnetPolicy struct {
	Before, After Subnet
	Changes       []Change
}

// PutNetworkInterface writes the pools of a network interface's IP configurations.
type PutNetworkInterface struct {
	Before, After NetworkInterface
	Changes       []Change
}

func (o PutLoadBalancer) Target() ID    { return o.After.ID }
func (o DeleteLoadBalancer) Target() ID { return o.Before.ID }
func (o PutBackendPool) Target() ID {
	return o.LoadBalancer.Child(armid.BackendAddressPools, o.After.Name)
}

func (o DeleteBackendPool) Target() ID {
	return o.LoadBalancer.Child(armid.BackendAddressPools, o.Before.Name)
}
func (o MigrateBackendPools) Target() ID { return o.LoadBalancer }

func (o PutPublicIP) Target() ID      { return o.After.ID }
func (o TagPublicIP) Target() ID      { return o.ID }
func (o DeletePublicIP) Target() ID   { return o.Before.ID }
func (o PutSecurityGroup) Target() ID { return o.After.ID }
func (o PutSecurityRule) Target() ID  { return o.Group.Child(armid.SecurityRules, o.After.Name) }

func (o DeleteSecurityRule) Target() ID       { return o.Group.Child(armid.SecurityRules, o.Before.Name) }
func (o TagResource) Target() ID              { return o.ID }
func (o PutPrivateLinkService) Target() ID    { return o.After.ID }
func (o DeletePrivateLinkService) Target() ID { return o.Before.ID }
func (o DeleteEndpointConnection) Target() ID {
	return o.Service.Child(armid.PrivateEndpointConnections, o.Before.Name)
}
func (o PutSubnetPolicy) Target() ID     { return o.After.ID }
func (o PutNetworkInterface) Target() ID { return o.After.ID }

func (o PutLoadBalancer) Why() []Change          { return o.Changes }
func (o DeleteLoadBalancer) Why() []Change       { return o.Changes }
func (o PutBackendPool) Why() []Change           { return o.Changes }
func (o DeleteBackendPool) Why() []Change        { return o.Changes }
func (o MigrateBackendPools) Why() []Change      { return o.Changes }
func (o PutPublicIP) Why() []Change              { return o.Changes }
func (o TagPublicIP) Why() []Change              { return o.Changes }
func (o DeletePublicIP) Why() []Change           { return o.Changes }
func (o PutSecurityGroup) Why() []Change         { return o.Changes }
func (o PutSecurityRule) Why() []Change          { return o.Changes }
func (o DeleteSecurityRule) Why() []Change       { return o.Changes }
func (o TagResource) Why() []Change              { return o.Changes }
func (o PutPrivateLinkService) Why() []Change    { return o.Changes }
func (o DeletePrivateLinkService) Why() []Change { return o.Changes }
func (o DeleteEndpointConnection) Why() []Change { return o.Changes }
func (o PutSubnetPolicy) Why() []Change          { return o.Changes }
func (o PutNetworkInterface) Why() []Change      { return o.Changes }

func (PutLoadBalancer) op()          {}
func (DeleteLoadBalancer) op()       {}
func (PutBackendPool) op()           {}
func (DeleteBackendPool) op()        {}
func (MigrateBackendPools) op()      {}
func (PutPublicIP) op()              {}
func (TagPublicIP) op()              {}
func (DeletePublicIP) op()           {}
func (PutSecurityGroup) op()         {}
func (PutSecurityRule) op()          {}
func (DeleteSecurityRule) op()       {}
func (TagResource) op()              {}
func (PutPrivateLinkService) op()    {}
func (DeletePrivateLinkService) op() {}
func (DeleteEndpointConnection) op() {}
func (PutSubnetPolicy) op()          {}
func (PutNetworkInterface) op()      {}

// Change is one thing that a step changes: a resource, or a child of one. Every change sits in exactly one step.
type Change struct {
	Action Action
	Ref    ID            // what changes
	Fields []FieldChange // of an update, sorted by name
	Causes []Cause       // who asked for it; several Services may ask for one thing
}

// Action is what happens to what a [Change] refers to.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// FieldChange is one field of an update, as text for people.
type FieldChange struct{ Field, Before, After string }

// Cause is why something changes. An empty Service means the configuration or the nodes.
type Cause struct {
	Service types.NamespacedName
	Field   string // field of the Service or of the configuration
	Reason  Reason
}

// Reason is a short stable word; it is interface.
type Reason string

// The reasons.
const (
	ReasonService       Reason = "Service"       // a Service asks for it
	ReasonGone          Reason = "ServiceGone"   // the Service is deleted or not of type LoadBalancer any more
	ReasonNotWanted     Reason = "NotWanted"     // the Service does not ask for it any more
	ReasonConfiguration Reason = "Configuration" // azure.json
	ReasonNodes         Reason = "Nodes"         // nodes joined or left
	ReasonUnused        Reason = "Unused"        // nothing uses it any more
	ReasonRecreate      Reason = "Recreate"      // cannot be changed in place
	ReasonFailed        Reason = "Failed"        // the last operation on it failed, so it is written again
)
