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
	reasonProgrammed = "Programmed" // Azure has all that the Service asks for; the message has what its owner should know
	reasonHeld       = "Held"       // the Service has to be changed; what it has stays as it is
	reasonRefused    = "Refused"    // Azure has refused something for good
	reasonPending    = "Pending"    // something went wrong that another try may mend
)

// conditionOf says in words what became of a Service.
func conditionOf(s *corev1.Service, result provider.ServiceReport, err error) metav1.Condition {
	if err == nil {
		err = result.Err
	}
	var held []string
	for _, f := range result.Findings {
		if f.Holds || f.Severity == lb.SeverityError {
			held = append(held, text(f))
		}
	}
	c := metav1.Condition{Type: condition, Status: metav1.ConditionFalse, ObservedGeneration: s.Generation}
	switch {
	case len(held) > 0:
		c.Reason, c.Message = reasonHeld, strings.Join(held, "\n")
	case err == nil:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, reasonProgrammed, warnings(s, result.Findings)
	case provider.KindOf(err) == provider.Terminal:
		c.Reason, c.Message = reasonRefused, err.Error()
	case errors.Is(err, provider.ErrHeld):
		c.Reason, c.Message = reasonHeld, err.Error()
	default:
		c.Reason, c.Message = reasonPending, err.Error()
	}
	return c
}

// warnings are what planning found about the Service, and what can be said of its annotations alone.
func warnings(s *corev1.Service, findings []lb.Finding) string {
	var all []string
	for _, f := range slices.Concat(findings, annotations.Lint(s)) {
		if line := text(f); !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return strings.Join(all, "\n")
}

// text is a finding without the name of the Service that it is written on.
func text(f lb.Finding) string { return strings.TrimPrefix(f.Field+": "+f.Err.Error(), ": ") }
