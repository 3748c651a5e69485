package fake

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// publicIPRules hold for public IPs and their prefixes.
var publicIPRules = []rule{
	// Family, prefix, zones and IP tags are fixed at creation (recorded in static-ip-invalid).
	{"public-ip-version-immutable", armid.PublicIPAddresses, onUpdate(checkVersionChange)},
	{"public-ip-prefix-immutable", armid.PublicIPAddresses, onUpdate(checkPrefixChange)},
	{"public-ip-zones", armid.PublicIPAddresses, onPut(checkPublicIPZones)},
	{"public-ip-tags-immutable", armid.PublicIPAddresses, onUpdate(checkIPTagsChange)},
	// Standard addresses are static (azure-docs#42889).
	{"public-ip-static", armid.PublicIPAddresses, onPut(checkStatic)},
	{"public-ip-ranges", armid.PublicIPAddresses, onPut(func(w *write) *provider.OpError {
		return firstOf(
			inRange(w.new, "idleTimeoutInMinutes", 4, 30), oneOf(w.new, "publicIPAddressVersion", "", "IPv4", "IPv6"),
			oneOf(w.new, "publicIPAllocationMethod", "", "Static", "Dynamic"),
		)
	})},
	// The prefix exists (recorded in pip-prefix-wrong), and has the family and the SKU of the address.
	{"prefix-exists", armid.PublicIPAddresses, onPut(checkPrefix)},
	// A DNS label has a grammar and is unique in its location (ARM error codes of addresses and subnets).
	{"dns-label", armid.PublicIPAddresses, onPut(checkLabelGrammar)},
	{"dns-label-unique", armid.PublicIPAddresses, onPut(checkLabelUnique)},
	// An attached public IP stays (ARM error codes of addresses and subnets), and so does a prefix with addresses.
	{"public-ip-in-use", armid.PublicIPAddresses, onDelete(checkPublicIPInUse)},
	{"prefix-in-use", armid.PublicIPPrefixes, onDelete(checkPrefixInUse)},
}

func checkVersionChange(w *write) *provider.OpError {
	was, now := publicFamily(w.old), publicFamily(w.new)
	if was == now {
		return nil
	}
	return refuse(400, "PublicIPAddressVersionCannotBeChanged", "",
		"The version of public IP address %s cannot be changed from %s to %s.", w.id, was, now)
}

func checkPrefixChange(w *write) *provider.OpError {
	was, now := idAt(w.old, "properties", "publicIPPrefix"), idAt(w.new, "properties", "publicIPPrefix")
	if was.Equal(now) {
		return nil
	}
	return refuse(400, "PublicIPPrefixOfPublicIPAddressCannotBeChanged", "",
		"The prefix of public IP address %s cannot be changed from '%s' to '%s'.", w.id, was, now)
}

func checkPublicIPZones(w *write) *provider.OpError {
	zones := texts(w.new, "zones")
	switch {
	case len(zones) > 0 && equalFold(sku(w.new), "Basic"):
		return refuse(400, "ZonesNotAllowedInBasicSkuResource", "",
			"Zones not allowed in basic SKU resource %s. Please use standard SKU.", w.id)
	case w.old != nil:
		return sameZones(w.id, texts(w.old, "zones"), zones)
	default:
		return w.checkZones(w.id, zones)
	}
}

func checkIPTagsChange(w *write) *provider.OpError {
	was, now := ipTags(w.old), ipTags(w.new)
	if slices.Equal(was, now) {
		return nil
	}
	return refuse(400, "PublicIPAddressIpTagsCannotBeChanged", "",
		"The IP tags of public IP address %s cannot be changed from %v to %v.", w.id, was, now)
}

// ipTags returns the IP tags that cannot be changed: all but those of type FirstPartyUsage.
func ipTags(o armwire.Object) []string {
	var out []string
	for _, t := range objects(o, "properties", "ipTags") {
		if typ := text(t, "ipTagType"); !equalFold(typ, "FirstPartyUsage") {
			out = append(out, typ+"="+text(t, "tag"))
		}
	}
	slices.Sort(out)
	return out
}

