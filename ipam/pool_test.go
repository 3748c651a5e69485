package ipam

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, addr(s))
	}
	return out
}

func pool(t testing.TB, subnets []string, taken ...string) Pool {
	t.Helper()
	var prefixes []netip.Prefix
	for _, s := range subnets {
		prefixes = append(prefixes, netip.MustParsePrefix(s))
	}
	p, err := NewPool(prefixes, addrs(taken...)...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReserved(t *testing.T) {
	for _, c := range []struct {
		name, prefix string
		want         []string
	}{
		{"first four and broadcast", "10.0.0.0/24", []string{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.255"}},
		{"host bits do not count", "10.0.0.77/24", []string{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.255"}},
		{"smallest subnet Azure has", "10.0.0.8/29", []string{"10.0.0.8", "10.0.0.9", "10.0.0.10", "10.0.0.11", "10.0.0.15"}},
		{"last is among the first four", "10.0.0.0/30", []string{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"}},
		{"two addresses", "10.0.0.0/31", []string{"10.0.0.0", "10.0.0.1"}},
		{"one address", "10.0.0.5/32", []string{"10.0.0.5"}},
		{"end of the address space", "255.255.255.252/30", []string{"255.255.255.252", "255.255.255.253", "255.255.255.254", "255.255.255.255"}},
		{"IPv6 has no broadcast", "fd00::/64", []string{"fd00::", "fd00::1", "fd00::2", "fd00::3"}},
		{"one IPv6 address", "fd00::9/128", []string{"fd00::9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Reserved(netip.MustParsePrefix(c.prefix))
			if d := cmp.Diff(addrs(c.want...), got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	if got := Reserved(netip.Prefix{}); got != nil {
		t.Errorf("Reserved of no prefix = %v", got)
	}
	mapped := netip.PrefixFrom(netip.MustParseAddr("::ffff:10.0.0.0"), 120)
	if got := Reserved(mapped); len(got) != 5 || got[4] != addr("10.0.0.255") {
		t.Errorf("Reserved of a mapped prefix = %v", got)
	}
}

func TestPoolCheck(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/28", "10.0.2.0/28", "fd00:1::/64"}, "10.0.0.5", "::ffff:10.0.2.6", "10.9.9.9")
	for _, c := range []struct {
		name, addr string
		want       error
	}{
		{"free", "10.0.0.4", nil},
		{"free in the second prefix", "10.0.2.4", nil},
		{"free IPv6", "fd00:1::4", nil},
		{"last IPv6 address", "fd00:1::ffff:ffff:ffff:ffff", nil},
		{"mapped IPv4", "::ffff:10.0.0.4", nil},
		{"one below the first free one", "10.0.0.3", ErrReserved},
		{"broadcast", "10.0.0.15", ErrReserved},
		{"gateway of the second prefix", "10.0.2.1", ErrReserved},
		{"IPv6 network", "fd00:1::", ErrReserved},
		{"taken", "10.0.0.5", ErrTaken},
		{"taken, given as mapped", "10.0.2.6", ErrTaken},
		{"between the prefixes", "10.0.1.4", ErrOutside},
		{"taken elsewhere", "10.9.9.9", ErrOutside},
		{"with a zone", "fd00:1::4%eth0", ErrOutside},
		{"none", "", ErrOutside},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := addr(c.addr)
			err := p.Check(a)
			if !errors.Is(err, c.want) {
				t.Fatalf("Check(%v) = %v, want %v", a, err, c.want)
			}
			if e, ok := errors.AsType[*Error](err); ok && e.Addr != a {
				t.Errorf("the error is about %v, want %v", e.Addr, a)
			}
			if inside := !errors.Is(err, ErrOutside); p.Contains(a) != inside {
				t.Errorf("Contains(%v) = %v, want %v", a, !inside, inside)
			}
		})
	}
}

func TestPoolLowest(t *testing.T) {
	for _, c := range []struct {
		name    string
		subnets []string
		taken   []string
		family  Family
		want    string // empty: exhausted
	}{
		{"first after the reserved ones", []string{"10.0.0.0/24"}, nil, IPv4, "10.0.0.4"},
		{"gap", []string{"10.0.0.0/24"}, []string{"10.0.0.4", "10.0.0.6"}, IPv4, "10.0.0.5"},
		{"lowest prefix whatever the order", []string{"10.0.9.0/29", "10.0.1.0/29"}, nil, IPv4, "10.0.1.4"},
		{"next prefix when the first is full", []string{"10.0.1.0/30", "10.0.9.0/29"}, nil, IPv4, "10.0.9.4"},
		{"all taken", []string{"10.0.0.0/29"}, []string{"10.0.0.4", "10.0.0.5", "10.0.0.6"}, IPv4, ""},
		{"IPv6 beside IPv4", []string{"10.0.0.0/24", "fd00::/64"}, []string{"fd00::4"}, IPv6, "fd00::5"},
		{"no prefix of the family", []string{"10.0.0.0/24"}, nil, IPv6, ""},
		{"no subnet", nil, nil, IPv4, ""},
		{"no family", []string{"10.0.0.0/24"}, nil, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := pool(t, c.subnets, c.taken...).Lowest(c.family)
			if got != addr(c.want) || (err == nil) != (c.want != "") {
				t.Fatalf("Lowest = %v, %v; want %q", got, err, c.want)
			}
			if err != nil && !errors.Is(err, ErrExhausted) {
				t.Errorf("%v, want %v", err, ErrExhausted)
			}
		})
	}
}

func TestNewPoolKeepsTheUsablePrefixes(t *testing.T) {
	p, err := NewPool([]netip.Prefix{{}, netip.MustParsePrefix("10.0.0.0/24"), netip.PrefixFrom(addr("::ffff:10.1.0.0"), 90)})
	var all interface{ Unwrap() []error }
	if !errors.Is(err, ErrPrefix) || !errors.As(err, &all) || len(all.Unwrap()) != 2 {
		t.Errorf("NewPool: %v, want two errors", err)
	}
	if a, err := p.Lowest(IPv4); err != nil || a != addr("10.0.0.4") {
		t.Errorf("Lowest = %v, %v", a, err)
	}
}

func TestWithoutLeavesItsReceiverAlone(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/24"})
	var got []netip.Addr
	for q := p; len(got) < 3; q = q.Without(got...) {
		a, err := q.Lowest(IPv4)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, a)
	}
	if want := addrs("10.0.0.4", "10.0.0.5", "10.0.0.6"); !slices.Equal(got, want) {
		t.Errorf("one after the other: %v, want %v", got, want)
	}
	if err := p.Check(got[0]); err != nil {
		t.Errorf("the first pool changed: %v", err)
	}
}

func TestZeroPool(t *testing.T) {
	var p Pool
	if err := p.Check(addr("10.0.0.4")); !errors.Is(err, ErrOutside) {
		t.Errorf("Check: %v", err)
	}
	if pair, err := p.Select(Request{Families: []Family{IPv4, IPv6}}); err != nil || !pair.IsZero() {
		t.Errorf("Select: %v, %v", pair, err)
	}
	if _, err := p.Without(addr("10.0.0.4")).Lowest(IPv4); !errors.Is(err, ErrExhausted) {
		t.Errorf("Lowest: %v", err)
	}
}
