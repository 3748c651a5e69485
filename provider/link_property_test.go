package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/property"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"github.com/azlb/azlb/provider"
)

// TestNoEndpointIsLost draws a life of Services with private link services: annotations, sharing, owners that come and go, switches between
// internal and external, other subnets, deletions, consumers, faults, and the plug pulled after any write. A connected endpoint must be lost
// only where the policy consents and a finding says so; what is not ours stays as it is; and when the dust settles nothing is left to do.
func TestNoEndpointIsLost(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		w := newLinkWorld(t)
		for range rapid.IntRange(2, 7).Draw(t, "phases") {
			w.mutate()
			w.consume()
			w.misfortune()
			w.sync()
			w.cloud.Restart()
			w.settle()
		}
	})
}

// TestEveryLinkPrefixIsSafe pulls the plug after every number of writes, not only after some: each phase of a shorter life is played once
// for every prefix of what it writes, with the same demands, before it is played to its end.
func TestEveryLinkPrefixIsSafe(t *testing.T) {
	prefixes := 0
	property.Check(t, func(t *rapid.T) {
		w := newLinkWorld(t)
		for range rapid.IntRange(2, 4).Draw(t, "phases") {
			w.mutate()
			w.consume()
			prefixes += w.everyPrefix()
			w.settle()
		}
	})
	if !t.Failed() && prefixes == 0 {
		t.Error("the worlds write nothing")
	}
}

// everyPrefix plays what is to do on copies of the cloud, once to the end and once for each write before which the plug may be pulled, and
// returns how many these are.
func (w *linkWorld) everyPrefix() int {
	cloud := w.cloud
	defer func() { w.cloud = cloud }()
	w.cloud = cloud.Clone()
	writes := w.sync().Writes
	for n := range writes {
		w.cloud = cloud.Clone()
		w.cloud.Inject(fake.CrashAfter(n))
		w.sync()
		w.cloud.Restart()
		w.settle()
	}
	return writes
}

// linkWorld is a cluster with its Azure, and what must not be touched in it.
type linkWorld struct {
	t       *rapid.T
	cloud   *fake.Cloud
	cluster lb.Cluster
	in      lb.Objects
	uids    int
	calls   int
	foreign map[string]string // JSON of private link services by id
}

const linkForeign = `{"location": "westeurope", "tags": {"owner": "them"}, "properties": {
	"loadBalancerFrontendIpConfigurations": [{"id": "~/loadBalancers/theirs/frontendIPConfigurations/front"}],
	"ipConfigurations": [{"name": "nat", "properties": {"primary": true, "subnet": {"id": "~/virtualNetworks/vnet/subnets/nodes"}, "privateIPAllocationMethod": "Dynamic"}}]}}`

const linkBalancer = `{"location": "westeurope", "sku": {"name": "Standard"}, "properties": {"frontendIPConfigurations": [
	{"name": "front", "properties": {"subnet": {"id": "~/virtualNetworks/vnet/subnets/nodes"}, "privateIPAllocationMethod": "Dynamic"}}]}}`

func newLinkWorld(t *rapid.T) *linkWorld {
	w := &linkWorld{t: t, cluster: lbtest.Cluster(), foreign: map[string]string{}, in: lb.Objects{Nodes: lbtest.Nodes(2)}}
	w.cloud = fake.New(&fake.Options{Waive: []fake.Rule{fake.RuleServiceOnIPPool}})
	if err := w.cloud.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	w.cloud.AddGroup(armid.Group(w.cluster.Subscription, "links"), "westeurope")
	w.put("loadBalancers/theirs", linkBalancer)
	w.put("privateLinkServices/theirs", linkForeign)
	w.foreign["theirs"] = w.read(w.id("theirs"))
	w.cluster.PrivateLink = lb.PrivateLinkPolicy{
		RefuseOnDelete: w.one("refuse on delete", 4), RemoveOnUnrequest: w.one("remove on unrequest", 2), RemoveConnected: w.one("remove connected", 2),
		AllowRecreate: w.one("allow recreate", 2), AdoptUnmanaged: w.one("adopt", 4),
	}
	return w
}

func (w *linkWorld) id(name string) lb.ID {
	return armid.Resource(w.cluster.Subscription, "rg", armid.PrivateLinkServices, name)
}

func (w *linkWorld) put(path, body string) {
	prefix := "/subscriptions/" + w.cluster.Subscription + "/resourceGroups/rg/providers/Microsoft.Network"
	var o armwire.Object
	if err := json.Unmarshal([]byte(strings.ReplaceAll(body, "~", prefix)), &o); err != nil {
		w.t.Fatal(err)
	}
	if err := w.cloud.Put(lb.ID(prefix+"/"+path), o); err != nil {
		w.t.Fatal(err)
	}
}

