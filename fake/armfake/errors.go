package armfake

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/azlb/azlb/provider"
)

// refuse makes a refusal of Resource Manager itself.
func refuse(status int, code, format string, args ...any) *provider.OpError {
	kind, remedy := provider.Classify(status, code)
	return &provider.OpError{Kind: kind, Code: code, Status: status, Remedy: remedy, Err: fmt.Errorf(format, args...)}
}

// errorBody is ARM's error object.
type errorBody struct {
	Code    string      `json:"code"`
	Message string      `json:"message"`
	Target  string      `json:"target,omitempty"`
	Details []errorBody `json:"details,omitempty"`
}

// within are the codes that come as a detail of another one.
var within = map[string]string{
	"RetryableErrorDueToAnotherOperation":        "RetryableError",
	"ReferencedResourceNotProvisioned":           "RetryableError",
	"GatewayError":                               "RetryableError",
	"CanceledAndSupersededDueToAnotherOperation": "Canceled",
	"PreconditionFailedEtagMismatch":             "PreconditionFailed",
}

// bodyOf writes e as ARM does.
func bodyOf(e *provider.OpError) errorBody {
	body := errorBody{Code: e.Code, Target: string(e.SubResource)}
	if e.Err != nil {
		body.Message = e.Err.Error()
	}
	if outer := within[e.Code]; outer != "" {
		return errorBody{Code: outer, Message: body.Message, Details: []errorBody{body}}
	}
	return body
}

// refusal is the answer that says e.
func refusal(e *provider.OpError) *reply {
	a := says(e.Status, map[string]any{"error": bodyOf(e)})
	retryAfter(a.header, e.RetryAfter)
	switch {
	case e.Status == http.StatusUnauthorized:
		a.header.Set("WWW-Authenticate", `Bearer authorization_uri="https://login.microsoftonline.com/", error="invalid_token"`)
	case e.Code == "ResourceNotFound":
		a.header.Set("X-Ms-Failure-Cause", "gateway")
	}
	return a
}

// retryAfter asks for a wait: in whole seconds, which is what every client reads, and exactly.
func retryAfter(h http.Header, d time.Duration) {
	if d <= 0 {
		return
	}
	h.Set("Retry-After", strconv.Itoa(int(math.Ceil(d.Seconds()))))
	if d%time.Second != 0 {
		h.Set("Retry-After-Ms", strconv.FormatInt(max(d.Milliseconds(), 1), 10))
	}
}
