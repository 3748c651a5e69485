package lb_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// adopted is a state that upstream leaves: what azlb makes of before, with edit after it, and then the objects that upstream has had there.
type adopted struct {
	name   string
	kind   lb.Correction
	before func(*lb.Objects)
	edit   func(t *testing.T, cloud *fake.Cloud, c lb.Cluster, in lb.Objects)
	after  func(*lb.Objects)
	field  string // of the finding
	text   string // in the finding
	fixed  string // in the state once it is corrected
	gone   string // not in that state any more
}

func annotated(key, value string) func(*lb.Objects) {
	return func(in *lb.Objects) { lbtest.Annotate(key, value)(&in.Services[0]) }
}

const nodePortRule = "k8s-azure-lb_allow_IPv6_"

// editRules changes the rules of the security group.
func editRules(t *testing.T, cloud *fake.Cloud, c lb.Cluster, in lb.Objects, edit func(lb.SecurityRule) (lb.SecurityRule, bool)) {
	t.Helper()
	for _, r := range observed(t, cloud, c, in).SecurityGroups[0].Rules {
		changed, ok := edit(r)
		if !ok {
			continue
		}
		id := c.SecurityGroup.Child(armid.SecurityRules, changed.Name)
		if len(changed.Destinations) == 0 {
			if err := cloud.Delete(id); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var to, from, ports []any
		for _, a := range changed.Destinations {
			to = append(to, a.String())
		}
		for _, s := range changed.Sources {
			from = append(from, s)
		}
		for _, p := range changed.Ports {
			ports = append(ports, p)
		}
		body := map[string]any{
			"access": changed.Access, "direction": "Inbound", "protocol": changed.Protocol, "priority": int(changed.Priority), "sourcePortRange": "*",
			"destinationAddressPrefixes": to, "destinationPortRanges": ports,
		}
		if len(from) == 1 {
			body["sourceAddressPrefix"] = from[0]
		} else {
			body["sourceAddressPrefixes"] = from
		}
		if err := cloud.Put(id, map[string]any{"name": changed.Name, "properties": body}); err != nil {
			t.Fatal(err)
		}
	}
}

var adoptedStates = []adopted{
	{
		name: "internal in capitals", kind: lb.CorrectSpellings, after: annotated("azure-load-balancer-internal", "True"), field: annotations.KeyInternal,
		text: `azlb reads "True" as true`, fixed: "load balancer kubernetes-internal", gone: "load balancer kubernetes:",
	},
	{
		name: "internal with a blank", kind: lb.CorrectSpellings, after: annotated("azure-load-balancer-internal", " true"), field: annotations.KeyInternal,
		text: `azlb reads " true" as true`, fixed: "load balancer kubernetes-internal",
	},
	{
		name: "floating IP off with a blank", kind: lb.CorrectSpellings, after: annotated("azure-disable-load-balancer-floating-ip", "true "), field: annotations.KeyDisableFloatingIP,
		text: `azlb reads "true " as true`, fixed: "→ kubernetes 30000",
	},
	{
		name: "no security rules with a blank", kind: lb.CorrectSpellings, after: annotated("azure-disable-load-balancer-nsg-rule", " true"), field: annotations.KeyDisableNSGRule,
		text: `as true; the Service was set up as upstream reads it`, gone: "k8s-azure-lb_allow",
	},
	{
		name: "deny all with a blank", kind: lb.CorrectSpellings, before: annotated("azure-allowed-ip-ranges", "10.0.0.0/8"),
		after: annotated("azure-deny-all-except-load-balancer-source-ranges", " true"), field: annotations.KeyDenyAll, text: `as true; the Service was set up as upstream reads it`, fixed: "deny-all",
	},
	{
		name: "HA ports with a blank", kind: lb.CorrectSpellings, before: annotated("azure-load-balancer-internal", "true"),
		after: annotated("azure-load-balancer-enable-high-availability-ports", " true"), field: annotations.KeyHAPorts, text: `as true; the Service was set up as upstream reads it`, fixed: "All ",
	},
	{
		name: "no rule for a port with a blank", kind: lb.CorrectSpellings, after: annotated("port_80_no_lb_rule", " true"), field: annotations.PortKey(annotations.KeyPortNoRule, 80),
		text: `as true; the Service was set up as upstream reads it`, gone: "-TCP-80:",
	},
	{
		name: "public IP with a blank", kind: lb.CorrectSpellings, after: annotated("azure-pip-name", "mine "), field: annotations.KeyPIPName,
		text: `azlb reads "mine " as "mine"`, fixed: "public IP mine: 20.1.1.1 Standard on",
	},
	{
		name: "address with a blank", kind: lb.CorrectSpellings, before: annotated("azure-load-balancer-internal", "true"),
		after: annotated("azure-load-balancer-ipv4", " 10.1.7.7"), field: annotations.KeyIPv4, text: `as "10.1.7.7"; the Service was set up`, fixed: "10.1.7.7",
	},
	{
		name: "subnet with a blank", kind: lb.CorrectSpellings, before: annotated("azure-load-balancer-internal", "true"),
		after: annotated("azure-load-balancer-internal-subnet", "apps "), field: annotations.KeySubnet, text: `as "apps"; the Service was set up`, fixed: "-apps",
	},
	{
		name: "additional address with a blank", kind: lb.CorrectSpellings, before: annotated("azure-additional-public-ips", "20.5.5.5"),
		after: annotated("azure-additional-public-ips", "20.5.5.5, 20.5.5.6"), field: annotations.KeyAdditionalPublicIPs, text: "azlb reads", fixed: "20.5.5.6",
	},
	{
		name: "node ports of the other family", kind: lb.CorrectNodePorts, before: annotated("azure-disable-load-balancer-floating-ip", "true"),
		edit: func(t *testing.T, cloud *fake.Cloud, c lb.Cluster, in lb.Objects) {
			editRules(t, cloud, c, in, func(r lb.SecurityRule) (lb.SecurityRule, bool) {
				r.Name, r.Priority = strings.Replace(r.Name, "_IPv4_", "_IPv6_", 1), r.Priority+1
				r.Destinations = nil
				for _, n := range in.Nodes {
					r.Destinations = append(r.Destinations, lb.Address{Text: n.Status.Addresses[1].Address})
				}
				return r, true
			})
		},
		field: annotations.KeyDisableFloatingIP, text: "close its node ports on 2 IPv6 addresses", gone: nodePortRule,
	},
	{
		name: "denial lost on a shared address", kind: lb.CorrectSharedDenials,
		before: func(in *lb.Objects) {
			in.Services = append(in.Services, lbtest.Service(1, lbtest.Port(81)))
			for i := range in.Services {
				lbtest.Annotate("azure-pip-name", "mine")(&in.Services[i])
			}
			annotated("azure-allowed-ip-ranges", "10.0.0.0/8")(in)
			annotated("azure-deny-all-except-load-balancer-source-ranges", "true")(in)
		},
		edit: func(t *testing.T, cloud *fake.Cloud, c lb.Cluster, in lb.Objects) {
			editRules(t, cloud, c, in, func(r lb.SecurityRule) (lb.SecurityRule, bool) {
				r.Destinations = nil
				return r, r.Access == "Deny"
			})
		},
		field: annotations.KeyAllowedIPRanges, text: "deny everything else on 20.1.1.1", fixed: "deny-all",
	},
}

// TestCorrect: what upstream left stays as it is, and a finding says what would change, until the kind is corrected.
func TestCorrect(t *testing.T) {
	covered := map[lb.Correction]bool{}
	for _, c := range adoptedStates {
		covered[c.kind] = true
		t.Run(c.name, func(t *testing.T) {
			cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
			putPublicIP(t, cloud, "mine", "20.1.1.1", nil)
			in := lb.Objects{Services: []corev1.Service{lbtest.Service(0)}, Nodes: lbtest.Nodes(2)}
			if c.before != nil {
				c.before(&in)
			}
			settled(t, cloud, cluster, in)
			if c.edit != nil {
				c.edit(t, cloud, cluster, in)
			}
			if c.after != nil {
				c.after(&in)
			}

			left := cloud.String()
			report := settled(t, cloud, cluster, in)
			if d := cmp.Diff(left, cloud.String()); d != "" {
				t.Errorf("uncorrected state in Azure (-want +got):\n%s", d)
			}
			if s := report.Services[nameOf(in.Services[0])]; s.Status == nil || len(s.Status.Ingress) == 0 {
				t.Errorf("got status %+v, want the addresses that the Service had", s.Status)
			}
			if !slices.ContainsFunc(report.Findings, func(f lb.Finding) bool {
				return errors.Is(f.Err, lb.ErrUncorrected) && f.Service == nameOf(in.Services[0]) && f.Field == "metadata.annotations["+c.field+"]" &&
					strings.Contains(f.Err.Error(), c.text) && strings.Contains(f.Err.Error(), fmt.Sprintf("enable the correction %q", c.kind))
			}) {
				t.Errorf("got findings %v, want one about %s that says %q and names the correction %q", report.Findings, c.field, c.text, c.kind)
			}

			for _, other := range lb.Corrections() {
				if other != c.kind {
					cluster.Correct = append(cluster.Correct, other)
				}
			}
			settled(t, cloud, cluster, in)
			if d := cmp.Diff(left, cloud.String()); d != "" {
				t.Errorf("state with only the other corrections, %v (-want +got):\n%s", cluster.Correct, d)
			}
			cluster.Correct = []lb.Correction{c.kind}
			report = settled(t, cloud, cluster, in)
			now := cloud.String()
			if !strings.Contains(now, c.fixed) || c.gone != "" && strings.Contains(now, c.gone) || now == left {
				t.Errorf("got after the correction, want %q in it and %q not (- before, + after):\n%s", c.fixed, c.gone, cmp.Diff(left, now))
			}
			if strings.Contains(fmt.Sprint(report.Findings), lb.ErrUncorrected.Error()) {
				t.Errorf("got findings %v after the correction, want none that says %q", report.Findings, lb.ErrUncorrected)
			}
			cluster.Correct = nil
			settled(t, cloud, cluster, in)
			if d := cmp.Diff(now, cloud.String()); d != "" {
				t.Errorf("state once the correction is switched off again (-want +got):\n%s", d)
			}
		})
	}
	for _, kind := range lb.Corrections() {
		if !covered[kind] {
			t.Errorf("got no state in adoptedStates for correction %s, want at least one", kind)
		}
	}
}

// TestDenialReturnsWithTheLastGuest: a Service denies on its address in the plan in which the last one that shares it leaves, not in the next.
func TestDenialReturnsWithTheLastGuest(t *testing.T) {
	cloud, cluster := lbtest.Cloud(), lbtest.Cluster()
	state := adoptedStates[slices.IndexFunc(adoptedStates, func(a adopted) bool { return a.kind == lb.CorrectSharedDenials })]
	putPublicIP(t, cloud, "mine", "20.1.1.1", nil)
	in := lb.Objects{Services: []corev1.Service{lbtest.Service(0)}, Nodes: lbtest.Nodes(2)}
	state.before(&in)
	settled(t, cloud, cluster, in)
	state.edit(t, cloud, cluster, in)
	settled(t, cloud, cluster, in)

	guest := &in.Services[1]
	delete(guest.Annotations, annotations.KeyPIPName)
	lbtest.Annotate("azure-load-balancer-internal", "true")(guest)
	report := settled(t, cloud, cluster, in)
	if now := cloud.String(); !strings.Contains(now, "deny-all") {
		t.Errorf("got no denial:\n%s\nwant one for 20.1.1.1 in the plan in which the guest leaves", now)
	}
	if text := fmt.Sprint(report.Findings); strings.Contains(text, lb.ErrUncorrected.Error()) {
		t.Errorf("got findings %s, want none that something is kept as upstream left it", text)
	}
}

// TestNewServicesNeedNoCorrection: a Service that is not there yet gets what azlb gives.
func TestNewServicesNeedNoCorrection(t *testing.T) {
	cloud := lbtest.Cloud()
	settled(t, cloud, lbtest.Cluster(), lb.Objects{
		Services: []corev1.Service{lbtest.Service(0, lbtest.Annotate("azure-load-balancer-internal", "True"))}, Nodes: lbtest.Nodes(1),
	})
	if s := cloud.String(); !strings.Contains(s, "load balancer kubernetes-internal") || strings.Contains(s, "load balancer kubernetes:") {
		t.Errorf("want it internal:\n%s", s)
	}
}
