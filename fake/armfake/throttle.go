package armfake

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/provider"
)

// Bucket holds Size tokens and gets PerSecond new ones. A request takes one. The zero value never runs out.
type Bucket struct {
	Size      int
	PerSecond float64
}

// Limits are buckets of Resource Manager, each per subscription: there is one caller and one region here. Network are those of
// Microsoft.Network, from which its requests take as well.
type Limits struct {
	Reads, Writes, Deletes      Bucket
	NetworkReads, NetworkWrites Bucket
}

// AzureLimits returns the documented limits of the public cloud. The windows of five minutes are buckets here.
func AzureLimits() Limits {
	return Limits{
		Reads: Bucket{250, 25}, Writes: Bucket{200, 10}, Deletes: Bucket{200, 10},
		NetworkReads: Bucket{10000, 10000. / 300}, NetworkWrites: Bucket{1000, 1000. / 300},
	}
}

// throttle counts requests on the clock of the cloud.
type throttle struct {
	limits Limits

	mu     sync.Mutex
	levels map[string]level // by subscription and kind
}

type level struct {
	tokens float64
	at     time.Time
}

// tokens are what is left, by header.
type tokens map[string]int

func (t tokens) show(h http.Header) {
	for name, left := range t {
		h.Set(name, strconv.Itoa(left))
	}
}

// charge is what a request takes a token of.
type charge struct {
	Bucket
	kind, header, code string
	otherwise          int // what the header shows if there is no limit
}

func (t *throttle) charges(q *request) []charge {
	const prefix = "X-Ms-Ratelimit-Remaining-Subscription-"
	arm := charge{t.limits.Writes, "writes", prefix + "Writes", "SubscriptionRequestsThrottled", 199}
	network := charge{t.limits.NetworkWrites, "network-writes", prefix + "Resource-Requests", "ResourceRequestsThrottled", 0}
	switch q.Method {
	case http.MethodGet, http.MethodHead:
		arm = charge{t.limits.Reads, "reads", prefix + "Reads", "SubscriptionRequestsThrottled", 249}
		network.Bucket, network.kind = t.limits.NetworkReads, "network-reads"
	case http.MethodDelete:
		arm = charge{t.limits.Deletes, "deletes", prefix + "Deletes", "SubscriptionRequestsThrottled", 199}
	}
	if network.Size > 0 && strings.Contains(strings.ToLower(q.path), "/providers/microsoft.network/") {
		return []charge{arm, network}
	}
	return []charge{arm}
}

// take counts a request, or refuses it.
func (s *Server) take(q *request) error {
	var refused *provider.OpError
	if q.left, refused = s.throttle.take(q, s.cloud.Clock().Now()); refused == nil {
		return nil
	}
	_, err := s.cloud.Intercept(q.Context(), q.call(), func() (fake.Answer, *provider.OpError) { return fake.Answer{}, refused })
	return err
}

func (t *throttle) take(q *request, now time.Time) (tokens, *provider.OpError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := tokens{}
	charges := t.charges(q)
	for _, c := range charges {
		key := strings.ToLower(q.segment(1)) + " " + c.kind
		l := t.level(key, c.Bucket, now)
		switch {
		case c.Size == 0:
			left[c.header] = c.otherwise
			continue
		case l.tokens < 1:
			return tokens{c.header: 0}, c.refuse(q, l)
		}
		left[c.header] = int(l.tokens) - 1
	}
	for _, c := range charges { // only now, since what is refused takes nothing
		if c.Size > 0 {
			key := strings.ToLower(q.segment(1)) + " " + c.kind
			l := t.levels[key]
			l.tokens--
			t.levels[key] = l
		}
	}
	return left, nil
}

// level fills the bucket up to now.
func (t *throttle) level(key string, b Bucket, now time.Time) level {
	l, ok := t.levels[key]
	if !ok {
		l = level{tokens: float64(b.Size), at: now}
	}
	l.tokens = math.Min(float64(b.Size), l.tokens+now.Sub(l.at).Seconds()*b.PerSecond)
	l.at = now
	t.levels[key] = l
	return l
}

func (c charge) refuse(q *request, l level) *provider.OpError {
	e := refuse(http.StatusTooManyRequests, c.code, "Number of '%s' for subscription '%s' exceeded the limit of '%d'. Please try again later.",
		c.kind, q.segment(1), c.Size)
	e.RetryAfter = time.Hour
	if c.PerSecond > 0 {
		e.RetryAfter = time.Duration(math.Max(1, math.Ceil((1-l.tokens)/c.PerSecond))) * time.Second
	}
	return e
}
