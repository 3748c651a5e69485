package armid

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, c := range []struct {
		name, typ, value string
		want             string // of the error; empty: legal
	}{
		{"one letter", Probes, "a", ""},
		{"one digit", FrontendIPConfigurations, "7", ""},
		{"all that is allowed", LoadBalancingRules, "a-B.c_9_", ""},
		{"longest", BackendAddressPools, strings.Repeat("a", 80), ""},
		{"longest virtual network", VirtualNetworks, strings.Repeat("a", 64), ""},
		{"type in another case", "microsoft.network/virtualnetworks", "a", "malformed: want 2 to 64 characters, have 1"},
		{"child by its whole type", LoadBalancers + "/" + Probes, "a", ""},
		{"empty", LoadBalancers, "", "malformed: want 1 to 80 characters, have 0"},
		{"one too long", PublicIPAddresses, strings.Repeat("a", 81), "malformed: want 1 to 80 characters, have 81"},
		{"virtual network one too long", VirtualNetworks, strings.Repeat("a", 65), "malformed: want 2 to 64 characters, have 65"},
		{"starts with _", SecurityRules, "_a", "malformed: want a letter or digit at the start, have '_'"},
		{"starts with -", Subnets, "-a", "malformed: want a letter or digit at the start, have '-'"},
		{"ends with -", NetworkSecurityGroups, "a-", "malformed: want a letter, digit or _ at the end, have '-'"},
		{"ends with .", PublicIPPrefixes, "a.", "malformed: want a letter, digit or _ at the end, have '.'"},
		{"slash", PrivateLinkServices, "a/b", "malformed: want letters, digits, _ . and - only, have '/'"},
		{"letter beyond ASCII", Subnets, "aäb", "malformed: want letters, digits, _ . and - only, have 'ä'"},
	} {
		t.Run(c.name, func(t *testing.T) { checkError(t, CheckName(c.typ, c.value), c.want) })
	}
}

func TestCheckGroup(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"as AKS names them", "MC_group_cluster_westeurope", ""},
		{"all that is allowed", "-_.()a9", ""},
		{"longest", strings.Repeat("ä", 90), ""},
		{"empty", "", "malformed: want 1 to 90 characters, have 0"},
		{"one too long", strings.Repeat("a", 91), "malformed: want 1 to 90 characters, have 91"},
		{"ends with .", "a.", "malformed: want no full stop at the end"},
		{"slash", "a/b", "malformed: want letters, digits, _ - . ( and ) only, have '/'"},
		{"blank", "a b", "malformed: want letters, digits, _ - . ( and ) only, have ' '"},
		{"letter beyond 16 bits", "a\U00010400", "malformed: want letters, digits, _ - . ( and ) only, have '𐐀'"},
		{"not UTF-8", "a\xff", "malformed: want letters, digits, _ - . ( and ) only, have '�'"},
	} {
		t.Run(c.name, func(t *testing.T) { checkError(t, CheckGroup(c.value), c.want) })
	}
}

func TestIDCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		id   ID
		want string
	}{
		{"resource", lbID, ""},
		{"child", subnetOf("web"), ""},
		{"no id", "x", "malformed: want /subscriptions/ID/resourceGroups/NAME/providers/NAMESPACE/TYPE/NAME"},
		{"subscription", Resource("a_b", "g", LoadBalancers, "x"), `subscription "a_b": malformed: want the id of a subscription`},
		{"resource group", Resource("s", "g.", LoadBalancers, "x"), `resource group "g.": malformed: want no full stop at the end`},
		{"child name", subnetOf("a-"), `Microsoft.Network/virtualNetworks/subnets "a-": malformed: want a letter, digit or _ at the end, have '-'`},
		{
			"name of what the child is in", Resource("s", "g", VirtualNetworks, "v").Child(Subnets, "web"),
			`Microsoft.Network/virtualNetworks "v": malformed: want 2 to 64 characters, have 1`,
		},
	} {
		t.Run(c.name, func(t *testing.T) { checkError(t, c.id.Check(), c.want) })
	}
}

func subnetOf(name string) ID { return Resource("s", "g", VirtualNetworks, "net").Child(Subnets, name) }

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("error %v", err)
	case want != "" && (err == nil || err.Error() != want || !errors.Is(err, ErrSyntax)):
		t.Errorf("error %v, want %s", err, want)
	}
}

// A name that passes can be a segment of an id without changing what the id means.
func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"web", "a/b", "..", "a%2fb", "_", "a\xff", "MC_(x)", "ſ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if CheckName(Probes, s) == nil {
			id := lbID.Child(Probes, s)
			if parsed, err := Parse(string(id)); err != nil || parsed.Name() != s || !parsed.Is(LoadBalancers+"/"+Probes) {
				t.Errorf("%q passes, Parse(%q) = %q, %v", s, id, parsed, err)
			}
		}
		if CheckGroup(s) == nil {
			id := Resource("s", s, LoadBalancers, "x")
			if parsed, err := Parse(string(id)); err != nil || parsed.ResourceGroup() != s || parsed.Check() != nil {
				t.Errorf("%q passes, Parse(%q) = %q, %v", s, id, parsed, err)
			}
		}
	})
}
