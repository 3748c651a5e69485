package lb

import (
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
)

// Source is the kind of place that a value comes from; it is interface.
type Source string

// The sources.
const (
	SourceAnnotation    Source = "annotation"    // of the Service
	SourceSpec          Source = "spec"          // another field of the Service
	SourceConfiguration Source = "configuration" // a key of azure.json, or a flag of the controllers
	SourceNamespace     Source = "namespace"     // labels of the Service's Namespace
	SourceNodes         Source = "nodes"         // Nodes, and EndpointSlices
	SourceDefault       Source = "default"
	SourceObserved      Source = "observed" // Azure has it so already
	SourceAzure         Source = "azure"    // Azure decides
)

// Origin is where a value comes from.
type Origin struct {
	Source Source
	// Field is the path in the Service, or the key of azure.json; empty where there is none.
	Field string
	// Note says more, for people; mostly empty.
	Note string
}

// String returns the origin as Explain prints it: "metadata.annotations[…]", "azure.json subnetName", "default: the note".
func (o Origin) String() string {
	text := fieldText(o.Field)
	if text == "" {
		text = map[Source]string{SourceObserved: "as it is", SourceAzure: "Azure chooses", SourceNamespace: "labels of the Namespace"}[o.Source]
	}
	if text == "" {
		text = string(o.Source)
	}
	switch {
	case o.Note == "":
		return text
	case o.Source == SourceObserved && o.Field == "":
		return o.Note
	default:
		return text + ": " + o.Note
	}
}

var byDefault = Origin{Source: SourceDefault}

func annotated(key string) Origin {
	return Origin{Source: SourceAnnotation, Field: annotationField(key)}
}

// fieldOrigin is the origin that a field is.
func fieldOrigin(field string) Origin {
	key, _, _ := strings.Cut(field, "[")
	switch {
	case field == "":
		return byDefault
	case strings.HasPrefix(field, "metadata.annotations"):
		return Origin{Source: SourceAnnotation, Field: field}
	case configurationKeys[key]:
		return Origin{Source: SourceConfiguration, Field: field}
	default:
		return Origin{Source: SourceSpec, Field: field}
	}
}

// firstOrigin goes with [first]: the annotation of the port, else that of the Service, else the default.
func firstOrigin[T any](own *T, ownKey string, port int32, all *T, allKey string) Origin {
	switch {
	case own != nil:
		return annotated(annotations.PortKey(ownKey, port))
	case all != nil:
		return annotated(allKey)
	default:
		return byDefault
	}
}

// textOrigin is the annotation if the Service has it, else otherwise. It is for annotations that hold the Service if they are unusable.
func textOrigin(svc *corev1.Service, key string, otherwise Origin) Origin {
	if _, ok := svc.Annotations[key]; ok {
		return annotated(key)
	}
	return otherwise
}

// boolOrigin is the annotation if it says true or false, else the default, which is what an unusable one means.
func boolOrigin(svc *corev1.Service, key string) Origin {
	v := strings.TrimSpace(svc.Annotations[key])
	if strings.EqualFold(v, "true") || strings.EqualFold(v, "false") {
		return annotated(key)
	}
	return byDefault
}

// origins are where settings come from, by the thing they are of and the field. Nil ones take no notes.
type origins map[string]map[string]Origin

func newOrigins(traced bool) origins {
	if !traced {
		return nil
	}
	return origins{}
}

func (o origins) note(of, field string, from Origin) {
	if o == nil {
		return
	}
	if o[of] == nil {
		o[of] = map[string]Origin{}
	}
	o[of][field] = from
}

