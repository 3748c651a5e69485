package lb_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update-plans", false, "rewrite testdata/plan/*/plan.golden")

// TestPlans plans every directory of testdata/plan: services.yaml for the cluster of azure.json, on the Azure of seed.json with, where there
// is one, what Sync made of before.yaml. deny.txt holds permissions that are missing, one "action scope" per line. The plan and its findings
// are in plan.golden, the private link services that come of it in links.golden, and what there is in the end, with the statuses, in
// state.golden where there is one. It is carried out too, and must leave nothing to do; waive.txt names rules of the fake that would refuse
// it. policy.json is the cluster's PrivateLinkPolicy, addresses.json its AddressPolicy. Cases that follow upstream say in section which behaviour, in words.
func TestPlans(t *testing.T) {
	dirs, err := filepath.Glob("testdata/plan/*/services.yaml")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range dirs {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if follows(dir) && len(strings.TrimSpace(string(mustRead(t, dir, "section")))) == 0 {
				t.Error("section is empty: it says which behaviour of upstream the case follows")
			}
			c := openPlanCase(t, dir)
			plan := planFor(t, c.cloud, c.cluster, c.in)
			checkGolden(t, filepath.Join(dir, "plan.golden"), explained(t, plan))
			if _, err := provider.Apply(t.Context(), c.cloud, plan, &provider.Options{Parallel: 1}); err != nil {
				t.Fatalf("carrying it out: %v", err)
			}
			if strings.HasPrefix(filepath.Base(dir), "pls-") {
				checkGolden(t, filepath.Join(dir, "links.golden"), linksIn(t, c.cloud))
			}
			if rest := planFor(t, c.cloud, c.cluster, c.in); len(rest.Steps) > 0 {
				t.Errorf("left to do:\n%s", explained(t, rest))
			}
			if exists(dir, "state.golden") {
				checkGolden(t, filepath.Join(dir, "state.golden"), c.state(t))
			}
		})
	}
}

// linksIn is the JSON of the private link services that there are, without what Azure chooses.
func linksIn(t *testing.T, cloud *fake.Cloud) string {
	t.Helper()
	data, err := cloud.Dump()
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Resources []map[string]any }
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, r := range all.Resources {
		if !strings.Contains(fmt.Sprint(r["id"]), "/privateLinkServices/") {
			continue
		}
		if properties, ok := r["properties"].(map[string]any); ok {
			delete(properties, "alias")
			delete(properties, "networkInterfaces")
		}
		one, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		text += string(one) + "\n"
	}
	return text
}

// state is what there is in the end: the resources as [fake.Cloud.String] prints them, and the status of every Service.
func (c planCase) state(t *testing.T) string {
	t.Helper()
	seen, err := c.cloud.Observe(t.Context(), lb.ScopeOf(c.cluster, c.in))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := lb.Build(c.cluster, c.in, seen)
	statuses := lb.Status(want, nil)
	text := c.cloud.String()
	for _, s := range want.Services {
		var ips []string
		for _, in := range statuses[s.Service].Ingress {
			ips = append(ips, in.IP)
		}
		held := ""
		if s.Held {
			held = " (held)"
		}
		text += strings.TrimSuffix("status "+s.Service.String()+": "+strings.Join(ips, " "), " ") + held + "\n"
	}
	return text
}

// follows reports whether a case is one of those that stand for a behaviour of upstream.
func follows(dir string) bool {
	name := filepath.Base(dir)
	return slices.ContainsFunc([]string{"nsg-", "pls-", "lb-", "ip-"}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// planCase is one directory, read.
type planCase struct {
	cluster lb.Cluster
	cloud   *fake.Cloud
	in      lb.Objects
}

func openPlanCase(t *testing.T, dir string) planCase {
	t.Helper()
	cluster, err := lb.ParseCluster(mustRead(t, dir, "azure.json"), "")
	if err != nil {
		t.Fatal(err)
	}
	c := planCase{cluster: cluster, cloud: fake.New(&fake.Options{Deny: denials(t, dir), Waive: waived(t, dir)}), in: manifests(t, dir, "services.yaml")}
	if err := c.cloud.Load(mustRead(t, dir, "seed.json")); err != nil {
		t.Fatal(err)
	}
	if exists(dir, "policy.json") {
		if err := json.Unmarshal(mustRead(t, dir, "policy.json"), &c.cluster.PrivateLink); err != nil {
			t.Fatal(err)
		}
	}
	if exists(dir, "addresses.json") {
		if err := json.Unmarshal(mustRead(t, dir, "addresses.json"), &c.cluster.Addresses); err != nil {
			t.Fatal(err)
		}
	}
	if exists(dir, "before.yaml") {
		// The tags of the configuration are part of what changes.
		cluster.Tags = nil
		cluster.DisableOutboundSNAT = false
		r := provider.NewReconciler(c.cloud, cluster, &provider.Options{Parallel: 1})
		if _, err := r.Sync(t.Context(), manifests(t, dir, "before.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func exists(dir, file string) bool {
	_, err := os.Stat(filepath.Join(dir, file))
	return err == nil
}

func mustRead(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func manifests(t *testing.T, path ...string) lb.Objects {
	t.Helper()
	in, err := lbtest.Read(mustRead(t, path...))
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func denials(t *testing.T, dir string) []fake.Denial {
	t.Helper()
	if !exists(dir, "deny.txt") {
		return nil
	}
	var list []fake.Denial
	for line := range strings.Lines(string(mustRead(t, dir, "deny.txt"))) {
		action, scope, _ := strings.Cut(strings.TrimSpace(line), " ")
		list = append(list, fake.Denial{Action: action, Scope: lb.ID(scope)})
	}
	return list
}

func waived(t *testing.T, dir string) []fake.Rule {
	t.Helper()
	if !exists(dir, "waive.txt") {
		return nil
	}
	var list []fake.Rule
	for _, name := range strings.Fields(string(mustRead(t, dir, "waive.txt"))) {
		list = append(list, fake.Rule(name))
	}
	return list
}

// planFor reads the cloud and plans.
func planFor(t rapid.TB, cloud *fake.Cloud, c lb.Cluster, in lb.Objects) lb.Plan {
	t.Helper()
	seen, err := cloud.Observe(context.Background(), lb.ScopeOf(c, in))
	if err != nil {
		t.Fatal(err)
	}
	return planOn(t, c, in, seen)
}

func planOn(t rapid.TB, c lb.Cluster, in lb.Objects, seen lb.Observed) lb.Plan {
	t.Helper()
	want, findings := lb.Build(c, in, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		t.Fatal(err)
	}
	plan.Findings = slices.Concat(findings, plan.Findings)
	return plan
}

func explained(t rapid.TB, p lb.Plan) string {
	t.Helper()
	var b strings.Builder
	if err := p.Explain(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func checkGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(string(mustRead(t, path)), got); d != "" {
		t.Errorf("%s (-want +got), rewritten by -update-plans:\n%s", path, d)
	}
}
