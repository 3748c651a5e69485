package fake

import (
	"net/http"
	"strings"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// The network interfaces of instances are resources below these, which can be read and not be written: their pools are written with the
// instance.

// instanceInterfaces is their kind.
const instanceInterfaces = "networkInterfaces"

// interfaceRead splits the path of the network interfaces of a scale set or instance; name is that of one, empty for all.
func interfaceRead(id lb.ID) (parent lb.ID, name string, ok bool) {
	for _, kind := range []string{armid.ScaleSets, armid.ScaleSetInstances} {
		list := id
		if id.Is(kind+"/"+instanceInterfaces) && id == id.Parent().Child(instanceInterfaces, id.Name()) {
			parent, name, list = id.Parent(), id.Name(), ""
		}
		if cut, isList := strings.CutSuffix(string(list), "/"+instanceInterfaces); isList && lb.ID(cut).Is(kind) {
			parent = lb.ID(cut)
		}
		if parent != "" {
			return parent, name, name == "" || kind == armid.ScaleSetInstances
		}
	}
	return "", "", false
}

// readInterfaces answers a read of network interfaces. c.mu is held.
func (c *Cloud) readInterfaces(parent lb.ID, name string) (Answer, *provider.OpError) {
	if c.resources[parent.Key()] == nil {
		return Answer{}, notFound(parent)
	}
	instances := []lb.ID{parent}
	if parent.Is(armid.ScaleSets) {
		instances = c.instancesOf(parent)
	}
	answer := Answer{Status: http.StatusOK, List: []armwire.Object{}}
	for _, id := range instances {
		for _, nic := range c.interfacesOf(c.resources[id.Key()]) {
			if name != "" && equalFold(text(nic, "name"), name) {
				return Answer{Status: http.StatusOK, Body: nic}, nil
			}
			answer.List = append(answer.List, nic)
		}
	}
	if name != "" {
		return Answer{}, notFound(parent.Child(instanceInterfaces, name))
	}
	return answer, nil
}

// interfacesOf shows the network interfaces of an instance.
func (c *Cloud) interfacesOf(r *resource) []armwire.Object {
	configurations := map[string][]any{}
	for _, m := range instanceConfigurations(r.body) {
		cfg := armwire.Clone(m.body)
		cfg["id"], cfg["etag"] = string(m.id), etag(r)
		p := properties(cfg)
		p[provisioningState], p["privateIPAllocationMethod"] = "Succeeded", "Dynamic"
		if m.address != "" {
			p["privateIPAddress"] = m.address
		}
		nic := m.id.Parent().Key()
		configurations[nic] = append(configurations[nic], cfg)
	}
	var list []armwire.Object
	for _, from := range objects(r.body, inInstance...) {
		id := r.id.Child(instanceInterfaces, text(from, "name"))
		nic := armwire.Clone(from)
		nic["id"], nic["etag"] = string(id), etag(r)
		p := properties(nic)
		p[provisioningState], p["virtualMachine"] = text(r.body, "properties", provisioningState), armwire.Object{"id": string(r.id)}
		p[armid.IPConfigurations] = configurations[id.Key()]
		list = append(list, nic)
	}
	return list
}
