package fake

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// children are the lists in properties whose elements are resources of their own, by type of the parent.
var children = map[string][]string{
	strings.ToLower(armid.LoadBalancers): {
		armid.FrontendIPConfigurations, armid.BackendAddressPools, armid.LoadBalancingRules, armid.Probes, armid.OutboundRules,
		armid.InboundNATRules, armid.InboundNATPools,
	},
	strings.ToLower(armid.NetworkSecurityGroups): {armid.SecurityRules},
	strings.ToLower(armid.VirtualNetworks):       {armid.Subnets},
	strings.ToLower(armid.NetworkInterfaces):     {armid.IPConfigurations},
	strings.ToLower(armid.PrivateLinkServices):   {armid.IPConfigurations, armid.PrivateEndpointConnections},
}

// writable are the kinds of children that can be written without their parent (REST specification).
var writable = []string{
	armid.BackendAddressPools, armid.InboundNATRules, armid.SecurityRules, armid.Subnets, armid.PrivateEndpointConnections,
}

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

func childKinds(id lb.ID) []string { return children[strings.ToLower(id.Top().Type())] }

// split returns the top-level resource that id is or is in and, for a child, its kind as ARM spells it, and its name.
func split(id lb.ID) (top lb.ID, kind, name string) {
	top = id.Unit()
	if top == id {
		return top, "", ""
	}
	kind, name, _ = strings.Cut(strings.TrimPrefix(string(id[len(top):]), "/"), "/")
	for _, known := range childKinds(top) {
		if equalFold(known, kind) {
			kind = known
		}
	}
	return top, kind, name
}

// Load makes the cloud hold what data describes, in the form of the recorded seed.json and state.json: resourceGroups and resources. What
// it held before is gone; journal, clock and faults stay. No rule is asked; addresses that are missing are assigned.
func (c *Cloud) Load(data []byte) error {
	doc, err := armwire.Parse(data)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups, c.resources, c.links = map[string]group{}, map[string]*resource{}, nil
	for _, g := range objects(doc, "resourceGroups") {
		id := lb.ID(text(g, "id"))
		if id == "" {
			id = armid.Group(text(g, "subscription"), text(g, "name"))
		}
		c.groups[id.Key()] = group{id: id, location: text(g, "location")}
	}
	return c.loadResources(objects(doc, "resources"))
}

// loadResources takes those first that others get addresses from.
func (c *Cloud) loadResources(list []armwire.Object) error {
	needsAddress := func(o armwire.Object) bool {
		id := lb.ID(text(o, "id"))
		return id.Is(armid.LoadBalancers) || id.Is(armid.PrivateLinkServices) || id.Is(armid.PublicIPAddresses) && text(o, "properties", "ipAddress") == ""
	}
	for _, late := range []bool{false, true} {
		for _, o := range list {
			if needsAddress(o) != late {
				continue
			}
			if err := c.force(lb.ID(text(o, "id")), o); err != nil {
				return fmt.Errorf("resource %q: %w", text(o, "id"), err)
			}
		}
	}
	return nil
}

// Dump returns the whole state in the form of the recorded state.json: with defaults and back-references, every list sorted, without ETags.
func (c *Cloud) Dump() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	doc := armwire.Object{"resourceGroups": []any{}, "resources": []any{}}
	for _, key := range slices.Sorted(maps.Keys(c.groups)) {
		g := c.groups[key]
		o := armwire.Object{"id": string(g.id), "location": g.location, "name": g.id.ResourceGroup()}
		doc["resourceGroups"] = append(doc["resourceGroups"].([]any), o)
	}
	for _, r := range c.resources {
		if r.id.Is(armid.ScaleSetInstances) {
			continue
		}
		body := c.view(r)
		if r.id.Is(armid.ScaleSets) {
			c.showInstances(r.id, body)
		}
		doc["resources"] = append(doc["resources"].([]any), body)
	}
	sortLists(doc)
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(doc)
	return []byte(b.String()), err
}

