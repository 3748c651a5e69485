package lb_test

import (
	"context"
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
)

// TestWhoseAPublicIPIs: only what tag and name both show to be this cluster's goes with its Service.
func TestWhoseAPublicIPIs(t *testing.T) {
	const (
		base   = "a0123456789abcdef0123456789abcde"
		ours   = "k8s-azure-cluster-name=kubernetes"
		legacy = "kubernetes-cluster-name=kubernetes"
	)
	long := strings.Repeat("c", 60)
	for _, c := range []struct {
		fact, cluster, name, tags string
		goes                      bool
	}{
		{"as it is made today", "", "kubernetes-" + base, ours + " k8s-azure-service=default/gone", true},
		{"in other case", "", "Kubernetes-" + strings.ToUpper(base), ours + " k8s-azure-service=default/gone", true},
		{"of a prefix, second family", "", "kubernetes-" + base + "-prefix-IPv6", ours + " k8s-azure-service=default/gone", true},
		{"of former days", "", "kubernetes-" + base, legacy + " service=default/gone", true},
		{"of former days, without the cluster's name", "", "kubernetes-" + base, "service=default/gone", true},
		{"of former days, read once by a later version", "", "kubernetes-" + base, "service=default/gone k8s-azure-service=default/gone", true},
		{"of a cluster whose long name cuts the base name", long, long + "-" + base[:14], "k8s-azure-cluster-name=" + long + " k8s-azure-service=default/gone", true},
		{"cut, but not where a long name cuts", long, long + "-" + base[:10], "k8s-azure-cluster-name=" + long + " k8s-azure-service=default/gone", false},
		{"no hexadecimal digits", "", "kubernetes-a0123456789abcdef0123456789abcdz", ours + " k8s-azure-service=default/gone", false},
		{"a name of its own", "", "gateway", ours + " k8s-azure-service=default/gone", false},
		{"a name that begins like ours", "", "kubernetes-" + base + "0", ours + " k8s-azure-service=default/gone", false},
		{"a name of its own, legacy tags", "", "gateway", legacy + " service=default/gone", false},
		{"another cluster's name", "", "blue-" + base, "service=default/gone", false},
		{"another cluster's tag", "", "kubernetes-" + base, "k8s-azure-cluster-name=blue k8s-azure-service=default/gone", false},
		{"a tag of today without the cluster's", "", "kubernetes-" + base, "k8s-azure-service=default/gone", false},
		{"tags without a Service", "", "kubernetes-" + base, ours, false},
	} {
		t.Run(c.fact, func(t *testing.T) {
			cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
			if c.cluster != "" {
				cluster.Name = c.cluster
			}
			tags := map[string]any{}
			for pair := range strings.FieldsSeq(c.tags) {
				key, value, _ := strings.Cut(pair, "=")
				tags[key] = value
			}
			id := armid.Resource(cluster.NetworkSubscription, "rg", armid.PublicIPAddresses, c.name)
			if err := cloud.Put(id, map[string]any{
				"location": "westeurope", "sku": map[string]any{"name": "Standard"}, "tags": tags,
				"properties": map[string]any{"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
			}); err != nil {
				t.Fatal(err)
			}
			in := lb.Objects{Nodes: lbtest.Nodes(1)}
			var want, got []string
			if c.goes {
				want = []string{id.Name()}
			}
			for _, s := range planFor(t, cloud, cluster, in).Steps {
				got = append(got, s.Op.Target().Name())
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("steps (-want +got):\n%s", d)
			}
			seen, err := cloud.Observe(context.Background(), lb.ScopeOf(cluster, in))
			if err != nil {
				t.Fatal(err)
			}
			if orphans := lb.Orphans(cluster, in, seen); c.goes != (len(orphans) == 1) {
				t.Errorf("orphans %v, want it to be one: %t", orphans, c.goes)
			}
		})
	}
}
