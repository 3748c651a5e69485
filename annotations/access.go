package annotations

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// wantRange is what a source has to be.
const wantRange = "want a CIDR with host bits zero, such as 10.0.0.0/24"

// readRanges reads the ranges of one of the two annotations. Its empty value is one item that is no range, so it closes the Service.
func readRanges(p *parser, v string) {
	for item := range strings.SplitSeq(v, ",") {
		item = strings.TrimSpace(item)
		r, ok := sourceRange(item)
		if !ok {
			p.fail(item, ErrSyntax, "%s", hint(item))
			p.cfg.Access.Closed = true
			continue
		}
		p.annotated.add(r)
	}
}

// sourceRange reads a range strictly: address and bits, host bits zero, no IPv4 range in IPv6 notation.
func sourceRange(v string) (netip.Prefix, bool) {
	r, err := netip.ParsePrefix(v)
	return r, err == nil && r == r.Masked() && !r.Addr().Is4In6()
}

// hint says what was wanted, with the value that was probably meant.
func hint(v string) string {
	if a, err := netip.ParseAddr(v); err == nil && a.Zone() == "" && !a.Is4In6() {
		return fmt.Sprintf("%s; for this one address %s/%d", wantRange, a, a.BitLen())
	}
	if r, err := netip.ParsePrefix(v); err == nil && !r.Addr().Is4In6() {
		return fmt.Sprintf("%s; for this one %s", wantRange, r.Masked())
	}
	return wantRange
}

// readServiceTags reads azure-allowed-service-tags. An empty item beside a good one is harmless; a list without a good item closes the
// Service, since something was to be allowed instead of the Internet.
func readServiceTags(p *parser, v string) {
	var list distinct[string]
	for item := range strings.SplitSeq(v, ",") {
		item = strings.TrimSpace(item)
		switch {
		case item == "":
			p.fail(item, ErrSyntax, "want a service tag between the commas")
		case !isServiceTag(item):
			p.fail(item, ErrSyntax, "want a service tag: a letter, then letters, digits, . and -")
			p.cfg.Access.Closed = true
		default:
			list.add(item)
		}
		if len(list.items) > MaxServiceTags {
			p.cfg.Access.Closed = true
			p.tooMany(v, MaxServiceTags, "service tags, since each needs a rule of the security group")
			return
		}
	}
	p.cfg.Access.ServiceTags = list.items
	if len(p.cfg.Access.ServiceTags) == 0 {
		p.cfg.Access.Closed = true
	}
}

// isServiceTag reports whether v can be a service tag.
func isServiceTag(v string) bool {
	return v != "" && len(v) <= maxName && !isDigit(rune(v[0])) && isAlphanumeric(rune(v[0])) &&
		!strings.ContainsFunc(v, func(r rune) bool { return !isAlphanumeric(r) && r != '.' && r != '-' })
}

// access settles the allowed sources. Ranges of the spec and of an annotation together have no meaning: the Service is held, and the Config
// allows none.
func (p *parser) access() {
	p.specRanges()
	if len(p.spec.items) > 0 && len(p.annotated.items) > 0 {
		p.rangesTwice()
		p.cfg.Access.Closed = true
	} else {
		p.cfg.Access.Ranges = slices.Concat(p.spec.items, p.annotated.items)
	}
	p.holdClosed()
}

// specRanges reads spec.loadBalancerSourceRanges.
func (p *parser) specRanges() {
	for i, v := range p.svc.Spec.LoadBalancerSourceRanges {
		v = strings.TrimSpace(v)
		r, ok := sourceRange(v)
		if !ok {
			at := Error{Path: fmt.Sprintf("spec.loadBalancerSourceRanges[%d]", i), Value: v, Outcome: Close}
			p.failAt(KeySourceRanges, at, ErrSyntax, "%s", hint(v))
			p.cfg.Access.Closed = true
			continue
		}
		p.spec.add(r)
	}
}

// rangesTwice reports each annotation that gives ranges although the spec does.
func (p *parser) rangesTwice() {
	for _, key := range []string{KeyAllowedIPRanges, KeySourceRanges} {
		v, ok := p.annotation(key)
		if ok && slices.ContainsFunc(items(v), func(item string) bool { _, ok := sourceRange(item); return ok }) {
			p.failAt(key, Error{Key: key, Value: v, Outcome: Hold}, ErrConflict, "want either this or spec.loadBalancerSourceRanges, not both")
		}
	}
}

// holdClosed makes closing a hold where the denial would cut off the nodes: without floating IP the destinations of the security rules are
// the nodes' own addresses.
func (p *parser) holdClosed() {
	if !p.cfg.Access.Closed || p.cfg.Rules.FloatingIP || p.cfg.Access.NoRules {
		return
	}
	for _, e := range p.errs {
		if e.err.Outcome == Close {
			e.err.Outcome = Hold
		}
	}
}
