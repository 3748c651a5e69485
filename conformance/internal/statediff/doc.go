// Package statediff compares two states of Azure, given as the JSON of a recorded state.json, in what a client can write and in the
// addresses that ARM assigned. What carries no meaning is no difference: the case of ids, the order of lists, null and empty against absent,
// the singular and the plural of one field, back-references and other echoes, and the exact priorities of managed security rules.
//
// The tables of what is read-only are this package's own on purpose: taken from the code under test they would hide its mistakes.
package statediff
