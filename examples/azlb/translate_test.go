package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/azlb/azlb/internal/property"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/examples/internal/manifest"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
)

const (
	awsKey = annotations.Prefix + "aws-load-balancer-"
	before = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"
	spec   = "spec:\n  type: LoadBalancer\n  ports:\n  - port: 80\n"
)

func translated(t rapid.TB, text string, opts *annotations.AWSOptions) string {
	t.Helper()
	if opts == nil {
		opts = &annotations.AWSOptions{}
	}
	out, err := translateText([]byte(text), opts, func(string, []annotations.AWSFinding) {})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func TestTranslateKeepsWhatItDoesNotChange(t *testing.T) {
	const azure = annotations.Prefix + "azure-load-balancer-internal: \"true\""
	for _, c := range []struct{ name, in, want string }{
		{name: "other kinds, odd spelling and all", in: "# x\nkind:   ConfigMap\napiVersion: v1\ndata: {a:   \"b\"}   # c\n\n---\n\n"},
		{name: "a Service that is not of AWS", in: before + "\n" + spec},
		{name: "line ends of Windows in what stays", in: "kind: ConfigMap\r\n---\r\nkind: Secret\r\n"},
		{
			name: "comments and blank lines", in: before + "  # above\n  annotations: # beside\n    # mine\n    " + awsKey + "internal: \"true\" # why\n\n    a: b\n" + spec + "# end\n",
			want: before + "  # above\n  annotations: # beside\n    # mine\n    " + azure + " # why\n\n    a: b\n" + spec + "# end\n",
		},
		{
			name: "the comment of a line that goes", in: before + "  annotations:\n    " + awsKey + "internal: \"true\"\n    " + awsKey + "name: shop # ours\n" + spec,
			want: before + "  annotations:\n    " + azure + "\n    # ours\n" + spec,
		},
		{
			name: "all annotations go", in: before + "  annotations:\n    " + awsKey + "connection-draining-timeout: \"60\"\n" + spec,
			want: before + spec,
		},
		{
			name: "annotations where there are none", in: before + spec + "  loadBalancerClass: service.k8s.aws/nlb\n",
			want: strings.Replace(before, "  name", "  annotations:\n    "+azure+"\n  name", 1) + spec,
		},
		{
			name: "a List", in: "apiVersion: v1\nkind: List\nitems:\n- kind: Service\n  apiVersion: v1\n  metadata:\n    name: web\n    annotations:\n      " + awsKey + "internal: \"true\"\n  spec:\n    type: LoadBalancer\n",
			want: "apiVersion: v1\nkind: List\nitems:\n- kind: Service\n  apiVersion: v1\n  metadata:\n    name: web\n    annotations:\n      " + azure + "\n  spec:\n    type: LoadBalancer\n",
		},
		{
			name: "flow style, which the library writes", in: "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {" + awsKey + "internal: \"true\"}} # c\nspec: {type: LoadBalancer}\n",
			want: "apiVersion: v1\nkind: Service\nmetadata: {name: web, annotations: {" + azure + "}} # c\nspec: {type: LoadBalancer}\n",
		},
		{
			name: "JSON stays JSON", in: `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "annotations": {"` + awsKey + `internal": "true"}}, "spec": {"type": "LoadBalancer"}}` + "\n",
			want: `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "annotations": {"` + strings.Replace(azure, ":", `":`, 1) + `}}, "spec": {"type": "LoadBalancer"}}` + "\n",
		},
		{
			name: "a value of several lines", in: before + "  annotations:\n    " + awsKey + "attributes: >-\n      access_logs.s3.enabled=true,\n      access_logs.s3.bucket=x\n    a: b\n" + spec,
			want: before + "  annotations:\n    " + azure + "\n    a: b\n" + strings.Replace(spec, "  - port", "    - port", 1),
		},
		{
			name: "families and ranges", in: before + "  annotations:\n    " + awsKey + "scheme: internet-facing\n    " + awsKey + "ip-address-type: dualstack\n" +
				spec + "  loadBalancerSourceRanges:\n  - 10.0.0.1/24 # office\n",
			want: before + "  annotations:\n    " + strings.Replace(azure, "true", "false", 1) + "\n" +
				strings.Replace(spec, "LoadBalancer\n", "LoadBalancer\n  ipFamilyPolicy: PreferDualStack\n  ipFamilies: [IPv4, IPv6]\n", 1) +
				"  loadBalancerSourceRanges:\n  - 10.0.0.0/24 # office\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.want == "" {
				c.want = c.in
			}
			got := translated(t, c.in, nil)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("translated (-want +got):\n%s", d)
			}
			if again := translated(t, got, nil); again != got {
				t.Errorf("translating once more changes:\n%s", cmp.Diff(got, again))
			}
		})
	}
}

