package azure

import (
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

const computeAPI = "2024-07-01"

// fetch reads what the network client has no method for. link is a whole address, or a path below the endpoint; a version that it does not name
// is apiVersion.
func (b *Backend) fetch(ctx context.Context, subscription, link, apiVersion string) ([]byte, error) {
	client, err := b.client(subscription)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(link, "://") {
		link = runtime.JoinPaths(client.Endpoint(), link)
	}
	req, err := runtime.NewRequest(ctx, http.MethodGet, link)
	if err != nil {
		return nil, err
	}
	if query := req.Raw().URL.Query(); !query.Has("api-version") {
		query.Set("api-version", apiVersion)
		req.Raw().URL.RawQuery = query.Encode()
	}
	req.Raw().Header.Set("Accept", "application/json")
	resp, err := client.Pipeline().Do(req)
	if err != nil {
		return nil, err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return nil, runtime.NewResponseError(resp)
	}
	return runtime.Payload(resp)
}

// machines lists the virtual machines of the groups that s names: with several load balancers, nodes follow their availability sets.
func (o *observation) machines(s lb.Scope) {
	for _, group := range s.Machines {
		unknown := lb.Unknown{Scope: group, Type: armid.VirtualMachines, Action: armid.VirtualMachines + "/read"}
		o.read(unknown, func() error {
			list, err := o.b.machinesOf(o.ctx, group)
			o.mu.Lock()
			defer o.mu.Unlock()
			o.machineList = append(o.machineList, list...)
			return err
		})
	}
}

func (b *Backend) machinesOf(ctx context.Context, group lb.ID) ([]lb.Machine, error) {
	var list []lb.Machine
	x := exchange{target: group, typ: armid.VirtualMachines}
	for link := strings.TrimPrefix(string(group), "/") + "/providers/" + armid.VirtualMachines; link != ""; {
		data, err := b.fetch(x.in(ctx), group.Subscription(), link, computeAPI)
		if err != nil {
			return nil, err
		}
		rest, err := armwire.Parse(data) // what is left of the page for the SDK
		if err != nil {
			return nil, broken("%w", err)
		}
		link = text(rest, "nextLink")
		for _, o := range x.page {
			m, err := armwire.Machine(o)
			if err != nil {
				return nil, broken("%w", err)
			}
			list = append(list, m)
		}
	}
	return list, nil
}
