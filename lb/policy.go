package lb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/ipam"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// ErrPolicy says that a Service names something that the policy of the cluster keeps from it.
var ErrPolicy = errors.New("not allowed by the policy")

// Policy restricts what Services may name in their annotations. The zero value allows what the upstream provider allows: everything but ids
// in other subscriptions than the two of the configuration. A Service that names anything else is held.
//
// In each list nil means everything and an empty list nothing; what the configuration names itself is always allowed. Texts are compared
// without regard to case, and a * at their end stands for any rest.
type Policy struct {
	// ResourceGroups that Services may name for public IPs, their prefixes and private link services.
	ResourceGroups []string
	// Subnets that Services may name for internal frontends and for the NAT addresses of private link services.
	Subnets []string
	// PublicIPTags are tags that a public IP must have, all of them, for a Service to name it by its name or its address; an empty value
	// stands for any. The public IP that azlb makes for the Service itself needs none. Nil: every public IP may be named.
	PublicIPTags Tags
	// ServiceTags that Services may let in.
	ServiceTags []string
	// Visibility are the subscriptions to which private link services may be visible, and whose connections they may approve by themselves.
	// The visibility * of a Service, everybody, is allowed by * only.
	Visibility []string
	// Subscriptions besides those of the configuration that ids in annotations may be in. Here nil means none.
	Subscriptions []string
}

// policyFile is a policy as it is written.
type policyFile struct {
	ResourceGroups *[]string          `json:"resourceGroups"`
	Subnets        *[]string          `json:"subnets"`
	PublicIPTags   *map[string]string `json:"publicIPTags"`
	ServiceTags    *[]string          `json:"serviceTags"`
	Visibility     *[]string          `json:"visibility"`
	Subscriptions  *[]string          `json:"subscriptions"`
}

// ParsePolicy reads a [Policy] in JSON or YAML, whose keys are resourceGroups, subnets, publicIPTags, serviceTags, visibility and subscriptions. A key
// that is absent allows everything; one that is unknown or without a value is an error, since a slip must not open what it was to close. The error
// wraps [ErrConfiguration].
func ParsePolicy(data []byte) (Policy, error) {
	text, err := yaml.ToJSON(data)
	if err != nil {
		return Policy{}, fmt.Errorf("%w: policy: %s", ErrConfiguration, safetext.Reason(err, data, 1))
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil || keys == nil {
		return Policy{}, fmt.Errorf("%w: policy: want an object, {} to allow everything", ErrConfiguration)
	}
	for key, value := range keys {
		if string(value) == "null" {
			return Policy{}, fmt.Errorf("%w: policy: %s has no value: want [] to allow nothing, or no such key to allow everything", ErrConfiguration, key)
		}
	}
	var f policyFile
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Policy{}, fmt.Errorf("%w: policy: %s", ErrConfiguration, safetext.Reason(err, text, 1))
	}
	return f.policy()
}

func (f policyFile) policy() (Policy, error) {
	var errs []error
	list := func(key string, v *[]string) []string {
		if v == nil {
			return nil
		}
		for _, s := range *v {
			if rest := strings.TrimSuffix(s, "*"); s == "" || s != strings.TrimSpace(s) || strings.Contains(rest, "*") {
				errs = append(errs, fmt.Errorf("%w: policy: %s: %q: want a text without blanks around it, and a * at its end only", ErrConfiguration, key, s))
			}
		}
		return append([]string{}, *v...)
	}
	p := Policy{
		ResourceGroups: list("resourceGroups", f.ResourceGroups), Subnets: list("subnets", f.Subnets), ServiceTags: list("serviceTags", f.ServiceTags),
		Visibility: list("visibility", f.Visibility), Subscriptions: list("subscriptions", f.Subscriptions),
	}
	if f.PublicIPTags != nil {
		if p.PublicIPTags = TagsOf(*f.PublicIPTags); len(p.PublicIPTags) == 0 {
			errs = append(errs, fmt.Errorf("%w: policy: publicIPTags: want at least one tag, or no such key", ErrConfiguration))
		}
	}
	return p, errors.Join(errs...)
}

// allows reports whether a list of the policy allows v.
func allows(list []string, v string) bool {
	return list == nil || slices.ContainsFunc(list, func(a string) bool {
		if start, open := strings.CutSuffix(a, "*"); open {
			return len(v) >= len(start) && strings.EqualFold(v[:len(start)], start) && (v != "*" || start == "")
		}
		return strings.EqualFold(a, v)
	})
}

// refuse says what was named, and what may be.
func refuse(what, v string, list []string, own string) error {
	want := slices.Clone(list)
	if own != "" {
		want = append([]string{own}, want...)
	}
	if len(want) == 0 {
		return fmt.Errorf("%w: %s %q: want none", ErrPolicy, what, v)
	}
	return fmt.Errorf("%w: %s %q: want %s", ErrPolicy, what, v, strings.Join(want, ", "))
}

// checkGroup returns an error if Services may not name a resource group; own is that of the configuration.
func (c Cluster) checkGroup(name, own string) error {
	if strings.EqualFold(name, own) || allows(c.Policy.ResourceGroups, name) {
		return nil
	}
	return refuse("resource group", name, c.Policy.ResourceGroups, own)
}

