package lb_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// sharing is an Azure with a managed public IP of svc-1, 20.7.7.7, one of a user, mine with 20.1.1.1, and Services on them.
type sharing struct {
	t       *testing.T
	cluster lb.Cluster
	cloud   *fake.Cloud
}

func newSharing(t *testing.T) *sharing {
	t.Helper()
	s := &sharing{t: t, cluster: lbtest.Cluster(), cloud: lbtest.Cloud()}
	s.publicIP("mine", "20.1.1.1", nil)
	s.publicIP("kubernetes-"+lb.Base(lbtest.Service(1).UID), "20.7.7.7", map[string]any{"k8s-azure-cluster-name": "kubernetes", "k8s-azure-service": "default/svc-1"})
	return s
}

func (s *sharing) publicIP(name, address string, tags map[string]any) {
	s.t.Helper()
	if err := s.cloud.Put(lbtest.Resource(armid.PublicIPAddresses, name), armwire.Object{
		"location": "westeurope", "sku": armwire.Object{"name": "Standard"}, "tags": tags,
		"properties": armwire.Object{"publicIPAddressVersion": "IPv4", "publicIPAllocationMethod": "Static", "ipAddress": address},
	}); err != nil {
		s.t.Fatal(err)
	}
}

// sync carries out what list asks for, and finds nothing left to do.
func (s *sharing) sync(list ...corev1.Service) provider.Report {
	s.t.Helper()
	in := lb.Objects{Services: list, Nodes: lbtest.Nodes(2)}
	report, err := provider.NewReconciler(s.cloud, s.cluster, &provider.Options{Parallel: 1, Attempts: 1, AllowEmpty: true}).Sync(s.t.Context(), in)
	if err != nil {
		s.t.Fatal(err)
	}
	if rest := planFor(s.t, s.cloud, s.cluster, in); len(rest.Steps) > 0 {
		s.t.Errorf("left to do:\n%s", explained(s.t, rest))
	}
	return report
}

// outcome is what became of each Service that is there: its addresses, and the errors and warnings about it.
func outcome(report provider.Report) map[string]string {
	out := map[string]string{}
	for name, s := range report.Services {
		var text []string
		if s.Status == nil {
			continue // it is gone
		}
		for _, in := range s.Status.Ingress {
			text = append(text, in.IP)
		}
		for _, f := range s.Findings {
			text = append(text, f.Severity.String()+" "+strings.TrimPrefix(f.Field, "metadata.annotations["+annotations.Prefix)+": "+f.Err.Error())
		}
		out[name.Name] = strings.Join(text, "; ")
	}
	return out
}

// The Services of the tables below, and changes of them.
var (
	pinned  = lbtest.Annotate("azure-load-balancer-ipv4", "20.7.7.7")
	onMine  = lbtest.Annotate("azure-pip-name", "mine")
	ipTags  = lbtest.Annotate("azure-pip-ip-tags", "RoutingPreference=Internet")
	noTags  = lbtest.Annotate("azure-pip-ip-tags", "")
	labelOf = func(label string) func(*corev1.Service) { return lbtest.Annotate("azure-dns-label-name", label) }
	tagsOf  = func(tags string) func(*corev1.Service) { return lbtest.Annotate("azure-pip-tags", tags) }
)

// svc makes the i-th Service with a port of its own.
func svc(i int, changes ...func(*corev1.Service)) corev1.Service {
	return lbtest.Service(i, append([]func(*corev1.Service){lbtest.Port(int32(80 + i))}, changes...)...)
}

