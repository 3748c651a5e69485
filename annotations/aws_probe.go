package annotations

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// isPortNumber reports whether a value is the number of a port.
func isPortNumber(v string) bool {
	n, err := strconv.ParseUint(v, 10, 16)
	return err == nil && n > 0
}

// nodesProbed reports whether the nodes are probed instead of the ports, so that protocol and path of AWS have no effect.
func (t *translator) nodesProbed() bool {
	_, own := t.lookup("healthcheck-port")
	return nodeProbed(t.in, t.cfg) && !(own && t.ownProbePort())
}

// ownProbePort reports whether the port of the health checks is one to be written.
func (t *translator) ownProbePort() bool {
	s, _ := t.lookup("healthcheck-port")
	return s.row != nil && s.row.read != nil && t.resolves(s.value)
}

// resolves reports whether a value is the number of a port or the name of a port of the Service.
func (t *translator) resolves(v string) bool {
	if isPortNumber(v) {
		return true
	}
	for _, port := range t.in.Spec.Ports {
		if port.Name == v && v != "" {
			return true
		}
	}
	return false
}

// idleProbe reports a setting of a probe that nobody has, and whether it did.
func (t *translator) idleProbe(s awsSetting) bool {
	switch {
	case len(t.ports) == 0:
		t.say(s, awsNote{verdict: None, severity: SeverityWarning, effect: Different}, "left out; only TCP ports have probes")
	case t.nodesProbed():
		t.say(s, awsNote{verdict: None, severity: SeverityWarning, effect: Different},
			"left out; with externalTrafficPolicy: Local the nodes are probed, over HTTP at /healthz of spec.healthCheckNodePort")
	default:
		return false
	}
	return true
}

func (t *translator) readProbeProtocol(s awsSetting) {
	if t.idleProbe(s) {
		return
	}
	if t.has(KeyProbeProtocol) {
		t.shadow(s, KeyProbeProtocol)
		return
	}
	proto := strings.ToLower(s.value)
	b := t.putPorts(KeyPortProbeProtocol, proto)
	if b == nil {
		t.shadow(s, PortKey(KeyPortProbeProtocol, t.ports[0]))
		return
	}
	t.say(s, awsNote{severity: SeverityInfo, becomes: b}, "written for each port, so that spec.ports[].appProtocol does not count")
}

func (t *translator) readProbePort(s awsSetting) {
	if len(t.ports) == 0 {
		t.idleProbe(s)
		return
	}
	if !t.resolves(s.value) {
		t.bad(s, ErrSyntax, "traffic-port, a port number, or the name of a port of the Service")
		return
	}
	b := t.putPorts(KeyPortProbePort, s.value)
	if b == nil {
		t.shadow(s, PortKey(KeyPortProbePort, t.ports[0]))
		return
	}
	n := awsNote{severity: SeverityInfo, becomes: b}
	text := s.row.Doc
	if s.row.Verdict == Lossy {
		n.severity, n.effect = SeverityWarning, Different
		if number, _ := strconv.Atoi(s.value); slices.Contains(portNumbers(t.in), int32(number)) {
			text = fmt.Sprintf("the Service has a port %d, so its node port is probed, not port %d of the node", number, number)
		}
	}
	t.say(s, n, "%s", text)
}

// asksHTTP reports whether the probes of AWS ask for a path.
func (t *translator) asksHTTP() bool {
	s, _ := t.lookup("healthcheck-protocol")
	return strings.EqualFold(s.value, "http") || strings.EqualFold(s.value, "https")
}

