package main

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/provider"
)

// events returns what was recorded so far.
func events(rec *record.FakeRecorder) (list []string) {
	for len(rec.Events) > 0 {
		list = append(list, <-rec.Events)
	}
	return list
}

// TestFindingsReachSomebody: whatever its severity and whether it holds the Service, what is wrong is an Event or the error, once while it stays.
func TestFindingsReachSomebody(t *testing.T) {
	set := func(key, value string) func(*corev1.Service) {
		return func(s *corev1.Service) { s.Annotations[key] = value }
	}
	for _, tt := range []struct {
		name   string
		edit   func(*corev1.Service)
		served bool
		want   string // in the Event, or in the error of one that is not served
	}{
		{"a range with bits of a host", set(annotations.KeyAllowedIPRanges, "10.0.0.1/24"), true, `"10.0.0.1/24"`},
		{"one of two ranges", set(annotations.KeyAllowedIPRanges, "foo,10.1.0.0/16"), true, `"foo"`},
		{"a range in the spec", func(s *corev1.Service) { s.Spec.LoadBalancerSourceRanges = []string{"foo"} }, true, `"foo"`},
		{"a service tag", set(annotations.KeyAllowedServiceTags, "bad tag!"), true, `"bad tag!"`},
		{"IP tags", set(annotations.KeyPIPIPTags, "x"), true, `"x"`},
		{"a boolean", set(annotations.KeyInternal, "foo"), false, `"foo"`},
		{"a key without effect", set(annotations.KeySubnet, "apps"), true, annotations.KeySubnet},
		{"a misspelt key", set("service.beta.kubernetes.io/azure-load-balancer-internl", "true"), true, "azure-load-balancer-internl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := service("bad", tt.edit)
			c, _, _ := cloudOf(t, bad)
			rec := record.NewFakeRecorder(20)
			c.recorder = rec
			said := func(list []string) bool {
				return slices.ContainsFunc(list, func(e string) bool { return strings.HasPrefix(e, "Warning ") && strings.Contains(e, tt.want) })
			}
			status, err := c.EnsureLoadBalancer(t.Context(), "", bad, nil)
			got := events(rec)
			if tt.served != (err == nil) || tt.served && len(status.Ingress) != 1 {
				t.Fatalf("status %v, error %v, events %q", status, err, got)
			}
			if tt.served && !said(got) || !tt.served && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, events %q, want %s in one of them", err, got, tt.want)
			}
			if _, again := c.EnsureLoadBalancer(t.Context(), "", bad, nil); (again == nil) != tt.served {
				t.Errorf("once more: %v", again)
			}
			if got := events(rec); len(got) > 0 {
				t.Errorf("told again: %q", got)
			}
		})
	}
}

// TestFindingsOfTheCluster: what is wrong with the configuration is told once, on the Service of the API server, or on whose call it is.
func TestFindingsOfTheCluster(t *testing.T) {
	for _, there := range []bool{true, false} {
		web, api := service("web", nil), service("api", func(s *corev1.Service) { s.UID = "00000002-0000-4000-8000-000000000000" })
		services := []*corev1.Service{web, api}
		if there {
			services = append(services, service("kubernetes", func(s *corev1.Service) {
				s.Namespace, s.UID, s.Spec.Type = "default", "00000003-0000-4000-8000-000000000000", corev1.ServiceTypeClusterIP
			}))
		}
		c, azure, _ := cloudOf(t, services...)
		c.cluster.SecurityGroup = ""
		c.reconciler = provider.NewReconciler(azure, c.cluster, &provider.Options{Clock: azure.Clock()})
		rec := record.NewFakeRecorder(20)
		c.recorder = rec
		var got []string
		for _, s := range []*corev1.Service{web, api} {
			if _, err := c.EnsureLoadBalancer(t.Context(), "", s, nil); err != nil {
				t.Fatal(err)
			}
			for _, e := range events(rec) {
				if strings.Contains(e, "securityGroupName") {
					got = append(got, e)
				}
			}
		}
		if len(got) != 1 {
			t.Errorf("with the Service of the API server %v: events %q, want one", there, got)
		}
	}
}
