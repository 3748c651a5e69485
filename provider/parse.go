package provider

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// armError is the error object of an ARM answer.
type armError struct {
	Code    string     `json:"code"`
	Message string     `json:"message"`
	Target  string     `json:"target"`
	Details []armError `json:"details"`
}

// maxDelay is the longest delay that is believed. What asks for more has made a mistake and gets unbelieved, long enough for somebody to look.
const (
	maxDelay   = 366 * 24 * time.Hour
	unbelieved = 24 * time.Hour
)

var (
	idPattern    = regexp.MustCompile(`(?i)/subscriptions/[^\s'"<>,;()\[\]{}|\\]+`)
	retryPattern = regexp.MustCompile(`(?i)retried in (\d+) seconds?`)
	preempted    = regexp.MustCompile(`(?i)preempted by a more recent operation`)
	connections  = regexp.MustCompile(`(?i)private ?link ?service.*private ?endpoint ?connection`)
)

// ParseError makes an OpError of an answer of ARM that refuses a request, or that reports the failure of a long-running operation (which
// has status 200). It takes the innermost code that is known, else the outermost one; the longest of the delays that the header (in any of
// its three spellings) and the messages ask for; and the ids that targets and messages name. A body that is no ARM error leaves it to the
// status. Op is nil.
func ParseError(status int, header http.Header, body []byte) *OpError {
	nodes := flatten(decode(body))
	code, text := innermost(nodes), message(nodes)
	kind, remedy := classifyText(status, code, text)
	e := &OpError{
		Kind: kind, Code: safetext.Quote(code), Status: status, Remedy: remedy, Named: named(nodes),
		RetryAfter: max(headerDelay(header), messageDelay(nodes)),
		Err:        errors.New(safetext.Quote(text)),
	}
	if text == "" {
		e.Err = errors.New(strings.TrimSpace("HTTP " + strconv.Itoa(status) + " " + http.StatusText(status)))
	}
	if i := slices.IndexFunc(e.Named, func(id lb.ID) bool { return id.Top() != id }); i >= 0 {
		e.SubResource = e.Named[i]
	}
	return e
}

// classifyText adds to Classify the two refusals that are told apart by their text only.
func classifyText(status int, code, text string) (ErrorKind, string) {
	if a, ok := answerTo(code); ok && a.kind == Terminal {
		return a.kind, a.remedy
	}
	switch {
	case preempted.MatchString(text):
		return Classify(status, "OperationPreempted")
	case status/100 == 4 && connections.MatchString(text):
		return Dependency, "the private link service still has endpoint connections; reject or delete them first"
	}
	return Classify(status, code)
}

// decode reads the error object of body: under the key error, as ARM and its poll answers have it, or at the top.
func decode(body []byte) armError {
	var answer struct {
		armError
		Error armError `json:"error"`
	}
	// What cannot be decoded is as good as no body: the status says enough to go on, and a proxy's page says nothing more.
	if json.Unmarshal(body, &answer) != nil {
		return armError{}
	}
	if answer.Error.Code != "" || answer.Error.Message != "" {
		return answer.Error
	}
	return answer.armError
}

// node is one error object with its depth.
type node struct {
	armError
	depth int
}

// flatten lists e and its details, outermost first.
func flatten(e armError) []node {
	var nodes []node
	depth := 0
	level := []armError{e}
	for len(level) > 0 {
		var next []armError
		for _, e := range level {
			nodes = append(nodes, node{e, depth})
			next = append(next, e.Details...)
		}
		level = next
		depth++
	}
	return nodes
}

// innermost returns the deepest known code, the first one of its depth, in the spelling of the table; else the outermost code.
func innermost(nodes []node) string {
	found, depth, outer := "", -1, ""
	for _, n := range nodes {
		if outer == "" {
			outer = n.Code
		}
		if a, ok := answerTo(n.Code); ok && n.depth > depth {
			found, depth = a.code, n.depth
		}
	}
	if found != "" {
		return found
	}
	return outer
}

// message joins the different messages, outermost first, each without the stack traces that some providers append.
func message(nodes []node) string {
	var texts []string
	for _, n := range nodes {
		text := n.Message
		if i := strings.Index(text, "\n"); i >= 0 && strings.HasPrefix(strings.TrimSpace(text[i:]), "at ") {
			text = text[:i]
		}
		text = strings.Join(strings.Fields(text), " ")
		if text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, ": ")
}

// named lists the ids in targets and messages, innermost first since that is where ARM is most exact, each once.
func named(nodes []node) []lb.ID {
	var ids []lb.ID
	for _, n := range slices.Backward(nodes) {
		for _, text := range idPattern.FindAllString(n.Target+" "+n.Message, -1) {
			id, err := armid.Parse(strings.TrimRight(text, ".:/"))
			if err == nil && !slices.ContainsFunc(ids, id.Equal) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// headerDelay returns the longest delay that the header asks for. A date counts from the answer's own Date.
func headerDelay(h http.Header) time.Duration {
	delay := max(number(h.Get("Retry-After-Ms"), time.Millisecond), number(h.Get("X-Ms-Retry-After-Ms"), time.Millisecond))
	after := h.Get("Retry-After")
	if at, err := http.ParseTime(after); err == nil {
		sent, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			sent = time.Now()
		}
		return max(delay, believable(float64(at.Sub(sent))))
	}
	return max(delay, number(after, time.Second))
}

func messageDelay(nodes []node) time.Duration {
	var delay time.Duration
	for _, n := range nodes {
		if m := retryPattern.FindStringSubmatch(n.Message); m != nil {
			delay = max(delay, number(m[1], time.Second))
		}
	}
	return delay
}

// number reads a count of units; what is none, or negative, is zero.
func number(text string, unit time.Duration) time.Duration {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(n > 0) {
		return 0
	}
	return believable(n * float64(unit))
}

// believable is a delay in nanoseconds as far as it is one.
func believable(ns float64) time.Duration {
	if ns > float64(maxDelay) {
		return unbelieved
	}
	return time.Duration(ns)
}
