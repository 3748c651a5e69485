package azure

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

const computeAPI = "2024-07-01"

// fetch reads what the network client has no method for; path is below the endpoint of the cloud.
func (b *Backend) fetch(ctx context.Context, subscription, path, apiVersion string) ([]byte, error) {
	client, err := b.client(subscription)
	if err != nil {
		return nil, err
	}
	req, err := runtime.NewRequest(ctx, http.MethodGet, runtime.JoinPaths(client.Endpoint(), path))
	if err != nil {
		return nil, err
	}
	query := req.Raw().URL.Query()
	query.Set("api-version", apiVersion)
	req.Raw().URL.RawQuery = query.Encode()
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
	path := strings.TrimPrefix(string(group), "/") + "/providers/" + armid.VirtualMachines
	for path != "" {
		body, err := b.fetch(ctx, group.Subscription(), path, computeAPI)
		if err != nil {
			return nil, err
		}
		var page struct {
			Value    []json.RawMessage `json:"value"`
			NextLink string            `json:"nextLink"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, err
		}
		for _, raw := range page.Value {
			o, err := armwire.Parse(raw)
			if err != nil {
				return nil, err
			}
			m, err := armwire.Machine(o)
			if err != nil {
				return nil, err
			}
			list = append(list, m)
		}
		path = next(page.NextLink)
	}
	return list, nil
}

// next returns the path and query of a link to the next page. The host is left out: a token is sent to the endpoint of the cloud alone.
func next(link string) string {
	u, err := url.Parse(link)
	if err != nil || link == "" {
		return ""
	}
	return strings.TrimPrefix(u.RequestURI(), "/")
}
