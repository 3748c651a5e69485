package armwire

import (
	"slices"
	"strings"

	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// Where scale sets and their instances have the interfaces of machines.
const (
	modelInterfacesAt    = "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations"
	instanceInterfacesAt = "properties.networkProfileConfiguration.networkInterfaceConfigurations"
)

// ScaleSet decodes the primary interface of the model of a scale set, in either mode. Without a model it has no IP configurations.
func ScaleSet(o Object) (lb.SeenInterface, error) {
	return decode(armid.ScaleSets, o, func(v view) lb.SeenInterface {
		seen := readPrimary(v, modelInterfacesAt)
		seen.Model, seen.Primary, seen.Rolling = true, false, Uniform(v.o) && !Manual(v.o)
		return seen
	})
}

// Uniform reports whether a scale set has instances of its own, and not virtual machines that are resources by themselves.
func Uniform(o Object) bool {
	mode, _ := value(o, "properties.orchestrationMode").(string)
	return !strings.EqualFold(mode, "Flexible")
}

// Manual reports whether the instances of a scale set stay as they are when its model changes.
func Manual(o Object) bool {
	mode, _ := value(o, "properties.upgradePolicy.mode").(string)
	return mode == "" || strings.EqualFold(mode, "Manual")
}

// Instance decodes the primary interface of an instance of a scale set. One that is not told, as while the instance is being made or
// deleted, has no IP configurations.
func Instance(o Object) (lb.SeenInterface, error) {
	return decode(armid.ScaleSetInstances, o, func(v view) lb.SeenInterface {
		seen := readPrimary(v, instanceInterfacesAt)
		seen.Machine = seen.ID
		for _, s := range v.children("properties.instanceView.statuses") {
			switch strings.ToLower(s.text("code")) {
			case "powerstate/stopped", "powerstate/stopping", "powerstate/deallocated", "powerstate/deallocating", "powerstate/unknown":
				seen.Stopped = true
			}
		}
		return seen
	})
}

func readPrimary(v view, at string) lb.SeenInterface {
	seen := lb.SeenInterface{NetworkInterface: lb.NetworkInterface{ID: v.id("id")}, ETag: v.text("etag"), Primary: true, Failed: failed(v.o), Deleting: deleting(v.o)}
	list := v.children(at)
	i := primaryOf(list, func(c view) bool { return c.bool("properties.primary") })
	if i < 0 {
		return seen
	}
	for _, c := range list[i].children(ipConfigurationsAt) {
		read := readIPConfiguration(c)
		if read.Family == 0 {
			read.Family = ipam.IPv4
		}
		seen.IPConfigurations = append(seen.IPConfigurations, read)
	}
	return seen
}

// primaryOf returns the index of the primary interface, or of the only one; -1 if there is neither.
func primaryOf[T any](list []T, primary func(T) bool) int {
	if len(list) == 1 {
		return 0
	}
	return slices.IndexFunc(list, primary)
}

// scaleSetBody is what a write of a scale set or instance sends: what has to be there, and the interfaces. Microsoft.Compute leaves everything
// else as it is, and refuses much of what it shows.
func scaleSetBody(id lb.ID, raw Object) Object {
	body := Object{}
	keep := []string{"location", modelInterfacesAt, "properties.virtualMachineProfile.networkProfile.networkApiVersion"}
	if id.Is(armid.ScaleSetInstances) {
		keep = []string{"location", "properties.hardwareProfile", instanceInterfacesAt}
	} else if extended := raw["extendedLocation"]; extended != nil {
		body["extendedLocation"] = cloneValue(extended)
	}
	for _, at := range keep {
		if v := value(raw, at); v != nil {
			set(body, at, cloneValue(v))
		}
	}
	if version := "properties.virtualMachineProfile.networkProfile.networkApiVersion"; id.Is(armid.ScaleSets) && !Uniform(raw) && value(body, version) == nil {
		set(body, version, "2020-11-01")
	}
	return body
}

// interfaceOf is how the interface that id stands for is read, and where its IP configurations are in a body.
func interfaceOf(id lb.ID) (read func(Object) (lb.SeenInterface, error), configurations func(Object) []Object) {
	within := func(at string) func(Object) []Object {
		return func(o Object) []Object {
			list := objects(o, at)
			i := primaryOf(list, func(c Object) bool { p, _ := value(c, "properties.primary").(bool); return p })
			if i < 0 {
				return nil
			}
			return objects(list[i], ipConfigurationsAt)
		}
	}
	switch {
	case id.Is(armid.ScaleSets):
		return ScaleSet, within(modelInterfacesAt)
	case id.Is(armid.ScaleSetInstances):
		return Instance, within(instanceInterfacesAt)
	default:
		return Interface, func(o Object) []Object { return objects(o, ipConfigurationsAt) }
	}
}
