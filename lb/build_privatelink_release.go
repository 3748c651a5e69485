package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// linkedFrontend is a frontend of ours that has a private link service.
type linkedFrontend struct {
	link     *SeenPrivateLinkService
	balancer *balancerDraft
	seen     Frontend
}

func (f linkedFrontend) id() ID {
	return f.balancer.id.Child(armid.FrontendIPConfigurations, f.seen.Name)
}

// linkedFrontends finds the private link services on our frontends.
func (d *outline) linkedFrontends() []linkedFrontend {
	var list []linkedFrontend
	for i := range d.seen.PrivateLinkServices {
		link := &d.seen.PrivateLinkServices[i]
		for _, id := range link.Frontends {
			l := d.balancers[id.Parent().Key()]
			if l == nil {
				continue
			}
			if f, ok := l.named(id.Name()); ok && d.owner(f.Name) != "" {
				list = append(list, linkedFrontend{link, l, f})
			}
		}
	}
	return list
}

// keepLinked keeps the frontends whose private link services must not go: those of others, and, where the policy says so, ours whose Services
// are gone.
func (d *outline) keepLinked() {
	for _, f := range d.linkedFrontends() {
		if _, ok := f.balancer.frontends[strings.ToLower(f.seen.Name)]; ok {
			continue
		}
		managed, users := f.link.ManagedBy(d.c.Name), d.linkUsers(f)
		if managed && (!d.c.PrivateLink.RefuseOnDelete || len(users) > 0) {
			continue
		}
		// Without its Services, somebody else's private link service would lead nowhere.
		d.holdLinked(f, users, foreignLink)
		d.keepFrontend(f.balancer, f.seen.Name)
		why := fmt.Errorf("%w: the frontend %s stays, private link service %s with %d connections uses it", ErrForeign, f.seen.Name, f.link.ID.Name(), len(f.link.Connections))
		if managed {
			why = fmt.Errorf("%w: the frontend %s stays, since private link services are not deleted (RefuseOnDelete); %s has %d connected endpoints",
				ErrLinked, f.seen.Name, f.link.ID.Name(), f.link.Connected())
		}
		d.findings = append(d.findings, Finding{Field: string(f.link.ID), Severity: SeverityWarning, Err: why})
	}
}

// linkUsers are the Services that are on the frontend now and are not going away.
func (d *outline) linkUsers(f linkedFrontend) []*service {
	var users []*service
	for _, s := range d.services {
		if s.wanted && (d.uses[f.balancer.id.Key()][s.base][strings.ToLower(f.seen.Name)] || s.base == d.owner(f.seen.Name)) {
			users = append(users, s)
		}
	}
	return users
}

// releaseLink removes a private link service of ours whose frontend goes or changes. Services that stay must have agreed to that: it costs
// the alias, and all connections.
func (d *outline) releaseLink(f linkedFrontend) {
	want, stays := f.balancer.frontends[strings.ToLower(f.seen.Name)]
	if stays && want == f.seen {
		return
	}
	users := d.linkUsers(f)
	if why := d.loss(f, users); why != "" {
		d.holdLinked(f, users, why)
		return
	}
	d.removeLink(f)
	d.removalCauses(f.link.ID, d.owner(f.seen.Name))
}

// foreignLink is what has to be done before a private link service may go that is not ours.
const foreignLink = "remove it, which is somebody else's"

// holdLinked holds Services that would leave or change the frontend of a private link service.
func (d *outline) holdLinked(f linkedFrontend, users []*service, why string) {
	for _, s := range users {
		if !s.held {
			d.hold(s, changedField(f, s), fmt.Errorf("%w: the frontend %s would change or go, and with it private link service %s, its alias and its %d connected endpoints; %s, or undo the change",
				ErrLinked, f.seen.Name, f.link.ID.Name(), f.link.Connected(), why))
		}
	}
}

// loss says what has to be done before the private link service may go; empty: nothing, it may.
func (d *outline) loss(f linkedFrontend, users []*service) string {
	policy := d.c.PrivateLink
	switch {
	case len(users) == 0:
		return ""
	case !f.link.ManagedBy(d.c.Name):
		return foreignLink
	case slices.ContainsFunc(users, func(s *service) bool { return s.cfg.PrivateLink.Create }):
		if !policy.AllowRecreate {
			return "allow it (AllowRecreate)"
		}
		return ""
	case slices.ContainsFunc(users, unreadLink):
		return "write " + annotations.KeyPLSCreate + " as true or false"
	default:
		return policy.refuseRemoval(f.link.PrivateLinkService)
	}
}

// unreadLink reports whether it cannot be read whether s asks for a private link service. That is no reason to make one, and none to remove
// one.
func unreadLink(s *service) bool {
	v := strings.TrimSpace(s.obj.Annotations[annotations.KeyPLSCreate])
	return v != "" && !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false")
}

// refuseRemoval says what keeps a private link service that nobody asks for any more; empty: nothing.
func (p PrivateLinkPolicy) refuseRemoval(link pls.PrivateLinkService) string {
	switch {
	case !p.RemoveOnUnrequest:
		return "allow its removal (RemoveOnUnrequest)"
	case link.Connected() > 0 && !p.RemoveConnected:
		return "allow its removal though endpoints are connected (RemoveConnected)"
	}
	return ""
}

