// Privatelink shows the life of a private link service, on an Azure in memory: two Services share a frontend that has one, consumers ask for
// connections, the owner leaves, the other Service wants a change that would cut them off, comes to own it, and leaves too.
//
//	go run ./examples/privatelink
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/examples/internal/manifest"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

var (
	//go:embed azure.json
	azureJSON []byte // the configuration of the cluster
	//go:embed seed.json
	seedJSON []byte // what is in Azure at the beginning
	//go:embed services.yaml
	servicesYAML []byte
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "privatelink:", err)
		os.Exit(1)
	}
}

// Subscriptions of consumers: the first is let in, the second has to ask, the third sees nothing.
const (
	trusted  = "00000000-0000-4000-8000-0000000000c1"
	visitor  = "00000000-0000-4000-8000-0000000000c2"
	stranger = "00000000-0000-4000-8000-0000000000c3"
)

func run(ctx context.Context, out io.Writer) error {
	t, err := newTale(out)
	if err != nil {
		return err
	}
	for _, act := range []struct {
		title string
		play  func() error
	}{
		{"two Services on one frontend", nothing},
		{"consumers ask", t.consumersAsk},
		{"the owner leaves: the guest keeps frontend and private link service", t.ownerLeaves},
		{"the guest wants another address: held, since that would cut consumers off", t.move},
		{"the guest stays, has a wish of its own, and comes to own the private link service", t.guestWishes},
		{"the guest leaves too: connections, private link service and frontend go", t.guestLeaves},
		{"once more", nothing},
	} {
		fmt.Fprintf(out, "\n=== %s\n\n", act.title)
		if err := act.play(); err != nil {
			return err
		}
		if err := t.sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

func nothing() error { return nil }

// tale is a cluster, its Azure, and where it is told.
type tale struct {
	azure *fake.Cloud
	loop  *provider.Reconciler
	in    lb.Objects
	link  lb.ID
	out   io.Writer
}

func newTale(out io.Writer) (*tale, error) {
	var set manifest.Set
	if err := set.Add("services.yaml", servicesYAML); err != nil {
		return nil, err
	}
	set.Complete()
	cluster, err := lb.ParseCluster(azureJSON, "")
	if err != nil {
		return nil, fmt.Errorf("azure.json: %w", err)
	}
	// Azure documents no private link services for pools of addresses, which the rule is about; clusters that have both exist all the same.
	t := &tale{azure: fake.New(&fake.Options{Waive: []fake.Rule{fake.RuleServiceOnIPPool}}), in: set.Objects, out: out}
	if err := t.azure.Load(seedJSON); err != nil {
		return nil, fmt.Errorf("seed.json: %w", err)
	}
	t.loop = provider.NewReconciler(t.azure, cluster, &provider.Options{Clock: t.azure.Clock(), Parallel: 1, OnEvent: t.event, AllowEmpty: true})
	return t, nil
}

// event prints the plans.
func (t *tale) event(e provider.Event) {
	if e, ok := e.(provider.Planned); ok {
		if err := e.Plan.Explain(t.out); err != nil {
			fmt.Fprintln(t.out, err)
		}
	}
}

// sync brings everything in step and prints what the Services are told of their private link service.
func (t *tale) sync(ctx context.Context) error {
	report, err := t.loop.Sync(ctx, t.in)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out)
	for _, s := range t.in.Services {
		result := report.Services[types.NamespacedName{Namespace: s.Namespace, Name: s.Name}]
		if result.PrivateLink == nil {
			fmt.Fprintf(t.out, "%s: no private link service\n", s.Name)
			continue
		}
		t.link = result.PrivateLink.ID
		var list []string
		for _, c := range result.PrivateLink.Connections {
			list = append(list, c.Name+" "+c.Status)
		}
		fmt.Fprintf(t.out, "%s: held %t, %s, connections: %s\n", s.Name, result.Held, result.PrivateLink.Alias, strings.Join(list, ", "))
	}
	return nil
}

// consumersAsk lets three consumers ask, of which one has to wait and one is not let near.
func (t *tale) consumersAsk() error {
	status, err := t.azure.ConnectFrom(t.link, "trusted", trusted)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, "trusted is", status)
	status, err = t.azure.ConnectFrom(t.link, "visitor", visitor)
	if err != nil {
		return err
	}
	fmt.Fprintln(t.out, "visitor is", status)
	_, err = t.azure.ConnectFrom(t.link, "stranger", stranger)
	fmt.Fprintf(t.out, "stranger: %v\n\n", err)
	return t.azure.Approve(t.link, "visitor")
}

func (t *tale) move() error {
	t.in.Services[0].Annotations["service.beta.kubernetes.io/azure-load-balancer-ipv4"] = "10.1.0.201"
	return nil
}

func (t *tale) ownerLeaves() error {
	t.in.Services = t.in.Services[1:]
	return nil
}

func (t *tale) guestWishes() error {
	notes := t.in.Services[0].Annotations
	notes["service.beta.kubernetes.io/azure-load-balancer-ipv4"] = "10.1.0.200"
	notes["service.beta.kubernetes.io/azure-pls-ip-configuration-subnet"] = "apps"
	notes["service.beta.kubernetes.io/azure-pls-ip-configuration-ip-address"] = "10.1.8.10 10.1.8.11"
	notes["service.beta.kubernetes.io/azure-pls-visibility"] = "*"
	return nil
}

func (t *tale) guestLeaves() error {
	t.in.Services = nil
	return nil
}
