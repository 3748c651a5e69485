package lb

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What keeps a Service from being served. Findings wrap one of them.
var (
	ErrNotFound   = errors.New("not found")
	ErrUnreadable = errors.New("could not be read")
	ErrClash      = errors.New("already in use")
	ErrOutside    = errors.New("outside the subnet")
	ErrLimit      = errors.New("limit of Azure reached")
	ErrRejected   = errors.New("refused by Azure")
	ErrForeign    = errors.New("used by others")
	ErrLinked     = errors.New("private link service in the way")
	ErrCut        = errors.New("consumers are cut off")
	ErrUnserved   = errors.New("not served")
	ErrFamily     = errors.New("wrong address family")
	ErrExposure   = errors.New("no security rules are written")
	ErrNoNodes    = errors.New("no usable node")
	ErrUnreached  = errors.New("reaches no node")
)

// What may go wrong with a Service that is served. Warnings wrap one of them.
var (
	// ErrMayRefuse is for what azlb asks of Azure although Azure's documentation does not promise it: Azure decides.
	ErrMayRefuse = errors.New("may be refused by Azure")
	// ErrUnattached is for nodes that azlb cannot put into a pool of network interfaces, while the Service is served by the others.
	ErrUnattached = errors.New("nodes are missing from the pool")
)

// Build computes what Azure should have for the Services of in, given what it has: which load balancer, address, public IP and rules each
// Service gets. It never fails: whatever stands in a Service's way is a finding, and a Service with a finding that holds it keeps what it
// has in Azure, unchanged. The order of objects never matters.
func Build(c Cluster, in Objects, seen Observed) (Desired, []Finding) {
	d := newBuilder(c, in, seen).settle()
	want := d.desired()
	return want, d.sortedFindings(d.findings)
}

// settle makes outlines until one holds nobody anew.
func (b *builder) settle() *outline {
	for {
		d := b.outline()
		if !b.again {
			return d
		}
		b.again = false
	}
}

// service is one Service and what becomes of it.
type service struct {
	obj  *corev1.Service
	name types.NamespacedName
	base string
	cfg  annotations.Config
	// wanted: of type LoadBalancer, or of one that is none, and not being deleted. A Service that is not wanted gives up what it has.
	wanted bool
	// ours is false for Services of another class.
	ours bool
	// held Services keep their share.
	held bool
	// observed says that the Service has something in Azure, so that it comes before Services that have not.
	observed bool
	// late says that others stay on a frontend named after this Service.
	late bool
	// entry names the load balancer that serves the Service, without its internal twin's suffix.
	entry string
	// placed says why.
	placed placement
}

// builder holds what stays the same from one outline to the next. Whenever a outline finds a Service that must be held, it is made again with
// that Service held, since what it keeps may be in the way of others.
type builder struct {
	c        Cluster
	in       Objects
	seen     *index
	services []*service // sorted by namespace and name
	byName   map[types.NamespacedName]*service
	byBase   map[string]*service
	uses     map[string]map[string]map[string]bool // frontends in lower case by load balancer and base name
	named    map[string]map[string][]string        // names of frontends in lower case by load balancer and base name
	there    map[string]map[string]bool            // base names by key of the object that they are on
	entries  []MultipleConfiguration
	others   map[string]bool     // base names that are another cluster's
	former   map[string]*service // by former base names, Services of another class that were made anew
	only     map[types.NamespacedName]bool
	aside    map[types.NamespacedName]bool // Objects.Hold
	book     *addressBook                  // nil until it is asked for
	findings []Finding
	again    bool
	// traced says that outlines note where values come from; [Describe] reads it.
	traced bool
}

