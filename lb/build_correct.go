package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/ipam"
)

// ErrUncorrected says that an existing Service keeps what the upstream provider gave it, though azlb would give a new one something else.
var ErrUncorrected = errors.New("kept as the upstream provider left it")

// Correction is a kind of deviation from the upstream provider that would change the address, the load balancer or the exposure of a Service
// that is there already. New Services always get what azlb gives; existing ones only where [Cluster.Correct] has the kind. Until then they keep
// what they have, and a finding that wraps [ErrUncorrected] says what would change.
type Correction string

// The corrections, by the names that docs/compatibility.md and the command line use.
const (
	// CorrectSpellings reads values of existing Services as those of new ones: true in any case and with blanks around it, and texts without the
	// blanks around them. Upstream reads some of these as false, or not at all. Until then such a Service is held.
	CorrectSpellings Correction = "spellings"
	// CorrectNodePorts closes node ports that upstream opened, with floating IP off, on node addresses of a family that the Service does not have.
	CorrectNodePorts Correction = "node-ports"
	// CorrectSharedDenials puts back what a Service denies on an address that it shares. Upstream takes it away whenever another Service
	// on the address changes.
	CorrectSharedDenials Correction = "shared-denials"
)

// Corrections lists all corrections.
func Corrections() []Correction {
	return []Correction{CorrectSpellings, CorrectNodePorts, CorrectSharedDenials}
}

// corrects reports whether existing Services are changed for the sake of a correction.
func (c Cluster) corrects(kind Correction) bool { return slices.Contains(c.Correct, kind) }

// uncorrected is the error of a Service that keeps what it has; would says what azlb would do, remedy what else helps.
func uncorrected(kind Correction, would, remedy string) error {
	return fmt.Errorf("%w: %s; %s, or enable the correction %q", ErrUncorrected, would, remedy, kind)
}

// standing is what a Service has on one of our load balancers.
type standing struct {
	balancer  *seenBalancer
	internal  bool
	frontends []Frontend
	rules     []Rule
}

// standings finds what a Service has, by its rules and the names of frontends.
func (b *builder) standings(s *service) []standing {
	var list []standing
	for i, id := range b.ourBalancers() {
		l := b.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		at := standing{balancer: l, internal: i%2 == 1}
		for _, f := range l.Frontends {
			if b.uses[id.Key()][s.base][strings.ToLower(f.Name)] {
				at.frontends = append(at.frontends, l.frontends[strings.ToLower(f.Name)])
			}
		}
		for _, r := range l.Rules {
			if b.owner(r.Name) == s.base {
				at.rules = append(at.rules, r)
			}
		}
		if len(at.frontends) > 0 {
			list = append(list, at)
		}
	}
	return list
}

// reading is a value that upstream reads in another way, and what tells that a Service is served by that reading.
type reading struct {
	key   string
	stale func(spellingCheck) bool
}

// spellingCheck is a Service with what it has.
type spellingCheck struct {
	*builder
	s     *service
	at    []standing
	value string // of the annotation, without blanks around it
}

// switches are those whose spelling decides about address or exposure. Upstream takes the exact text for the internal one, and for the others
// true in any case without blanks.
var switches = []reading{
	{annotations.KeyInternal, spellingCheck.external},
	{annotations.KeyDisableFloatingIP, func(c spellingCheck) bool { return c.anyRule(func(r Rule) bool { return r.FloatingIP }) }},
	{annotations.KeyDisableNSGRule, func(c spellingCheck) bool { return c.opened(Address{}) }},
	{annotations.KeyDenyAll, spellingCheck.notDenied},
	{annotations.KeyHAPorts, func(c spellingCheck) bool {
		return c.s.cfg.Internal && !c.c.Basic && c.anyRule(func(r Rule) bool { return !frontendClaim(r).all() })
	}},
}

