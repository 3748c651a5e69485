package provider_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func explained(plan lb.Plan) string {
	var b strings.Builder
	if err := plan.Explain(&b); err != nil {
		return err.Error()
	}
	return b.String()
}

// neighbour is a second client that keeps rules of its own in the load balancer and in the security group. It reads, and writes what it
// read with one change and with If-Match, as any careful client does; what it wants is what it wrote last.
type neighbour struct {
	t      *testing.T
	cloud  *fake.Cloud
	rng    *rand.Rand
	wants  map[string]string // serial by id of its child
	read   map[lb.ID]armwire.Object
	serial int
	busy   sync.Mutex
	missed int // writes that found something newer
}

var shared = []struct {
	id   lb.ID
	kind string
}{
	{armid.Resource("00000000-0000-0000-0000-000000000001", "rg", armid.LoadBalancers, "kubernetes"), armid.InboundNATRules},
	{armid.Resource("00000000-0000-0000-0000-000000000001", "rg", armid.NetworkSecurityGroups, "nsg"), armid.SecurityRules},
}

// look reads, for a write that comes later.
func (n *neighbour) look() {
	for _, s := range shared {
		if a, err := n.cloud.Call(context.Background(), fake.Call{Method: http.MethodGet, ID: s.id}); err == nil {
			n.read[s.id] = a.Body
		}
	}
}

// write changes one child of its own in what was read, perhaps a while ago, and reads again as long as that is too old.
func (n *neighbour) write() {
	at := n.rng.IntN(len(shared))
	s := shared[at]
	for range 10 {
		if n.read[s.id] == nil {
			n.look()
		}
		if n.read[s.id] == nil {
			return // not there yet
		}
		body := armwire.Clone(n.read[s.id])
		n.serial++
		child := n.change(body, at)
		_, err := n.cloud.Call(context.Background(), fake.Call{Method: http.MethodPut, ID: s.id, Body: body, IfMatch: body["etag"].(string)})
		delete(n.read, s.id)
		if err == nil {
			n.wants[s.id.Child(s.kind, child).Key()] = fmt.Sprint(n.serial)
			return
		}
		if e, ok := errors.AsType[*provider.OpError](err); !ok || e.Status != http.StatusPreconditionFailed {
			n.t.Errorf("the neighbour's write: %v", err)
			return
		}
		n.missed++
	}
	n.t.Error("the neighbour never gets a write through")
}

// interrupt is a write in the middle of somebody else's.
func (n *neighbour) interrupt(*fake.Cloud) {
	if n.busy.TryLock() { // not in the middle of its own, nor of another one's
		defer n.busy.Unlock()
		n.write()
	}
}

// change puts a new serial into one of three children.
func (n *neighbour) change(body armwire.Object, at int) string {
	properties := body["properties"].(armwire.Object)
	i := n.rng.IntN(3)
	name := fmt.Sprintf("neighbour-%d", i)
	child := armwire.Object{"name": name, "properties": n.rule(body, i)}
	if at == 1 {
		child["properties"] = armwire.Object{
			"priority": 200 + i, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "description": fmt.Sprint(n.serial),
			"sourceAddressPrefix": "*", "sourcePortRange": "*", "destinationAddressPrefix": "10.9.9.9", "destinationPortRange": "22",
		}
	}
	kind := shared[at].kind
	var kept []any
	list, _ := properties[kind].([]any)
	for _, c := range list {
		if c.(armwire.Object)["name"] != name {
			kept = append(kept, c)
		}
	}
	properties[kind] = append(kept, child)
	return name
}

// rule is a NAT rule on the frontend that the test made for the neighbour.
func (n *neighbour) rule(body armwire.Object, i int) armwire.Object {
	id := lb.ID(body["id"].(string))
	return armwire.Object{
		"frontendIPConfiguration": armwire.Object{"id": string(id.Child(armid.FrontendIPConfigurations, "neighbour"))},
		"protocol":                "Tcp", "frontendPort": 5000 + i, "backendPort": 22, "xSerial": fmt.Sprint(n.serial),
	}
}

// check compares what the neighbour wrote with what is there.
func (n *neighbour) check(when string) {
	for key, want := range n.wants {
		body, _ := n.cloud.Body(lb.ID(key))
		properties, _ := body["properties"].(armwire.Object)
		got := properties["xSerial"]
		if got == nil {
			got = properties["description"]
		}
		if got != want {
			n.t.Errorf("%s: the neighbour's %s is at %v, want %s", when, lb.ID(key).Name(), got, want)
		}
	}
}

// TestTwoWriters lets another client write the same load balancer and security group between our reads and our writes, and we its.
func TestTwoWriters(t *testing.T) {
	missed, replans := 0, 0
	for seed := range uint64(1000) {
		m, r := twoWriters(t, seed)
		missed, replans = missed+m, replans+r
		if t.Failed() {
			t.Fatalf("that was seed %d", seed)
		}
	}
	if t.Logf("the neighbour missed %d writes, we planned again %d times", missed, replans); missed == 0 || replans == 0 {
		t.Error("the two never met")
	}
}

