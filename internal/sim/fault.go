package sim

import (
	"net/http"
	"time"

	"github.com/azlb/azlb/fake"
)

// The kinds of misfortunes.
const (
	throttles   = "429"
	conflicts   = "409"
	moved       = "412"
	breaks      = "5xx"
	dropsBefore = "dropped before"
	dropsAfter  = "dropped after"
	crashes     = "crash"
	dependency  = "dependency"
	failsLate   = "failed operation"
	meanwhile   = "another writer"
)

// misfortunes are drawn from; what stands here twice comes twice as often.
var misfortunes = []string{
	throttles, conflicts, moved, breaks, dropsBefore, dropsAfter, dropsAfter, crashes, dependency, failsLate, meanwhile,
}

// Misfortunes scripts a few faults. meddled is called when others have changed something in the middle of a call.
func (w *World) Misfortunes(meddled func()) {
	for range w.rng.IntN(5) {
		w.Cloud.Inject(w.misfortune(meddled))
	}
	w.interfacesFail(meddled)
}

// misfortune draws one fault that goes away by itself or with a restart.
func (w *World) misfortune(meddled func()) fake.Fault {
	f := fake.Fault{
		Method: pick(w, "", http.MethodPut, http.MethodPut, http.MethodDelete, http.MethodPatch), Skip: w.rng.IntN(4), Count: 1 + w.rng.IntN(2),
		Path: pick(w, "", "", "/loadBalancers/", "/publicIPAddresses/", "/networkSecurityGroups/"),
	}
	kind := misfortunes[w.rng.IntN(len(misfortunes))]
	w.Scripted[kind]++
	switch kind {
	case throttles:
		f.Status, f.Code = http.StatusTooManyRequests, pick(w, "TooManyRequests", "SubscriptionRequestsThrottled", "RetryableError")
		f.RetryAfter = pick(w, time.Second, 30*time.Second, 2*time.Minute)
	case conflicts:
		f.Status, f.Code = http.StatusConflict, pick(w, "AnotherOperationInProgress", "CanceledAndSupersededDueToAnotherOperation", "Canceled", "")
	case moved:
		f.Status, f.Code = http.StatusPreconditionFailed, "PreconditionFailed"
	case breaks:
		f.Status, f.Code = pick(w, http.StatusInternalServerError, http.StatusServiceUnavailable), pick(w, "", "GatewayError")
	case dropsBefore:
		f.Drop = fake.DropBefore
	case dropsAfter:
		f.Drop = fake.DropAfter
	case crashes:
		return fake.CrashAfter(w.rng.IntN(4))
	case dependency:
		f.Status, f.Code = http.StatusTooManyRequests, "ReferencedResourceNotProvisioned"
	case failsLate:
		f.Method = pick(w, http.MethodPut, http.MethodPut, http.MethodDelete)
		f.Late, f.Code = true, pick(w, "InternalServerError", "RetryableErrorDueToAnotherOperation", "CanceledAndSupersededDueToAnotherOperation")
	default:
		f.Method = pick(w, http.MethodPut, http.MethodPut, http.MethodPatch, http.MethodDelete)
		f.Meanwhile = func(c *fake.Cloud) {
			w.Meddle(c)
			meddled()
		}
	}
	return f
}
