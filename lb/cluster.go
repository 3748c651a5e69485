package lb

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/pls"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// ErrConfiguration is wrapped by every error of [ParseCluster].
var ErrConfiguration = errors.New("cloud configuration")

// PoolType is how members of backend pools are written.
type PoolType string

// The pool types, as azure.json spells them.
const (
	PoolInterfaces PoolType = "nodeIPConfiguration" // network interfaces of the nodes
	PoolAddresses  PoolType = "nodeIP"              // addresses of the nodes
	PoolPods       PoolType = "podIP"               // not served by azlb
)

// Cluster is the configuration of one cluster: what azure.json says, with defaults filled in, and azlb's own settings. No secret of that
// file is kept.
type Cluster struct {
	Name                string // --cluster-name, default kubernetes
	Subscription        string // of compute and of the virtual network of address pools
	NetworkSubscription string // of load balancers, public IPs, security group and subnets; never empty
	ResourceGroup       string // lower case
	Location            string
	EdgeZone            string // extendedLocationName, if extendedLocationType is there too

	LoadBalancerName  string // replaces Name in load balancer names
	LoadBalancerGroup string // never empty
	Basic             bool   // loadBalancerSku is not standard
	UnknownSKU        string // loadBalancerSku if it is neither basic nor standard, which counts as basic
	PoolType          PoolType
	// PreConfigured are the load balancers whose pool membership is left alone: "", internal, external or all.
	PreConfigured string
	// MigrateToIPBased lets ARM make pools of network interfaces pools of addresses (enableMigrateToIPBasedBackendPoolAPI).
	MigrateToIPBased bool
	// NoScaleSets says that no machine is in a scale set (vmType is standard), so that scale sets need not be read for pools of interfaces.
	NoScaleSets         bool
	DisableOutboundSNAT bool
	SharedProbe         bool   // clusterServiceLoadBalancerHealthProbeMode is shared
	SharedProbePort     uint16 // default 10256
	SharedProbePath     string // default /healthz
	PrimaryVMSet        string // primaryAvailabilitySetName or primaryScaleSetName, by vmType; for basic load balancers
	Multiple            []MultipleConfiguration

	Network          ID     // virtual network of internal frontends
	PoolNetwork      ID     // virtual network of address pools: in Subscription; those of internal load balancers are in Network
	Subnet           string // default subnet of internal frontends
	SecurityGroup    ID     // empty: no security rules are written
	PrivateLinkGroup string // never empty
	Tags             Tags   // tags overlaid with tagsMap
	SystemTags       []string
	MutateIPTags     bool   // enableIPTagMutationForExistingPublicIP
	Class            string // spec.loadBalancerClass of the Services that are served; empty: those without one
	// ReleaseClasses are other classes whose Services lose what they have here, like Services of type ClusterIP, also what one that was made anew
	// had under its former uid. Without it everything stays and a finding tells of it, since another controller with the same names may be
	// serving the class on the same load balancers. Empty text stands for Services without a class.
	ReleaseClasses []string
	Limits         Limits
	PrivateLink    PrivateLinkPolicy
	Addresses      AddressPolicy // what may become of addresses
	Policy         Policy        // what Services may name
	Correct        []Correction  // deviations that change existing Services too
}

// MultipleConfiguration is one entry of multipleStandardLoadBalancerConfigurations.
type MultipleConfiguration struct {
	Name                  string
	PrimaryVMSet          string
	AllowServicePlacement bool // default true
	ServiceLabels         *metav1.LabelSelector
	ServiceNamespaces     *metav1.LabelSelector
	Nodes                 *metav1.LabelSelector
}

// Limits are Azure's hard limits as planning knows them; zero means the documented default.
type Limits struct {
	RulesPerLoadBalancer     int // 1,500
	FrontendsPerLoadBalancer int // 600
	RulesPerSecurityGroup    int // 1,000
	AddressesPerSecurityRule int // 4,000 sources and, separately, as many destinations over all rules of a group
	RulesPerInterface        int // 299; passing it is a warning
	LinksPerLoadBalancer     int // 8 private link services
	LinksPerSubscription     int // 800 private link services; those in resource groups that are read count
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	set(&l.RulesPerLoadBalancer, 1500)
	set(&l.FrontendsPerLoadBalancer, 600)
	set(&l.RulesPerSecurityGroup, 1000)
	set(&l.AddressesPerSecurityRule, 4000)
	set(&l.RulesPerInterface, 299)
	set(&l.LinksPerLoadBalancer, pls.MaxPerBalancer)
	set(&l.LinksPerSubscription, pls.MaxPerSubscription)
	return l
}

