package annotations

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/internal/safetext"
	corev1 "k8s.io/api/core/v1"
)

// translator makes a Service for Azure of one for AWS and collects what is to be said about it.
type translator struct {
	in, out  *corev1.Service
	cfg      Config // of in
	errs     []*Error
	opts     AWSOptions
	settings []awsSetting
	impl     AWSImplementation // AWSDetect if it cannot be found out
	internal bool              // whether the result is internal
	list     []AWSFinding

	ports                        []int32 // numbers of TCP ports, ascending
	interval, healthy, unhealthy *awsNumber
	timeout                      *awsNumber
	codes                        bool // there is a setting about status codes
	idle                         []awsNumber
}

// awsNumber is a setting whose value is a number.
type awsNumber struct {
	awsSetting
	n int64
}

func newTranslator(svc *corev1.Service, opts AWSOptions) *translator {
	cfg, err := Parse(svc)
	t := &translator{in: svc, out: svc.DeepCopy(), cfg: cfg, errs: Errors(err), opts: opts, internal: cfg.Internal}
	for _, key := range slices.Sorted(maps.Keys(svc.Annotations)) {
		if isAWS(key) {
			t.settings = append(t.settings, settingsOf(key, svc.Annotations[key])...)
		}
	}
	for _, port := range svc.Spec.Ports {
		if port.Protocol == "" || port.Protocol == corev1.ProtocolTCP {
			t.ports = append(t.ports, port.Port)
		}
	}
	slices.Sort(t.ports)
	t.ports = slices.Compact(t.ports)
	t.impl = t.detect()
	return t
}

// detect finds out which implementation a Service was written for. The controller goes before the provider, since it is the one that makes
// internal what says nothing.
func (t *translator) detect() AWSImplementation {
	if t.opts.Implementation != AWSDetect {
		return t.opts.Implementation
	}
	if t.awsClass() || slices.ContainsFunc(t.settings, func(s awsSetting) bool {
		return s.reader() == AWSController || s.key == awsPrefix+"type" && strings.EqualFold(s.value, "external")
	}) {
		return AWSController
	}
	if slices.ContainsFunc(t.settings, func(s awsSetting) bool { return s.reader() == AWSClassic }) {
		return AWSClassic
	}
	return AWSDetect
}

// reader is who reads a setting: by its row, or, if the value or attribute is not known, by the rows of its key if they agree.
func (s awsSetting) reader() AWSImplementation {
	if s.row != nil {
		return s.row.Reader
	}
	name, _, _ := genericAWS(s.key)
	rows := awsNames(name)
	if len(rows) == 0 || slices.ContainsFunc(rows, func(k AWSKey) bool { return k.Reader != rows[0].Reader }) {
		return AWSDetect
	}
	return rows[0].Reader
}

// awsClass reports whether the class of the Service is one that AWS serves.
func (t *translator) awsClass() bool { return slices.Contains(awsClasses, t.class()) }

func (t *translator) class() string { return deref(t.in.Spec.LoadBalancerClass, "") }

// fromAWS reports whether anything says that the Service was written for AWS.
func (t *translator) fromAWS() bool {
	return t.opts.Implementation != AWSDetect || len(t.settings) > 0 || t.awsClass()
}

func (t *translator) translate() {
	defer t.sort()
	if t.in.Spec.Type != corev1.ServiceTypeLoadBalancer {
		t.notServed()
		return
	}
	if !t.fromAWS() {
		t.plain()
		return
	}
	t.scheme()
	for _, s := range t.settings {
		t.setting(s)
	}
	t.loadBalancerClass()
	t.families()
	t.sources()
	t.probes()
	t.idleTimeout()
	t.usable()
	maps.DeleteFunc(t.out.Annotations, func(key, _ string) bool { return isAWS(key) })
	if len(t.out.Annotations) == 0 {
		t.out.Annotations = nil
	}
}

// sort puts errors first, as Lint does.
func (t *translator) sort() {
	slices.SortStableFunc(t.list, func(a, b AWSFinding) int { return compareFindings(a.Finding, b.Finding) })
}

// notServed deals with a Service of another type, which stays as it is.
func (t *translator) notServed() {
	for _, s := range t.settings {
		t.say(s, awsNote{severity: SeverityInfo, verdict: verdictOf(s), kind: ErrNoEffect},
			"the Service is of type %s, so AWS did not look at it; left as it is", cmp.Or(t.in.Spec.Type, corev1.ServiceTypeClusterIP))
	}
}

// plain deals with a Service in which nothing is of AWS. It stays as it is, and what it has always been on Azure; but if AWS had it, the
// default of the controller was the opposite.
func (t *translator) plain() {
	if _, ok := t.in.Annotations[KeyInternal]; ok || t.class() != "" || t.opts.DefaultScheme == AWSInternetFacing {
		return
	}
	t.sayField("metadata.annotations["+KeyInternal+"]", awsNote{severity: SeverityWarning, verdict: Exact, effect: MoreExposed, kind: ErrDoubtful},
		"nothing in the Service is of AWS, so it is left as it is, which is public; the AWS Load Balancer Controller would have made it internal: "+
			"if it did, name the implementation")
}