func newBuilder(c Cluster, in Objects, seen Observed) *builder {
	c.Limits = c.Limits.withDefaults()
	b := &builder{
		c: c, in: in, seen: newIndex(seen),
		byName: map[types.NamespacedName]*service{}, byBase: map[string]*service{}, uses: map[string]map[string]map[string]bool{}, named: map[string]map[string][]string{}, only: map[types.NamespacedName]bool{}, aside: map[types.NamespacedName]bool{},
	}
	for _, name := range in.Only {
		b.only[name] = true
	}
	for _, name := range in.Hold {
		b.aside[name] = true
	}
	for i := range in.Services {
		b.add(&in.Services[i])
	}
	slices.SortFunc(b.services, func(x, y *service) int { return compareNames(x.name, y.name) })
	b.claimBases()
	b.findOthers()
	b.findEntries()
	b.findFormer()
	b.markObserved()
	for _, s := range b.services {
		b.admit(s)
	}
	b.markLate()
	b.markThere()
	b.place()
	b.again = false
	return b
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

func (b *builder) add(svc *corev1.Service) {
	name := types.NamespacedName{Namespace: svc.Namespace, Name: svc.Name}
	if b.byName[name] != nil {
		return
	}
	s := &service{obj: svc, name: name, base: strings.ToLower(Base(svc.UID))}
	asks := svc.Spec.Type == corev1.ServiceTypeLoadBalancer || !knownType(svc.Spec.Type)
	asks = asks && !b.c.Releases(svc)
	s.wanted = asks && svc.DeletionTimestamp == nil
	s.ours = classOf(svc) == b.c.Class || !asks && (classOf(svc) == "" || b.c.Releases(svc)) // the API server takes the class away with the type
	b.services = append(b.services, s)
	b.byName[name] = s
}

// claimBases gives each base name to one Service: upstream cuts uids, so two may be alike.
func (b *builder) claimBases() {
	for _, s := range b.services {
		if nameless(s.obj) {
			continue
		}
		winner, loser := b.byBase[s.base], s
		if winner == nil {
			b.byBase[s.base] = s
			continue
		}
		if older(loser, winner) {
			winner, loser = loser, winner
		}
		b.byBase[s.base] = winner
		if loser.wanted {
			b.hold(loser, uidField, fmt.Errorf("%w: in Azure, names made of the uids of %s and %s are the same (%s); create the Service anew", ErrClash, loser.name, winner.name, s.base))
		}
	}
}

func older(a, b *service) bool {
	return cmp.Or(a.obj.CreationTimestamp.Compare(b.obj.CreationTimestamp.Time), compareNames(a.name, b.name)) < 0
}

// owner returns the base name that an object on a load balancer belongs to, or "" for foreign ones.
func (b *builder) owner(name string) string {
	if base := baseOf(name); base != "" {
		if b.others[base] {
			return ""
		}
		return base
	}
	// Uids are not always UUIDs: hosts and tests choose their own.
	lower := strings.ToLower(name)
	for i := len(lower); i > 0; i = strings.LastIndexByte(lower[:i], '-') {
		if s := b.byBase[lower[:i]]; s != nil && baseOf(lower[:i]) == "" && len(lower[:i]) > 1 {
			return lower[:i]
		}
	}
	return ""
}

// ourBalancers returns the ids of the load balancers that the configuration names, external first.
func (b *builder) ourBalancers() []ID {
	var ids []ID
	for _, e := range b.entries {
		ids = append(ids, b.c.twin(e.Name, false), b.c.twin(e.Name, true))
	}
	return ids
}

// balancerOf returns the id of the load balancer that serves s.
func (b *builder) balancerOf(s *service) ID { return b.c.twin(s.entry, s.cfg.Internal) }

// markObserved finds out which Service has what on our load balancers: its rules tell which frontends it uses, else their names.
func (b *builder) markObserved() {
	for _, id := range b.ourBalancers() {
		uses := map[string]map[string]bool{}
		b.uses[id.Key()], b.named[id.Key()] = uses, map[string][]string{}
		l := b.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		note := func(base, frontend string) {
			if uses[base] == nil {
				uses[base] = map[string]bool{}
			}
			uses[base][strings.ToLower(frontend)] = true
			if s := b.byBase[base]; s != nil {
				s.observed = true
			}
		}
		led := map[string]bool{} // frontends that rules lead to: who has none there is not on it, though it is named after it
		for _, r := range l.Rules {
			note(b.owner(r.Name), r.Frontend)
			led[strings.ToLower(r.Frontend)] = true
		}
		ruled := maps.Clone(uses)
		for _, f := range l.Frontends {
			base := b.owner(f.Name)
			b.named[id.Key()][base] = append(b.named[id.Key()][base], strings.ToLower(f.Name))
			if len(ruled[base]) == 0 && !led[strings.ToLower(f.Name)] {
				note(base, f.Name)
			}
		}
	}
}

// markLate finds the Services on whose frontend others stay.
func (b *builder) markLate() {
	for _, id := range b.ourBalancers() {
		l := b.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		for _, r := range l.Rules {
			base := b.owner(r.Name)
			if s := b.byBase[b.owner(r.Frontend)]; s != nil && s.base != base && b.staysAt(base, l, r.Frontend) {
				s.late = true
			}
		}
	}
}

// staysAt reports whether whoever has base goes on using a frontend that is named after somebody else: foreign and held ones do, and those
// that ask for its address or public IP.
func (b *builder) staysAt(base string, l *seenBalancer, frontend string) bool {
	s := b.byBase[base]
	if base == "" || s == nil || s.held {
		return base == "" || b.keepsBase(base)
	}
	fe := l.frontends[strings.ToLower(frontend)]
	if name := s.cfg.PublicIP.Name.Of(fe.Family); name != "" && fe.PublicIP != "" {
		return fe.PublicIP.Equal(b.c.publicIP(b.c.publicIPGroup(s.cfg), name))
	}
	return s.wanted && l.address(b.seen, fe) == s.cfg.Addresses.Of(fe.Family)
}

// admit parses a Service and holds it if something about itself stands in its way.
func (b *builder) admit(s *service) {
	if !s.ours || b.spared(s.name) {
		s.held = true
	}
	if !s.wanted || !s.ours {
		return
	}
	cfg, err := annotations.Parse(s.obj)
	s.cfg = cfg
	if b.spared(s.name) {
		return
	}
	for _, f := range annotations.Findings(s.name, err) {
		b.find(f)
		s.held = s.held || f.Holds
	}
	for _, e := range slices.Concat(checkObject(s.obj), b.checkSize(s), b.checkPolicy(s), b.checkSpelling(s)) {
		b.hold(s, e.field, e.err)
	}
	if err := b.in.Rejected[s.name]; err != nil {
		b.hold(s, "", fmt.Errorf("%w: %w", ErrRejected, err))
	}
	if b.c.PoolType == PoolPods {
		b.hold(s, "", fmt.Errorf("%w: loadBalancerBackendPoolConfigurationType podIP needs a service gateway; use nodeIP", ErrUnserved))
	}
}

// spared reports whether a Service is none of those to work on.
func (b *builder) spared(name types.NamespacedName) bool {
	return len(b.only) > 0 && !b.only[name] || b.aside[name]
}

// checkSize holds a Service that Azure has no room for, before anything is made of it.
func (b *builder) checkSize(s *service) []fieldError {
	return slices.Concat(b.checkRules(s), b.checkTags(s))
}

// checkTags counts the tags of the public IP that azlb makes for the Service: those of the configuration, those it asks for, and what azlb notes.
func (b *builder) checkTags(s *service) []fieldError {
	ip := s.cfg.PublicIP
	if s.cfg.Internal || ip.Name != (annotations.PerFamily{}) || s.cfg.Addresses != (ipam.Pair{}) || len(ip.Tags) == 0 {
		return nil
	}
	keys := map[string]bool{tagService: true, tagCluster: true}
	if ip.DNSLabel != nil && *ip.DNSLabel != "" {
		keys[tagDNS] = true
	}
	own := len(keys)
	for _, t := range b.c.Tags {
		keys[strings.ToLower(t.Key)] = true
	}
	for _, t := range ip.Tags {
		keys[strings.ToLower(t.Key)] = true
	}
	if len(keys) <= annotations.MaxTags {
		return nil
	}
	return []fieldError{{annotationField(annotations.KeyPIPTags), fmt.Errorf("%w: %d tags with those of the configuration and the %d in which azlb keeps its notes, and a public IP has at most %d; ask for fewer",
		ErrLimit, len(keys), own, annotations.MaxTags)}}
}

func (b *builder) checkRules(s *service) []fieldError {
	if s.cfg.Rules.HAPorts && s.cfg.Internal {
		return nil
	}
	rules := 0
	for _, p := range s.obj.Spec.Ports {
		if !s.cfg.Ports[p.Port].NoRule {
			rules += len(s.cfg.Families)
		}
	}
	if most := b.c.Limits.RulesPerLoadBalancer; rules > most {
		return []fieldError{{"spec.ports", fmt.Errorf("%w: %d rules, and a load balancer has at most %d; use fewer ports, or %s on an internal Service", ErrLimit, rules, most, annotations.KeyHAPorts)}}
	}
	return nil
}

// checkObject finds what no API server lets through, but a file may hold, and what would otherwise end in the names of others or in other ports:
// names and uids go into names and tags in Azure, and ports are 16 bits wide there.
func checkObject(svc *corev1.Service) []fieldError {
	var bad []fieldError
	illegal := func(field, value, chars string) {
		if strings.ContainsFunc(value, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(chars, r)
		}) {
			bad = append(bad, fieldError{field, fmt.Errorf("%w: %s: want letters, digits and %s only", annotations.ErrSyntax, safetext.Value(value), strings.Join(strings.Split(chars, ""), " "))})
		}
	}
	if nameless(svc) {
		bad = append(bad, fieldError{uidField, fmt.Errorf("%w: %q: want the uid that the API server gave; the names of what the Service has in Azure are made of it", annotations.ErrSyntax, svc.UID)})
	}
	illegal(uidField, string(svc.UID), "-._")
	illegal("metadata.namespace", svc.Namespace, "-.")
	illegal("metadata.name", svc.Name, "-.")
	for _, e := range annotations.CheckSpec(svc) {
		bad = append(bad, fieldError{e.Path, fmt.Errorf("%s: %w", safetext.Value(e.Value), e.Err)})
	}
	return bad
}

