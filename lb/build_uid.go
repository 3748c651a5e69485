package lb

import (
	"fmt"
	"slices"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/lb/armid"
	corev1 "k8s.io/api/core/v1"
)

const uidField = "metadata.uid"

// nameless reports whether a Service has no uid, of which what it has in Azure could be named.
func nameless(svc *corev1.Service) bool { return strings.Trim(string(svc.UID), "-") == "" }

// checkNameless keeps the removal of a Service without uid from looking done while something stays that may be its own.
func (d *outline) checkNameless() {
	for _, s := range d.services {
		if !nameless(s.obj) || s.wanted || !d.only[s.name] {
			continue
		}
		if id := d.perhapsOf(s); id != "" {
			d.findings = append(d.findings, Finding{Service: s.name, Field: uidField, Severity: SeverityError, Holds: true, Err: fmt.Errorf(
				"%w: missing, so it cannot be told what the Service has in Azure, and %s may be its own; pass the Service with the uid that it had", annotations.ErrSyntax, id)})
		}
	}
}

// perhapsOf finds something in Azure that stays and that may be a nameless Service's, since it is nobody else's: "" for nothing.
func (d *outline) perhapsOf(s *service) ID {
	for i := range d.seen.PublicIPs {
		if p := &d.seen.PublicIPs[i]; d.lists(p, s) && !d.otherCluster(p) && !slices.ContainsFunc(d.remove, p.ID.Equal) {
			return p.ID
		}
	}
	for _, id := range d.ourBalancers() {
		l := d.seen.balancers[id.Key()]
		if l == nil {
			continue
		}
		for _, f := range l.Frontends {
			base := d.owner(f.Name)
			// Former versions served Services without uid under the bare first letter.
			if bare := strings.EqualFold(strings.TrimSuffix(strings.ToLower(f.Name), "-ipv6"), Base("")); bare || base != "" && d.byBase[base] == nil {
				return l.ID.Child(armid.FrontendIPConfigurations, f.Name)
			}
		}
	}
	return ""
}
