package azlb_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/azlb/azlb"

// part is one package of the picture in docs/architecture.md.
type part struct {
	name string   // path below the module
	uses []string // packages of the module that it may import
	pure bool     // computes values from values
	test bool     // for tests only, and may import what tests do
}

// picture is every package of the library, each after all that it may import. A package that is not here fails the test: decide where it
// belongs.
var picture = []part{
	{name: "internal/safetext", pure: true},
	{name: "internal/safelog", uses: []string{"internal/safetext"}},
	{name: "ipam", pure: true},
	{name: "lb/armid", uses: []string{"internal/safetext"}, pure: true},
	{name: "annotations", uses: []string{"internal/safetext", "ipam", "lb/armid"}, pure: true},
	{name: "annotations/internal/gen", uses: []string{"annotations"}}, // the program behind go generate
	{name: "pls", uses: []string{"internal/safetext", "ipam", "lb/armid", "annotations"}, pure: true},
	{name: "lb", uses: []string{"internal/safetext", "ipam", "lb/armid", "annotations", "pls"}, pure: true},
	{name: "internal/armwire", uses: []string{"internal/safetext", "ipam", "lb/armid", "annotations", "pls", "lb"}, pure: true},
	{name: "provider", uses: []string{"internal/safetext", "internal/safelog", "ipam", "lb/armid", "annotations", "pls", "lb"}},
	{name: "provider/providertest", uses: []string{"ipam", "lb/armid", "annotations", "pls", "lb", "provider"}, test: true},
	{name: "provider/azure", uses: []string{"internal/safetext", "internal/safelog", "ipam", "lb/armid", "annotations", "pls", "lb", "internal/armwire", "provider"}},
	{name: "fake", uses: []string{"internal/safetext", "ipam", "lb/armid", "annotations", "pls", "lb", "internal/armwire", "provider"}},
	{name: "fake/armfake", uses: []string{"ipam", "lb/armid", "annotations", "pls", "lb", "internal/armwire", "provider", "fake"}},
	{name: "internal/property", test: true},
	{name: "internal/lbtest", uses: []string{"ipam", "lb/armid", "annotations", "pls", "lb", "internal/armwire", "provider", "fake"}, test: true},
	{name: "internal/sim", uses: []string{"ipam", "lb/armid", "annotations", "pls", "lb", "internal/armwire", "internal/lbtest", "provider", "fake"}, test: true},
	{name: ""}, // the root has documentation only
}

// strangers are packages of the standard library that bring a context, a clock, randomness, goroutines, a logger or I/O into a package.
var strangers = []string{
	"context", "crypto/rand", "io/fs", "io/ioutil", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec",
	"os/signal", "path/filepath", "plugin", "runtime", "sync", "sync/atomic", "syscall", "testing", "time", "unsafe",
}

// modules are the ones the library may depend on directly.
var modules = []string{
	"github.com/Azure/azure-sdk-for-go/sdk/azcore",
	armnetwork,
	"go4.org/netipx",
	"k8s.io/api",
	"k8s.io/apimachinery",
}

// testModules are the ones that tests may import besides.
var testModules = []string{"github.com/google/go-cmp", "pgregory.net/rapid"}

const armnetwork = "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork"

// listed is what go list says about a package.
type listed struct {
	ImportPath, Dir   string
	Imports, Deps     []string
	GoFiles, CgoFiles []string
}

func (l listed) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, module), "/")
}

// list returns the packages of the library with all that they depend on, tests left out.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Imports,Deps,GoFiles,CgoFiles", "./...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		switch err := d.Decode(&l); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, l)
	}
}

