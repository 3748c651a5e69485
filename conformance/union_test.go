package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// TestUnionOfScenarios puts the Services of two scenarios into one cluster, the second ones under other names: what they get is what either
// gets alone, whichever came first, and taking the second ones away leaves what the first ones have alone.
func TestUnionOfScenarios(t *testing.T) {
	all := mixable(t)
	pairs := 0
	for i, a := range all {
		for _, step := range []int{1, 7, 23} {
			b := all[(i+step)%len(all)].renamed()
			seed, ok := mergedSeed(t, a, b)
			if !ok || a.clashes(b) {
				continue
			}
			pairs++
			t.Run(a.name+"+"+b.name, func(t *testing.T) {
				w := mix{t: t, scenario: a.scenario, seed: seed}
				both := slices.Concat(a.services, b.services)
				alone, other := w.after(a.nodes, a.services), w.after(a.nodes, b.services)
				together := w.after(a.nodes, both)
				compareParts(t, "together", union(w.before(), alone, other), together)
				compareParts(t, "the second first", together, w.after(a.nodes, b.services, both))
				compareParts(t, "the second taken away", alone, w.after(a.nodes, both, a.services))
			})
		}
	}
	if pairs < len(all) {
		t.Errorf("%d pairs of %d scenarios: too few go together", pairs, len(all))
	}
}

// mixed is the last step of a scenario that has Services.
type mixed struct {
	scenario
	services []corev1.Service
	nodes    lb.Objects
}

