package lb_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/pls"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// strictest leaves a tenant nothing beyond its own Services.
func strictest() lb.Policy {
	return lb.Policy{
		ResourceGroups: []string{}, Subnets: []string{}, PublicIPTags: lb.TagsOf(map[string]string{"tenants": "yes"}), ServiceTags: []string{},
		Visibility: []string{}, AutoApproval: []string{}, Subscriptions: []string{}, JoinNamespaces: []string{}, PrivateLinkNamespaces: []string{},
		SharedPrivateLinks: []string{}, AdditionalAddresses: lb.AddressesNone,
	}
}

// attempts are what a tenant may write to get at others, by key of the registry or field of the spec: lists of annotations, without their prefix, and
// of fields. Each key has to have some: the worst that its grammar lets through.
func attempts() map[string][][]string {
	internal := []string{"azure-load-balancer-internal", "true"}
	linked := func(key, value string) []string {
		return append([]string{"azure-pls-create", "true", key, value}, internal...)
	}
	one := func(key string, values ...string) [][]string {
		var list [][]string
		for _, v := range values {
			list = append(list, []string{key, v}, append([]string{key, v}, internal...))
		}
		return list
	}
	rows := map[string][][]string{
		"azure-load-balancer-internal":                  one("azure-load-balancer-internal", "true", "maybe"),
		"azure-load-balancer-internal-subnet":           one("azure-load-balancer-internal-subnet", "apps"),
		"azure-load-balancer-ipv4":                      one("azure-load-balancer-ipv4", "10.1.0.50", "20.1.1.1", "20.0.0.4", "10.1.200.10"),
		"azure-load-balancer-ipv6":                      one("azure-load-balancer-ipv6", "fd00:0:0:1::1000"),
		"azure-load-balancer-mode":                      one("azure-load-balancer-mode", "__auto__"),
		"azure-load-balancer-configurations":            one("azure-load-balancer-configurations", "kubernetes"),
		"azure-pip-name":                                one("azure-pip-name", "shared", "kubernetes-a0000000100004000800000000000abc"),
		"azure-pip-name-ipv6":                           one("azure-pip-name-ipv6", "shared"),
		"azure-pip-prefix-id":                           one("azure-pip-prefix-id", prefixIn(ownSubscription, "others"), prefixIn(otherSubscription, "rg")),
		"azure-pip-prefix-id-ipv6":                      one("azure-pip-prefix-id-ipv6", prefixIn(otherSubscription, "rg")),
		"azure-load-balancer-resource-group":            one("azure-load-balancer-resource-group", "others"),
		"azure-dns-label-name":                          one("azure-dns-label-name", "victim", ""),
		"azure-pip-tags":                                one("azure-pip-tags", "k8s-azure-service=victim/web", "tenants=yes"),
		"azure-pip-ip-tags":                             one("azure-pip-ip-tags", "RoutingPreference=Internet", ""),
		"azure-additional-public-ips":                   one("azure-additional-public-ips", "20.1.1.1", "10.1.0.50", "10.1.200.10", "1.1.1.1", "168.63.129.16"),
		"azure-allowed-service-tags":                    one("azure-allowed-service-tags", "AzureCloud", "oops!"),
		"azure-allowed-ip-ranges":                       one("azure-allowed-ip-ranges", "10.0.0.0/8", "oops"),
		"load-balancer-source-ranges":                   one("load-balancer-source-ranges", "0.0.0.0/0"),
		"azure-pls-create":                              {append([]string{"azure-pls-create", "true"}, internal...), append([]string{"azure-pls-create", "true", "azure-load-balancer-ipv4", "10.1.0.50"}, internal...)},
		"azure-pls-name":                                {linked("azure-pls-name", "victims")},
		"azure-pls-resource-group":                      {linked("azure-pls-resource-group", "others")},
		"azure-pls-ip-configuration-subnet":             {linked("azure-pls-ip-configuration-subnet", "apps")},
		"azure-pls-ip-configuration-ip-address":         {linked("azure-pls-ip-configuration-ip-address", "10.1.0.50")},
		"azure-pls-ip-configuration-ip-address-count":   {linked("azure-pls-ip-configuration-ip-address-count", "8")},
		"azure-pls-fqdns":                               {linked("azure-pls-fqdns", "victim.example.com")},
		"azure-pls-proxy-protocol":                      {linked("azure-pls-proxy-protocol", "true")},
		"azure-pls-visibility":                          {linked("azure-pls-visibility", "*")},
		"azure-pls-auto-approval":                       {linked("azure-pls-auto-approval", "*")},
		"azure-load-balancer-tcp-idle-timeout":          one("azure-load-balancer-tcp-idle-timeout", "100"),
		"azure-load-balancer-health-probe-protocol":     one("azure-load-balancer-health-probe-protocol", "http"),
		"azure-load-balancer-health-probe-request-path": one("azure-load-balancer-health-probe-request-path", "/x"),
		"azure-load-balancer-health-probe-interval":     one("azure-load-balancer-health-probe-interval", "50"),
		"azure-load-balancer-health-probe-num-of-probe": one("azure-load-balancer-health-probe-num-of-probe", "20"),
		"port_{n}_health-probe_protocol":                one("port_80_health-probe_protocol", "https"),
		"port_{n}_health-probe_port":                    one("port_80_health-probe_port", "22"),
		"port_{n}_health-probe_interval":                one("port_80_health-probe_interval", "50"),
		"port_{n}_health-probe_num-of-probe":            one("port_80_health-probe_num-of-probe", "20"),
		"port_{n}_health-probe_request-path":            one("port_80_health-probe_request-path", "/x"),

		"spec.loadBalancerIP":           one("spec.loadBalancerIP", "10.1.0.50", "20.1.1.1", "20.0.0.4"),
		"spec.loadBalancerSourceRanges": one("spec.loadBalancerSourceRanges", "0.0.0.0/0"),
		"spec.externalIPs":              one("spec.externalIPs", "20.1.1.1"),
		"spec.ipFamilies":               one("spec.ipFamilies", "IPv6"),
		"spec.externalTrafficPolicy":    one("spec.externalTrafficPolicy", "Local"),
		"spec.loadBalancerClass":        one("spec.loadBalancerClass", "other"),
		"spec.ports":                    one("spec.ports", "443"),
		"metadata.uid":                  one("metadata.uid", "00000001-0000-4000-8000-000000000abc"),
		"status.loadBalancer.ingress":   one("status.loadBalancer.ingress", "20.1.1.1", "10.1.0.50"),
	}
	for _, key := range []string{
		"azure-load-balancer-enable-high-availability-ports", "azure-load-balancer-disable-tcp-reset", "azure-disable-load-balancer-floating-ip",
		"azure-deny-all-except-load-balancer-source-ranges", "azure-disable-load-balancer-nsg-rule", "azure-shared-securityrule",
	} {
		rows[key] = append(one(key, "true"), []string{key, "true", "azure-load-balancer-ipv4", "10.1.0.50", "azure-load-balancer-internal", "true"})
	}
	rows["port_{n}_no_lb_rule"], rows["port_{n}_no_probe_rule"] = one("port_80_no_lb_rule", "true"), one("port_80_no_probe_rule", "true")
	return rows
}

