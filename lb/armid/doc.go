// Package armid handles the ids of Azure Resource Manager: parsing, composing, comparing without regard to case, and the name grammar of
// each type of resource. It imports nothing of azlb.
//
// An id is a path of pairs, a kind and a name:
//
//	/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/loadBalancers/kubernetes/probes/web
//
// [Resource] composes the id of a top-level resource and [ID.Child] that of something inside; [Parse] reads one that somebody wrote. ARM
// answers with ids in any case, the same id now in one and now in another, so ids are compared with [ID.Equal] and put into maps under
// [ID.Key]; == asks whether the spelling is the same too.
//
// Whatever a user names goes through [CheckName], [CheckGroup] or [ID.Check] before it becomes part of an id. A name that passes has no
// slash, no question mark and nothing else that would make the id point elsewhere.
package armid
