// Package conformance runs recorded scenarios of the upstream Azure cloud provider against azlb. It has nothing but tests.
//
// Each folder of scenarios is a sequence of cluster states with what upstream made of each; scenarios/README.md tells what is recorded.
// A scenario is run in three ways:
//
//   - scratch: the in-memory Azure starts from seed.json and goes through the steps in order, one Sync each. After every step the resources
//     and the Service statuses must be the recorded ones, and planning once more must give an empty plan.
//   - ensure: the same, with the calls that the service controller made of upstream: one Ensure or Delete after the other, for one Service
//     each. A Service whose endpoints alone have changed gets an Ensure as well.
//   - adopt: every recorded state whose step had no error is loaded by itself and planned. The plan must be empty.
//
// What azlb does differently on purpose is announced in deviations.txt, line by line; what does not work yet stands in pending.txt. Both
// fail the tests as soon as a line is no longer true.
//
// Each is run on the in-memory Azure itself, and through the Azure SDK with scale sets served.
//
// One scenario, or one step of one part of it:
//
//	go test -run 'TestScenarios/basic-external$'
//	go test -run 'TestScenarios/basic-external/02/adopt'
//
// After work on planning, rewrite the list of what is pending, keeping the reasons that are there:
//
//	go test -run TestScenarios -update-pending
package conformance
