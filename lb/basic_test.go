package lb_test

import (
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// TestBasicGivesWay: a basic load balancer under a configuration that says standard is replaced, and its address upgraded, in one Sync.
func TestBasicGivesWay(t *testing.T) {
	cloud := fake.New(&fake.Options{Waive: []fake.Rule{fake.RuleBasicSKU}})
	if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	basic, err := lb.ParseCluster([]byte(strings.Replace(lbtest.Configuration, `"standard"`, `"basic"`, 1)), "")
	if err != nil {
		t.Fatal(err)
	}
	in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(1)}
	before, err := provider.NewReconciler(cloud, basic, nil).Sync(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	after := sync(t, cloud, in)
	for name, s := range before.Services {
		if got := after.Services[name]; got.Status == nil || got.Status.Ingress[0].IP != s.Status.Ingress[0].IP {
			t.Errorf("%s: status %v, want the address it had: %v", name, got.Status, s.Status)
		}
	}
	text := cloud.String()
	if strings.Contains(text, "Basic") {
		t.Errorf("something is still basic:\n%s", text)
	}
	if again := sync(t, cloud, in); len(again.Plan().Steps) > 0 {
		t.Errorf("the plan after it is not empty: %v", again.Plan())
	}
}

func sync(t *testing.T, cloud *fake.Cloud, in lb.Objects) provider.Report {
	t.Helper()
	report, err := provider.NewReconciler(cloud, lbtest.Cluster(), nil).Sync(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return report
}
