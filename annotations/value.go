package annotations

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb/armid"
)

// truth reads true or false in any case.
func truth(v string) (value, ok bool) {
	switch {
	case strings.EqualFold(v, "true"):
		return true, true
	case strings.EqualFold(v, "false"):
		return false, true
	}
	return false, false
}

// boolean reads a switch into the field.
func boolean(field func(*Config) *bool) reader {
	return func(p *parser, v string) { p.flip(v, field(&p.cfg), true) }
}

// negated reads a switch that turns the field off.
func negated(field func(*Config) *bool) reader {
	return func(p *parser, v string) { p.flip(v, field(&p.cfg), false) }
}

// portBoolean reads a switch of a port.
func portBoolean(field func(*Port) *bool) reader {
	return func(p *parser, v string) { p.flip(v, field(p.at), true) }
}

// flip sets the field to on if v is true, and to its opposite if v is false.
func (p *parser) flip(v string, field *bool, on bool) {
	b, ok := truth(v)
	if !ok {
		p.fail(v, ErrSyntax, "want true or false")
		return
	}
	*field = b == on
}

// whole reads a whole number from low to high.
func whole(low, high int32, want string, set func(*parser, int32)) reader {
	return func(p *parser, v string) {
		n, err := strconv.ParseInt(v, 10, 32)
		switch {
		case errors.Is(err, strconv.ErrRange) || err == nil && (n < int64(low) || n > int64(high)):
			p.fail(v, ErrRange, "want %s", want)
		case err != nil:
			p.fail(v, ErrSyntax, "want %s", want)
		default:
			set(p, int32(n))
		}
	}
}

// items splits a list at its commas and trims the items, empty ones included.
func items(v string) []string {
	list := strings.Split(v, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

// words reads words with blanks between. A value with anything in it that nobody sees is no list of words, whatever else is in it.
func words(field func(*Config) *[]string) reader {
	return func(p *parser, v string) {
		list := strings.Fields(v)
		if slices.ContainsFunc(list, hidden) {
			p.fail(v, ErrSyntax, wantVisible)
			return
		}
		*field(&p.cfg) = list
	}
}

// wantVisible is what the values that are free text want to be.
const wantVisible = "want no control characters, nor others that nobody sees"

// hidden reports whether v has characters that nobody sees, blanks of any width aside. None is in a name, a tag or an id on purpose.
func hidden(v string) bool {
	return strings.ContainsFunc(v, func(r rune) bool { return !unicode.Is(unicode.Zs, r) && !safetext.Printable(string(r)) })
}

// pair splits an item of a tag list, which has exactly one equals sign.
func pair(item string) (Tag, bool) {
	key, value, ok := strings.Cut(item, "=")
	if !ok || strings.Contains(value, "=") {
		return Tag{}, false
	}
	t := Tag{strings.TrimSpace(key), strings.TrimSpace(value)}
	if strings.EqualFold(t.Value, "null") {
		t.Value = value // ARM reserves the bare word, so blanks that keep it from being bare stay
	}
	return t, t.Key != ""
}

// reserved are the tag keys under which azlb, and the upstream provider of old, keep who uses a public IP.
var reserved = []string{
	"k8s-azure-service", "k8s-azure-cluster-name", "k8s-azure-dns-label-service", "service", "kubernetes-cluster-name", "kubernetes-dns-label-service",
}

// isReserved reports whether a tag may not have this key; ARM ignores the case of tag keys.
func isReserved(key string) bool {
	return slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, key) })
}

