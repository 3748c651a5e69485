package lb

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
)

// stage is where a write stands in a plan when nothing else decides.
type stage uint8

const (
	stagePublicIP stage = iota
	stageTag
	stageConnection
	stageSubnet
	stageLoadBalancer
	stageSecurity
	stagePrivateLink
	stageInterface
	stageRelease
)

// draft is a step whose place in the plan is not known yet.
type draft struct {
	stage stage
	key   string // of the target
	seq   int
	op    Op
	risks []Risk
	after []*draft
	index int // in the plan, once ordered
	// for ordered: how many of after are open, and who waits for this one
	open int
	next []*draft
}

// drafts collects steps and what they wait for.
type drafts struct{ list []*draft }

func (s *drafts) add(at stage, op Op, risks []Risk) *draft {
	slices.Sort(risks)
	d := &draft{stage: at, key: op.Target().Key(), seq: len(s.list), op: op, risks: slices.Compact(risks)}
	s.list = append(s.list, d)
	return d
}

// require makes second wait for first. Either may be nil.
func (s *drafts) require(first, second *draft) {
	if first != nil && second != nil && first != second {
		second.after = append(second.after, first)
	}
}

// prefer makes second wait for first unless that would have first wait for itself.
func (s *drafts) prefer(first, second *draft) {
	if first != nil && second != nil && !first.waitsFor(second) {
		s.require(first, second)
	}
}

// waitsFor reports whether d is other or waits for it, directly or not.
func (d *draft) waitsFor(other *draft) bool {
	visited := map[*draft]bool{}
	todo := []*draft{d}
	for len(todo) > 0 {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if at == other {
			return true
		}
		for _, a := range at.after {
			if !visited[a] {
				visited[a] = true
				todo = append(todo, a)
			}
		}
	}
	return false
}

// readyDrafts is a heap of steps that wait for nothing more.
type readyDrafts []*draft

func (r readyDrafts) Len() int { return len(r) }
func (r readyDrafts) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(r[i].stage, r[j].stage), strings.Compare(r[i].key, r[j].key), cmp.Compare(r[i].seq, r[j].seq)) < 0
}
func (r readyDrafts) Swap(i, j int) { r[i], r[j] = r[j], r[i] }
func (r *readyDrafts) Push(x any)   { *r = append(*r, x.(*draft)) }
func (r *readyDrafts) Pop() any {
	last := (*r)[len(*r)-1]
	*r = (*r)[:len(*r)-1]
	return last
}

// ordered returns the steps in an order that keeps what they wait for, by stage and id where that leaves a choice. Writes below one
// parent are chained.
func (s *drafts) ordered() []Step {
	line := s.line()
	lastOf := make(map[string]*draft, len(line))
	for _, d := range line {
		top := d.op.Target().Unit().Key()
		s.require(lastOf[top], d)
		lastOf[top] = d
	}
	steps := make([]Step, len(line))
	for i, d := range line {
		steps[i] = Step{Op: d.op, Risks: d.risks}
	}
	for i, d := range line {
		steps[i].After = direct(steps, d)
	}
	if len(steps) == 0 {
		return nil
	}
	return steps
}

// line orders the steps topologically.
func (s *drafts) line() []*draft {
	ready := &readyDrafts{}
	for _, d := range s.list {
		d.open = len(d.after)
		for _, a := range d.after {
			a.next = append(a.next, d)
		}
		if d.open == 0 {
			*ready = append(*ready, d)
		}
	}
	heap.Init(ready)
	line := make([]*draft, 0, len(s.list))
	place := func(d *draft) { d.index, line = len(line), append(line, d) }
	for ready.Len() > 0 {
		d := heap.Pop(ready).(*draft)
		place(d)
		for _, n := range d.next {
			if n.open--; n.open == 0 {
				heap.Push(ready, n)
			}
		}
	}
	// What is left waits for itself: a swap that could not be broken, reported as a finding. Losing steps would be worse than ARM's answer.
	for _, d := range s.list {
		if d.open > 0 {
			place(d)
		}
	}
	return line
}

// direct returns the indices of the steps that d waits for, sorted, without those that another one of them waits for already.
func direct(steps []Step, d *draft) []int {
	var after []int
	for _, a := range d.after {
		if a.index < d.index {
			after = append(after, a.index)
		}
	}
	slices.Sort(after)
	after = slices.Compact(after)
	if len(after) < 2 {
		return after
	}
	implied := make(map[int]bool)
	for _, i := range after {
		for _, j := range steps[i].After {
			implied[j] = true
		}
	}
	return slices.DeleteFunc(after, func(i int) bool { return implied[i] })
}
