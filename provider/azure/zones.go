package azure

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azlb/azlb/lb"
)

const (
	computeProvider = "Microsoft.Compute"
	resourcesAPI    = "2021-04-01"
	// readProviders is the permission that the description of a resource provider needs.
	readProviders = "Microsoft.Resources/subscriptions/providers/read"
)

// zoneCache has the availability zones of subscriptions that were asked for: they change less often than processes start.
type zoneCache struct {
	mu    sync.Mutex
	known map[string]map[string][]string // by subscription and location, both folded
}

// resourceProvider is the part of a resource provider's description that tells of zones.
type resourceProvider struct {
	ResourceTypes []resourceType `json:"resourceTypes"`
}

type resourceType struct {
	ResourceType string `json:"resourceType"`
	ZoneMappings []struct {
		Location string   `json:"location"`
		Zones    []string `json:"zones"`
	} `json:"zoneMappings"`
}

func (t resourceType) machines() bool { return strings.EqualFold(t.ResourceType, "virtualMachines") }

// zones reads the zones of the location that s names.
func (o *observation) zones(s lb.Scope) {
	if s.Location == "" {
		return
	}
	unknown := lb.Unknown{Scope: lb.ID("/subscriptions/" + s.Subscription), Type: computeProvider, Action: readProviders}
	o.read(unknown, func() error {
		zones, err := o.b.zonesOf(o.ctx, s.Subscription, s.Location)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.zoneNames = zones
		return err
	})
}

func (b *Backend) zonesOf(ctx context.Context, subscription, location string) ([]string, error) {
	key := strings.ToLower(subscription)
	b.zones.mu.Lock()
	byLocation, ok := b.zones.known[key]
	b.zones.mu.Unlock()
	if !ok {
		var err error
		if byLocation, err = b.readZones(ctx, subscription); err != nil {
			return nil, err
		}
		b.zones.mu.Lock()
		defer b.zones.mu.Unlock()
		if b.zones.known == nil {
			b.zones.known = map[string]map[string][]string{}
		}
		b.zones.known[key] = byLocation
	}
	return slices.Clone(byLocation[foldLocation(location)]), nil
}

// readZones asks for the description of the compute provider, which the network client does not have.
func (b *Backend) readZones(ctx context.Context, subscription string) (map[string][]string, error) {
	body, err := b.fetch(ctx, subscription, runtime.JoinPaths("subscriptions", url.PathEscape(subscription), "providers", computeProvider), resourcesAPI)
	if err != nil {
		return nil, err
	}
	var compute resourceProvider
	if err := json.Unmarshal(body, &compute); err != nil {
		return nil, broken("%s: %w", computeProvider, err)
	}
	if !slices.ContainsFunc(compute.ResourceTypes, resourceType.machines) {
		return nil, broken("%s: no virtual machines among its types", computeProvider)
	}
	return compute.zones(), nil
}

// zones returns the zones of virtual machines by location.
func (p resourceProvider) zones() map[string][]string {
	byLocation := map[string][]string{}
	for _, t := range p.ResourceTypes {
		if !t.machines() {
			continue
		}
		for _, m := range t.ZoneMappings {
			byLocation[foldLocation(m.Location)] = slices.Sorted(slices.Values(m.Zones))
		}
	}
	return byLocation
}

// foldLocation makes one of "West Europe" and "westeurope".
func foldLocation(location string) string {
	return strings.ToLower(strings.ReplaceAll(location, " ", ""))
}
