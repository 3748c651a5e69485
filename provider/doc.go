// Package provider carries plans out: it is where the arithmetic of package lb meets Azure.
//
// A [Provider] reads Azure and makes single writes; one for Azure Resource Manager and one in memory are elsewhere, and others can be
// written against the suite in package providertest. [Apply] takes a plan of package lb and a Provider and makes the writes: in the order
// that the plan demands and otherwise in parallel, with addresses that become known on the way filled in, with patience where ARM asks for
// it, and without letting one failure stop what does not depend on it. A [Reconciler] closes the circle: it reads, plans and applies, and
// does so again when Azure turned out to be different. Any number of goroutines may call it: what they ask for is planned together.
//
//	r := provider.NewReconciler(azure, cluster, nil)
//	report, err := r.Sync(ctx, lb.Objects{Services: services, Nodes: nodes})
//	for name, service := range report.Services {
//		// write service.Status, tell service.Findings and service.Err
//	}
//
// One Service's way through it: its public IP is a step; the load balancer that gets its frontend and rules is another one, which comes
// after it; the security group, whose rule names an address that nobody knows yet, is the third. Apply writes the public IP, takes the
// address from its [Receipt], puts it where the plan refers to it ([lb.Resolve]), and writes load balancer and security group. What
// happened is in the [Report], step by step and by Service.
//
// # What failures do
//
// Every refusal is an [OpError] whose [ErrorKind] says what can be done: [Retry] and [Dependency] are sent again after a while by Apply,
// [Replan] and [Unknown] make a Reconciler read and plan again, [Terminal] needs a person. [Classify] has what each error code of ARM
// means, [ParseError] reads ARM's answers.
//
// A Service that ARM refuses something is held for the rest of the call (what it has stays as it is) while all others go through: found by
// the part of the resource that ARM named, or by trying the Services of one write in halves. Its error is in the report, and the next call
// tries it again.
//
// # Promises
//
// No write is started once nobody waits for it any more, and none is cut off in the middle for [Options.Drain]. No goroutine is left when no
// call is, and [Reconciler.Close] ends them all. Two writes in one top-level resource never run at a time. Stopping after any step is safe:
// the next call reads what is there and plans the rest; nothing is remembered between calls that correctness needs.
package provider
