package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// operation names an operation, such as PutLoadBalancer.
func operation(op lb.Op) string { return strings.TrimPrefix(fmt.Sprintf("%T", op), "lb.") }

// label is what is left of an id without subscription, group and provider.
func label(id lb.ID) string {
	const provider = "/providers/Microsoft.Network/"
	if _, after, ok := strings.Cut(string(id), provider); ok {
		return after
	}
	return string(id)
}

func (t *tour) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

func (t *tour) printPlan(plan lb.Plan) {
	if err := plan.Explain(t.out); err != nil {
		t.printf("plan: %v\n", err)
	}
	t.printf("\n")
}

// printServices prints the Services like kubectl get service.
func (t *tour) printServices() {
	if len(t.in.Services) == 0 {
		return
	}
	t.printf("\n")
	w := tabwriter.NewWriter(t.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "NAMESPACE\tNAME\tTYPE\tEXTERNAL-IP\tPORT(S)")
	for _, s := range t.in.Services {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Namespace, s.Name, s.Spec.Type, addresses(s), ports(s))
	}
	if err := w.Flush(); err != nil {
		t.printf("%v\n", err)
	}
}

func addresses(s corev1.Service) string {
	var list []string
	for _, in := range s.Status.LoadBalancer.Ingress {
		list = append(list, in.IP)
	}
	switch {
	case len(list) > 0:
		return strings.Join(list, ",")
	case s.Spec.Type == corev1.ServiceTypeLoadBalancer:
		return "<pending>"
	default:
		return "<none>"
	}
}

func ports(s corev1.Service) string {
	var list []string
	for _, p := range s.Spec.Ports {
		text := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.NodePort != 0 {
			text = fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
		}
		list = append(list, text)
	}
	return strings.Join(list, ",")
}

func (t *tour) printFindings(report provider.Report) {
	for _, f := range report.Findings {
		t.printf("%s\n", f)
	}
}

// printAzure counts the resources by type.
func (t *tour) printAzure() {
	var state struct {
		Resources []struct {
			ID lb.ID `json:"id"`
		} `json:"resources"`
	}
	dump, err := t.azure.Dump()
	if err == nil {
		err = json.Unmarshal(dump, &state)
	}
	if err != nil {
		t.printf("%v\n", err)
		return
	}
	count := map[string]int{}
	for _, r := range state.Resources {
		typ, _, _ := strings.Cut(label(r.ID), "/")
		count[typ]++
	}
	t.printf("\nin Azure:")
	for _, typ := range slices.Sorted(maps.Keys(count)) {
		t.printf(" %d %s", count[typ], typ)
	}
	t.printf("\n")
}

// printCalls prints the calls that were not printed yet.
func (t *tour) printCalls() {
	all := t.azure.Requests()
	t.printf("\n")
	for _, r := range all[t.calls:] {
		t.printf("%d %-6s %s\n", r.Status, r.Method, label(lb.ID(r.Path)))
	}
	t.calls = len(all)
}
