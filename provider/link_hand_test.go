package provider_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/azlb/azlb/provider"
)

// handmade is a controller with a load balancer of its own: no Service, no configuration of a cluster, only pls, lb and provider.
type handmade struct {
	*testing.T
	cloud    *fake.Cloud
	group    lb.ID
	wishes   annotations.PrivateLink
	frontend string // id, name or private address
}

func newHandmade(t *testing.T) *handmade {
	cloud := fake.New(nil)
	if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	h := &handmade{T: t, cloud: cloud, group: armid.Group(lbtest.Cluster().Subscription, "rg"), frontend: "front"}
	body := strings.ReplaceAll(linkBalancer, "~", string(h.group)+"/providers/Microsoft.Network")
	var o armwire.Object
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Fatal(err)
	}
	if err := cloud.Put(armid.Resource(h.group.Subscription(), "rg", armid.LoadBalancers, "theirs"), o); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *handmade) seen(cloud *fake.Cloud) lb.Observed {
	h.Helper()
	seen, err := cloud.Observe(h.Context(), lb.Scope{
		LoadBalancers: []lb.ID{h.group}, PrivateLinkServices: []lb.ID{h.group},
		Networks: []lb.ID{armid.Resource(h.group.Subscription(), "rg", armid.VirtualNetworks, "vnet")},
	})
	if err != nil {
		h.Fatal(err)
	}
	return seen
}

// build is what such a controller does: find the frontend, build, and open the subnet. It returns the findings that hold.
func (h *handmade) build(seen lb.Observed) (lb.Desired, []lb.Finding) {
	h.Helper()
	id, _, err := lb.FindFrontend(seen, h.frontend)
	if err != nil {
		h.Fatal(err)
	}
	subnets := seen.Networks[0].Subnets
	subnet := subnets[slices.IndexFunc(subnets, func(s lb.SeenSubnet) bool { return s.ID.Name() == "nodes" })]
	var others []pls.PrivateLinkService
	for _, p := range seen.PrivateLinkServices {
		others = append(others, p.PrivateLinkService)
	}
	link, findings := pls.Build(pls.Request{
		Options: h.wishes, Frontend: id, Location: "westeurope", Group: h.group, Cluster: "by-hand",
		Subnet: subnet.ID, Prefixes: subnet.Prefixes, Others: others,
	})
	findings = slices.DeleteFunc(findings, func(f lb.Finding) bool { return !f.Holds })
	if len(findings) > 0 {
		return lb.Desired{}, findings
	}
	open := subnet.Subnet
	open.PrivateLinkPolicies = false
	return lb.Desired{PrivateLinkServices: []pls.PrivateLinkService{link}, Subnets: []lb.Subnet{open}}, nil
}

func (h *handmade) plan(seen lb.Observed, want lb.Desired) lb.Plan {
	h.Helper()
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		h.Fatal(err)
	}
	return plan
}

// everyPrefix pulls the plug after each number of writes, and wants the rest of the plan to do the rest.
func (h *handmade) everyPrefix(plan lb.Plan, again func(lb.Observed) lb.Desired) {
	h.Helper()
	for n := range plan.Steps {
		cloud := h.cloud.Clone()
		cloud.Inject(fake.CrashAfter(n))
		_, _ = provider.Apply(h.Context(), cloud, plan, &provider.Options{Parallel: 1, Clock: cloud.Clock()}) // fails: the plug is pulled
		cloud.Restart()
		seen := h.seen(cloud)
		rest := h.plan(seen, again(seen))
		if len(rest.Steps) > len(plan.Steps)-n {
			h.Errorf("%d steps left after %d of %d:\n%s", len(rest.Steps), n, len(plan.Steps), explained(rest))
		}
		if _, err := provider.Apply(h.Context(), cloud, rest, nil); err != nil {
			h.Errorf("after a crash behind %d writes: %v", n, err)
		}
		seen = h.seen(cloud)
		if left := h.plan(seen, again(seen)); len(left.Steps) > 0 {
			h.Errorf("after a crash behind %d writes there is left:\n%s", n, explained(left))
		}
	}
}

// apply goes from here to there, once with every crash and once without, and wants nothing left to do.
func (h *handmade) apply(again func(lb.Observed) lb.Desired) provider.Report {
	h.Helper()
	seen := h.seen(h.cloud)
	plan := h.plan(seen, again(seen))
	h.everyPrefix(plan, again)
	report, err := provider.Apply(h.Context(), h.cloud, plan, nil)
	if err != nil {
		h.Fatal(err)
	}
	seen = h.seen(h.cloud)
	if rest := h.plan(seen, again(seen)); len(rest.Steps) > 0 {
		h.Errorf("left to do:\n%s", explained(rest))
	}
	return report
}

