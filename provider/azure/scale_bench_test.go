package azure_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// tape is armfake's transport; it counts requests and keeps what was said, so that it can say it again.
type tape struct {
	*armfake.Server

	mu                   sync.Mutex
	writes, reads, polls int
	sent, got            [][]byte // bodies, in both directions
	answers              map[string][]http.Response
	replays              bool
	at                   map[string]int
}

func newTape(c *fake.Cloud) *tape {
	return &tape{Server: armfake.New(c, nil), answers: map[string][]http.Response{}}
}

// replay has the same request answered as before, without anybody behind it.
func (p *tape) replay() { p.replays, p.at = true, map[string]int{} }

func (p *tape) Do(r *http.Request) (*http.Response, error) {
	key := r.Method + " " + r.URL.String()
	if p.replays {
		return p.again(r, key)
	}
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := p.Server.Do(r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(got))
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.Method != http.MethodGet:
		p.writes++
	case strings.Contains(r.URL.Path, "/operations/"):
		p.polls++
	default:
		p.reads++
	}
	if len(sent) > 0 {
		p.sent = append(p.sent, sent)
	}
	if len(got) > 0 {
		p.got = append(p.got, got)
	}
	kept := *resp
	kept.Body = body(got)
	p.answers[key] = append(p.answers[key], kept)
	return resp, err
}

// body is one that can be read as often as it is opened.
type body []byte

func (body) Read([]byte) (int, error) { return 0, io.EOF }
func (body) Close() error             { return nil }

func (p *tape) again(r *http.Request, key string) (*http.Response, error) {
	p.mu.Lock()
	n := p.at[key]
	p.at[key]++
	p.mu.Unlock()
	if n >= len(p.answers[key]) {
		return nil, fmt.Errorf("%s was not asked %d times", key, n+1)
	}
	resp := p.answers[key][n]
	resp.Request, resp.Header = r, resp.Header.Clone()
	resp.Body = io.NopCloser(bytes.NewReader(resp.Body.(body)))
	return &resp, nil
}

func (p *tape) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes, p.reads, p.polls, p.sent, p.got, p.answers = 0, 0, 0, nil, nil, map[string][]http.Response{}
}

// json is how long it takes to decode what was received, as the backend does it, and to encode what was sent.
func (p *tape) json(t testing.TB) time.Duration {
	t.Helper()
	sent := make([]armwire.Object, len(p.sent))
	for i, body := range p.sent {
		var err error
		if sent[i], err = armwire.Parse(body); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	for _, body := range p.got {
		if _, err := armwire.Parse(body); err != nil {
			t.Fatal(err)
		}
	}
	for _, body := range sent {
		if _, err := json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(start)
}

// maxAge is more than all polls of a test take one after the other. Sleepers that start together end together on a virtual clock, but how
// many do is up to the scheduler: hours may pass on it between a list and the write that goes by it, which would read its resource first.
const maxAge = 24 * time.Hour

func (p *tape) reconciler(t testing.TB, c *fake.Cloud) *provider.Reconciler {
	t.Helper()
	b, err := azure.New(anyone{"t"}, &azure.Options{Transport: p, Clock: c.Clock(), MaxAge: maxAge})
	if err != nil {
		t.Fatal(err)
	}
	return provider.NewReconciler(b, lbtest.Cluster(), &provider.Options{Clock: c.Clock()})
}

// TestRequestsThroughARM pins how many requests n new Services cost where every write is an operation to be polled.
func TestRequestsThroughARM(t *testing.T) {
	for _, n := range []int{1, 10, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			c := lbtest.Cloud()
			p := newTape(c)
			r := p.reconciler(t, c)
			in := lb.Objects{Services: lbtest.Services(n), Nodes: lbtest.Nodes(3)}
			if _, err := r.Sync(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			// A public IP each, the load balancer, the security group; each is polled once, unless it is over before the answer, and read
			// once after that.
			if p.writes != n+2 || p.polls > n+2 || p.reads > n+2+5 {
				t.Errorf("%d writes, %d polls, %d reads; want %d and at most %d and %d", p.writes, p.polls, p.reads, n+2, n+2, n+2+5)
			}
			p.reset()
			if report, err := r.Sync(t.Context(), in); err != nil || report.Writes != 0 || p.writes+p.polls > 0 || p.reads > 4 {
				t.Errorf("resync: %v, %d writes, %d polls, %d reads; want at most four reads", err, p.writes, p.polls, p.reads)
			}
		})
	}
}

// BenchmarkThroughARM is a cluster of 300 external Services, from nothing (new) and unchanged (again), through the SDK over ARM JSON. What
// Azure answers is played from a tape, so that time and allocations are those of this side alone. json-ms is what the bodies that go over
// the wire take to be decoded and encoded once more, and json-% how much that is of the whole.
func BenchmarkThroughARM(b *testing.B) {
	in := lb.Objects{Services: lbtest.Services(300), Nodes: lbtest.Nodes(3)}
	sync := func(p *tape, c *fake.Cloud) {
		b.Helper()
		if _, err := p.reconciler(b, c).Sync(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	c := lbtest.Cloud()
	begin := c.Clock().Now()
	p := newTape(c)
	sync(p, c)
	b.Run("new", func(b *testing.B) { bench(b, p, begin, in) })
	p = newTape(c)
	sync(p, c)
	b.Run("again", func(b *testing.B) { bench(b, p, c.Clock().Now(), in) })
}

// bench measures Sync against what p has recorded.
func bench(b *testing.B, p *tape, begin time.Time, in lb.Objects) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		p.replay()
		backend, err := azure.New(anyone{"t"}, &azure.Options{Transport: p, Clock: fake.NewVirtualClock(begin), MaxAge: maxAge})
		if err != nil {
			b.Fatal(err)
		}
		o := &provider.Options{Clock: fake.NewVirtualClock(begin)}
		if _, err := provider.NewReconciler(backend, lbtest.Cluster(), o).Sync(b.Context(), in); err != nil {
			b.Fatal(err)
		}
	}
	whole := b.Elapsed() / time.Duration(b.N)
	var wire time.Duration
	const times = 5
	for range times {
		wire += p.json(b) / times
	}
	b.ReportMetric(float64(wire.Microseconds())/1000, "json-ms/op")
	b.ReportMetric(100*float64(wire)/float64(whole), "json-%")
	b.ReportMetric(float64(p.writes), "writes/op")
	b.ReportMetric(float64(p.reads+p.polls), "reads/op")
}
