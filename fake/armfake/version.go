package armfake

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/azlb/azlb/provider"
)

var versionPattern = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}(-[a-z]+)?$`)

// networkVersions are the api-versions of Microsoft.Network. Those of other namespaces are not checked.
var networkVersions = strings.Fields(`
	2015-06-15 2016-03-30 2016-06-01 2016-07-01 2016-08-01 2016-09-01 2016-10-01 2016-11-01 2016-12-01
	2017-03-01 2017-03-30 2017-04-01 2017-06-01 2017-08-01 2017-09-01 2017-10-01 2017-11-01
	2018-01-01 2018-02-01 2018-03-01 2018-04-01 2018-05-01 2018-06-01 2018-07-01 2018-08-01 2018-10-01 2018-11-01 2018-12-01
	2019-02-01 2019-04-01 2019-06-01 2019-07-01 2019-08-01 2019-09-01 2019-11-01 2019-12-01
	2020-01-01 2020-03-01 2020-04-01 2020-05-01 2020-06-01 2020-07-01 2020-08-01 2020-11-01
	2021-01-01 2021-02-01 2021-03-01 2021-05-01 2021-06-01 2021-08-01 2021-12-01
	2022-01-01 2022-05-01 2022-07-01 2022-09-01 2022-11-01
	2023-02-01 2023-04-01 2023-05-01 2023-06-01 2023-09-01 2023-11-01
	2024-01-01 2024-03-01 2024-05-01 2024-07-01 2024-10-01 2025-01-01 2025-03-01 2025-05-01`)

// admit refuses requests without a token or without an api-version that there is.
func (s *Server) admit(q *request) *provider.OpError {
	scheme, token, _ := strings.Cut(q.Header.Get("Authorization"), " ")
	if !s.options.Anonymous && (!strings.EqualFold(scheme, "Bearer") || token == "") {
		return refuse(http.StatusUnauthorized, "AuthenticationFailed",
			"Authentication failed. The 'Authorization' header is missing or is not a bearer token.")
	}
	version := q.version()
	switch {
	case version == "":
		return refuse(http.StatusBadRequest, "MissingApiVersionParameter",
			"The api-version query parameter (?api-version=) is required for all requests.")
	case !versionPattern.MatchString(version):
		return refuse(http.StatusBadRequest, "InvalidApiVersionParameter",
			"The api-version '%s' is invalid. The supported versions are '%s'.", version, strings.Join(networkVersions, ","))
	}
	if _, typ, ok := q.target(); ok && strings.HasPrefix(typ, "Microsoft.Network/") && !slices.Contains(networkVersions, version) {
		return refuse(http.StatusBadRequest, "NoRegisteredProviderFound", "No registered resource provider found for API version '%s' and "+
			"type '%s'. The supported api-versions are '%s'.", version, typ, strings.Join(networkVersions, ", "))
	}
	return nil
}
