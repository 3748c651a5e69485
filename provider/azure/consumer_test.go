package azure_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	armpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/providertest"
)

// TestConsumersThroughARM: whoever owns a private link service decides about its consumers with the SDK's own client, and azlb sees through
// both doors what came of it.
func TestConsumersThroughARM(t *testing.T) {
	c := fake.New(&fake.Options{Latency: map[string]time.Duration{armid.PrivateLinkServices: 5 * time.Second}})
	if err := c.Load(providertest.Seed()); err != nil {
		t.Fatal(err)
	}
	group := armid.Group(providertest.Subscription, providertest.Group)
	service := armid.Resource(providertest.Subscription, providertest.Group, armid.PrivateLinkServices, "link")
	if err := c.Put(service, armwire.Object{"location": providertest.Location, "properties": armwire.Object{
		"visibility": armwire.Object{"subscriptions": []any{"*"}}, "autoApproval": armwire.Object{"subscriptions": []any{"friend"}},
	}}); err != nil {
		t.Fatal(err)
	}
	for name, subscription := range map[string]string{"friend": "friend", "stranger": "a", "visitor": "b"} {
		if _, err := c.ConnectFrom(service, name, subscription); err != nil {
			t.Fatal(err)
		}
	}
	door := armfake.New(c, &armfake.Options{PageSize: 1})
	backend, err := azure.New(anyone{"t"}, &azure.Options{Transport: door, Clock: c.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	client, err := armnetwork.NewPrivateLinkServicesClient(providertest.Subscription, anyone{"t"}, &armpolicy.ClientOptions{
		DisableRPRegistration: true, ClientOptions: policy.ClientOptions{Transport: door, Retry: policy.RetryOptions{MaxRetries: -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	// check compares what the SDK lists, what the backend observes and what the cloud itself is observed to have.
	check := func(when string, want ...pls.Connection) {
		t.Helper()
		scope := lb.Scope{PrivateLinkServices: []lb.ID{group}}
		overHTTP, err := backend.Observe(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		inside, err := c.Observe(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		for door, got := range map[string][]pls.Connection{
			"the SDK": listed(t, client), "the backend": overHTTP.PrivateLinkServices[0].Connections, "the cloud": inside.PrivateLinkServices[0].Connections,
		} {
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s, seen by %s (-want +got):\n%s", when, door, d)
			}
		}
	}
	decide := func(name string, state armnetwork.PrivateLinkServiceConnectionState) (armnetwork.PrivateEndpointConnection, error) {
		connection := armnetwork.PrivateEndpointConnection{Properties: &armnetwork.PrivateEndpointConnectionProperties{PrivateLinkServiceConnectionState: &state}}
		answer, err := client.UpdatePrivateEndpointConnection(t.Context(), providertest.Group, "link", name, connection, nil)
		return answer.PrivateEndpointConnection, err
	}
	check("asked", pls.Connection{Name: "friend", Status: "Approved"}, pls.Connection{Name: "stranger", Status: "Pending"}, pls.Connection{Name: "visitor", Status: "Pending"})

	approved, err := decide("visitor", armnetwork.PrivateLinkServiceConnectionState{Status: new("Approved"), Description: new("known")})
	if err != nil {
		t.Fatal(err)
	}
	if p := approved.Properties; *p.PrivateLinkServiceConnectionState.Description != "known" || lb.ID(*p.PrivateEndpoint.ID).Subscription() != "b" {
		t.Errorf("approved: description %s, endpoint %s", *p.PrivateLinkServiceConnectionState.Description, *p.PrivateEndpoint.ID)
	}
	if _, err := decide("stranger", armnetwork.PrivateLinkServiceConnectionState{Status: new("Rejected")}); err != nil {
		t.Fatal(err)
	}
	check("decided", pls.Connection{Name: "friend", Status: "Approved"}, pls.Connection{Name: "stranger", Status: "Rejected"}, pls.Connection{Name: "visitor", Status: "Approved"})

	_, err = decide("nobody", armnetwork.PrivateLinkServiceConnectionState{Status: new("Approved")})
	refused(t, "deciding about nobody", err, http.StatusNotFound, "ResourceNotFound")
	_, err = decide("visitor", armnetwork.PrivateLinkServiceConnectionState{Status: new("Pending")})
	refused(t, "letting it wait again", err, http.StatusBadRequest, "InvalidPrivateEndpointConnectionStatus")
	_, err = client.BeginDelete(t.Context(), providertest.Group, "link", nil)
	refused(t, "deleting what has consumers", err, http.StatusBadRequest, "PrivateLinkServiceWithPrivateEndpointConnectionsCannotBeDeleted")

	if err := c.Disconnect(service, "friend"); err != nil {
		t.Fatal(err)
	}
	_, err = decide("friend", armnetwork.PrivateLinkServiceConnectionState{Status: new("Approved")})
	refused(t, "approving what is gone", err, http.StatusBadRequest, "PrivateEndpointConnectionIsDisconnected")
	for _, name := range []string{"friend", "visitor", "visitor"} { // the last one is gone already
		poller, err := client.BeginDeletePrivateEndpointConnection(t.Context(), providertest.Group, "link", name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Clock().Sleep(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		if !poller.Done() {
			if _, err := poller.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := poller.Result(t.Context()); err != nil || !poller.Done() {
			t.Fatalf("removing %s: done %t, %v", name, poller.Done(), err)
		}
	}
	check("removed", pls.Connection{Name: "stranger", Status: "Rejected"})
	if _, err := client.BeginDelete(t.Context(), providertest.Group, "link", nil); err != nil {
		t.Errorf("deleting what has no consumers: %v", err)
	}
}

// listed are the connections as the SDK lists them, page by page, each read by itself too.
func listed(t *testing.T, client *armnetwork.PrivateLinkServicesClient) []pls.Connection {
	t.Helper()
	var list []pls.Connection
	for pager := client.NewListPrivateEndpointConnectionsPager(providertest.Group, "link", nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Value {
			one, err := client.GetPrivateEndpointConnection(t.Context(), providertest.Group, "link", *o.Name, nil)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, pls.Connection{Name: *o.Name, Status: *one.Properties.PrivateLinkServiceConnectionState.Status})
		}
	}
	return list
}

func refused(t *testing.T, what string, err error, status int, code string) {
	t.Helper()
	if e, ok := errors.AsType[*azcore.ResponseError](err); !ok || e.StatusCode != status || e.ErrorCode != code {
		t.Errorf("%s: %v, want %d %s", what, err, status, code)
	}
}
