package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// rule draws one rule of the Service with its probe.
func (p *painter) rule(l lb.LoadBalancer, r lb.Rule) rulePortrait {
	out := rulePortrait{
		Name: r.Name, Summary: ruleText(r), From: p.from(l.ID.Child(armid.LoadBalancingRules, r.Name), ""), Settings: p.ruleSettings(r),
	}
	port := p.portOf(r)
	i := slices.IndexFunc(l.Probes, func(probe lb.Probe) bool { return strings.EqualFold(probe.Name, r.Probe) })
	if i < 0 {
		out.NoProbe = p.noProbe(port)
		return out
	}
	out.Probe = p.probe(l, l.Probes[i], port)
	return out
}

func ruleText(r lb.Rule) string {
	if r.FrontendPort == 0 {
		return string(r.Protocol) + ", all ports"
	}
	text := fmt.Sprintf("%s port %d", r.Protocol, r.FrontendPort)
	if r.BackendPort != r.FrontendPort {
		text += fmt.Sprintf(" to port %d of the nodes", r.BackendPort)
	}
	return text
}

func (p *painter) ruleSettings(r lb.Rule) []setting {
	floating := p.annotation(annotations.KeyDisableFloatingIP, "default")
	if !r.FloatingIP && p.cfg.Rules.FloatingIP {
		floating = "an internal IPv6 frontend cannot have it"
	}
	distribution := "spec.sessionAffinity"
	if p.svc.Spec.SessionAffinity == "" || p.svc.Spec.SessionAffinity == corev1.ServiceAffinityNone {
		distribution = "default"
	}
	outbound := "default"
	if p.c.DisableOutboundSNAT {
		outbound = "azure.json disableOutboundSNAT"
	}
	list := []setting{
		{"floating IP", onOff(r.FloatingIP), floating},
		{"idle timeout", fmt.Sprintf("%d minutes", r.IdleMinutes), p.annotation(annotations.KeyIdleTimeout, "default")},
		{"distribution", string(r.Distribution), distribution},
		{"outbound SNAT", onOff(!r.DisableOutboundSNAT), outbound},
	}
	if r.Protocol != lb.UDP {
		list = append(list, setting{"TCP reset", onOff(r.TCPReset), p.annotation(annotations.KeyDisableTCPReset, "default")})
	}
	return list
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// portOf finds the port of the Service that a rule serves; nil for a rule of all ports.
func (p *painter) portOf(r lb.Rule) *corev1.ServicePort {
	for i := range p.svc.Spec.Ports {
		port := &p.svc.Spec.Ports[i]
		if port.Port == int32(r.FrontendPort) && strings.Contains(strings.ToUpper(r.Name), "-"+string(protocolOf(*port))+"-") {
			return port
		}
	}
	return nil
}

func protocolOf(p corev1.ServicePort) corev1.Protocol {
	if p.Protocol == "" {
		return corev1.ProtocolTCP
	}
	return p.Protocol
}

func (p *painter) local() bool {
	return p.svc.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

// noProbe says why a rule has no probe.
func (p *painter) noProbe(port *corev1.ServicePort) string {
	switch {
	case port == nil:
		return "no port of the Service has one"
	case p.cfg.Ports[port.Port].NoProbe:
		return p.portKey(annotations.KeyPortNoProbe, port)
	case protocolOf(*port) != corev1.ProtocolTCP:
		return string(protocolOf(*port)) + " cannot be probed; every node counts as healthy"
	default:
		return "as it is"
	}
}

func (p *painter) portKey(key string, port *corev1.ServicePort) string {
	return "metadata.annotations[" + annotations.PortKey(key, port.Port) + "]"
}

// probe draws a probe: what it asks, why that, and where each value comes from.
func (p *painter) probe(l lb.LoadBalancer, probe lb.Probe, port *corev1.ServicePort) *probePortrait {
	out := &probePortrait{
		Name: probe.Name, SharedWith: p.others(func(r lb.Rule) bool { return strings.EqualFold(r.Probe, probe.Name) }, l),
	}
	path := setting{"path", probe.Path, ""}
	asks := setting{"port", strconv.Itoa(int(probe.Port)), ""}
	protocol := setting{"protocol", string(probe.Protocol), ""}
	switch {
	case p.local() && int32(probe.Port) == p.svc.Spec.HealthCheckNodePort:
		out.Why = "asks every node whether it has a ready pod, since externalTrafficPolicy is Local"
		asks.From, protocol.From, path.From = "spec.healthCheckNodePort", "spec.externalTrafficPolicy", "spec.externalTrafficPolicy"
		port = &corev1.ServicePort{Port: p.svc.Spec.HealthCheckNodePort}
	case p.c.SharedProbe && p.owner(probe.Name).Name == "":
		const mode = "azure.json clusterServiceSharedLoadBalancerHealthProbe"
		out.Why = "asks every node whether it serves Services at all (azure.json clusterServiceLoadBalancerHealthProbeMode)"
		asks.From, protocol.From, path.From = mode+"Port", "default", mode+"Path"
	default:
		out.Why = "asks the port itself, through its node port"
		asks.From, protocol.From = p.probePortFrom(probe, port), p.probeProtocolFrom(port)
		path.From = p.probeFrom(port, annotations.KeyPortProbePath, annotations.KeyProbePath)
	}
	out.Settings = []setting{protocol, asks}
	if probe.Path != "" {
		out.Settings = append(out.Settings, path)
	}
	out.Settings = append(out.Settings,
		setting{
			"interval", fmt.Sprintf("%d seconds", probe.IntervalSeconds),
			p.probeFrom(port, annotations.KeyPortProbeInterval, annotations.KeyProbeInterval),
		},
		setting{
			"threshold", fmt.Sprintf("%d in a row", probe.Threshold),
			p.probeFrom(port, annotations.KeyPortProbeThreshold, annotations.KeyProbeThreshold),
		})
	return out
}

// probeFrom names the annotation of the port, else that of the Service, else the default.
func (p *painter) probeFrom(port *corev1.ServicePort, own, all string) string {
	otherwise := p.annotation(all, "default")
	if port == nil {
		return otherwise
	}
	return p.annotation(annotations.PortKey(own, port.Port), otherwise)
}

func (p *painter) probePortFrom(probe lb.Probe, port *corev1.ServicePort) string {
	if port == nil {
		return "nodePort of the first TCP port"
	}
	otherwise := fmt.Sprintf("nodePort of port %d", port.Port)
	if int32(probe.Port) != port.NodePort {
		otherwise = "as it is"
	}
	return p.annotation(annotations.PortKey(annotations.KeyPortProbePort, port.Port), otherwise)
}

// probeProtocolFrom follows the order in which the protocol is decided: the port's annotation, its appProtocol, the Service's annotation.
func (p *painter) probeProtocolFrom(port *corev1.ServicePort) string {
	otherwise := p.annotation(annotations.KeyProbeProtocol, "default")
	if port == nil {
		return otherwise
	}
	if port.AppProtocol != nil {
		i := slices.IndexFunc(p.svc.Spec.Ports, func(s corev1.ServicePort) bool { return s.Port == port.Port && s.Protocol == port.Protocol })
		otherwise = fmt.Sprintf("spec.ports[%d].appProtocol", i)
	}
	return p.annotation(annotations.PortKey(annotations.KeyPortProbeProtocol, port.Port), otherwise)
}