// TestClaims changes what several Services use for one of them. What was there before a change is made by a Sync of before, what it comes to by
// one of after, which must leave nothing to do.
func TestClaims(t *testing.T) {
	ip := "public IP kubernetes-" + lb.Base(lbtest.Service(1).UID)
	keeps := "error azure-pip-ip-tags]: an address would be lost: " + ip + " keeps its address 20.7.7.7, which default/svc-1 asks for, only with the IP tags that it has; " +
		"ask for the address or for the IP tags"
	cannot := func(other string) string {
		return "error azure-pip-ip-tags]: already in use: the IP tags of " + ip + " cannot be changed while default/" + other + " uses it too; give one of the two another address first"
	}
	label := func(label, other string) string {
		return fmt.Sprintf("error azure-dns-label-name]: already in use: the DNS label of public IP mine is %s for default/%s; ask for the same, or for another address", label, other)
	}
	tag := func(value, other string) string {
		return fmt.Sprintf("warning azure-pip-tags]: already in use: the tag team of "+ip+" is %q for default/%s; ask for the same, or for another address", value, other)
	}
	mutable := func(c *lb.Cluster) { c.MutateIPTags = true }
	allowed := func(c *lb.Cluster) { c.Addresses.AllowRecreate = true }
	list := func(s ...corev1.Service) []corev1.Service { return s }
	type outcomes = map[string]string
	for _, c := range []struct {
		name          string
		before, after []corev1.Service
		cluster       func(*lb.Cluster)
		want          outcomes
		mine          string // DNS label of mine
		team          string // tag of the managed public IP
	}{
		{"a guest asks for IP tags", list(svc(1)), list(svc(1), svc(2, pinned, ipTags)), allowed, outcomes{"svc-1": "20.7.7.7", "svc-2": cannot("svc-1")}, "", ""},
		{"a guest asks for IP tags that may change", list(svc(1)), list(svc(1), svc(2, pinned, ipTags)), mutable, outcomes{"svc-1": "20.7.7.7", "svc-2": cannot("svc-1")}, "", ""},
		{"a guest asks for no IP tags, which there are none of", list(svc(1)), list(svc(1), svc(2, pinned, noTags)), nil, outcomes{"svc-1": "20.7.7.7", "svc-2": "20.7.7.7"}, "", ""},
		{"the owner asks for IP tags beside a guest", list(svc(1), svc(2, pinned)), list(svc(1, ipTags), svc(2, pinned)), allowed, outcomes{"svc-1": "20.7.7.7; " + cannot("svc-2"), "svc-2": "20.7.7.7"}, "", ""},
		{"the owner asks for IP tags and its address", list(svc(1, pinned)), list(svc(1, pinned, ipTags)), allowed, outcomes{"svc-1": "20.7.7.7; " + keeps}, "", ""},
		{"the owner asks for other IP tags as the guest comes", list(svc(1)), list(svc(1, ipTags), svc(2, pinned)), allowed, outcomes{"svc-1": "20.7.7.7; " + cannot("svc-2"), "svc-2": "20.7.7.7"}, "", ""},
		{"two new ones ask for different labels", nil, list(svc(3, onMine, labelOf("three")), svc(4, onMine, labelOf("four"))), nil, outcomes{"svc-3": "20.1.1.1", "svc-4": label(`"three"`, "svc-3")}, "three", ""},
		{"two ask for the same label", nil, list(svc(3, onMine, labelOf("same")), svc(4, onMine, labelOf("same"))), nil, outcomes{"svc-3": "20.1.1.1", "svc-4": "20.1.1.1"}, "same", ""},
		{"a guest asks for another label", list(svc(4, onMine, labelOf("four"))), list(svc(3, onMine, labelOf("three")), svc(4, onMine, labelOf("four"))), nil, outcomes{"svc-3": label(`"four"`, "svc-4"), "svc-4": "20.1.1.1"}, "four", ""},
		{"a guest asks for no label", list(svc(4, onMine, labelOf("four"))), list(svc(3, onMine, labelOf("")), svc(4, onMine, labelOf("four"))), nil, outcomes{"svc-3": label(`"four"`, "svc-4"), "svc-4": "20.1.1.1"}, "four", ""},
		{"one that is there begins to ask for another label", list(svc(3, onMine), svc(4, onMine, labelOf("four"))), list(svc(3, onMine, labelOf("three")), svc(4, onMine, labelOf("four"))), nil, outcomes{"svc-3": "20.1.1.1; " + label(`"four"`, "svc-4"), "svc-4": "20.1.1.1"}, "four", ""},
		{"a guest would take away a label that nobody asks for", list(svc(4, onMine, labelOf("four"))), list(svc(4, onMine), svc(3, onMine, labelOf("three"))), nil, outcomes{
			"svc-3": `error azure-dns-label-name]: already in use: public IP mine has the DNS label "four", by which clients may know default/svc-4 too; ask for the same, or for another address`, "svc-4": "20.1.1.1",
		}, "four", ""},
		{"the one that has the label changes it", list(svc(3, onMine), svc(4, onMine, labelOf("four"))), list(svc(3, onMine), svc(4, onMine, labelOf("five"))), nil, outcomes{"svc-3": "20.1.1.1", "svc-4": "20.1.1.1"}, "five", ""},
		{"the label of an address that a held one is on", list(svc(3, onMine, labelOf("three")), svc(4, onMine)), list(svc(3, labelOf("three")), svc(4, onMine, labelOf("four"))), nil, outcomes{
			"svc-3": "20.1.1.1; error spec.type: already in use: frontend " + lb.Base(svc(3).UID) + " is shared with other Services, which keep its address; move them first",
			"svc-4": `20.1.1.1; warning azure-dns-label-name]: already in use: the DNS label of public IP mine stays "three" while default/svc-3, which is held, is on it`,
		}, "three", ""},
		{"two ask for different tags", list(svc(1)), list(svc(1, tagsOf("team=one")), svc(2, pinned, tagsOf("team=two"))), nil, outcomes{"svc-1": "20.7.7.7", "svc-2": "20.7.7.7; " + tag("one", "svc-1")}, "", "one"},
		{"what is there stays", list(svc(1), svc(2, pinned, tagsOf("team=two"))), list(svc(1, tagsOf("team=one")), svc(2, pinned, tagsOf("team=two"))), nil, outcomes{"svc-1": "20.7.7.7; " + tag("two", "svc-2"), "svc-2": "20.7.7.7"}, "", "two"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, reversed := range []bool{false, true} {
				s := newSharing(t)
				if len(c.before) > 0 {
					s.sync(c.before...)
				}
				if c.cluster != nil {
					c.cluster(&s.cluster)
				}
				after := c.after
				if reversed {
					after = []corev1.Service{c.after[len(c.after)-1], c.after[0]}[:len(c.after)]
				}
				report := s.sync(after...)
				if d := cmp.Diff(c.want, outcome(report)); d != "" {
					t.Errorf("reversed %v: outcome (-want +got):\n%s", reversed, d)
				}
				got := [2]string{s.label("mine"), s.tags("kubernetes-" + lb.Base(lbtest.Service(1).UID))["team"]}
				if want := [2]string{c.mine, c.team}; got != want {
					t.Errorf("reversed %v: label and tag %q, want %q", reversed, got, want)
				}
			}
		})
	}
}

