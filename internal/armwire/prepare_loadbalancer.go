package armwire

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

func putLoadBalancer(op lb.PutLoadBalancer, raw Object) (Result, error) {
	creates := op.Before.ID == ""
	if raw == nil {
		return create(creates, func() Object { return newLoadBalancer(op.After) }), nil
	}
	seen, err := LoadBalancer(raw)
	if err != nil {
		return Result{}, err
	}
	m := loadBalancerMatch(seen.LoadBalancer, op.Before, op.After)
	m.before = m.before && !joined(seen, op.Before, op.After)
	return update(m, creates, raw, armid.LoadBalancers, func(o Object) {
		layer{o: o}.put("sku.name", !sameSKU(seen.SKU, op.After.SKU), op.After.SKU)
		layTags(o, op.Before.Tags, op.After.Tags)
		layLoadBalancer(o, seen.LoadBalancer, op.Before, op.After)
	}), nil
}

func newLoadBalancer(l lb.LoadBalancer) Object {
	o := topBody(l.ID, l.Location, l.EdgeZone, l.SKU, l.Tags)
	o["properties"] = Object{}
	layLoadBalancer(o, lb.LoadBalancer{}, lb.LoadBalancer{}, l)
	return o
}

func loadBalancerMatch(have, before, after lb.LoadBalancer) match {
	return both(have.SKU, before.SKU, after.SKU, sameSKU).
		and(children(have.Frontends, before.Frontends, after.Frontends, frontendName, sameFrontend)).
		and(children(have.Pools, before.Pools, after.Pools, poolName, samePool)).
		and(children(have.Probes, before.Probes, after.Probes, probeName, sameProbe)).
		and(children(have.Rules, before.Rules, after.Rules, ruleName, sameRule)).
		and(tagMatch(have.Tags, before.Tags, after.Tags))
}

// joined reports whether a frontend that goes, or gets another address, has a rule that was not planned against: somebody else has joined it
// meanwhile, whose clients would be cut off.
func joined(seen lb.SeenLoadBalancer, before, after lb.LoadBalancer) bool {
	want, known := byKey(after.Frontends, frontendName), byKey(before.Rules, ruleName)
	moves := map[string]bool{}
	for key, was := range byKey(before.Frontends, frontendName) {
		to, stays := want[key]
		moves[key] = !stays || !sameFrontend(was, to)
	}
	return slices.ContainsFunc(seen.Rules, func(r lb.Rule) bool {
		_, planned := known[strings.ToLower(r.Name)]
		return moves[strings.ToLower(r.Frontend)] && !planned
	})
}

func layLoadBalancer(o Object, have, before, after lb.LoadBalancer) {
	top := after.ID
	layChildren(o, frontendsAt, have.Frontends, before.Frontends, after.Frontends, frontendName,
		func(o Object, have *lb.Frontend, want lb.Frontend) { layFrontend(o, have, want, top) })
	layChildren(o, poolsAt, have.Pools, before.Pools, after.Pools, poolName, layPool)
	layChildren(o, probesAt, have.Probes, before.Probes, after.Probes, probeName, layProbe)
	layChildren(o, rulesAt, have.Rules, before.Rules, after.Rules, ruleName,
		func(o Object, have *lb.Rule, want lb.Rule) { layRule(o, have, want, top) })
}

// deleteLoadBalancer deletes only what holds nothing but what was planned against: a child of anybody else would go with it.
func deleteLoadBalancer(op lb.DeleteLoadBalancer, raw Object) (Result, error) {
	seen, err := LoadBalancer(raw)
	if err != nil {
		return Result{}, err
	}
	same := len(seen.Uses) == 0 &&
		only(seen.Frontends, op.Before.Frontends, frontendName, sameFrontend) &&
		only(seen.Pools, op.Before.Pools, poolName, samePool) &&
		only(seen.Probes, op.Before.Probes, probeName, sameProbe) &&
		only(seen.Rules, op.Before.Rules, ruleName, sameRule)
	return remove(raw, same), nil
}

func sameFrontend(a, b lb.Frontend) bool {
	if !a.PublicIP.Equal(b.PublicIP) || a.Zones != b.Zones {
		return false
	}
	if a.PublicIP != "" {
		return true // family and allocation are those of the public IP
	}
	return a.Subnet.Equal(b.Subnet) && a.Static == b.Static && a.Family == b.Family
}

func sameProbe(a, b lb.Probe) bool {
	a.Name = b.Name // found by name
	return a == b
}

func sameRule(a, b lb.Rule) bool { return foldRule(a) == foldRule(b) }

// foldRule makes rules comparable: names in lower case, and no TCP reset where it means nothing.
func foldRule(r lb.Rule) lb.Rule {
	for _, name := range []*string{&r.Name, &r.Frontend, &r.Pool, &r.Probe} {
		*name = strings.ToLower(*name)
	}
	r.TCPReset = r.TCPReset && r.Protocol != lb.UDP
	return r
}

