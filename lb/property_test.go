package lb_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/internal/property"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

var anything = slices.Concat(steady, lasting)

// shuffled returns list in another order.
func shuffled[T any](t *rapid.T, list []T) []T { return rapid.Permutation(list).Draw(t, "order") }

// TestOrderOfInput is design P1: neither the order of objects nor that of what Azure answers matters, to the letter.
func TestOrderOfInput(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Bool().Draw(t, "foreign"))
		w.sync(w.services(5, anything))
		list := w.services(5, anything)
		seen := w.observe(list)
		want := explained(t, planOn(t, w.cluster, w.objects(list), seen))
		if again := explained(t, planOn(t, w.cluster, w.objects(list), seen)); again != want {
			t.Fatalf("the same input gave another text:\n%s", cmp.Diff(want, again))
		}
		in := w.objects(shuffled(t, list))
		in.Nodes = shuffled(t, in.Nodes)
		seen.LoadBalancers, seen.PublicIPs = shuffled(t, seen.LoadBalancers), shuffled(t, seen.PublicIPs)
		for i := range seen.LoadBalancers {
			l := &seen.LoadBalancers[i]
			l.Frontends, l.Rules, l.Probes, l.Pools = shuffled(t, l.Frontends), shuffled(t, l.Rules), shuffled(t, l.Probes), shuffled(t, l.Pools)
		}
		for i := range seen.SecurityGroups {
			seen.SecurityGroups[i].Rules = shuffled(t, seen.SecurityGroups[i].Rules)
		}
		if got := explained(t, planOn(t, w.cluster, in, seen)); got != want {
			t.Fatalf("another order gave another plan (-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}

// TestNothingLeft is design P2: after a Sync there is nothing to do, also when every list comes in another order and ids and keys of tags in
// another case.
func TestNothingLeft(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Bool().Draw(t, "foreign"))
		for range rapid.IntRange(1, 3).Draw(t, "rounds") {
			list := w.services(5, anything)
			w.sync(list)
			if rest := w.plan(list); len(rest.Steps) > 0 {
				t.Fatalf("left to do:\n%s\n%s", explained(t, rest), w.cloud)
			}
			twin := w.load(respelled(t, w.dump(), rapid.Uint64().Draw(t, "spelling")))
			if rest := twin.plan(list); len(rest.Steps) > 0 {
				t.Fatalf("left to do once respelled:\n%s\n%s", explained(t, rest), twin.cloud)
			}
		}
	})
}

// respelled changes the case of ids and of keys of tags that are not ours, and the order of lists, in a dumped state.
func respelled(t *rapid.T, state string, seed uint64) string {
	var doc any
	if err := json.Unmarshal([]byte(state), &doc); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // drawn
	data, err := json.Marshal(respell(r, doc, ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func respell(r *rand.Rand, v any, at string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if at == "tags" && !strings.HasPrefix(key, "k8s-azure") {
				key = recased(r, key)
			}
			out[key] = respell(r, value, key)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = respell(r, v[i], at)
		}
		r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
		return out
	case string:
		if strings.HasPrefix(v, "/subscriptions/") {
			return recased(r, v)
		}
		return v
	default:
		return v
	}
}

func recased(r *rand.Rand, s string) string {
	b := []byte(s)
	for i := range b {
		if r.IntN(2) == 0 {
			b[i] = strings.ToUpper(string(b[i]))[0]
		} else {
			b[i] = strings.ToLower(string(b[i]))[0]
		}
	}
	return string(b)
}

// TestForeignContent is design P4: whatever is done, children, fields and tags of others stay as they are. The DNS label of a public IP of
// others is what the Service that names the public IP asks for, and stays as it is where none asks.
func TestForeignContent(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		w := newWorld(t, true)
		before := foreignContent(t, w.dump())
		label := takeLabel(before)
		for range 3 {
			list := w.services(5, anything)
			w.sync(list)
			after := foreignContent(t, w.dump())
			now := takeLabel(after)
			if d := cmp.Diff(before, after); d != "" {
				t.Fatalf("content of others changed (-before +after):\n%s", d)
			}
			if now != label && !asksForLabel(list, now) {
				t.Fatalf("nobody asks for the DNS label %q in place of %q on the public IP of others", now, label)
			}
			label = now
		}
	})
}

// takeLabel removes the DNS label of the public IP of others from their content and returns it.
func takeLabel(content map[string]any) string {
	ip, _ := content["//resources/foreign"].(map[string]any)
	properties, _ := ip["properties"].(map[string]any)
	settings, _ := properties["dnsSettings"].(map[string]any)
	delete(properties, "dnsSettings")
	label, _ := settings["domainNameLabel"].(string)
	return label
}

