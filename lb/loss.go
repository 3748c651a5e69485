package lb

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	"k8s.io/apimachinery/pkg/types"
)

// Loss is what one Service gives up by a plan: what of its own is deleted and not made anew, and its entry in the tags of what others go on
// using.
type Loss struct {
	// Service is who loses it, as causes, tags of public IPs and tags of private link services tell; empty if none of them does.
	Service types.NamespacedName
	// UID is the uid of a Service that nothing names, without its last digit, which names in Azure do not have; else empty.
	UID string
	// Refs are the frontends, rules, public IPs, private link services and endpoint connections, sorted by id.
	Refs []ID
}

// Who names the Service, by namespace and name or else by uid.
func (l Loss) Who() string {
	if l.Service.Name != "" {
		return l.Service.String()
	}
	return "a Service with uid " + l.UID + "… that nothing in Azure names"
}

// Losses says who loses what by p, sorted by Service; those that nothing names come last, by uid. Explain begins with it. It is about Services:
// what a hand-built model gives up without naming one as a cause is not in it.
func (p Plan) Losses() []Loss {
	f := lossFinder{
		made: map[string]bool{}, bases: map[string][]string{}, names: map[string]types.NamespacedName{}, links: map[string][]loser{},
		lost: map[loser]map[string]ID{},
	}
	for _, s := range p.Steps {
		f.learnFrontends(s.Op)
	}
	for _, s := range p.Steps {
		f.learn(s.Op)
	}
	f.match(p)
	for _, s := range p.Steps {
		if op, ok := s.Op.(DeletePrivateLinkService); ok {
			f.links[op.Before.ID.Key()] = f.losers(op, op.Changes[0])
		}
	}
	for _, s := range p.Steps {
		f.find(s.Op)
	}
	return f.list()
}

// loser is who loses something: by name, or by base name.
type loser struct {
	name types.NamespacedName
	base string
}

// lossFinder collects losses.
type lossFinder struct {
	made  map[string]bool                 // keys of ids that the plan creates
	bases map[string][]string             // base names of the frontends on a public IP, by its key
	names map[string]types.NamespacedName // by base name
	links map[string][]loser              // of private link services that are deleted, by key
	lost  map[loser]map[string]ID
}

// learn notes what an operation creates, and what its tags and causes tell of names.
func (f *lossFinder) learn(op Op) {
	for _, c := range op.Why() {
		if c.Action == Create {
			f.made[c.Ref.Key()] = true
		}
		if base := baseOf(c.Ref.Name()); base != "" && len(c.Causes) == 1 && c.Causes[0].Service.Name != "" && removing(c.Causes[0]) {
			f.names[base] = c.Causes[0].Service
		}
	}
	if ip, before, _, ok := tagsOf(op); ok {
		if names := serviceNames(before.either(tagService, legacyTagService)); len(names) == 1 {
			for _, base := range f.bases[ip.Key()] {
				f.names[base] = parseName(names[0])
			}
		}
	}
	if op, ok := op.(DeletePrivateLinkService); ok {
		if owner, _ := op.Before.Tag(pls.TagOwner); owner != "" && len(op.Before.Frontends) > 0 {
			if base := baseOf(op.Before.Frontends[0].Name()); base != "" && f.names[base] == (types.NamespacedName{}) {
				f.names[base] = parseName(owner)
			}
		}
	}
}

// match puts the one name that leaves the tags of a public IP and the one base name whose rules leave its frontends together.
func (f *lossFinder) match(p Plan) {
	leaving, nameless := map[string][]types.NamespacedName{}, map[string][]string{} // by key of the public IP
	known := map[types.NamespacedName]bool{}
	for _, name := range f.names {
		known[name] = true
	}
	for _, s := range p.Steps {
		if ip, before, after, ok := tagsOf(s.Op); ok {
			for _, name := range leavers(before, after) {
				if !known[name] {
					leaving[ip.Key()] = append(leaving[ip.Key()], name)
				}
			}
		}
		for ip, base := range f.leavingRules(s.Op) {
			if f.names[base].Name == "" && !slices.Contains(nameless[ip], base) {
				nameless[ip] = append(nameless[ip], base)
			}
		}
	}
	for ip, bases := range nameless {
		if len(bases) == 1 && len(leaving[ip]) == 1 {
			f.names[bases[0]] = leaving[ip][0]
		}
	}
}

// leavers are the Services that are named in tags before and not after.
func leavers(before, after Tags) []types.NamespacedName {
	var list []types.NamespacedName
	stay := serviceNames(after.either(tagService, legacyTagService))
	for _, name := range serviceNames(before.either(tagService, legacyTagService)) {
		if !slices.Contains(stay, name) {
			list = append(list, parseName(name))
		}
	}
	return list
}

// leavingRules goes through the rules that an operation deletes, by key of their public IP and base name.
func (f *lossFinder) leavingRules(op Op) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		before, ok := balancerBefore(op)
		if !ok {
			return
		}
		rules, frontends := ruleKind.byName(before.Rules), frontendKind.byName(before.Frontends)
		for _, c := range op.Why() {
			r, ok := rules[strings.ToLower(c.Ref.Name())]
			if !ok || c.Action != Delete || f.made[c.Ref.Key()] || baseOf(r.Name) == "" {
				continue
			}
			if ip := frontends[strings.ToLower(r.Frontend)].PublicIP; ip != "" && !yield(ip.Key(), baseOf(r.Name)) {
				return
			}
		}
	}
}

