package lb

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	corev1 "k8s.io/api/core/v1"
)

// PrivateLinkPolicy says what may become of private link services that have consumers.
type PrivateLinkPolicy struct {
	// RefuseOnDelete keeps the private link service, and its frontend, of a Service that is deleted or no longer of type LoadBalancer.
	// Default: it goes with its Service.
	RefuseOnDelete bool
	// RemoveOnUnrequest removes the private link service when azure-pls-create is removed while the Service stays, unless endpoints are
	// connected. Default: it stays, as upstream leaves it.
	RemoveOnUnrequest bool
	// RemoveConnected lets RemoveOnUnrequest cut connected endpoints too.
	RemoveConnected bool
	// AllowRecreate lets changes through that need a new private link service, with a new alias. Default: the Service is held.
	AllowRecreate bool
	// AdoptUnmanaged takes over private link services that carry no cluster's tag, when the Service of their frontend asks for one. Those of
	// another cluster are never touched.
	AdoptUnmanaged bool
	// KeepSubnetPolicies leaves the network policies of subnets alone; private link services in subnets that have them are held then.
	KeepSubnetPolicies bool
}

// checkPrivateLink refuses what can never have a private link service.
func (d *outline) checkPrivateLink(s *service) []fieldError {
	if !s.cfg.PrivateLink.Create {
		return nil
	}
	field := annotationField(annotations.KeyPLSCreate)
	switch {
	case !slices.Contains(s.cfg.Families, ipam.IPv4):
		return []fieldError{{field, fmt.Errorf("%w; add IPv4 to spec.ipFamilies", pls.ErrFamily)}}
	case !s.cfg.Internal && s.cfg.Rules.FloatingIP:
		return []fieldError{{field, fmt.Errorf("%w: an external Service has a private link service only without floating IP; set %s or %s to \"true\"",
			ErrUnserved, annotations.KeyInternal, annotations.KeyDisableFloatingIP)}}
	}
	if u := d.seen.unknown(armid.PrivateLinkServices, d.privateLinkGroup(s)); u != nil {
		e := unreadable(*u)
		e.field = field
		if s.cfg.PrivateLink.ResourceGroup != "" {
			e.field = annotationField(annotations.KeyPLSResourceGroup)
		}
		return []fieldError{e}
	}
	return nil
}

func (d *outline) privateLinkGroup(s *service) ID {
	return d.groupID(orText(s.cfg.PrivateLink.ResourceGroup, d.c.PrivateLinkGroup))
}

// finishPrivateLinks decides about the private link services of our frontends: those whose frontend goes or changes go first, then those
// that nobody asks for any more, then those that Services ask for are made.
func (d *outline) finishPrivateLinks() {
	linked := d.linkedFrontends()
	for _, f := range linked {
		d.releaseLink(f)
	}
	asked := d.linkRequests()
	d.checkLinkConsent(asked)
	for _, f := range linked {
		if len(asked[f.id().Key()]) == 0 {
			d.unrequestLink(f)
		}
	}
	for _, s := range d.order() {
		if frontend := d.linkFrontend(s); frontend != "" && s.cfg.PrivateLink.Create && !s.held {
			d.requestLink(s, frontend, asked[frontend.Key()])
		}
	}
}

// linkRequests are the Services that ask for a private link service, by key of the frontend, in the order in which they come to own it.
func (d *outline) linkRequests() map[string][]*service {
	asked := map[string][]*service{}
	for _, s := range d.order() {
		if frontend := d.linkFrontend(s); frontend != "" && s.cfg.PrivateLink.Create {
			asked[frontend.Key()] = append(asked[frontend.Key()], s)
		}
	}
	for key, list := range asked {
		// Whose frontend it is comes first, as when nothing was there yet, so that a plan in the middle of another one decides alike.
		base := d.owner(ID(key).Name())
		slices.SortStableFunc(list, func(x, y *service) int {
			switch {
			case x.base == base && y.base != base, older(x, y) && y.base != base:
				return -1
			case x.base != y.base:
				return 1
			default:
				return 0
			}
		})
	}
	return asked
}

