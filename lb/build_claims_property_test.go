package lb_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/internal/property"
	"github.com/azlb/azlb/lb"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// sharer is a Service of a sharing world: where it wants to be, which is what may change its address, and what else it asks for.
type sharer struct {
	at    map[string]string
	other map[string]string
}

// sharingWorld is a few Services that join and leave each other's addresses and change what they ask for of them.
type sharingWorld struct {
	*world
	sharers   [4]*sharer
	addresses map[string]string // by Service, as reported last
	held      map[string]bool   // Services that were held then, and may get now what they asked for
}

// places are where a Service may want to be; {k} is the address that Service k has.
var places = []map[string]string{
	{},
	{},
	{"azure-load-balancer-ipv4": "{0}"},
	{"azure-load-balancer-ipv4": "{1}"},
	{"azure-pip-name": "mine-0"},
	{"azure-load-balancer-ipv4": "20.1.1.1"},
	{"azure-load-balancer-internal": "true"},
	{"azure-load-balancer-internal": "true", "azure-load-balancer-ipv4": "10.1.9.9"},
	{"azure-load-balancer-internal": "true", "azure-load-balancer-ipv4": "{0}"},
	{"azure-load-balancer-configurations": "lb-1"},
	{"azure-load-balancer-internal": "true", "azure-load-balancer-internal-subnet": "apps"},
}

// demands are what a Service may ask for besides, of what it may share; {i} is its number.
var demands = []choice{
	{"azure-pip-ip-tags", []string{"RoutingPreference=Internet", "FirstPartyUsage=/a", "FirstPartyUsage=/b", ""}},
	{"azure-dns-label-name", []string{"shop-{i}", "store-{i}", ""}},
	{"azure-pip-tags", []string{"team=a", "team=b,cost=1"}},
	{"azure-allowed-ip-ranges", []string{"192.0.2.0/24"}},
	{"azure-deny-all-except-load-balancer-source-ranges", []string{"true"}},
}

// draw changes one Service: whether it is there, where it wants to be, or what else it asks for.
func (w *sharingWorld) draw(i int) {
	s := w.sharers[i]
	switch rapid.IntRange(0, 5).Draw(w.t, "change") {
	case 0:
		w.sharers[i] = nil
	case 1, 2:
		at := map[string]string{}
		for key, value := range rapid.SampledFrom(places).Draw(w.t, "place") {
			for k := range w.sharers {
				value = strings.ReplaceAll(value, fmt.Sprintf("{%d}", k), w.addresses[fmt.Sprintf("svc-%d", k)])
			}
			if value != "" {
				at[key] = value
			}
		}
		w.sharers[i] = &sharer{at, map[string]string{}}
		if s != nil {
			w.sharers[i].other = maps.Clone(s.other)
			delete(w.sharers[i].other, "azure-dns-label-name") // stays with the public IP that is given up until that is deleted
		}
	default:
		if s == nil {
			w.sharers[i] = &sharer{map[string]string{}, map[string]string{}}
			return
		}
		other := map[string]string{}
		for range rapid.IntRange(0, 2).Draw(w.t, "demands") {
			c := rapid.SampledFrom(demands).Draw(w.t, "demand")
			if w.cluster.MutateIPTags && c.key == "azure-pip-ip-tags" {
				c.values = c.values[1:] // Azure changes only tags of the type FirstPartyUsage in place
			}
			other[c.key] = strings.ReplaceAll(w.pick("value", c.values...), "{i}", fmt.Sprint(i))
		}
		w.sharers[i] = &sharer{s.at, other}
	}
}

func (w *sharingWorld) list() []corev1.Service {
	var list []corev1.Service
	for i, s := range w.sharers {
		if s == nil {
			continue
		}
		svc := lbtest.Service(i, lbtest.Port(int32(80+i)), func(svc *corev1.Service) {
			svc.CreationTimestamp = metav1.Time{Time: time.Unix(int64(100-10*(i%2)), 0)}
		})
		for _, notes := range []map[string]string{s.at, s.other} {
			for key, value := range notes {
				lbtest.Annotate(key, value)(&svc)
			}
		}
		list = append(list, svc)
	}
	return list
}