// asksForLabel reports whether a Service names the public IP of others and asks for a DNS label on it.
func asksForLabel(list []corev1.Service, label string) bool {
	return slices.ContainsFunc(list, func(svc corev1.Service) bool {
		a := svc.Annotations
		want, ok := a[annotations.KeyDNSLabel]
		return ok && want == label && (a[annotations.KeyPIPName] == "foreign" || a[annotations.KeyIPv4] == "20.7.7.7")
	})
}

// foreignContent picks what is not ours, without the back-references that Azure computes.
func foreignContent(t *rapid.T, state string) map[string]any {
	var doc any
	if err := json.Unmarshal([]byte(state), &doc); err != nil {
		t.Fatal(err)
	}
	found := map[string]any{}
	collectForeign(doc, "", found)
	return found
}

func collectForeign(v any, path string, found map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		name, _ := v["name"].(string)
		if strings.HasPrefix(name, "foreign") {
			found[path+"/"+name] = plain(v)
			return
		}
		for key, value := range v {
			if key == "unknown" || key == "owner" {
				found[path+"/"+name+"/"+key] = value
			}
			collectForeign(value, path+"/"+name+"/"+key, found)
		}
	case []any:
		for _, e := range v {
			collectForeign(e, path, found)
		}
	}
}

// plain drops what Azure computes from other objects.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			backward := slices.Contains([]string{"ipConfiguration", "backendIPConfigurations", "etag"}, key) ||
				slices.Contains([]string{"loadBalancingRules", "outboundRules", "inboundNatRules"}, key)
			if !backward {
				out[key] = plain(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	default:
		return v
	}
}

// TestOneBadService is design P8: a Service that gets an unusable value keeps all it has, and the others end as if it were not bad.
func TestOneBadService(t *testing.T) {
	compared := 0
	property.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Bool().Draw(t, "foreign"))
		first := w.services(5, anything)
		if len(first) == 0 {
			return
		}
		before := w.sync(first)
		k := rapid.IntRange(0, len(first)-1).Draw(t, "bad one")
		if first[k].Spec.Type != corev1.ServiceTypeLoadBalancer || first[k].DeletionTimestamp != nil || first[k].Spec.LoadBalancerClass != nil {
			return
		}
		rest := w.services(5, anything)
		rest = slices.DeleteFunc(rest, func(s corev1.Service) bool { return s.Name == first[k].Name })
		bad := *first[k].DeepCopy()
		spoil(&bad)

		had := shareOf(w, first[k])
		good := w.fork()
		fine := good.sync(append(slices.Clone(rest), first[k]))
		worse := w.sync(append(slices.Clone(rest), bad))
		if d := cmp.Diff(had, shareOf(w, first[k])); d != "" {
			t.Fatalf("what the bad Service has changed (-before +after):\n%s\n%s", d, explained(t, worse.Plan()))
		}
		if !slices.ContainsFunc(worse.Findings, func(f lb.Finding) bool {
			return f.Service.Name == bad.Name && f.Holds && f.Field == "metadata.annotations["+annotations.KeyIdleTimeout+"]"
		}) {
			t.Fatalf("no finding names the field: %v", worse.Findings)
		}
		others := func(list []lb.Finding) string {
			return fmt.Sprint(slices.DeleteFunc(slices.Clone(list), func(f lb.Finding) bool { return f.Service.Name == bad.Name }))
		}
		// Where the Service was held already, it has yet to get what others may leave.
		if slices.ContainsFunc(before.Findings, func(f lb.Finding) bool { return f.Service.Name == bad.Name && f.Holds }) {
			return
		}
		// Where others want what is its own, its being bad makes a difference that findings tell.
		if others(fine.Findings) != others(worse.Findings) || slices.ContainsFunc(fine.Findings, func(f lb.Finding) bool { return f.Service.Name == bad.Name }) {
			return
		}
		if strings.Contains(w.unaddressed(), "20.5.5.") {
			return // additional addresses stay while a held Service has the ports, since nobody knows whose they are
		}
		if d := cmp.Diff(good.unaddressed(), w.unaddressed()); d != "" {
			t.Fatalf("the others end differently (-good +bad):\n%s", d)
		}
		compared++
	})
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// shareOf lists what belongs to a Service by name: rules, probes and the frontends these use, with their addresses.
func shareOf(w *world, svc corev1.Service) []string {
	var list []string
	seen := w.observe(nil)
	for _, l := range seen.LoadBalancers {
		uses := map[string]bool{}
		for _, r := range l.Rules {
			if strings.HasPrefix(strings.ToLower(r.Name), base(svc)) {
				list = append(list, fmt.Sprint(l.ID.Name(), r))
				uses[r.Frontend] = true
			}
		}
		for _, p := range l.Probes {
			if strings.HasPrefix(strings.ToLower(p.Name), base(svc)) {
				list = append(list, fmt.Sprint(l.ID.Name(), p))
			}
		}
		for _, f := range l.Frontends {
			if uses[f.Name] {
				list = append(list, fmt.Sprint(l.ID.Name(), f, l.Assigned[f.Name]))
			}
		}
	}
	slices.Sort(list)
	return list
}

