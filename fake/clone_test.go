package fake_test

import (
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb/armid"
)

func TestCloneGoesItsOwnWay(t *testing.T) {
	c := lbtest.Cloud()
	before := c.String()
	clone := c.Clone()
	if clone.String() != before {
		t.Fatalf("clone differs:\n%s", clone)
	}
	nsg := armid.Resource("00000000-0000-0000-0000-000000000001", "rg", armid.NetworkSecurityGroups, "nsg")
	body, ok := clone.Body(nsg)
	if !ok {
		t.Fatal("no security group in the clone")
	}
	body["tags"] = map[string]any{"a": "b"}
	if clone.String() != before {
		t.Error("a body that was read is part of the state")
	}
	if err := clone.Put(nsg, body); err != nil {
		t.Fatal(err)
	}
	if c.String() != before || clone.String() == before {
		t.Error("the write went to the wrong cloud")
	}
	if ids := clone.IDs(); len(ids) != 2 || !ids[0].Equal(nsg) {
		t.Errorf("ids %v", ids)
	}
}
