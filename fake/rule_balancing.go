package fake

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// balancingRules hold for rules, probes and pools of load balancers.
var balancingRules = []rule{
	// What rules, outbound rules, NAT rules and pools refer to is there.
	{"references", armid.LoadBalancers, onPut(checkReferences)},
	// At most 1,500 load-balancing and NAT rules, 600 outbound rules (Azure limits, Load Balancer).
	{"rules-1500", armid.LoadBalancers, onPut(checkRuleCount)},
	// Two rules of one frontend differ in port or protocol; protocol All takes every protocol, port 0 every port.
	{"frontend-port-unique", armid.LoadBalancers, onPut(checkFrontendPorts)},
	// Without floating IP, two rules of one pool differ in protocol or backend port (ARM error codes of rules and references).
	{"backend-port-unique", armid.LoadBalancers, onPut(checkBackendPorts)},
	// Ranges of a rule's fields (REST specification).
	{"rule-ranges", armid.LoadBalancers, forEach(armid.LoadBalancingRules, checkRuleRanges)},
	// Protocol All is for rules of every port, as ARM documents it (REST specification).
	{RuleProtocolAllWithPort, armid.LoadBalancers, forEach(armid.LoadBalancingRules, checkAllWithPort)},
	// Rules for every port are for internal frontends of Standard load balancers (Azure limits, Load Balancer).
	{"ha-ports-internal", armid.LoadBalancers, forEach(armid.LoadBalancingRules, checkHAPorts)},
	// Ranges of a probe's fields, path and protocol (REST specification).
	{"probe-ranges", armid.LoadBalancers, forEach(armid.Probes, checkProbe)},
	// Members of a pool are addresses, each once, and at most 5,000 (Azure limits, Load Balancer).
	{"pool-members", armid.LoadBalancers, forEach(armid.BackendAddressPools, checkMembers)},
	// A frontend that a private link service uses stays (Azure documentation, Private Link).
	{"frontend-used-by-service", armid.LoadBalancers, checkServedFrontends},
	// A pool that a scale set's model or an instance names stays, and with it its load balancer (ARM error codes of rules and references).
	{"used-by-scale-set", armid.LoadBalancers, checkScaleSets},
	// A pool has either addresses or network interfaces (Azure documentation, backend pool management; error code as users report it).
	{"pool-of-one-kind", armid.LoadBalancers, forEach(armid.BackendAddressPools, checkPoolKind)},
}

func checkReferences(w *write) *provider.OpError {
	for _, kind := range backReferences {
		for _, o := range objects(w.new, "properties", kind) {
			for _, id := range uses(o) {
				if !id.Top().Equal(w.id) || !w.exists(id) {
					return badReference(idOf(o), id)
				}
			}
			if idAt(o, "properties", "frontendIPConfiguration") == "" && refs(o, "properties", "frontendIPConfigurations") == nil {
				return refuse(400, "MissingFrontendIPConfiguration", idOf(o), "%s must reference a frontend IP configuration.", idOf(o))
			}
		}
	}
	for _, pool := range objects(w.new, "properties", armid.BackendAddressPools) {
		if id := idAt(pool, "properties", "virtualNetwork"); id != "" && w.c.bare(id) == nil {
			return badReference(idOf(pool), id)
		}
	}
	return nil
}

func checkRuleCount(w *write) *provider.OpError {
	count := func(kind string) int { return len(objects(w.new, "properties", kind)) }
	if n := count(armid.LoadBalancingRules) + count(armid.InboundNATRules); n > 1500 {
		return refuse(400, "LoadBalancingRulesCountLimitReached", "", "Load balancer %s has %d rules; at most 1500 are allowed.", w.id, n)
	}
	if n := count(armid.OutboundRules); n > 600 {
		return refuse(400, "OutboundRulesCountLimitReached", "",
			"Load balancer %s has %d outbound rules; at most 600 are allowed.", w.id, n)
	}
	return nil
}