// TestUnreadableSources is design P9: an item of a list of sources that nobody can read lets nobody in who was not let in without it.
func TestUnreadableSources(t *testing.T) {
	for _, list := range []struct {
		key  string
		good []string
		bad  []string
	}{
		{"azure-allowed-ip-ranges", []string{"198.51.100.0/24", "203.0.113.0/25", "2001:db8::/32"}, []string{"oops", "10.0.0.0/33", "198.51.100.1/24", "0.0.0.0/", "/0", "::/200"}},
		{"azure-allowed-service-tags", []string{"AzureCloud", "AzureFrontDoor.Backend"}, []string{"Azure Cloud", "*", "0.0.0.0/0", "a/b", "Internet;DROP"}},
	} {
		t.Run(list.key, func(t *testing.T) {
			property.Check(t, func(t *rapid.T) {
				w := newWorld(t, false)
				good := rapid.SliceOfNDistinct(rapid.SampledFrom(list.good), 0, len(list.good), rapid.ID[string]).Draw(t, "good")
				bad := rapid.SliceOfN(rapid.SampledFrom(list.bad), 1, 2).Draw(t, "bad")
				svc := lbtest.Service(1, lbtest.Dual)
				lbtest.Annotate(list.key, strings.Join(shuffled(t, slices.Concat(good, bad)), ","))(&svc)
				if rapid.Bool().Draw(t, "internal") {
					lbtest.Internal(&svc)
				}
				w.sync([]corev1.Service{svc})
				for _, source := range exposure(w) {
					if !slices.Contains(good, source) {
						t.Fatalf("%s may come in; asked for were %q and, unreadable, %q", source, good, bad)
					}
				}
				if text := w.cloud.String(); strings.Contains(text, "frontend a") && strings.Count(text, "deny-all") != 2 {
					t.Fatalf("nobody else is denied:\n%s", text)
				}
			})
		})
	}
}

// exposure lists the sources that managed rules allow.
func exposure(w *world) []string {
	var sources []string
	for _, g := range w.observe(nil).SecurityGroups {
		for _, r := range g.Rules {
			if r.Access == "Allow" {
				sources = append(sources, r.Sources...)
			}
		}
	}
	return sources
}

// TestNamesAreLegal is design P10 and P13: whatever annotations say, every id of a plan is one of ours in form, and every name in it is one
// that ARM takes.
func TestNamesAreLegal(t *testing.T) {
	hostile := rapid.OneOf(
		rapid.SampledFrom([]string{
			"../x", "a/b", "a b", ".", "..", "%2e%2e", "x?y", "x#y", "ä", "\x00", "-", "_", "a.", strings.Repeat("x", 300),
			strings.Repeat("x", 74) + "-", strings.Repeat("1", 80), worldGroup + "/publicIPPrefixes/x", worldGroup + "/publicIPPrefixes/../../x", "x\n",
		}),
		rapid.String(),
	)
	keys := []string{
		"azure-load-balancer-internal-subnet", "azure-pip-name", "azure-pip-name-ipv6", "azure-pip-prefix-id", "azure-pip-prefix-id-ipv6",
		"azure-load-balancer-resource-group", "azure-dns-label-name", "azure-pip-tags", "azure-allowed-service-tags", "azure-load-balancer-mode",
	}
	property.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Bool().Draw(t, "foreign"))
		w.cluster.Name = rapid.SampledFrom([]string{"kubernetes", "c", strings.Repeat("long-cluster-name-", 4)[:70]}).Draw(t, "cluster")
		var list []corev1.Service
		for i := range 3 {
			svc := w.service(i, steady)
			lbtest.Annotate(rapid.SampledFrom(keys).Draw(t, "key"), hostile.Draw(t, "value"))(&svc)
			if rapid.Bool().Draw(t, "odd uid") {
				svc.UID = types.UID(rapid.StringMatching(`[a-f0-9-]{0,50}`).Draw(t, "uid"))
			}
			list = append(list, svc)
		}
		in := w.objects(list)
		for _, id := range scopeIDs(lb.ScopeOf(w.cluster, in)) {
			checkID(t, id)
		}
		want, _ := lb.Build(w.cluster, in, w.observe(list))
		for _, l := range want.LoadBalancers {
			checkID(t, l.ID)
			for _, f := range l.Frontends {
				checkID(t, l.ID.Child(armid.FrontendIPConfigurations, f.Name), f.PublicIP, f.Subnet)
			}
			for _, r := range l.Rules {
				checkID(t, l.ID.Child(armid.LoadBalancingRules, r.Name))
			}
			for _, p := range l.Probes {
				checkID(t, l.ID.Child(armid.Probes, p.Name))
			}
			for _, p := range l.Pools {
				checkID(t, l.ID.Child(armid.BackendAddressPools, p.Name))
			}
		}
		for _, p := range want.PublicIPs {
			checkID(t, p.ID, p.Prefix)
		}
		checkID(t, want.Remove...)
	})
}

