// Package hosttest is what every program that embeds azlb must pass, run as a process against a real API server and an Azure on a port.
package hosttest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/test/e2e/harness"
)

// Host is a program that looks after Services.
type Host struct {
	// Start runs the program for a world, with more flags than it always has.
	Start func(t *testing.T, w *World, more ...string) *harness.Process
	Class string   // spec.loadBalancerClass of its Services; empty: none
	Elect []string // flags with which only one of several works, who takes over after a few seconds
	Many  []string // flags with which it works on a hundred Services at a time

	Finalizer string
	Converged string // reason of the Event about a Service that has all it asks for
	Held      string // reason of the Event about one that has to be changed
	// Told waits until people see a text about a Service that is served all the same: in an Event, or in its status.
	Told func(t *testing.T, w *World, name, text string)
}

// Run lives through everything that may come, each in a world of its own.
func (h Host) Run(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"life": h.life, "local pools": h.localPools, "restart": h.restart, "leader change": h.leaderChange,
		"throttled and failing": h.throttledAndFailing, "hundred": h.hundred, "killed": h.killed, "scale sets": h.scaleSets,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			test(t)
		})
	}
}

// life is the life of some Services with one process: each stage goes on from the one before.
func (h Host) life(t *testing.T) {
	w := NewWorld(t, h.Class, nil, nil)
	h.Start(t, w)
	for _, stage := range []struct {
		name string
		live func(*testing.T, *World)
	}{
		{"create", h.create},
		{"ports", ports},
		{"annotations", toInternal},
		{"dual stack", dualStack},
		{"local", local},
		{"nodes", nodes},
		{"type", retype},
		{"bad annotation", h.badAnnotation},
		{"findings", h.findings},
		{"delete", removeAll},
	} {
		t.Run(stage.name, func(t *testing.T) { stage.live(t, w) })
	}
}

func (h Host) create(t *testing.T, w *World) {
	w.Service(t, "web", nil)
	s := w.Ready(t, w.Name("web"), 1)
	if !slices.Contains(s.Finalizers, h.Finalizer) {
		t.Errorf("finalizers %v", s.Finalizers)
	}
	if got := Rules(w.Observe(t)); !slices.Equal(got, []string{"kubernetes Tcp 80"}) {
		t.Errorf("rules %v", got)
	}
	w.Event(t, "web", h.Converged, "")
}

func ports(t *testing.T, w *World) {
	w.Edit(t, "web", func(s *corev1.Service) {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "https", Port: 443, Protocol: corev1.ProtocolTCP})
	})
	harness.Eventually(t, "a rule for port 443", func() bool {
		return slices.Equal(Rules(w.Observe(t)), []string{"kubernetes Tcp 443", "kubernetes Tcp 80"})
	})
}

func toInternal(t *testing.T, w *World) {
	before := w.Ready(t, w.Name("web"), 1).Status.LoadBalancer.Ingress[0].IP
	w.Edit(t, "web", func(s *corev1.Service) { Annotate(s, annotations.KeyInternal, "true") })
	w.WaitService(t, w.Name("web"), "a private address", func(s *corev1.Service) bool {
		return len(s.Status.LoadBalancer.Ingress) == 1 && s.Status.LoadBalancer.Ingress[0].IP != before
	})
	if got := Rules(w.Observe(t)); !slices.Equal(got, []string{"kubernetes-internal Tcp 443", "kubernetes-internal Tcp 80"}) {
		t.Errorf("rules %v", got)
	}
	if n := len(w.Observe(t).PublicIPs); n != 0 {
		t.Errorf("%d public IPs are left", n)
	}
}

func dualStack(t *testing.T, w *World) {
	both := corev1.IPFamilyPolicyRequireDualStack
	w.Service(t, "dual", func(s *corev1.Service) { s.Spec.IPFamilyPolicy = &both })
	s := w.Ready(t, w.Name("dual"), 2)
	if in := s.Status.LoadBalancer.Ingress; strings.Contains(in[0].IP, ":") || !strings.Contains(in[1].IP, ":") {
		t.Errorf("addresses %v, want IPv4 before IPv6", in)
	}
}

