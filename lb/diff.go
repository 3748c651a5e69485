package lb

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
)

// Diff computes the plan that leads from seen to want.
//
// It compares content and decides which writes are made and in which order; who owns what was decided before. On resources that want
// lists, our part is what want has and what want.Remove names; everything else is left alone. Names are expected in the spelling of seen
// ([Adopt] sees to it). Location, extended location and zones of what exists are never compared, and the SKU only
// where a public IP can be upgraded.
//
// The same arguments give the same plan, whatever their order. Diff fails only on a want that is not well formed (ErrDesired); what cannot
// be planned for other reasons is a finding of the plan.
func Diff(seen Observed, want Desired) (Plan, error) {
	if err := checkDesired(seen, want); err != nil {
		return Plan{}, err
	}
	return diffBy(orderRules, seen, want), nil
}

// diffBy is [Diff] with another table of rules. want is well formed.
func diffBy(rules []orderRule, seen Observed, want Desired) Plan {
	d := newDiffer(seen, want)
	d.steps = newDrafts(rules)
	d.compareLoadBalancers()
	d.indexUsers()
	d.compareRecreated()
	d.breakSwaps()
	d.writeLoadBalancers()
	d.findSwitches()
	d.writePublicIPs()
	d.writePrivateLinks()
	d.deleteLast()
	d.writeInterfaces()
	d.writeSecurityGroups()
	d.securityBeforeSwitches()
	d.markOpenFrontends()
	d.markMoved()
	d.markReaddressed()
	slices.SortStableFunc(d.findings, compareFindings)
	steps := d.steps.ordered()
	if len(steps) > 0 {
		users := usersOf(want)
		for i := range steps {
			steps[i].Services = users.servicesOf(steps[i].Op)
		}
	}
	return Plan{Steps: steps, Findings: quoteFindings(d.findings)}
}

// differ carries what the stages of [Diff] share.
type differ struct {
	seen     Observed
	want     Desired
	why      why
	remove   map[string]bool // keys of ids
	recreate map[string]bool // keys of public IPs
	rebuilds map[string]bool // keys of load balancers to recreate
	seenIPs  map[string]SeenPublicIP
	wantIPs  map[string]PublicIP
	lbs      []*lbDraft // sorted by key
	ipUsers  map[string]ipUsers
	ipPuts   map[string]*draft // creations and early updates, by key of the public IP
	ipDrops  map[string]*draft // deletions for good, by key of the public IP
	stuckIPs map[string]bool   // should be created anew and cannot be
	security []*draft          // writes of security groups
	switches map[*lbDraft]bool // load balancers that only drop what others build
	steps    drafts
	findings []Finding
}

func newDiffer(seen Observed, want Desired) *differ {
	d := &differ{
		seen: seen, want: want, why: want.Causes, remove: keySet(want.Remove), recreate: map[string]bool{}, rebuilds: map[string]bool{},
		seenIPs: map[string]SeenPublicIP{}, wantIPs: map[string]PublicIP{},
		ipPuts: map[string]*draft{}, ipDrops: map[string]*draft{}, stuckIPs: map[string]bool{},
	}
	for _, ip := range seen.PublicIPs {
		d.seenIPs[ip.ID.Key()] = ip
	}
	for _, ip := range want.PublicIPs {
		d.wantIPs[ip.ID.Key()] = ip
	}
	for _, id := range want.Recreate {
		if _, ok := d.seenIPs[id.Key()]; ok {
			d.recreate[id.Key()] = true
		} else if id.Is(armid.LoadBalancers) {
			d.rebuilds[id.Key()] = true
		}
	}
	return d
}

func keySet(ids []ID) map[string]bool {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		set[id.Key()] = true
	}
	return set
}

// blame adds one error finding for every Service that asked for ref.
func (d *differ) blame(ref ID, err error) {
	var last Finding
	for i, c := range d.why.causes(Create, ref, nil) {
		if i > 0 && c.Service == last.Service {
			continue
		}
		last = Finding{Service: c.Service, Field: c.Field, Severity: SeverityError, Err: err}
		d.findings = append(d.findings, last)
	}
}

func compareFindings(a, b Finding) int {
	return cmp.Or(strings.Compare(a.Service.String(), b.Service.String()), strings.Compare(a.Field, b.Field),
		strings.Compare(a.String(), b.String()))
}

// targets lists the resources to compare, by id: as wanted, or with nothing but its id where want only removes from it.
func targets[T any](want []T, id func(T) ID, bare func(ID) T, d *differ, typ string, seen []ID) []T {
	list := slices.Clone(want)
	known := map[string]bool{}
	for _, w := range want {
		known[id(w).Key()] = true
	}
	touched := map[string]bool{}
	for _, r := range d.want.Remove {
		touched[r.Top().Key()] = true
	}
	for key := range d.want.RemoveTags {
		touched[strings.ToLower(key)] = true
	}
	for _, s := range seen {
		if key := s.Key(); s.Is(typ) && touched[key] && !known[key] {
			list = append(list, bare(s))
		}
	}
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(id(a).Key(), id(b).Key()) })
	return list
}

// removeTags returns the tag keys to remove from id.
func (d *differ) removeTags(id ID) []string { return d.want.RemoveTags[id.Key()] }

// hold is an address that a frontend holds: a public IP by key, or a private address in its network.
type hold string

// held returns what frontend f holds; assigned is the private address it has, if any.
func held(f Frontend, assigned netip.Addr) hold {
	if f.PublicIP != "" {
		return hold(f.PublicIP.Key())
	}
	if f.Static.IsValid() {
		assigned = f.Static
	}
	if !assigned.IsValid() {
		return ""
	}
	return hold(f.Subnet.Parent().Key() + "#" + assigned.String())
}
