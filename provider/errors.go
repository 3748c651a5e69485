package provider

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
)

// Why calls of this package fail without ARM having refused anything.
var (
	// ErrNoInput: [Reconciler.Sync] got no Service at all, which looks more like a cache that is not filled, or like half of the manifests, than
	// like a cluster: every cluster has at least the Service default/kubernetes. Options.AllowEmpty says that it is meant.
	ErrNoInput = errors.New("no Service at all, and every cluster has default/kubernetes")
	// ErrNoService: [Reconciler.Ensure] was asked for a Service that is not in its input.
	ErrNoService = errors.New("no such Service in the input")
	// ErrRemovalGuard: too many Services would lose what they have; see [RemovalError].
	ErrRemovalGuard = errors.New("too many removals at once")
	// ErrHeld: a Service was left as it is; the errors joined to it say why.
	ErrHeld = errors.New("held")
	// ErrClosed: the [Reconciler] was closed.
	ErrClosed = errors.New("reconciler closed")
	// ErrDryRun: nothing was done, since Options.DryRun asked for that.
	ErrDryRun = errors.New("dry run")
	// ErrPlan: a plan is not well formed.
	ErrPlan = errors.New("malformed plan")
	// ErrUnresolved: a step refers to an address, or a Service has one, that no answer of Azure told.
	ErrUnresolved = errors.New("address not known")
	// ErrPanic: a [Provider] or Options.OnEvent panicked. The logger has the stack.
	ErrPanic = errors.New("panic")
	// ErrStuck: a [Provider] or Options.OnEvent had not returned when its context had ended and Options.Drain was over. It was left to itself; a
	// write that was under way may still happen.
	ErrStuck = errors.New("does not return")
)

// ErrorKind says what a caller can do about a failed operation.
type ErrorKind uint8

// The kinds. Retry: send the same again after RetryAfter. Replan: read and plan again. Dependency: something the resource refers to must
// be ready or gone first. Terminal: a person or another input is needed. Unknown: the write may or may not have happened.
const (
	Retry ErrorKind = iota + 1
	Replan
	Dependency
	Terminal
	Unknown
)

// String returns the kind as one lower-case word.
func (k ErrorKind) String() string {
	switch k {
	case Retry:
		return "retry"
	case Replan:
		return "replan"
	case Dependency:
		return "dependency"
	case Terminal:
		return "terminal"
	case Unknown:
		return "unknown"
	default:
		return fmt.Sprintf("ErrorKind(%d)", uint8(k))
	}
}

// OpError is a failed operation. Providers return it from Do and, with a nil Op, from Observe.
type OpError struct {
	Op          lb.Op
	Kind        ErrorKind
	Code        string  // ARM's innermost known code
	Status      int     // HTTP status; 0 if there was no answer
	SubResource lb.ID   // the part of the target that ARM named, if any
	Named       []lb.ID // every resource and part of one that ARM named, SubResource included, in the order of the answer
	RetryAfter  time.Duration
	Remedy      string // what a person can do, in words
	Err         error
}

func (e *OpError) Error() string {
	var parts []string
	if e.Op != nil {
		parts = append(parts, e.Op.Target().Name())
	}
	if e.Code != "" {
		parts = append(parts, e.Code)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	text := strings.Join(parts, ": ")
	if e.Remedy != "" {
		text += " (" + e.Remedy + ")"
	}
	return safetext.Quote(text)
}

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// KindOf returns the kind of err, or zero if err is no OpError.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*OpError](err); ok {
		return e.Kind
	}
	return 0
}

// asOpError returns err as an OpError about op. What is none, a context's error for one, leaves open whether the write happened.
func asOpError(op lb.Op, err error) *OpError {
	e, ok := errors.AsType[*OpError](err)
	if !ok {
		_, remedy := Classify(0, "")
		return &OpError{Op: op, Kind: Unknown, Remedy: remedy, Err: err}
	}
	about := *e
	about.Op = op
	return &about
}

// RemovalError says that a [Reconciler.Sync] kept what it would have removed. It wraps [ErrRemovalGuard].
type RemovalError struct {
	Services []string // whose shares would be gone, sorted; where the name is not known any more, the common part of the names in Azure
	Observed int      // how many have a share
	Max      int      // Options.MaxRemovals
}

func (e *RemovalError) Error() string {
	return safetext.Sprintf("%v: kept what %d of %d Services have, more than %d and more than half: %s",
		ErrRemovalGuard, len(e.Services), e.Observed, e.Max, strings.Join(e.Services, ", "))
}

// Unwrap returns [ErrRemovalGuard].
func (e *RemovalError) Unwrap() error { return ErrRemovalGuard }

// FieldError is what ARM refused because of one field of a Service.
type FieldError struct {
	Field string // such as metadata.annotations[service.beta.kubernetes.io/azure-load-balancer-ipv4]
	Err   *OpError
}

func (e *FieldError) Error() string { return safetext.Quote(e.Field) + ": " + e.Err.Error() }

// Unwrap returns the refusal.
func (e *FieldError) Unwrap() error { return e.Err }

// ServiceError is what keeps one Service from having what it asks for. [Reconciler.Sync] joins them.
type ServiceError struct {
	Service types.NamespacedName
	Err     error
}

func (e *ServiceError) Error() string {
	return safetext.Quote(e.Service.String()) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ServiceError) Unwrap() error { return e.Err }
