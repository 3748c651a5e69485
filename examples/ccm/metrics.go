package main

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/component-base/metrics"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"

	"github.com/azlb/azlb/provider/azure"
)

// requests and durations are served with the metrics of the manager.
var (
	requests = metrics.NewCounterVec(&metrics.CounterOpts{
		Name: "azlb_arm_requests_total", Help: "Requests to Azure Resource Manager.", StabilityLevel: metrics.ALPHA,
	}, []string{"method", "type", "status"})
	durations = metrics.NewHistogramVec(&metrics.HistogramOpts{
		Name: "azlb_arm_request_duration_seconds", Help: "Time until Azure Resource Manager answered.", StabilityLevel: metrics.ALPHA,
		Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"method", "type"})
	register = sync.OnceFunc(func() { legacyregistry.MustRegister(requests, durations) })
)

// observe counts one request.
func observe(c azure.Call) {
	register()
	method, kind := c.Method, kindOf(c.Path)
	status := "none"
	if c.Status != 0 {
		status = strconv.Itoa(c.Status)
	}
	requests.WithLabelValues(method, kind, status).Inc()
	durations.WithLabelValues(method, kind).Observe(c.Took.Seconds())
}

// kindOf is the type of the resource, or of the list, that a path leads to, such as loadbalancers: labels must be few.
func kindOf(path string) string {
	_, after, _ := strings.Cut(strings.ToLower(path), "/providers/")
	if parts := strings.Split(after, "/"); len(parts) > 1 {
		return parts[1]
	}
	return "other"
}

// logger makes records of the library lines of klog.
func logger() *slog.Logger { return slog.New(logr.ToSlogHandler(klog.Background().WithName("azlb"))) }
