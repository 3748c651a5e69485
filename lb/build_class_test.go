package lb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestOtherClass: what a Service had before it was given another class stays and is told of, whether the Service was edited or made anew, until the
// class is released. A Service beside it is not concerned.
func TestOtherClass(t *testing.T) {
	const class = "example.com/other"
	edited := func(s *corev1.Service) { s.Spec.LoadBalancerClass = new(class) }
	anew := func(s *corev1.Service) { edited(s); s.UID = "ffffffff-0000-4000-8000-00000000ffff" }
	deny := lbtest.Annotate("azure-disable-load-balancer-nsg-rule", "true")
	for _, c := range []struct {
		fact   string
		served []func(*corev1.Service)
		turns  func(*corev1.Service)
		told   []string // in the finding
	}{
		{"edited", nil, edited, []string{"frontend a0000000", "public IP kubernetes-a0000000", "open is ", "port 80"}},
		{"made anew", nil, anew, []string{"frontend a0000000", "public IP kubernetes-a0000000", "open is ", "port 80"}},
		{"edited, dual stack", []func(*corev1.Service){lbtest.Dual}, edited, []string{"-IPv6 of kubernetes (", "open is "}},
		{"made anew, dual stack", []func(*corev1.Service){lbtest.Dual}, anew, []string{"-IPv6 of kubernetes (", "open is "}},
		{"edited, internal", []func(*corev1.Service){lbtest.Internal}, edited, []string{"of kubernetes-internal (10.1.0."}},
		{"edited, without security rules", []func(*corev1.Service){deny}, edited, []string{"nothing of it is open"}},
		{"edited, floating IP off", []func(*corev1.Service){lbtest.Annotate("azure-disable-load-balancer-floating-ip", "true")}, edited, []string{"10.1.200.10 from Internet", "port 30000"}},
	} {
		t.Run(c.fact, func(t *testing.T) {
			cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
			in := lb.Objects{Services: []corev1.Service{lbtest.Service(1, lbtest.Dual)}, Nodes: lbtest.Nodes(1)}
			settled(t, cloud, cluster, in)
			alone := cloud.String()
			in.Services = append(in.Services, lbtest.Service(0, c.served...))
			settled(t, cloud, cluster, in)
			both := cloud.String()

			c.turns(&in.Services[1])
			report := settled(t, cloud, cluster, in)
			if d := cmp.Diff(both, cloud.String()); d != "" {
				t.Errorf("without consent (-want +got):\n%s", d)
			}
			text := ""
			for _, f := range report.Findings {
				if errors.Is(f.Err, lb.ErrOtherClass) && f.Service == nameOf(in.Services[1]) && f.Field == "spec.loadBalancerClass" && f.Severity == lb.SeverityWarning {
					text += f.Err.Error()
				}
			}
			for _, want := range c.told {
				if !strings.Contains(text, want) {
					t.Errorf("finding %q, want %q in it", text, want)
				}
			}

			r := provider.NewReconciler(cloud, cluster, &provider.Options{ReleaseClasses: []string{class}, Clock: cloud.Clock()})
			report, err := r.Sync(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(alone, cloud.String()); d != "" {
				t.Errorf("released (-want +got):\n%s", d)
			}
			for _, f := range report.Findings {
				if errors.Is(f.Err, lb.ErrOtherClass) {
					t.Errorf("released, and still told: %v", f)
				}
			}
			if err := r.Delete(t.Context(), in, nameOf(in.Services[1])); err != nil {
				t.Errorf("deleting it: %v", err)
			}
		})
	}
}

// TestReleaseTheDefaultClass: who serves a class may release those without one.
func TestReleaseTheDefaultClass(t *testing.T) {
	cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
	before := cloud.String()
	in := lb.Objects{Services: lbtest.Services(1), Nodes: lbtest.Nodes(1)}
	settled(t, cloud, cluster, in)
	cluster.Class, cluster.ReleaseClasses = "example.com/azure", []string{"", "example.com/azure"} // its own is served, whatever is released
	in.Services = append(in.Services, lbtest.Service(1, func(s *corev1.Service) { s.Spec.LoadBalancerClass = new("example.com/azure") }))
	report := settled(t, cloud, cluster, in)
	if s := report.Services[nameOf(in.Services[1])]; s.Held || s.Status == nil || len(s.Status.Ingress) != 1 {
		t.Errorf("its own: %+v, want it served", s)
	}
	in.Services = in.Services[:1]
	settled(t, cloud, cluster, in)
	if d := cmp.Diff(before, cloud.String()); d != "" {
		t.Errorf("left (-before +after):\n%s", d)
	}
}