func (s *sharing) seen(name string) lb.SeenPublicIP {
	s.t.Helper()
	seen, err := s.cloud.Observe(s.t.Context(), lb.ScopeOf(s.cluster, lb.Objects{}))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range seen.PublicIPs {
		if p.ID.Name() == name {
			return p
		}
	}
	return lb.SeenPublicIP{}
}

func (s *sharing) label(name string) string { return s.seen(name).DNSLabel }

func (s *sharing) tags(name string) map[string]string {
	tags := map[string]string{}
	for _, t := range s.seen(name).Tags {
		tags[t.Key] = t.Value
	}
	return tags
}

// TestNamesJoinBeforeTheyLeave: where one Service joins a public IP and another leaves it, the tag names each of them while it is served.
func TestNamesJoinBeforeTheyLeave(t *testing.T) {
	s := newSharing(t)
	s.sync(svc(1), svc(2, pinned))
	var got []string
	for _, step := range planFor(t, s.cloud, s.cluster, lb.Objects{Services: []corev1.Service{svc(1), svc(3, pinned)}, Nodes: lbtest.Nodes(2)}).Steps {
		switch op := step.Op.(type) {
		case lb.TagPublicIP:
			names, _ := op.After.Get("k8s-azure-service")
			got = append(got, names)
		case lb.PutLoadBalancer:
			got = append(got, "load balancer")
		}
	}
	if want := []string{"default/svc-1,default/svc-2,default/svc-3", "load balancer", "default/svc-1,default/svc-3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	s.sync(svc(1), svc(3, pinned))
}

// TestAddressMadeAnew changes IP tags where that is allowed: the new public IP is made first, under a name of its own, and one that Azure refuses
// costs nothing. The next change goes back to the usual name.
func TestAddressMadeAnew(t *testing.T) {
	s := newSharing(t)
	s.cluster.Addresses.AllowRecreate = true
	name := types.NamespacedName{Namespace: "default", Name: "svc-1"}
	s.sync(svc(1))
	refused := fake.Fault{Method: http.MethodPut, Path: "/publicIPAddresses/", Count: 1, Status: 400, Code: "InvalidIpTag"}
	s.cloud.Inject(refused)
	in := lb.Objects{Services: []corev1.Service{svc(1, ipTags)}, Nodes: lbtest.Nodes(2)}
	report, err := provider.NewReconciler(s.cloud, s.cluster, &provider.Options{Parallel: 1, Attempts: 1, AllowEmpty: true}).Sync(t.Context(), in)
	if got := report.Services[name]; err == nil || got.Err == nil || len(got.Status.Ingress) != 1 || got.Status.Ingress[0].IP != "20.7.7.7" {
		t.Errorf("refused: error %v, status %v, want an error and 20.7.7.7", got.Err, got.Status)
	}
	usual := "kubernetes-" + lb.Base(lbtest.Service(1).UID)
	for i, step := range []struct {
		change     func(*corev1.Service)
		made, gone string
	}{{ipTags, usual + "_2", usual}, {noTags, usual, usual + "_2"}} {
		report := s.sync(svc(1, step.change))
		made, gone := s.seen(step.made), s.seen(step.gone)
		want := map[string]string{"svc-1": made.Address.String()}
		if d := cmp.Diff(want, outcome(report)); d != "" || gone.ID != "" || made.Attached == "" {
			t.Errorf("step %d: %s on %q, %q still there; outcome (-want +got):\n%s", i, made.ID, made.Attached, gone.ID, d)
		}
	}
}

// TestOnlyFamily has a Service give up the only family it has an address of.
func TestOnlyFamily(t *testing.T) {
	six := func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv6Protocol} }
	for _, kind := range []struct {
		name   string
		change func(*corev1.Service)
	}{{"external", func(*corev1.Service) {}}, {"internal", lbtest.Internal}} {
		t.Run(kind.name, func(t *testing.T) {
			s := newSharing(t)
			first := outcome(s.sync(svc(1, kind.change), svc(9, kind.change)))
			held := outcome(s.sync(svc(1, kind.change, six), svc(9, kind.change)))
			want := maps.Clone(first)
			want["svc-1"] += "; error spec.ipFamilies: an address would be lost: the Service has addresses of other families only, and " + first["svc-1"] +
				" would be given up; allow it (AddressPolicy.AllowRecreate), or go by way of a twin Service"
			if d := cmp.Diff(want, held); d != "" {
				t.Errorf("outcome (-want +got):\n%s", d)
			}
			s.cluster.Addresses.AllowRecreate = true
			if got := outcome(s.sync(svc(1, kind.change, six), svc(9, kind.change)))["svc-1"]; !strings.Contains(got, ":") || strings.Contains(got, "error") {
				t.Errorf("where it is allowed: %s, want an IPv6 address", got)
			}
		})
	}
}
