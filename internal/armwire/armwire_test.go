package armwire

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// recorded returns the recorded bodies of a type. It fails when there are none.
func recorded(t testing.TB, typ string) []Object {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "recorded", armid.ID(typ).Name()+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []Object
	for s := bufio.NewScanner(f); s.Scan(); {
		if len(s.Bytes()) > 0 {
			list = append(list, parse(t, s.Text()))
		}
	}
	if len(list) == 0 {
		t.Fatalf("no recorded %s", typ)
	}
	return list
}

func parse(t testing.TB, text string) Object {
	t.Helper()
	o, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// writable is what of a body a client can write, with defaults filled in and lists in one order, as JSON.
func writable(typ string, o Object, id string) string {
	o = Clone(o)
	o["id"] = id
	for _, f := range objects(o, frontendsAt) {
		if value(f, "properties.privateIPAllocationMethod") != "Static" {
			unset(f, "properties.privateIPAddress") // ARM's choice
		}
	}
	for _, c := range objects(o, ipConfigurationsAt) {
		if value(c, "properties.privateIPAllocationMethod") != "Static" {
			unset(c, "properties.privateIPAddress")
		}
	}
	StripReadOnly(typ, o)
	FillDefaults(typ, o)
	return string(Format(sorted(o).(Object)))
}

// sorted returns v with every list sorted by its JSON; null, empty lists and empty objects are left out.
func sorted(v any) any {
	switch v := v.(type) {
	case Object:
		out := Object{}
		for k, e := range v {
			if s := sorted(e); s != nil {
				out[k] = s
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := []any{}
		for _, e := range v {
			out = append(out, sorted(e))
		}
		slices.SortFunc(out, func(a, b any) int { return cmp.Compare(text(a), text(b)) })
		if len(out) == 0 {
			return nil
		}
		return out
	default:
		return v
	}
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// mustWrite prepares an operation that has to write, and returns the body.
func mustWrite(t testing.TB, op lb.Op, raw Object) Object {
	t.Helper()
	r, err := Prepare(op, raw)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != Write {
		t.Fatalf("%T: got %v, want Write", op, r.Verdict)
	}
	return r.Body
}

func mustBe(t testing.TB, want Verdict, op lb.Op, raw Object) {
	t.Helper()
	r, err := Prepare(op, raw)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != want {
		t.Errorf("%T: got %v, want %v", op, r.Verdict, want)
	}
}

func TestCreateGivesRecordedLoadBalancer(t *testing.T) {
	for _, raw := range recorded(t, armid.LoadBalancers) {
		seen, err := LoadBalancer(raw)
		if err != nil {
			t.Fatal(err)
		}
		mustBe(t, Done, lb.PutLoadBalancer{After: seen.LoadBalancer}, raw)
		mustBe(t, Done, lb.PutLoadBalancer{Before: seen.LoadBalancer, After: seen.LoadBalancer}, raw)
		if len(seen.Uses) > 0 {
			mustBe(t, Conflict, lb.DeleteLoadBalancer{Before: seen.LoadBalancer}, raw)
			continue // not all of it is ours to create
		}
		mustBe(t, Write, lb.DeleteLoadBalancer{Before: seen.LoadBalancer}, raw)
		body := mustWrite(t, lb.PutLoadBalancer{After: known(seen)}, nil)
		want := Clone(raw)
		for _, p := range objects(want, poolsAt) {
			if len(objects(p, "properties.backendIPConfigurations")) > 0 {
				unset(p, membersAt) // members of network interfaces
			}
		}
		diff(t, armid.LoadBalancers, want, body, string(seen.ID))
	}
}

// known gives public frontends a family, which a planner takes from their public IPs.
func known(seen lb.SeenLoadBalancer) lb.LoadBalancer {
	l := seen.LoadBalancer
	l.Frontends = slices.Clone(l.Frontends)
	for i := range l.Frontends {
		if l.Frontends[i].PublicIP != "" {
			l.Frontends[i].Family = ipam.IPv6
		}
	}
	return l
}

func diff(t *testing.T, typ string, want, got Object, id string) {
	t.Helper()
	if d := gocmp.Diff(writable(typ, want, id), writable(typ, got, id)); d != "" {
		t.Errorf("%s (-recorded +body):\n%s", id, d)
	}
}

func TestCreateGivesRecordedPublicIP(t *testing.T) {
	for _, raw := range recorded(t, armid.PublicIPAddresses) {
		seen, err := PublicIP(raw)
		if err != nil {
			t.Fatal(err)
		}
		mustBe(t, Done, lb.PutPublicIP{After: seen.PublicIP}, raw)
		mustBe(t, Write, lb.DeletePublicIP{Before: seen.PublicIP}, raw)
		diff(t, armid.PublicIPAddresses, raw, mustWrite(t, lb.PutPublicIP{After: seen.PublicIP}, nil), string(seen.ID))
	}
}

func TestCreateGivesRecordedSecurityRules(t *testing.T) {
	rules := 0
	for _, raw := range recorded(t, armid.NetworkSecurityGroups) {
		seen, err := SecurityGroup(raw)
		if err != nil {
			t.Fatal(err)
		}
		mustBe(t, Done, lb.PutSecurityGroup{Before: seen.SecurityGroup, After: seen.SecurityGroup}, raw)
		for _, o := range objects(raw, securityRulesAt) {
			r := find(seen.Rules, nameOf(o))
			mustBe(t, Done, lb.PutSecurityRule{Group: seen.ID, After: r}, o)
			mustBe(t, Write, lb.DeleteSecurityRule{Group: seen.ID, Before: r}, o)
			body := mustWrite(t, lb.PutSecurityRule{Group: seen.ID, After: r}, nil)
			id := string(seen.ID.Child(armid.SecurityRules, r.Name))
			if strings.HasPrefix(r.Name, "k8s-azure-lb") {
				diff(t, securityRuleType, o, body, id)
				rules++
			}
		}
		if len(seen.Rules) > 0 {
			empty := Clone(raw)
			set(empty, securityRulesAt, nil)
			bare := lb.SecurityGroup{ID: seen.ID, Tags: seen.Tags}
			op := lb.PutSecurityGroup{Before: bare, After: seen.SecurityGroup}
			mustBe(t, Done, op, mustWrite(t, op, empty))
		}
	}
	if rules == 0 {
		t.Error("no managed rule was recorded")
	}
}

func find(rules []lb.SecurityRule, name string) lb.SecurityRule {
	i := slices.IndexFunc(rules, func(r lb.SecurityRule) bool { return strings.EqualFold(r.Name, name) })
	return rules[i]
}

func TestCreateGivesRecordedPrivateLinkService(t *testing.T) {
	for _, raw := range recorded(t, armid.PrivateLinkServices) {
		seen, err := PrivateLinkService(raw)
		if err != nil {
			t.Fatal(err)
		}
		mustBe(t, Done, lb.PutPrivateLinkService{After: seen.PrivateLinkService}, raw)
		mustBe(t, Write, lb.DeletePrivateLinkService{Before: seen.PrivateLinkService}, raw)
		body := mustWrite(t, lb.PutPrivateLinkService{After: seen.PrivateLinkService}, nil)
		diff(t, armid.PrivateLinkServices, raw, body, string(seen.ID))
	}
}

// Everything recorded is a fixed point of FillDefaults: the table adds nothing that ARM does not show.
func TestRecordedHasAllDefaults(t *testing.T) {
	for typ := range shapes {
		for _, raw := range recorded(t, typ) {
			full := Clone(raw)
			FillDefaults(typ, full)
			if d := gocmp.Diff(string(Format(raw)), string(Format(full))); d != "" {
				t.Errorf("%s (-recorded +filled):\n%s", raw["id"], d)
			}
			FillDefaults(typ, full)
			if twice := Clone(full); text(twice) != text(full) {
				t.Errorf("%s: filling twice differs", raw["id"])
			}
		}
	}
}

// What is stripped and filled in again is what was there, back-references and assigned values aside.
func TestStripAndFill(t *testing.T) {
	for typ := range shapes {
		for _, raw := range recorded(t, typ) {
			o := Clone(raw)
			StripReadOnly(typ, o)
			for _, p := range ReadOnly(typ) {
				if at := present(o, p); at != "" {
					t.Errorf("%s: %s is still there", raw["id"], at)
				}
			}
			FillDefaults(typ, o)
			if o["type"] != raw["type"] || o["id"] != raw["id"] || o["name"] != raw["name"] {
				t.Errorf("%s: got %v %v %v", raw["id"], o["type"], o["id"], o["name"])
			}
		}
	}
}

// present returns path if o has something there.
func present(o Object, path string) string {
	list, rest, more := strings.Cut(path, "[].")
	if !more {
		if value(o, path) != nil {
			return path
		}
		return ""
	}
	for _, e := range objects(o, list) {
		if at := present(e, rest); at != "" {
			return path
		}
	}
	return ""
}

func TestNullAbsentEmptyDecodeEqual(t *testing.T) {
	for typ, dec := range decoders {
		for _, raw := range recorded(t, typ) {
			full, err := dec(raw)
			if err != nil {
				t.Fatal(err)
			}
			lean := Clone(raw)
			vary(lean, false)
			null := Clone(raw)
			vary(null, true)
			for name, o := range map[string]Object{"absent": lean, "null": null} {
				got, err := dec(o)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if text(got) != text(full) {
					t.Errorf("%s %s:\n got %s\nwant %s", raw["id"], name, text(got), text(full))
				}
			}
		}
	}
}

// vary makes empty lists and the value false null, and false absent unless null is wanted.
func vary(o Object, null bool) {
	for k, v := range o {
		switch v := v.(type) {
		case Object:
			vary(v, null)
		case []any:
			for _, e := range v {
				if c, ok := e.(Object); ok {
					vary(c, null)
				}
			}
			if len(v) == 0 {
				setOrDrop(o, k, null)
			}
		case bool:
			if !v {
				setOrDrop(o, k, null)
			}
		case string:
			if v == "Default" || v == "Succeeded" || v == "Dynamic" && k == "privateIPAllocationMethod" {
				setOrDrop(o, k, null)
			}
		case json.Number:
			if k == "idleTimeoutInMinutes" && v == "4" {
				setOrDrop(o, k, null)
			}
		}
	}
}

func setOrDrop(o Object, key string, null bool) {
	if null {
		o[key] = nil
		return
	}
	delete(o, key)
}

var decoders = map[string]func(Object) (any, error){
	armid.LoadBalancers:         func(o Object) (any, error) { return LoadBalancer(o) },
	armid.PublicIPAddresses:     func(o Object) (any, error) { return PublicIP(o) },
	armid.PublicIPPrefixes:      func(o Object) (any, error) { return PublicIPPrefix(o) },
	armid.NetworkSecurityGroups: func(o Object) (any, error) { return SecurityGroup(o) },
	armid.VirtualNetworks:       func(o Object) (any, error) { return Network(o) },
	armid.NetworkInterfaces:     func(o Object) (any, error) { return Interface(o) },
	armid.PrivateLinkServices:   func(o Object) (any, error) { return PrivateLinkService(o) },
}

func TestWrongTypesNameThePath(t *testing.T) {
	for _, c := range []struct{ typ, body, want string }{
		{armid.LoadBalancers, `{"properties":[]}`, "properties: want an object, got []"},
		{
			armid.LoadBalancers, `{"properties":{"loadBalancingRules":[null,{"properties":{"frontendPort":"x"}}]}}`,
			`properties.loadBalancingRules[0].properties.frontendPort: want a whole number from 0 to 65535, got "x"`,
		},
		{armid.LoadBalancers, `{"properties":{"probes":[{"properties":{"port":1.5}}]}}`, "probes[0].properties.port: want a whole number"},
		{armid.LoadBalancers, `{"tags":{"a":1}}`, "tags.a: want a text, got 1"},
		{armid.PublicIPAddresses, `{"properties":{"ipAddress":"1.2.3"}}`, "properties.ipAddress: want an IP address"},
		{armid.PublicIPAddresses, `{"sku":"Standard"}`, `sku: want an object, got "Standard"`},
		{armid.NetworkSecurityGroups, `{"properties":{"securityRules":{}}}`, "properties.securityRules: want a list"},
		{armid.VirtualNetworks, `{"properties":{"subnets":[{"properties":{"addressPrefix":"10.0.0.0"}}]}}`, "want an address prefix"},
		{armid.NetworkInterfaces, `{"properties":{"ipConfigurations":[1]}}`, "properties.ipConfigurations[0]: want an object, got 1"},
		{armid.PrivateLinkServices, `{"properties":{"enableProxyProtocol":"true"}}`, "want true or false"},
	} {
		_, err := decoders[c.typ](parse(t, c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.body, err, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, bad := range []string{"", "null", "[]", "{} {}", "1", `{"a"`} {
		if o, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q: got %v, want an error", bad, o)
		}
	}
	o := parse(t, `{"b":[{"<":1.0e1}],"a":null}`)
	if got := Format(o); !bytes.Contains(got, []byte(`"<": 1.0e1`)) || bytes.Index(got, []byte(`"a"`)) > bytes.Index(got, []byte(`"b"`)) {
		t.Errorf("got %s", got)
	}
	c := Clone(o)
	c["b"].([]any)[0].(Object)["<"] = "changed"
	if text(o) == text(c) {
		t.Error("the clone shares an object")
	}
}
