package lb

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
)

// addressBook tells whose an address is that a Service names as additional. kube-proxy leads what is sent to an address in the status of a Service to
// that Service, on every node: who could name any address would get the traffic that pods send there.
type addressBook struct {
	frontends map[netip.Addr][]ID         // of our load balancers
	public    map[netip.Addr]SeenPublicIP // those that one can see
	nodes     map[netip.Addr]string
	cluster   map[netip.Addr]*service // addresses that Kubernetes, a person or another controller gave a Service
	pods      []netip.Prefix
	network   []netip.Prefix // of the configured virtual network
}

// addresses returns the address book, which is the same for all outlines.
func (b *builder) addresses() *addressBook {
	if b.book != nil {
		return b.book
	}
	book := &addressBook{
		frontends: map[netip.Addr][]ID{}, public: map[netip.Addr]SeenPublicIP{}, nodes: map[netip.Addr]string{}, cluster: map[netip.Addr]*service{},
	}
	b.book = book
	for _, id := range b.ourBalancers() {
		if l := b.seen.balancers[id.Key()]; l != nil {
			for _, f := range l.Frontends {
				a := l.address(b.seen, f)
				book.frontends[a] = append(book.frontends[a], id.Child(armid.FrontendIPConfigurations, f.Name))
			}
		}
	}
	for _, p := range b.seen.PublicIPs {
		book.public[p.Address] = p
	}
	for _, n := range b.in.Nodes {
		for _, at := range n.Status.Addresses {
			note(book.nodes, at.Address, n.Name)
		}
		for _, text := range append(slices.Clone(n.Spec.PodCIDRs), n.Spec.PodCIDR) {
			if p, err := netip.ParsePrefix(text); err == nil {
				book.pods = append(book.pods, p)
			}
		}
	}
	for _, s := range b.services {
		for _, text := range slices.Concat(s.obj.Spec.ClusterIPs, []string{s.obj.Spec.ClusterIP}, s.obj.Spec.ExternalIPs) {
			note(book.cluster, text, s)
		}
		for _, in := range s.obj.Status.LoadBalancer.Ingress {
			if !s.ours {
				note(book.cluster, in.IP, s)
			}
		}
	}
	for _, n := range b.seen.Networks {
		if n.ID.Equal(b.c.Network) {
			book.network = append(book.network, n.Prefixes...)
			for _, subnet := range n.Subnets {
				book.network = append(book.network, subnet.Prefixes...)
			}
		}
	}
	return book
}

// note enters an address, if text is one.
func note[T any](book map[netip.Addr]T, text string, whose T) {
	if a, err := netip.ParseAddr(text); err == nil {
		book[a.Unmap()] = whose
	}
}

// additional adds azure-additional-public-ips to the addresses of the Service, unless one is somebody else's.
func (d *outline) additional(s *service, p *part) []fieldError {
	var bad []fieldError
	for _, a := range s.cfg.PublicIP.Additional {
		err := d.refuseAdditional(a, s)
		if err == nil {
			err = d.allowedAddress(a)
		}
		if err != nil {
			bad = append(bad, fieldError{annotationField(keyAdditional), err})
			continue
		}
		p.ingress = append(p.ingress, ingress{ipam.FamilyOf(a), Address{IP: a}})
	}
	return bad
}

// refuseAdditional says whose an address is that s may not name; nil: nobody's, as far as one can see.
func (d *outline) refuseAdditional(a netip.Addr, s *service) error {
	book := d.addresses()
	at := book.frontends[a]
	for _, id := range at {
		if base := d.owner(id.Name()); base != "" && base != s.base {
			return fmt.Errorf("%w: %s is the address of frontend %s of another Service", ErrClash, a, id.Name())
		}
	}
	if other := book.cluster[a]; other != nil && other != s {
		return fmt.Errorf("%w: %s is the address of %s", ErrClash, a, other.name)
	}
	if node, ok := book.nodes[a]; ok {
		return fmt.Errorf("%w: %s is the address of node %s, and the Service would get what is sent there", ErrClash, a, node)
	}
	switch {
	case contains(book.pods, a):
		return fmt.Errorf("%w: %s is an address of pods, and the Service would get what is sent there", ErrClash, a)
	case contains(book.network, a) && len(at) == 0:
		return fmt.Errorf("%w: %s is in the virtual network %s and no frontend of this cluster's load balancers; name an address of a frontend, or one outside", ErrForeign, a, d.c.Network.Name())
	}
	return nil
}

// checkAdditional holds Services that name as additional an address which a frontend of another Service has by now, and warns of addresses that
// nobody can be seen to have.
func (d *outline) checkAdditional() {
	owners := map[netip.Addr]*service{}
	for _, s := range d.services {
		if r := d.results[s.name]; r != nil {
			for _, in := range r.ingress[:max(0, len(r.ingress)-len(s.cfg.PublicIP.Additional))] {
				owners[in.address.IP] = s
			}
		}
	}
	book := d.addresses()
	for _, s := range d.services {
		if s.held || d.results[s.name] == nil {
			continue
		}
		var unseen []string
		for _, a := range s.cfg.PublicIP.Additional {
			if other := owners[a]; other != nil && other != s {
				d.hold(s, annotationField(keyAdditional), fmt.Errorf("%w: %s is the address of %s", ErrClash, a, other.name))
			}
			if _, public := book.public[a]; !public && len(book.frontends[a]) == 0 {
				unseen = append(unseen, a.String())
			}
		}
		if len(unseen) > 0 && !s.held {
			d.findings = append(d.findings, Finding{
				Service: s.name, Field: annotationField(keyAdditional), Severity: SeverityWarning,
				Err: fmt.Errorf("%w: %s: no public IP that can be seen has it; it comes into the status of the Service, and kube-proxy leads what is sent there to the Service, on every node",
					annotations.ErrDoubtful, atMost(unseen, 5)),
			})
		}
	}
}
