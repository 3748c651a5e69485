package annotations_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

var lintTests = []struct {
	name string
	anns []string
	spec func(*corev1.Service)
	want []string // severity, field and text, without the frame and the prefix of keys
}{
	{name: "nothing to say"},
	{name: "nothing to say about what is right", anns: []string{
		annotations.KeyInternal, "true", annotations.KeySubnet, "apps", annotations.KeyIPv4, "10.0.0.4", annotations.KeyAllowedIPRanges, "10.0.0.0/8",
		annotations.KeyDenyAll, "true", annotations.KeyProbeProtocol, "http", annotations.KeyProbePath, "/ready", annotations.KeyPLSCreate, "true", "example.com/owner", "me",
	}},
	{name: "errors of Parse: hold, close and default", anns: []string{annotations.KeyIdleTimeout, "2", annotations.KeyAllowedIPRanges, "x", annotations.KeyPIPTags, "x"}, want: []string{
		`error azure-allowed-ip-ranges: "x": malformed: want a CIDR with host bits zero, such as 10.0.0.0/24`,
		`error azure-load-balancer-tcp-idle-timeout: "2": out of range: want 4 to 100 whole minutes`,
		`warning azure-pip-tags: "x": malformed: want key=value with one equals sign`,
	}},
	{name: "a tag that azlb keeps its notes in is an error, though it is only left out", anns: []string{annotations.KeyPIPTags, "K8s-Azure-Service=x/y,x"}, want: []string{
		`error azure-pip-tags: "K8s-Azure-Service=x/y": reserved: want another key: who uses the public IP is kept under this one`,
		`warning azure-pip-tags: "x": malformed: want key=value with one equals sign`,
	}},
	{name: "near misses of switches", anns: []string{annotations.KeyInternal, "True", annotations.KeyDisableTCPReset, " true", annotations.KeyPLSCreate, "yes"}, want: []string{
		`warning azure-load-balancer-disable-tcp-reset: probably not as intended: " true" counts as true here; other readers of this key take the exact text alone, so write true`,
		`warning azure-load-balancer-internal: probably not as intended: "True" counts as true here; other readers of this key take the exact text alone, so write true`,
		`warning azure-pls-create: "yes": malformed: want true or false`,
	}},
	{name: "a letter too few", anns: []string{p + "azure-load-balancer-internl", "true"}, want: []string{
		"error azure-load-balancer-internl: unknown key: nothing reads it; did you mean azure-load-balancer-internal?",
	}},
	{name: "two letters swapped, of a key that matters less", anns: []string{p + "azure-load-balancer-disable-tcp-reste", "true"}, want: []string{
		"warning azure-load-balancer-disable-tcp-reste: unknown key: nothing reads it; did you mean azure-load-balancer-disable-tcp-reset?",
	}},
	{name: "words in another order", anns: []string{p + "azure-load-balancer-disable-floating-ip", "true"}, want: []string{
		"warning azure-load-balancer-disable-floating-ip: unknown key: nothing reads it; did you mean azure-disable-load-balancer-floating-ip?",
	}},
	{name: "capitals", anns: []string{p + "Azure-Load-Balancer-Internal", "true"}, want: []string{
		"error Azure-Load-Balancer-Internal: unknown key: nothing reads it; did you mean azure-load-balancer-internal?",
	}},
	{name: "another prefix, or none", anns: []string{"service.kubernetes.io/azure-load-balancer-internal", "true", "azure-pip-name", "x"}, want: []string{
		"error azure-pip-name: unknown key: nothing reads it; did you mean azure-pip-name?",
		"error service.kubernetes.io/azure-load-balancer-internal: unknown key: nothing reads it; did you mean azure-load-balancer-internal?",
	}},
	{name: "a slip in the key of a port", anns: []string{p + "port_80_health-probe_protocl", "tcp", p + "port_80_colour", "red"}, want: []string{
		"warning port_80_colour: unknown key: nothing reads it",
		"warning port_80_health-probe_protocl: unknown key: nothing reads it; did you mean port_80_health-probe_protocol?",
	}},
	{name: "unlike anything", anns: []string{p + "azure-teapot", "true"}, want: []string{"warning azure-teapot: unknown key: nothing reads it"}},
	{name: "keys of other clouds", anns: []string{
		p + "aws-load-balancer-type", "nlb", "cloud.google.com/neg", "{}", "networking.gke.io/load-balancer-type", "Internal", p + "alibaba-cloud-loadbalancer-spec", "s",
	}, want: []string{
		"warning cloud.google.com/neg: key of another cloud, no effect here: Google Cloud reads it",
		"warning networking.gke.io/load-balancer-type: key of another cloud, no effect here: Google Cloud reads it",
		"warning alibaba-cloud-loadbalancer-spec: key of another cloud, no effect here: Alibaba Cloud reads it",
		"warning azure-load-balancer-internal: probably not as intended: the Service has keys of AWS and names no scheme: here it is public, and there it is internal " +
			"with the AWS Load Balancer Controller; write true or false",
		"info aws-load-balancer-type: key of another cloud, no effect here: AWS reads it; there it chooses the kind of load balancer; here it is not needed",
	}},
	{name: "AWS: internal there, public here", anns: []string{aws + "scheme", "internal", annotations.KeyIdleTimeout, "4"}, want: []string{
		"error aws-load-balancer-scheme: key of another cloud, no effect here: AWS reads it; there it keeps the load balancer inside the network; " +
			`here the Service is public without azure-load-balancer-internal: "true"`,
	}},
	{name: "AWS: internal on both", anns: []string{aws + "scheme", "internal", annotations.KeyInternal, "true"}, want: []string{
		"info aws-load-balancer-scheme: key of another cloud, no effect here: AWS reads it; there it keeps the load balancer inside the network; " +
			"here decided already: azure-load-balancer-internal is there and stays as it is: true",
	}},
	{name: "AWS: the controller's default", anns: []string{aws + "type", "external"}, want: []string{
		"error azure-load-balancer-internal: probably not as intended: the Service is for the AWS Load Balancer Controller, which makes internal what names no scheme, " +
			"and here it is public: write true or false",
		"info aws-load-balancer-type: key of another cloud, no effect here: AWS reads it; there it chooses the kind of load balancer; here it is not needed",
	}},
	{name: "AWS: TLS, PROXY protocol, security groups", anns: []string{
		annotations.KeyInternal, "false", aws + "ssl-cert", "arn", aws + "proxy-protocol", "*", aws + "security-groups", "sg-1",
	}, want: []string{
		"error aws-load-balancer-proxy-protocol: key of another cloud, no effect here: AWS reads it; there it sends a PROXY protocol header; nothing here does it: " +
			"backends that wait for the header refuse connections without it; the client's address is preserved all the same, so turn it off there",
		"error aws-load-balancer-security-groups: key of another cloud, no effect here: AWS reads it; there it leaves it to security groups who may reach the Service; " +
			"nothing here does it: who may reach the Service was said by groups, whose contents are not here; say it with source ranges",
		"error aws-load-balancer-ssl-cert: key of another cloud, no effect here: AWS reads it; there it speaks TLS with clients; nothing here does it: " +
			"Azure Load Balancer passes TCP and UDP through; what ended on the load balancer has to move to the pods, an ingress or a gateway",
	}},
	{name: "AWS: prefix lists are all that limits", anns: []string{annotations.KeyInternal, "false", aws + "security-group-prefix-lists", "pl-1"}, want: []string{
		"error aws-load-balancer-security-group-prefix-lists: key of another cloud, no effect here: AWS reads it; there it lets the addresses of prefix lists in; " +
			"here it takes azure-allowed-service-tags or azure-allowed-ip-ranges",
	}},
	{name: "AWS: what would do it here", anns: []string{annotations.KeyInternal, "false", aws + "connection-idle-timeout", "400"}, want: []string{
		"warning aws-load-balancer-connection-idle-timeout: key of another cloud, no effect here: AWS reads it; there it sets when idle connections end; " +
			"here azure-load-balancer-tcp-idle-timeout: 7 would do it",
	}},
	{
		name: "AWS: served there", spec: func(s *corev1.Service) { s.Spec.LoadBalancerClass = ptr("service.k8s.aws/nlb") }, anns: []string{aws + "ssl-cert", "arn"},
		want: []string{
			"warning spec.loadBalancerClass: key of another cloud, no effect here: service.k8s.aws/nlb is the class of AWS: the Service is not served here, and its keys are read there",
		},
	},
	{name: "not of type LoadBalancer", spec: func(s *corev1.Service) { s.Spec.Type = "" }, anns: []string{annotations.KeyPIPName, "x"}, want: []string{
		"warning azure-pip-name: no effect here: the Service is of type ClusterIP, not LoadBalancer",
	}},
	{name: "for internal Services", anns: []string{annotations.KeySubnet, "x", annotations.KeyHAPorts, "true"}, want: []string{
		"warning azure-load-balancer-enable-high-availability-ports: no effect here: the Service is external; azure-load-balancer-internal would make it internal",
		"warning azure-load-balancer-internal-subnet: no effect here: the Service is external; azure-load-balancer-internal would make it internal",
	}},
	{name: "what asks for nothing is not missed", anns: []string{annotations.KeySubnet, "", annotations.KeyHAPorts, "false"}},
	{name: "for external Services", anns: []string{annotations.KeyInternal, "true", annotations.KeyPIPName, "x", annotations.KeyDNSLabel, ""}, want: []string{
		"warning azure-dns-label-name: no effect here: the Service is internal and has no public IP",
		"warning azure-pip-name: no effect here: the Service is internal and has no public IP",
	}},
	{name: "for private link, basic load balancers, other ports", anns: []string{annotations.KeyPLSName, "x", annotations.KeyMode, "x", p + "port_81_no_lb_rule", "true"}, want: []string{
		"warning azure-load-balancer-mode: no effect here: only load balancers of SKU basic have VM sets, and Azure has retired them",
		"warning azure-pls-name: no effect here: no private link service is asked for; azure-pls-create would do that",
		"warning port_81_no_lb_rule: no effect here: the Service has no port 81",
	}},
	{name: "for IPv6", anns: []string{annotations.KeyPIPNameIPv6, "x"}, want: []string{"warning azure-pip-name-ipv6: no effect here: the Service has no IPv6 address"}},
	{name: "a denial of nothing", anns: []string{annotations.KeyDenyAll, "true", annotations.KeyAllowedServiceTags, "AzureCloud"}, want: []string{
		"warning azure-deny-all-except-load-balancer-source-ranges: no effect here: there are no source ranges, so nothing is denied",
	}},
	{name: "a path that nobody asks for", anns: []string{annotations.KeyProbePath, "/ready"}, want: []string{
		"warning azure-load-balancer-health-probe-request-path: no effect here: no port has an HTTP or HTTPS probe that takes its path from here",
	}},
	{
		name: "dead and deprecated", anns: []string{annotations.KeySharedSecurityRule, "true", annotations.KeySourceRanges, "10.0.0.0/8"},
		spec: func(s *corev1.Service) { s.Spec.LoadBalancerIP = "52.10.0.10" }, want: []string{
			"warning azure-shared-securityrule: deprecated: nothing reads this key any more",
			"warning load-balancer-source-ranges: deprecated: instead use azure-allowed-ip-ranges",
			"warning spec.loadBalancerIP: deprecated: instead use azure-load-balancer-ipv4 or azure-load-balancer-ipv6",
		},
	},
	{name: "name, prefix and address", anns: []string{annotations.KeyPIPName, "x", annotations.KeyPIPPrefix, prefix, annotations.KeyIPv4, "52.10.0.10"}, want: []string{
		"warning azure-load-balancer-ipv4: conflict: azure-pip-name is there too: the name decides",
		"warning azure-load-balancer-ipv4: conflict: azure-pip-prefix-id is there too: the prefix decides",
		"warning azure-pip-name: conflict: azure-pip-prefix-id is there too: the name decides",
	}},
	{name: "one rule for all ports, but not this one", anns: []string{annotations.KeyInternal, "true", annotations.KeyHAPorts, "true", p + "port_80_no_lb_rule", "true"}, want: []string{
		"warning azure-load-balancer-enable-high-availability-ports: conflict: port_{n}_no_lb_rule is there too: the one rule for all ports stays",
	}},
	{name: "ranges in two places are one error", spec: sources("10.0.0.0/8"), anns: []string{annotations.KeyAllowedIPRanges, "192.0.2.0/24"}, want: []string{
		`error azure-allowed-ip-ranges: "192.0.2.0/24": conflict: want either this or spec.loadBalancerSourceRanges, not both`,
	}},
	{name: "ranges for nobody", anns: []string{annotations.KeyDisableNSGRule, "true"}, spec: sources("10.0.0.0/8"), want: []string{
		"warning azure-disable-load-balancer-nsg-rule: conflict: spec.loadBalancerSourceRanges is there too: nothing is allowed",
	}},
	{name: "ranges of a family the Service does not have", spec: sources("10.0.0.0/8", "fd00::/8"), want: []string{
		"warning spec.loadBalancerSourceRanges[1]: no effect here: fd00::/8 is an IPv6 range, and the Service has no IPv6 address",
	}},
	{name: "a family without a range", spec: dual, anns: []string{annotations.KeyAllowedIPRanges, "10.0.0.0/8"}, want: []string{
		"warning azure-allowed-ip-ranges: probably not as intended: no range is of family IPv6, so nobody outside reaches the Service over it",
	}},
	{name: "private link on an external Service", anns: []string{annotations.KeyPLSCreate, "true"}, want: []string{
		"error azure-pls-create: conflict: an external Service can have a private link service only with azure-disable-load-balancer-floating-ip",
	}},
	{name: "private link without IPv4", spec: v6, anns: []string{annotations.KeyPLSCreate, "true", annotations.KeyInternal, "true"}, want: []string{
		"error azure-pls-create: conflict: a private link service needs an IPv4 address, and the Service has IPv6 only",
	}},
	{name: "the probe asks for /", anns: []string{annotations.KeyProbeProtocol, "HTTP"}, want: []string{
		"warning azure-load-balancer-health-probe-protocol: probably not as intended: the HTTP probe of port 80 asks for / and counts no other status than 200 as up; " +
			"say what to ask for with azure-load-balancer-health-probe-request-path",
	}},
	{name: "the probe asks for / because of the application protocol", spec: func(s *corev1.Service) { s.Spec.Ports[0].AppProtocol = ptr("https") }, want: []string{
		"warning spec.ports[0].appProtocol: probably not as intended: the HTTPS probe of port 80 asks for / and counts no other status than 200 as up; " +
			"say what to ask for with azure-load-balancer-health-probe-request-path",
	}},
	{
		name: "an unknown application protocol means tcp", spec: func(s *corev1.Service) { s.Spec.Ports[0].AppProtocol = ptr("kubernetes.io/h2c") },
		anns: []string{annotations.KeyProbeProtocol, "http"},
	},
	{
		name: "the nodes are probed instead", spec: func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = "Local", 31000 },
		anns: []string{annotations.KeyProbeProtocol, "http"},
	},
	{name: "a path without its slash", anns: []string{annotations.KeyProbeProtocol, "http", annotations.KeyProbePath, "healthz"}, want: []string{
		`warning azure-load-balancer-health-probe-request-path: probably not as intended: "healthz" does not begin with /`,
	}},
}

