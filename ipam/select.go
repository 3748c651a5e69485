package ipam

import (
	"errors"
	"net/netip"
)

// Request is what a frontend, or a dual-stack pair of them, asks of a [Pool].
type Request struct {
	// Families are those an address is wanted for, in any order, each once. Addresses of other families in the fields below do not count.
	Families []Family
	// Pinned are the addresses that somebody named. They are had or refused, never replaced.
	Pinned Pair
	// Previous are the addresses it has now, which must not be among those taken in the pool.
	Previous Pair
	// Fill asks for the lowest free address where nothing is pinned and nothing can be kept. Otherwise there is none then, and Azure
	// assigns one.
	Fill bool
}

// Select returns the addresses that r should have, one for each of its families or none where Azure is to assign it.
//
// A pinned address wins and must be free; otherwise the previous one stays if it still can be had; otherwise, with Fill, it is the lowest
// free one. The result never holds an address that Azure keeps or that is taken. The same arguments give the same answer.
//
// The error joins one [*Error] for each family that cannot be served, and the pair has nothing for these: [ErrOutside], [ErrReserved] or
// [ErrTaken] for a pinned address, [ErrExhausted] if nothing is left to fill with, [ErrFamily] for a family that is none or an address in
// the place of the other family.
func (p Pool) Select(r Request) (Pair, error) {
	var pair Pair
	var errs []error
	for _, f := range r.Families {
		a, err := p.one(f, r)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		pair = pair.With(a)
	}
	return pair, errors.Join(errs...)
}

// one returns the address for family f, or the zero Addr for none.
func (p Pool) one(f Family, r Request) (netip.Addr, error) {
	pinned, previous := r.Pinned.Of(f), plain(r.Previous.Of(f))
	switch {
	case f != IPv4 && f != IPv6:
		return netip.Addr{}, &Error{Family: f, Err: ErrFamily}
	case pinned.IsValid() && FamilyOf(pinned) != f:
		return netip.Addr{}, &Error{Family: f, Addr: pinned, Err: ErrFamily}
	case pinned.IsValid():
		return p.have(pinned)
	}
	// Keeping what it has comes before tidiness: a new address would cut every client that resolved the old one.
	if FamilyOf(previous) == f && p.Check(previous) == nil {
		return previous, nil
	}
	if !r.Fill {
		return netip.Addr{}, nil
	}
	return p.Lowest(f)
}

// have returns a if it can be had.
func (p Pool) have(a netip.Addr) (netip.Addr, error) {
	if err := p.Check(a); err != nil {
		return netip.Addr{}, err
	}
	return plain(a), nil
}
