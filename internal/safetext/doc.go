// Package safetext makes text of others fit to be shown: annotations, names and messages of Azure Resource Manager may hold anything, and
// documents that cannot be read may hold secrets.
//
// [Quote] writes what is no printable character as an escape, so that nothing of it moves the cursor of a terminal, begins a line of a log or
// turns the reading direction around. [Fprintf] does so with whatever it is given, [Lines] with errors, [JSON] with JSON, where the escapes are
// those of JSON and the value stays the same. [Reason] says why a document cannot be read, without a word of the document.
package safetext
