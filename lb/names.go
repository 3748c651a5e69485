package lb

import (
	"crypto/md5" //nolint:gosec // names of upstream are MD5 sums; nothing is secret here
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/ipam"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Names of upstream: 80 characters is ARM's limit, of which five are kept for the suffix of IPv6.
const (
	nameRoom    = 75
	v6Suffix    = "-IPv6"
	sharedProbe = "cluster-service-shared-health-probe"
	baseLength  = 32
)

// Base returns the base name of a Service: "a" and its uid without dashes, 32 characters at most.
func Base(uid types.UID) string {
	return head("a"+strings.ReplaceAll(string(uid), "-", ""), baseLength)
}

func head(s string, n int) string { return s[:min(n, len(s))] }

// baseOf returns the base name that an object named name belongs to by upstream's scheme, in lower case: "a" and 31 hex digits, then the
// end or a dash. It is empty for foreign names.
func baseOf(name string) string {
	if len(name) < baseLength || (len(name) > baseLength && name[baseLength] != '-') || (name[0] != 'a' && name[0] != 'A') {
		return ""
	}
	for _, r := range []byte(name[1:baseLength]) {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') && (r < 'A' || r > 'F') {
			return ""
		}
	}
	return strings.ToLower(name[:baseLength])
}

// suffix is the suffix of names of family f: only the IPv6 half of a dual-stack Service has one.
func suffix(dual bool, f ipam.Family) string {
	if dual && f == ipam.IPv6 {
		return v6Suffix
	}
	return ""
}

// frontendName returns the name of a Service's own frontend. subnet is the subnet annotation of an internal Service, else empty.
func frontendName(base, subnet string, dual bool, f ipam.Family) string {
	name := base
	if subnet != "" {
		name += "-" + subnet
	}
	if len(name) > nameRoom {
		name = name[:nameRoom]
		if last := name[nameRoom-1]; last != '_' && !isLetter(last) {
			name = name[:nameRoom-1] + "_"
		}
	}
	return name + suffix(dual, f)
}

func isLetter(b byte) bool { return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' }

// ruleName returns the name of the rule, and of the probe, for one port.
func ruleName(base, subnet string, proto corev1.Protocol, port int32, dual bool, f ipam.Family) string {
	tail := "-" + string(proto) + "-" + strconv.Itoa(int(port))
	name := base
	if subnet != "" {
		name += "-" + head(subnet, max(0, nameRoom-len(base)-len(tail)-1))
	}
	return name + tail + suffix(dual, f)
}

// poolName returns the name of the default pool of family f. It has its suffix whether or not the Service is dual stack.
func poolName(cluster string, f ipam.Family) string { return cluster + suffix(true, f) }

// publicIPName returns the name of a managed public IP.
func publicIPName(cluster, base string, prefix ID, dual bool, f ipam.Family) string {
	name := cluster + "-" + base
	if prefix != "" {
		name += "-" + prefix.Name()
	}
	name = head(name, nameRoom)
	if suffix(dual, f) == "" {
		// The cut may leave a character that no name may end with, which ARM refuses.
		name = strings.TrimRight(name, "-.")
	}
	return name + suffix(dual, f)
}

// allowName returns the name of the rule that allows sources to reach ports over protocol.
func allowName(f ipam.Family, protocol string, sources, ports []string) string {
	sources, ports = slices.Clone(sources), slices.Clone(ports)
	slices.Sort(sources)
	slices.Sort(ports)
	sum := md5.Sum([]byte(protocol + "_" + strings.Join(sources, ",") + "_" + strings.Join(ports, ","))) //nolint:gosec // see above
	return managedRule + "_allow_" + f.String() + "_" + hex.EncodeToString(sum[:])
}

func denyName(f ipam.Family) string { return managedRule + "_deny-all_" + f.String() }

// managedRule starts the name of every security rule that is ours.
const managedRule = "k8s-azure-lb"

// managed reports whether a security rule is ours: by its name and its priority.
func managed(r SecurityRule) bool {
	return strings.HasPrefix(strings.ToLower(r.Name), managedRule) && r.Priority >= 500 && r.Priority <= 4096
}

// subnetSegment is the subnet annotation as far as it takes part in names.
func subnetSegment(cfg annotations.Config) string {
	if !cfg.Internal {
		return ""
	}
	return cfg.Subnet
}

// familyOfRule tells the family of a managed security rule from its name.
func familyOfRule(r SecurityRule) ipam.Family {
	if strings.Contains(r.Name, "_"+ipam.IPv6.String()) {
		return ipam.IPv6
	}
	return ipam.IPv4
}
