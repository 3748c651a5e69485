package lb

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// explainCase is a plan made by hand: the state, what is wanted, and the golden file of that name.
type explainCase struct {
	name string
	seen Observed
	want Desired
}

func explainIP(s string) netip.Addr { return netip.MustParseAddr(s) }

func explainCause(name, field string, reason Reason) []Cause {
	return []Cause{{Service: types.NamespacedName{Namespace: "default", Name: name}, Field: field, Reason: reason}}
}

// explainWeb is a load balancer with one public frontend, its rule and its probe.
func explainWeb() LoadBalancer {
	return LoadBalancer{
		ID: diffLB("kubernetes"), Location: "westeurope", SKU: "Standard",
		Frontends: []Frontend{{Name: "aweb", Family: ipam.IPv4, PublicIP: diffPIP("kubernetes-aweb")}},
		Pools:     []Pool{{Name: "kubernetes", Network: diffVNet, Members: []Member{{"node-1", explainIP("10.0.0.4")}, {"node-2", explainIP("10.0.0.5")}}}},
		Probes:    []Probe{{Name: "aweb-TCP-80", Protocol: "Tcp", Port: 31234, IntervalSeconds: 5, Threshold: 2}},
		Rules: []Rule{{
			Name: "aweb-TCP-80", Frontend: "aweb", Pool: "kubernetes", Probe: "aweb-TCP-80", Protocol: TCP, FrontendPort: 80,
			BackendPort: 80, IdleMinutes: 4, FloatingIP: true, TCPReset: true, Distribution: DistributionDefault,
		}},
	}
}

func explainPIP() PublicIP {
	return PublicIP{
		ID: diffPIP("kubernetes-aweb"), Location: "westeurope", SKU: "Standard", Family: ipam.IPv4, Allocation: "Static",
		Zones: "1,2,3", Tags: Tags{{Key: "k8s-azure-service", Value: "default/web"}},
	}
}

func explainRule(name string, access string, to ...Address) SecurityRule {
	r := SecurityRule{Name: name, Access: access, Protocol: "Tcp", Sources: []string{"Internet"}, Ports: []string{"80"}, Destinations: to}
	if access == "Deny" {
		r.Protocol, r.Sources, r.Ports = "*", []string{"*"}, []string{"*"}
	}
	return r
}

// explainSeen is the state once explainWeb is applied.
func explainSeen() Observed {
	rule := explainRule("k8s-azure-lb_allow_IPv4_web", "Allow", Address{IP: explainIP("20.1.2.3")})
	rule.Priority = 500
	return Observed{
		LoadBalancers:  []SeenLoadBalancer{{LoadBalancer: explainWeb()}},
		PublicIPs:      []SeenPublicIP{{PublicIP: explainPIP(), Address: explainIP("20.1.2.3")}},
		SecurityGroups: []SeenSecurityGroup{{SecurityGroup: SecurityGroup{ID: diffNSG, Rules: []SecurityRule{rule}}}},
	}
}

// explainWant wants explainSeen as it is.
func explainWant() Desired {
	return Desired{
		LoadBalancers: []LoadBalancer{explainWeb()}, PublicIPs: []PublicIP{explainPIP()}, Causes: map[string][]Cause{},
		SecurityGroups: []SecurityGroup{{ID: diffNSG, Rules: slices.Clone(explainSeen().SecurityGroups[0].Rules)}},
	}
}

func explainCauses(want *Desired, cause []Cause, ids ...ID) {
	for _, id := range ids {
		want.Causes[id.Key()] = cause
	}
}

