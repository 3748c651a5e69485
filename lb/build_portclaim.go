package lb

import (
	"fmt"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb/armid"
)

// portClaim is a port that a rule takes of a frontend, or of the members of a pool; port 0 with protocol All is all of them.
type portClaim struct {
	protocol Protocol
	port     uint16
}

func (c portClaim) all() bool { return c.protocol == All && c.port == 0 }

// clash reports whether two claims cannot stand beside each other.
func (c portClaim) clash(o portClaim) bool {
	return c == o || c.all() || o.all() || c.port == o.port && (c.protocol == All || o.protocol == All)
}

// portClaims are the claims on one frontend or pool. The Service is nil for foreign rules and orphans.
type portClaims map[portClaim]*service

// conflict finds somebody other than s whose claim clashes with c.
func (t portClaims) conflict(c portClaim, s *service) (*service, bool) {
	for _, at := range []portClaim{c, {All, 0}, {All, c.port}} {
		if other, ok := t[at]; ok && other != s {
			return other, true
		}
	}
	if c.protocol != All {
		return nil, false
	}
	if !c.all() {
		for _, p := range []Protocol{TCP, UDP} {
			if other, ok := t[portClaim{p, c.port}]; ok && other != s {
				return other, true
			}
		}
		return nil, false
	}
	var first *service
	found := false
	for _, other := range t {
		if other != s && (!found || claimant(other) < claimant(first)) {
			first, found = other, true
		}
	}
	return first, found
}

// frontendClaim is what a rule takes of its frontend.
func frontendClaim(r Rule) portClaim { return portClaim{r.Protocol, r.FrontendPort} }

// backendClaim is what a rule takes of the members of its pool; with floating IP nothing, since the traffic keeps the frontend's address.
func backendClaim(r Rule) (portClaim, bool) {
	return portClaim{r.Protocol, r.BackendPort}, !r.FloatingIP && r.Pool != ""
}

// take notes that s has the ports of r.
func (l *balancerDraft) take(r Rule, s *service) {
	enter := func(by map[string]portClaims, name string, c portClaim) {
		name = strings.ToLower(name)
		if by[name] == nil {
			by[name] = portClaims{}
		}
		by[name][c] = s
	}
	enter(l.claims, r.Frontend, frontendClaim(r))
	if c, ok := backendClaim(r); ok {
		enter(l.backends, r.Pool, c)
	}
}

// usedPort finds an inbound NAT rule or pool that has the port of r.
func (l *balancerDraft) usedPort(r Rule) (ID, bool) {
	if l.seen == nil {
		return "", false
	}
	c := frontendClaim(r)
	for _, u := range l.seen.Uses {
		if u.FirstPort == 0 || !containsFold(u.Frontends, r.Frontend) {
			continue
		}
		at := portClaim{u.Protocol, c.port}
		if c.all() || u.FirstPort <= c.port && c.port <= u.LastPort && c.clash(at) {
			return u.ID, true
		}
	}
	return "", false
}

func containsFold(list []string, s string) bool {
	for _, have := range list {
		if strings.EqualFold(have, s) {
			return true
		}
	}
	return false
}

// checkClaims compares the ports that a Service claims with those that are taken.
func (d *outline) checkClaims(s *service, p part) []fieldError {
	var bad []fieldError
	for _, ports := range p.ports {
		for _, r := range ports.rules {
			if err := p.balancer.checkRule(r, s); err != nil {
				field := ports.fields["rule "+r.Name]
				if !frontendClaim(r).all() {
					field += ".port" // that of all ports is asked for by an annotation
				}
				bad = append(bad, fieldError{field, err})
			}
		}
	}
	return bad
}

// checkRule says who has what r claims already.
func (l *balancerDraft) checkRule(r Rule, s *service) error {
	c := frontendClaim(r)
	if u, taken := l.usedPort(r); taken {
		return fmt.Errorf("%w: %s of frontend %s belongs to %s, which is not azlb's; %s", ErrClash, takenText(c), r.Frontend, u.Name(), portRemedy(c, false))
	}
	if other, taken := l.claims[strings.ToLower(r.Frontend)].conflict(c, s); taken {
		what, whole := takenText(c), l.hasAllPorts(r.Frontend)
		if whole {
			what = "every port"
		}
		return fmt.Errorf("%w: %s of frontend %s belongs to %s; %s", ErrClash, what, r.Frontend, claimant(other), portRemedy(c, whole))
	}
	if c, ok := backendClaim(r); ok {
		if other, taken := l.backends[strings.ToLower(r.Pool)].conflict(c, s); taken {
			return fmt.Errorf("%w: without floating IP, %s of pool %s belongs to %s; choose another node port, or allow floating IP", ErrClash, portText(c), r.Pool, claimant(other))
		}
	}
	return nil
}

