// Package fake is Azure in memory: what azlb needs of it, with the rules that Azure Resource Manager enforces, for tests, for trying a plan
// and for reproducing faults.
//
// A [Cloud] holds ARM JSON per resource id. It is a [provider.Provider], so a plan can be applied to it directly; [Cloud.Call] is ARM's own
// door (method, id, body, If-Match) for whoever wants to serve it over HTTP. [Cloud.Load] and [Cloud.Dump] read and write its whole state,
// [Cloud.String] prints it for goldens, [Cloud.Requests] is the journal of calls and [Cloud.Inject] scripts faults:
//
//	cloud := fake.New(nil)
//	err := cloud.Load(seed)
//	cloud.Inject(fake.Fault{Method: "PUT", Path: "/loadBalancers/", Status: 409, Code: "AnotherOperationInProgress"})
//
// # Rules
//
// What Azure refuses is a table, see [Rules]: references inside a body, uniqueness, addresses, deletion of what is in use, immutable fields,
// names and limits. Each rule has a name, with which [Options].Waive leaves it out, and a test of its own. The fake is never kinder than
// Azure; where sources disagree on what Azure refuses, it refuses.
//
// # Addresses
//
// The address of a public IP comes from [Options].PublicAddresses, else it is the first free one of its prefix, else it is made from the
// id. A dynamic private address is the first free one of the subnet after those that Azure reserves, and stays as long as the frontend stays
// in the subnet.
package fake
