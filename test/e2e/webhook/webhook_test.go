// Package webhook_test registers examples/webhook with a real API server and looks at what users see.
package webhook_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/test/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// certificate makes a key and a certificate for this machine, as files, and returns the certificate.
func certificate(t *testing.T, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, data := range map[string][]byte{
		"tls.crt": cert, "tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert
}

// register has the API server ask the webhook about every Service.
func register(t *testing.T, c *harness.ControlPlane) {
	t.Helper()
	dir, port := t.TempDir(), harness.Port(t)
	cert := certificate(t, dir)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	harness.StartProcess(t, harness.Build(t, "webhook"), "-addr", address, "-cert", filepath.Join(dir, "tls.crt"), "-key", filepath.Join(dir, "tls.key"))
	harness.Eventually(t, "answer of the webhook", func() bool {
		conn, err := net.Dial("tcp", address) //nolint:noctx // local
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	url, fail, none := "https://"+address, admissionv1.Fail, admissionv1.SideEffectClassNone
	_, err := c.Client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "azlb"},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "services.azlb.example", FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			ClientConfig: admissionv1.WebhookClientConfig{URL: &url, CABundle: cert},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
				Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"services"}},
			}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// warnings collects what kubectl prints above its answer.
type warnings struct {
	mu   sync.Mutex
	list []string
}

func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, text)
}

func (w *warnings) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := strings.Join(w.list, "\n")
	w.list = nil
	return all
}

// TestThroughTheAPIServer: what Parse and Lint call errors is refused with the path of the field, the rest is a warning, and what was wrong
// before the webhook came can still be changed elsewhere.
func TestThroughTheAPIServer(t *testing.T) {
	c := harness.Start(t)
	namespace := c.Namespace(t)
	old := c.Service(t, namespace, "old", func(s *corev1.Service) { s.Annotations[annotations.KeyInternal] = "perhaps" })
	register(t, c)
	heard := &warnings{}
	config := rest.CopyConfig(c.Config)
	config.WarningHandler = heard
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	services := client.CoreV1().Services(namespace)
	service := func(name string, set map[string]string, edit func(*corev1.Service)) *corev1.Service {
		s := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: set},
			Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80}}},
		}
		if edit != nil {
			edit(s)
		}
		return s
	}
	// The API server tells its webhooks a moment after they are registered.
	harness.Eventually(t, "refusal", func() bool {
		_, err := services.Create(t.Context(), service("probe", map[string]string{annotations.KeyInternal: "perhaps"}, nil), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil
	})
	heard.take()
	for _, tt := range []struct {
		name    string
		service *corev1.Service
		refused []string // parts of the error; none: accepted
		warned  string
	}{
		{"plain", service("plain", nil, nil), nil, ""},
		{
			"malformed", service("malformed", map[string]string{annotations.KeyInternal: "perhaps"}, nil),
			[]string{"metadata.annotations[" + annotations.KeyInternal + "]", `"perhaps"`, "want true or false"},
			"",
		},
		{
			"two errors at once", service("two", map[string]string{annotations.KeyInternal: "perhaps", annotations.KeyIdleTimeout: "soon"}, nil),
			[]string{annotations.KeyInternal, annotations.KeyIdleTimeout},
			"",
		},
		{
			"misspelt key", service("misspelt", map[string]string{"service.beta.kubernetes.io/azure-load-balancer-internl": "true"}, nil),
			[]string{"azure-load-balancer-internl", "did you mean"},
			"",
		},
		{
			"key without effect", service("subnet", map[string]string{annotations.KeySubnet: "apps"}, nil),
			nil, annotations.KeySubnet,
		},
		{"no load balancer", service("cluster-ip", map[string]string{annotations.KeyInternal: "perhaps"}, func(s *corev1.Service) {
			s.Spec.Type = corev1.ServiceTypeClusterIP
		}), nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := services.Create(t.Context(), tt.service, metav1.CreateOptions{})
			got := heard.take()
			if (err != nil) != (tt.refused != nil) || err != nil && !apierrors.IsInvalid(err) {
				t.Fatalf("error %v", err)
			}
			for _, part := range tt.refused {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %v, want %q in it", err, part)
				}
			}
			if (got == "") != (tt.warned == "") || !strings.Contains(got, tt.warned) {
				t.Errorf("warnings %q, want %q", got, tt.warned)
			}
		})
	}
	t.Run("wrong before", func(t *testing.T) {
		patch := []byte(`{"metadata": {"labels": {"team": "shop"}}}`)
		if _, err := services.Patch(context.Background(), old.Name, "application/merge-patch+json", patch, metav1.PatchOptions{}); err != nil {
			t.Error(err)
		}
		if got := heard.take(); !strings.Contains(got, annotations.KeyInternal) {
			t.Errorf("warnings %q", got)
		}
	})
}
