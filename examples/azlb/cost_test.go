package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

func TestMakespan(t *testing.T) {
	ip := func(name string) lb.Op {
		return lb.PutPublicIP{After: lb.PublicIP{ID: armid.Resource("s", "g", armid.PublicIPAddresses, name)}}
	}
	balancer := lb.PutLoadBalancer{After: lb.LoadBalancer{ID: armid.Resource("s", "g", armid.LoadBalancers, "l")}}
	plan := lb.Plan{Steps: []lb.Step{{Op: ip("a")}, {Op: ip("b")}, {Op: ip("c")}, {Op: balancer, After: []int{0, 1, 2}}}}
	for _, c := range []struct {
		parallel int
		want     time.Duration
	}{
		{1, 25 * time.Second}, {2, 20 * time.Second}, {8, 15 * time.Second},
	} {
		if got := makespan(plan, c.parallel); got != c.want {
			t.Errorf("%d at a time: %v, want %v", c.parallel, got, c.want)
		}
	}
}

func TestThrottled(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes int
		want   time.Duration
	}{
		{"inside the burst", 200, 0},
		{"at Resource Manager's refill", 605, 40500 * time.Millisecond},
		{"two windows of the network provider", 1800, 5 * time.Minute},
	} {
		if got := throttled(c.writes); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestNearLimit: 250 rules on every node are near the 299 that a network interface takes, and far from the 1,500 of the load balancer.
func TestNearLimit(t *testing.T) {
	var ports []string
	for port := range 250 {
		ports = append(ports, fmt.Sprintf("{name: p%d, port: %d}", port, 1000+port))
	}
	file := filepath.Join(t.TempDir(), "service.yaml")
	text := "apiVersion: v1\nkind: Service\nmetadata: {name: many}\nspec: {type: LoadBalancer, ports: [" + strings.Join(ports, ", ") + "]}\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := call(t.Context(), "plan", "--fake", "--cloud-config", "testdata/shop/azure.json", "-f", file,
		"-f", "testdata/shop/nodes.yaml")
	const want = "near a limit: the network interface of node node-0 has 250 of 299 rules\n"
	if code != exitChanges || !strings.Contains(stdout, want) || strings.Count(stdout, "near a limit") != 1 {
		t.Errorf("exit code %d\n%s%s", code, stdout[max(0, len(stdout)-300):], stderr)
	}
}

// TestAddressPlan: prefixes hold the addresses that are asked for, and no node's.
func TestAddressPlan(t *testing.T) {
	p := newAddressPlan(lb.Objects{})
	pinned := netip.MustParseAddr("172.16.3.7")
	p.taken[netip.MustParsePrefix("10.224.2.0/24")] = true
	first, second := p.prefixes([]netip.Addr{pinned}), p.prefixes(nil)
	if first[0] != "172.16.3.0/24" || len(first) != 2 || len(p.outside) != 1 {
		t.Errorf("around %v: %v, outside %v", pinned, first, p.outside)
	}
	if second[0] == "10.224.2.0/24" || len(second) != 2 {
		t.Errorf("free prefixes: %v", second)
	}
}
