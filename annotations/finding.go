package annotations

import (
	"fmt"

	"github.com/azlb/azlb/internal/safetext"
	"k8s.io/apimachinery/pkg/types"
)

// Severity says what a finding means for the Service it is about.
type Severity uint8

// The severities. Error: part of what was asked for is not done. Warning: done, but probably not as intended. Info: worth knowing.
const (
	SeverityInfo Severity = iota + 1
	SeverityWarning
	SeverityError
)

// String returns info, warning or error.
func (s Severity) String() string {
	switch s {
	case SeverityInfo:
		return "info"
	case SeverityWarning:
		return "warning"
	case SeverityError:
		return "error"
	default:
		return fmt.Sprintf("Severity(%d)", uint8(s))
	}
}

// Finding is something a person should know about one Service, or, with an empty Service, about the cluster's configuration or nodes.
type Finding struct {
	Service  types.NamespacedName
	Field    string // path as the API server would print it, such as metadata.annotations[KEY] or spec.ports[0].port; may be empty
	Severity Severity
	Err      error // what is wrong and what to do; wraps a sentinel that callers can ask for with errors.Is
	// Holds says that the Service is held for this: what it has in Azure stays as it is, nothing is added, until the finding is gone.
	Holds bool
}

// String returns the finding on one line: severity, Service, field, text. What is not printable in it is quoted, as in the text of Err.
func (f Finding) String() string {
	text := f.Severity.String() + ": "
	if f.Service.Name != "" {
		text += f.Service.String() + ": "
	}
	if f.Field != "" {
		text += f.Field + ": "
	}
	return safetext.Quote(text + fmt.Sprint(f.Err))
}

// Findings makes findings of what [Parse] said of a Service: a value that holds or closes the Service is an error, one that is as good as
// absent a warning, unless it would meddle with what azlb keeps for itself.
func Findings(service types.NamespacedName, err error) []Finding {
	var list []Finding
	for _, e := range Errors(err) {
		list = append(list, Finding{
			Service: service, Field: e.Field(), Severity: e.Severity(), Err: inField{e}, Holds: e.Outcome == Hold,
		})
	}
	return list
}
