package annotations

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/internal/safetext"
	corev1 "k8s.io/api/core/v1"
)

// scheme decides whether the Service is internal. Of two readings the one that shows it to fewer counts.
func (t *translator) scheme() {
	if t.has(KeyInternal) {
		t.internal = t.cfg.Internal || slices.ContainsFunc(t.errs, func(e *Error) bool { return e.Key == KeyInternal })
		return
	}
	if s, ok := t.lookup("scheme"); ok && t.impl != AWSClassic && s.value != "" {
		t.internal = !strings.EqualFold(s.value, string(AWSInternetFacing))
	} else if s, ok := t.lookup("internal"); ok {
		t.internal = t.readsInternal(s.value)
	} else {
		t.defaultScheme()
		return
	}
	t.put(KeyInternal, boolText(t.internal))
}

// lookup returns the setting of a key that has one value.
func (t *translator) lookup(name string) (awsSetting, bool) {
	i := slices.IndexFunc(t.settings, func(s awsSetting) bool { return s.key == awsPrefix+name })
	if i < 0 {
		return awsSetting{}, false
	}
	return t.settings[i], true
}

// readsInternal reads aws-load-balancer-internal as the implementation does, or, if it is not known, as the stricter one.
func (t *translator) readsInternal(v string) bool {
	classic := v != "" && v != "false"
	b, ok := awsBool(v)
	controller := b || !ok
	switch t.impl {
	case AWSClassic:
		return classic
	case AWSController:
		return controller
	default:
		return classic || controller
	}
}

// defaultScheme is for a Service that does not say who can reach it.
func (t *translator) defaultScheme() {
	field := annotationField(KeyInternal)
	switch {
	case t.opts.DefaultScheme == AWSInternetFacing || t.opts.DefaultScheme == "" && t.impl == AWSClassic:
		t.internal = false
		n := awsNote{verdict: Exact, severity: SeverityInfo}
		if t.impl != AWSClassic {
			n.becomes = t.put(KeyInternal, "false")
		}
		t.sayField(field, n, "no scheme is named, and the default on AWS was public")
	default:
		t.internal = true
		n := awsNote{verdict: Exact, severity: SeverityInfo, becomes: t.put(KeyInternal, "true")}
		text := "no scheme is named, and the default on AWS was internal, while on Azure it is public"
		if t.impl == AWSDetect && t.opts.DefaultScheme == "" {
			n.severity, n.effect, n.kind = SeverityError, LessAvailable, ErrDoubtful
			text = "no scheme is named, and nothing says who made the load balancer: made internal, since with the AWS Load Balancer Controller it was; " +
				"name the implementation, or write false if it was public"
		}
		t.sayField(field, n, "%s", text)
	}
}

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// readScheme says what became of aws-load-balancer-scheme; [translator.scheme] has decided.
func (t *translator) readScheme(s awsSetting) {
	known := strings.EqualFold(s.value, string(AWSInternal)) || strings.EqualFold(s.value, string(AWSInternetFacing))
	switch {
	case t.has(KeyInternal):
		t.shadowScheme(s, !strings.EqualFold(s.value, string(AWSInternetFacing)))
	case t.impl == AWSClassic:
		t.say(s, awsNote{verdict: None, severity: SeverityWarning, kind: ErrNoEffect}, "left out; only the AWS Load Balancer Controller reads it")
	case s.value == "":
		t.say(s, awsNote{verdict: None, severity: SeverityInfo, kind: ErrNoEffect}, "empty, so left out")
	case !known:
		t.say(s, awsNote{verdict: Exact, severity: SeverityError, effect: LessAvailable, kind: ErrSyntax, becomes: t.became(KeyInternal)},
			"taken for internal; want internal or internet-facing")
	default:
		t.say(s, awsNote{severity: SeverityInfo, becomes: t.became(KeyInternal)}, "%s", "written as Azure reads it")
	}
}

// readInternal says what became of aws-load-balancer-internal.
func (t *translator) readInternal(s awsSetting) {
	if t.has(KeyInternal) {
		t.shadowScheme(s, t.readsInternal(s.value))
		return
	}
	if scheme, ok := t.lookup("scheme"); ok && t.impl != AWSClassic && scheme.value != "" {
		t.say(s, awsNote{severity: SeverityInfo, kind: ErrShadowed, shadowed: true}, "aws-load-balancer-scheme is there and wins")
		return
	}
	n := awsNote{severity: SeverityInfo, becomes: t.became(KeyInternal)}
	if _, ok := awsBool(s.value); t.impl != AWSClassic && !ok {
		n.severity = SeverityWarning
	}
	t.say(s, n, "%s means %s", safetext.Value(s.value), boolText(t.internal))
}

// shadowScheme is shadow for the keys that keep a Service off the Internet.
func (t *translator) shadowScheme(s awsSetting, internal bool) {
	n := awsNote{severity: SeverityInfo, kind: ErrShadowed, shadowed: true}
	if internal && !t.internal {
		n.severity, n.effect = SeverityWarning, MoreExposed
	}
	t.say(s, n, "%s is there and stays as it is: %s", short(KeyInternal), t.in.Annotations[KeyInternal])
}