// claim is what a rule claims of a frontend or of a pool: a protocol and a port. All is every protocol, 0 every port.
type claim struct {
	protocol string
	port     int
}

func claimOf(o armwire.Object, port string) claim {
	n, _ := number(o, "properties", port)
	return claim{strings.ToLower(text(o, "properties", "protocol")), n}
}

// claims are the rules by what they claim of one thing.
type claims map[claim]armwire.Object

// clash returns a rule that claims what c claims, or nil.
func (cs claims) clash(c claim) armwire.Object {
	if c.protocol == "all" && c.port == 0 {
		for _, o := range cs {
			return o
		}
	}
	for _, protocol := range []string{c.protocol, "all"} {
		for _, port := range []int{c.port, 0} {
			if o := cs[claim{protocol, port}]; o != nil {
				return o
			}
		}
	}
	if c.protocol != "all" && c.port != 0 {
		return nil
	}
	for other, o := range cs {
		if (c.protocol == "all" || other.protocol == "all" || c.protocol == other.protocol) && (c.port == 0 || other.port == 0 || c.port == other.port) {
			return o
		}
	}
	return nil
}

func checkFrontendPorts(w *write) *provider.OpError {
	by := map[string]claims{}
	for _, kind := range []string{armid.LoadBalancingRules, armid.InboundNATRules} {
		for _, o := range objects(w.new, "properties", kind) {
			if kind == armid.InboundNATRules && refersTo(o, "backendAddressPool") {
				continue // a NAT rule of a pool has a range of ports
			}
			c, key := claimOf(o, "frontendPort"), idAt(o, "properties", "frontendIPConfiguration").Key()
			if by[key] == nil {
				by[key] = claims{}
			}
			if other := by[key].clash(c); other != nil {
				return refuse(400, "RulesUseSameFrontendPortProtocolAndIPConfig", idOf(o),
					"Rules %s and %s use the same frontend IP configuration %s, protocol %s and port %d.",
					idOf(other), idOf(o), idAt(o, "properties", "frontendIPConfiguration"), text(o, "properties", "protocol"), c.port)
			}
			by[key][c] = o
		}
	}
	return nil
}

func refersTo(o armwire.Object, name string) bool { return idAt(o, "properties", name) != "" }

// poolsOf returns the pools of a rule.
func poolsOf(o armwire.Object) []lb.ID {
	pools := refs(o, "properties", "backendAddressPools")
	if one := idAt(o, "properties", "backendAddressPool"); one != "" && !slices.ContainsFunc(pools, one.Equal) {
		pools = append(pools, one)
	}
	return pools
}

func checkBackendPorts(w *write) *provider.OpError {
	by := map[string]claims{}
	for _, o := range objects(w.new, "properties", armid.LoadBalancingRules) {
		if boolean(o, "properties", "enableFloatingIP") {
			continue
		}
		c := claimOf(o, "backendPort")
		for _, pool := range poolsOf(o) {
			if by[pool.Key()] == nil {
				by[pool.Key()] = claims{}
			}
			if other := by[pool.Key()].clash(c); other != nil {
				return refuse(400, "RulesUseSameBackendPortProtocolAndPool", idOf(o),
					"Load balancing rules %s and %s with floating IP disabled use the same protocol %s "+
						"and backend port %d, and must not be used with the same backend address pool %s.", idOf(other), idOf(o), text(o, "properties", "protocol"), c.port, pool)
			}
			by[pool.Key()][c] = o
		}
	}
	return nil
}

// inRange reports a number that is there and outside of low to high.
func inRange(o armwire.Object, name string, low, high int) *provider.OpError {
	n, ok := number(o, "properties", name)
	if dig(o, "properties", name) == nil || ok && low <= n && n <= high {
		return nil
	}
	return refuse(400, "InvalidRequestFormat", idOf(o),
		"%s: the value %v of %s is outside of %d to %d.", idOf(o), dig(o, "properties", name), name, low, high)
}