func (w *linkWorld) one(label string, n int) bool { return rapid.IntRange(1, n).Draw(w.t, label) == n }

func (w *linkWorld) pick(label string, list ...string) string {
	return rapid.SampledFrom(list).Draw(w.t, label)
}

// state is what is in Azure, read past the journal and the faults.
func (w *linkWorld) state() lb.Observed {
	clone := w.cloud.Clone()
	clone.Restart()
	s := lb.ScopeOf(w.cluster, w.in)
	s.PrivateLinkServices = []lb.ID{armid.Group(w.cluster.Subscription, "rg"), armid.Group(w.cluster.Subscription, "links")}
	seen, err := clone.Observe(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	return seen
}

// read returns what an owner writes of a private link service, and "" if it is gone.
func (w *linkWorld) read(id lb.ID) string {
	for _, p := range w.state().PrivateLinkServices {
		if p.ID.Equal(id) {
			return fmt.Sprint(p.Frontends, p.NAT, p.ProxyProtocol, p.FQDNs, p.Visibility, p.AutoApproval, p.Tags)
		}
	}
	return ""
}

// mutate draws a change or several of the Services.
func (w *linkWorld) mutate() {
	for range rapid.IntRange(1, 3).Draw(w.t, "changes") {
		i := rapid.IntRange(0, 3).Draw(w.t, "service")
		at := slices.IndexFunc(w.in.Services, func(s corev1.Service) bool { return s.Name == fmt.Sprintf("svc-%d", i) })
		switch {
		case at < 0:
			w.uids++
			s := lbtest.Service(100*w.uids+i, lbtest.Port(int32(8000+i)), lbtest.Internal, lbtest.Annotate("azure-pls-create", "true"), w.annotate)
			s.Name = fmt.Sprintf("svc-%d", i)
			s.Spec.Ports[0].NodePort = int32(30000 + i)
			w.in.Services = append(slices.Clone(w.in.Services), s)
		case w.one("delete", 4):
			w.in.Services = slices.Delete(slices.Clone(w.in.Services), at, at+1)
		default:
			w.in.Services = slices.Clone(w.in.Services)
			s := w.in.Services[at].DeepCopy()
			w.annotate(s)
			w.in.Services[at] = *s
		}
	}
}

var linkChoices = []struct {
	key    string
	values []string
}{
	{"azure-pls-create", []string{"true", "true", "true", "false", ""}},
	{"azure-load-balancer-internal", []string{"true", "true", "true", ""}},
	{"azure-disable-load-balancer-floating-ip", []string{"true", ""}},
	{"azure-load-balancer-internal-subnet", []string{"", "", "apps"}},
	{"azure-load-balancer-ipv4", []string{"", "", "10.1.5.5", "10.1.5.5", "10.1.5.6"}},
	{"azure-pls-name", []string{"", "", "", "mine", "mine", "yours", "theirs"}},
	{"azure-pls-resource-group", []string{"", "", "", "", "links"}},
	{"azure-pls-ip-configuration-ip-address-count", []string{"", "", "", "2", "3", "9"}},
	{"azure-pls-ip-configuration-ip-address", []string{"", "", "", "10.1.7.7", "10.1.7.7", "10.1.7.9", "10.1.0.1"}},
	{"azure-pls-ip-configuration-subnet", []string{"", "", "", "nodes", "apps", "nowhere"}},
	{"azure-pls-proxy-protocol", []string{"", "true"}},
	{"azure-pls-visibility", []string{"", "*", "a b"}},
}

func (w *linkWorld) annotate(s *corev1.Service) {
	for range rapid.IntRange(1, 4).Draw(w.t, "annotations") {
		c := rapid.SampledFrom(linkChoices).Draw(w.t, "annotation")
		key := "service.beta.kubernetes.io/" + c.key
		if v := w.pick(c.key, c.values...); v != "" {
			s.Annotations[key] = v
		} else {
			delete(s.Annotations, key)
		}
	}
}

// consume lets consumers come and go, and now and then somebody take over a private link service.
func (w *linkWorld) consume() {
	for _, p := range w.state().PrivateLinkServices {
		switch {
		case w.one("connect", 2):
			w.calls++
			if err := w.cloud.Connect(p.ID, fmt.Sprintf("pe-%d", w.calls), fake.ConnectionStatus(w.pick("status", "Approved", "Approved", "Pending", "Rejected"))); err != nil {
				w.t.Fatal(err)
			}
		case w.foreign[p.ID.Key()] == "" && !p.ID.Equal(w.id("theirs")) && w.one("disown", 8):
			if err := w.cloud.Merge(p.ID, armwire.Object{"tags": armwire.Object{pls.TagCluster: w.pick("whose", "another", "third")}}); err != nil {
				w.t.Fatal(err)
			}
			w.foreign[p.ID.Key()] = w.read(p.ID)
		}
	}
}

func (w *linkWorld) misfortune() {
	switch rapid.IntRange(0, 5).Draw(w.t, "misfortune") {
	case 1, 2:
		w.cloud.Inject(fake.CrashAfter(rapid.IntRange(0, 8).Draw(w.t, "crash after")))
	case 3:
		w.cloud.Inject(fake.Fault{Method: w.pick("method", "PUT", "DELETE"), Path: w.pick("path", "privateLinkServices", "loadBalancers"), Drop: fake.DropAfter})
	case 4:
		w.cloud.Inject(fake.Fault{Method: w.pick("method", "PUT", "DELETE"), Path: w.pick("path", "privateLinkServices", "loadBalancers"), Status: 400, Code: "Refused"})
	}
}

// sync is one call of the reconciler, with a look at what it did to connections.
func (w *linkWorld) sync() provider.Report {
	before := w.state()
	consent := w.consent(before)
	report, _ := provider.NewReconciler(w.cloud, w.cluster, &provider.Options{Clock: w.cloud.Clock(), MaxRemovals: -1, AllowEmpty: true}).Sync(w.t.Context(), w.in)
	after := w.state()
	for _, p := range before.PrivateLinkServices {
		if p.Connected() == 0 || connectedStill(after, p.PrivateLinkService) {
			continue
		}
		if !consent[p.ID.Key()] {
			w.t.Errorf("%s lost its connections, and nobody consented (%+v)\n%s", p.ID.Name(), w.cluster.PrivateLink, explainedRounds(report))
		}
		if !announced(report, p.ID) {
			w.t.Errorf("%s lost its connections, and no plan said so\n%s", p.ID.Name(), explainedRounds(report))
		}
	}
	for id, was := range w.foreign {
		ref := lb.ID(id)
		if id == "theirs" {
			ref = w.id(id)
		}
		if now := w.read(ref); now != was {
			w.t.Errorf("%s is somebody else's and was %s, now %s\n%s", ref, was, now, explainedRounds(report))
		}
	}
	return report
}

func connectedStill(seen lb.Observed, was pls.PrivateLinkService) bool {
	for _, p := range seen.PrivateLinkServices {
		if p.ID.Equal(was.ID) {
			return p.Connected() >= was.Connected()
		}
	}
	return false
}

func announced(report provider.Report, id lb.ID) bool {
	for _, r := range report.Rounds {
		for _, f := range r.Plan.Findings {
			if f.Field == string(id) && errors.Is(f.Err, lb.ErrCut) {
				return true
			}
		}
	}
	return false
}

func explainedRounds(report provider.Report) string {
	var text strings.Builder
	for _, r := range report.Rounds {
		text.WriteString(explained(r.Plan))
		for _, f := range r.Plan.Findings {
			fmt.Fprintln(&text, f)
		}
	}
	return text.String()
}

// consent says which private link services may go, from what is there and what the policy says.
func (w *linkWorld) consent(seen lb.Observed) map[string]bool {
	may := map[string]bool{}
	policy := w.cluster.PrivateLink
	for _, p := range seen.PrivateLinkServices {
		users, asks := 0, false
		for _, s := range w.in.Services {
			if w.uses(seen, s, p.Frontends[0]) {
				users++
				asks = asks || s.Annotations["service.beta.kubernetes.io/azure-pls-create"] == "true"
			}
		}
		switch {
		case users == 0:
			may[p.ID.Key()] = !policy.RefuseOnDelete
		case asks:
			may[p.ID.Key()] = policy.AllowRecreate
		default:
			may[p.ID.Key()] = policy.RemoveOnUnrequest && (p.Connected() == 0 || policy.RemoveConnected)
		}
	}
	return may
}

func (w *linkWorld) uses(seen lb.Observed, s corev1.Service, frontend lb.ID) bool {
	base := lb.Base(s.UID)
	if strings.HasPrefix(frontend.Name(), base) {
		return true
	}
	for _, l := range seen.LoadBalancers {
		for _, r := range l.Rules {
			if l.ID.Equal(frontend.Top()) && r.Frontend == frontend.Name() && strings.HasPrefix(r.Name, base) {
				return true
			}
		}
	}
	return false
}

// settle lets the reconciler work undisturbed, after which there must be nothing left to do.
func (w *linkWorld) settle() {
	first := w.sync()
	if again := w.sync(); again.Writes > 0 {
		w.t.Errorf("does not converge:\n%s\nagain\n%s", explainedRounds(first), explainedRounds(again))
	}
}
