package armwire

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// putSecurityGroup never creates: a security group belongs to the cluster, and its location is not known here.
func putSecurityGroup(op lb.PutSecurityGroup, raw Object) (Result, error) {
	if err := resolved(slices.Concat(op.Before.Rules, op.After.Rules)...); err != nil {
		return Result{}, err
	}
	if raw == nil {
		return Result{Verdict: Conflict}, nil
	}
	seen, err := SecurityGroup(raw)
	if err != nil {
		return Result{}, err
	}
	m := children(seen.Rules, op.Before.Rules, op.After.Rules, securityRuleName, sameSecurityRule).
		and(tagMatch(seen.Tags, op.Before.Tags, op.After.Tags))
	return update(m, op.Before.ID == "", raw, armid.NetworkSecurityGroups, func(o Object) {
		layTags(o, op.Before.Tags, op.After.Tags)
		layChildren(o, securityRulesAt, seen.Rules, op.Before.Rules, op.After.Rules, securityRuleName, laySecurityRule)
	}), nil
}

// securityRuleType is the type of a security rule.
const securityRuleType = armid.NetworkSecurityGroups + "/" + armid.SecurityRules

func putSecurityRule(op lb.PutSecurityRule, raw Object) (Result, error) {
	if err := resolved(op.Before, op.After); err != nil {
		return Result{}, err
	}
	creates := op.Before.Name == ""
	if raw == nil {
		return create(creates, func() Object {
			o := Object{"name": op.After.Name}
			laySecurityRule(o, nil, op.After)
			return o
		}), nil
	}
	have, err := decode(securityRuleType, raw, readSecurityRule)
	if err != nil {
		return Result{}, err
	}
	m := both(have, op.Before, op.After, sameSecurityRule)
	return update(m, creates, raw, securityRuleType, func(o Object) { laySecurityRule(o, &have, op.After) }), nil
}

func deleteSecurityRule(op lb.DeleteSecurityRule, raw Object) (Result, error) {
	if err := resolved(op.Before); err != nil {
		return Result{}, err
	}
	have, err := decode(securityRuleType, raw, readSecurityRule)
	if err != nil {
		return Result{}, err
	}
	return remove(raw, sameSecurityRule(have, op.Before)), nil
}

// resolved reports an address that is still a reference: nobody could write it.
func resolved(rules ...lb.SecurityRule) error {
	for _, r := range rules {
		for _, d := range r.Destinations {
			if !d.Known() {
				return fmt.Errorf("security rule %s: the %s, which has to be resolved before the rule is written", r.Name, d)
			}
		}
	}
	return nil
}

func sameSecurityRule(a, b lb.SecurityRule) bool {
	return a.Priority == b.Priority && strings.EqualFold(a.Access, b.Access) && a.Outbound == b.Outbound &&
		strings.EqualFold(a.Protocol, b.Protocol) && sameSet(a.Sources, b.Sources, canonicalSource) &&
		sameSet(a.Destinations, b.Destinations, destinationKey) && sameSet(a.SourcePorts, b.SourcePorts, self) && sameSet(a.Ports, b.Ports, self)
}

func destinationKey(a lb.Address) string {
	if a.IP.IsValid() {
		return a.IP.Unmap().String()
	}
	return destination(a.Text).String()
}

func laySecurityRule(o Object, have *lb.SecurityRule, want lb.SecurityRule) {
	l := layer{o: o, fresh: have == nil}
	if l.fresh {
		have = &lb.SecurityRule{}
		set(o, "properties.sourcePortRange", "*")
	}
	l.put("properties.priority", have.Priority != want.Priority, number(int64(want.Priority)))
	l.put("properties.access", !strings.EqualFold(have.Access, want.Access), want.Access)
	l.put("properties.direction", have.Outbound != want.Outbound, direction(want.Outbound))
	l.put("properties.protocol", !strings.EqualFold(have.Protocol, want.Protocol), want.Protocol)
	if l.fresh || !sameSet(have.Sources, want.Sources, canonicalSource) {
		putOneOrMany(o, "properties.sourceAddressPrefix", "properties.sourceAddressPrefixes", want.Sources, len(want.Sources) == 1)
	}
	if !sameSet(have.SourcePorts, want.SourcePorts, self) {
		ports := want.SourcePorts
		if len(ports) == 0 {
			ports = []string{"*"}
		}
		putOneOrMany(o, "properties.sourcePortRange", "properties.sourcePortRanges", ports, len(ports) == 1)
	}
	if l.fresh || !sameSet(have.Destinations, want.Destinations, destinationKey) {
		var list []string
		for _, d := range want.Destinations {
			list = append(list, d.String())
		}
		putOneOrMany(o, "properties.destinationAddressPrefix", "properties.destinationAddressPrefixes", list, len(list) == 1)
	}
	if l.fresh || !sameSet(have.Ports, want.Ports, self) {
		// Ports are written in the plural even if there is one, as upstream does; ARM takes * in the singular only.
		putOneOrMany(o, "properties.destinationPortRange", "properties.destinationPortRanges", want.Ports, slices.Equal(want.Ports, []string{"*"}))
	}
}

func direction(outbound bool) string {
	if outbound {
		return "Outbound"
	}
	return "Inbound"
}

// putOneOrMany writes list into the singular or the plural field and clears the other one.
func putOneOrMany(o Object, singular, plural string, list []string, one bool) {
	if one {
		set(o, singular, list[0])
		unset(o, plural)
		return
	}
	set(o, plural, texts(list))
	unset(o, singular)
}
