package statediff

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRecordedStatesEqualThemselves(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/*/expected/*/state.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded states: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		diffs, err := Compare(data, data)
		if err != nil || len(diffs) > 0 {
			t.Errorf("%s: %v\n%s", file, err, Format(diffs, 5))
		}
	}
}

const (
	prefix    = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network/"
	managedIn = `"direction":"Inbound","access":"Allow"`
)

// resource wraps properties into a state with one resource.
func resource(path, rest string) string {
	return `{"resources":[{"id":"` + prefix + path + `",` + rest + `}]}`
}

func TestCompare(t *testing.T) {
	pip := func(rest string) string { return resource("publicIPAddresses/a", rest) }
	balancer := func(children string) string { return resource("loadBalancers/lb", `"properties":{`+children+`}`) }
	group := func(rules string) string {
		return resource("networkSecurityGroups/nsg", `"properties":{"securityRules":[`+rules+`]}`)
	}
	set := func(pools, state string) string {
		return resource("virtualMachineScaleSets/ss", `"properties":{"simVirtualMachines":[{"name":"ss_0","properties":{"provisioningState":"`+state+`","instanceView":{"x":"`+state+`"},
			"networkProfileConfiguration":{"networkInterfaceConfigurations":[{"name":"nic","properties":{"primary":true,"pools":[`+pools+`]}}]}}}]}`)
	}
	rule := func(name, props string) string { return `{"name":"` + name + `","properties":{` + props + `}}` }
	for _, c := range []struct {
		name, want, got string
		paths           string // of the differences, separated by blanks
	}{
		{name: "null, absent and empty are alike", want: pip(`"tags":{},"zones":null`), got: pip(`"properties":{"ipTags":[]}`)},
		{
			name: "false is not absent", want: pip(`"properties":{"x":false}`), got: pip(`"tags":{}`),
			paths: "resources[publicIPAddresses/a].properties",
		},
		{name: "case of the resource's id", want: pip(`"location":"w"`), got: strings.ReplaceAll(pip(`"location":"w"`), "resourceGroups/rg", "resourcegroups/RG")},
		{
			name: "case of a reference", want: pip(`"properties":{"publicIPPrefix":{"id":"/subscriptions/s/p"}}`),
			got: pip(`"properties":{"publicIPPrefix":{"id":"/subscriptions/S/P"}}`),
		},
		{
			name: "other reference", want: pip(`"properties":{"publicIPPrefix":{"id":"/subscriptions/s/p"}}`),
			got:   pip(`"properties":{"publicIPPrefix":{"id":"/subscriptions/s/q"}}`),
			paths: "resources[publicIPAddresses/a].properties.publicIPPrefix.id",
		},
		{
			name: "an assigned address counts", want: pip(`"properties":{"ipAddress":"192.0.2.1"}`), got: pip(`"properties":{"ipAddress":"192.0.2.2"}`),
			paths: "resources[publicIPAddresses/a].properties.ipAddress",
		},
		{name: "order of lists", want: pip(`"zones":["1","2"]`), got: pip(`"zones":["2","1"]`)},
		{name: "element of a list", want: pip(`"zones":["1","2"]`), got: pip(`"zones":["1"]`), paths: "resources[publicIPAddresses/a].zones[2]"},
		{
			name: "back-references", want: balancer(`"probes":[{"name":"p","properties":{"port":1,"loadBalancingRules":[{"id":"/r"}]}}]`),
			got: balancer(`"probes":[{"id":"/x","name":"P","properties":{"port":1,"provisioningState":"Updating"}}]`),
		},
		{
			name: "pool, singular and plural", want: balancer(`"loadBalancingRules":[{"name":"r","properties":{"backendAddressPool":{"id":"/p"},"backendAddressPools":[{"id":"/p"}]}}]`),
			got: balancer(`"loadBalancingRules":[{"name":"r","properties":{"backendAddressPool":{"id":"/p"}}}]`),
		},
		{
			name: "members that are interfaces", want: balancer(`"backendAddressPools":[{"name":"p","properties":{"loadBalancerBackendAddresses":[{"name":"m","properties":{"networkInterfaceIPConfiguration":{"id":"/n"}}}]}}]`),
			got: balancer(`"backendAddressPools":[{"name":"p"}]`),
		},
		{
			name: "names of members", want: balancer(`"backendAddressPools":[{"name":"p","properties":{"loadBalancerBackendAddresses":[{"name":"m","properties":{"ipAddress":"1"}}]}}]`),
			got:   balancer(`"backendAddressPools":[{"name":"p","properties":{"loadBalancerBackendAddresses":[{"name":"n","properties":{"ipAddress":"1"}}]}}]`),
			paths: "resources[loadBalancers/lb].properties.backendAddressPools[p].properties.loadBalancerBackendAddresses[m] resources[loadBalancers/lb].properties.backendAddressPools[p].properties.loadBalancerBackendAddresses[n]",
		},
		{name: "state of an instance", want: set(`{"id":"/p"}`, "Succeeded"), got: set(`{"id":"/p"}`, "Updating")},
		{
			name: "pool of an instance", want: set(`{"id":"/p"}`, "Succeeded"), got: set("", "Succeeded"),
			paths: "resources[virtualMachineScaleSets/ss].properties.simVirtualMachines[ss_0].properties.networkProfileConfiguration.networkInterfaceConfigurations[nic].properties.pools",
		},
		{name: "one side lacks the resource", want: pip(`"location":"w"`), got: `{}`, paths: "resources[publicIPAddresses/a]"},
		{
			name: "security rule, singular and plural, other priority",
			want: group(rule("k8s-azure-lb_a", managedIn+`,"priority":500,"sourceAddressPrefix":"*","sourceAddressPrefixes":[]`)),
			got:  group(rule("k8s-azure-lb_a", managedIn+`,"priority":700,"sourceAddressPrefixes":["*"]`)),
		},
		{
			name: "priority of a foreign rule", want: group(rule("ssh", `"priority":500`)), got: group(rule("ssh", `"priority":501`)),
			paths: "resources[networkSecurityGroups/nsg].properties.securityRules[ssh].properties.priority",
		},
		{
			name: "priority out of range", want: group(rule("k8s-azure-lb_a", managedIn)), got: group(rule("k8s-azure-lb_a", managedIn+`,"priority":499`)),
			paths: "resources[networkSecurityGroups/nsg].properties.securityRules[k8s-azure-lb_a].properties.priority",
		},
		{
			name: "priority taken by a foreign rule", want: group(rule("x", `"direction":"Inbound","priority":500`) + "," + rule("k8s-azure-lb_a", managedIn)),
			got:   group(rule("x", `"direction":"Inbound","priority":500`) + "," + rule("k8s-azure-lb_a", managedIn+`,"priority":500`)),
			paths: "resources[networkSecurityGroups/nsg].properties.securityRules[k8s-azure-lb_a].properties.priority",
		},
		{
			name: "allowance behind a denial", want: group(rule("k8s-azure-lb_a", managedIn) + "," + rule("k8s-azure-lb_d", `"direction":"Inbound","access":"Deny"`)),
			got: group(rule("k8s-azure-lb_a", managedIn+`,"priority":900`) + "," +
				rule("k8s-azure-lb_d", `"direction":"Inbound","access":"Deny","priority":800`)),
			paths: "resources[networkSecurityGroups/nsg].properties.securityRules[k8s-azure-lb_a].properties.priority",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			diffs, err := Compare([]byte(c.want), []byte(c.got))
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, d := range diffs {
				paths = append(paths, d.Path)
			}
			if got := strings.Join(paths, " "); got != c.paths {
				t.Errorf("differences at %q, want %q\n%s", got, c.paths, Format(diffs, 10))
			}
		})
	}
}

