package armfake

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/azlb/azlb/internal/armwire"
)

// tenant is the one directory that there is.
const tenant = "00000000-0000-4000-8000-00000000a21b"

// signIn answers what clients ask for before they have a token: which endpoints there are, how to sign in, and the token. It returns nil
// for all else. No fault strikes here, and the journal has none of it.
func (s *Server) signIn(q *request) *reply {
	path := strings.ToLower(q.path)
	switch {
	case path == "/metadata/endpoints":
		return endpoints(q)
	case path == "/metadata/identity/oauth2/token", strings.HasSuffix(path, "/oauth2/token"), strings.HasSuffix(path, "/oauth2/v2.0/token"):
		return s.token(q)
	case strings.HasSuffix(path, "/.well-known/openid-configuration"):
		return discovery(q)
	case strings.HasSuffix(path, "/discovery/instance"):
		return instance(q)
	default:
		return nil
	}
}

// endpoints answers in the three forms that there have been: one object, a list of clouds, one cloud.
func endpoints(q *request) *reply {
	authentication := armwire.Object{
		"loginEndpoint": q.base, "audiences": []string{q.base, "https://management.azure.com/"},
		"tenant": tenant, "identityProvider": "AAD",
	}
	cloud := armwire.Object{
		"name": "azlb-fake", "resourceManager": q.base, "authentication": authentication, "portal": q.base, "gallery": q.base,
		"graph": q.base, "graphAudience": q.base, "microsoftGraphResourceId": q.base, "batch": q.base, "media": q.base,
		"activeDirectoryDataLake": q.base, "sqlManagement": q.base, "vmImageAliasDoc": q.base,
		"suffixes": armwire.Object{"storage": "core.invalid", "keyVaultDns": "vault.invalid", "acrLoginServer": "azurecr.invalid"},
	}
	switch version := q.version(); {
	case version == "":
		return refusal(refuse(http.StatusBadRequest, "MissingApiVersionParameter",
			"The api-version query parameter (?api-version=) is required for all requests."))
	case version < "2018":
		return says(http.StatusOK, armwire.Object{
			"galleryEndpoint": q.base, "graphEndpoint": q.base, "portalEndpoint": q.base, "authentication": authentication,
		})
	case version < "2022":
		return says(http.StatusOK, []armwire.Object{cloud})
	default:
		return says(http.StatusOK, cloud)
	}
}

// authority is the part of the path before what is asked of it.
func (q *request) authority() string { return q.base + "/" + q.segment(0) }

func discovery(q *request) *reply {
	at := q.authority()
	return says(http.StatusOK, armwire.Object{
		"issuer": at + "/v2.0", "authorization_endpoint": at + "/oauth2/v2.0/authorize", "token_endpoint": at + "/oauth2/v2.0/token",
		"device_authorization_endpoint": at + "/oauth2/v2.0/devicecode", "jwks_uri": at + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		"response_types_supported":              []string{"code", "id_token", "token"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func instance(q *request) *reply {
	_, host, _ := strings.Cut(q.base, "://")
	return says(http.StatusOK, armwire.Object{
		"api-version": "1.1", "tenant_discovery_endpoint": q.base + "/" + tenant + "/v2.0/.well-known/openid-configuration",
		"metadata": []armwire.Object{{"preferred_network": host, "preferred_cache": host, "aliases": []string{host}}},
	})
}

// token gives a token to everybody. Numbers are strings in the older form and from the instance metadata service.
func (s *Server) token(q *request) *reply {
	const seconds = 3600
	if strings.HasSuffix(strings.ToLower(q.path), "/oauth2/v2.0/token") {
		return says(http.StatusOK, armwire.Object{
			"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": "fake-" + s.name(),
		})
	}
	// MSI clients and the older form count from the real time: tokens live in their world.
	expires := time.Now().Add(seconds * time.Second).Unix()
	return says(http.StatusOK, armwire.Object{
		"token_type": "Bearer", "expires_in": strconv.Itoa(seconds), "ext_expires_in": strconv.Itoa(seconds),
		"expires_on": strconv.FormatInt(expires, 10), "access_token": "fake-" + s.name(), "resource": q.query.Get("resource"),
	})
}
