package annotations

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
)

// Smallest and default settings of a probe, and the bound on their product, which ARM sets: a node must be found down within two minutes.
const (
	minInterval  = 5
	minThreshold = 2
	maxProbing   = 120
)

// protocol reads the protocol of a probe.
func protocol(probe func(*parser) *Probe) reader {
	return func(p *parser, v string) {
		proto, ok := probeProtocol(v)
		if !ok {
			// It is TCP that is probed then, and what is less specific stays hidden, as upstream has it.
			p.fail(v, ErrSyntax, "want tcp, http or https")
			proto = ProbeTCP
		}
		probe(p).Protocol = &proto
	}
}

// probeProtocol reads a protocol in any case.
func probeProtocol(v string) (ProbeProtocol, bool) {
	for _, proto := range []ProbeProtocol{ProbeTCP, ProbeHTTP, ProbeHTTPS} {
		if strings.EqualFold(strings.TrimSpace(v), string(proto)) {
			return proto, true
		}
	}
	return "", false
}

// path reads the path of a probe. A blank one is as good as none, which is worth a word: Azure takes no empty path.
func path(probe func(*parser) *Probe) reader {
	return func(p *parser, v string) {
		if strings.ContainsFunc(v, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			p.fail(v, ErrSyntax, "want a path without blanks")
			return
		}
		if hidden(v) {
			p.fail(v, ErrSyntax, wantVisible)
			return
		}
		if v == "" {
			p.report(p.rank, Error{Key: p.key, Value: v, Outcome: Default}, ErrSyntax, "want a path such as /healthz; HTTP probes ask as if this key were absent")
			return
		}
		probe(p).Path = &v
	}
}

// interval reads the interval of a probe.
func interval(probe func(*parser) *Probe) reader {
	return whole(minInterval, math.MaxInt32, "whole seconds, 5 or more", func(p *parser, n int32) { probe(p).IntervalSeconds = &n })
}

// threshold reads the threshold of a probe.
func threshold(probe func(*parser) *Probe) reader {
	return whole(minThreshold, math.MaxInt32, "a whole number, 2 or more", func(p *parser, n int32) { probe(p).Threshold = &n })
}

// readProbePort reads the probed port of a port: the name of a service port first, else a number.
func readProbePort(p *parser, v string) {
	if p.portNames == nil {
		p.portNames = map[string]string{}
		for _, port := range slices.Backward(p.svc.Spec.Ports) {
			p.portNames[strings.ToLower(port.Name)] = port.Name // the first one stays
		}
	}
	if name, ok := p.portNames[strings.ToLower(v)]; ok {
		p.at.Probe.Port = &ProbePort{Name: name, ByName: true}
		return
	}
	n, err := strconv.ParseUint(v, 10, 16)
	switch {
	case err == nil && n > 0:
		p.at.Probe.Port = &ProbePort{Number: uint16(n)}
	case strings.TrimLeft(v, "0123456789") == "" && v != "":
		p.fail(v, ErrRange, "want 1 to 65535 or the name of a service port")
	default:
		p.fail(v, ErrSyntax, "want 1 to 65535 or the name of a service port")
	}
}

// probes checks, for every probe there will be, that its interval and threshold go together.
func (p *parser) probes() {
	general := false // whether the settings for all ports were checked already
	for _, n := range p.probed() {
		own := p.cfg.Ports[n].Probe
		if own.IntervalSeconds == nil && own.Threshold == nil {
			if general {
				continue
			}
			general = true
		}
		p.probing(n, own)
	}
}

// probing checks the interval and threshold that hold for the port n. The error is at the setting next to the port.
func (p *parser) probing(n int32, own Probe) {
	all := p.cfg.Probe
	seconds := deref(own.IntervalSeconds, deref(all.IntervalSeconds, minInterval))
	times := deref(own.Threshold, deref(all.Threshold, minThreshold))
	if int64(seconds)*int64(times) < maxProbing {
		return
	}
	row, key := KeyProbeThreshold, KeyProbeThreshold
	switch {
	case own.IntervalSeconds != nil:
		row, key = KeyPortProbeInterval, PortKey(KeyPortProbeInterval, n)
	case own.Threshold != nil:
		row, key = KeyPortProbeThreshold, PortKey(KeyPortProbeThreshold, n)
	case all.IntervalSeconds != nil:
		row, key = KeyProbeInterval, KeyProbeInterval
	}
	at := Error{Key: key, Value: strings.TrimSpace(p.svc.Annotations[key]), Outcome: Hold}
	p.failAt(row, at, ErrRange, "want interval times number of probes below %d seconds, not %d × %d", maxProbing, seconds, times)
}

// deref returns what v points to, or other.
func deref[T any](v *T, other T) T {
	if v == nil {
		return other
	}
	return *v
}

// probed lists the port numbers whose settings some probe has, in the order of the ports. A Service without ports counts as having one.
func (p *parser) probed() []int32 {
	if len(p.svc.Spec.Ports) == 0 {
		return []int32{0}
	}
	var list distinct[int32]
	for i := range p.svc.Spec.Ports {
		port := &p.svc.Spec.Ports[i]
		switch {
		case p.cfg.probesItself(p.svc, port):
			list.add(port.Port)
		case nodeProbed(p.svc, p.cfg) && p.cfg.hasProbe(port):
			list.add(p.svc.Spec.HealthCheckNodePort)
		}
	}
	return list.items
}

// nodeProbed reports whether the nodes are probed at their health check port, whatever the ports of the Service: with local traffic policy,
// unless the PROXY protocol of a private link service is in the way.
func nodeProbed(svc *corev1.Service, c Config) bool {
	return isLocal(svc) && !(c.PrivateLink.Create && c.PrivateLink.ProxyProtocol)
}

// hasProbe reports whether the annotations leave the port its rule and its probe. With one rule for all ports they have no say.
func (c Config) hasProbe(port *corev1.ServicePort) bool {
	at := c.Ports[port.Port]
	return c.Rules.HAPorts && c.Internal || !at.NoRule && !at.NoProbe
}

// probesItself reports whether the port has a probe of its own, with the settings of the port.
func (c Config) probesItself(svc *corev1.Service, port *corev1.ServicePort) bool {
	tcp := port.Protocol == "" || port.Protocol == corev1.ProtocolTCP
	return tcp && c.hasProbe(port) && (!nodeProbed(svc, c) || c.Ports[port.Port].Probe.Port != nil)
}

// protocolOf returns the protocol that a probe of the port has and the field that says so: the port's key, then spec.ports[i].appProtocol, then
// the key for all ports. An appProtocol that is none of the three means tcp.
func (c Config) protocolOf(svc *corev1.Service, i int) (proto ProbeProtocol, field string) {
	port := &svc.Spec.Ports[i]
	if own := c.Ports[port.Port].Probe.Protocol; own != nil {
		return *own, annotationField(PortKey(KeyPortProbeProtocol, port.Port))
	}
	if port.AppProtocol != nil {
		proto, ok := probeProtocol(*port.AppProtocol)
		if !ok {
			proto = ProbeTCP
		}
		return proto, fmt.Sprintf("spec.ports[%d].appProtocol", i)
	}
	return deref(c.Probe.Protocol, ProbeTCP), annotationField(KeyProbeProtocol)
}
