package azure_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// models are the SDK's structs of the types that armwire knows.
var models = map[string]any{
	armid.LoadBalancers:         armnetwork.LoadBalancer{},
	armid.PublicIPAddresses:     armnetwork.PublicIPAddress{},
	armid.PublicIPPrefixes:      armnetwork.PublicIPPrefix{},
	armid.NetworkSecurityGroups: armnetwork.SecurityGroup{},
	armid.VirtualNetworks:       armnetwork.VirtualNetwork{},
	armid.NetworkInterfaces:     armnetwork.Interface{},
	armid.PrivateLinkServices:   armnetwork.PrivateLinkService{},
}

// field is one JSON field of a model.
type field struct {
	path     string
	readOnly bool
}

// sdk is what the SDK's sources say about fields: their JSON names are in its marshalers, and that one is read-only in its comments.
type sdk struct {
	names    map[string]string // by Type.Field
	readOnly map[string]bool   // by Type.Field
}

func readSDK(t *testing.T) sdk {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", reflect.TypeFor[armnetwork.LoadBalancer]().PkgPath()).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dir := strings.TrimSpace(string(out))
	s := sdk{names: map[string]string{}, readOnly: map[string]bool{}}
	s.readNames(t, filepath.Join(dir, "models_serde.go"))
	s.readComments(t, filepath.Join(dir, "models.go"))
	return s
}

var (
	marshaler = regexp.MustCompile(`(?m)^func \((\w) (\w+)\) MarshalJSON`)
	populated = regexp.MustCompile(`populate\w*(?:\[[^\]]*\])?\(objectMap, "([^"]+)", \w\.(\w+)\)`)
)

func (s sdk) readNames(t *testing.T, file string) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	starts := marshaler.FindAllSubmatchIndex(source, -1)
	for i, at := range starts {
		end := len(source)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		typ := string(source[at[4]:at[5]])
		for _, m := range populated.FindAllSubmatch(source[at[0]:end], -1) {
			s.names[typ+"."+string(m[2])] = string(m[1])
		}
	}
}

func (s sdk) readComments(t *testing.T, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		spec := g.Specs[0].(*ast.TypeSpec)
		body, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range body.Fields.List {
			s.readOnly[spec.Name.Name+"."+f.Names[0].Name] = strings.Contains(f.Doc.Text(), "READ-ONLY;")
		}
	}
}

// fields lists the fields of a model below prefix, lists of objects entered as far as the paths in enter go.
func (s sdk) fields(typ reflect.Type, prefix string, enter func(string) bool) []field {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice {
			prefix += "[]"
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return nil
	}
	var list []field
	for i := range typ.NumField() {
		f := typ.Field(i)
		key := typ.Name() + "." + f.Name
		path := strings.TrimPrefix(prefix+"."+s.names[key], ".")
		list = append(list, field{path, s.readOnly[key]})
		below := path
		if f.Type.Kind() == reflect.Slice {
			below += "[]"
		}
		if enter(below + ".") {
			list = append(list, s.fields(f.Type, path, enter)...)
		}
	}
	return list
}

// exceptions are where the table and the SDK's comments differ on purpose.
var exceptions = map[string]bool{
	"name": true, // the SDK takes it from the path; bodies carry it all the same, as upstream's do

	// Ids and types of children follow from their names; where the SDK could send them, what it would send is a reference to itself.
	"properties.ipConfigurations[].id": true, "properties.ipConfigurations[].type": true,
	"properties.backendAddressPools[].id": true, "properties.frontendIPConfigurations[].id": true, "properties.inboundNatPools[].id": true,
	"properties.inboundNatRules[].id": true, "properties.loadBalancingRules[].id": true, "properties.outboundRules[].id": true,
	"properties.probes[].id": true, "properties.securityRules[].id": true, "properties.securityRules[].type": true,
	"properties.subnets[].id": true, "properties.subnets[].type": true, "properties.privateEndpointConnections[].id": true,

	// ARM chooses them, whatever the comments leave open.
	"properties.ipAddress": true, "properties.dnsSettings.fqdn": true,

	"properties.defaultPublicNatGateway": true, // of virtual networks, which are never written as a whole
}

// TestReadOnlyTableAgainstSDK holds the table of armwire against the SDK: each of its paths is a field there, and both agree on what only ARM
// writes.
func TestReadOnlyTableAgainstSDK(t *testing.T) {
	s := readSDK(t)
	for typ, model := range models {
		table := armwire.ReadOnly(typ)
		if len(table) == 0 {
			t.Errorf("%s: armwire does not know it", typ)
		}
		enter := func(prefix string) bool {
			return slices.ContainsFunc(table, func(p string) bool { return strings.HasPrefix(p, prefix) })
		}
		known := map[string]bool{}
		for _, f := range s.fields(reflect.TypeOf(model), "", enter) {
			known[f.path] = true
			if listed := slices.Contains(table, f.path); listed != f.readOnly && !exceptions[f.path] {
				t.Errorf("%s: %s: read-only in the table %v, in the SDK %v", typ, f.path, listed, f.readOnly)
			}
		}
		for _, path := range table {
			if !known[path] {
				t.Errorf("%s: %s: the SDK has no such field", typ, path)
			}
		}
	}
}

// TestNewBodiesHaveNothingReadOnly is the other side: what we write is nothing that the table would strip.
func TestNewBodiesHaveNothingReadOnly(t *testing.T) {
	for _, op := range []lb.Op{
		create,
		lb.PutLoadBalancer{After: lb.LoadBalancer{
			ID: in(armid.LoadBalancers, "l"), Location: "l", SKU: "Standard", Tags: lb.Tags{{Key: "k", Value: "v"}},
			Frontends: []lb.Frontend{{Name: "f", Family: ipam.IPv4, Subnet: subnet, Zones: "1,2"}, {Name: "g", Family: ipam.IPv4, PublicIP: address}},
			Pools:     []lb.Pool{{Name: "p", Network: network, Members: []lb.Member{{Name: "n", IP: netip.MustParseAddr("10.0.0.4")}}}},
			Probes:    []lb.Probe{{Name: "q", Protocol: "Http", Path: "/", Port: 80, IntervalSeconds: 5, Threshold: 2}},
			Rules: []lb.Rule{{
				Name: "r", Frontend: "f", Pool: "p", Probe: "q", Protocol: lb.TCP, FrontendPort: 80, BackendPort: 80, IdleMinutes: 4,
				TCPReset: true, Distribution: lb.DistributionDefault,
			}},
		}},
		lb.PutPrivateLinkService{After: pls.PrivateLinkService{ID: in(armid.PrivateLinkServices, "s"), Location: "l"}},
	} {
		result, err := armwire.Prepare(op, nil)
		if err != nil || result.Verdict != armwire.Write {
			t.Fatalf("%T: %v, %v", op, result, err)
		}
		stripped := armwire.Clone(result.Body)
		armwire.StripReadOnly(op.Target().Type(), stripped)
		// Ids of children are in the table and may be sent, as what they are anyway.
		ids := cmpopts.IgnoreMapEntries(func(key string, _ any) bool { return key == "id" })
		if d := cmp.Diff(stripped, result.Body, ids); d != "" {
			t.Errorf("%T writes what is read-only (+):\n%s", op, d)
		}
	}
}
