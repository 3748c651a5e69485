package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// newRequestMetrics returns an observer that counts and times requests to Azure Resource Manager.
func newRequestMetrics(r prometheus.Registerer) func(azure.Call) {
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "azlb_arm_requests_total", Help: "Requests to Azure Resource Manager.",
	}, []string{"method", "type", "status"})
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "azlb_arm_request_duration_seconds", Help: "Time until Azure Resource Manager answered.",
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"method", "type"})
	r.MustRegister(requests, durations)
	return func(c azure.Call) {
		status := "none"
		if c.Status != 0 {
			status = strconv.Itoa(c.Status)
		}
		requests.WithLabelValues(c.Method, c.Type(), status).Inc()
		durations.WithLabelValues(c.Method, c.Type()).Observe(c.Took.Seconds())
	}
}

// eventMetrics count what the Reconciler does.
type eventMetrics struct {
	plans, replans, drifts prometheus.Counter
	steps                  *prometheus.CounterVec
	waits, throttled       prometheus.Counter
	services               *prometheus.CounterVec
}

func newEventMetrics(r prometheus.Registerer) *eventMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &eventMetrics{
		plans:     counter("azlb_plans_total", "Plans that were carried out."),
		replans:   counter("azlb_replans_total", "Plans of a call beyond its first, since Azure turned out to be different."),
		drifts:    counter("azlb_drifts_total", "Things in Azure that somebody else had changed."),
		waits:     counter("azlb_rate_wait_seconds_total", "Time that writes waited for the budget."),
		throttled: counter("azlb_throttled_seconds_total", "Time that Azure asked to be left alone, with 429."),
		steps:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "azlb_steps_total", Help: "Steps of plans."}, []string{"operation", "state"}),
		services: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "azlb_services_total", Help: "How often Services converged, were held or were refused something.",
		}, []string{"outcome"}),
	}
	r.MustRegister(m.plans, m.replans, m.drifts, m.waits, m.throttled, m.steps, m.services)
	return m
}

func (m *eventMetrics) count(e provider.Event) {
	switch e := e.(type) {
	case provider.Planned:
		m.plans.Inc()
		if e.Round > 1 {
			m.replans.Inc()
		}
	case provider.StepDone:
		m.steps.WithLabelValues(strings.TrimPrefix(fmt.Sprintf("%T", e.Step.Op), "lb."), string(e.State)).Inc()
	case provider.DriftFound:
		m.drifts.Inc()
	case provider.RateWaited:
		m.waits.Add(e.Wait.Seconds())
	case provider.Throttled:
		m.throttled.Add(e.Wait.Seconds())
	case provider.ServiceConverged:
		m.services.WithLabelValues("converged").Inc()
	case provider.ServiceHeld:
		m.services.WithLabelValues("held").Inc()
	case provider.ServiceFailed:
		m.services.WithLabelValues("failed").Inc()
	case provider.ServiceRejected:
		m.services.WithLabelValues("rejected").Inc()
	}
}
