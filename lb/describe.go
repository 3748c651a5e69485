package lb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Portrait is what one Service has or will have in Azure, where each of it comes from, and who has a part in it. Lists are sorted by id.
type Portrait struct {
	Service types.NamespacedName
	// Internal says that the Service asks for private addresses.
	Internal bool
	// Held says that the Service keeps what it has, unchanged. Why says why, or why it gets nothing; it is empty for a Service that is served.
	Held bool
	Why  string
	// Ingress are its addresses in the order of its status.
	Ingress []Address

	LoadBalancers       []Piece // one, but for a held Service that was being moved
	Frontends           []FrontendPiece
	PublicIPs           []Piece
	Rules               []RulePiece
	Probes              []Piece
	Pools               []Piece
	SecurityRules       []Piece
	PrivateLinkServices []LinkPiece
	Subnets             []Piece // whose network policies are switched off for its private link service

	// Removed is what it has and gives up.
	Removed  []ID
	Findings []Finding // about this Service
}

// Piece is one thing in Azure that a Service has or will have.
type Piece struct {
	ID ID
	// Action is what the plan does to it: nothing if empty.
	Action Action
	Text   string // what it is, in words
	// Asked is the field by which the Service asks for it; the zero Origin says that it is there because the Service is held.
	Asked    Origin
	Settings []Setting
	// SharedWith are the other Services that have it too, sorted.
	SharedWith []types.NamespacedName
}

// FrontendPiece is a frontend with its address, a reference if that is known after the write only.
type FrontendPiece struct {
	Piece
	Address Address
}

// RulePiece is a load-balancing rule with the probe it has. Among its settings is "Probe", which says why that one, or why none.
type RulePiece struct {
	Piece
	Frontend, Pool ID
	Probe          ID // empty for none
}

// LinkPiece is a private link service with what it has now.
type LinkPiece struct {
	Piece
	// Owner is the Service that decides about it; the others on its frontend are guests.
	Owner       types.NamespacedName
	Alias       string // empty while it is not there
	Connections []pls.Connection
}

// Setting is one value and where it comes from. Names are those of fields of the model, as in [FieldChange]; values are for people.
type Setting struct {
	Name, Value string
	Origin      Origin
}

// Describe draws the portrait of one Service: what [Build] decides for it among all others, and why. It reports false if in has no such
// Service.
func Describe(c Cluster, in Objects, seen Observed, name types.NamespacedName) (Portrait, bool) {
	b := newBuilder(c, in, seen)
	b.traced = true
	s := b.byName[name]
	if s == nil {
		return Portrait{}, false
	}
	d := b.settle()
	want := d.desired()
	x := portraitist{outline: d, want: Adopt(seen, want), s: s, actions: map[string]Action{}, has: map[string][]*service{}}
	plan, err := Diff(seen, x.want)
	if err == nil {
		x.note(plan)
	}
	x.hand()
	p := x.draw()
	for _, f := range d.sortedFindings(slices.Concat(d.findings, plan.Findings)) {
		if f.Service == name {
			p.Findings = append(p.Findings, f)
		}
	}
	p.Why = x.why()
	return p, true
}

// portraitist draws a Service from the outline that everything was decided in.
type portraitist struct {
	*outline
	want    Desired
	s       *service
	actions map[string]Action     // by key of the id
	has     map[string][]*service // who has what, by key of the id
}

func (x *portraitist) note(plan Plan) {
	for _, step := range plan.Steps {
		for _, c := range step.Op.Why() {
			if have := x.actions[c.Ref.Key()]; have == "" || c.Action == Create {
				x.actions[c.Ref.Key()] = c.Action
			}
		}
	}
}

// give notes that s has id.
func (x *portraitist) give(s *service, ids ...ID) {
	for _, id := range ids {
		if id != "" && !slices.Contains(x.has[id.Key()], s) {
			x.has[id.Key()] = append(x.has[id.Key()], s)
		}
	}
}

// hand gives every Service what it has.
func (x *portraitist) hand() {
	for _, l := range x.want.LoadBalancers {
		x.handBalancer(l)
	}
	for _, p := range x.want.PublicIPs {
		for _, name := range serviceNames(p.Tags.either(tagService, legacyTagService)) {
			if s := x.byName[parseName(name)]; s != nil && (s.held || s.wanted) {
				x.give(s, p.ID)
			}
		}
	}
	for _, g := range x.want.SecurityGroups {
		for _, r := range g.Rules {
			id := g.ID.Child(armid.SecurityRules, r.Name)
			for _, s := range x.keepers[strings.ToLower(r.Name)] {
				x.give(s, id)
			}
			x.giveAsking(id)
		}
	}
	for _, r := range x.want.Services {
		x.give(x.byName[r.Service], r.PrivateLink)
	}
	for _, sub := range x.want.Subnets {
		x.giveAsking(sub.ID)
	}
}

