package lb_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
)

// oneByOne makes calls for single Services, whose input has every Service that is not deleted yet.
type oneByOne struct {
	t     *testing.T
	cloud *fake.Cloud
	loop  *provider.Reconciler
	in    lb.Objects
}

func newOneByOne(t *testing.T, services ...corev1.Service) *oneByOne {
	t.Helper()
	cloud := lbtest.Cloud()
	o := &oneByOne{t: t, cloud: cloud, loop: provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock()})}
	o.in = lb.Objects{Nodes: lbtest.Nodes(1), Services: services}
	for _, s := range services {
		o.ensure(s)
	}
	return o
}

func (o *oneByOne) ensure(s corev1.Service) {
	o.t.Helper()
	o.in.Services = append(o.without(s), s)
	if _, err := o.loop.Ensure(o.t.Context(), o.in, nameOf(s)); err != nil {
		o.t.Fatal(err)
	}
}

func (o *oneByOne) delete(s corev1.Service) {
	o.t.Helper()
	if err := o.loop.Delete(o.t.Context(), o.in, nameOf(s)); err != nil {
		o.t.Fatal(err)
	}
	o.in.Services = o.without(s)
}

func (o *oneByOne) without(s corev1.Service) []corev1.Service {
	return slices.DeleteFunc(slices.Clone(o.in.Services), func(have corev1.Service) bool { return nameOf(have) == nameOf(s) })
}

// left lists what Services have on load balancers, and the addresses that the security group lets traffic through to.
func (o *oneByOne) left() (list []string) {
	o.t.Helper()
	seen, err := o.cloud.Observe(o.t.Context(), lb.ScopeOf(lbtest.Cluster(), o.in))
	if err != nil {
		o.t.Fatal(err)
	}
	for _, l := range seen.LoadBalancers {
		for _, r := range l.Rules {
			list = append(list, "rule "+r.Name[strings.IndexByte(r.Name, '-')+1:])
		}
		for range l.Frontends {
			list = append(list, "frontend")
		}
	}
	for _, ip := range seen.PublicIPs {
		list = append(list, "public IP "+ip.ID.Name())
	}
	for _, g := range seen.SecurityGroups {
		for _, r := range g.Rules {
			for _, a := range r.Destinations {
				list = append(list, "to "+a.String()+" port "+strings.Join(r.Ports, ","))
			}
		}
	}
	slices.Sort(list)
	return list
}

func (o *oneByOne) want(what string, list ...string) {
	o.t.Helper()
	if got := o.left(); !slices.Equal(got, list) {
		o.t.Errorf("%s: left are %q, want %q", what, got, list)
	}
}

// TestDeleteOneByOne deletes Services that share a frontend, first the one that it is named after: the last one takes it along.
func TestDeleteOneByOne(t *testing.T) {
	pinned := lbtest.Annotate("azure-load-balancer-ipv4", "10.1.5.6")
	owner := lbtest.Service(1, lbtest.Internal, pinned, lbtest.Port(80))
	guest, last := lbtest.Service(2, lbtest.Internal, pinned, lbtest.Port(81)), lbtest.Service(3, lbtest.Internal, pinned, lbtest.Port(82))
	o := newOneByOne(t, owner, guest, last)
	before := slices.DeleteFunc(o.left(), func(s string) bool { return !strings.HasPrefix(s, "rule") && s != "frontend" })
	if want := []string{"frontend", "rule TCP-80", "rule TCP-81", "rule TCP-82"}; !slices.Equal(before, want) {
		t.Fatalf("made %q, want %q", before, want)
	}
	o.delete(owner)
	o.delete(guest)
	o.want("one stays", "frontend", "rule TCP-82")
	o.delete(last)
	o.want("none stays")
}

// TestDeletePublicOneByOne is the same with a managed public IP, which goes with the last one.
func TestDeletePublicOneByOne(t *testing.T) {
	owner := lbtest.Service(1, lbtest.Port(80))
	o := newOneByOne(t, owner)
	names := o.cloud.IDs()
	ip := names[slices.IndexFunc(names, func(id lb.ID) bool { return id.Is(armid.PublicIPAddresses) })]
	guest := lbtest.Service(2, lbtest.Port(81), lbtest.Annotate("azure-pip-name", ip.Name()))
	o.ensure(guest)
	o.delete(owner)
	if left := o.left(); !slices.Contains(left, "frontend") || !slices.Contains(left, "public IP "+ip.Name()) {
		t.Fatalf("left are %q, want the frontend and public IP of the guest", left)
	}
	o.delete(guest)
	o.want("none stays")
}

// TestAdditionalAddressGoes has a Service give an additional address up, which nothing in Azure tells whose it is: it goes with the port that only
// this Service has, and stays where a Service that is not worked on has the port too.
func TestAdditionalAddressGoes(t *testing.T) {
	additional := lbtest.Annotate("azure-additional-public-ips", "40.1.1.1")
	for _, c := range []struct {
		name  string
		other int32 // port of the other Service
		stays bool
	}{{"the other Service has another port", 443, false}, {"the other Service has the port too", 80, true}} {
		t.Run(c.name, func(t *testing.T) {
			o := newOneByOne(t, lbtest.Service(1, additional), lbtest.Service(2, lbtest.Port(c.other)))
			named := func() bool {
				return slices.ContainsFunc(o.left(), func(s string) bool { return strings.HasPrefix(s, "to 40.1.1.1 ") })
			}
			if !named() {
				t.Fatal("the security group does not name the additional address")
			}
			o.ensure(lbtest.Service(1))
			if named() != c.stays {
				t.Errorf("given up: named %v, want %v", named(), c.stays)
			}
			o.ensure(lbtest.Service(1, additional))
			o.delete(lbtest.Service(1))
			if named() != c.stays {
				t.Errorf("deleted: named %v, want %v", named(), c.stays)
			}
		})
	}
}
