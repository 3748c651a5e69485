package annotations

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/ipam"
	corev1 "k8s.io/api/core/v1"
)

// What Lint finds besides the errors of Parse. A contradiction wraps ErrConflict.
var (
	ErrUnknown    = errors.New("unknown key")
	ErrNoEffect   = errors.New("no effect here")
	ErrOtherCloud = errors.New("key of another cloud, no effect here")
	ErrDeprecated = errors.New("deprecated")
	ErrDoubtful   = errors.New("probably not as intended")
)

// Lint returns what a person should know about the annotations of svc before they reach Azure: every error of [Parse] and [CheckSpec], unknown and misspelt
// keys, keys of other clouds, keys without effect on this Service, contradictions, deprecated keys and fields, and settings that are
// probably not as intended. Errors come first, then warnings; within a severity they are sorted by field and text.
//
// What depends on other Services, or on the cluster's configuration, is found when a plan is made.
func Lint(svc *corev1.Service) []Finding {
	cfg, err := Parse(svc)
	l := &linter{svc: svc, cfg: cfg, list: Findings(cfg.Service, err), ports: portNumbers(svc)}
	for _, e := range CheckSpec(svc) {
		l.list = append(l.list, Findings(cfg.Service, e)...)
	}
	for _, key := range slices.Sorted(maps.Keys(svc.Annotations)) {
		l.annotation(key)
	}
	l.aws()
	l.address()
	l.conflicts()
	l.privateLink()
	l.sources()
	l.httpProbes()
	slices.SortStableFunc(l.list, compareFindings)
	return l.list
}

// compareFindings orders findings of one Service.
func compareFindings(a, b Finding) int {
	return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Err.Error(), b.Err.Error()))
}

// linter collects the findings of one Service.
type linter struct {
	svc   *corev1.Service
	cfg   Config
	list  []Finding
	ports []int32                 // numbers that keys of a port may have, ascending
	from  map[netip.Prefix]string // fields of ranges, once they are asked for
}

// warn adds a warning about an annotation.
func (l *linter) warn(key string, kind error, format string, args ...any) {
	l.add(SeverityWarning, annotationField(key), kind, format, args...)
}

func (l *linter) add(s Severity, field string, kind error, format string, args ...any) {
	err := fmt.Errorf("%w: %s", kind, safetext.Sprintf(format, args...))
	l.list = append(l.list, Finding{Service: l.cfg.Service, Field: field, Severity: s, Err: err})
}

// annotation looks at one annotation by itself.
func (l *linter) annotation(key string) {
	k, port, ok := lookup(key)
	if !ok {
		l.stranger(key)
		return
	}
	value := l.svc.Annotations[key]
	l.nearMiss(k, key, value)
	switch reason := l.noEffect(k, port); {
	case k.Dead:
		l.warn(key, ErrDeprecated, "nothing reads this key any more")
		return
	case reason != "" && !idle(k, value):
		l.warn(key, ErrNoEffect, "%s", reason)
	}
	if k.Deprecated != "" {
		l.warn(key, ErrDeprecated, "instead use %s", k.Deprecated)
	}
}

// nearMiss warns of a switch that azlb reads but that others read differently.
func (l *linter) nearMiss(k *Key, key, value string) {
	if b, ok := truth(strings.TrimSpace(value)); k.Grammar == Boolean && ok && value != fmt.Sprint(b) {
		l.warn(key, ErrDoubtful, "%s counts as %t here; other readers of this key take the exact text alone, so write %t", safetext.Value(value), b, b)
	}
}

// idle reports whether the value asks for nothing, so that nobody misses its effect.
func idle(k *Key, value string) bool {
	value = strings.TrimSpace(value)
	b, ok := truth(value)
	return k.Grammar == Boolean && ok && !b || value == "" && k.Name != KeyDNSLabel && k.Name != KeyPIPIPTags
}

// noEffect says why the key k has no effect on this Service, or nothing if it has one.
func (l *linter) noEffect(k *Key, port int32) string {
	if l.svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return fmt.Sprintf("the Service is of type %s, not LoadBalancer", cmp.Or(l.svc.Spec.Type, corev1.ServiceTypeClusterIP))
	}
	switch {
	case k.Scope == ScopeInternal && !l.cfg.Internal:
		return "the Service is external; " + short(KeyInternal) + " would make it internal"
	case k.Scope == ScopeExternal && l.cfg.Internal:
		return "the Service is internal and has no public IP"
	case k.Scope == ScopePrivateLink && !l.cfg.PrivateLink.Create:
		return "no private link service is asked for; " + short(KeyPLSCreate) + " would do that"
	case k.Scope == ScopeBasic:
		return "only load balancers of SKU basic have VM sets, and Azure has retired them"
	case k.Scope == ScopePort && !l.hasPort(port):
		return fmt.Sprintf("the Service has no port %d", port)
	}
	return l.noEffectOf(k.Name)
}

