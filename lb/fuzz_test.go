package lb_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// FuzzParseCluster checks that no file panics, and that what is read can be planned for.
func FuzzParseCluster(f *testing.F) {
	f.Add([]byte(lbtest.Configuration))
	f.Add([]byte("subscriptionId: s\nresourceGroup: rg\ntags: a=b,c\ntagsMap: {d: e}\nsystemTags: a,b\n"))
	f.Add([]byte(`{"multipleStandardLoadBalancerConfigurations": [{"name": "a"}, null]}`))
	f.Add([]byte("\t"))
	files, _ := filepath.Glob("testdata/plan/*/azure.json")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	in := lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(1)}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := lb.ParseCluster(data, "")
		if err != nil {
			return
		}
		if c.Subscription == "" || c.ResourceGroup == "" || c.NetworkSubscription == "" || c.LoadBalancerGroup == "" {
			t.Fatalf("incomplete: %+v", c)
		}
		lb.ScopeOf(c, in)
		lb.Build(c, in, lb.Observed{})
	})
}

// FuzzBuild mutates the annotations of Services and the state of Azure: nothing panics, the same comes out twice, and a plan can be made.
func FuzzBuild(f *testing.F) {
	for _, dir := range []string{"external", "dual-stack", "foreign-children", "public-ip-name", "removal-foreign-outbound-rule"} {
		seed, err := os.ReadFile(filepath.Join("testdata/plan", dir, "seed.json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(`{"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}`), seed)
		f.Add([]byte(`{"service.beta.kubernetes.io/azure-pip-name": "mine", "service.beta.kubernetes.io/azure-additional-public-ips": "20.1.1.1"}`), seed)
		f.Add([]byte(`{"service.beta.kubernetes.io/azure-allowed-ip-ranges": "10.0.0.0/8,x", "service.beta.kubernetes.io/port_80_no_lb_rule": "true"}`), seed)
	}
	c := lbtest.Cluster()
	f.Fuzz(func(t *testing.T, notes, state []byte) {
		var a map[string]string
		if json.Unmarshal(notes, &a) != nil {
			return
		}
		cloud := fake.New(nil)
		if cloud.Load(state) != nil {
			return
		}
		in := lb.Objects{Services: lbtest.Services(2, lbtest.Dual), Nodes: lbtest.Nodes(2)}
		maps.Copy(in.Services[1].Annotations, a)
		seen, err := cloud.Observe(t.Context(), lb.ScopeOf(c, in))
		if err != nil {
			return
		}
		want, findings := lb.Build(c, in, seen)
		again, more := lb.Build(c, in, seen)
		if len(findings) != len(more) || len(want.Remove) != len(again.Remove) {
			t.Fatal("two results differ")
		}
		plan, err := lb.Diff(seen, lb.Adopt(seen, want))
		if err != nil && wellFormed(seen) {
			t.Fatalf("the result of Build is not well formed: %v", err)
		}
		explained(t, plan)
	})
}

// wellFormed reports whether all names and ids of a state are ones that ARM could have given.
func wellFormed(seen lb.Observed) bool {
	ok := func(ids ...lb.ID) bool {
		return !slices.ContainsFunc(ids, func(id lb.ID) bool {
			_, err := armid.Parse(string(id))
			return err != nil || armid.CheckName(id.Type(), id.Name()) != nil
		})
	}
	for _, l := range seen.LoadBalancers {
		ids := []lb.ID{l.ID}
		for _, f := range l.Frontends {
			ids = append(ids, l.ID.Child(armid.FrontendIPConfigurations, f.Name))
			if f.PublicIP == "" && f.Subnet == "" || f.Family == 0 {
				return false
			}
		}
		for _, r := range l.Rules {
			ids = append(ids, l.ID.Child(armid.LoadBalancingRules, r.Name))
			if r.Frontend == "" || r.Pool == "" || r.Protocol == "" {
				return false
			}
		}
		for _, p := range l.Probes {
			ids = append(ids, l.ID.Child(armid.Probes, p.Name))
		}
		for _, p := range l.Pools {
			ids = append(ids, l.ID.Child(armid.BackendAddressPools, p.Name))
		}
		if !ok(ids...) {
			return false
		}
	}
	for _, p := range seen.PublicIPs {
		if !ok(p.ID) || p.Family == 0 {
			return false
		}
	}
	return true
}
