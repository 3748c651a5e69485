package manifest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// service is a manifest of one Service, without anything before it.
func service(name string) string {
	return "apiVersion: v1\nkind: Service\nmetadata:\n  name: " + name + "\nspec:\n  type: LoadBalancer\n  ports:\n  - port: 80\n"
}

// names lists what was read.
func names(s *Set) string {
	var list []string
	for _, o := range s.Objects.Services {
		list = append(list, "Service "+o.Namespace+"/"+o.Name)
	}
	for _, o := range s.Objects.Nodes {
		list = append(list, "Node "+o.Name)
	}
	for _, o := range s.Objects.EndpointSlices {
		list = append(list, "EndpointSlice "+o.Namespace+"/"+o.Name)
	}
	for _, o := range s.Objects.Namespaces {
		list = append(list, "Namespace "+o.Name)
	}
	return strings.Join(list, ", ")
}

func TestAdd(t *testing.T) {
	const node = `{"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}}`
	for _, c := range []struct {
		name, data, want, err string
		skipped               int
	}{
		{name: "nothing", data: ""},
		{name: "only comments and separators", data: "# a\n---\n---\n  # b\n---\n"},
		{name: "one document", data: service("a"), want: "Service default/a"},
		{
			name: "two documents, comments before and between", data: "# x\n---\n" + service("a") + "--- # next\n" + service("b"),
			want: "Service default/a, Service default/b",
		},
		{name: "line ends of Windows", data: strings.ReplaceAll(service("a")+"---\n"+service("b"), "\n", "\r\n"), want: "Service default/a, Service default/b"},
		{name: "byte order mark", data: "\ufeff" + service("a"), want: "Service default/a"},
		{name: "JSON", data: node, want: "Node n1"},
		{name: "several JSON objects", data: node + "\n" + strings.ReplaceAll(node, "n1", "n2"), want: "Node n1, Node n2"},
		{name: "JSON between YAML", data: service("a") + "---\n" + node, want: "Service default/a, Node n1"},
		{
			name: "all kinds", data: service("a") + "---\n" + node + "\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n---\n" +
				"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: e}\naddressType: IPv4\nendpoints: []\n",
			want: "Service default/a, Node n1, EndpointSlice default/e, Namespace x",
		},
		{name: "List", data: "apiVersion: v1\nkind: List\nitems:\n- " + node, want: "Node n1"},
		{
			name: "list of one kind", data: `{"apiVersion":"v1","kind":"NodeList","items":[{"metadata":{"name":"n1"}},{"metadata":{"name":"n2"}}]}`,
			want: "Node n1, Node n2",
		},
		{name: "other kinds", data: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n", skipped: 2},

		{
			name: "unknown field", data: service("a") + "---\n" + strings.Replace(service("b"), "ports", "prots", 1), want: "Service default/a",
			err: `f.yaml: document 2 (line 10): Service b: unknown field "spec.prots"`,
		},
		{
			name: "two unknown fields", data: service("a") + "x: 1\nz: 2\n",
			err: `f.yaml: document 1 (line 1): Service a: unknown field "x"` + "\n" + `f.yaml: document 1 (line 1): Service a: unknown field "z"`,
		},
		{
			name: "unknown field in a List", data: `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Node","metadata":{"nam":"n1"}}]}`,
			err: `f.yaml: document 1 (line 1): Node: unknown field "metadata.nam"`,
		},
		{name: "key given twice", data: service("a") + "kind: Service\n", err: `f.yaml: document 1 (line 1): Service a: yaml: unmarshal errors:` + "\n" + `  line 9: key "kind" already set in map`},
		{name: "misspelt kind", data: "# c\n---\n" + strings.Replace(service("a"), "Service", "Servise", 1), err: "f.yaml: document 1 (line 3): unknown kind Servise of v1"},
		{name: "no name", data: service(`""`), err: "f.yaml: document 1 (line 1): Service: metadata.name: required"},
		{
			name: "object given twice", data: service("a") + "---\n" + strings.Replace(service("a"), "name: a", "name: a\n  namespace: default", 1), want: "Service default/a",
			err: "f.yaml: document 2 (line 10): Service default/a: given twice: first in f.yaml, document 1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Set{}
			err := s.Add("f.yaml", []byte(c.data))
			if got := names(s); got != c.want {
				t.Errorf("read %q, want %q", got, c.want)
			}
			if text := errorText(err); text != c.err {
				t.Errorf("error\n%s\nwant\n%s", text, c.err)
			}
			if len(s.Skipped) != c.skipped {
				t.Errorf("skipped %q, want %d", s.Skipped, c.skipped)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// The wording of these is the decoder's; what counts is that they are errors that say where.
func TestAddRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"value of the wrong type":          strings.Replace(service("a"), "port: 80", "port: http", 1),
		"annotation that is no text":       strings.Replace(service("a"), "name: a", "name: a\n  annotations: {x: true}", 1),
		"no kind":                          "metadata: {name: a}",
		"broken YAML":                      "kind: [",
		"broken JSON":                      `{"kind": `,
		"not an object":                    "- a\n- b\n",
		"version that is not known":        "apiVersion: v2\nkind: Service\nmetadata: {name: a}",
		"version of discovery not known":   "apiVersion: discovery.k8s.io/v7\nkind: EndpointSlice\nmetadata: {name: a}",
		"item of a List that has no kind":  `{"apiVersion":"v1","kind":"List","items":[{"metadata":{"name":"a"}}]}`,
		"item of a list of a wrong type":   `{"apiVersion":"v1","kind":"NodeList","items":[1]}`,
		"unknown field in a typed list":    `{"apiVersion":"v1","kind":"NodeList","items":[{"metadata":{"name":"a"},"spek":{}}]}`,
		"not even text":                    "\x00\xff",
		"document end in a wrong position": "apiVersion: v1\n...\nkind: Service\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := &Set{}
			err := s.Add("f.yaml", []byte("# first line\n---\n"+data))
			var at *Error
			if !errors.As(err, &at) || at.File != "f.yaml" || at.Document != 1 || at.Line != 3 {
				t.Errorf("error %v, want an *Error in document 1, line 3", err)
			}
			if got := names(s); got != "" {
				t.Errorf("read %q, want nothing", got)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"b.yml": service("b"), "a.yaml": service("a"), "note.txt": "no manifest"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load([]string{dir, "-"}, strings.NewReader(service("c")))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff("Service default/a, Service default/b, Service default/c", names(s)); d != "" {
		t.Errorf("read (-want +got):\n%s", d)
	}
	if _, err := Load([]string{filepath.Join(dir, "none.yaml"), t.TempDir()}, nil); err == nil || !errors.Is(err, os.ErrNotExist) ||
		!strings.Contains(err.Error(), "no file ends in") {
		t.Errorf("error %v, want both a missing file and an empty directory", err)
	}
}

func TestComplete(t *testing.T) {
	s := &Set{}
	data := service("a") + "  - {name: x, port: 81, nodePort: 30001, protocol: UDP, targetPort: web}\n  ipFamilyPolicy: RequireDualStack\n  externalTrafficPolicy: Local\n"
	if err := s.Add("f", []byte(data)); err != nil {
		t.Fatal(err)
	}
	s.Complete()
	svc := s.Objects.Services[0]
	if svc.UID == "" || len(svc.Spec.IPFamilies) != 2 || svc.Spec.HealthCheckNodePort != 30000 {
		t.Errorf("uid %q, families %v, health check port %d", svc.UID, svc.Spec.IPFamilies, svc.Spec.HealthCheckNodePort)
	}
	first, second := svc.Spec.Ports[0], svc.Spec.Ports[1]
	if first.NodePort != 30002 || first.Protocol != "TCP" || first.TargetPort.IntValue() != 80 {
		t.Errorf("first port: %+v", first)
	}
	if second.NodePort != 30001 || second.Protocol != "UDP" || second.TargetPort.String() != "web" {
		t.Errorf("second port, which was complete, became: %+v", second)
	}
}

func FuzzAdd(f *testing.F) {
	f.Add([]byte(service("a") + "---\n{}\n"))
	f.Add([]byte(`{"kind":"List","apiVersion":"v1","items":[{}]}{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Set{}
		_ = s.Add("f", data)
		s.Complete()
	})
}
