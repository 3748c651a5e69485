package sim

import (
	"net/http"
	"time"

	"github.com/azlb/azlb/fake"
)

// Misfortunes scripts a few faults. meddled is called when others have changed something in the middle of a call.
func (w *World) Misfortunes(meddled func()) {
	for range w.rng.IntN(5) {
		w.Cloud.Inject(w.misfortune(meddled))
	}
}

// misfortune draws one fault that goes away by itself or with a restart.
func (w *World) misfortune(meddled func()) fake.Fault {
	f := fake.Fault{
		Method: pick(w, "", http.MethodPut, http.MethodPut, http.MethodDelete, http.MethodPatch), Skip: w.rng.IntN(4), Count: 1 + w.rng.IntN(2),
		Path: pick(w, "", "", "/loadBalancers/", "/publicIPAddresses/", "/networkSecurityGroups/"),
	}
	switch w.rng.IntN(11) {
	case 0:
		f.Status, f.Code = http.StatusTooManyRequests, pick(w, "TooManyRequests", "SubscriptionRequestsThrottled", "RetryableError")
		f.RetryAfter = pick(w, time.Second, 30*time.Second, 2*time.Minute)
	case 1:
		f.Status, f.Code = http.StatusConflict, pick(w, "AnotherOperationInProgress", "CanceledAndSupersededDueToAnotherOperation", "Canceled", "")
	case 2:
		f.Status, f.Code = http.StatusPreconditionFailed, "PreconditionFailed"
	case 3:
		f.Status, f.Code = pick(w, http.StatusInternalServerError, http.StatusServiceUnavailable), pick(w, "", "GatewayError")
	case 4:
		f.Drop = fake.DropBefore
	case 5, 6:
		f.Drop = fake.DropAfter
	case 7:
		return fake.CrashAfter(w.rng.IntN(4))
	case 8:
		f.Status, f.Code = http.StatusTooManyRequests, "ReferencedResourceNotProvisioned"
	case 9:
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
