package azure_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

const (
	retry      = provider.Retry
	replan     = provider.Replan
	dependency = provider.Dependency
	terminal   = provider.Terminal
)

// codes are ARM's error codes with the status they come with, in the order of the manual.
var codes = []struct {
	code   string
	status int
	kind   provider.ErrorKind
}{
	{"SubscriptionRequestsThrottled", 429, retry},
	{"TooManyRequests", 429, retry},
	{"ResourceRequestsThrottled", 429, retry},
	{"OperationNotAllowed", 429, retry},
	{"RetryableError", 429, retry},
	{"RetryableErrorDueToAnotherOperation", 429, retry},
	{"ReferencedResourceNotProvisioned", 429, dependency},
	{"InternalServerError", 500, retry},
	{"GatewayError", 429, retry},
	{"AnotherOperationInProgress", 409, retry},
	{"ConflictingConcurrentWriteNotAllowed", 409, replan},
	{"Canceled", 409, replan},
	{"CanceledAndSupersededDueToAnotherOperation", 409, replan},
	{"PreconditionFailed", 412, replan},
	{"PreconditionFailedEtagMismatch", 412, replan},
	{"PublicIPCountLimitReached", 400, terminal},
	{"StaticPublicIPCountLimitReached", 400, terminal},
	{"IPv4BasicSkuPublicIpCountLimitReached", 400, terminal},
	{"LoadBalancerRuleCountLimitReachedForNic", 400, terminal},
	{"MaxAvailabilitySetsInLoadBalancerReached", 400, terminal},
	{"SecurityRuleCountLimitReached", 400, terminal},
	{"SecurityRuleAddressesOrPortsPerSecurityGroupLimitReached", 400, terminal},
	{"LoadBalancingRulesCountLimitReached", 400, terminal},
	{"MaxNumberOfSecurityRulesPerNsgReached", 400, terminal},
	{"PrivateIPAddressInUse", 400, terminal},
	{"PrivateIPAddressIsAllocated", 400, terminal},
	{"PublicIPAddressVersionCannotBeChanged", 400, terminal},
	{"MultipleIpConfigsRequestSamePrivateIpAddress", 400, terminal},
	{"PublicIPAddressCannotBeDeleted", 400, dependency},
	{"DnsRecordInUse", 400, terminal},
	{"InUseSubnetCannotBeDeleted", 400, dependency},
	{"NetworkInterfaceAndInternalLoadBalancerMustUseSameVnet", 400, terminal},
	{"AtleastOneIpV4RequiredForIpV6LbFrontendIpConfiguration", 400, terminal},
	{"SubnetIsFull", 400, terminal},
	{"PrivateIPAddressNotInSubnet", 400, terminal},
	{"PrivateIPAddressInReservedRange", 400, terminal},
	{"PublicIPAddressInUse", 400, terminal},
	{"RulesUseSameBackendPortProtocolAndPool", 400, terminal},
	{"RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndIPConfig", 400, terminal},
	{"RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndVmssIPConfig", 400, terminal},
	{"AnotherInternalLoadBalancerExists", 400, terminal},
	{"VMScaleSetCannotUseMultipleLoadBalancersOfSameType", 400, terminal},
	{"DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed", 400, terminal},
	{"DifferentSkuLoadBalancerAndPublicIPAddressNotAllowedInVMSS", 400, terminal},
	{"VMScaleSetCannotReferenceLoadbalancerWhenLargeScaleOrCrossAZ", 400, terminal},
	{"NetworkInterfaceAndLoadBalancerAreInDifferentAvailabilitySets", 400, terminal},
	{"CannotMixIPBasedAddressesAndIPConfigurationsOnLoadBalancerBackendAddressPool", 400, replan},
	{"CannotUseInactiveHealthProbe", 400, terminal},
	{"LoadBalancerInUseByVirtualMachineScaleSet", 400, dependency},
	{"LoadBalancerWithoutFrontendIPCantHaveChildResources", 400, terminal},
	{"SecurityRuleConflict", 400, replan},
	{"ResourceNotFound", 404, replan},
	{"NotFound", 404, replan},
	{"ParentResourceNotFound", 404, replan},
	{"ResourceGroupNotFound", 404, terminal},
	{"AuthorizationFailed", 403, terminal},
	{"LinkedAuthorizationFailed", 403, terminal},
	{"ScopeLocked", 409, terminal},
	{"RequestDisallowedByPolicy", 403, terminal},
}