func TestLint(t *testing.T) {
	for _, test := range lintTests {
		t.Run(test.name, func(t *testing.T) {
			svc := service(test.anns...)
			if test.spec != nil {
				test.spec(svc)
			}
			var got []string
			for _, f := range annotations.Lint(svc) {
				field := strings.TrimSuffix(strings.TrimPrefix(f.Field, "metadata.annotations["), "]")
				if f.Field == field+"]" || strings.HasPrefix(f.Field, "spec.") {
					field = f.Field
				}
				got = append(got, strings.ReplaceAll(f.Severity.String()+" "+field+": "+f.Err.Error(), p, ""))
			}
			if d := cmp.Diff(test.want, got); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

func TestFindingLeadsToItsError(t *testing.T) {
	list := annotations.Lint(service(annotations.KeyIdleTimeout, "2"))
	var e *annotations.Error
	if len(list) != 1 || !errors.As(list[0].Err, &e) || e.Key != annotations.KeyIdleTimeout || !errors.Is(list[0].Err, annotations.ErrRange) {
		t.Errorf("got %v", list)
	}
	if !list[0].Holds {
		t.Error("the finding does not hold the Service")
	}
}

func TestRegistryIsComplete(t *testing.T) {
	keys := annotations.Keys()
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.Name
	}
	for _, k := range keys {
		if k.Doc == "" || k.Default == "" || k.Grammar == "" || strings.HasPrefix(k.Scope.String(), "Scope(") || !strings.HasPrefix(k.Name, p) {
			t.Errorf("%s: a column is empty: %+v", k.Name, k)
		}
		if k.Dead != (k.Outcome == 0) || k.PerPort() != (k.Scope == annotations.ScopePort) {
			t.Errorf("%s: columns do not go together: %+v", k.Name, k)
		}
		for _, c := range k.Conflicts {
			if !slices.Contains(names, c.With) && c.With != "spec.loadBalancerIP" && c.With != "spec.loadBalancerSourceRanges" {
				t.Errorf("%s contradicts %s, which nobody knows", k.Name, c.With)
			}
		}
	}
	if slices.Sort(names); len(slices.Compact(names)) != len(keys) {
		t.Error("a key is there twice")
	}
}
