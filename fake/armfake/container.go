package armfake

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// container answers requests about subscriptions and resource groups.
func (s *Server) container(q *request) (*reply, error) {
	var a *reply
	_, err := s.cloud.Intercept(q.Context(), q.call(), func() (fake.Answer, *provider.OpError) {
		var e *provider.OpError
		switch {
		case len(q.segments) == 4 && q.Method == http.MethodPut:
			a, e = s.putGroup(q)
		case q.Method != http.MethodGet && q.Method != http.MethodHead:
			e = refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "The method %s is not allowed on %s.", q.Method, q.path)
		case len(q.segments) == 4:
			a, e = s.getGroup(q)
		case len(q.segments) == 2:
			a, e = s.getSubscription(q)
		case len(q.segments) == 3:
			a = says(http.StatusOK, armwire.Object{"value": s.groups(q.segment(1))})
		default:
			a = says(http.StatusOK, armwire.Object{"value": s.subscriptions()})
		}
		if e != nil {
			return fake.Answer{}, e
		}
		return fake.Answer{Status: a.status}, nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (s *Server) putGroup(q *request) (*reply, *provider.OpError) {
	body, e := q.object()
	if e != nil {
		return nil, e
	}
	place, _ := body["location"].(string)
	if place == "" {
		return nil, refuse(http.StatusBadRequest, "LocationRequired", "The location property is required for this definition.")
	}
	status := http.StatusOK
	if _, e := s.getGroup(q); e != nil {
		status = http.StatusCreated
	}
	id := armid.Group(q.segment(1), q.segment(3))
	s.cloud.AddGroup(id, place)
	return says(status, group(id, place)), nil
}

func (s *Server) getGroup(q *request) (*reply, *provider.OpError) {
	for id, location := range s.cloud.Groups() {
		if id.Equal(armid.Group(q.segment(1), q.segment(3))) {
			return says(http.StatusOK, group(id, location)), nil
		}
	}
	return nil, refuse(http.StatusNotFound, "ResourceGroupNotFound", "Resource group '%s' could not be found.", q.segment(3))
}

func (s *Server) getSubscription(q *request) (*reply, *provider.OpError) {
	for _, o := range s.subscriptions() {
		if strings.EqualFold(o["subscriptionId"].(string), q.segment(1)) {
			return says(http.StatusOK, o), nil
		}
	}
	return nil, refuse(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", q.segment(1))
}

func group(id lb.ID, location string) armwire.Object {
	return armwire.Object{
		"id": string(id), "name": id.ResourceGroup(), "type": "Microsoft.Resources/resourceGroups", "location": location,
		"properties": armwire.Object{"provisioningState": succeeded},
	}
}

func (s *Server) groups(subscription string) []armwire.Object {
	found := []armwire.Object{}
	all := s.cloud.Groups()
	for _, id := range slices.SortedFunc(maps.Keys(all), armid.Compare) {
		if strings.EqualFold(id.Subscription(), subscription) {
			found = append(found, group(id, all[id]))
		}
	}
	return found
}

// subscriptions are those that have resource groups.
func (s *Server) subscriptions() []armwire.Object {
	found := []armwire.Object{}
	last := ""
	for _, id := range slices.SortedFunc(maps.Keys(s.cloud.Groups()), armid.Compare) {
		if strings.EqualFold(id.Subscription(), last) {
			continue
		}
		last = id.Subscription()
		found = append(found, armwire.Object{
			"id": "/subscriptions/" + last, "subscriptionId": last, "displayName": "azlb fake", "state": "Enabled", "tenantId": tenant,
		})
	}
	return found
}

// namespace answers with the description of a resource provider: its types and, for computers, the zones of each location.
func (s *Server) namespace(q *request) (*reply, error) {
	if q.Method != http.MethodGet {
		return s.simple(q)
	}
	if !q.is(3, network) && !q.is(3, compute) {
		return nil, s.refused(q, refuse(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", q.segment(3)))
	}
	if _, err := s.cloud.Call(q.Context(), q.call()); err != nil {
		return nil, err
	}
	described := []armwire.Object{}
	for _, typ := range slices.Sorted(maps.Keys(types)) {
		if namespace, name, _ := strings.Cut(typ, "/"); q.is(3, namespace) {
			described = append(described, s.describe(name, namespace == compute))
		}
	}
	return says(http.StatusOK, armwire.Object{
		"id": q.path, "namespace": q.segment(3), "registrationState": "Registered", "registrationPolicy": "RegistrationRequired",
		"resourceTypes": described,
	}), nil
}

func (s *Server) describe(name string, zonal bool) armwire.Object {
	zones := s.cloud.Zones()
	places := slices.Sorted(maps.Keys(zones))
	o := armwire.Object{"resourceType": name, "locations": places, "capabilities": "SupportsTags, SupportsLocation"}
	if !zonal {
		o["apiVersions"] = networkVersions
		return o
	}
	mappings := []armwire.Object{}
	for _, place := range places {
		if len(zones[place]) > 0 {
			mappings = append(mappings, armwire.Object{"location": place, "zones": zones[place]})
		}
	}
	o["zoneMappings"] = mappings
	return o
}
