package main

import (
	"log/slog"
	"strconv"
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
	status := "none"
	if c.Status != 0 {
		status = strconv.Itoa(c.Status)
	}
	requests.WithLabelValues(c.Method, c.Type(), status).Inc()
	durations.WithLabelValues(c.Method, c.Type()).Observe(c.Took.Seconds())
}

// logger makes records of the library lines of klog.
func logger() *slog.Logger { return slog.New(logr.ToSlogHandler(klog.Background().WithName("azlb"))) }
