// Egress is a controller without any Service: a model built by hand, planned with lb.Diff and carried out with provider.Apply. Its gateway has a
// public frontend, a pool and a rule on the load balancer that the cluster's Services use as well, and neither disturbs the other: what one of
// them does not mention stays as it is.
//
//	go run ./examples/egress
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"

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
		fmt.Fprintln(os.Stderr, "egress:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	t, err := newTale(out)
	if err != nil {
		return err
	}
	for _, act := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"the Services of the cluster", t.services},
		{"a gateway on one machine", t.gatewayOn("10.1.0.20")},
		{"the Services again: nothing to do", t.services},
		{"the gateway moves to two other machines: one write of its pool", t.gatewayOn("10.1.0.21", "10.1.0.22")},
		{"the last Service goes, and the gateway stays", t.lastServiceGoes},
		{"the gateway goes too, and takes the load balancer with it", t.gatewayGoes},
	} {
		fmt.Fprintf(out, "\n=== %s\n\n", act.title)
		if err := act.play(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "\n=== what is left\n\n%s", t.azure)
	return nil
}

// tale is a cluster, its Azure, and where it is told.
type tale struct {
	azure   *fake.Cloud
	cluster lb.Cluster
	in      lb.Objects
	out     io.Writer
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
	t := &tale{azure: fake.New(nil), cluster: cluster, in: set.Objects, out: out}
	if err := t.azure.Load(seedJSON); err != nil {
		return nil, fmt.Errorf("seed.json: %w", err)
	}
	return t, nil
}

// services is the controller of the Services.
func (t *tale) services(ctx context.Context) error {
	report, err := provider.NewReconciler(t.azure, t.cluster, t.options()).Sync(ctx, t.in)
	if err != nil {
		return err
	}
	return report.Plan().Explain(t.out)
}

func (t *tale) lastServiceGoes(ctx context.Context) error {
	t.in.Services = nil
	return t.services(ctx)
}

// gatewayOn is the controller of the gateway, which runs on machines with these addresses now.
func (t *tale) gatewayOn(addresses ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		seen, err := t.observe(ctx)
		if err != nil {
			return err
		}
		want, err := t.gateway().on(addresses...)
		if err != nil {
			return err
		}
		return t.apply(ctx, seen, want)
	}
}

func (t *tale) gatewayGoes(ctx context.Context) error {
	seen, err := t.observe(ctx)
	if err != nil {
		return err
	}
	return t.apply(ctx, seen, t.gateway().gone(seen))
}

// observe reads what the gateway is about: load balancers and public IPs of its resource group.
func (t *tale) observe(ctx context.Context) (lb.Observed, error) {
	group := []lb.ID{t.gateway().balancer.GroupID()}
	return t.azure.Observe(ctx, lb.Scope{LoadBalancers: group, PublicIPs: group})
}

// apply plans what leads from seen to want, prints the plan and carries it out. lb.Adopt takes over the spelling of what is there.
func (t *tale) apply(ctx context.Context, seen lb.Observed, want lb.Desired) error {
	plan, err := lb.Diff(seen, lb.Adopt(seen, want))
	if err != nil {
		return err
	}
	for _, f := range plan.Findings {
		fmt.Fprintln(t.out, f)
	}
	if err := plan.Explain(t.out); err != nil {
		return err
	}
	_, err = provider.Apply(ctx, t.azure, plan, t.options())
	return err
}

// options make the fake's clock ours, and one step follow the other, so that the tale is the same each time.
func (t *tale) options() *provider.Options {
	return &provider.Options{Clock: t.azure.Clock(), Parallel: 1, AllowEmpty: true} // the gateway stays when the last Service goes
}