// file is azure.json as far as load balancing reads it. encoding/json matches keys without regard to case, as upstream does.
type file struct {
	SubscriptionID                string            `json:"subscriptionId"`
	NetworkSubscriptionID         string            `json:"networkResourceSubscriptionID"`
	ResourceGroup                 string            `json:"resourceGroup"`
	Location                      string            `json:"location"`
	ExtendedLocationName          string            `json:"extendedLocationName"`
	ExtendedLocationType          string            `json:"extendedLocationType"`
	VNetName                      string            `json:"vnetName"`
	VNetResourceGroup             string            `json:"vnetResourceGroup"`
	SubnetName                    string            `json:"subnetName"`
	SecurityGroupName             string            `json:"securityGroupName"`
	SecurityGroupResourceGroup    string            `json:"securityGroupResourceGroup"`
	LoadBalancerSKU               string            `json:"loadBalancerSku"`
	LoadBalancerName              string            `json:"loadBalancerName"`
	LoadBalancerResourceGroup     string            `json:"loadBalancerResourceGroup"`
	PoolType                      string            `json:"loadBalancerBackendPoolConfigurationType"`
	PreConfigured                 string            `json:"preConfiguredBackendPoolLoadBalancerTypes"`
	DisableOutboundSNAT           *bool             `json:"disableOutboundSNAT"`
	ProbeMode                     string            `json:"clusterServiceLoadBalancerHealthProbeMode"`
	ProbePort                     int32             `json:"clusterServiceSharedLoadBalancerHealthProbePort"`
	ProbePath                     string            `json:"clusterServiceSharedLoadBalancerHealthProbePath"`
	Tags                          string            `json:"tags"`
	TagsMap                       map[string]string `json:"tagsMap"`
	SystemTags                    string            `json:"systemTags"`
	PrivateLinkServiceGroup       string            `json:"privateLinkServiceResourceGroup"`
	MutateIPTags                  bool              `json:"enableIPTagMutationForExistingPublicIP"`
	VMType                        string            `json:"vmType"`
	PrimaryAvailabilitySet        string            `json:"primaryAvailabilitySetName"`
	PrimaryScaleSet               string            `json:"primaryScaleSetName"`
	DisableAvailabilitySetNodes   bool              `json:"disableAvailabilitySetNodes"`
	ServiceGatewayEnabled         bool              `json:"serviceGatewayEnabled"`
	MigrateToIPBased              bool              `json:"enableMigrateToIPBasedBackendPoolAPI"`
	MultipleStandardLoadBalancers []multipleEntry   `json:"multipleStandardLoadBalancerConfigurations"`
}

// configurationKeys are the keys of azure.json, as [file] spells them.
var configurationKeys = func() map[string]bool {
	keys := map[string]bool{}
	for f := range reflect.TypeFor[file]().Fields() {
		keys[f.Tag.Get("json")] = true
	}
	return keys
}()

type multipleEntry struct {
	Name                     string                `json:"name"`
	PrimaryVMSet             string                `json:"primaryVMSet"`
	AllowServicePlacement    *bool                 `json:"allowServicePlacement"`
	ServiceLabelSelector     *metav1.LabelSelector `json:"serviceLabelSelector"`
	ServiceNamespaceSelector *metav1.LabelSelector `json:"serviceNamespaceSelector"`
	NodeSelector             *metav1.LabelSelector `json:"nodeSelector"`
}

// multipleField is the key of the configuration that has several load balancers.
const multipleField = "multipleStandardLoadBalancerConfigurations"

// ParseCluster reads azure.json, in JSON or YAML, with the keys and defaults of the upstream provider; unknown keys are ignored. name is the
// cluster name given to the controllers, kubernetes if empty. The error joins everything that is wrong and wraps [ErrConfiguration].
func ParseCluster(data []byte, name string) (Cluster, error) {
	text, err := yaml.ToJSON(data)
	if err != nil {
		return Cluster{}, fmt.Errorf("%w: %s", ErrConfiguration, safetext.Reason(err, data, 1))
	}
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return Cluster{}, fmt.Errorf("%w: %s", ErrConfiguration, safetext.Reason(err, text, 1))
	}
	if err := f.check(); err != nil {
		return Cluster{}, err
	}
	return f.cluster(orText(name, "kubernetes")), nil
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// oneOf returns the element of allowed that text equals without regard to case.
func oneOf(text string, allowed ...string) (string, bool) {
	i := slices.IndexFunc(allowed, func(a string) bool { return strings.EqualFold(a, text) })
	if i < 0 {
		return "", false
	}
	return allowed[i], true
}

