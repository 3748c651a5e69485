package lb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// TestSecurityLimits: rules of others count too, since Azure's limits are those of the whole group, and who would pass one is held before
// anything is written. Who asks for nothing new is not.
func TestSecurityLimits(t *testing.T) {
	ranges := func(list ...string) func(*corev1.Service) {
		return lbtest.Annotate("azure-allowed-ip-ranges", strings.Join(list, ","))
	}
	for _, c := range []struct {
		name   string
		limits lb.Limits
		want   error
	}{
		{"room for one rule more", lb.Limits{RulesPerSecurityGroup: 3}, nil},
		{"no room for a rule", lb.Limits{RulesPerSecurityGroup: 2}, lb.ErrLimit},
		{"room for two sources more", lb.Limits{AddressesPerSecurityRule: 5}, nil},
		{"no room for two sources", lb.Limits{AddressesPerSecurityRule: 4}, lb.ErrLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := lbtest.Cluster()
			cluster.Limits = c.limits
			cloud := cloudWithRules(t, foreignRule("theirs", 200, 2), foreignRule("others", 201, 1))
			in := lb.Objects{Nodes: lbtest.Nodes(1), Services: []corev1.Service{lbtest.Service(1, ranges("192.0.2.0/24", "198.51.100.0/24"))}}
			checkHeld(t, planFor(t, cloud, cluster, in), c.want)
		})
	}
}

// TestPrioritiesUsedUp: a Service whose rules would find no priority is held, not left without them.
func TestPrioritiesUsedUp(t *testing.T) {
	cluster := lbtest.Cluster()
	cluster.Limits.RulesPerSecurityGroup, cluster.Limits.AddressesPerSecurityRule = 10000, 100000
	var rules []any
	for p := 500; p <= 4095; p++ {
		rules = append(rules, foreignRule(fmt.Sprintf("rule-%d", p), p, 1))
	}
	in := lb.Objects{Nodes: lbtest.Nodes(1), Services: []corev1.Service{lbtest.Service(1)}}
	closed := lb.Objects{Nodes: in.Nodes, Services: []corev1.Service{lbtest.Service(1,
		lbtest.Annotate("azure-allowed-ip-ranges", "192.0.2.0/24"), lbtest.Annotate("azure-deny-all-except-load-balancer-source-ranges", "true"))}}
	for _, c := range []struct {
		name string
		in   lb.Objects
		free int
		want error
	}{
		{"none free", in, 0, lb.ErrNoPriority},
		{"one free for one rule", in, 1, nil},
		{"one free for an allowance and a denial", closed, 1, lb.ErrNoPriority},
		{"two free for an allowance and a denial", closed, 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkHeld(t, planFor(t, cloudWithRules(t, rules[c.free:]...), cluster, c.in), c.want)
		})
	}
}

func checkHeld(t *testing.T, plan lb.Plan, want error) {
	t.Helper()
	var got error
	for _, f := range plan.Findings {
		if f.Holds {
			got = f.Err
		}
	}
	if !errors.Is(got, want) || want != nil && len(plan.Steps) > 0 {
		t.Errorf("held by %v, want %v; %d steps", got, want, len(plan.Steps))
	}
}

func foreignRule(name string, priority, sources int) armwire.Object {
	var list []any
	for i := range sources {
		list = append(list, fmt.Sprintf("10.0.%d.0/24", i))
	}
	return armwire.Object{"name": name, "properties": armwire.Object{
		"priority": priority, "direction": "Inbound", "access": "Allow", "protocol": "Tcp", "sourcePortRange": "*",
		"sourceAddressPrefixes": list, "destinationAddressPrefix": "10.9.9.9", "destinationPortRange": "22",
	}}
}

// cloudWithRules is Azure with rules of others in the security group.
func cloudWithRules(t *testing.T, rules ...any) *fake.Cloud {
	t.Helper()
	cloud := fake.New(nil)
	if err := cloud.Load([]byte(lbtest.Seed)); err != nil {
		t.Fatal(err)
	}
	id := armid.Resource(lbtest.Cluster().Subscription, "rg", armid.NetworkSecurityGroups, "nsg")
	if err := cloud.Merge(id, armwire.Object{"properties": armwire.Object{"securityRules": rules}}); err != nil {
		t.Fatal(err)
	}
	return cloud
}