func scopeIDs(s lb.Scope) []lb.ID {
	return slices.Concat(s.Networks, s.Prefixes, []lb.ID{s.SecurityGroup})
}

// checkID checks that an id reads as what it is and that ARM takes its names. Empty ones are none.
func checkID(t *rapid.T, ids ...lb.ID) {
	t.Helper()
	for _, id := range ids {
		if id == "" {
			continue
		}
		if _, err := armid.Parse(string(id)); err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		if err := armid.CheckName(id.Type(), id.Name()); err != nil {
			t.Fatalf("%q: %v", id, err)
		}
		if !strings.EqualFold(id.Subscription(), groupOf.Subscription()) {
			t.Fatalf("%q is in another subscription", id)
		}
	}
}

// TestOneByOne compares Ensure of each Service with Sync of all, and Delete of each with Sync of none.
func TestOneByOne(t *testing.T) {
	compared := 0
	property.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Bool().Draw(t, "foreign"))
		one := w.fork()
		list := w.services(4, steady)
		report := w.sync(list)
		if slices.ContainsFunc(report.Findings, func(f lb.Finding) bool { return f.Severity == lb.SeverityError }) {
			return // who comes first counts then
		}
		if len(list) == 0 {
			return // nobody to ensure, so nobody to write tags
		}
		for _, svc := range list {
			if _, err := one.reconciler().Ensure(t.Context(), one.objects(list), nameOf(svc)); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(w.unaddressed(), one.unaddressed()); d != "" {
			t.Fatalf("one by one ends differently (-sync +ensure):\n%s", d)
		}
		compared++
		w.sync(nil)
		for _, svc := range list {
			if svc.Spec.LoadBalancerClass != nil {
				continue // somebody else's
			}
			if err := one.reconciler().Delete(t.Context(), one.objects(list), nameOf(svc)); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(w.unaddressed(), one.unaddressed()); d != "" {
			t.Fatalf("deleting one by one ends differently (-sync +delete):\n%s", d)
		}
	})
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

func nameOf(svc corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name}
}

// TestStepwise compares the end of a history with starting from nothing: but for addresses and priorities they are the same.
func TestStepwise(t *testing.T) {
	compared := 0
	property.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Bool().Draw(t, "foreign"))
		fresh := w.fork()
		w.sync(singleFamily(w.services(4, steady)))
		list := singleFamily(w.services(4, steady))
		w.sync(list)
		report := fresh.sync(list)
		if slices.ContainsFunc(report.Findings, func(f lb.Finding) bool { return f.Holds }) || slices.ContainsFunc(list, func(s corev1.Service) bool { return s.Spec.LoadBalancerClass != nil }) {
			return // held Services keep their history
		}
		if d := cmp.Diff(withoutPools(fresh), withoutPools(w)); d != "" {
			t.Fatalf("history shows (-fresh +stepwise):\n%s", d)
		}
		compared++
	})
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// singleFamily makes every Service IPv4: names keep the memory of families that came or went.
func singleFamily(list []corev1.Service) []corev1.Service {
	for i := range list {
		list[i].Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	}
	return list
}

// withoutPools is the state without our pools, which stay as long as their load balancer does.
func withoutPools(w *world) string {
	lines := strings.Split(w.unaddressed(), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "pool kubernetes") }), "\n")
}
