package armwire

import (
	"slices"
	"strings"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// subnetType is the type of a subnet.
const subnetType = armid.VirtualNetworks + "/" + armid.Subnets

// putSubnetPolicy compares and writes nothing but the policy for private link services.
func putSubnetPolicy(op lb.PutSubnetPolicy, raw Object) (Result, error) {
	if raw == nil {
		return Result{Verdict: Conflict}, nil
	}
	have, err := decode(subnetType, raw, func(v view) lb.SeenSubnet { return readSubnet(v, "") })
	if err != nil {
		return Result{}, err
	}
	m := both(have.PrivateLinkPolicies, op.Before.PrivateLinkPolicies, op.After.PrivateLinkPolicies, func(a, b bool) bool { return a == b })
	return update(m, false, raw, subnetType, func(o Object) {
		policy := "Disabled"
		if op.After.PrivateLinkPolicies {
			policy = "Enabled"
		}
		set(o, policiesAt, policy)
	}), nil
}

// putNetworkInterface compares and writes nothing but the pools that an IP configuration of Before or After names.
func putNetworkInterface(op lb.PutNetworkInterface, raw Object) (Result, error) {
	if raw == nil {
		return Result{Verdict: Conflict}, nil
	}
	read, configurations := interfaceOf(op.After.ID)
	seen, err := read(raw)
	if err != nil {
		return Result{}, err
	}
	before, after := byKey(op.Before.IPConfigurations, configurationName), byKey(op.After.IPConfigurations, configurationName)
	have := byKey(seen.IPConfigurations, configurationName)
	m := match{within(before, have), within(after, have)}
	for key, c := range have {
		m = m.and(children(c.Pools, before[key].Pools, after[key].Pools, idKey, lb.ID.Equal))
	}
	r := update(m, false, raw, op.After.ID.Type(), func(o Object) {
		for _, c := range configurations(o) {
			key := strings.ToLower(nameOf(c))
			layInterfacePools(c, before[key].Pools, after[key].Pools)
		}
	})
	if r.Body != nil && op.After.ID.Unit().Top().Is(armid.ScaleSets) {
		r.Body = scaleSetBody(op.After.ID, r.Body)
	}
	return r, nil
}

func configurationName(c lb.IPConfiguration) string { return c.Name }

func layInterfacePools(o Object, before, after []lb.ID) {
	list, _ := value(o, interfacePoolsAt).([]any)
	kept := make([]any, 0, len(list)+len(after))
	missing := slices.Clone(after)
	for _, e := range list {
		pool, _ := e.(Object)
		text, _ := pool["id"].(string)
		same := func(id lb.ID) bool { return id.Equal(lb.ID(text)) }
		if !slices.ContainsFunc(after, same) && slices.ContainsFunc(before, same) {
			continue
		}
		missing = slices.DeleteFunc(missing, same)
		kept = append(kept, e)
	}
	for _, id := range missing {
		kept = append(kept, ref(id))
	}
	if len(kept) > 0 || list != nil {
		set(o, interfacePoolsAt, kept)
	}
}
