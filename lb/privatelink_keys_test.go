package lb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb/armid"
)

// What a row of keyTests is about.
const (
	byDefault    = "default"      // the key is absent
	empty        = "empty"        // the value is
	usable       = "usable"       // one that counts
	malformed    = "malformed"    // of another grammar
	tooLow       = "too low"      // one below the bound
	lowest       = "lowest"       // at the bound
	highest      = "highest"      // at the bound
	tooHigh      = "too high"     // one above the bound
	contradicted = "contradicted" // by another key, another Service, or what is there
)

// aspectsOf are those that a key needs rows for: every value has a default, an empty form and something that contradicts it; what else can
// go wrong is a matter of its grammar.
func aspectsOf(k annotations.Key) []string {
	list := []string{byDefault, empty, usable, contradicted}
	switch k.Grammar {
	case annotations.Boolean:
		return append(list, malformed)
	case annotations.Name, annotations.GroupName, annotations.NATAddresses: // below the least is the empty value
		return append(list, malformed, lowest, highest, tooHigh)
	case annotations.WholeNumber:
		return append(list, malformed, tooLow, lowest, highest, tooHigh)
	case annotations.Words: // nothing is malformed
		if k.Range == "" {
			return list
		}
		return append(list, lowest, highest, tooHigh)
	default:
		return append(list, "rows for the grammar "+string(k.Grammar)+", which this test does not know")
	}
}

// plainLink is what default/svc-1 gets that says nothing but that it wants one.
const plainLink = "rg/pls-a0000000100004000800000000000abc of default/svc-1: nodes dynamic primary; proxy false, fqdns [], visible [], approved []"

// link is plainLink with some of it replaced, pair by pair.
func link(pairs ...string) []string {
	return []string{strings.NewReplacer(pairs...).Replace(plainLink)}
}

const shared = "10.1.5.5" // an address that two Services are on

