package armwire

import (
	"strings"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

func putPublicIP(op lb.PutPublicIP, raw Object) (Result, error) {
	creates := op.Before.ID == ""
	if raw == nil {
		return create(creates, func() Object { return newPublicIP(op.After) }), nil
	}
	seen, err := PublicIP(raw)
	if err != nil {
		return Result{}, err
	}
	m := both(seen.PublicIP, op.Before, op.After, samePublicIP).and(tagMatch(seen.Tags, op.Before.Tags, op.After.Tags))
	return update(m, creates, raw, armid.PublicIPAddresses, func(o Object) {
		layTags(o, op.Before.Tags, op.After.Tags)
		layPublicIP(layer{o: o}, seen.PublicIP, op.After)
	}), nil
}

func newPublicIP(p lb.PublicIP) Object {
	o := topBody(p.ID, p.Location, p.EdgeZone, p.SKU, p.Tags)
	if p.Zones != "" {
		o["zones"] = texts(p.Zones.List())
	}
	layPublicIP(layer{o: o, fresh: true}, lb.PublicIP{SKU: p.SKU}, p)
	return o
}

func deletePublicIP(op lb.DeletePublicIP, raw Object) (Result, error) {
	seen, err := PublicIP(raw)
	if err != nil {
		return Result{}, err
	}
	tags := tagMatch(seen.Tags, op.Before.Tags, nil)
	return remove(raw, tags.before && samePublicIP(seen.PublicIP, op.Before)), nil
}

// samePublicIP compares all but tags, location and zones; the last two cannot change.
func samePublicIP(a, b lb.PublicIP) bool {
	return sameSKU(a.SKU, b.SKU) && a.Family == b.Family && strings.EqualFold(a.Allocation, b.Allocation) &&
		a.Prefix.Equal(b.Prefix) && a.DNSLabel == b.DNSLabel && sameIPTags(a.IPTags, b.IPTags)
}

// sameIPTags compares with case: ARM does.
func sameIPTags(a, b []lb.Tag) bool {
	if len(a) != len(b) {
		return false
	}
	count := map[lb.Tag]int{}
	for i := range a {
		count[a[i]]++
		count[b[i]]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func layPublicIP(l layer, have, want lb.PublicIP) {
	if !sameSKU(have.SKU, want.SKU) {
		set(l.o, "sku.name", want.SKU)
	}
	l.put("properties.publicIPAddressVersion", have.Family != want.Family, want.Family.String())
	l.put("properties.publicIPAllocationMethod", !strings.EqualFold(have.Allocation, want.Allocation), want.Allocation)
	l.putRef("properties.publicIPPrefix", have.Prefix, want.Prefix)
	if !sameIPTags(have.IPTags, want.IPTags) {
		layIPTags(l.o, want.IPTags)
	}
	switch {
	case have.DNSLabel == want.DNSLabel:
	case want.DNSLabel == "":
		unset(l.o, "properties.dnsSettings")
	default:
		set(l.o, "properties.dnsSettings.domainNameLabel", want.DNSLabel)
	}
}

// layIPTags makes the IP tags of o those of want; entries that stay keep everything they have.
func layIPTags(o Object, want []lb.Tag) {
	there := map[lb.Tag]Object{}
	for _, e := range objects(o, "properties.ipTags") {
		key, _ := e["ipTagType"].(string)
		val, _ := e["tag"].(string)
		there[lb.Tag{Key: key, Value: val}] = e
	}
	list := make([]any, len(want))
	for i, t := range want {
		if e, ok := there[t]; ok {
			list[i] = e
			continue
		}
		list[i] = Object{"ipTagType": t.Key, "tag": t.Value}
	}
	set(o, "properties.ipTags", list)
}