// samePool compares network and addresses. The members of a pool of interfaces are not ours to compare; such a pool looks like one of
// addresses while it is empty. ARM shows no network on a pool without addresses, so none in have says nothing.
func samePool(have, b lb.Pool) bool {
	if have.Interfaces || b.Interfaces {
		return (have.Interfaces || len(have.Members) == 0) && (b.Interfaces || len(b.Members) == 0)
	}
	return (have.Network == "" || have.Network.Equal(b.Network)) && sameSet(have.Members, b.Members, memberKey)
}

func memberKey(m lb.Member) string { return m.IP.Unmap().String() }

func layFrontend(o Object, have *lb.Frontend, want lb.Frontend, top lb.ID) {
	if have == nil {
		o["id"] = string(top.Child(armid.FrontendIPConfigurations, want.Name))
		have = &lb.Frontend{}
	} else if sameFrontend(*have, want) {
		return
	}
	l := layer{o: o}
	l.putRef("properties.publicIPAddress", have.PublicIP, want.PublicIP)
	l.putRef("properties.subnet", have.Subnet, want.Subnet)
	if have.Zones != want.Zones {
		o["zones"] = texts(want.Zones.List())
	}
	if want.PublicIP != "" {
		for _, key := range []string{"privateIPAddress", "privateIPAddressVersion"} {
			unset(o, "properties."+key)
		}
		l.put("properties.privateIPAllocationMethod", have.Static.IsValid(), "Dynamic")
		return
	}
	// What is absent is IPv4; what a public frontend showed was the version of its public IP.
	if shown := value(o, "properties.privateIPAddressVersion"); want.Family == ipam.IPv6 || shown != nil {
		set(o, "properties.privateIPAddressVersion", want.Family.String())
	}
	layAllocation(o, *have, want)
}

// layAllocation writes how an internal frontend gets its address. An address that ARM chose stays in the body as it is, unless the subnet
// it was chosen from goes.
func layAllocation(o Object, have, want lb.Frontend) {
	fresh := have.Subnet == ""
	if want.Static.IsValid() {
		if want.Static != have.Static {
			set(o, "properties.privateIPAllocationMethod", "Static")
			set(o, "properties.privateIPAddress", want.Static.String())
		}
		return
	}
	if fresh || have.Static.IsValid() {
		set(o, "properties.privateIPAllocationMethod", "Dynamic")
	}
	if have.Static.IsValid() || !have.Subnet.Equal(want.Subnet) {
		unset(o, "properties.privateIPAddress")
	}
}

func layPool(o Object, have *lb.Pool, want lb.Pool) {
	if have == nil {
		have = &lb.Pool{}
		if value(o, "properties") == nil {
			o["properties"] = Object{}
		}
	}
	if want.Interfaces && (have.Interfaces || len(have.Members) == 0) || samePool(*have, want) {
		return
	}
	layNetwork(o, *have, want)
	layMembers(o, want)
}

// layNetwork writes the virtual network of a pool. Where the addresses have it one by one and it changes, it moves to the pool.
func layNetwork(o Object, have, want lb.Pool) {
	if have.Network.Equal(want.Network) {
		return
	}
	layer{o: o}.putRef("properties.virtualNetwork", "", want.Network)
	if want.Network == "" {
		unset(o, "properties.virtualNetwork")
	}
	for _, e := range objects(o, membersAt) {
		unset(e, "properties.virtualNetwork")
	}
}

// layMembers makes the addresses of a pool those of want. Entries that stay keep everything they have, their name included, unless another
// address has that name now. Where addresses name the network and the pool does not, all of them do: those that named it for the others may go.
func layMembers(o Object, want lb.Pool) {
	list, _ := value(o, membersAt).([]any)
	perAddress := value(o, "properties.virtualNetwork") == nil && slices.ContainsFunc(list, namesNetwork)
	missing, named := byKey(want.Members, memberKey), byKey(want.Members, func(m lb.Member) string { return m.Name })
	kept := make([]any, 0, len(want.Members))
	for _, e := range list {
		entry, _ := e.(Object)
		text, _ := value(entry, "properties.ipAddress").(string)
		a, err := netip.ParseAddr(text)
		key := memberKey(lb.Member{IP: a})
		m, ok := missing[key]
		if err != nil || !ok {
			continue
		}
		if other, ok := named[strings.ToLower(nameOf(entry))]; ok && memberKey(other) != key {
			entry["name"] = m.Name
		}
		delete(missing, key)
		kept = append(kept, e)
	}
	for _, m := range slices.DeleteFunc(slices.Clone(want.Members), func(m lb.Member) bool { _, ok := missing[memberKey(m)]; return !ok }) {
		kept = append(kept, Object{"name": m.Name, "properties": Object{"ipAddress": m.IP.String()}})
	}
	for _, e := range kept {
		if entry, _ := e.(Object); perAddress && want.Network != "" && !namesNetwork(e) {
			set(entry, "properties.virtualNetwork", ref(want.Network))
		}
	}
	if len(kept) > 0 || list != nil {
		set(o, membersAt, kept)
	}
}

// namesNetwork reports whether the entry of an address says by itself where that is.
func namesNetwork(e any) bool {
	entry, _ := e.(Object)
	return value(entry, "properties.virtualNetwork") != nil || value(entry, "properties.subnet") != nil
}

