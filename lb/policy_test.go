package lb_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// putPublicIP makes a public IP of the user.
func putPublicIP(t *testing.T, cloud interface {
	Put(id lb.ID, body map[string]any) error
}, name, address string, tags map[string]any,
) {
	t.Helper()
	if err := cloud.Put(lb.ID(worldGroup+"/publicIPAddresses/"+name), map[string]any{
		"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "tags": tags, "properties": map[string]any{
			"publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "ipAddress": address,
		},
	}); err != nil {
		t.Fatal(err)
	}
}

const (
	ownSubscription   = "00000000-0000-0000-0000-000000000001"
	otherSubscription = "00000000-0000-0000-0000-000000000002"
)

func prefixIn(subscription, group string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + group + "/providers/Microsoft.Network/publicIPPrefixes/p"
}

func TestPolicy(t *testing.T) {
	note := lbtest.Annotate
	all := func(changes ...func(*corev1.Service)) func(*corev1.Service) {
		return func(s *corev1.Service) {
			for _, change := range changes {
				change(s)
			}
		}
	}
	linked := func(key, value string) func(*corev1.Service) {
		return all(lbtest.Internal, note("azure-pls-create", "true"), note(key, value))
	}
	none := lb.Policy{ResourceGroups: []string{}, Subnets: []string{}, ServiceTags: []string{}, Visibility: []string{}}
	tagged := lb.Policy{PublicIPTags: lb.TagsOf(map[string]string{"team": "edge", "shared": ""})}
	for _, c := range []struct {
		name   string
		policy lb.Policy
		ask    func(*corev1.Service)
		field  string // of the finding; empty: allowed
		text   string
	}{
		{"nothing is named", none, func(*corev1.Service) {}, "", ""},
		{"group, no policy", lb.Policy{}, note("azure-load-balancer-resource-group", "others"), "", ""},
		{"group", none, note("azure-load-balancer-resource-group", "others"), "azure-load-balancer-resource-group", `resource group "others": want rg`},
		{"group of the configuration, other case", none, note("azure-load-balancer-resource-group", "RG"), "", ""},
		{"group that is allowed", lb.Policy{ResourceGroups: []string{"Oth*"}}, note("azure-load-balancer-resource-group", "others"), "", ""},
		{"group of an internal Service has no effect", none, all(lbtest.Internal, note("azure-load-balancer-resource-group", "others")), "", ""},
		{"prefix in another subscription", lb.Policy{}, note("azure-pip-prefix-id", prefixIn(otherSubscription, "rg")), "azure-pip-prefix-id", `subscription "` + otherSubscription + `": want ` + ownSubscription},
		{"prefix in a subscription that is allowed", lb.Policy{Subscriptions: []string{otherSubscription}}, note("azure-pip-prefix-id", prefixIn(otherSubscription, "rg")), "", ""},
		{
			"group of the configuration's name in another subscription",
			lb.Policy{Subscriptions: []string{"*"}, ResourceGroups: []string{"ips"}},
			note("azure-pip-prefix-id", prefixIn(otherSubscription, "rg")), "azure-pip-prefix-id", `resource group "rg": want ips`,
		},
		{"prefix in another group", none, note("azure-pip-prefix-id", prefixIn(ownSubscription, "others")), "azure-pip-prefix-id", `resource group "others": want rg`},
		{"subnet", none, all(lbtest.Internal, note("azure-load-balancer-internal-subnet", "apps")), "azure-load-balancer-internal-subnet", `subnet "apps": want nodes`},
		{"subnet of the configuration", none, all(lbtest.Internal, note("azure-load-balancer-internal-subnet", "nodes")), "", ""},
		{"subnet of an external Service has no effect", none, note("azure-load-balancer-internal-subnet", "apps"), "", ""},
		{"public IP without the tags", tagged, note("azure-pip-name", "plain"), "azure-pip-name", `public IP "plain": want one tagged shared and team=edge`},
		{"public IP with one of the tags", tagged, note("azure-pip-name", "half"), "azure-pip-name", `public IP "half": want one tagged shared and team=edge`},
		{"public IP with the tags", tagged, note("azure-pip-name", "full"), "", ""},
		{"address of a public IP without the tags", tagged, note("azure-load-balancer-ipv4", "20.1.1.1"), "azure-load-balancer-ipv4", `public IP "plain": want one tagged shared and team=edge`},
		{"address of a public IP with the tags", tagged, note("azure-load-balancer-ipv4", "20.1.1.3"), "", ""},
		{"additional address of nobody", tagged, note("azure-additional-public-ips", "20.5.5.5"), "azure-additional-public-ips", `address "20.5.5.5": want that of a public IP tagged shared and team=edge`},
		{"additional address of a public IP with the tags", tagged, note("azure-additional-public-ips", "20.1.1.3"), "", ""},
		{"service tag", none, note("azure-allowed-service-tags", "AzureCloud"), "azure-allowed-service-tags", `service tag "AzureCloud": want none`},
		{"service tags by their start", lb.Policy{ServiceTags: []string{"azurefrontdoor.*"}}, note("azure-allowed-service-tags", "AzureFrontDoor.Backend"), "", ""},
		{"one of two service tags", lb.Policy{ServiceTags: []string{"AzureCloud"}}, note("azure-allowed-service-tags", "AzureCloud,Internet"), "azure-allowed-service-tags", `service tag "Internet": want AzureCloud`},
		{"group of a private link service", none, linked("azure-pls-resource-group", "others"), "azure-pls-resource-group", `resource group "others": want rg`},
		{"subnet of a private link service", none, linked("azure-pls-ip-configuration-subnet", "apps"), "azure-pls-ip-configuration-subnet", `subnet "apps": want nodes`},
		{"visible to everybody", lb.Policy{Visibility: []string{ownSubscription}}, linked("azure-pls-visibility", "*"), "azure-pls-visibility", `subscription "*": want ` + ownSubscription},
		{"visible to one that is allowed", lb.Policy{Visibility: []string{ownSubscription}}, linked("azure-pls-visibility", ownSubscription), "", ""},
		{"the start of a subscription does not mean everybody", lb.Policy{Visibility: []string{"0*"}}, linked("azure-pls-visibility", "*"), "azure-pls-visibility", `subscription "*": want 0*`},
		{"approves by itself", none, linked("azure-pls-auto-approval", otherSubscription), "azure-pls-auto-approval", `subscription "` + otherSubscription + `": want none`},
		{"everybody, no policy", lb.Policy{}, linked("azure-pls-visibility", "*"), "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
			putPublicIP(t, cloud, "plain", "20.1.1.1", nil)
			putPublicIP(t, cloud, "half", "20.1.1.2", map[string]any{"team": "edge"})
			putPublicIP(t, cloud, "full", "20.1.1.3", map[string]any{"Team": "edge", "shared": "yes"})
			in := lb.Objects{Services: []corev1.Service{lbtest.Service(0)}, Nodes: lbtest.Nodes(1)}
			settled(t, cloud, cluster, in)
			before := cloud.String()

			c.ask(&in.Services[0])
			cluster.Policy = c.policy
			seen := observed(t, cloud, cluster, in)
			want, findings := lb.Build(cluster, in, seen)
			var got []string
			for _, f := range findings {
				if errors.Is(f.Err, lb.ErrPolicy) {
					if !f.Holds || f.Severity != lb.SeverityError || f.Service.Name != "svc-0" {
						t.Errorf("%+v: want an error that holds svc-0", f)
					}
					got = append(got, f.Field+": "+f.Err.Error())
				}
			}
			var expected []string
			if c.field != "" {
				expected = []string{"metadata.annotations[" + annotations.Prefix + c.field + "]: not allowed by the policy: " + c.text}
			}
			if d := cmp.Diff(expected, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if plan, err := lb.Diff(seen, lb.Adopt(seen, want)); c.field != "" && (err != nil || len(plan.Steps) > 0) {
				t.Errorf("held, and still something is done: %v %s\n%s", err, explained(t, plan), before)
			}
		})
	}
}