var keyTests = []struct {
	key, aspect string
	notes       []string        // of default/svc-1, beside that it is internal and asks
	owner       []string        // of default/svc-2, on the same frontend and there first; nil: nobody is
	before      func(*linkTest) // what is there beside
	links       []string        // of default/svc-1
	finds       []string
}{
	{key: "azure-pls-create", aspect: byDefault},
	{
		key: "azure-pls-create", aspect: empty, notes: []string{"azure-pls-create", ""},
		finds: []string{`warning: metadata.annotations[azure-pls-create]: "": malformed: want true or false`},
	},
	{key: "azure-pls-create", aspect: usable, notes: []string{"azure-pls-create", " TRUE "}, links: link()},
	{
		key: "azure-pls-create", aspect: malformed, notes: []string{"azure-pls-create", "yes"},
		finds: []string{`warning: metadata.annotations[azure-pls-create]: "yes": malformed: want true or false`},
	},
	{
		key: "azure-pls-create", aspect: contradicted, notes: []string{"azure-pls-create", "true", "azure-load-balancer-internal", "false"},
		finds: []string{`error: metadata.annotations[azure-pls-create]: not served: an external Service has a private link service only without floating IP; set azure-load-balancer-internal or azure-disable-load-balancer-floating-ip to "true"`},
	},
	{key: "azure-pls-name", aspect: byDefault, links: link()},
	{key: "azure-pls-name", aspect: empty, notes: []string{"azure-pls-name", ""}, links: link()},
	{key: "azure-pls-name", aspect: usable, notes: []string{"azure-pls-name", " mine "}, links: link("pls-a0000000100004000800000000000abc", "mine")},
	{
		key: "azure-pls-name", aspect: malformed, notes: []string{"azure-pls-name", "a/b"},
		finds: []string{`error: metadata.annotations[azure-pls-name]: "a/b": malformed: want letters, digits, _ . and - only, have '/'`},
	},
	{key: "azure-pls-name", aspect: lowest, notes: []string{"azure-pls-name", "m"}, links: link("pls-a0000000100004000800000000000abc", "m")},
	{key: "azure-pls-name", aspect: highest, notes: []string{"azure-pls-name", long(80)}, links: link("pls-a0000000100004000800000000000abc", long(80))},
	{
		key: "azure-pls-name", aspect: tooHigh, notes: []string{"azure-pls-name", long(81)},
		finds: []string{`error: metadata.annotations[azure-pls-name]: "` + long(81) + `": malformed: want 1 to 80 characters, have 81`},
	},
	{
		key: "azure-pls-name", aspect: contradicted, notes: []string{"azure-pls-name", "mine"}, before: there("azure-pls-name", "other"),
		finds: []string{`error: metadata.annotations[azure-pls-name]: "mine": cannot be renamed: the frontend has other, and a new one would have another alias; keep that name, or remove the frontend first`},
	},
	{
		key: "azure-pls-name", aspect: contradicted, notes: []string{"azure-pls-name", "mine"}, owner: []string{"azure-pls-name", "other"},
		finds: []string{"error: metadata.annotations[azure-pls-name]: already in use: the private link service of frontend a0000000200004000800000000000abc is configured by default/svc-2, which has different settings for azure-pls-name; use the same settings, or remove all azure-pls annotations of this Service except azure-pls-create"},
	},
	{key: "azure-pls-resource-group", aspect: byDefault, links: link()},
	{key: "azure-pls-resource-group", aspect: empty, notes: []string{"azure-pls-resource-group", ""}, links: link()},
	{key: "azure-pls-resource-group", aspect: usable, notes: []string{"azure-pls-resource-group", " links "}, links: link("rg/", "links/")},
	{
		key: "azure-pls-resource-group", aspect: malformed, notes: []string{"azure-pls-resource-group", "a/b"},
		finds: []string{`error: metadata.annotations[azure-pls-resource-group]: "a/b": malformed: want letters, digits, _ - . ( and ) only, have '/'`},
	},
	{key: "azure-pls-resource-group", aspect: lowest, notes: []string{"azure-pls-resource-group", "l"}, links: link("rg/", "l/")},
	{key: "azure-pls-resource-group", aspect: highest, notes: []string{"azure-pls-resource-group", long(90)}, links: link("rg/", long(90)+"/")},
	{
		key: "azure-pls-resource-group", aspect: tooHigh, notes: []string{"azure-pls-resource-group", long(91)},
		finds: []string{`error: metadata.annotations[azure-pls-resource-group]: "` + long(91) + `": malformed: want 1 to 90 characters, have 91`},
	},
	{
		key: "azure-pls-resource-group", aspect: contradicted, notes: []string{"azure-pls-resource-group", "links"}, before: there(),
		finds: []string{`error: metadata.annotations[azure-pls-resource-group]: "links": cannot be renamed: the frontend has pls-a0000000100004000800000000000abc in resource group rg, and a new one would have another alias; keep that group, or remove the frontend first`},
	},
	{key: "azure-pls-ip-configuration-subnet", aspect: byDefault, links: link()},
	{key: "azure-pls-ip-configuration-subnet", aspect: empty, notes: []string{"azure-pls-ip-configuration-subnet", ""}, links: link()},
	{
		key: "azure-pls-ip-configuration-subnet", aspect: usable, notes: []string{"azure-pls-ip-configuration-subnet", " apps "},
		links: link("nodes dynamic primary", "apps dynamic primary"),
	},
	{
		key: "azure-pls-ip-configuration-subnet", aspect: malformed, notes: []string{"azure-pls-ip-configuration-subnet", "a/b"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-subnet]: "a/b": malformed: want letters, digits, _ . and - only, have '/'`},
	},
	{
		key: "azure-pls-ip-configuration-subnet", aspect: lowest, notes: []string{"azure-pls-ip-configuration-subnet", "s"},
		links: link("nodes dynamic primary", "s dynamic primary"),
	},
	{
		key: "azure-pls-ip-configuration-subnet", aspect: highest, notes: []string{"azure-pls-ip-configuration-subnet", long(80)},
		links: link("nodes dynamic primary", long(80)+" dynamic primary"),
	},
	{
		key: "azure-pls-ip-configuration-subnet", aspect: tooHigh, notes: []string{"azure-pls-ip-configuration-subnet", long(81)},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-subnet]: "` + long(81) + `": malformed: want 1 to 80 characters, have 81`},
	},
	{
		key: "azure-pls-ip-configuration-subnet", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-subnet", "apps"}, before: shut,
		finds: []string{"error: metadata.annotations[azure-pls-ip-configuration-subnet]: not served: subnet apps has network policies for private link services; disable them (privateLinkServiceNetworkPolicies) or choose another subnet"},
	},
	{
		key: "azure-pls-ip-configuration-subnet", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-subnet", "none"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-subnet]: not found: no subnet "none" in virtual network vnet`},
	},
	{
		key: "azure-pls-ip-configuration-subnet", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-subnet", "apps"}, owner: []string{"azure-pls-ip-configuration-subnet", "nodes"},
		finds: []string{"error: metadata.annotations[azure-pls-ip-configuration-subnet]: already in use: the private link service of frontend a0000000200004000800000000000abc is configured by default/svc-2, which has different settings for azure-pls-ip-configuration-subnet; use the same settings, or remove all azure-pls annotations of this Service except azure-pls-create"},
	},
	{key: "azure-pls-ip-configuration-ip-address-count", aspect: byDefault, links: link()},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: empty, notes: []string{"azure-pls-ip-configuration-ip-address-count", ""},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "": malformed: want 1 to 8 addresses`},
	},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: usable, notes: []string{"azure-pls-ip-configuration-ip-address-count", " 3 "},
		links: link("nodes dynamic primary", "nodes dynamic primary, nodes dynamic, nodes dynamic"),
	},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: malformed, notes: []string{"azure-pls-ip-configuration-ip-address-count", "two"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "two": malformed: want 1 to 8 addresses`},
	},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: tooLow, notes: []string{"azure-pls-ip-configuration-ip-address-count", "0"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "0": out of range: want 1 to 8 addresses`},
	},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: lowest, notes: []string{"azure-pls-ip-configuration-ip-address-count", "1"},
		links: link(),
	},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: highest, notes: []string{"azure-pls-ip-configuration-ip-address-count", "8"},
		links: link("nodes dynamic primary", "nodes dynamic primary, nodes dynamic, nodes dynamic, nodes dynamic, nodes dynamic, nodes dynamic, nodes dynamic, nodes dynamic"),
	},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: tooHigh, notes: []string{"azure-pls-ip-configuration-ip-address-count", "9"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "9": out of range: want 1 to 8 addresses`},
	},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-ip-address-count", "2"}, owner: []string{"azure-pls-ip-configuration-ip-address-count", "3"},
		finds: []string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: already in use: the private link service of frontend a0000000200004000800000000000abc is configured by default/svc-2, which has different settings for azure-pls-ip-configuration-ip-address-count; use the same settings, or remove all azure-pls annotations of this Service except azure-pls-create"},
	},
	{
		key: "azure-pls-ip-configuration-ip-address-count", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-ip-address-count", "1", "azure-pls-ip-configuration-ip-address", "10.1.9.9 10.1.9.8"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address-count]: "1": conflict: want at least 2, the number of static addresses`},
	},
	{key: "azure-pls-ip-configuration-ip-address", aspect: byDefault, links: link()},
	{key: "azure-pls-ip-configuration-ip-address", aspect: empty, notes: []string{"azure-pls-ip-configuration-ip-address", ""}, links: link()},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: usable, notes: []string{"azure-pls-ip-configuration-ip-address", " 10.1.9.9  10.1.9.7 "},
		links: link("nodes dynamic primary", "nodes 10.1.9.9 primary, nodes 10.1.9.7"),
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: usable, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.7 ... 10.1.9.9"},
		links: link("nodes dynamic primary", "nodes 10.1.9.7 primary, nodes 10.1.9.8, nodes 10.1.9.9"),
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: malformed, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.9,10.1.9.8"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address]: "10.1.9.9,10.1.9.8": malformed: want IPv4 addresses with blanks between, or FIRST ... LAST`},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: malformed, notes: []string{"azure-pls-ip-configuration-ip-address", "fd00:0:0:1::9"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address]: "fd00:0:0:1::9": malformed: want IPv4 addresses with blanks between, or FIRST ... LAST`},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: lowest, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.0.4"},
		links: link("nodes dynamic primary", "nodes 10.1.0.4 primary"),
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: highest, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.1 ... 10.1.9.8"},
		links: link("nodes dynamic primary", "nodes 10.1.9.1 primary, nodes 10.1.9.2, nodes 10.1.9.3, nodes 10.1.9.4, nodes 10.1.9.5, nodes 10.1.9.6, nodes 10.1.9.7, nodes 10.1.9.8"),
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: tooHigh, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.1 ... 10.1.9.9"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address]: "10.1.9.1 ... 10.1.9.9": out of range: want at most 8 addresses`},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: tooHigh, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.1 ... 10.1.9.8 10.1.9.20"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address]: "10.1.9.1 ... 10.1.9.8 10.1.9.20": out of range: want at most 8 addresses`},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-ip-address", "10.2.0.9"},
		finds: []string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address]: 10.2.0.9 in subnet nodes: 10.2.0.9: in no prefix of the subnet"},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.0.3"},
		finds: []string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address]: 10.1.0.3 in subnet nodes: 10.1.0.3: kept by Azure, which needs the first four addresses of each prefix and the last IPv4 one"},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.9 10.1.9.8"}, owner: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.8 10.1.9.9"},
		finds: []string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address]: already in use: the private link service of frontend a0000000200004000800000000000abc is configured by default/svc-2, which has different settings for azure-pls-ip-configuration-ip-address; use the same settings, or remove all azure-pls annotations of this Service except azure-pls-create"},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: usable, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.7 10.1.9.9 10.1.9.8"}, owner: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.7 ... 10.1.9.9", "azure-pls-ip-configuration-ip-address-count", "3"},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.9", "azure-load-balancer-ipv4", "10.1.9.9"},
		finds: []string{"error: metadata.annotations[azure-pls-ip-configuration-ip-address]: 10.1.9.9 in subnet nodes: 10.1.9.9: in use"},
	},
	{
		key: "azure-pls-ip-configuration-ip-address", aspect: contradicted, notes: []string{"azure-pls-ip-configuration-ip-address", "10.1.9.9 ... 10.1.9.1"},
		finds: []string{`error: metadata.annotations[azure-pls-ip-configuration-ip-address]: "10.1.9.9 ... 10.1.9.1": out of range: want the lower address first`},
	},
	{key: "azure-pls-fqdns", aspect: byDefault, links: link()},
	{key: "azure-pls-fqdns", aspect: empty, notes: []string{"azure-pls-fqdns", ""}, links: link()},
	{
		key: "azure-pls-fqdns", aspect: usable, notes: []string{"azure-pls-fqdns", " b.example.com  a.example.com "},
		links: link("fqdns []", "fqdns [b.example.com a.example.com]"),
	},
	{
		key: "azure-pls-fqdns", aspect: contradicted, notes: []string{"azure-pls-fqdns", "a.example.com"}, owner: []string{"azure-pls-fqdns", "b.example.com"},
		finds: []string{"error: metadata.annotations[azure-pls-fqdns]: already in use: the private link service of frontend a0000000200004000800000000000abc is configured by default/svc-2, which has different settings for azure-pls-fqdns; use the same settings, or remove all azure-pls annotations of this Service except azure-pls-create"},
	},
	{key: "azure-pls-proxy-protocol", aspect: byDefault, links: link()},
	{
		key: "azure-pls-proxy-protocol", aspect: empty, notes: []string{"azure-pls-proxy-protocol", ""},
		links: link(),
		finds: []string{`warning: metadata.annotations[azure-pls-proxy-protocol]: "": malformed: want true or false`},
	},
	{key: "azure-pls-proxy-protocol", aspect: usable, notes: []string{"azure-pls-proxy-protocol", " TRUE "}, links: link("proxy false", "proxy true")},
	{
		key: "azure-pls-proxy-protocol", aspect: malformed, notes: []string{"azure-pls-proxy-protocol", "on"},
		links: link(),
		finds: []string{`warning: metadata.annotations[azure-pls-proxy-protocol]: "on": malformed: want true or false`},
	},
	{
		key: "azure-pls-proxy-protocol", aspect: contradicted, notes: []string{"azure-pls-proxy-protocol", "true"}, owner: []string{"azure-pls-proxy-protocol", "false"},
		finds: []string{"error: metadata.annotations[azure-pls-proxy-protocol]: already in use: the private link service of frontend a0000000200004000800000000000abc is configured by default/svc-2, which has different settings for azure-pls-proxy-protocol; use the same settings, or remove all azure-pls annotations of this Service except azure-pls-create"},
	},
	{key: "azure-pls-visibility", aspect: byDefault, links: link()},
	{key: "azure-pls-visibility", aspect: empty, notes: []string{"azure-pls-visibility", ""}, links: link()},
	{key: "azure-pls-visibility", aspect: usable, notes: []string{"azure-pls-visibility", "a  b"}, links: link("visible []", "visible [a b]")},
	{key: "azure-pls-visibility", aspect: usable, notes: []string{"azure-pls-visibility", "a * b"}, links: link("visible []", "visible [*]")},
	{key: "azure-pls-visibility", aspect: lowest, notes: []string{"azure-pls-visibility", "a"}, links: link("visible []", "visible [a]")},
	{
		key: "azure-pls-visibility", aspect: highest, notes: []string{"azure-pls-visibility", subscriptions(100)},
		links: link("visible []", "visible ["+subscriptions(100)+"]"),
	},
	{
		key: "azure-pls-visibility", aspect: tooHigh, notes: []string{"azure-pls-visibility", subscriptions(101)},
		finds: []string{"error: metadata.annotations[azure-pls-visibility]: out of range: 101 subscriptions, at most 100"},
	},
	{
		key: "azure-pls-visibility", aspect: contradicted, notes: []string{"azure-pls-visibility", "*"}, owner: []string{"azure-pls-visibility", "a"},
		finds: []string{"error: metadata.annotations[azure-pls-visibility]: already in use: the private link service of frontend a0000000200004000800000000000abc is configured by default/svc-2, which has different settings for azure-pls-visibility; use the same settings, or remove all azure-pls annotations of this Service except azure-pls-create"},
	},
	{key: "azure-pls-auto-approval", aspect: byDefault, links: link()},
	{key: "azure-pls-auto-approval", aspect: empty, notes: []string{"azure-pls-auto-approval", ""}, links: link()},
	{
		key: "azure-pls-auto-approval", aspect: contradicted, notes: []string{"azure-pls-auto-approval", "a"}, owner: []string{"azure-pls-auto-approval", "b"},
		finds: []string{"error: metadata.annotations[azure-pls-auto-approval]: already in use: the private link service of frontend a0000000200004000800000000000abc is configured by default/svc-2, which has different settings for azure-pls-auto-approval; use the same settings, or remove all azure-pls annotations of this Service except azure-pls-create"},
	},
	{key: "azure-pls-auto-approval", aspect: usable, notes: []string{"azure-pls-auto-approval", "a  b"}, links: link("approved []", "approved [a b]")},
	{key: "azure-pls-auto-approval", aspect: lowest, notes: []string{"azure-pls-auto-approval", "a"}, links: link("approved []", "approved [a]")},
	{
		key: "azure-pls-auto-approval", aspect: highest, notes: []string{"azure-pls-auto-approval", subscriptions(100)},
		links: link("approved []", "approved ["+subscriptions(100)+"]"),
	},
	{
		key: "azure-pls-auto-approval", aspect: tooHigh, notes: []string{"azure-pls-auto-approval", subscriptions(101)},
		finds: []string{"error: metadata.annotations[azure-pls-auto-approval]: out of range: 101 subscriptions, at most 100"},
	},
	{
		key: "azure-pls-auto-approval", aspect: contradicted, notes: []string{"azure-pls-auto-approval", "a c", "azure-pls-visibility", "A b"},
		links: link("visible []", "visible [A b]", "approved []", "approved [a c]"),
		finds: []string{`warning: metadata.annotations[azure-pls-auto-approval]: "c": cannot see the private link service, so that its approval has no effect; add it to azure-pls-visibility`},
	},
}

// TestPrivateLinkKeys pins what every key of private link services takes, and what is said of what it does not take.
func TestPrivateLinkKeys(t *testing.T) {
	for _, c := range keyTests {
		t.Run(c.key+"/"+c.aspect, func(t *testing.T) {
			x := newLinkTest(t)
			network := armid.Resource(x.cluster.Subscription, "rg", armid.VirtualNetworks, "vnet")
			for i, name := range []string{"s", long(80)} {
				body := armwire.Object{"properties": armwire.Object{"addressPrefix": fmt.Sprintf("10.3.%d.0/24", i)}}
				if err := x.cloud.Put(network.Child(armid.Subnets, name), body); err != nil {
					t.Fatal(err)
				}
			}
			if c.before != nil {
				c.before(x)
			}
			mine := linked(1, c.notes...)
			if c.aspect == byDefault {
				delete(mine.Annotations, annotations.Prefix+c.key)
			}
			services := []corev1.Service{mine}
			if c.owner != nil {
				at := []string{"azure-load-balancer-ipv4", shared}
				owner := linked(2, append(at, c.owner...)...)
				x.sync(owner)
				services = []corev1.Service{owner, linked(1, append(at, c.notes...)...)}
			}
			links, findings := x.build(services...)
			links = slices.DeleteFunc(links, func(l string) bool { return strings.Contains(l, "default/svc-2") })
			if d := cmp.Diff(c.links, links, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("private link services (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.finds, findings); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

// TestEveryPrivateLinkKeyHasRows goes through the registry.
func TestEveryPrivateLinkKeyHasRows(t *testing.T) {
	has := map[string]bool{}
	for _, c := range keyTests {
		has[annotations.Prefix+c.key+" "+c.aspect] = true
	}
	known := 0
	for _, k := range annotations.Keys() {
		if k.Scope != annotations.ScopePrivateLink && !strings.HasPrefix(k.Name, annotations.Prefix+"azure-pls-") {
			continue
		}
		for _, aspect := range aspectsOf(k) {
			known++
			if !has[k.Name+" "+aspect] {
				t.Errorf("keyTests has no row for %s: %s", k.Name, aspect)
			}
		}
	}
	if known == 0 {
		t.Error("the registry has no key of private link services")
	}
}

func long(n int) string { return strings.Repeat("s", n) }

// subscriptions are n ids.
func subscriptions(n int) string { return strings.TrimSpace(strings.Repeat("a ", n)) }

// there makes default/svc-1 have a private link service with these options.
func there(notes ...string) func(*linkTest) { return func(t *linkTest) { t.sync(linked(1, notes...)) } }

func shut(t *linkTest) { t.cluster.PrivateLink.KeepSubnetPolicies = true }
