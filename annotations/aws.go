package annotations

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// What a finding of [FromAWS] says of a setting. A value that AWS would not take either wraps [ErrSyntax] or [ErrRange], a key that nobody
// knows [ErrUnknown], one that has no effect on AWS either [ErrNoEffect].
var (
	ErrSame          = errors.New("same on Azure")
	ErrDiffers       = errors.New("differs on Azure")
	ErrNotNeeded     = errors.New("not needed on Azure")
	ErrWantsValue    = errors.New("wants a value of Azure")
	ErrNoCounterpart = errors.New("no counterpart on Azure")
	ErrShadowed      = errors.New("decided already")
)

// Verdict is how much of what a setting of AWS does can be had on Azure.
type Verdict uint8

// The verdicts. Exact: the same effect. Lossy: the nearest setting differs in scope, range or effect. Native: Azure does it by itself, or
// Kubernetes has a field for it. Input: a value is wanted that only a person knows. None: no counterpart. Unknown: no key of AWS that is
// known here.
const (
	Exact Verdict = iota + 1
	Lossy
	Native
	Input
	None
	Unknown
)

var verdicts = [...]string{Exact: "exact", Lossy: "lossy", Native: "native", Input: "input", None: "none", Unknown: "unknown"}

// String returns the verdict in one word.
func (v Verdict) String() string {
	if v == 0 || int(v) >= len(verdicts) {
		return fmt.Sprintf("Verdict(%d)", uint8(v))
	}
	return verdicts[v]
}

// MarshalText returns the text of [Verdict.String].
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// kind is the error that a finding with this verdict wraps.
func (v Verdict) kind() error {
	return [...]error{Exact: ErrSame, Lossy: ErrDiffers, Native: ErrNotNeeded, Input: ErrWantsValue, None: ErrNoCounterpart, Unknown: ErrUnknown}[v]
}

// Effect is what is different for those who use the Service.
type Effect uint8

// The effects. Same is the zero value.
const (
	Same Effect = iota
	Different
	LessAvailable
	MoreExposed
)

var effects = [...]string{Same: "same", Different: "different", LessAvailable: "less available", MoreExposed: "more exposed"}

// String returns the effect in a word or two.
func (e Effect) String() string {
	if int(e) >= len(effects) {
		return fmt.Sprintf("Effect(%d)", uint8(e))
	}
	return effects[e]
}

// MarshalText returns the text of [Effect.String].
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// AWSImplementation is who made the load balancer of a Service on AWS. In the registry it is who reads a key.
type AWSImplementation uint8

// The implementations. AWSDetect, the zero value, finds out from the Service; in the registry it stands for both.
const (
	AWSDetect     AWSImplementation = iota
	AWSClassic                      // the cloud provider, in-tree or out of it: classic load balancers, and network load balancers of type nlb
	AWSController                   // the AWS Load Balancer Controller and EKS Auto Mode: network load balancers
)

// String returns the name that the command-line tool has for the implementation.
func (i AWSImplementation) String() string {
	switch i {
	case AWSDetect:
		return "detect"
	case AWSClassic:
		return "classic"
	case AWSController:
		return "controller"
	default:
		return fmt.Sprintf("AWSImplementation(%d)", uint8(i))
	}
}

// AWSScheme is who can reach a load balancer of AWS.
type AWSScheme string

// The schemes, spelled as AWS spells them.
const (
	AWSInternal       AWSScheme = "internal"
	AWSInternetFacing AWSScheme = "internet-facing"
)

// AWSOptions tunes FromAWS. A nil *AWSOptions means every default below.
type AWSOptions struct {
	// Implementation that the Service was written for. Zero finds it out from what is in the Service: class, type, and the keys that only
	// one of the two reads.
	Implementation AWSImplementation
	// DefaultScheme is that of a Service that names none. Empty: internal for the AWS Load Balancer Controller, internet-facing for the
	// cloud provider, and internal, with an error, where it cannot be found out who it was. The controller has an option for its default,
	// and a load balancer keeps the scheme that it was made with: for these, say it here.
	DefaultScheme AWSScheme
	// Class is the spec.loadBalancerClass that the provider on Azure serves, which a class of AWS becomes. Empty: Services without one.
	Class string
}

// The classes of load balancers that AWS serves.
var awsClasses = []string{"service.k8s.aws/nlb", "eks.amazonaws.com/nlb"}

// AWSFinding is what became of one setting: a key, an attribute in the list that a key holds, or a field.
type AWSFinding struct {
	Finding
	Key       string // with its prefix; empty for a field and for a default
	Attribute string // in the list that the key holds
	Value     string // of the key or the attribute
	Verdict   Verdict
	Becomes   []Became
	Effect    Effect
	// Shadowed says that the Service has what Azure reads for it already, which was left as it is.
	Shadowed bool

	row *AWSKey
}

// Became is an annotation or a field of a translated Service.
type Became struct {
	Field string // path, such as spec.sessionAffinity or metadata.annotations[KEY]
	Key   string // of the annotation; empty for a field
	Value string // empty: removed
}

// String returns the setting as a person would write it, with a key of the usual prefix without it.
func (b Became) String() string {
	name := b.Field
	if b.Key != "" {
		name = short(b.Key)
	}
	if b.Value == "" {
		return "no " + name
	}
	return name + ": " + b.Value
}

// NeedsPerson reports whether somebody has to do something before the Service can be used as before: an error, a value to supply, a key that
// nobody knows.
func (f AWSFinding) NeedsPerson() bool {
	return f.Severity == SeverityError || !f.Shadowed && (f.Verdict == Unknown || f.Verdict == Input && f.Severity >= SeverityWarning)
}

// Setting names what the finding is about: the key without the usual prefix, with the attribute after a blank, or the path of the field.
func (f AWSFinding) Setting() string {
	if f.Key == "" {
		if key, ok := strings.CutPrefix(f.Field, "metadata.annotations["); ok {
			return short(strings.TrimSuffix(key, "]"))
		}
		return f.Field
	}
	return strings.TrimSpace(short(f.Key) + " " + f.Attribute)
}

// FromAWS translates a Service that was written for AWS, and leaves svc as it is. [AWSKeys] says what each key becomes.
//
// There is a finding about every key of AWS, and one per attribute of a key that holds several, errors first; nothing goes without. What
// only a person can decide is left out, never made up. A key that Azure reads and that is there already stays, and what AWS has for it is
// reported as decided. Translating once more changes nothing.
//
// The result is never more exposed than the Service was on AWS. Where nothing says who could reach it there, it becomes internal; where that
// was decided by security groups or prefix lists alone, and no source range is given, it is closed with the range [ClosedRange], which
// nobody has, until somebody writes the ranges.
func FromAWS(svc *corev1.Service, opts *AWSOptions) (*corev1.Service, []AWSFinding) {
	if opts == nil {
		opts = &AWSOptions{}
	}
	t := newTranslator(svc, *opts)
	t.translate()
	return t.out, t.list
}

// ClosedRange is a range of addresses for documentation, which no client has. As the only source it closes a Service.
const ClosedRange = "192.0.2.1/32"
