package azure

import (
	"bytes"
	"cmp"
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
	target lb.ID   // what is read or written; of a list the resource group
	typ    string  // of what is listed; empty: no list
	pages  listing // of a list
	send   []byte  // what a PUT or PATCH sends
	polls  bool    // the requests ask for the state of an operation that runs already
	gone   bool    // target is deleted

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
	data, err := runtime.Payload(resp)
	if err != nil {
		return nil, err
	}
	rest, err := x.keep(req.Raw(), resp, bytes.TrimSpace(data))
	if err != nil || rest == nil {
		return resp, err
	}
	return resp, replaceBody(resp, rest)
}

// keep takes the body of an answer about the target or its list, and returns what the SDK needs of it. The answers of operations are the SDK's.
func (x *exchange) keep(req *http.Request, resp *http.Response, data []byte) (armwire.Object, error) {
	if x.typ == "" && !strings.HasSuffix(strings.ToLower(req.URL.Path), x.target.Key()) {
		return nil, checkOutcome(data, x.gone)
	}
	body, err := armwire.Parse(data)
	switch {
	case x.gone && req.Method != http.MethodGet && (len(data) == 0 || err == nil && resp.StatusCode == http.StatusAccepted):
		return nil, nil // a deletion has nothing to show
	case err == nil && x.typ != "":
		var next string
		x.page, next, err = x.pages.take(x.target, x.typ, body, len(data))
		return armwire.Object{"nextLink": next}, err
	case err == nil:
		err = checkResource(x.target, body)
	default:
		err = broken("%w", err)
	}
	if err != nil {
		if resp.StatusCode == http.StatusAccepted && req.Method != http.MethodGet {
			return armwire.Object{}, nil // what was only accepted is shown later
		}
		return nil, err
	}
	x.got, x.etag = body, etagOf(body, resp.Header)
	return armwire.Object{"properties": armwire.Object{"provisioningState": dig(body, "properties", "provisioningState")}}, nil
}

func replaceBody(resp *http.Response, o armwire.Object) error {
	data, err := json.Marshal(o)
	resp.Body = io.NopCloser(bytes.NewReader(data))
	resp.ContentLength = int64(len(data))
	return err
}

// etagOf returns the ETag of an answer. The one that matches whatever is there is none.
func etagOf(body armwire.Object, h http.Header) string {
	etag := cmp.Or(text(body, "etag"), h.Get("ETag"))
	if strings.Trim(etag, `" `) == "*" {
		return ""
	}
	return etag
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
