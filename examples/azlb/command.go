package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/azlb/azlb/examples/internal/manifest"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
)

// tool is one invocation: where it reads and writes, what the flags say, and how it ends.
type tool struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	flags          flags
	code           int            // exit code if no error is returned
	opened         func(*session) // told of the Azure that was opened; for tests
}

// flags are the values of the flags of all commands.
type flags struct {
	files       []string
	recursive   bool
	cloudConfig string
	clusterName string
	policy      string
	correct     []string
	release     []string
	output      string
	verbose     bool

	fake      bool
	load      string
	dump      string
	addresses string
	strict    bool

	noDelete    bool
	allowEmpty  bool
	maxRemovals int
	parallel    int

	listen      string
	writeConfig string
	tls         bool
	writeCert   string
	latency     time.Duration

	link    lb.PrivateLinkPolicy
	address lb.AddressPolicy
}

// complain prints an error, one line per joined one.
func (t *tool) complain(err error) {
	for _, line := range safetext.Lines(err) {
		fmt.Fprintln(t.stderr, "azlb:", line)
	}
}

// printf writes to stdout. Whatever the arguments are is quoted: they come from annotations, names and messages of Azure.
func (t *tool) printf(format string, args ...any) { safetext.Fprintf(t.stdout, format, args...) }

// tell is printf to stderr.
func (t *tool) tell(format string, args ...any) { safetext.Fprintf(t.stderr, format, args...) }

// logger returns where the library logs to: stderr with -v, else nowhere.
func (t *tool) logger() *slog.Logger {
	if !t.flags.verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(t.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// command returns the root of the commands.
func (t *tool) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "azlb",
		Short:         "Azure load balancing of Kubernetes Services",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVarP(&t.flags.verbose, "verbose", "v", false, "log what the library does to stderr, and print why steps wait for others")
	root.AddCommand(t.lintCommand(), t.planCommand(), t.applyCommand(), t.explainCommand(), t.annotationsCommand(), t.translateCommand(), t.serveCommand())
	return root
}

// outputFlag adds -o with the forms that a command knows, the first one the default.
func (t *tool) outputFlag(c *cobra.Command, forms ...string) {
	c.Flags().StringVarP(&t.flags.output, "output", "o", forms[0], "form of the output: "+strings.Join(forms, ", "))
	before := c.PreRunE
	c.PreRunE = func(cmd *cobra.Command, args []string) error {
		if !slices.Contains(forms, t.flags.output) {
			return fmt.Errorf("-o %s: want %s", t.flags.output, strings.Join(forms, ", "))
		}
		if before != nil {
			return before(cmd, args)
		}
		return nil
	}
}

// fileFlag adds -f. Arguments are further files, so that -f *.yaml means what it looks like.
func (t *tool) fileFlag(c *cobra.Command) {
	c.Flags().StringArrayVarP(&t.flags.files, "filename", "f", nil,
		"manifests: a `file`, a directory or - for stdin; may be given several times")
	c.Flags().BoolVarP(&t.flags.recursive, "recursive", "R", false,
		"read the folders below directories too (default: a directory that has manifests there is refused)")
}

// manifests reads files and directories as the flags say.
func (t *tool) manifests() manifest.Reader { return manifest.Reader{Recursive: t.flags.recursive} }

// advise says with which flag to insist, where an error has one.
func advise(err error) error {
	if errors.Is(err, manifest.ErrFolders) {
		return errors.Join(err, errors.New("-R reads the folders too; or name with -f the files that are the whole cluster"))
	}
	return err
}

// moreFiles takes arguments as files.
func (t *tool) moreFiles(args []string) error {
	if len(t.flags.files) == 0 {
		return errors.New("no manifests: name files, directories or - with -f")
	}
	t.flags.files = append(t.flags.files, args...)
	return nil
}

// cloudFlags adds the flags of commands that look at Azure.
func (t *tool) cloudFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.flags.cloudConfig, "cloud-config", "", "azure.json of the cluster (`file`)")
	f.StringVar(&t.flags.clusterName, "cluster-name", "", "cluster `name` as given to the cloud controller manager (default kubernetes)")
	f.StringVar(&t.flags.policy, "policy", "", "what Services may name: groups, subnets, public IPs, service tags, subscriptions (`file`)")
	f.StringSliceVar(&t.flags.correct, "correct", nil,
		"deviations from upstream that may change Services which are there already: `kinds` of docs/compatibility.md, with commas between, or all")
	f.BoolVar(&t.flags.address.AllowRecreate, "recreate-addresses", false,
		"allow changes that Azure takes only for a new address: IP tags, prefix or family of a Service's own (default: the Service is held; AddressPolicy.AllowRecreate)")
	f.StringArrayVar(&t.flags.release, "release-class", nil,
		"take away what Services of this other `class` have here, as if they were of type ClusterIP; may be given several times (default: it stays, with a warning)")
	f.BoolVar(&t.flags.fake, "fake", false, "run on an Azure in memory that has what azure.json names")
	f.StringVar(&t.flags.load, "load", "", "with --fake: begin with the state in `file`, as --dump writes it")
	f.StringVar(&t.flags.dump, "dump", "", "with --fake: write the state to `file` at the end; the same as --load to go on with next time")
	f.StringVar(&t.flags.addresses, "addresses", "", "with --fake: JSON `file` of public addresses by resource id")
	f.BoolVar(&t.flags.strict, "strict", false, "with --fake: also refuse what Azure is only sometimes reported to refuse")
}

