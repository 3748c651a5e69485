package pls

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	"k8s.io/apimachinery/pkg/types"
)

// What can be wrong with a [Request]. Findings of [Build] wrap one of them, or one of ipam's errors for a static address.
var (
	ErrCount   = errors.New("wrong number of NAT addresses")
	ErrFamily  = errors.New("private link services are IPv4 only")
	ErrRename  = errors.New("cannot be renamed")
	ErrForeign = errors.New("belongs to somebody else")
	ErrLimit   = errors.New("limit of private link services reached")
	ErrMissing = errors.New("missing in the request")
	ErrHidden  = errors.New("cannot see the private link service")
)

// Tags that tell whose a private link service is.
const (
	TagCluster = "k8s-azure-cluster-name"
	TagOwner   = "k8s-azure-owner-service"
)

// Limits of Azure.
const (
	MaxAddresses       = 8                            // NAT addresses of one private link service
	MaxSubscriptions   = annotations.MaxSubscriptions // in visibility and, separately, in auto-approval
	MaxPerBalancer     = 8                            // private link services of one load balancer
	MaxPerSubscription = 800                          // private link services of one subscription
	MaxEndpoints       = 1000                         // private endpoints of one private link service
)

// Request is what a private link service should be. Only Frontend, Location, Group and Subnet are required.
type Request struct {
	Service  types.NamespacedName // who asks; empty for a frontend made by hand
	Options  annotations.PrivateLink
	Frontend armid.ID // the frontend that is served, IPv4
	Location string
	EdgeZone string
	Group    armid.ID // resource group
	Cluster  string   // name of the cluster, for the tag; empty writes no tags of ownership
	// Subnet is where NAT addresses come from, with its prefixes; Taken are addresses in it that others have.
	Subnet   armid.ID
	Prefixes []netip.Prefix
	Taken    []netip.Addr
	Tags     []Tag // of the configuration
	// Existing is what the frontend has now. Nil: Build looks for it in Others.
	Existing *PrivateLinkService
	// Others are the private link services that are there, Existing among them or not: their names and addresses are taken, and they count
	// for the limit of the load balancer. Without them only ARM can tell.
	Others []PrivateLinkService
	// Adopt takes over an existing one that carries no cluster's tag. One that carries another cluster's is never touched.
	Adopt bool
	// MaxPerBalancer is how many private link services a load balancer can have. Default: [MaxPerBalancer].
	MaxPerBalancer int
	// MaxPerSubscription is how many private link services a subscription can have. Default: [MaxPerSubscription]. Those in Others count; of
	// what is in other resource groups only ARM knows.
	MaxPerSubscription int
}

// Build returns the private link service that r asks for, and everything that stands in its way: with a finding that holds, the returned
// value must not be written. An existing one keeps its name, its NAT configurations if they are what is asked for, and its tags of ownership.
func Build(r Request) (PrivateLinkService, []annotations.Finding) {
	if r.Existing == nil {
		r.Existing = Find(r.Others, r.Frontend)
	}
	b := builder{Request: r}
	if !b.complete() {
		return PrivateLinkService{}, b.findings
	}
	b.existing()
	want := PrivateLinkService{
		ID: b.id(), Location: r.Location, EdgeZone: r.EdgeZone, Frontends: []armid.ID{r.Frontend},
		ProxyProtocol: r.Options.ProxyProtocol, FQDNs: r.Options.FQDNs, Visibility: r.Options.Visibility, AutoApproval: r.Options.AutoApproval,
		Tags: b.tags(),
	}
	want.NAT = b.nat(want.ID.Name())
	if r.Existing != nil {
		want.Location, want.EdgeZone, want.Frontends = r.Existing.Location, r.Existing.EdgeZone, r.Existing.Frontends
		if sameNAT(r.Existing.NAT, want.NAT) {
			want.NAT = r.Existing.NAT
		}
	} else {
		b.room(want.ID)
	}
	b.limits()
	b.hidden()
	b.full()
	return want, b.findings
}

