package provider

import (
	"net/http"
	"strings"
)

// answer is what one error code of ARM means to whoever sent the request.
type answer struct {
	code   string
	kind   ErrorKind // zero: the code says nothing, the HTTP status decides
	remedy string
}

// answers has every error code that azlb knows, by subject.
var answers = []answer{
	// Throttling, locks, concurrency.
	{
		"SubscriptionRequestsThrottled", Retry,
		"the subscription's request limit is used up; wait, and slow down every client of the subscription",
	},
	{"TooManyRequests", Retry, "the limit of one resource provider is used up; wait for the time in the answer"},
	{"ResourceRequestsThrottled", Retry, "the limit of one resource provider is used up; wait for the time in the answer"},
	{"OperationNotAllowed", 0, "the detail names the limit or the state of the resource that is in the way"},
	{"RetryableError", Retry, "wait and send the same again"},
	{"RetryableErrorDueToAnotherOperation", Retry, "another operation holds the resource; wait until it is done"},
	{
		"ReferencedResourceNotProvisioned", Dependency,
		"something that is referred to (interface, address, subnet, security group) is being changed or has failed; wait, or write it once unchanged",
	},
	{"InternalServerError", Retry, "a fault inside Azure; wait and send the same again"},
	{"GatewayError", Retry, "a fault inside the network provider; wait and send the same again"},
	{"AnotherOperationInProgress", Retry, "another operation changes the resource; wait until it is done"},
	{"ConflictingConcurrentWriteNotAllowed", Replan, "somebody else writes the same resource; read it again and plan again"},
	{"Canceled", Replan, "the operation was cancelled before it was done; read the resource again and plan again"},
	{
		"CanceledAndSupersededDueToAnotherOperation", Replan,
		"a newer write of the same resource replaced this one; read it again and plan again, and look for a second writer if it goes on",
	},
	{"PreconditionFailed", Replan, "somebody else changed the resource since it was read; read it again and plan again"},
	{"PreconditionFailedEtagMismatch", Replan, "somebody else changed the resource since it was read; read it again and plan again"},
	{"OperationPreempted", Replan, "a newer operation on the scale set replaced this one; read again and plan again"},

	// Quotas and structural limits.
	{"PublicIPCountLimitReached", Terminal, "free public IPs, share one between Services, or have the quota of the subscription raised"},
	{
		"StaticPublicIPCountLimitReached", Terminal,
		"free static public IPs, share one between Services, or have the quota of the subscription raised",
	},
	{"IPv4BasicSkuPublicIpCountLimitReached", Terminal, "public IPs of SKU Basic are used up or retired; use SKU Standard"},
	{
		"LoadBalancerRuleCountLimitReachedForNic", Terminal,
		"too many rules reach one network interface; use fewer ports, HA ports, or another load balancer with a pool of its own",
	},
	{
		"MaxAvailabilitySetsInLoadBalancerReached", Terminal,
		"too many availability sets in the pools; group the machines, or use pools of IP addresses",
	},
	{"SecurityRuleCountLimitReached", Terminal, "the security group is full; merge or remove rules"},
	{"MaxNumberOfSecurityRulesPerNsgReached", Terminal, "the security group is full; merge or remove rules"},
	{
		"SecurityRuleAddressesOrPortsPerSecurityGroupLimitReached", Terminal,
		"the rules of the security group have too many sources or destinations, which blocks every write of it; merge prefixes",
	},
	{
		"LoadBalancingRulesCountLimitReached", Terminal,
		"the load balancer has too many rules; use fewer ports or Services, or another load balancer",
	},

	// Addresses and subnets.
	{"PrivateIPAddressInUse", Terminal, "the private address is taken by another interface, frontend or NAT address; choose another one"},
	{
		"PrivateIPAddressIsAllocated", Terminal,
		"the private address is taken by another interface, frontend or NAT address; choose another one",
	},
	{"PublicIPAddressVersionCannotBeChanged", Terminal, "the public IP has the other family; name one of the right family"},
	{
		"MultipleIpConfigsRequestSamePrivateIpAddress", Terminal,
		"two frontends ask for one private address; let their Services share one frontend",
	},
	{"PublicIPAddressCannotBeDeleted", Dependency, "the public IP is still attached; remove the frontend or interface that has it first"},
	{"DnsRecordInUse", Terminal, "the DNS label is taken in this region; choose another one"},
	{"InUseSubnetCannotBeDeleted", Dependency, "the subnet still has members; remove them first"},
	{
		"NetworkInterfaceAndInternalLoadBalancerMustUseSameVnet", Terminal,
		"the subnet is in another virtual network than the nodes; name one of theirs",
	},
	{
		"AtleastOneIpV4RequiredForIpV6LbFrontendIpConfiguration", Terminal,
		"a load balancer cannot have IPv6 frontends only; keep one of IPv4",
	},
	{"SubnetIsFull", Terminal, "the subnet has no free address; use a larger one"},
	{
		"PrivateIPAddressNotInSubnet", Terminal,
		"the private address is outside of the subnet; choose one inside, or name the subnet it is in",
	},
	{"PrivateIPAddressInReservedRange", Terminal, "Azure keeps the first four addresses of a subnet and the last; choose another one"},
	{"PublicIPAddressInUse", Terminal, "the public IP is attached to something else; name another one"},

	// Rules, SKUs, references.
	{
		"RulesUseSameBackendPortProtocolAndPool", Terminal,
		"without floating IP, rules of one pool need different backend ports; change the port, or switch floating IP on",
	},
	{
		"RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndIPConfig", Terminal,
		"without floating IP, rules of load balancers of one kind need different backend ports; change the port, or switch floating IP on",
	},
	{
		"RulesOfSameLoadBalancerTypeUseSameBackendPortProtocolAndVmssIPConfig", Terminal,
		"without floating IP, rules of load balancers of one kind need different backend ports; change the port, or switch floating IP on",
	},
	{
		"AnotherInternalLoadBalancerExists", Terminal,
		"machines can be in one internal load balancer only; use that one, or pools of IP addresses",
	},
	{
		"VMScaleSetCannotUseMultipleLoadBalancersOfSameType", Terminal,
		"a scale set can be in one public and one internal load balancer only; use those, or pools of IP addresses",
	},
	{
		"DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed", Terminal,
		"load balancer and public IP differ in SKU; use a Standard public IP",
	},
	{
		"DifferentSkuLoadBalancerAndPublicIPAddressNotAllowedInVMSS", Terminal,
		"load balancer and public IPs of the scale set differ in SKU; use Standard",
	},
	{
		"VMScaleSetCannotReferenceLoadbalancerWhenLargeScaleOrCrossAZ", Terminal,
		"a large or zone-spanning scale set needs a Standard load balancer",
	},
	{
		"NetworkInterfaceAndLoadBalancerAreInDifferentAvailabilitySets", Terminal,
		"a Basic load balancer serves one availability set; use Standard",
	},
	{"CannotUseInactiveHealthProbe", Terminal, "the scale set's health probe is used by no rule; keep one rule with that probe"},
	{
		"LoadBalancerInUseByVirtualMachineScaleSet", Dependency,
		"a scale set still names a pool of the load balancer; set azure.Options.ScaleSets, or take it out of the scale set first",
	},
	{
		"LoadBalancerWithoutFrontendIPCantHaveChildResources", Terminal,
		"the last frontend cannot go while rules, probes or pools stay; delete the load balancer",
	},
	{
		"CannotMixIPBasedAddressesAndIPConfigurationsOnLoadBalancerBackendAddressPool", Replan,
		"a pool has either addresses or network interfaces; read again and plan again, so that one kind leaves before the other comes",
	},
	{"PrivateLinkServiceIsNotSupportedForIPBasedLoadBalancer", Terminal, "a private link service needs pools of network interfaces"},
	{"SecurityRuleConflict", Replan, "another rule has this priority by now; read the security group again and plan again"},
	{"InvalidTagValueLength", Terminal, "a tag value is longer than 256 characters; shorten it"},
	{"ResourceNotFound", Replan, "the resource is gone or not there yet; read again and plan again"},
	{"NotFound", Replan, "the resource is gone or not there yet; read again and plan again"},
	{"ParentResourceNotFound", Replan, "the resource is gone or not there yet; read again and plan again"},
	{"ResourceGroupNotFound", Terminal, "the resource group does not exist; create it, or name another one"},

	// Permissions and policies.
	{
		"AuthorizationFailed", Terminal,
		"grant the identity the action on the scope that the message names; a new grant takes minutes to act",
	},
	{
		"LinkedAuthorizationFailed", Terminal,
		"grant the identity the join action on the subnet, public IP or prefix that the message names; a new grant takes minutes to act",
	},
	{"ScopeLocked", Terminal, "a lock protects the resource; remove the lock"},
	{"RequestDisallowedByPolicy", Terminal, "an Azure Policy forbids this; change the policy or exempt the resource"},
}