// texts are those whose blanks upstream keeps, so that it finds nothing of that name.
var texts = []reading{
	{annotations.KeyPIPName, func(c spellingCheck) bool { return !c.s.cfg.Internal && !c.hasPublicIP(c.named) }},
	{annotations.KeyPIPNameIPv6, func(c spellingCheck) bool { return !c.s.cfg.Internal && !c.hasPublicIP(c.named) }},
	{annotations.KeyPIPPrefix, func(c spellingCheck) bool { return !c.s.cfg.Internal && !c.hasPublicIP(c.fromPrefix) }},
	{annotations.KeyPIPPrefixIPv6, func(c spellingCheck) bool { return !c.s.cfg.Internal && !c.hasPublicIP(c.fromPrefix) }},
	{annotations.KeyIPv4, func(c spellingCheck) bool { return !c.hasAddress() }},
	{annotations.KeyIPv6, func(c spellingCheck) bool { return !c.hasAddress() }},
	{annotations.KeySubnet, func(c spellingCheck) bool { return c.s.cfg.Internal && !c.inSubnet() }},
}

// checkSpelling holds an existing Service that upstream serves by another reading of its annotations.
func (b *builder) checkSpelling(s *service) []fieldError {
	if !s.observed || b.c.corrects(CorrectSpellings) {
		return nil
	}
	var bad []fieldError
	var at []standing
	add := func(key, raw, would, remedy string, stale func(spellingCheck) bool) {
		if at == nil {
			at = b.standings(s)
		}
		if value := strings.TrimSpace(raw); stale(spellingCheck{b, s, at, value}) {
			bad = append(bad, fieldError{annotationField(key), uncorrected(CorrectSpellings, fmt.Sprintf("azlb reads %s as %s; the Service was set up as upstream reads it", safetext.Value(raw), would), remedy)})
		}
	}
	for _, w := range switches {
		raw := s.obj.Annotations[w.key]
		if misread(raw) || w.key == annotations.KeyInternal && raw != "true" && strings.EqualFold(strings.TrimSpace(raw), "true") {
			add(w.key, raw, "true", "write true or false", w.stale)
		}
	}
	for _, p := range s.obj.Spec.Ports {
		key := annotations.PortKey(annotations.KeyPortNoRule, p.Port)
		if raw := s.obj.Annotations[key]; misread(raw) {
			add(key, raw, "true", "write true or false", func(c spellingCheck) bool {
				return c.anyRule(func(r Rule) bool { return int32(r.FrontendPort) == p.Port })
			})
		}
	}
	for _, w := range texts {
		if raw := s.obj.Annotations[w.key]; raw != strings.TrimSpace(raw) && strings.TrimSpace(raw) != "" {
			add(w.key, raw, safetext.Value(strings.TrimSpace(raw)), "write it without blanks", w.stale)
		}
	}
	if raw := s.obj.Annotations[annotations.KeyAdditionalPublicIPs]; blankItem(raw) {
		add(annotations.KeyAdditionalPublicIPs, raw, safetext.Value(strings.Join(strings.Fields(raw), "")), "write it without blanks", func(c spellingCheck) bool {
			return !s.cfg.Access.NoRules && slices.ContainsFunc(s.cfg.PublicIP.Additional, func(a netip.Addr) bool { return !c.opened(Address{IP: a}) })
		})
	}
	return bad
}

// misread reports whether azlb reads a switch as true and upstream, which does not trim it, as false.
func misread(raw string) bool {
	return !strings.EqualFold(raw, "true") && strings.EqualFold(strings.TrimSpace(raw), "true")
}

// blankItem reports whether an item of a list has blanks around it. Those around the whole list count for nobody.
func blankItem(raw string) bool {
	return slices.ContainsFunc(strings.Split(strings.TrimSpace(raw), ","), func(item string) bool { return item != strings.TrimSpace(item) })
}

