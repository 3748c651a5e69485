package ipam

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/azlb/azlb/internal/property"
	"pgregory.net/rapid"
)

func TestPoolSelect(t *testing.T) {
	p := pool(t, []string{"10.0.0.0/28", "fd00::/64"}, "10.0.0.4", "10.0.0.6")
	v4, dual := []Family{IPv4}, []Family{IPv4, IPv6}
	for _, c := range []struct {
		name    string
		request Request
		want    Pair
		errs    []error
	}{
		{"nothing asked: ARM assigns", Request{Families: dual}, Pair{}, nil},
		{"no family", Request{Fill: true}, Pair{}, nil},
		{"pinned", Request{Families: v4, Pinned: Pair{V4: addr("10.0.0.7")}}, Pair{V4: addr("10.0.0.7")}, nil},
		{
			"pinned wins over previous",
			Request{Families: v4, Pinned: Pair{V4: addr("10.0.0.7")}, Previous: Pair{V4: addr("10.0.0.8")}},
			Pair{V4: addr("10.0.0.7")},
			nil,
		},
		{"previous stays", Request{Families: v4, Previous: Pair{V4: addr("10.0.0.8")}, Fill: true}, Pair{V4: addr("10.0.0.8")}, nil},
		{"previous is outside now", Request{Families: v4, Previous: Pair{V4: addr("10.1.0.8")}}, Pair{}, nil},
		{"previous is outside now, filled", Request{Families: v4, Previous: Pair{V4: addr("10.1.0.8")}, Fill: true}, Pair{V4: addr("10.0.0.5")}, nil},
		{"previous is taken now", Request{Families: v4, Previous: Pair{V4: addr("10.0.0.6")}, Fill: true}, Pair{V4: addr("10.0.0.5")}, nil},
		{"previous of the other family", Request{Families: v4, Previous: Pair{V4: addr("fd00::9")}}, Pair{}, nil},
		{"each family by itself", Request{
			Families: dual,
			Pinned:   Pair{V6: addr("fd00::9")},
			Fill:     true,
		}, Pair{V4: addr("10.0.0.5"), V6: addr("fd00::9")}, nil},
		{"a family not asked for does not count", Request{Families: v4, Pinned: Pair{V6: addr("fd01::9")}}, Pair{}, nil},
		{"pinned is taken", Request{Families: v4, Pinned: Pair{V4: addr("10.0.0.4")}, Previous: Pair{V4: addr("10.0.0.8")}}, Pair{}, []error{ErrTaken}},
		{"pinned is outside", Request{Families: v4, Pinned: Pair{V4: addr("10.1.0.4")}, Fill: true}, Pair{}, []error{ErrOutside}},
		{"pinned is the gateway", Request{Families: v4, Pinned: Pair{V4: addr("10.0.0.1")}}, Pair{}, []error{ErrReserved}},
		{"pinned of the other family", Request{Families: v4, Pinned: Pair{V4: addr("fd00::9")}}, Pair{}, []error{ErrFamily}},
		{"invalid family", Request{Families: []Family{0}}, Pair{}, []error{ErrFamily}},
		{"one family bad, the other served", Request{
			Families: dual,
			Pinned:   Pair{V4: addr("10.0.0.4"), V6: addr("fd00::9")},
		}, Pair{V6: addr("fd00::9")}, []error{ErrTaken}},
		{"everything wrong at once", Request{
			Families: dual,
			Pinned:   Pair{V4: addr("10.0.0.4"), V6: addr("fd00::")},
		}, Pair{}, []error{ErrTaken, ErrReserved}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := p.Select(c.request)
			if got != c.want {
				t.Errorf("Select = %v, want %v", got, c.want)
			}
			for _, want := range c.errs {
				if !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
			}
			if err != nil && len(c.errs) == 0 {
				t.Errorf("error %v", err)
			}
		})
	}
}

// world is a random subnet with some of its addresses taken.
type world struct {
	prefixes []netip.Prefix
	taken    []netip.Addr
	pool     Pool
}

func drawWorld(t *rapid.T) world {
	var w world
	for range rapid.IntRange(1, 3).Draw(t, "prefixes") {
		a := drawAddr(t, "prefix")
		bits := rapid.IntRange(a.BitLen()-5, a.BitLen()).Draw(t, "bits")
		w.prefixes = append(w.prefixes, netip.PrefixFrom(a, bits))
	}
	for range rapid.IntRange(0, 20).Draw(t, "taken") {
		w.taken = append(w.taken, drawAddr(t, "taken address"))
	}
	var err error
	if w.pool, err = NewPool(w.prefixes, w.taken...); err != nil {
		t.Fatal(err)
	}
	return w
}

// drawAddr draws from few addresses, so that they often meet.
func drawAddr(t *rapid.T, label string) netip.Addr {
	low := rapid.Byte().Draw(t, label) % 80
	if rapid.Bool().Draw(t, label+" is IPv6") {
		b := netip.MustParseAddr("fd00::").As16()
		b[15] = low
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, low})
}

