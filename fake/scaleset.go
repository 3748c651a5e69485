package fake

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// Scale sets, as Microsoft.Compute has them: a model, and in uniform mode instances, which have ETags and operations of their own. What is
// loaded and dumped has the instances in the scale set, as the recordings do.

// Where a recorded scale set lists its instances, and an instance the addresses that its IP configurations were given.
const (
	instancesAt = "simVirtualMachines"
	addressesAt = "simPrivateIPAddresses"
)

func ofScaleSet(id lb.ID) bool { return id.Is(armid.ScaleSets) || id.Is(armid.ScaleSetInstances) }

// splitInstances takes the recorded instances out of the body of a scale set; nil: it lists none.
func splitInstances(id lb.ID, body armwire.Object) (armwire.Object, []armwire.Object) {
	if _, ok := object(body, "properties")[instancesAt]; !ok || !id.Is(armid.ScaleSets) {
		return body, nil
	}
	body = armwire.Clone(body)
	list := append([]armwire.Object{}, objects(body, "properties", instancesAt)...)
	delete(properties(body), instancesAt)
	return body, list
}

// forceInstances makes list the instances of a scale set, unless it is nil. c.mu is held.
func (c *Cloud) forceInstances(set lb.ID, list []armwire.Object) error {
	if list == nil {
		return nil
	}
	for _, id := range c.instancesOf(set) {
		c.remove(id)
	}
	for _, o := range list {
		id := lb.ID(text(o, "id"))
		if id == "" {
			id = set.Child(armid.Instances, text(o, "instanceId"))
		}
		if err := c.force(id, o); err != nil {
			return err
		}
	}
	return nil
}

// instancesOf returns the ids of the instances of a scale set, in the order of their numbers.
func (c *Cloud) instancesOf(set lb.ID) []lb.ID {
	var ids []lb.ID
	for key, r := range c.resources {
		if strings.HasPrefix(key, set.Key()+"/") && r.id.Is(armid.ScaleSetInstances) {
			ids = append(ids, r.id)
		}
	}
	slices.SortFunc(ids, func(a, b lb.ID) int {
		if n := instanceNumber(a) - instanceNumber(b); n != 0 {
			return n
		}
		return armid.Compare(a, b)
	})
	return ids
}

func instanceNumber(id lb.ID) int {
	n, err := strconv.Atoi(id.Name())
	if err != nil {
		return -1
	}
	return n
}

func (c *Cloud) listInstances(set lb.ID) (Answer, *provider.OpError) {
	if c.resources[set.Key()] == nil {
		return Answer{}, notFound(set)
	}
	answer := Answer{Status: http.StatusOK, List: []armwire.Object{}}
	for _, id := range c.instancesOf(set) {
		r := c.resources[id.Key()]
		answer.List = append(answer.List, withETags(r, c.view(r)))
	}
	slices.SortFunc(answer.List, func(a, b armwire.Object) int { return armid.Compare(idOf(a), idOf(b)) })
	return answer, nil
}

func (c *Cloud) showInstances(set lb.ID, body armwire.Object) {
	var list []any
	for _, id := range c.instancesOf(set) {
		list = append(list, c.view(c.resources[id.Key()]))
	}
	if list != nil {
		properties(body)[instancesAt] = list
	}
}

// completeCompute returns body as Microsoft.Compute keeps it: what a write leaves out stays as it was.
func completeCompute(id lb.ID, typ string, old, body armwire.Object) armwire.Object {
	for _, name := range []string{"etag", "id", "name", "type"} {
		delete(body, name)
	}
	if old != nil {
		for _, name := range []string{"latestModelApplied", "instanceView"} {
			delete(properties(body), name) // only Azure writes them
		}
		body = merge(armwire.Clone(old), body)
		id = lb.ID(text(old, "id"))
	}
	delete(properties(body), "latestModelApplied")
	body["id"], body["name"], body["type"] = string(id), id.Name(), typ
	if id.Is(armid.ScaleSetInstances) {
		body["name"], body["instanceId"] = id.Top().Name()+"_"+id.Name(), id.Name()
	}
	properties(body)[provisioningState] = "Succeeded"
	return body
}

// configuration is one IP configuration of an instance, with the id that it goes by and the address that the instance has there.
type configuration struct {
	id      lb.ID
	body    armwire.Object
	address string
}

// interfacesIn are the paths of the interfaces of an instance and of a model.
var (
	inInstance = []string{"properties", "networkProfileConfiguration", "networkInterfaceConfigurations"}
	inModel    = []string{"properties", "virtualMachineProfile", "networkProfile", "networkInterfaceConfigurations"}
)

