// Webhook is a validating admission webhook for Services of type LoadBalancer: what annotations.Parse and annotations.Lint call an error is
// refused, the rest is a warning, with the paths of fields that the API server shows. It keeps no state and asks neither Azure nor Kubernetes.
//
//	go run ./examples/webhook -cert tls.crt -key tls.key
//
// README.md beside this file registers it with an API server.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
)

func main() {
	addr := flag.String("addr", ":9443", "address to listen on")
	cert := flag.String("cert", "tls.crt", "file with the certificate that the API server trusts")
	key := flag.String("key", "tls.key", "file with its key")
	flag.Parse()
	log.Fatal(newServer(*addr).ListenAndServeTLS(*cert, *key))
}

// An API server waits for a webhook for 30 s at most, and keeps connections for the next review.
const (
	patience = 30 * time.Second
	idle     = 2 * time.Minute
)

// newServer returns a server that no client holds up: neither with a request that does not end, nor by not reading the answer.
func newServer(addr string) *http.Server {
	return &http.Server{
		Addr: addr, Handler: http.HandlerFunc(admit), MaxHeaderBytes: 64 << 10,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: patience, WriteTimeout: patience, IdleTimeout: idle,
	}
}

// maxReview is more than the largest object that an API server stores, old and new, in bytes.
const maxReview = 8 << 20

// admit answers one AdmissionReview.
func admit(w http.ResponseWriter, r *http.Request) {
	var review admissionv1.AdmissionReview
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxReview)).Decode(&review)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		http.Error(w, fmt.Sprintf("an AdmissionReview has at most %d bytes", maxReview), http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil || review.Request == nil {
		http.Error(w, fmt.Sprintf("want an AdmissionReview with a request: %v", err), http.StatusBadRequest)
		return
	}
	review.Response = decide(review.Request)
	review.Response.UID, review.Request = review.Request.UID, nil
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(review); err != nil {
		log.Print(err)
	}
}

// decide refuses a Service with errors, all of them at once. What an update leaves as wrong as it was is a warning, since it may be the
// controller that writes a finalizer; and a Service that is being deleted passes.
func decide(q *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	var svc, old corev1.Service
	if err := json.Unmarshal(q.Object.Raw, &svc); err != nil {
		return refuse("no Service: " + safetext.Reason(err, q.Object.Raw, 1))
	}
	response := &admissionv1.AdmissionResponse{Allowed: true}
	if svc.Spec.Type != corev1.ServiceTypeLoadBalancer || svc.DeletionTimestamp != nil {
		return response
	}
	known := map[string]bool{}
	if json.Unmarshal(q.OldObject.Raw, &old) == nil && old.Spec.Type == svc.Spec.Type {
		for _, f := range annotations.Lint(&old) {
			known[text(f)] = true
		}
	}
	var errs, warnings []string
	for _, f := range annotations.Lint(&svc) {
		if f.Severity == annotations.SeverityError && !known[text(f)] {
			errs = append(errs, text(f))
		} else {
			warnings = append(warnings, text(f))
		}
	}
	if len(errs) > 0 {
		response = refuse(strings.Join(errs, "; "))
	}
	response.Warnings = warnings
	return response
}

// text is a finding as the API server shows its own.
func text(f annotations.Finding) string { return strings.TrimPrefix(f.Field+": "+f.Err.Error(), ": ") }

func refuse(why string) *admissionv1.AdmissionResponse {
	return &admissionv1.AdmissionResponse{Result: &metav1.Status{
		Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity, Message: why,
	}}
}
