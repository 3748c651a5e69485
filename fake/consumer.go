package fake

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// ConnectionStatus is how far a private endpoint connection got.
type ConnectionStatus string

// The statuses as ARM spells them. Pending ones wait for the owner of the private link service, Disconnected ones have lost their endpoint.
const (
	Pending      ConnectionStatus = "Pending"
	Approved     ConnectionStatus = "Approved"
	Rejected     ConnectionStatus = "Rejected"
	Disconnected ConnectionStatus = "Disconnected"
)

// Connect makes a private endpoint connection called name on a private link service, with a status of the test's choice. It fails if the
// service is not there, the name cannot be that of a connection, or there is one of that name.
func (c *Cloud) Connect(service lb.ID, name string, status ConnectionStatus) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.connect(service, name, service.Subscription(), status)
}

// ConnectFrom is a consumer in a subscription asking for a connection, by the alias of the private link service, as ARM treats it: who cannot
// see the service is refused, who is approved beforehand gets through at once, and everybody else waits. An empty visibility leaves
// it to roles, which consumers of the owner's subscription have. It returns the status that the connection begins with.
func (c *Cloud) ConnectFrom(service lb.ID, name, subscription string) (ConnectionStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body := c.bare(service)
	if body == nil {
		return "", notFound(service)
	}
	if !visible(body, service, subscription) {
		return "", refuse(http.StatusForbidden, "LinkedAuthorizationFailed", service,
			"Subscription %s does not have access to private link service %s.", subscription, service)
	}
	status := Pending
	if containsFold(texts(body, "properties", "autoApproval", "subscriptions"), subscription) {
		status = Approved
	}
	return status, c.connect(service, name, subscription, status)
}

func visible(body armwire.Object, service lb.ID, subscription string) bool {
	list := texts(body, "properties", "visibility", "subscriptions")
	if len(list) == 0 {
		return equalFold(service.Subscription(), subscription)
	}
	return slices.Contains(list, "*") || containsFold(list, subscription)
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(have string) bool { return equalFold(have, s) })
}

// Approve is the owner of the private link service letting a connection through that waits or was rejected.
func (c *Cloud) Approve(service lb.ID, name string) error {
	return c.move(service, name, Approved, Pending, Rejected)
}

// Reject is the owner of the private link service refusing a connection that waits or was let through.
func (c *Cloud) Reject(service lb.ID, name string) error {
	return c.move(service, name, Rejected, Pending, Approved)
}

// Disconnect is the consumer deleting the private endpoint. The connection stays until the owner of the private link service removes it.
func (c *Cloud) Disconnect(service lb.ID, name string) error {
	return c.move(service, name, Disconnected, Pending, Approved, Rejected)
}

// decide is an ordinary client letting a connection through or refusing it, with a reason. Nothing else of a connection is the owner's to
// write, and only a consumer can make one. c.mu is held.
func (c *Cloud) decide(call Call) (Answer, *provider.OpError) {
	old := c.bare(call.ID)
	if old == nil {
		return Answer{}, notFound(call.ID)
	}
	state := merge(connectionState(Pending), armwire.Clone(object(call.Body, "properties", "privateLinkServiceConnectionState")))
	switch to := text(state, "status"); {
	case equalFold(text(old, "properties", "privateLinkServiceConnectionState", "status"), string(Disconnected)):
		return Answer{}, refuse(http.StatusBadRequest, "PrivateEndpointConnectionIsDisconnected", "",
			"Private endpoint connection %s has lost its private endpoint and can only be deleted.", call.ID)
	case equalFold(to, string(Approved)):
		state["status"] = string(Approved)
	case equalFold(to, string(Rejected)):
		state["status"] = string(Rejected)
	default:
		return Answer{}, refuse(http.StatusBadRequest, "InvalidPrivateEndpointConnectionStatus", "",
			"The status '%s' of private endpoint connection %s is invalid: it can be Approved or Rejected.", to, call.ID)
	}
	patch := armwire.Object{"properties": armwire.Object{"privateLinkServiceConnectionState": state}}
	if err := c.force(call.ID, merge(armwire.Clone(old), patch)); err != nil {
		return Answer{}, refuse(http.StatusBadRequest, "InvalidRequestFormat", "", "%s: %v", call.ID, err)
	}
	return Answer{Status: http.StatusOK, Body: c.read(call.ID)}, nil
}

// maxEndpoints is how many private endpoints one private link service can have (Azure limits, Private Link).
const maxEndpoints = 1000

// connect makes a connection. c.mu is held.
func (c *Cloud) connect(service lb.ID, name, subscription string, status ConnectionStatus) error {
	id := service.Child(armid.PrivateEndpointConnections, name)
	if c.bare(service) == nil {
		return notFound(service)
	}
	if c.bare(id) != nil {
		return fmt.Errorf("fake: connection %s is there already", id)
	}
	if n := len(objects(c.bare(service), "properties", armid.PrivateEndpointConnections)); n >= maxEndpoints {
		return refuse(http.StatusBadRequest, "PrivateEndpointsPerPrivateLinkServiceLimitReached", service,
			"Private link service %s has %d private endpoints; at most %d are allowed.", service, n, maxEndpoints)
	}
	endpoint := armid.Resource(subscription, "consumer", "Microsoft.Network/privateEndpoints", name)
	return c.force(id, armwire.Object{"name": name, "properties": armwire.Object{
		"provisioningState": "Succeeded", "privateEndpoint": armwire.Object{"id": string(endpoint)},
		"privateLinkServiceConnectionState": connectionState(status),
	}})
}

func connectionState(status ConnectionStatus) armwire.Object {
	return armwire.Object{"status": string(status), "description": "", "actionsRequired": "None"}
}

// move gives a connection a status, if it has one of from.
func (c *Cloud) move(service lb.ID, name string, to ConnectionStatus, from ...ConnectionStatus) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := service.Child(armid.PrivateEndpointConnections, name)
	body := c.bare(id)
	if body == nil {
		return notFound(id)
	}
	now := ConnectionStatus(text(body, "properties", "privateLinkServiceConnectionState", "status"))
	if !slices.ContainsFunc(from, func(s ConnectionStatus) bool { return equalFold(string(s), string(now)) }) {
		return fmt.Errorf("fake: connection %s is %s and cannot become %s", id, now, to)
	}
	patch := armwire.Object{"properties": armwire.Object{"privateLinkServiceConnectionState": connectionState(to)}}
	return c.force(id, merge(armwire.Clone(body), patch))
}
