package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// credential returns what signs in to a tenant, in upstream's order: workload identity, managed identity, client secret, certificate; with
// none of them in azure.json, azidentity's default chain (environment, workload identity, managed identity, Azure CLI).
func (a account) credential(env environment, tenant string) (azcore.TokenCredential, error) {
	if strings.EqualFold(a.IdentitySystem, "adfs") {
		tenant = "adfs"
	}
	client := azcore.ClientOptions{Cloud: env.config}
	switch {
	case a.UseWorkloadIdentity:
		return checked(azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: client, ClientID: a.ClientID, TenantID: tenant, TokenFilePath: a.FederatedTokenFile, DisableInstanceDiscovery: env.private,
		}))
	case a.UseManagedIdentityExtension:
		options := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: client}
		switch id := a.UserAssignedIdentityID; {
		case strings.HasPrefix(strings.ToLower(id), "/subscriptions/"):
			options.ID = azidentity.ResourceID(id)
		case id != "":
			options.ID = azidentity.ClientID(id)
		}
		return checked(azidentity.NewManagedIdentityCredential(options))
	case a.ClientSecret != "":
		return a.secret(env, tenant, client)
	case a.ClientCertPath != "":
		return a.certificate(env, tenant, client)
	default:
		return checked(azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
			ClientOptions: client, TenantID: tenant, DisableInstanceDiscovery: env.private,
		}))
	}
}

// checked keeps a nil pointer from becoming a credential.
func checked[T azcore.TokenCredential](cred T, err error) (azcore.TokenCredential, error) {
	if err != nil {
		return nil, err
	}
	return cred, nil
}

func (a account) secret(env environment, tenant string, client azcore.ClientOptions) (azcore.TokenCredential, error) {
	if tenant == "" || a.ClientID == "" {
		return nil, errors.New("aadClientSecret needs tenantId and aadClientId")
	}
	if strings.HasPrefix(env.config.ActiveDirectoryAuthorityHost, "http://") {
		if !env.plain {
			return nil, errors.New("the authority is without TLS; no secret is sent there")
		}
		return newPlainCredential(env, tenant, a.ClientID, a.ClientSecret)
	}
	return checked(azidentity.NewClientSecretCredential(tenant, a.ClientID, a.ClientSecret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: client, DisableInstanceDiscovery: env.private,
	}))
}

func (a account) certificate(env environment, tenant string, client azcore.ClientOptions) (azcore.TokenCredential, error) {
	data, err := os.ReadFile(a.ClientCertPath)
	if err != nil {
		return nil, fmt.Errorf("aadClientCertPath: %w", err)
	}
	certs, key, err := azidentity.ParseCertificates(data, []byte(a.ClientCertPassword))
	if err != nil {
		return nil, fmt.Errorf("aadClientCertPath: %w", err)
	}
	return checked(azidentity.NewClientCertificateCredential(tenant, a.ClientID, certs, key, &azidentity.ClientCertificateCredentialOptions{
		ClientOptions: client, DisableInstanceDiscovery: env.private,
	}))
}

// plainCredential gets tokens by client secret from an authority on this machine without TLS, such as that of azlb serve; azidentity
// refuses those. The SDK keeps tokens until shortly before they expire.
type plainCredential struct {
	url  string
	form url.Values
}

func newPlainCredential(env environment, tenant, client, secret string) (*plainCredential, error) {
	authority, err := url.Parse(env.config.ActiveDirectoryAuthorityHost)
	if err != nil || !Loopback(authority.Hostname()) {
		return nil, errors.New("the authority is without TLS and not on this machine; no secret is sent there")
	}
	return &plainCredential{
		url:  strings.TrimRight(authority.String(), "/") + "/" + url.PathEscape(tenant) + "/oauth2/v2.0/token",
		form: url.Values{"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret}},
	}, nil
}

// GetToken asks for a token.
func (c *plainCredential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	form := url.Values{"scope": {strings.Join(o.Scopes, " ")}}
	for k, v := range c.form {
		form[k] = v
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(form.Encode()))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		Token       string      `json:"access_token"`
		ExpiresIn   json.Number `json:"expires_in"`
		Description string      `json:"error_description"`
	}
	err = json.NewDecoder(resp.Body).Decode(&answer)
	if resp.StatusCode != http.StatusOK {
		return azcore.AccessToken{}, fmt.Errorf("%s: %s %s", c.url, resp.Status, answer.Description)
	}
	if err != nil || answer.Token == "" {
		return azcore.AccessToken{}, fmt.Errorf("%s: no token in the answer", c.url)
	}
	seconds, err := answer.ExpiresIn.Int64()
	if err != nil {
		seconds = 300
	}
	return azcore.AccessToken{Token: answer.Token, ExpiresOn: time.Now().Add(time.Duration(seconds) * time.Second)}, nil
}