// linkFrontend returns the id of the IPv4 frontend of a Service that is served, or "".
func (d *outline) linkFrontend(s *service) ID {
	r := d.results[s.name]
	if r == nil || s.held {
		return ""
	}
	l := d.balancer(d.balancerOf(s))
	for _, name := range r.frontends {
		if f := l.frontends[strings.ToLower(name)]; f.Family == ipam.IPv4 {
			return l.id.Child(armid.FrontendIPConfigurations, f.Name)
		}
	}
	return ""
}

// onFrontend reports whether a Service is on a frontend: where it is served, or, if it is held, where it is.
func (d *outline) onFrontend(s *service, frontend ID) bool {
	if s.held {
		return d.uses[frontend.Top().Key()][s.base][strings.ToLower(frontend.Name())]
	}
	return d.linkFrontend(s).Equal(frontend)
}

// linkOn finds the private link service of a frontend, unless it goes.
func (d *outline) linkOn(frontend ID) *SeenPrivateLinkService {
	for i := range d.seen.PrivateLinkServices {
		if p := &d.seen.PrivateLinkServices[i]; p.Serves(frontend) && !slices.ContainsFunc(d.remove, p.ID.Equal) {
			return p
		}
	}
	return nil
}

// linkOf returns the private link service that a Service has in the end, or "".
func (d *outline) linkOf(s *service) ID {
	for _, p := range d.otherLinks() {
		if slices.ContainsFunc(p.Frontends, func(f ID) bool { return d.onFrontend(s, f) }) {
			return p.ID
		}
	}
	return ""
}

// requestLink works out the private link service of a Service, or holds the Service. asked are all who ask for it.
func (d *outline) requestLink(s *service, frontend ID, asked []*service) {
	existing := d.linkOn(frontend)
	if owner := d.linkOwner(existing, frontend, asked); owner != s {
		d.shareLink(s, owner, frontend)
		return
	}
	if inherits(s, existing) && existing.ManagedBy(d.c.Name) && !s.cfg.PrivateLink.Options {
		// Its owner is gone and s has no wishes of its own: consumers keep what they have.
		return
	}
	d.buildLink(s, frontend, existing)
}

// linkOwner returns the Service that decides about the private link service of a frontend: the one in its tag, while that is on the frontend
// and asks for it, else the first who does.
func (d *outline) linkOwner(existing *SeenPrivateLinkService, frontend ID, asked []*service) *service {
	if existing == nil {
		return asked[0]
	}
	name, _ := existing.Tag(pls.TagOwner)
	owner := d.byName[parseName(name)]
	if owner != nil && owner.wanted && (owner.held || owner.cfg.PrivateLink.Create) && d.onFrontend(owner, frontend) {
		return owner
	}
	return asked[0]
}

// shareLink is for a Service that is on the frontend of an owner: it has the same private link service, and must not want another one.
func (d *outline) shareLink(s, owner *service, frontend ID) {
	if !s.cfg.PrivateLink.Options {
		return
	}
	if keys := otherLink(s.cfg, owner.cfg); len(keys) > 0 {
		d.hold(s, annotationField(keys[0]), fmt.Errorf("%w: the private link service of frontend %s is configured by %s, which has different settings for %s; use the same settings, or remove all azure-pls annotations of this Service except %s",
			ErrClash, frontend.Name(), owner.name, strings.Join(keys, ", "), annotations.KeyPLSCreate))
	}
}

