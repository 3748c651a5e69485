//go:build mutation

package sim_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutation is one deliberate fault.
type mutation struct {
	name, file, old, new string
}

// mutations are faults that the simulation must notice. Each old text stands once in its file: whoever changes that code moves the fault along.
var mutations = []mutation{
	{"writes go without If-Match", "fake/provider.go", `Body: result.Body, IfMatch: text(raw, "etag")}`, `Body: result.Body}`},
	{
		"children of others are forgotten", "internal/armwire/overlay.go",
		"\t\tkept = append(kept, e)\n\t}\n\tfor _, w", "\t\tif laid[key] {\n\t\t\tkept = append(kept, e)\n\t\t}\n\t}\n\tfor _, w",
	},
	{"tags of others are forgotten", "internal/armwire/overlay.go", "} else if _, ok := before.Get(key); ok {", "} else {"},
	{"a failed step does not stop what comes after it", "provider/apply.go", "\t\tr.skip(end.index)", "\t\tr.release(end.index)"},
	{"Retry-After is ignored", "provider/options.go", "wait := max(e.RetryAfter, backoff)", "wait := backoff"},
	{"a hold is ignored", "lb/build.go", "s.held = s.held || f.Holds", "s.held = s.held || false"},
	{"what a write cuts is not announced", "lb/diff_risk.go", "risks = append(risks, RiskTraffic)\n\t}\n\tfrontends", "}\n\tfrontends"},
	{"what a write opens is not announced", "lb/diff_risk.go", "risks = append(risks, RiskExposure)", "_ = RiskExposure"},
	{"unreadable sources are no sources", "lb/build_security.go", "len(a.Ranges) == 0 && !a.Closed {", "len(a.Ranges) == 0 {"},
	{"what is there is not adopted", "provider/reconciler.go", "\twant = lb.Adopt(seen, want)\n", ""},
	{"a public IP goes before its frontend", "lb/diff.go", "\td.indexUsers()\n", ""},
	{"a write is not remembered", "provider/reconciler_claim.go", "\t\ts.written(op, end.receipt)\n", ""},
	{"nobody hears of a member that could not be attached", "lb/diff_services.go", "served := u.through(put.moved())", "served := u.through(put.moved()[:0])"},
	{"what failed is not read again", "provider/reconciler_claim.go", "\t\ts.doubt(partOf(top))\n", ""},
	{
		"a frontend is moved from under who has joined it", "internal/armwire/prepare_loadbalancer.go",
		"m.before && !joined(seen, op.Before, op.After)", "m.before && (true || joined(seen, op.Before, op.After))",
	},
	{"what did not fail is written again", "internal/armwire/prepare.go", "case m.after && !failed(raw):", "case m.after && !failed(raw) && false:"},
}

// sharingMutations are faults that show where Services share what they can.
var sharingMutations = []mutation{
	{"addresses are given up without consent", "lb/build_claims_publicip.go", "\tcase !d.c.Addresses.AllowRecreate:\n\t\treturn", "\tcase false:\n\t\treturn"},
	{"a tag alone proves whose a public IP is", "lb/build_ownership.go", "b.userAssigned(p) || !b.givesName(p.ID.Name()) {", "b.userAssigned(p) {"},
	{"a joiner denies what others have left open", "lb/build_claims_denial.go", "case !denies || u.there || u.held:", "case true:"},
	{"who comes last decides", "lb/build_claims.go", "\t\tif a.there {\n\t\t\treturn -1\n\t\t}\n\t\treturn 1\n", "\t\tif b.there {\n\t\t\treturn -1\n\t\t}\n\t\treturn 1\n"},
	{"who moves to another address is not told", "lb/diff_risk_address.go", "\t\t\t\tw.risks = append(w.risks, RiskAddress)\n", ""},
	{"a security group is read without load balancers", "provider/reconciler_snapshot.go", "s.next(); p == partSecurity {", "s.next(); false {"},
	{"nobody writes down where something is made", "lb/group.go", "\tvar values []string\n\tfor _, g := range groups {", "\tvar values []string\n\tfor _, g := range groups[:0] {"},
}

// testedMutations are faults in what the worlds have too little of, which a test of its own must notice.
var testedMutations = []struct {
	mutation
	tests string // package and test
}{
	{mutation{"sharers are placed apart", "lb/build_placement_group.go", "if len(g.members) == 1 {", "if len(g.members) > 0 {"}, "./lb TestSharersPlacedTogether"},
	{
		mutation{"the network of a pool goes with its last member", "internal/armwire/prepare_loadbalancer.go", "perAddress && want.Network != \"\"", "perAddress && false && want.Network != \"\""},
		"./internal/armwire TestPoolKeepsItsNetwork",
	},
	{
		mutation{"a group is written down after something is made there", "lb/diff_group.go", "if len(d.newGroups(l, before.Tags, true)) == 0 {", "if l != nil {"},
		"./lb TestNothingIsForgottenElsewhere",
	},
	{
		mutation{"a load balancer goes before what its tag tells of", "lb/diff_group.go", "\t\t\t\td.steps.prefer(w, l.gone)\n", ""},
		"./lb TestNothingIsForgottenElsewhere",
	},
	{
		mutation{"members leave beside the write of their load balancer", "lb/diff_interface.go", "default: // it moves the ETag of the load balancer\n\t\t\td.steps.prefer(l.last, w.put)\n", "default:\n"},
		"./lb TestMembersAndBalancersTakeTurns",
	},
}

// violation is how a test of the simulation tells of one.
var violation = regexp.MustCompile(`(?m)^.*: (P\d+|plan|bystander|consent|status|address|leftover): .*$`)

// TestMutations puts each fault into a copy of the library and lives through worlds until one of them shows it.
func TestMutations(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) { m.notice(t, dir, "TestWorlds$", "1500") })
	}
	for _, m := range sharingMutations {
		t.Run(m.name, func(t *testing.T) { m.notice(t, dir, "TestSharing$", "10000") }) // of which it lives through a fifth
	}
	for _, m := range testedMutations {
		t.Run(m.name, func(t *testing.T) {
			pkg, test, _ := strings.Cut(m.tests, " ")
			if out, err := m.run(t, dir, pkg, "-run", test+"$"); err == nil || !strings.Contains(out, "--- FAIL: "+test) {
				t.Fatalf("nobody noticed: %v\n%s", err, out)
			}
		})
	}
}

// notice wants worlds that a test lives through in the copy in dir, with m in it, to show a violation.
func (m mutation) notice(t *testing.T, dir, test, worlds string) {
	t.Helper()
	out, err := m.run(t, dir, "./internal/sim", "-run", test, "-worlds", worlds)
	found := violation.FindString(out)
	if err == nil || found == "" {
		t.Fatalf("nobody noticed: %v\n%s", err, out)
	}
	t.Logf("%.200s", strings.TrimSpace(found))
}

// run puts m into the copy in dir, runs go test there, and takes it out again.
func (m mutation) run(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(dir, m.file)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(whole), m.old); n != 1 {
		t.Fatalf("%s has %q %d times, want once", m.file, m.old, n)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(whole), m.old, m.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test"}, args...)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
