// Package ipam chooses addresses of subnets. It imports no Kubernetes package and computes values from values: the same arguments give the
// same answer.
//
// A [Pool] is made of the prefixes of one subnet and of the addresses that are in use there. [Pool.Select] says which address a frontend
// should have: the one that is pinned, else the one it has already, else none, which leaves the choice to Azure, or, where the caller asks
// for it, the lowest free one. [Pool.Check] says whether one address can be had, and if not, why.
//
// A pool never gives out the addresses that Azure keeps in every prefix of a subnet ([Reserved]), nor one that is taken. Somebody else may
// take an address between the choice and the write, so Azure has the last word.
package ipam
