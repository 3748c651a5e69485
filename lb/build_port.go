package lb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
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
	// origins tell where settings come from, by "rule NAME" or "probe NAME".
	origins origins
}

// probeDraft is a probe, the field that it comes from, and where its settings do.
type probeDraft struct {
	Probe
	field                                    string
	protocol, port, path, interval, repeated Origin
}

func (p *portRules) addProbe(probe probeDraft) {
	key := "probe " + probe.Name
	if _, ok := p.fields[key]; ok {
		return
	}
	p.fields[key] = probe.field
	p.probes = append(p.probes, probe.Probe)
	p.origins.note(key, "Protocol", probe.protocol)
	p.origins.note(key, "Port", probe.port)
	p.origins.note(key, "Path", probe.path)
	p.origins.note(key, "IntervalSeconds", probe.interval)
	p.origins.note(key, "Threshold", probe.repeated)
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
	traced   bool
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
	out := portRules{fields: map[string]string{}, origins: newOrigins(m.traced)}
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
		return []fieldError{{field + ".protocol", fmt.Errorf("%w: %s: want TCP, UDP or SCTP", ErrProtocol, safetext.Value(string(port.Protocol)))}}
	}
	if !r.FloatingIP {
		if port.NodePort == 0 {
			return []fieldError{{field + ".nodePort", fmt.Errorf("%w: a rule without floating IP sends to the node port; allow node ports (spec.allocateLoadBalancerNodePorts) or floating IP", ErrNodePort)}}
		}
		r.BackendPort = uint16(port.NodePort)
	}
	var why Origin
	if settings.NoProbe {
		why = annotated(annotations.PortKey(annotations.KeyPortNoProbe, port.Port))
	} else {
		probe, from, err := m.probe(i)
		if err != nil {
			return []fieldError{*err}
		}
		why = from
		if probe != nil {
			r.Probe = probe.Name
			out.addProbe(*probe)
		}
	}
	out.rules = append(out.rules, r)
	out.fields["rule "+r.Name] = field
	m.noteRule(out, r, why)
	m.notePort(out, r, field)
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
	probe, why, bad := m.nodeProbe()
	if bad != nil {
		return []fieldError{*bad}
	}
	if probe == nil {
		why = Origin{SourceDefault, "", "no TCP port of the Service can be probed"}
	}
	for i := 0; probe == nil && i < len(m.svc.Spec.Ports); i++ {
		if protocolOf(m.svc.Spec.Ports[i]) != corev1.ProtocolTCP {
			continue
		}
		if own, err := m.ownProbe(i); err == nil {
			own.Name = r.Name
			probe, why = own, Origin{SourceDefault, "", "the first TCP port is probed for all ports"}
		}
	}
	if probe != nil {
		r.Probe = probe.Name
		out.addProbe(*probe)
	}
	out.rules = append(out.rules, r)
	out.fields["rule "+r.Name] = annotationField(annotations.KeyHAPorts)
	m.noteRule(out, r, why)
	m.noteAllPorts(out, r)
	return nil
}

func annotationField(key string) string { return "metadata.annotations[" + safetext.Quote(key) + "]" }

// probe decides which probe the rule of port i has, nil for none, and says why.
func (m ruleMaker) probe(i int) (*probeDraft, Origin, *fieldError) {
	port := m.svc.Spec.Ports[i]
	tcp := protocolOf(port) == corev1.ProtocolTCP
	node, why, bad := m.nodeProbe()
	asked := Origin{SourceDefault, "", "probes the node port"}
	if node == nil && why.Note != "" {
		asked = why
	}
	switch {
	case m.local() && tcp && m.cfg.Ports[port.Port].Probe.Port != nil:
		asked = annotated(annotations.PortKey(annotations.KeyPortProbePort, port.Port))
	case bad != nil:
		return nil, Origin{}, bad
	case node != nil:
		return node, why, nil
	}
	if !tcp {
		return nil, Origin{SourceSpec, "spec.ports[" + strconv.Itoa(i) + "].protocol", "only TCP can be probed; every node counts as healthy"}, nil
	}
	own, bad := m.ownProbe(i)
	return own, asked, bad
}