// check reports everything that makes the file unusable.
func (f file) check() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%w: %s: %s", ErrConfiguration, key, fmt.Sprintf(format, args...)))
	}
	f.checkNames(bad)
	if _, ok := oneOf(f.PoolType, "", string(PoolInterfaces), string(PoolAddresses), string(PoolPods)); !ok {
		bad("loadBalancerBackendPoolConfigurationType", "%q: want nodeIPConfiguration, nodeIP or podIP", f.PoolType)
	}
	if _, ok := oneOf(f.ProbeMode, "", "servicenodeport", "shared"); !ok {
		bad("clusterServiceLoadBalancerHealthProbeMode", "%q: want servicenodeport or shared", f.ProbeMode)
	}
	if f.ProbePort < 0 || f.ProbePort > 65535 {
		bad("clusterServiceSharedLoadBalancerHealthProbePort", "%d: want 1 to 65535", f.ProbePort)
	}
	if !f.standard() && f.DisableOutboundSNAT != nil && *f.DisableOutboundSNAT {
		bad("disableOutboundSNAT", "needs loadBalancerSku standard")
	}
	if f.DisableAvailabilitySetNodes && f.VMType != "" && !strings.EqualFold(f.VMType, "vmss") {
		bad("disableAvailabilitySetNodes", "needs vmType vmss")
	}
	if f.ServiceGatewayEnabled {
		bad("serviceGatewayEnabled", "service gateways are not served")
	}
	f.checkMultiple(bad)
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// checkNames reports names that Azure takes nowhere: each becomes part of an id, and must stay in its segment.
func (f file) checkNames(bad func(key, format string, args ...any)) {
	of := func(typ string) func(string) error {
		return func(name string) error { return armid.CheckName(typ, name) }
	}
	for _, n := range []struct {
		key, value string
		needed     bool
		check      func(string) error
	}{
		{"subscriptionId", f.SubscriptionID, true, armid.CheckSubscription},
		{"networkResourceSubscriptionID", f.NetworkSubscriptionID, false, armid.CheckSubscription},
		{"resourceGroup", f.ResourceGroup, true, armid.CheckGroup},
		{"loadBalancerResourceGroup", f.LoadBalancerResourceGroup, false, armid.CheckGroup},
		{"vnetResourceGroup", f.VNetResourceGroup, false, armid.CheckGroup},
		{"securityGroupResourceGroup", f.SecurityGroupResourceGroup, false, armid.CheckGroup},
		{"privateLinkServiceResourceGroup", f.PrivateLinkServiceGroup, false, armid.CheckGroup},
		{"loadBalancerName", f.LoadBalancerName, false, of(armid.LoadBalancers)},
		{"vnetName", f.VNetName, false, of(armid.VirtualNetworks)},
		{"subnetName", f.SubnetName, false, of(armid.Subnets)},
		{"securityGroupName", f.SecurityGroupName, false, of(armid.NetworkSecurityGroups)},
	} {
		if n.value == "" {
			if n.needed {
				bad(n.key, "missing")
			}
		} else if err := n.check(n.value); err != nil {
			bad(n.key, "%q: %v", n.value, err)
		}
	}
}

func (f file) checkMultiple(bad func(key, format string, args ...any)) {
	const key = multipleField
	if len(f.MultipleStandardLoadBalancers) > 0 && f.standard() && strings.EqualFold(orText(f.PoolType, string(PoolInterfaces)), string(PoolInterfaces)) {
		bad(key, "needs loadBalancerBackendPoolConfigurationType nodeIP")
	}
	names, sets := map[string]bool{}, map[string]bool{}
	for i, m := range f.MultipleStandardLoadBalancers {
		at := key + "[" + strconv.Itoa(i) + "]"
		name, set := strings.ToLower(m.Name), strings.ToLower(m.PrimaryVMSet)
		switch {
		case name == "":
			bad(at+".name", "missing")
		case names[name]:
			bad(at+".name", "%q is there twice", m.Name)
		case armid.CheckName(armid.LoadBalancers, name) != nil:
			bad(at+".name", "%q: %v", m.Name, armid.CheckName(armid.LoadBalancers, name))
		}
		switch {
		case set == "":
			bad(at+".primaryVMSet", "missing")
		case sets[set]:
			bad(at+".primaryVMSet", "%q is there twice", m.PrimaryVMSet)
		}
		names[name], sets[set] = true, true
	}
}

func (f file) standard() bool {
	return f.LoadBalancerSKU == "" || strings.EqualFold(f.LoadBalancerSKU, "standard")
}

