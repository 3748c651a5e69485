package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// operation names an operation, such as PutLoadBalancer.
func operation(op lb.Op) string { return strings.TrimPrefix(fmt.Sprintf("%T", op), "lb.") }

// label is what is left of an id without subscription, group and provider.
func label(id lb.ID) string {
	if _, after, ok := strings.Cut(string(id), "/providers/Microsoft.Network/"); ok {
		return after
	}
	return string(id)
}

// printText writes the result for people. The plans of apply were printed when they were made.
func (t *tool) printText(j *job, r result) {
	if len(j.report.Rounds) == 0 {
		return
	}
	if j.dry {
		t.printPlan(j.report.Plan())
		t.printLinks(r)
		t.printf("\n")
		r.Cost.print(t)
		return
	}
	if len(r.Steps) > 0 {
		t.printf("\n")
	}
	t.printServices(r)
	t.printLinks(r)
	t.printf("\n%s%s, %s\n", stepCounts(j.report), plural(r.Requests.Reads, "read"), plural(r.Requests.Writes, "write"))
}

func (t *tool) printPlan(p lb.Plan) {
	explain := p.Explain
	if t.flags.verbose {
		explain = p.ExplainOrder
	}
	if err := explain(t.stdout); err != nil {
		t.complain(err)
	}
}

// printServices writes a table of the Services with their addresses, and below it what is wrong with them.
func (t *tool) printServices(r result) {
	if len(r.Services) == 0 {
		t.printf("no Service of type LoadBalancer\n")
		return
	}
	names := slices.Sorted(maps.Keys(r.Services))
	w := tabwriter.NewWriter(t.stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tADDRESS\tRESULT")
	for _, name := range names {
		s := r.Services[name]
		outcome := "ok"
		if s.Error != "" {
			outcome = "error"
		}
		safetext.Fprintf(w, "%s\t%s\t%s\n", name, addresses(s.Status), outcome)
	}
	if err := w.Flush(); err != nil {
		t.complain(err)
	}
	for _, name := range names {
		if text := r.Services[name].Error; text != "" {
			t.printf("%s: %s\n", name, text)
		}
	}
}

func addresses(s corev1.LoadBalancerStatus) string {
	var list []string
	for _, in := range s.Ingress {
		list = append(list, in.IP)
	}
	if len(list) == 0 {
		return "<none>"
	}
	return strings.Join(list, ",")
}

// stepCounts sums the steps of all rounds up by how they ended.
func stepCounts(report provider.Report) string {
	counts := map[provider.State]int{}
	for _, round := range report.Rounds {
		for _, s := range round.Steps {
			counts[s.State]++
		}
	}
	var parts []string
	for _, state := range []provider.State{
		provider.StateDone, provider.StateUnchanged, provider.StateFailed, provider.StateUnknown, provider.StateSkipped,
	} {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "steps: " + strings.Join(parts, ", ") + "; "
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// printInterrupted says, after a signal, what was done and what was not.
func (t *tool) printInterrupted(ctx context.Context, j *job) {
	if ctx.Err() == nil || j.err == nil || j.dry {
		return
	}
	t.tell("azlb: interrupted; apply again to go on\n")
	for _, round := range j.report.Rounds {
		for i, s := range round.Steps {
			op := round.Plan.Steps[i].Op
			text := map[provider.State]string{
				provider.StateDone: "done", provider.StateUnchanged: "done", provider.StateFailed: "failed",
				provider.StateUnknown: "perhaps done", provider.StateSkipped: "not done",
			}[s.State]
			t.tell("  %-12s  %s %s\n", text, operation(op), label(op.Target()))
		}
	}
}

// firstFew joins list, cut after n entries.
func firstFew(list []string, n int) string {
	if len(list) > n {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
	}
	return strings.Join(list, ", ")
}
