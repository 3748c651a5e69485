package annotations_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// fuzzed makes a Service from a text: lines KEY=VALUE, where a key without a slash gets the prefix and one that begins with spec. sets a field.
func fuzzed(text string) *corev1.Service {
	svc := service()
	for line := range strings.SplitSeq(text, "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch {
		case key == "spec.ip":
			svc.Spec.LoadBalancerIP = value
		case key == "spec.range":
			svc.Spec.LoadBalancerSourceRanges = append(svc.Spec.LoadBalancerSourceRanges, value)
		case key == "spec.family":
			svc.Spec.IPFamilies = append(svc.Spec.IPFamilies, corev1.IPFamily(value))
		case key == "spec.type":
			svc.Spec.Type = corev1.ServiceType(value)
		case key == "spec.policy":
			svc.Spec.ExternalTrafficPolicy, svc.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicy(value), int32(len(text))
		case key == "spec.app":
			svc.Spec.Ports[0].AppProtocol = &value
		case key == "spec.name":
			svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: value, Port: int32(len(value))})
		case strings.Contains(key, "/"):
			svc.Annotations[key] = value
		default:
			svc.Annotations[p+key] = value
		}
	}
	return svc
}

// seed adds the cases of the tables.
func seed(f *testing.F) {
	text := func(anns []string) string {
		var b strings.Builder
		for i := 0; i < len(anns); i += 2 {
			b.WriteString(strings.TrimPrefix(anns[i], p) + "=" + anns[i+1] + "\n")
		}
		return b.String()
	}
	for _, test := range parseTests {
		f.Add(text(test.anns))
	}
	for _, test := range lintTests {
		f.Add(text(test.anns) + "spec.family=IPv6\nspec.family=IPv4\nspec.policy=Local")
	}
	f.Add("spec.ip=::1%a\nspec.range=::ffff:0.0.0.0/96\nspec.app=http\nspec.name=")
}

func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		svc := fuzzed(text)
		before := svc.DeepCopy()
		cfg, err := annotations.Parse(svc)
		if d := cmp.Diff(before, svc); d != "" {
			t.Fatalf("Parse changed the Service:\n%s", d)
		}
		again, err2 := annotations.Parse(svc)
		if d := cmp.Diff(cfg, again, comparableValues); d != "" || !cmp.Equal(problems(err), problems(err2), cmp.AllowUnexported(problem{})) {
			t.Fatalf("Parse is not deterministic:\n%s", d)
		}
		ordered(t, annotations.Errors(err))
		everyBadKey(t, svc, annotations.Errors(err))
		sane(t, cfg, svc)
	})
}

// ordered checks that the errors of annotations come in the order of the registry and are complete.
func ordered(t *testing.T, errs []*annotations.Error) {
	last := 0
	for _, e := range errs {
		if e.Err == nil || e.Outcome == 0 || (e.Key == "") == (e.Path == "") {
			t.Errorf("incomplete: %+v", e)
		}
		at := slices.IndexFunc(annotations.Keys(), func(k annotations.Key) bool { return strings.EqualFold(k.Name, e.Key) })
		if at < 0 {
			continue // a field of the spec or a key of a port
		}
		if at < last {
			t.Errorf("%v comes too late", e)
		}
		last = at
	}
}

// everyBadKey checks switches against a reading of its own: each bad one is reported, each good one is not.
func everyBadKey(t *testing.T, svc *corev1.Service, errs []*annotations.Error) {
	for _, k := range annotations.Keys() {
		value, ok := svc.Annotations[k.Name]
		if !ok || k.Dead || k.Grammar != annotations.Boolean {
			continue
		}
		want := !slices.Contains([]string{"true", "false"}, strings.Map(lowerASCII, strings.TrimSpace(value)))
		got := slices.ContainsFunc(errs, func(e *annotations.Error) bool { return e.Key == k.Name && errors.Is(e, annotations.ErrSyntax) })
		if got != want {
			t.Errorf("%s=%q: reported %v, want %v", k.Name, value, got, want)
		}
	}
}

func lowerASCII(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + 'a' - 'A'
	}
	if r == 'ſ' { // folds to s
		return 's'
	}
	return r
}

// sane checks what other packages rely on.
func sane(t *testing.T, cfg annotations.Config, svc *corev1.Service) {
	if len(cfg.Families) < 1 || len(cfg.Families) > 2 || cfg.Rules.IdleMinutes < 4 || cfg.Rules.IdleMinutes > 100 {
		t.Errorf("out of bounds: %+v", cfg)
	}
	if a := cfg.Addresses; a.V4.IsValid() && !a.V4.Is4() || a.V6.IsValid() && ipam.FamilyOf(a.V6) != ipam.IPv6 {
		t.Errorf("addresses of the wrong family: %v", a)
	}
	for typ, name := range map[string]string{
		armid.Subnets: cfg.Subnet + cfg.PrivateLink.Subnet, armid.PublicIPAddresses: cfg.PublicIP.Name.V4, armid.PrivateLinkServices: cfg.PrivateLink.Name,
	} {
		if strings.ContainsAny(name, "/?#%") || armid.CheckName(typ, name) != nil && name != "" && len(name) <= 80 {
			t.Errorf("%s: name %q would leave its place", typ, name)
		}
	}
	for _, r := range cfg.Access.Ranges {
		if r != r.Masked() {
			t.Errorf("host bits in %v", r)
		}
	}
	_, tags := svc.Annotations[annotations.KeyAllowedServiceTags]
	_, ips := svc.Annotations[annotations.KeyAllowedIPRanges]
	if open := len(cfg.Access.Ranges)+len(cfg.Access.ServiceTags) == 0 && !cfg.Access.Closed; open && (tags || ips || len(svc.Spec.LoadBalancerSourceRanges) > 0) {
		t.Error("sources were given, none could be read, and the Service is open")
	}
}

func FuzzLint(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text string) {
		svc := fuzzed(text)
		before := svc.DeepCopy()
		got := annotations.Lint(svc)
		if d := cmp.Diff(before, svc); d != "" {
			t.Fatalf("Lint changed the Service:\n%s", d)
		}
		if d := cmp.Diff(texts(got), texts(annotations.Lint(svc))); d != "" {
			t.Fatalf("Lint is not deterministic:\n%s", d)
		}
		_, err := annotations.Parse(svc)
		for _, want := range annotations.Findings(annotations.Config{}.Service, err) {
			if !slices.ContainsFunc(got, func(f annotations.Finding) bool { return f.Field == want.Field && f.Err.Error() == want.Err.Error() }) {
				t.Errorf("Lint does not say %v", want)
			}
		}
	})
}

func texts(list []annotations.Finding) []string {
	out := make([]string, len(list))
	for i, f := range list {
		out[i] = f.String()
	}
	return out
}
