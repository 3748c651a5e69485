package azure

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azlb/azlb/provider"
)

// errNoETag is why something is not written that another writer may have changed meanwhile.
var errNoETag = errors.New("it was read without an ETag, so that nothing keeps the write from undoing another one")

// refuse makes an error of our own that reads like one of ARM's.
func refuse(status int, code, format string, args ...any) *provider.OpError {
	kind, remedy := provider.Classify(status, code)
	return &provider.OpError{Kind: kind, Code: code, Status: status, Remedy: remedy, Err: fmt.Errorf(format, args...)}
}

// opError makes an OpError of what the SDK returned: by ARM's code if ARM answered, even with status 200 as for operations that failed.
// Without an answer a write may or may not have happened, unless there was none because the credential failed.
func opError(err error) *provider.OpError {
	if e, ok := errors.AsType[*provider.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		return refused(e)
	}
	kind, remedy := provider.Classify(0, "")
	stray, isStray := errors.AsType[*strayError](err)
	switch {
	case errors.Is(err, errAnswer):
		remedy = answerRemedy
	case isStray && stray.sent:
		remedy = answerRemedy
	case isStray:
		kind, remedy = provider.Terminal, "have whatever answers at the endpoint of azure.Options.Cloud name itself in its links, or configure what it names"
	case final(err):
		kind, remedy = provider.Terminal, "nothing was sent; check the credential and the endpoint"
	}
	return &provider.OpError{Kind: kind, Remedy: remedy, Err: err}
}

func refused(err *azcore.ResponseError) *provider.OpError {
	var header http.Header
	var body []byte
	if r := err.RawResponse; r != nil {
		header = r.Header
		// The SDK has read and kept the body; if that failed, status and header still say enough.
		body, _ = runtime.Payload(r)
	}
	e := provider.ParseError(err.StatusCode, header, body)
	if e.Code == "" {
		e.Code = codeOf(err, body)
		e.Kind, e.Remedy = provider.Classify(err.StatusCode, e.Code)
	}
	if e.Code == "" && e.Status > http.StatusOK && e.Status < http.StatusBadRequest {
		e.Kind, e.Remedy = provider.Unknown, answerRemedy // neither a refusal nor what a success of this request looks like
	}
	return e
}

// codeOf finds the code of an answer whose body has no error object: in the header, or in the state of a poll.
func codeOf(err *azcore.ResponseError, body []byte) string {
	if err.ErrorCode != "" {
		return err.ErrorCode
	}
	var poll struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(body, &poll) == nil && strings.EqualFold(poll.Status, "Canceled") {
		return "Canceled"
	}
	return ""
}

// doubtful reports whether an answer to a write leaves open, or says, that the resource is not as it was read. A refusal before anything
// happened does not.
func doubtful(e *provider.OpError) bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return e.Kind == provider.Replan
	default:
		return true
	}
}

// notThere reports whether e says that a resource does not exist: by a code, which Azure always has. A page that anything on the way answers
// with 404 says nothing about it.
func notThere(e *provider.OpError) bool { return e.Status == http.StatusNotFound && e.Code != "" }
