package armwire

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
)

func putPrivateLinkService(op lb.PutPrivateLinkService, raw Object) (Result, error) {
	creates := op.Before.ID == ""
	before, after := plsTags(op.Before.Tags), plsTags(op.After.Tags)
	if raw == nil {
		return create(creates, func() Object {
			o := topBody(op.After.ID, op.After.Location, op.After.EdgeZone, "", after)
			layPrivateLinkService(layer{o: o, fresh: true}, pls.PrivateLinkService{}, op.After)
			return o
		}), nil
	}
	seen, err := PrivateLinkService(raw)
	if err != nil {
		return Result{}, err
	}
	m := both(seen.PrivateLinkService, op.Before, op.After, samePrivateLinkService).and(tagMatch(plsTags(seen.Tags), before, after))
	return update(m, creates, raw, armid.PrivateLinkServices, func(o Object) {
		layTags(o, before, after)
		layPrivateLinkService(layer{o: o}, seen.PrivateLinkService, op.After)
	}), nil
}

// deletePrivateLinkService deletes only what has no connection that was not planned against: it would be cut off unannounced.
func deletePrivateLinkService(op lb.DeletePrivateLinkService, raw Object) (Result, error) {
	seen, err := PrivateLinkService(raw)
	if err != nil {
		return Result{}, err
	}
	same := samePrivateLinkService(seen.PrivateLinkService, op.Before) &&
		tagMatch(plsTags(seen.Tags), plsTags(op.Before.Tags), nil).before &&
		only(seen.Connections, op.Before.Connections, connectionName, sameConnection)
	return remove(raw, same), nil
}

// connectionType is the type of a connection of a private link service.
const connectionType = armid.PrivateLinkServices + "/" + armid.PrivateEndpointConnections

func deleteEndpointConnection(op lb.DeleteEndpointConnection, raw Object) (Result, error) {
	status, err := decode(connectionType, raw, view.connectionStatus)
	if err != nil {
		return Result{}, err
	}
	return remove(raw, strings.EqualFold(status, op.Before.Status)), nil
}

func connectionName(c pls.Connection) string { return c.Name }

func sameConnection(a, b pls.Connection) bool { return strings.EqualFold(a.Status, b.Status) }

func plsTags(tags []pls.Tag) lb.Tags {
	var t lb.Tags
	for _, tag := range tags {
		t = append(t, lb.Tag(tag))
	}
	return t
}

// samePrivateLinkService compares all but tags, location and what ARM assigns. Names and order of NAT addresses are free.
func samePrivateLinkService(a, b pls.PrivateLinkService) bool {
	return a.ProxyProtocol == b.ProxyProtocol && sameSet(a.Frontends, b.Frontends, idKey) && sameNAT(a.NAT, b.NAT) &&
		sameTexts(a.FQDNs, b.FQDNs) && sameTexts(a.Visibility, b.Visibility) && sameTexts(a.AutoApproval, b.AutoApproval)
}

// sameTexts compares lists of texts with case and in any order.
func sameTexts(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// natKey is what counts of a NAT address.
type natKey struct {
	subnet  string
	address netip.Addr
	primary bool
}

func keyOfNAT(n pls.NATConfiguration) natKey { return natKey{n.Subnet.Key(), n.Address, n.Primary} }

func sameNAT(a, b []pls.NATConfiguration) bool {
	if len(a) != len(b) {
		return false
	}
	count := map[natKey]int{}
	for i := range a {
		count[keyOfNAT(a[i])]++
		count[keyOfNAT(b[i])]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

func layPrivateLinkService(l layer, have, want pls.PrivateLinkService) {
	if !sameSet(have.Frontends, want.Frontends, idKey) {
		list := make([]any, len(want.Frontends))
		for i, id := range want.Frontends {
			list[i] = ref(id)
		}
		set(l.o, plsFrontendsAt, list)
	}
	if !sameNAT(have.NAT, want.NAT) {
		layNAT(l.o, have.NAT, want.NAT)
	}
	l.put("properties.enableProxyProtocol", have.ProxyProtocol != want.ProxyProtocol, want.ProxyProtocol)
	l.put("properties.fqdns", !sameTexts(have.FQDNs, want.FQDNs), texts(want.FQDNs))
	// Either both lists are written or none, as upstream does.
	differ := !sameTexts(have.Visibility, want.Visibility) || !sameTexts(have.AutoApproval, want.AutoApproval)
	l.put("properties.visibility.subscriptions", differ, texts(want.Visibility))
	l.put("properties.autoApproval.subscriptions", differ, texts(want.AutoApproval))
}

// layNAT makes the NAT addresses those of want. Entries of the same name keep what is not known here.
func layNAT(o Object, have, want []pls.NATConfiguration) {
	name := func(n pls.NATConfiguration) string { return n.Name }
	layChildren(o, ipConfigurationsAt, have, have, want, name, func(o Object, have *pls.NATConfiguration, want pls.NATConfiguration) {
		l := layer{o: o, fresh: have == nil}
		if l.fresh {
			have = &pls.NATConfiguration{}
			set(o, "properties.privateIPAddressVersion", "IPv4")
		}
		l.putRef("properties.subnet", have.Subnet, want.Subnet)
		l.put("properties.primary", have.Primary != want.Primary, want.Primary)
		if want.Address.IsValid() {
			set(o, "properties.privateIPAddress", want.Address.String())
			set(o, "properties.privateIPAllocationMethod", "Static")
			return
		}
		l.put("properties.privateIPAllocationMethod", have.Address.IsValid(), "Dynamic")
		if have.Address.IsValid() || !have.Subnet.Equal(want.Subnet) {
			unset(o, "properties.privateIPAddress")
		}
	})
}
