package armwire

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/property"
	"pgregory.net/rapid"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// mark puts a field that nobody knows into o and every object in it, tags aside.
func mark(t *rapid.T, o Object) {
	if rapid.Bool().Draw(t, "mark") {
		o["xForeign"] = rapid.IntRange(0, 9).Draw(t, "foreign")
	}
	for _, k := range slices.Sorted(maps.Keys(o)) {
		switch v := o[k].(type) {
		case Object:
			if k != "tags" {
				mark(t, v)
			}
		case []any:
			for _, e := range v {
				if c, ok := e.(Object); ok {
					mark(t, c)
				}
			}
		}
	}
}

// marks lists the fields of mark by path; list elements go by name, address or id.
func marks(found map[string]any, at string, o Object) map[string]any {
	for k, v := range o {
		switch v := v.(type) {
		case Object:
			marks(found, at+"."+k, v)
		case []any:
			for _, e := range v {
				if c, ok := e.(Object); ok {
					ip, _ := value(c, "properties.ipAddress").(string)
					marks(found, at+"."+k+"["+strings.ToLower(nameOf(c))+ip+"]", c)
				}
			}
		default:
			if k == "xForeign" {
				found[at+"."+k] = v
			}
		}
	}
	return found
}

var childLists = []string{
	frontendsAt, poolsAt, probesAt, rulesAt,
	"properties.inboundNatRules", "properties.inboundNatPools", "properties.outboundRules",
}

// world is a load balancer with our part and content of others.
func world(t *rapid.T) (raw Object, ours lb.LoadBalancer) {
	ours = loadBalancer(80, 443, 8080)
	raw, _ = decodeWrite(lb.PutLoadBalancer{After: ours}, nil)
	raw["id"] = string(lbID)
	FillDefaults(armid.LoadBalancers, raw)
	for _, at := range childLists {
		list, _ := value(raw, at).([]any)
		for n := range rapid.IntRange(0, 2).Draw(t, at) {
			foreign := Object{"port": number(1), "loadBalancingRules": []any{}}
			list = append(list, Object{"name": fmt.Sprintf("Foreign-%d", n), "properties": foreign})
		}
		set(raw, at, rapid.Permutation(list).Draw(t, "order"))
	}
	raw["tags"].(Object)["theirs"] = "kept"
	mark(t, raw)
	return raw, ours
}

func decodeWrite(op lb.Op, raw Object) (Object, error) {
	r, err := Prepare(op, raw)
	return r.Body, err
}

// change draws what becomes of our part.
func change(t *rapid.T, before lb.LoadBalancer) lb.LoadBalancer {
	after := before
	after.Rules = nil
	for _, r := range before.Rules {
		switch rapid.SampledFrom([]string{"keep", "drop", "port", "reset", "case"}).Draw(t, r.Name) {
		case "drop":
			continue
		case "port":
			r.BackendPort += 1000
			r.IdleMinutes = 30
		case "reset":
			r.TCPReset = false
			r.Probe = ""
		case "case":
			r.Name, r.Pool = strings.ToUpper(r.Name), strings.ToUpper(r.Pool)
		}
		after.Rules = append(after.Rules, r)
	}
	if rapid.Bool().Draw(t, "new rule") {
		after.Rules = append(after.Rules, rule("a1-TCP-9", 9))
	}
	p := before.Pools[0]
	p.Members = nil
	for i := range rapid.IntRange(0, 3).Draw(t, "members") {
		p.Members = append(p.Members, lb.Member{Name: fmt.Sprint("n", i), IP: addr(fmt.Sprintf("10.0.0.%d", 4+i))})
	}
	after.Pools = []lb.Pool{p}
	after.Tags = lb.Tags{{Key: "ENV", Value: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "tag")}, {Key: "new", Value: "1"}}
	return after
}

// Whatever becomes of our part, what others have stays as and where it is.
func TestForeignContentSurvives(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		raw, before := world(t)
		after := change(t, before)
		saved := text(raw)
		r, err := Prepare(lb.PutLoadBalancer{Before: before, After: after}, raw)
		if err != nil || r.Verdict != Write {
			t.Fatalf("got %v %v", r.Verdict, err)
		}
		if text(raw) != saved {
			t.Fatal("raw was changed")
		}
		again, err := Prepare(lb.PutLoadBalancer{Before: before, After: after}, r.Body)
		if err != nil || again.Verdict != Done {
			t.Fatalf("after the write: %v %v\n%s", again.Verdict, err, Format(r.Body))
		}
		if r.Body["tags"].(Object)["theirs"] != "kept" || len(r.Body["tags"].(Object)) != 3 {
			t.Errorf("tags are %v", r.Body["tags"])
		}
		checkMarks(t, raw, r.Body, after)
		checkForeign(t, raw, r.Body)
	})
}