// noteRule notes what rules of both kinds have in common; why is for their probe, or for there being none.
func (m ruleMaker) noteRule(out *portRules, r Rule, why Origin) {
	if !m.traced {
		return
	}
	note := func(field string, from Origin) { out.origins.note("rule "+r.Name, field, from) }
	note("Probe", why)
	note("IdleMinutes", textOrigin(m.svc, keyIdle, byDefault))
	note("TCPReset", boolOrigin(m.svc, keyReset))
	note("FloatingIP", boolOrigin(m.svc, keyFloating))
	note("DisableOutboundSNAT", byDefault)
	if m.c.DisableOutboundSNAT {
		note("DisableOutboundSNAT", fieldOrigin("disableOutboundSNAT"))
	}
	note("Distribution", byDefault)
	if m.svc.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		note("Distribution", fieldOrigin("spec.sessionAffinity"))
	}
}

// notePort notes what the rule of one port has.
func (m ruleMaker) notePort(out *portRules, r Rule, field string) {
	if !m.traced {
		return
	}
	note := func(setting string, from Origin) { out.origins.note("rule "+r.Name, setting, from) }
	note("FrontendPort", fieldOrigin(field+".port"))
	note("Protocol", fieldOrigin(field+".protocol"))
	note("BackendPort", Origin{SourceSpec, field + ".port", "floating IP"})
	switch {
	case r.FloatingIP:
	case m.cfg.Rules.FloatingIP:
		note("FloatingIP", Origin{SourceDefault, "", "an internal IPv6 frontend cannot have it"})
		fallthrough
	default:
		note("BackendPort", fieldOrigin(field+".nodePort"))
	}
	if r.Protocol != TCP {
		note("TCPReset", Origin{SourceDefault, "", "TCP only"})
	} else if m.c.Basic {
		note("TCPReset", Origin{SourceConfiguration, "loadBalancerSku", "not on a basic load balancer"})
	}
}

// noteAllPorts notes what the rule of all ports has.
func (m ruleMaker) noteAllPorts(out *portRules, r Rule) {
	ha := annotated(annotations.KeyHAPorts)
	for _, field := range []string{"FrontendPort", "BackendPort", "Protocol"} {
		out.origins.note("rule "+r.Name, field, ha)
	}
	out.origins.note("rule "+r.Name, "FloatingIP", Origin{ha.Source, ha.Field, "always, with IPv4"})
	if !r.FloatingIP {
		out.origins.note("rule "+r.Name, "FloatingIP", Origin{SourceDefault, "", "an internal IPv6 frontend cannot have it"})
	}
}

// notePublic notes where a public frontend and its public IP come from.
func (d *outline) notePublic(s *service, p *part, fe Frontend, c publicIPClaim) {
	if !d.traced {
		return
	}
	of := string(p.balancer.id.Child(armid.FrontendIPConfigurations, fe.Name))
	chosen := fieldOrigin(c.field)
	if c.computed && c.prefix == "" {
		chosen.Note = "one of its own, named after cluster and uid"
	}
	p.origins.note(of, "PublicIP", chosen)
	p.origins.note(of, "Family", familyOrigin(s))
	ip := string(c.id)
	p.origins.note(ip, "Family", familyOrigin(s))
	p.origins.note(ip, "ResourceGroup", textOrigin(s.obj, annotations.KeyResourceGroup, fieldOrigin("resourceGroup")))
	was := Origin{Source: SourceObserved}
	if c.seen != nil && !c.recreate {
		for _, field := range []string{"SKU", "Allocation", "Zones", "Prefix", "IPTags", "DNSLabel"} {
			p.origins.note(ip, field, was)
		}
		if c.seen.SKU != d.c.sku() {
			p.origins.note(ip, "SKU", fieldOrigin("loadBalancerSku"))
		}
	} else {
		p.origins.note(ip, "SKU", Origin{SourceConfiguration, "loadBalancerSku", ""})
		p.origins.note(ip, "Allocation", byDefault)
		p.origins.note(ip, "Zones", Origin{SourceAzure, "", "all zones of the location"})
		p.origins.note(ip, "Prefix", chosen)
	}
	if s.cfg.PublicIP.DNSLabel != nil {
		p.origins.note(ip, "DNSLabel", annotated(annotations.KeyDNSLabel))
	}
	if s.cfg.PublicIP.SetIPTags && (c.seen == nil || c.recreate || d.c.MutateIPTags && !d.userAssigned(c.seen)) {
		p.origins.note(ip, "IPTags", annotated(annotations.KeyPIPIPTags))
	}
}

