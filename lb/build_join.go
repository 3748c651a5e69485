package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
)

// checkJoin holds a Service that would join a frontend which the policy keeps from its namespace.
func (d *outline) checkJoin(s *service, p part) []fieldError {
	list := d.c.Policy.JoinNamespaces
	if list != nil && allows(list, s.name.Namespace) || list == nil {
		return nil
	}
	var bad []fieldError
	for _, f := range p.frontends {
		id := p.balancer.id.Child(armid.FrontendIPConfigurations, f.Name)
		switch d.owner(f.Name) {
		case s.base:
		case "":
			bad = append(bad, fieldError{p.fields[f.Name], fmt.Errorf("%w; frontend %s is nobody's of this cluster", refuse("joining from namespace", s.name.Namespace, list, ""), f.Name)})
		default:
			if other := d.stranger(s, id); other != nil {
				bad = append(bad, fieldError{p.fields[f.Name], fmt.Errorf("%w; frontend %s is that of %s too", refuse("joining from namespace", s.name.Namespace, list, ""), f.Name, other.name)})
			}
		}
	}
	return bad
}

// stranger finds a Service of another namespace on a frontend, nil if there is none.
func (d *outline) stranger(s *service, frontend ID) *service {
	key, name := frontend.Top().Key(), strings.ToLower(frontend.Name())
	for _, other := range d.services {
		if other.name.Namespace == s.name.Namespace || !other.wanted {
			continue
		}
		r := d.results[other.name]
		served := r != nil && !other.held && d.balancerOf(other).Key() == key && containsFold(r.frontends, name)
		if served || other.held && d.uses[key][other.base][name] || other.base == d.owner(name) && d.uses[key][other.base][name] {
			return other
		}
	}
	return nil
}

// checkLinkConsent holds Services that join a frontend of another namespace with a private link service, or one that has it, without consent: who
// is on the frontend would be exposed by somebody else's word, or the newcomer would not know that it is.
func (d *outline) checkLinkConsent(asked map[string][]*service) {
	consented := append([]string{}, d.c.Policy.SharedPrivateLinks...)
	for _, s := range d.order() {
		frontend := d.linkFrontend(s)
		if frontend == "" || d.owner(frontend.Name()) == s.base || allows(consented, s.name.Namespace) {
			continue
		}
		link := d.linkOn(frontend)
		there := d.uses[frontend.Top().Key()][s.base][strings.ToLower(frontend.Name())]
		asks := s.cfg.PrivateLink.Create
		linked := link != nil || slices.ContainsFunc(asked[frontend.Key()], func(o *service) bool { return o != s })
		if there && (link != nil || !asks) || !asks && !linked {
			continue
		}
		other := d.stranger(s, frontend)
		if other == nil {
			continue
		}
		field := annotationField(annotations.KeyPLSCreate)
		if !asks {
			field = d.joinField(s)
		}
		d.hold(s, field, fmt.Errorf("%w: a private link service on frontend %s exposes %s of another namespace too, and namespace %s has no consent for that (sharedPrivateLinks); use an address of its own",
			ErrPolicy, frontend.Name(), other.name, s.name.Namespace))
	}
}

// joinField names the field by which a Service names the IPv4 address or public IP that it shares.
func (d *outline) joinField(s *service) string {
	if s.cfg.PublicIP.Name.Of(ipam.IPv4) != "" && !s.cfg.Internal {
		return nameField(s, ipam.IPv4)
	}
	return addressField(s, ipam.IPv4)
}
