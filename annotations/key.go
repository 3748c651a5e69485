package annotations

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Key is one row of the registry: what a key means and what it may hold. Parse and Lint work from these rows, and so does the manual.
type Key struct {
	Name       string     // with its prefix; {n} stands for the number of a service port, see [PortKey]
	Grammar    Grammar    // form of the value; blanks around it never matter
	Range      string     // which values of that form are taken; empty: all
	Default    string     // what holds if the key is absent
	Scope      Scope      // the Services on which it has an effect
	Conflicts  []Conflict // what it contradicts; every pair is listed once
	Outcome    Outcome    // what an unusable value does; zero for a dead key
	Deprecated string     // what to use instead; empty: the key is not deprecated
	Dead       bool       // nothing reads it any more
	Doc        string     // one line

	read reader
}

// reader takes over a value, free of blanks around it, into the Config of p, or calls p.fail.
type reader func(p *parser, value string)

// Conflict is another key, or a field of the spec, that contradicts a key, and what happens to a Service that has both.
type Conflict struct{ With, Result string }

// Grammar is the form of a value.
type Grammar string

// The forms of values.
const (
	Boolean       Grammar = "true or false"
	WholeNumber   Grammar = "whole number"
	Name          Grammar = "resource name"
	GroupName     Grammar = "resource group name"
	ResourceID    Grammar = "resource id"
	Label         Grammar = "DNS label"
	AddressV4     Grammar = "IPv4 address"
	AddressV6     Grammar = "IPv6 address"
	AddressList   Grammar = "addresses, with commas between"
	NATAddresses  Grammar = "IPv4 addresses, with blanks between"
	Pairs         Grammar = "key=value, with commas between"
	Ranges        Grammar = "CIDRs, with commas between"
	TagList       Grammar = "service tags, with commas between"
	NameList      Grammar = "names, with commas between"
	Words         Grammar = "words, with blanks between"
	Protocol      Grammar = "tcp, http or https"
	Path          Grammar = "path of a URL"
	PortReference Grammar = "port number or name"
)

// Scope says on which Services of type LoadBalancer a key has an effect.
type Scope uint8

// The scopes.
const (
	ScopeAll         Scope = iota + 1 // all
	ScopeInternal                     // azure-load-balancer-internal is true
	ScopeExternal                     // azure-load-balancer-internal is not true
	ScopePrivateLink                  // azure-pls-create is true
	ScopePort                         // a port of the Service has the number in the key
	ScopeSeveral                      // the configuration has several standard load balancers
	ScopeBasic                        // the configuration says SKU basic
	ScopeNone                         // none
)

var scopes = [...]string{
	ScopeAll: "all", ScopeInternal: "internal", ScopeExternal: "external", ScopePrivateLink: "private link", ScopePort: "port",
	ScopeSeveral: "several load balancers", ScopeBasic: "basic", ScopeNone: "none",
}

// String returns the scope in a word or two.
func (s Scope) String() string {
	if s == 0 || int(s) >= len(scopes) {
		return fmt.Sprintf("Scope(%d)", uint8(s))
	}
	return scopes[s]
}

// MarshalText returns the text of [Scope.String].
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Keys returns the registry: every key that azlb reads, and the dead ones that are still met, in the order in which Parse reports errors.
func Keys() []Key {
	keys := slices.Clone(registry)
	for i := range keys {
		keys[i].Conflicts = slices.Clone(keys[i].Conflicts)
	}
	return keys
}

// PerPort reports whether the key is one of a service port.
func (k Key) PerPort() bool { return strings.Contains(k.Name, "{n}") }

// lookup finds the row of an annotation key, and the port number in it. The key of the placement on several load balancers is recognised
// in any case, as upstream does.
func lookup(annotation string) (k *Key, port int32, ok bool) {
	name, port := generic(annotation)
	for i := range registry {
		if k := &registry[i]; k.Name == name || k.Name == KeyConfigurations && strings.EqualFold(k.Name, name) {
			return k, port, true
		}
	}
	return nil, 0, false
}

// generic replaces the port number in the key of a service port by {n}. A number that is not spelled as Go spells it stays.
func generic(annotation string) (name string, port int32) {
	rest, ok := strings.CutPrefix(annotation, Prefix+"port_")
	if !ok {
		return annotation, 0
	}
	digits, rest, _ := strings.Cut(rest, "_")
	n, err := strconv.ParseInt(digits, 10, 32)
	if err != nil || strconv.FormatInt(n, 10) != digits {
		return annotation, 0
	}
	return Prefix + "port_{n}_" + rest, int32(n)
}

// short is the key without the prefix, for texts.
func short(key string) string { return strings.TrimPrefix(key, Prefix) }