// knownType reports whether Kubernetes has such a type. One that it has not is a slip, not a wish to give everything up.
func knownType(t corev1.ServiceType) bool {
	switch t {
	case "", corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeExternalName:
		return true
	default:
		return false
	}
}

func (b *builder) find(f Finding) { b.findings = append(b.findings, f) }

// hold makes the Service keep what it has, and says why.
func (b *builder) hold(s *service, field string, err error) {
	if !s.held || !b.spared(s.name) {
		b.find(Finding{Service: s.name, Field: field, Severity: SeverityError, Err: err, Holds: true})
	}
	s.held, b.again = true, true
}

// keepsBase reports whether what belongs to a base name stays as it is: that of held Services; with Objects.Only also what deleted Services
// left behind, since the input then does not speak for them.
func (b *builder) keepsBase(base string) bool {
	if s := b.byBase[base]; s != nil {
		return s.held
	}
	if s := b.former[base]; s != nil {
		return s.held
	}
	return len(b.only) > 0 || b.in.KeepGone
}

// keepsName is keepsBase for names in tags.
func (b *builder) keepsName(name types.NamespacedName) bool {
	if s := b.byName[name]; s != nil {
		return s.held
	}
	return b.spared(name) || b.in.KeepGone
}

// order returns the Services to serve, in the order in which they claim what cannot be had twice: those that are there already, then the
// older, then by name. Of those that are there, the ones on whose frontend others stay come last: it cannot move. Last of all come those that
// can only join others.
func (b *builder) order() []*service {
	rank := func(s *service) int {
		switch {
		case b.joins(s):
			return 3
		case s.late && s.observed:
			return 1
		case s.observed:
			return 0
		default:
			return 2
		}
	}
	var list []*service
	ranks := map[*service]int{}
	for _, s := range b.services {
		if s.wanted && !s.held {
			list = append(list, s)
			ranks[s] = rank(s)
		}
	}
	slices.SortStableFunc(list, func(x, y *service) int {
		return cmp.Or(ranks[x]-ranks[y], x.obj.CreationTimestamp.Compare(y.obj.CreationTimestamp.Time), compareNames(x.name, y.name))
	})
	return list
}