// nodeProbe returns the probe that asks the node rather than the port: that of a Local Service, or the shared one. The probe of a Local
// Service cannot speak the PROXY protocol of a private link service.
func (m ruleMaker) nodeProbe() (*probeDraft, Origin, *fieldError) {
	switch {
	case m.local() && m.cfg.PrivateLink.Create && m.cfg.PrivateLink.ProxyProtocol:
		why := annotated(annotations.KeyPLSProxyProtocol)
		why.Note = "probes the node port: a probe of the node cannot speak the PROXY protocol"
		return nil, why, nil
	case m.local():
		port := m.svc.Spec.HealthCheckNodePort
		if port == 0 {
			return nil, Origin{}, &fieldError{"spec.healthCheckNodePort", fmt.Errorf("%w: externalTrafficPolicy Local is probed there", ErrNodePort)}
		}
		own := m.cfg.Ports[port].Probe
		policy := Origin{SourceSpec, "spec.externalTrafficPolicy", "Local: asks every node whether it has a ready pod"}
		return &probeDraft{
			Probe: Probe{
				Name: m.name(corev1.ProtocolTCP, port), Protocol: annotations.ProbeHTTP, Port: uint16(port), Path: "/healthz",
				IntervalSeconds: first(5, own.IntervalSeconds, m.cfg.Probe.IntervalSeconds), Threshold: first(2, own.Threshold, m.cfg.Probe.Threshold),
			},
			field: policy.Field, protocol: policy, port: fieldOrigin("spec.healthCheckNodePort"), path: policy,
			interval: firstOrigin(own.IntervalSeconds, annotations.KeyPortProbeInterval, port, m.cfg.Probe.IntervalSeconds, annotations.KeyProbeInterval),
			repeated: firstOrigin(own.Threshold, annotations.KeyPortProbeThreshold, port, m.cfg.Probe.Threshold, annotations.KeyProbeThreshold),
		}, policy, nil
	case m.c.SharedProbe:
		mode := Origin{SourceConfiguration, "clusterServiceLoadBalancerHealthProbeMode", "shared: asks every node whether it serves Services at all"}
		return &probeDraft{
			Probe: Probe{
				Name: sharedProbe, Protocol: annotations.ProbeHTTP, Port: m.c.SharedProbePort, Path: m.c.SharedProbePath, IntervalSeconds: 5, Threshold: 2,
			},
			field: mode.Field, protocol: mode, port: fieldOrigin("clusterServiceSharedLoadBalancerHealthProbePort"),
			path: fieldOrigin("clusterServiceSharedLoadBalancerHealthProbePath"), interval: byDefault, repeated: byDefault,
		}, mode, nil
	}
	return nil, Origin{}, nil
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
func (m ruleMaker) ownProbe(i int) (*probeDraft, *fieldError) {
	port := m.svc.Spec.Ports[i]
	own := m.cfg.Ports[port.Port].Probe
	field := "spec.ports[" + strconv.Itoa(i) + "]"
	number, bad := m.probePort(i, own.Port)
	if bad != nil {
		return nil, bad
	}
	p := &probeDraft{
		Probe: Probe{
			Name: m.name(protocolOf(port), port.Port), Port: number,
			IntervalSeconds: first(5, own.IntervalSeconds, m.cfg.Probe.IntervalSeconds), Threshold: first(2, own.Threshold, m.cfg.Probe.Threshold),
		},
		field:    field,
		interval: firstOrigin(own.IntervalSeconds, annotations.KeyPortProbeInterval, port.Port, m.cfg.Probe.IntervalSeconds, annotations.KeyProbeInterval),
		repeated: firstOrigin(own.Threshold, annotations.KeyPortProbeThreshold, port.Port, m.cfg.Probe.Threshold, annotations.KeyProbeThreshold),
	}
	switch {
	case !m.traced:
	case own.Port == nil:
		p.port = fieldOrigin(field + ".nodePort")
	default:
		p.port = annotated(annotations.PortKey(annotations.KeyPortProbePort, port.Port))
	}
	p.Protocol, p.protocol = m.probeProtocol(i, own)
	if p.Protocol != annotations.ProbeTCP {
		p.Path = first("/", own.Path, m.cfg.Probe.Path)
		p.path = firstOrigin(own.Path, annotations.KeyPortProbePath, port.Port, m.cfg.Probe.Path, annotations.KeyProbePath)
	}
	return p, nil
}

// probeProtocol: the port's annotation, else its appProtocol, else the annotation of the Service, else TCP.
func (m ruleMaker) probeProtocol(i int, own annotations.Probe) (annotations.ProbeProtocol, Origin) {
	port := m.svc.Spec.Ports[i]
	protocol := first(annotations.ProbeTCP, m.cfg.Probe.Protocol)
	from := firstOrigin(own.Protocol, annotations.KeyPortProbeProtocol, port.Port, m.cfg.Probe.Protocol, annotations.KeyProbeProtocol)
	if port.AppProtocol != nil {
		if own.Protocol == nil {
			from = fieldOrigin("spec.ports[" + strconv.Itoa(i) + "].appProtocol")
		}
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
		return annotations.ProbeTCP, Origin{SourceConfiguration, "loadBalancerSku", "a basic load balancer has no https probes"}
	}
	return protocol, from
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
			return 0, &fieldError{field, fmt.Errorf("%w: no port is named %s", annotations.ErrSyntax, safetext.Value(asked.Name))}
		case !found:
			return asked.Number, nil
		}
	}
	if nodePort == 0 {
		return 0, &fieldError{field + ".nodePort", fmt.Errorf("%w: the health probe asks the node port; allow node ports (spec.allocateLoadBalancerNodePorts), or probe another port", ErrNodePort)}
	}
	return uint16(nodePort), nil
}
