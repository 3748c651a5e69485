package azure_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/providertest"
)

func TestProvider(t *testing.T) {
	for name, polls := range map[string]int{"writes done at once": -1, "long-running writes": 2} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(tb testing.TB) provider.Provider {
				a := newARM(tb)
				a.polls, a.pages = polls, 1
				return a.backend(tb, azure.Options{})
			})
		})
	}
}

// seeded returns the cloud of the suite, whose writes take their time on a virtual clock.
func seeded(tb testing.TB) *fake.Cloud {
	tb.Helper()
	c := fake.New(&fake.Options{Latency: map[string]time.Duration{
		armid.LoadBalancers: 10 * time.Second, armid.PublicIPAddresses: 5 * time.Second, armid.NetworkSecurityGroups: 5 * time.Second,
	}})
	if err := c.Load(providertest.Seed()); err != nil {
		tb.Fatal(err)
	}
	return c
}

// TestProviderThroughARM runs the suite through the whole of the fake's Resource Manager: in the process, and over a socket with TLS.
func TestProviderThroughARM(t *testing.T) {
	for name, connect := range map[string]func(testing.TB, *fake.Cloud) (policy.Transporter, cloud.Configuration){
		"in the process": func(_ testing.TB, c *fake.Cloud) (policy.Transporter, cloud.Configuration) {
			return armfake.Transport(c), cloud.Configuration{}
		},
		"in pages": func(_ testing.TB, c *fake.Cloud) (policy.Transporter, cloud.Configuration) {
			return armfake.New(c, &armfake.Options{PageSize: 1}), cloud.Configuration{}
		},
		"over TLS": func(tb testing.TB, c *fake.Cloud) (policy.Transporter, cloud.Configuration) {
			server := httptest.NewTLSServer(armfake.Handler(c, nil))
			tb.Cleanup(server.Close)
			return server.Client(), private(server.URL)
		},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, func(tb testing.TB) provider.Provider {
				c := seeded(tb)
				transport, where := connect(tb, c)
				b, err := azure.New(anyone{"t"}, &azure.Options{Transport: transport, Cloud: where, Clock: c.Clock()})
				if err != nil {
					tb.Fatal(err)
				}
				return b
			})
		})
	}
}

// private is the configuration of a cloud at one address.
func private(url string) cloud.Configuration {
	return cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: url, Audience: url}}}
}

var _ policy.Transporter = (*http.Client)(nil) // any HTTP client is a transport
