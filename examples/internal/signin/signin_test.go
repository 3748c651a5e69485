package signin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider/azure"
)

func TestEnvironment(t *testing.T) {
	answer := `[{"authentication": {"loginEndpoint": "https://login.example/", "audiences": ["https://arm.example"]}}]`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	defer server.Close()
	for _, c := range []struct {
		name    string
		account account
		want    string // authority, or part of the error
	}{
		{"public by default", account{}, "https://login.microsoftonline.com/"},
		{"in any case", account{Cloud: "AZUREUSGOVERNMENTCLOUD"}, "https://login.microsoftonline.us/"},
		{"China", account{Cloud: "AzureChinaCloud"}, "https://login.chinacloudapi.cn/"},
		{"unknown", account{Cloud: "AzureStackCloud"}, "set resourceManagerEndpoint"},
		{"discovered", account{Cloud: "AzureStackCloud", ResourceManagerEndpoint: server.URL + "/"}, "https://login.example"},
		{"without TLS elsewhere", account{ResourceManagerEndpoint: "http://arm.example"}, "want https"},
	} {
		env, err := c.account.environment()
		got := env.config.ActiveDirectoryAuthorityHost
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCredential(t *testing.T) {
	public, err := account{}.environment()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		account account
		want    string // part of the error; empty for none
	}{
		{"client secret", account{ClientID: "c", ClientSecret: "s"}, ""},
		{"AKS writes msi for id and secret", account{UseManagedIdentityExtension: true, ClientID: "msi", ClientSecret: "msi"}, ""},
		{"managed identity by id", account{UseManagedIdentityExtension: true, UserAssignedIdentityID: "/subscriptions/s/x"}, ""},
		{"workload identity", account{UseWorkloadIdentity: true, ClientID: "c", FederatedTokenFile: "token"}, ""},
		{"default chain", account{}, ""},
		{"secret without client", account{ClientSecret: "s"}, "aadClientId"},
		{"certificate that is not there", account{ClientID: "c", ClientCertPath: "none.pem"}, "aadClientCertPath"},
	} {
		cred, err := c.account.credential(public, "00000000-0000-4000-8000-00000000000a")
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if (cred == nil) != (err != nil) {
			t.Errorf("%s: credential %v beside error %v", c.name, cred, err)
		}
	}
}

// TestNetworkTenant: another tenant for the network needs a subscription and a credential of its own.
func TestNetworkTenant(t *testing.T) {
	a := account{TenantID: "t", ClientID: "c", ClientSecret: "s", NetworkResourceTenantID: "other"}
	if _, err := a.backend(lb.Cluster{Subscription: "s", NetworkSubscription: "n"}, &azure.Options{}); err != nil {
		t.Error(err)
	}
}
