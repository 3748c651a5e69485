package lb_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// several has two load balancers.
func several(s *sharing) *sharing {
	s.cluster.Multiple = []lb.MultipleConfiguration{
		{Name: "kubernetes", PrimaryVMSet: "one", AllowServicePlacement: true}, {Name: "lb-1", PrimaryVMSet: "two", AllowServicePlacement: true},
	}
	return s
}

// TestSharedFrontend changes one of two Services on an address, or lets a third one come, in the same way for external and internal ones: svc-1
// is the one whose frontend it is, svc-2 the guest.
func TestSharedFrontend(t *testing.T) {
	kinds := []struct {
		name           string
		first          func(*corev1.Service)
		other          string                // scheme
		address, place func(*corev1.Service) // another address, and another public IP or subnet
	}{
		{"external", lbtest.Annotate("azure-load-balancer-internal", "false"), "true", lbtest.Annotate("azure-load-balancer-ipv4", "20.1.1.1"), onMine},
		{"internal", lbtest.Internal, "false", lbtest.Annotate("azure-load-balancer-ipv4", "10.1.9.9"), lbtest.Annotate("azure-load-balancer-internal-subnet", "apps")},
	}
	denies := func(s *corev1.Service) {
		lbtest.Annotate("azure-allowed-ip-ranges", "192.0.2.1/32")(s)
		lbtest.Annotate("azure-deny-all-except-load-balancer-source-ranges", "true")(s)
	}
	for _, kind := range kinds {
		unpinned := func(s *corev1.Service) { delete(s.Annotations, annotations.KeyIPv4) }
		scheme := lbtest.Annotate("azure-load-balancer-internal", kind.other)
		for _, c := range []struct {
			name   string
			who    int
			change []func(*corev1.Service)
			held   string // what the finding says; empty: nobody is held, and the plan has the risk address
		}{
			{"the first goes to another load balancer", 1, []func(*corev1.Service){lbtest.Annotate("azure-load-balancer-configurations", "lb-1")}, "shared with"},
			{"the first goes to another address", 1, []func(*corev1.Service){kind.address}, "is shared with other Services"},
			{"the first goes to another public IP or subnet", 1, []func(*corev1.Service){kind.place}, "is shared with other Services"},
			{"the first goes to the other scheme", 1, []func(*corev1.Service){scheme}, "is shared with other Services"},
			{"the guest leaves", 2, []func(*corev1.Service){unpinned}, ""},
			{"the guest goes to the other scheme", 2, []func(*corev1.Service){unpinned, scheme}, ""},
			{"one comes that denies", 3, []func(*corev1.Service){denies}, "would shut others out of the ports of default/svc-1"},
		} {
			t.Run(kind.name+": "+c.name, func(t *testing.T) {
				s := several(newSharing(t))
				first := svc(1, kind.first)
				address := outcome(s.sync(first))["svc-1"]
				at := lbtest.Annotate("azure-load-balancer-ipv4", address)
				guest, third := svc(2, kind.first, at), svc(3, kind.first, at)
				before := outcome(s.sync(first, guest))
				if d := cmp.Diff(map[string]string{"svc-1": address, "svc-2": address}, before); d != "" {
					t.Fatalf("shared (-want +got):\n%s", d)
				}
				state := s.cloud.String()
				list := []corev1.Service{*first.DeepCopy(), *guest.DeepCopy(), third}[:max(2, c.who)]
				for _, change := range c.change {
					change(&list[c.who-1])
				}
				plan := planFor(t, s.cloud, s.cluster, lb.Objects{Services: list, Nodes: lbtest.Nodes(2)})
				report := s.sync(list...)
				after := outcome(report)
				if c.held == "" {
					risky := slices.ContainsFunc(plan.Steps, func(s lb.Step) bool { return slices.Contains(s.Risks, lb.RiskAddress) })
					if !risky || after["svc-1"] != address || after["svc-2"] == address || after["svc-2"] == "" {
						t.Errorf("risk address %v, outcome %v, want the risk and another address for the guest\n%s", risky, after, explained(t, plan))
					}
					return
				}
				said := strings.Contains(after[list[c.who-1].Name], c.held)
				if d := cmp.Diff(state, s.cloud.String()); d != "" || !said || len(plan.Steps) > 0 {
					t.Errorf("outcome %v, want %q, and nothing changed (-before +after):\n%s", after, c.held, d)
				}
				if s.sync(first, guest); s.cloud.String() != state {
					t.Errorf("taking it back changed something (-before +after):\n%s", cmp.Diff(state, s.cloud.String()))
				}
			})
		}
	}
}

