// Package signin opens the Azure that an azure.json names: its endpoints, and whoever signs in there, as the upstream cloud provider reads
// them.
package signin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/azure/vmss"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// account is what azure.json says about signing in and about the endpoints of Azure. encoding/json matches keys without regard to case, as
// upstream does.
type account struct {
	Cloud                       string `json:"cloud"`
	ResourceManagerEndpoint     string `json:"resourceManagerEndpoint"`
	TenantID                    string `json:"tenantId"`
	NetworkResourceTenantID     string `json:"networkResourceTenantID"`
	IdentitySystem              string `json:"identitySystem"`
	ClientID                    string `json:"aadClientId"`
	ClientSecret                string `json:"aadClientSecret"`
	ClientCertPath              string `json:"aadClientCertPath"`
	ClientCertPassword          string `json:"aadClientCertPassword"`
	UseManagedIdentityExtension bool   `json:"useManagedIdentityExtension"`
	UserAssignedIdentityID      string `json:"userAssignedIdentityID"`
	UseWorkloadIdentity         bool   `json:"useFederatedWorkloadIdentityExtension"`
	FederatedTokenFile          string `json:"aadFederatedTokenFile"`
}

// Open returns the Azure of a cluster, with the endpoints and the credential that its azure.json names. It asks nobody for a token yet. The
// options that follow from azure.json are set in o, which may be nil, and scale sets are served unless o says how.
func Open(cluster lb.Cluster, config []byte, o *azure.Options) (*azure.Backend, error) {
	var a account
	text, err := utilyaml.ToJSON(config)
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		return nil, fmt.Errorf("azure.json: %s", safetext.Reason(err, text, 1))
	}
	var opts azure.Options
	if o != nil {
		opts = *o
	}
	return a.backend(cluster, &opts)
}

// budgets are the values of a flag --arm-budget.
var budgets = map[string]provider.Budget{
	"recommended": provider.RecommendedBudget(), "documented": provider.DocumentedBudget(), "unlimited": {},
}

// BudgetUsage describes a flag --arm-budget, whose default is recommended.
const BudgetUsage = "how much may be asked of Azure: recommended (leaves room for others who sign in as the same principal), documented (all " +
	"that Azure allows) or unlimited"

// OpenFile is [Open] for programs that take --cloud-config, --cluster-name and --arm-budget, which its errors name. o's rates and region are
// set.
func OpenFile(path, clusterName, budget string, o azure.Options) (*azure.Backend, lb.Cluster, error) {
	limits, ok := budgets[budget]
	if !ok {
		return nil, lb.Cluster{}, fmt.Errorf("--arm-budget %q: want recommended, documented or unlimited", budget)
	}
	config, err := os.ReadFile(path)
	if err != nil {
		return nil, lb.Cluster{}, fmt.Errorf("--cloud-config: %w", err)
	}
	cluster, err := lb.ParseCluster(config, clusterName)
	if err != nil {
		return nil, lb.Cluster{}, fmt.Errorf("--cloud-config %s: %w", path, err)
	}
	o.Rates, o.Region = provider.NewRates(limits), cluster.Location
	backend, err := Open(cluster, config, &o)
	if err != nil {
		return nil, lb.Cluster{}, fmt.Errorf("--cloud-config %s: %w", path, err)
	}
	return backend, cluster, nil
}

// backend signs in, which asks nobody yet, and sets the options that follow from azure.json.
func (a account) backend(cluster lb.Cluster, o *azure.Options) (*azure.Backend, error) {
	env, err := a.environment()
	if err != nil {
		return nil, err
	}
	o.Cloud, o.PlainHTTP = env.config, env.plain
	if o.ScaleSets == nil {
		o.ScaleSets = vmss.Clients{} // they are what an azure.json is most often about
	}
	if env.local {
		o.PollInterval = localPolls
	}
	cred, err := a.credential(env, a.TenantID)
	if err != nil {
		return nil, err
	}
	if a.NetworkResourceTenantID != "" && !strings.EqualFold(a.NetworkResourceTenantID, a.TenantID) {
		o.NetworkSubscription = cluster.NetworkSubscription
		if o.NetworkCredential, err = a.credential(env, a.NetworkResourceTenantID); err != nil {
			return nil, err
		}
	}
	return azure.New(cred, o)
}

