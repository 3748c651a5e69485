package armwire

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

const securityRulesAt = "properties.securityRules"

// SecurityGroup decodes a network security group with all its rules, the default ones aside.
func SecurityGroup(o Object) (lb.SeenSecurityGroup, error) {
	return decode(armid.NetworkSecurityGroups, o, func(v view) lb.SeenSecurityGroup {
		return lb.SeenSecurityGroup{
			SecurityGroup: lb.SecurityGroup{
				ID:    v.id("id"),
				Rules: readAll(v, securityRulesAt, readSecurityRule, securityRuleName),
				Tags:  v.tags(),
			},
			ETag:   v.text("etag"),
			Failed: failed(v.o),
		}
	})
}

func securityRuleName(r lb.SecurityRule) string { return r.Name }

func readSecurityRule(v view) lb.SecurityRule {
	r := lb.SecurityRule{
		Name:     v.name(),
		Priority: int32(v.number("properties.priority", 0, 1<<31-1)),
		Access:   v.oneOf("properties.access", "Allow", "Deny"),
		Outbound: v.oneOf("properties.direction", "Outbound") == "Outbound",
		Protocol: v.oneOf("properties.protocol", "Tcp", "Udp", "*"),
		Sources:  canonical(v.both("properties.sourceAddressPrefix", "properties.sourceAddressPrefixes"), canonicalSource),
		Ports:    canonical(v.both("properties.destinationPortRange", "properties.destinationPortRanges"), strings.TrimSpace),

		SourcePorts: canonical(v.both("properties.sourcePortRange", "properties.sourcePortRanges"), strings.TrimSpace),
	}
	if slices.Contains(r.SourcePorts, "*") {
		r.SourcePorts = nil
	}
	for _, text := range v.both("properties.destinationAddressPrefix", "properties.destinationAddressPrefixes") {
		r.Destinations = append(r.Destinations, destination(text))
	}
	slices.SortFunc(r.Destinations, lb.CompareAddresses)
	r.Destinations = slices.Compact(r.Destinations)
	if slices.Contains(r.Ports, "*") {
		r.Ports = []string{"*"}
	}
	return r
}

// both reads what ARM keeps in a singular and in a plural field.
func (v view) both(singular, plural string) []string {
	list := v.texts(plural)
	if one := v.text(singular); one != "" {
		list = append(list, one)
	}
	return list
}

// canonical returns the set of what f makes of list, sorted; nil if it is empty.
func canonical(list []string, f func(string) string) []string {
	var c []string
	for _, s := range list {
		c = append(c, f(s))
	}
	slices.Sort(c)
	return slices.Compact(c)
}

// canonicalSource spells a source as a prefix, also one that is a plain address; a service tag and * stay.
func canonicalSource(s string) string {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()).String()
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked().String()
	}
	return s
}

// destination reads an address, also one that is written as a prefix of its full length; anything else is text.
func destination(s string) lb.Address {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return lb.Address{IP: a.Unmap()}
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return lb.Address{Text: s}
	case p.IsSingleIP():
		return lb.Address{IP: p.Addr().Unmap()}
	default:
		return lb.Address{Text: p.Masked().String()}
	}
}
