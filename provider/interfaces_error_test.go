package provider_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// fleet is a cluster of one machine by itself and two instances of a scale set, with a reconciler.
type fleet struct {
	*lbtest.Machines
	in  lb.Objects
	rec *provider.Reconciler
}

func newFleet(services ...corev1.Service) *fleet {
	f := &fleet{Machines: &lbtest.Machines{Cloud: lbtest.Cloud()}, in: lb.Objects{Services: services}}
	set := f.ScaleSet("manual", "Uniform", "Manual")
	f.in.Nodes = []corev1.Node{f.Machine("x", ""), f.Instance(set, 1), f.Instance(set, 2)}
	f.rec = provider.NewReconciler(f.Cloud, interfaceCluster(), &provider.Options{Clock: f.Cloud.Clock(), Jitter: func() float64 { return 0 }})
	return f
}

func (f *fleet) name(i int) types.NamespacedName {
	return types.NamespacedName{Namespace: f.in.Services[i].Namespace, Name: f.in.Services[i].Name}
}

// attached counts the interfaces, instances and models in the pools of a load balancer.
func (f *fleet) attached(balancer string) int {
	n := 0
	pool := lbtest.Resource(armid.LoadBalancers, balancer).Key() + "/" + strings.ToLower(armid.BackendAddressPools) + "/"
	for _, id := range f.Cloud.IDs() {
		if id.Top().Is(armid.NetworkInterfaces) || id.Top().Is(armid.ScaleSets) {
			body, _ := f.Cloud.Body(id)
			for _, p := range poolsOf(body) {
				if strings.HasPrefix(p, pool) {
					n++
				}
			}
		}
	}
	return n
}

// interfaceWrites are the writes that attach the nodes of a fleet: of an interface, of an instance and of a model.
var interfaceWrites = []string{"networkInterfaces/nic-x$", "virtualMachines/2$", "virtualMachineScaleSets/manual$"}

// interfaceFaults is every way in which such a write fails.
var interfaceFaults = map[string]fake.Fault{
	"400":            {Status: 400, Code: "InvalidParameter"},
	"403":            {Status: 403, Code: "AuthorizationFailed"},
	"404":            {Status: 404, Code: "ResourceNotFound"},
	"409":            {Status: 409, Code: "OperationNotAllowed"},
	"409 busy":       {Status: 409, Code: "AnotherOperationInProgress"},
	"412":            {Status: 412, Code: "PreconditionFailed"},
	"429":            {Status: 429, Code: "TooManyRequests", RetryAfter: time.Minute},
	"500":            {Status: 500, Code: "InternalServerError"},
	"503":            {Status: 503},
	"dropped before": {Drop: fake.DropBefore},
	"dropped after":  {Drop: fake.DropAfter},
	"failed later":   {Late: true, Code: "RetryableErrorDueToAnotherOperation"},
}

// TestEnsureAttachesOrFails: whatever becomes of the write that attaches a node, once or for ever, Ensure says what went wrong or has attached
// every node, and so does the report of Sync. It fails only if it must.
func TestEnsureAttachesOrFails(t *testing.T) {
	const all = 4 // the interface, two instances and their model
	heals := map[string]bool{"409": true, "404": true, "409 busy": true, "412": true, "429": true, "500": true, "503": true, "dropped before": true, "dropped after": true, "failed later": true}
	for _, how := range []string{"Ensure", "Sync"} {
		for _, path := range interfaceWrites {
			for name, fault := range interfaceFaults {
				for _, count := range []int{1, -1} {
					t.Run(fmt.Sprintf("%s/%s/%s/%d", how, path, name, count), func(t *testing.T) {
						f := newFleet(lbtest.Service(0), lbtest.Service(1))
						fault := fault
						fault.Method, fault.Path, fault.Count = http.MethodPut, path, count
						f.Cloud.Inject(fault)
						var errs []error
						switch how {
						case "Ensure":
							_, err := f.rec.Ensure(t.Context(), f.in, f.name(0))
							errs = append(errs, err)
						default:
							report, err := f.rec.Sync(t.Context(), f.in)
							errs = append(errs, err, report.Services[f.name(0)].Err, report.Services[f.name(1)].Err)
						}
						got := f.attached("kubernetes")
						for _, err := range errs {
							if err == nil && got != all {
								t.Errorf("no error, and %d of %d are attached", got, all)
							}
							if err != nil && count == 1 && heals[name] {
								t.Errorf("failed once, and is not tried again: %v", err)
							}
						}
					})
				}
			}
		}
	}
}

// TestEnsureSeesNewMachines: what is remembered may be older than the machine of a node that has joined since.
func TestEnsureSeesNewMachines(t *testing.T) {
	f := newFleet(lbtest.Service(0))
	ensure := func(want int) {
		t.Helper()
		f.Cloud.ResetRequests()
		if _, err := f.rec.Ensure(t.Context(), f.in, f.name(0)); err != nil {
			t.Fatal(err)
		}
		if got := f.attached("kubernetes"); got != want {
			t.Errorf("%d attached, want %d", got, want)
		}
	}
	ensure(4)
	f.in.Nodes = append(f.in.Nodes, f.Machine("y", ""))
	ensure(5)
	f.in.Nodes = append(f.in.Nodes, f.Instance(lbtest.Resource(armid.ScaleSets, "manual"), 3), f.Machine("z", ""))
	ensure(7)
	ensure(7) // reads once more what the writes have touched
	ensure(7)
	if reads, _ := requests(f.Cloud); total(reads) > 0 {
		t.Errorf("%v reads with nothing new", reads)
	}
	// One that Azure does not have is looked for, but not all the time.
	f.in.Nodes = append(f.in.Nodes, corev1.Node{ObjectMeta: f.in.Nodes[0].ObjectMeta, Spec: corev1.NodeSpec{
		ProviderID: "azure://" + string(lbtest.Resource(armid.VirtualMachines, "nowhere")),
	}})
	ensure(7)
	if reads, _ := requests(f.Cloud); total(reads) == 0 {
		t.Error("a machine that is not known is not looked for")
	}
	ensure(7)
	if reads, _ := requests(f.Cloud); total(reads) > 0 {
		t.Errorf("%v reads for a machine that was not there a moment ago", reads)
	}
}

