package armid

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ID is the id of an ARM resource or of a child of one, as ARM spells it. ARM ignores case in ids, so compare with [ID.Equal] and use
// [ID.Key] as a map key; == asks whether the spelling is the same too. The zero value names nothing.
type ID string

// Types of resources and of their children, spelled as ARM spells them.
const (
	LoadBalancers         = "Microsoft.Network/loadBalancers"
	PublicIPAddresses     = "Microsoft.Network/publicIPAddresses"
	PublicIPPrefixes      = "Microsoft.Network/publicIPPrefixes"
	NetworkSecurityGroups = "Microsoft.Network/networkSecurityGroups"
	VirtualNetworks       = "Microsoft.Network/virtualNetworks"
	NetworkInterfaces     = "Microsoft.Network/networkInterfaces"
	PrivateLinkServices   = "Microsoft.Network/privateLinkServices"
	VirtualMachines       = "Microsoft.Compute/virtualMachines"
	ScaleSets             = "Microsoft.Compute/virtualMachineScaleSets"
	ScaleSetInstances     = ScaleSets + "/" + Instances // of scale sets in uniform mode

	FrontendIPConfigurations   = "frontendIPConfigurations"
	BackendAddressPools        = "backendAddressPools"
	LoadBalancingRules         = "loadBalancingRules"
	Probes                     = "probes"
	OutboundRules              = "outboundRules"
	InboundNATRules            = "inboundNatRules"
	InboundNATPools            = "inboundNatPools"
	SecurityRules              = "securityRules"
	Subnets                    = "subnets"
	IPConfigurations           = "ipConfigurations"
	PrivateEndpointConnections = "privateEndpointConnections"
	Instances                  = "virtualMachines"
)

// ErrSyntax is wrapped by every error of [Parse] and of the name checks.
var ErrSyntax = errors.New("malformed")

// Group composes the id of a resource group.
func Group(subscription, group string) ID {
	return ID("/subscriptions/" + subscription + "/resourceGroups/" + group)
}

// Resource composes the id of a top-level resource; typ is one of the constants with a provider namespace.
func Resource(subscription, group, typ, name string) ID {
	return Group(subscription, group) + ID("/providers/"+typ+"/"+name)
}

// Child composes the id of a child of id; kind is one of the constants without a provider namespace.
func (id ID) Child(kind, name string) ID { return id + ID("/"+kind+"/"+name) }

// maxLength is the number of bytes that an id may have. Azure documents none; the longest that its grammar of names allows for what is used here
// has some 500. The bound is for what is no id at all.
const maxLength = 2048

// Parse reads the id of a resource in a resource group, or of a child of one: pairs of kind and name, the fixed segments in any case, with
// a leading slash and without a trailing one. The spelling is kept. Names are only checked for characters that no name of any type has;
// see [ID.Check] for more. Errors wrap [ErrSyntax].
func Parse(s string) (ID, error) {
	if len(s) > maxLength {
		return "", fmt.Errorf("%w: want at most %d bytes, have %d", ErrSyntax, maxLength, len(s))
	}
	seg := strings.Split(s, "/")
	fixed := func(i int, want string) bool { return i < len(seg) && strings.EqualFold(seg[i], want) }
	if len(seg) < 9 || len(seg)%2 == 0 || seg[0] != "" || !fixed(1, "subscriptions") || !fixed(3, "resourceGroups") || !fixed(5, "providers") {
		return "", fmt.Errorf("%w: want /subscriptions/ID/resourceGroups/NAME/providers/NAMESPACE/TYPE/NAME", ErrSyntax)
	}
	for i, text := range seg[1:] {
		if err := checkSegment(text); err != nil {
			return "", fmt.Errorf("%w: segment %d %w", ErrSyntax, i+1, err)
		}
	}
	return ID(s), nil
}

// checkSegment refuses what would change the meaning of a URL, or what ARM takes in no name.
func checkSegment(text string) error {
	switch {
	case text == "":
		return errors.New("is empty")
	case text == "." || text == "..":
		return errors.New("is a dot segment")
	case !utf8.ValidString(text):
		return errors.New("is not UTF-8")
	}
	for _, r := range text {
		if strings.ContainsRune("<>%&:\\?#*|\"", r) || unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return fmt.Errorf("has %q, which no name may have", r)
		}
	}
	return nil
}

