package lb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
)

// desired turns the draft into the result of [Build].
func (d *outline) desired() Desired {
	want := Desired{RemoveTags: d.removeTag}
	for _, id := range d.ourBalancers() {
		l, gone, ok := d.wantBalancer(d.balancer(id))
		if ok {
			want.LoadBalancers = append(want.LoadBalancers, l)
			if d.outdated(d.balancer(id)) {
				want.Recreate = append(want.Recreate, l.ID)
			}
		}
		want.Remove = append(want.Remove, gone...)
	}
	for _, p := range sortedValues(d.publicIPs, func(a, b *publicIPDraft) int { return armid.Compare(a.id, b.id) }) {
		if p.seen == nil && len(p.claimants) == 0 {
			continue
		}
		want.PublicIPs = append(want.PublicIPs, d.publicIPSpec(p))
		if p.recreate {
			want.Recreate = append(want.Recreate, p.id)
		}
		for _, s := range p.claimants {
			d.publicIPCauses(p.id, s)
		}
	}
	if g, gone, ok := d.wantSecurityGroup(); ok {
		want.SecurityGroups = append(want.SecurityGroups, g)
		want.Remove = append(want.Remove, gone...)
	}
	want.PrivateLinkServices, want.Subnets, want.Interfaces = d.links, d.subnets, d.wantInterfaces()
	d.warnRules(want.Interfaces)
	want.Migrate, want.RemoveLast = d.migrated, d.last
	want.Remove, want.Recreate = append(want.Remove, d.remove...), append(want.Recreate, d.relink...)
	slices.SortFunc(want.Remove, armid.Compare)
	want.Causes = d.causes
	uses := d.usesOf(want.LoadBalancers)
	d.checkReached(want.LoadBalancers, uses)
	for _, s := range d.services {
		r := d.results[s.name]
		if r == nil {
			if s.wanted && s.ours {
				want.Services = append(want.Services, ServiceResult{Service: s.name, Held: s.held, Uses: uses[s.base]})
			}
			continue
		}
		result := ServiceResult{Service: s.name, Held: r.held, PrivateLink: d.linkOf(s), Uses: uses[s.base]}
		told := map[Address]bool{}
		for _, in := range r.ingress {
			if !told[in.address] {
				told[in.address] = true
				result.Ingress = append(result.Ingress, in.address)
			}
		}
		if s.wanted {
			want.Services = append(want.Services, result)
		}
	}
	d.warn()
	return want
}

// usesOf lists by base name what traffic to a Service gets to it through, held Services included.
func (d *outline) usesOf(balancers []LoadBalancer) map[string][]ID {
	uses := map[string][]ID{}
	for _, l := range balancers {
		frontends := frontendKind.byName(l.Frontends)
		for _, r := range l.Rules {
			base := d.owner(r.Name)
			ids := []ID{
				l.ID.Child(armid.LoadBalancingRules, r.Name), l.ID.Child(armid.FrontendIPConfigurations, r.Frontend),
				l.ID.Child(armid.BackendAddressPools, r.Pool),
			}
			if r.Probe != "" {
				ids = append(ids, l.ID.Child(armid.Probes, r.Probe))
			}
			if ip := frontends[strings.ToLower(r.Frontend)].PublicIP; ip != "" {
				ids = append(ids, ip)
			}
			uses[base] = append(uses[base], ids...)
		}
	}
	for base, ids := range uses {
		slices.SortFunc(ids, armid.Compare)
		uses[base] = slices.CompactFunc(ids, ID.Equal)
	}
	return uses
}

func (d *outline) publicIPCauses(id ID, s *service) {
	for field, key := range map[string]string{
		"DNSLabel": annotations.KeyDNSLabel, "IPTags": annotations.KeyPIPIPTags, "Tags": annotations.KeyPIPTags,
	} {
		if _, ok := s.obj.Annotations[key]; ok {
			d.because(id.Key()+"#"+field, Cause{Service: s.name, Field: annotationField(key), Reason: ReasonService})
		}
	}
}

// warn adds the findings about the cluster as a whole.
func (d *outline) warn() {
	served := 0
	for _, s := range d.services {
		if !s.wanted || !s.ours || s.held {
			continue
		}
		served++
		if a := s.cfg.Access; d.c.SecurityGroup == "" && (len(a.Ranges)+len(a.ServiceTags) > 0 || a.Closed) {
			d.findings = append(d.findings, Finding{Service: s.name, Field: s.sourceField(), Severity: SeverityError, Err: fmt.Errorf("%w: the sources are not restricted; set securityGroupName", ErrExposure)})
		}
		d.warnSCTP(s)
		if !d.usableNode() {
			d.findings = append(d.findings, Finding{Service: s.name, Severity: SeverityWarning, Err: fmt.Errorf("%w: pools keep the members they have", ErrNoNodes)})
		}
	}
	if served == 0 {
		return
	}
	if d.c.UnknownSKU != "" {
		d.findings = append(d.findings, Finding{Field: "loadBalancerSku", Severity: SeverityError, Err: fmt.Errorf("%w: %q: unknown SKU, treated as basic like upstream; want standard or basic", ErrConfiguration, d.c.UnknownSKU)})
	}
	if d.c.Basic {
		d.findings = append(d.findings, Finding{Field: "loadBalancerSku", Severity: SeverityWarning, Err: fmt.Errorf("%w: new basic load balancers and public IPs have been retired since 2025-09-30; use standard", ErrMayRefuse)})
	}
	if d.c.SecurityGroup == "" {
		d.findings = append(d.findings, Finding{Field: "securityGroupName", Severity: SeverityWarning, Err: fmt.Errorf("%w: the configuration names no security group, so nothing is allowed or denied", ErrExposure)})
	}
	if nodes := d.unattached(); d.c.PoolType == PoolInterfaces && len(nodes) > 0 {
		d.findings = append(d.findings, Finding{
			Field: poolTypeField, Severity: SeverityWarning,
			Err: fmt.Errorf("%w: %s: no network interface of the machine is known; check spec.providerID and the permission to read network interfaces, attach the machine by other means, or set nodeIP", ErrUnattached, nodeNames(nodes)),
		})
	}
}

// warnSCTP says that Azure documents rules for every protocol only for all ports at once: it has the last word.
func (d *outline) warnSCTP(s *service) {
	m := ruleMaker{c: d.c, svc: s.obj, cfg: s.cfg}
	for i, p := range s.obj.Spec.Ports {
		if p.Protocol == corev1.ProtocolSCTP && !m.haPorts() && !s.cfg.Ports[p.Port].NoRule {
			d.findings = append(d.findings, Finding{
				Service: s.name, Field: "spec.ports[" + strconv.Itoa(i) + "].protocol", Severity: SeverityWarning,
				Err: fmt.Errorf("%w: SCTP needs a rule for all protocols, which is documented only together with all ports; if it refuses, set %s to \"true\"", ErrMayRefuse, annotations.KeyHAPorts),
			})
		}
	}
}

// unattached returns the nodes whose membership somebody else has to look after.
func (d *outline) unattached() []corev1.Node {
	return slices.DeleteFunc(slices.Clone(d.in.Nodes), func(n corev1.Node) bool {
		return !d.attachable(n) || d.interfaceOf(n) != nil || d.unreadMember(n) != nil
	})
}