func (h *handmade) wanted(seen lb.Observed) lb.Desired {
	h.Helper()
	want, findings := h.build(seen)
	if len(findings) > 0 {
		h.Fatal(findings)
	}
	return want
}

func (h *handmade) link() *pls.PrivateLinkService {
	h.Helper()
	for _, p := range h.seen(h.cloud).PrivateLinkServices {
		return &p.PrivateLinkService
	}
	return nil
}

// TestLinkByHand is the life of a private link service on a frontend that azlb does not manage: made, found again by address and id, used by
// consumers, changed under them, refused where it would have to be made anew, made anew with consent, deleted.
func TestLinkByHand(t *testing.T) {
	h := newHandmade(t)
	h.wishes = annotations.PrivateLink{Create: true, Visibility: []string{"*"}}
	h.apply(h.wanted)
	first := h.link()
	if first == nil || first.Alias == "" || first.ID.Name() != "pls-front" {
		t.Fatalf("made %+v, want pls-front with an alias", first)
	}
	if err := h.cloud.Connect(first.ID, "pe", fake.Approved); err != nil {
		t.Fatal(err)
	}

	id, _, err := lb.FindFrontend(h.seen(h.cloud), "front")
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{string(id), strings.ToUpper(string(id)), "FRONT", h.seen(h.cloud).LoadBalancers[0].Assigned["front"].String()} {
		if got, _, err := lb.FindFrontend(h.seen(h.cloud), ref); err != nil || !got.Equal(id) {
			t.Errorf("frontend %q: %s, %v", ref, got, err)
		}
	}

	h.wishes.Addresses = []netip.Addr{netip.MustParseAddr("10.1.7.7"), netip.MustParseAddr("10.1.7.8")}
	h.wishes.FQDNs, h.wishes.ProxyProtocol = []string{"a.example.com"}, true
	h.apply(h.wanted)
	if now := h.link(); now.Alias != first.Alias || now.Connected() != 1 || len(now.NAT) != 2 || !now.ProxyProtocol {
		t.Errorf("after the update: %+v, want the alias and the consumer as before, two addresses, PROXY protocol", now)
	}

	for _, refused := range []annotations.PrivateLink{{Create: true, Name: "another"}, {Create: true, ResourceGroup: "elsewhere"}} {
		kept := h.wishes
		h.wishes = refused
		if _, findings := h.build(h.seen(h.cloud)); len(findings) != 1 {
			t.Errorf("%+v: findings %v, want one that refuses a new alias", refused, findings)
		}
		h.wishes = kept
	}

	h.apply(func(seen lb.Observed) lb.Desired {
		want := h.wanted(seen)
		if slices.ContainsFunc(seen.PrivateLinkServices, func(p lb.SeenPrivateLinkService) bool { return p.Alias == first.Alias }) {
			want.Recreate = []lb.ID{first.ID}
		}
		return want
	})
	second := h.link()
	if second == nil || second.Alias == first.Alias || len(second.Connections) > 0 {
		t.Errorf("made anew: %+v, want another alias and no consumer", second)
	}

	if err := h.cloud.Connect(first.ID, "pe-2", fake.Pending); err != nil {
		t.Fatal(err)
	}
	h.apply(func(seen lb.Observed) lb.Desired {
		if len(seen.PrivateLinkServices) == 0 {
			return lb.Desired{}
		}
		return lb.Desired{Remove: []lb.ID{first.ID}}
	})
	if gone := h.link(); gone != nil {
		t.Errorf("still there: %+v", gone)
	}
	if n := len(h.seen(h.cloud).LoadBalancers); n != 1 {
		t.Errorf("%d load balancers, want the one that is not azlb's", n)
	}
}

// TestLinkByHandOfOthers: one of somebody else on the frontend is neither changed nor replaced.
func TestLinkByHandOfOthers(t *testing.T) {
	h := newHandmade(t)
	var o armwire.Object
	body := strings.ReplaceAll(linkForeign, "~", string(h.group)+"/providers/Microsoft.Network")
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Fatal(err)
	}
	if err := h.cloud.Put(armid.Resource(h.group.Subscription(), "rg", armid.PrivateLinkServices, "theirs"), o); err != nil {
		t.Fatal(err)
	}
	h.wishes = annotations.PrivateLink{Create: true, ProxyProtocol: true}
	if _, findings := h.build(h.seen(h.cloud)); len(findings) != 1 || !strings.Contains(findings[0].Err.Error(), "is not this cluster's") {
		t.Errorf("findings %v, want one that says whose it is", findings)
	}
}
