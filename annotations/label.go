package annotations

import "strings"

func isAlphanumeric(r rune) bool { return isLower(r) || r >= 'A' && r <= 'Z' || isDigit(r) }

func isLower(r rune) bool { return r >= 'a' && r <= 'z' }

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// isLabel reports whether v can be a DNS label of Azure: 3–63 lower-case letters, digits and hyphens; first a letter, last not a hyphen.
func isLabel(v string) bool {
	if len(v) < 3 || len(v) > 63 || strings.ContainsFunc(v, func(r rune) bool { return !isLower(r) && !isDigit(r) && r != '-' }) {
		return false
	}
	return isLower(rune(v[0])) && v[len(v)-1] != '-'
}

// readDNSLabel reads azure-dns-label-name, where the empty value means something: no label.
func readDNSLabel(p *parser, v string) {
	if v != "" && !isLabel(v) {
		p.fail(v, ErrSyntax, "want 3 to 63 of a-z, 0-9 and -, first a letter, last not -, or nothing to remove the label")
		return
	}
	p.cfg.PublicIP.DNSLabel = &v
}