// giveAsking gives id to the Services that ask for it.
func (x *portraitist) giveAsking(id ID) {
	for _, c := range x.want.Causes[id.Key()] {
		if s := x.byName[c.Service]; s != nil && c.Reason == ReasonService {
			x.give(s, id)
		}
	}
}

// handBalancer gives out one load balancer: by its rules, and by the frontends and pools of Services that have no rules there.
func (x *portraitist) handBalancer(l LoadBalancer) {
	child := func(kind, name string) ID {
		if name == "" {
			return ""
		}
		return l.ID.Child(kind, name)
	}
	mine := map[string][]*service{} // by lower-case name of the frontend
	for _, r := range l.Rules {
		s := x.byBase[x.owner(r.Name)]
		if s == nil {
			continue
		}
		mine[strings.ToLower(r.Frontend)] = append(mine[strings.ToLower(r.Frontend)], s)
		x.give(s, l.ID, child(armid.LoadBalancingRules, r.Name), child(armid.BackendAddressPools, r.Pool), child(armid.Probes, r.Probe))
	}
	for _, s := range x.services {
		for _, name := range x.frontendsOf(s, l.ID) {
			mine[name] = append(mine[name], s)
		}
	}
	for _, f := range l.Frontends {
		for _, s := range mine[strings.ToLower(f.Name)] {
			x.give(s, l.ID, child(armid.FrontendIPConfigurations, f.Name), f.PublicIP)
		}
	}
	for _, p := range l.Probes {
		if s := x.byBase[x.owner(p.Name)]; s != nil {
			x.give(s, l.ID, child(armid.Probes, p.Name))
		}
	}
	for _, p := range l.Pools {
		x.giveAsking(child(armid.BackendAddressPools, p.Name))
	}
}

// frontendsOf returns the lower-case names of the frontends of a load balancer that a Service has, with rules or without.
func (x *portraitist) frontendsOf(s *service, balancer ID) []string {
	var names []string
	if s.held {
		for name := range x.uses[balancer.Key()][s.base] {
			names = append(names, name)
		}
		return names
	}
	if r := x.results[s.name]; r != nil && x.balancerOf(s).Equal(balancer) {
		for _, name := range r.frontends {
			names = append(names, strings.ToLower(name))
		}
	}
	return names
}

// why says why a Service gets nothing, or is held.
func (x *portraitist) why() string {
	s := x.s
	switch {
	case s.obj.Spec.Type != corev1.ServiceTypeLoadBalancer:
		return "it is not of type LoadBalancer"
	case s.obj.DeletionTimestamp != nil:
		return "it is being deleted"
	case !s.ours:
		return fmt.Sprintf("its loadBalancerClass is %s, and ours %q", safetext.Value(pointed(s.obj.Spec.LoadBalancerClass)), x.c.Class)
	case !s.held:
		return ""
	case len(x.only) > 0 && !x.only[s.name]:
		return "only other Services are worked on"
	default:
		return "a requested setting cannot be applied; see the findings"
	}
}

func pointed(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// mine reports whether the Service has id.
func (x *portraitist) mine(id ID) bool { return slices.Contains(x.has[id.Key()], x.s) }

func (x *portraitist) draw() Portrait {
	p := Portrait{Service: x.s.name, Internal: x.s.cfg.Internal, Held: x.s.held}
	for _, r := range x.want.Services {
		if r.Service == x.s.name {
			p.Ingress = r.Ingress
		}
	}
	for _, l := range x.want.LoadBalancers {
		x.drawBalancer(&p, l)
	}
	for _, ip := range x.want.PublicIPs {
		if x.mine(ip.ID) {
			p.PublicIPs = append(p.PublicIPs, x.publicIP(ip))
		}
	}
	for _, g := range x.want.SecurityGroups {
		for _, r := range g.Rules {
			if id := g.ID.Child(armid.SecurityRules, r.Name); x.mine(id) {
				p.SecurityRules = append(p.SecurityRules, x.securityRule(id, r))
			}
		}
	}
	for _, link := range x.allLinks() {
		if x.mine(link.ID) {
			p.PrivateLinkServices = append(p.PrivateLinkServices, x.link(link))
		}
	}
	for _, sub := range x.want.Subnets {
		if x.mine(sub.ID) {
			piece := x.piece(sub.ID, "network policies for private link services are switched off")
			piece.set("PrivateLinkPolicies", strconv.FormatBool(sub.PrivateLinkPolicies), piece.Asked)
			p.Subnets = append(p.Subnets, piece)
		}
	}
	for _, id := range x.want.Remove {
		if slices.ContainsFunc(x.want.Causes[id.Key()], func(c Cause) bool { return c.Service == x.s.name }) {
			p.Removed = append(p.Removed, id)
		}
	}
	return p
}
