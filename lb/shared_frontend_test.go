package lb_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestSubnetOfASharedFrontend has a Service ask for a subnet that its address is not in, while another shares its frontend by that address:
// who shares it does not make the wish good.
func TestSubnetOfASharedFrontend(t *testing.T) {
	cloud := lbtest.Cloud()
	r := provider.NewReconciler(cloud, lbtest.Cluster(), &provider.Options{Clock: cloud.Clock()})
	pinned := lbtest.Annotate("azure-load-balancer-ipv4", "10.1.5.6")
	owner := lbtest.Service(1, lbtest.Internal, pinned, lbtest.Port(80))
	guest := lbtest.Service(2, lbtest.Internal, pinned, lbtest.Port(81))
	in := lb.Objects{Nodes: lbtest.Nodes(1), Services: []corev1.Service{owner, guest}}
	if report, err := r.Sync(t.Context(), in); err != nil || report.Writes == 0 {
		t.Fatalf("%d writes, %v", report.Writes, err)
	}
	owner.Annotations[annotations.KeySubnet] = "apps" // the map is the one of in.Services
	for range 2 {
		report, _ := r.Sync(t.Context(), in)
		got := report.Services[types.NamespacedName{Namespace: owner.Namespace, Name: owner.Name}]
		outside := func(f lb.Finding) bool { return errors.Is(f.Err, lb.ErrOutside) }
		if report.Writes != 0 || !got.Held || !slices.ContainsFunc(got.Findings, outside) {
			t.Errorf("%d writes, held %v, %v", report.Writes, got.Held, got.Findings)
		}
	}
}