func explainCases() []explainCase {
	lbID, rule := diffLB("kubernetes"), diffLB("kubernetes").Child(armid.LoadBalancingRules, "aweb-TCP-80")
	frontend, probe := lbID.Child(armid.FrontendIPConfigurations, "aweb"), lbID.Child(armid.Probes, "aweb-TCP-80")
	security := diffNSG.Child(armid.SecurityRules, "k8s-azure-lb_allow_IPv4_web")
	service := explainCause("web", "", ReasonService)
	var cases []explainCase
	add := func(name string, edit func(*Observed, *Desired)) {
		c := explainCase{name, explainSeen(), explainWant()}
		edit(&c.seen, &c.want)
		cases = append(cases, c)
	}
	add("nothing", func(*Observed, *Desired) {})
	add("fresh", func(seen *Observed, want *Desired) {
		seen.LoadBalancers, seen.PublicIPs, seen.SecurityGroups[0].Rules = nil, nil, nil
		want.SecurityGroups[0].Rules = []SecurityRule{explainRule("k8s-azure-lb_allow_IPv4_web", "Allow", Address{Of: diffPIP("kubernetes-aweb")})}
		explainCauses(want, service, lbID, frontend, rule, probe, lbID.Child(armid.BackendAddressPools, "kubernetes"), diffPIP("kubernetes-aweb"), security)
	})
	add("fresh-denied", func(seen *Observed, want *Desired) {
		seen.LoadBalancers, seen.PublicIPs, seen.SecurityGroups[0].Rules = nil, nil, nil
		to := Address{Of: diffPIP("kubernetes-aweb")}
		want.SecurityGroups[0].Rules = []SecurityRule{
			explainRule("k8s-azure-lb_allow_IPv4_web", "Allow", to),
			explainRule("k8s-azure-lb_deny-all_IPv4", "Deny", to),
		}
	})
	add("idle-timeout", func(_ *Observed, want *Desired) {
		want.LoadBalancers[0].Rules[0].IdleMinutes = 30
		want.Causes[rule.Key()] = service
		want.Causes[rule.Key()+"#IdleMinutes"] = explainCause("web",
			"metadata.annotations[service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout]", ReasonService)
	})
	add("nodes", func(_ *Observed, want *Desired) {
		want.LoadBalancers[0].Pools[0].Members = []Member{{"node-2", explainIP("10.0.0.5")}, {"node-3", explainIP("10.0.0.6")}}
		want.Causes[lbID.Child(armid.BackendAddressPools, "kubernetes").Key()+"#Members"] = []Cause{{Reason: ReasonNodes}}
	})
	add("last-service-gone", func(_ *Observed, want *Desired) {
		*want = Desired{Remove: []ID{lbID, diffPIP("kubernetes-aweb"), security}, Causes: map[string][]Cause{}}
		explainCauses(want, explainCause("web", "", ReasonGone), lbID, frontend, rule, probe, diffPIP("kubernetes-aweb"), security)
	})
	add("to-internal", func(_ *Observed, want *Desired) {
		internal := explainWeb()
		internal.ID, internal.Frontends = diffLB("kubernetes-internal"), []Frontend{{Name: "aweb", Family: ipam.IPv4, Subnet: diffSubnet}}
		*want = Desired{
			LoadBalancers: []LoadBalancer{internal}, Causes: map[string][]Cause{},
			Remove: []ID{lbID, diffPIP("kubernetes-aweb"), security},
		}
		field := "metadata.annotations[service.beta.kubernetes.io/azure-load-balancer-internal]"
		explainCauses(want, explainCause("web", field, ReasonNotWanted), lbID, frontend, rule, probe, diffPIP("kubernetes-aweb"), security)
		explainCauses(want, explainCause("web", field, ReasonService), internal.ID, internal.ID.Child(armid.FrontendIPConfigurations, "aweb"),
			internal.ID.Child(armid.LoadBalancingRules, "aweb-TCP-80"))
	})
	add("internal-denied", func(seen *Observed, want *Desired) {
		internal := explainWeb()
		internal.ID, internal.Frontends = diffLB("kubernetes-internal"), []Frontend{{Name: "aweb", Family: ipam.IPv4, Subnet: diffSubnet}}
		want.LoadBalancers = append(want.LoadBalancers, internal)
		want.SecurityGroups[0].Rules = append(want.SecurityGroups[0].Rules,
			explainRule("k8s-azure-lb_deny-all_IPv4", "Deny", Address{Of: internal.ID.Child(armid.FrontendIPConfigurations, "aweb")}))
	})
	add("recreate", func(_ *Observed, want *Desired) {
		want.PublicIPs[0].IPTags = []Tag{{Key: "RoutingPreference", Value: "Internet"}}
		want.Recreate = []ID{diffPIP("kubernetes-aweb")}
		explainCauses(want, explainCause("web", "metadata.annotations[service.beta.kubernetes.io/azure-pip-ip-tags]", ReasonService),
			diffPIP("kubernetes-aweb"))
		want.SecurityGroups[0].Rules[0].Destinations = []Address{{Of: diffPIP("kubernetes-aweb")}}
	})
	add("recreate-shared", func(seen *Observed, want *Desired) {
		seen.LoadBalancers[0].Frontends = append(seen.LoadBalancers[0].Frontends, Frontend{Name: "foreign", PublicIP: diffPIP("foreign")})
		want.Recreate = []ID{diffPIP("kubernetes-aweb")}
	})
	add("recreate-refused", func(seen *Observed, want *Desired) {
		seen.LoadBalancers[0].Uses = []Use{{ID: lbID.Child(armid.OutboundRules, "egress"), Frontends: []string{"aweb"}}}
		want.Recreate = []ID{diffPIP("kubernetes-aweb")}
		explainCauses(want, service, diffPIP("kubernetes-aweb"))
	})
	add("tags", func(_ *Observed, want *Desired) {
		want.LoadBalancers[0].Tags = Tags{{Key: "team", Value: "edge"}}
		want.PublicIPs[0].Tags = Tags{{Key: "k8s-azure-service", Value: "default/web,default/api"}}
		want.Causes[lbID.Key()+"#Tags"] = []Cause{{Field: "tags", Reason: ReasonConfiguration}}
	})
	add("private-link", func(seen *Observed, want *Desired) {
		old := pls.PrivateLinkService{
			ID: armid.Resource("sub", "rg", armid.PrivateLinkServices, "pls-aweb"), Frontends: []armid.ID{frontend},
			NAT: []pls.NATConfiguration{{Subnet: diffSubnet, Primary: true}}, Connections: []pls.Connection{{Name: "pe-1", Status: "Approved"}},
		}
		seen.PrivateLinkServices = []SeenPrivateLinkService{{PrivateLinkService: old}}
		seen.Networks = []SeenNetwork{{ID: diffVNet, Subnets: []SeenSubnet{{Subnet: Subnet{ID: diffSubnet, PrivateLinkPolicies: true}}}}}
		now := old
		now.ID, now.Frontends = armid.Resource("sub", "rg", armid.PrivateLinkServices, "pls-new"), []armid.ID{lbID.Child(armid.FrontendIPConfigurations, "anew")}
		want.PrivateLinkServices, want.Subnets = []pls.PrivateLinkService{now}, []Subnet{{ID: diffSubnet}}
		want.Remove = []ID{old.ID, frontend}
		want.LoadBalancers[0].Frontends = []Frontend{{Name: "anew", Family: ipam.IPv4, Subnet: diffSubnet, Static: explainIP("10.0.0.100")}}
		want.LoadBalancers[0].Rules[0].Frontend = "anew"
		explainCauses(want, explainCause("web", "metadata.annotations[service.beta.kubernetes.io/azure-pls-create]", ReasonNotWanted), old.ID)
	})
	return cases
}