// removeLink removes a private link service, and says so if that cuts somebody off.
func (d *outline) removeLink(f linkedFrontend) {
	if slices.ContainsFunc(d.remove, f.link.ID.Equal) {
		return
	}
	d.remove = append(d.remove, f.link.ID)
	if n := f.link.Connected(); n > 0 {
		owner, _ := f.link.Tag(pls.TagOwner)
		d.findings = append(d.findings, Finding{
			Service: parseName(owner), Field: string(f.link.ID), Severity: SeverityWarning,
			Err: fmt.Errorf("%w: the private link service goes with %d connected endpoints", ErrCut, n),
		})
	}
}

// changedField names what changes a frontend.
func changedField(f linkedFrontend, s *service) string {
	switch {
	case s.cfg.Internal != (f.seen.Subnet != ""):
		return annotationField(annotations.KeyInternal)
	case s.cfg.Addresses.Of(f.seen.Family).IsValid() && s.cfg.Addresses.Of(f.seen.Family) != f.seen.Static:
		return addressField(s, f.seen.Family)
	case !slices.Contains(s.cfg.Families, f.seen.Family):
		return "spec.ipFamilies"
	case !s.cfg.Internal:
		return annotationField(annotations.KeyPIPName)
	default:
		return annotationField(annotations.KeySubnet)
	}
}

// unrequestLink says what becomes of a private link service of ours that nobody on its frontend asks for.
func (d *outline) unrequestLink(f linkedFrontend) {
	name, _ := f.link.Tag(pls.TagOwner)
	s := d.byName[parseName(name)]
	if s == nil || !s.wanted || !s.held && !d.onFrontend(s, f.id()) {
		d.ownerless(f, name)
		return
	}
	if !f.link.ManagedBy(d.c.Name) || d.linkOn(f.id()) == nil || s == nil || s.held || !s.wanted || s.cfg.PrivateLink.Create || !d.onFrontend(s, f.id()) {
		return
	}
	for _, other := range d.linkUsers(f) {
		if other.held && other.cfg.PrivateLink.Create || unreadLink(other) {
			return
		}
	}
	field := annotationField(annotations.KeyPLSCreate)
	if why := d.c.PrivateLink.refuseRemoval(f.link.PrivateLinkService); why != "" {
		d.findings = append(d.findings, Finding{
			Service: s.name, Field: field, Severity: SeverityInfo,
			Err: fmt.Errorf("private link service %s stays though it is not asked for any more, and goes with the frontend; %s", f.link.ID.Name(), why),
		})
		return
	}
	d.removeLink(f)
	d.because(f.link.ID.Key(), Cause{Service: s.name, Field: field, Reason: ReasonNotWanted})
}

// ownerless says what becomes of a private link service of ours whose owner is not on its frontend any more, while others stay there who do not ask
// for it: it goes where it may, and else they are told that it exposes them.
func (d *outline) ownerless(f linkedFrontend, owner string) {
	users := d.linkUsers(f)
	if len(users) == 0 { // its frontend stays because it must not go
		return
	}
	if !f.link.ManagedBy(d.c.Name) || d.linkOn(f.id()) == nil || owner == "" || d.keepsName(parseName(owner)) ||
		slices.ContainsFunc(users, func(s *service) bool { return s.held && s.cfg.PrivateLink.Create || unreadLink(s) }) {
		return
	}
	why := d.c.PrivateLink.refuseRemoval(f.link.PrivateLinkService)
	if d.c.PrivateLink.RefuseOnDelete {
		why = "allow its deletion (RefuseOnDelete), or remove it by hand"
	}
	if why != "" {
		for _, s := range users {
			d.findings = append(d.findings, Finding{
				Service: s.name, Field: string(f.link.ID), Severity: SeverityWarning,
				Err: fmt.Errorf("%w: private link service %s stays on frontend %s though its owner %s is gone, and leads to this Service too; %s", ErrLinked, f.link.ID.Name(), f.seen.Name, owner, why),
			})
		}
		return
	}
	d.removeLink(f)
	d.because(f.link.ID.Key(), d.removalCause(parseName(owner)))
}

// FindFrontend finds the frontend that ref names: by its id, by its private address, or by its name if no other load balancer in seen has
// one of that name. It is for callers who have a load balancer of their own and want a private link service on it.
func FindFrontend(seen Observed, ref string) (ID, Frontend, error) {
	var id ID
	var found Frontend
	for _, l := range seen.LoadBalancers {
		for _, f := range l.Frontends {
			at := l.ID.Child(armid.FrontendIPConfigurations, f.Name)
			address := l.Assigned[f.Name]
			if !at.Equal(ID(ref)) && !strings.EqualFold(f.Name, ref) && (!address.IsValid() || address.String() != ref) {
				continue
			}
			if id != "" {
				return "", Frontend{}, fmt.Errorf("%w: frontend %q is on %s and on %s; name it by its id", ErrClash, ref, id.Top().Name(), l.ID.Name())
			}
			id, found = at, f
		}
	}
	if id == "" {
		return "", Frontend{}, fmt.Errorf("%w: frontend %q", ErrNotFound, ref)
	}
	return id, found, nil
}