// instanceConfigurations returns the IP configurations of an instance; nothing of other bodies.
func instanceConfigurations(body armwire.Object) []configuration {
	id := lb.ID(text(body, "id"))
	if !id.Is(armid.ScaleSetInstances) {
		return nil
	}
	var out []configuration
	for _, nic := range objects(body, inInstance...) {
		for _, cfg := range objects(nic, "properties", armid.IPConfigurations) {
			address := cmp.Or(text(cfg, "properties", "privateIPAddress"), text(body, "properties", addressesAt, text(cfg, "name")))
			out = append(out, configuration{id.Child(instanceInterfaces, text(nic, "name")).Child(armid.IPConfigurations, text(cfg, "name")), cfg, address})
		}
	}
	return out
}

// modelPools returns the pools that the model of a scale set names.
func modelPools(body armwire.Object) []lb.ID {
	var out []lb.ID
	for _, nic := range objects(body, inModel...) {
		for _, cfg := range objects(nic, "properties", armid.IPConfigurations) {
			out = append(out, refs(cfg, "properties", "loadBalancerBackendAddressPools")...)
		}
	}
	return out
}

// viewInstance shows whether an instance is as the model of its scale set says.
func (c *Cloud) viewInstance(id lb.ID, body armwire.Object) {
	if set := c.resources[id.Top().Key()]; set != nil {
		properties(body)["latestModelApplied"] = samePools(objects(set.body, inModel...), objects(body, inInstance...))
	}
}

// samePools reports whether two lists of interfaces name the same pools.
func samePools(model, instance []armwire.Object) bool {
	return maps.Equal(poolsByConfiguration(model), poolsByConfiguration(instance))
}

func poolsByConfiguration(nics []armwire.Object) map[string]bool {
	out := map[string]bool{}
	for _, nic := range nics {
		for _, cfg := range objects(nic, "properties", armid.IPConfigurations) {
			for _, pool := range refs(cfg, "properties", "loadBalancerBackendAddressPools") {
				out[strings.ToLower(text(nic, "name")+"/"+text(cfg, "name"))+pool.Key()] = true
			}
		}
	}
	return out
}

// moveOthers moves the ETags that a write of a scale set or instance moves beside its own.
func (c *Cloud) moveOthers(id lb.ID) {
	switch {
	case id.Is(armid.ScaleSetInstances) && c.options.InstanceMovesScaleSet:
		c.touch(id.Top().Key())
	case id.Is(armid.ScaleSets) && c.options.ScaleSetMovesInstances:
		for _, instance := range c.instancesOf(id) {
			c.touch(instance.Key())
		}
	}
}

// followModel makes the instances of a scale set follow a write of it: as many as its capacity, and, unless its upgrade policy is Manual or an
// instance is protected, with the interfaces of its model. c.mu is held.
func (c *Cloud) followModel(id lb.ID, old armwire.Object) {
	if !id.Is(armid.ScaleSets) {
		return
	}
	body := c.resources[id.Key()].body
	instances := c.instancesOf(id)
	was, _ := number(old, "sku", "capacity")
	if capacity, ok := number(body, "sku", "capacity"); ok && capacity != was && armwire.Uniform(body) {
		for len(instances) > capacity {
			c.remove(instances[len(instances)-1])
			instances = instances[:len(instances)-1]
		}
		for len(instances) < capacity {
			instances = append(instances, c.addInstance(id, body, instances))
		}
	}
	if armwire.Manual(body) || samePools(objects(old, inModel...), objects(body, inModel...)) {
		return
	}
	for _, instance := range instances {
		r := c.resources[instance.Key()]
		if !boolean(r.body, "properties", "protectionPolicy", "protectFromScaleSetActions") && text(r.body, "properties", provisioningState) != deletingState {
			next := armwire.Clone(r.body)
			followPools(objects(body, inModel...), objects(next, inInstance...))
			c.store(instance, next)
		}
	}
}

// followPools puts the IP configurations of an instance into the pools that those of the model are in.
func followPools(model, instance []armwire.Object) {
	for _, nic := range instance {
		for _, cfg := range objects(nic, "properties", armid.IPConfigurations) {
			for _, from := range model {
				if !equalFold(text(from, "name"), text(nic, "name")) {
					continue
				}
				pools := refs(child(from, armid.IPConfigurations, text(cfg, "name")), "properties", "loadBalancerBackendAddressPools")
				properties(cfg)["loadBalancerBackendAddressPools"] = refList(pools)
				if len(pools) == 0 {
					delete(properties(cfg), "loadBalancerBackendAddressPools")
				}
			}
		}
	}
}

func interfacesOfModel(body armwire.Object) []any {
	list, _ := dig(body, inModel...).([]any)
	return armwire.Clone(armwire.Object{"list": list})["list"].([]any)
}

