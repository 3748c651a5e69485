package armfake_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	armpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/providertest"
)

// credential always has a token.
type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "test", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// TestProvider runs the suite of providers through the SDK's clients.
func TestProvider(t *testing.T) {
	latency := map[string]time.Duration{
		armid.LoadBalancers: 10 * time.Second, armid.PublicIPAddresses: 5 * time.Second, armid.NetworkSecurityGroups: 1500 * time.Millisecond,
	}
	for name, o := range map[string]*fake.Options{"at once": nil, "slow": {Latency: latency}} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(t testing.TB) provider.Provider {
				c := fake.New(o)
				if err := c.Load(providertest.Seed()); err != nil {
					t.Fatal(err)
				}
				transport := armfake.New(c, &armfake.Options{PageSize: 1})
				backend, err := azure.New(credential{}, &azure.Options{Transport: transport, Clock: c.Clock()})
				if err != nil {
					t.Fatal(err)
				}
				return backend
			})
		})
	}
}

// TestPipeline lets azcore's own pipeline retry, poll and page, over a socket and in real time.
func TestPipeline(t *testing.T) {
	c := fake.New(&fake.Options{Clock: fake.WallClock{}, Latency: map[string]time.Duration{armid.PublicIPAddresses: 30 * time.Millisecond}})
	if err := c.Load(providertest.Seed()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(armfake.Handler(c, nil))
	defer server.Close()
	client, err := arm.NewClient("armfake", "v0.0.0", credential{}, &armpolicy.ClientOptions{
		DisableRPRegistration: true,
		ClientOptions: policy.ClientOptions{
			Transport: server.Client(), Retry: policy.RetryOptions{RetryDelay: time.Millisecond},
			Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: server.URL, Audience: server.URL},
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Inject(fake.Fault{Method: "PUT", Status: 503, Code: "ServerBusy"})
	c.Inject(fake.Fault{Method: "PUT", Status: 429, Code: "TooManyRequests", RetryAfter: 5 * time.Millisecond})
	poller := begin(t, client, http.MethodPut, map[string]any{
		"location": providertest.Location, "sku": map[string]any{"name": "Standard"},
		"properties": map[string]any{"publicIPAllocationMethod": "Static"},
	})
	got, err := poller.PollUntilDone(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if state := got["properties"].(map[string]any)["provisioningState"]; state != "Succeeded" {
		t.Errorf("state %v", state)
	}
	c.Inject(fake.Fault{Method: "DELETE", Late: true, Code: "PublicIPAddressCannotBeDeleted", Message: "in use"})
	_, err = begin(t, client, http.MethodDelete, nil).PollUntilDone(t.Context(), nil)
	if refused, ok := errors.AsType[*azcore.ResponseError](err); !ok || refused.ErrorCode != "PublicIPAddressCannotBeDeleted" {
		t.Errorf("error %v", err)
	}
}

func begin(t *testing.T, client *arm.Client, method string, body any) *runtime.Poller[map[string]any] {
	t.Helper()
	req, err := runtime.NewRequest(t.Context(), method, client.Endpoint()+string(address)+version)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		if err := runtime.MarshalAsJSON(req, body); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := client.Pipeline().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	poller, err := runtime.NewPoller[map[string]any](resp, client.Pipeline(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return poller
}
