package lb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	corev1 "k8s.io/api/core/v1"
)

// ErrNodePort says that a rule or probe needs a node port that the Service does not have.
var ErrNodePort = errors.New("node port needed")

// ErrProtocol says that a protocol cannot be balanced as asked.
var ErrProtocol = errors.New("protocol not served")

// fieldError is a problem with one field of a Service.
type fieldError struct {
	field string
	err   error
}

// portRules are the rules and probes of one Service on one frontend, and the field each comes from.
type portRules struct {
	rules  []Rule
	probes []Probe
	fields map[string]string // by name of rule or probe
}

func (p *portRules) addProbe(probe Probe, field string) {
	if _, ok := p.fields["probe "+probe.Name]; ok {
		return
	}
	p.fields["probe "+probe.Name] = field
	p.probes = append(p.probes, probe)
}

// ruleMaker makes the rules and probes of one Service for one family.
type ruleMaker struct {
	c        Cluster
	svc      *corev1.Service
	cfg      annotations.Config
	base     string
	family   ipam.Family
	frontend string
	pool     string
}

func (m ruleMaker) name(proto corev1.Protocol, port int32) string {
	return ruleName(m.base, subnetSegment(m.cfg), proto, port, m.cfg.Dual(), m.family)
}

func (m ruleMaker) local() bool {
	return m.svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// haPorts reports whether one rule serves all ports.
func (m ruleMaker) haPorts() bool { return m.cfg.Rules.HAPorts && m.cfg.Internal && !m.c.Basic }

// make returns the rules and probes, or everything that stands in their way.
func (m ruleMaker) make() (portRules, []fieldError) {
	out := portRules{fields: map[string]string{}}
	var bad []fieldError
	if m.haPorts() {
		bad = m.addHAPorts(&out)
	} else {
		for i := range m.svc.Spec.Ports {
			bad = append(bad, m.addPort(&out, i)...)
		}
	}
	return out, bad
}

// floating reports whether per-port rules use floating IP: IPv6 addresses of internal frontends cannot be secondary addresses of nodes.
func (m ruleMaker) floating() bool {
	return m.cfg.Rules.FloatingIP && !(m.cfg.Internal && m.family == ipam.IPv6)
}

func (m ruleMaker) rule(name string) Rule {
	r := Rule{
		Name: name, Frontend: m.frontend, Pool: m.pool, IdleMinutes: m.cfg.Rules.IdleMinutes,
		DisableOutboundSNAT: m.c.DisableOutboundSNAT, Distribution: DistributionDefault,
	}
	if m.svc.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		r.Distribution = DistributionSourceIP
	}
	return r
}

func (m ruleMaker) addPort(out *portRules, i int) []fieldError {
	port := m.svc.Spec.Ports[i]
	settings := m.cfg.Ports[port.Port]
	if settings.NoRule {
		return nil
	}
	field := "spec.ports[" + strconv.Itoa(i) + "]"
	if port.Port == 65535 {
		return []fieldError{{field + ".port", fmt.Errorf("%w: Azure balances ports 1 to 65534", annotations.ErrRange)}}
	}
	r := m.rule(m.name(protocolOf(port), port.Port))
	r.FrontendPort, r.BackendPort, r.FloatingIP = uint16(port.Port), uint16(port.Port), m.floating()
	switch protocolOf(port) {
	case corev1.ProtocolTCP:
		r.Protocol, r.TCPReset = TCP, m.cfg.Rules.TCPReset && !m.c.Basic
	case corev1.ProtocolUDP:
		r.Protocol = UDP
	case corev1.ProtocolSCTP:
		r.Protocol = All
		if !m.cfg.Internal || m.c.Basic {
			return []fieldError{{field + ".protocol", fmt.Errorf("%w: SCTP needs an internal Service (%s: \"true\") on a standard load balancer", ErrProtocol, annotations.KeyInternal)}}
		}
	default:
		return []fieldError{{field + ".protocol", fmt.Errorf("%w: %q: want TCP, UDP or SCTP", ErrProtocol, port.Protocol)}}
	}
	if !r.FloatingIP {
		if port.NodePort == 0 {
			return []fieldError{{field + ".nodePort", fmt.Errorf("%w: a rule without floating IP sends to the node port; allow node ports (spec.allocateLoadBalancerNodePorts) or floating IP", ErrNodePort)}}
		}
		r.BackendPort = uint16(port.NodePort)
	}
	if !settings.NoProbe {
		probe, probeField, err := m.probe(i)
		if err != nil {
			return []fieldError{*err}
		}
		if probe != nil {
			r.Probe = probe.Name
			out.addProbe(*probe, probeField)
		}
	}
	out.rules = append(out.rules, r)
	out.fields["rule "+r.Name] = field
	return nil
}

func protocolOf(p corev1.ServicePort) corev1.Protocol {
	if p.Protocol == "" {
		return corev1.ProtocolTCP
	}
	return p.Protocol
}

// addHAPorts makes the one rule for all ports. Its probe is the node probe, else that of the first port that has one.
func (m ruleMaker) addHAPorts(out *portRules) []fieldError {
	if len(m.svc.Spec.Ports) == 0 {
		return nil
	}
	first := m.svc.Spec.Ports[0]
	r := m.rule(m.name(protocolOf(first), first.Port))
	r.Protocol, r.TCPReset, r.FloatingIP = All, m.cfg.Rules.TCPReset, m.family != ipam.IPv6
	probe, field, bad := m.nodeProbe()
	if bad != nil {
		return []fieldError{*bad}
	}
	for i := 0; probe == nil && i < len(m.svc.Spec.Ports); i++ {
		if protocolOf(m.svc.Spec.Ports[i]) != corev1.ProtocolTCP {
			continue
		}
		if own, ownField, err := m.ownProbe(i); err == nil {
			own.Name = r.Name
			probe, field = own, ownField
		}
	}
	if probe != nil {
		r.Probe = probe.Name
		out.addProbe(*probe, field)
	}
	out.rules = append(out.rules, r)
	out.fields["rule "+r.Name] = annotationField(annotations.KeyHAPorts)
	return nil
}

