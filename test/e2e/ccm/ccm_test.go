// Package ccm_test runs examples/ccm, the Kubernetes project's own service controller on top of azlb, against a real API server.
package ccm_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/test/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// world is a cluster, an Azure, and a namespace in which a manager looks after Services.
type world struct {
	*harness.ControlPlane
	azure     *harness.Azure
	namespace string
}

func newWorld(t *testing.T, latency map[string]time.Duration) *world {
	c := harness.Start(t)
	w := &world{ControlPlane: c, azure: harness.NewAzure(t, latency), namespace: c.Namespace(t)}
	w.Node(t, 1)
	w.Node(t, 2)
	return w
}

// manager starts a manager.
func (w *world) manager(t *testing.T, more ...string) *harness.Process {
	t.Helper()
	args := []string{
		"--kubeconfig", w.Kubeconfig, "--cloud-config", w.azure.Path, "--leader-elect=false", "--secure-port=0", "--arm-budget=unlimited", "-v=2",
	}
	return harness.StartProcess(t, harness.Build(t, "ccm"), append(args, more...)...)
}

func (w *world) name(s string) types.NamespacedName {
	return types.NamespacedName{Namespace: w.namespace, Name: s}
}

// edit changes a Service.
func (w *world) edit(t *testing.T, name string, change func(*corev1.Service)) {
	t.Helper()
	services := w.Client.CoreV1().Services(w.namespace)
	if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		s, err := services.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		change(s)
		_, err = services.Update(t.Context(), s, metav1.UpdateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func annotate(s *corev1.Service, key, value string) {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[key] = value
}

func (w *world) remove(t *testing.T, name string) {
	t.Helper()
	if err := w.Client.CoreV1().Services(w.namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
}

// observe reads what is in Azure.
func (w *world) observe(t *testing.T) lb.Observed {
	t.Helper()
	seen, err := w.azure.Cloud.Clone().Observe(t.Context(), lb.ScopeOf(w.azure.Cluster, lb.Objects{}))
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// rules lists the rules of all load balancers as port/frontend's load balancer.
func rules(seen lb.Observed) []string {
	var all []string
	for _, l := range seen.LoadBalancers {
		for _, r := range l.Rules {
			all = append(all, fmt.Sprintf("%s %s %d", l.ID.Name(), r.Protocol, r.FrontendPort))
		}
	}
	slices.Sort(all)
	return all
}

func members(seen lb.Observed) int {
	n := 0
	for _, l := range seen.LoadBalancers {
		for _, p := range l.Pools {
			n += len(p.Members)
		}
	}
	return n
}

// event waits for an Event about a Service.
func (w *world) event(t *testing.T, name, reason, text string) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("an Event %s about %s with %q", reason, name, text), func() bool {
		events, err := w.Client.CoreV1().Events(w.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
			return e.InvolvedObject.Name == name && e.Reason == reason && strings.Contains(e.Message, text)
		})
	})
}

// TestLife is the life of some Services with one manager.
func TestLife(t *testing.T) {
	w := newWorld(t, nil)
	w.manager(t)

	t.Run("create", func(t *testing.T) {
		w.Service(t, w.namespace, "web", nil)
		s := w.Ready(t, w.name("web"), 1)
		if !slices.Contains(s.Finalizers, "service.kubernetes.io/load-balancer-cleanup") {
			t.Errorf("finalizers %v", s.Finalizers)
		}
		if got := rules(w.observe(t)); !slices.Equal(got, []string{"kubernetes Tcp 80"}) {
			t.Errorf("rules %v", got)
		}
		w.event(t, "web", "EnsuredLoadBalancer", "")
	})
	t.Run("ports", func(t *testing.T) {
		w.edit(t, "web", func(s *corev1.Service) {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "https", Port: 443, Protocol: corev1.ProtocolTCP})
		})
		harness.Eventually(t, "a rule for port 443", func() bool {
			return slices.Equal(rules(w.observe(t)), []string{"kubernetes Tcp 443", "kubernetes Tcp 80"})
		})
	})
	t.Run("annotations", func(t *testing.T) {
		before := w.Ready(t, w.name("web"), 1).Status.LoadBalancer.Ingress[0].IP
		w.edit(t, "web", func(s *corev1.Service) { annotate(s, annotations.KeyInternal, "true") })
		w.WaitService(t, w.name("web"), "a private address", func(s *corev1.Service) bool {
			return len(s.Status.LoadBalancer.Ingress) == 1 && s.Status.LoadBalancer.Ingress[0].IP != before
		})
		if got := rules(w.observe(t)); !slices.Equal(got, []string{"kubernetes-internal Tcp 443", "kubernetes-internal Tcp 80"}) {
			t.Errorf("rules %v", got)
		}
		if n := len(w.observe(t).PublicIPs); n != 0 {
			t.Errorf("%d public IPs are left", n)
		}
	})
	t.Run("dual stack", func(t *testing.T) {
		both := corev1.IPFamilyPolicyRequireDualStack
		w.Service(t, w.namespace, "dual", func(s *corev1.Service) { s.Spec.IPFamilyPolicy = &both })
		s := w.Ready(t, w.name("dual"), 2)
		if in := s.Status.LoadBalancer.Ingress; strings.Contains(in[0].IP, ":") || !strings.Contains(in[1].IP, ":") {
			t.Errorf("addresses %v, want IPv4 before IPv6", in)
		}
	})
	t.Run("local", func(t *testing.T) {
		s := w.Service(t, w.namespace, "local", func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal })
		w.Ready(t, w.name("local"), 1)
		var ports []uint16
		for _, l := range w.observe(t).LoadBalancers {
			for _, p := range l.Probes {
				ports = append(ports, p.Port)
			}
		}
		if !slices.Contains(ports, uint16(s.Spec.HealthCheckNodePort)) {
			t.Errorf("probes of ports %v, want the health check's, %d", ports, s.Spec.HealthCheckNodePort)
		}
	})
	t.Run("nodes", func(t *testing.T) {
		before := members(w.observe(t))
		n := w.Node(t, 3)
		harness.Eventually(t, "a member more in every pool", func() bool { return members(w.observe(t)) == before/2*3 })
		if err := w.Client.CoreV1().Nodes().Delete(t.Context(), n.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the member gone again", func() bool { return members(w.observe(t)) == before })
	})
	t.Run("type", func(t *testing.T) {
		w.edit(t, "dual", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
		w.WaitService(t, w.name("dual"), "no addresses and no finalizer", func(s *corev1.Service) bool {
			return len(s.Status.LoadBalancer.Ingress) == 0 && len(s.Finalizers) == 0
		})
		if n := len(w.observe(t).PublicIPs); n != 1 { // that of local
			t.Errorf("%d public IPs", n)
		}
		w.edit(t, "dual", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeLoadBalancer })
		w.Ready(t, w.name("dual"), 2)
	})
	t.Run("bad annotation", func(t *testing.T) {
		w.Service(t, w.namespace, "bad", func(s *corev1.Service) { s.Annotations[annotations.KeyInternal] = "perhaps" })
		w.Service(t, w.namespace, "good", nil)
		w.Ready(t, w.name("good"), 1)
		w.event(t, "bad", "SyncLoadBalancerFailed", annotations.KeyInternal)
		w.edit(t, "bad", func(s *corev1.Service) { annotate(s, annotations.KeyInternal, "true") })
		w.Ready(t, w.name("bad"), 1)
	})
	t.Run("delete", func(t *testing.T) {
		for _, name := range []string{"web", "dual", "local", "bad", "good"} {
			w.remove(t, name)
		}
		for _, name := range []string{"web", "dual", "local", "bad", "good"} {
			w.Gone(t, w.name(name))
		}
		if left := w.azure.Left(); len(left) != 0 {
			t.Errorf("left in Azure: %v", left)
		}
	})
}