func local(t *testing.T, w *World) {
	s := w.Service(t, "local", func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal })
	w.Ready(t, w.Name("local"), 1)
	var ports []uint16
	for _, l := range w.Observe(t).LoadBalancers {
		for _, p := range l.Probes {
			ports = append(ports, p.Port)
		}
	}
	if !slices.Contains(ports, uint16(s.Spec.HealthCheckNodePort)) {
		t.Errorf("probes of ports %v, want the health check's, %d", ports, s.Spec.HealthCheckNodePort)
	}
}

func nodes(t *testing.T, w *World) {
	before := Members(w.Observe(t))
	n := w.Node(t, 3)
	harness.Eventually(t, "a member more in every pool", func() bool { return Members(w.Observe(t)) == before/2*3 })
	if err := w.Client.CoreV1().Nodes().Delete(t.Context(), n.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the member gone again", func() bool { return Members(w.Observe(t)) == before })
}

func retype(t *testing.T, w *World) {
	w.Edit(t, "dual", func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeClusterIP })
	w.WaitService(t, w.Name("dual"), "no addresses and no finalizer", func(s *corev1.Service) bool {
		return len(s.Status.LoadBalancer.Ingress) == 0 && len(s.Finalizers) == 0
	})
	if n := len(w.Observe(t).PublicIPs); n != 1 { // that of local
		t.Errorf("%d public IPs", n)
	}
	w.Edit(t, "dual", func(s *corev1.Service) {
		s.Spec.Type = corev1.ServiceTypeLoadBalancer
		w.classify(s) // the API server has taken the class away with the type
	})
	w.Ready(t, w.Name("dual"), 2)
}

func (h Host) badAnnotation(t *testing.T, w *World) {
	w.Service(t, "bad", func(s *corev1.Service) { s.Annotations[annotations.KeyInternal] = "perhaps" })
	w.Service(t, "good", nil)
	w.Ready(t, w.Name("good"), 1)
	w.Event(t, "bad", h.Held, annotations.KeyInternal)
	w.Edit(t, "bad", func(s *corev1.Service) { Annotate(s, annotations.KeyInternal, "true") })
	w.Ready(t, w.Name("bad"), 1)
}

// findings: what is wrong with a Service that is served all the same is told, an error as well as a warning, and once while it stays.
func (h Host) findings(t *testing.T, w *World) {
	web := w.Name("good")
	w.Edit(t, web.Name, func(s *corev1.Service) {
		Annotate(s, annotations.KeyAllowedIPRanges, "10.0.0.1/24") // bits of a host: nobody is let in
		Annotate(s, annotations.KeySubnet, "apps")                 // without effect
	})
	h.Told(t, w, web.Name, `"10.0.0.1/24"`)
	h.Told(t, w, web.Name, annotations.KeySubnet)
	w.Ready(t, web, 1)
	w.Edit(t, web.Name, func(s *corev1.Service) { s.Spec.Ports[0].Port = 8080 })
	harness.Eventually(t, "a rule for port 8080", func() bool { return slices.Contains(Rules(w.Observe(t)), "kubernetes Tcp 8080") })
	for _, text := range []string{`"10.0.0.1/24"`, annotations.KeySubnet} {
		if n := w.Events(t, web.Name, text); n > 1 {
			t.Errorf("%d Events with %s, want it told once", n, text)
		}
	}
}

func removeAll(t *testing.T, w *World) {
	for _, name := range []string{"web", "dual", "local", "bad", "good"} {
		w.Remove(t, name)
	}
	for _, name := range []string{"web", "dual", "local", "bad", "good"} {
		w.Gone(t, w.Name(name))
	}
	if left := w.Azure.Left(); len(left) != 0 {
		t.Errorf("left in Azure: %v", left)
	}
}

// localPools: on several load balancers a Service with externalTrafficPolicy Local has a pool of its own, of the nodes with an endpoint.
func (h Host) localPools(t *testing.T) {
	w := NewWorld(t, h.Class, nil, map[string]any{
		"multipleStandardLoadBalancerConfigurations": []map[string]any{{"name": "kubernetes", "primaryVMSet": "nodes"}},
	})
	h.Start(t, w)
	s := w.Service(t, "local", func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal })
	w.Ready(t, w.Name("local"), 1)
	for n, node := range w.nodes {
		w.Endpoints(t, s, node)
		harness.Eventually(t, fmt.Sprintf("pool of %d", n+1), func() bool { return poolOf(w.Observe(t), w.Namespace+"-local") == n+1 })
	}
}

