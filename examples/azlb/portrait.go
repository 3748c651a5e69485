package main

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// portrait is what one Service has or will have. It is what explain prints with -o json.
type portrait struct {
	Service       string                 `json:"service"`
	Summary       string                 `json:"summary"`
	Held          bool                   `json:"held"`
	LoadBalancer  *balancerPortrait      `json:"loadBalancer"`
	Frontends     []frontendPortrait     `json:"frontends"`
	Rules         []rulePortrait         `json:"rules"`
	Pools         []poolPortrait         `json:"pools"`
	SecurityRules []securityRulePortrait `json:"securityRules"`
	Findings      []finding              `json:"findings"`
}

type balancerPortrait struct {
	ID       lb.ID     `json:"id"`
	State    string    `json:"state"`
	Settings []setting `json:"settings"`
}

type frontendPortrait struct {
	Name       string    `json:"name"`
	Address    string    `json:"address"`
	Settings   []setting `json:"settings"`
	SharedWith []string  `json:"sharedWith"`
}

type rulePortrait struct {
	Name     string         `json:"name"`
	Summary  string         `json:"summary"`
	From     string         `json:"from"`
	Settings []setting      `json:"settings"`
	Probe    *probePortrait `json:"probe"`
	NoProbe  string         `json:"noProbe,omitempty"` // why there is none
}

type probePortrait struct {
	Name       string    `json:"name"`
	Why        string    `json:"why"`
	Settings   []setting `json:"settings"`
	SharedWith []string  `json:"sharedWith"`
}

type poolPortrait struct {
	Name       string   `json:"name"`
	Summary    string   `json:"summary"`
	SharedWith []string `json:"sharedWith"`
}

type securityRulePortrait struct {
	Name       string   `json:"name"`
	Summary    string   `json:"summary"`
	From       string   `json:"from"`
	SharedWith []string `json:"sharedWith"`
}

// setting is one value and the annotation, field or default that it comes from.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// painter draws the portrait of one Service from what is wanted.
type painter struct {
	c        lb.Cluster
	svc      *corev1.Service
	name     types.NamespacedName
	cfg      annotations.Config
	seen     lb.Observed
	want     lb.Desired
	findings []lb.Finding
	held     bool
	bases    map[string]types.NamespacedName // Services by base name
	ingress  map[types.NamespacedName][]lb.Address
}

func newPainter(c lb.Cluster, in lb.Objects, seen lb.Observed, svc *corev1.Service) *painter {
	want, findings := lb.Build(c, in, seen)
	p := &painter{
		c: c, svc: svc, name: nameOf(*svc), seen: seen, want: lb.Adopt(seen, want), findings: findings,
		bases: map[string]types.NamespacedName{}, ingress: map[types.NamespacedName][]lb.Address{},
	}
	p.cfg, _ = annotations.Parse(svc) // what is wrong with it is among the findings
	for _, s := range in.Services {
		p.bases[strings.ToLower(lb.Base(s.UID))] = nameOf(s)
	}
	for _, r := range p.want.Services {
		p.ingress[r.Service] = r.Ingress
	}
	return p
}

func (p *painter) paint() portrait {
	out := portrait{
		Service: p.name.String(), Frontends: []frontendPortrait{}, Rules: []rulePortrait{}, Pools: []poolPortrait{},
		SecurityRules: []securityRulePortrait{}, Findings: []finding{},
	}
	for _, f := range p.findings {
		if f.Service == p.name {
			out.Findings = append(out.Findings, newFinding(f))
		}
	}
	i := slices.IndexFunc(p.want.Services, func(r lb.ServiceResult) bool { return r.Service == p.name })
	if i < 0 {
		out.Summary = p.unserved()
		return out
	}
	p.held = p.want.Services[i].Held
	out.Held = p.held
	out.Summary = p.summary(p.want.Services[i])
	for _, l := range p.want.LoadBalancers {
		p.balancer(&out, l)
	}
	for _, g := range p.want.SecurityGroups {
		p.security(&out, g)
	}
	return out
}

// unserved says why a Service has nothing.
func (p *painter) unserved() string {
	switch {
	case p.svc.Spec.Type != corev1.ServiceTypeLoadBalancer:
		return "gets nothing: it is not of type LoadBalancer"
	case p.svc.DeletionTimestamp != nil:
		return "gets nothing: it is being deleted"
	default:
		return "gets nothing: its loadBalancerClass is not ours"
	}
}

func (p *painter) summary(r lb.ServiceResult) string {
	var list []string
	for _, a := range r.Ingress {
		list = append(list, a.String())
	}
	kind := "external"
	if p.cfg.Internal {
		kind = "internal"
	}
	text := kind + ", " + strings.Join(list, ", ")
	if len(list) == 0 {
		text = kind + ", no address"
	}
	switch {
	case r.Held && len(list) == 0:
		text += "; held: it gets nothing until the errors below are gone"
	case r.Held:
		text += "; held: it keeps what it has until the errors below are gone"
	}
	return text
}