// setting deals with one setting.
func (t *translator) setting(s awsSetting) {
	switch {
	case s.row == nil:
		t.unknown(s)
	case s.row.read != nil:
		s.row.read(t, s)
	default:
		t.drop(s)
	}
}

// unknown deals with a key, an attribute or a value that no row is about.
func (t *translator) unknown(s awsSetting) {
	name, _, _ := genericAWS(s.key)
	var cases []string
	for _, k := range awsNames(name) {
		cases = append(cases, k.Case)
	}
	switch {
	case cases == nil:
		hint := ""
		if near := nearestAWS(s.key); near != "" {
			hint = "; did you mean " + short(near) + "?"
		}
		t.say(s, awsNote{verdict: Unknown, severity: SeverityWarning}, "left out, and what it does on AWS is not known here%s", hint)
	case s.attribute != "":
		t.say(s, awsNote{verdict: Unknown, severity: SeverityWarning}, "left out, and what the attribute does on AWS is not known here")
	case s.value == "":
		t.say(s, awsNote{verdict: None, severity: SeverityInfo, kind: ErrNoEffect}, "empty, so left out")
	default:
		t.say(s, awsNote{verdict: None, severity: SeverityWarning, kind: ErrSyntax}, "left out; AWS takes %s here", strings.Join(cases, ", "))
	}
}

// drop leaves a setting out.
func (t *translator) drop(s awsSetting) {
	sev, text := s.row.Severity, "left out; "
	if s.asksNothing() {
		t.say(s, awsNote{severity: SeverityInfo}, "left out; it asks for nothing")
		return
	}
	effect := Same
	switch s.row.Verdict {
	case Input:
		text, effect = "left out; write "+s.row.Becomes+" if it is still wanted: ", LessAvailable
	case None:
		effect = Different
		if sev == SeverityError {
			effect = LessAvailable
		}
	}
	t.say(s, awsNote{severity: sev, effect: effect}, "%s%s", text, s.row.Doc)
}

// lose is drop for a setting whose false is the very thing that is lost.
func (t *translator) lose(s awsSetting) {
	t.say(s, awsNote{severity: s.row.Severity, effect: Different}, "left out; %s", s.row.Doc)
}

// asksNothing reports whether a setting of AWS turns something off, or is empty.
func (s awsSetting) asksNothing() bool {
	b, ok := awsBool(s.value)
	off := ok && !b && s.value != "0" && s.row.Case == ""
	return s.value == "" || off || ok && !b && s.value != "0" && s.attribute != "" && strings.HasSuffix(s.row.Case, "*") ||
		ok && !b && s.row.Case == "deletion_protection.enabled"
}

// awsBool reads a switch as the controller does.
func awsBool(v string) (value, ok bool) {
	b, err := strconv.ParseBool(v)
	return b, err == nil
}

// awsNote is what is said of a setting, besides the text.
type awsNote struct {
	verdict  Verdict // zero: that of the row
	severity Severity
	effect   Effect
	kind     error // nil: that of the verdict
	becomes  []Became
	shadowed bool
}

func (t *translator) say(s awsSetting, n awsNote, format string, args ...any) {
	if n.verdict == 0 {
		n.verdict = s.row.Verdict
	}
	f := n.finding(annotationField(s.key), format, args...)
	f.Service, f.Key, f.Attribute, f.Value, f.row = t.cfg.Service, s.key, s.attribute, s.value, s.row
	t.list = append(t.list, f)
}

// sayField is say about a field, or about a setting that is not there.
func (t *translator) sayField(field string, n awsNote, format string, args ...any) {
	f := n.finding(field, format, args...)
	f.Service = t.cfg.Service
	t.list = append(t.list, f)
}

func (n awsNote) finding(field, format string, args ...any) AWSFinding {
	kind := n.kind
	if kind == nil {
		kind = n.verdict.kind()
	}
	return AWSFinding{
		Finding: Finding{Field: field, Severity: n.severity, Err: fmt.Errorf("%w: %s", kind, safetext.Sprintf(format, args...))},
		Verdict: n.verdict, Becomes: n.becomes, Effect: n.effect, Shadowed: n.shadowed,
	}
}

// shadow reports that the Service has the key that Azure reads already.
func (t *translator) shadow(s awsSetting, key string) {
	t.say(s, awsNote{severity: SeverityInfo, kind: ErrShadowed, shadowed: true}, "%s is there and stays as it is", short(key))
}

// bad reports a value that AWS would not take.
func (t *translator) bad(s awsSetting, kind error, want string) {
	t.say(s, awsNote{verdict: None, severity: SeverityWarning, effect: Different, kind: kind}, "left out; want %s", want)
}

