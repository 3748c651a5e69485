package armid

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	group  = "/subscriptions/0000-11/resourceGroups/Nodes"
	lbID   = ID(group + "/providers/Microsoft.Network/loadBalancers/Kubernetes")
	probe  = lbID + "/probes/web"
	nic    = ID(group + "/providers/Microsoft.Compute/virtualMachineScaleSets/s/virtualMachines/0/networkInterfaces/n/ipConfigurations/c")
	subnet = ID(group + "/providers/Microsoft.Network/virtualNetworks/v/subnets/default")
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, id string
		ok       bool
	}{
		{"resource", string(lbID), true},
		{"child", string(probe), true},
		{"grandchild of another provider", string(nic), true},
		{"fixed segments in another case", "/SUBSCRIPTIONS/s/resourcegroups/g/Providers/Microsoft.Network/loadBalancers/x", true},
		{"resource group with letters beyond ASCII", "/subscriptions/s/resourceGroups/Größe/providers/Microsoft.Network/loadBalancers/x", true},
		{"empty", "", false},
		{"resource group", group, false},
		{"no name", group + "/providers/Microsoft.Network/loadBalancers", false},
		{"no leading slash", strings.TrimPrefix(string(lbID), "/"), false},
		{"trailing slash", string(lbID) + "/", false},
		{"child without a name", string(lbID) + "/probes", false},
		{"empty child name", string(lbID) + "/probes/", false},
		{"empty segment", "/subscriptions//resourceGroups/g/providers/Microsoft.Network/loadBalancers/x", false},
		{"of the whole subscription", "/subscriptions/s/providers/Microsoft.Network/locations/l/operations/o", false},
		{"query", string(lbID) + "?x=1", false},
		{"escape", string(lbID) + "%2fprobes", false},
		{"dot segment", group + "/providers/Microsoft.Network/loadBalancers/..", false},
		{"blank", string(lbID) + " ", false},
		{"line break", string(lbID) + "\n", false},
		{"not UTF-8", string(lbID) + "\xff", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := Parse(c.id)
			switch {
			case c.ok && (err != nil || string(id) != c.id):
				t.Errorf("Parse(%q) = %q, %v", c.id, id, err)
			case !c.ok && (id != "" || !errors.Is(err, ErrSyntax)):
				t.Errorf("Parse(%q) = %q, %v; want %v", c.id, id, err, ErrSyntax)
			}
		})
	}
}

func TestParts(t *testing.T) {
	type parts struct {
		subscription, group, typ, name string
		top, parent                    ID
	}
	for _, c := range []struct {
		id   ID
		want parts
	}{
		{"", parts{}},
		{group, parts{"0000-11", "Nodes", "", "Nodes", group, ""}},
		{lbID, parts{"0000-11", "Nodes", LoadBalancers, "Kubernetes", lbID, group}},
		{probe, parts{"0000-11", "Nodes", LoadBalancers + "/" + Probes, "web", lbID, lbID}},
		{nic, parts{
			"0000-11", "Nodes", "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces/ipConfigurations", "c",
			group + "/providers/Microsoft.Compute/virtualMachineScaleSets/s", nic[:strings.LastIndex(string(nic), "/ipConfigurations")],
		}},
	} {
		got := parts{c.id.Subscription(), c.id.ResourceGroup(), c.id.Type(), c.id.Name(), c.id.Top(), c.id.Parent()}
		if got != c.want {
			t.Errorf("parts of %q\n got %+v\nwant %+v", c.id, got, c.want)
		}
	}
	if got := nic.GroupID(); got != group {
		t.Errorf("GroupID = %q", got)
	}
}

func TestCompose(t *testing.T) {
	if got := Resource("0000-11", "Nodes", LoadBalancers, "Kubernetes"); got != lbID {
		t.Errorf("Resource = %q", got)
	}
	if got := lbID.Child(Probes, "web"); got != probe || !got.Is("microsoft.network/LOADBALANCERS/probes") || got.Is(LoadBalancers) {
		t.Errorf("Child = %q", got)
	}
}

