package harness

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// Patience is how long waits take at most. It is no measure of speed: machines that build at the same time are slow.
const Patience = 2 * time.Minute

// Namespace creates a namespace of its own for a test.
func (c *ControlPlane) Namespace(t testing.TB) string {
	t.Helper()
	ns, err := c.Client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// Service creates a Service of type LoadBalancer with port 80, after changes by edit.
func (c *ControlPlane) Service(t testing.TB, namespace, name string, edit func(*corev1.Service)) *corev1.Service {
	t.Helper()
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Annotations: map[string]string{}},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP}},
		},
	}
	if edit != nil {
		edit(s)
	}
	made, err := c.Client.CoreV1().Services(namespace).Create(t.Context(), s, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Node creates a node of scale set nodes that is ready. n, from 1 to 200, makes its name and its addresses of both families.
func (c *ControlPlane) Node(t testing.TB, n int) *corev1.Node {
	t.Helper()
	name := fmt.Sprintf("node-%d", n)
	node, err := c.Client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
		Spec: corev1.NodeSpec{ProviderID: fmt.Sprintf("azure:///subscriptions/%s/resourceGroups/e2e/providers/Microsoft.Compute/virtualMachineScaleSets/nodes/virtualMachines/%d",
			subscription, n)},
		Status: corev1.NodeStatus{ // a kubelet too registers its node with it
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("10.1.0.%d", n+10)},
				{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("fd00:1:0:1::%x", n+10)},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// The admission chain of the API server marks new nodes as not ready; nobody is there to take the mark off.
	node.Spec.Taints = nil
	if node, err = c.Client.CoreV1().Nodes().Update(t.Context(), node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return node
}

// Endpoints creates a slice that has one ready endpoint of the Service on the node.
func (c *ControlPlane) Endpoints(t testing.TB, service *corev1.Service, node *corev1.Node) *discoveryv1.EndpointSlice {
	t.Helper()
	ready := true
	slice, err := c.Client.DiscoveryV1().EndpointSlices(service.Namespace).Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace, GenerateName: service.Name + "-", Labels: map[string]string{discoveryv1.LabelServiceName: service.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.244.0.10"}, NodeName: &node.Name, Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return slice
}

// WaitService watches a Service until done says so, and returns it; nil is a Service that is gone.
func (c *ControlPlane) WaitService(t testing.TB, name types.NamespacedName, what string, done func(*corev1.Service) bool) *corev1.Service {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, name.Name).String()
	services := c.Client.CoreV1().Services(name.Namespace)
	var last *corev1.Service
	check := func(s *corev1.Service) (bool, error) {
		last = s
		return done(s), nil
	}
	_, err := watchtools.UntilWithSync(ctx, &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			return services.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			return services.Watch(ctx, o)
		},
	}, &corev1.Service{}, func(store cache.Store) (bool, error) {
		if len(store.List()) == 0 {
			return check(nil)
		}
		return false, nil
	}, func(e watch.Event) (bool, error) {
		s, ok := e.Object.(*corev1.Service)
		if !ok || e.Type == watch.Deleted {
			s = nil
		}
		return check(s)
	})
	if err != nil {
		t.Fatalf("%s: %s: %v; last seen: %+v", name, what, err, last)
	}
	return last
}

// Ready waits until a Service has as many addresses as said.
func (c *ControlPlane) Ready(t testing.TB, name types.NamespacedName, addresses int) *corev1.Service {
	t.Helper()
	return c.WaitService(t, name, fmt.Sprintf("%d addresses", addresses), func(s *corev1.Service) bool {
		return s != nil && len(s.Status.LoadBalancer.Ingress) == addresses
	})
}

// Gone waits until a Service is gone, its finalizers with it.
func (c *ControlPlane) Gone(t testing.TB, name types.NamespacedName) {
	t.Helper()
	c.WaitService(t, name, "gone", func(s *corev1.Service) bool { return s == nil })
}

// Eventually waits until done says so.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s after %v", what, Patience)
		}
	}
}