// poolOf counts the members of a pool, -1 if there is none of that name.
func poolOf(seen lb.Observed, name string) int {
	for _, l := range seen.LoadBalancers {
		for _, p := range l.Pools {
			if p.Name == name {
				return len(p.Members)
			}
		}
	}
	return -1
}

// restart stops a manager while it writes, politely, and then another one, not: the next one goes on.
func (h Host) restart(t *testing.T) {
	w := NewWorld(t, h.Class, map[string]time.Duration{armid.PublicIPAddresses: 200 * time.Millisecond, armid.LoadBalancers: 300 * time.Millisecond}, nil)
	first := h.Start(t, w)
	for i := range 10 {
		w.Service(t, fmt.Sprintf("web-%d", i), nil)
	}
	harness.Eventually(t, "a public IP", func() bool { return w.Azure.Writes(armid.PublicIPAddresses) > 0 })
	if err := first.Stop(); err != nil {
		t.Errorf("stopped: %v", err)
	}
	second := h.Start(t, w)
	w.Ready(t, w.Name("web-9"), 1)
	for i := range 5 {
		w.Remove(t, fmt.Sprintf("web-%d", i))
	}
	harness.Eventually(t, "a deletion", func() bool { return w.Azure.Deletions(armid.PublicIPAddresses) > 0 })
	second.Kill()
	h.Start(t, w)
	for i := range 5 {
		w.Gone(t, w.Name(fmt.Sprintf("web-%d", i)))
		w.Ready(t, w.Name(fmt.Sprintf("web-%d", i+5)), 1)
	}
	if n := len(w.Observe(t).PublicIPs); n != 5 {
		t.Errorf("%d public IPs, want 5", n)
	}
}

// leaderChange kills the leader of two managers.
func (h Host) leaderChange(t *testing.T) {
	w := NewWorld(t, h.Class, nil, nil)
	leader := h.Start(t, w, h.Elect...)
	w.Service(t, "before", nil)
	w.Ready(t, w.Name("before"), 1)
	h.Start(t, w, h.Elect...)
	leader.Kill()
	w.Service(t, "after", nil)
	w.Remove(t, "before")
	w.Ready(t, w.Name("after"), 1)
	w.Gone(t, w.Name("before"))
	if n := len(w.Observe(t).PublicIPs); n != 1 {
		t.Errorf("%d public IPs, want 1", n)
	}
}

// throttledAndFailing has Azure refuse what it is asked, some of it for good.
func (h Host) throttledAndFailing(t *testing.T) {
	w := NewWorld(t, h.Class, nil, nil)
	for _, f := range []fake.Fault{
		{Method: http.MethodPut, Path: "/publicIPAddresses/", Status: http.StatusTooManyRequests, Code: "TooManyRequests", RetryAfter: time.Second, Count: 2},
		{Method: http.MethodPut, Path: "/loadBalancers/", Status: http.StatusConflict, Code: "AnotherOperationInProgress", Count: 2},
		{Method: http.MethodPut, Path: "/loadBalancers/", Status: http.StatusServiceUnavailable, Skip: 2, Count: 1},
		{Method: http.MethodPut, Path: "/networkSecurityGroups/", Drop: fake.DropAfter, Count: 1},
		{Method: http.MethodPut, Path: "/loadBalancers/", Late: true, Code: "InternalServerError", Skip: 3, Count: 1},
	} {
		w.Azure.Cloud.Inject(f)
	}
	h.Start(t, w)
	for i := range 3 {
		w.Service(t, fmt.Sprintf("web-%d", i), nil)
	}
	for i := range 3 {
		w.Ready(t, w.Name(fmt.Sprintf("web-%d", i)), 1)
	}
	// What is refused for good is told, and does not hinder the others.
	w.Service(t, "twin", func(s *corev1.Service) { s.Annotations[annotations.KeyPIPName] = "nowhere" })
	w.Service(t, "last", nil)
	w.Ready(t, w.Name("last"), 1)
	w.Event(t, "twin", h.Held, "nowhere")
}