// step changes some Services, and checks what became of the addresses of all.
func (w *sharingWorld) step() {
	before := w.sharers
	for range rapid.IntRange(1, 3).Draw(w.t, "changes") {
		w.draw(rapid.IntRange(0, len(w.sharers)-1).Draw(w.t, "who"))
	}
	list := w.list()
	if len(list) == 0 {
		w.sharers[0] = &sharer{map[string]string{}, map[string]string{}}
		list = w.list()
	}
	seen := w.observe(list)
	plan := explained(w.t, planOn(w.t, w.cluster, w.objects(list), seen))
	if other := explained(w.t, planOn(w.t, w.cluster, w.objects(shuffled(w.t, list)), seen)); other != plan {
		w.t.Fatalf("another order of Services gave another plan (-want +got):\n%s", cmp.Diff(plan, other))
	}
	state := w.cloud.String()
	report := w.sync(list)
	if rest := w.plan(list); len(rest.Steps) > 0 {
		w.t.Fatalf("left to do:\n%s\nafter:\n%s\non:\n%s\nwhich became:\n%s", explained(w.t, rest), plan, state, w.cloud)
	}
	now, held := map[string]string{}, map[string]bool{}
	for name, s := range report.Services {
		held[name.Name] = s.Held
		if s.Status != nil && len(s.Status.Ingress) > 0 {
			now[name.Name] = s.Status.Ingress[0].IP
		}
	}
	for i, s := range w.sharers {
		name := fmt.Sprintf("svc-%d", i)
		had := w.addresses[name]
		if s == nil || before[i] == nil || had == "" || w.held[name] || cmp.Diff(before[i].at, s.at) != "" {
			continue
		}
		if now[name] != had {
			w.t.Fatalf("%s had %s and has %s, though it asks for no other place:\n%s\non:\n%s\nwhich became:\n%s", name, had, now[name], plan, state, w.cloud)
		}
	}
	w.addresses, w.held = now, held
	w.pinsStand(seen, plan, state)
}

// pinsStand checks that no address is gone which a Service asks for by it.
func (w *sharingWorld) pinsStand(was lb.Observed, plan, state string) {
	is := w.observe(w.list())
	for _, p := range was.PublicIPs {
		pinned := slices.ContainsFunc(w.sharers[:], func(s *sharer) bool {
			return s != nil && s.at["azure-load-balancer-ipv4"] == p.Address.String() && s.at["azure-load-balancer-internal"] != "true"
		})
		if pinned && !slices.ContainsFunc(is.PublicIPs, func(now lb.SeenPublicIP) bool { return now.Address == p.Address }) {
			w.t.Fatalf("%s is gone, which a Service asks for:\n%s\non:\n%s\nwhich became:\n%s", p.Address, plan, state, w.cloud)
		}
	}
}

// TestSharingWorlds has Services join and leave each other's addresses and change everything that is shared. Without consent nobody has another
// address unless it asks for another place; a plan leaves nothing to do; and the order of the input does not matter.
func TestSharingWorlds(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		w := &sharingWorld{world: newWorld(t, false), addresses: map[string]string{}}
		w.cluster.MutateIPTags = rapid.Bool().Draw(t, "mutable")
		w.cluster.Tags = nil
		if rapid.Bool().Draw(t, "several") {
			w.cluster.Multiple = []lb.MultipleConfiguration{
				{Name: "kubernetes", PrimaryVMSet: "one", AllowServicePlacement: true}, {Name: "lb-1", PrimaryVMSet: "two", AllowServicePlacement: true},
			}
		}
		for range rapid.IntRange(2, 5).Draw(t, "steps") {
			w.step()
		}
	})
}