func twoWriters(t *testing.T, seed uint64) (missed, replans int) {
	rng := rand.New(rand.NewPCG(seed, 2))
	cloud := lbtest.Cloud()
	n := &neighbour{t: t, cloud: cloud, rng: rng, wants: map[string]string{}, read: map[lb.ID]armwire.Object{}}
	n.move(t)
	in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(1)}
	for round := range 2 {
		for range 1 + rng.IntN(2) {
			cloud.Inject(fake.Fault{
				Method: http.MethodPut, Path: "/(loadBalancers/kubernetes|networkSecurityGroups/nsg.*)$", Skip: rng.IntN(2), Meanwhile: n.interrupt,
			})
		}
		n.look() // to be written after our next write
		report, err := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock()}).Sync(t.Context(), in)
		if err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		replans += len(report.Rounds) - 1
		cloud.Restart()
		n.write()
		n.check(fmt.Sprint("round ", round))
		in.Services = lbtest.Services(1+rng.IntN(3), lbtest.Port(int32(80+rng.IntN(3))))
	}
	converged(t, cloud, in)
	n.check("at the end")
	if report := converged(t, cloud, in); report.Writes > 0 {
		t.Errorf("no rest: %s", explained(report.Rounds[0].Plan))
	}
	for i, svc := range in.Services {
		if !hasRule(t, cloud, svc, svc.Spec.Ports[0].Port) {
			t.Errorf("svc-%d is not served", i)
		}
	}
	return n.missed, replans
}

// move makes the neighbour's frontend.
func (n *neighbour) move(t *testing.T) {
	t.Helper()
	ip := armid.Resource("00000000-0000-0000-0000-000000000001", "rg", armid.PublicIPAddresses, "neighbour")
	sku := armwire.Object{"name": "Standard"}
	err := n.cloud.Put(ip, armwire.Object{
		"location": "westeurope", "sku": sku, "properties": armwire.Object{"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
	})
	frontend := armwire.Object{"name": "neighbour", "properties": armwire.Object{"publicIPAddress": armwire.Object{"id": string(ip)}}}
	err = errors.Join(err, n.cloud.Put(shared[0].id, armwire.Object{
		"location": "westeurope", "sku": sku, "properties": armwire.Object{armid.FrontendIPConfigurations: []any{frontend}},
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// TestFrontendIsJoined: a Service gives up a public IP that another Service has joined since its reconciler looked. It is not moved from under
// the other one, but from under a rule of others that was known.
func TestFrontendIsJoined(t *testing.T) {
	cloud, named := lbtest.Cloud(), func(name string) func(*corev1.Service) { return lbtest.Annotate("azure-pip-name", name) }
	for _, name := range []string{"one", "two"} {
		err := cloud.Put(armid.Resource("00000000-0000-0000-0000-000000000001", "rg", armid.PublicIPAddresses, name), armwire.Object{
			"location": "westeurope", "sku": armwire.Object{"name": "Standard"},
			"properties": armwire.Object{"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0, named("one"))}, Nodes: lbtest.Nodes(1)}
	elder := provider.NewReconciler(cloud, lbtest.Cluster(), nil)
	if _, err := elder.Sync(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	in.Services = append(in.Services, lbtest.Service(1, named("one"), lbtest.Port(81)))
	converged(t, cloud, in)

	in.Services[0] = lbtest.Service(0, named("two"))
	if _, err := elder.Ensure(t.Context(), in, types.NamespacedName{Namespace: "default", Name: "svc-0"}); !errors.Is(err, provider.ErrHeld) {
		t.Errorf("got %v, want ErrHeld", err)
	}
	if state := cloud.String(); !strings.Contains(state, ": public IP one") || strings.Contains(state, ": public IP two") {
		t.Errorf("the frontend has moved:\n%s", state)
	}

	in.Services = in.Services[:1]
	addRule(t, cloud, shared[0].id, lb.Base(in.Services[0].UID))
	report := converged(t, cloud, in)
	if len(report.Rounds) > 1 || !strings.Contains(cloud.String(), ": public IP two") {
		t.Errorf("%d rounds:\n%s", len(report.Rounds), cloud)
	}
}

// addRule makes a rule of others on a frontend.
func addRule(t *testing.T, cloud *fake.Cloud, balancer lb.ID, frontend string) {
	t.Helper()
	body, _ := cloud.Body(balancer)
	body = armwire.Clone(body)
	properties, _ := body["properties"].(armwire.Object)
	rules, _ := properties[armid.LoadBalancingRules].([]any)
	properties[armid.LoadBalancingRules] = append(rules, armwire.Object{"name": "theirs", "properties": armwire.Object{
		"protocol": "Tcp", "frontendPort": 2525.0, "backendPort": 2525.0,
		"frontendIPConfiguration": armwire.Object{"id": string(balancer.Child(armid.FrontendIPConfigurations, frontend))},
		"backendAddressPool":      armwire.Object{"id": string(balancer.Child(armid.BackendAddressPools, "kubernetes"))},
	}})
	if err := cloud.Put(balancer, body); err != nil {
		t.Fatal(err)
	}
}
