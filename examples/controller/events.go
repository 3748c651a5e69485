package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/azlb/azlb/examples/internal/findings"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// narrator makes Events of what the Reconciler tells about Services, and counts the rest.
type narrator struct {
	reader   client.Reader // the cache, which answers at once
	recorder events.EventRecorder
	metrics  *eventMetrics
	told     findings.Told
}

// tell is provider.Options.OnEvent. The library tells what concerns a Service once, until it changes.
func (n *narrator) tell(e provider.Event) {
	n.metrics.count(e)
	switch e := e.(type) {
	case provider.ServiceConverged:
		n.write(e.Service, corev1.EventTypeNormal, "Converged", "Azure has all that it asks for"+addresses(e.Status))
	case provider.ServiceHeld:
		for _, f := range e.Findings {
			n.write(e.Service, corev1.EventTypeWarning, "Held", findings.Text(f))
		}
		if e.Err != nil {
			n.write(e.Service, corev1.EventTypeWarning, "Held", e.Err.Error())
		}
	case provider.ServiceFailed:
		n.write(e.Service, corev1.EventTypeWarning, "Failed", e.Err.Error())
	case provider.ServiceRejected:
		n.write(e.Service, corev1.EventTypeWarning, "Rejected", e.Err.Error())
	}
}

// found makes Events of findings that no condition tells, once until they change.
func (n *narrator) found(of types.NamespacedName, list []lb.Finding) {
	for _, line := range n.told.News(of, findings.Texts(list)) {
		n.write(of, corev1.EventTypeWarning, "Found", line)
	}
}

func (n *narrator) write(name types.NamespacedName, kind, reason, note string) {
	var s corev1.Service
	if err := n.reader.Get(context.Background(), name, &s); err != nil {
		return // there is nobody to tell
	}
	n.recorder.Eventf(&s, nil, kind, reason, "Reconcile", "%s", findings.Cut(note, findings.MostNote))
}

func addresses(status corev1.LoadBalancerStatus) string {
	out := ""
	for i, in := range status.Ingress {
		if out += ", "; i == 0 {
			out = ": "
		}
		out += in.IP
	}
	return out
}
