package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// requests counts the journal by method and type of resource.
func requests(c *fake.Cloud) (reads, writes map[string]int) {
	reads, writes = map[string]int{}, map[string]int{}
	for _, r := range c.Requests() {
		parts := strings.Split(strings.ToLower(r.Path), "/providers/")
		typ := parts[len(parts)-1]
		if r.Method == "GET" {
			reads[typ]++
			continue
		}
		seg := strings.Split(typ, "/")
		name := seg[1]
		if len(seg) > 4 {
			name += "/" + seg[3]
		}
		writes[name]++
	}
	return reads, writes
}

func total(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}

func converged(t *testing.T, c *fake.Cloud, in lb.Objects) provider.Report {
	t.Helper()
	report, err := provider.NewReconciler(c, lbtest.Cluster(), nil).Sync(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestRequestCounts pins what design P5 promises: writes do not grow with the number of Services but for their public IPs.
func TestRequestCounts(t *testing.T) {
	for _, n := range []int{1, 10, 300} {
		t.Run(fmt.Sprintf("%d external", n), func(t *testing.T) {
			cloud := lbtest.Cloud()
			in := lb.Objects{Services: lbtest.Services(n), Nodes: lbtest.Nodes(3)}
			converged(t, cloud, in)
			reads, writes := requests(cloud)
			if writes["publicipaddresses"] != n || writes["loadbalancers"] != 1 || writes["networksecuritygroups"]+writes["networksecuritygroups/securityrules"] != 1 || total(writes) != n+2 {
				t.Errorf("writes: %v", writes)
			}
			checkReads(t, reads)
			checkResync(t, cloud, in)
		})
		t.Run(fmt.Sprintf("%d internal", n), func(t *testing.T) {
			cloud := lbtest.Cloud()
			in := lb.Objects{Services: lbtest.Services(n, lbtest.Internal), Nodes: lbtest.Nodes(3)}
			converged(t, cloud, in)
			if _, writes := requests(cloud); total(writes) != 1 || writes["loadbalancers"] != 1 {
				t.Errorf("writes: %v", writes)
			}
			checkResync(t, cloud, in)
		})
	}
}

// checkReads asserts that nothing was read twice: one list per type and group, one GET for everything else.
func checkReads(t *testing.T, reads map[string]int) {
	t.Helper()
	for typ, n := range reads {
		if n > 1 {
			t.Errorf("%s was read %d times: %v", typ, n, reads)
		}
	}
	if total(reads) > 6 {
		t.Errorf("%d reads: %v", total(reads), reads)
	}
}

func checkResync(t *testing.T, cloud *fake.Cloud, in lb.Objects) {
	t.Helper()
	cloud.ResetRequests()
	if report := converged(t, cloud, in); len(report.Plan().Steps) > 0 {
		t.Errorf("the second plan is not empty: %v", report.Plan())
	}
	reads, writes := requests(cloud)
	if len(writes) > 0 {
		t.Errorf("resync wrote %v", writes)
	}
	checkReads(t, reads)
}

// TestOneBadServiceAmongFifty pins isolation (design P8): the others converge, what the bad one has stays, one finding names the field.
func TestOneBadServiceAmongFifty(t *testing.T) {
	cloud := lbtest.Cloud()
	in := lb.Objects{Services: lbtest.Services(51), Nodes: lbtest.Nodes(2)}
	converged(t, cloud, in)
	for i := range in.Services {
		lbtest.Port(8080)(&in.Services[i])
	}
	lbtest.Annotate("azure-load-balancer-tcp-idle-timeout", "soon")(&in.Services[7])
	report := converged(t, cloud, in)

	if len(report.Findings) != 1 {
		t.Fatalf("findings: %v, want one", report.Findings)
	}
	const field = "metadata.annotations[service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout]"
	if f := report.Findings[0]; f.Field != field || f.Service.Name != "svc-7" || !f.Holds {
		t.Errorf("finding %+v", f)
	}
	for i, svc := range in.Services {
		s := report.Services[types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name}]
		if (i == 7) != s.Held || s.Err != nil || s.Status == nil || len(s.Status.Ingress) != 1 {
			t.Errorf("%s: %+v", svc.Name, s)
		}
		want := int32(8080)
		if i == 7 {
			want = 80
		}
		if !hasRule(t, cloud, svc, want) {
			t.Errorf("%s has no rule for port %d", svc.Name, want)
		}
	}
	if again := converged(t, cloud, in); len(again.Plan().Steps) > 0 {
		t.Error("the plan after it is not empty")
	}
}

func hasRule(t *testing.T, cloud *fake.Cloud, svc corev1.Service, port int32) bool {
	t.Helper()
	seen, err := cloud.Observe(t.Context(), lb.ScopeOf(lbtest.Cluster(), lb.Objects{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range seen.LoadBalancers {
		for _, r := range l.Rules {
			if strings.HasPrefix(r.Name, lb.Base(svc.UID)) && r.FrontendPort == uint16(port) {
				return true
			}
		}
	}
	return false
}
