package fake_test

import (
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
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