// hasAllPorts reports whether somebody has every port of a frontend.
func (l *balancerDraft) hasAllPorts(frontend string) bool {
	_, all := l.claims[strings.ToLower(frontend)][portClaim{All, 0}]
	return all
}

// takenText names what is taken of that which c asks for.
func takenText(c portClaim) string {
	if c.all() {
		return "a port"
	}
	return portText(c)
}

// portRemedy says what helps a Service whose claim on a frontend clashes; whole: somebody has every port, so that no other one would do.
func portRemedy(c portClaim, whole bool) string {
	switch {
	case whole:
		return "choose another address"
	case c.all():
		return "choose another address, or ask for single ports (without " + annotations.KeyHAPorts + ")"
	default:
		return "choose another port or another address"
	}
}

func claimant(s *service) string {
	if s == nil {
		return "a rule that is not azlb's"
	}
	return s.name.String()
}

func portText(c portClaim) string {
	if c.all() {
		return "every port"
	}
	return fmt.Sprintf("port %d %s", c.port, c.protocol)
}

// checkNames finds names that ARM would not take: they are put together of a uid, a subnet, or the Service's own name.
func (p part) checkNames() []fieldError {
	var bad []fieldError
	check := func(field, typ, name string) {
		if err := armid.CheckName(typ, name); err != nil {
			bad = append(bad, fieldError{field, fmt.Errorf("the name %s in Azure: %w", safetext.Value(name), err)})
		}
	}
	for _, f := range p.frontends {
		check(p.fields[f.Name], armid.FrontendIPConfigurations, f.Name)
	}
	for _, ports := range p.ports {
		for i, r := range ports.rules {
			check(ports.fields["rule "+r.Name], armid.LoadBalancingRules, r.Name)
			if i == 0 {
				check("metadata.name", armid.BackendAddressPools, r.Pool)
			}
		}
	}
	return bad
}

// checkOwnPorts finds ports of one Service that cannot stand beside each other: SCTP takes a port for every protocol, and without floating IP
// two ports cannot lead to one node port.
func (p part) checkOwnPorts() []fieldError {
	var bad []fieldError
	for _, ports := range p.ports {
		frontend, backend := ownClaims{}, ownClaims{}
		for i, r := range ports.rules {
			other, why := frontend.first(frontendClaim(r)), fmt.Sprintf("both take port %d: SCTP is balanced by a rule for every protocol; choose another port", r.FrontendPort)
			c, translated := backendClaim(r)
			if other < 0 && translated {
				other, why = backend.first(c), fmt.Sprintf("both lead to port %d of the nodes, which Azure refuses without floating IP; give them different node ports", r.BackendPort)
				backend.add(c, i)
			}
			if other >= 0 {
				at := ports.fields["rule "+r.Name]
				bad = append(bad, fieldError{at, fmt.Errorf("%w: it and %s %s", ErrClash, ports.fields["rule "+ports.rules[other].Name], why)})
			}
			frontend.add(frontendClaim(r), i)
		}
	}
	return bad
}

// ownClaims are the claims of the rules of one Service on one frontend or pool, with the places of the first that have them. A rule for all
// ports is the only one of its Service.
type ownClaims map[portClaim]int

func (o ownClaims) add(c portClaim, i int) {
	if _, ok := o[c]; !ok {
		o[c] = i
	}
}

// first returns the place of the first rule whose claim clashes with c, or -1.
func (o ownClaims) first(c portClaim) int {
	at := -1
	for _, p := range []Protocol{TCP, UDP, All} {
		other := portClaim{p, c.port}
		if i, ok := o[other]; ok && c.clash(other) && (at < 0 || i < at) {
			at = i
		}
	}
	return at
}