// TestPolicyScope: what the policy keeps from Services is not even read.
func TestPolicyScope(t *testing.T) {
	in := lb.Objects{Services: []corev1.Service{
		lbtest.Service(0, lbtest.Annotate("azure-load-balancer-resource-group", "others")),
		lbtest.Service(1, lbtest.Annotate("azure-pip-prefix-id", prefixIn(otherSubscription, "rg"))),
		lbtest.Service(2, lbtest.Internal, lbtest.Annotate("azure-pls-create", "true"), lbtest.Annotate("azure-pls-resource-group", "others")),
	}}
	count := func(c lb.Cluster) string {
		s := lb.ScopeOf(c, in)
		return fmt.Sprint(len(s.PublicIPs), len(s.Prefixes), len(s.PrivateLinkServices))
	}
	c := lbtest.Cluster()
	if got := count(c); got != "2 0 2" {
		t.Errorf("no policy: got %s public IP groups, prefixes, private link groups", got)
	}
	c.Policy.Subscriptions = []string{"*"}
	if got := count(c); got != "2 1 2" {
		t.Errorf("other subscriptions: got %s", got)
	}
	c.Policy.ResourceGroups = []string{}
	if got := count(c); got != "1 0 1" {
		t.Errorf("no other groups: got %s", got)
	}
}

