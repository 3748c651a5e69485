package ipam_test

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/azlb/azlb/ipam"
)

// A dual-stack frontend with a pinned IPv4 address; its IPv6 address is the lowest free one.
func ExamplePool_Select() {
	subnets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}
	pool, err := ipam.NewPool(subnets, netip.MustParseAddr("fd00::4"))
	if err != nil {
		fmt.Println(err)
		return
	}
	pair, err := pool.Select(ipam.Request{
		Families: []ipam.Family{ipam.IPv4, ipam.IPv6},
		Pinned:   ipam.Pair{V4: netip.MustParseAddr("10.0.0.100")},
		Fill:     true,
	})
	fmt.Println(pair.V4, pair.V6, err)
	// Output: 10.0.0.100 fd00::5 <nil>
}

// Without Fill, what is neither pinned nor there already is left to Azure.
func ExamplePool_Select_dynamic() {
	pool, _ := ipam.NewPool([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")})
	pair, err := pool.Select(ipam.Request{Families: []ipam.Family{ipam.IPv4}})
	fmt.Println(pair.IsZero(), err)
	// Output: true <nil>
}

func ExamplePool_Check() {
	pool, _ := ipam.NewPool([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}, netip.MustParseAddr("10.0.0.7"))
	for _, a := range []string{"10.0.0.6", "10.0.0.7", "10.0.0.1", "10.0.1.6"} {
		fmt.Println(pool.Check(netip.MustParseAddr(a)))
	}
	err := pool.Check(netip.MustParseAddr("10.0.0.7"))
	fmt.Println(errors.Is(err, ipam.ErrTaken))
	// Output:
	// <nil>
	// 10.0.0.7: in use
	// 10.0.0.1: kept by Azure, which needs the first four addresses of each prefix and the last IPv4 one
	// 10.0.1.6: in no prefix of the subnet
	// true
}
