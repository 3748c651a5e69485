package annotations_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/property"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

// exposure is who can reach a Service: everybody or only its network, and from which sources.
type exposure struct {
	internal bool
	all      bool // sources are not limited
	ranges   []netip.Prefix
}

// onAWS says who could reach a Service on AWS. It reads it by itself, as the two implementations are documented to. Where it is not known
// which one it was, the stricter answer counts.
func onAWS(svc *corev1.Service, opts *annotations.AWSOptions) exposure {
	e := exposure{}
	classic, controller := internalClassic(svc, opts), internalController(svc, opts)
	switch implementation(svc, opts) {
	case annotations.AWSClassic:
		e.internal = classic
	case annotations.AWSController:
		e.internal = controller
	default:
		e.internal = classic || controller
	}
	sources := svc.Spec.LoadBalancerSourceRanges
	if len(sources) == 0 && svc.Annotations[annotations.KeySourceRanges] != "" {
		sources = strings.Split(svc.Annotations[annotations.KeySourceRanges], ",")
	}
	for _, s := range sources {
		if r, err := netip.ParsePrefix(strings.TrimSpace(s)); err == nil {
			e.ranges = append(e.ranges, r.Masked())
		}
	}
	groups := svc.Annotations[aws+"security-groups"] + svc.Annotations[aws+"security-group-prefix-lists"]
	e.all = len(sources) == 0 && groups == ""
	return e
}

func internalClassic(svc *corev1.Service, opts *annotations.AWSOptions) bool {
	v, ok := svc.Annotations[aws+"internal"]
	if !ok {
		return opts.DefaultScheme == annotations.AWSInternal
	}
	return v != "" && v != "false"
}

func internalController(svc *corev1.Service, opts *annotations.AWSOptions) bool {
	if v := svc.Annotations[aws+"scheme"]; v != "" {
		return !strings.EqualFold(v, "internet-facing")
	}
	v, ok := svc.Annotations[aws+"internal"]
	if !ok {
		return opts.DefaultScheme != annotations.AWSInternetFacing
	}
	b, err := strconv.ParseBool(v)
	return b || err != nil
}

// implementation says who a Service was for, as far as that is beyond doubt.
func implementation(svc *corev1.Service, opts *annotations.AWSOptions) annotations.AWSImplementation {
	if opts.Implementation != annotations.AWSDetect {
		return opts.Implementation
	}
	names := func(list ...string) bool {
		return slices.ContainsFunc(list, func(n string) bool { _, ok := svc.Annotations[aws+n]; return ok })
	}
	kind := svc.Annotations[aws+"type"]
	switch {
	case svc.Spec.LoadBalancerClass != nil, kind == "external", kind == "nlb-ip", names("scheme", "nlb-target-type", "security-group-prefix-lists",
		"manage-backend-security-group-rules", "disable-nlb-sg", "ip-address-type", "attributes", "healthcheck-success-codes", "listener-attributes.TCP-80"):
		return annotations.AWSController
	case names("connection-idle-timeout", "connection-draining-enabled") || svc.Annotations[aws+"backend-protocol"] == "http":
		return annotations.AWSClassic
	}
	return annotations.AWSDetect
}

// onAzure says who can reach a Service on Azure. An internal Service is open to its network, whatever the ranges, unless all else is denied.
func onAzure(cfg annotations.Config) exposure {
	a := cfg.Access
	limited := len(a.Ranges) > 0 || len(a.ServiceTags) > 0 || a.Closed
	e := exposure{internal: cfg.Internal, ranges: a.Ranges, all: !limited}
	switch {
	case a.NoRules:
		e.all, e.ranges = cfg.Internal, nil // rules of the network alone: its own may, the Internet may not
	case cfg.Internal && len(a.Ranges) > 0 && !a.DenyAll && !a.Closed:
		e.all = true
	}
	return e
}

// wider says what of e is more than was, or nothing.
func (e exposure) wider(was exposure) string {
	if was.internal && !e.internal {
		return "public"
	}
	if e.all && !was.all {
		return "open to all sources"
	}
	for _, r := range e.ranges {
		inside := was.all || r.String() == annotations.ClosedRange || slices.ContainsFunc(was.ranges, func(w netip.Prefix) bool {
			return w.Bits() <= r.Bits() && w.Contains(r.Addr())
		})
		if !inside {
			return fmt.Sprintf("open to %v", r)
		}
	}
	return ""
}

