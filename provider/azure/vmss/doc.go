// Package vmss lets package azure attach the nodes of scale sets to backend pools of network interfaces.
//
// The interfaces of a scale set in uniform mode are in its instances, and those of new instances in its model, both of which Microsoft.Compute
// keeps. Its client is large and changes often, so it is here, in a module of its own, and whoever has no scale sets or has pools of addresses
// does without:
//
//	backend, err := azure.New(cred, &azure.Options{ScaleSets: vmss.Clients{}})
//
// What is written and in which order is decided by package lb, as for every other resource: the model first, then the instances, many at a
// time, each on condition that it is as it was read. The virtual machines of scale sets in flexible mode have network interfaces of their own;
// of those sets only the model is written here.
//
// The identity needs Microsoft.Compute/virtualMachineScaleSets/read and /write, and /read and /write of
// Microsoft.Compute/virtualMachineScaleSets/virtualMachines.
// Where it may not read them, Services whose pools need their nodes are held, as they are without this package.
package vmss
