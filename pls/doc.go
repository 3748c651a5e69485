// Package pls is the model of private link services: what a frontend of an internal load balancer needs so that others reach it through a
// private endpoint, as values.
//
// A [PrivateLinkService] holds what a client can write, with the addresses that connections come from ([NATConfiguration]), who sees it and
// who is let in without asking, and beside that what ARM and the consumers made of it: the alias and each [Connection]. Reading private
// link services, and planning what becomes of them, is package lb's business; it sees here which one a frontend has, and that one with
// connections is never given up unannounced.
//
// [Build] makes one from what is asked for, and says what stands in its way. [Name] is the name it gets if nobody chose one; it follows the
// upstream cloud provider, so that those it made are recognised.
//
// The package computes values from values: no I/O, clock or randomness.
package pls