// environment is where Resource Manager is and who gives tokens for it.
type environment struct {
	config  cloud.Configuration
	private bool // the authority is not one of Microsoft's
	local   bool // on this machine: a test
	plain   bool // without TLS; on this machine only
}

// localPolls is the wait between polls of an endpoint on this machine.
const localPolls = 100 * time.Millisecond

// environment finds the endpoints: of the named cloud, or by asking the Resource Manager that azure.json names.
func (a account) environment() (environment, error) {
	if a.ResourceManagerEndpoint != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		return discover(ctx, a.ResourceManagerEndpoint)
	}
	switch strings.ToLower(a.Cloud) {
	case "", "azurecloud", "azurepubliccloud":
		return environment{config: cloud.AzurePublic}, nil
	case "azureusgovernment", "azureusgovernmentcloud":
		return environment{config: cloud.AzureGovernment}, nil
	case "azurechinacloud":
		return environment{config: cloud.AzureChina}, nil
	default:
		return environment{}, fmt.Errorf("cloud: %q: want AzurePublicCloud, AzureUSGovernmentCloud or AzureChinaCloud, "+
			"or set resourceManagerEndpoint", a.Cloud)
	}
}

// discover asks a Resource Manager who gives tokens for it.
func discover(ctx context.Context, endpoint string) (environment, error) {
	endpoint = strings.TrimRight(endpoint, "/")
	u, err := url.Parse(endpoint)
	if err != nil {
		return environment{}, fmt.Errorf("resourceManagerEndpoint: %w", err)
	}
	local := Loopback(u.Hostname())
	plain := u.Scheme == "http" && local
	if u.Scheme != "https" && !plain {
		return environment{}, fmt.Errorf("resourceManagerEndpoint: %q: want https, or http on this machine", endpoint)
	}
	meta, err := metadata(ctx, endpoint)
	if err != nil {
		return environment{}, fmt.Errorf("resourceManagerEndpoint: %w", err)
	}
	login := strings.TrimRight(meta.Authentication.LoginEndpoint, "/")
	if login == "" || len(meta.Authentication.Audiences) == 0 {
		return environment{}, fmt.Errorf("resourceManagerEndpoint: %s/metadata/endpoints names no login endpoint or no audience", endpoint)
	}
	return environment{
		config: cloud.Configuration{
			ActiveDirectoryAuthorityHost: login,
			Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
				cloud.ResourceManager: {Endpoint: endpoint, Audience: meta.Authentication.Audiences[0]},
			},
		},
		private: !microsoft(login), local: local, plain: plain,
	}, nil
}

// endpoints is the answer of {endpoint}/metadata/endpoints, as far as it matters.
type endpoints struct {
	Authentication struct {
		LoginEndpoint string   `json:"loginEndpoint"`
		Audiences     []string `json:"audiences"`
	} `json:"authentication"`
}

func metadata(ctx context.Context, endpoint string) (endpoints, error) {
	var e endpoints
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/metadata/endpoints?api-version=2015-01-01", nil)
	if err != nil {
		return e, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return e, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return e, fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	var raw json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
		return e, fmt.Errorf("%s: the answer is not JSON", req.URL)
	}
	// Newer ones list several clouds, their own first.
	var list []endpoints
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return list[0], nil
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, fmt.Errorf("%s: %s", req.URL, safetext.Reason(err, raw, 1))
	}
	return e, nil
}

// Loopback reports whether a host name or address leads to this machine only.
func Loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// microsoft reports whether an authority is one that Microsoft's instance discovery knows.
func microsoft(login string) bool {
	for _, c := range []cloud.Configuration{cloud.AzurePublic, cloud.AzureGovernment, cloud.AzureChina} {
		if strings.EqualFold(strings.TrimRight(c.ActiveDirectoryAuthorityHost, "/"), login) {
			return true
		}
	}
	return false
}

var _ azcore.TokenCredential = (*plainCredential)(nil)