// What a manifest says after it was translated is what FromAWS says, whatever the text looks like, and other keys stay.
func TestTranslateSaysWhatFromAWSSays(t *testing.T) {
	keys := []string{"internal", "scheme", "type", "security-groups", "healthcheck-interval", "healthcheck-protocol", "ip-address-type", "name", "additional-resource-tags"}
	texts := []string{`"true"`, "internal", "internet-facing", "nlb", `"10" # c`, "http", "dualstack", "'a=b'", "|\n      x", `""`}
	property.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString(before + "  annotations:\n    example.com/a: b # mine\n")
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 6, rapid.ID[string]).Draw(t, "keys") {
			b.WriteString(rapid.SampledFrom([]string{"", "\n", "    # note\n"}).Draw(t, "between"))
			b.WriteString("    " + awsKey + key + ": " + rapid.SampledFrom(texts).Draw(t, key) + "\n")
		}
		b.WriteString(spec + rapid.SampledFrom([]string{"", "  loadBalancerClass: service.k8s.aws/nlb\n", "  sessionAffinity: None\n"}).Draw(t, "field"))
		want, _ := annotations.FromAWS(decoded(t, b.String()), nil)
		text := translated(t, b.String(), nil)
		if d := cmp.Diff(want, decoded(t, text)); d != "" {
			t.Fatalf("(-want +got):\n%s\n%s", d, text)
		}
		if strings.Count(text, "# note") > strings.Count(b.String(), "# note") || !strings.Contains(text, "# mine") {
			t.Fatalf("comments:\n%s", text)
		}
	})
}

func decoded(t rapid.TB, text string) *corev1.Service {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	svc, err := serviceOf(root.Content[0])
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

// What a plan makes of a translated Service: whether its frontend is public, and who the security rules let in.
func TestTranslatedServicesArePlannedNoWider(t *testing.T) {
	cluster, err := lb.ParseCluster([]byte(readFile(t, "../quickstart/azure.json")), "kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := manifest.Load([]string{"../quickstart/nodes.yaml"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		lines  []string
		ranges []string
		public bool
		allow  []string // sources, other than those that Azure Load Balancer itself needs
		deny   bool
	}{
		{name: "controller, no scheme", lines: []string{"type: external"}},
		{name: "controller, public", lines: []string{"scheme: internet-facing"}, public: true, allow: []string{"Internet"}},
		{name: "controller, public, ranges", lines: []string{"scheme: internet-facing"}, ranges: []string{"192.0.2.0/24"}, public: true, allow: []string{"192.0.2.0/24"}},
		{name: "security groups", lines: []string{"scheme: internet-facing", "security-groups: sg-1"}, public: true, allow: []string{annotations.ClosedRange}},
		{name: "internal, ranges", lines: []string{"scheme: internal"}, ranges: []string{"10.1.0.0/24"}, allow: []string{"10.1.0.0/24"}, deny: true},
		{name: "internal, security groups", lines: []string{"scheme: internal", "security-groups: sg-1"}, allow: []string{annotations.ClosedRange}, deny: true},
		{name: "classic, nothing said", lines: []string{"connection-idle-timeout: '60'"}, public: true, allow: []string{"Internet"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := before + "  annotations:\n"
			for _, line := range c.lines {
				text += "    " + awsKey + line + "\n"
			}
			text += spec
			if c.ranges != nil {
				text += "  loadBalancerSourceRanges: [" + strings.Join(c.ranges, ", ") + "]\n"
			}
			set := &manifest.Set{}
			if err := set.Add("web.yaml", []byte(translated(t, text, nil))); err != nil {
				t.Fatal(err)
			}
			set.Complete()
			set.Objects.Nodes = nodes.Objects.Nodes
			state, err := emptyState(cluster, set.Objects)
			if err != nil {
				t.Fatal(err)
			}
			azure := fake.New(nil)
			if err := azure.Load(state); err != nil {
				t.Fatal(err)
			}
			seen, err := azure.Observe(t.Context(), lb.ScopeOf(cluster, set.Objects))
			if err != nil {
				t.Fatal(err)
			}
			want, findings := lb.Build(cluster, set.Objects, seen)
			for _, f := range findings {
				if f.Severity == lb.SeverityError {
					t.Errorf("finding %v", f)
				}
			}
			if got := len(want.PublicIPs) > 0; got != c.public {
				t.Errorf("public %v, want %v", got, c.public)
			}
			allow, deny := securityOf(want)
			if !reflect.DeepEqual(allow, c.allow) || deny != c.deny {
				t.Errorf("allows %v, denies %v; want %v, %v", allow, deny, c.allow, c.deny)
			}
		})
	}
}

// securityOf lists the sources that security rules allow, other than the load balancer itself, and whether there is a denial.
func securityOf(want lb.Desired) (allow []string, deny bool) {
	for _, group := range want.SecurityGroups {
		for _, rule := range group.Rules {
			switch {
			case rule.Access == "Deny":
				deny = true
			case !reflect.DeepEqual(rule.Sources, []string{"AzureLoadBalancer"}):
				allow = append(allow, rule.Sources...)
			}
		}
	}
	return allow, deny
}