func TestPattern(t *testing.T) {
	const path = "resources[networkSecurityGroups/nsg-nodes].properties.securityRules[k8s-azure-lb_allow_IPv4_x].properties.destinationAddressPrefixes[10.0.0.4]"
	for _, c := range []struct {
		name, pattern string
		match         bool
	}{
		{"the path itself", path, true},
		{"above the difference", "resources[networkSecurityGroups/nsg-nodes].properties.securityRules[*]", true},
		{"name without type", "resources[nsg-*].properties", true},
		{"other type", "resources[loadBalancers/*].properties", false},
		{"ends within a step", "resources[nsg-nodes].prop", false},
		{"star for a field", "resources[nsg-nodes].*.securityRules[*].properties.destinationAddressPrefixes[10.*]", true},
		{"star stays in its step", "resources[nsg-nodes].*.destinationAddressPrefixes", false},
		{"case", "resources[NSG-nodes]", true},
		{"below the difference", path + ".x", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := ParsePattern(c.pattern)
			if err != nil || p.Match(path) != c.match {
				t.Errorf("ParsePattern(%q).Match = %v, %v; want %v", c.pattern, p.Match(path), err, c.match)
			}
		})
	}
	if _, err := ParsePattern("resources[x"); err == nil {
		t.Error("open bracket: no error")
	}
}
