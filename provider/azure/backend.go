package azure

import (
	"errors"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	armpolicy "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/azlb/azlb/provider"
)

// Backend is Azure as a [provider.Provider]. Its methods may be called concurrently; copies of it are not allowed.
type Backend struct {
	options    Options
	credential azcore.TokenCredential
	endpoint   endpoint
	cache      *cache
	zones      zoneCache

	mu        sync.Mutex
	factories map[string]*armnetwork.ClientFactory // by subscription in lower case
	scaleSets map[string]ScaleSetClient            // likewise
}

var _ provider.RatedProvider = (*Backend)(nil)

// The name under which requests of azlb itself (not of the SDK's network client) go in the User-Agent.
const (
	moduleName    = "github.com/azlb/azlb"
	moduleVersion = "v0.0.0"
)

// New returns a backend that signs in with cred. Scale sets with pools of network interfaces, the default of AKS, are served with o.ScaleSets
// only; without it each Service that needs them is held, with an error.
//
// New touches no network. Its error says that cred is missing, or that o.Cloud names no Resource Manager or none that has an address.
func New(cred azcore.TokenCredential, o *Options) (*Backend, error) {
	if cred == nil {
		return nil, errors.New("azure: a credential is needed")
	}
	b := &Backend{options: o.withDefaults(), credential: cred, factories: map[string]*armnetwork.ClientFactory{}, scaleSets: map[string]ScaleSetClient{}}
	if (b.options.NetworkCredential == nil) != (b.options.NetworkSubscription == "") {
		return nil, errors.New("azure: NetworkCredential and NetworkSubscription go together")
	}
	b.cache = newCache(b.options.Clock, b.options.MaxAge)
	c, err := b.client("")
	if err != nil {
		return nil, err
	}
	if b.endpoint, err = newEndpoint(c.Endpoint()); err != nil {
		return nil, err
	}
	b.options.Transport = newTransport(b.endpoint, b.options.Transport)
	return b, nil
}

// Rates returns what the requests of b keep to.
func (b *Backend) Rates() *provider.Rates { return b.options.Rates }

// credentialFor returns what signs in for a subscription.
func (b *Backend) credentialFor(subscription string) azcore.TokenCredential {
	if b.options.NetworkCredential != nil && strings.EqualFold(subscription, b.options.NetworkSubscription) {
		return b.options.NetworkCredential
	}
	return b.credential
}

// client returns azcore's client for what the SDK's network client does not have.
func (b *Backend) client(subscription string) (*arm.Client, error) {
	return arm.NewClient(moduleName, moduleVersion, b.credentialFor(subscription), b.clientOptions())
}

// factory returns the maker of the network clients of a subscription.
func (b *Backend) factory(subscription string) (*armnetwork.ClientFactory, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := strings.ToLower(subscription)
	if f := b.factories[key]; f != nil {
		return f, nil
	}
	f, err := armnetwork.NewClientFactory(subscription, b.credentialFor(subscription), b.clientOptions())
	if err == nil {
		b.factories[key] = f
	}
	return f, err
}

// clientOptions sets up the pipeline: first of all nothing to another host; our retries instead of azcore's, since those wait in real time;
// bodies as they are; a record per request. Resource providers are not registered on the fly: that is a write nobody planned.
func (b *Backend) clientOptions() *armpolicy.ClientOptions {
	o := &b.options
	return &armpolicy.ClientOptions{
		DisableRPRegistration: true,
		ClientOptions: policy.ClientOptions{
			Cloud: o.Cloud, Transport: o.Transport, TracingProvider: o.Tracing,
			InsecureAllowCredentialWithHTTP: o.PlainHTTP,
			Retry:                           policy.RetryOptions{MaxRetries: -1},
			Telemetry:                       policy.TelemetryOptions{ApplicationID: "azlb"},
			PerCallPolicies:                 []policy.Policy{b.endpoint, rawPolicy{}, retryPolicy{o}},
			PerRetryPolicies:                []policy.Policy{recordPolicy{o}},
		},
	}
}