// joins reports whether an internal Service asks for an address that is not in its subnet and that no frontend has yet: it has to wait for the
// frontend of another Service.
func (b *builder) joins(s *service) bool {
	if !s.cfg.Internal {
		return false
	}
	subnet, _, bad := b.findSubnet(s)
	if bad != nil {
		return false
	}
	l := b.seen.balancers[b.balancerOf(s).Key()]
	return slices.ContainsFunc(s.cfg.Families, func(f ipam.Family) bool {
		a := s.cfg.Addresses.Of(f)
		return a.IsValid() && !contains(subnet.Prefixes, a) && (l == nil || l.byAddress[a] == "")
	})
}

func (b *builder) sortedFindings(more []Finding) []Finding {
	list := quoteFindings(slices.Concat(b.findings, more))
	slices.SortStableFunc(list, func(x, y Finding) int {
		return cmp.Or(compareNames(x.Service, y.Service), strings.Compare(x.Field, y.Field), strings.Compare(fmt.Sprint(x.Err), fmt.Sprint(y.Err)))
	})
	return slices.CompactFunc(list, func(x, y Finding) bool {
		return x.Service == y.Service && x.Field == y.Field && fmt.Sprint(x.Err) == fmt.Sprint(y.Err)
	})
}

// quoteFindings quotes what is not printable in the texts of list, in place: hosts make events and conditions of them.
func quoteFindings(list []Finding) []Finding {
	for i := range list {
		list[i].Field, list[i].Err = safetext.Quote(list[i].Field), safetext.Error(list[i].Err)
	}
	return list
}

// groupID returns the id of a resource group in the subscription of the network.
func (b *builder) groupID(name string) ID { return armid.Group(b.c.NetworkSubscription, name) }
