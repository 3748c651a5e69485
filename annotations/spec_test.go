package annotations_test

import (
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestCheckSpec(t *testing.T) {
	port := func(change func(*corev1.ServicePort)) func(*corev1.Service) {
		return func(s *corev1.Service) { change(&s.Spec.Ports[0]) }
	}
	for _, c := range []struct {
		name string
		spec func(*corev1.Service)
		want []string
	}{
		{"nothing to say", func(*corev1.Service) {}, nil},
		{"the highest numbers", port(func(p *corev1.ServicePort) { p.Port, p.NodePort = 65535, 65535 }), nil},
		{"no protocol means TCP", port(func(p *corev1.ServicePort) { p.Protocol = "" }), nil},
		{"port above 16 bits", port(func(p *corev1.ServicePort) { p.Port = 70000 }), []string{`spec.ports[0].port: "70000": out of range: want 1 to 65535`}},
		{"port zero", port(func(p *corev1.ServicePort) { p.Port = 0 }), []string{`spec.ports[0].port: "0": out of range: want 1 to 65535`}},
		{"node port above 16 bits", port(func(p *corev1.ServicePort) { p.NodePort = 99999 }), []string{`spec.ports[0].nodePort: "99999": out of range: want 1 to 65535`}},
		{"unknown protocol", port(func(p *corev1.ServicePort) { p.Protocol = "FOO" }), []string{`spec.ports[0].protocol: "FOO": malformed: want TCP, UDP or SCTP`}},
		{"a letter in the wrong case", func(s *corev1.Service) { s.Spec.Type = "Loadbalancer" }, []string{
			`spec.type: "Loadbalancer": malformed: want LoadBalancer, ClusterIP, NodePort or ExternalName`,
		}},
		{"another type is asked for nothing", func(s *corev1.Service) { s.Spec.Type, s.Spec.Ports = corev1.ServiceTypeClusterIP, nil }, nil},
		{"unknown family", func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{"IPv5"} }, []string{`spec.ipFamilies[0]: "IPv5": malformed: want IPv4 or IPv6`}},
		{"one family twice", func(s *corev1.Service) { s.Spec.IPFamilies = []corev1.IPFamily{"IPv4", "IPv4"} }, []string{
			`spec.ipFamilies[1]: "IPv4": conflict: want each family once`,
		}},
		{"no ports", func(s *corev1.Service) { s.Spec.Ports = nil }, []string{`spec.ports: "": out of range: want at least one port`}},
		{"one port twice", func(s *corev1.Service) { s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "b", Port: 80}) }, []string{
			`spec.ports[1].port: "80": conflict: spec.ports[0] is TCP port 80 too; want each port of a protocol once`,
		}},
		{"one number, two protocols", func(s *corev1.Service) {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "b", Port: 80, Protocol: corev1.ProtocolUDP})
		}, nil},
		{"health check port", func(s *corev1.Service) { s.Spec.HealthCheckNodePort = -1 }, []string{`spec.healthCheckNodePort: "-1": out of range: want 1 to 65535`}},
		{"traffic policy in small letters", func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = "local" }, []string{
			`spec.externalTrafficPolicy: "local": malformed: want Cluster or Local`,
		}},
		{"affinity", func(s *corev1.Service) { s.Spec.SessionAffinity = "Client" }, []string{`spec.sessionAffinity: "Client": malformed: want None or ClientIP`}},
		{"all at once", func(s *corev1.Service) {
			s.Spec.IPFamilies, s.Spec.Ports[0].Port, s.Spec.Ports[0].Protocol = []corev1.IPFamily{"IPv5"}, 0, "X"
		}, []string{
			`spec.ipFamilies[0]: "IPv5": malformed: want IPv4 or IPv6`,
			`spec.ports[0].port: "0": out of range: want 1 to 65535`,
			`spec.ports[0].protocol: "X": malformed: want TCP, UDP or SCTP`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := service()
			c.spec(svc)
			var got []string
			for _, e := range annotations.CheckSpec(svc) {
				if e.Outcome != annotations.Hold {
					t.Errorf("%v: outcome %v, want hold", e, e.Outcome)
				}
				got = append(got, e.Error())
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			linted := 0
			for _, f := range annotations.Lint(svc) {
				if f.Severity == annotations.SeverityError && f.Holds {
					linted++
				}
			}
			if linted != len(c.want) {
				t.Errorf("Lint has %d errors that hold, want %d", linted, len(c.want))
			}
		})
	}
}
