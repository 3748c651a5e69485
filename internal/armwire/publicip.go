package armwire

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// PublicIP decodes a public IP address. One that a NAT gateway has counts as attached to it.
func PublicIP(o Object) (lb.SeenPublicIP, error) {
	return decode(armid.PublicIPAddresses, o, readPublicIP)
}

func readPublicIP(v view) lb.SeenPublicIP {
	seen := lb.SeenPublicIP{
		PublicIP: lb.PublicIP{
			ID:         v.id("id"),
			Location:   v.text("location"),
			EdgeZone:   v.text("extendedLocation.name"),
			SKU:        v.oneOf("sku.name", "Standard", "Basic"),
			Family:     v.family("properties.publicIPAddressVersion"),
			Allocation: v.oneOf("properties.publicIPAllocationMethod", "Static", "Dynamic"),
			Zones:      lb.ZonesOf(v.texts("zones")),
			Prefix:     v.id("properties.publicIPPrefix.id"),
			DNSLabel:   v.text("properties.dnsSettings.domainNameLabel"),
			Tags:       v.tags(),
		},
		ETag:     v.text("etag"),
		Failed:   failed(v.o),
		Address:  v.addr("properties.ipAddress"),
		Attached: cmp.Or(v.id("properties.ipConfiguration.id"), v.id("properties.natGateway.id")),
	}
	for _, t := range v.children("properties.ipTags") {
		seen.IPTags = append(seen.IPTags, lb.Tag{Key: t.text("ipTagType"), Value: t.text("tag")})
	}
	slices.SortFunc(seen.IPTags, compareTags)
	seen.DNSOther = seen.DNSLabel == "" && holdsSomething(value(v.o, "properties.dnsSettings"))
	return seen
}

func compareTags(a, b lb.Tag) int {
	return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.Value, b.Value))
}

// holdsSomething reports whether v is an object with a value that is neither null nor empty.
func holdsSomething(v any) bool {
	o, _ := v.(Object)
	for _, e := range o {
		if e != nil && e != "" {
			return true
		}
	}
	return false
}

// PublicIPPrefix decodes a public IP prefix.
func PublicIPPrefix(o Object) (lb.PublicIPPrefix, error) {
	return decode(armid.PublicIPPrefixes, o, func(v view) lb.PublicIPPrefix {
		p := lb.PublicIPPrefix{
			ID:     v.id("id"),
			Family: v.family("properties.publicIPAddressVersion"),
			Prefix: v.prefix("properties.ipPrefix", v.text("properties.ipPrefix")),
		}
		if p.Prefix.IsValid() {
			p.Family = ipam.FamilyOf(p.Prefix.Addr())
		}
		return p
	})
}

// prefix parses text, which was found at a path; empty text gives the zero Prefix.
func (v view) prefix(at, text string) netip.Prefix {
	if text == "" {
		return netip.Prefix{}
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		v.bad(at, "an address prefix", text)
	}
	return p.Masked()
}
