package fake

import (
	"errors"
	"fmt"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// Errors of calls that got no answer. They are wrapped by an [provider.OpError] of kind [provider.Unknown].
var (
	ErrDropped = errors.New("connection lost")    // by a [Fault] with Drop
	ErrCrashed = errors.New("cloud out of reach") // after [CrashAfter], until [Cloud.Restart]
)

// refuse is the one way in which the fake says no: as the reader of ARM's answers would tell it. sub is the part of the target that is at
// fault, or empty.
func refuse(status int, code string, sub lb.ID, format string, args ...any) *provider.OpError {
	message := fmt.Sprintf(format, args...)
	body := armwire.Format(armwire.Object{"error": armwire.Object{"code": code, "message": message}})
	e := provider.ParseError(status, nil, body)
	e.Code, e.SubResource, e.Err = code, sub, errors.New(message)
	return e
}

// badReference is ARM's answer to an id that names nothing.
func badReference(from, to lb.ID) *provider.OpError {
	return refuse(400, "InvalidResourceReference", from, "Resource %s referenced by resource %s was not found. Please make sure that the "+
		"referenced resource exists, and that both resources are in the same region.", to, from)
}

func notFound(id lb.ID) *provider.OpError {
	return refuse(404, "ResourceNotFound", "", "The Resource '%s' under resource group '%s' was not found.", id, id.ResourceGroup())
}

// unanswered is what a caller sees of a call that never came back.
func unanswered(err error) *provider.OpError {
	return &provider.OpError{Kind: provider.Unknown, Err: err}
}
