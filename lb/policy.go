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
	// Visibility are the subscriptions to which private link services may be visible, and, without AutoApproval, whose connections they may approve.
	// The visibility * of a Service, everybody, is allowed by * only.
	Visibility []string
	// AutoApproval are the subscriptions whose connections private link services may approve by themselves. Nil: those of Visibility.
	AutoApproval []string
	// Subscriptions besides those of the configuration that ids in annotations may be in. Here nil means none.
	Subscriptions []string
	// JoinNamespaces are the namespaces whose Services may join the frontend of a Service of another namespace, or one of nobody, by naming its
	// address or public IP. An empty list: only Services of one namespace share a frontend.
	JoinNamespaces []string
	// PrivateLinkNamespaces are the namespaces whose Services may ask for private link services.
	PrivateLinkNamespaces []string
	// SharedPrivateLinks are the namespaces whose Services may bring a private link service to the frontend of another namespace that they join, or
	// join one that has it: it exposes everybody on the frontend. Here nil means none, and who is on such a frontend already stays.
	SharedPrivateLinks []string
	// AdditionalAddresses are the addresses that azure-additional-public-ips may name. Empty: [AddressesAny].
	AdditionalAddresses AddressUse
}

// AddressUse says which additional addresses Services may name.
type AddressUse string

// The uses of additional addresses: any that is nobody else's, those of public IPs with the tags of the policy (which PublicIPTags means too), none.
const (
	AddressesAny    AddressUse = "any"
	AddressesTagged AddressUse = "tagged"
	AddressesNone   AddressUse = "none"
)

// policyFile is a policy as it is written.
type policyFile struct {
	ResourceGroups *[]string          `json:"resourceGroups"`
	Subnets        *[]string          `json:"subnets"`
	PublicIPTags   *map[string]string `json:"publicIPTags"`
	ServiceTags    *[]string          `json:"serviceTags"`
	Visibility     *[]string          `json:"visibility"`
	Subscriptions  *[]string          `json:"subscriptions"`

	AutoApproval          *[]string   `json:"autoApproval"`
	JoinNamespaces        *[]string   `json:"joinNamespaces"`
	PrivateLinkNamespaces *[]string   `json:"privateLinkNamespaces"`
	SharedPrivateLinks    *[]string   `json:"sharedPrivateLinks"`
	AdditionalAddresses   *AddressUse `json:"additionalAddresses"`
}

// ParsePolicy reads a [Policy] in JSON or YAML, whose keys are the fields of Policy: resourceGroups, subnets, publicIPTags, and so on. A key
// that is absent allows what nil does in its field; one that is unknown or without a value is an error, since a slip must not open what it was to close. The error
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
		AutoApproval: list("autoApproval", f.AutoApproval), JoinNamespaces: list("joinNamespaces", f.JoinNamespaces),
		PrivateLinkNamespaces: list("privateLinkNamespaces", f.PrivateLinkNamespaces), SharedPrivateLinks: list("sharedPrivateLinks", f.SharedPrivateLinks),
	}
	if f.AdditionalAddresses != nil {
		p.AdditionalAddresses = *f.AdditionalAddresses
		if !slices.Contains([]AddressUse{AddressesAny, AddressesTagged, AddressesNone}, p.AdditionalAddresses) {
			errs = append(errs, fmt.Errorf("%w: policy: additionalAddresses: %s: want any, tagged or none", ErrConfiguration, safetext.Value(string(p.AdditionalAddresses))))
		}
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
		return fmt.Errorf("%w: %s %s: want none", ErrPolicy, what, safetext.Value(v))
	}
	return fmt.Errorf("%w: %s %s: want %s", ErrPolicy, what, safetext.Value(v), strings.Join(want, ", "))
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
	if list := b.c.Policy.PrivateLinkNamespaces; !allows(list, s.name.Namespace) {
		check(annotations.KeyPLSCreate, refuse("private link service of namespace", s.name.Namespace, list, ""))
	}
	if link.ResourceGroup != "" {
		check(annotations.KeyPLSResourceGroup, b.c.checkGroup(link.ResourceGroup, b.c.PrivateLinkGroup))
	}
	if link.Subnet != "" {
		check(annotations.KeyPLSSubnet, b.c.checkSubnet(link.Subnet))
	}
	approval := b.c.Policy.AutoApproval
	if approval == nil {
		approval = b.c.Policy.Visibility
	}
	for _, of := range []struct {
		key           string
		asked, policy []string
	}{{annotations.KeyPLSVisibility, link.Visibility, b.c.Policy.Visibility}, {annotations.KeyPLSAutoApproval, link.AutoApproval, approval}} {
		for _, sub := range of.asked {
			if !allows(of.policy, sub) {
				check(of.key, refuse("subscription", sub, of.policy, ""))
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
	switch policy := d.c.Policy; {
	case policy.AdditionalAddresses == AddressesNone:
		return refuse("address", a.String(), nil, "")
	case policy.PublicIPTags == nil && policy.AdditionalAddresses != AddressesTagged:
		return nil
	case policy.PublicIPTags == nil:
		return refuse("address", a.String(), []string{"that of a public IP with the tags of the policy, which names none"}, "")
	}
	if p, ok := d.addresses().public[a]; ok && d.c.Policy.allowsTagged(p.Tags) {
		return nil
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