func TestParsePolicy(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       lb.Policy
		err        string
	}{
		{"everything", "{}", lb.Policy{}, ""},
		{"nothing", "resourceGroups: []\nvisibility: []\n", lb.Policy{ResourceGroups: []string{}, Visibility: []string{}}, ""},
		{
			"all keys", `{"resourceGroups": ["a*"], "subnets": ["b"], "publicIPTags": {"c": "d"}, "serviceTags": ["e"], "visibility": ["*"], "subscriptions": ["f"],
				"autoApproval": ["g"], "joinNamespaces": ["h"], "privateLinkNamespaces": ["i"], "sharedPrivateLinks": ["j"], "additionalAddresses": "tagged"}`,
			lb.Policy{
				ResourceGroups: []string{"a*"}, Subnets: []string{"b"}, PublicIPTags: lb.Tags{{Key: "c", Value: "d"}}, ServiceTags: []string{"e"},
				Visibility: []string{"*"}, Subscriptions: []string{"f"}, AutoApproval: []string{"g"}, JoinNamespaces: []string{"h"},
				PrivateLinkNamespaces: []string{"i"}, SharedPrivateLinks: []string{"j"}, AdditionalAddresses: lb.AddressesTagged,
			},
			"",
		},
		{"no use of addresses", "additionalAddresses: some", lb.Policy{}, "want any, tagged or none"},
		{"a list of blanks", "joinNamespaces: [' h']", lb.Policy{}, "joinNamespaces"},
		{"empty file", "", lb.Policy{}, "want an object"},
		{"a list", "[]", lb.Policy{}, "want an object"},
		{"no value", "subnets:\n", lb.Policy{}, "subnets has no value"},
		{"misspelt key", "subnet: [a]", lb.Policy{}, `unknown field "subnet"`},
		{"a * in the middle", "subnets: ['a*b']", lb.Policy{}, "a * at its end only"},
		{"no tags", "publicIPTags: {}", lb.Policy{}, "want at least one tag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := lb.ParsePolicy([]byte(c.text))
			for field, v := range reflect.ValueOf(c.want).Fields() {
				if c.name == "all keys" && v.IsZero() {
					t.Errorf("no key sets %s", field.Name)
				}
			}
			if c.err != "" {
				if !errors.Is(err, lb.ErrConfiguration) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if d := cmp.Diff(c.want, got); err != nil || d != "" {
				t.Errorf("%v -want +got:\n%s", err, d)
			}
		})
	}
}

// TestAdditionalAddressOfAnother: an address that a frontend of another Service has, or is to have, is not one to be named beside.
func TestAdditionalAddressOfAnother(t *testing.T) {
	for name, late := range map[string]bool{"there already": false, "to be there": true} {
		t.Run(name, func(t *testing.T) {
			cloud, c := lbtest.Cloud(), lbtest.Cluster()
			putPublicIP(t, cloud, "mine", "20.1.1.1", nil)
			in := lb.Objects{Services: []corev1.Service{lbtest.Service(0, lbtest.Annotate("azure-pip-name", "mine"))}, Nodes: lbtest.Nodes(1)}
			if !late {
				settled(t, cloud, c, in)
			}
			in.Services = append(in.Services, lbtest.Service(1, lbtest.Port(81), lbtest.Annotate("azure-additional-public-ips", "20.1.1.1")))
			report := settled(t, cloud, c, in)
			s := report.Services[nameOf(in.Services[1])]
			if !s.Held || !strings.Contains(fmt.Sprint(s.Findings), "azure-additional-public-ips") {
				t.Errorf("got %+v, want it held", s)
			}
			if first := report.Services[nameOf(in.Services[0])]; first.Held || first.Status == nil {
				t.Errorf("got %+v, want it served", first)
			}
		})
	}
}