func (l *linter) hasPort(port int32) bool {
	_, ok := slices.BinarySearch(l.ports, port)
	return ok
}

// noEffectOf is noEffect for single keys.
func (l *linter) noEffectOf(key string) string {
	dual, v6 := l.cfg.Dual(), slices.Contains(l.cfg.Families, ipam.IPv6)
	switch {
	case (key == KeyPIPNameIPv6 || key == KeyPIPPrefixIPv6) && !v6:
		return "the Service has no IPv6 address"
	case key == KeyPIPName && v6 && !dual && l.active(KeyPIPNameIPv6), key == KeyPIPPrefix && v6 && !dual && l.active(KeyPIPPrefixIPv6):
		return "the Service has no IPv4 address, and the key for IPv6 is there too"
	case key == KeyDenyAll && l.cfg.Access.DenyAll && len(l.cfg.Access.Ranges) == 0 && !l.cfg.Access.Closed:
		return "there are no source ranges, so nothing is denied"
	case key == KeyProbePath && !l.asksPath(func(at Port) bool { return at.Probe.Path == nil }):
		return "no port has an HTTP or HTTPS probe that takes its path from here"
	}
	return ""
}

// asksPath reports whether a port with an HTTP or HTTPS probe of its own fits.
func (l *linter) asksPath(fits func(Port) bool) bool {
	for i := range l.svc.Spec.Ports {
		port := &l.svc.Spec.Ports[i]
		proto, _ := l.cfg.protocolOf(l.svc, i)
		if l.cfg.probesItself(l.svc, port) && proto != ProbeTCP && fits(l.cfg.Ports[port.Port]) {
			return true
		}
	}
	return false
}

// active reports whether the Service has a key and asks for something with it. A key of a port counts if any port has it.
func (l *linter) active(name string) bool {
	k := &registry[rankOf(name)]
	asks := func(key string) bool {
		value, ok := l.svc.Annotations[key]
		on, _ := truth(strings.TrimSpace(value))
		return ok && !idle(k, value) && (on || k.Grammar != Boolean)
	}
	if !k.PerPort() {
		return asks(name)
	}
	return slices.ContainsFunc(l.ports, func(n int32) bool { return asks(PortKey(name, n)) })
}

// address looks at spec.loadBalancerIP.
func (l *linter) address() {
	if l.svc.Spec.LoadBalancerIP != "" {
		l.add(SeverityWarning, "spec.loadBalancerIP", ErrDeprecated, "instead use %s or %s", KeyIPv4, KeyIPv6)
	}
}

// conflicts finds the contradictions that the registry lists. What holds the Service is an error of Parse already.
func (l *linter) conflicts() {
	if l.svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return
	}
	for i := range registry {
		k := &registry[i]
		if !l.active(k.Name) || l.noEffect(k, 0) != "" {
			continue
		}
		for _, c := range k.Conflicts {
			if l.present(c.With) && !l.reported(k.Name, ErrConflict) {
				l.warn(k.Name, ErrConflict, "%s is there too: %s", short(c.With), c.Result)
			}
		}
	}
}

// present reports whether the other side of a conflict is there.
func (l *linter) present(with string) bool {
	switch with {
	case "spec.loadBalancerIP":
		return l.svc.Spec.LoadBalancerIP != ""
	case "spec.loadBalancerSourceRanges":
		return len(l.svc.Spec.LoadBalancerSourceRanges) > 0
	}
	k := &registry[rankOf(with)]
	return l.active(with) && (k.Scope == ScopePort || l.noEffect(k, 0) == "")
}

// reported reports whether Parse found an error of this kind in the key.
func (l *linter) reported(key string, kind error) bool {
	return slices.ContainsFunc(l.list, func(f Finding) bool {
		return f.Field == annotationField(key) && f.Severity == SeverityError && errors.Is(f.Err, kind)
	})
}

