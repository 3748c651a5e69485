package lb

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ErrOtherClass says that a Service of a loadBalancerClass that is served by somebody else has something here, which stays.
var ErrOtherClass = errors.New("of another load balancer class")

const classField = "spec.loadBalancerClass"

func classOf(svc *corev1.Service) string {
	if svc.Spec.LoadBalancerClass == nil {
		return ""
	}
	return *svc.Spec.LoadBalancerClass
}

// Releases reports whether a Service of type LoadBalancer is one whose loadBalancerClass is to be given up ([Cluster.ReleaseClasses]).
func (c Cluster) Releases(svc *corev1.Service) bool {
	class := classOf(svc)
	return class != c.Class && slices.Contains(c.ReleaseClasses, class)
}

// findFormer finds what Services of another class had under a former uid, from before they were made anew: a frontend whose uid nobody has, with a
// public IP that is ours and names the Service. It is kept like what they have under their own.
func (b *builder) findFormer() {
	b.former = map[string]*service{}
	for _, id := range b.ourBalancers() {
		l := b.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		for _, f := range l.Frontends {
			base, p := b.owner(f.Name), b.seen.publicIPs[f.PublicIP.Key()]
			if base == "" || b.byBase[base] != nil || p == nil || !b.manages(p) || !strings.Contains(strings.ToLower(p.ID.Name()), base) {
				continue
			}
			for _, name := range b.users(p) {
				if s := b.byName[parseName(name)]; s != nil && s.wanted && !s.ours {
					b.former[base] = s
				}
			}
		}
	}
}

// otherClass returns the Service of another class that a base name is of, or was before the Service was made anew; nil for none.
func (b *builder) otherClass(base string) *service {
	s := b.byBase[base]
	if s == nil {
		s = b.former[base]
	}
	if s == nil || s.ours || !s.wanted || b.spared(s.name) {
		return nil
	}
	return s
}

// checkClasses tells of Services of another class that have something here. It stays, since whoever serves the class may have made it: the names are
// those of every provider.
func (d *outline) checkClasses() {
	if !slices.ContainsFunc(d.services, func(s *service) bool { return !s.ours && s.wanted && !d.spared(s.name) }) {
		return
	}
	left := d.leftByClass()
	if len(left) == 0 {
		return
	}
	opened := d.openedFor()
	for _, s := range d.services {
		if len(left[s]) == 0 {
			continue
		}
		open, list := "nothing of it is open in the security group", opened[s]
		slices.Sort(left[s])
		slices.Sort(list)
		if len(list) > 0 {
			open = "open is " + strings.Join(list, ", ")
		}
		d.findings = append(d.findings, Finding{Service: s.name, Field: classField, Severity: SeverityWarning, Err: fmt.Errorf(
			"%w: %q is served by others, %q here, and what the Service has here stays: %s; %s; if nobody serves it by this any more, have the class released (ReleaseClasses)",
			ErrOtherClass, classOf(s.obj), d.c.Class, strings.Join(left[s], ", "), open)})
	}
}

// leftByClass says in words what Services of another class have: frontends, public IPs and private link services.
func (d *outline) leftByClass() map[*service][]string {
	left := map[*service][]string{}
	for _, id := range d.ourBalancers() {
		l := d.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		users := map[string][]*service{} // by frontend
		use := func(base, frontend string) {
			if s := d.otherClass(base); s != nil && !slices.Contains(users[strings.ToLower(frontend)], s) {
				users[strings.ToLower(frontend)] = append(users[strings.ToLower(frontend)], s)
			}
		}
		for _, r := range l.Rules {
			use(d.owner(r.Name), r.Frontend)
		}
		for _, f := range l.Frontends {
			use(d.owner(f.Name), f.Name)
			text := "frontend " + f.Name + " of " + l.ID.Name()
			if a := l.address(d.seen, f); a.IsValid() {
				text += " (" + a.String() + ")"
			}
			for _, s := range users[strings.ToLower(f.Name)] {
				left[s] = append(left[s], text)
			}
		}
	}
	for i := range d.seen.PublicIPs {
		p := &d.seen.PublicIPs[i]
		for _, name := range d.users(p) {
			if s := d.byName[parseName(name)]; s != nil && !s.ours && s.wanted && !d.spared(s.name) && !d.otherCluster(p) {
				left[s] = append(left[s], "public IP "+p.ID.Name())
			}
		}
	}
	for _, p := range d.seen.PrivateLinkServices {
		for _, f := range p.Frontends {
			if s := d.otherClass(d.owner(f.Name())); s != nil && p.ManagedBy(d.c.Name) {
				left[s] = append(left[s], "private link service "+p.ID.Name())
			}
		}
	}
	return left
}

// openedFor says in words what the security group lets through to each Service of another class.
func (d *outline) openedFor() map[*service][]string {
	group := d.seen.securityGroup(d.c.SecurityGroup)
	if group == nil {
		return nil
	}
	f, opened := d.flows(), map[*service][]string{}
	for _, r := range group.Rules {
		if !managed(r) || r.Outbound || r.Access == "Deny" {
			continue
		}
		ports, _ := numbers(r.Ports)
		for _, a := range r.Destinations {
			for i, port := range ports {
				text := fmt.Sprintf("%s from %s (%s port %s)", a.IP, strings.Join(r.Sources, ", "), r.Protocol, r.Ports[i])
				for _, base := range slices.Concat(f.ports[flow{a.IP, servedPort{r.Protocol, port}}], f.any[a.IP]) {
					if s := d.otherClass(base); s != nil && !slices.Contains(opened[s], text) {
						opened[s] = append(opened[s], text)
					}
				}
			}
		}
	}
	return opened
}
