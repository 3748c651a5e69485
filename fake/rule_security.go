package fake

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// securityRules hold for network security groups.
var securityRules = []rule{
	// At most 1,000 rules, 4,000 sources and 4,000 destinations over all of them (Azure limits, networking).
	{"security-rules-1000", armid.NetworkSecurityGroups, onPut(checkSecurityRuleCount)},
	{"security-addresses-4000", armid.NetworkSecurityGroups, onPut(checkSecurityAddressCount)},
	// Priorities are 100 to 4096 and unique in their direction (Azure limits, networking).
	{"security-priority", armid.NetworkSecurityGroups, forEach(armid.SecurityRules, func(w *write, o armwire.Object) *provider.OpError {
		if n, ok := number(o, "properties", "priority"); ok && 100 <= n && n <= 4096 {
			return nil
		}
		return refuse(400, "SecurityRuleInvalidPriority", idOf(o),
			"Security rule %s has an invalid priority. Value for priority must be between 100 and 4096.", idOf(o))
	})},
	{"security-priority-unique", armid.NetworkSecurityGroups, onPut(checkPriorities)},
	{"security-values", armid.NetworkSecurityGroups, forEach(armid.SecurityRules, func(w *write, o armwire.Object) *provider.OpError {
		if n := utf8.RuneCountInString(text(o, "properties", "description")); n > 140 {
			return refuse(400, "SecurityRuleInvalidDescription", idOf(o),
				"Security rule %s has a description of %d characters; at most 140 are allowed.", idOf(o), n)
		}
		return firstOf(oneOf(o, "access", "Allow", "Deny"), oneOf(o, "direction", "Inbound", "Outbound"), oneOf(o, "protocol", "Tcp", "Udp", "Icmp", "Esp", "Ah", "*"))
	})},
	// Sources and destinations: one of the singular and the plural field, and not empty; service tags only in the singular one; prefixes
	// otherwise (Azure limits, networking; REST specification).
	{"security-source", armid.NetworkSecurityGroups, forEach(armid.SecurityRules, func(w *write, o armwire.Object) *provider.OpError {
		return checkAddresses(o, "source", "Source")
	})},
	{"security-destination", armid.NetworkSecurityGroups, forEach(armid.SecurityRules, func(w *write, o armwire.Object) *provider.OpError {
		return checkAddresses(o, "destination", "Destination")
	})},
	{"security-ports", armid.NetworkSecurityGroups, forEach(armid.SecurityRules, func(w *write, o armwire.Object) *provider.OpError {
		return firstOf(checkPorts(o, "source"), checkPorts(o, "destination"))
	})},
	// A security group that a subnet or an interface uses stays.
	{"security-group-in-use", armid.NetworkSecurityGroups, onDelete(func(w *write) *provider.OpError {
		l := w.c.linked()
		for _, by := range append(l.from(usesGroup, w.id), l.from(nicUsesGroup, w.id)...) {
			return refuse(400, "InUseNetworkSecurityGroupCannotBeDeleted", "",
				"Network security group %s cannot be deleted because it is in use by %s.", w.id, by)
		}
		return nil
	})},
}

func checkSecurityRuleCount(w *write) *provider.OpError {
	if n := len(objects(w.new, "properties", armid.SecurityRules)); n > 1000 {
		return refuse(400, "MaxNumberOfSecurityRulesPerNsgReached", "",
			"Network security group %s has %d rules; at most 1000 are allowed.", w.id, n)
	}
	return nil
}

func checkSecurityAddressCount(w *write) *provider.OpError {
	for _, side := range []string{"source", "destination"} {
		n := 0
		for _, o := range objects(w.new, "properties", armid.SecurityRules) {
			n += len(addressesOf(o, side))
		}
		if n > 4000 {
			return refuse(400, "SecurityRuleAddressesOrPortsPerSecurityGroupLimitReached", "",
				"Network security group %s has %d %s addresses; at most 4000 are allowed.", w.id, n, side)
		}
	}
	return nil
}

// addressesOf returns what the singular and the plural field of one side hold.
func addressesOf(o armwire.Object, side string) []string {
	list := texts(o, "properties", side+"AddressPrefixes")
	if one := text(o, "properties", side+"AddressPrefix"); one != "" {
		list = append([]string{one}, list...)
	}
	return list
}

func checkPriorities(w *write) *provider.OpError {
	seen := map[string]lb.ID{}
	for _, o := range objects(w.new, "properties", armid.SecurityRules) {
		n, _ := number(o, "properties", "priority")
		key := strings.ToLower(text(o, "properties", "direction")) + strconv.Itoa(n)
		if other := seen[key]; other != "" {
			return refuse(400, "SecurityRuleConflict", idOf(o),
				"Security rule %s conflicts with rule %s. Rules cannot have the same Priority and Direction.", idOf(o), other)
		}
		seen[key] = idOf(o)
	}
	return nil
}

// serviceTag is the form of a service tag, such as AzureCloud or Storage.WestUS.
var serviceTag = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*$`)

func checkAddresses(o armwire.Object, side, word string) *provider.OpError {
	one, many := text(o, "properties", side+"AddressPrefix"), texts(o, "properties", side+"AddressPrefixes")
	groups := refs(o, "properties", side+"ApplicationSecurityGroups")
	if one == "" && len(many) == 0 && len(groups) == 0 {
		return refuse(400, "SecurityRuleParameterMissing", idOf(o),
			"Required security rule parameters are missing for security rule %s: %sAddressPrefix.", idOf(o), word)
	}
	if one != "" && len(many) > 0 {
		return refuse(400, "SecurityRuleParameterConflict", idOf(o),
			"Security rule %s has both %sAddressPrefix and %sAddressPrefixes.", idOf(o), word, word)
	}
	if one != "" && one != "*" && !serviceTag.MatchString(one) && !isPrefix(one) {
		return refuse(400, "SecurityRuleInvalidAddressPrefix", idOf(o),
			"Security rule %s has invalid address prefix. Value provided: %s.", idOf(o), one)
	}
	for _, p := range many {
		if !isPrefix(p) {
			return refuse(400, "SecurityRuleParameterContainsUnsupportedValue", idOf(o),
				"Security rule parameter %sAddressPrefixes for rule %s contains the unsupported value '%s'.",
				word, idOf(o), p)
		}
	}
	return nil
}

// isPrefix reports an address or a prefix without bits behind its length.
func isPrefix(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	p, err := netip.ParsePrefix(s)
	return err == nil && p == p.Masked()
}

func checkPorts(o armwire.Object, side string) *provider.OpError {
	one, many := text(o, "properties", side+"PortRange"), texts(o, "properties", side+"PortRanges")
	if one == "" && len(many) == 0 {
		return refuse(400, "SecurityRuleParameterMissing", idOf(o),
			"Required security rule parameters are missing for security rule %s: %sPortRange.", idOf(o), side)
	}
	if one != "" {
		many = append([]string{one}, many...)
	}
	for _, s := range many {
		if !isPortRange(s) && (s != "*" || s != one) {
			return refuse(400, "SecurityRuleInvalidPortRange", idOf(o),
				"Security rule %s has invalid port range. Value provided: %s.", idOf(o), s)
		}
	}
	return nil
}

func isPortRange(s string) bool {
	low, high, ok := strings.Cut(s, "-")
	if !ok {
		high = low
	}
	from, err := strconv.ParseUint(low, 10, 16)
	to, err2 := strconv.ParseUint(high, 10, 16)
	return err == nil && err2 == nil && from <= to
}
