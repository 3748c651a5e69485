package annotations

import "strings"

// Texts that several rows share.
const (
	docLayer4  = "Azure Load Balancer passes TCP and UDP through; what ended on the load balancer has to move to the pods, an ingress or a gateway"
	docGroups  = "who may reach the Service was said by groups, whose contents are not here; say it with source ranges"
	docLogs    = "Azure has metrics, and flow logs that are set on the network instead of on a Service"
	docDrain   = "a node that is found down gets no new connections, and those it has go on without a timer"
	docProbe   = "AWS asks with its default of 10 seconds, Azure with 5"
	seconds5   = "seconds, 5 at least; with the threshold below 120"
	toMinutes  = "seconds / 60, rounded up, 4 to 100 minutes"
	docAddress = "ids of AWS mean nothing on Azure, and there is one address per family instead of one per zone"
)

var awsRegistry = []AWSKey{
	// Kind, scheme, placement.
	{
		Name: awsPrefix + "type", Case: "nlb, external", Verdict: Native, Severity: SeverityInfo,
		Does: "chooses the kind of load balancer", Doc: "there is one kind",
	},
	{
		Name: awsPrefix + "type", Case: "nlb-ip", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "chooses a network load balancer that leads to pods", Doc: "the backends are nodes, so there is a hop more, and the pods must be reachable through node ports",
	},
	{
		Name: awsPrefix + "nlb-target-type", Case: "instance", Reader: AWSController, Verdict: Native, Severity: SeverityInfo,
		Does: "leads to nodes", Doc: "the backends are nodes anyway",
	},
	{
		Name: awsPrefix + "nlb-target-type", Case: "ip", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "leads to pods", Doc: "the backends are nodes, so there is a hop more, and the pods must be reachable through node ports",
	},
	{
		Name: awsPrefix + "scheme", Case: "internal", Reader: AWSController, Verdict: Exact, Severity: SeverityError, read: (*translator).readScheme,
		Does: "keeps the load balancer inside the network", Becomes: short(KeyInternal) + `: "true"`,
	},
	{
		Name: awsPrefix + "scheme", Case: "internet-facing", Reader: AWSController, Verdict: Exact, Severity: SeverityInfo, read: (*translator).readScheme,
		Does: "makes the load balancer public", Becomes: short(KeyInternal) + `: "false"`,
		Doc: "public is what a Service is without the key, too; written so that it stays said",
	},
	{
		Name: awsPrefix + "scheme", Reader: AWSController, Verdict: Exact, Severity: SeverityError, read: (*translator).readScheme,
		Does: "is nothing that AWS takes", Becomes: short(KeyInternal) + `: "true"`, Doc: "what cannot be read is taken for internal",
	},
	{
		Name: awsPrefix + "internal", Verdict: Exact, Severity: SeverityError, read: (*translator).readInternal,
		Does: "keeps the load balancer inside the network", Becomes: short(KeyInternal),
		Conversion: "for the cloud provider every value but false and nothing means true; for the controller what Go reads as a boolean, and what it does not is taken for true here",
		Doc:        "scheme wins over it for the controller",
	},
	{
		Name: awsPrefix + "name", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "names the load balancer", Doc: "the load balancer is shared by many Services",
	},
	{
		Name: awsPrefix + "subnets", Verdict: Input, Severity: SeverityWarning, read: (*translator).readSubnets,
		Does: "places the load balancer in subnets, one per zone", Becomes: short(KeySubnet),
		Doc: "a subnet of Azure spans the zones, so one is named, and for internal Services only",
	},
	{
		Name: awsPrefix + "target-node-labels", Verdict: None, Severity: SeverityWarning,
		Does: "picks the nodes that are backends", Doc: "a node is taken out for all Services by a label of its own, or put behind one of several load balancers by the configuration",
	},
	{
		Name: awsPrefix + "multi-cluster-target-group", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "shares the backends with other clusters", Doc: "a load balancer has the nodes of its cluster alone",
	},

	// Addresses.
	{
		Name: awsPrefix + "ip-address-type", Case: "ipv4", Reader: AWSController, Verdict: Native, Severity: SeverityInfo, read: (*translator).readIPv4,
		Does: "gives the load balancer IPv4 addresses alone", Becomes: "spec.ipFamilyPolicy: SingleStack, spec.ipFamilies: [IPv4]",
	},
	{
		Name: awsPrefix + "ip-address-type", Case: "dualstack", Reader: AWSController, Verdict: Lossy, Severity: SeverityWarning, read: (*translator).readDual,
		Does: "gives the load balancer addresses of both families", Becomes: "spec.ipFamilyPolicy: PreferDualStack, both in spec.ipFamilies",
		Doc: "the Service and the nodes must have both families, not the front alone",
	},
	{
		Name: awsPrefix + "eip-allocations", Verdict: Input, Severity: SeverityWarning, read: (*translator).readEIP,
		Does: "gives the load balancer elastic IP addresses", Becomes: short(KeyPIPName) + ", for IPv6 " + short(KeyPIPNameIPv6), Doc: docAddress,
	},
	{
		Name: awsPrefix + "private-ipv4-addresses", Reader: AWSController, Verdict: Input, Severity: SeverityWarning, read: (*translator).readPrivateIPv4,
		Does: "pins the private addresses, one per subnet", Becomes: short(KeyIPv4), Doc: "one address, free and in the subnet of Azure",
	},
	{
		Name: awsPrefix + "ipv6-addresses", Reader: AWSController, Verdict: Input, Severity: SeverityWarning, read: (*translator).readIPv6Addresses,
		Does: "pins the IPv6 addresses, one per subnet", Becomes: short(KeyIPv6), Doc: "one address: free and in the subnet of Azure, or that of a public IP",
	},
	{
		Name: awsPrefix + "enable-prefix-for-ipv6-source-nat", Reader: AWSController, Verdict: None, Severity: SeverityInfo,
		Does: "translates the sources of UDP over IPv6", Doc: "sources are not translated, so there is nothing to configure",
	},
	{
		Name: awsPrefix + "source-nat-ipv6-prefixes", Reader: AWSController, Verdict: None, Severity: SeverityInfo,
		Does: "gives the prefixes that sources are translated to", Doc: "sources are not translated, so there is nothing to configure",
	},

	// Access control.
	{
		Name: KeySourceRanges, Verdict: Exact, Severity: SeverityInfo,
		Does: "lists the sources that may reach the Service", Becomes: short(KeySourceRanges),
		Conversion: "host bits, which AWS ignores, become zero",
		Doc:        "left out where spec.loadBalancerSourceRanges is there, which AWS reads alone and with which Azure refuses it",
	},
	{
		Name: awsPrefix + "security-group-prefix-lists", Reader: AWSController, Verdict: Input, Severity: SeverityWarning, read: (*translator).readGroups,
		Does: "lets the addresses of prefix lists in", Becomes: short(KeyAllowedServiceTags) + " or " + short(KeyAllowedIPRanges),
		Doc: "lists of Azure are called service tags and have other contents; spec.loadBalancerSourceRanges does not go together with them",
	},
	{
		Name: awsPrefix + "security-groups", Verdict: None, Severity: SeverityError, read: (*translator).readGroups,
		Does: "leaves it to security groups who may reach the Service", Doc: docGroups,
	},
	{
		Name: awsPrefix + "extra-security-groups", Verdict: None, Severity: SeverityError, read: (*translator).readExtraGroups,
		Does: "adds security groups to that of the load balancer", Doc: "who these groups let in besides is not let in here; the source ranges alone decide",
	},
	{
		Name: awsPrefix + "manage-backend-security-group-rules", Case: "false", Reader: AWSController, Verdict: Lossy, Severity: SeverityWarning, read: (*translator).readUnmanaged,
		Does: "leaves the rules of the nodes to somebody else", Becomes: short(KeyDisableNSGRule) + `: "true"`,
		Doc: "all security rules of the Service become somebody else's task; without azlb, only recent versions of the Azure provider read the key",
		fits: func(v string) bool {
			b, ok := awsBool(v)
			return ok && !b
		},
	},
	{
		Name: awsPrefix + "manage-backend-security-group-rules", Reader: AWSController, Verdict: Native, Severity: SeverityInfo,
		Does: "writes the rules of the nodes", Doc: "security rules are written anyway",
	},
	{
		Name: awsPrefix + "disable-nlb-sg", Case: "true", Reader: AWSController, Verdict: Lossy, Severity: SeverityWarning, read: (*translator).readUnmanaged,
		Does: "gives the load balancer no security group", Becomes: short(KeyDisableNSGRule) + `: "true"`,
		Doc: "all security rules of the Service become somebody else's task; without azlb, only recent versions of the Azure provider read the key",
		fits: func(v string) bool {
			b, ok := awsBool(v)
			return ok && b
		},
	},
	{
		Name: awsPrefix + "disable-nlb-sg", Reader: AWSController, Verdict: Native, Severity: SeverityInfo,
		Does: "gives the load balancer a security group", Doc: "security rules are written anyway",
	},
	{
		Name: awsPrefix + "inbound-sg-rules-on-private-link-traffic", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "says whether security groups hold for clients of private links", Doc: "security rules see the NAT addresses of a private link service, not its clients",
	},
	{
		Name: awsPrefix + "enable-icmp-for-path-mtu-discovery", Reader: AWSController, Verdict: None, Severity: SeverityInfo,
		Does: "lets ICMP through for path MTU discovery", Doc: "load-balancing rules are for TCP and UDP alone",
	},

	// Health checks.
	{
		Name: awsPrefix + "healthcheck-protocol", Case: "tcp, http, https", Verdict: Exact, Severity: SeverityWarning, read: (*translator).readProbeProtocol,
		Does: "sets the protocol of the health checks", Becomes: short(KeyPortProbeProtocol) + ", for every port",
		Doc: "the key for all ports would come after spec.ports[].appProtocol, which AWS does not look at",
	},
	{
		Name: awsPrefix + "healthcheck-port", Case: "traffic-port", Verdict: Exact, Severity: SeverityInfo,
		Does: "checks the port that traffic goes to", Becomes: "left out", Doc: "each port is probed at its own node port",
	},
	{
		Name: awsPrefix + "healthcheck-port", Case: "a number", Verdict: Lossy, Severity: SeverityWarning, read: (*translator).readProbePort,
		Does: "checks one port of the nodes", Becomes: short(KeyPortProbePort) + ", for every port",
		Doc: "a number that a port of the Service has too means the node port of that one", fits: isPortNumber,
	},
	{
		Name: awsPrefix + "healthcheck-port", Case: "the name of a port", Verdict: Exact, Severity: SeverityWarning, read: (*translator).readProbePort,
		Does: "checks one port of the Service", Becomes: short(KeyPortProbePort) + ", for every port",
		Doc: "both mean the node port of the one with that name", fits: func(v string) bool { return v != "" && strings.Trim(v, "0123456789") != "" },
	},
	{
		Name: awsPrefix + "healthcheck-path", Verdict: Exact, Severity: SeverityWarning, read: (*translator).readProbePath,
		Does: "sets the path that HTTP and HTTPS checks ask for", Becomes: short(KeyPortProbePath) + ", for every port",
	},
	{
		Name: awsPrefix + "healthcheck-interval", Verdict: Exact, Severity: SeverityWarning, read: (*translator).readProbeInterval,
		Does: "sets the time between two health checks", Becomes: short(KeyProbeInterval), Conversion: seconds5, Doc: docProbe,
	},
	{
		Name: awsPrefix + "healthcheck-unhealthy-threshold", Verdict: Lossy, Severity: SeverityWarning, read: (*translator).readUnhealthy,
		Does: "sets how many failures mean down", Becomes: short(KeyProbeThreshold), Conversion: "2 at least; times the interval below 120",
		Doc: "one number serves both directions",
	},
	{
		Name: awsPrefix + "healthcheck-healthy-threshold", Verdict: Lossy, Severity: SeverityWarning, read: (*translator).readHealthy,
		Does: "sets how many successes mean up", Becomes: short(KeyProbeThreshold), Conversion: "that of failures is taken, which keeps the time to failure",
		Doc: "one number serves both directions",
	},
	{
		Name: awsPrefix + "healthcheck-timeout", Verdict: None, Severity: SeverityWarning, read: (*translator).readProbeTimeout,
		Does: "sets how long a health check may take", Doc: "fixed on Azure: TCP until the next probe, HTTP and HTTPS the interval but 30 seconds at most",
	},
	{
		Name: awsPrefix + "healthcheck-success-codes", Reader: AWSController, Verdict: None, Severity: SeverityError, read: (*translator).readSuccessCodes,
		Does: "sets which HTTP statuses mean up", Doc: "status 200 alone means up",
	},

	// Timeouts, draining, stickiness, attributes.
	{
		Name: awsPrefix + "connection-idle-timeout", Reader: AWSClassic, Verdict: Lossy, Severity: SeverityWarning, read: (*translator).readIdle,
		Does: "sets when idle connections end", Becomes: short(KeyIdleTimeout), Conversion: toMinutes,
	},
	{
		Name: awsPrefix + "listener-attributes.{protocol}-{n}", Case: "tcp.idle_timeout.seconds", Reader: AWSController, Verdict: Lossy, Severity: SeverityWarning,
		read: (*translator).readIdle,
		Does: "sets when idle connections of one port end", Becomes: short(KeyIdleTimeout), Conversion: toMinutes + "; the largest of all ports, where one without counts as 350 seconds",
		Doc: "the timeout of a Service is one for all ports",
	},
	{
		Name: awsPrefix + "connection-draining-enabled", Reader: AWSClassic, Verdict: None, Severity: SeverityWarning,
		Does: "lets connections of a leaving node end", Doc: docDrain,
	},
	{
		Name: awsPrefix + "connection-draining-timeout", Reader: AWSClassic, Verdict: None, Severity: SeverityWarning,
		Does: "sets how long connections of a leaving node last", Doc: docDrain,
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "deregistration_delay.*", Verdict: None, Severity: SeverityWarning,
		Does: "sets how long connections of a leaving node last", Doc: docDrain,
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "target_health_state.*", Verdict: None, Severity: SeverityWarning,
		Does: "ends connections of a node that is down", Doc: docDrain,
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "stickiness.enabled=true", Verdict: Exact, Severity: SeverityWarning, read: (*translator).readSticky,
		Does: "keeps a client with its backend", Becomes: "spec.sessionAffinity: ClientIP", Doc: "the nodes keep a client with its pod, too",
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "stickiness.enabled", Verdict: Native, Severity: SeverityInfo,
		Does: "does not keep a client with its backend", Doc: "so does a Service without session affinity",
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "stickiness.type=source_ip", Verdict: Exact, Severity: SeverityInfo,
		Does: "knows a client by its address", Becomes: "spec.sessionAffinity: ClientIP, with stickiness.enabled=true", Doc: "a client is known by its address anyway",
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "stickiness.*", Verdict: None, Severity: SeverityWarning,
		Does: "knows a client in another way than by its address", Doc: "a client is known by its address alone",
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "preserve_client_ip.enabled=true", Verdict: Native, Severity: SeverityInfo,
		Does: "shows the client's address to the node", Doc: "the node sees it anyway; externalTrafficPolicy: Local keeps it as far as the pod",
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "preserve_client_ip.enabled", Verdict: None, Severity: SeverityWarning, read: (*translator).lose,
		Does: "hides the client's address from the node", Doc: "the node always sees it; a pod that reaches itself through an internal load balancer may get no answer",
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "proxy_protocol_v2.enabled=true", Verdict: None, Severity: SeverityError,
		Does: "sends a PROXY protocol header", Becomes: short(KeyPLSCreate) + " with " + short(KeyPLSProxyProtocol) + ", for private links alone",
		Doc: "backends that wait for the header refuse connections without it; the client's address is preserved all the same, so turn it off there",
	},
	{
		Name: awsPrefix + "target-group-attributes", Case: "proxy_protocol_v2.enabled", Verdict: Native, Severity: SeverityInfo,
		Does: "sends no PROXY protocol header", Doc: "none is sent",
	},
	{
		Name: awsPrefix + "proxy-protocol", Verdict: None, Severity: SeverityError,
		Does: "sends a PROXY protocol header", Becomes: short(KeyPLSCreate) + " with " + short(KeyPLSProxyProtocol) + ", for private links alone",
		Doc: "backends that wait for the header refuse connections without it; the client's address is preserved all the same, so turn it off there",
	},
	{
		Name: awsPrefix + "proxy-protocol-per-target-group", Reader: AWSController, Verdict: None, Severity: SeverityError,
		Does: "sends a PROXY protocol header to some ports", Doc: "backends that wait for the header refuse connections without it; turn it off there",
	},
	{
		Name: awsPrefix + "attributes", Case: "load_balancing.cross_zone.enabled=true", Reader: AWSController, Verdict: Native, Severity: SeverityInfo,
		Does: "spreads traffic over all zones", Doc: "a backend pool has the nodes of all zones alike",
	},
	{
		Name: awsPrefix + "attributes", Case: "load_balancing.cross_zone.enabled", Reader: AWSController, Verdict: None, Severity: SeverityWarning, read: (*translator).lose,
		Does: "keeps traffic in its zone", Doc: "a backend pool has the nodes of all zones alike",
	},
	{
		Name: awsPrefix + "attributes", Case: "access_logs.s3.*", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "logs connections", Doc: docLogs,
	},
	{
		Name: awsPrefix + "attributes", Case: "deletion_protection.enabled", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "protects the load balancer from deletion", Doc: "a lock of Azure would keep ordinary updates from removing things, too",
	},
	{
		Name: awsPrefix + "attributes", Case: "dns_record.client_routing_policy", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "prefers addresses of the client's zone", Doc: "there is one address, for all zones",
	},
	{
		Name: awsPrefix + "cross-zone-load-balancing-enabled", Case: "true", Verdict: Native, Severity: SeverityInfo,
		Does: "spreads traffic over all zones", Doc: "a backend pool has the nodes of all zones alike",
	},
	{
		Name: awsPrefix + "cross-zone-load-balancing-enabled", Verdict: None, Severity: SeverityWarning, read: (*translator).lose,
		Does: "keeps traffic in its zone", Doc: "a backend pool has the nodes of all zones alike",
	},
	{
		Name: awsPrefix + "access-log-enabled", Verdict: None, Severity: SeverityWarning, Does: "logs connections", Doc: docLogs,
	},
	{
		Name: awsPrefix + "access-log-emit-interval", Reader: AWSClassic, Verdict: None, Severity: SeverityWarning,
		Does: "sets how often the log is written", Doc: docLogs,
	},
	{
		Name: awsPrefix + "access-log-s3-bucket-name", Verdict: None, Severity: SeverityWarning, Does: "says where the log goes", Doc: docLogs,
	},
	{
		Name: awsPrefix + "access-log-s3-bucket-prefix", Verdict: None, Severity: SeverityWarning, Does: "says where the log goes", Doc: docLogs,
	},
	{
		Name: awsPrefix + "enable-tcp-udp-listener", Reader: AWSController, Verdict: Native, Severity: SeverityInfo,
		Does: "listens for TCP and UDP on the same port", Doc: "a port of each protocol gets a rule of its own",
	},
	{
		Name: awsPrefix + "quic-enabled-ports", Reader: AWSController, Verdict: None, Severity: SeverityWarning,
		Does: "keeps QUIC connections with their backend", Doc: "UDP passes through, but a client whose address changes may reach another backend",
	},
	{
		Name: awsPrefix + "minimum-load-balancer-capacity", Reader: AWSController, Verdict: None, Severity: SeverityInfo,
		Does: "reserves capacity", Doc: "there is nothing to reserve",
	},
	{
		Name: actionsPrefix + "{protocol}-{n}", Reader: AWSController, Verdict: None, Severity: SeverityError,
		Does: "shares the traffic of a port out to several backends", Doc: "all traffic goes to the pods of this Service",
	},

	// TLS and what is above it.
	{
		Name: awsPrefix + "ssl-cert", Verdict: None, Severity: SeverityError,
		Does: "speaks TLS with clients", Doc: docLayer4,
	},
	{
		Name: awsPrefix + "ssl-ports", Verdict: None, Severity: SeverityError,
		Does: "says on which ports TLS is spoken", Doc: docLayer4,
	},
	{
		Name: awsPrefix + "ssl-negotiation-policy", Verdict: None, Severity: SeverityError,
		Does: "sets versions and ciphers of TLS", Doc: docLayer4,
	},
	{
		Name: awsPrefix + "alpn-policy", Verdict: None, Severity: SeverityError,
		Does: "negotiates the protocol inside TLS", Doc: docLayer4,
	},
	{
		Name: awsPrefix + "backend-protocol", Case: "tcp", Verdict: Native, Severity: SeverityInfo,
		Does: "passes bytes to the backends", Doc: "so does Azure",
	},
	{
		Name: awsPrefix + "backend-protocol", Case: "ssl, https", Verdict: None, Severity: SeverityWarning,
		Does: "speaks TLS with the backends", Doc: "bytes are passed through, so the backends get TLS if the clients speak it to them",
	},
	{
		Name: awsPrefix + "backend-protocol", Case: "http", Reader: AWSClassic, Verdict: None, Severity: SeverityError,
		Does: "speaks HTTP with the backends", Doc: "bytes are passed through, so X-Forwarded-For and its like are not added any more",
	},

	// Tags.
	{
		Name: awsPrefix + "additional-resource-tags", Verdict: Lossy, Severity: SeverityWarning, read: (*translator).readTags,
		Does: "tags the load balancer", Becomes: short(KeyPIPTags), Conversion: "names up to 512, values up to 256 characters, 47 beside those that azlb writes",
		Doc: "the public IP alone is tagged, and nothing on an internal Service, since the load balancer is shared",
	},
}