// checkMarks looks for every unknown field of raw, but for those of rules and members that went and of what a client cannot write.
func checkMarks(t *rapid.T, raw, body Object, after lb.LoadBalancer) {
	sent := Clone(raw)
	stripBody(armid.LoadBalancers, sent)
	got := marks(map[string]any{}, "", body)
	for at, v := range marks(map[string]any{}, "", sent) {
		if got[at] == v || replaced(at, after) {
			continue
		}
		t.Errorf("%s: got %v, want %v", at, got[at], v)
	}
}

// replaced reports whether what at leads to was to go: a rule, a member, or a reference that now leads elsewhere.
func replaced(at string, after lb.LoadBalancer) bool {
	for _, r := range after.Rules {
		if strings.Contains(at, "loadBalancingRules["+strings.ToLower(r.Name)+"]") {
			return strings.Contains(at, ".probe.") && r.Probe == ""
		}
	}
	if strings.Contains(at, "loadBalancerBackendAddresses[") {
		return !slices.ContainsFunc(after.Pools[0].Members, func(m lb.Member) bool { return strings.Contains(at, m.IP.String()+"]") })
	}
	return strings.Contains(at, "loadBalancingRules[a1-")
}

// checkForeign compares the children of others, and their order among each other.
func checkForeign(t *rapid.T, raw, body Object) {
	sent := Clone(raw)
	stripBody(armid.LoadBalancers, sent)
	foreign := func(o Object, at string) (list []Object) {
		for _, c := range objects(o, at) {
			if strings.HasPrefix(nameOf(c), "Foreign") {
				list = append(list, c)
			}
		}
		return list
	}
	for _, at := range childLists {
		if want, got := text(foreign(sent, at)), text(foreign(body, at)); got != want {
			t.Errorf("%s: got %s, want %s", at, got, want)
		}
	}
}

func TestMembersKeepWhatTheyHave(t *testing.T) {
	raw := parse(t, `{"name":"kubernetes","properties":{"loadBalancerBackendAddresses":[
		{"name":"x","properties":{"ipAddress":"10.0.0.4","virtualNetwork":{"id":"`+string(netID)+`"},"adminState":"Down"}},
		{"name":"y","properties":{"ipAddress":"10.0.0.9","virtualNetwork":{"id":"`+string(netID)+`"}}}]}}`)
	have, err := decode(poolType, raw, readPool)
	if err != nil {
		t.Fatal(err)
	}
	want := have
	want.Members = []lb.Member{{Name: "node-0", IP: addr("10.0.0.4")}, {Name: "node-1", IP: addr("10.0.0.5")}}
	body := mustWrite(t, lb.PutBackendPool{LoadBalancer: lbID, Before: have, After: want}, raw)
	net := `"virtualNetwork":{"id":"` + string(netID) + `"}`
	if got, want := text(value(body, membersAt)), `[{"name":"x","properties":{"adminState":"Down","ipAddress":"10.0.0.4",`+net+`}},`+
		`{"name":"node-1","properties":{"ipAddress":"10.0.0.5",`+net+`}}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEmptyLabelRemovesDNSSettings(t *testing.T) {
	raw := mustWrite(t, lb.PutPublicIP{After: publicIP("web")}, nil)
	set(raw, "properties.dnsSettings.reverseFqdn", "x")
	body := mustWrite(t, lb.PutPublicIP{Before: publicIP("web"), After: publicIP("")}, raw)
	if got := value(body, "properties.dnsSettings"); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestPoolsOfInterfacesKeepTheirMembers(t *testing.T) {
	for _, raw := range recorded(t, armid.LoadBalancers) {
		seen, _ := LoadBalancer(raw)
		if !slices.ContainsFunc(seen.Pools, func(p lb.Pool) bool { return p.Interfaces }) {
			continue
		}
		after := seen.LoadBalancer
		after.Rules = nil
		body := mustWrite(t, lb.PutLoadBalancer{Before: seen.LoadBalancer, After: after}, raw)
		for i, p := range objects(raw, poolsAt) {
			got := objects(body, poolsAt)[i]
			for _, at := range []string{membersAt, "properties.backendIPConfigurations"} {
				if text(value(got, at)) != text(value(p, at)) {
					t.Errorf("%s: got %v, want %v", at, value(got, at), value(p, at))
				}
			}
		}
		return
	}
	t.Error("no pool of interfaces was recorded")
}