// touch reads the sources of a package, which the go command notices: it runs this test again when one of them changes or is added, and
// not only when the test itself does.
func touch(t *testing.T, l listed) {
	t.Helper()
	if _, err := os.ReadDir(l.Dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range l.GoFiles {
		if _, err := os.Stat(filepath.Join(l.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPicture(t *testing.T) {
	for _, l := range list(t) {
		touch(t, l)
		i := slices.IndexFunc(picture, func(p part) bool { return p.name == l.name() })
		if i < 0 {
			t.Errorf("package %q is not in the picture", l.name())
			continue
		}
		t.Run("azlb/"+l.name(), func(t *testing.T) {
			checkImports(t, picture[i], l)
			checkDeps(t, picture[i], l)
			if picture[i].pure {
				checkPure(t, l)
			}
		})
	}
}

// checkImports looks at direct imports: of the module only what the picture allows, of the world only the modules that are agreed on.
func checkImports(t *testing.T, p part, l listed) {
	t.Helper()
	agreed := modules
	if p.test {
		agreed = slices.Concat(modules, testModules)
	}
	for _, path := range l.Imports {
		name, ours := strings.CutPrefix(path, module+"/")
		switch {
		case ours && !slices.Contains(p.uses, name):
			t.Errorf("imports %s: against the direction of the picture", name)
		case !ours && !standard(path) && !slices.ContainsFunc(agreed, func(m string) bool { return within(path, m) }):
			t.Errorf("imports %s: not among the modules the library depends on", path)
		case within(path, armnetwork) && p.name != "provider/azure":
			t.Errorf("imports %s: only provider/azure does", path)
		}
	}
}

// checkDeps looks at everything that comes along, direct or not.
func checkDeps(t *testing.T, p part, l listed) {
	t.Helper()
	for _, path := range l.Deps {
		switch {
		case within(path, "k8s.io/client-go"):
			t.Errorf("depends on %s", path)
		case within(path, armnetwork) && p.name != "provider/azure":
			t.Errorf("depends on %s", path)
		case (p.name == "ipam" || p.name == "lb/armid") && strings.HasPrefix(path, "k8s.io/"):
			t.Errorf("depends on %s, and no Kubernetes package should come along", path)
		}
	}
}

// checkPure looks at direct imports and into the sources.
func checkPure(t *testing.T, l listed) {
	t.Helper()
	for _, path := range l.Imports {
		if slices.Contains(strangers, path) {
			t.Errorf("imports %s", path)
		}
	}
	if len(l.CgoFiles) > 0 {
		t.Errorf("uses cgo in %v", l.CgoFiles)
	}
	files := token.NewFileSet()
	for _, name := range l.GoFiles {
		file, err := parser.ParseFile(files, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for n := range ast.Preorder(file) {
			if what := impure(n); what != "" {
				t.Errorf("%s: %s", files.Position(n.Pos()), what)
			}
		}
	}
}

// impure names what a piece of code does that no import shows.
func impure(n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "starts a goroutine"
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && x.Name == "metav1" && n.Sel.Name == "Now" {
			return "reads the clock"
		}
	}
	return ""
}

// standard reports whether path is of the standard library, whose first segment has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// within reports whether path is root or below it.
func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// A picture that allows a cycle, or a package to import a later one, would be drawn wrong.
func TestPictureIsInOrder(t *testing.T) {
	drawn := map[string]bool{}
	for _, p := range picture {
		for _, name := range p.uses {
			if !drawn[name] {
				t.Errorf("%s uses %s, which comes later or is not in the picture", p.name, name)
			}
		}
		drawn[p.name] = true
	}
}

// TestModules: who imports the library gets the modules that are agreed on and what they need, nothing of what the examples, the tools, the
// end-to-end tests and the modules for scale sets stand on.
func TestModules(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "\nreplace") || strings.Contains(string(text), "\ntool") {
		t.Error("go.mod replaces modules or names tools")
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Path}} {{.Indirect}}", "all")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	agreed := slices.Concat(modules, testModules)
	for line := range strings.Lines(string(out)) {
		path, indirect, _ := strings.Cut(strings.TrimSpace(line), " ")
		if indirect == "false" && path != module && !slices.ContainsFunc(agreed, func(m string) bool { return within(path, m) }) {
			t.Errorf("depends directly on %s", path)
		}
		for _, heavy := range []string{"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute", "sigs.k8s.io/controller-runtime", "k8s.io/cloud-provider"} {
			if within(path, heavy) {
				t.Errorf("brings %s along", path)
			}
		}
	}
}
