package provider

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bucket holds Size tokens at most. A request takes one; PerSecond new ones come, or, if Window is set, each comes back that long after it was
// taken, so that no time of that length sees more than Size requests. The zero value never runs out.
type Bucket struct {
	Size      int
	PerSecond float64
	Window    time.Duration
}

// Budget is what may be sent for one subscription in one region. Reads, Writes and Deletes are those of Resource Manager. From Network reads,
// and writes and deletions together, take a token as well, for Azure's network provider counts them once more.
type Budget struct {
	Reads, Writes, Deletes      Bucket
	NetworkReads, NetworkWrites Bucket
}

// DocumentedBudget is all that the public cloud allows one principal: of Resource Manager 250 reads and 25 more per second, 200 writes and 200
// deletions and 10 more of each per second; of the network provider 10,000 reads and 1,000 writes in any five minutes. It leaves nothing to
// others who sign in as the same principal.
func DocumentedBudget() Budget {
	return Budget{
		Reads: Bucket{Size: 250, PerSecond: 25}, Writes: Bucket{Size: 200, PerSecond: 10}, Deletes: Bucket{Size: 200, PerSecond: 10},
		NetworkReads: Bucket{Size: 10_000, Window: 5 * time.Minute}, NetworkWrites: Bucket{Size: 1000, Window: 5 * time.Minute},
	}
}

// RecommendedBudget leaves room for others on the same principal: 100 reads and 10 more per second, 50 writes and deletions together and 2 more
// per second.
func RecommendedBudget() Budget {
	return Budget{NetworkReads: Bucket{Size: 100, PerSecond: 10}, NetworkWrites: Bucket{Size: 50, PerSecond: 2}}
}

// RequestKind is what a request does, as far as Azure counts it.
type RequestKind uint8

// The kinds. The zero value is invalid.
const (
	Read RequestKind = iota + 1
	Write
	Delete
)

// Request is one call to Azure as far as its rate is concerned.
type Request struct {
	Subscription string // in any case
	Region       string // in any case; empty: that of all requests without one
	Kind         RequestKind
	// Urgent requests come before others that wait: those that free something, or that traffic waits for.
	Urgent bool
}

// Rates keeps requests within a [Budget]: each waits for its token, those of one subscription and region in the order in which they came, urgent
// ones first. Requests of different subscriptions or regions do not wait for each other. Share one Rates among all that sign in as the same
// principal: reconcilers, and backends of provider/azure. Its methods may be called concurrently; copies of it are not allowed.
type Rates struct {
	budget Budget

	mu    sync.Mutex
	lanes map[string]*lane
}

// NewRates returns full buckets. Those of a Budget that is zero never run out: nothing waits, except for what ARM asks for.
func NewRates(b Budget) *Rates { return &Rates{budget: b, lanes: map[string]*lane{}} }

// lane is what the requests of one subscription and region take from.
type lane struct {
	buckets [buckets]bucket
	queue   []*waiter // in the order in which they get tokens
}

// The buckets of a lane.
const (
	armReads = iota
	armWrites
	armDeletes
	networkReads
	networkWrites
	buckets
)

// takes lists the buckets that each kind of request takes from.
var takes = map[RequestKind][]int{
	Read:   {armReads, networkReads},
	Write:  {armWrites, networkWrites},
	Delete: {armDeletes, networkWrites},
}

type waiter struct{ Request }

// Wait returns when q may be sent, and counts it, or with the error of ctx, and does not. It returns how long it waited, on clock.
func (r *Rates) Wait(ctx context.Context, clock Clock, q Request) (time.Duration, error) {
	started := clock.Now()
	w := r.join(q)
	defer r.leave(w)
	for {
		wait := r.take(w, clock.Now())
		if wait <= 0 {
			return clock.Now().Sub(started), nil
		}
		if err := clock.Sleep(ctx, wait); err != nil {
			return clock.Now().Sub(started), err
		}
	}
}

// Return gives back the token of a request that was not sent after all.
func (r *Rates) Return(clock Clock, q Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.lane(q).of(q) {
		b.put(clock.Now())
	}
}

// Park gives out nothing to requests of the kind of q for d, however long that is: ARM asked to be left alone.
func (r *Rates) Park(clock Clock, q Request, d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	until := clock.Now().Add(d)
	for _, b := range r.lane(q).of(q) {
		if until.After(b.parked) {
			b.parked = until
		}
	}
}

// Need returns how long requests would wait in all if they were made now, one after the other, and nobody else made any. Those who wait
// already come first.
func (r *Rates) Need(clock Clock, requests ...Request) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	type key struct {
		lane   *lane
		bucket int
	}
	count := map[key]int{}
	for _, q := range requests {
		for _, i := range takes[q.Kind] {
			count[key{r.lane(q), i}]++
		}
	}
	var longest time.Duration
	for k, n := range count {
		for _, w := range k.lane.queue {
			if slices.Contains(takes[w.Kind], k.bucket) {
				n++
			}
		}
		longest = max(longest, k.lane.buckets[k.bucket].until(n, clock.Now()))
	}
	return longest
}

// lane returns the lane of q. r.mu is held.
func (r *Rates) lane(q Request) *lane {
	key := strings.ToLower(q.Subscription + " " + q.Region)
	l := r.lanes[key]
	if l == nil {
		l = &lane{}
		for i, b := range []Bucket{r.budget.Reads, r.budget.Writes, r.budget.Deletes, r.budget.NetworkReads, r.budget.NetworkWrites} {
			l.buckets[i] = bucket{Bucket: b, tokens: float64(b.Size)}
		}
		r.lanes[key] = l
	}
	return l
}

// of returns the buckets that q takes from.
func (l *lane) of(q Request) []*bucket {
	list := make([]*bucket, 0, 2)
	for _, i := range takes[q.Kind] {
		list = append(list, &l.buckets[i])
	}
	return list
}

// join puts q in the queue: behind those that are as urgent.
func (r *Rates) join(q Request) *waiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, w := r.lane(q), &waiter{q}
	at := len(l.queue)
	if q.Urgent {
		if i := slices.IndexFunc(l.queue, func(w *waiter) bool { return !w.Urgent }); i >= 0 {
			at = i
		}
	}
	l.queue = slices.Insert(l.queue, at, w)
	return w
}

// leave takes w out of the queue, if it is there still.
func (r *Rates) leave(w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lane(w.Request)
	if at := slices.Index(l.queue, w); at >= 0 {
		l.queue = slices.Delete(l.queue, at, at+1)
	}
}

// take counts the request of w and takes it out of the queue if it is its turn, or returns how long to wait until it may be.
func (r *Rates) take(w *waiter, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lane(w.Request)
	at := slices.Index(l.queue, w)
	var wait time.Duration
	for _, i := range takes[w.Kind] {
		n := 1
		for _, before := range l.queue[:at] {
			if slices.Contains(takes[before.Kind], i) {
				n++
			}
		}
		wait = max(wait, l.buckets[i].until(n, now))
	}
	if wait > 0 {
		return wait
	}
	for _, b := range l.of(w.Request) {
		b.get(now)
	}
	l.queue = slices.Delete(l.queue, at, at+1)
	return 0
}
