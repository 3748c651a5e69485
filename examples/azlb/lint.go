package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb"
)

func (t *tool) lintCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lint -f FILE...",
		Short: "Check the annotations and fields of Services",
		Long: `Check every Service by itself: values that cannot be used, misspelt and unknown annotations, settings without effect, contradictions.
Conflicts between Services, and with the configuration of the cluster, are found by plan.

Exit code 0: no errors, perhaps warnings. 1: errors.`,
		RunE: func(_ *cobra.Command, args []string) error { return t.lint(args) },
	}
	t.fileFlag(c)
	t.outputFlag(c, "text", "json")
	return c
}

// lintResult is what lint prints with -o json.
type lintResult struct {
	Services map[string]lintedService `json:"services"`
	Errors   int                      `json:"errors"`
	Warnings int                      `json:"warnings"`
}

type lintedService struct {
	Findings []finding `json:"findings"`
}

func (t *tool) lint(args []string) error {
	if err := t.moreFiles(args); err != nil {
		return err
	}
	in, err := t.objects()
	if err != nil {
		return err
	}
	r := lintResult{Services: map[string]lintedService{}}
	for i := range in.Services {
		r.add(nameOf(in.Services[i]).String(), annotations.Lint(&in.Services[i]))
	}
	if r.Errors > 0 {
		t.code = exitError
	}
	if t.flags.output == "json" {
		return t.printJSON(r)
	}
	t.printLint(r)
	return nil
}

func (r *lintResult) add(name string, list []lb.Finding) {
	s := lintedService{Findings: []finding{}}
	for _, f := range list {
		s.Findings = append(s.Findings, newFinding(f))
		switch f.Severity {
		case lb.SeverityError:
			r.Errors++
		case lb.SeverityWarning:
			r.Warnings++
		}
	}
	r.Services[name] = s
}

func (t *tool) printLint(r lintResult) {
	for _, name := range slices.Sorted(maps.Keys(r.Services)) {
		list := r.Services[name].Findings
		if len(list) == 0 {
			continue
		}
		t.printf("%s\n", name)
		for _, f := range list {
			where := f.Field
			if where != "" {
				where += ": "
			}
			t.printf("  %-7s  %s%s\n", f.Severity, where, f.Error)
		}
		t.printf("\n")
	}
	t.printf("%s: %s, %s\n", plural(len(r.Services), "Service"), plural(r.Errors, "error"), plural(r.Warnings, "warning"))
}
