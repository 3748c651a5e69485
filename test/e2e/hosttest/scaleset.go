package hosttest

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/test/e2e/harness"
)

// attached says how many instances of scale sets are in a pool, and how many models are, as text.
func attached(seen lb.Observed) string {
	instances, models := 0, 0
	for _, nic := range seen.Interfaces {
		for _, c := range nic.IPConfigurations {
			switch {
			case len(c.Pools) == 0:
			case nic.Model:
				models++
			default:
				instances++
			}
		}
	}
	return fmt.Sprintf("%d instances and %d models", instances, models)
}

// scaleSets is the default of AKS: nodes are instances of a scale set, and pools hold their network interfaces. Nothing but azure.json says so.
func (h Host) scaleSets(t *testing.T) {
	w := NewWorld(t, h.Class, nil, map[string]any{"loadBalancerBackendPoolConfigurationType": "nodeIPConfiguration", "vmType": "vmss"})
	w.Azure.ScaleSet(t)
	w.Azure.Instance(t, 1)
	w.Azure.Instance(t, 2)
	h.Start(t, w)
	in := func(want string) {
		t.Helper()
		harness.Eventually(t, "pool of "+want, func() bool { return attached(w.Observe(t)) == want })
	}
	w.Service(t, "web", nil)
	w.Ready(t, w.Name("web"), 1)
	in("2 instances and 1 models")
	w.Azure.Instance(t, 3)
	third := w.Node(t, 3)
	in("3 instances and 1 models")
	third.Labels[corev1.LabelNodeExcludeBalancers] = "true"
	if _, err := w.Client.CoreV1().Nodes().Update(t.Context(), third, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	in("2 instances and 1 models")
	w.Remove(t, "web")
	w.Gone(t, w.Name("web"))
	if got, want := attached(w.Observe(t)), "0 instances and 0 models"; got != want {
		t.Errorf("in pools after the last Service: %s, want %s", got, want)
	}
	if left := w.Azure.Left(); len(left) != 0 {
		t.Errorf("left in Azure: %v", left)
	}
}
