package lb_test

import (
	"errors"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	corev1 "k8s.io/api/core/v1"
)

// TestLinkConsent: a private link service on a frontend of several namespaces needs consent of who comes, not of who is there.
func TestLinkConsent(t *testing.T) {
	address, link := lbtest.Annotate("azure-load-balancer-ipv4", "10.1.0.50"), lbtest.Annotate("azure-pls-create", "true")
	in := func(namespace string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Namespace = namespace }
	}
	for _, c := range []struct {
		name          string
		owner, joiner []func(*corev1.Service)
		policy        lb.Policy
		held          bool
		there         bool // the joiner is there before the owner asks
	}{
		{name: "brings one", joiner: []func(*corev1.Service){in("guest"), link}, held: true},
		{name: "meets one", owner: []func(*corev1.Service){link}, joiner: []func(*corev1.Service){in("guest")}, held: true},
		{name: "brings one, with consent", joiner: []func(*corev1.Service){in("guest"), link}, policy: lb.Policy{SharedPrivateLinks: []string{"gue*"}}},
		{name: "brings one in its own namespace", joiner: []func(*corev1.Service){link}},
		{name: "none there", joiner: []func(*corev1.Service){in("guest")}},
		{name: "none there, and no joining", joiner: []func(*corev1.Service){in("guest")}, policy: lb.Policy{JoinNamespaces: []string{}}, held: true},
		{name: "joining for others", joiner: []func(*corev1.Service){in("guest")}, policy: lb.Policy{JoinNamespaces: []string{"else"}}, held: true},
		{name: "joining for it", joiner: []func(*corev1.Service){in("guest")}, policy: lb.Policy{JoinNamespaces: []string{"guest"}}},
		{name: "its own namespace, and no joining", policy: lb.Policy{JoinNamespaces: []string{}}},
		{name: "is there when the owner asks", owner: []func(*corev1.Service){link}, joiner: []func(*corev1.Service){in("guest")}, there: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, cloud := lbtest.Cluster(), fake.New(&fake.Options{Waive: fake.Rules()})
			if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
				t.Fatal(err)
			}
			cluster.Policy = c.policy
			plain := lbtest.Service(1, lbtest.Internal, address)
			owner := lbtest.Service(1, append([]func(*corev1.Service){lbtest.Internal, address}, c.owner...)...)
			joiner := lbtest.Service(2, append([]func(*corev1.Service){lbtest.Internal, address, lbtest.Port(81)}, c.joiner...)...)
			objects := lb.Objects{Nodes: lbtest.Nodes(1), Services: []corev1.Service{plain}}
			if c.there {
				objects.Services = append(objects.Services, joiner)
			}
			settled(t, cloud, cluster, objects)
			objects.Services = []corev1.Service{owner, joiner}
			want, findings := lb.Build(cluster, objects, observed(t, cloud, cluster, objects))
			refused := false
			for _, f := range findings {
				refused = refused || errors.Is(f.Err, lb.ErrPolicy) && f.Holds && f.Service == nameOf(joiner)
			}
			for _, r := range want.Services {
				if held := r.Service == nameOf(joiner) && c.held; r.Held != held {
					t.Errorf("%s: got held %t, want %t: %v", r.Service, r.Held, held, findings)
				}
			}
			if refused != c.held {
				t.Errorf("got refused %t, want %t: %v", refused, c.held, findings)
			}
		})
	}
}