func checkStatic(w *write) *provider.OpError {
	method := text(w.new, "properties", "publicIPAllocationMethod")
	if equalFold(sku(w.new), "Basic") || equalFold(method, "Static") {
		return nil
	}
	return refuse(400, "StandardSkuPublicIPAddressesMustBeStatic", "",
		"Standard sku publicIp %s must have AllocationMethod set to Static.", w.id)
}

func checkPrefix(w *write) *provider.OpError {
	id := idAt(w.new, "properties", "publicIPPrefix")
	if id == "" {
		return nil
	}
	prefix := w.c.bare(id)
	switch {
	case prefix == nil:
		return badReference(w.id, id)
	case publicFamily(prefix) != publicFamily(w.new) || !equalFold(sku(prefix), sku(w.new)):
		return refuse(400, "PublicIPAddressAndPublicIPPrefixMismatch", "",
			"Public IP address %s is %s %s, its prefix %s is %s %s.", w.id, sku(w.new), publicFamily(w.new),
			id, sku(prefix), publicFamily(prefix))
	case !equalFold(text(prefix, "location"), text(w.new, "location")):
		return badReference(w.id, id)
	}
	return w.checkRoom(id, prefix)
}

// checkRoom reports a prefix without a free address for a new public IP.
func (w *write) checkRoom(id lb.ID, prefix armwire.Object) *provider.OpError {
	p, err := netip.ParsePrefix(text(prefix, "properties", "ipPrefix"))
	if _, chosen := w.c.addresses[w.id.Key()]; w.old != nil || err != nil || chosen {
		return nil
	}
	if !lowest(p, p.Masked().Addr(), w.c.usedPublic()).IsValid() {
		return refuse(400, "PublicIPPrefixOutOfAddresses", "", "Public IP prefix %s has no free address for %s.", id, w.id)
	}
	return nil
}

var labelGrammar = regexp.MustCompile(`^[a-z][a-z0-9-]{1,61}[a-z0-9]$`)

func checkLabelGrammar(w *write) *provider.OpError {
	label := text(w.new, "properties", "dnsSettings", "domainNameLabel")
	if label == "" || labelGrammar.MatchString(label) {
		return nil
	}
	return refuse(400, "InvalidDomainNameLabel", "",
		"The domain name label %s of %s is invalid. It must conform to the following regular expression: %s.", label, w.id, labelGrammar)
}

func version(o armwire.Object) string { return text(o, "properties", "publicIPAddressVersion") }

func checkLabelUnique(w *write) *provider.OpError {
	label := text(w.new, "properties", "dnsSettings", "domainNameLabel")
	if label == "" {
		return nil
	}
	for _, r := range w.c.resources {
		same := r.id.Is(armid.PublicIPAddresses) && !r.id.Equal(w.id) && equalFold(text(r.body, "location"), text(w.new, "location"))
		// The two families of one name may share a label: A and AAAA are different records.
		same = same && equalFold(version(r.body), version(w.new))
		if same && equalFold(label, text(r.body, "properties", "dnsSettings", "domainNameLabel")) {
			return refuse(400, "DnsRecordInUse", "",
				"DNS record %s.%s.cloudapp.azure.com is already used by another public IP.", label, text(w.new, "location"))
		}
	}
	return nil
}

func checkPublicIPInUse(w *write) *provider.OpError {
	by := w.c.linked().first(usesPublicIP, w.id)
	if by == "" {
		return nil
	}
	return refuse(400, "PublicIPAddressCannotBeDeleted", by,
		"Public IP address %s can not be deleted since it is still allocated to resource %s.", w.id, by)
}

func checkPrefixInUse(w *write) *provider.OpError {
	if by := w.c.linked().from(fromPrefix, w.id); len(by) > 0 {
		return refuse(400, "PublicIPPrefixInUse", "",
			"Public IP prefix %s can not be deleted since %s.", w.id, fmt.Sprintf("%d addresses are allocated from it", len(by)))
	}
	return nil
}
