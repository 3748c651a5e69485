package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

func service(set map[string]string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Generation: 7, Annotations: set},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 80, Protocol: corev1.ProtocolTCP}}},
	}
}

func TestConditionOf(t *testing.T) {
	held := lb.Finding{Field: "spec.ports[0]", Severity: lb.SeverityError, Holds: true, Err: errors.New("port 80 is taken")}
	warning := lb.Finding{Field: "spec.type", Severity: lb.SeverityWarning, Err: errors.New("no usable node")}
	closed := lb.Finding{Field: "metadata.annotations[ranges]", Severity: lb.SeverityError, Err: errors.New("nobody is let in")}
	refused := &provider.OpError{Kind: provider.Terminal, Code: "PublicIPCountLimitReached"}
	for _, tt := range []struct {
		name   string
		result provider.ServiceReport
		err    error
		status metav1.ConditionStatus
		reason string
		part   string // of the message
	}{
		{"served", provider.ServiceReport{}, nil, metav1.ConditionTrue, reasonProgrammed, ""},
		{"served with a warning", provider.ServiceReport{Findings: []lb.Finding{warning}}, nil, metav1.ConditionTrue, reasonProgrammed, "spec.type: no usable node"},
		{"held", provider.ServiceReport{Held: true, Findings: []lb.Finding{warning, held}}, provider.ErrHeld, metav1.ConditionFalse, reasonHeld, "port 80"},
		{"held, and warned of something else", provider.ServiceReport{Held: true, Findings: []lb.Finding{warning, held}}, provider.ErrHeld, metav1.ConditionFalse, reasonHeld, "spec.ports[0]: port 80 is taken\nspec.type: no usable node"},
		{"served, with an error that holds nothing", provider.ServiceReport{Findings: []lb.Finding{warning, closed}}, nil, metav1.ConditionFalse, reasonMisconfigured, "nobody is let in\nspec.type: no usable node"},
		{"failed, with a warning", provider.ServiceReport{Findings: []lb.Finding{warning}}, provider.ErrUnresolved, metav1.ConditionFalse, reasonPending, "\nspec.type: no usable node"},
		{"refused", provider.ServiceReport{Held: true, Err: refused}, errors.Join(refused, provider.ErrHeld), metav1.ConditionFalse, reasonRefused, "PublicIPCountLimitReached"},
		{"after a Sync", provider.ServiceReport{Err: &provider.OpError{Kind: provider.Retry, Code: "TooManyRequests"}}, nil, metav1.ConditionFalse, reasonPending, "TooManyRequests"},
		{"not known", provider.ServiceReport{}, provider.ErrUnresolved, metav1.ConditionFalse, reasonPending, "address not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := service(nil)
			got := conditionOf(s, tt.result, tt.err)
			if got.Status != tt.status || got.Reason != tt.reason || !strings.Contains(got.Message, tt.part) || got.ObservedGeneration != 7 {
				t.Errorf("got %+v", got)
			}
			if tt.status == metav1.ConditionTrue && tt.part == "" && got.Message != "" {
				t.Errorf("message %q", got.Message)
			}
		})
	}
	if got := conditionOf(service(map[string]string{annotations.KeySubnet: "apps"}), provider.ServiceReport{}, nil); !strings.Contains(got.Message, annotations.KeySubnet) {
		t.Errorf("a key without effect is not told: %+v", got)
	}
}

func TestNext(t *testing.T) {
	throttled := &provider.OpError{Kind: provider.Retry, RetryAfter: 90 * time.Second}
	for _, tt := range []struct {
		name      string
		err, told error
		after     time.Duration
		fails     bool
	}{
		{"all well", nil, nil, 0, false},
		{"Azure says when", throttled, nil, 90 * time.Second, false},
		{"held", provider.ErrHeld, nil, heldRetry, false},
		{"something else", errors.New("no route"), nil, 0, true},
		{"the status was not written", provider.ErrHeld, errors.New("conflict"), 0, true},
	} {
		got, err := next(tt.err, tt.told)
		if got.RequeueAfter != tt.after || (err != nil) != tt.fails {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}

func TestNodeChanges(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*corev1.Node)
		want   bool
	}{
		"heartbeat": {func(n *corev1.Node) { n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady}} }, false},
		"address": {func(n *corev1.Node) {
			n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}
		}, true},
		"label":    {func(n *corev1.Node) { n.Labels = map[string]string{corev1.LabelNodeExcludeBalancers: ""} }, true},
		"taint":    {func(n *corev1.Node) { n.Spec.Taints = []corev1.Taint{{Key: "ToBeDeletedByClusterAutoscaler"}} }, true},
		"machine":  {func(n *corev1.Node) { n.Spec.ProviderID = "azure:///x" }, true},
		"deletion": {func(n *corev1.Node) { n.DeletionTimestamp = &metav1.Time{Time: time.Now()} }, true},
	} {
		is := &corev1.Node{}
		tt.change(is)
		if got := nodeChanges.Update(event.UpdateEvent{ObjectOld: &corev1.Node{}, ObjectNew: is}); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