// linkFlags adds the flags that say what may become of private link services. Without any, none is lost but with its last Service. The names
// at the end are those of lb.PrivateLinkPolicy, which findings name.
func (t *tool) linkFlags(c *cobra.Command) {
	f, p := c.Flags(), &t.flags.link
	f.BoolVar(&p.RefuseOnDelete, "pls-keep-deleted", false,
		"keep the private link service of a Service that is deleted, and its frontend (default: it goes, and its consumers are cut off; RefuseOnDelete)")
	f.BoolVar(&p.RemoveOnUnrequest, "pls-remove-unrequested", false,
		"remove private link services that no Service asks for any more, unless endpoints are connected (default: they stay; RemoveOnUnrequest)")
	f.BoolVar(&p.RemoveConnected, "pls-remove-connected", false, "with --pls-remove-unrequested: although endpoints are connected (RemoveConnected)")
	f.BoolVar(&p.AllowRecreate, "pls-recreate", false,
		"allow changes that need a new private link service, with a new alias and without its consumers (default: the Service is held; AllowRecreate)")
	f.BoolVar(&p.AdoptUnmanaged, "pls-adopt", false,
		"take over private link services without any cluster's tag when the Service of their frontend asks for one (default: the Service is held; AdoptUnmanaged)")
	f.BoolVar(&p.KeepSubnetPolicies, "pls-keep-subnet-policies", false,
		"leave the network policies of subnets alone; Services whose private link service they keep out are held (default: they are switched off; KeepSubnetPolicies)")
}

// syncFlags adds the flags of commands that plan.
func (t *tool) syncFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&t.flags.noDelete, "no-delete", false,
		"keep what Services have that are not in the manifests, or are not of type LoadBalancer any more")
	f.IntVar(&t.flags.maxRemovals, "max-removals", 10,
		"remove nothing if more than `n` Services, and more than half of them, would lose what they have; -1: any number")
	f.BoolVar(&t.flags.allowEmpty, "allow-empty", false,
		"take manifests without any Service for a cluster that has none, so that all of them lose what they have (default: refuse)")
	f.IntVar(&t.flags.parallel, "parallel", 0, "at most `n` writes at a time (default 8; 1 with --fake)")
}

// checkFlags finds flags that do not go together. It comes before anything is read.
func (f flags) check() error {
	var errs []error
	if f.cloudConfig == "" {
		errs = append(errs, errors.New("--cloud-config: name the cluster's azure.json"))
	}
	for name, set := range map[string]bool{
		"--load": f.load != "", "--dump": f.dump != "", "--addresses": f.addresses != "", "--strict": f.strict,
	} {
		if set && !f.fake {
			errs = append(errs, fmt.Errorf("%s is for --fake only", name))
		}
	}
	if f.maxRemovals == 0 {
		errs = append(errs, errors.New("--max-removals 0: want 1 or more, or -1 for any number; --no-delete keeps everything"))
	}
	if f.link.RemoveConnected && !f.link.RemoveOnUnrequest {
		errs = append(errs, errors.New("--pls-remove-connected is for --pls-remove-unrequested only"))
	}
	if f.parallel < 0 {
		errs = append(errs, fmt.Errorf("--parallel %d: want 1 or more", f.parallel))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