// privateLink finds the Services that cannot have the private link service they ask for.
func (l *linter) privateLink() {
	if !l.cfg.PrivateLink.Create || l.svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return
	}
	field := annotationField(KeyPLSCreate)
	if !l.cfg.Internal && l.cfg.Rules.FloatingIP {
		l.add(SeverityError, field, ErrConflict, "an external Service can have a private link service only with %s", short(KeyDisableFloatingIP))
	}
	for key, list := range map[string][]string{KeyPLSVisibility: l.cfg.PrivateLink.Visibility, KeyPLSAutoApproval: l.cfg.PrivateLink.AutoApproval} {
		if n := len(list); n > MaxSubscriptions {
			l.add(SeverityError, annotationField(key), ErrRange, "%d subscriptions, at most %d", n, MaxSubscriptions)
		}
	}
	switch {
	case !slices.Contains(l.cfg.Families, ipam.IPv4):
		l.add(SeverityError, field, ErrConflict, "a private link service needs an IPv4 address, and the Service has IPv6 only")
	case l.cfg.Dual():
		l.add(SeverityWarning, field, ErrDoubtful, "the private link service serves IPv4 only, and Azure may refuse it on a load balancer that has IPv6 too")
	}
}

// sources finds ranges of a family that the Service does not have, and families that are closed only because they were forgotten.
func (l *linter) sources() {
	if l.svc.Spec.Type != corev1.ServiceTypeLoadBalancer || l.cfg.Access.NoRules {
		return
	}
	has, idle := map[ipam.Family]bool{}, 0
	for _, r := range l.cfg.Access.Ranges {
		f := ipam.FamilyOf(r.Addr())
		has[f] = true
		if slices.Contains(l.cfg.Families, f) {
			continue
		}
		if idle++; idle <= maxTold {
			l.add(SeverityWarning, l.fieldOf(r), ErrNoEffect, "%s is an %s range, and the Service has no %s address", r, f, f)
		}
	}
	if more := idle - maxTold; more > 0 {
		l.add(SeverityWarning, l.fieldOf(l.cfg.Access.Ranges[0]), ErrNoEffect, "%d more ranges are of a family that the Service has no address of", more)
	}
	for _, f := range l.cfg.Families {
		if len(has) > 0 && !has[f] && len(l.cfg.Access.ServiceTags) == 0 {
			l.add(SeverityWarning, l.fieldOf(l.cfg.Access.Ranges[0]), ErrDoubtful, "no range is of family %s, so nobody outside reaches the Service over it", f)
		}
	}
}

// fieldOf returns the field that the range r came from.
func (l *linter) fieldOf(r netip.Prefix) string {
	if l.from == nil {
		l.from = map[netip.Prefix]string{}
		for _, item := range items(l.svc.Annotations[KeyAllowedIPRanges]) {
			if got, ok := sourceRange(item); ok {
				l.from[got] = annotationField(KeyAllowedIPRanges)
			}
		}
		for i, v := range slices.Backward(l.svc.Spec.LoadBalancerSourceRanges) {
			if got, ok := sourceRange(strings.TrimSpace(v)); ok {
				l.from[got] = fmt.Sprintf("spec.loadBalancerSourceRanges[%d]", i) // the first one stays
			}
		}
	}
	return cmp.Or(l.from[r], annotationField(KeySourceRanges))
}

// httpProbes finds the probes that ask for / because nobody said otherwise, and paths that do not start at the root.
func (l *linter) httpProbes() {
	if l.svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return
	}
	seen := map[string]bool{}
	for i := range l.svc.Spec.Ports {
		port := &l.svc.Spec.Ports[i]
		proto, field := l.cfg.protocolOf(l.svc, i)
		if proto == ProbeTCP || !l.cfg.probesItself(l.svc, port) || seen[field] {
			continue
		}
		own := l.cfg.Ports[port.Port].Probe.Path
		if own == nil && l.cfg.Probe.Path == nil {
			seen[field] = true
			l.add(SeverityWarning, field, ErrDoubtful, "the %s probe of port %d asks for / and counts no other status than 200 as up; say what to ask for with %s",
				strings.ToUpper(string(proto)), port.Port, short(KeyProbePath))
		}
	}
	l.paths()
}

// paths warns of paths that do not begin with a slash.
func (l *linter) paths() {
	if v := l.cfg.Probe.Path; v != nil && !strings.HasPrefix(*v, "/") {
		l.warn(KeyProbePath, ErrDoubtful, "%s does not begin with /", safetext.Value(*v))
	}
	for n, port := range l.cfg.Ports {
		if v := port.Probe.Path; v != nil && !strings.HasPrefix(*v, "/") {
			l.warn(PortKey(KeyPortProbePath, n), ErrDoubtful, "%s does not begin with /", safetext.Value(*v))
		}
	}
}
