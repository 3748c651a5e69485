package azure

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
)

// exchange carries the bodies of one call past the SDK's models. It belongs to one goroutine.
type exchange struct {
	target lb.ID  // what is read or written; of a list the resource group
	list   bool   // target's list, in pages
	send   []byte // what a PUT or PATCH sends
	polls  bool   // the requests ask for the state of an operation that runs already

	got   armwire.Object // the latest body of target
	etag  string         // of target
	page  []armwire.Object
	delay http.Header // of the latest answer
}

type exchangeKey struct{}

func (x *exchange) in(ctx context.Context) context.Context {
	return context.WithValue(ctx, exchangeKey{}, x)
}

func exchangeOf(req *policy.Request) *exchange {
	x, _ := req.Raw().Context().Value(exchangeKey{}).(*exchange)
	return x
}

// rawPolicy sends what the exchange says instead of a model's JSON, and keeps answers as they came. The model gets of them only what the
// SDK itself goes by: nothing unknown is lost in it, nothing odd fails in it, and no time is spent on it.
type rawPolicy struct{}

func (rawPolicy) Do(req *policy.Request) (*http.Response, error) {
	x := exchangeOf(req)
	if x == nil {
		return req.Next()
	}
	if method := req.Raw().Method; x.send != nil && (method == http.MethodPut || method == http.MethodPatch) {
		if err := req.SetBody(streaming.NopCloser(bytes.NewReader(x.send)), "application/json"); err != nil {
			return nil, err
		}
	}
	resp, err := req.Next()
	if err != nil {
		return nil, err
	}
	x.delay = resp.Header
	if resp.StatusCode/100 != 2 || resp.StatusCode == http.StatusNoContent {
		return resp, nil
	}
	return resp, x.keep(req.Raw().URL.Path, resp)
}

// keep takes the body of an answer about the target or its list. The answers of operations are the SDK's.
func (x *exchange) keep(path string, resp *http.Response) error {
	if !x.list && !strings.HasSuffix(strings.ToLower(path), x.target.Key()) {
		return nil
	}
	data, err := runtime.Payload(resp)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return err
	}
	body, err := armwire.Parse(data)
	if err != nil {
		return err
	}
	var rest armwire.Object
	if x.list {
		x.page = objects(body, "value")
		rest = armwire.Object{"nextLink": body["nextLink"]}
	} else {
		x.got, x.etag = body, etagOf(body, resp.Header)
		rest = armwire.Object{"properties": armwire.Object{"provisioningState": dig(body, "properties", "provisioningState")}}
	}
	return replaceBody(resp, rest)
}

func replaceBody(resp *http.Response, o armwire.Object) error {
	data, err := json.Marshal(o)
	resp.Body = io.NopCloser(bytes.NewReader(data))
	resp.ContentLength = int64(len(data))
	return err
}

func etagOf(body armwire.Object, h http.Header) string {
	if etag := text(body, "etag"); etag != "" {
		return etag
	}
	return h.Get("ETag")
}

// dig returns what is at path in o, or nil.
func dig(o armwire.Object, path ...string) any {
	var v any = o
	for _, key := range path {
		inner, ok := v.(armwire.Object)
		if !ok {
			return nil
		}
		v = inner[key]
	}
	return v
}

func text(o armwire.Object, path ...string) string {
	s, _ := dig(o, path...).(string)
	return s
}

// texts returns the texts in the list at path.
func texts(o armwire.Object, path ...string) []string {
	list, _ := dig(o, path...).([]any)
	var found []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			found = append(found, s)
		}
	}
	return found
}

// objects returns the objects in the list at path.
func objects(o armwire.Object, path ...string) []armwire.Object {
	list, _ := dig(o, path...).([]any)
	found := make([]armwire.Object, 0, len(list))
	for _, e := range list {
		if inner, ok := e.(armwire.Object); ok && inner != nil {
			found = append(found, inner)
		}
	}
	return found
}
