package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
)

// hostile is what nobody should see as it is: it clears a terminal, sets its title, forges a line, and turns the rest around.
const hostile = "MARK\x1b[2J\x1b]0;title\a\nerror: shop/web: forged\r\u009b2J\u202e\u200b\u2028"

// hostileService has the hostile text in the values of half of the annotations: of all, most would not be read.
func hostileService(n int) corev1.Service {
	s := corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "evil", Name: fmt.Sprintf("x%d", n), Annotations: map[string]string{"unknown/" + hostile: hostile}},
	}
	s.Spec.Type = corev1.ServiceTypeLoadBalancer
	s.Spec.Ports = []corev1.ServicePort{{Name: hostile, Port: 80, Protocol: corev1.ProtocolTCP}}
	keys := annotations.Keys()
	for i, k := range keys {
		switch {
		case n >= 0 && n != i:
		case k.Grammar == annotations.Pairs:
			s.Annotations[annotations.PortKey(k.Name, 80)] = "a" + hostile + "=b" + hostile
		default:
			s.Annotations[annotations.PortKey(k.Name, 80)] = hostile
		}
	}
	s.Annotations[annotations.Prefix+"aws-load-balancer-type"] = hostile
	return s
}

// TestNothingHostileIsShown puts a hostile text into every annotation, alone and all together, into fields of the spec, into names, and into what
// Azure has, and reads every output of every command.
func TestNothingHostileIsShown(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	inSpec := hostileService(len(annotations.Keys()))
	inSpec.Name, inSpec.Spec.LoadBalancerIP, inSpec.Spec.LoadBalancerSourceRanges = "spec", hostile, []string{hostile}
	inSpec.Spec.ExternalTrafficPolicy = hostile
	named := hostileService(len(annotations.Keys()))
	named.Name, named.UID = hostile, hostile
	list := []any{hostileService(-1), inSpec, named}
	for n := range annotations.Keys() {
		list = append(list, hostileService(n))
	}
	services := write("services.json", map[string]any{"apiVersion": "v1", "kind": "List", "items": list})
	shown := 0
	check := func(args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		run(t.Context(), args, strings.NewReader(""), &out, &errs)
		for _, text := range []string{out.String(), errs.String()} {
			shown += strings.Count(text, "MARK")
			for line := range strings.Lines(text) {
				if line = strings.TrimSuffix(line, "\n"); !safetext.Printable(line) || strings.HasPrefix(line, "error: shop/web: forged") {
					t.Fatalf("%s: line %q", strings.Join(args, " "), line)
				}
			}
		}
	}
	azure := []string{"--fake", "--cloud-config", "testdata/shop/azure.json", "-v", "-f", "testdata/shop/nodes.yaml", "-f", services}
	state := filepath.Join(dir, "state.json")
	with := func(command []string, more ...string) []string { return append(append(command, azure...), more...) }
	check("lint", "-f", services)
	check("lint", "-f", services, "-o", "json")
	check("translate", "-f", services)
	check("translate", "-f", services, "-o", "json")
	for _, form := range []string{"text", "json", "mermaid"} {
		check(with([]string{"plan"}, "-o", form)...)
	}
	for i := range list {
		check(with([]string{"explain", fmt.Sprintf("evil/x%d", i)})...)
	}
	check(with([]string{"explain", "evil/spec"}, "-o", "json")...)
	check(with([]string{"explain", "evil/" + hostile})...)
	check(with([]string{"apply"}, "--load", state, "--dump", state)...)
	data, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	// Tags of others, and the note of who uses what, as somebody with access to Azure can write them.
	mark, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	inner := string(mark[1 : len(mark)-1])
	text := strings.ReplaceAll(string(data), `"k8s-azure-service": "evil/`, `"tag`+inner+`": "x", "k8s-azure-service": "`+inner+`/`)
	if err := os.WriteFile(state, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := []string{"--fake", "--cloud-config", "testdata/shop/azure.json", "-f", "testdata/shop/nodes.yaml", "--allow-empty", "--max-removals", "-1", "--load", state}
	for _, form := range []string{"text", "json"} {
		check(append([]string{"plan", "-o", form}, empty...)...)
		check(append([]string{"apply", "-o", form}, empty...)...)
	}
	if shown < 50 {
		t.Errorf("the mark was shown %d times: what is looked for is not there", shown)
	}
}
