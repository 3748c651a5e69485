package annotations

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Parse reads the annotations of svc, and the fields of its spec that belong to them, and leaves svc as it is.
//
// The Config is complete in any case: a value that cannot be used leaves its field at the default, or the access closed. The error joins one
// [*Error] per such value, in the order of the registry; [Errors] lists them and [Findings] makes findings of them. A key of a port that the
// Service does not have is not read; [Lint] reports it. Parse reads Services of any type: the caller decides which it serves.
func Parse(svc *corev1.Service) (Config, error) {
	p := newParser(svc)
	p.read()
	p.check()
	return p.cfg, p.err()
}

// Errors lists the errors that Parse joined.
func Errors(err error) []*Error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []*Error
		for _, e := range joined.Unwrap() {
			list = append(list, Errors(e)...)
		}
		return list
	}
	if one := (*Error)(nil); errors.As(err, &one) {
		return []*Error{one}
	}
	return nil
}

// parser collects a Config and what is wrong. The fields after ports say which row is being read.
type parser struct {
	svc  *corev1.Service
	cfg  Config
	errs []problem
	// What needs a second look once all keys are read.
	pipName         PerFamily
	pipPrefix       struct{ V4, V6 armid.ID }
	requests        []requested
	told            tally
	portNames       map[string]string      // names of service ports by their lower case, once they are asked for
	annotated, spec distinct[netip.Prefix] // allowed sources of the annotations and of the spec
	pinned          []ipam.Family          // those for which an annotation asks for an address
	ports           []int32                // numbers that keys of a port may have

	rank    int     // of the row in the registry
	outcome Outcome // of the row
	key     string  // annotation that is read
	at      *Port   // settings of the port that is read
}

// problem is an error with its place in the order.
type problem struct {
	rank int
	err  *Error
}

// requested is a requested address with the place it was found at.
type requested struct {
	rank int
	at   Error
	addr netip.Addr
}

func newParser(svc *corev1.Service) *parser {
	p := &parser{svc: svc, ports: portNumbers(svc)}
	p.cfg = Config{
		Service:  types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name},
		Families: families(svc.Spec.IPFamilies),
		Rules:    Rules{IdleMinutes: 4, TCPReset: true, FloatingIP: true},
	}
	return p
}