func annotationField(key string) string { return "metadata.annotations[" + key + "]" }

// probe decides which probe the rule of port i has; nil for none.
func (m ruleMaker) probe(i int) (*Probe, string, *fieldError) {
	port := m.svc.Spec.Ports[i]
	tcp := protocolOf(port) == corev1.ProtocolTCP
	node, field, bad := m.nodeProbe()
	switch {
	case m.local() && tcp && m.cfg.Ports[port.Port].Probe.Port != nil:
	case bad != nil:
		return nil, "", bad
	case node != nil:
		return node, field, nil
	}
	if !tcp {
		return nil, "", nil
	}
	return m.ownProbe(i)
}

// nodeProbe returns the probe that asks the node rather than the port: that of a Local Service, or the shared one. The probe of a Local
// Service cannot speak the PROXY protocol of a private link service.
func (m ruleMaker) nodeProbe() (*Probe, string, *fieldError) {
	switch {
	case m.local() && m.cfg.PrivateLink.Create && m.cfg.PrivateLink.ProxyProtocol:
	case m.local():
		port := m.svc.Spec.HealthCheckNodePort
		if port == 0 {
			return nil, "", &fieldError{"spec.healthCheckNodePort", fmt.Errorf("%w: externalTrafficPolicy Local is probed there", ErrNodePort)}
		}
		own := m.cfg.Ports[port].Probe
		return &Probe{
			Name: m.name(corev1.ProtocolTCP, port), Protocol: annotations.ProbeHTTP, Port: uint16(port), Path: "/healthz",
			IntervalSeconds: first(5, own.IntervalSeconds, m.cfg.Probe.IntervalSeconds), Threshold: first(2, own.Threshold, m.cfg.Probe.Threshold),
		}, "spec.externalTrafficPolicy", nil
	case m.c.SharedProbe:
		return &Probe{
			Name: sharedProbe, Protocol: annotations.ProbeHTTP, Port: m.c.SharedProbePort, Path: m.c.SharedProbePath, IntervalSeconds: 5, Threshold: 2,
		}, "clusterServiceLoadBalancerHealthProbeMode", nil
	}
	return nil, "", nil
}

// first returns the first value that is set, else def.
func first[T any](def T, values ...*T) T {
	for _, v := range values {
		if v != nil {
			return *v
		}
	}
	return def
}

// ownProbe returns the probe of port i itself.
func (m ruleMaker) ownProbe(i int) (*Probe, string, *fieldError) {
	port := m.svc.Spec.Ports[i]
	own := m.cfg.Ports[port.Port].Probe
	field := "spec.ports[" + strconv.Itoa(i) + "]"
	number, bad := m.probePort(i, own.Port)
	if bad != nil {
		return nil, "", bad
	}
	p := &Probe{
		Name: m.name(protocolOf(port), port.Port), Protocol: m.probeProtocol(port, own), Port: number,
		IntervalSeconds: first(5, own.IntervalSeconds, m.cfg.Probe.IntervalSeconds), Threshold: first(2, own.Threshold, m.cfg.Probe.Threshold),
	}
	if p.Protocol != annotations.ProbeTCP {
		p.Path = first("/", own.Path, m.cfg.Probe.Path)
	}
	return p, field, nil
}

// probeProtocol: the port's annotation, else its appProtocol, else the annotation of the Service, else TCP.
func (m ruleMaker) probeProtocol(port corev1.ServicePort, own annotations.Probe) annotations.ProbeProtocol {
	protocol := first(annotations.ProbeTCP, m.cfg.Probe.Protocol)
	if port.AppProtocol != nil {
		switch strings.ToLower(strings.TrimSpace(*port.AppProtocol)) {
		case "http":
			protocol = annotations.ProbeHTTP
		case "https":
			protocol = annotations.ProbeHTTPS
		default:
			protocol = annotations.ProbeTCP
		}
	}
	if own.Protocol != nil {
		protocol = *own.Protocol
	}
	if protocol == annotations.ProbeHTTPS && m.c.Basic {
		return annotations.ProbeTCP
	}
	return protocol
}

// probePort finds the probed port.
func (m ruleMaker) probePort(i int, asked *annotations.ProbePort) (uint16, *fieldError) {
	port := m.svc.Spec.Ports[i]
	nodePort, field := port.NodePort, "spec.ports["+strconv.Itoa(i)+"]"
	if asked != nil {
		field = annotationField(annotations.PortKey(annotations.KeyPortProbePort, port.Port))
		found := false
		for _, p := range m.svc.Spec.Ports {
			if asked.ByName && strings.EqualFold(p.Name, asked.Name) || !asked.ByName && p.Port == int32(asked.Number) {
				nodePort, found = p.NodePort, true
				break
			}
		}
		switch {
		case !found && asked.ByName:
			return 0, &fieldError{field, fmt.Errorf("%w: no port is named %q", annotations.ErrSyntax, asked.Name)}
		case !found:
			return asked.Number, nil
		}
	}
	if nodePort == 0 {
		return 0, &fieldError{field + ".nodePort", fmt.Errorf("%w: the health probe asks the node port; allow node ports (spec.allocateLoadBalancerNodePorts), or probe another port", ErrNodePort)}
	}
	return uint16(nodePort), nil
}