func layProbe(o Object, have *lb.Probe, want lb.Probe) {
	l := layer{o: o, fresh: have == nil}
	if l.fresh {
		have = &lb.Probe{}
	}
	l.put("properties.protocol", have.Protocol != want.Protocol, string(want.Protocol))
	l.put("properties.port", have.Port != want.Port, number(int64(want.Port)))
	l.put("properties.intervalInSeconds", have.IntervalSeconds != want.IntervalSeconds, number(int64(want.IntervalSeconds)))
	l.put("properties.probeThreshold", have.Threshold != want.Threshold, number(int64(want.Threshold)))
	switch {
	case want.Path == "":
		unset(o, "properties.requestPath")
	case have.Path != want.Path:
		set(o, "properties.requestPath", want.Path)
	}
}

func layRule(o Object, have *lb.Rule, want lb.Rule, top lb.ID) {
	l := layer{o: o, fresh: have == nil}
	if l.fresh {
		have = &lb.Rule{}
	}
	was, is := foldRule(*have), foldRule(want)
	l.put("properties.protocol", was.Protocol != is.Protocol, string(want.Protocol))
	l.put("properties.frontendPort", was.FrontendPort != is.FrontendPort, number(int64(want.FrontendPort)))
	l.put("properties.backendPort", was.BackendPort != is.BackendPort, number(int64(want.BackendPort)))
	l.put("properties.idleTimeoutInMinutes", was.IdleMinutes != is.IdleMinutes, number(int64(want.IdleMinutes)))
	l.put("properties.enableFloatingIP", was.FloatingIP != is.FloatingIP, want.FloatingIP)
	l.put("properties.disableOutboundSnat", was.DisableOutboundSNAT != is.DisableOutboundSNAT, want.DisableOutboundSNAT)
	l.put("properties.loadDistribution", was.Distribution != is.Distribution, string(want.Distribution))
	layReset(l, was, is)
	layRuleRefs(o, was, is, want, top)
}

// layReset writes TCP reset, which a new rule has only where upstream writes it: for Tcp, and for All on every port.
func layReset(l layer, was, is lb.Rule) {
	everyPort := is.Protocol == lb.All && is.FrontendPort == 0 && is.BackendPort == 0
	if l.fresh && !is.TCPReset && is.Protocol != lb.TCP && !everyPort {
		return
	}
	l.put("properties.enableTcpReset", was.TCPReset != is.TCPReset, is.TCPReset)
	if is.Protocol == lb.UDP && was.Protocol != lb.UDP {
		unset(l.o, "properties.enableTcpReset")
	}
}

func layRuleRefs(o Object, was, is, want lb.Rule, top lb.ID) {
	refTo := func(at, kind, was, is, want string) {
		switch {
		case was == is:
		case want == "":
			unset(o, at)
		default:
			set(o, at, ref(top.Child(kind, want)))
		}
	}
	refTo("properties.frontendIPConfiguration", armid.FrontendIPConfigurations, was.Frontend, is.Frontend, want.Frontend)
	refTo("properties.backendAddressPool", armid.BackendAddressPools, was.Pool, is.Pool, want.Pool)
	refTo("properties.probe", armid.Probes, was.Probe, is.Probe, want.Probe)
	if was.Pool != is.Pool && value(o, "properties.backendAddressPools") != nil {
		unset(o, "properties.backendAddressPools") // ARM makes the plural form of the singular one
	}
}

// poolType is the type of a backend address pool.
const poolType = armid.LoadBalancers + "/" + armid.BackendAddressPools

func putBackendPool(op lb.PutBackendPool, raw Object) (Result, error) {
	creates := op.Before.Name == ""
	if raw == nil {
		return create(creates, func() Object {
			o := Object{"name": op.After.Name}
			layPool(o, nil, op.After)
			return o
		}), nil
	}
	have, err := decode(poolType, raw, readPool)
	if err != nil {
		return Result{}, err
	}
	return update(both(have, op.Before, op.After, samePool), creates, raw, poolType, func(o Object) { layPool(o, &have, op.After) }), nil
}

func deleteBackendPool(op lb.DeleteBackendPool, raw Object) (Result, error) {
	have, err := decode(poolType, raw, readPool)
	if err != nil {
		return Result{}, err
	}
	return remove(raw, samePool(have, op.Before)), nil
}

// migrateBackendPools has ARM migrate those of the pools that are of network interfaces still.
func migrateBackendPools(op lb.MigrateBackendPools, raw Object) (Result, error) {
	if raw == nil {
		return Result{Verdict: Conflict}, nil
	}
	seen, err := LoadBalancer(raw)
	if err != nil {
		return Result{}, err
	}
	have := byKey(seen.Pools, poolName)
	open := []any{}
	for _, name := range op.Pools {
		p, ok := have[strings.ToLower(name)]
		if !ok {
			return Result{Verdict: Conflict}, nil
		}
		if p.Interfaces {
			open = append(open, name)
		}
	}
	if len(open) == 0 {
		return Result{Verdict: Done}, nil
	}
	return Result{Verdict: Write, Action: "migrateToIpBased", Body: Object{"pools": open}}, nil
}
