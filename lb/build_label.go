package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	"github.com/azlb/azlb/lb/armid"
)

// labelKey is what can be had once: a DNS label in a location, for each family, whose records are different ones.
type labelKey struct {
	location, label string
	family          ipam.Family
}

// checkLabels holds Services that ask for the DNS label of a public IP which has it, or which is given it before them.
func (d *outline) checkLabels() {
	taken := map[labelKey]ID{}
	for _, p := range d.seen.PublicIPs {
		if p.DNSLabel == "" || slices.ContainsFunc(d.remove, p.ID.Equal) {
			continue
		}
		if draft := d.publicIPs[p.ID.Key()]; draft != nil && d.relabels(draft) {
			continue
		}
		taken[labelKey{strings.ToLower(p.Location), strings.ToLower(p.DNSLabel), p.Family}] = p.ID
	}
	claimed := d.claimed()
	for _, s := range d.order() {
		label := s.cfg.PublicIP.DNSLabel
		if label == nil || *label == "" || d.results[s.name] == nil {
			continue
		}
		for _, p := range claimed[s] {
			location := d.c.Location
			if p.seen != nil {
				location = p.seen.Location
			}
			key := labelKey{strings.ToLower(location), strings.ToLower(*label), p.family}
			if other, ok := taken[key]; ok && !other.Equal(p.id) {
				d.hold(s, annotationField(annotations.KeyDNSLabel), fmt.Errorf("%w: the DNS label %q is that of public IP %s in %s; choose another one", ErrClash, *label, other.Name(), location))
				break
			}
			taken[key] = p.id
		}
	}
}

// relabels reports whether a Service asks for another label than the public IP has, or for none, so that the one it has is given up.
func (d *outline) relabels(p *publicIPDraft) bool {
	return slices.ContainsFunc(p.claimants, func(s *service) bool {
		label := s.cfg.PublicIP.DNSLabel
		return label != nil && !strings.EqualFold(*label, p.seen.DNSLabel)
	})
}

// claimed lists the public IPs that each Service claims, in the order of their ids.
func (d *outline) claimed() map[*service][]*publicIPDraft {
	by := map[*service][]*publicIPDraft{}
	for _, p := range sortedValues(d.publicIPs, func(a, b *publicIPDraft) int { return armid.Compare(a.id, b.id) }) {
		for _, s := range p.claimants {
			by[s] = append(by[s], p)
		}
	}
	return by
}
