package provider_test

import (
	"fmt"
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// large is a cluster of 100 Services with one node, and 500 more to join it: half of them by themselves, half in one scale set.
func large(tb testing.TB) (*lbtest.Machines, lb.Objects, lb.Objects) {
	tb.Helper()
	m := &lbtest.Machines{Cloud: lbtest.Cloud()}
	set := m.ScaleSet("ss", "Uniform", "Manual")
	small := lb.Objects{Services: lbtest.Services(100)}
	small.Nodes = append(small.Nodes, m.Machine("first", ""))
	all := small
	for i := range 250 {
		all.Nodes = append(all.Nodes, m.Machine(fmt.Sprintf("vm-%d", i), ""), m.Instance(set, i))
	}
	syncInterfaces(tb, m, small)
	return m, small, all
}

func syncInterfaces(tb testing.TB, m *lbtest.Machines, in lb.Objects) {
	tb.Helper()
	m.Cloud.ResetRequests()
	if _, err := provider.NewReconciler(m.Cloud, interfaceCluster(), &provider.Options{Clock: m.Cloud.Clock()}).Sync(tb.Context(), in); err != nil {
		tb.Fatal(err)
	}
}

// TestNodesJoinInOnePlan: one write per machine that changes, whatever the number of Services, and one for the model of a scale set.
func TestNodesJoinInOnePlan(t *testing.T) {
	m, small, all := large(t)
	syncInterfaces(t, m, all)
	if _, writes := requests(m.Cloud); writes["networkinterfaces"] != 250 || writes["virtualmachinescalesets/virtualmachines"] != 250 || writes["virtualmachinescalesets"] != 1 || total(writes) != 501 {
		t.Errorf("writes when 500 nodes join: %v", writes)
	}
	all.Nodes = all.Nodes[:len(all.Nodes)-1]
	syncInterfaces(t, m, all)
	if _, writes := requests(m.Cloud); total(writes) != 1 {
		t.Errorf("writes when one node leaves: %v", writes)
	}
	syncInterfaces(t, m, all)
	if reads, writes := requests(m.Cloud); total(writes) != 0 || total(reads) > 9 {
		t.Errorf("at rest: %v reads, %v writes", reads, writes)
	}
	syncInterfaces(t, m, small)
	if _, writes := requests(m.Cloud); total(writes) != 499 || writes["virtualmachinescalesets"] != 0 { // the model is for the machines to come
		t.Errorf("writes when all of them leave again: %v", writes)
	}
}

// BenchmarkNodesJoin plans and carries out that 500 nodes join a cluster of 100 Services.
func BenchmarkNodesJoin(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		m, _, all := large(b)
		b.StartTimer()
		syncInterfaces(b, m, all)
	}
}
