package sim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

const subscription = "00000000-0000-0000-0000-000000000001"

var (
	network       = armid.Resource(subscription, "rg", armid.VirtualNetworks, "vnet")
	securityGroup = armid.Resource(subscription, "rg", armid.NetworkSecurityGroups, "nsg")
	external      = balancer("kubernetes")
	internal      = balancer("kubernetes-internal")
	balancers     = []lb.ID{external, internal}
)

func balancer(name string) lb.ID {
	return armid.Resource(subscription, "rg", armid.LoadBalancers, name)
}

func publicIP(group, name string) lb.ID {
	return armid.Resource(subscription, group, armid.PublicIPAddresses, name)
}

// World is one cluster with its Azure. It belongs to one goroutine.
type World struct {
	Seed    uint64
	Cluster lb.Cluster
	Cloud   *fake.Cloud
	Objects lb.Objects
	// Scripted counts misfortunes by kind.
	Scripted map[string]int
	rng      *rand.Rand
	spelling *rand.Rand // apart from rng: what worlds of old seeds are like does not hang on it
	serial   int        // numbers what others make
	nodes    int        // of those ever made
	machines *machines  // nil: pools hold addresses
	sharing  bool       // Services share what they can
}

// New makes the world of seed: a configuration, content of others, nodes, and Services that nothing was done for yet.
func New(seed uint64) *World {
	w := &World{Seed: seed, Scripted: map[string]int{}, rng: rand.New(rand.NewPCG(seed, 0x5eed)), spelling: rand.New(rand.NewPCG(seed, 0x5be11))}
	w.Cluster = w.cluster()
	w.Cloud = template().Clone()
	w.machines = w.newMachines()
	for range 1 + w.rng.IntN(3) {
		w.addNode()
	}
	for i := range 1 + w.rng.IntN(5) {
		w.Objects.Services = append(w.Objects.Services, w.service(i))
	}
	for range w.rng.IntN(6) {
		w.Meddle(w.Cloud)
	}
	return w
}

// chance is true in one of n cases.
func (w *World) chance(n int) bool { return w.rng.IntN(n) == 0 }

// pick returns one of list.
func pick[T any](w *World, list ...T) T { return list[w.rng.IntN(len(list))] }

// Fork returns a world with the same objects whose cloud goes its own way. Both go on with the same random numbers.
func (w *World) Fork() *World {
	f := *w
	f.Cloud = w.Cloud.Clone()
	f.rng = rand.New(rand.NewPCG(w.Seed, uint64(w.serial)))
	return &f
}

// cluster draws an azure.json.
func (w *World) cluster() lb.Cluster {
	var file map[string]any
	if err := json.Unmarshal([]byte(lbtest.Configuration), &file); err != nil {
		panic(err)
	}
	if w.chance(4) {
		file["tags"] = pick(w, "team=net", "team=net,env=prod")
	}
	if w.chance(4) {
		file["disableOutboundSNAT"] = true
	}
	if w.chance(4) {
		file["clusterServiceLoadBalancerHealthProbeMode"] = "shared"
	}
	if w.chance(8) {
		file["loadBalancerBackendPoolConfigurationType"] = "nodeIPConfiguration"
	}
	if w.chance(12) {
		delete(file, "securityGroupName")
	}
	text, err := json.Marshal(file)
	if err != nil {
		panic(err)
	}
	c, err := lb.ParseCluster(text, "")
	if err != nil {
		panic(err)
	}
	return c
}

// template is the Azure that all worlds begin with: what lbtest has, a second resource group, and public IPs and a prefix of the user.
var template = sync.OnceValue(func() *fake.Cloud {
	c := fake.New(&fake.Options{Waive: []fake.Rule{fake.RuleIPv6Only}})
	must := func(err error) {
		if err != nil {
			panic(fmt.Sprintf("sim: %v", err))
		}
	}
	must(c.Load([]byte(lbtest.Seed)))
	c.AddGroup(armid.Group(subscription, "other"), "westeurope")
	for _, p := range []struct{ group, name, version, address string }{
		{"rg", "user-0", "IPv4", "40.0.0.10"},
		{"rg", "user-1", "IPv4", "40.0.0.11"},
		{"rg", "user-6", "IPv6", "2603:1020::10"},
		{"other", "user-0", "IPv4", "40.0.0.12"},
	} {
		must(c.Put(publicIP(p.group, p.name), object{
			"location": "westeurope", "sku": object{"name": "Standard"}, "tags": object{"x-owner": "user"}, "xForeign": p.name,
			"properties": object{"publicIPAllocationMethod": "Static", "publicIPAddressVersion": p.version, "ipAddress": p.address},
		}))
	}
	must(c.Put(armid.Resource(subscription, "rg", armid.PublicIPPrefixes, "prefix"), object{
		"location": "westeurope", "sku": object{"name": "Standard"},
		"properties": object{"publicIPAddressVersion": "IPv4", "prefixLength": json.Number("28"), "ipPrefix": "50.0.0.0/28"},
	}))
	return c
})

// must stops a simulation that is wrong itself.
func (w *World) must(err error) {
	if err != nil {
		panic(fmt.Sprintf("sim: seed %d: %v", w.Seed, err))
	}
}
