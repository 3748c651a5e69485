package annotations

import (
	"errors"
	"fmt"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb/armid"
)

// What can be wrong with a value. Every [Error] wraps one of them.
var (
	ErrSyntax   = armid.ErrSyntax // the one of names and ids, so that one question covers both
	ErrRange    = errors.New("out of range")
	ErrConflict = errors.New("conflict")
	ErrReserved = errors.New("reserved")
)

// Outcome is what an unusable value does to its Service.
type Outcome uint8

// The outcomes. Hold: the Service stays as it is in Azure until the value is mended. Close: the bad item is dropped and everything that is
// not allowed is denied. Default: the value is as good as absent.
const (
	Hold Outcome = iota + 1
	Close
	Default
)

// String returns hold, close or default.
func (o Outcome) String() string {
	switch o {
	case Hold:
		return "hold"
	case Close:
		return "close"
	case Default:
		return "default"
	default:
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
}

// Error is one value of a Service that could not be used. Parse joins one per bad value, in the order of the registry.
type Error struct {
	Key     string // annotation key; empty if the value is that of a field of the spec
	Path    string // path of a field of the spec, such as spec.loadBalancerIP; empty for an annotation
	Value   string // as it stands in the Service, however long; the text shows its first 200 characters
	Outcome Outcome
	Err     error // wraps ErrSyntax, ErrRange, ... and says what was wanted
}

func (e *Error) Error() string {
	return safetext.Sprintf("%s: %s: %v", e.Field(), safetext.Value(e.Value), e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Field is the path as the API server would print it.
func (e *Error) Field() string {
	if e.Key == "" {
		return e.Path
	}
	return annotationField(e.Key)
}

// Severity is what the value is in a finding: that of its [Outcome], but a value that would meddle with what azlb keeps for itself
// ([ErrReserved]) is an error whatever becomes of it.
func (e *Error) Severity() Severity {
	if errors.Is(e.Err, ErrReserved) {
		return SeverityError
	}
	return e.Outcome.Severity()
}

// annotationField is the path of an annotation.
func annotationField(key string) string { return "metadata.annotations[" + safetext.Quote(key) + "]" }

// inField is an Error without its field, which a finding has beside it.
type inField struct{ err *Error }

func (e inField) Error() string {
	return safetext.Sprintf("%s: %v", safetext.Value(e.err.Value), e.err.Err)
}

func (e inField) Unwrap() error { return e.err }

// Severity is what an unusable value with this outcome is in a finding.
func (o Outcome) Severity() Severity {
	if o == Default {
		return SeverityWarning
	}
	return SeverityError
}

// MarshalText returns the text of [Outcome.String].
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }
