package annotations_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

var update = flag.Bool("update", false, "rewrite testdata/aws.golden")

const aws = p + "aws-load-balancer-"

// fromLines makes a Service and options of the lines of a case: an annotation without its prefix, a field or an option, and its value.
func fromLines(t testing.TB, lines []string) (*corev1.Service, *annotations.AWSOptions) {
	t.Helper()
	svc, opts := service(), &annotations.AWSOptions{}
	for _, line := range lines {
		key, value, ok := strings.Cut(line, ": ")
		if !ok && !strings.HasSuffix(line, ":") {
			t.Fatalf("no value: %q", line)
		}
		switch key = strings.TrimSuffix(key, ":"); key {
		case "implementation":
			opts.Implementation = map[string]annotations.AWSImplementation{"classic": annotations.AWSClassic, "controller": annotations.AWSController}[value]
		case "default-scheme":
			opts.DefaultScheme = annotations.AWSScheme(value)
		case "class":
			opts.Class = value
		default:
			if !setField(svc, key, value) {
				svc.Annotations[p+key] = value
			}
		}
	}
	return svc, opts
}

// setField sets a field of a Service, if the key is one.
func setField(svc *corev1.Service, key, value string) bool {
	number, _ := strconv.ParseInt(value, 10, 32)
	switch key {
	case "spec.class":
		svc.Spec.LoadBalancerClass = &value
	case "spec.type":
		svc.Spec.Type = corev1.ServiceType(value)
	case "spec.range":
		svc.Spec.LoadBalancerSourceRanges = append(svc.Spec.LoadBalancerSourceRanges, value)
	case "spec.family":
		svc.Spec.IPFamilies = append(svc.Spec.IPFamilies, corev1.IPFamily(value))
	case "spec.policy":
		svc.Spec.IPFamilyPolicy = ptr(corev1.IPFamilyPolicy(value))
	case "spec.port":
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: "p" + value, Port: int32(number), Protocol: corev1.ProtocolTCP})
	case "spec.udp":
		svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: "p" + value, Port: int32(number), Protocol: corev1.ProtocolUDP})
	case "spec.local":
		svc.Spec.ExternalTrafficPolicy, svc.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, int32(number)
	case "spec.app":
		svc.Spec.Ports[0].AppProtocol = &value
	default:
		return false
	}
	return true
}

// described lists what the translated Service has, annotations first.
func described(svc *corev1.Service) []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(svc.Annotations)) {
		list = append(list, strings.TrimPrefix(key, p)+": "+svc.Annotations[key])
	}
	spec := svc.Spec
	if c := spec.LoadBalancerClass; c != nil {
		list = append(list, "spec.loadBalancerClass: "+*c)
	}
	if spec.IPFamilyPolicy != nil {
		list = append(list, fmt.Sprintf("spec.ipFamilyPolicy: %s %v", *spec.IPFamilyPolicy, spec.IPFamilies))
	}
	if spec.SessionAffinity != "" {
		list = append(list, "spec.sessionAffinity: "+string(spec.SessionAffinity))
	}
	if len(spec.LoadBalancerSourceRanges) > 0 {
		list = append(list, fmt.Sprintf("spec.loadBalancerSourceRanges: %v", spec.LoadBalancerSourceRanges))
	}
	return list
}

// TestFromAWS translates each case of testdata/aws.golden. A case has its name after #, what it begins with after >, and, which -update
// rewrites, the annotations and fields of the translated Service after <, and the findings after !.
func TestFromAWS(t *testing.T) {
	const golden = "testdata/aws.golden"
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	rows := map[string]bool{}
	for _, block := range strings.Split(strings.TrimSpace(string(data)), "\n\n") {
		var in []string
		for line := range strings.SplitSeq(block, "\n") {
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, ">") {
				fmt.Fprintln(&got, line)
			}
			if line, ok := strings.CutPrefix(line, "> "); ok {
				in = append(in, line)
			}
		}
		svc, opts := fromLines(t, in)
		out, findings := annotations.FromAWS(svc, opts)
		for _, line := range described(out) {
			fmt.Fprintln(&got, "<", line)
		}
		for _, f := range findings {
			rows[f.Row()] = true
			fmt.Fprintf(&got, "! %s %s, %s, %s: %v\n", f.Severity, f.Setting(), f.Verdict, f.Effect, f.Err)
		}
		fmt.Fprintln(&got)
	}
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d := cmp.Diff(string(data), got.String()); d != "" {
		t.Errorf("cases (-want +got), -update rewrites:\n%s", d)
	}
	for _, k := range annotations.AWSKeys() {
		if !rows[k.Name+" "+k.Case] {
			t.Errorf("no case for %s %s", k.Name, k.Case)
		}
	}
}

// The numbers in seconds and minutes that the manual promises.
func TestIdleTimeoutFromAWS(t *testing.T) {
	for _, c := range []struct {
		seconds string
		minutes string
		sev     annotations.Severity
	}{
		{"1", "4", annotations.SeverityWarning},
		{"60", "4", annotations.SeverityWarning},
		{"239", "4", annotations.SeverityWarning},
		{"240", "4", annotations.SeverityInfo},
		{"241", "5", annotations.SeverityWarning},
		{"350", "6", annotations.SeverityWarning},
		{"400", "7", annotations.SeverityWarning},
		{"1800", "30", annotations.SeverityInfo},
		{"1801", "31", annotations.SeverityWarning},
		{"4000", "67", annotations.SeverityWarning},
		{"5940", "99", annotations.SeverityWarning}, // no other number, but beyond what some versions take
		{"6000", "100", annotations.SeverityWarning},
		{"6001", "100", annotations.SeverityWarning},
		{"9223372036854775807", "100", annotations.SeverityWarning},
		{"9223372036854775808", "", annotations.SeverityWarning},
		{"0", "", annotations.SeverityWarning},
		{"-1", "", annotations.SeverityWarning},
		{"60s", "", annotations.SeverityWarning},
	} {
		for key, value := range map[string]string{
			"connection-idle-timeout": c.seconds, "listener-attributes.TCP-80": "tcp.idle_timeout.seconds=" + c.seconds,
		} {
			out, findings := annotations.FromAWS(service(aws+key, value), nil)
			f := findingAbout(t, findings, aws+key)
			if got := out.Annotations[annotations.KeyIdleTimeout]; got != c.minutes || f.Severity != c.sev {
				t.Errorf("%s=%s: %q with severity %s, want %q with %s", key, value, got, f.Severity, c.minutes, c.sev)
			}
		}
	}
}

func findingAbout(t *testing.T, list []annotations.AWSFinding, key string) annotations.AWSFinding {
	t.Helper()
	i := slices.IndexFunc(list, func(f annotations.AWSFinding) bool { return f.Key == key })
	if i < 0 {
		t.Fatalf("no finding about %s: %v", key, list)
	}
	return list[i]
}

func TestProbingFromAWS(t *testing.T) {
	for _, c := range []struct {
		interval, unhealthy, healthy string
		i, n                         string
	}{
		{"10", "3", "3", "10", "3"},
		{"10", "6", "2", "10", "6"},
		{"20", "3", "2", "20", "3"},
		{"30", "10", "10", "30", "3"},
		{"300", "2", "2", "59", "2"},
		{"4", "2", "2", "5", "2"},
		{"5", "2", "2", "5", "2"},
		{"5", "1", "1", "5", "2"},
		{"59", "2", "2", "59", "2"},
		{"60", "2", "2", "59", "2"},
		{"40", "3", "3", "40", "2"},
		{"39", "3", "3", "39", "3"},
		{"5", "23", "2", "5", "23"},
		{"5", "24", "2", "5", "23"},
		{"9223372036854775807", "9223372036854775807", "2", "59", "2"},
		{"300", "", "", "59", ""},
		{"", "100", "", "", "23"},
		{"0", "2", "2", "", "2"},
		{"x", "", "", "", ""},
	} {
		svc := service()
		for key, v := range map[string]string{"interval": c.interval, "unhealthy-threshold": c.unhealthy, "healthy-threshold": c.healthy} {
			if v != "" {
				svc.Annotations[aws+"healthcheck-"+key] = v
			}
		}
		out, _ := annotations.FromAWS(svc, nil)
		if i, n := out.Annotations[annotations.KeyProbeInterval], out.Annotations[annotations.KeyProbeThreshold]; i != c.i || n != c.n {
			t.Errorf("%s s, %s, %s: %q and %q, want %q and %q", c.interval, c.unhealthy, c.healthy, i, n, c.i, c.n)
		}
		if _, err := annotations.Parse(out); err != nil {
			t.Errorf("%s s, %s, %s: %v", c.interval, c.unhealthy, c.healthy, err)
		}
	}
}