// readPIPTags reads azure-pip-tags, pair by pair. Empty items are left out silently: they cost nothing.
func readPIPTags(p *parser, v string) {
	keys := map[string]bool{}
	// The blanks of the last value may be what keeps a null from being bare, so the value is taken as it was written.
	for item := range strings.SplitSeq(p.svc.Annotations[p.key], ",") {
		t, ok := pair(item)
		switch {
		case strings.TrimSpace(item) == "":
		case !ok:
			p.fail(strings.TrimSpace(item), ErrSyntax, "want key=value with one equals sign")
		case isReserved(t.Key):
			p.fail(strings.TrimSpace(item), ErrReserved, "want another key: who uses the public IP is kept under this one")
		case len(t.Key) > 512 || len(t.Value) > 256:
			p.fail(strings.TrimSpace(item), ErrRange, "want a key of up to 512 and a value of up to 256 characters")
		case strings.ContainsAny(t.Key, `<>%&\?/`) || strings.ContainsFunc(t.Key+t.Value, unicode.IsControl):
			p.fail(strings.TrimSpace(item), ErrSyntax, `want a key without < > %% & \ ? / and no control characters`)
		case hidden(t.Key + t.Value):
			p.fail(strings.TrimSpace(item), ErrSyntax, wantVisible)
		default:
			keys[strings.ToLower(t.Key)] = true
			p.cfg.PublicIP.Tags = append(p.cfg.PublicIP.Tags, t)
		}
		if len(keys) > MaxTags {
			p.cfg.PublicIP.Tags = nil
			p.tooMany(v, MaxTags, "tags, which is what a resource can have")
			return
		}
	}
}

// readIPTags reads azure-pip-ip-tags. The last tag of a type wins. If no pair can be used, no IP tags are asked for, as if the key were
// absent: asking for fewer may cost the address.
func readIPTags(p *parser, v string) {
	tags, bad := map[string]string{}, false
	for _, item := range items(v) {
		t, ok := pair(item)
		switch {
		case item == "":
		case !ok || t.Value == "":
			p.fail(item, ErrSyntax, "want type=tag with one equals sign")
			bad = true
		case hidden(item):
			p.fail(item, ErrSyntax, wantVisible)
			bad = true
		default:
			tags[t.Key] = t.Value
		}
	}
	for typ, tag := range tags {
		p.cfg.PublicIP.IPTags = append(p.cfg.PublicIP.IPTags, Tag{typ, tag})
	}
	slices.SortFunc(p.cfg.PublicIP.IPTags, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
	p.cfg.PublicIP.SetIPTags = len(tags) > 0 || !bad
}

// readAdditional reads azure-additional-public-ips. The empty value is as good as none.
func readAdditional(p *parser, v string) {
	if v == "" {
		return
	}
	var list distinct[netip.Addr]
	for item := range strings.SplitSeq(v, ",") {
		item = strings.TrimSpace(item)
		a, err := netip.ParseAddr(item)
		a = a.Unmap()
		switch {
		case err != nil || a.Zone() != "":
			p.fail(item, ErrSyntax, "want an address")
		case !unicast(a):
			p.fail(item, ErrRange, "want the address of one machine")
		case slices.ContainsFunc(nobodys, func(r netip.Prefix) bool { return r.Contains(a) }):
			p.fail(item, ErrReserved, "want no address of Azure's platform, nor one that no machine can have")
		default:
			list.add(a)
		}
		if len(list.items) > MaxAdditional {
			p.tooMany(v, MaxAdditional, "addresses, which is what a security group can have as destinations")
			return
		}
	}
	p.cfg.PublicIP.Additional = list.items
}

// readConfigurations reads the names of load balancers, lower case, each once.
func readConfigurations(p *parser, v string) {
	var list distinct[string]
	for item := range strings.SplitSeq(strings.ToLower(v), ",") {
		if item = strings.TrimSpace(item); item != "" {
			list.add(item)
		}
	}
	p.cfg.Configurations = list.items
}

// readMode reads the name of a VM set.
func readMode(p *parser, v string) {
	if strings.EqualFold(v, "__auto__") {
		p.cfg.Mode = "__auto__"
		return
	}
	if v != "" && armid.CheckName(armid.LoadBalancers, v) != nil {
		p.fail(v, ErrSyntax, "want the name of a VM set or __auto__")
		return
	}
	p.cfg.Mode = v
}
