package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/lb"
)

const frontendID = lb.ID("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/loadBalancers/kubernetes/frontendIPConfigurations/a1")

// Every code with the status it comes with. What the table of the package says is repeated here on purpose: a kind that changes decides
// over storms and stand-stills.
var codes = []struct {
	code   string
	status int
	kind   ErrorKind
}{
	{"SubscriptionRequestsThrottled", 429, Retry},
	{"TooManyRequests", 429, Retry},
	{"ResourceRequestsThrottled", 429, Retry},
	{"OperationNotAllowed", 429, Retry},
	{"RetryableError", 429, Retry},
	{"RetryableErrorDueToAnotherOperation", 429, Retry},
	{"ReferencedResourceNotProvisioned", 429, Dependency},
	{"InternalServerError", 200, Retry},
	{"GatewayError", 429, Retry},
	{"AnotherOperationInProgress", 409, Retry},
	{"ConflictingConcurrentWriteNotAllowed", 409, Replan},
	{"Canceled", 200, Replan},
	{"CanceledAndSupersededDueToAnotherOperation", 200, Replan},
	{"PreconditionFailed", 412, Replan},
	{"PreconditionFailedEtagMismatch", 412, Replan},
	{"OperationPreempted", 200, Replan},
	{"PublicIPCountLimitReached", 400, Terminal},
	{"StaticPublicIPCountLimitReached", 400, Terminal},
	{"IPv4BasicSkuPublicIpCountLimitReached", 400, Terminal},
	{"LoadBalancerRuleCountLimitReachedForNic", 400, Terminal},
	{"MaxAvailabilitySetsInLoadBalancerReached", 400, Terminal},
	{"SecurityRuleCountLimitReached", 400, Terminal},
	{"MaxNumberOfSecurityRulesPerNsgReached", 400, Terminal},
	{"SecurityRuleAddressesOrPortsPerSecurityGroupLimitReached", 400, Terminal},
	{"LoadBalancingRulesCountLimitReached", 400, Terminal},
	{"PrivateIPAddressInUse", 400, Terminal},
	{"PrivateIPAddressIsAllocated", 400, Terminal},
	{"PublicIPAddressVersionCannotBeChanged", 400, Terminal},
	{"MultipleIpConfigsRequestSamePrivateIpAddress", 400, Terminal},
	{"PublicIPAddressCannotBeDeleted", 400, Dependency},
	{"DnsRecordInUse", 400, Terminal},
	{"InUseSubnetCannotBeDeleted", 400, Dependency},
	{"NetworkInterfaceAndInternalLoadBalancerMustUseSameVnet", 400, Terminal},
	{"AtleastOneIpV4RequiredForIpV6LbFrontendIpConfiguration", 400, Terminal},
	{"SubnetIsFull", 400, Terminal},
	{"PrivateIPAddressNotInSubnet", 400, Terminal},
	{"PrivateIPAddressInReservedRange", 400, Terminal},
	{"PublicIPAddressInUse", 400, Terminal},
	{"RulesUseSameBackendPortProtocolAndPool", 400, Terminal},
	{"RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndIPConfig", 400, Terminal},
	{"RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndVmssIPConfig", 400, Terminal},
	{"AnotherInternalLoadBalancerExists", 400, Terminal},
	{"VMScaleSetCannotUseMultipleLoadBalancersOfSameType", 400, Terminal},
	{"DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed", 400, Terminal},
	{"DifferentSkuLoadBalancerAndPublicIPAddressNotAllowedInVMSS", 400, Terminal},
	{"VMScaleSetCannotReferenceLoadbalancerWhenLargeScaleOrCrossAZ", 400, Terminal},
	{"NetworkInterfaceAndLoadBalancerAreInDifferentAvailabilitySets", 400, Terminal},
	{"CannotUseInactiveHealthProbe", 400, Terminal},
	{"LoadBalancerInUseByVirtualMachineScaleSet", 400, Dependency},
	{"LoadBalancerWithoutFrontendIPCantHaveChildResources", 400, Terminal},
	{"CannotMixIPBasedAddressesAndIPConfigurationsOnLoadBalancerBackendAddressPool", 400, Replan},
	{"PrivateLinkServiceIsNotSupportedForIPBasedLoadBalancer", 400, Terminal},
	{"SecurityRuleConflict", 400, Replan},
	{"InvalidTagValueLength", 400, Terminal},
	{"ResourceNotFound", 404, Replan},
	{"NotFound", 404, Replan},
	{"ParentResourceNotFound", 404, Replan},
	{"ResourceGroupNotFound", 404, Terminal},
	{"AuthorizationFailed", 403, Terminal},
	{"LinkedAuthorizationFailed", 403, Terminal},
	{"ScopeLocked", 409, Terminal},
	{"RequestDisallowedByPolicy", 403, Terminal},
}

