package lb

import (
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

func (x *portraitist) drawBalancer(p *Portrait, l LoadBalancer) {
	if x.mine(l.ID) {
		p.LoadBalancers = append(p.LoadBalancers, x.loadBalancer(l))
	}
	for _, f := range l.Frontends {
		if id := l.ID.Child(armid.FrontendIPConfigurations, f.Name); x.mine(id) {
			p.Frontends = append(p.Frontends, x.frontendPiece(id, f))
		}
	}
	for _, r := range l.Rules {
		if id := l.ID.Child(armid.LoadBalancingRules, r.Name); x.mine(id) {
			p.Rules = append(p.Rules, x.rule(id, r))
		}
	}
	for _, probe := range l.Probes {
		if id := l.ID.Child(armid.Probes, probe.Name); x.mine(id) {
			p.Probes = append(p.Probes, x.probe(id, probe))
		}
	}
	for _, pool := range l.Pools {
		if id := l.ID.Child(armid.BackendAddressPools, pool.Name); x.mine(id) {
			p.Pools = append(p.Pools, x.pool(id, l, pool))
		}
	}
	slices.SortFunc(p.Frontends, func(a, b FrontendPiece) int { return armid.Compare(a.ID, b.ID) })
}

// piece starts the piece with the given id.
func (x *portraitist) piece(id ID, text string) Piece {
	p := Piece{ID: id, Action: x.actions[id.Key()], Text: text}
	for _, c := range x.want.Causes[id.Key()] {
		if c.Service == x.s.name && c.Reason == ReasonService {
			p.Asked = fieldOrigin(c.Field)
			break
		}
	}
	for _, s := range x.has[id.Key()] {
		if s != x.s {
			p.SharedWith = append(p.SharedWith, s.name)
		}
	}
	slices.SortFunc(p.SharedWith, compareNames)
	return p
}

// set adds a setting.
func (p *Piece) set(name, value string, from Origin) {
	p.Settings = append(p.Settings, Setting{name, value, from})
}

// noted adds a setting with the origin that was noted when it was decided. What nobody decided is as it is.
func (x *portraitist) noted(p *Piece, name, value string) {
	from, ok := x.origins[p.ID.Key()+"#"+name]
	if !ok || x.s.held {
		from = Origin{Source: SourceObserved}
	}
	p.set(name, value, from)
}

func (x *portraitist) loadBalancer(l LoadBalancer) Piece {
	p := x.piece(l.ID, l.SKU+" in "+l.Location)
	kind, entry := "external", Origin{SourceConfiguration, "", "--cluster-name"}
	if x.s.cfg.Internal {
		kind = "internal"
	}
	switch {
	case x.c.multiple():
		entry = fieldOrigin(multipleField)
	case x.c.Basic && x.s.entry != x.c.prefix():
		entry = x.s.placed.from
	case x.c.LoadBalancerName != "":
		entry = fieldOrigin("loadBalancerName")
	}
	if x.s.held {
		p.set("Placement", l.ID.Name(), Origin{SourceObserved, "", "it is there, and held"})
		return p
	}
	p.set("Kind", kind, boolOrigin(x.s.obj, annotations.KeyInternal))
	p.set("Name", l.ID.Name(), entry)
	p.set("Placement", x.s.entry, x.s.placed.from)
	if len(x.s.placed.eligible) > 0 {
		p.set("Eligible", strings.Join(x.s.placed.eligible, ", "), x.s.placed.among)
	}
	p.set("SKU", l.SKU, fieldOrigin("loadBalancerSku"))
	return p
}

func (x *portraitist) frontendPiece(id ID, f Frontend) FrontendPiece {
	p := FrontendPiece{Piece: x.piece(id, frontendText(f)), Address: x.addressOf(id, f)}
	x.noted(&p.Piece, "Family", x.familyOf(f).String())
	if f.PublicIP != "" {
		x.noted(&p.Piece, "PublicIP", f.PublicIP.Name())
		return p
	}
	x.noted(&p.Piece, "Subnet", f.Subnet.Name())
	address := "dynamic"
	if f.Static.IsValid() {
		address = f.Static.String()
	}
	x.noted(&p.Piece, "Static", address)
	x.noted(&p.Piece, "Zones", string(f.Zones))
	return p
}

// familyOf returns the family of a frontend; that of a public one is its public IP's.
func (x *portraitist) familyOf(f Frontend) ipam.Family {
	for _, ip := range x.want.PublicIPs {
		if ip.ID.Equal(f.PublicIP) && ip.Family != 0 {
			return ip.Family
		}
	}
	return x.seen.familyOf(f)
}

// addressOf returns the address that a frontend has or will have.
func (x *portraitist) addressOf(id ID, f Frontend) Address {
	if f.PublicIP == "" {
		return x.privateAddress(x.balancer(id.Parent()), f)
	}
	return x.publicAddress(publicIPClaim{
		id: f.PublicIP, seen: x.seen.publicIPs[f.PublicIP.Key()], recreate: slices.ContainsFunc(x.want.Recreate, f.PublicIP.Equal),
	})
}

func (x *portraitist) publicIP(ip PublicIP) Piece {
	text := publicIPText(ip)
	if seen := x.seen.publicIPs[ip.ID.Key()]; seen != nil && seen.Address.IsValid() {
		text = strings.Replace(text, "address (known after apply)", seen.Address.String(), 1)
	}
	p := x.piece(ip.ID, text)
	x.noted(&p, "Family", ip.Family.String())
	x.noted(&p, "ResourceGroup", ip.ID.GroupID().Name())
	x.noted(&p, "SKU", ip.SKU)
	x.noted(&p, "Allocation", ip.Allocation)
	x.noted(&p, "Zones", string(ip.Zones))
	if ip.Prefix != "" {
		x.noted(&p, "Prefix", ip.Prefix.Name())
	}
	if ip.DNSLabel != "" {
		x.noted(&p, "DNSLabel", ip.DNSLabel)
	}
	if len(ip.IPTags) > 0 {
		x.noted(&p, "IPTags", tagText(ip.IPTags))
	}
	return p
}

func (x *portraitist) rule(id ID, r Rule) RulePiece {
	l := id.Parent()
	p := RulePiece{
		Piece: x.piece(id, ruleText(r)), Frontend: l.Child(armid.FrontendIPConfigurations, r.Frontend), Pool: l.Child(armid.BackendAddressPools, r.Pool),
	}
	probe := "none"
	if r.Probe != "" {
		p.Probe, probe = l.Child(armid.Probes, r.Probe), r.Probe
	}
	x.noted(&p.Piece, "Protocol", string(r.Protocol))
	x.noted(&p.Piece, "FrontendPort", rulePortText(r.FrontendPort))
	x.noted(&p.Piece, "BackendPort", rulePortText(r.BackendPort))
	x.noted(&p.Piece, "Probe", probe)
	x.noted(&p.Piece, "FloatingIP", strconv.FormatBool(r.FloatingIP))
	x.noted(&p.Piece, "IdleMinutes", strconv.Itoa(int(r.IdleMinutes)))
	x.noted(&p.Piece, "TCPReset", strconv.FormatBool(r.TCPReset))
	x.noted(&p.Piece, "Distribution", string(r.Distribution))
	x.noted(&p.Piece, "DisableOutboundSNAT", strconv.FormatBool(r.DisableOutboundSNAT))
	return p
}

func rulePortText(port uint16) string {
	if port == 0 {
		return "all"
	}
	return strconv.Itoa(int(port))
}

func (x *portraitist) probe(id ID, probe Probe) Piece {
	p := x.piece(id, probeText(probe))
	x.noted(&p, "Protocol", string(probe.Protocol))
	x.noted(&p, "Port", strconv.Itoa(int(probe.Port)))
	if probe.Path != "" {
		x.noted(&p, "Path", probe.Path)
	}
	x.noted(&p, "IntervalSeconds", strconv.Itoa(int(probe.IntervalSeconds)))
	x.noted(&p, "Threshold", strconv.Itoa(int(probe.Threshold)))
	return p
}

func (x *portraitist) pool(id ID, l LoadBalancer, pool Pool) Piece {
	p := x.piece(id, poolText(pool))
	var members []string
	for _, m := range pool.Members {
		text := m.IP.String()
		if m.Name != "" {
			text = m.Name + " (" + text + ")"
		}
		members = append(members, text)
	}
	from := Origin{SourceNodes, "", "all nodes that may be in pools"}
	_, own := x.localPools[l.ID.Key()][strings.ToLower(pool.Name)]
	switch {
	case pool.Interfaces:
		from, members = fieldOrigin("loadBalancerBackendPoolConfigurationType"), []string{"network interfaces of the nodes"}
	case x.preConfigured(x.balancer(l.ID)):
		from = fieldOrigin("preConfiguredBackendPoolLoadBalancerTypes")
	case own:
		from = Origin{SourceNodes, "spec.externalTrafficPolicy", "the nodes that have an endpoint"}
	case !x.defaultPool(pool.Name):
		from = Origin{Source: SourceObserved}
	case !x.usableNode():
		from = Origin{SourceObserved, "", "there is no usable node"}
	case x.c.multiple():
		from.Note = "those of the nodes that are this load balancer's"
	}
	p.set("Members", strings.Join(members, ", "), from)
	return p
}

func (x *portraitist) securityRule(id ID, r SecurityRule) Piece {
	text := securityRuleText(r)
	if r.Priority == 0 {
		text = strings.TrimSuffix(text, ", priority 0") // it is found when the plan is made
	}
	p := x.piece(id, text)
	x.set(&p, "Sources", strings.Join(r.Sources, ", "), p.Asked)
	ports, to := fieldOrigin("spec.ports"), Origin{SourceSpec, "", "addresses of the Services"}
	if r.Access == "Deny" {
		ports = Origin{SourceDefault, "", "everything that is not allowed"}
		x.set(&p, "Access", r.Access, x.denyOrigin())
	}
	if !x.s.cfg.Rules.FloatingIP {
		to = annotated(keyFloating)
		to.Note = "without floating IP traffic goes to the nodes"
	}
	x.set(&p, "Ports", strings.Join(r.Ports, ", "), ports)
	x.set(&p, "Destinations", addressesText(x.ownDestinations(r)), to)
	return p
}

// set adds a setting, as it is if the Service is held.
func (x *portraitist) set(p *Piece, name, value string, from Origin) {
	if x.s.held {
		from = Origin{Source: SourceObserved}
	}
	p.set(name, value, from)
}

func (x *portraitist) denyOrigin() Origin {
	if x.s.cfg.Access.DenyAll {
		return annotated(annotations.KeyDenyAll)
	}
	from := fieldOrigin(x.s.sourceField())
	from.Note = "a source cannot be used, so nothing else gets in"
	return from
}

// ownDestinations are those of a security rule that are the Service's; all of them if it is held.
func (x *portraitist) ownDestinations(r SecurityRule) []Address {
	if x.results[x.s.name] == nil || x.s.held {
		return r.Destinations
	}
	own := x.destinations(x.s)
	return slices.DeleteFunc(slices.Clone(r.Destinations), func(a Address) bool {
		return !slices.Contains(own[ipam.IPv4], a) && !slices.Contains(own[ipam.IPv6], a)
	})
}

// allLinks are the private link services that are wanted, then those that stay as they are.
func (x *portraitist) allLinks() []pls.PrivateLinkService {
	list := x.otherLinks()
	slices.SortFunc(list, func(a, b pls.PrivateLinkService) int { return armid.Compare(a.ID, b.ID) })
	return list
}

// link draws a private link service. Its settings come from the annotations of its owner.
func (x *portraitist) link(want pls.PrivateLinkService) LinkPiece {
	p := LinkPiece{Piece: x.piece(want.ID, privateLinkText(want))}
	for i := range x.seen.PrivateLinkServices {
		if seen := &x.seen.PrivateLinkServices[i]; seen.ID.Equal(want.ID) && !slices.ContainsFunc(x.want.Recreate, want.ID.Equal) {
			p.Alias, p.Connections = seen.Alias, slices.Clone(seen.Connections)
		}
	}
	owner, _ := want.Tag(pls.TagOwner)
	p.Owner = parseName(owner)
	from := func(key string, otherwise Origin) Origin {
		if (p.Asked == Origin{}) {
			return Origin{SourceObserved, "", ownerNote(owner, x.s)}
		}
		return textOrigin(x.s.obj, key, otherwise)
	}
	put := func(name, value string, o Origin) {
		if value != "" {
			x.set(&p.Piece, name, value, o)
		}
	}
	put("Name", want.ID.Name(), from(annotations.KeyPLSName, Origin{SourceDefault, "", "after the frontend"}))
	put("ResourceGroup", want.ID.GroupID().Name(), from(annotations.KeyPLSResourceGroup, fieldOrigin("privateLinkServiceResourceGroup")))
	if len(want.NAT) > 0 {
		subnet := fieldOrigin("subnetName")
		if x.s.cfg.Internal && x.s.cfg.Subnet != "" {
			subnet = annotated(annotations.KeySubnet)
		}
		put("Subnet", want.NAT[0].Subnet.Name(), from(annotations.KeyPLSSubnet, subnet))
	}
	put("NAT", natAddresses(want.NAT), from(annotations.KeyPLSAddresses, from(annotations.KeyPLSCount, byDefault)))
	put("Visibility", strings.Join(want.Visibility, ", "), from(annotations.KeyPLSVisibility, byDefault))
	put("AutoApproval", strings.Join(want.AutoApproval, ", "), from(annotations.KeyPLSAutoApproval, byDefault))
	put("FQDNs", strings.Join(want.FQDNs, ", "), from(annotations.KeyPLSFQDNs, byDefault))
	put("ProxyProtocol", strconv.FormatBool(want.ProxyProtocol), from(annotations.KeyPLSProxyProtocol, byDefault))
	return p
}

// ownerNote says who decides about a private link service that s only has a part in.
func ownerNote(owner string, s *service) string {
	if owner == "" || owner == s.name.String() {
		return ""
	}
	return "configured by " + owner
}

// natAddresses lists NAT addresses in their order, the primary one first.
func natAddresses(list []pls.NATConfiguration) string {
	var text []string
	for _, n := range list {
		if n.Address.IsValid() {
			text = append(text, n.Address.String())
		} else {
			text = append(text, "dynamic")
		}
	}
	return strings.Join(text, ", ")
}
