package provider_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
)

// interfaceWorld is a cluster whose pools hold network interfaces, or addresses and interfaces in turns, with machines of every kind.
type interfaceWorld struct {
	*lbtest.Machines
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	cluster lb.Cluster
	in      lb.Objects
	uniform []lb.ID // scale sets
	flex    lb.ID
	serial  int
	foreign map[string][]string // pools of others, by id of an interface
	taken   map[string]string   // by name of a node: which load balancer of ours it cannot have, since others have it in one of the kind
}

var foreignInternal, foreignPublic = lbtest.Resource(armid.LoadBalancers, "gateway"), lbtest.Resource(armid.LoadBalancers, "shop")

func newInterfaceWorld(t *testing.T, seed uint64) *interfaceWorld {
	w := &interfaceWorld{
		Machines: &lbtest.Machines{Cloud: lbtest.Cloud()}, t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0x1f)), cluster: interfaceCluster(),
		foreign: map[string][]string{}, taken: map[string]string{},
	}
	w.foreignBalancers()
	w.uniform = []lb.ID{w.ScaleSet("manual", "Uniform", "Manual"), w.ScaleSet("auto", "Uniform", "Automatic")}
	w.flex = w.ScaleSet("flex", "Flexible", "Manual")
	w.in.Nodes = []corev1.Node{w.Machine("anchor", "")} // never leaves, so that no pool may be left without anybody
	w.in.Services = []corev1.Service{lbtest.Service(0)}
	for range 6 {
		w.churn()
	}
	return w
}

func interfaceCluster() lb.Cluster {
	c := lbtest.Cluster()
	c.PoolType = lb.PoolInterfaces
	return c
}

func (w *interfaceWorld) foreignBalancers() {
	public := lbtest.Resource(armid.PublicIPAddresses, "shop")
	subnet := lbtest.Resource(armid.VirtualNetworks, "vnet").Child(armid.Subnets, "apps")
	for id, frontend := range map[lb.ID]map[string]any{
		foreignInternal: {"subnet": map[string]any{"id": string(subnet)}}, foreignPublic: {"publicIPAddress": map[string]any{"id": string(public)}},
	} {
		if id == foreignPublic {
			w.must(w.Cloud.Put(public, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{"publicIPAllocationMethod": "Static"}}))
		}
		w.must(w.Cloud.Put(id, map[string]any{"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "properties": map[string]any{
			"frontendIPConfigurations": []any{map[string]any{"name": "f", "properties": frontend}}, "backendAddressPools": []any{map[string]any{"name": "p"}},
		}}))
	}
}

func (w *interfaceWorld) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
}

// churn changes something about the nodes.
func (w *interfaceWorld) churn() {
	w.serial++
	some := func() *corev1.Node { return &w.in.Nodes[w.rng.IntN(len(w.in.Nodes))] }
	switch w.rng.IntN(8) {
	case 0, 1:
		n := w.Machine(fmt.Sprintf("vm-%d", w.serial), "")
		w.in.Nodes = append(w.in.Nodes, n)
		w.adopt(n)
	case 2:
		w.in.Nodes = append(w.in.Nodes, w.Machine(fmt.Sprintf("flex-%d", w.serial), w.flex))
	case 3, 4:
		w.in.Nodes = append(w.in.Nodes, w.Instance(w.uniform[w.rng.IntN(len(w.uniform))], w.serial))
	case 5:
		if n := some(); n.Name != "anchor" {
			n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = strconv.FormatBool(w.rng.IntN(2) == 0)
		}
	case 6:
		if n := some(); n.Name != "anchor" {
			n.Labels["kubernetes.azure.com/managed"] = strconv.FormatBool(w.rng.IntN(2) == 0)
		}
	default:
		w.scaleIn(some().Name)
	}
}

// adopt puts some machines into pools of others.
func (w *interfaceWorld) adopt(n corev1.Node) {
	balancer := foreignInternal
	switch w.rng.IntN(6) {
	case 0:
		balancer = foreignPublic
		w.taken[n.Name] = "/kubernetes/"
	case 1:
		w.taken[n.Name] = "/kubernetes-internal/"
	default:
		return
	}
	id := lbtest.Resource(armid.NetworkInterfaces, "nic-"+n.Name)
	body, _ := w.Cloud.Body(id)
	pool := string(balancer.Child(armid.BackendAddressPools, "p"))
	config := body["properties"].(map[string]any)["ipConfigurations"].([]any)[0].(map[string]any)
	config["properties"].(map[string]any)["loadBalancerBackendAddressPools"] = []any{map[string]any{"id": pool}}
	w.must(w.Cloud.Put(id, body))
	w.foreign[id.Key()] = []string{strings.ToLower(pool)}
}

