// Package armfake serves a [fake.Cloud] as Azure Resource Manager, so that every ARM client can be tested without Azure. [Transport] stands
// in for azcore's HTTP client inside the process, [Handler] behind a real socket:
//
//	cloud := fake.New(nil)
//	err := cloud.Load(seed)
//	backend, err := azure.New(credential, &azure.Options{Transport: armfake.Transport(cloud), Clock: cloud.Clock()})
//
//	server := httptest.NewTLSServer(armfake.Handler(cloud, &armfake.Options{PageSize: 10}))
//
// # What is served
//
// Lists by resource group and by subscription, in pages; GET, PUT, PATCH of tags and DELETE of resources and of the children that ARM lets
// be written by themselves; lists of children; resource groups; the zones in the description of Microsoft.Compute; operations; and what
// clients ask for before that: /metadata/endpoints, OpenID discovery and tokens, which are given to everybody. Everything else is 404.
// Ids are read in any case; api-version is required and must be one that the namespace has.
//
// # Writes
//
// Every PUT and DELETE is an operation, as with Microsoft.Network: the goal is taken at once and shows in GET, with provisioningState Updating,
// and the operation runs for the time in [fake.Options].Latency. Its end moves the ETag once more. A newer PUT supersedes an older one of
// the same resource; other writes of a resource that is being changed are refused, and so are references to it. A resource that is
// deleted is gone at once; only its id is busy until the operation ends.
//
// Whatever [fake.Cloud.Inject] scripts applies: a fault with Status is an error body with its Retry-After, Late a failed operation whose
// poll is answered with 200, Delay a slow or stuck one, Drop a lost connection. The path of a poll has /operations/ in it.
package armfake
