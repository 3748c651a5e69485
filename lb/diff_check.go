package lb

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

// ErrDesired is wrapped by the error of [Diff]: the Desired is not well formed. All problems are reported at once.
var ErrDesired = errors.New("desired state is not well formed")

// desiredCheck collects what is wrong with a [Desired].
type desiredCheck struct {
	problems   []string
	remove     map[string]bool
	publicIPs  map[string]bool // keys of all that are wanted, seen or referred to
	frontends  map[string]bool
	interfaces map[string]bool
	subnets    map[string]bool
}

const (
	frontendType   = armid.LoadBalancers + "/" + armid.FrontendIPConfigurations
	subnetType     = armid.VirtualNetworks + "/" + armid.Subnets
	connectionType = armid.PrivateLinkServices + "/" + armid.PrivateEndpointConnections
)

// removable are the types that Remove may name.
var removable = []string{
	armid.LoadBalancers, frontendType, armid.LoadBalancers + "/" + armid.BackendAddressPools, armid.LoadBalancers + "/" + armid.Probes,
	armid.LoadBalancers + "/" + armid.LoadBalancingRules, armid.PublicIPAddresses, armid.NetworkSecurityGroups + "/" + armid.SecurityRules,
	armid.PrivateLinkServices, connectionType,
}

// checkDesired returns an error that wraps [ErrDesired] if want is not well formed.
func checkDesired(seen Observed, want Desired) error {
	c := newDesiredCheck(seen, want)
	c.checkIDs(want)
	byKey := map[string]SeenLoadBalancer{}
	for _, l := range seen.LoadBalancers {
		byKey[l.ID.Key()] = l
	}
	for _, l := range want.LoadBalancers {
		c.checkLoadBalancer(l, byKey[l.ID.Key()].LoadBalancer)
	}
	for _, g := range want.SecurityGroups {
		checkNames(c, g.ID, securityKind, g.Rules)
		for _, r := range g.Rules {
			c.checkDestinations(g.ID, r)
		}
	}
	for _, p := range want.PrivateLinkServices {
		for _, f := range p.Frontends {
			if c.checkID(p.ID.Name()+": frontend", f, frontendType); !c.frontends[f.Key()] {
				c.add("private link service %s: frontend %s is neither wanted nor there", p.ID.Name(), f)
			}
		}
	}
	return c.err()
}

func newDesiredCheck(seen Observed, want Desired) *desiredCheck {
	c := &desiredCheck{
		remove: keySet(want.Remove), publicIPs: map[string]bool{}, frontends: map[string]bool{},
		interfaces: map[string]bool{}, subnets: map[string]bool{},
	}
	for _, ip := range seen.PublicIPs {
		c.publicIPs[ip.ID.Key()] = true
	}
	for _, ip := range want.PublicIPs {
		c.publicIPs[ip.ID.Key()] = true
	}
	for _, l := range seen.LoadBalancers {
		for _, f := range l.Frontends {
			c.frontends[l.ID.Child(armid.FrontendIPConfigurations, f.Name).Key()] = true
			c.publicIPs[f.PublicIP.Key()] = true
		}
	}
	for _, l := range want.LoadBalancers {
		for _, f := range l.Frontends {
			c.frontends[l.ID.Child(armid.FrontendIPConfigurations, f.Name).Key()] = true
		}
	}
	for _, n := range seen.Interfaces {
		c.interfaces[n.ID.Key()] = true
	}
	for _, n := range seen.Networks {
		for _, s := range n.Subnets {
			c.subnets[s.ID.Key()] = true
		}
	}
	return c
}