func (c *Cloud) addInstance(set lb.ID, body armwire.Object, have []lb.ID) lb.ID {
	n := 0
	if len(have) > 0 {
		n = instanceNumber(have[len(have)-1]) + 1
	}
	id := set.Child(armid.Instances, strconv.Itoa(n))
	instance := armwire.Object{
		"location": body["location"],
		"properties": armwire.Object{
			"hardwareProfile":             armwire.Object{"vmSize": text(body, "sku", "name")},
			"osProfile":                   armwire.Object{"computerName": text(body, "properties", "virtualMachineProfile", "osProfile", "computerNamePrefix") + fmt.Sprintf("%06s", strconv.FormatInt(int64(n), 36))},
			"networkProfileConfiguration": armwire.Object{"networkInterfaceConfigurations": interfacesOfModel(body)},
			"instanceView":                armwire.Object{"statuses": []any{armwire.Object{"code": "PowerState/running"}}},
		},
	}
	instance = completeCompute(id, armid.ScaleSetInstances, nil, instance)
	c.assignInstance(instance)
	c.store(id, instance)
	return id
}

// assignInstance gives the IP configurations of an instance the first free addresses of their subnets, as far as there are any.
func (c *Cloud) assignInstance(body armwire.Object) {
	addresses, mine := armwire.Object{}, map[netip.Addr]bool{}
	for _, m := range instanceConfigurations(body) {
		if m.address != "" || idAt(m.body, "properties", "subnet") == "" {
			continue
		}
		if addr, err := c.firstFree(m.id.Unit(), m.body, mine); err == nil {
			addresses[text(m.body, "name")], mine[addr] = addr.String(), true
		}
	}
	if len(addresses) > 0 {
		properties(body)[addressesAt] = addresses
	}
}

// removeWhole is remove with the instances of a scale set.
func (c *Cloud) removeWhole(id lb.ID) {
	if id.Is(armid.ScaleSets) {
		for _, instance := range c.instancesOf(id) {
			c.remove(instance)
		}
	}
	c.remove(id)
}

// migrateAction makes pools of network interfaces pools of addresses.
const migrateAction = "migrateToIpBased"

// migrationOf returns the load balancer that a call is to migrate.
func migrationOf(call Call) (lb.ID, bool) {
	id := lb.ID(strings.TrimSuffix(string(call.ID), "/"+call.ID.Name()))
	return id, call.Method == http.MethodPost && id.Is(armid.LoadBalancers) && id == id.Top() && equalFold(call.ID.Name(), migrateAction)
}

// migrateAll carries the migration out. c.mu is held.
func (c *Cloud) migrateAll(id lb.ID, request armwire.Object) (Answer, *provider.OpError) {
	r := c.resources[id.Key()]
	if r == nil {
		return Answer{}, notFound(id)
	}
	body := armwire.Clone(r.body)
	migrated := []any{}
	for _, name := range texts(request, "pools") {
		pool := child(body, armid.BackendAddressPools, name)
		if pool == nil {
			return Answer{}, refuse(400, "InvalidResourceReference", id.Child(armid.BackendAddressPools, name), "Pool %s of %s was not found.", name, id)
		}
		if len(ipMembers(pool)) == 0 {
			c.migrate(pool)
		}
		migrated = append(migrated, text(pool, "name"))
	}
	c.store(r.id, body)
	return Answer{Status: 200, Body: armwire.Object{"migratedPools": armwire.Object{"migratedPools": migrated}}}, nil
}

// migrate gives a pool the addresses of the interfaces in it, which stay until they leave by themselves.
func (c *Cloud) migrate(pool armwire.Object) {
	members := []any{}
	for _, id := range c.linked().from(inPool, lb.ID(text(pool, "id"))) {
		cfg, address := c.configuration(id)
		if address == "" {
			continue
		}
		members = append(members, armwire.Object{"name": memberName(id), "properties": armwire.Object{"ipAddress": address}})
		properties(pool)["virtualNetwork"] = armwire.Object{"id": string(idAt(cfg, "properties", "subnet").Top())}
	}
	properties(pool)["loadBalancerBackendAddresses"] = members
}

// configuration returns an IP configuration of a network interface or of an instance, and its address.
func (c *Cloud) configuration(id lb.ID) (cfg armwire.Object, address string) {
	if r := c.resources[id.Unit().Key()]; r != nil {
		for _, m := range instanceConfigurations(r.body) {
			if m.id.Equal(id) {
				return m.body, m.address
			}
		}
	}
	cfg = c.bare(id)
	return cfg, text(cfg, "properties", "privateIPAddress")
}

// memberName is what Azure calls the member of a pool that an IP configuration is: after the network interface, or the scale set and instance.
func memberName(cfg lb.ID) string {
	machine := cfg.Top().Name()
	if unit := cfg.Unit(); unit != cfg.Top() {
		machine += "_" + unit.Name()
	}
	return cfg.ResourceGroup() + "_" + machine + cfg.Name()
}