// balancer draws our part of a load balancer, if the Service has rules or a frontend there.
func (p *painter) balancer(out *portrait, l lb.LoadBalancer) {
	var rules []lb.Rule
	frontends, pools := map[string]bool{}, map[string]bool{}
	for _, r := range l.Rules {
		if p.owner(r.Name) == p.name {
			rules = append(rules, r)
			frontends[strings.ToLower(r.Frontend)], pools[strings.ToLower(r.Pool)] = true, true
		}
	}
	for _, f := range l.Frontends {
		if p.owner(f.Name) == p.name && len(rules) == 0 {
			frontends[strings.ToLower(f.Name)] = true
		}
	}
	if len(frontends) == 0 {
		return
	}
	out.LoadBalancer = &balancerPortrait{ID: l.ID, State: p.balancerState(l.ID), Settings: p.balancerSettings()}
	for _, f := range l.Frontends {
		if frontends[strings.ToLower(f.Name)] {
			out.Frontends = append(out.Frontends, p.frontend(l, f))
		}
	}
	for _, r := range rules {
		out.Rules = append(out.Rules, p.rule(l, r))
	}
	for _, pool := range l.Pools {
		if pools[strings.ToLower(pool.Name)] {
			out.Pools = append(out.Pools, p.pool(l, pool))
		}
	}
}

// owner returns the Service that an object on a load balancer is named after.
func (p *painter) owner(name string) types.NamespacedName {
	name = strings.ToLower(name)
	for i := len(name); i > 0; i = strings.LastIndexByte(name[:i], '-') {
		if service, ok := p.bases[name[:i]]; ok {
			return service
		}
	}
	return types.NamespacedName{}
}

func (p *painter) balancerState(id lb.ID) string {
	if slices.ContainsFunc(p.seen.LoadBalancers, func(l lb.SeenLoadBalancer) bool { return l.ID.Equal(id) }) {
		return "there already"
	}
	return "to be created"
}

func (p *painter) balancerSettings() []setting {
	kind := "external"
	if p.cfg.Internal {
		kind = "internal"
	}
	name := setting{"name from", "the cluster name", "--cluster-name"}
	if p.c.LoadBalancerName != "" {
		name = setting{"name from", p.c.LoadBalancerName, "azure.json loadBalancerName"}
	}
	return []setting{{"kind", kind, p.annotation(annotations.KeyInternal, "default")}, name}
}

// annotation returns the path of key if the Service has it, else otherwise. What a held Service has comes from earlier values.
func (p *painter) annotation(key, otherwise string) string {
	if p.held {
		return "as it is"
	}
	if _, ok := p.svc.Annotations[key]; ok {
		return "metadata.annotations[" + key + "]"
	}
	return otherwise
}

func (p *painter) frontend(l lb.LoadBalancer, f lb.Frontend) frontendPortrait {
	id := l.ID.Child(armid.FrontendIPConfigurations, f.Name)
	out := frontendPortrait{Name: f.Name, Address: p.addressOf(l, f), SharedWith: p.others(func(r lb.Rule) bool {
		return strings.EqualFold(r.Frontend, f.Name)
	}, l)}
	add := func(name, value, from string) {
		if value != "" {
			out.Settings = append(out.Settings, setting{name, value, from})
		}
	}
	add("family", p.familyOf(f).String(), "spec.ipFamilies")
	if f.PublicIP == "" {
		subnet := p.annotation(annotations.KeySubnet, "azure.json subnetName")
		add("subnet", f.Subnet.Name(), subnet)
		if f.Static.IsValid() {
			add("pinned to", f.Static.String(), p.from(id, p.addressField(f.Family)))
		}
		add("zones", string(f.Zones), "all of the location when it was created")
		return out
	}
	add("public IP", f.PublicIP.Name(), p.from(f.PublicIP, p.from(id, "spec.type")))
	for _, ip := range p.want.PublicIPs {
		if ip.ID.Equal(f.PublicIP) {
			add("prefix", ip.Prefix.Name(), p.annotation(annotations.KeyPIPPrefix, annotations.KeyPIPPrefixIPv6))
			add("DNS label", ip.DNSLabel, p.annotation(annotations.KeyDNSLabel, "as it is"))
			add("zones", string(ip.Zones), "all of the location when it was created")
		}
	}
	return out
}

// familyOf returns the family of a frontend; that of a public one is its address's.
func (p *painter) familyOf(f lb.Frontend) ipam.Family {
	for _, ip := range p.want.PublicIPs {
		if ip.ID.Equal(f.PublicIP) {
			return ip.Family
		}
	}
	for _, ip := range p.seen.PublicIPs {
		if ip.ID.Equal(f.PublicIP) {
			return ip.Family
		}
	}
	return f.Family
}

