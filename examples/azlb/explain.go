package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

func (t *tool) explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "explain NAMESPACE/NAME --cloud-config azure.json -f FILE...",
		Short: "Say what one Service has or will have in Azure, and why",
		Long: `Say what one Service has or will have: load balancer and why that one, frontends and addresses, public IPs, rules, health probes, pools,
security rules and private link service; which annotation, field, key of azure.json or default each value comes from, and which other
Services share it. For a Service that is held: what it has, and why it is held. Nothing is written.

Exit code 0; 1: an error, also of the Service.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return t.explain(cmd.Context(), args[0], args[1:]) },
	}
	t.fileFlag(c)
	t.cloudFlags(c)
	t.linkFlags(c)
	t.outputFlag(c, "text", "json")
	return c
}

func (t *tool) explain(ctx context.Context, which string, files []string) error {
	name, err := parseServiceName(which)
	if err != nil {
		return err
	}
	t.flags.maxRemovals, t.flags.allowEmpty = -1, true // nothing is removed
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
		if f.Severity == lb.SeverityError {
			t.code = exitError
		}
	}
	if t.flags.output == "json" {
		return t.printJSON(p)
	}
	return p.Explain(t.stdout)
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

// portrait reads Azure and describes one Service.
func (t *tool) portrait(ctx context.Context, j *job, name types.NamespacedName) (lb.Portrait, error) {
	if !slices.ContainsFunc(j.in.Services, func(s corev1.Service) bool { return nameOf(s) == name }) {
		return lb.Portrait{}, fmt.Errorf("no Service %s in the manifests", name)
	}
	seen, err := j.azure.Observe(ctx, lb.ScopeOf(j.cluster, j.in))
	if err != nil {
		return lb.Portrait{}, fmt.Errorf("reading Azure: %w", err)
	}
	p, _ := lb.Describe(j.cluster, j.in, seen, name)
	return p, nil
}