// TestRestart stops a manager while it writes, politely, and then another one, not: the next one goes on.
func TestRestart(t *testing.T) {
	w := newWorld(t, map[string]time.Duration{armid.PublicIPAddresses: 200 * time.Millisecond, armid.LoadBalancers: 300 * time.Millisecond})
	first := w.manager(t)
	for i := range 10 {
		w.Service(t, w.namespace, fmt.Sprintf("web-%d", i), nil)
	}
	harness.Eventually(t, "a public IP", func() bool { return w.azure.Writes(armid.PublicIPAddresses) > 0 })
	if err := first.Stop(); err != nil {
		t.Errorf("stopped: %v", err)
	}
	second := w.manager(t)
	w.Ready(t, w.name("web-9"), 1)
	for i := range 5 {
		w.remove(t, fmt.Sprintf("web-%d", i))
	}
	harness.Eventually(t, "a deletion", func() bool { return w.azure.Deletions(armid.PublicIPAddresses) > 0 })
	second.Kill()
	w.manager(t)
	for i := range 5 {
		w.Gone(t, w.name(fmt.Sprintf("web-%d", i)))
		w.Ready(t, w.name(fmt.Sprintf("web-%d", i+5)), 1)
	}
	if n := len(w.observe(t).PublicIPs); n != 5 {
		t.Errorf("%d public IPs, want 5", n)
	}
}

