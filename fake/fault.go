package fake

import (
	"net/http"
	"regexp"
	"time"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// Fault is one scripted misfortune. It strikes calls whose method and path match, after Skip of them, Count times. Of several faults that
// match, the one injected first strikes.
type Fault struct {
	Method string // GET, PUT, PATCH, DELETE; empty: any
	Path   string // regular expression, in any case, on the path of the call; empty: any
	Skip   int    // how many matching calls pass first
	Count  int    // how many calls are struck; zero: one, negative: all

	// Meanwhile, if set, runs just before the call takes effect, when the caller has read already: another writer. The call then goes on,
	// unless something below stops it.
	Meanwhile func(*Cloud)
	// Status, if set, is the answer; the call has no effect. SubResource is the part of the target that the answer names.
	Status      int
	Code        string
	Message     string
	RetryAfter  time.Duration
	SubResource lb.ID
	// Late makes a write that is taken fail in the end, with Code: the operation that it starts fails, which ARM reports with status 200.
	// What a PUT wrote stays written; what a DELETE should have deleted stays there.
	Late bool
	// Delay is how much longer the call takes; the operation of a write never ends if that is long enough.
	Delay time.Duration
	// Drop loses the connection before or after the call took effect.
	Drop Drop

	crashAfter int
	crash      bool
	path       *regexp.Regexp
}

// Drop says when a connection is lost.
type Drop uint8

// The moments. The zero value loses nothing.
const (
	DropBefore Drop = iota + 1 // nothing happened
	DropAfter                  // the call took effect, the answer is lost
)

// CrashAfter lets n writes take effect; from the next write on every call fails with [ErrCrashed], until [Cloud.Restart].
func CrashAfter(n int) Fault { return Fault{crash: true, crashAfter: n, Count: -1} }

// Inject scripts f. It panics if f.Path is no regular expression.
func (c *Cloud) Inject(f Fault) {
	f.path = regexp.MustCompile("(?i)" + f.Path)
	if f.Count == 0 {
		f.Count = 1
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f.crashAfter += c.effects
	c.faults = append(c.faults, &f)
}

// Restart removes all faults, those that struck and those that did not yet.
func (c *Cloud) Restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults, c.crashed = nil, false
}

func (f *Fault) delay() time.Duration {
	if f == nil {
		return 0
	}
	return f.Delay
}

// late returns how the operation that a write starts will fail, or nil.
func (f *Fault) late() *provider.OpError {
	if f == nil || !f.Late {
		return nil
	}
	err := refuse(http.StatusOK, f.Code, f.SubResource, "%s", f.Message)
	err.RetryAfter = f.RetryAfter
	return err
}

// strike returns the fault for a call, or nil. c.mu is held.
func (c *Cloud) strike(method, path string) *Fault {
	for _, f := range c.faults {
		switch {
		case f.crash:
			c.crashed = c.crashed || method != http.MethodGet && c.effects >= f.crashAfter
		case f.Count == 0, f.Method != "" && f.Method != method, !f.path.MatchString(path):
		case f.Skip > 0:
			f.Skip--
		default:
			if f.Count > 0 {
				f.Count--
			}
			return f
		}
	}
	return nil
}