// addressField names where a requested address comes from.
func (p *painter) addressField(f ipam.Family) string {
	key := annotations.KeyIPv4
	if f == ipam.IPv6 {
		key = annotations.KeyIPv6
	}
	if !p.cfg.Addresses.Of(f).IsValid() {
		return "kept"
	}
	return p.annotation(key, "spec.loadBalancerIP")
}

// addressOf is the address that a frontend has or will have.
func (p *painter) addressOf(l lb.LoadBalancer, f lb.Frontend) string {
	for _, ip := range p.seen.PublicIPs {
		if ip.ID.Equal(f.PublicIP) && ip.Address.IsValid() {
			return ip.Address.String()
		}
	}
	if f.Static.IsValid() {
		return f.Static.String()
	}
	for _, s := range p.seen.LoadBalancers {
		for name, a := range s.Assigned {
			if s.ID.Equal(l.ID) && strings.EqualFold(name, f.Name) && f.PublicIP == "" {
				return a.String()
			}
		}
	}
	return "(known after apply)"
}

// from returns the field by which this Service asks for id, else otherwise.
func (p *painter) from(id lb.ID, otherwise string) string {
	for _, c := range p.want.Causes[id.Key()] {
		if c.Service == p.name && c.Field != "" {
			return c.Field
		}
	}
	return otherwise
}

// others lists the other Services that have a rule of l for which uses holds.
func (p *painter) others(uses func(lb.Rule) bool, l lb.LoadBalancer) []string {
	names := []string{}
	for _, r := range l.Rules {
		if o := p.owner(r.Name); uses(r) && o != p.name && o.Name != "" {
			names = append(names, o.String())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *painter) pool(l lb.LoadBalancer, pool lb.Pool) poolPortrait {
	summary := plural(len(pool.Members), "member")
	switch {
	case pool.Interfaces:
		summary = "network interfaces of the nodes, which somebody else attaches (azure.json loadBalancerBackendPoolConfigurationType)"
	case len(pool.Members) > 0:
		summary += ": " + firstFew(memberTexts(pool.Members), 5)
	}
	return poolPortrait{pool.Name, summary, p.others(func(r lb.Rule) bool { return strings.EqualFold(r.Pool, pool.Name) }, l)}
}

func memberTexts(list []lb.Member) []string {
	var out []string
	for _, m := range list {
		text := m.IP.String()
		if m.Name != "" {
			text = m.Name + " (" + text + ")"
		}
		out = append(out, text)
	}
	return out
}

func firstFew(list []string, n int) string {
	if len(list) > n {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:n], ", "), len(list)-n)
	}
	return strings.Join(list, ", ")
}

// security draws the managed rules that let the Service's traffic in or keep it out.
func (p *painter) security(out *portrait, g lb.SecurityGroup) {
	for _, r := range g.Rules {
		id := g.ID.Child(armid.SecurityRules, r.Name)
		field := p.from(id, "")
		if field == "" && !p.leadsHere(r) {
			continue
		}
		drawn := securityRulePortrait{Name: r.Name, Summary: securityText(r), From: field, SharedWith: []string{}}
		for _, c := range p.want.Causes[id.Key()] {
			if c.Service != p.name && c.Service.Name != "" {
				drawn.SharedWith = append(drawn.SharedWith, c.Service.String())
			}
		}
		slices.Sort(drawn.SharedWith)
		drawn.SharedWith = slices.Compact(drawn.SharedWith)
		out.SecurityRules = append(out.SecurityRules, drawn)
	}
}

// leadsHere reports whether a security rule has an address of the Service as destination, and one of its ports.
func (p *painter) leadsHere(r lb.SecurityRule) bool {
	address := slices.ContainsFunc(r.Destinations, func(a lb.Address) bool { return slices.Contains(p.ingress[p.name], a) })
	port := slices.ContainsFunc(p.svc.Spec.Ports, func(port corev1.ServicePort) bool {
		return slices.Contains(r.Ports, fmt.Sprint(port.Port)) || slices.Contains(r.Ports, "*")
	})
	return address && port
}

func securityText(r lb.SecurityRule) string {
	var to []string
	for _, a := range r.Destinations {
		to = append(to, a.String())
	}
	protocol := r.Protocol
	if protocol == "*" {
		protocol = "any protocol"
	}
	text := fmt.Sprintf("%s %s from %s to %s port %s", strings.ToLower(r.Access), protocol, firstFew(r.Sources, 5), firstFew(to, 5),
		firstFew(r.Ports, 10))
	if r.Priority == 0 {
		return text // a new rule gets its priority when the plan is made
	}
	return fmt.Sprintf("%s, priority %d", text, r.Priority)
}
