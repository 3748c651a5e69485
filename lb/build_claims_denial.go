package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
)

// settleDenials holds those who come to an address and would deny there what others have left open: the denial is for all ports of the
// address, and shuts out whom Azure lets in by default. Where nobody is there yet, only those would notice who let in nobody but these.
func (d *outline) settleDenials(o *object) {
	if d.seen.securityGroup(d.c.SecurityGroup) == nil || !o.address.IsValid() || d.denied(Address{IP: o.address}) {
		return
	}
	open := d.foreignOn(o)
	for _, u := range o.users {
		switch denies := u.denies() && !u.cfg.Access.NoRules; {
		case !denies && open == "" && (u.there || !u.letsIn()):
			open = u.name.String()
		case !denies || u.there || u.held:
		case open == "":
			return // those who come after it find the address denied
		default:
			d.hold(u.service, u.sourceField(), fmt.Errorf("%w: what it denies on %s would shut others out of the ports of %s too, which denies nothing; deny there as well, or use another address",
				ErrClash, o.address, open))
		}
	}
}

// letsIn reports whether a Service has allowances of its own.
func (s *service) letsIn() bool {
	a := s.cfg.Access
	return !a.NoRules && (!s.cfg.Internal || len(a.Ranges)+len(a.ServiceTags) > 0)
}

// foreignOn names a rule of others on the frontend of an object, "" for none.
func (d *outline) foreignOn(o *object) string {
	for _, id := range d.ourBalancers() {
		l := d.balancer(id)
		if l.seen == nil {
			continue
		}
		for name, user := range d.foreignUsers(l) {
			if f, ok := l.named(name); ok && d.claims.objects[d.objectOf(l.seen, f)] == o {
				return user.Name()
			}
		}
	}
	return ""
}

// opensBeside reports whether another Service than s has an address too and denies nothing there.
func (d *outline) opensBeside(s *service, a Address) bool {
	for _, o := range d.claims.objects {
		if o.address != a.IP {
			continue
		}
		for _, u := range o.users {
			if u.service != s && (u.cfg.Access.NoRules || !u.denies()) {
				return true
			}
		}
	}
	return false
}

// checkLeft holds a Service that would leave the frontend named after it while others stay there. It is the same for external and internal
// ones, whatever takes them away: another load balancer, subnet, address or scheme.
func (d *outline) checkLeft(s *service, p *part) []fieldError {
	for _, id := range d.ourBalancers() {
		l := d.balancer(id)
		if l.seen == nil {
			continue
		}
		for _, f := range frontendKind.sorted(l.seen.Frontends) {
			name := strings.ToLower(f.Name)
			f = l.seen.frontends[name]
			if d.owner(f.Name) != s.base || !d.uses[id.Key()][s.base][name] || !slices.Contains(s.cfg.Families, f.Family) {
				continue
			}
			if _, shared := l.frontends[name]; shared && !p.keeps(l, f) {
				return []fieldError{{d.leftField(s, p, l, f), fmt.Errorf("%w: frontend %s is shared with other Services, which keep its address; move them first", ErrClash, f.Name)}}
			}
		}
	}
	return nil
}

// keeps reports whether a part goes on using a frontend as it is.
func (p *part) keeps(l *balancerDraft, f Frontend) bool {
	return p.balancer == l && slices.ContainsFunc(p.frontends, func(have Frontend) bool { return strings.EqualFold(have.Name, f.Name) })
}

// leftField names what takes a Service away from its frontend.
func (d *outline) leftField(s *service, p *part, l *balancerDraft, f Frontend) string {
	switch {
	case s.cfg.Internal != l.internal():
		return annotationField(annotations.KeyInternal)
	case p.balancer != l && len(s.cfg.Configurations) > 0:
		return annotationField(annotations.KeyConfigurations)
	case p.balancer != l:
		return multipleField
	}
	for _, now := range p.frontends {
		if now.Family == f.Family {
			return p.fields[now.Name]
		}
	}
	return ""
}