func (t *translator) readProbePath(s awsSetting) {
	switch {
	case s.value == "":
		t.drop(s)
	case t.idleProbe(s):
	case !t.asksHTTP() && !t.probesHTTP():
		t.say(s, awsNote{verdict: None, severity: SeverityInfo, kind: ErrNoEffect}, "left out; TCP checks ask for no path, on AWS neither")
	case strings.ContainsFunc(s.value, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		t.bad(s, ErrSyntax, "a path without blanks")
	case t.has(KeyProbePath):
		t.shadow(s, KeyProbePath)
	default:
		b := t.putPorts(KeyPortProbePath, s.value)
		if b == nil {
			t.shadow(s, PortKey(KeyPortProbePath, t.ports[0]))
			return
		}
		t.say(s, awsNote{severity: SeverityInfo, becomes: b}, "written for each port")
	}
}

// probesHTTP reports whether annotations of Azure ask for HTTP or HTTPS probes.
func (t *translator) probesHTTP() bool {
	http := func(p Probe) bool { return deref(p.Protocol, ProbeTCP) != ProbeTCP }
	return http(t.cfg.Probe) || slices.ContainsFunc(t.ports, func(n int32) bool { return http(t.cfg.Ports[n].Probe) })
}

const wantNumber = "a whole number above 0"

func (t *translator) readProbeInterval(s awsSetting) {
	if t.has(KeyProbeInterval) {
		t.shadow(s, KeyProbeInterval)
	} else if n := t.number(s, 1, wantNumber); n != nil {
		t.interval = n
	}
}

func (t *translator) readUnhealthy(s awsSetting) {
	if t.has(KeyProbeThreshold) {
		t.shadow(s, KeyProbeThreshold)
	} else if n := t.number(s, 1, wantNumber); n != nil {
		t.unhealthy = n
	}
}

func (t *translator) readHealthy(s awsSetting) {
	if t.has(KeyProbeThreshold) {
		t.shadow(s, KeyProbeThreshold)
	} else if n := t.number(s, 1, wantNumber); n != nil {
		t.healthy = n
	}
}

func (t *translator) readProbeTimeout(s awsSetting) {
	if n := t.number(s, 1, wantNumber); n != nil {
		t.timeout = n
	}
}

// readSuccessCodes looks for status 200 among those that mean up.
func (t *translator) readSuccessCodes(s awsSetting) {
	t.codes = s.value != ""
	switch with200, others := codes(s.value); {
	case s.value == "":
		t.drop(s)
	case t.idleHTTP():
		t.say(s, awsNote{severity: SeverityInfo, kind: ErrNoEffect}, "left out; no probe looks at a status")
	case !with200:
		t.say(s, awsNote{severity: SeverityError, effect: LessAvailable}, "left out; %s, so with these answers no node is up", s.row.Doc)
	case others:
		t.say(s, awsNote{severity: SeverityWarning, effect: LessAvailable}, "left out; %s, so what answers with another one, such as a redirect, counts as down", s.row.Doc)
	default:
		t.say(s, awsNote{severity: SeverityInfo}, "left out; %s anyway", s.row.Doc)
	}
}

// idleHTTP reports whether there is no HTTP or HTTPS probe of a port.
func (t *translator) idleHTTP() bool {
	return len(t.ports) == 0 || t.nodesProbed() || !t.asksHTTP() && !t.probesHTTP()
}

// codes reads a list of statuses and ranges of them: whether 200 is among them, and whether others are.
func codes(v string) (with200, others bool) {
	for _, item := range items(v) {
		low, high, isRange := strings.Cut(item, "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(strings.TrimSpace(low))
		to, err2 := strconv.Atoi(strings.TrimSpace(high))
		if err1 != nil || err2 != nil {
			others = true
			continue
		}
		with200 = with200 || from <= 200 && to >= 200
		others = others || from != 200 || to != 200
	}
	return with200, others
}

// probes settles what of the probes depends on several settings, and on those that are not there.
func (t *translator) probes() {
	t.appProtocols()
	t.defaultCodes()
	t.thresholds()
	t.probeTimeout()
}

// appProtocols keeps HTTP probes away that AWS did not have: there, the application protocol of a port says nothing about its checks.
func (t *translator) appProtocols() {
	s, set := t.lookup("healthcheck-protocol")
	if set && s.row != nil || t.nodesProbed() || t.has(KeyProbeProtocol) {
		return
	}
	for i, port := range t.in.Spec.Ports {
		proto, ok := probeProtocol(deref(port.AppProtocol, ""))
		if !ok || proto == ProbeTCP || !slices.Contains(t.ports, port.Port) {
			continue
		}
		if b := t.put(PortKey(KeyPortProbeProtocol, port.Port), "tcp"); b != nil {
			t.sayField("spec.ports["+itoa(i)+"].appProtocol", awsNote{verdict: Exact, severity: SeverityInfo, becomes: b},
				"AWS checks TCP, while Azure would ask for / over %s because of the field, and take no other status than 200", strings.ToUpper(string(proto)))
		}
	}
}

// defaultCodes says that AWS takes more statuses where nobody said which.
func (t *translator) defaultCodes() {
	if t.codes || !t.asksHTTP() || t.idleHTTP() || t.impl == AWSClassic {
		return
	}
	t.sayField(annotationField(awsPrefix+"healthcheck-success-codes"), awsNote{verdict: None, severity: SeverityWarning, effect: LessAvailable},
		"not set, so on AWS 200–399 mean up; on Azure 200 alone, so what answers with another status, such as a redirect, counts as down")
}

// thresholds writes interval and threshold, which must go together.
func (t *translator) thresholds() {
	if t.interval == nil && t.unhealthy == nil && t.healthy == nil {
		t.defaultProbes()
		return
	}
	i, n := t.wantedProbing()
	wantI, wantN := i, n
	for t.unhealthy != nil && n > minThreshold && !t.fits(i, n) {
		n--
	}
	for t.interval != nil && i > minInterval && !t.fits(i, n) {
		i--
	}
	t.sayInterval(i, wantI)
	t.sayThreshold(n, wantN)
}

// wantedProbing returns interval and threshold as AWS has them within the limits of Azure; where AWS has none, those that hold.
func (t *translator) wantedProbing() (seconds, times int64) {
	seconds = int64(deref(t.cfg.Probe.IntervalSeconds, minInterval))
	times = int64(deref(t.cfg.Probe.Threshold, minThreshold))
	// Beyond the bound on the product a larger number cannot become more: it would only be lowered step by step.
	if t.interval != nil {
		seconds = min(max(minInterval, t.interval.n), maxProbing)
	}
	if t.unhealthy != nil {
		times = min(max(minThreshold, t.unhealthy.n), maxProbing)
	}
	return seconds, times
}

// fits reports whether interval and threshold go together on every port, some of which may have their own.
func (t *translator) fits(seconds, times int64) bool {
	if seconds*times >= maxProbing {
		return false
	}
	for _, n := range portNumbers(t.in) {
		own := t.cfg.Ports[n].Probe
		if (own.IntervalSeconds == nil) != (own.Threshold == nil) &&
			int64(deref(own.IntervalSeconds, int32(seconds)))*int64(deref(own.Threshold, int32(times))) >= maxProbing {
			return false
		}
	}
	return true
}

func (t *translator) sayInterval(i, want int64) {
	switch s := t.interval; {
	case s == nil:
	case i != want || s.n != i:
		t.say(s.awsSetting, awsNote{verdict: Lossy, severity: SeverityWarning, effect: Different, becomes: t.put(KeyProbeInterval, strconv.FormatInt(i, 10))},
			"%d s become %d s; want 5 at least, and below 120 times the threshold", s.n, i)
	default:
		t.say(s.awsSetting, awsNote{severity: SeverityInfo, becomes: t.put(KeyProbeInterval, strconv.FormatInt(i, 10))}, "the same %d s", i)
	}
}

func (t *translator) sayThreshold(n, want int64) {
	if s := t.unhealthy; s != nil {
		note := awsNote{severity: SeverityInfo, becomes: t.put(KeyProbeThreshold, strconv.FormatInt(n, 10))}
		text := fmt.Sprintf("%d failures mean down, and %d successes up", n, n)
		if s.n != n {
			note.severity, note.effect = SeverityWarning, Different
			text = fmt.Sprintf("%d become %d; want 2 at least, and below 120 times the interval", s.n, n)
		}
		t.say(s.awsSetting, note, "%s", text)
	}
	s := t.healthy
	switch {
	case s == nil:
	case t.unhealthy == nil:
		t.say(s.awsSetting, awsNote{severity: SeverityWarning, effect: Different},
			"left out; one number serves both directions, and that of failures is not set, so %d holds", want)
	case s.n != n:
		t.say(s.awsSetting, awsNote{severity: SeverityWarning, effect: Different},
			"one number serves both directions: that of failures was taken, so %d successes mean up instead of %d", n, s.n)
	default:
		t.say(s.awsSetting, awsNote{severity: SeverityInfo, becomes: t.became(KeyProbeThreshold)}, "one number serves both directions: %d", n)
	}
}

// defaultProbes says that Azure finds out sooner than AWS where nobody said when.
func (t *translator) defaultProbes() {
	if len(t.ports) == 0 || t.has(KeyProbeInterval) || t.has(KeyProbeThreshold) {
		return
	}
	was := "10 s × 3 with the AWS Load Balancer Controller, 10 s × 6 with the cloud provider"
	switch t.impl {
	case AWSController:
		was = "10 s × 3"
	case AWSClassic:
		was = "10 s × 6"
	}
	t.sayField(annotationField(KeyProbeInterval), awsNote{verdict: Native, severity: SeverityInfo, effect: Different, kind: ErrDiffers},
		"no interval and no threshold is set: a node is down after 5 s × 2 instead of %s", was)
}

// probeTimeout compares the timeout of AWS with the interval, which bounds it on Azure.
func (t *translator) probeTimeout() {
	s := t.timeout
	if s == nil {
		return
	}
	chosen, _ := strconv.ParseInt(t.out.Annotations[KeyProbeInterval], 10, 64)
	bound := max(chosen, minInterval)
	if t.asksHTTP() {
		bound = min(bound, 30)
	}
	if s.n > bound {
		t.say(s.awsSetting, awsNote{severity: SeverityWarning, effect: LessAvailable}, "left out; a probe may take %d s here instead of %d s", bound, s.n)
		return
	}
	t.say(s.awsSetting, awsNote{severity: SeverityInfo}, "left out; a probe may take up to %d s here", bound)
}

// Idle timeouts: the bounds on Azure in minutes, the default of network load balancers in seconds, and from where on some versions of the
// Azure provider refuse the number.
const (
	minIdle     = 4
	maxIdle     = 100
	awsIdle     = 350
	doubtedIdle = 30
)

// readIdle notes an idle timeout.
func (t *translator) readIdle(s awsSetting) {
	if t.has(KeyIdleTimeout) {
		t.shadow(s, KeyIdleTimeout)
		return
	}
	if s.port != "" {
		if n, err := strconv.ParseInt(s.port, 10, 32); err != nil || !slices.Contains(t.ports, int32(n)) {
			t.say(s, awsNote{verdict: None, severity: SeverityInfo, kind: ErrNoEffect}, "left out; the Service has no TCP port %s", s.port)
			return
		}
		if !strings.EqualFold(s.protocol, "TCP") {
			t.say(s, awsNote{verdict: None, severity: SeverityInfo, kind: ErrNoEffect}, "left out; only TCP listeners have an idle timeout that can be set, on AWS too")
			return
		}
	}
	if n := t.number(s, 1, "whole seconds above 0"); n != nil {
		t.idle = append(t.idle, *n)
	}
}

// idleTimeout writes the largest idle timeout: one that is shorter than before breaks quiet connections, one that is longer does not.
func (t *translator) idleTimeout() {
	if len(t.idle) == 0 {
		t.defaultIdle()
		return
	}
	longest, ports := int64(0), map[string]bool{}
	for _, s := range t.idle {
		longest = max(longest, s.n)
		ports[s.port] = true
	}
	if !ports[""] && len(ports) < len(t.ports) {
		longest = max(longest, awsIdle)
	}
	// Beyond the maximum a larger number cannot become more, and must not overflow.
	minutes := min(maxIdle, max(minIdle, (min(longest, maxIdle*60)+59)/60))
	b := t.put(KeyIdleTimeout, strconv.FormatInt(minutes, 10))
	for _, s := range t.idle {
		n := awsNote{severity: SeverityInfo, becomes: b}
		text := fmt.Sprintf("the same %d s", s.n)
		if minutes*60 != s.n {
			n.severity, n.effect = SeverityWarning, Different
			text = fmt.Sprintf("%d s become %d s", s.n, minutes*60)
		} else {
			n.verdict = Exact
		}
		if s.port != "" {
			text += ", for all ports"
		}
		if minutes > doubtedIdle {
			n.severity = SeverityWarning
			text += "; newer versions of the Azure provider may refuse more than 30 minutes"
		}
		t.say(s.awsSetting, n, "%s", text)
	}
}

// defaultIdle says what becomes of quiet connections where nobody said anything.
func (t *translator) defaultIdle() {
	if len(t.ports) == 0 || t.has(KeyIdleTimeout) {
		return
	}
	text := "no idle timeout is set: 4 minutes instead of 350 s with a network load balancer, which may break quiet connections, and 60 s with a classic one"
	switch t.impl {
	case AWSController:
		text = "no idle timeout is set: 240 s instead of 350 s, which may break quiet connections"
	case AWSClassic:
		text = "no idle timeout is set: 240 s instead of 60 s with a classic load balancer, or of 350 s with a network load balancer"
	}
	t.sayField(annotationField(KeyIdleTimeout), awsNote{verdict: Native, severity: SeverityInfo, effect: Different, kind: ErrDiffers}, "%s", text)
}