// values are what the generators choose from, for each key of AWS; good ones and bad ones.
var values = map[string][]string{
	"type": {"nlb", "external", "nlb-ip", "alb"}, "nlb-target-type": {"instance", "ip"},
	"scheme": {"internal", "internet-facing", "Internal", "public", ""}, "internal": {"true", "false", "0.0.0.0/0", "False", "0", "1", "yes", ""},
	"subnets": {"subnet-1"}, "target-node-labels": {"a=b"}, "ip-address-type": {"ipv4", "dualstack"}, "eip-allocations": {"eipalloc-1"},
	"security-groups": {"sg-1", ""}, "extra-security-groups": {"sg-2"}, "security-group-prefix-lists": {"pl-1", ""},
	"manage-backend-security-group-rules": {"true", "false", "x"}, "disable-nlb-sg": {"true", "false"},
	"healthcheck-protocol": {"tcp", "http", "HTTPS", "grpc"}, "healthcheck-port": {"traffic-port", "80", "10254", "http", "none", "0"},
	"healthcheck-path": {"/", "/ready", "a b", ""}, "healthcheck-interval": {"1", "5", "10", "60", "300", "x"},
	"healthcheck-unhealthy-threshold": {"1", "2", "3", "10", "120", "-1"}, "healthcheck-healthy-threshold": {"2", "3", "10"},
	"healthcheck-timeout": {"6", "40"}, "healthcheck-success-codes": {"200", "200-399", "404"},
	"connection-idle-timeout": {"60", "4000", "0", "x"}, "connection-draining-enabled": {"true"}, "listener-attributes.TCP-80": {"tcp.idle_timeout.seconds=350", "a", ""},
	"target-group-attributes": {"stickiness.enabled=true", "proxy_protocol_v2.enabled=true,deregistration_delay.timeout_seconds=1", ",", "="},
	"attributes":              {"load_balancing.cross_zone.enabled=true", "x=y"}, "ssl-cert": {"arn"}, "backend-protocol": {"http", "tcp"},
	"additional-resource-tags": {"a=b", "a/b=c,d", "=,a=b=c"}, "proxy-protocol": {"*"}, "teapot": {"true"},
}

func drawFromAWS(t *rapid.T) (*corev1.Service, *annotations.AWSOptions) {
	svc := service()
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range rapid.SliceOfN(rapid.SampledFrom(keys), 0, 8).Draw(t, "keys") {
		svc.Annotations[aws+key] = rapid.SampledFrom(values[key]).Draw(t, key)
	}
	sources := rapid.SampledFrom([]string{"10.0.0.0/8", "10.1.2.3/16", "192.0.2.0/24", "fd00::1/64"})
	svc.Spec.LoadBalancerSourceRanges = rapid.SliceOfN(sources, 0, 2).Draw(t, "spec ranges")
	if list := rapid.SliceOfN(sources, 0, 2).Draw(t, "annotated ranges"); len(list) > 0 {
		svc.Annotations[annotations.KeySourceRanges] = strings.Join(list, ", ")
	}
	if rapid.Bool().Draw(t, "class") {
		svc.Spec.LoadBalancerClass = ptr("service.k8s.aws/nlb")
	}
	if rapid.Bool().Draw(t, "local") {
		svc.Spec.ExternalTrafficPolicy, svc.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 31000
	}
	if rapid.Bool().Draw(t, "UDP") {
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP})
	}
	svc.Spec.Ports[0].AppProtocol = rapid.SampledFrom([]*string{nil, ptr("http"), ptr("grpc")}).Draw(t, "app")
	return svc, &annotations.AWSOptions{
		Implementation: rapid.SampledFrom([]annotations.AWSImplementation{annotations.AWSDetect, annotations.AWSClassic, annotations.AWSController}).Draw(t, "implementation"),
		DefaultScheme:  rapid.SampledFrom([]annotations.AWSScheme{"", annotations.AWSInternal, annotations.AWSInternetFacing}).Draw(t, "default"),
	}
}