// TestLeaderChange kills the leader of two managers.
func TestLeaderChange(t *testing.T) {
	w := newWorld(t, nil)
	elect := []string{"--leader-elect=true", "--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=500ms"}
	leader := w.manager(t, elect...)
	w.Service(t, w.namespace, "before", nil)
	w.Ready(t, w.name("before"), 1)
	w.manager(t, elect...)
	leader.Kill()
	w.Service(t, w.namespace, "after", nil)
	w.remove(t, "before")
	w.Ready(t, w.name("after"), 1)
	w.Gone(t, w.name("before"))
	if n := len(w.observe(t).PublicIPs); n != 1 {
		t.Errorf("%d public IPs, want 1", n)
	}
}

// TestThrottledAndFailing has Azure refuse what it is asked, some of it for good.
func TestThrottledAndFailing(t *testing.T) {
	w := newWorld(t, nil)
	for _, f := range []fake.Fault{
		{Method: http.MethodPut, Path: "/publicIPAddresses/", Status: http.StatusTooManyRequests, Code: "TooManyRequests", RetryAfter: time.Second, Count: 2},
		{Method: http.MethodPut, Path: "/loadBalancers/", Status: http.StatusConflict, Code: "AnotherOperationInProgress", Count: 2},
		{Method: http.MethodPut, Path: "/loadBalancers/", Status: http.StatusServiceUnavailable, Skip: 2, Count: 1},
		{Method: http.MethodPut, Path: "/networkSecurityGroups/", Drop: fake.DropAfter, Count: 1},
		{Method: http.MethodPut, Path: "/loadBalancers/", Late: true, Code: "InternalServerError", Skip: 3, Count: 1},
	} {
		w.azure.Cloud.Inject(f)
	}
	w.manager(t)
	for i := range 3 {
		w.Service(t, w.namespace, fmt.Sprintf("web-%d", i), nil)
	}
	for i := range 3 {
		w.Ready(t, w.name(fmt.Sprintf("web-%d", i)), 1)
	}
	// What is refused for good is told, and does not hinder the others.
	w.Service(t, w.namespace, "twin", func(s *corev1.Service) { s.Annotations[annotations.KeyPIPName] = "nowhere" })
	w.Service(t, w.namespace, "last", nil)
	w.Ready(t, w.name("last"), 1)
	w.event(t, "twin", "SyncLoadBalancerFailed", "nowhere")
}

// TestHundred creates a hundred Services at once: calls of the service controller's workers are planned together.
func TestHundred(t *testing.T) {
	latency := map[string]time.Duration{armid.PublicIPAddresses: time.Second, armid.LoadBalancers: 2 * time.Second, armid.NetworkSecurityGroups: time.Second}
	w := newWorld(t, latency)
	w.manager(t, "--concurrent-service-syncs=100")
	start := time.Now()
	for i := range 100 {
		w.Service(t, w.namespace, fmt.Sprintf("web-%d", i), nil)
	}
	for i := range 100 {
		w.Ready(t, w.name(fmt.Sprintf("web-%d", i)), 1)
	}
	took := time.Since(start)
	ips, balancers, groups := w.azure.Writes(armid.PublicIPAddresses), w.azure.Writes(armid.LoadBalancers), w.azure.Writes(armid.NetworkSecurityGroups)
	t.Logf("%d public IP writes, %d of load balancers, %d of security groups; %v to the last status, %v if all were made one after the other",
		ips, balancers, groups, took, 100*latency[armid.PublicIPAddresses]+100*latency[armid.LoadBalancers]+100*latency[armid.NetworkSecurityGroups])
	// How many plans there are depends on how fast the API server and this machine hand out the Services; one at a time would be a hundred.
	if ips != 100 || balancers > 12 || groups > 12 {
		t.Errorf("%d writes of public IPs, %d of load balancers, %d of security groups; want 100 and a few", ips, balancers, groups)
	}
	for i := range 100 {
		w.remove(t, fmt.Sprintf("web-%d", i))
	}
	for i := range 100 {
		w.Gone(t, w.name(fmt.Sprintf("web-%d", i)))
	}
	if left := w.azure.Left(); len(left) != 0 {
		t.Errorf("left in Azure: %v", left)
	}
}

