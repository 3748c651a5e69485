package annotations

import (
	"net/netip"
	"slices"
	"strings"
)

// maxNAT is the number of NAT addresses that a private link service can have.
const maxNAT = 8

// readNATAddresses reads the static NAT addresses: IPv4 addresses with blanks between, where "A ... B" stands for A, B and all between.
func readNATAddresses(p *parser, v string) {
	fields := strings.Fields(v)
	var list distinct[netip.Addr]
	for i := 0; i < len(fields); i++ {
		if fields[i] == "..." && len(list.items) > 0 && i+1 < len(fields) {
			i++
			if !p.natRange(&list, fields[i-2], fields[i]) {
				return
			}
			continue
		}
		a, ok := natAddress(fields[i])
		if !ok {
			p.fail(fields[i], ErrSyntax, "want IPv4 addresses with blanks between, or FIRST ... LAST")
			return
		}
		if list.add(a); len(list.items) > maxNAT {
			break
		}
	}
	if len(list.items) > maxNAT {
		p.fail(v, ErrRange, "want at most %d addresses", maxNAT)
		return
	}
	p.cfg.PrivateLink.Addresses = list.items
}

// natAddress reads one IPv4 address that a machine can have.
func natAddress(v string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(v)
	return a, err == nil && a.Is4() && unicast(a)
}

// natRange adds the addresses after first up to last. It reports false if they are none or too many.
func (p *parser) natRange(list *distinct[netip.Addr], first, last string) bool {
	a, ok := natAddress(first)
	end, endOK := natAddress(last)
	text := first + " ... " + last
	if !ok || !endOK {
		p.fail(text, ErrSyntax, "want an IPv4 address on both sides")
		return false
	}
	if end.Less(a) {
		p.fail(text, ErrRange, "want the lower address first")
		return false
	}
	for n := 1; a != end; n++ {
		if n == maxNAT {
			p.fail(text, ErrRange, "want at most %d addresses", maxNAT)
			return false
		}
		a = a.Next()
		list.add(a)
	}
	return true
}

// readVisibility reads who can see the private link service; one * means everybody, whatever else there is.
func readVisibility(p *parser, v string) {
	words(func(c *Config) *[]string { return &c.PrivateLink.Visibility })(p, v)
	if slices.Contains(p.cfg.PrivateLink.Visibility, "*") {
		p.cfg.PrivateLink.Visibility = []string{"*"}
	}
}

// readFQDNs reads the names that consumers may use, but for those that are too long.
func readFQDNs(p *parser, v string) {
	names := &p.cfg.PrivateLink.FQDNs
	words(func(*Config) *[]string { return names })(p, v)
	*names = slices.DeleteFunc(*names, func(name string) bool {
		if len(name) <= maxName {
			return false
		}
		p.fail(name, ErrRange, "want a name of at most %d characters", maxName)
		return true
	})
}

// plsOptions are the keys that say more of a private link service than that there is one, and where.
var plsOptions = []string{
	KeyPLSName, KeyPLSSubnet, KeyPLSCount, KeyPLSAddresses, KeyPLSFQDNs, KeyPLSProxyProtocol, KeyPLSVisibility, KeyPLSAutoApproval,
}

// natAddresses checks the number of NAT addresses against the static ones.
func (p *parser) natAddresses() {
	pls := &p.cfg.PrivateLink
	pls.Options = slices.ContainsFunc(plsOptions, func(key string) bool { _, ok := p.svc.Annotations[key]; return ok })
	if pls.Count == 0 || int(pls.Count) >= len(pls.Addresses) {
		return
	}
	at := Error{Key: KeyPLSCount, Value: strings.TrimSpace(p.svc.Annotations[KeyPLSCount]), Outcome: Hold}
	p.failAt(KeyPLSCount, at, ErrConflict, "want at least %d, the number of static addresses", len(pls.Addresses))
}