// otherLink lists the keys of which two Services want something different of a private link service.
func otherLink(a, b annotations.Config) []string {
	x, y := a.PrivateLink, b.PrivateLink
	var keys []string
	for _, o := range []struct {
		key  string
		same bool
	}{
		{annotations.KeyPLSName, strings.EqualFold(x.Name, y.Name)},
		{annotations.KeyPLSSubnet, strings.EqualFold(linkSubnetName(a), linkSubnetName(b))},
		{annotations.KeyPLSCount, linkCount(x) == linkCount(y)},
		{annotations.KeyPLSAddresses, sameAddresses(x.Addresses, y.Addresses)},
		{annotations.KeyPLSFQDNs, setText(x.FQDNs) == setText(y.FQDNs)},
		{annotations.KeyPLSProxyProtocol, x.ProxyProtocol == y.ProxyProtocol},
		{annotations.KeyPLSVisibility, strings.EqualFold(setText(x.Visibility), setText(y.Visibility))},
		{annotations.KeyPLSAutoApproval, strings.EqualFold(setText(x.AutoApproval), setText(y.AutoApproval))},
	} {
		if !o.same {
			keys = append(keys, o.key)
		}
	}
	return keys
}

// linkCount is the number of NAT addresses that are asked for.
func linkCount(p annotations.PrivateLink) int { return max(1, int(p.Count), len(p.Addresses)) }

// sameAddresses compares static NAT addresses: the first is the primary one, the others have no order.
func sameAddresses(a, b []netip.Addr) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	sorted := func(list []netip.Addr) []netip.Addr {
		return slices.SortedFunc(slices.Values(list), netip.Addr.Compare)
	}
	return a[0] == b[0] && slices.Equal(sorted(a), sorted(b))
}

// inherits reports whether an existing private link service is named after an owner other than s.
func inherits(s *service, existing *SeenPrivateLinkService) bool {
	if existing == nil {
		return false
	}
	owner, _ := existing.Tag(pls.TagOwner)
	return owner != "" && !strings.EqualFold(owner, s.name.String())
}

func (d *outline) buildLink(s *service, frontend ID, existing *SeenPrivateLinkService) {
	subnet, bad := d.linkSubnet(s)
	if bad != nil {
		d.hold(s, bad.field, bad.err)
		return
	}
	r := pls.Request{
		Service: s.name, Options: s.cfg.PrivateLink, Frontend: frontend, Location: d.c.Location, EdgeZone: d.c.EdgeZone,
		Group: d.privateLinkGroup(s), Cluster: d.c.Name, Subnet: subnet.ID, Prefixes: subnet.Prefixes, Taken: d.takenAddresses(),
		Tags: plsTags(d.c.Tags), Others: d.otherLinks(), Adopt: d.c.PrivateLink.AdoptUnmanaged,
		MaxPerBalancer: d.c.Limits.LinksPerLoadBalancer, MaxPerSubscription: d.c.Limits.LinksPerSubscription,
	}
	if existing != nil {
		r.Existing = &existing.PrivateLinkService
	}
	want, findings := pls.Build(r)
	held := false
	for _, f := range findings {
		if f.Holds {
			d.hold(s, f.Field, f.Err)
			held = true
		} else {
			d.findings = append(d.findings, f)
		}
	}
	if held {
		return
	}
	d.addLink(want)
	d.cause(want.ID, s, annotationField(annotations.KeyPLSCreate))
	if subnet.PrivateLinkPolicies && (existing == nil || len(privateLinkFields(withoutEcho(existing.PrivateLinkService), withoutEcho(want))) > 0) {
		d.openSubnet(s, subnet)
	}
	d.warnLink(s, subnet)
}

// addLink enters a private link service that is wanted. One that goes under the same name is created anew, which is one thing to Diff.
func (d *outline) addLink(want pls.PrivateLinkService) {
	d.links = append(d.links, want)
	if n := len(d.remove); n > len(d.withoutRemoval(want.ID)) {
		d.remove, d.relink = d.withoutRemoval(want.ID), append(d.relink, want.ID)
	}
}

func (d *outline) withoutRemoval(id ID) []ID {
	return slices.DeleteFunc(slices.Clone(d.remove), id.Equal)
}

// otherLinks are the private link services as they will be, but for those that Services still to come ask for.
func (d *outline) otherLinks() []pls.PrivateLinkService {
	list := slices.Clone(d.links)
	for i := range d.seen.PrivateLinkServices {
		p := d.seen.PrivateLinkServices[i].PrivateLinkService
		if !slices.ContainsFunc(d.remove, p.ID.Equal) && !slices.ContainsFunc(d.links, func(w pls.PrivateLinkService) bool { return w.ID.Equal(p.ID) }) {
			list = append(list, p)
		}
	}
	return list
}