// oneOf reports a text that is not among allowed.
func oneOf(o armwire.Object, name string, allowed ...string) *provider.OpError {
	if s := text(o, "properties", name); !slices.ContainsFunc(allowed, func(a string) bool { return equalFold(a, s) }) {
		return refuse(400, "InvalidRequestFormat", idOf(o), "%s: the value '%s' of %s is none of %v.", idOf(o), s, name, allowed)
	}
	return nil
}

// firstOf returns the first error.
func firstOf(errs ...*provider.OpError) *provider.OpError {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkRuleRanges(w *write, o armwire.Object) *provider.OpError {
	if err := firstOf(
		oneOf(o, "protocol", "Tcp", "Udp", "All"), oneOf(o, "loadDistribution", "", "Default", "SourceIP", "SourceIPProtocol"),
		inRange(o, "frontendPort", 0, 65534), inRange(o, "backendPort", 0, 65535), inRange(o, "idleTimeoutInMinutes", 4, 100),
	); err != nil {
		return err
	}
	front, back := claimOf(o, "frontendPort"), claimOf(o, "backendPort")
	if front.protocol == "all" || front.port > 0 && back.port > 0 {
		return nil
	}
	return refuse(400, "InvalidRequestFormat", idOf(o), "%s: port 0 needs protocol All.", idOf(o))
}

func checkAllWithPort(w *write, o armwire.Object) *provider.OpError {
	front, back := claimOf(o, "frontendPort"), claimOf(o, "backendPort")
	if front.protocol != "all" || front.port == 0 && back.port == 0 {
		return nil
	}
	return refuse(400, "LoadBalancingRuleProtocolAllRequiresPortZero", idOf(o),
		"Load balancing rule %s with protocol All must have frontend and backend port 0.", idOf(o))
}

func checkHAPorts(w *write, o armwire.Object) *provider.OpError {
	if c := claimOf(o, "frontendPort"); c.protocol != "all" || c.port != 0 {
		return nil
	}
	_, kind, name := split(idAt(o, "properties", "frontendIPConfiguration"))
	if refersTo(child(w.new, kind, name), "subnet") && equalFold(sku(w.new), "Standard") {
		return nil
	}
	return refuse(400, "HAPortsRuleNotAllowedOnPublicFrontend", idOf(o),
		"Load balancing rule %s for all ports needs an internal frontend of a Standard load balancer.", idOf(o))
}

func checkProbe(w *write, o armwire.Object) *provider.OpError {
	err := firstOf(
		oneOf(o, "protocol", "Tcp", "Http", "Https"), inRange(o, "port", 1, 65535), inRange(o, "intervalInSeconds", 5, 2147483646),
		inRange(o, "numberOfProbes", 1, 2147483647), inRange(o, "probeThreshold", 1, 100),
	)
	if err != nil {
		return err
	}
	path, tcp := text(o, "properties", "requestPath"), equalFold(text(o, "properties", "protocol"), "Tcp")
	switch {
	case dig(o, "properties", "port") == nil:
		return refuse(400, "InvalidRequestFormat", idOf(o), "Probe %s has no port.", idOf(o))
	case tcp && path != "":
		return refuse(400, "InvalidRequestFormat", idOf(o), "Probe %s of protocol Tcp must not have a request path.", idOf(o))
	case !tcp && !strings.HasPrefix(path, "/"):
		return refuse(400, "InvalidRequestFormat", idOf(o),
			"Probe %s of protocol %s needs a request path.", idOf(o), text(o, "properties", "protocol"))
	default:
		return nil
	}
}

func checkMembers(w *write, pool armwire.Object) *provider.OpError {
	members := objects(pool, "properties", "loadBalancerBackendAddresses")
	if len(members) > 5000 {
		return refuse(400, "BackendAddressPoolSizeLimitReached", idOf(pool),
			"Pool %s has %d members; at most 5000 are allowed.", idOf(pool), len(members))
	}
	seen := map[string]bool{}
	for _, m := range members {
		addr, err := netip.ParseAddr(text(m, "properties", "ipAddress"))
		switch {
		case err != nil:
			return refuse(400, "InvalidRequestFormat", idOf(pool), "Pool %s: member '%s' has no IP address.", idOf(pool), text(m, "name"))
		case seen[addr.String()] || seen["name "+strings.ToLower(text(m, "name"))]:
			return refuse(400, "DuplicateBackendAddress", idOf(pool),
				"Pool %s: member '%s' with address %s is there twice.", idOf(pool), text(m, "name"), addr)
		case !refersTo(pool, "virtualNetwork") && !refersTo(m, "virtualNetwork") && !refersTo(m, "subnet"):
			return refuse(400, "InvalidRequestFormat", idOf(pool),
				"Pool %s: member '%s' has no virtual network.", idOf(pool), text(m, "name"))
		}
		seen[addr.String()], seen["name "+strings.ToLower(text(m, "name"))] = true, true
	}
	return nil
}

func checkServedFrontends(w *write) *provider.OpError {
	for _, o := range objects(w.old, "properties", armid.FrontendIPConfigurations) {
		by := w.c.linked().first(servesFrontend, idOf(o))
		if by != "" && (w.new == nil || child(w.new, armid.FrontendIPConfigurations, text(o, "name")) == nil) {
			return refuse(400, "FrontendIPConfigurationInUseByPrivateLinkService", idOf(o),
				"Frontend IP configuration %s is used by private link service %s and cannot be deleted.", idOf(o), by)
		}
	}
	return nil
}

// checkScaleSets asks for every pool that goes whether an instance or the model of a scale set names it.
func checkScaleSets(w *write) *provider.OpError {
	gone := map[string]bool{}
	for _, pool := range objects(w.old, "properties", armid.BackendAddressPools) {
		if w.new != nil && child(w.new, armid.BackendAddressPools, text(pool, "name")) != nil {
			continue
		}
		gone[idOf(pool).Key()] = true
		for _, by := range w.c.linked().from(inPool, idOf(pool)) {
			if by.Unit().Is(armid.ScaleSetInstances) {
				return inUseByScaleSet(w, by.Top())
			}
		}
	}
	for _, r := range w.c.resources {
		goes := func(pool lb.ID) bool { return gone[pool.Key()] || w.new == nil && pool.Top().Equal(w.id) }
		if r.id.Is(armid.ScaleSets) && slices.ContainsFunc(modelPools(r.body), goes) {
			return inUseByScaleSet(w, r.id)
		}
	}
	return nil
}

func inUseByScaleSet(w *write, set lb.ID) *provider.OpError {
	verb := "delete load balancer"
	if w.new != nil {
		verb = "remove backend address pools of load balancer"
	}
	return refuse(400, "LoadBalancerInUseByVirtualMachineScaleSet", "",
		"Cannot %s %s since its child resources are in use by virtual machine scale set %s.", verb, w.id, set)
}

func checkPoolKind(w *write, pool armwire.Object) *provider.OpError {
	if len(ipMembers(pool)) == 0 || len(ipMembers(child(w.old, armid.BackendAddressPools, text(pool, "name")))) > 0 {
		return nil
	}
	if by := w.c.linked().first(inPool, idOf(pool)); by != "" {
		return mixed(idOf(pool), by)
	}
	return nil
}

// ipMembers returns the members of a pool that are addresses.
func ipMembers(pool armwire.Object) []armwire.Object {
	return slices.DeleteFunc(objects(pool, "properties", "loadBalancerBackendAddresses"), func(m armwire.Object) bool { return text(m, "properties", "ipAddress") == "" })
}

func mixed(pool, by lb.ID) *provider.OpError {
	return refuse(400, "CannotMixIPBasedAddressesAndIPConfigurationsOnLoadBalancerBackendAddressPool", pool,
		"Mixing backend IP configurations and IP addresses in backend address pool %s is not allowed: %s.", pool, by)
}
