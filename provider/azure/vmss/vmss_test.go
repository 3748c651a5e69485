package vmss_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/azure/vmss"
)

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "test", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// world is a cluster on a uniform scale set of n instances, behind the SDK.
type world struct {
	*lbtest.Machines
	t       *testing.T
	backend *azure.Backend
	cluster lb.Cluster
	set     lb.ID
	in      lb.Objects
}

func open(t *testing.T, n int, sets azure.ScaleSets) *world {
	t.Helper()
	return openOn(t, lbtest.Cloud(), n, sets)
}

func openOn(t *testing.T, cloud *fake.Cloud, n int, sets azure.ScaleSets) *world {
	t.Helper()
	w := &world{Machines: &lbtest.Machines{Cloud: cloud}, t: t, cluster: lbtest.Cluster()}
	w.cluster.PoolType = lb.PoolInterfaces
	w.set = w.ScaleSet("ss", "Uniform", "Manual")
	for i := range n {
		w.in.Nodes = append(w.in.Nodes, w.Instance(w.set, i))
	}
	w.in.Services = lbtest.Services(2)
	var err error
	if w.backend, err = azure.New(credential{}, &azure.Options{Transport: armfake.Transport(w.Cloud), Clock: w.Cloud.Clock(), ScaleSets: sets}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) sync() provider.Report {
	w.t.Helper()
	w.Cloud.ResetRequests()
	report, err := provider.NewReconciler(w.backend, w.cluster, &provider.Options{Clock: w.Cloud.Clock(), MaxRemovals: -1, AllowEmpty: true}).Sync(w.t.Context(), w.in)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// puts lists the names of scale sets and instances that were written, in order.
func (w *world) puts() (names []string) {
	for _, r := range w.Cloud.Requests() {
		if id := lb.ID(r.Path); r.Method == http.MethodPut && id.Top().Is(armid.ScaleSets) {
			names = append(names, id.Name())
		}
	}
	return names
}

// members counts the instances in the pool.
func (w *world) members() int {
	n := 0
	for _, id := range w.Cloud.IDs() {
		if body, _ := w.Cloud.Body(id); id.Is(armid.ScaleSetInstances) && strings.Contains(fmt.Sprint(body), "/backendAddressPools/kubernetes") {
			n++
		}
	}
	return n
}

// TestScaleSet: instances join after their model, leave one by one, and let the load balancer go in the end.
func TestScaleSet(t *testing.T) {
	w := open(t, 3, vmss.Clients{})
	if rounds := w.sync().Rounds; len(rounds) != 1 {
		t.Errorf("%d rounds, want one: each write is known to have succeeded", len(rounds))
	}
	if got := w.puts(); len(got) != 4 || got[0] != "ss" || w.members() != 3 {
		t.Fatalf("writes: %v, %d members", got, w.members())
	}
	if report := w.sync(); len(report.Plan().Steps) > 0 || len(w.puts()) > 0 {
		t.Errorf("not at rest: %v", report.Plan())
	}
	w.in.Nodes[1].Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "true"
	w.sync()
	if got := w.puts(); fmt.Sprint(got) != "[1]" || w.members() != 2 {
		t.Errorf("writes when one node leaves: %v, %d members", got, w.members())
	}
	w.in.Services = nil
	w.sync()
	if _, ok := w.Cloud.Body(lbtest.Resource(armid.LoadBalancers, "kubernetes")); ok || w.members() != 0 {
		t.Errorf("the load balancer is there: %v, %d members", ok, w.members())
	}
}

// TestETagsMoveEachOther: whatever else a write of a scale set or instance moves, the next one is not refused for it.
func TestETagsMoveEachOther(t *testing.T) {
	for _, o := range []fake.Options{{}, {InstanceMovesScaleSet: true}, {ScaleSetMovesInstances: true}, {InstanceMovesScaleSet: true, ScaleSetMovesInstances: true}} {
		cloud := fake.New(&o)
		if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
			t.Fatal(err)
		}
		w := openOn(t, cloud, 2, vmss.Clients{})
		loop := provider.NewReconciler(w.backend, w.cluster, &provider.Options{Clock: cloud.Clock()})
		w.in.Services = []corev1.Service{lbtest.Service(0), lbtest.Service(1, lbtest.Internal)}
		for _, s := range w.in.Services { // each has a load balancer of its own, which model and instances join
			if _, err := loop.Ensure(t.Context(), w.in, types.NamespacedName{Namespace: s.Namespace, Name: s.Name}); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range cloud.Requests() {
			if r.Status == http.StatusPreconditionFailed {
				t.Errorf("%+v: %s %s: precondition failed", o, r.Method, r.Path)
			}
		}
		if got := w.puts(); len(got) != 6 {
			t.Errorf("%+v: writes %v, want the model and both instances for each of two load balancers", o, got)
		}
	}
}

// TestInstanceInTheWay: one instance that Azure refuses to change keeps no other out.
func TestInstanceInTheWay(t *testing.T) {
	w := open(t, 5, vmss.Clients{})
	w.Cloud.Inject(fake.Fault{Method: http.MethodPut, Path: "/virtualMachines/2$", Status: 409, Code: "OperationNotAllowed", Count: -1})
	_, err := provider.NewReconciler(w.backend, w.cluster, &provider.Options{Clock: w.Cloud.Clock(), AllowEmpty: true}).Sync(t.Context(), w.in)
	if err == nil || w.members() != 4 {
		t.Errorf("error %v, %d members, want the other 4", err, w.members())
	}
	w.Cloud.Restart()
	if w.sync(); w.members() != 5 {
		t.Errorf("%d members after that", w.members())
	}
}

// TestInstanceOnItsWayOut: what is deleted or does not run is left alone, and nothing waits for it.
func TestInstanceOnItsWayOut(t *testing.T) {
	w := open(t, 3, vmss.Clients{})
	for n, patch := range map[string]map[string]any{
		"0": {"provisioningState": "Deleting"},
		"1": {"instanceView": map[string]any{"statuses": []any{map[string]any{"code": "PowerState/deallocated"}}}},
	} {
		id := w.set.Child(armid.Instances, n)
		if err := w.Cloud.Merge(id, map[string]any{"properties": patch}); err != nil {
			t.Fatal(err)
		}
	}
	w.sync()
	if w.members() != 1 {
		t.Errorf("%d members, want the one that runs", w.members())
	}
}

// TestOrphanedReference: a model that names a pool which is gone could not be written any more.
func TestOrphanedReference(t *testing.T) {
	w := open(t, 2, vmss.Clients{})
	w.sync()
	if err := w.Cloud.Delete(lbtest.Resource(armid.LoadBalancers, "kubernetes")); err != nil {
		t.Fatal(err)
	}
	w.in.Services = []corev1.Service{lbtest.Service(9, lbtest.Internal)}
	w.sync()
	if body, _ := w.Cloud.Body(w.set); strings.Contains(fmt.Sprint(body), "/loadBalancers/kubernetes/") || !strings.Contains(fmt.Sprint(body), "/loadBalancers/kubernetes-internal/") {
		t.Errorf("the model: %v", body)
	}
}

// TestWithoutScaleSets: a backend without them serves no Service whose pool needs them, leaves what is there, and says what to set.
func TestWithoutScaleSets(t *testing.T) {
	w := open(t, 2, nil)
	reconciler := provider.NewReconciler(w.backend, w.cluster, &provider.Options{Clock: w.Cloud.Clock()})
	for _, s := range w.in.Services {
		name := types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
		status, err := reconciler.Ensure(t.Context(), w.in, name)
		if !errors.Is(err, provider.ErrHeld) || !strings.Contains(err.Error(), "set azure.Options.ScaleSets") || status != nil && len(status.Ingress) > 0 {
			t.Errorf("%s: status %v, error %v, want one that says what to set", name, status, err)
		}
	}
	if report := w.sync(); report.Writes > 0 || len(report.Findings) != len(w.in.Services) {
		t.Errorf("%d writes, findings %v, want none and one for each Service", report.Writes, report.Findings)
	}
	for _, r := range w.Cloud.Requests() {
		if strings.Contains(r.Path, "virtualMachineScaleSets") {
			t.Errorf("%s %s", r.Method, r.Path)
		}
	}
	alone := w.Machine("alone", "")
	w.in.Nodes = []corev1.Node{alone}
	if report := w.sync(); len(report.Findings) > 0 || report.Writes == 0 {
		t.Errorf("on a machine by itself: %d writes, findings %v, want it served", report.Writes, report.Findings)
	}
}
