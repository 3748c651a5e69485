package fake

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// String prints the state compactly: one line per resource group, resource and child with what matters, sorted by id, addresses and
// references by name. Resources of types that azlb does not write are left out.
func (c *Cloud) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, gkey := range slices.Sorted(maps.Keys(c.groups)) {
		g := c.groups[gkey]
		safetext.Fprintf(&b, "%s %s\n", g.id.ResourceGroup(), g.location)
		for _, key := range slices.Sorted(maps.Keys(c.resources)) {
			if r := c.resources[key]; r.id.GroupID().Equal(g.id) {
				c.print(&b, r)
			}
		}
	}
	return b.String()
}

func (c *Cloud) print(b *strings.Builder, r *resource) {
	body := c.view(r)
	switch {
	case r.id.Is(armid.LoadBalancers):
		line(b, 1, "load balancer", body, text(body, "sku", "name"), at("edge", text(body, "extendedLocation", "name")), tagText(body))
		for _, kind := range childKinds(r.id) {
			for _, o := range byName(body, kind) {
				line(b, 2, singular[kind], o, childText(kind, o)...)
			}
		}
	case r.id.Is(armid.PublicIPAddresses):
		line(b, 1, "public IP", body, publicIPText(body)...)
	case r.id.Is(armid.PublicIPPrefixes):
		line(b, 1, "public IP prefix", body, text(body, "properties", "ipPrefix"))
	case r.id.Is(armid.NetworkSecurityGroups):
		line(b, 1, "security group", body, tagText(body))
		for _, o := range byName(body, armid.SecurityRules) {
			line(b, 2, "rule", o, securityText(o)...)
		}
	case r.id.Is(armid.PrivateLinkServices):
		line(b, 1, "private link service", body, "on "+names(refs(body, "properties", "loadBalancerFrontendIpConfigurations")), tagText(body))
		for _, o := range byName(body, armid.IPConfigurations) {
			line(b, 2, "address", o, privateText(o)...)
		}
	}
}

// singular are the words for children of load balancers.
var singular = map[string]string{
	armid.FrontendIPConfigurations: "frontend", armid.BackendAddressPools: "pool", armid.LoadBalancingRules: "rule", armid.Probes: "probe",
	armid.OutboundRules: "outbound rule", armid.InboundNATRules: "NAT rule", armid.InboundNATPools: "NAT pool",
}

func line(b *strings.Builder, depth int, word string, o armwire.Object, parts ...string) {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	safetext.Fprintf(b, "%s%s %s", strings.Repeat("  ", depth), word, text(o, "name"))
	if len(parts) > 0 {
		safetext.Fprintf(b, ": %s", strings.Join(parts, " "))
	}
	b.WriteByte('\n')
}

func byName(body armwire.Object, kind string) []armwire.Object {
	list := objects(body, "properties", kind)
	slices.SortFunc(list, func(a, b armwire.Object) int { return strings.Compare(text(a, "name"), text(b, "name")) })
	return list
}

// at returns word and value, or nothing without a value.
func at(word, value string) string {
	if value == "" {
		return ""
	}
	return word + " " + value
}

func flag(o armwire.Object, property, word string) string {
	if boolean(o, "properties", property) {
		return word
	}
	return ""
}

func names(ids []lb.ID) string {
	var out []string
	for _, id := range ids {
		out = append(out, id.Name())
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func num(o armwire.Object, path ...string) string {
	n, ok := number(o, path...)
	if !ok {
		return ""
	}
	return fmt.Sprint(n)
}

func tagText(o armwire.Object) string {
	tags := object(o, "tags")
	var out []string
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, fmt.Sprintf("%s=%v", key, tags[key]))
	}
	if out == nil {
		return ""
	}
	return "{" + strings.Join(out, " ") + "}"
}

func zonesText(o armwire.Object) string { return at("zones", strings.Join(texts(o, "zones"), ",")) }

func childText(kind string, o armwire.Object) []string {
	switch kind {
	case armid.FrontendIPConfigurations:
		if ip := idAt(o, "properties", "publicIPAddress"); ip != "" {
			return []string{"public IP " + ip.Name(), zonesText(o)}
		}
		return append(privateText(o), zonesText(o))
	case armid.BackendAddressPools:
		return []string{poolText(o)}
	case armid.Probes:
		return []string{
			text(o, "properties", "protocol"), num(o, "properties", "port") + text(o, "properties", "requestPath"),
			at("every", num(o, "properties", "intervalInSeconds")), at("threshold", num(o, "properties", "probeThreshold")),
		}
	default:
		return ruleText(o)
	}
}

func privateText(o armwire.Object) []string {
	return []string{
		text(o, "properties", "privateIPAddress"), text(o, "properties", "privateIPAllocationMethod"),
		at("subnet", idAt(o, "properties", "subnet").Name()), flag(o, "primary", "primary"),
	}
}

func poolText(o armwire.Object) string {
	var out []string
	for _, m := range objects(o, "properties", "loadBalancerBackendAddresses") {
		addr := text(m, "properties", "ipAddress")
		if addr == "" {
			addr = idAt(m, "properties", "networkInterfaceIPConfiguration").Top().Name()
		}
		out = append(out, addr)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func ruleText(o armwire.Object) []string {
	frontends := append(refs(o, "properties", "frontendIPConfigurations"), idAt(o, "properties", "frontendIPConfiguration"))
	frontends = slices.DeleteFunc(frontends, func(id lb.ID) bool { return id == "" })
	idle := num(o, "properties", "idleTimeoutInMinutes")
	if idle == "4" {
		idle = ""
	}
	distribution := text(o, "properties", "loadDistribution")
	if distribution == "Default" {
		distribution = ""
	}
	return []string{
		text(o, "properties", "protocol"), names(frontends) + at("", num(o, "properties", "frontendPort")),
		"→", strings.TrimSpace(idAt(o, "properties", "backendAddressPool").Name() + at("", num(o, "properties", "backendPort"))),
		at("probe", idAt(o, "properties", "probe").Name()), at("idle", idle), distribution,
		flag(o, "enableFloatingIP", "floating"), flag(o, "enableTcpReset", "reset"), flag(o, "disableOutboundSnat", "no-snat"),
	}
}

func publicIPText(o armwire.Object) []string {
	var ipTags []string
	for _, t := range objects(o, "properties", "ipTags") {
		ipTags = append(ipTags, text(t, "ipTagType")+"="+text(t, "tag"))
	}
	slices.Sort(ipTags)
	return []string{
		text(o, "properties", "ipAddress"), text(o, "sku", "name"), at("prefix", idAt(o, "properties", "publicIPPrefix").Name()),
		at("on", idAt(o, "properties", "ipConfiguration").Name()), at("dns", text(o, "properties", "dnsSettings", "domainNameLabel")),
		at("ip tags", strings.Join(ipTags, ",")), zonesText(o), tagText(o),
	}
}

func securityText(o armwire.Object) []string {
	several := func(one, many string) string {
		list := texts(o, "properties", many)
		if s := text(o, "properties", one); s != "" {
			list = append(slices.Clone(list), s)
		}
		slices.Sort(list)
		return strings.Join(list, ",")
	}
	direction := text(o, "properties", "direction")
	if direction == "Inbound" {
		direction = ""
	}
	return []string{
		num(o, "properties", "priority"), text(o, "properties", "access"), direction, text(o, "properties", "protocol"),
		several("sourceAddressPrefix", "sourceAddressPrefixes"), "→", several("destinationAddressPrefix", "destinationAddressPrefixes"),
		"ports", several("destinationPortRange", "destinationPortRanges"),
	}
}