func TestEveryCode(t *testing.T) {
	tested := map[string]bool{}
	for _, c := range codes {
		tested[c.code] = true
		t.Run(c.code, func(t *testing.T) {
			// As ARM nests them: an outer code that says less, or nothing.
			detail := map[string]any{"code": c.code, "message": "Frontend " + string(frontendID) + " cannot be. It can be retried in 7 seconds."}
			body := encode(t, map[string]any{"error": map[string]any{"code": "InvalidRequest", "message": "No.", "details": []any{detail}}})
			e := ParseError(c.status, http.Header{"Retry-After": {"3"}}, body)
			if e.Remedy == "" {
				t.Error("no remedy")
			}
			if e.Op != nil || e.Err == nil {
				t.Errorf("Op %v, Err %v: want none and one", e.Op, e.Err)
			}
			e.Remedy, e.Err = "", nil
			want := &OpError{
				Kind: c.kind, Code: c.code, Status: c.status, SubResource: frontendID, Named: []lb.ID{frontendID}, RetryAfter: 7 * time.Second,
			}
			if d := cmp.Diff(want, e); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
	for _, a := range answers {
		if !tested[a.code] {
			t.Errorf("%s is in the table and in no test", a.code)
		}
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestUnknownCode(t *testing.T) {
	for status, want := range map[int]ErrorKind{
		0: Unknown, 200: Terminal, 400: Terminal, 401: Terminal, 403: Terminal, 404: Terminal, 408: Retry, 409: Replan, 412: Replan, 422: Terminal,
		429: Retry, 500: Retry, 502: Retry, 503: Retry, 504: Retry,
	} {
		for _, code := range []string{"", "SomethingNew"} {
			if kind, remedy := Classify(status, code); kind != want || remedy == "" {
				t.Errorf("Classify(%d, %q) = %v, %q, want %v and a remedy", status, code, kind, remedy, want)
			}
		}
	}
	if kind, _ := Classify(409, "OperationNotAllowed"); kind != Replan {
		t.Errorf("OperationNotAllowed with 409 = %v, want what the status says", kind)
	}
	if kind, _ := Classify(400, "privateipaddressinuse"); kind != Terminal {
		t.Errorf("a code in lower case = %v, want terminal", kind)
	}
}

func TestParseErrorBodies(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		kind   ErrorKind
		code   string
		text   string
	}{
		{"empty", 503, ``, Retry, "", "HTTP 503 Service Unavailable"},
		{"page of a proxy", 502, `<html>Bad Gateway</html>`, Retry, "", "HTTP 502 Bad Gateway"},
		{"error at the top", 409, `{"code":"ScopeLocked","message":"Locked."}`, Terminal, "ScopeLocked", "Locked."},
		{
			"end of an operation", 200, `{"status":"Failed","error":{"code":"Canceled","message":"Cancelled.","details":[
			{"code":"CanceledAndSupersededDueToAnotherOperation","message":"Superseded."}]}}`, Replan,
			"CanceledAndSupersededDueToAnotherOperation", "Cancelled.: Superseded.",
		},
		{"unknown end of an operation", 200, `{"status":"Failed","error":{"code":"Odd","message":"Odd."}}`, Terminal, "Odd", "Odd."},
		{
			"unknown inside known", 429, `{"error":{"code":"RetryableError","message":"Busy.","details":[{"code":"Odd","message":"Odd."}]}}`, Retry,
			"RetryableError", "Busy.: Odd.",
		},
		{"throttled by a provider", 429, `{"error":{"code":"OperationNotAllowed","message":"No.","details":[{"code":"TooManyRequests",
			"target":"PutLoadBalancer","message":"{}"}]}}`, Retry, "TooManyRequests", "No.: {}"},
		{"dependency inside retry", 429, `{"error":{"code":"RetryableError","message":"x","details":[{"code":"ReferencedResourceNotProvisioned",
			"message":"x"}]}}`, Dependency, "ReferencedResourceNotProvisioned", "x"},
		{
			"preempted, by its text", 200, `{"error":{"code":"Odd","message":"The operation was preempted by a more recent operation."}}`, Replan,
			"Odd", "The operation was preempted by a more recent operation.",
		},
		{
			"endpoint connections, by their text", 400, `{"error":{"code":"Odd","message":"Private link service p has private endpoint connections."}}`,
			Dependency, "Odd", "Private link service p has private endpoint connections.",
		},
		{
			"stack trace", 500, `{"error":{"code":"InternalServerError","message":"Oh.\r\n   at Frontend.Do() in c:\\x.cs"}}`, Retry,
			"InternalServerError", "Oh.",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := ParseError(tt.status, nil, []byte(tt.body))
			if e.Kind != tt.kind || e.Code != tt.code || e.Err.Error() != tt.text {
				t.Errorf("got %v, %q, %q\nwant %v, %q, %q", e.Kind, e.Code, e.Err, tt.kind, tt.code, tt.text)
			}
		})
	}
}

func TestParseErrorNames(t *testing.T) {
	pip := "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/publicIPAddresses/p"
	body := fmt.Sprintf(`{"error":{"code":"A","message":"The load balancer '%s' no.","details":[
		{"code":"B","target":"%s","message":"Address (%s) is used by %s."}]}}`, frontendID.Top(), frontendID, pip, frontendID)
	e := ParseError(400, nil, []byte(body))
	want := []lb.ID{frontendID, lb.ID(pip), frontendID.Top()}
	if d := cmp.Diff(want, e.Named); d != "" {
		t.Errorf("Named (-want +got):\n%s", d)
	}
	if e.SubResource != frontendID {
		t.Errorf("SubResource = %s, want the frontend", e.SubResource)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header http.Header
		want   time.Duration
	}{
		{"none", nil, 0},
		{"seconds", http.Header{"Retry-After": {"120"}}, 2 * time.Minute},
		{"milliseconds", http.Header{"Retry-After-Ms": {"1500"}}, 1500 * time.Millisecond},
		{"milliseconds of Microsoft", http.Header{"X-Ms-Retry-After-Ms": {"250"}}, 250 * time.Millisecond},
		{"the longest of them", http.Header{"Retry-After": {"1"}, "Retry-After-Ms": {"1500"}, "X-Ms-Retry-After-Ms": {"900"}}, 1500 * time.Millisecond},
		{"date", http.Header{"Retry-After": {"Mon, 02 Jan 2006 15:04:35 GMT"}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"}}, 30 * time.Second},
		{"date gone by", http.Header{"Retry-After": {"Mon, 02 Jan 2006 15:04:05 GMT"}, "Date": {"Mon, 02 Jan 2006 15:04:35 GMT"}}, 0},
		{"negative", http.Header{"Retry-After": {"-5"}}, 0},
		{"two days", http.Header{"Retry-After": {"172800"}}, 48 * time.Hour},
		{"a date in two days", http.Header{"Retry-After": {"Wed, 04 Jan 2006 15:04:05 GMT"}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"}}, 48 * time.Hour},
		{"a month in milliseconds", http.Header{"X-Ms-Retry-After-Ms": {"2592000000"}}, 30 * 24 * time.Hour},
		{"beyond belief", http.Header{"Retry-After": {"1e300"}}, 24 * time.Hour},
		{"no number", http.Header{"Retry-After": {"soon"}}, 0},
		{"NaN", http.Header{"Retry-After": {"NaN"}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ParseError(429, tt.header, nil).RetryAfter; got != tt.want {
				t.Errorf("RetryAfter = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRetryAfterInText(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"can be retried in 14 seconds": 14 * time.Second, "can be retried in 1 second": time.Second, "can be retried in 2592000 seconds": 30 * 24 * time.Hour,
	} {
		body := `{"error":{"code":"RetryableError","message":"` + text + `"}}`
		if got := ParseError(429, nil, []byte(body)).RetryAfter; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func FuzzParseError(f *testing.F) {
	f.Add(429, "5", []byte(`{"error":{"code":"RetryableError","message":"retried in 3 seconds","details":[{"code":"GatewayError"}]}}`))
	f.Add(400, "Mon, 02 Jan 2006 15:04:05 GMT", []byte(`{"error":{"message":"/subscriptions/a/resourceGroups/b/providers/c/d/e."}}`))
	f.Add(200, "", []byte(`{"error":[]}`))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		e := ParseError(status, http.Header{"Retry-After": {after}}, body)
		if e.Kind == 0 || e.Remedy == "" || e.Err == nil || e.RetryAfter < 0 || e.Error() == "" {
			t.Errorf("incomplete: %+v", e)
		}
	})
}