// became is what an annotation was written as, or nothing if it was there.
func (t *translator) became(key string) []Became {
	if v, ok := t.out.Annotations[key]; ok && !t.has(key) {
		return []Became{{Field: annotationField(key), Key: key, Value: v}}
	}
	return nil
}

// limited reports whether source ranges or service tags say who may reach the Service.
func (t *translator) limited() bool {
	a := t.cfg.Access
	return len(a.Ranges) > 0 || len(a.ServiceTags) > 0 || a.Closed
}

// closes closes the Service, where security groups or prefix lists said who may reach it and nothing else does.
func (t *translator) closes() []Became {
	if t.limited() || t.cfg.Access.NoRules {
		return nil
	}
	if b := t.became(KeyAllowedIPRanges); b != nil {
		return b
	}
	return t.put(KeyAllowedIPRanges, ClosedRange)
}

// readGroups deals with security groups that take the place of that of the load balancer, and with prefix lists.
func (t *translator) readGroups(s awsSetting) {
	if s.value == "" {
		t.say(s, awsNote{verdict: None, severity: SeverityInfo, kind: ErrNoEffect}, "empty, so left out")
		return
	}
	switch b := t.closes(); {
	case b != nil:
		t.say(s, awsNote{severity: SeverityError, effect: LessAvailable, becomes: b},
			"the Service would be open to all, so it is closed with a range that nobody has; write who may reach it there: %s", s.row.Doc)
	case s.row.Verdict == Input:
		t.say(s, awsNote{severity: s.row.Severity, effect: LessAvailable}, "left out; the source ranges alone let in; %s", s.row.Doc)
	default:
		t.say(s, awsNote{severity: SeverityError, effect: Different}, "left out; check that the sources given allow the same clients: %s", s.row.Doc)
	}
}

// readExtraGroups deals with security groups besides that of the load balancer, which let in more and close nothing.
func (t *translator) readExtraGroups(s awsSetting) {
	if s.value == "" {
		t.say(s, awsNote{severity: SeverityInfo, kind: ErrNoEffect}, "empty, so left out")
		return
	}
	n := awsNote{severity: SeverityError, effect: LessAvailable}
	text := "left out; %s"
	if !t.limited() {
		text += ", and as there are none the Service is open to all it can be reached by, as that of AWS was"
	}
	t.say(s, n, text, s.row.Doc)
}

// readUnmanaged deals with the keys that leave security rules to somebody else. Where sources are named, the rules are what keeps others out.
func (t *translator) readUnmanaged(s awsSetting) {
	closed := slices.ContainsFunc(t.settings, func(s awsSetting) bool {
		return s.value != "" && (s.key == awsPrefix+"security-groups" || s.key == awsPrefix+"security-group-prefix-lists")
	})
	switch {
	case t.has(KeyDisableNSGRule):
		t.shadow(s, KeyDisableNSGRule)
	case t.limited() || closed:
		t.say(s, awsNote{severity: SeverityWarning, effect: Different}, "left out; security rules are written, since they alone keep out who is not allowed")
	default:
		t.say(s, awsNote{severity: SeverityWarning, effect: LessAvailable, becomes: t.put(KeyDisableNSGRule, "true")}, "%s", s.row.Doc)
	}
}

// sources takes care of the source ranges once the scheme is known.
func (t *translator) sources() {
	t.specSources()
	t.annotatedSources()
	t.keepOutNetwork()
}

// specSources clears the host bits of spec.loadBalancerSourceRanges.
func (t *translator) specSources() {
	for i, v := range t.out.Spec.LoadBalancerSourceRanges {
		if masked, ok := maskedRange(v); ok && masked != strings.TrimSpace(v) {
			t.out.Spec.LoadBalancerSourceRanges[i] = masked
			field := "spec.loadBalancerSourceRanges[" + itoa(i) + "]"
			t.sayField(field, awsNote{verdict: Exact, severity: SeverityInfo, becomes: []Became{{Field: field, Value: masked}}}, "%s has host bits, which AWS ignores", v)
		}
	}
}

// maskedRange clears the host bits of a range.
func maskedRange(v string) (string, bool) {
	r, err := netip.ParsePrefix(strings.TrimSpace(v))
	if err != nil || r.Addr().Is4In6() {
		return "", false
	}
	return r.Masked().String(), true
}

