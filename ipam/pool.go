package ipam

import (
	"errors"
	"net/netip"

	"go4.org/netipx"
)

// kept is how many addresses Azure keeps at the start of every prefix of a subnet.
const kept = 4

// Pool is the addresses of one subnet. It is a value: methods that change something return another pool. The zero Pool has no address.
type Pool struct {
	all      netipx.IPSet // every address of the prefixes
	reserved netipx.IPSet // those that Azure keeps
	taken    netipx.IPSet
	free     netipx.IPSet // all without reserved and taken
}

// NewPool makes the pool of a subnet with the given prefixes, of which taken are in use. Prefixes are masked first, and IPv4 prefixes and
// addresses that are mapped into IPv6 count as IPv4. Order and repetition do not matter, and neither do taken addresses elsewhere.
//
// The error joins one [*Error] that wraps [ErrPrefix] for each prefix that is invalid; the pool then has the others.
func NewPool(subnets []netip.Prefix, taken ...netip.Addr) (Pool, error) {
	var all, reserved netipx.IPSetBuilder
	var errs []error
	for _, subnet := range subnets {
		prefix, ok := canonical(subnet)
		if !ok {
			errs = append(errs, &Error{Prefix: subnet, Err: ErrPrefix})
			continue
		}
		all.AddPrefix(prefix)
		for _, a := range Reserved(prefix) {
			reserved.Add(a)
		}
	}
	p := Pool{all: build(&all), reserved: build(&reserved)}
	return p.Without(taken...), errors.Join(errs...)
}

// canonical returns the masked form of prefix, as IPv4 if it is mapped into IPv6.
func canonical(prefix netip.Prefix) (netip.Prefix, bool) {
	if prefix.Addr().Is4In6() {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), prefix.IsValid()
}

// build returns the set of b. Nothing that is put into a builder here is invalid, so the error that Build collects cannot occur.
func build(b *netipx.IPSetBuilder) netipx.IPSet {
	set, err := b.IPSet()
	if err != nil || set == nil {
		return netipx.IPSet{}
	}
	return *set
}

// Without returns p with the given addresses taken too. Invalid addresses are left out.
func (p Pool) Without(taken ...netip.Addr) Pool {
	var used, free netipx.IPSetBuilder
	used.AddSet(&p.taken)
	for _, a := range taken {
		if a = plain(a); a.IsValid() {
			used.Add(a)
		}
	}
	p.taken = build(&used)
	free.AddSet(&p.all)
	free.RemoveSet(&p.reserved)
	free.RemoveSet(&p.taken)
	p.free = build(&free)
	return p
}

// plain returns a as IPv4 if it is mapped into IPv6. An address with a zone is one of a link and in no subnet, so it becomes invalid.
func plain(a netip.Addr) netip.Addr {
	if a.Zone() != "" {
		return netip.Addr{}
	}
	return a.Unmap()
}

// Contains reports whether a lies in the subnet, free or not.
func (p Pool) Contains(a netip.Addr) bool { return p.all.Contains(plain(a)) }

// Check reports whether a can be had: nil, or an [*Error] that wraps [ErrOutside] if a is invalid or lies in no prefix of the subnet,
// [ErrReserved] if Azure keeps it, or [ErrTaken] if it is in use.
func (p Pool) Check(a netip.Addr) error {
	var err error
	switch bare := plain(a); {
	case !p.all.Contains(bare):
		err = ErrOutside
	case p.reserved.Contains(bare):
		err = ErrReserved
	case p.taken.Contains(bare):
		err = ErrTaken
	default:
		return nil
	}
	return &Error{Family: FamilyOf(a), Addr: a, Err: err}
}

// Lowest returns the lowest free address of family f. The error is an [*Error] that wraps [ErrExhausted] if there is none, also if the
// subnet has no prefix of that family.
func (p Pool) Lowest(f Family) (netip.Addr, error) {
	for _, free := range p.free.Ranges() { // sorted
		if FamilyOf(free.From()) == f {
			return free.From(), nil
		}
	}
	return netip.Addr{}, &Error{Family: f, Err: ErrExhausted}
}

// Reserved returns the addresses that Azure keeps in a prefix of a subnet, in order: the first four, which are the network, the gateway and
// two for Azure's DNS, and for IPv4 the last, which is the broadcast address. Of a prefix with fewer addresses it is all of them.
func Reserved(prefix netip.Prefix) []netip.Addr {
	prefix, ok := canonical(prefix)
	if !ok {
		return nil
	}
	var list []netip.Addr
	for a := prefix.Addr(); len(list) < kept && prefix.Contains(a); a = a.Next() {
		list = append(list, a)
	}
	if last := netipx.PrefixLastIP(prefix); last.Is4() && list[len(list)-1].Less(last) {
		list = append(list, last)
	}
	return list
}
