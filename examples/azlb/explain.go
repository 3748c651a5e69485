package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

func (t *tool) explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain NAMESPACE/NAME --cloud-config azure.json -f FILE...",
		Short: "Say what one Service has or will have in Azure, and why",
		Long: `Say what one Service has or will have: load balancer, frontends and addresses, rules, health probes, pools and security rules, which
annotation, field or default each comes from, and which other Services share it. Nothing is written.

Exit code 0; 1: an error, also of the Service.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.explain(cmd.Context(), args[0], args[1:]) },
	}
	t.fileFlag(c)
	t.cloudFlags(c)
	t.outputFlag(c, "text", "json")
	return c
}

func (t *tool) explain(ctx context.Context, which string, files []string) error {
	name, err := parseServiceName(which)
	if err != nil {
		return err
	}
	t.flags.maxRemovals = -1
	j, err := t.prepare(files)
	if err != nil {
		return err
	}
	p, err := t.portrait(ctx, j, name)
	if err != nil {
		return err
	}
	if err := j.azure.finish(); err != nil {
		return err
	}
	for _, f := range p.Findings {
		if f.Severity == lb.SeverityError.String() {
			t.code = exitError
		}
	}
	if t.flags.output == "json" {
		return t.printJSON(p)
	}
	t.printPortrait(p)
	return nil
}

// parseServiceName reads NAMESPACE/NAME, or the NAME of a Service in the namespace default.
func parseServiceName(text string) (types.NamespacedName, error) {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok {
		namespace, name = "default", text
	}
	if namespace == "" || name == "" || strings.Contains(name, "/") {
		return types.NamespacedName{}, fmt.Errorf("%q: want NAMESPACE/NAME", text)
	}
	return types.NamespacedName{Namespace: namespace, Name: name}, nil
}

// portrait reads Azure and draws one Service.
func (t *tool) portrait(ctx context.Context, j *job, name types.NamespacedName) (portrait, error) {
	for i := range j.in.Services {
		if nameOf(j.in.Services[i]) != name {
			continue
		}
		seen, err := j.azure.Observe(ctx, lb.ScopeOf(j.cluster, j.in))
		if err != nil {
			return portrait{}, fmt.Errorf("reading Azure: %w", err)
		}
		return newPainter(j.cluster, j.in, seen, &j.in.Services[i]).paint(), nil
	}
	return portrait{}, fmt.Errorf("no Service %s in the manifests", name)
}

// printPortrait writes a portrait for people.
func (t *tool) printPortrait(p portrait) {
	t.printf("Service %s: %s\n", p.Service, p.Summary)
	if p.LoadBalancer != nil {
		t.printf("\nload balancer %s (%s)\n", p.LoadBalancer.ID.Name(), p.LoadBalancer.State)
		t.printSettings("  ", p.LoadBalancer.Settings)
	}
	for _, f := range p.Frontends {
		t.printf("\nfrontend %s: %s%s\n", f.Name, f.Address, sharedText(f.SharedWith))
		t.printSettings("  ", f.Settings)
	}
	for _, r := range p.Rules {
		t.printf("\nrule %s: %s%s\n", r.Name, r.Summary, fromText(r.From))
		t.printSettings("  ", r.Settings)
		if r.Probe == nil {
			t.printf("  no probe: %s\n", r.NoProbe)
			continue
		}
		t.printf("  probe %s: %s%s\n", r.Probe.Name, r.Probe.Why, sharedText(r.Probe.SharedWith))
		t.printSettings("    ", r.Probe.Settings)
	}
	for _, pool := range p.Pools {
		t.printf("\npool %s: %s%s\n", pool.Name, pool.Summary, sharedText(pool.SharedWith))
	}
	for _, r := range p.SecurityRules {
		t.printf("\nsecurity rule %s: %s%s%s\n", r.Name, r.Summary, fromText(r.From), sharedText(r.SharedWith))
	}
	if len(p.Findings) > 0 {
		t.printf("\nfindings:\n")
	}
	for _, f := range p.Findings {
		t.printf("  %s: %s\n", f.Severity, strings.TrimPrefix(f.Field+": "+f.Error, ": "))
	}
}

func (t *tool) printSettings(indent string, list []setting) {
	for _, s := range list {
		t.printf("%s%-14s %s%s\n", indent, s.Name, s.Value, fromText(s.From))
	}
}

func fromText(from string) string {
	if from == "" {
		return ""
	}
	return "  (" + from + ")"
}

func sharedText(names []string) string {
	if len(names) == 0 {
		return ""
	}
	const most = 5
	if len(names) > most {
		names = append(names[:most:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	return ", shared with " + strings.Join(names, ", ")
}
