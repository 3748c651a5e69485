// Package lb decides what Azure load balancing a Kubernetes cluster should have, and plans the way there. It is arithmetic: values in,
// values out, without context, clock, randomness, goroutine, logger or I/O.
//
// # One Service, from manifest to plan
//
// A cluster is described by azure.json, which [ParseCluster] reads. Suppose that it has one Service of type LoadBalancer, default/web with
// TCP port 80 and the annotation azure-load-balancer-internal: "true".
//
// [ScopeOf] says what has to be read of Azure, and a provider reads it into [Observed]: everything there, ours or not.
//
// [Build] parses the annotations and decides content: which load balancer serves the Service, with which frontend, rules and probes, and
// which security rules let its traffic in. The result is a [Desired] and a list of [Finding] values. Whatever is wrong with a Service is a
// finding with the field at fault, never an error, and a Service that cannot be served as it asks keeps what it has.
//
// [Adopt] gives the result the spelling that Azure has: names, ids, keys of tags, priorities of security rules.
//
// [Diff] compares both and orders what differs into a [Plan]: steps, each one write, with its reasons, its risks and the steps it waits for.
// [Plan.Explain] prints it:
//
//	1 step: 5 to create, 0 to update, 0 to delete
//
//	1. create load balancer kubernetes-internal
//	   + load balancer kubernetes-internal: Standard in westeurope
//	       default/web asks for it (spec.type)
//	   + frontend a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5: IPv4 address in subnet nodes (known after apply)
//	       default/web asks for it (azure.json subnetName)
//	   + pool kubernetes: 1 member
//	       nodes joined or left
//	       default/web asks for it (spec.type)
//	   + probe a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5-TCP-80: Tcp port 31234 every 5 s
//	       default/web asks for it (spec.ports[0])
//	   + rule a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5-TCP-80: Tcp port 80 from frontend a5f2b6c1e8d3a4c479b1e0a1b2c3d4e5 to pool kubernetes
//	       default/web asks for it (spec.ports[0])
//
// Carrying it out is the business of package provider: Apply runs a plan, and a Reconciler does all of this in one call. Addresses that
// Azure chooses are references in the plan; [Resolve] puts them in once they are known, and [Status] makes the status of each Service.
//
// A [Desired] made by hand, without any Service, is planned in the same way.
//
// # Promises
//
// The same input gives the same output, to the letter; the order of objects and of what Azure answers does not matter.
//
// Once a plan is carried out, the next one is empty.
//
// What is not ours is not touched: children, fields and tags of others on the same resources stay. Ours are frontends, rules and probes that
// are named after a uid, public IPs that our tags name, and security rules with our prefix and priority. A load balancer with anything of
// others on it is never deleted.
//
// One Service never harms another: a Service that is held, for what its annotations say or because Azure refused it, keeps its share as it
// is, with its ports and addresses, and everybody else goes on. Who is there already comes first, then the older, then the name.
//
// What cannot be read never opens anything: a list of sources with an unreadable item allows the others and denies everybody else. Steps
// that let in what was not let in before, that cut traffic or that change an address carry a [Risk].
//
// Names are those of the upstream cloud provider, so that clusters it made are taken over as they are; two Services whose names would
// collide are told. What annotations say becomes part of an id only if it is a legal name.
package lb