// Classify says what can be done about an answer of ARM with this HTTP status and error code; both its kind and, in words, the remedy. The
// code is compared without regard to case. An unknown or empty code leaves it to the status: throttling and faults of the server are
// retried, conflicts planned again, everything else, an error inside an answer with status 200 included, is terminal. Status 0 stands for
// no answer at all and gives [Unknown].
func Classify(status int, code string) (ErrorKind, string) {
	known, _ := answerTo(code)
	if known.kind != 0 {
		return known.kind, known.remedy
	}
	kind, remedy := classifyStatus(status)
	if known.remedy != "" {
		remedy = known.remedy
	}
	return kind, remedy
}

func answerTo(code string) (answer, bool) {
	for _, a := range answers {
		if strings.EqualFold(a.code, code) {
			return a, true
		}
	}
	return answer{}, false
}

func classifyStatus(status int) (ErrorKind, string) {
	switch {
	case status == 0:
		return Unknown, "there was no answer; read again to see whether the write happened"
	case status == http.StatusTooManyRequests:
		return Retry, "too many requests; wait for the time in the answer"
	case status == http.StatusRequestTimeout, status >= 500:
		return Retry, "a fault of the service; wait and send the same again"
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		return Replan, "the resource is not as it was read; read again and plan again"
	case status == http.StatusUnauthorized:
		return Terminal, "the credential is not accepted; check tenant and client of the identity"
	case status == http.StatusForbidden:
		return Terminal, "not allowed; check roles, policies and locks of the scope"
	case status == http.StatusNotFound:
		return Terminal, "not found; check names and subscription"
	default:
		return Terminal, "the request is not accepted as it is; see the message"
	}
}
