package lb

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/azlb/azlb/ipam"
)

// diffMany wants n public frontends with a rule and a destination each.
func diffMany(n int) Desired {
	l := explainWeb()
	l.Frontends, l.Rules, l.Probes = nil, nil, nil
	want := Desired{Causes: map[string][]Cause{}}
	rule := explainRule("k8s-azure-lb_allow_IPv4_web", "Allow")
	deny := explainRule("k8s-azure-lb_deny-all_IPv4", "Deny")
	for i := range n {
		ip := explainPIP()
		ip.ID = diffPIP(fmt.Sprintf("pip%d", i))
		want.PublicIPs = append(want.PublicIPs, ip)
		l.Frontends = append(l.Frontends, Frontend{Name: fmt.Sprintf("a%d", i), Family: ipam.IPv4, PublicIP: ip.ID})
		l.Rules = append(l.Rules, Rule{
			Name: fmt.Sprintf("a%d-TCP-80", i), Frontend: fmt.Sprintf("a%d", i), Pool: "kubernetes", Protocol: TCP,
			FrontendPort: 80, BackendPort: 80, IdleMinutes: 4,
		})
		rule.Destinations = append(rule.Destinations, Address{Of: ip.ID})
		deny.Destinations = append(deny.Destinations, Address{Of: ip.ID})
	}
	want.LoadBalancers = []LoadBalancer{l}
	want.SecurityGroups = []SecurityGroup{{ID: diffNSG, Rules: []SecurityRule{rule, deny}}}
	return want
}

func BenchmarkDiff(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		want := diffMany(n)
		b.Run(fmt.Sprintf("create-%d", n), func(b *testing.B) {
			for b.Loop() {
				diffMust(b, diffEmpty(), want)
			}
		})
		seen := diffEmpty()
		seen.LoadBalancers = []SeenLoadBalancer{{LoadBalancer: want.LoadBalancers[0]}}
		for i, ip := range want.PublicIPs {
			seen.PublicIPs = append(seen.PublicIPs, SeenPublicIP{PublicIP: ip, Address: netip.AddrFrom4([4]byte{20, 0, byte(i >> 8), byte(i)})})
		}
		b.Run(fmt.Sprintf("deny-%d", n), func(b *testing.B) {
			for b.Loop() {
				diffMust(b, seen, want) // there is no security group yet
			}
		})
		gone := Desired{Remove: []ID{want.LoadBalancers[0].ID}}
		for _, ip := range want.PublicIPs {
			gone.Remove = append(gone.Remove, ip.ID)
		}
		b.Run(fmt.Sprintf("delete-%d", n), func(b *testing.B) {
			for b.Loop() {
				diffMust(b, seen, gone)
			}
		})
	}
}