// annotatedSources looks at the key for source ranges that both clouds read.
func (t *translator) annotatedSources() {
	v, ok := t.in.Annotations[KeySourceRanges]
	if !ok {
		return
	}
	s := settingsOf(KeySourceRanges, v)[0]
	if len(t.in.Spec.LoadBalancerSourceRanges) > 0 {
		delete(t.out.Annotations, KeySourceRanges)
		t.say(s, awsNote{verdict: Native, severity: SeverityWarning, becomes: []Became{{Field: annotationField(KeySourceRanges), Key: KeySourceRanges}}},
			"left out; spec.loadBalancerSourceRanges decides on AWS, and Azure refuses both together")
		return
	}
	list, bad := items(v), false
	for i := range list {
		masked, ok := maskedRange(list[i])
		if !ok {
			bad = true
			continue
		}
		list[i] = masked
	}
	text := strings.Join(list, ",")
	switch {
	case bad:
		t.say(s, awsNote{severity: SeverityError, effect: LessAvailable, kind: ErrSyntax}, "left as it is, which closes the Service; %s", wantRange)
	case text != strings.Join(items(v), ","):
		t.out.Annotations[KeySourceRanges] = text
		t.say(s, awsNote{severity: SeverityInfo, becomes: []Became{{Field: annotationField(KeySourceRanges), Key: KeySourceRanges, Value: text}}},
			"host bits, which AWS ignores, are zero now")
	default:
		t.say(s, awsNote{severity: SeverityInfo}, "both clouds read it")
	}
}

// keepOutNetwork keeps the virtual network from an internal Service that names its sources: security groups of AWS let nobody else in, while
// a network of Azure lets its own in unless they are denied.
func (t *translator) keepOutNetwork() {
	if !t.internal || t.cfg.Access.NoRules {
		return
	}
	field := annotationField(KeyDenyAll)
	cfg, _ := Parse(t.out) // with the ranges as they are now; what cannot be read is reported already
	ranges := len(cfg.Access.Ranges) > 0
	switch {
	case !ranges && len(cfg.Access.ServiceTags) == 0 && !cfg.Access.Closed:
		if t.impl == AWSController {
			t.sayField("spec.loadBalancerSourceRanges", awsNote{verdict: Native, severity: SeverityInfo, effect: MoreExposed, kind: ErrDiffers},
				"no sources are named: the AWS Load Balancer Controller lets in the addresses of the VPC, Azure the virtual network with all that is peered or connected")
		}
	case !ranges || cfg.Access.DenyAll:
	case t.has(KeyDenyAll):
		t.sayField(field, awsNote{verdict: Lossy, severity: SeverityWarning, effect: MoreExposed, kind: ErrShadowed, shadowed: true},
			"stays as it is, so the source ranges do not keep the virtual network out, as AWS did")
	case !t.cfg.Rules.FloatingIP:
		t.sayField(field, awsNote{verdict: None, severity: SeverityError, effect: MoreExposed},
			"the source ranges do not keep the virtual network out, as AWS did, and with %s a denial would cover the nodes", short(KeyDisableFloatingIP))
	default:
		t.sayField(field, awsNote{verdict: Exact, severity: SeverityInfo, becomes: t.put(KeyDenyAll, "true")},
			"source ranges alone would not keep the virtual network out, as AWS does")
	}
}

// readIPv4 takes IPv4 alone.
func (t *translator) readIPv4(s awsSetting) {
	single := corev1.IPFamilyPolicySingleStack
	t.out.Spec.IPFamilyPolicy, t.out.Spec.IPFamilies = &single, []corev1.IPFamily{corev1.IPv4Protocol}
	t.say(s, awsNote{severity: SeverityInfo, becomes: t.becameFamilies()}, "fields of the Service say it")
}

// readDual takes both families, the one that the Service has first.
func (t *translator) readDual(s awsSetting) {
	if deref(t.in.Spec.IPFamilyPolicy, "") != corev1.IPFamilyPolicyRequireDualStack {
		prefer := corev1.IPFamilyPolicyPreferDualStack
		t.out.Spec.IPFamilyPolicy = &prefer
	}
	for _, f := range []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol} {
		if !slices.Contains(t.out.Spec.IPFamilies, f) {
			t.out.Spec.IPFamilies = append(t.out.Spec.IPFamilies, f)
		}
	}
	t.say(s, awsNote{severity: SeverityWarning, effect: Different, becomes: t.becameFamilies()}, "%s", s.row.Doc)
}

func (t *translator) becameFamilies() []Became {
	var names []string
	for _, f := range t.out.Spec.IPFamilies {
		names = append(names, string(f))
	}
	return []Became{
		{Field: "spec.ipFamilyPolicy", Value: string(*t.out.Spec.IPFamilyPolicy)},
		{Field: "spec.ipFamilies", Value: "[" + strings.Join(names, ", ") + "]"},
	}
}

// families says it if a Service of two families had a load balancer of one.
func (t *translator) families() {
	policy := deref(t.in.Spec.IPFamilyPolicy, corev1.IPFamilyPolicySingleStack)
	if _, ok := t.lookup("ip-address-type"); ok || policy == corev1.IPFamilyPolicySingleStack && len(t.in.Spec.IPFamilies) < 2 {
		return
	}
	t.sayField("spec.ipFamilyPolicy", awsNote{verdict: Lossy, severity: SeverityWarning, effect: MoreExposed},
		"left as it is; the load balancer on AWS had IPv4 alone, on Azure it has the families of the Service, IPv6 too")
}
