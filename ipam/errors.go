package ipam

import (
	"errors"
	"net/netip"
)

// What can be wrong with an address or a pool. Every [Error] wraps one of them.
var (
	ErrOutside   = errors.New("in no prefix of the subnet")
	ErrReserved  = errors.New("kept by Azure, which needs the first four addresses of each prefix and the last IPv4 one")
	ErrTaken     = errors.New("in use")
	ErrExhausted = errors.New("no free address left")
	ErrFamily    = errors.New("wrong address family")
	ErrPrefix    = errors.New("no usable prefix")
)

// Error is an address that cannot be had, a family that has none left, or a prefix that cannot be used.
type Error struct {
	Family Family       // the family asked for; zero where none was
	Addr   netip.Addr   // the address asked for; invalid where none was
	Prefix netip.Prefix // of [NewPool]
	Err    error        // wraps ErrOutside, ErrReserved, ...
}

func (e *Error) Error() string {
	switch {
	case errors.Is(e.Err, ErrPrefix):
		return e.Prefix.String() + ": " + e.Err.Error()
	case errors.Is(e.Err, ErrExhausted), errors.Is(e.Err, ErrFamily) && !e.Addr.IsValid():
		return e.Family.String() + ": " + e.Err.Error()
	default:
		return e.Addr.String() + ": " + e.Err.Error()
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