func TestEqualIgnoresCase(t *testing.T) {
	for _, c := range []struct {
		a, b ID
		want bool
	}{
		{lbID, ID(strings.ToUpper(string(lbID))), true},
		{lbID, probe, false},
		{"", "", true},
		{"/subscriptions/s/resourceGroups/GRÖSSE", "/subscriptions/s/resourceGroups/größe", false},
		{"/subscriptions/s/resourceGroups/ÄRZTE", "/subscriptions/s/resourceGroups/ärzte", true},
		{"k", "\u212a", true}, // the sign for kelvin, three bytes long
		{"[", "{", false},     // 32 apart, but no letters
	} {
		if c.a.Equal(c.b) != c.want || c.b.Equal(c.a) != c.want || (c.a.Key() == c.b.Key()) != c.want {
			t.Errorf("%q and %q: want equal %v", c.a, c.b, c.want)
		}
	}
}

func TestCompareOrdersAsKeys(t *testing.T) {
	ids := []ID{"b", "", "Ä", "a_", "AZ", "aé", "A", "a", "ab/C", "AB"}
	byKey := slices.SortedFunc(slices.Values(ids), func(a, b ID) int { return strings.Compare(a.Key(), b.Key()) })
	got := slices.SortedFunc(slices.Values(ids), Compare)
	if !slices.EqualFunc(got, byKey, ID.Equal) {
		t.Errorf("got %q, want %q", got, byKey)
	}
}

func FuzzParse(f *testing.F) {
	for _, id := range []ID{lbID, probe, nic, subnet, "", "/", "/subscriptions/s/resourceGroups/ſ/providers/n/t/İ"} {
		f.Add(string(id), strings.ToUpper(string(id)))
	}
	f.Fuzz(func(t *testing.T, s, other string) {
		id, err := Parse(s)
		if err == nil {
			checkRoundTrip(t, s, id)
		}
		a, b := ID(s), ID(other)
		if a.Equal(b) != (a.Key() == b.Key()) || !a.Equal(ID(a.Key())) {
			t.Errorf("%q and %q: equal %v, keys %q and %q", a, b, a.Equal(b), a.Key(), b.Key())
		}
		if Compare(a, b) != -Compare(b, a) {
			t.Errorf("%q and %q: order depends on the direction", a, b)
		}
		for _, id := range []ID{a, b} { // none of them panics on what is no id
			_, _, _, _ = id.Type(), id.Top(), id.Parent(), id.Check()
		}
	})
}

func checkRoundTrip(t *testing.T, s string, id ID) {
	t.Helper()
	if string(id) != s {
		t.Errorf("Parse(%q) = %q", s, id)
	}
	seg := strings.Split(id.Type(), "/")
	top := Resource(id.Subscription(), id.ResourceGroup(), seg[0]+"/"+seg[1], id.Top().Name())
	if !top.Equal(id.Top()) {
		t.Errorf("composed %q, want %q", top, id.Top())
	}
	if len(seg) > 2 && id.Parent().Child(seg[len(seg)-1], id.Name()) != id {
		t.Errorf("%q is not the child %q of its parent %q", id, id.Name(), id.Parent())
	}
}

func TestUnit(t *testing.T) {
	const set = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachineScaleSets/ss"
	for _, tt := range []struct{ id, want ID }{
		{set, set},
		{set + "/virtualMachines/0", set + "/virtualMachines/0"},
		{set + "/VIRTUALMACHINES/0/networkInterfaces/nic/ipConfigurations/ip", set + "/VIRTUALMACHINES/0"},
		{set + "/extensions/e", set},
		{set + "/virtualMachines", set},
		{"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/l/probes/p", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/loadBalancers/l"},
		{"/subscriptions/s", "/subscriptions/s"},
	} {
		if got := tt.id.Unit(); got != tt.want {
			t.Errorf("Unit of %s: %s, want %s", tt.id, got, tt.want)
		}
	}
}