var atFault = in(armid.LoadBalancers, "kubernetes").Child(armid.FrontendIPConfigurations, "a1")

// armError is an error as ARM nests them.
func armError(t *testing.T, code string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"status": "Failed", "error": map[string]any{
		"code": "InvalidRequest", "message": "No.",
		"details": []any{map[string]any{"code": code, "message": "Frontend " + string(atFault) + " cannot be. It can be retried in 90 seconds."}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestEveryCode sends each code twice: as a refusal, and as the end of a long-running operation, which has status 200.
func TestEveryCode(t *testing.T) {
	for _, c := range codes {
		t.Run(c.code, func(t *testing.T) {
			a := newARM(t)
			a.answer = func(r *http.Request) *http.Response {
				if r.Method != http.MethodPut {
					return nil
				}
				resp := reply(c.status, armError(t, c.code))
				resp.Header.Set("Retry-After", "5")
				return resp
			}
			checkError(t, failed(t, a.backend(t, azure.Options{}), create), c.code, c.status, c.kind)

			a = newARM(t)
			a.polls, a.answer = 0, ending(armError(t, c.code))
			kind := c.kind
			if c.code == "OperationNotAllowed" {
				kind = terminal // it says nothing, and neither does status 200
			}
			checkError(t, failed(t, a.backend(t, azure.Options{}), create), c.code, http.StatusOK, kind)
		})
	}
}

func checkError(t *testing.T, got *provider.OpError, code string, status int, kind provider.ErrorKind) {
	t.Helper()
	if got.Remedy == "" || got.Err == nil {
		t.Errorf("remedy %q, cause %v: want both", got.Remedy, got.Err)
	}
	bare := *got
	bare.Op, bare.Err, bare.Remedy = nil, nil, ""
	want := provider.OpError{
		Kind: kind, Code: code, Status: status, SubResource: atFault, Named: []lb.ID{atFault}, RetryAfter: 90 * time.Second,
	}
	if d := cmp.Diff(want, bare); d != "" {
		t.Errorf("status %d (-want +got):\n%s", status, d)
	}
}

// TestUnknownCodes pins what is left to the status.
func TestUnknownCodes(t *testing.T) {
	for status, kind := range map[int]provider.ErrorKind{
		400: terminal, 401: terminal, 403: terminal, 404: terminal, 422: terminal, 409: replan, 412: replan, 408: retry, 429: retry,
		500: retry, 502: retry, 503: retry, 504: retry,
	} {
		for _, body := range []string{armError(t, "NobodyKnows"), "", "<html>gateway</html>"} {
			a := newARM(t)
			a.answer = func(r *http.Request) *http.Response {
				if r.Method != http.MethodPut {
					return nil
				}
				return reply(status, body)
			}
			if e := failed(t, a.backend(t, azure.Options{}), create); e.Kind != kind || e.Status != status || e.Remedy == "" {
				t.Errorf("status %d, body %.20q: %+v, want kind %v", status, body, e, kind)
			}
			if n := a.count(http.MethodPut); n != 1 {
				t.Errorf("status %d: %d PUTs, want 1", status, n)
			}
		}
	}
}

var update = flag.Bool("update", false, "rewrite the table of docs/azure.md")

// TestManual keeps the table of error codes in the manual as it is in code.
func TestManual(t *testing.T) {
	const file, from, to = "../../docs/azure.md", "<!-- codes: go test ./provider/azure -run Manual -update -->\n", "<!-- end of codes -->\n"
	var table strings.Builder
	table.WriteString(from + "\n| code | HTTP | kind | what to do |\n| --- | --- | --- | --- |\n")
	for _, c := range codes {
		kind, remedy := provider.Classify(c.status, c.code)
		fmt.Fprintf(&table, "| `%s` | %d | %s | %s |\n", c.code, c.status, kind, remedy)
	}
	table.WriteString("\n" + to)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), from)
	_, after, closed := strings.Cut(rest, to)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", file)
	}
	want := before + table.String() + after
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(want, string(text)); d != "" {
		t.Errorf("run with -update (-want +got):\n%s", d)
	}
}