type builder struct {
	Request
	findings []annotations.Finding
}

func (b *builder) bad(key string, err error) {
	b.findings = append(b.findings, annotations.Finding{
		Service: b.Service, Field: "metadata.annotations[" + key + "]", Severity: annotations.SeverityError, Err: err, Holds: true,
	})
}

// complete reports whether everything that cannot be left out is there.
func (b *builder) complete() bool {
	for _, f := range []struct {
		name string
		id   armid.ID
	}{{"Frontend", b.Frontend}, {"Group", b.Group}, {"Subnet", b.Subnet}} {
		if f.id == "" {
			b.findings = append(b.findings, annotations.Finding{Service: b.Service, Field: f.name, Severity: annotations.SeverityError, Err: ErrMissing, Holds: true})
		}
	}
	return len(b.findings) == 0
}

// existing asks whether the existing one is ours, is on the frontend, and is where it should be.
func (b *builder) existing() {
	old := b.Existing
	if old == nil {
		return
	}
	tag, _ := old.Tag(TagCluster)
	switch {
	case !old.Serves(b.Frontend):
		b.bad(annotations.KeyPLSName, fmt.Errorf("%w: private link service %s serves another frontend, and cannot be moved to %s", ErrForeign, old.ID.Name(), b.Frontend.Name()))
	case b.Cluster != "" && !old.ManagedBy(b.Cluster) && (!b.Adopt || strings.TrimSpace(tag) != ""):
		b.bad(annotations.KeyPLSCreate, fmt.Errorf("%w: private link service %s on the frontend is not this cluster's; tag it %s=%s to hand it over", ErrForeign, old.ID.Name(), TagCluster, b.Cluster))
	}
	if group := b.Options.ResourceGroup; group != "" && !strings.EqualFold(group, old.ID.ResourceGroup()) {
		b.bad(annotations.KeyPLSResourceGroup, fmt.Errorf("%s: %w: the frontend has %s in resource group %s, and a new one would have another alias; keep that group, or remove the frontend first",
			safetext.Value(group), ErrRename, old.ID.Name(), old.ID.ResourceGroup()))
	}
}

// room asks whether a new private link service finds its name free and its load balancer not full.
func (b *builder) room(id armid.ID) {
	onBalancer, inSubscription := 0, 0
	for _, o := range b.Others {
		if o.ID.Equal(id) {
			b.bad(annotations.KeyPLSName, fmt.Errorf("%w: private link service %s serves another frontend; choose another name", ErrForeign, id.Name()))
		}
		if slices.ContainsFunc(o.Frontends, func(f armid.ID) bool { return f.Top().Equal(b.Frontend.Top()) }) {
			onBalancer++
		}
		if strings.EqualFold(o.ID.Subscription(), id.Subscription()) {
			inSubscription++
		}
	}
	if n := onBalancer; n >= cmp.Or(b.MaxPerBalancer, MaxPerBalancer) {
		b.bad(annotations.KeyPLSCreate, fmt.Errorf("%w: load balancer %s already has the maximum of %d; use another load balancer, or share a frontend", ErrLimit, b.Frontend.Top().Name(), n))
	}
	if n := inSubscription; n >= cmp.Or(b.MaxPerSubscription, MaxPerSubscription) {
		b.bad(annotations.KeyPLSCreate, fmt.Errorf("%w: subscription %s already has the maximum of %d; remove some, or share a frontend", ErrLimit, id.Subscription(), n))
	}
}

