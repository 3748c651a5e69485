package annotations

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// aws reports the keys of AWS: what each would have done there, and what does it here. It is an error where others than before could reach
// the Service, or where it could not be used.
func (l *linter) aws() {
	t := newTranslator(l.svc, AWSOptions{})
	if len(t.settings) == 0 && !t.awsClass() {
		return
	}
	if l.svc.Spec.Type != corev1.ServiceTypeLoadBalancer {
		for _, s := range t.settings {
			l.warn(s.key, ErrOtherCloud, "AWS reads it, and on Services of type LoadBalancer alone")
		}
		return
	}
	if t.awsClass() {
		l.add(SeverityWarning, "spec.loadBalancerClass", ErrOtherCloud, "%s is the class of AWS: the Service is not served here, and its keys are read there", t.class())
		return
	}
	t.translate()
	for _, f := range t.list {
		switch {
		case f.Key != "" && isAWS(f.Key):
			l.awsKey(f)
		case f.Key == "" && f.Field == annotationField(KeyInternal) && slices.ContainsFunc(f.Becomes, isInternal):
			l.awsScheme(t)
		}
	}
}

func isInternal(b Became) bool { return b.Key == KeyInternal && b.Value == "true" }

// awsKey reports one key.
func (l *linter) awsKey(f AWSFinding) {
	does := "what it does there is not known here"
	if f.row != nil {
		does = "AWS reads it; there it " + f.row.Does
	}
	setting := ""
	if f.Attribute != "" {
		setting = " (" + f.Attribute + ")"
	}
	sev, here := f.Severity, "nothing here does it"
	switch {
	case f.Shadowed:
		sev, here = max(f.Severity, SeverityInfo), "here "+f.Err.Error()
	case slices.ContainsFunc(f.Becomes, isInternal):
		sev, here = SeverityError, "here the Service is public without "+short(KeyInternal)+`: "true"`
	case f.row != nil && f.row.Verdict == None && f.Severity == SeverityError:
		here = "nothing here does it: " + f.row.Doc
	case f.Verdict == Input:
		here = "here it takes " + f.row.Becomes
	case len(f.Becomes) > 0:
		sev, here = max(f.Severity, SeverityWarning), "here "+f.Becomes[0].String()+" would do it"
		if isFalse(f) {
			sev, here = SeverityInfo, "a Service is public here without a key"
		}
	case f.Verdict == Native || f.Verdict == Exact || f.Verdict == None && f.Severity == SeverityInfo:
		here = "here it is not needed"
	}
	l.add(sev, f.Field, ErrOtherCloud, "%s%s; %s", does, setting, here)
}

// isFalse reports whether a finding asks for what a Service is without being asked.
func isFalse(f AWSFinding) bool {
	return slices.ContainsFunc(f.Becomes, func(b Became) bool { return b.Key == KeyInternal && b.Value == "false" })
}

// awsScheme reports a Service that relied on the default of AWS, which is the opposite of that of Azure.
func (l *linter) awsScheme(t *translator) {
	if t.impl == AWSController {
		l.add(SeverityError, annotationField(KeyInternal), ErrDoubtful,
			"the Service is for the AWS Load Balancer Controller, which makes internal what names no scheme, and here it is public: write true or false")
		return
	}
	l.add(SeverityWarning, annotationField(KeyInternal), ErrDoubtful,
		"the Service has keys of AWS and names no scheme: here it is public, and there it is internal with the AWS Load Balancer Controller; write true or false")
}
