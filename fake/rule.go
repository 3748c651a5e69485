package fake

import (
	"slices"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// Rule is the name of something that Azure refuses.
type Rule string

// Rules that are often waived, because references and recordings disagree on whether Azure refuses.
const (
	RuleBasicSKU            Rule = "basic-sku"              // a new load balancer or public IP of SKU Basic
	RuleIPv6Only            Rule = "ipv6-only"              // a load balancer with IPv6 frontends only
	RuleProtocolAllWithPort Rule = "protocol-all-with-port" // a rule of protocol All with a port
	RuleServiceOnIPPool     Rule = "service-on-ip-pool"     // a private link service in front of a pool of addresses
	RuleServiceOnFloatingIP Rule = "service-on-floating-ip" // a private link service on a public frontend with floating IP
)

// Rules returns the names of all rules, sorted.
func Rules() []Rule {
	var out []Rule
	for _, r := range table() {
		out = append(out, r.name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// rule is one row of the table: what is refused, on writes and deletions of which type.
type rule struct {
	name  Rule
	typ   string // type of the top-level resource; empty: every type
	check func(w *write) *provider.OpError
}

// write is one write that rules look at: old is nil for a creation, new for a deletion.
type write struct {
	c        *Cloud
	id       lb.ID
	old, new armwire.Object
}

// table returns all rules in the order in which they are asked.
func table() []rule {
	return slices.Concat(commonRules, frontendRules, balancingRules, publicIPRules, securityRules, networkRules, computeRules, serviceRules)
}

// check asks every rule.
func (w *write) check() *provider.OpError { return w.ask(table()) }

// checkOnly asks the rules with this name.
func (w *write) checkOnly(name Rule) *provider.OpError {
	return w.ask(slices.DeleteFunc(table(), func(r rule) bool { return r.name != name }))
}

func (w *write) ask(rules []rule) *provider.OpError {
	for _, r := range rules {
		if w.c.waived[r.name] || r.typ != "" && !w.id.Is(r.typ) {
			continue
		}
		if err := r.check(w); err != nil {
			return err
		}
	}
	return nil
}

// onPut makes a check that is asked when something is created or updated.
func onPut(check func(w *write) *provider.OpError) func(w *write) *provider.OpError {
	return func(w *write) *provider.OpError {
		if w.new == nil {
			return nil
		}
		return check(w)
	}
}

// onUpdate makes a check that is asked when something that is there is written.
func onUpdate(check func(w *write) *provider.OpError) func(w *write) *provider.OpError {
	return func(w *write) *provider.OpError {
		if w.new == nil || w.old == nil {
			return nil
		}
		return check(w)
	}
}

// onDelete makes a check that is asked when the resource is deleted.
func onDelete(check func(w *write) *provider.OpError) func(w *write) *provider.OpError {
	return func(w *write) *provider.OpError {
		if w.new != nil {
			return nil
		}
		return check(w)
	}
}

// forEach makes a check that is asked of every child of one kind.
func forEach(kind string, check func(w *write, o armwire.Object) *provider.OpError) func(w *write) *provider.OpError {
	return onPut(func(w *write) *provider.OpError {
		for _, o := range objects(w.new, "properties", kind) {
			if err := check(w, o); err != nil {
				return err
			}
		}
		return nil
	})
}

// idOf returns the id of o.
func idOf(o armwire.Object) lb.ID { return lb.ID(text(o, "id")) }

// exists reports whether id, which may be a child of the resource being written, is there.
func (w *write) exists(id lb.ID) bool {
	top, kind, name := split(id)
	if kind != "" && top.Equal(w.id) {
		return child(w.new, kind, name) != nil
	}
	return w.c.bare(id) != nil
}