func drawRequest(t *rapid.T) Request {
	maybe := func(label string) Pair {
		var pair Pair
		for range rapid.IntRange(0, 2).Draw(t, label) {
			pair = pair.With(drawAddr(t, label))
		}
		return pair
	}
	return Request{
		Families: rapid.SampledFrom([][]Family{{IPv4}, {IPv6}, {IPv4, IPv6}, {IPv6, IPv4}}).Draw(t, "families"),
		Pinned:   maybe("pinned"),
		Previous: maybe("previous"),
		Fill:     rapid.Bool().Draw(t, "fill"),
	}
}

// usable says, without the sets of Pool, whether a is one of the addresses that may be given out.
func (w world) usable(a netip.Addr) bool {
	inside := false
	for _, prefix := range w.prefixes {
		inside = inside || prefix.Contains(a)
		for _, kept := range Reserved(prefix) {
			if kept == a {
				return false
			}
		}
	}
	for _, taken := range w.taken {
		if taken == a {
			return false
		}
	}
	return inside
}

func TestSelectProperties(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		w, r := drawWorld(t), drawRequest(t)
		pair, err := w.pool.Select(r)
		again, errAgain := w.pool.Select(r)
		if pair != again || (err == nil) != (errAgain == nil) {
			t.Fatalf("not deterministic: %v, %v and %v, %v", pair, err, again, errAgain)
		}
		for _, f := range []Family{IPv4, IPv6} {
			w.checkChoice(t, r, f, pair.Of(f), err)
		}
	})
}

func (w world) checkChoice(t *rapid.T, r Request, f Family, got netip.Addr, err error) {
	pinned, previous := r.Pinned.Of(f), r.Previous.Of(f)
	asked := false
	for _, want := range r.Families {
		asked = asked || want == f
	}
	switch {
	case !asked:
		if got.IsValid() {
			t.Fatalf("%v was not asked for, got %v", f, got)
		}
		return
	case got.IsValid() && (!w.usable(got) || FamilyOf(got) != f):
		t.Fatalf("%v is reserved, taken, outside or not %v", got, f)
	case pinned.IsValid():
		if w.usable(pinned) != (got == pinned) || !w.usable(pinned) && (err == nil || got.IsValid()) {
			t.Fatalf("pinned %v, got %v, %v", pinned, got, err)
		}
	case w.usable(previous):
		if got != previous {
			t.Fatalf("previous %v could stay, got %v", previous, got)
		}
	case !r.Fill:
		if got.IsValid() {
			t.Fatalf("nothing to keep and nothing to fill, got %v", got)
		}
	case got.IsValid():
		w.checkLowest(t, got)
	default:
		if !errors.Is(err, ErrExhausted) {
			t.Fatalf("nothing for %v, error %v", f, err)
		}
	}
}

func (w world) checkLowest(t *rapid.T, got netip.Addr) {
	for _, prefix := range w.prefixes {
		for a := prefix.Masked().Addr(); prefix.Contains(a); a = a.Next() {
			if FamilyOf(a) == FamilyOf(got) && a.Less(got) && w.usable(a) {
				t.Fatalf("%v is free and lower than %v", a, got)
			}
		}
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		w, r := drawWorld(t), drawRequest(t)
		prefixes := rapid.Permutation(w.prefixes).Draw(t, "order of prefixes")
		taken := rapid.Permutation(w.taken).Draw(t, "order of taken")
		p, err := NewPool(prefixes, taken...)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := w.pool.Select(r)
		if got, _ := p.Select(r); got != want {
			t.Fatalf("%v, in another order %v", want, got)
		}
	})
}

func FuzzSelect(f *testing.F) {
	f.Add("10.0.0.0/24", "10.0.0.4", "10.0.0.5", "10.0.0.6")
	f.Add("fd00::/64", "fd00::4", "::ffff:10.0.0.4", "fe80::1%eth0")
	f.Add("255.255.255.255/0", "", "255.255.255.255", "0.0.0.4")
	f.Add("::ffff:10.0.0.0/120", "10.0.0.4", "", "")
	f.Add("::ffff:0.0.0.0/0", "", "", "") // wider than all of IPv4, so a prefix of neither family
	f.Fuzz(func(t *testing.T, subnet, taken, pinned, previous string) {
		prefix, _ := netip.ParsePrefix(subnet)
		parse := func(s string) netip.Addr { a, _ := netip.ParseAddr(s); return a }
		p, err := NewPool([]netip.Prefix{prefix}, parse(taken))
		usable := prefix.IsValid() && (!prefix.Addr().Is4In6() || prefix.Bits() >= 96)
		if (err == nil) != usable {
			t.Fatalf("NewPool(%v): %v", prefix, err)
		}
		for _, r := range []Request{
			{Families: []Family{IPv4, IPv6}, Previous: Pair{V4: parse(previous), V6: parse(previous)}, Fill: true},
			{Families: []Family{IPv4, IPv6}, Pinned: Pair{V4: parse(pinned), V6: parse(pinned)}},
		} {
			pair, _ := p.Select(r)
			for _, a := range []netip.Addr{pair.V4, pair.V6} {
				if a.IsValid() && p.Check(a) != nil {
					t.Fatalf("Select(%v) = %v: %v", r, pair, p.Check(a))
				}
			}
		}
	})
}