// TestKilled kills the manager at random moments during fifty changes.
func TestKilled(t *testing.T) {
	const seed = 20261127
	rng := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, map[string]time.Duration{armid.PublicIPAddresses: 20 * time.Millisecond, armid.LoadBalancers: 50 * time.Millisecond})
	manager := w.manager(t)
	alive := map[string]bool{}
	for i := range 50 {
		name := fmt.Sprintf("web-%d", rng.IntN(8))
		switch {
		case !alive[name]:
			w.Gone(t, w.name(name))
			w.Service(t, w.namespace, name, nil)
			alive[name] = true
		case rng.IntN(3) == 0:
			w.remove(t, name)
			alive[name] = false
		case rng.IntN(2) == 0:
			internal := fmt.Sprint(rng.IntN(2) == 0)
			w.edit(t, name, func(s *corev1.Service) { annotate(s, annotations.KeyInternal, internal) })
		default:
			port := int32(8000 + i)
			w.edit(t, name, func(s *corev1.Service) { s.Spec.Ports[0].Port = port })
		}
		if i%5 == 4 { // at any point of a start, a plan or a write
			select {
			case <-time.After(time.Duration(rng.IntN(1500)) * time.Millisecond):
			case <-manager.Done():
				t.Fatal("the manager has ended")
			}
			manager.Kill()
			manager = w.manager(t)
		}
	}
	for name, there := range alive {
		if there {
			w.Ready(t, w.name(name), 1)
		}
	}
	harness.Eventually(t, "nothing to do", func() bool { return len(w.plan(t).Steps) == 0 })
	for name := range alive {
		w.remove(t, name)
	}
	for name := range alive {
		w.Gone(t, w.name(name))
	}
	if left := w.azure.Left(); len(left) != 0 {
		t.Errorf("left in Azure: %v", left)
	}
}

// plan plans for what the API server has.
func (w *world) plan(t *testing.T) lb.Plan {
	t.Helper()
	services, err := w.Client.CoreV1().Services("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := w.Client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	in := lb.Objects{Services: services.Items, Nodes: nodes.Items}
	seen, err := w.azure.Cloud.Clone().Observe(t.Context(), lb.ScopeOf(w.azure.Cluster, in))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := lb.Build(w.azure.Cluster, in, seen)
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestHealthAndMetrics asks a manager how it is.
func TestHealthAndMetrics(t *testing.T) {
	w := newWorld(t, nil)
	port := harness.Port(t)
	w.manager(t, fmt.Sprintf("--secure-port=%d", port), "--bind-address=127.0.0.1", "--cert-dir="+t.TempDir(),
		"--authorization-always-allow-paths=/healthz,/metrics", "--authentication-kubeconfig="+w.Kubeconfig, "--authorization-kubeconfig="+w.Kubeconfig)
	w.Service(t, w.namespace, "web", nil)
	w.Ready(t, w.name("web"), 1)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // its own certificate
	get := func(path string) string {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", port, path), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s %v", path, resp.Status, body, err)
		}
		return string(body)
	}
	if got := get("/healthz"); got != "ok" {
		t.Errorf("health %q", got)
	}
	if got := get("/metrics"); !strings.Contains(got, `azlb_arm_requests_total{method="PUT",status="201",type="publicipaddresses"} 1`) {
		t.Errorf("no metric of the public IP's write among\n%s", grep(got, "azlb_"))
	}
}

func grep(text, part string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
