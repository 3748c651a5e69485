package lb

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/pls"
)

// Objects is the cluster: everything that [Build] looks at. Order never matters.
type Objects struct {
	// Services must hold all Services of the cluster, of any type and class: one that is missing counts as deleted.
	Services       []corev1.Service
	Nodes          []corev1.Node
	EndpointSlices []discoveryv1.EndpointSlice
	Namespaces     []corev1.Namespace
	// Only, if not empty, names the Services to work on; every other one is held, and so is what deleted ones left behind.
	Only []types.NamespacedName
	// Rejected are Services to hold because ARM refused what they ask for, with ARM's answer.
	Rejected map[types.NamespacedName]error
	// Hold names Services to leave as they are for now, without a finding: somebody else is at work on them.
	Hold []types.NamespacedName
	// KeepGone keeps what deleted Services left behind; set when a removal guard stops the removals.
	KeepGone bool
}

// Desired is what Azure should have. [Build] makes one from Services; one made by hand works too. Nothing is removed unless Remove names
// it, so whatever Desired does not mention stays as it is.
type Desired struct {
	// LoadBalancers with our part of each as it should be: children that are not listed are left alone unless Remove names them.
	LoadBalancers       []LoadBalancer
	PublicIPs           []PublicIP
	SecurityGroups      []SecurityGroup
	PrivateLinkServices []pls.PrivateLinkService
	Subnets             []Subnet
	Interfaces          []NetworkInterface
	// Remove are ids of resources and children to delete: load balancers, frontends, rules, probes, pools, public IPs, security rules.
	Remove []ID
	// RemoveLast are load balancers, listed above too, that become as that says and are deleted once the public IPs and private link services
	// that go are gone: until then their tags tell where those are.
	RemoveLast []ID
	// RemoveTags are tag keys to remove, by the key ([armid.ID.Key]) of the resource.
	RemoveTags map[string][]string
	// Recreate are public IPs, load balancers and private link services, listed above too, that must be deleted and created anew because a
	// field cannot be changed in place.
	Recreate []ID
	// Migrate are pools of network interfaces that ARM itself makes pools of addresses, without a gap. What LoadBalancers lists for them are the
	// addresses.
	Migrate []ID
	// Causes tell for each resource and child, by the key of its id, who asked for it or for its removal.
	Causes map[string][]Cause
	// Services are the results by Service, sorted by namespace and name.
	Services []ServiceResult
}

// ServiceResult is what a Service gets.
type ServiceResult struct {
	Service types.NamespacedName
	Held    bool
	Ingress []Address // in the order of the status
	// PrivateLink is the private link service of the Service's frontend, whoever asked for it; empty for none.
	PrivateLink ID
	// Uses is what traffic gets to it through: frontends, rules, probes and pools of load balancers, and public IPs; sorted by id, each once.
	Uses []ID
}
