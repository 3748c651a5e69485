package provider_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/internal/property"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// TestEnsuredIsReached draws lives of clusters whose pools hold network interfaces: machines of every kind that join and leave, Services, writes
// that fail in every way, crashes, and two processes that remember different things. Whenever a call returns no error for a Service, every
// node that may be in its pools is in them; and when nothing goes wrong any more, that comes to pass.
func TestEnsuredIsReached(t *testing.T) {
	ensured := 0
	property.Check(t, func(t *rapid.T) {
		w := newReachWorld(t)
		for range rapid.IntRange(4, 16).Draw(t, "actions") {
			w.act()
		}
		w.Cloud.Restart()
		w.sync(0)
		for i := range w.in.Services {
			if !w.ensure(1, i) {
				t.Errorf("%s is not served when nothing goes wrong", w.in.Services[i].Name)
			}
		}
		ensured += w.ensured
	})
	if !t.Failed() && ensured == 0 {
		t.Error("no call has ever come to its end")
	}
}

// reachWorld is a cluster of machines, with two processes that look after it.
type reachWorld struct {
	*lbtest.Machines
	t       *rapid.T
	in      lb.Objects
	recs    [2]*provider.Reconciler
	sets    []lb.ID // two uniform ones and a flexible one
	serial  int
	uids    int
	ensured int
}

func newReachWorld(t *rapid.T) *reachWorld {
	w := &reachWorld{t: t, Machines: &lbtest.Machines{Cloud: lbtest.Cloud()}}
	w.sets = []lb.ID{w.ScaleSet("manual", "Uniform", "Manual"), w.ScaleSet("auto", "Uniform", "Automatic"), w.ScaleSet("flex", "Flexible", "Manual")}
	for i := range w.recs {
		w.start(i)
	}
	w.join()
	w.serve()
	return w
}

func (w *reachWorld) start(i int) {
	w.recs[i] = provider.NewReconciler(w.Cloud, interfaceCluster(), &provider.Options{Clock: w.Cloud.Clock(), MaxRemovals: -1})
}

func (w *reachWorld) below(n int, what string) int { return rapid.IntRange(0, n-1).Draw(w.t, what) }

func (w *reachWorld) act() {
	switch w.below(12, "action") {
	case 0, 1:
		w.join()
	case 2:
		w.leave()
	case 3:
		n := &w.in.Nodes[w.below(len(w.in.Nodes), "node")]
		n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = rapid.SampledFrom([]string{"true", "false"}).Draw(w.t, "excluded")
	case 4:
		w.serve()
	case 5:
		w.release()
	case 6:
		w.Cloud.Restart()
		w.start(w.below(2, "process"))
	case 7, 8:
		w.misfortune()
	case 9:
		w.sync(w.below(2, "process"))
	default:
		if len(w.in.Services) > 0 {
			w.ensure(w.below(2, "process"), w.below(len(w.in.Services), "service"))
		}
	}
}

func (w *reachWorld) join() {
	w.serial++
	var n corev1.Node
	switch kind := w.below(4, "machine"); kind {
	case 0:
		n = w.Machine(fmt.Sprintf("vm-%d", w.serial), "")
	case 1:
		n = w.Machine(fmt.Sprintf("flex-%d", w.serial), w.sets[2])
	default:
		n = w.Instance(w.sets[kind-2], w.serial)
	}
	w.in.Nodes = append(slices.Clone(w.in.Nodes), n)
}

// leave takes a node out of the cluster, with its machine or without.
func (w *reachWorld) leave() {
	if len(w.in.Nodes) < 2 {
		return
	}
	i := w.below(len(w.in.Nodes), "node")
	machine := machineOf(w.in.Nodes[i])
	name := w.in.Nodes[i].Name
	w.in.Nodes = slices.Delete(slices.Clone(w.in.Nodes), i, i+1)
	if w.below(3, "stays") == 0 {
		return
	}
	w.must(w.Cloud.Delete(machine))
	if machine.Is(armid.VirtualMachines) {
		w.must(w.Cloud.Delete(lbtest.Resource(armid.NetworkInterfaces, "nic-"+name)))
	}
}