const tenantPort = 30666

// tenant is evil/x as it tries something.
func tenant(attempt []string) corev1.Service {
	s := lbtest.Service(9)
	s.Namespace, s.Name, s.Spec.Ports[0].NodePort = "evil", "x", tenantPort
	for i := 0; i < len(attempt); i += 2 {
		switch value := attempt[i+1]; attempt[i] {
		case "spec.loadBalancerIP":
			s.Spec.LoadBalancerIP = value
		case "spec.loadBalancerSourceRanges":
			s.Spec.LoadBalancerSourceRanges = []string{value}
		case "spec.externalIPs":
			s.Spec.ExternalIPs = []string{value}
		case "spec.ipFamilies":
			s.Spec.IPFamilies = []corev1.IPFamily{corev1.IPFamily(value)}
		case "spec.externalTrafficPolicy":
			s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicy(value), tenantPort+1
		case "spec.loadBalancerClass":
			s.Spec.LoadBalancerClass = &value
		case "spec.ports":
			s.Spec.Ports[0].Port = 443
		case "metadata.uid":
			s.UID = lbtest.Service(1).UID
		case "status.loadBalancer.ingress":
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: value}}
		default:
			s.Annotations[annotations.Prefix+attempt[i]] = value
		}
	}
	return s
}

// ofOthers lists everything wanted that is not the tenant's: what is named after its uid, its private link services, and openings of its addresses
// and of its node port. The second list is what the status of the tenant names that is not its own.
func ofOthers(want lb.Desired, base string) (others, taken []string) {
	own := map[lb.Address]bool{}
	mine := func(name string) bool { return strings.Contains(strings.ToLower(name), base) }
	add := func(format string, args ...any) { others = append(others, fmt.Sprintf(format, args...)) }
	for _, l := range want.LoadBalancers {
		for _, f := range l.Frontends {
			if !mine(f.Name) {
				add("%s frontend %+v", l.ID.Name(), f)
				continue
			}
			own[lb.Address{Of: l.ID.Child("frontendIPConfigurations", f.Name)}], own[lb.Address{IP: f.Static}] = true, true
			if mine(f.PublicIP.Name()) {
				own[lb.Address{Of: f.PublicIP}] = true
			}
		}
		for _, r := range l.Rules {
			if !mine(r.Name) {
				add("%s rule %+v", l.ID.Name(), r)
			}
		}
	}
	for _, p := range want.PublicIPs {
		if !mine(p.ID.Name()) {
			add("public IP %+v", p)
		}
	}
	for _, g := range want.SecurityGroups {
		for _, r := range g.Rules {
			for _, a := range r.Destinations {
				if !own[a] && !slices.Equal(r.Ports, []string{fmt.Sprint(tenantPort)}) {
					add("%s from %v to %v ports %v", r.Access, r.Sources, a, r.Ports)
				}
			}
		}
	}
	for _, p := range want.PrivateLinkServices {
		if owner, _ := p.Tag(pls.TagOwner); owner != "evil/x" {
			add("private link service %s", p.ID)
		}
	}
	for _, id := range slices.Concat(want.Remove, want.Recreate) {
		add("gone %s", id)
	}
	for _, r := range want.Services {
		if r.Service.Namespace != "evil" {
			add("%+v", r)
			continue
		}
		for _, a := range r.Ingress {
			if !own[a] {
				taken = append(taken, a.String())
			}
		}
	}
	slices.Sort(others)
	return others, taken
}