// checkSubnet is checkGroup for subnets.
func (c Cluster) checkSubnet(name string) error {
	if strings.EqualFold(name, c.Subnet) || allows(c.Policy.Subnets, name) {
		return nil
	}
	return refuse("subnet", name, c.Policy.Subnets, c.Subnet)
}

// checkPrefix returns an error if Services may not name a public IP prefix.
func (c Cluster) checkPrefix(id ID) error {
	sub := id.Subscription()
	own := strings.EqualFold(sub, c.NetworkSubscription) || strings.EqualFold(sub, c.Subscription)
	if !own && !allows(append([]string{}, c.Policy.Subscriptions...), sub) {
		return refuse("subscription", sub, c.Policy.Subscriptions, c.NetworkSubscription)
	}
	group := ""
	if own {
		group = c.ResourceGroup
	}
	return c.checkGroup(id.ResourceGroup(), group)
}

// checkPolicy compares what a Service names with the policy, as far as that does not depend on what is in Azure.
func (b *builder) checkPolicy(s *service) []fieldError {
	var bad []fieldError
	check := func(key string, err error) {
		if err != nil {
			bad = append(bad, fieldError{annotationField(key), err})
		}
	}
	c, cfg := b.c, s.cfg
	if cfg.Internal {
		if cfg.Subnet != "" {
			check(annotations.KeySubnet, c.checkSubnet(cfg.Subnet))
		}
	} else {
		if cfg.PublicIP.ResourceGroup != "" {
			check(annotations.KeyResourceGroup, c.checkGroup(cfg.PublicIP.ResourceGroup, c.ResourceGroup))
		}
		for _, f := range cfg.Families {
			if id := cfg.PublicIP.PrefixOf(f); id != "" {
				check(prefixKey(s, f), c.checkPrefix(id))
			}
		}
	}
	for _, tag := range cfg.Access.ServiceTags {
		if !cfg.Access.NoRules && !allows(c.Policy.ServiceTags, tag) {
			check(annotations.KeyAllowedServiceTags, refuse("service tag", tag, c.Policy.ServiceTags, ""))
		}
	}
	return append(bad, b.checkLinkPolicy(s)...)
}

// checkLinkPolicy is checkPolicy for the private link service of a Service.
func (b *builder) checkLinkPolicy(s *service) []fieldError {
	link := s.cfg.PrivateLink
	if !link.Create {
		return nil
	}
	var bad []fieldError
	check := func(key string, err error) {
		if err != nil {
			bad = append(bad, fieldError{annotationField(key), err})
		}
	}
	if link.ResourceGroup != "" {
		check(annotations.KeyPLSResourceGroup, b.c.checkGroup(link.ResourceGroup, b.c.PrivateLinkGroup))
	}
	if link.Subnet != "" {
		check(annotations.KeyPLSSubnet, b.c.checkSubnet(link.Subnet))
	}
	for key, list := range map[string][]string{annotations.KeyPLSVisibility: link.Visibility, annotations.KeyPLSAutoApproval: link.AutoApproval} {
		for _, sub := range list {
			if !allows(b.c.Policy.Visibility, sub) {
				check(key, refuse("subscription", sub, b.c.Policy.Visibility, ""))
			}
		}
	}
	slices.SortStableFunc(bad, func(x, y fieldError) int { return strings.Compare(x.field, y.field) })
	return bad
}

// prefixKey names the annotation that the prefix of family f comes from.
func prefixKey(s *service, f ipam.Family) string {
	if f == ipam.IPv6 && strings.TrimSpace(s.obj.Annotations[annotations.KeyPIPPrefixIPv6]) != "" {
		return annotations.KeyPIPPrefixIPv6
	}
	return annotations.KeyPIPPrefix
}

// allowedPublicIP returns an error if a Service names a public IP that the policy keeps from it. The one whose name is made from the Service's
// own is nobody else's.
func (d *outline) allowedPublicIP(s *service, c publicIPClaim, f ipam.Family) error {
	if c.computed || c.seen == nil || d.c.Policy.allowsTagged(c.seen.Tags) {
		return nil
	}
	own := publicIPName(d.c.Name, Base(s.obj.UID), "", s.cfg.Dual(), f)
	if sameButFamily(c.id.Name(), own) && !d.userAssigned(c.seen) {
		return nil
	}
	return refuse("public IP", c.id.Name(), []string{"one tagged " + d.c.Policy.tagText()}, "")
}

// allowedAddress is allowedPublicIP for additional addresses, which must be those of public IPs if these must have tags.
func (d *outline) allowedAddress(a netip.Addr) error {
	if d.c.Policy.PublicIPTags == nil {
		return nil
	}
	for _, p := range d.seen.PublicIPs {
		if p.Address == a && d.c.Policy.allowsTagged(p.Tags) {
			return nil
		}
	}
	return refuse("address", a.String(), []string{"that of a public IP tagged " + d.c.Policy.tagText()}, "")
}

func (p Policy) allowsTagged(have Tags) bool {
	for _, want := range p.PublicIPTags {
		if v, ok := have.Get(want.Key); !ok || want.Value != "" && v != want.Value {
			return false
		}
	}
	return true
}

func (p Policy) tagText() string {
	var list []string
	for _, t := range p.PublicIPTags {
		text := t.Key
		if t.Value != "" {
			text += "=" + t.Value
		}
		list = append(list, text)
	}
	return strings.Join(list, " and ")
}
