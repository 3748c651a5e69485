package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/azlb/azlb/annotations"
)

// service has annotations in pairs.
func service(pairs ...string) *corev1.Service {
	s := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "6a1f0a52-0000-4000-8000-000000000001", Annotations: map[string]string{}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports: []corev1.ServicePort{{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, NodePort: 30080}},
		},
	}
	for pair := range slices.Chunk(pairs, 2) {
		s.Annotations[annotations.Prefix+pair[0]] = pair[1]
	}
	return s
}

func TestAdmit(t *testing.T) {
	const timeout = "metadata.annotations[service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout]: "
	bad := service("azure-load-balancer-tcp-idle-timeout", "2")
	going := bad.DeepCopy()
	going.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	inside := bad.DeepCopy()
	inside.Spec.Type = corev1.ServiceTypeClusterIP
	finalized := bad.DeepCopy()
	finalized.Finalizers = []string{"service.kubernetes.io/load-balancer-cleanup"}
	worse := service("azure-load-balancer-tcp-idle-timeout", "2", "azure-load-balancer-internal", "yes")
	for _, tt := range []struct {
		name     string
		svc, old *corev1.Service
		message  string // empty: allowed
		warnings []string
	}{
		{name: "nothing wrong", svc: service()},
		{name: "an error", svc: bad, message: timeout + "\"2\": out of range: want 4 to 100 whole minutes"},
		{
			name: "a warning", svc: service("azure-pip-tags", "nopair"),
			warnings: []string{"metadata.annotations[service.beta.kubernetes.io/azure-pip-tags]: \"nopair\": malformed: want key=value with one equals sign"},
		},
		{name: "no load balancer", svc: inside},
		{name: "being deleted", svc: going, old: bad},
		{name: "as wrong as before", svc: finalized, old: bad, warnings: []string{timeout + "\"2\": out of range: want 4 to 100 whole minutes"}},
		{
			name: "one error more", svc: worse, old: bad,
			message:  "metadata.annotations[service.beta.kubernetes.io/azure-load-balancer-internal]: \"yes\": malformed: want true or false",
			warnings: []string{timeout + "\"2\": out of range: want 4 to 100 whole minutes"},
		},
		{name: "it becomes one", svc: bad, old: inside, message: timeout + "\"2\": out of range: want 4 to 100 whole minutes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ask(t, tt.svc, tt.old)
			if got.UID != "review" || got.Allowed != (tt.message == "") {
				t.Errorf("response %v", got)
			}
			message := ""
			if got.Result != nil {
				message = got.Result.Message
			}
			if d := cmp.Diff(tt.message, message); d != "" {
				t.Errorf("message (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.warnings, got.Warnings); d != "" {
				t.Errorf("warnings (-want +got):\n%s", d)
			}
		})
	}
}

// ask sends a review as an API server does.
func ask(t *testing.T, svc, old *corev1.Service) *admissionv1.AdmissionResponse {
	t.Helper()
	raw := func(s *corev1.Service) runtime.RawExtension {
		if s == nil {
			return runtime.RawExtension{}
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return runtime.RawExtension{Raw: data}
	}
	body, err := json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request:  &admissionv1.AdmissionRequest{UID: "review", Object: raw(svc), OldObject: raw(old)},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	admit(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body)))
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || review.Response == nil || review.Kind != "AdmissionReview" {
		t.Fatalf("answer %d %s: %v", w.Code, w.Body, err)
	}
	return review.Response
}

func TestNoReview(t *testing.T) {
	for _, body := range []string{"", "{", "{}", "[]"} {
		w := httptest.NewRecorder()
		admit(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader([]byte(body))))
		if w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", body, w.Code)
		}
	}
}

// TestLimits: nobody holds the server up, neither with a review that is too large nor by being slow, for which a zero would be for ever.
func TestLimits(t *testing.T) {
	s := newServer(":0")
	for name, limit := range map[string]time.Duration{
		"header": s.ReadHeaderTimeout, "read": s.ReadTimeout, "write": s.WriteTimeout, "idle": s.IdleTimeout,
	} {
		if limit <= 0 || limit > 5*time.Minute {
			t.Errorf("%s timeout %v, want one of seconds or minutes", name, limit)
		}
	}
	for size, want := range map[int]int{maxReview: http.StatusBadRequest, maxReview + 1: http.StatusRequestEntityTooLarge} {
		w := httptest.NewRecorder()
		s.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(bytes.Repeat([]byte(" "), size))))
		if w.Code != want {
			t.Errorf("%d bytes: %d %s, want %d", size, w.Code, w.Body, want)
		}
	}
}
