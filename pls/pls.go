package pls

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/azlb/azlb/lb/armid"
)

// PrivateLinkService is what a client can write of one private link service, with what ARM assigned to it beside.
type PrivateLinkService struct {
	ID        armid.ID
	Location  string
	EdgeZone  string     // name of the extended location, empty for none
	Frontends []armid.ID // frontends of one load balancer, in practice exactly one
	// NAT lists the addresses that connections come from, the primary one first. Their names and their order are free.
	NAT           []NATConfiguration
	ProxyProtocol bool
	FQDNs         []string
	Visibility    []string // subscription ids, or "*" alone
	AutoApproval  []string
	Tags          []Tag

	Alias       string       // assigned by ARM
	Connections []Connection // made by consumers
}

// NATConfiguration is one NAT address: static if Address is valid, else assigned by ARM.
type NATConfiguration struct {
	Name    string
	Subnet  armid.ID
	Address netip.Addr
	Primary bool
}

// Connection is one private endpoint connection.
type Connection struct {
	Name   string
	Status string // Pending, Approved, Rejected, Disconnected
}

// Tag is one ARM tag.
type Tag struct{ Key, Value string }

// maxName is how long ARM lets a name be.
const maxName = 80

// Name returns the default name of the private link service on the frontend with the given name. It is cut where ARM would refuse it, which
// happens to frontends made by hand only: those of Services have short names.
func Name(frontend string) string {
	name := "pls-" + frontend
	if len(name) <= maxName {
		return name
	}
	// The cut may leave a character that no name may end with.
	return strings.TrimRight(name[:maxName], "-.")
}

// Connected counts the connections that lead somewhere or may soon: those that are approved and those that wait for approval. Rejected ones
// and those whose endpoint is gone are no loss.
func (p PrivateLinkService) Connected() int {
	n := 0
	for _, c := range p.Connections {
		if !strings.EqualFold(c.Status, "Rejected") && !strings.EqualFold(c.Status, "Disconnected") {
			n++
		}
	}
	return n
}

// Serves reports whether p is on the frontend.
func (p PrivateLinkService) Serves(frontend armid.ID) bool {
	return slices.ContainsFunc(p.Frontends, frontend.Equal)
}

// Find returns the private link service of a frontend, nil if none of list is on it. Azure allows one.
func Find(list []PrivateLinkService, frontend armid.ID) *PrivateLinkService {
	for i := range list {
		if list[i].Serves(frontend) {
			return &list[i]
		}
	}
	return nil
}