// id resolves the name: the one asked for, else that of the existing one, else one made from the frontend's.
func (b *builder) id() armid.ID {
	name := b.Options.Name
	switch {
	case b.Existing != nil && (name == "" || strings.EqualFold(name, b.Existing.ID.Name())):
		return b.Existing.ID
	case b.Existing != nil:
		b.bad(annotations.KeyPLSName, fmt.Errorf("%s: %w: the frontend has %s, and a new one would have another alias; keep that name, or remove the frontend first",
			safetext.Value(name), ErrRename, b.Existing.ID.Name()))
		return b.Existing.ID
	case name == "":
		name = Name(b.Frontend.Name())
	}
	if err := armid.CheckName(armid.PrivateLinkServices, name); err != nil {
		b.bad(annotations.KeyPLSName, fmt.Errorf("%s: %w", safetext.Value(name), err))
	}
	return armid.Resource(b.Group.Subscription(), b.Group.ResourceGroup(), armid.PrivateLinkServices, name)
}

// nat returns the NAT configurations: the static addresses in their order, the first one primary, then dynamic ones up to the count.
func (b *builder) nat(name string) []NATConfiguration {
	static := b.Options.Addresses
	count := int(b.Options.Count)
	if count == 0 {
		count = max(1, len(static))
	}
	if count > MaxAddresses || len(static) > count {
		b.bad(annotations.KeyPLSCount, fmt.Errorf("%w: %d static addresses and a count of %d; want at most %d, and no more static ones than that", ErrCount, len(static), count, MaxAddresses))
		return nil
	}
	b.checkStatic(static)
	var list []NATConfiguration
	add := func(tail string, address netip.Addr) {
		head := b.Subnet.Name() + "-" + name
		head = head[:min(len(head), 80-len(tail))]
		list = append(list, NATConfiguration{Name: head + tail, Subnet: b.Subnet, Address: address, Primary: len(list) == 0})
	}
	for _, a := range static {
		add("-static-"+a.String(), a)
	}
	for i := range count - len(static) {
		add("-dynamic-"+strconv.Itoa(i), netip.Addr{})
	}
	return list
}

// checkStatic asks whether the subnet can give out the static addresses; those that the existing one has already are its own.
func (b *builder) checkStatic(static []netip.Addr) {
	if len(static) == 0 {
		return
	}
	pool, err := ipam.NewPool(b.Prefixes, b.taken()...)
	if err != nil && len(b.Prefixes) > 0 {
		b.bad(annotations.KeyPLSSubnet, err)
		return
	}
	for i, a := range static {
		switch {
		case ipam.FamilyOf(a) != ipam.IPv4:
			b.bad(annotations.KeyPLSAddresses, fmt.Errorf("%s: %w", a, ErrFamily))
		case slices.Contains(static[:i], a):
			b.bad(annotations.KeyPLSAddresses, fmt.Errorf("%s: %w: named twice", a, annotations.ErrConflict))
		case len(b.Prefixes) == 0 || b.owns(a):
		default:
			if err := pool.Check(a); err != nil {
				b.bad(annotations.KeyPLSAddresses, fmt.Errorf("%s in subnet %s: %w", a, b.Subnet.Name(), err))
			}
		}
	}
}

// owns reports whether the existing one has a already.
func (b *builder) owns(a netip.Addr) bool {
	return b.Existing != nil && slices.ContainsFunc(b.Existing.NAT, func(n NATConfiguration) bool { return n.Address == a && n.Subnet.Equal(b.Subnet) })
}

// taken are the addresses that others have, other private link services among them.
func (b *builder) taken() []netip.Addr {
	taken := slices.Clone(b.Taken)
	for _, o := range b.Others {
		if b.Existing != nil && o.ID.Equal(b.Existing.ID) {
			continue
		}
		for _, n := range o.NAT {
			if n.Address.IsValid() {
				taken = append(taken, n.Address)
			}
		}
	}
	return taken
}

func (b *builder) limits() {
	if n := len(b.Options.Visibility); n > MaxSubscriptions {
		b.bad(annotations.KeyPLSVisibility, fmt.Errorf("%w: %d subscriptions, at most %d", annotations.ErrRange, n, MaxSubscriptions))
	}
	if n := len(b.Options.AutoApproval); n > MaxSubscriptions {
		b.bad(annotations.KeyPLSAutoApproval, fmt.Errorf("%w: %d subscriptions, at most %d", annotations.ErrRange, n, MaxSubscriptions))
	}
}

