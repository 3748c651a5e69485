package annotations

import (
	"strconv"
	"strings"
)

// The keys that azlb reads, complete with their prefix. [Keys] says what each means.
const (
	KeyInternal       = Prefix + "azure-load-balancer-internal"
	KeySubnet         = Prefix + "azure-load-balancer-internal-subnet"
	KeyIPv4           = Prefix + "azure-load-balancer-ipv4"
	KeyIPv6           = Prefix + "azure-load-balancer-ipv6"
	KeyMode           = Prefix + "azure-load-balancer-mode"
	KeyConfigurations = Prefix + "azure-load-balancer-configurations"

	KeyPIPName             = Prefix + "azure-pip-name"
	KeyPIPNameIPv6         = Prefix + "azure-pip-name-ipv6"
	KeyPIPPrefix           = Prefix + "azure-pip-prefix-id"
	KeyPIPPrefixIPv6       = Prefix + "azure-pip-prefix-id-ipv6"
	KeyResourceGroup       = Prefix + "azure-load-balancer-resource-group"
	KeyDNSLabel            = Prefix + "azure-dns-label-name"
	KeyPIPTags             = Prefix + "azure-pip-tags"
	KeyPIPIPTags           = Prefix + "azure-pip-ip-tags"
	KeyAdditionalPublicIPs = Prefix + "azure-additional-public-ips"

	KeyIdleTimeout       = Prefix + "azure-load-balancer-tcp-idle-timeout"
	KeyHAPorts           = Prefix + "azure-load-balancer-enable-high-availability-ports"
	KeyDisableTCPReset   = Prefix + "azure-load-balancer-disable-tcp-reset"
	KeyDisableFloatingIP = Prefix + "azure-disable-load-balancer-floating-ip"

	KeyProbeProtocol  = Prefix + "azure-load-balancer-health-probe-protocol"
	KeyProbePath      = Prefix + "azure-load-balancer-health-probe-request-path"
	KeyProbeInterval  = Prefix + "azure-load-balancer-health-probe-interval"
	KeyProbeThreshold = Prefix + "azure-load-balancer-health-probe-num-of-probe"

	KeyAllowedServiceTags = Prefix + "azure-allowed-service-tags"
	KeyAllowedIPRanges    = Prefix + "azure-allowed-ip-ranges"
	KeySourceRanges       = Prefix + "load-balancer-source-ranges"
	KeyDenyAll            = Prefix + "azure-deny-all-except-load-balancer-source-ranges"
	KeyDisableNSGRule     = Prefix + "azure-disable-load-balancer-nsg-rule"
	KeySharedSecurityRule = Prefix + "azure-shared-securityrule"

	KeyPLSCreate        = Prefix + "azure-pls-create"
	KeyPLSName          = Prefix + "azure-pls-name"
	KeyPLSResourceGroup = Prefix + "azure-pls-resource-group"
	KeyPLSSubnet        = Prefix + "azure-pls-ip-configuration-subnet"
	KeyPLSCount         = Prefix + "azure-pls-ip-configuration-ip-address-count"
	KeyPLSAddresses     = Prefix + "azure-pls-ip-configuration-ip-address"
	KeyPLSFQDNs         = Prefix + "azure-pls-fqdns"
	KeyPLSProxyProtocol = Prefix + "azure-pls-proxy-protocol"
	KeyPLSVisibility    = Prefix + "azure-pls-visibility"
	KeyPLSAutoApproval  = Prefix + "azure-pls-auto-approval"
)

// The keys of one service port; [PortKey] puts in the port's number.
const (
	KeyPortNoRule         = Prefix + "port_{n}_no_lb_rule"
	KeyPortNoProbe        = Prefix + "port_{n}_no_probe_rule"
	KeyPortProbeProtocol  = Prefix + "port_{n}_health-probe_protocol"
	KeyPortProbePort      = Prefix + "port_{n}_health-probe_port"
	KeyPortProbeInterval  = Prefix + "port_{n}_health-probe_interval"
	KeyPortProbeThreshold = Prefix + "port_{n}_health-probe_num-of-probe"
	KeyPortProbePath      = Prefix + "port_{n}_health-probe_request-path"
)

// PortKey returns the key of the service port n: one of the constants whose name starts with KeyPort, with the number put in.
func PortKey(key string, n int32) string { return strings.Replace(key, "{n}", strconv.Itoa(int(n)), 1) }
