package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/provider"
)

// progress tells on stderr how apply gets on: a line per finished step and, on a terminal, a live line with what is being written.
type progress struct {
	t    *tool
	j    *job
	out  io.Writer
	live bool
	wide int // columns of the terminal

	mu      sync.Mutex
	total   int
	done    int
	running map[int]string
	began   time.Time
	ended   chan struct{}
	ticking sync.WaitGroup
}

func (t *tool) newProgress(j *job) *progress {
	p := &progress{t: t, j: j, out: t.stderr, running: map[int]string{}, began: time.Now(), ended: make(chan struct{})}
	if f, ok := t.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) && !t.flags.verbose && !j.dry {
		p.live = true
		p.wide = 80
		if wide, _, err := term.GetSize(int(f.Fd())); err == nil && wide > 0 {
			p.wide = wide
		}
		p.ticking.Go(p.tick)
	}
	return p
}

// tick keeps the seconds of the live line going.
func (p *progress) tick() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		case <-p.ended:
			return
		}
	}
}

// stop ends the live line.
func (p *progress) stop() {
	close(p.ended)
	p.ticking.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
}

// event is told what happens.
func (p *progress) event(e provider.Event) {
	if p.j.dry {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	switch e := e.(type) {
	case provider.Planned:
		p.planned(e)
	case provider.StepStarted:
		p.running[e.Index] = operation(e.Step.Op) + " " + e.Step.Op.Target().Name()
	case provider.StepRetried:
		safetext.Fprintf(p.out, "waiting   %s %s: again in %v: %v\n", operation(e.Step.Op), label(e.Step.Op.Target()), e.Wait, e.Err)
	case provider.StepDone:
		p.stepDone(e)
	case provider.ServiceRejected:
		safetext.Fprintf(p.out, "held      %s: refused; the rest goes on\n", e.Service)
	}
	p.draw()
}

// planned prints the plan, which is part of the result.
func (p *progress) planned(e provider.Planned) {
	p.total, p.done = len(e.Plan.Steps), 0
	clear(p.running)
	if p.t.flags.output != "text" || e.Round > 1 && len(e.Plan.Steps) == 0 {
		return
	}
	if e.Round > 1 {
		p.t.printf("\nplan %d, since not all of the one before could be done:\n\n", e.Round)
	}
	p.t.printPlan(e.Plan)
	p.t.printf("\n")
}

func (p *progress) stepDone(e provider.StepDone) {
	delete(p.running, e.Index)
	p.done++
	safetext.Fprintf(p.out, "%-9s [%d/%d] %s %s%s\n", e.State, p.done, p.total, operation(e.Step.Op), label(e.Step.Op.Target()), took(e.Took))
	if e.Err != nil {
		safetext.Fprintf(p.out, "          %v\n", e.Err)
	}
}

// took prints a duration that is worth mentioning.
func took(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return fmt.Sprintf(" (%v)", d.Round(time.Second))
}

// wipe takes the live line away.
func (p *progress) wipe() {
	if p.live {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// draw writes the live line.
func (p *progress) draw() {
	if !p.live || len(p.running) == 0 {
		return
	}
	var names []string
	for _, i := range slices.Sorted(maps.Keys(p.running)) {
		names = append(names, p.running[i])
	}
	line := []rune(safetext.Sprintf("[%d/%d] %v  %s", p.done, p.total, time.Since(p.began).Round(time.Second), strings.Join(names, ", ")))
	fmt.Fprintf(p.out, "\r\x1b[K%s", string(line[:min(len(line), p.wide-1)]))
}