func (f file) cluster(name string) Cluster {
	group := strings.ToLower(f.ResourceGroup)
	network := orText(f.NetworkSubscriptionID, f.SubscriptionID)
	c := Cluster{
		Name:                name,
		Subscription:        f.SubscriptionID,
		NetworkSubscription: network,
		ResourceGroup:       group,
		Location:            f.Location,
		LoadBalancerName:    f.LoadBalancerName,
		LoadBalancerGroup:   orText(f.LoadBalancerResourceGroup, group),
		Basic:               !f.standard(),
		PoolType:            PoolInterfaces,
		PreConfigured:       f.PreConfigured,
		MigrateToIPBased:    f.MigrateToIPBased,
		NoScaleSets:         strings.EqualFold(f.VMType, "standard"),
		DisableOutboundSNAT: f.DisableOutboundSNAT != nil && *f.DisableOutboundSNAT,
		SharedProbe:         strings.EqualFold(f.ProbeMode, "shared"),
		SharedProbePort:     10256,
		SharedProbePath:     orText(f.ProbePath, "/healthz"),
		Subnet:              f.SubnetName,
		PrivateLinkGroup:    orText(f.PrivateLinkServiceGroup, group),
		Tags:                f.tags(),
		MutateIPTags:        f.MutateIPTags,
	}
	if _, ok := oneOf(f.LoadBalancerSKU, "", "basic", "standard"); !ok {
		c.UnknownSKU = f.LoadBalancerSKU
	}
	c.PrimaryVMSet = f.PrimaryScaleSet
	if strings.EqualFold(f.VMType, "standard") {
		c.PrimaryVMSet = f.PrimaryAvailabilitySet
	}
	if f.ProbePort != 0 {
		c.SharedProbePort = uint16(f.ProbePort)
	}
	if f.ExtendedLocationName != "" && f.ExtendedLocationType != "" {
		c.EdgeZone = f.ExtendedLocationName
	}
	if t, ok := oneOf(f.PoolType, string(PoolInterfaces), string(PoolAddresses), string(PoolPods)); ok {
		c.PoolType = PoolType(t)
	}
	if f.VNetName != "" {
		vnetGroup := orText(f.VNetResourceGroup, group)
		c.Network = armid.Resource(network, vnetGroup, armid.VirtualNetworks, f.VNetName)
		c.PoolNetwork = armid.Resource(f.SubscriptionID, vnetGroup, armid.VirtualNetworks, f.VNetName)
	}
	if f.SecurityGroupName != "" {
		c.SecurityGroup = armid.Resource(network, orText(f.SecurityGroupResourceGroup, group), armid.NetworkSecurityGroups, f.SecurityGroupName)
	}
	if f.SystemTags != "" {
		for p := range strings.SplitSeq(f.SystemTags, ",") {
			c.SystemTags = append(c.SystemTags, strings.TrimSpace(p))
		}
	}
	for _, m := range f.MultipleStandardLoadBalancers {
		c.Multiple = append(c.Multiple, MultipleConfiguration{
			Name: m.Name, PrimaryVMSet: m.PrimaryVMSet, AllowServicePlacement: m.AllowServicePlacement == nil || *m.AllowServicePlacement,
			ServiceLabels: m.ServiceLabelSelector, ServiceNamespaces: m.ServiceNamespaceSelector, Nodes: m.NodeSelector,
		})
	}
	return c
}

// tags reads the tags string overlaid with tagsMap: a pair without exactly one equals sign is skipped, blanks are trimmed.
func (f file) tags() Tags {
	var pairs []Tag
	for piece := range strings.SplitSeq(f.Tags, ",") {
		if key, value, ok := strings.Cut(piece, "="); ok && !strings.Contains(value, "=") {
			pairs = append(pairs, Tag{Key: key, Value: value})
		}
	}
	var t Tags
	for _, p := range pairs {
		t = t.withTrimmed(p)
	}
	for _, p := range TagsOf(f.TagsMap) {
		t = t.Without(strings.TrimSpace(p.Key)).withTrimmed(p)
	}
	return t
}

// withTrimmed is With for a pair as a person wrote it. ARM reserves the bare word null, so a value that is null but for blanks keeps them.
func (t Tags) withTrimmed(p Tag) Tags {
	key, value := strings.TrimSpace(p.Key), strings.TrimSpace(p.Value)
	if key == "" {
		return t
	}
	if strings.EqualFold(value, "null") {
		value = p.Value
	}
	return t.With(key, value)
}

// prefix is what the names of the load balancers start with.
func (c Cluster) prefix() string { return orText(c.LoadBalancerName, c.Name) }

// sku returns the SKU of new load balancers and public IPs.
func (c Cluster) sku() string {
	if c.Basic {
		return "Basic"
	}
	return "Standard"
}

// publicIPGroup returns the name of the resource group of a Service's public IPs.
func (c Cluster) publicIPGroup(cfg annotations.Config) string {
	return orText(cfg.PublicIP.ResourceGroup, c.ResourceGroup)
}

func (c Cluster) publicIP(group, name string) ID {
	return armid.Resource(c.NetworkSubscription, group, armid.PublicIPAddresses, name)
}

func (c Cluster) subnet(name string) ID { return c.Network.Child(armid.Subnets, name) }