// producedIDs are the ids of everything that a plan writes or names, with the type each must have.
func producedIDs(want lb.Desired, plan lb.Plan) map[lb.ID]string {
	ids := map[lb.ID]string{}
	for _, l := range want.LoadBalancers {
		ids[l.ID] = armid.LoadBalancers
		for _, f := range l.Frontends {
			ids[l.ID.Child(armid.FrontendIPConfigurations, f.Name)] = armid.LoadBalancers + "/" + armid.FrontendIPConfigurations
			if f.PublicIP != "" {
				ids[f.PublicIP] = armid.PublicIPAddresses
			} else {
				ids[f.Subnet] = armid.VirtualNetworks + "/" + armid.Subnets
			}
		}
		for _, r := range l.Rules {
			ids[l.ID.Child(armid.LoadBalancingRules, r.Name)] = armid.LoadBalancers + "/" + armid.LoadBalancingRules
		}
		for _, p := range l.Probes {
			ids[l.ID.Child(armid.Probes, p.Name)] = armid.LoadBalancers + "/" + armid.Probes
		}
		for _, p := range l.Pools {
			ids[l.ID.Child(armid.BackendAddressPools, p.Name)] = armid.LoadBalancers + "/" + armid.BackendAddressPools
			if p.Network != "" {
				ids[p.Network] = armid.VirtualNetworks
			}
		}
	}
	for _, p := range want.PublicIPs {
		ids[p.ID] = armid.PublicIPAddresses
		if p.Prefix != "" {
			ids[p.Prefix] = armid.PublicIPPrefixes
		}
	}
	for _, g := range want.SecurityGroups {
		ids[g.ID] = armid.NetworkSecurityGroups
		for _, r := range g.Rules {
			ids[g.ID.Child(armid.SecurityRules, r.Name)] = armid.NetworkSecurityGroups + "/" + armid.SecurityRules
		}
	}
	for _, p := range want.PrivateLinkServices {
		ids[p.ID] = armid.PrivateLinkServices
		for _, n := range p.NAT {
			ids[n.Subnet] = armid.VirtualNetworks + "/" + armid.Subnets
		}
		for _, f := range p.Frontends {
			ids[f] = armid.LoadBalancers + "/" + armid.FrontendIPConfigurations
		}
	}
	for _, id := range want.Remove {
		ids[id] = id.Type()
	}
	for _, s := range plan.Steps {
		ids[s.Op.Target()] = s.Op.Target().Type()
		for _, change := range s.Op.Why() {
			ids[change.Ref] = change.Ref.Type()
		}
	}
	return ids
}

// FuzzIDs: whatever the annotations of a Service and its names say, every id that is read or written parses, is of its type, and is in the
// subscription of the configuration; with a policy also in the groups that it allows.
func FuzzIDs(f *testing.F) {
	for i := range annotations.Keys() {
		for _, v := range []string{"true", "a/../../../x", "x%2f..", prefixIn(otherSubscription, "rg"), prefixIn(ownSubscription, "a/b"), "rg)", "Ünïcode", "a?b=c#d", " ", "../rg", "others", "apps"} {
			f.Add(uint8(i), v, uint8(i+7), "true", "0000-"+v, i%2 == 0)
		}
	}
	keys := annotations.Keys()
	f.Fuzz(func(t *testing.T, k1 uint8, v1 string, k2 uint8, v2, uid string, strict bool) {
		svc := lbtest.Service(1, lbtest.Dual)
		svc.Annotations[annotations.PortKey(keys[int(k1)%len(keys)].Name, 80)] = v1
		svc.Annotations[annotations.PortKey(keys[int(k2)%len(keys)].Name, 80)] = v2
		if len(uid)%3 == 0 {
			svc.Name = uid
		} else if len(uid)%3 == 1 {
			svc.UID = lbtest.Service(1).UID
		}
		c, in := lbtest.Cluster(), lb.Objects{Services: []corev1.Service{lbtest.Service(0), svc}, Nodes: lbtest.Nodes(1)}
		if strict {
			c.Policy = lb.Policy{ResourceGroups: []string{}, Subnets: []string{}}
		}
		scope := lb.ScopeOf(c, in)
		check := func(id lb.ID, typ string) {
			if err := id.Check(); err != nil && typ != "" {
				t.Errorf("%q: %v", id, err)
			}
			if id.Type() != typ || !strings.EqualFold(id.Subscription(), ownSubscription) {
				t.Errorf("%q: want %s in %s", id, typ, ownSubscription)
			}
			if strict && !strings.EqualFold(id.ResourceGroup(), "rg") {
				t.Errorf("%q: the policy allows group rg only", id)
			}
		}
		for _, group := range append(append(scope.LoadBalancers, scope.PublicIPs...), scope.PrivateLinkServices...) {
			if armid.CheckGroup(group.ResourceGroup()) != nil || !group.Equal(armid.Group(ownSubscription, group.ResourceGroup())) {
				t.Errorf("%q is no group of the subscription", group)
			}
		}
		for _, id := range scope.Prefixes {
			check(id, armid.PublicIPPrefixes)
		}
		cloud := lbtest.Cloud()
		seen, err := cloud.Observe(t.Context(), scope)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range scope.Prefixes {
			seen.Prefixes = append(seen.Prefixes, lb.PublicIPPrefix{ID: id})
		}
		for i, u := range seen.Unknown {
			if u.Type == armid.PublicIPAddresses || u.Type == armid.PrivateLinkServices {
				seen.Unknown[i].Scope = "" // as if the group were there, so that ids in it are made
			}
		}
		want, _ := lb.Build(c, in, seen)
		plan, err := lb.Diff(seen, lb.Adopt(seen, want))
		if err != nil {
			t.Fatalf("the result of Build is not well formed: %v", err)
		}
		for id, typ := range producedIDs(want, plan) {
			check(id, typ)
		}
	})
}
