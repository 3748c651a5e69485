package pls_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

var (
	group    = armid.Group("sub", "rg")
	balancer = armid.Resource("sub", "rg", armid.LoadBalancers, "own")
	front    = balancer.Child(armid.FrontendIPConfigurations, "front")
	subnet   = armid.Resource("sub", "rg", armid.VirtualNetworks, "vnet").Child(armid.Subnets, "nat")
)

func service(name, frontend string, change func(*pls.PrivateLinkService)) pls.PrivateLinkService {
	p := pls.PrivateLinkService{
		ID: armid.Resource("sub", "rg", armid.PrivateLinkServices, name), Frontends: []armid.ID{balancer.Child(armid.FrontendIPConfigurations, frontend)},
		Tags: []pls.Tag{{Key: pls.TagCluster, Value: "own"}},
	}
	if change != nil {
		change(&p)
	}
	return p
}

func static(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// TestBuildRefuses pins what stands in the way of a request made by hand.
func TestBuildRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*pls.Request)
		want   []string
	}{
		{"nothing", func(*pls.Request) {}, nil},
		{"no frontend", func(r *pls.Request) { r.Frontend = "" }, []string{"Frontend: missing in the request"}},
		{"no subnet and no group", func(r *pls.Request) { r.Subnet, r.Group = "", "" }, []string{"Group: missing in the request", "Subnet: missing in the request"}},
		{
			"address of IPv6, no prefixes given", func(r *pls.Request) { r.Options.Addresses, r.Prefixes = static("fd00::1"), nil },
			[]string{"azure-pls-ip-configuration-ip-address: fd00::1: private link services are IPv4 only"},
		},
		{
			"address twice", func(r *pls.Request) { r.Options.Addresses = static("10.0.0.9", "10.0.0.9") },
			[]string{"azure-pls-ip-configuration-ip-address: 10.0.0.9: conflict: named twice"},
		},
		{"address of another private link service", func(r *pls.Request) {
			r.Options.Addresses = static("10.0.0.9")
			r.Others = append(r.Others, service("other", "back", func(p *pls.PrivateLinkService) {
				p.NAT = []pls.NATConfiguration{{Subnet: subnet, Address: static("10.0.0.9")[0]}}
			}))
		}, []string{"azure-pls-ip-configuration-ip-address: 10.0.0.9 in subnet nat: 10.0.0.9: in use"}},
		{
			"nine addresses", func(r *pls.Request) { r.Options.Count = 9 },
			[]string{"azure-pls-ip-configuration-ip-address-count: wrong number of NAT addresses: 0 static addresses and a count of 9; want at most 8, and no more static ones than that"},
		},
		{
			"name of another frontend's", func(r *pls.Request) { r.Others = append(r.Others, service("PLS-front", "back", nil)) },
			[]string{"azure-pls-name: belongs to somebody else: private link service pls-front serves another frontend; choose another name"},
		},
		{
			"existing one of another frontend", func(r *pls.Request) { p := service("pls-front", "back", nil); r.Existing = &p },
			[]string{"azure-pls-name: belongs to somebody else: private link service pls-front serves another frontend, and cannot be moved to front"},
		},
		{"existing one of another cluster", func(r *pls.Request) {
			r.Adopt = true
			r.Others = append(r.Others, service("x", "front", func(p *pls.PrivateLinkService) { p.Tags[0].Value = "else" }))
		}, []string{"azure-pls-create: belongs to somebody else: private link service x on the frontend is not this cluster's; tag it k8s-azure-cluster-name=own to hand it over"}},
		{"existing one of nobody", func(r *pls.Request) {
			r.Others = append(r.Others, service("x", "front", func(p *pls.PrivateLinkService) { p.Tags = nil }))
		}, []string{"azure-pls-create: belongs to somebody else: private link service x on the frontend is not this cluster's; tag it k8s-azure-cluster-name=own to hand it over"}},
		{"existing one of nobody, to adopt", func(r *pls.Request) {
			r.Adopt = true
			r.Others = append(r.Others, service("x", "front", func(p *pls.PrivateLinkService) { p.Tags = nil }))
		}, nil},
		{
			"rename", func(r *pls.Request) { r.Options.Name = "new"; r.Others = append(r.Others, service("x", "front", nil)) },
			[]string{`azure-pls-name: "new": cannot be renamed: the frontend has x, and a new one would have another alias; keep that name, or remove the frontend first`},
		},
		{
			"another resource group", func(r *pls.Request) {
				r.Options.ResourceGroup = "other"
				r.Others = append(r.Others, service("x", "front", nil))
			},
			[]string{`azure-pls-resource-group: "other": cannot be renamed: the frontend has x in resource group rg, and a new one would have another alias; keep that group, or remove the frontend first`},
		},
		{"ninth on the load balancer", func(r *pls.Request) {
			for i := range 8 {
				r.Others = append(r.Others, service(fmt.Sprint("x", i), fmt.Sprint("f", i), nil))
			}
		}, []string{"azure-pls-create: limit of private link services reached: load balancer own already has the maximum of 8; use another load balancer, or share a frontend"}},
		{"801st in the subscription", func(r *pls.Request) {
			for i := range 800 {
				r.Others = append(r.Others, service(fmt.Sprint("x", i), "", func(p *pls.PrivateLinkService) { p.Frontends = nil }))
			}
		}, []string{"azure-pls-create: limit of private link services reached: subscription sub already has the maximum of 800; remove some, or share a frontend"}},
		{"800th in the subscription", func(r *pls.Request) {
			for i := range 800 {
				r.Others = append(r.Others, service(fmt.Sprint("x", i), "", func(p *pls.PrivateLinkService) { p.Frontends = nil }))
			}
			r.Others[0].ID = armid.Resource("other", "rg", armid.PrivateLinkServices, "x0")
		}, nil},
		{"fourth of three in the subscription", func(r *pls.Request) {
			r.MaxPerSubscription = 3
			for i := range 3 {
				r.Others = append(r.Others, service(fmt.Sprint("x", i), "", func(p *pls.PrivateLinkService) { p.Frontends = nil }))
			}
		}, []string{"azure-pls-create: limit of private link services reached: subscription sub already has the maximum of 3; remove some, or share a frontend"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := pls.Request{Frontend: front, Group: group, Subnet: subnet, Cluster: "own", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}}
			c.change(&r)
			_, findings := pls.Build(r)
			var got []string
			for _, f := range findings {
				field := strings.TrimSuffix(strings.TrimPrefix(f.Field, "metadata.annotations["+annotations.Prefix), "]")
				got = append(got, field+": "+f.Err.Error())
				if !f.Holds {
					t.Errorf("%v does not hold", f)
				}
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

// What an existing one has that nobody can see a difference in stays as it is.
func TestBuildKeepsWhatIsEqual(t *testing.T) {
	old := service("x", "front", func(p *pls.PrivateLinkService) {
		p.NAT = []pls.NATConfiguration{{Name: "b", Subnet: subnet}, {Name: "a", Subnet: subnet, Address: static("10.0.0.9")[0], Primary: true}}
		p.Tags = append(p.Tags, pls.Tag{Key: pls.TagOwner, Value: ""})
	})
	got, findings := pls.Build(pls.Request{
		Frontend: front, Group: group, Subnet: subnet, Cluster: "OWN", Others: []pls.PrivateLinkService{old},
		Options: annotations.PrivateLink{Addresses: static("10.0.0.9"), Count: 2},
	})
	if len(findings) > 0 || got.ID != old.ID || !slices.Equal(got.NAT, old.NAT) || !got.ManagedBy("own") {
		t.Errorf("%+v, %v", got, findings)
	}
}

func TestNATNamesFit(t *testing.T) {
	long := strings.Repeat("1234567890", 8)
	got, findings := pls.Build(pls.Request{Frontend: front, Group: group, Subnet: subnet, Options: annotations.PrivateLink{Name: long, Addresses: static("10.2.0.5"), Count: 2}})
	if len(findings) > 0 || len(got.NAT) != 2 {
		t.Fatal(got, findings)
	}
	for _, n := range got.NAT {
		if len(n.Name) != 80 {
			t.Errorf("%q has %d characters", n.Name, len(n.Name))
		}
	}
}

func TestConnected(t *testing.T) {
	p := pls.PrivateLinkService{Connections: []pls.Connection{{Status: "Approved"}, {Status: "Pending"}, {Status: "Rejected"}, {Status: "Disconnected"}}}
	if n := p.Connected(); n != 2 {
		t.Errorf("%d connected, want those that are approved or wait", n)
	}
}

// TestTagsOfOwnership: a Service is named as owner; a frontend made by hand has none, and no tag says it had one.
func TestTagsOfOwnership(t *testing.T) {
	request := pls.Request{Frontend: front, Group: group, Subnet: subnet, Location: "westeurope", Cluster: "own"}
	byHand, _ := pls.Build(request)
	if d := cmp.Diff([]pls.Tag{{Key: pls.TagCluster, Value: "own"}}, byHand.Tags); d != "" {
		t.Errorf("by hand (-want +got):\n%s", d)
	}
	request.Service.Namespace, request.Service.Name = "default", "web"
	asked, _ := pls.Build(request)
	if d := cmp.Diff([]pls.Tag{{Key: pls.TagCluster, Value: "own"}, {Key: pls.TagOwner, Value: "default/web"}}, asked.Tags); d != "" {
		t.Errorf("for a Service (-want +got):\n%s", d)
	}
}

// TestFullOfEndpoints: nothing holds the private link service, but nobody else can connect, and that is said.
func TestFullOfEndpoints(t *testing.T) {
	old := service("x", "front", func(p *pls.PrivateLinkService) {
		for n := range 1001 {
			p.Connections = append(p.Connections, pls.Connection{Name: fmt.Sprint("pe-", n), Status: "Approved"})
		}
		p.Connections[0].Status = "Disconnected"
		p.Connections[1].Status = "Rejected"
	})
	for n, want := range map[int]string{
		1000: "",
		1001: "limit of private link services reached: private link service x has 1000 private endpoints, and takes no more; remove connections that are not needed",
	} {
		existing := old
		existing.Connections = old.Connections[:n]
		_, findings := pls.Build(pls.Request{Frontend: front, Group: group, Subnet: subnet, Cluster: "own", Existing: &existing})
		got := ""
		for _, f := range findings {
			got += f.Err.Error()
			if f.Holds || f.Severity != annotations.SeverityWarning {
				t.Errorf("%v, want a warning", f)
			}
		}
		if got != want {
			t.Errorf("%d connections: %q, want %q", n, got, want)
		}
	}
}