func familyOrigin(s *service) Origin {
	if len(s.obj.Spec.IPFamilies) == 0 {
		return byDefault
	}
	return fieldOrigin("spec.ipFamilies")
}

// notePrivate notes where a private frontend comes from.
func (d *outline) notePrivate(w internalWish, p *part, fe Frontend) {
	if !d.traced {
		return
	}
	of := string(p.balancer.id.Child(armid.FrontendIPConfigurations, fe.Name))
	old, was := w.l.named(fe.Name)
	kept := Origin{Source: SourceObserved}
	p.origins.note(of, "Family", familyOrigin(w.s))
	switch {
	case !fe.Subnet.Equal(w.subnet.ID):
		p.origins.note(of, "Subnet", kept)
	case w.s.cfg.Subnet != "":
		p.origins.note(of, "Subnet", annotated(annotations.KeySubnet))
	default:
		p.origins.note(of, "Subnet", fieldOrigin("subnetName"))
	}
	switch {
	case w.pinned.IsValid():
		p.origins.note(of, "Static", fieldOrigin(addressField(w.s, w.f)))
	case !fe.Static.IsValid():
		p.origins.note(of, "Static", Origin{Source: SourceAzure})
	case was && old == fe:
		p.origins.note(of, "Static", kept)
	case was || len(d.named[w.l.id.Key()][w.s.base]) > 0:
		p.origins.note(of, "Static", Origin{SourceObserved, "", "the address that the frontend had before it was made anew"})
	default:
		p.origins.note(of, "Static", fieldOrigin("status.loadBalancer.ingress"))
	}
	p.origins.note(of, "Zones", Origin{SourceAzure, "", "all zones of the location"})
	if was {
		p.origins.note(of, "Zones", kept)
	}
}

// enterOrigins takes over what was noted about a part that is entered.
func (d *outline) enterOrigins(p part) {
	enter := func(id ID, from map[string]Origin) {
		for field, o := range from {
			d.origins[id.Key()+"#"+field] = o
		}
	}
	for of, from := range p.origins {
		enter(ID(of), from)
	}
	for _, ports := range p.ports {
		for of, from := range ports.origins {
			kind, name := armid.LoadBalancingRules, strings.TrimPrefix(of, "rule ")
			if rest, ok := strings.CutPrefix(of, "probe "); ok {
				kind, name = armid.Probes, rest
			}
			enter(p.balancer.id.Child(kind, name), from)
		}
	}
}

// placement is why a Service is on its load balancer.
type placement struct {
	eligible []string // the load balancers that it may be on, if there are several
	among    Origin   // what says so
	from     Origin   // why this one
}

// selectedBy says by which labels a Service is selected.
func (p *placer) selectedBy(s *service) Origin {
	from := Origin{SourceConfiguration, multipleField, "by the labels of the Service"}
	for i := range p.entries {
		if sel := p.selectors[i].namespaces; sel != nil && sel.Matches(p.namespaceLabels(s)) {
			return Origin{SourceNamespace, "", "selected by multipleStandardLoadBalancerConfigurations[" + strconv.Itoa(i) + "]"}
		}
	}
	return from
}

// collectKeepers remembers the Services of bases that are held.
func (d *outline) collectKeepers(bases []string) {
	for _, base := range bases {
		if s := d.byBase[base]; s != nil && s.held && !slices.Contains(d.keeping, s) {
			d.keeping = append(d.keeping, s)
		}
	}
}

// takeKeepers returns the Services that were collected, and forgets them.
func (d *outline) takeKeepers() []*service {
	list := d.keeping
	d.keeping = nil
	return list
}

func (d *outline) noteKeepers(rule string, list []*service) {
	key := strings.ToLower(rule)
	for _, s := range list {
		if !slices.Contains(d.keepers[key], s) {
			d.keepers[key] = append(d.keepers[key], s)
		}
	}
}