func (c *desiredCheck) add(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// err joins the problems in an order that does not depend on that of the input.
func (c *desiredCheck) err() error {
	slices.Sort(c.problems)
	var errs []error
	for _, p := range slices.Compact(c.problems) {
		errs = append(errs, fmt.Errorf("%w: %s", ErrDesired, p))
	}
	return errors.Join(errs...)
}

// checkID wants a well-formed id of type typ.
func (c *desiredCheck) checkID(what string, id ID, typ string) {
	if _, err := armid.Parse(string(id)); err != nil {
		c.add("%s %q: %v", what, id, err)
	} else if !id.Is(typ) {
		c.add("%s %s: want an id of type %s", what, id, typ)
	}
}

// checkIDs looks at the ids of all resources and at Remove and Recreate.
func (c *desiredCheck) checkIDs(want Desired) {
	checkResources(c, "load balancer", armid.LoadBalancers, want.LoadBalancers, func(l LoadBalancer) ID { return l.ID })
	checkResources(c, "public IP", armid.PublicIPAddresses, want.PublicIPs, func(p PublicIP) ID { return p.ID })
	checkResources(c, "security group", armid.NetworkSecurityGroups, want.SecurityGroups, func(g SecurityGroup) ID { return g.ID })
	checkResources(c, "private link service", armid.PrivateLinkServices, want.PrivateLinkServices,
		func(p pls.PrivateLinkService) ID { return p.ID })
	checkResources(c, "subnet", subnetType, want.Subnets, func(s Subnet) ID { return s.ID })
	byType := map[string][]NetworkInterface{}
	for _, n := range want.Interfaces {
		typ := armid.NetworkInterfaces
		if n.ID.Is(armid.ScaleSets) || n.ID.Is(armid.ScaleSetInstances) {
			typ = strings.ToLower(n.ID.Type())
		}
		byType[typ] = append(byType[typ], n)
	}
	for typ, list := range byType {
		checkResources(c, "network interface", typ, list, func(n NetworkInterface) ID { return n.ID })
	}
	for _, id := range want.Migrate {
		c.checkID("pool to migrate", id, armid.LoadBalancers+"/"+armid.BackendAddressPools)
	}
	for _, s := range want.Subnets {
		if !c.subnets[s.ID.Key()] {
			c.add("subnet %s is not there", s.ID)
		}
	}
	for _, n := range want.Interfaces {
		if !c.interfaces[n.ID.Key()] {
			c.add("network interface %s is not there", n.ID)
		}
	}
	for _, id := range want.Remove {
		if !slices.ContainsFunc(removable, id.Is) {
			c.add("removal of %s: nothing of this type is removed", id)
		}
	}
	wanted := map[string]bool{}
	for _, ip := range want.PublicIPs {
		wanted[ip.ID.Key()] = true
		if ip.Prefix != "" {
			c.checkID(ip.ID.Name()+": prefix", ip.Prefix, armid.PublicIPPrefixes)
		}
	}
	for _, l := range want.LoadBalancers {
		wanted[l.ID.Key()] = true
	}
	for _, p := range want.PrivateLinkServices {
		wanted[p.ID.Key()] = true
	}
	for _, id := range want.RemoveLast {
		if !id.Is(armid.LoadBalancers) || !wanted[id.Key()] {
			c.add("%s is to go last but is no load balancer that is wanted until then", id)
		}
	}
	for _, id := range want.Recreate {
		if !wanted[id.Key()] {
			c.add("%s is to be created anew but is not wanted", id)
		}
	}
}

// checkResources wants ids of type typ, each once and not to be removed as well.
func checkResources[T any](c *desiredCheck, what, typ string, list []T, idOf func(T) ID) {
	known := map[string]bool{}
	for _, r := range list {
		id := idOf(r)
		c.checkID(what, id, typ)
		if known[id.Key()] {
			c.add("%s %s is there twice", what, id.Key())
		}
		if c.remove[id.Key()] {
			c.add("%s %s is both wanted and to be removed", what, id.Key())
		}
		known[id.Key()] = true
	}
}

// checkNames wants children with names, each once without regard to case.
func checkNames[T any](c *desiredCheck, parent ID, k childKind[T], list []T) {
	known := map[string]bool{}
	for _, child := range list {
		name := strings.ToLower(k.name(child))
		if name == "" || strings.Contains(name, "/") {
			c.add("%s: %q in %s is no name", parent.Name(), name, k.kind)
		}
		if known[name] {
			c.add("%s: %s is in %s twice", parent.Name(), name, k.kind)
		}
		known[name] = true
	}
}

// checkLoadBalancer wants unique names and references that lead somewhere: to a child that is wanted, or seen and not to be removed.
func (c *desiredCheck) checkLoadBalancer(want, seen LoadBalancer) {
	checkNames(c, want.ID, frontendKind, want.Frontends)
	checkNames(c, want.ID, poolKind, want.Pools)
	checkNames(c, want.ID, probeKind, want.Probes)
	checkNames(c, want.ID, ruleKind, want.Rules)
	frontends := presentNames(c, want.ID, frontendKind, want.Frontends, seen.Frontends)
	pools := presentNames(c, want.ID, poolKind, want.Pools, seen.Pools)
	probes := presentNames(c, want.ID, probeKind, want.Probes, seen.Probes)
	for _, r := range want.Rules {
		c.checkReference(want.ID, r.Name, "frontend", r.Frontend, frontends)
		c.checkReference(want.ID, r.Name, "pool", r.Pool, pools)
		if r.Probe != "" {
			c.checkReference(want.ID, r.Name, "probe", r.Probe, probes)
		}
	}
	for _, f := range want.Frontends {
		c.checkFrontend(want.ID, f)
	}
}

func presentNames[T any](c *desiredCheck, parent ID, k childKind[T], want, seen []T) map[string]bool {
	names := map[string]bool{}
	for _, child := range seen {
		if name := k.name(child); !c.remove[parent.Child(k.kind, name).Key()] {
			names[strings.ToLower(name)] = true
		}
	}
	for _, child := range want {
		names[strings.ToLower(k.name(child))] = true
	}
	return names
}

func (c *desiredCheck) checkReference(parent ID, rule, what, name string, names map[string]bool) {
	if !names[strings.ToLower(name)] {
		c.add("%s: rule %s: %s %q is neither wanted nor there", parent.Name(), rule, what, name)
	}
}

func (c *desiredCheck) checkFrontend(parent ID, f Frontend) {
	what := parent.Name() + ": frontend " + f.Name
	if f.PublicIP != "" {
		c.checkID(what+": public IP", f.PublicIP, armid.PublicIPAddresses)
		switch key := f.PublicIP.Key(); {
		case c.remove[key]:
			c.add("%s: public IP %s is to be removed", what, f.PublicIP.Name())
		case !c.publicIPs[key]:
			c.add("%s: public IP %s is neither wanted nor there", what, f.PublicIP)
		}
	}
	if f.Subnet != "" {
		c.checkID(what+": subnet", f.Subnet, subnetType)
	}
}

// checkDestinations wants references to public IPs and frontends that are wanted or there.
func (c *desiredCheck) checkDestinations(group ID, r SecurityRule) {
	for _, a := range r.Destinations {
		if key := a.Of.Key(); !a.Known() && (c.remove[key] || !c.publicIPs[key] && !c.frontends[key]) {
			c.add("%s: rule %s: destination %s is neither wanted nor there", group.Name(), r.Name, a.Of)
		}
	}
}
