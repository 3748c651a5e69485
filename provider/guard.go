package provider

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// grace is how long code of others has to return once nobody waits for it any more: one that heeds its context needs a moment to unwind.
const grace = 100 * time.Millisecond

// patience returns a channel that is closed once ctx has ended and o.Drain is over, when abandon, unless it is nil, has been called too. settle
// ends the waiting for that, and returns when nobody waits.
func (o *Options) patience(ctx context.Context, abandon func()) (gone <-chan struct{}, settle func()) {
	over := make(chan struct{})
	waiting, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		select {
		case <-ctx.Done():
		case <-waiting.Done():
			return
		}
		if o.Drain > 0 && (realClock{}).Sleep(waiting, o.Drain) != nil {
			return
		}
		if abandon != nil {
			abandon()
		}
		close(over)
	})
	return over, func() {
		stop()
		running.Wait()
	}
}

// within calls f, code of others that is called what, and returns what it does. A panic is an error that wraps [ErrPanic]. Once gone is
// closed f has a moment to return, and is then left to itself with [ErrStuck].
func within[T any](o *Options, gone <-chan struct{}, what string, f func() T) (T, error) {
	type outcome struct {
		result T
		err    error
	}
	ended := make(chan outcome, 1) // so that who was left to itself can end
	go func() {
		out := outcome{err: fmt.Errorf("%w: %s ended its goroutine", ErrPanic, what)} // what runtime.Goexit comes to
		defer func() { ended <- out }()
		defer func() {
			if v := recover(); v != nil {
				o.Logger.Error("panic", "in", what, "value", v, "stack", string(debug.Stack()))
				out.err = fmt.Errorf("%w: %s: %v", ErrPanic, what, v)
			}
		}()
		out = outcome{result: f()}
	}()
	select {
	case out := <-ended:
		return out.result, out.err
	case <-gone:
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case out := <-ended:
		return out.result, out.err
	case <-timer.C:
		o.Logger.Error("left to itself", "what", what)
		var zero T
		return zero, fmt.Errorf("%w: %s", ErrStuck, what)
	}
}

// listener passes events on to OnEvent, one at a time.
type listener struct {
	opts *Options
	turn chan struct{} // holds an element while somebody is being told

	mu   sync.Mutex
	deaf bool // OnEvent has not returned in time
}

func newListener(o *Options) *listener { return &listener{opts: o, turn: make(chan struct{}, 1)} }

// hear tells e. The error says that OnEvent panicked, or that it had not returned when gone was closed.
func (l *listener) hear(gone <-chan struct{}, e Event) error {
	what := fmt.Sprintf("OnEvent of %T", e)
	if !l.take(gone) {
		return fmt.Errorf("%w: %s", ErrStuck, what)
	}
	_, err := within(l.opts, gone, what, func() struct{} {
		defer func() { <-l.turn }()
		l.opts.OnEvent(e)
		return struct{}{}
	})
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.deaf = l.deaf || len(l.turn) > 0
	}
	return err
}

// take waits for its turn.
func (l *listener) take(gone <-chan struct{}) bool {
	select {
	case l.turn <- struct{}{}:
		return true
	case <-gone:
	}
	l.mu.Lock()
	wait := grace
	if l.deaf {
		wait = 0
	}
	l.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case l.turn <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

// earful is the first thing that went wrong while events were told.
type earful struct {
	mu  sync.Mutex
	err error
}

func (e *earful) note(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

func (e *earful) first() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