// has reports whether the Service has an annotation.
func (t *translator) has(key string) bool {
	_, ok := t.in.Annotations[key]
	return ok
}

// put writes an annotation, unless the Service has it already.
func (t *translator) put(key, value string) []Became {
	if t.has(key) {
		return nil
	}
	if t.out.Annotations == nil {
		t.out.Annotations = map[string]string{}
	}
	t.out.Annotations[key] = value
	return []Became{{Field: annotationField(key), Key: key, Value: value}}
}

// putPorts writes an annotation for every TCP port that does not have it.
func (t *translator) putPorts(key, value string) []Became {
	var list []Became
	for _, n := range t.ports {
		list = append(list, t.put(PortKey(key, n), value)...)
	}
	return list
}

// number reads the value of a setting, or reports it and returns nil.
func (t *translator) number(s awsSetting, low int64, want string) *awsNumber {
	n, err := strconv.ParseInt(s.value, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) || err == nil && n < low:
		t.bad(s, ErrRange, want)
	case err != nil:
		t.bad(s, ErrSyntax, want)
	default:
		return &awsNumber{s, n}
	}
	return nil
}

// usable takes back what cannot be used together with what the Service has already, so that translating makes no new errors. One kind of key goes
// at a time, since the others may be usable without it.
func (t *translator) usable() {
	for {
		_, err := Parse(t.out)
		name, gone := "", map[string]*Error{}
		for _, e := range Errors(err) {
			row, _ := generic(e.Key)
			if t.out.Annotations[e.Key] != "" && !t.has(e.Key) && (name == "" || name == row) {
				name, gone[e.Key] = row, e
			}
		}
		if name == "" {
			return
		}
		t.takeBack(gone)
	}
}

// takeBack removes annotations that were written, and says so where they were announced.
func (t *translator) takeBack(gone map[string]*Error) {
	for key := range gone {
		delete(t.out.Annotations, key)
	}
	for i := range t.list {
		f := &t.list[i]
		var first *Error
		f.Becomes = slices.DeleteFunc(f.Becomes, func(b Became) bool {
			e := gone[b.Key]
			first = cmp.Or(first, e)
			return e != nil
		})
		if first != nil {
			f.Severity, f.Verdict, f.Effect = max(f.Severity, SeverityWarning), None, Different
			f.Err = fmt.Errorf("%w: left out, since %s cannot be %s here: %w", ErrNoCounterpart, short(first.Key), safetext.Value(first.Value), first.Err)
		}
	}
}

// loadBalancerClass deals with the class, which cannot be changed once it is set.
func (t *translator) loadBalancerClass() {
	class := t.class()
	if class == "" || class == t.opts.Class {
		if class == "" && t.opts.Class != "" {
			t.out.Spec.LoadBalancerClass = &t.opts.Class
			t.sayField("spec.loadBalancerClass", awsNote{
				verdict: Native, severity: SeverityInfo, becomes: []Became{{Field: "spec.loadBalancerClass", Value: t.opts.Class}},
			}, "a Service that there is already has to be made anew")
		}
		return
	}
	if !t.awsClass() {
		t.sayField("spec.loadBalancerClass", awsNote{verdict: None, severity: SeverityError, effect: LessAvailable, kind: ErrNoEffect},
			"left as it is; neither AWS nor Azure serves the class %s", class)
		return
	}
	t.out.Spec.LoadBalancerClass = nil
	if t.opts.Class != "" {
		t.out.Spec.LoadBalancerClass = &t.opts.Class
	}
	t.sayField("spec.loadBalancerClass", awsNote{
		verdict: Native, severity: SeverityError, effect: LessAvailable, becomes: []Became{{Field: "spec.loadBalancerClass", Value: t.opts.Class}},
	}, "%s is the class of AWS, with which the Service would stay pending for ever; the field cannot be changed, so delete the Service and make it anew", class)
}

// awsNames lists the rows of one key, which stand together.
func awsNames(name string) []AWSKey {
	named := func(k AWSKey) bool { return k.Name == name }
	first := slices.IndexFunc(awsRegistry, named)
	if first < 0 {
		return nil
	}
	rest := awsRegistry[first:]
	if n := slices.IndexFunc(rest, func(k AWSKey) bool { return !named(k) }); n >= 0 {
		rest = rest[:n]
	}
	return rest
}

// awsSpellings are those of the registry of AWS, in its order.
var awsSpellings = spellingsOf(awsRegistry, func(k AWSKey) string { return k.Name })

// nearestAWS returns the key of AWS that is spelled most like key, or nothing.
func nearestAWS(key string) string {
	if len(key) > maxSpelled {
		return ""
	}
	near, best := "", limit(short(key))+1
	for _, k := range awsSpellings {
		if d := distance(short(key), k.short, best-1); d < best {
			best, near = d, k.name
		}
	}
	return near
}

func verdictOf(s awsSetting) Verdict {
	if s.row == nil {
		return Unknown
	}
	return s.row.Verdict
}
