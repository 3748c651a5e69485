package provider

import (
	"math"
	"time"
)

// bucket is the state of a [Bucket].
type bucket struct {
	Bucket
	tokens float64
	at     time.Time   // when there were so many
	taken  []time.Time // with a window: when those were taken that have not come back, oldest first
	parked time.Time   // nothing is given out before
}

// spare is how much more than a token must be there for one to be given out, so that rounding never makes a request come too early.
const spare = 1e-6

// never is longer than anybody waits.
const never = time.Duration(math.MaxInt64)

// until returns how long it takes until n more tokens can be given out.
func (b *bucket) until(n int, now time.Time) time.Duration {
	wait := max(0, b.parked.Sub(now))
	b.fill(now)
	switch {
	case b.Size == 0:
		return wait
	case b.Window > 0:
		return max(wait, b.back(n, now))
	case n <= b.Size && b.tokens == float64(b.Size):
		return wait
	}
	missing := float64(n) + spare - b.tokens
	switch {
	case missing <= 0:
		return wait
	case b.PerSecond <= 0:
		return never
	}
	return max(wait, time.Duration(math.Ceil(missing/b.PerSecond*float64(time.Second))))
}

// back returns how long it takes until n tokens of a window are there. Those that are beyond what it holds come back a window after those
// before them.
func (b *bucket) back(n int, now time.Time) time.Duration {
	var later time.Duration
	for n > b.Size {
		n -= b.Size
		later += b.Window
	}
	which := len(b.taken) + n - b.Size - 1
	if which < 0 {
		return later
	}
	return later + b.taken[which].Add(b.Window).Sub(now)
}

// fill adds what has come until now.
func (b *bucket) fill(now time.Time) {
	gone := 0
	for gone < len(b.taken) && !b.taken[gone].Add(b.Window).After(now) {
		gone++
	}
	b.taken = b.taken[gone:]
	if !now.After(b.at) {
		return
	}
	if !b.at.IsZero() {
		b.tokens = math.Min(float64(b.Size), b.tokens+now.Sub(b.at).Seconds()*b.PerSecond)
	}
	b.at = now
}

// get takes a token.
func (b *bucket) get(now time.Time) {
	b.tokens--
	if b.Window > 0 {
		b.taken = append(b.taken, now)
	}
}

// put gives one back.
func (b *bucket) put(now time.Time) {
	b.fill(now)
	b.tokens = math.Min(b.tokens+1, float64(b.Size))
	if n := len(b.taken); n > 0 {
		b.taken = b.taken[:n-1]
	}
}
