package statediff

import (
	"fmt"
	"math"
	"strings"
)

// priorities returns what is wrong with the priorities of the managed security rules of s.
func priorities(s State) []Difference {
	var diffs []Difference
	for _, r := range s.Resources {
		if strings.EqualFold(resourceType(r), "networkSecurityGroups") {
			diffs = append(diffs, groupPriorities("resources["+labelOf(r)+"].properties.securityRules", r)...)
		}
	}
	return diffs
}

func groupPriorities(path string, group map[string]any) []Difference {
	var diffs []Difference
	taken := map[string]string{} // direction and priority to name
	firstDeny := math.Inf(1)
	rules := objects(group, "properties", "securityRules")
	for _, rule := range rules {
		name, priority, access, direction := ruleKey(rule)
		if !managed(rule) {
			taken[slot(direction, priority)] = name
			continue
		}
		if access == "Deny" {
			firstDeny = min(firstDeny, priority)
		}
	}
	for _, rule := range rules {
		name, priority, access, direction := ruleKey(rule)
		if !managed(rule) {
			continue
		}
		wrong := func(want string) {
			diffs = append(diffs, Difference{Path: path + "[" + name + "].properties.priority", Want: want, Got: fmt.Sprint(priority)})
		}
		if other := taken[slot(direction, priority)]; other != "" {
			wrong("another one than that of " + other)
		}
		taken[slot(direction, priority)] = name
		if priority < 500 || priority > 4096 {
			wrong("500 to 4096")
		}
		if access == "Allow" && priority > firstDeny {
			wrong(fmt.Sprintf("below that of the first denial, %v", firstDeny))
		}
	}
	return diffs
}

func slot(direction string, priority float64) string { return fmt.Sprint(direction, " ", priority) }

func managed(rule map[string]any) bool {
	name, _ := rule["name"].(string)
	return strings.HasPrefix(name, managedRule)
}

func ruleKey(rule map[string]any) (name string, priority float64, access, direction string) {
	name, _ = rule["name"].(string)
	p, _ := rule["properties"].(map[string]any)
	priority, _ = p["priority"].(float64)
	access, _ = p["access"].(string)
	direction, _ = p["direction"].(string)
	return name, priority, access, direction
}