// openSubnet switches off the network policies that keep private link services out of a subnet.
func (d *outline) openSubnet(s *service, subnet *SeenSubnet) {
	if d.c.PrivateLink.KeepSubnetPolicies {
		d.hold(s, annotationField(annotations.KeyPLSSubnet), fmt.Errorf("%w: subnet %s has network policies for private link services; disable them (privateLinkServiceNetworkPolicies) or choose another subnet", ErrUnserved, subnet.ID.Name()))
		return
	}
	open := subnet.Subnet
	open.PrivateLinkPolicies = false
	if !slices.ContainsFunc(d.subnets, func(o Subnet) bool { return o.ID.Equal(open.ID) }) {
		d.subnets = append(d.subnets, open)
	}
	d.cause(open.ID, s, annotationField(annotations.KeyPLSCreate))
}

// linkSubnet is the subnet of the NAT addresses: the one asked for, else that of the internal frontend, else that of the configuration.
func (d *outline) linkSubnet(s *service) (*SeenSubnet, *fieldError) {
	asked := *s
	field := annotations.KeyPLSSubnet
	asked.cfg.Subnet = linkSubnetName(s.cfg)
	subnet, _, bad := d.findSubnet(&asked)
	if bad != nil && s.cfg.PrivateLink.Subnet != "" {
		bad.field = annotationField(field)
	}
	return subnet, bad
}

func linkSubnetName(cfg annotations.Config) string {
	if cfg.PrivateLink.Subnet != "" || !cfg.Internal {
		return cfg.PrivateLink.Subnet
	}
	return cfg.Subnet
}

// takenAddresses are the private addresses that frontends and nodes have, or are to have.
func (d *outline) takenAddresses() []netip.Addr {
	var taken []netip.Addr
	for _, l := range d.seen.LoadBalancers {
		for _, a := range l.Assigned {
			taken = append(taken, a)
		}
	}
	for _, l := range d.balancers {
		for _, f := range l.frontends {
			if f.Static.IsValid() {
				taken = append(taken, f.Static)
			}
		}
	}
	return append(taken, nodeAddresses(d.in.Nodes)...)
}

// nodeAddresses are the internal addresses of nodes.
func nodeAddresses(nodes []corev1.Node) []netip.Addr {
	var list []netip.Addr
	for _, n := range nodes {
		for _, a := range n.Status.Addresses {
			if ip, err := netip.ParseAddr(a.Address); err == nil && a.Type == corev1.NodeInternalIP {
				list = append(list, ip)
			}
		}
	}
	return list
}

// warnLink says what ARM may refuse, or not serve: it has the last word.
func (d *outline) warnLink(s *service, subnet *SeenSubnet) {
	warn := func(format string, args ...any) {
		d.findings = append(d.findings, Finding{Service: s.name, Field: annotationField(annotations.KeyPLSCreate), Severity: SeverityWarning, Err: fmt.Errorf(format, args...)})
	}
	if d.c.PoolType == PoolAddresses {
		warn("%w: private link services are not documented for IP-based backend pools; if it refuses, use nodeIPConfiguration", ErrMayRefuse)
	}
	for _, f := range d.balancer(d.balancerOf(s)).frontends {
		if f.Family == ipam.IPv6 {
			warn("%w: private link services are not documented on load balancers with an IPv6 frontend; if it refuses, move the Services with IPv6 to another load balancer", ErrMayRefuse)
			break
		}
	}
	if s.obj.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal && strings.EqualFold(subnet.ID.Name(), d.c.Subnet) {
		warn("%w: private link services are not documented for externalTrafficPolicy Local in subnet %s, which the pods use; if it refuses, name another subnet with %s",
			ErrMayRefuse, subnet.ID.Name(), annotations.KeyPLSSubnet)
	}
}
