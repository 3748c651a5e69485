package ipam

import (
	"net/netip"
	"strconv"
)

// Family is an address family. The zero value is invalid, so a family that nobody set cannot pass for IPv4.
type Family uint8

// The address families.
const (
	IPv4 Family = iota + 1
	IPv6
)

// FamilyOf returns the family of a; an IPv4 address mapped into IPv6 counts as IPv4. It is zero for the zero Addr.
func FamilyOf(a netip.Addr) Family {
	switch {
	case !a.IsValid():
		return 0
	case a.Unmap().Is4():
		return IPv4
	default:
		return IPv6
	}
}

// String returns IPv4 or IPv6, as Kubernetes and ARM spell them.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	default:
		return "Family(" + strconv.Itoa(int(f)) + ")"
	}
}

// Pair is at most one address per family. The zero value has none.
type Pair struct{ V4, V6 netip.Addr }

// Of returns the address of family f, or the zero Addr.
func (p Pair) Of(f Family) netip.Addr {
	switch f {
	case IPv4:
		return p.V4
	case IPv6:
		return p.V6
	default:
		return netip.Addr{}
	}
}

// With returns p with a in the place of its family.
func (p Pair) With(a netip.Addr) Pair {
	switch FamilyOf(a) {
	case IPv4:
		p.V4 = a
	case IPv6:
		p.V6 = a
	}
	return p
}

// IsZero reports whether p has no address.
func (p Pair) IsZero() bool { return p == Pair{} }
