package lbtest

import (
	"encoding/json"
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
)

// Secret stands for what is in an answer and nobody's to read: no error and no log may have it.
const Secret = "s3cr3t-0f-somebody"

// noAnswers are texts that are neither a resource, nor a list, nor the state of an operation, by what is wrong.
var noAnswers = map[string]string{
	"nothing":                "",
	"blanks":                 " \r\n ",
	"null":                   "null",
	"an empty object":        "{}",
	"an error":               `{"error":{"code":"InternalServerError","message":"no"}}`,
	"an empty list":          "[]",
	"a text":                 `"ok"`,
	"a number":               "42",
	"a truth value":          "true",
	"a page":                 "<!DOCTYPE html><html><body>Sign in to the network</body></html>",
	"a line of text":         "upstream connect error or disconnect/reset before headers",
	"a text with a secret":   "AccountKey=" + Secret + ";EndpointSuffix=core.windows.net",
	"a secret cut off":       `{"properties":{"adminPassword":"` + Secret,
	"bytes":                  "\x1f\x8b\x08\x00\x00\xff\xfe",
	"another kind of object": `{"kind":"Status","apiVersion":"v1","status":{},"metadata":{}}`,
}

// BrokenResources returns texts that may be answered instead of body, a resource, by what is wrong with them. at is the path of something in it
// that is read.
func BrokenResources(body armwire.Object, at string) map[string]string {
	id := lb.ID(body["id"].(string))
	broken := broken(body)
	with := func(change func(armwire.Object)) string {
		o := armwire.Clone(body)
		change(o)
		return encode(o)
	}
	broken["a list of it"] = encode(armwire.Object{"value": []any{body}})
	broken["a list without it"] = `{"value":[]}`
	for what, other := range map[string]any{"no id": nil, "an id that is a number": 5, "an empty id": ""} {
		broken[what] = with(func(o armwire.Object) { o["id"] = other })
	}
	broken["another resource"] = with(func(o armwire.Object) { o["id"] = string(id) + "x" })
	broken["a resource of another type"] = with(func(o armwire.Object) { o["id"] = strings.Replace(string(id), "/Microsoft.", "/Microsoft.Other", 1) })
	broken["a resource of another group"] = with(func(o armwire.Object) { o["id"] = strings.Replace(string(id), id.ResourceGroup(), "elsewhere", 1) })
	broken["its parent"] = with(func(o armwire.Object) { o["id"] = string(id.Parent()) })
	broken["no properties"] = with(func(o armwire.Object) { delete(o, "properties") })
	for what, other := range map[string]any{"properties that are null": nil, "properties that are a list": []any{}, "properties that are a text": "x"} {
		broken[what] = with(func(o armwire.Object) { o["properties"] = other })
	}
	broken["something of another kind in it"] = with(func(o armwire.Object) { put(o, at, armwire.Object{"unheard": []any{5}}) })
	return broken
}

// BrokenLists returns texts that may be answered instead of a list that has body on it.
func BrokenLists(body armwire.Object, at string) map[string]string {
	broken := broken(armwire.Object{"value": []any{body}})
	for what, element := range BrokenResources(body, at) {
		if json.Valid([]byte(element)) {
			broken["on it: "+what] = `{"value":[` + element + `]}`
		}
	}
	broken["its only resource"] = encode(body)
	for what, value := range map[string]string{"null": "null", "an object": "{}", "a text": `"x"`, "a number": "5"} {
		broken["a value that is "+what] = `{"value":` + value + `}`
	}
	for what, link := range map[string]string{"a number": "5", "an object": "{}", "a list": "[]", "false": "false"} {
		broken["a link that is "+what] = `{"value":[],"nextLink":` + link + `}`
	}
	return broken
}

// BrokenStates returns texts that may be answered instead of the state of an operation.
func BrokenStates() map[string]string {
	broken := broken(armwire.Object{"status": "Succeeded", "name": "operation"})
	for what, status := range map[string]string{"null": "null", "a number": "5", "empty": `""`, "an object": "{}", "a list": "[]"} {
		broken["a status that is "+what] = `{"name":"operation","status":` + status + `}`
	}
	broken["no status"] = `{"name":"operation"}`
	broken["a list of states"] = `[{"status":"Succeeded"}]`
	broken["a state under another name"] = `{"value":{"status":"Succeeded"}}`
	broken["a state in capitals"] = `{"STATUS ":"Succeeded"}`
	return broken
}

// broken has noAnswers, and what becomes of the text of o on the way.
func broken(o armwire.Object) map[string]string {
	text := encode(o)
	all := map[string]string{
		"the first half":         text[:len(text)/2],
		"all but the last byte":  text[:len(text)-1],
		"all but the first byte": text[1:],
		"twice":                  text + text,
		"with something behind":  text + "</html>",
		"as a text":              encodeText(text),
	}
	for what, answer := range noAnswers {
		all[what] = answer
	}
	return all
}

func encode(o armwire.Object) string { return string(armwire.Format(o)[:len(armwire.Format(o))-1]) }

func encodeText(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(data)
}

// put puts v at a path of keys joined by dots.
func put(o armwire.Object, at string, v any) {
	for {
		key, rest, more := strings.Cut(at, ".")
		if !more {
			o[key] = v
			return
		}
		next, ok := o[key].(armwire.Object)
		if !ok {
			next = armwire.Object{}
			o[key] = next
		}
		o, at = next, rest
	}
}
