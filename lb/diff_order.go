package lb

import (
	"cmp"
	"container/heap"
	"math"
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
	stage  stage
	key    string // of the target
	seq    int
	op     Op
	risks  []Risk
	after  []wait
	waived []Edge // of after, what a circle left no way to keep
	index  int    // in the plan, once ordered
	// for ordered: how many of after are open, and who waits for this one
	open int
	next []*draft
}

// wait is a write that comes first, and the row of the table that says so; nil: both write below one parent.
type wait struct {
	first *draft
	rule  *placedRule
}

// placedRule is a rule and its row in the table.
type placedRule struct {
	orderRule
	row int
}

// drafts collects steps and what they wait for.
type drafts struct {
	list  []*draft
	rules map[[2]deed]*placedRule
}

func newDrafts(rules []orderRule) drafts {
	s := drafts{rules: make(map[[2]deed]*placedRule, len(rules))}
	for i, r := range rules {
		s.rules[[2]deed{r.first, r.second}] = &placedRule{r, i}
	}
	return s
}

func (s *drafts) add(at stage, op Op, risks []Risk) *draft {
	d := &draft{stage: at, key: op.Target().Key(), seq: len(s.list), op: op}
	d.mark(risks...)
	s.list = append(s.list, d)
	return d
}

// mark adds risks.
func (d *draft) mark(risks ...Risk) {
	d.risks = append(d.risks, risks...)
	slices.Sort(d.risks)
	d.risks = slices.Compact(d.risks)
}

// order makes second wait for first if there is a row for what the two do. Either may be nil.
func (s *drafts) order(first *draft, does deed, second *draft, then deed) {
	if first == nil || second == nil || first == second {
		return
	}
	if rule := s.rules[[2]deed{does, then}]; rule != nil {
		second.after = append(second.after, wait{first, rule})
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
		for _, w := range at.after {
			if !visited[w.first] {
				visited[w.first] = true
				todo = append(todo, w.first)
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
	if len(s.list) == 0 {
		return nil
	}
	line := s.line()
	if len(line) < len(s.list) {
		s.breakCircles()
		line = s.line()
	}
	lastOf := make(map[string]*draft, len(line))
	for _, d := range line {
		top := d.op.Target().Unit().Key()
		if last := lastOf[top]; last != nil {
			d.after = append(d.after, wait{first: last})
		}
		lastOf[top] = d
	}
	steps := make([]Step, len(line))
	for i, d := range line {
		after, why := direct(steps, d)
		slices.Sort(d.waived)
		steps[i] = Step{Op: d.op, After: after, Why: why, Waived: slices.Compact(d.waived), Risks: d.risks}
	}
	return steps
}

// line orders the steps topologically. Steps that wait for themselves, and those that wait for them, are left out.
func (s *drafts) line() []*draft {
	for _, d := range s.list {
		d.next = d.next[:0]
	}
	ready := &readyDrafts{}
	for _, d := range s.list {
		d.open = len(d.after)
		for _, w := range d.after {
			w.first.next = append(w.first.next, d)
		}
		if d.open == 0 {
			*ready = append(*ready, d)
		}
	}
	heap.Init(ready)
	line := make([]*draft, 0, len(s.list))
	for ready.Len() > 0 {
		d := heap.Pop(ready).(*draft)
		d.index, line = len(line), append(line, d)
		for _, n := range d.next {
			if n.open--; n.open == 0 {
				heap.Push(ready, n)
			}
		}
	}
	return line
}

// breakCircles gives up what makes steps wait for themselves, after [drafts.line] has left them out: what is further down in the table
// first. What is given up is noted at the step, with the risk that it means.
func (s *drafts) breakCircles() {
	type edge struct {
		wait
		second *draft
	}
	var edges []edge
	for _, d := range s.list {
		if d.open == 0 {
			continue
		}
		for _, w := range d.after {
			edges = append(edges, edge{w, d})
		}
		d.after = nil
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Compare(a.rule.row, b.rule.row) })
	for _, e := range edges {
		// What is in line waits for nothing that is not.
		if e.first.open == 0 || !e.first.waitsFor(e.second) {
			e.second.after = append(e.second.after, e.wait)
			continue
		}
		e.second.waived = append(e.second.waived, e.rule.name)
		if e.rule.risk != "" {
			e.second.mark(e.rule.risk)
		}
	}
}

// direct returns the indices of the steps that d waits for, sorted, without those that another one of them waits for already, and of each why: the
// first row of the table.
func direct(steps []Step, d *draft) ([]int, []Edge) {
	if len(d.after) == 0 {
		return nil, nil
	}
	slices.SortStableFunc(d.after, func(a, b wait) int {
		return cmp.Or(cmp.Compare(a.first.index, b.first.index), cmp.Compare(a.row(), b.row()))
	})
	list := slices.CompactFunc(d.after, func(a, b wait) bool { return a.first == b.first })
	implied := make(map[int]bool)
	if len(list) > 1 {
		for _, w := range list {
			for _, j := range steps[w.first.index].After {
				implied[j] = true
			}
		}
	}
	after, why := make([]int, 0, len(list)), make([]Edge, 0, len(list))
	for _, w := range list {
		if !implied[w.first.index] {
			after, why = append(after, w.first.index), append(why, w.name())
		}
	}
	return after, why
}

// row is where the reason is in the table, last for writes below one parent.
func (w wait) row() int {
	if w.rule == nil {
		return math.MaxInt
	}
	return w.rule.row
}

func (w wait) name() Edge {
	if w.rule == nil {
		return EdgeOneParent
	}
	return w.rule.name
}
