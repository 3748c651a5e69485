package manifest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
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
			err: `f.yaml: document 1 (line 1): Node: items[0]: unknown field "metadata.nam"`,
		},
		{name: "key given twice", data: service("a") + "kind: Service\n", err: `f.yaml: document 1 (line 1): Service a: line 9: key "kind" is given twice`},
		{
			name: "broken YAML in the second document", data: service("a") + "---\nkind: [\n", want: "Service default/a",
			err: "f.yaml: document 2 (line 10): cannot be read: line 10: did not find expected node content",
		},
		{name: "JSON that ends too early", data: `{"kind":"Service",`, err: "f.yaml: document 1 (line 1): cannot be read: line 1: did not find expected node content"},
		{
			name: "a file with credentials", data: `{"tenantId":"t","aadClientId":"x","aadClientSecret":"S3CRET-MARK"}`,
			err: "f.yaml: document 1 (line 1): not a Kubernetes object: neither apiVersion nor kind",
		},
		{name: "a list", data: "- S3CRET-MARK\n", err: "f.yaml: document 1 (line 1): not a Kubernetes object: neither apiVersion nor kind"},
		{name: "a text", data: "S3CRET-MARK", err: "f.yaml: document 1 (line 1): not a Kubernetes object: neither apiVersion nor kind"},
		{name: "no version", data: "kind: Service\nmetadata: {name: a}\n", err: "f.yaml: document 1 (line 1): not a Kubernetes object: no apiVersion"},
		{name: "a kind that is no text", data: "kind: {S3CRET-MARK: 1}\napiVersion: v1\n", err: "f.yaml: document 1 (line 1): not a Kubernetes object: kind: want a text"},
		{
			name: "no object in a List", data: `{"apiVersion":"v1","kind":"List","items":[` + node + `,{"aadClientSecret":"S3CRET-MARK"}]}`, want: "Node n1",
			err: "f.yaml: document 1 (line 1): items[1]: not a Kubernetes object: neither apiVersion nor kind",
		},
		{
			name: "annotations that are no texts",
			data: strings.Replace(service("a"), "name: a", "name: a\n  annotations: {x/y: true, x/z: 4, S3CRET-MARK: []}", 1),
			err: "f.yaml: document 1 (line 1): Service: cannot be read: metadata.annotations[(not shown)]: want a text\n" +
				`cannot be read: metadata.annotations[x/y]: want a text, write "true" in quotes` + "\n" +
				"cannot be read: metadata.annotations[x/z]: want a text, write the number in quotes",
		},
		{
			name: "value of the wrong type", data: strings.Replace(service("a"), "port: 80", "port: S3CRET-MARK", 1),
			err: "f.yaml: document 1 (line 1): Service: cannot be read: spec.ports.port: want a whole number, got string",
		},
		{name: "Secrets, which are not looked into", data: "apiVersion: v1\nkind: Secret\nmetadata: {name: S3CRET-MARK}\ndata: {x: S3CRET-MARK}\n", skipped: 1},
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

// mark stands for a secret: nothing that looks like it has a place in a message.
const mark = "S3CRET-MARK"

// FuzzAdd reads anything, with a secret somewhere in it. Nothing that is said of it has the secret, and what is accepted is read again as it was.
func FuzzAdd(f *testing.F) {
	f.Add([]byte(service("a")+"---\n{}\n"), uint16(40))
	f.Add([]byte(`{"kind":"List","apiVersion":"v1","items":[{}]}{}`), uint16(9))
	f.Add([]byte(`{"aadClientSecret":"`+mark+`"}`), uint16(0))
	f.Add([]byte(strings.Replace(service("a"), "name: a", "name: a\n  creationTimestamp: x\n  annotations: {a: &b c, d: *e, ? [f] : g}", 1)), uint16(80))
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		i := int(at) % (len(data) + 1)
		with := slices.Concat(data[:i], []byte(mark), data[i:])
		s := &Set{}
		err := s.Add("f", with)
		if said := errorText(err) + strings.Join(s.Skipped, "\n"); strings.Contains(said, mark) {
			t.Errorf("of %q it says\n%s", with, said)
		}
		s.Complete()
		s = &Set{}
		if s.Add("f", data) == nil {
			checkRoundTrip(t, s)
		}
		s.Complete()
	})
}

// checkRoundTrip writes what was read, and reads it again.
func checkRoundTrip(t *testing.T, s *Set) {
	t.Helper()
	var text []byte
	write := func(object runtime.Object, version, kind string) {
		object.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(version, kind))
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, data...), '\n')
	}
	for i := range s.Objects.Services {
		write(&s.Objects.Services[i], "v1", "Service")
	}
	for i := range s.Objects.Nodes {
		write(&s.Objects.Nodes[i], "v1", "Node")
	}
	for i := range s.Objects.EndpointSlices {
		write(&s.Objects.EndpointSlices[i], "discovery.k8s.io/v1", "EndpointSlice")
	}
	for i := range s.Objects.Namespaces {
		write(&s.Objects.Namespaces[i], "v1", "Namespace")
	}
	again := &Set{}
	if err := again.Add("f", text); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !equality.Semantic.DeepEqual(s.Objects, again.Objects) {
		t.Errorf("written and read again (-first +second):\n%s", cmp.Diff(s.Objects, again.Objects))
	}
}

// TestFolders: a directory stands for its own manifests, and those below it are never left out without a word.
func TestFolders(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{
		"a.yaml": service("a"), "rest/b.yaml": service("b"), "rest/deep/c.json": `{"apiVersion":"v1","kind":"Node","metadata":{"name":"c"}}`,
		"notes/d.txt": "no manifest", ".git/e.yaml": "no manifest",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(data), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(dir, filepath.Join(dir, "rest", "circle")); err != nil {
		t.Fatal(err)
	}
	want := dir + ": manifests in folders below it would not be read: rest, rest/deep"
	if _, err := Load([]string{dir}, nil); !errors.Is(err, ErrFolders) || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	s, err := Reader{Recursive: true}.Load([]string{dir}, nil)
	if got, want := names(s), "Service default/a, Service default/b, Node c"; err != nil || got != want {
		t.Errorf("read %q, %v; want %q", got, err, want)
	}
	if _, err := (Reader{}).Files(filepath.Join(dir, "notes")); err == nil || !strings.Contains(err.Error(), "no file ends in") {
		t.Errorf("error %v, want that there is none", err)
	}
}
