package provider_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/sim"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// TestEveryPrefixIsSafe stops the plans of random worlds after each of their writes, in an order that the plan allows. Nothing that is in
// use before and after the plan may be cut off by then, unless a step that was carried out announced it, and what is left must be no more
// than what was not done. [sim.Watch] looks; see there for what exactly it compares.
func TestEveryPrefixIsSafe(t *testing.T) {
	prefixes := 0
	for seed := range uint64(200) {
		w := sim.New(seed)
		for phase := range 3 {
			plan := planOf(t, w)
			order := shuffled(plan, rand.New(rand.NewPCG(seed, uint64(phase))))
			for n := range writesOf(t, w, order) {
				prefixes++
				stopAfter(t, w, order, n)
			}
			if !carryOut(t, w, order) {
				break
			}
			w.Mutate()
		}
	}
	t.Logf("%d prefixes", prefixes)
}

func planOf(t *testing.T, w *sim.World) lb.Plan {
	t.Helper()
	plan, err := w.Plan(w.Cloud)
	if err != nil {
		t.Fatalf("seed %d: %v", w.Seed, err)
	}
	return plan
}

// writesOf counts the writes that plan comes to: instances of a scale set may follow their model by themselves, so that nothing is left to write.
func writesOf(t *testing.T, w *sim.World, plan lb.Plan) int {
	t.Helper()
	trial := w.Cloud.Clone()
	report, err := provider.Apply(t.Context(), trial, plan, &provider.Options{Parallel: 1, Attempts: 1, Clock: trial.Clock()})
	if err != nil {
		return len(plan.Steps) // what ARM refuses is looked at in package sim
	}
	return report.Writes
}

// stopAfter pulls the plug after n writes of plan and looks at what is left, on a copy of the world.
func stopAfter(t *testing.T, w *sim.World, plan lb.Plan, n int) {
	t.Helper()
	fork := w.Fork()
	watch := sim.NewWatch(fork)
	watch.Expect(plan)
	fork.Cloud.Inject(fake.CrashAfter(n))
	report, err := provider.Apply(t.Context(), watch, plan, &provider.Options{Parallel: 1, Attempts: 1, Clock: fork.Cloud.Clock()})
	if err == nil {
		t.Errorf("seed %d: the plug was pulled after %d of %d writes, and nobody noticed", w.Seed, n, len(plan.Steps))
	}
	for _, v := range watch.Violations {
		t.Errorf("seed %d: stopped after %d of %d: %v", w.Seed, n, len(plan.Steps), v)
	}
	fork.Cloud.Restart()
	rest := planOf(t, fork)
	if len(rest.Steps) > len(plan.Steps)-report.Writes {
		t.Errorf("seed %d: %d steps left after %d of %d:\nplan %s\nrest %s",
			w.Seed, len(rest.Steps), report.Writes, len(plan.Steps), explained(plan), explained(rest))
	}
	if _, err := provider.Apply(t.Context(), fork.Cloud, rest, &provider.Options{Parallel: 1, Clock: fork.Cloud.Clock()}); err != nil {
		return // what ARM refuses is looked at in package sim
	}
	if again := planOf(t, fork); len(again.Steps) > 0 {
		t.Errorf("seed %d: planned again after %d of %d, and it does not converge:\n%s", w.Seed, n, len(plan.Steps), explained(again))
	}
}

// carryOut carries plan out in w itself; false: ARM refuses something, which ends this world here.
func carryOut(t *testing.T, w *sim.World, plan lb.Plan) bool {
	t.Helper()
	_, err := provider.Apply(t.Context(), w.Cloud, plan, &provider.Options{Parallel: 1, Clock: w.Cloud.Clock()})
	return err == nil
}

// shuffled returns plan with its steps in another order that keeps what they come after.
func shuffled(plan lb.Plan, rng *rand.Rand) lb.Plan {
	at := make([]int, len(plan.Steps)) // new index by old one
	out := lb.Plan{Findings: plan.Findings}
	placed := map[int]bool{}
	for len(out.Steps) < len(plan.Steps) {
		var ready []int
		for i, step := range plan.Steps {
			if !placed[i] && !slices.ContainsFunc(step.After, func(b int) bool { return !placed[b] }) {
				ready = append(ready, i)
			}
		}
		i := ready[rng.IntN(len(ready))]
		placed[i], at[i] = true, len(out.Steps)
		step := plan.Steps[i]
		step.After = nil
		for _, before := range plan.Steps[i].After {
			step.After = append(step.After, at[before])
		}
		slices.Sort(step.After)
		out.Steps = append(out.Steps, step)
	}
	return out
}