// hidden warns of subscriptions that are let in without asking and cannot ask, since they do not see the private link service.
func (b *builder) hidden() {
	seen := b.Options.Visibility
	if len(seen) == 0 || slices.Contains(seen, "*") {
		return
	}
	for _, s := range b.Options.AutoApproval {
		if !slices.ContainsFunc(seen, func(v string) bool { return strings.EqualFold(v, s) }) {
			b.findings = append(b.findings, annotations.Finding{
				Service: b.Service, Field: "metadata.annotations[" + annotations.KeyPLSAutoApproval + "]", Severity: annotations.SeverityWarning,
				Err: fmt.Errorf("%s: %w, so that its approval has no effect; add it to %s", safetext.Value(s), ErrHidden, annotations.KeyPLSVisibility),
			})
		}
	}
}

// full warns that nobody else can connect. A connection counts until its endpoint is gone, whether it was let through or not.
func (b *builder) full() {
	if b.Existing == nil {
		return
	}
	n := 0
	for _, c := range b.Existing.Connections {
		if !strings.EqualFold(c.Status, "Disconnected") {
			n++
		}
	}
	if n >= MaxEndpoints {
		b.findings = append(b.findings, annotations.Finding{
			Service: b.Service, Field: "metadata.annotations[" + annotations.KeyPLSCreate + "]", Severity: annotations.SeverityWarning,
			Err: fmt.Errorf("%w: private link service %s has %d private endpoints, and takes no more; remove connections that are not needed", ErrLimit, b.Existing.ID.Name(), n),
		})
	}
}

// tags are those of the configuration, then those of ownership, without an owner for a frontend made by hand; what an existing one says of
// its ownership stays.
func (b *builder) tags() []Tag {
	tags := slices.Clone(b.Tags)
	if b.Cluster == "" {
		return tags
	}
	own := []Tag{{TagCluster, b.Cluster}}
	if b.Service != (types.NamespacedName{}) {
		own = append(own, Tag{TagOwner, b.Service.String()})
	}
	for _, t := range own {
		if b.Existing != nil {
			if old, ok := b.Existing.Tag(t.Key); ok && (t.Key == TagCluster && strings.TrimSpace(old) != "" || old == "" || strings.EqualFold(old, t.Value)) {
				t.Value = old
			}
		}
		tags = slices.DeleteFunc(tags, func(have Tag) bool { return strings.EqualFold(have.Key, t.Key) })
		tags = append(tags, t)
	}
	return tags
}

// Tag returns the value of a tag; keys are compared without regard to case.
func (p PrivateLinkService) Tag(key string) (string, bool) {
	for _, t := range p.Tags {
		if strings.EqualFold(t.Key, key) {
			return t.Value, true
		}
	}
	return "", false
}

// ManagedBy reports whether p carries the tag of the cluster.
func (p PrivateLinkService) ManagedBy(cluster string) bool {
	value, ok := p.Tag(TagCluster)
	return ok && strings.EqualFold(strings.TrimSpace(value), cluster)
}

// sameNAT compares NAT configurations as ARM's users see them: number, subnet, static addresses and the primary one. Names and order are
// free, and which of the dynamic ones is primary is too.
func sameNAT(seen, want []NATConfiguration) bool {
	if len(seen) != len(want) {
		return false
	}
	key := func(n NATConfiguration) string {
		return n.Subnet.Key() + " " + n.Address.String() + " " + strconv.FormatBool(n.Primary && n.Address.IsValid())
	}
	keys := func(list []NATConfiguration) []string {
		var out []string
		for _, n := range list {
			out = append(out, key(n))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(keys(seen), keys(want))
}
