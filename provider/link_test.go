package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// linkCloud is an Azure that takes private link services on pools of addresses, unless it is strict.
func linkCloud(t *testing.T, strict bool) (*fake.Cloud, func(...corev1.Service) (provider.Report, error)) {
	t.Helper()
	var o fake.Options
	if !strict {
		o.Waive = []fake.Rule{fake.RuleServiceOnIPPool}
	}
	c, cluster := fake.New(&o), lbtest.Cluster()
	if err := c.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	c.AddGroup(armid.Group(cluster.Subscription, "links"), "westeurope")
	loop := provider.NewReconciler(c, cluster, &provider.Options{Clock: c.Clock(), MaxRemovals: -1, AllowEmpty: true})
	return c, func(services ...corev1.Service) (provider.Report, error) {
		return loop.Sync(t.Context(), lb.Objects{Services: services, Nodes: lbtest.Nodes(1)})
	}
}

var linkName = types.NamespacedName{Namespace: "default", Name: "svc-1"}

func TestPrivateLinkIsReported(t *testing.T) {
	c, sync := linkCloud(t, false)
	s := lbtest.Service(1, lbtest.Internal, lbtest.Annotate("azure-pls-create", "true"))
	first, err := sync(s)
	if err != nil {
		t.Fatal(err)
	}
	link := first.Services[linkName].PrivateLink
	if link == nil || !strings.HasPrefix(link.Alias, link.ID.Name()) || len(link.Connections) > 0 {
		t.Fatalf("after the write: %+v", link)
	}
	for name, status := range map[string]fake.ConnectionStatus{"a": fake.Approved, "b": fake.Pending} {
		if err := c.Connect(link.ID, name, status); err != nil {
			t.Fatal(err)
		}
	}
	next, err := sync(s)
	if got := next.Services[linkName].PrivateLink; err != nil || got == nil || got.Alias != link.Alias || len(got.Connections) != 2 ||
		!slices.Equal(got.Pending(), []string{"b"}) {
		t.Errorf("%v, %+v", err, got)
	}
	if none, err := sync(lbtest.Service(1, lbtest.Internal)); err != nil || none.Services[linkName].PrivateLink == nil {
		t.Errorf("it stays though nobody asks for it: %v, %+v", err, none.Services[linkName])
	}
}

// A refusal of the private link service holds its Service; everybody else is served.
func TestPrivateLinkRefused(t *testing.T) {
	for _, tt := range []struct {
		name   string
		strict bool
		fault  *fake.Fault
		want   string
	}{
		{"pools of addresses", true, nil, "PrivateLinkServiceIsNotSupportedForIPBasedLoadBalancer"},
		{"quota", false, &fake.Fault{Status: http.StatusBadRequest, Code: "PrivateLinkServiceCountLimitReached"}, "PrivateLinkServiceCountLimitReached"},
		{"no permission", false, &fake.Fault{Status: http.StatusForbidden, Code: "AuthorizationFailed"}, "AuthorizationFailed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, sync := linkCloud(t, tt.strict)
			if tt.fault != nil {
				tt.fault.Method, tt.fault.Path, tt.fault.Count = "PUT", "/privateLinkServices/", -1
				c.Inject(*tt.fault)
			}
			in := []corev1.Service{lbtest.Service(1, lbtest.Internal, lbtest.Annotate("azure-pls-create", "true")), lbtest.Service(2, lbtest.Internal, lbtest.Port(81))}
			report, err := sync(in...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one about %s", err, tt.want)
			}
			other := report.Services[types.NamespacedName{Namespace: "default", Name: "svc-2"}]
			if !report.Services[linkName].Held || other.Err != nil || other.Status == nil || len(other.Status.Ingress) != 1 {
				t.Errorf("svc-1 %+v, svc-2 %+v", report.Services[linkName], other)
			}
		})
	}
}

// The group that an annotation names decides where a private link service is made, not whether one that is there is found.
func TestPrivateLinkStaysInItsGroup(t *testing.T) {
	_, sync := linkCloud(t, false)
	ask := lbtest.Annotate("azure-pls-create", "true")
	if _, err := sync(lbtest.Service(1, lbtest.Internal, ask, lbtest.Annotate("azure-pls-resource-group", "links"))); err != nil {
		t.Fatal(err)
	}
	report, err := sync(lbtest.Service(1, lbtest.Internal, ask))
	if err != nil {
		t.Error(err)
	}
	if got := report.Services[linkName].PrivateLink; got == nil || got.ID.ResourceGroup() != "links" {
		t.Errorf("private link service %+v, findings %v", got, report.Findings)
	}
}
