package armwire

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// TestPoolKeepsItsNetwork tries every way in which the network of a pool can be written (at the pool, or at some of its three addresses, as
// Terraform does), with every set of addresses that stay, and with up to two new ones. Whatever is written, Azure finds the network of each
// address, at the pool or at the address itself, and the pool is as wanted.
func TestPoolKeepsItsNetwork(t *testing.T) {
	network := armid.Resource("s", "rg", armid.VirtualNetworks, "vnet")
	balancer := armid.Resource("s", "rg", armid.LoadBalancers, "l")
	member := func(i int) lb.Member {
		return lb.Member{Name: fmt.Sprint("m", i), IP: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})}
	}
	tried := 0
	for placed := range 1 << 4 { // bit 3: at the pool
		for stay := range 1 << 3 {
			for added := range 3 {
				pool := Object{"name": "p", "properties": Object{}}
				before, after := lb.Pool{Name: "p"}, lb.Pool{Name: "p", Network: network}
				if placed > 0 {
					before.Network = network
				}
				var list []any
				for i := range 3 {
					entry := Object{"name": member(i).Name, "properties": Object{"ipAddress": member(i).IP.String()}}
					if placed>>i&1 == 1 {
						set(entry, "properties.virtualNetwork", ref(network))
					}
					list = append(list, entry)
					before.Members = append(before.Members, member(i))
					if stay>>i&1 == 1 {
						after.Members = append(after.Members, member(i))
					}
				}
				if placed>>3 == 1 {
					set(pool, "properties.virtualNetwork", ref(network))
				}
				set(pool, membersAt, list)
				for i := range added {
					after.Members = append(after.Members, member(8+i))
				}
				name := fmt.Sprintf("network at %04b, %03b stay, %d new", placed, stay, added)
				whole := Object{"id": string(balancer), "sku": Object{"name": "Standard"}, "properties": Object{"backendAddressPools": []any{pool}}}
				put := lb.PutLoadBalancer{Before: balancerWith(balancer, before), After: balancerWith(balancer, after)}
				tried += poolIsWhole(t, name+", alone", lb.PutBackendPool{LoadBalancer: balancer, Before: before, After: after}, pool, "")
				tried += poolIsWhole(t, name+", with the load balancer", put, whole, poolsAt)
			}
		}
	}
	if tried < 600 {
		t.Errorf("%d writes tried", tried)
	}
}

func balancerWith(id lb.ID, p lb.Pool) lb.LoadBalancer {
	return lb.LoadBalancer{ID: id, SKU: "Standard", Pools: []lb.Pool{p}}
}

// poolIsWhole checks what op writes over raw, whose pool is in the list at a path, or is raw itself. It returns how many writes there were.
func poolIsWhole(t *testing.T, name string, op lb.Op, raw Object, at string) int {
	t.Helper()
	r, err := Prepare(op, raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if r.Verdict != Write {
		return 0
	}
	pool := r.Body
	if at != "" {
		pool = objects(r.Body, at)[0]
	}
	entries := objects(pool, membersAt)
	missing := 0
	for _, e := range entries {
		if value(e, "properties.virtualNetwork") == nil {
			missing++
		}
	}
	if value(pool, "properties.virtualNetwork") == nil && missing > 0 {
		t.Errorf("%s: %d of %d addresses have no network:\n%s", name, missing, len(entries), Format(pool))
	}
	if again, err := Prepare(op, r.Body); err != nil || again.Verdict != Done {
		t.Errorf("%s: afterwards %v, %v:\n%s", name, again.Verdict, err, Format(pool))
	}
	return 1
}

// TestFrontendChangesKind: what a frontend was does not stay behind in what it becomes, such as the version of the address that it had.
func TestFrontendChangesKind(t *testing.T) {
	balancer := armid.Resource("s", "rg", armid.LoadBalancers, "l")
	subnets := []lb.ID{armid.Resource("s", "rg", armid.VirtualNetworks, "v").Child(armid.Subnets, "a"), armid.Resource("s", "rg", armid.VirtualNetworks, "v").Child(armid.Subnets, "b")}
	ip := armid.Resource("s", "rg", armid.PublicIPAddresses, "ip")
	four, six := netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("fd00::4")
	kinds := []lb.Frontend{
		{Name: "f", PublicIP: ip},
		{Name: "f", PublicIP: ip + "six"},
		{Name: "f", Subnet: subnets[0], Family: 1},
		{Name: "f", Subnet: subnets[1], Family: 1},
		{Name: "f", Subnet: subnets[0], Family: 1, Static: four},
		{Name: "f", Subnet: subnets[0], Family: 2},
		{Name: "f", Subnet: subnets[0], Family: 2, Static: six, Zones: "1"},
		{Name: "f", Subnet: subnets[0], Family: 1, Zones: "1,2,3"},
	}
	wish := func(f lb.Frontend) lb.LoadBalancer {
		return lb.LoadBalancer{ID: balancer, SKU: "Standard", Frontends: []lb.Frontend{f}}
	}
	for _, before := range kinds {
		for _, shown := range []Object{{}, {"privateIPAddressVersion": "IPv4"}, {"privateIPAddressVersion": "IPv6"}, {"privateIPAddress": "10.0.0.9"}} {
			raw := mustWrite(t, lb.PutLoadBalancer{After: wish(before)}, nil)
			raw["id"] = string(balancer)
			if before.PublicIP != "" { // Azure's to show; an internal one has its own
				for key, v := range shown {
					set(objects(raw, frontendsAt)[0], "properties."+key, v)
				}
			}
			for _, after := range kinds {
				op := lb.PutLoadBalancer{Before: wish(before), After: wish(after)}
				r, err := Prepare(op, raw)
				if err != nil {
					t.Fatal(err)
				}
				if r.Verdict != Write {
					continue
				}
				if again, err := Prepare(op, r.Body); err != nil || again.Verdict != Done {
					t.Errorf("from %+v, shown with %v, to %+v: afterwards %v, %v:\n%s", before, shown, after, again.Verdict, err, Format(objects(r.Body, frontendsAt)[0]))
				}
			}
		}
	}
}
