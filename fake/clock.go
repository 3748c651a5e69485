package fake

import (
	"context"
	"sync"
	"time"
)

// Clock is the time of a [Cloud].
type Clock interface {
	Now() time.Time
	// Sleep returns when d has passed, or earlier with ctx's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// VirtualClock is a [Clock] that stands still unless somebody advances it. Sleeping advances it, so nothing ever waits; sleepers that start
// together end together.
type VirtualClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewVirtualClock returns a clock that shows start.
func NewVirtualClock(start time.Time) *VirtualClock { return &VirtualClock{now: start} }

// Now returns the time that the clock shows.
func (c *VirtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d; a negative d does nothing.
func (c *VirtualClock) Advance(d time.Duration) { c.advanceTo(c.Now().Add(d)) }

// Sleep moves the clock to d after the time of the call, unless it is later already.
func (c *VirtualClock) Sleep(ctx context.Context, d time.Duration) error {
	c.advanceTo(c.Now().Add(d))
	return ctx.Err()
}

func (c *VirtualClock) advanceTo(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
}

// WallClock is real time, or that of the bubble inside testing/synctest.
type WallClock struct{}

// Now returns the current time.
func (WallClock) Now() time.Time { return time.Now() }

// Sleep waits for d.
func (WallClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