// hundred is a hundred Services that are there at once: what is asked for each is planned together.
func (h Host) hundred(t *testing.T) {
	latency := map[string]time.Duration{armid.PublicIPAddresses: time.Second, armid.LoadBalancers: 2 * time.Second, armid.NetworkSecurityGroups: time.Second}
	w := NewWorld(t, h.Class, latency, nil)
	for i := range 100 {
		w.Service(t, fmt.Sprintf("web-%d", i), nil)
	}
	start := time.Now()
	h.Start(t, w, h.Many...)
	w.all(t, "hundred addresses", func(s []corev1.Service) bool {
		return len(s) == 100 && !slices.ContainsFunc(s, func(s corev1.Service) bool { return len(s.Status.LoadBalancer.Ingress) == 0 })
	})
	took := time.Since(start)
	ips, balancers, groups := w.Azure.Writes(armid.PublicIPAddresses), w.Azure.Writes(armid.LoadBalancers), w.Azure.Writes(armid.NetworkSecurityGroups)
	t.Logf("%d public IP writes, %d of load balancers, %d of security groups; %v to the last status, %v if all were made one after the other",
		ips, balancers, groups, took, 100*latency[armid.PublicIPAddresses]+100*latency[armid.LoadBalancers]+100*latency[armid.NetworkSecurityGroups])
	if ips != 100 || balancers > 5 || groups > 5 {
		t.Errorf("%d writes of public IPs, %d of load balancers, %d of security groups; want 100 and at most 5 of each", ips, balancers, groups)
	}
	for i := range 100 {
		w.Remove(t, fmt.Sprintf("web-%d", i))
	}
	w.all(t, "end of all Services", func(s []corev1.Service) bool { return len(s) == 0 })
	if left := w.Azure.Left(); len(left) != 0 {
		t.Errorf("left in Azure: %v", left)
	}
}

// change creates, deletes or edits one of eight Services. alive says which there are.
func change(t *testing.T, w *World, rng *rand.Rand, alive map[string]bool, port int32) {
	t.Helper()
	name := fmt.Sprintf("web-%d", rng.IntN(8))
	switch {
	case !alive[name]:
		w.Gone(t, w.Name(name))
		w.Service(t, name, nil)
		alive[name] = true
	case rng.IntN(3) == 0:
		w.Remove(t, name)
		alive[name] = false
	case rng.IntN(2) == 0:
		internal := fmt.Sprint(rng.IntN(2) == 0)
		w.Edit(t, name, func(s *corev1.Service) { Annotate(s, annotations.KeyInternal, internal) })
	default:
		w.Edit(t, name, func(s *corev1.Service) { s.Spec.Ports[0].Port = port })
	}
}

// killed kills the manager at random moments during fifty changes.
func (h Host) killed(t *testing.T) {
	const seed = 20261127
	rng := rand.New(rand.NewPCG(seed, 0))
	w := NewWorld(t, h.Class, map[string]time.Duration{armid.PublicIPAddresses: 20 * time.Millisecond, armid.LoadBalancers: 50 * time.Millisecond}, nil)
	manager := h.Start(t, w)
	alive := map[string]bool{}
	for i := range 50 {
		change(t, w, rng, alive, int32(8000+i))
		if i%5 == 4 { // at any point of a start, a plan or a write
			select {
			case <-time.After(time.Duration(rng.IntN(1500)) * time.Millisecond):
			case <-manager.Done():
				t.Fatal("the manager has ended")
			}
			manager.Kill()
			manager = h.Start(t, w)
		}
	}
	for name, there := range alive {
		if there {
			w.Ready(t, w.Name(name), 1)
		}
	}
	harness.Eventually(t, "nothing to do", func() bool { return len(w.Plan(t).Steps) == 0 })
	for name := range alive {
		w.Remove(t, name)
	}
	for name := range alive {
		w.Gone(t, w.Name(name))
	}
	if left := w.Azure.Left(); len(left) != 0 {
		t.Errorf("left in Azure: %v", left)
	}
}