// mixable returns the scenarios with the configuration that most have.
func mixable(t *testing.T) []mixed {
	t.Helper()
	usual, err := os.ReadFile(filepath.Join("scenarios", "basic-external", "azure.json"))
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob(filepath.Join("scenarios", "*", "azure.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list []mixed
	for _, dir := range dirs {
		s, err := loadScenario(filepath.Dir(dir))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.config, usual) {
			continue
		}
		for _, st := range slices.Backward(s.steps) {
			if slices.ContainsFunc(st.objects.Services, func(svc corev1.Service) bool { return svc.Spec.Type == corev1.ServiceTypeLoadBalancer }) {
				m := mixed{scenario: s, services: st.objects.Services, nodes: st.objects}
				m.nodes.Services = nil
				list = append(list, m)
				break
			}
		}
	}
	return list
}

// renamed returns the same Services under other names, uids and node ports.
func (m mixed) renamed() mixed {
	other := func(port int32) int32 {
		if port < 30000 {
			return port
		}
		return 30000 + (port-30000+1384)%2768
	}
	list := make([]corev1.Service, len(m.services))
	for i := range m.services {
		s := m.services[i].DeepCopy()
		s.Namespace = "second-" + s.Namespace
		s.UID = "5ec0d0" + s.UID[6:]
		s.Spec.HealthCheckNodePort = other(s.Spec.HealthCheckNodePort)
		for p := range s.Spec.Ports {
			s.Spec.Ports[p].NodePort = other(s.Spec.Ports[p].NodePort)
		}
		list[i] = *s
	}
	m.services = list
	return m
}

// asked are the things that only one of two Services can have.
func (m mixed) asked() []string {
	const prefix = "service.beta.kubernetes.io/azure-"
	var list []string
	for _, s := range m.services {
		for _, key := range []string{"pip-name", "pip-name-ipv6", "load-balancer-ipv4", "load-balancer-ipv6"} {
			if s.Annotations[prefix+key] != "" || s.Spec.LoadBalancerIP != "" {
				list = append(list, "an address that is there")
			}
		}
		for _, key := range []string{"dns-label-name", "pip-prefix-id", "pip-prefix-id-ipv6", "additional-public-ips", "pls-name", "pls-ip-configuration-ip-address"} {
			if v := s.Annotations[prefix+key]; v != "" {
				list = append(list, key+v)
			}
		}
	}
	return list
}

func (m mixed) clashes(other mixed) bool {
	theirs := other.asked()
	return slices.ContainsFunc(m.asked(), func(a string) bool { return slices.Contains(theirs, a) })
}

// mergedSeed is what is there before either scenario; it reports false where both have something else under one id.
func mergedSeed(t *testing.T, a, b mixed) ([]byte, bool) {
	t.Helper()
	type state struct {
		ResourceGroups []any            `json:"resourceGroups"`
		Resources      []map[string]any `json:"resources"`
	}
	var x, y state
	if err := firstError(json.Unmarshal(a.seed, &x), json.Unmarshal(b.seed, &y)); err != nil {
		t.Fatal(err)
	}
	have := map[string]map[string]any{}
	for _, r := range x.Resources {
		have[strings.ToLower(fmt.Sprint(r["id"]))] = r
	}
	for _, r := range y.Resources {
		old, ok := have[strings.ToLower(fmt.Sprint(r["id"]))]
		if ok && !cmp.Equal(old, r) {
			return nil, false
		}
		if !ok {
			x.Resources = append(x.Resources, r)
		}
	}
	for _, g := range y.ResourceGroups {
		if !slices.ContainsFunc(x.ResourceGroups, func(have any) bool { return cmp.Equal(have, g) }) {
			x.ResourceGroups = append(x.ResourceGroups, g)
		}
	}
	merged, err := json.Marshal(x)
	if err != nil {
		t.Fatal(err)
	}
	return merged, true
}

// mix is what two scenarios run on.
type mix struct {
	t        *testing.T
	scenario scenario
	seed     []byte
}

// parts are what Services have on load balancers, and their public IPs, by id and name.
type parts map[string]any

// before returns what is there without any of the Services.
func (w mix) before() parts {
	w.t.Helper()
	cloud, err := newCloud(w.scenario, w.seed)
	if err != nil {
		w.t.Fatal(err)
	}
	cluster, err := lb.ParseCluster(w.scenario.config, w.scenario.clusterName)
	if err != nil {
		w.t.Fatal(err)
	}
	got := parts{}
	got.add(w.t, cloud, lb.ScopeOf(cluster, lb.Objects{}))
	return got
}

// after runs one Sync for each list of Services and returns what there is in the end.
func (w mix) after(nodes lb.Objects, steps ...[]corev1.Service) parts {
	w.t.Helper()
	cloud, err := newCloud(w.scenario, w.seed)
	if err != nil {
		w.t.Fatal(err)
	}
	cluster, err := lb.ParseCluster(w.scenario.config, w.scenario.clusterName)
	if err != nil {
		w.t.Fatal(err)
	}
	loop := provider.NewReconciler(cloud, cluster, options(cloud))
	got := parts{}
	for i, services := range steps {
		in := nodes
		in.Services = services
		report, err := loop.Sync(w.t.Context(), in)
		if err != nil && !anyFailed(report) {
			w.t.Fatal(err)
		}
		if i == len(steps)-1 {
			for _, s := range services {
				got["service "+nameOf(s).String()] = report.Services[nameOf(s)].Held
			}
			got.add(w.t, cloud, lb.ScopeOf(cluster, in))
		}
	}
	return got
}

func (p parts) add(t *testing.T, cloud *fake.Cloud, scope lb.Scope) {
	t.Helper()
	seen, err := cloud.Observe(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range seen.LoadBalancers {
		for _, f := range l.Frontends {
			p[l.ID.Key()+" frontend "+f.Name] = f
		}
		for _, r := range l.Rules {
			p[l.ID.Key()+" rule "+r.Name] = r
		}
		for _, probe := range l.Probes {
			p[l.ID.Key()+" probe "+probe.Name] = probe
		}
		for _, pool := range l.Pools {
			p[l.ID.Key()+" pool "+pool.Name] = pool
		}
		l.Frontends, l.Rules, l.Probes, l.Pools = nil, nil, nil, nil
		// What it remembers is nobody's part, and outlasts who it was for until it is written the next time.
		l.Tags = l.Tags.Without("azlb-resource-groups")
		p[l.ID.Key()] = l.LoadBalancer
	}
	for _, ip := range seen.PublicIPs {
		p[ip.ID.Key()] = ip.PublicIP
	}
}

// union returns what either made of what was there before.
func union(before, a, b parts) parts {
	u := parts{}
	for _, p := range []parts{a, b} {
		for name, v := range p {
			if _, ok := u[name]; !ok || !cmp.Equal(before[name], v, byValue) {
				u[name] = v
			}
		}
	}
	return u
}

var byValue = cmp.Options{cmpopts.EquateComparable(lb.Frontend{}, lb.Rule{}, lb.Probe{}, lb.Member{}), cmpopts.EquateEmpty()}

func compareParts(t *testing.T, what string, want, got parts) {
	t.Helper()
	// Pools stay when the last Service of a family leaves.
	for name := range got {
		if _, ok := want[name]; !ok && strings.Contains(name, " pool ") && what == "the second taken away" {
			delete(got, name)
		}
	}
	if d := cmp.Diff(want, got, byValue); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}
