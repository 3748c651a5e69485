package annotations

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// CheckSpec returns what no API server lets through in the spec of svc, but a file may hold: a type that is none, ports that are no numbers
// of ports, unknown protocols and families, one port twice. Each holds the Service: half of what it asks for cannot be guessed. Services of
// another type than LoadBalancer are only asked for the spelling of their type.
func CheckSpec(svc *corev1.Service) []*Error {
	c := specCheck{}
	defer c.told.finish()
	c.oneOf("spec.type", string(svc.Spec.Type), "", string(corev1.ServiceTypeLoadBalancer), string(corev1.ServiceTypeClusterIP),
		string(corev1.ServiceTypeNodePort), string(corev1.ServiceTypeExternalName))
	if svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return c.errs
	}
	c.families(svc.Spec.IPFamilies)
	if len(svc.Spec.Ports) == 0 {
		c.fail("spec.ports", "", ErrRange, "want at least one port")
	}
	c.ports(svc.Spec.Ports)
	c.number("spec.healthCheckNodePort", svc.Spec.HealthCheckNodePort, 0)
	c.oneOf("spec.externalTrafficPolicy", string(svc.Spec.ExternalTrafficPolicy), "",
		string(corev1.ServiceExternalTrafficPolicyCluster), string(corev1.ServiceExternalTrafficPolicyLocal))
	c.oneOf("spec.sessionAffinity", string(svc.Spec.SessionAffinity), "", string(corev1.ServiceAffinityNone), string(corev1.ServiceAffinityClientIP))
	return c.errs
}

// specCheck collects errors in the order of the fields.
type specCheck struct {
	errs []*Error
	told tally
}

func (c *specCheck) fail(path, value string, kind error, format string, args ...any) {
	if e := c.told.add(Error{Path: path, Value: value, Outcome: Hold}, kind, format, args...); e != nil {
		c.errs = append(c.errs, e)
	}
}

// oneOf reports a text that is none of allowed, the empty one aside.
func (c *specCheck) oneOf(path, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	want := slices.DeleteFunc(allowed, func(a string) bool { return a == "" })
	c.fail(path, value, ErrSyntax, "want %s or %s", strings.Join(want[:len(want)-1], ", "), want[len(want)-1])
}

// number reports a number of a port below least or above 65535.
func (c *specCheck) number(path string, n, least int32) bool {
	if n >= least && n <= 65535 {
		return true
	}
	c.fail(path, strconv.Itoa(int(n)), ErrRange, "want 1 to 65535")
	return false
}

func (c *specCheck) families(list []corev1.IPFamily) {
	seen := map[corev1.IPFamily]bool{}
	for i, f := range list {
		path := "spec.ipFamilies[" + strconv.Itoa(i) + "]"
		c.oneOf(path, string(f), string(corev1.IPv4Protocol), string(corev1.IPv6Protocol))
		if seen[f] {
			c.fail(path, string(f), ErrConflict, "want each family once")
		}
		seen[f] = true
	}
}

func (c *specCheck) ports(list []corev1.ServicePort) {
	type port struct {
		protocol corev1.Protocol
		number   int32
	}
	first := map[port]int{}
	for i := range list {
		p := &list[i]
		path := "spec.ports[" + strconv.Itoa(i) + "]"
		ok := c.number(path+".port", p.Port, 1)
		c.number(path+".nodePort", p.NodePort, 0)
		c.oneOf(path+".protocol", string(p.Protocol), "", string(corev1.ProtocolTCP), string(corev1.ProtocolUDP), string(corev1.ProtocolSCTP))
		at := port{p.Protocol, p.Port}
		if at.protocol == "" {
			at.protocol = corev1.ProtocolTCP
		}
		if other, twice := first[at]; twice && ok {
			c.fail(path+".port", strconv.Itoa(int(p.Port)), ErrConflict, "spec.ports[%d] is %s port %d too; want each port of a protocol once", other, at.protocol, p.Port)
			continue
		}
		first[at] = i
	}
}
