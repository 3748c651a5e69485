package fake_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

const (
	consumerSub = "00000000-0000-0000-0000-000000000001"
	guestSub    = "00000000-0000-0000-0000-0000000000AA"
)

func consumerCloud(t *testing.T, visible, approved []any) (*fake.Cloud, lb.ID) {
	t.Helper()
	c := lbtest.Cloud()
	id := armid.Resource(consumerSub, "rg", armid.PrivateLinkServices, "svc")
	err := c.Put(id, armwire.Object{"location": "westeurope", "properties": armwire.Object{
		"visibility": armwire.Object{"subscriptions": visible}, "autoApproval": armwire.Object{"subscriptions": approved},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c, id
}

func TestConnectFrom(t *testing.T) {
	for _, tt := range []struct {
		name              string
		visible, approved []any
		from              string
		want              fake.ConnectionStatus // empty: refused
	}{
		{"roles let the owner's subscription in", nil, nil, consumerSub, fake.Pending},
		{"roles keep others out", nil, nil, guestSub, ""},
		{"everybody sees it", []any{"*"}, nil, guestSub, fake.Pending},
		{"seen, in another case", []any{"00000000-0000-0000-0000-0000000000aa"}, nil, guestSub, fake.Pending},
		{"not seen", []any{"another"}, nil, guestSub, ""},
		{"approved beforehand", []any{"*"}, []any{guestSub}, guestSub, fake.Approved},
		{"approved beforehand and not seen", []any{"another"}, []any{guestSub}, guestSub, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, id := consumerCloud(t, tt.visible, tt.approved)
			got, err := c.ConnectFrom(id, "pe", tt.from)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q and %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestConnectionsMove(t *testing.T) {
	c, id := consumerCloud(t, nil, nil)
	for i, step := range []struct {
		do func() error
		ok bool
	}{
		{func() error { return c.Connect(id, "pe", fake.Pending) }, true},
		{func() error { return c.Connect(id, "PE", fake.Pending) }, false}, // there already
		{func() error { return c.Approve(id, "pe") }, true},
		{func() error { return c.Approve(id, "pe") }, false},
		{func() error { return c.Reject(id, "pe") }, true},
		{func() error { return c.Approve(id, "pe") }, true},
		{func() error { return c.Disconnect(id, "pe") }, true},
		{func() error { return c.Approve(id, "pe") }, false}, // its endpoint is gone
		{func() error { return c.Reject(id, "none") }, false},
		{func() error { return c.Connect(id+"-none", "pe", fake.Pending) }, false},
	} {
		if err := step.do(); (err == nil) != step.ok {
			t.Errorf("step %d: %v", i, err)
		}
	}
	seen, err := c.Observe(t.Context(), lb.Scope{PrivateLinkServices: []lb.ID{id.GroupID()}})
	if err != nil || len(seen.PrivateLinkServices) != 1 {
		t.Fatalf("%v, %+v", err, seen)
	}
	if list := seen.PrivateLinkServices[0].Connections; len(list) != 1 || list[0].Status != string(fake.Disconnected) {
		t.Errorf("connections %v", list)
	}
}

// TestDecisions are what an ordinary client can do to a connection: let it through, refuse it and remove it, and nothing else.
func TestDecisions(t *testing.T) {
	c, id := consumerCloud(t, []any{"*"}, nil)
	if _, err := c.ConnectFrom(id, "pe", guestSub); err != nil {
		t.Fatal(err)
	}
	state := func(status string) armwire.Object {
		return armwire.Object{"properties": armwire.Object{
			"privateEndpoint":                   armwire.Object{"id": "stolen"},
			"privateLinkServiceConnectionState": armwire.Object{"status": status, "description": "because"},
		}}
	}
	for _, step := range []struct {
		name, method, connection string
		body                     armwire.Object
		status                   int
		code                     string
		then                     fake.ConnectionStatus // empty: not there
	}{
		{"approve, in any case", "PUT", "pe", state("approved"), 200, "", fake.Approved},
		{"once more", "PUT", "PE", state("Approved"), 200, "", fake.Approved},
		{"reject", "PUT", "pe", state("Rejected"), 200, "", fake.Rejected},
		{"wait again", "PUT", "pe", state("Pending"), 400, "InvalidPrivateEndpointConnectionStatus", fake.Rejected},
		{"disconnect for the consumer", "PUT", "pe", state("Disconnected"), 400, "InvalidPrivateEndpointConnectionStatus", fake.Rejected},
		{"say nothing", "PUT", "pe", armwire.Object{}, 400, "InvalidPrivateEndpointConnectionStatus", fake.Rejected},
		{"make one", "PUT", "other", state("Approved"), 404, "ResourceNotFound", fake.Rejected},
		{"remove", "DELETE", "pe", nil, 200, "", ""},
		{"remove what is gone", "DELETE", "pe", nil, 204, "", ""},
	} {
		answer, err := c.Call(t.Context(), fake.Call{Method: step.method, ID: id.Child(armid.PrivateEndpointConnections, step.connection), Body: step.body})
		refusal, refused := errors.AsType[*provider.OpError](err)
		switch {
		case refused && (refusal.Status != step.status || refusal.Code != step.code), !refused && (err != nil || answer.Status != step.status):
			t.Errorf("%s: status %d, error %v, want %d %s", step.name, answer.Status, err, step.status, step.code)
		}
		if got := connectionOf(t, c, id); got != step.then {
			t.Errorf("%s: the connection is %q, want %q", step.name, got, step.then)
		}
	}
}

// connectionOf reads the one connection of a service, whose endpoint must be the guest's, as a client does.
func connectionOf(t *testing.T, c *fake.Cloud, service lb.ID) fake.ConnectionStatus {
	t.Helper()
	answer, err := c.Call(t.Context(), fake.Call{Method: "GET", ID: service + "/privateEndpointConnections"})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.List) == 0 {
		return ""
	}
	properties := answer.List[0]["properties"].(armwire.Object)
	if endpoint := properties["privateEndpoint"].(armwire.Object)["id"].(string); lb.ID(endpoint).Subscription() != guestSub {
		t.Errorf("endpoint %s", endpoint)
	}
	return fake.ConnectionStatus(properties["privateLinkServiceConnectionState"].(armwire.Object)["status"].(string))
}

// Whose endpoint is gone can only be removed.
func TestDisconnectedCannotBeApproved(t *testing.T) {
	c, id := consumerCloud(t, nil, nil)
	if err := c.Connect(id, "pe", fake.Disconnected); err != nil {
		t.Fatal(err)
	}
	body := armwire.Object{"properties": armwire.Object{"privateLinkServiceConnectionState": armwire.Object{"status": "Approved"}}}
	_, err := c.Call(t.Context(), fake.Call{Method: "PUT", ID: id.Child(armid.PrivateEndpointConnections, "pe"), Body: body})
	if refusal, ok := errors.AsType[*provider.OpError](err); !ok || refusal.Code != "PrivateEndpointConnectionIsDisconnected" {
		t.Errorf("error %v", err)
	}
}

func TestEndpointsPerService(t *testing.T) {
	c, id := consumerCloud(t, nil, nil)
	list := make([]any, 1000)
	for n := range list {
		list[n] = armwire.Object{"name": fmt.Sprint("pe-", n), "properties": armwire.Object{"privateLinkServiceConnectionState": armwire.Object{"status": "Pending"}}}
	}
	fill := func(n int) error {
		return c.Merge(id, armwire.Object{"properties": armwire.Object{armid.PrivateEndpointConnections: list[:n]}})
	}
	if err := errors.Join(fill(999), c.Connect(id, "last", fake.Pending), fill(1000)); err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(id, "more", fake.Pending); err == nil || !strings.Contains(err.Error(), "PrivateEndpointsPerPrivateLinkServiceLimitReached") {
		t.Errorf("error %v", err)
	}
}
