package sim_test

import (
	"bufio"
	"flag"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/azlb/azlb/internal/sim"
)

var (
	seed   = flag.Int64("seed", -1, "live through the world of this seed only")
	worlds = flag.Int("worlds", 20_000, "how many worlds; a tenth of them with -short")
	from   = flag.Uint64("from", 0, "seed of the first of them, to go on where a longer run has ended")
)

func TestMain(m *testing.M) {
	flag.Parse()
	debug.SetGCPercent(1200) // worlds are small and many
	os.Exit(m.Run())
}

// TestWorlds lives through the worlds of past failures, then through -worlds others. A longer run is
//
//	go test ./internal/sim -run TestWorlds -worlds 1000000 -timeout 0 -v
//
// and the next one goes on from there with -from 1000000.
func TestWorlds(t *testing.T) {
	if *seed >= 0 {
		report(t, uint64(*seed), sim.Run(uint64(*seed), &sim.Options{Log: t.Logf}))
		return
	}
	for _, s := range corpus(t) {
		report(t, s, sim.Run(s, nil))
		report(t, s, sim.Run(s, &sim.Options{Phases: 3}))
	}
	total := sim.Result{Faults: map[string]int{}}
	each(count(t), func(s uint64) { sum(t, &total, *from+s, sim.Run(*from+s, nil)) })
	t.Logf("%d calls, %d plans, %d writes, %d replans, %d crashes, %d violations; misfortunes %v",
		total.Calls, total.Plans, total.Writes, total.Replans, total.Crashes, len(total.Violations), total.Faults)
}

// TestSharing lives through worlds in which Services share what they can, join each other, leave and change what they ask of it. A longer run has
// the same flags as TestWorlds, a fifth of whose number of worlds there are.
func TestSharing(t *testing.T) {
	if *seed >= 0 {
		report(t, uint64(*seed), sim.Run(uint64(*seed), &sim.Options{Sharing: true, Log: t.Logf}))
		return
	}
	total := sim.Result{Faults: map[string]int{}}
	each(count(t)/5, func(s uint64) { sum(t, &total, *from+s, sim.Run(*from+s, &sim.Options{Sharing: true})) })
	t.Logf("%d calls, %d plans, %d writes, %d replans, %d crashes, %d violations; misfortunes %v",
		total.Calls, total.Plans, total.Writes, total.Replans, total.Crashes, len(total.Violations), total.Faults)
}

// TestOverlay: whatever others have anywhere in what we write, ten thousand plans leave it as it is.
func TestOverlay(t *testing.T) {
	var plans atomic.Int64
	each(count(t)*3/20, func(s uint64) {
		n, lost := sim.Overlay(s)
		plans.Add(int64(n))
		for _, l := range lost {
			t.Errorf("seed %d: %s", s, l)
		}
	})
	if n := plans.Load(); count(t) >= 20_000 && n < 10_000 {
		t.Errorf("%d plans with writes, want 10,000", n)
	}
	t.Logf("%d plans", plans.Load())
}

// count is how many worlds to live through: a tenth with -short.
func count(t *testing.T) int {
	t.Helper()
	if testing.Short() {
		return *worlds / 10
	}
	return *worlds
}

// each calls do with 0 to n-1 on two goroutines.
func each(n int, do func(seed uint64)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(uint64(i))
			}
		})
	}
	all.Wait()
}

var adding sync.Mutex

func sum(t *testing.T, total *sim.Result, seed uint64, r sim.Result) {
	adding.Lock()
	defer adding.Unlock()
	total.Calls += r.Calls
	total.Plans += r.Plans
	total.Writes += r.Writes
	total.Replans += r.Replans
	total.Crashes += r.Crashes
	total.Violations = append(total.Violations, r.Violations...)
	for kind, n := range r.Faults {
		total.Faults[kind] += n
	}
	report(t, seed, r)
}

func report(t *testing.T, seed uint64, r sim.Result) {
	t.Helper()
	for _, v := range r.Violations {
		t.Errorf("%v\n\treproduce: go test ./internal/sim -run %s -seed=%d -v", v, t.Name(), seed)
	}
}

// corpus reads the seeds of worlds that once found something; the rest of a line says what.
func corpus(t *testing.T) (seeds []uint64) {
	f, err := os.Open("testdata/seeds.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		first, _, _ := strings.Cut(lines.Text(), " ")
		if first == "" || strings.HasPrefix(first, "#") {
			continue
		}
		s, err := strconv.ParseUint(first, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, s)
	}
	return seeds
}
