package lb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/azlb/azlb/lb"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const sub1, sub2 = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"

// plainCluster is what the two keys that must be there give.
func plainCluster() lb.Cluster {
	return lb.Cluster{
		Name: "kubernetes", Subscription: sub1, NetworkSubscription: sub1, ResourceGroup: "rg", LoadBalancerGroup: "rg", PrivateLinkGroup: "rg",
		PoolType: lb.PoolInterfaces, SharedProbePort: 10256, SharedProbePath: "/healthz",
	}
}

func TestParseCluster(t *testing.T) {
	const vnet = "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Network/virtualNetworks/vnet"
	for _, c := range []struct {
		name, keys string
		want       func(*lb.Cluster)
	}{
		{"defaults", ``, func(*lb.Cluster) {}},
		{"unknown keys are ignored", `"cloud": "AzurePublicCloud", "useInstanceMetadata": true`, func(*lb.Cluster) {}},
		{"keys in any case", `"LOCATION": "eastus"`, func(c *lb.Cluster) { c.Location = "eastus" }},
		{"network subscription", `"networkResourceSubscriptionID": "` + sub2 + `"`, func(c *lb.Cluster) { c.NetworkSubscription = sub2 }},
		{
			"virtual network, pools in the subscription of compute", `"networkResourceSubscriptionID": "` + sub2 + `", "vnetName": "vnet", "subnetName": "s"`,
			func(c *lb.Cluster) {
				c.NetworkSubscription, c.Subnet = sub2, "s"
				c.Network, c.PoolNetwork = lb.ID(fmt.Sprintf(vnet, sub2, "rg")), lb.ID(fmt.Sprintf(vnet, sub1, "rg"))
			},
		},
		{"virtual network of another group", `"vnetName": "vnet", "vnetResourceGroup": "Net"`, func(c *lb.Cluster) {
			c.Network, c.PoolNetwork = lb.ID(fmt.Sprintf(vnet, sub1, "Net")), lb.ID(fmt.Sprintf(vnet, sub1, "Net"))
		}},
		{"security group", `"securityGroupName": "n", "securityGroupResourceGroup": "Sec"`, func(c *lb.Cluster) {
			c.SecurityGroup = "/subscriptions/" + sub1 + "/resourceGroups/Sec/providers/Microsoft.Network/networkSecurityGroups/n"
		}},
		{"edge zone", `"extendedLocationName": "losangeles", "extendedLocationType": "EdgeZone"`, func(c *lb.Cluster) { c.EdgeZone = "losangeles" }},
		{"edge zone without type is none", `"extendedLocationName": "losangeles"`, func(*lb.Cluster) {}},
		{"load balancer name and group", `"loadBalancerName": "edge", "loadBalancerResourceGroup": "Balancers"`, func(c *lb.Cluster) {
			c.LoadBalancerName, c.LoadBalancerGroup = "edge", "Balancers"
		}},
		{"sku in any case", `"loadBalancerSku": "STANDARD"`, func(*lb.Cluster) {}},
		{"sku basic", `"loadBalancerSku": "basic"`, func(c *lb.Cluster) { c.Basic = true }},
		{"any other sku is not standard", `"loadBalancerSku": "premium"`, func(c *lb.Cluster) { c.Basic, c.UnknownSKU = true, "premium" }},
		{"pool type in any case", `"loadBalancerBackendPoolConfigurationType": "NodeIP"`, func(c *lb.Cluster) { c.PoolType = lb.PoolAddresses }},
		{"pods", `"loadBalancerBackendPoolConfigurationType": "podIP"`, func(c *lb.Cluster) { c.PoolType = lb.PoolPods }},
		{"pre-configured pools", `"preConfiguredBackendPoolLoadBalancerTypes": "all"`, func(c *lb.Cluster) { c.PreConfigured = "all" }},
		{"outbound SNAT off", `"disableOutboundSNAT": true`, func(c *lb.Cluster) { c.DisableOutboundSNAT = true }},
		{"shared probe", `"clusterServiceLoadBalancerHealthProbeMode": "Shared", "clusterServiceSharedLoadBalancerHealthProbePort": 9000,
			"clusterServiceSharedLoadBalancerHealthProbePath": "/up"`, func(c *lb.Cluster) {
			c.SharedProbe, c.SharedProbePort, c.SharedProbePath = true, 9000, "/up"
		}},
		{"tags: pairs without exactly one equals sign are skipped", `"tags": "a=b, c = d ,bad,x=y=z,=e,n= null "`, func(c *lb.Cluster) {
			c.Tags = lb.TagsOf(map[string]string{"a": "b", "c": "d", "n": " null "})
		}},
		{"tagsMap wins, also over another spelling", `"tags": "A=1,b=2", "tagsMap": {"a": "3", "c": "4"}`, func(c *lb.Cluster) {
			c.Tags = lb.TagsOf(map[string]string{"a": "3", "b": "2", "c": "4"})
		}},
		{"system tags", `"systemTags": "a, b"`, func(c *lb.Cluster) { c.SystemTags = []string{"a", "b"} }},
		{"private link group", `"privateLinkServiceResourceGroup": "Pls"`, func(c *lb.Cluster) { c.PrivateLinkGroup = "Pls" }},
		{"IP tags may change", `"enableIPTagMutationForExistingPublicIP": true`, func(c *lb.Cluster) { c.MutateIPTags = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := `{"subscriptionId": "` + sub1 + `", "resourceGroup": "RG"`
			if c.keys != "" {
				data += ", " + c.keys
			}
			got, err := lb.ParseCluster([]byte(data+"}"), "")
			if err != nil {
				t.Fatal(err)
			}
			want := plainCluster()
			c.want(&want)
			if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestParseClusterYAML(t *testing.T) {
	got, err := lb.ParseCluster([]byte("subscriptionId: "+sub1+"\nresourceGroup: RG # lower case from here on\ntagsMap:\n  a: b\n"), "prod")
	if err != nil {
		t.Fatal(err)
	}
	want := plainCluster()
	want.Name, want.Tags = "prod", lb.TagsOf(map[string]string{"a": "b"})
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestParseClusterErrors(t *testing.T) {
	for _, c := range []struct {
		name, data string
		want       []string // each of them in the error
	}{
		{"no YAML", "\t{", nil},
		{"a list", "[]", nil},
		{"a number for a name", `{"subscriptionId": 1, "resourceGroup": "rg"}`, nil},
		{"everything missing, all at once", `{}`, []string{"subscriptionId: missing", "resourceGroup: missing"}},
		{"a path for a group", `{"subscriptionId": "s", "resourceGroup": "../rg"}`, []string{"resourceGroup"}},
		{
			"paths for names, all at once", `{"subscriptionId": "s/..", "networkResourceSubscriptionID": "a/b", "resourceGroup": "rg?", "loadBalancerResourceGroup": "../x",
			"vnetResourceGroup": "a/b", "securityGroupResourceGroup": "a/b", "privateLinkServiceResourceGroup": "x.", "loadBalancerName": "../b", "vnetName": "../x", "subnetName": "a/b",
			"securityGroupName": "a b", "loadBalancerBackendPoolConfigurationType": "nodeIP", "multipleStandardLoadBalancerConfigurations": [{"name": "../x", "primaryVMSet": "a"}]}`,
			[]string{
				"subscriptionId: \"s/..\"", "networkResourceSubscriptionID: ", "resourceGroup: \"rg?\"", "loadBalancerResourceGroup: ", "vnetResourceGroup: ", "securityGroupResourceGroup: ",
				"privateLinkServiceResourceGroup: ", "loadBalancerName: ", "vnetName: ", "subnetName: ", "securityGroupName: ", "[0].name: ",
			},
		},
		{
			"pool type", `{"subscriptionId": "s", "resourceGroup": "rg", "loadBalancerBackendPoolConfigurationType": "nic"}`,
			[]string{"loadBalancerBackendPoolConfigurationType", "nodeIPConfiguration, nodeIP or podIP"},
		},
		{"probe mode", `{"subscriptionId": "s", "resourceGroup": "rg", "clusterServiceLoadBalancerHealthProbeMode": "x"}`, []string{"servicenodeport or shared"}},
		{"probe port", `{"subscriptionId": "s", "resourceGroup": "rg", "clusterServiceSharedLoadBalancerHealthProbePort": 65536}`, []string{"1 to 65535"}},
		{"outbound SNAT of basic", `{"subscriptionId": "s", "resourceGroup": "rg", "loadBalancerSku": "basic", "disableOutboundSNAT": true}`, []string{"disableOutboundSNAT"}},
		{"availability sets", `{"subscriptionId": "s", "resourceGroup": "rg", "vmType": "standard", "disableAvailabilitySetNodes": true}`, []string{"vmType vmss"}},
		{"service gateway", `{"subscriptionId": "s", "resourceGroup": "rg", "serviceGatewayEnabled": true}`, []string{"serviceGatewayEnabled"}},
		{
			"several load balancers need pools of addresses", `{"subscriptionId": "s", "resourceGroup": "rg",
			"multipleStandardLoadBalancerConfigurations": [{"name": "a", "primaryVMSet": "x"}, {"name": "A"}, {"primaryVMSet": "X"}]}`,
			[]string{"nodeIP", "[1].name", "[1].primaryVMSet: missing", "[2].name: missing", "[2].primaryVMSet"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := lb.ParseCluster([]byte(c.data), "")
			if !errors.Is(err, lb.ErrConfiguration) {
				t.Fatalf("%v, want ErrConfiguration", err)
			}
			for _, text := range c.want {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v: does not say %q", err, text)
				}
			}
		})
	}
}

// TestParseClusterForgetsSecrets pins that nothing secret of the file is kept, not even in errors.
func TestParseClusterForgetsSecrets(t *testing.T) {
	const secret = "hunter2"
	data := `{"subscriptionId": "s", "resourceGroup": "rg", "aadClientSecret": "` + secret + `", "aadClientCertPassword": "` + secret + `"`
	c, err := lb.ParseCluster([]byte(data+"}"), "")
	if err != nil || strings.Contains(fmt.Sprintf("%+v", c), secret) {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := lb.ParseCluster([]byte(data+`, "loadBalancerBackendPoolConfigurationType": "x"}`), ""); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("%v", err)
	}
}
