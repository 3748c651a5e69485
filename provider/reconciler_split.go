package provider

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// group is a part of a plan that has nothing to do with the rest of it, and the calls that it is for.
type group struct {
	calls []*call
	plan  lb.Plan
	// Steps that were left out, since somebody else writes the same: whether there are any, the Services that they are for, and the keys of
	// what is being written.
	cut     bool
	left    map[types.NamespacedName]bool
	blocked map[string]bool
}

func newGroup(plan lb.Plan) *group {
	return &group{plan: lb.Plan{Findings: plan.Findings}, left: map[types.NamespacedName]bool{}, blocked: map[string]bool{}}
}

// whole reports whether the plan of b stays together: for a Sync, and while it is not known whom ARM refuses something.
func (b *batch) whole() bool { return b.has(syncing) || b.apart() }

// split takes a plan apart: what somebody else is at work on is left out, with what comes after it; and steps that have nothing to do with
// each other, neither by order nor by resource nor by call, become groups of their own, so that no call waits for what is not its business.
// r.mu is held.
func (r *Reconciler) split(b *batch, plan lb.Plan, whole bool) []*group {
	s := splitter{plan: plan, of: make([]int, len(plan.Steps)), does: map[types.NamespacedName]bool{}, own: map[types.NamespacedName]int{}}
	s.blocked, s.why = r.blocked(plan)
	s.join(b, whole)
	list := s.groups()
	s.assign(b, &list, whole)
	return s.adopt(list)
}

// splitter splits one plan.
type splitter struct {
	plan    lb.Plan
	of      []int    // by step: an earlier one of the same group, or itself
	blocked []bool   // by step: to be left out
	why     []string // by step: the key of what others write
	byRoot  map[int]*group
	own     map[types.NamespacedName]int  // by Service of a call: one of its steps
	does    map[types.NamespacedName]bool // Services with steps that are not left out
}

// blocked finds the steps of plan that must be left out, and of those whose resource somebody else writes the key of it. r.mu is held.
func (r *Reconciler) blocked(plan lb.Plan) (blocked []bool, why []string) {
	blocked, why = make([]bool, len(plan.Steps)), make([]string, len(plan.Steps))
	if r.opts.DryRun {
		return blocked, why
	}
	for i, step := range plan.Steps {
		if key := topOf(step); r.writing[key] != nil {
			blocked[i], why[i] = true, key
		}
		for _, before := range step.After {
			blocked[i] = blocked[i] || blocked[before]
		}
	}
	return blocked, why
}

func (s *splitter) root(i int) int {
	for s.of[i] != i {
		i = s.of[i]
	}
	return i
}

// join puts steps into one group that belong together.
func (s *splitter) join(b *batch, whole bool) {
	first := map[string]int{}
	for i, step := range s.plan.Steps {
		s.of[i] = i
		keys := []string{topOf(step)}
		for _, c := range b.calls {
			if isFor(step, c.name) {
				s.own[c.name] = i
				keys = append(keys, "service "+c.name.String())
			}
		}
		if whole {
			keys = append(keys, "all")
		}
		for _, before := range step.After {
			s.unite(i, before)
		}
		for _, key := range keys {
			if j, ok := first[key]; ok {
				s.unite(i, j)
			} else {
				first[key] = i
			}
		}
	}
}

func (s *splitter) unite(i, j int) {
	i, j = s.root(i), s.root(j)
	s.of[max(i, j)] = min(i, j)
}

// groups makes the groups, without calls.
func (s *splitter) groups() []*group {
	s.byRoot = map[int]*group{}
	var list []*group
	at := make([]int, len(s.plan.Steps)) // index in the plan of its group
	for i, step := range s.plan.Steps {
		g := s.byRoot[s.root(i)]
		if g == nil {
			g = newGroup(s.plan)
			s.byRoot[s.root(i)] = g
			list = append(list, g)
		}
		for _, name := range servicesOf(step) {
			if s.blocked[i] {
				g.left[name] = true
			} else {
				s.does[name] = true
			}
		}
		if s.blocked[i] {
			if g.cut = true; s.why[i] != "" {
				g.blocked[s.why[i]] = true
			}
			continue
		}
		at[i] = len(g.plan.Steps)
		step.After = slices.Clone(step.After)
		for k, before := range step.After {
			step.After[k] = at[before]
		}
		g.plan.Steps = append(g.plan.Steps, step)
	}
	return list
}

// assign gives each call to the group of its steps. Calls without a step have a group of their own; so have those of whom every step is left
// out, who have nothing to wait for in this round.
func (s *splitter) assign(b *batch, list *[]*group, whole bool) {
	idle, waiting := newGroup(s.plan), map[*group]*group{}
	for _, c := range b.calls {
		i, ok := s.own[c.name]
		switch {
		case whole && len(*list) > 0:
			(*list)[0].calls = append((*list)[0].calls, c)
		case !ok:
			idle.calls = append(idle.calls, c)
		case s.does[c.name]:
			g := s.byRoot[s.root(i)]
			g.calls = append(g.calls, c)
		default:
			g := s.byRoot[s.root(i)]
			if waiting[g] == nil {
				waiting[g] = &group{cut: true, left: g.left, blocked: g.blocked}
				*list = append(*list, waiting[g])
			}
			waiting[g].calls = append(waiting[g].calls, c)
		}
	}
	if len(idle.calls) > 0 {
		*list = append(*list, idle)
	}
}

// adopt gives steps that are for no call, such as those for nodes of pools of others, to a group that has calls: the last one.
func (s *splitter) adopt(list []*group) []*group {
	var orphans []*group
	list = slices.DeleteFunc(list, func(g *group) bool {
		if len(g.calls) == 0 {
			orphans = append(orphans, g)
		}
		return len(g.calls) == 0
	})
	for _, o := range orphans {
		to := list[len(list)-1]
		shift := len(to.plan.Steps)
		for _, step := range o.plan.Steps {
			for k := range step.After {
				step.After[k] += shift
			}
			to.plan.Steps = append(to.plan.Steps, step)
		}
	}
	return list
}