func TestExplain(t *testing.T) {
	for _, c := range explainCases() {
		t.Run(c.name, func(t *testing.T) {
			plan := diffMust(t, c.seen, c.want)
			checkPlanForm(t, plan)
			golden := filepath.Join("testdata", "explain", c.name+".golden")
			if os.Getenv("UPDATE_EXPLAIN") != "" {
				if err := os.WriteFile(golden, []byte(diffText(plan)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), diffText(plan)); d != "" {
				t.Errorf("plan (-want +got), UPDATE_EXPLAIN=1 rewrites it:\n%s", d)
			}
		})
	}
}

// everyOp is one op of each kind; a test fails when the set grows and this does not.
func everyOp() []Op {
	why := []Change{{Action: Update, Ref: diffLB("a"), Causes: []Cause{{Reason: ReasonNodes}}}}
	lb, ip, group := LoadBalancer{ID: diffLB("a")}, PublicIP{ID: diffPIP("a")}, SecurityGroup{ID: diffNSG}
	rule, link := SecurityRule{Name: "r"}, pls.PrivateLinkService{ID: armid.Resource("s", "g", armid.PrivateLinkServices, "p")}
	subnet, nic := Subnet{ID: diffSubnet}, NetworkInterface{ID: armid.Resource("s", "g", armid.NetworkInterfaces, "n")}
	return []Op{
		PutLoadBalancer{lb, lb, why},
		DeleteLoadBalancer{lb, why},
		PutBackendPool{lb.ID, Pool{}, Pool{Name: "p"}, why},
		DeleteBackendPool{lb.ID, Pool{Name: "p"}, why},
		MigrateBackendPools{lb.ID, []string{"p"}, why},
		PutPublicIP{PublicIP{}, ip, why},
		TagPublicIP{ip.ID, nil, nil, why},
		DeletePublicIP{ip, why},
		PutSecurityGroup{group, group, why},
		PutSecurityRule{group.ID, rule, rule, why},
		DeleteSecurityRule{group.ID, rule, why},
		TagResource{lb.ID, nil, nil, why},
		PutPrivateLinkService{link, link, why},
		DeletePrivateLinkService{link, why},
		DeleteEndpointConnection{link.ID, pls.Connection{Name: "c"}, why},
		PutSubnetPolicy{subnet, subnet, why},
		PutNetworkInterface{nic, nic, why},
	}
}

func TestEveryOpInEverySwitch(t *testing.T) {
	source, err := os.ReadFile("op.go")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(everyOp()), strings.Count(string(source), ") op() "); got != want {
		t.Fatalf("everyOp has %d of %d kinds", got, want)
	}
	for _, op := range everyOp() {
		plan := Plan{Steps: []Step{{Op: op}}}
		data, err := json.Marshal(plan)
		if err != nil {
			t.Errorf("%T: %v", op, err)
		}
		name, _ := opName(op)
		if want := `"op":"` + name + `"`; !strings.Contains(string(data), want) {
			t.Errorf("%T: %s lacks %s", op, data, want)
		}
		if text := diffText(plan); strings.Contains(text, "lb.") {
			t.Errorf("%T has no verb: %s", op, text)
		}
		var mermaid bytes.Buffer
		if err := plan.Mermaid(&mermaid); err != nil || !strings.Contains(mermaid.String(), `s1["1. `) {
			t.Errorf("%T: %s %v", op, mermaid.String(), err)
		}
		if got, open := Resolve(op, nil); len(open) > 0 || got.Target() != op.Target() {
			t.Errorf("%T: Resolve changed it", op)
		}
	}
}

// TestExplainOrder prints why steps wait, for a public IP that is made anew.
func TestExplainOrder(t *testing.T) {
	at := slices.IndexFunc(explainCases(), func(c explainCase) bool { return c.name == "recreate" })
	c := explainCases()[at]
	var got textBuilder
	if err := diffMust(t, c.seen, c.want).ExplainOrder(&got); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "explain", "recreate-order.txt")
	if os.Getenv("UPDATE_EXPLAIN") != "" {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("plan (-want +got), UPDATE_EXPLAIN=1 rewrites it:\n%s", d)
	}
}