// segment returns the i-th segment between slashes, counted from 1, or "".
func (id ID) segment(i int) string {
	rest := string(id)
	for ; i > 0; i-- {
		_, after, ok := strings.Cut(rest, "/")
		if !ok {
			return ""
		}
		rest = after
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// Subscription returns the subscription in id, or "".
func (id ID) Subscription() string { return id.segment(2) }

// ResourceGroup returns the name of the resource group in id, or "".
func (id ID) ResourceGroup() string { return id.segment(4) }

// Name returns the last segment.
func (id ID) Name() string { return string(id[strings.LastIndexByte(string(id), '/')+1:]) }

// Type returns the type of what id names, such as Microsoft.Network/loadBalancers/probes, in the spelling of id, or "" if id names no
// resource.
func (id ID) Type() string {
	seg := strings.Split(string(id), "/")
	if len(seg) < 9 {
		return ""
	}
	typ := seg[6] + "/" + seg[7]
	for i := 9; i < len(seg)-1; i += 2 {
		typ += "/" + seg[i]
	}
	return typ
}

// Is reports whether id names something of the type typ, without regard to case.
func (id ID) Is(typ string) bool { return strings.EqualFold(id.Type(), typ) }

// Top returns the id of the top-level resource that id is or is in.
func (id ID) Top() ID {
	at := 0
	for range 9 {
		i := strings.IndexByte(string(id[at:]), '/')
		if i < 0 {
			return id
		}
		at += i + 1
	}
	return id[:at-1]
}

// Unit returns the id of the resource that id is or is in and that has an ETag and operations of its own: the top-level resource, but for the
// instances of scale sets, which are written one beside the other.
func (id ID) Unit() ID {
	top := id.Top()
	if len(top) == len(id) || !top.Is(ScaleSets) {
		return top
	}
	kind, rest, _ := strings.Cut(string(id[len(top)+1:]), "/")
	if !strings.EqualFold(kind, Instances) || rest == "" {
		return top
	}
	name, _, _ := strings.Cut(rest, "/")
	return id[:len(top)+1+len(kind)+1+len(name)]
}

// Parent returns the id of the resource that a child is in; for a top-level resource that is its resource group, and for anything shorter
// there is none.
func (id ID) Parent() ID {
	switch pairs := strings.Count(string(id), "/") / 2; {
	case pairs > 4:
		return id.cut(2)
	case pairs == 4:
		return id.cut(4)
	default:
		return ""
	}
}

// cut returns id without its last n segments.
func (id ID) cut(n int) ID {
	for range n {
		id = id[:strings.LastIndexByte(string(id), '/')]
	}
	return id
}

// GroupID returns the id of the resource group in id.
func (id ID) GroupID() ID { return Group(id.Subscription(), id.ResourceGroup()) }

// Equal reports whether both ids name the same thing: ARM ignores case.
func (id ID) Equal(other ID) bool { return id == other || Compare(id, other) == 0 }

// Key returns the form of id to use as a map key: ids have the same key exactly if they are [ID.Equal].
//
// Planning asks for keys all the time, and for most of it this is the work; ids in ASCII, which nearly all are, take less than half of what
// strings.ToLower needs.
func (id ID) Key() string {
	var key [256]byte
	if len(id) > len(key) {
		return strings.ToLower(string(id))
	}
	for i := range len(id) {
		c := id[i]
		if c >= utf8.RuneSelf {
			return strings.ToLower(string(id))
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		key[i] = c
	}
	return string(key[:len(id)])
}

// Compare orders ids without regard to case: as their keys are ordered.
func Compare(a, b ID) int {
	for i := range min(len(a), len(b)) {
		if a[i] >= utf8.RuneSelf || b[i] >= utf8.RuneSelf {
			// Names of resource groups may have letters beyond ASCII, whose lower case may have another length.
			return strings.Compare(a.Key(), b.Key())
		}
		if order := cmp.Compare(lower(a[i]), lower(b[i])); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(a), len(b))
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
