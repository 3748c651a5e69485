package armwire

import (
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// Machine decodes a virtual machine as far as load balancing cares: the availability set or flexible scale set that it is in.
func Machine(o Object) (lb.Machine, error) {
	return decode(armid.VirtualMachines, o, func(v view) lb.Machine {
		m := lb.Machine{ID: v.id("id"), Deleting: deleting(v.o)}
		for _, at := range []string{"properties.availabilitySet.id", "properties.virtualMachineScaleSet.id"} {
			if set := v.id(at); set != "" {
				m.Set = set.Name()
			}
		}
		return m
	})
}