func TestMarshalJSON(t *testing.T) {
	at := slices.IndexFunc(explainCases(), func(c explainCase) bool { return c.name == "idle-timeout" })
	c := explainCases()[at]
	data, err := json.MarshalIndent(diffMust(t, c.seen, c.want), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "explain", "idle-timeout.json"))
	if err != nil && os.Getenv("UPDATE_EXPLAIN") == "" {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE_EXPLAIN") != "" {
		if err := os.WriteFile(filepath.Join("testdata", "explain", "idle-timeout.json"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		want = data
	}
	if d := cmp.Diff(string(want), string(data)); d != "" {
		t.Errorf("JSON (-want +got):\n%s", d)
	}
}

func TestResolve(t *testing.T) {
	of, other := diffPIP("a"), diffPIP("b")
	op := PutSecurityRule{Group: diffNSG, After: SecurityRule{Name: "r", Destinations: []Address{{IP: explainIP("20.0.0.1")}, {Of: of}, {Of: other}}}}
	got, open := Resolve(op, []Assigned{{ID(strings.ToUpper(string(of))), explainIP("20.0.0.1")}})
	want := []Address{{IP: explainIP("20.0.0.1")}, {Of: other}}
	if d := cmp.Diff(want, got.(PutSecurityRule).After.Destinations, cmpAddrs); d != "" {
		t.Errorf("destinations (-want +got):\n%s", d)
	}
	if !slices.Equal(open, []ID{other}) {
		t.Errorf("open: %v", open)
	}
	if op.After.Destinations[1].Of != of {
		t.Error("Resolve changed its argument")
	}
}

func TestDiffMalformed(t *testing.T) {
	for _, c := range []struct {
		fact string
		edit func(*Desired)
		text string
	}{
		{"a load balancer twice", func(w *Desired) { w.LoadBalancers = append(w.LoadBalancers, w.LoadBalancers[0]) }, "is there twice"},
		{"a rule twice, in another case", func(w *Desired) {
			r := w.LoadBalancers[0].Rules[0]
			r.Name = strings.ToUpper(r.Name)
			w.LoadBalancers[0].Rules = append(w.LoadBalancers[0].Rules, r)
		}, "in loadBalancingRules twice"},
		{"a rule without its pool", func(w *Desired) { w.LoadBalancers[0].Rules[0].Pool = "none" }, `pool "none" is neither wanted nor there`},
		{"a rule whose probe goes", func(w *Desired) {
			w.LoadBalancers[0].Probes = nil
			w.Remove = []ID{diffLB("kubernetes").Child(armid.Probes, "aweb-TCP-80")}
		}, `probe "aweb-TCP-80" is neither`},
		{"an id of another type", func(w *Desired) { w.PublicIPs[0].ID = diffLB("x") }, "want an id of type Microsoft.Network/publicIPAddresses"},
		{"no id", func(w *Desired) { w.LoadBalancers[0].ID = "kubernetes" }, "malformed"},
		{"an unknown destination", func(w *Desired) {
			w.SecurityGroups[0].Rules[0].Destinations = []Address{{Of: diffPIP("none")}}
		}, "is neither wanted nor there"},
		{"an address that goes", func(w *Desired) {
			w.PublicIPs = nil
			w.Remove = []ID{diffPIP("kubernetes-aweb")}
		}, "is to be removed"},
		{"wanted and removed", func(w *Desired) { w.Remove = []ID{diffLB("kubernetes")} }, "both wanted and to be removed"},
		{"another type to remove", func(w *Desired) { w.Remove = []ID{diffVNet} }, "nothing of this type is removed"},
	} {
		t.Run(c.fact, func(t *testing.T) {
			want := explainWant()
			c.edit(&want)
			_, err := Diff(explainSeen(), want)
			if !errors.Is(err, ErrDesired) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %q", err, c.text)
			}
		})
	}
}