// TestStrictPolicy: under a policy that is strict in every key, whatever a tenant writes changes nothing of others and gives it no address of others.
func TestStrictPolicy(t *testing.T) {
	policy := reflect.ValueOf(strictest())
	for i := range policy.NumField() {
		if policy.Field(i).IsZero() {
			t.Errorf("the strictest policy leaves %s open", policy.Type().Field(i).Name)
		}
	}
	cloud, c := lbtest.Cloud(), lbtest.Cluster()
	putPublicIP(t, cloud, "shared", "20.1.1.1", map[string]any{"tenants": "yes"})
	in := lb.Objects{Nodes: lbtest.Nodes(1), Services: []corev1.Service{
		lbtest.Service(1), lbtest.Service(2, lbtest.Internal, lbtest.Annotate("azure-load-balancer-ipv4", "10.1.0.50")),
		lbtest.Service(3, lbtest.Annotate("azure-pip-name", "shared")),
	}}
	settled(t, cloud, c, in)
	c.Policy = strictest()
	quiet, _ := lb.Build(c, in, observed(t, cloud, c, in))
	rows := attempts()
	var keys []string
	for _, k := range annotations.Keys() {
		keys = append(keys, strings.TrimPrefix(k.Name, annotations.Prefix))
	}
	for _, key := range keys {
		if len(rows[key]) == 0 {
			t.Errorf("%s has no row: what could a tenant try with it?", key)
		}
	}
	for key, list := range rows {
		for _, attempt := range list {
			x := tenant(attempt)
			base := strings.ToLower(lb.Base(x.UID))
			if key == "metadata.uid" {
				base = "nobody"
			}
			before, _ := ofOthers(quiet, base)
			crowd := lb.Objects{Nodes: in.Nodes, Services: append(slices.Clone(in.Services), x)}
			want, findings := lb.Build(c, crowd, observed(t, cloud, c, crowd))
			after, taken := ofOthers(want, base)
			if d := cmp.Diff(before, after); d != "" || len(taken) > 0 {
				t.Errorf("%s %q: others (-before +after):\n%s\ntaken: %v\n%v", key, attempt, d, taken, findings)
			}
		}
	}
}
