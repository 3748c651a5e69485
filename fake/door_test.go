package fake_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/providertest"
)

var (
	doorGroup   = armid.Group(providertest.Subscription, providertest.Group)
	doorNSG     = armid.Resource(providertest.Subscription, providertest.Group, armid.NetworkSecurityGroups, providertest.SecurityGroup)
	doorAddress = armid.Resource(providertest.Subscription, providertest.Group, armid.PublicIPAddresses, "web")
)

func doorCloud(t *testing.T) *fake.Cloud {
	t.Helper()
	cloud := fake.New(&fake.Options{Latency: map[string]time.Duration{armid.NetworkSecurityGroups: time.Minute}})
	if err := cloud.Load(providertest.Seed()); err != nil {
		t.Fatal(err)
	}
	return cloud
}

func tagged(id lb.ID, value string) fake.Call {
	return fake.Call{Method: http.MethodPut, ID: id, Body: map[string]any{"location": providertest.Location, "tags": map[string]any{"a": value}}}
}

func tagOf(t *testing.T, cloud *fake.Cloud) any {
	t.Helper()
	answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: doorNSG})
	if err != nil {
		t.Fatal(err)
	}
	tags, _ := answer.Body["tags"].(map[string]any)
	return tags["a"]
}

func stateOf(t *testing.T, cloud *fake.Cloud) any {
	t.Helper()
	answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: doorNSG})
	if err != nil {
		t.Fatal(err)
	}
	properties, _ := answer.Body["properties"].(map[string]any)
	return properties["provisioningState"]
}

// TestFailedChild: a child whose write failed and its parent show it, until the parent is written.
func TestFailedChild(t *testing.T) {
	cloud := doorCloud(t)
	rule := doorNSG.Child(armid.SecurityRules, "r")
	body := map[string]any{"properties": map[string]any{
		"priority": 500, "access": "Allow", "direction": "Inbound", "protocol": "Tcp", "sourcePortRange": "*", "destinationPortRange": "80",
		"sourceAddressPrefix": "*", "destinationAddressPrefix": "*",
	}}
	cloud.Inject(fake.Fault{Method: http.MethodPut, Late: true, Code: "InternalServerError"})
	if _, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodPut, ID: rule, Body: body}); err == nil {
		t.Fatal("no failure")
	}
	for _, want := range []string{"Failed", "Succeeded"} {
		answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: rule})
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.Body["properties"].(map[string]any)["provisioningState"]; got != want || stateOf(t, cloud) != want {
			t.Errorf("rule %s, group %s; want %s", got, stateOf(t, cloud), want)
		}
		whole, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: doorNSG})
		if err == nil {
			_, err = cloud.Call(t.Context(), fake.Call{Method: http.MethodPut, ID: doorNSG, Body: whole.Body})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLateFailure(t *testing.T) {
	cloud := doorCloud(t)
	cloud.Inject(fake.Fault{Method: http.MethodPut, Late: true, Code: "InternalServerError", Message: "no"})
	_, err := cloud.Call(t.Context(), tagged(doorNSG, "b"))
	if e, ok := errors.AsType[*provider.OpError](err); !ok || e.Status != http.StatusOK || e.Code != "InternalServerError" {
		t.Errorf("error %v, want the code with status 200", err)
	}
	if got := tagOf(t, cloud); got != "b" {
		t.Errorf("tag %v, want what was written", got)
	}
	if got := stateOf(t, cloud); got != "Failed" {
		t.Errorf("state %s, want that of the operation", got)
	}
	data, err := cloud.Dump()
	if err != nil {
		t.Fatal(err)
	}
	if err := cloud.Load(data); err != nil || stateOf(t, cloud) != "Failed" {
		t.Errorf("loaded: %v, state %s", err, stateOf(t, cloud))
	}
	if _, err := cloud.Call(t.Context(), tagged(doorNSG, "b")); err != nil || stateOf(t, cloud) != "Succeeded" {
		t.Errorf("written again: %v, state %s", err, stateOf(t, cloud))
	}
	cloud.Inject(fake.Fault{Method: http.MethodPut, Late: true, Code: "CanceledAndSupersededDueToAnotherOperation"})
	if _, err := cloud.Call(t.Context(), tagged(doorNSG, "b")); provider.KindOf(err) != provider.Replan || stateOf(t, cloud) != "Succeeded" {
		t.Errorf("superseded: %v, state %s", err, stateOf(t, cloud))
	}
	cloud.Inject(fake.Fault{Method: http.MethodDelete, Late: true, Code: "InternalServerError"})
	if _, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodDelete, ID: doorNSG}); err == nil {
		t.Error("a deletion that fails in the end succeeded")
	}
	tagOf(t, cloud)
}