// external reports whether the Service has a public frontend and no private one.
func (c spellingCheck) external() bool {
	return len(c.at) > 0 && !slices.ContainsFunc(c.at, func(at standing) bool { return at.internal })
}

func (c spellingCheck) anyRule(has func(Rule) bool) bool {
	return slices.ContainsFunc(c.at, func(at standing) bool { return slices.ContainsFunc(at.rules, has) })
}

func (c spellingCheck) anyFrontend(has func(standing, Frontend) bool) bool {
	return slices.ContainsFunc(c.at, func(at standing) bool {
		return slices.ContainsFunc(at.frontends, func(f Frontend) bool { return has(at, f) })
	})
}

func (c spellingCheck) hasPublicIP(has func(*SeenPublicIP) bool) bool {
	return c.anyFrontend(func(_ standing, f Frontend) bool {
		p := c.seen.publicIPs[f.PublicIP.Key()]
		return f.PublicIP != "" && p != nil && has(p)
	})
}

func (c spellingCheck) named(p *SeenPublicIP) bool { return strings.EqualFold(p.ID.Name(), c.value) }

func (c spellingCheck) fromPrefix(p *SeenPublicIP) bool { return p.Prefix.Equal(ID(c.value)) }

func (c spellingCheck) hasAddress() bool {
	return c.anyFrontend(func(at standing, f Frontend) bool {
		a, err := netip.ParseAddr(c.value)
		return err == nil && at.balancer.address(c.seen, f) == a.Unmap()
	})
}

func (c spellingCheck) inSubnet() bool {
	return c.anyFrontend(func(_ standing, f Frontend) bool { return strings.EqualFold(f.Subnet.Name(), c.value) })
}

// opened reports whether security rules that the Service would have let in an address; the zero Address stands for any of its own.
func (c spellingCheck) opened(a Address) bool {
	group := c.seen.securityGroup(c.c.SecurityGroup)
	if c.c.SecurityGroup == "" || group == nil {
		return a != Address{} // nothing is opened for anybody, so nothing is kept from it
	}
	var names []string
	for _, w := range c.s.wishes([]ipam.Family{ipam.IPv4, ipam.IPv6}) {
		if w.rule.Access == "Allow" {
			names = append(names, w.rule.Name)
		}
	}
	own := c.addresses()
	return slices.ContainsFunc(group.Rules, func(r SecurityRule) bool {
		return managed(r) && containsFold(names, r.Name) && slices.ContainsFunc(r.Destinations, func(to Address) bool {
			return to == a || a == Address{} && slices.Contains(own, to)
		})
	})
}

// addresses are those of the Service's frontends.
func (c spellingCheck) addresses() []Address {
	var list []Address
	for _, at := range c.at {
		for _, f := range at.frontends {
			if a := at.balancer.address(c.seen, f); a.IsValid() {
				list = append(list, Address{IP: a})
			}
		}
	}
	return list
}

// notDenied reports whether the Service allows what it would allow and denies nothing.
func (c spellingCheck) notDenied() bool {
	if !c.s.denies() || !c.opened(Address{}) {
		return false
	}
	return !slices.ContainsFunc(c.addresses(), c.denied)
}

// denied reports whether an observed rule of ours denies everything else to an address.
func (b *builder) denied(a Address) bool {
	group := b.seen.securityGroup(b.c.SecurityGroup)
	return group != nil && slices.ContainsFunc(group.Rules, func(r SecurityRule) bool {
		return managed(r) && r.Access == "Deny" && slices.Contains(r.Destinations, a)
	})
}

