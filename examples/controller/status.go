package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/examples/internal/findings"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// tell writes what became of a Service into its status, if that says something else. Addresses stay while they are not known anew.
func (c *controller) tell(ctx context.Context, s *corev1.Service, result provider.ServiceReport, err error) error {
	before := s.DeepCopy()
	if result.Status != nil && err == nil {
		s.Status.LoadBalancer = virtual(*result.Status)
	}
	meta.SetStatusCondition(&s.Status.Conditions, conditionOf(s, result, err))
	return c.patchStatus(ctx, s, before)
}

// clear takes out of the status what this controller wrote.
func (c *controller) clear(ctx context.Context, s *corev1.Service) error {
	before := s.DeepCopy()
	s.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	meta.RemoveStatusCondition(&s.Status.Conditions, condition)
	return c.patchStatus(ctx, s, before)
}

func (c *controller) patchStatus(ctx context.Context, s, before *corev1.Service) error {
	if equality.Semantic.DeepEqual(s.Status, before.Status) {
		return nil
	}
	return client.IgnoreNotFound(c.Status().Patch(ctx, s, client.MergeFrom(before)))
}

// virtual says of each address that it is delivered to the nodes as the destination, so that kube-proxy may take a short way.
func virtual(status corev1.LoadBalancerStatus) corev1.LoadBalancerStatus {
	mode := corev1.LoadBalancerIPModeVIP
	out := *status.DeepCopy()
	for i := range out.Ingress {
		out.Ingress[i].IPMode = &mode
	}
	return out
}

// Reasons of the condition.
const (
	reasonProgrammed    = "Programmed"    // Azure has all that the Service asks for
	reasonMisconfigured = "Misconfigured" // it is served, but not as it asks: something of it cannot be done, or leaves nobody in
	reasonHeld          = "Held"          // the Service has to be changed; what it has stays as it is
	reasonRefused       = "Refused"       // Azure has refused something for good
	reasonPending       = "Pending"       // something went wrong that another try may mend
)

// mostMessage is how long the message of a condition may be, in bytes.
const mostMessage = 32768

// conditionOf says in words what became of a Service. Whatever its reason, all that was found about the Service is in the message, errors first.
func conditionOf(s *corev1.Service, result provider.ServiceReport, err error) metav1.Condition {
	if err == nil {
		err = result.Err
	}
	var wrong []lb.Finding
	holds := result.Held
	for _, f := range result.Findings {
		if f.Holds || f.Severity == lb.SeverityError {
			wrong, holds = append(wrong, f), holds || f.Holds
		}
	}
	c := metav1.Condition{Type: condition, Status: metav1.ConditionFalse, ObservedGeneration: s.Generation}
	said := ""
	switch {
	case len(wrong) > 0 && holds:
		c.Reason = reasonHeld
	case err == nil && len(wrong) > 0:
		c.Reason = reasonMisconfigured
	case err == nil:
		c.Status, c.Reason = metav1.ConditionTrue, reasonProgrammed
	default:
		c.Reason, said = reasonOf(err), err.Error()
	}
	lines := []string{}
	if said != "" {
		lines = append(lines, said)
	}
	for _, line := range findings.Texts(slices.Concat(wrong, result.Findings, annotations.Lint(s))) {
		if !strings.Contains(said, line) {
			lines = append(lines, line)
		}
	}
	c.Message = findings.Cut(strings.Join(lines, "\n"), mostMessage)
	return c
}

// reasonOf is why something went wrong.
func reasonOf(err error) string {
	switch {
	case provider.KindOf(err) == provider.Terminal:
		return reasonRefused
	case errors.Is(err, provider.ErrHeld):
		return reasonHeld
	default:
		return reasonPending
	}
}