func (w *reachWorld) must(err error) {
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *reachWorld) serve() {
	var changes []func(*corev1.Service)
	if w.below(2, "internal") == 0 {
		changes = append(changes, lbtest.Internal)
	}
	if w.below(3, "dual") == 0 {
		changes = append(changes, lbtest.Dual)
	}
	w.in.Services = append(slices.Clone(w.in.Services), lbtest.Service(w.uids, changes...))
	w.uids++
}

// release deletes a Service as a host does that keeps its finalizer until Delete has returned nil.
func (w *reachWorld) release() {
	if len(w.in.Services) == 0 {
		return
	}
	i := w.below(len(w.in.Services), "service")
	err := w.recs[w.below(2, "process")].Delete(w.t.Context(), w.in, nameOfInterfaces(&w.in.Services[i]))
	if err == nil {
		w.in.Services = slices.Delete(slices.Clone(w.in.Services), i, i+1)
	}
}

func (w *reachWorld) misfortune() {
	names := make([]string, 0, len(interfaceFaults))
	for name := range interfaceFaults {
		names = append(names, name)
	}
	slices.Sort(names)
	f := interfaceFaults[rapid.SampledFrom(names).Draw(w.t, "fault")]
	f.Method = http.MethodPut
	f.Path = rapid.SampledFrom([]string{
		"/networkInterfaces/", "/virtualMachineScaleSets/[a-z]+$", "/virtualMachineScaleSets/.*/virtualMachines/", "/loadBalancers/", "",
	}).Draw(w.t, "path")
	f.Skip, f.Count = w.below(3, "skip"), rapid.SampledFrom([]int{1, 2, -1}).Draw(w.t, "count")
	if w.below(6, "crash") == 0 {
		f = fake.CrashAfter(w.below(6, "writes"))
	}
	w.Cloud.Inject(f)
}

func (w *reachWorld) ensure(process, i int) bool {
	w.passTime()
	_, err := w.recs[process].Ensure(w.t.Context(), w.in, nameOfInterfaces(&w.in.Services[i]))
	if err == nil {
		w.ensured++
		w.check(&w.in.Services[i])
	}
	w.revive(process, err)
	return err == nil
}

func (w *reachWorld) sync(process int) {
	w.passTime()
	report, err := w.recs[process].Sync(w.t.Context(), w.in)
	for i := range w.in.Services {
		s, ok := report.Services[nameOfInterfaces(&w.in.Services[i])]
		if ok && s.Err == nil && !s.Held && !errors.Is(err, fake.ErrCrashed) {
			w.check(&w.in.Services[i])
		}
	}
	w.revive(process, err)
}

// passTime lets what is remembered get old at times.
func (w *reachWorld) passTime() {
	if minutes := w.below(8, "minutes"); minutes < 6 {
		w.must(w.Cloud.Clock().Sleep(w.t.Context(), time.Duration(minutes)*time.Minute/2))
	}
}

// revive starts a process anew that has crashed.
func (w *reachWorld) revive(process int, err error) {
	if errors.Is(err, fake.ErrCrashed) {
		w.Cloud.Restart()
		w.start(process)
	}
}

func machineOf(n corev1.Node) lb.ID { return lb.ID(strings.TrimPrefix(n.Spec.ProviderID, "azure://")) }

// check: every node that may be in the pools of a Service is in them.
func (w *reachWorld) check(s *corev1.Service) {
	w.t.Helper()
	balancer := "kubernetes"
	if len(s.Annotations) > 0 && s.Annotations["service.beta.kubernetes.io/azure-load-balancer-internal"] == "true" {
		balancer = "kubernetes-internal"
	}
	for _, family := range s.Spec.IPFamilies {
		pool := lbtest.Resource(armid.LoadBalancers, balancer).Child(armid.BackendAddressPools, "kubernetes")
		if family == corev1.IPv6Protocol {
			pool += "-IPv6"
		}
		for _, n := range w.in.Nodes {
			at := machineOf(n)
			if at.Is(armid.VirtualMachines) {
				at = lbtest.Resource(armid.NetworkInterfaces, "nic-"+n.Name)
			}
			if body, ok := w.Cloud.Body(at); ok && wanted(n) && !slices.Contains(poolsOf(body), pool.Key()) {
				w.t.Errorf("%s: no error, but node %s is not in %s", s.Name, n.Name, pool)
			}
		}
	}
}