// TestStepsOfNobody: a write that no Service needs is no reason to refuse anybody an address, and is not lost either: who carried it out hears
// of it. What is out of date is planned again as ever.
func TestStepsOfNobody(t *testing.T) {
	set := lbtest.Resource(armid.ScaleSets, "manual")
	for _, tt := range []struct {
		name  string
		fault fake.Fault
		warns bool
	}{
		{"refused", fake.Fault{Status: 400, Code: "InvalidParameter", Count: -1}, true},
		{"out of date once", fake.Fault{Status: 412, Code: "PreconditionFailed"}, false},
		{"out of date for ever", fake.Fault{Status: 412, Code: "PreconditionFailed", Count: -1}, true},
	} {
		for _, how := range []string{"Ensure", "Delete"} {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				f := newFleet(lbtest.Service(0), lbtest.Service(1, lbtest.Internal), lbtest.Service(2))
				if _, err := f.rec.Sync(t.Context(), f.in); err != nil {
					t.Fatal(err)
				}
				// Somebody deletes the other load balancer with its Service: the scale set goes on naming its pool.
				body, _ := f.Cloud.Body(set)
				if err := f.Cloud.Delete(lbtest.Resource(armid.LoadBalancers, "kubernetes-internal")); err != nil {
					t.Fatal(err)
				}
				if err := f.Cloud.Put(set, body); err != nil {
					t.Fatal(err)
				}
				f.in.Services = []corev1.Service{f.in.Services[0], f.in.Services[2]}
				f.rec = provider.NewReconciler(f.Cloud, interfaceCluster(), &provider.Options{Clock: f.Cloud.Clock()})
				fault := tt.fault
				fault.Method, fault.Path = http.MethodPut, "virtualMachineScaleSets/manual$"
				f.Cloud.Inject(fault)
				report, err := f.rec.EnsureReport(t.Context(), f.in, f.name(0))
				if how == "Delete" {
					report, err = f.rec.DeleteReport(t.Context(), f.in, f.name(1))
				}
				if err != nil {
					t.Errorf("error %v, want none", err)
				}
				if got := slices.ContainsFunc(report.Findings, func(f lb.Finding) bool { return f.Field == string(set) }); got != tt.warns {
					t.Errorf("a finding about the scale set: %t, want %t; findings %v", got, tt.warns, report.Findings)
				}
			})
		}
	}
}

func nameOfInterfaces(s *corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}

// TestEnsureAfterLoadBalancerWent: the interfaces leave a load balancer that is deleted, so that what is remembered of them is not true any
// more when it is made again.
func TestEnsureAfterLoadBalancerWent(t *testing.T) {
	for nodes, want := range map[int]int{1: 1, 3: 4} { // a machine by itself; the instances and their model too
		f := newFleet(lbtest.Service(0))
		f.in.Nodes = f.in.Nodes[:nodes]
		for range 2 {
			if _, err := f.rec.Ensure(t.Context(), f.in, f.name(0)); err != nil {
				t.Fatal(err)
			}
			if _, err := f.rec.Ensure(t.Context(), f.in, f.name(0)); err != nil { // nothing is in doubt after that
				t.Fatal(err)
			}
			if got := f.attached("kubernetes"); got != want {
				t.Errorf("%d nodes: %d attached, want %d", nodes, got, want)
			}
			if err := f.rec.Delete(t.Context(), f.in, f.name(0)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestRefusedDeletionHoldsOne: a load balancer that has to stay keeps the frontend of one Service, which hears why; the other one is gone.
func TestRefusedDeletionHoldsOne(t *testing.T) {
	for code, status := range map[string]int{"LoadBalancerInUseByVirtualMachineScaleSet": 400, "ScopeLocked": 409, "InvalidParameter": 400} {
		t.Run(code, func(t *testing.T) {
			f := newFleet(lbtest.Service(0), lbtest.Service(1))
			if _, err := f.rec.Sync(t.Context(), f.in); err != nil {
				t.Fatal(err)
			}
			for i := range f.in.Services {
				now := metav1.NewTime(f.Cloud.Clock().Now())
				f.in.Services[i].DeletionTimestamp = &now
			}
			f.Cloud.Inject(fake.Fault{Method: http.MethodDelete, Path: "loadBalancers/kubernetes$", Status: status, Code: code, Count: -1})
			report, err := f.rec.Sync(t.Context(), f.in)
			held := 0
			for _, s := range report.Services {
				if s.Held || s.Err != nil {
					held++
				}
			}
			body, _ := f.Cloud.Body(lbtest.Resource(armid.LoadBalancers, "kubernetes"))
			properties, _ := body["properties"].(map[string]any)
			frontends, _ := properties["frontendIPConfigurations"].([]any)
			if err == nil || held != 1 || len(frontends) != 1 {
				t.Errorf("error %v, %d Services held, %d frontends; want an error, 1 and 1", err, held, len(frontends))
			}
		})
	}
}
