package armfake

import (
	"net/http"
	"slices"
	"strings"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

const (
	network = "Microsoft.Network"
	compute = "Microsoft.Compute"
)

// types are those that are served, with the kinds of their children.
var types = map[string][]string{
	armid.LoadBalancers: {
		armid.FrontendIPConfigurations, armid.BackendAddressPools, armid.LoadBalancingRules, armid.Probes, armid.OutboundRules,
		armid.InboundNATRules, armid.InboundNATPools, "migrateToIpBased",
	},
	armid.PublicIPAddresses:              nil,
	armid.PublicIPPrefixes:               nil,
	armid.NetworkSecurityGroups:          {armid.SecurityRules},
	armid.VirtualNetworks:                {armid.Subnets},
	armid.NetworkInterfaces:              {armid.IPConfigurations},
	armid.PrivateLinkServices:            {armid.IPConfigurations, armid.PrivateEndpointConnections},
	network + "/natGateways":             nil,
	network + "/routeTables":             nil,
	network + "/privateEndpoints":        nil,
	network + "/applicationGateways":     nil,
	compute + "/virtualMachines":         nil,
	compute + "/virtualMachineScaleSets": {"virtualMachines", "networkInterfaces"},
	compute + "/availabilitySets":        nil,
}

// target finds what the path is about: the scope of the resource or list and its top-level type, spelled as ARM does where that is known.
func (q *request) target() (scope lb.ID, typ string, ok bool) {
	at := strings.Index(strings.ToLower(q.path), "/providers/")
	if !q.is(0, "subscriptions") || at < 0 {
		return "", "", false
	}
	seg := strings.SplitN(q.path[at+len("/providers/"):], "/", 3)
	if len(seg) < 2 {
		return "", "", false
	}
	typ = seg[0] + "/" + seg[1]
	if strings.EqualFold(seg[0], network) {
		typ = network + "/" + seg[1]
	}
	return lb.ID(q.path[:at]), typ, true
}

// route answers what Resource Manager is asked for.
func (s *Server) route(q *request) (*reply, error) {
	n := len(q.segments)
	switch {
	case !q.is(0, "subscriptions"):
		return nil, s.nothing(q)
	case n <= 2 || n <= 4 && q.is(2, "resourceGroups"):
		return s.container(q)
	case n == 4 && q.is(2, "providers"):
		return s.namespace(q)
	case n == 8 && q.is(2, "providers") && q.is(4, "locations") && q.is(6, "operations"):
		return s.poll(q)
	case n == 8 && q.is(2, "providers") && q.is(4, "locations") && q.is(6, "operationResults"):
		return s.result(q)
	default:
		return s.resource(q)
	}
}

// nothing is the answer to a path that leads nowhere.
func (s *Server) nothing(q *request) error {
	return s.refused(q, refuse(http.StatusNotFound, "ResourceNotFound", "The resource '%s' was not found.", q.path))
}

// refused lets Resource Manager refuse q, which is a request like others: it is in the journal, and faults come first.
func (s *Server) refused(q *request, e *provider.OpError) error {
	_, err := s.cloud.Intercept(q.Context(), q.call(), func() (fake.Answer, *provider.OpError) { return fake.Answer{}, e })
	return err
}

// resource answers requests about resources, their children and lists of either.
func (s *Server) resource(q *request) (*reply, error) {
	if e := known(q); e != nil {
		return nil, s.refused(q, e)
	}
	_, err := armid.Parse(q.path)
	switch {
	case q.Method == http.MethodGet && err != nil:
		return s.list(q)
	case q.Method == http.MethodPut || q.Method == http.MethodDelete:
		return s.write(q)
	default:
		return s.simple(q)
	}
}

// known refuses namespaces, types and kinds that are not served.
func known(q *request) *provider.OpError {
	scope, typ, ok := q.target()
	if !ok {
		return refuse(http.StatusNotFound, "ResourceNotFound", "The resource '%s' was not found.", q.path)
	}
	namespace, name, _ := strings.Cut(typ, "/")
	if !strings.EqualFold(namespace, network) && !strings.EqualFold(namespace, compute) {
		return refuse(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", namespace)
	}
	kinds, ok := kindsOf(typ)
	if rest := strings.Split(q.path[len(scope):], "/"); ok && len(rest) > 5 {
		name += "/" + rest[5]
		ok = slices.ContainsFunc(kinds, func(k string) bool { return strings.EqualFold(k, rest[5]) })
	}
	if !ok {
		return refuse(http.StatusNotFound, "InvalidResourceType",
			"The resource type '%s' could not be found in the namespace '%s' for api version '%s'.", name, namespace, q.version())
	}
	return nil
}

func kindsOf(typ string) ([]string, bool) {
	for t, kinds := range types {
		if strings.EqualFold(t, typ) {
			return kinds, true
		}
	}
	return nil, false
}

// simple answers what is no operation: reads, changes of tags and methods that there are not.
func (s *Server) simple(q *request) (*reply, error) {
	call := q.call()
	if q.Method == http.MethodPatch || q.Method == http.MethodPost {
		body, e := q.object()
		if e != nil {
			return nil, s.refused(q, e)
		}
		call.Body = body
	}
	answer, err := s.cloud.Call(q.Context(), call)
	if err != nil {
		return nil, err
	}
	q.narrow(answer.Body)
	return s.shown(answer.Status, answer.Body), nil
}

// narrow leaves out of an instance of a scale set what is shown only when it is asked for.
func (q *request) narrow(body armwire.Object) {
	if idOf(body).Is(armid.ScaleSetInstances) && !strings.EqualFold(q.query.Get("$expand"), "instanceView") {
		if properties, ok := body["properties"].(armwire.Object); ok {
			delete(properties, "instanceView")
		}
	}
}

// shown is the answer that shows one resource or child.
func (s *Server) shown(status int, body armwire.Object) *reply {
	if body == nil {
		return says(status, nil)
	}
	s.overlay(body)
	a := says(status, body)
	if etag, ok := body["etag"].(string); ok {
		a.header.Set("ETag", etag)
	}
	return a
}