// TestSharersPlacedTogether has Services that share an address come in one plan, with two load balancers: they are placed as one.
func TestSharersPlacedTogether(t *testing.T) {
	at := lbtest.Annotate("azure-load-balancer-ipv4", "10.1.9.9")
	public := lbtest.Annotate("azure-load-balancer-ipv4", "20.1.1.1")
	second := lbtest.Annotate("azure-load-balancer-configurations", "lb-1")
	for _, c := range []struct {
		name string
		list []corev1.Service
		want map[string]string
	}{
		{"a user's public IP, by name and by address", []corev1.Service{svc(0), svc(3, onMine), svc(4, public)}, map[string]string{"svc-3": "20.1.1.1", "svc-4": "20.1.1.1"}},
		{"a private address", []corev1.Service{svc(0, lbtest.Internal), svc(3, lbtest.Internal, at), svc(4, lbtest.Internal, at)}, map[string]string{"svc-3": "10.1.9.9", "svc-4": "10.1.9.9"}},
		{"beside one that is on the other load balancer", []corev1.Service{svc(0, second), svc(3, onMine), svc(4, public), svc(5, public)}, map[string]string{
			"svc-3": "20.1.1.1", "svc-4": "20.1.1.1", "svc-5": "20.1.1.1",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, reversed := range []bool{false, true} {
				s := several(newSharing(t))
				s.sync(c.list[0])
				list := slices.Clone(c.list)
				if reversed {
					slices.Reverse(list)
				}
				got := outcome(s.sync(list...))
				delete(got, "svc-0")
				if d := cmp.Diff(c.want, got); d != "" {
					t.Errorf("reversed %v: outcome (-want +got):\n%s", reversed, d)
				}
			}
		})
	}
}

// TestNamesThatFitNoTag has more Services join a managed public IP than its tag has room for the names of: those who come last are held, and
// whoever is there goes on.
func TestNamesThatFitNoTag(t *testing.T) {
	s := newSharing(t)
	s.sync(svc(1))
	long := func(name string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Namespace, s.Name = strings.Repeat("n", 60), strings.Repeat("x", 58)+name }
	}
	list := []corev1.Service{svc(1, lbtest.Port(8080)), svc(2, pinned, long("2")), svc(3, pinned, long("3")), svc(4, pinned, long("4"))}
	plan := planFor(t, s.cloud, s.cluster, lb.Objects{Services: list, Nodes: lbtest.Nodes(2)})
	tagged, written := -1, -1
	for i, step := range plan.Steps {
		switch step.Op.(type) {
		case lb.TagPublicIP:
			tagged = i
		case lb.PutLoadBalancer:
			written = i
		}
	}
	if tagged < 0 || written < 0 || !slices.Contains(plan.Steps[written].After, tagged) {
		t.Errorf("the load balancer does not wait for the tag:\n%s", explained(t, plan))
	}
	got := outcome(s.sync(list...))
	for _, name := range []string{"svc-1", list[1].Name, list[2].Name} {
		if got[name] != "20.7.7.7" {
			t.Errorf("%s: %s, want 20.7.7.7", name, got[name])
		}
	}
	if last := got[list[3].Name]; !strings.Contains(last, "would take") || strings.HasPrefix(last, "20.") {
		t.Errorf("the last one: %s, want an error about the tag", last)
	}
}

// TestGuestsAreToldOfALoadBalancerThatGoes: all who are on the frontends of a load balancer that goes are told, not only those whom frontends are
// named after.
func TestGuestsAreToldOfALoadBalancerThatGoes(t *testing.T) {
	s := newSharing(t)
	address := lbtest.Annotate("azure-load-balancer-ipv4", "10.1.0.40")
	s.sync(svc(1, lbtest.Internal, address), svc(2, lbtest.Internal, address))
	plan := planFor(t, s.cloud, s.cluster, lb.Objects{Services: []corev1.Service{svc(1), svc(2)}, Nodes: lbtest.Nodes(2)})
	told := map[string]bool{}
	for _, step := range plan.Steps {
		for _, name := range step.Services {
			told[name.Name] = told[name.Name] || slices.Contains(step.Risks, lb.RiskAddress)
		}
	}
	for _, l := range plan.Losses() {
		for _, ref := range l.Refs {
			if base := lb.Base(svc(1).UID); l.Service.Name == "svc-2" && strings.Contains(string(ref), base+"-TCP") {
				t.Errorf("svc-2 loses %s of svc-1", ref)
			}
		}
	}
	if want := map[string]bool{"svc-1": true, "svc-2": true}; !maps.Equal(told, want) {
		t.Errorf("told of another address %v, want %v:\n%s", told, want, explained(t, plan))
	}
}
