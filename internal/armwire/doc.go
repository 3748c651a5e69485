// Package armwire translates between ARM JSON and the values of packages lb and pls, and lays our part of a resource over its JSON so that
// everything else survives. It does no I/O. The in-memory Azure stores and the Azure backend sends what it makes.
//
// Reading: [Parse] keeps numbers as they are written; [LoadBalancer] and its siblings decode a body. What is absent or null reads as what ARM
// fills in there, a wrong type is an error with its path, and everything wrong is reported at once.
//
// Writing: [Prepare] takes an operation and the latest body of its target and says whether the work is done, what to write, or that the
// plan is out of date. A body for something that exists is the body as read with only those of our values replaced that differ, less the
// back-references that ARM would hold against us.
//
// One table (shapes) says for each type what ARM fills in and what only ARM writes. [FillDefaults], [StripReadOnly], [ReadOnly], the decoders
// and the bodies all go by it.
package armwire
