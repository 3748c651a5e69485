package main

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/examples/internal/findings"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// tell makes Events of what was found, each once until it changes: in planning, about the Service and about the cluster, and in linted. What holds
// the Service is not among it, since that is the error of the call, of which the service controller makes an Event.
func (c *Cloud) tell(service *corev1.Service, report provider.Report, linted ...lb.Finding) {
	name := nameOf(service)
	result, ok := report.Services[name]
	if !ok || c.recorder == nil {
		return
	}
	inError := findings.Texts(slices.DeleteFunc(slices.Clone(result.Findings), func(f lb.Finding) bool {
		return !result.Held || !f.Holds && f.Severity != lb.SeverityError
	}))
	c.write(service, name, slices.DeleteFunc(slices.Concat(result.Findings, linted), func(f lb.Finding) bool {
		return slices.Contains(inError, findings.Text(f))
	}))
	object := service
	if s, err := c.objects.services.Services(findings.Cluster.Namespace).Get(findings.Cluster.Name); err == nil {
		object = s
	}
	c.write(object, findings.Cluster, findings.Of(report.Findings, types.NamespacedName{}))
}

// write makes Events on a Service of what it has not been told.
func (c *Cloud) write(on *corev1.Service, of types.NamespacedName, found []lb.Finding) {
	for _, line := range c.told.News(of, findings.Texts(found)) {
		c.recorder.Event(on, corev1.EventTypeWarning, "LoadBalancerConfiguration", findings.Cut(line, findings.MostNote))
	}
}
