package annotations_test

import (
	"fmt"

	"github.com/azlb/azlb/annotations"
)

func ExampleParse() {
	svc := service(
		annotations.KeyInternal, "true",
		annotations.KeySubnet, "apps",
		annotations.KeyIPv4, "10.0.0.4",
		annotations.KeyIdleTimeout, "15",
	)
	cfg, err := annotations.Parse(svc)
	fmt.Println(cfg.Internal, cfg.Subnet, cfg.Addresses.V4, cfg.Rules.IdleMinutes, err)
	// Output: true apps 10.0.0.4 15 <nil>
}

func ExampleParse_outOfRange() {
	svc := service("service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout", "2")
	_, err := annotations.Parse(svc)
	fmt.Println(err)
	// Output: metadata.annotations[service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout]: "2": out of range: want 4 to 100 whole minutes
}

// A source that cannot be read never widens who may reach the Service: the access is closed to all others.
func ExampleParse_closed() {
	svc := service(annotations.KeyAllowedIPRanges, "192.0.2.0/24,10.0.0.1/24")
	cfg, err := annotations.Parse(svc)
	fmt.Println(cfg.Access.Ranges, cfg.Access.Closed)
	for _, e := range annotations.Errors(err) {
		fmt.Println(e.Value, e.Outcome)
	}
	// Output:
	// [192.0.2.0/24] true
	// 10.0.0.1/24 close
}

func ExampleLint() {
	svc := service(
		annotations.Prefix+"azure-load-balancer-internl", "true",
		annotations.Prefix+"aws-load-balancer-internal", "true",
		annotations.KeyProbePath, "/ready",
	)
	for _, f := range annotations.Lint(svc) {
		fmt.Printf("%s: %v\n", f.Severity, f.Err)
	}
	// Output:
	// error: key of another cloud, no effect here: AWS reads it; there it keeps the load balancer inside the network; here the Service is public without azure-load-balancer-internal: "true"
	// error: unknown key: nothing reads it; did you mean service.beta.kubernetes.io/azure-load-balancer-internal?
	// warning: no effect here: no port has an HTTP or HTTPS probe that takes its path from here
}

func ExampleFromAWS() {
	svc := service(
		annotations.Prefix+"aws-load-balancer-type", "external",
		annotations.Prefix+"aws-load-balancer-healthcheck-interval", "10",
		annotations.Prefix+"aws-load-balancer-ssl-cert", "arn:aws:acm:eu-central-1:111122223333:certificate/web",
	)
	translated, findings := annotations.FromAWS(svc, nil)
	fmt.Println(translated.Annotations[annotations.KeyInternal], translated.Annotations[annotations.KeyProbeInterval])
	for _, f := range findings {
		if f.NeedsPerson() {
			fmt.Println(f.Setting(), f.Verdict, f.Effect)
		}
	}
	// Output:
	// true 10
	// aws-load-balancer-ssl-cert none less available
}