// removing reports whether a cause takes something away from its Service.
func removing(c Cause) bool { return c.Reason == ReasonGone || c.Reason == ReasonNotWanted }

// tagsOf returns the public IP that an operation deletes or tags, and its tags before and after.
func tagsOf(op Op) (ip ID, before, after Tags, ok bool) {
	switch op := op.(type) {
	case DeletePublicIP:
		return op.Before.ID, op.Before.Tags, nil, true
	case TagPublicIP:
		return op.ID, op.Before, op.After, true
	case PutPublicIP:
		return op.Before.ID, op.Before.Tags, op.After.Tags, op.Before.ID != ""
	default:
		return "", nil, nil, false
	}
}

// learnFrontends notes whose names the frontends have that an operation may take from public IPs.
func (f *lossFinder) learnFrontends(op Op) {
	before, _ := balancerBefore(op)
	for _, fe := range before.Frontends {
		if base := baseOf(fe.Name); base != "" && fe.PublicIP != "" {
			f.bases[fe.PublicIP.Key()] = append(f.bases[fe.PublicIP.Key()], base)
		}
	}
}

// balancerBefore is our part of the load balancer that an operation changes.
func balancerBefore(op Op) (LoadBalancer, bool) {
	switch op := op.(type) {
	case PutLoadBalancer:
		return op.Before, true
	case DeleteLoadBalancer:
		return op.Before, true
	default:
		return LoadBalancer{}, false
	}
}

// noticed reports whether somebody notices by itself that id is gone; probes, pools and security rules follow from what is.
func noticed(id ID) bool {
	kind := id.Type()[strings.LastIndexByte(id.Type(), '/')+1:]
	return slices.ContainsFunc([]string{
		armid.FrontendIPConfigurations, armid.LoadBalancingRules, armid.PublicIPAddresses, armid.PrivateLinkServices, armid.PrivateEndpointConnections,
	}, func(typ string) bool { return strings.EqualFold(kind, typ[strings.LastIndexByte(typ, '/')+1:]) })
}

// find notes what an operation takes from whom.
func (f *lossFinder) find(op Op) {
	for _, c := range op.Why() {
		if c.Action != Delete || f.made[c.Ref.Key()] || !noticed(c.Ref) {
			continue
		}
		for _, who := range f.losers(op, c) {
			f.enter(who, c.Ref)
		}
	}
	if ip, before, after, ok := tagsOf(op); ok && len(after) > 0 {
		for _, name := range leavers(before, after) {
			f.enter(loser{name: name}, ip)
		}
	}
}

// losers says whose something is that is deleted: its name tells of one Service, else causes and tags do.
func (f *lossFinder) losers(op Op, c Change) []loser {
	if base := baseOf(c.Ref.Name()); base != "" {
		if name := f.names[base]; name.Name != "" {
			return []loser{{name: name}}
		}
		return []loser{{base: base}}
	}
	var list []loser
	add := func(name types.NamespacedName) {
		if name.Name != "" && !slices.Contains(list, loser{name: name}) {
			list = append(list, loser{name: name})
		}
	}
	for _, cause := range c.Causes {
		if removing(cause) {
			add(cause.Service)
		}
	}
	switch op := op.(type) {
	case DeleteEndpointConnection:
		if len(list) == 0 {
			return f.links[op.Target().Parent().Key()]
		}
	case DeletePublicIP:
		for _, name := range serviceNames(op.Before.Tags.either(tagService, legacyTagService)) {
			add(parseName(name))
		}
	case DeletePrivateLinkService:
		owner, _ := op.Before.Tag(pls.TagOwner)
		add(parseName(owner))
		if len(list) == 0 {
			for _, fe := range op.Before.Frontends {
				if base := baseOf(fe.Name()); base != "" {
					return []loser{{name: f.names[base], base: base}}
				}
			}
		}
	}
	return list
}

func (f *lossFinder) enter(who loser, ref ID) {
	if who.name.Name != "" {
		who.base = ""
	}
	if f.lost[who] == nil {
		f.lost[who] = map[string]ID{}
	}
	f.lost[who][ref.Key()] = ref
}

func (f *lossFinder) list() []Loss {
	var list []Loss
	for who, refs := range f.lost {
		l := Loss{Service: who.name, UID: uidText(who.base), Refs: sortedValues(refs, armid.Compare)}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b Loss) int {
		return cmp.Or(strings.Compare(a.UID, b.UID), compareNames(a.Service, b.Service))
	})
	return list
}

// uidText writes the digits of a base name as a uid.
func uidText(base string) string {
	if base == "" {
		return ""
	}
	d := base[1:]
	return fmt.Sprintf("%s-%s-%s-%s-%s", d[:8], d[8:12], d[12:16], d[16:20], d[20:])
}

// refsText is what a Service loses, in words.
func (l Loss) refsText() string {
	text := make([]string, len(l.Refs))
	for i, id := range l.Refs {
		text[i] = nameOf(id)
	}
	return strings.Join(text, ", ")
}