// The translated Service parses without errors, nobody else than before reaches it, and translating it once more changes nothing.
func TestNeverMoreExposedThanOnAWS(t *testing.T) {
	property.Check(t, func(t *rapid.T) {
		svc, opts := drawFromAWS(t)
		out := fromAWS(t, svc, opts)
		if !says(svc, opts) {
			return // nothing says that it was ever on AWS, and it is left as it is
		}
		cfg, err := annotations.Parse(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(described(out), "\n"))
		}
		if more := onAzure(cfg).wider(onAWS(svc, opts)); more != "" {
			t.Fatalf("%s\n%s", more, strings.Join(described(out), "\n"))
		}
	})
}

// says reports whether anything says that a Service is of AWS.
func says(svc *corev1.Service, opts *annotations.AWSOptions) bool {
	for key := range svc.Annotations {
		if strings.HasPrefix(key, aws) {
			return true
		}
	}
	return opts.Implementation != annotations.AWSDetect || svc.Spec.LoadBalancerClass != nil
}

// fromAWS translates a Service and checks what holds for every Service: it is not modified, every key has its findings, no key of AWS is left,
// no error is new, and the same again changes nothing.
func fromAWS(t rapid.TB, svc *corev1.Service, opts *annotations.AWSOptions) *corev1.Service {
	t.Helper()
	before := svc.DeepCopy()
	out, findings := annotations.FromAWS(svc, opts)
	if d := cmp.Diff(before, svc); d != "" {
		t.Fatalf("FromAWS changed the Service:\n%s", d)
	}
	same, again := annotations.FromAWS(svc, opts)
	if d := cmp.Diff(out, same); d != "" || !slices.EqualFunc(findings, again, func(a, b annotations.AWSFinding) bool { return a.String() == b.String() }) {
		t.Fatalf("FromAWS is not deterministic:\n%s", d)
	}
	everyKeyHasAFinding(t, svc, out, findings)
	_, was := annotations.Parse(svc)
	_, is := annotations.Parse(out)
	for _, e := range annotations.Errors(is) {
		if !slices.ContainsFunc(annotations.Errors(was), func(old *annotations.Error) bool { return old.Field() == e.Field() }) {
			t.Fatalf("new error: %v", e)
		}
	}
	twice, _ := annotations.FromAWS(out, opts)
	if d := cmp.Diff(out, twice); d != "" {
		t.Fatalf("translating once more changes:\n%s", d)
	}
	return out
}

func everyKeyHasAFinding(t rapid.TB, svc, out *corev1.Service, findings []annotations.AWSFinding) {
	t.Helper()
	for key, value := range svc.Annotations {
		if !strings.HasPrefix(key, p+"aws-") && !strings.HasPrefix(key, p+"actions.") {
			if kept, ok := out.Annotations[key]; (!ok || kept != value) && !slices.ContainsFunc(findings, func(f annotations.AWSFinding) bool { return f.Key == key }) {
				t.Fatalf("%s was %q, is %q, and nobody says so", key, value, kept)
			}
			continue
		}
		if !slices.ContainsFunc(findings, func(f annotations.AWSFinding) bool { return f.Key == key && f.Err != nil && f.Verdict != 0 }) {
			t.Fatalf("nothing is said about %s", key)
		}
		if _, ok := out.Annotations[key]; ok && svc.Spec.Type == corev1.ServiceTypeLoadBalancer {
			t.Fatalf("%s is still there", key)
		}
	}
}

func FuzzFromAWS(f *testing.F) {
	for key, list := range values {
		for _, v := range list {
			f.Add("aws-load-balancer-"+key+"="+v, uint8(len(v)))
		}
	}
	f.Add("actions.TCP-80={}\naws-load-balancer-listener-attributes.=a\naws-\naws-load-balancer-type=external\nspec.range=10.0.0.1/8", uint8(0))
	f.Add("aws-load-balancer-healthcheck-interval=10\nport_80_health-probe_interval=59\nazure-load-balancer-internal=yes", uint8(1))
	f.Add("aws-load-balancer-internal=\nspec.type=NodePort\nspec.family=IPv6\naws-load-balancer-ip-address-type=dualstack", uint8(2))
	f.Fuzz(func(t *testing.T, text string, n uint8) {
		svc := fuzzed(text)
		opts := &annotations.AWSOptions{
			Implementation: annotations.AWSImplementation(n % 3),
			DefaultScheme:  []annotations.AWSScheme{"", annotations.AWSInternal, annotations.AWSInternetFacing}[n/3%3],
		}
		if n > 200 {
			opts.Class = "azlb"
		}
		fromAWS(t, svc, opts)
		annotations.Lint(svc)
	})
}
