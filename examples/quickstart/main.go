// Quickstart turns Kubernetes manifests into Azure load balancers, on an Azure in memory: nothing is asked for, nothing is charged.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -f my-services.yaml -v
//
// It shows the plan with its reasons, the writes, the statuses that the Services get, and that planning once more finds nothing to do. Then
// it changes a port, deletes a Service and deletes all of them, with the plan of each.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/azlb/azlb/examples/internal/manifest"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
)

var (
	//go:embed azure.json
	azureJSON []byte // the configuration of the cluster, as the upstream provider reads it
	//go:embed seed.json
	seedJSON []byte // what is in Azure at the beginning: a virtual network and a security group
	//go:embed services.yaml
	servicesYAML []byte
	//go:embed nodes.yaml
	nodesYAML []byte
)

func main() {
	err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// files collects the values of a flag that may be given several times.
type files []string

func (f *files) String() string     { return fmt.Sprint(*f) }
func (f *files) Set(s string) error { *f = append(*f, s); return nil }

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var paths files
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Var(&paths, "f", "manifests: a `file`, a directory or - for stdin; may be given several times (default: its own services.yaml)")
	verbose := flags.Bool("v", false, "log every call to Azure")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: manifests are named with -f", flags.Arg(0))
	}
	in, err := objects(paths, stdin)
	if err != nil {
		return err
	}
	cluster, err := lb.ParseCluster(azureJSON, "")
	if err != nil {
		return fmt.Errorf("azure.json: %w", err)
	}
	azure := fake.New(nil)
	if err := azure.Load(seedJSON); err != nil {
		return fmt.Errorf("seed.json: %w", err)
	}
	return newTour(azure, cluster, in, stdout, *verbose).run(ctx)
}

// objects reads the manifests. Without nodes among them the cluster has those of nodes.yaml.
func objects(paths []string, stdin io.Reader) (lb.Objects, error) {
	set, err := manifest.Load(paths, stdin)
	if len(paths) == 0 {
		err = set.Add("services.yaml", servicesYAML)
	}
	if len(set.Objects.Nodes) == 0 {
		err = errors.Join(err, set.Add("nodes.yaml", nodesYAML))
	}
	if err != nil {
		return lb.Objects{}, err
	}
	if len(set.Objects.Services) == 0 {
		return lb.Objects{}, errors.New("there is no Service in the manifests")
	}
	set.Complete()
	return set.Objects, nil
}
