package harness

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The control plane has both families and gives finalizers their time; the Azure starts with what the seed has only.
func TestHarness(t *testing.T) {
	c, azure := Start(t), NewAzure(t, nil, nil)
	both := corev1.IPFamilyPolicyRequireDualStack
	s := c.Service(t, c.Namespace(t), "web", func(s *corev1.Service) { s.Spec.IPFamilyPolicy = &both })
	if len(s.Spec.ClusterIPs) != 2 || s.Spec.Ports[0].NodePort == 0 {
		t.Errorf("cluster addresses %v, ports %v", s.Spec.ClusterIPs, s.Spec.Ports)
	}
	if taints := c.Node(t, 1).Spec.Taints; len(taints) != 0 {
		t.Errorf("taints %v", taints)
	}
	if left := azure.Left(); len(left) != 0 {
		t.Errorf("resources %v", left)
	}
	if err := c.Client.CoreV1().Services(s.Namespace).Delete(t.Context(), s.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Gone(t, types.NamespacedName{Namespace: s.Namespace, Name: s.Name})
}
