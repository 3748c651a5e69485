// Package sim is deterministic simulation: worlds made from a seed, an Azure in memory that has misfortunes, a clock that stands still, and a
// checker that looks at the promises of the library after every single write.
//
// [Run] is one world: a configuration, Services, nodes and content of others ([New]), then several phases. In each, the objects change
// ([World.Mutate]), misfortunes are scripted ([World.Misfortunes]) and a reconciler is called as a host would call it, again when it failed
// and with a new one when it crashed, until it succeeds. A [Watch] between the reconciler and Azure compares the state before and after
// every write. What it finds is a list of [Violation]; the same seed always finds the same.
package sim