// keepOpened adds the node addresses of a family that an existing Service without floating IP does not have, where upstream opened its node
// ports on them.
func (d *outline) keepOpened(s *service, byFamily map[ipam.Family][]Address) {
	if s.cfg.Rules.FloatingIP || !s.observed || d.c.corrects(CorrectNodePorts) {
		return
	}
	at := d.standings(s)
	for _, f := range []ipam.Family{ipam.IPv4, ipam.IPv6} {
		if len(byFamily[f]) > 0 || slices.Contains(s.cfg.Families, f) || hasFamily(at, f) {
			continue
		}
		var nodes []Address
		for _, m := range d.servingMembers(s, f) {
			nodes = append(nodes, Address{IP: m.IP})
		}
		for _, w := range s.wishes([]ipam.Family{f}) {
			if d.opensAny(w.rule.Name, nodes) {
				byFamily[f] = nodes
				d.findings = append(d.findings, Finding{
					Service: s.name, Field: annotationField(annotations.KeyDisableFloatingIP), Severity: SeverityWarning,
					Err: uncorrected(CorrectNodePorts, fmt.Sprintf("azlb would close its node ports on %d %s addresses of nodes, because the Service has no %s address", len(nodes), f, f), "no action needed"),
				})
				break
			}
		}
	}
}

// hasFamily reports whether the Service has a frontend of family f. One that it is about to give up takes what was opened for it along.
func hasFamily(at []standing, f ipam.Family) bool {
	return slices.ContainsFunc(at, func(at standing) bool {
		return slices.ContainsFunc(at.frontends, func(fe Frontend) bool { return fe.Family == f })
	})
}

// servingMembers are the nodes that serve s, by their addresses of family f.
func (d *outline) servingMembers(s *service, f ipam.Family) []Member {
	l := d.balancer(d.balancerOf(s))
	if d.ownPool(s) {
		return members(d.nodesOfLocal(s, l), f)
	}
	return members(d.nodesOf(l), f)
}

// opensAny reports whether a managed rule of that name, as observed, leads to one of the addresses.
func (d *outline) opensAny(name string, to []Address) bool {
	return slices.ContainsFunc(d.seen.securityGroup(d.c.SecurityGroup).Rules, func(r SecurityRule) bool {
		return managed(r) && strings.EqualFold(r.Name, name) && slices.ContainsFunc(r.Destinations, func(a Address) bool { return slices.Contains(to, a) })
	})
}

// undenied returns the addresses of an existing Service on which it does not deny what it asks to, since others share them: those where what it
// allows is in place and the denial is not, so that another Service took it away, and those where it would begin to, and shut others out who
// deny nothing.
func (d *outline) undenied(s *service, wishes []securityWish, byFamily map[ipam.Family][]Address) []Address {
	if !s.observed || !s.denies() || d.c.corrects(CorrectSharedDenials) {
		return nil
	}
	at := d.standings(s)
	var list []Address
	for _, w := range wishes {
		if w.rule.Access == "Deny" {
			continue
		}
		for _, a := range byFamily[w.family] {
			if !slices.Contains(list, a) && a.Known() && (d.opensAny(w.rule.Name, []Address{a}) || d.opensBeside(s, a)) && !d.denied(a) && d.sharesAddress(s, at, a) {
				list = append(list, a)
			}
		}
	}
	for _, a := range list {
		d.findings = append(d.findings, Finding{
			Service: s.name, Field: s.sourceField(), Severity: SeverityError,
			Err: uncorrected(CorrectSharedDenials, fmt.Sprintf("azlb would deny everything else on %s, which other Services share", a), "give the Service an address of its own"),
		})
	}
	return list
}

// sharesAddress reports whether a is the address of a frontend that another Service has rules on once the plan is carried out. Who leaves it in
// the same plan is shut out of nothing.
func (d *outline) sharesAddress(s *service, at []standing, a Address) bool {
	for _, on := range at {
		for _, f := range on.frontends {
			if on.balancer.address(d.seen, f) != a.IP {
				continue
			}
			for _, r := range d.balancer(on.balancer.ID).rules {
				if base := d.owner(r.Name); base != "" && base != s.base && strings.EqualFold(r.Frontend, f.Name) {
					return true
				}
			}
		}
	}
	return false
}
