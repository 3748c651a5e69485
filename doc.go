// Package azlb is the root of a library that turns Kubernetes Services of type LoadBalancer into Azure load balancing. It has no code: this
// page says which package does what, and where to start.
//
// # The problem
//
// A Service of type LoadBalancer asks for an address and for traffic to come in. In Azure that is a frontend, a probe and a rule per port on
// a load balancer, a public IP or an address of a subnet, members of a backend pool, and rules of a security group: a handful of resources
// that all Services of a cluster share, that other people write too, and where a wrong write takes down what used to work. azlb computes
// what these resources should be, says what it would take to get there, and does it.
//
// # One Service
//
//	apiVersion: v1
//	kind: Service
//	metadata:
//	  name: web
//	  namespace: shop
//	  annotations:
//	    service.beta.kubernetes.io/azure-allowed-service-tags: AzureFrontDoor.Backend
//	spec:
//	  type: LoadBalancer
//	  ports: [{port: 443, nodePort: 30443}]
//
// Parse. [github.com/azlb/azlb/annotations.Parse] makes types of its annotations, with everything that is wrong at once and each with the
// path of its field.
//
// Build. [github.com/azlb/azlb/lb.Build] takes the configuration of the cluster, all its Services and nodes, and what Azure has, and
// decides: which load balancer, which address, which rules. [github.com/azlb/azlb/lb.Adopt] then takes over how Azure spells what is there
// already, so that only what differs in content differs at all.
//
// Diff. [github.com/azlb/azlb/lb.Diff] gives the plan: the writes, what each changes and who asked for it, what has to come first, and what
// it may do to traffic, addresses and exposure. For this Service on an empty Azure it has three steps: the public IP; the load balancer
// with its frontend, pool, probe and rule, after it; the security rule, after that, because no door opens before there is something behind
// it. The address is not known yet, so the plan refers to it and prints "(known after apply)".
//
// Apply. [github.com/azlb/azlb/provider.Apply] carries the plan out through a [github.com/azlb/azlb/provider.Provider], which reads Azure
// and makes single writes. [github.com/azlb/azlb/provider.Reconciler] does all of this, and again when Azure turned out to be different.
//
// Every level can be used without those above: a webhook needs annotations only, a check in CI stops at the plan, a controller takes the
// Reconciler, and one with its own idea of what Azure should have builds a [github.com/azlb/azlb/lb.Desired] by hand. Tests run on
// [github.com/azlb/azlb/fake], an Azure in memory.
//
// # Promises
//
// The same input gives the same output, in whatever order it comes. Planning what was just applied gives an empty plan, and so does
// planning a cluster that the upstream cloud provider made, but for what docs/compatibility.md announces. What others made survives every
// write, and no write is based on what somebody changed meanwhile. A plan can be stopped after any step: nothing in use was cut off that it
// did not announce, and planning again leads to the same end. A Service that asks for something wrong stays as it is, is reported with the
// field at fault, and holds up nobody else. Sources that cannot be read close a Service, they never open it.
//
// docs/architecture.md has the packages in a picture and says where state lives.
package azlb