// bare returns what is stored under id, a resource or a child, or nil. c.mu is held.
func (c *Cloud) bare(id lb.ID) armwire.Object {
	top, kind, name := split(id)
	r := c.resources[top.Key()]
	switch {
	case r == nil:
		return nil
	case kind == "":
		return r.body
	default:
		return child(r.body, kind, name)
	}
}

// child returns the child of body with this kind and name, or nil.
func child(body armwire.Object, kind, name string) armwire.Object {
	for _, o := range objects(body, "properties", kind) {
		if equalFold(text(o, "name"), name) {
			return o
		}
	}
	return nil
}

func withoutChild(body armwire.Object, kind, name string) armwire.Object {
	body = armwire.Clone(body)
	kept := []any{}
	for _, o := range objects(body, "properties", kind) {
		if !equalFold(text(o, "name"), name) {
			kept = append(kept, o)
		}
	}
	properties(body)[kind] = kept
	return body
}

func withChild(body armwire.Object, kind, name string, c armwire.Object) armwire.Object {
	if old := child(body, kind, name); old != nil {
		name = text(old, "name")
	}
	body = withoutChild(body, kind, name)
	c = armwire.Clone(c)
	c["name"] = name
	properties(body)[kind] = append(properties(body)[kind].([]any), c)
	return body
}

// Where a resource shows how the last operation on it ended, and the state of one that failed.
const (
	provisioningState = "provisioningState"
	failedState       = "Failed"
	deletingState     = "Deleting"
	updatingState     = "Updating"
)

// complete returns body as ARM keeps it: without what a client cannot write, with ids, names, types and defaults. Spelling of ids and names
// that were there before is kept, and so is what ARM assigned, which is taken from the first of sources that has it. The arguments stay as
// they are.
func complete(id lb.ID, old, body armwire.Object, sources ...armwire.Object) armwire.Object {
	body = armwire.Clone(body)
	typ := canonicalType(id)
	if ofScaleSet(id) {
		return completeCompute(id, typ, old, body)
	}
	if strings.HasPrefix(strings.ToLower(typ), "microsoft.network/") {
		stripLinks(typ, body) // first, since members are told apart by what StripReadOnly removes
		armwire.StripReadOnly(typ, body)
		armwire.FillDefaults(typ, body)
		properties(body)[provisioningState] = "Succeeded"
	}
	if old != nil {
		id = lb.ID(text(old, "id"))
	}
	body["id"], body["name"], body["type"] = string(id), id.Name(), typ
	restoreAssigned(typ, body, sources)
	for _, kind := range childKinds(id) {
		completeChildren(id, typ, kind, old, body)
	}
	return body
}

// restoreAssigned gives body what ARM assigned to it.
func restoreAssigned(typ string, body armwire.Object, sources []armwire.Object) {
	for _, name := range byType[typ] {
		delete(properties(body), name)
		for _, source := range sources {
			if v, ok := object(source, "properties")[name]; ok {
				properties(body)[name] = armwire.Clone(armwire.Object{name: v})[name]
				break
			}
		}
	}
}

// byType are the properties that ARM assigns and keeps, by type.
var byType = map[string][]string{
	armid.PublicIPAddresses:   {"ipAddress"},
	armid.PublicIPPrefixes:    {"ipPrefix"},
	armid.PrivateLinkServices: {"alias", "networkInterfaces", armid.PrivateEndpointConnections},
}

func completeChildren(id lb.ID, typ, kind string, old, body armwire.Object) {
	before := map[string]armwire.Object{}
	for _, o := range objects(old, "properties", kind) {
		before[strings.ToLower(text(o, "name"))] = o
	}
	for _, o := range objects(body, "properties", kind) {
		was := before[strings.ToLower(text(o, "name"))]
		if was != nil {
			o["name"] = was["name"]
		}
		delete(o, "etag")
		o["id"], o["type"] = string(id.Child(kind, text(o, "name"))), typ+"/"+kind
		if spelled := lb.ID(text(was, "id")); spelled.Equal(lb.ID(text(o, "id"))) {
			o["id"] = string(spelled)
		}
		properties(o)[provisioningState] = "Succeeded"
	}
}