// scaleIn removes a node, mostly with its machine.
func (w *interfaceWorld) scaleIn(name string) {
	i := slices.IndexFunc(w.in.Nodes, func(n corev1.Node) bool { return n.Name == name })
	if name == "anchor" || i < 0 {
		return
	}
	machine := lb.ID(strings.TrimPrefix(w.in.Nodes[i].Spec.ProviderID, "azure://"))
	w.in.Nodes = slices.Delete(w.in.Nodes, i, i+1)
	if w.rng.IntN(4) == 0 {
		return // the machine stays, and is none of the cluster's any more
	}
	w.must(w.Cloud.Delete(machine))
	if nic := lbtest.Resource(armid.NetworkInterfaces, "nic-"+name); machine.Is(armid.VirtualMachines) {
		delete(w.foreign, nic.Key())
		w.must(w.Cloud.Delete(nic))
	}
}

// services changes what is asked for, down to nothing at times.
func (w *interfaceWorld) services() {
	w.in.Services = nil
	for i := range w.rng.IntN(3) {
		var changes []func(*corev1.Service)
		if w.rng.IntN(2) == 0 {
			changes = append(changes, lbtest.Internal)
		}
		if w.rng.IntN(2) == 0 {
			changes = append(changes, lbtest.Dual)
		}
		w.in.Services = append(w.in.Services, lbtest.Service(i, changes...))
	}
}

// misfortunes scripts faults of what is written.
func (w *interfaceWorld) misfortunes() {
	for range w.rng.IntN(4) {
		f := fake.Fault{Method: http.MethodPut, Skip: w.rng.IntN(3), Path: []string{
			"/networkInterfaces/", "/virtualMachineScaleSets/", "/virtualMachineScaleSets/.*/virtualMachines/", "/loadBalancers/", "/backendAddressPools/",
		}[w.rng.IntN(5)]}
		switch w.rng.IntN(6) {
		case 0:
			f.Status, f.Code = 409, "AnotherOperationInProgress"
		case 1:
			f.Status, f.Code = 412, "PreconditionFailed"
		case 2:
			f.Status, f.Code = 400, "InvalidParameter"
		case 3:
			f.Drop = fake.DropAfter
		case 4:
			f.Late, f.Code = true, "InternalServerError"
		default:
			f.Method, f.Path, f.Status, f.Code = http.MethodPost, "/migrateToIpBased", 500, "InternalServerError"
		}
		w.Cloud.Inject(f)
	}
	if w.rng.IntN(3) == 0 {
		w.Cloud.Inject(fake.CrashAfter(w.rng.IntN(8)))
	}
}

// converge calls a reconciler until it succeeds, a new one after a crash.
func (w *interfaceWorld) converge() {
	w.t.Helper()
	for attempt := range 12 {
		if attempt > 2 {
			w.Cloud.Restart()
		}
		_, err := provider.NewReconciler(w.Cloud, w.cluster, &provider.Options{Clock: w.Cloud.Clock(), MaxRemovals: -1, AllowEmpty: true}).Sync(w.t.Context(), w.in)

		w.checkForeign()
		if err == nil {
			break
		}
		if attempt == 11 {
			w.t.Fatalf("seed %d: never converges: %v\n%s", w.seed, err, w.Cloud)
		}
	}
	report, err := provider.NewReconciler(w.Cloud, w.cluster, &provider.Options{AllowEmpty: true}).Sync(w.t.Context(), w.in)
	w.must(err)
	if len(report.Plan().Steps) > 0 {
		w.t.Errorf("seed %d: not at rest:\n%v", w.seed, report.Plan())
	}
	w.check()
}

// poolsOf lists the pools, in lower case, of the IP configurations in a body.
func poolsOf(v any) (pools []string) {
	switch v := v.(type) {
	case map[string]any:
		if list, ok := v["loadBalancerBackendAddressPools"].([]any); ok {
			for _, e := range list {
				pools = append(pools, strings.ToLower(e.(map[string]any)["id"].(string)))
			}
		}
		for _, e := range v {
			pools = append(pools, poolsOf(e)...)
		}
	case []any:
		for _, e := range v {
			pools = append(pools, poolsOf(e)...)
		}
	}
	slices.Sort(pools)
	return pools
}

func (w *interfaceWorld) checkForeign() {
	w.t.Helper()
	for key, want := range w.foreign {
		body, _ := w.Cloud.Body(lb.ID(key))
		if got := poolsOf(body); !slices.Contains(got, want[0]) {
			w.t.Errorf("seed %d: %s left a pool of others: %v", w.seed, key, got)
		}
	}
}

// wanted reports whether a node should be in pools, by the words of the documentation rather than by the code under test.
func wanted(n corev1.Node) bool {
	return n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] != "true" && n.Labels["kubernetes.azure.com/managed"] != "false"
}