func TestDelay(t *testing.T) {
	cloud := doorCloud(t)
	start := cloud.Clock().Now()
	cloud.Inject(fake.Fault{Delay: time.Hour})
	if _, err := cloud.Call(t.Context(), tagged(doorNSG, "b")); err != nil {
		t.Fatal(err)
	}
	if took := cloud.Clock().Now().Sub(start); took != time.Hour+time.Minute {
		t.Errorf("took %v, want the latency and the delay", took)
	}
}

func TestStart(t *testing.T) {
	cloud := doorCloud(t)
	start := cloud.Clock().Now()
	cloud.Inject(fake.Fault{Delay: time.Hour, Drop: fake.DropAfter})
	answer, running, err := cloud.Start(t.Context(), tagged(doorNSG, "b"))
	if err == nil || answer.Status != http.StatusOK || running.Takes != time.Hour+time.Minute || running.Fails != nil {
		t.Errorf("answer %d, %+v, error %v", answer.Status, running, err)
	}
	if now := cloud.Clock().Now(); !now.Equal(start) || tagOf(t, cloud) != "b" {
		t.Errorf("%v later the tag is %v", now.Sub(start), tagOf(t, cloud))
	}
}

func TestListOfChildren(t *testing.T) {
	cloud := doorCloud(t)
	network := armid.Resource(providertest.Subscription, providertest.Group, armid.VirtualNetworks, providertest.Network)
	answer, err := cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: network + "/SUBNETS"})
	if err != nil || len(answer.List) != 1 || answer.List[0]["name"] != providertest.Subnet {
		t.Errorf("list %v, error %v", answer.List, err)
	}
	_, err = cloud.Call(t.Context(), fake.Call{Method: http.MethodGet, ID: doorAddress + "/ipConfigurations"})
	if provider.KindOf(err) != provider.Replan {
		t.Errorf("error %v, want that of a parent that is not there", err)
	}
}

func TestIntercept(t *testing.T) {
	cloud := doorCloud(t)
	poll := fake.Call{Method: http.MethodGet, ID: doorGroup + "/operations/1"}
	cloud.Inject(fake.Fault{Path: "/operations/", Status: 503, Code: "ServerBusy"})
	serve := func() (fake.Answer, *provider.OpError) { return fake.Answer{Status: 200}, nil }
	if _, err := cloud.Intercept(t.Context(), poll, serve); err == nil {
		t.Error("the fault does not strike")
	}
	if answer, err := cloud.Intercept(t.Context(), poll, serve); err != nil || answer.Status != 200 {
		t.Errorf("answer %d, error %v", answer.Status, err)
	}
	if got := cloud.Requests(); len(got) != 2 || got[0].Status != 503 || got[1].Status != 200 {
		t.Errorf("journal %v", got)
	}
}

func TestPlaces(t *testing.T) {
	cloud := fake.New(&fake.Options{ZonesByLocation: map[string][]string{"eastus": {"1"}}})
	cloud.AddGroup(doorGroup, "westus2")
	if zones := cloud.Zones(); len(zones["eastus"]) != 1 || len(zones["westus2"]) != 3 {
		t.Errorf("zones %v", zones)
	}
	if groups := cloud.Groups(); groups[doorGroup] != "westus2" {
		t.Errorf("groups %v", groups)
	}
	cloud.End(doorNSG, nil) // of nothing is nothing
}