// families reads spec.ipFamilies: each once, in order; IPv4 if there is none.
func families(spec []corev1.IPFamily) []ipam.Family {
	var list []ipam.Family
	for _, name := range spec {
		f := ipam.IPv4
		switch name {
		case corev1.IPv4Protocol:
		case corev1.IPv6Protocol:
			f = ipam.IPv6
		default:
			continue
		}
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	if list == nil {
		list = []ipam.Family{ipam.IPv4}
	}
	return list
}

// portNumbers lists the numbers that the keys of a port may have, ascending: those of the Service's ports and, with local traffic policy,
// that of the health check port, whose interval and threshold count for the node probe.
func portNumbers(svc *corev1.Service) []int32 {
	var list []int32
	for _, port := range svc.Spec.Ports {
		list = append(list, port.Port)
	}
	if isLocal(svc) && svc.Spec.HealthCheckNodePort != 0 {
		list = append(list, svc.Spec.HealthCheckNodePort)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// isLocal reports whether only the nodes with a pod of the Service take its traffic.
func isLocal(svc *corev1.Service) bool {
	return svc.Spec.Type == corev1.ServiceTypeLoadBalancer &&
		strings.EqualFold(string(svc.Spec.ExternalTrafficPolicy), string(corev1.ServiceExternalTrafficPolicyLocal))
}

// read goes through the registry and reads every key that the Service has.
func (p *parser) read() {
	perPort := false // most Services have no key of a port, and need not be asked for each
	for key := range p.svc.Annotations {
		perPort = perPort || strings.HasPrefix(key, Prefix+"port_")
	}
	for i := range registry {
		k := &registry[i]
		p.rank, p.outcome = i, k.Outcome
		switch {
		case k.Dead:
		case !k.PerPort():
			if value, ok := p.annotation(k.Name); ok {
				k.read(p, value)
			}
		case perPort:
			p.readPorts(k)
		}
	}
}

// readPorts reads the key k of every port.
func (p *parser) readPorts(k *Key) {
	for _, n := range p.ports {
		value, ok := p.annotation(PortKey(k.Name, n))
		if !ok {
			continue
		}
		port := p.cfg.Ports[n]
		p.at = &port
		k.read(p, value)
		if p.cfg.Ports == nil {
			p.cfg.Ports = make(map[int32]Port)
		}
		p.cfg.Ports[n] = port
	}
}

// annotation returns the value of a key without the blanks around it, and makes the key the one that fail reports.
func (p *parser) annotation(key string) (string, bool) {
	p.key = key
	value, ok := p.svc.Annotations[key]
	if !ok && key == KeyConfigurations {
		for _, other := range slices.Sorted(maps.Keys(p.svc.Annotations)) {
			if strings.EqualFold(other, key) {
				p.key = other
				value, ok = p.svc.Annotations[other], true
				break
			}
		}
	}
	return strings.TrimSpace(value), ok
}

// fail reports that value, a part of the annotation being read, cannot be used. The text says what was wanted.
func (p *parser) fail(value string, kind error, format string, args ...any) {
	p.report(p.rank, Error{Key: p.key, Value: value, Outcome: p.outcome}, kind, format, args...)
}

// failWith is fail with an error that names its kind itself.
func (p *parser) failWith(value string, err error) {
	p.errs = append(p.errs, problem{p.rank, &Error{Key: p.key, Value: value, Outcome: p.outcome, Err: err}})
}

// failAt reports an error of the row key, found after all keys are read.
func (p *parser) failAt(key string, at Error, kind error, format string, args ...any) {
	p.report(rankOf(key), at, kind, format, args...)
}

func (p *parser) report(rank int, at Error, kind error, format string, args ...any) {
	if e := p.told.add(at, kind, format, args...); e != nil {
		p.errs = append(p.errs, problem{rank, e})
	}
}

// rankOf returns the place of the row with the given name.
func rankOf(key string) int {
	return slices.IndexFunc(registry, func(k Key) bool { return k.Name == key })
}

// request notes a requested address from the annotation being read.
func (p *parser) request(value string, a netip.Addr) {
	p.requests = append(p.requests, requested{p.rank, Error{Key: p.key, Value: value, Outcome: Hold}, a})
}

// check takes the second look: at what depends on several keys or on the spec.
func (p *parser) check() {
	p.names()
	p.addresses()
	p.access()
	p.probes()
	p.natAddresses()
}

// names hands the names and prefixes of public IPs to the families: on an IPv6-only Service the general ones serve where those for IPv6 are
// absent.
func (p *parser) names() {
	name, prefix := p.pipName, p.pipPrefix
	if p.has(ipam.IPv4) {
		p.cfg.PublicIP.Name.V4, p.cfg.PublicIP.Prefix.V4 = name.V4, prefix.V4
	} else {
		name.V6, prefix.V6 = cmp.Or(name.V6, name.V4), cmp.Or(prefix.V6, prefix.V4)
	}
	if p.has(ipam.IPv6) {
		p.cfg.PublicIP.Name.V6, p.cfg.PublicIP.Prefix.V6 = name.V6, prefix.V6
	}
}

// has reports whether the Service has an address of family f.
func (p *parser) has(f ipam.Family) bool { return slices.Contains(p.cfg.Families, f) }

// addresses settles which addresses are asked for. The field of the spec counts for its family if no annotation asks for one of that.
func (p *parser) addresses() {
	p.specAddress()
	for _, r := range p.requests {
		if kind, want := p.unusable(r.addr); want != "" {
			p.report(r.rank, r.at, kind, "%s", want)
			continue
		}
		p.cfg.Addresses = p.cfg.Addresses.With(r.addr)
	}
}

// specAddress reads spec.loadBalancerIP.
func (p *parser) specAddress() {
	v := strings.TrimSpace(p.svc.Spec.LoadBalancerIP)
	if v == "" {
		return
	}
	at := Error{Path: "spec.loadBalancerIP", Value: v, Outcome: Hold}
	a, err := netip.ParseAddr(v)
	if err != nil || a.Zone() != "" {
		if len(p.pinned) == 0 {
			p.failAt(KeyIPv6, at, ErrSyntax, "want an IPv4 or IPv6 address")
		}
		return
	}
	if f := ipam.FamilyOf(a.Unmap()); slices.Contains(p.pinned, f) || len(p.pinned) > 0 && !p.has(f) {
		return
	}
	p.requests = append(p.requests, requested{rankOf(KeyIPv6), at, a.Unmap()})
}

// unusable says what was wanted instead of a, or nothing if a may be asked for.
func (p *parser) unusable(a netip.Addr) (kind error, want string) {
	f := ipam.FamilyOf(a)
	named := p.cfg.PublicIP.Name.Of(f) != "" || f == ipam.IPv4 && p.cfg.PublicIP.Prefix.V4 != "" || f == ipam.IPv6 && p.cfg.PublicIP.Prefix.V6 != ""
	switch {
	case !p.has(f):
		return ErrConflict, fmt.Sprintf("want an address of a family in spec.ipFamilies, which has no %s", f)
	case !unicast(a):
		return ErrRange, "want the address of one machine"
	case !p.cfg.Internal && !named && !p.failed(KeyInternal) && !public(a):
		return ErrRange, "want a public address, since the Service is not internal"
	}
	return nil, ""
}

// unicast reports whether a can be the address of a machine in a network.
func unicast(a netip.Addr) bool {
	return a.IsGlobalUnicast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// notPublic are the ranges besides the private ones that no public IP is in: shared address space, and Azure's own virtual address.
var notPublic = []netip.Prefix{netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("168.63.129.16/32")}

// nobodys are the ranges besides those that are not of one machine in which no Service can have an address: that of Azure's platform, this network,
// reserved ones, and IPv4 addresses translated to IPv6.
var nobodys = []netip.Prefix{
	netip.MustParsePrefix("168.63.129.16/32"), netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"),
}

// public reports whether a can be the address of a public IP.
func public(a netip.Addr) bool {
	return unicast(a) && !a.IsPrivate() && !slices.ContainsFunc(notPublic, func(r netip.Prefix) bool { return r.Contains(a) })
}

// failed reports whether the value of a key could not be used.
func (p *parser) failed(key string) bool {
	return slices.ContainsFunc(p.errs, func(e problem) bool { return e.err.Key == key })
}

// err joins the errors in the order of the registry.
func (p *parser) err() error {
	p.told.finish()
	slices.SortStableFunc(p.errs, func(a, b problem) int { return cmp.Compare(a.rank, b.rank) })
	list := make([]error, len(p.errs))
	for i, e := range p.errs {
		list[i] = e.err
	}
	return errors.Join(list...)
}