// check compares membership with what it should be: exactly that.
func (w *interfaceWorld) check() {
	w.t.Helper()
	want := map[string][]string{}
	sets := map[string]bool{}
	for _, pool := range w.pools() {
		for _, n := range w.in.Nodes {
			machine := lb.ID(strings.TrimPrefix(n.Spec.ProviderID, "azure://"))
			if !wanted(n) {
				continue
			}
			set := machine.Top()
			if strings.HasPrefix(n.Name, "flex-") {
				set = w.flex
			}
			if set.Is(armid.ScaleSets) {
				sets[set.Key()+" "+pool] = true
			}
			if machine.Is(armid.VirtualMachines) {
				machine = lbtest.Resource(armid.NetworkInterfaces, "nic-"+n.Name)
			}
			if not := w.taken[n.Name]; not == "" || !strings.Contains(pool, not) {
				want[machine.Key()] = append(want[machine.Key()], pool)
			}
		}
	}
	if w.cluster.PoolType == lb.PoolAddresses {
		clear(want)
		clear(sets)
	}
	for _, id := range w.Cloud.IDs() {
		if !id.Is(armid.NetworkInterfaces) && !id.Is(armid.ScaleSetInstances) {
			continue
		}
		body, _ := w.Cloud.Body(id)
		expect := append(slices.Clone(want[id.Key()]), w.foreign[id.Key()]...)
		slices.Sort(expect)
		if got := poolsOf(body); !slices.Equal(got, expect) {
			w.t.Errorf("seed %d: %s is in\n  %v, want\n  %v", w.seed, id, got, expect)
		}
	}
	for _, set := range append(slices.Clone(w.uniform), w.flex) {
		body, _ := w.Cloud.Body(set)
		got := poolsOf(body)
		for _, pool := range w.pools() {
			if sets[set.Key()+" "+pool] && !(set.Name() == "auto" && w.outsider(set)) && !slices.Contains(got, pool) {
				w.t.Errorf("seed %d: the model of %s is not in %s: %v", w.seed, set.Name(), pool, got)
			}
		}
		for _, pool := range got {
			if !slices.Contains(w.pools(), pool) || w.cluster.PoolType == lb.PoolAddresses {
				w.t.Errorf("seed %d: the model of %s is still in %s", w.seed, set.Name(), pool)
			}
		}
	}
	w.checkAddresses()
}

// outsider reports whether a scale set has an instance that should be in no pool: then its model may stay out, since instances follow it.
func (w *interfaceWorld) outsider(set lb.ID) bool {
	return slices.ContainsFunc(w.Cloud.IDs(), func(id lb.ID) bool {
		return id != set && id.Top().Equal(set) && !slices.ContainsFunc(w.in.Nodes, func(n corev1.Node) bool {
			return wanted(n) && strings.EqualFold(n.Spec.ProviderID, "azure://"+string(id))
		})
	})
}

// pools lists the default pools that there are, in lower case.
func (w *interfaceWorld) pools() (pools []string) {
	for _, name := range []string{"kubernetes", "kubernetes-internal"} {
		id := lbtest.Resource(armid.LoadBalancers, name)
		if body, ok := w.Cloud.Body(id); ok {
			for _, p := range body["properties"].(map[string]any)["backendAddressPools"].([]any) {
				pools = append(pools, id.Child(armid.BackendAddressPools, p.(map[string]any)["name"].(string)).Key())
			}
		}
	}
	return pools
}

func (w *interfaceWorld) checkAddresses() {
	w.t.Helper()
	for _, pool := range w.pools() {
		body, _ := w.Cloud.Body(lb.ID(pool))
		var got, want []string
		list, _ := body["properties"].(map[string]any)["loadBalancerBackendAddresses"].([]any)
		for _, m := range list {
			got = append(got, m.(map[string]any)["properties"].(map[string]any)["ipAddress"].(string))
		}
		for _, n := range w.in.Nodes {
			for _, a := range n.Status.Addresses {
				if strings.Contains(a.Address, ":") == strings.HasSuffix(pool, "-ipv6") && n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] != "true" {
					want = append(want, a.Address)
				}
			}
		}
		if w.cluster.PoolType == lb.PoolInterfaces {
			want = nil
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			w.t.Errorf("seed %d: addresses of %s:\n  %v, want\n  %v", w.seed, pool, got, want)
		}
	}
}

// TestInterfacePools: whatever happens to nodes, Services and the kind of pools, and whatever goes wrong meanwhile, exactly the nodes that
// should be in the pools are, pools of others keep what they have, and then there is nothing to do.
func TestInterfacePools(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 20
	}
	first := uint64(0)
	if one := os.Getenv("AZLB_SEED"); one != "" {
		n, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, seeds = n, n+1
	}
	for seed := first; seed < seeds; seed++ {
		w := newInterfaceWorld(t, seed)
		for range 5 {
			for range w.rng.IntN(4) {
				w.churn()
			}
			if w.rng.IntN(3) == 0 {
				w.services()
			}
			if w.rng.IntN(3) == 0 {
				w.cluster.PoolType = []lb.PoolType{lb.PoolAddresses, lb.PoolInterfaces}[w.rng.IntN(2)]
				w.cluster.MigrateToIPBased = w.rng.IntN(2) == 0
			}
			w.misfortunes()
			w.converge()
			if t.Failed() {
				t.Fatalf("again with AZLB_SEED=%d", seed)
			}
		}
	}
}