// canonicalType returns the type of the top-level resource id, spelled as ARM spells it where we know.
func canonicalType(id lb.ID) string {
	for _, typ := range []string{
		armid.LoadBalancers, armid.PublicIPAddresses, armid.PublicIPPrefixes, armid.NetworkSecurityGroups, armid.VirtualNetworks,
		armid.NetworkInterfaces, armid.PrivateLinkServices, armid.VirtualMachines, armid.ScaleSets, armid.ScaleSetInstances,
	} {
		if id.Is(typ) {
			return typ
		}
	}
	return id.Type()
}

// store puts body under id and moves the ETags of everything that refers to it in a new way. c.mu is held.
func (c *Cloud) store(id lb.ID, body armwire.Object) {
	var old armwire.Object
	if r := c.resources[id.Key()]; r != nil {
		old = r.body
	}
	c.revision++
	c.resources[id.Key()] = &resource{id: lb.ID(text(body, "id")), body: body, revision: c.revision}
	c.relink(old, body)
	c.dropMemberships(id, old, body)
}

// remove takes id away. c.mu is held.
func (c *Cloud) remove(id lb.ID) {
	old := c.resources[id.Key()].body
	c.revision++
	delete(c.resources, id.Key())
	if id.Is(armid.PrivateLinkServices) {
		c.deletions[id.Key()]++
	}
	c.relink(old, nil)
	c.dropMemberships(id, old, nil)
}

// relink moves the ETags of what old and body refer to differently.
func (c *Cloud) relink(old, body armwire.Object) {
	before, after := edgesOf(old), edgesOf(body)
	if len(before)+len(after) > 0 {
		c.links = nil
	}
	touched := map[string]bool{}
	for e := range before {
		if !after[e] {
			touched[e.to.Top().Key()] = true
		}
	}
	for e := range after {
		if !before[e] {
			touched[e.to.Top().Key()] = true
		}
	}
	for key := range touched {
		c.touch(key)
	}
}

func (c *Cloud) touch(key string) {
	if r := c.resources[key]; r != nil {
		c.revision++
		r.revision = c.revision
	}
}

// dropMemberships takes network interfaces out of pools that are gone.
func (c *Cloud) dropMemberships(id lb.ID, old, body armwire.Object) {
	if !id.Is(armid.LoadBalancers) {
		return
	}
	gone := map[string]bool{}
	for _, pool := range objects(old, "properties", armid.BackendAddressPools) {
		if child(body, armid.BackendAddressPools, text(pool, "name")) == nil {
			gone[lb.ID(text(pool, "id")).Key()] = true
		}
	}
	if len(gone) == 0 {
		return
	}
	for _, r := range c.resources {
		if r.id.Is(armid.NetworkInterfaces) {
			c.leavePools(r, gone)
		}
	}
}

func (c *Cloud) leavePools(nic *resource, gone map[string]bool) {
	body, changed := armwire.Clone(nic.body), false
	for _, cfg := range objects(body, "properties", armid.IPConfigurations) {
		var kept []lb.ID
		pools := refs(cfg, "properties", "loadBalancerBackendAddressPools")
		for _, pool := range pools {
			if !gone[pool.Key()] {
				kept = append(kept, pool)
			}
		}
		if len(kept) < len(pools) {
			changed = true
			properties(cfg)["loadBalancerBackendAddressPools"] = refList(kept)
			if kept == nil {
				delete(properties(cfg), "loadBalancerBackendAddressPools")
			}
		}
	}
	if changed {
		c.store(nic.id, body)
	}
}
