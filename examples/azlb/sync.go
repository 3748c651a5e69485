package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

func (t *tool) planCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "plan --cloud-config azure.json -f FILE...",
		Short: "Show what apply would do, and why",
		Long: `Show what apply would do: every write with its changes, reasons and risks, in the order in which they would be made, what is wrong with
Services, and what it would cost. Nothing is written.

The manifests together are the complete cluster: a Service that is not among them is one to delete. What looks like a part of one is refused:
manifests without any Service (--allow-empty insists), and folders below a directory that would not be read (-R reads them).

Exit code 0: nothing to do. 2: changes. 1: an error, also of a single Service.`,
		RunE: func(cmd *cobra.Command, args []string) error { return t.sync(cmd.Context(), args, true) },
	}
	t.fileFlag(c)
	t.cloudFlags(c)
	t.linkFlags(c)
	t.syncFlags(c)
	t.outputFlag(c, "text", "json", "mermaid")
	return c
}

func (t *tool) applyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "apply --cloud-config azure.json -f FILE...",
		Short: "Bring Azure in step with the manifests",
		Long: `Plan, then carry the plan out. The plan and the result go to stdout, progress to stderr. An interrupt (Ctrl-C) lets the write in flight
end, and says what was done and what was not; running apply again goes on from there.

The manifests together are the complete cluster: a Service that is not among them loses what it has. What looks like a part of one is refused:
manifests without any Service (--allow-empty insists), and folders below a directory that would not be read (-R reads them).

Exit code 0: all done. 1: an error, also of a single Service.`,
		RunE: func(cmd *cobra.Command, args []string) error { return t.sync(cmd.Context(), args, false) },
	}
	t.fileFlag(c)
	t.cloudFlags(c)
	t.linkFlags(c)
	t.syncFlags(c)
	t.outputFlag(c, "text", "json")
	return c
}

// job is one plan or apply.
type job struct {
	cluster lb.Cluster
	in      lb.Objects
	azure   *session
	dry     bool
	report  provider.Report
	err     error
}

// sync plans and, unless dry, applies.
func (t *tool) sync(ctx context.Context, args []string, dry bool) error {
	j, err := t.prepare(args)
	if err != nil {
		return err
	}
	j.dry = dry
	progress := t.newProgress(j)
	j.report, j.err = provider.NewReconciler(j.azure, j.cluster, t.options(j, progress)).Sync(ctx, j.in)
	progress.stop()
	dumped := j.azure.finish()
	if err := t.print(ctx, j); err != nil {
		return errors.Join(err, dumped)
	}
	return dumped
}

// prepare reads everything that is not Azure, and opens Azure.
func (t *tool) prepare(args []string) (*job, error) {
	if err := errors.Join(t.flags.check(), t.moreFiles(args)); err != nil {
		return nil, err
	}
	in, err := t.objects()
	if err != nil {
		return nil, err
	}
	if len(in.Services) == 0 && !t.flags.allowEmpty && !t.flags.noDelete {
		return nil, errors.Join(fmt.Errorf("%w: name the manifests of the whole cluster", provider.ErrNoInput),
			errors.New("--allow-empty insists: every Service that has something loses it; --no-delete keeps it"))
	}
	cluster, config, err := t.config()
	if err != nil {
		return nil, err
	}
	cluster.PrivateLink, cluster.Addresses = t.flags.link, t.flags.address
	if !t.flags.noDelete {
		cluster.ReleaseClasses = t.flags.release
	}
	azure, err := t.open(cluster, config, in)
	if err != nil {
		return nil, err
	}
	if t.opened != nil {
		t.opened(azure)
	}
	if t.flags.noDelete {
		in = kept(in)
	}
	return &job{cluster: cluster, in: in, azure: azure}, nil
}

func (t *tool) options(j *job, p *progress) *provider.Options {
	parallel := t.flags.parallel
	if parallel == 0 && j.azure.memory {
		parallel = 1 // an Azure in memory is not faster for it, and this way the output is always the same
	}
	return &provider.Options{
		Parallel: parallel, Clock: j.azure.clock, Logger: t.logger(), OnEvent: p.event, DryRun: j.dry, MaxRemovals: t.flags.maxRemovals,
		AllowEmpty: t.flags.allowEmpty, Survey: true,
	}
}

// print writes the result and sets the exit code.
func (t *tool) print(ctx context.Context, j *job) error {
	r := j.result()
	switch {
	case r.failed():
		t.code = exitError
	case j.dry && len(r.Steps) > 0:
		t.code = exitChanges
	default:
		t.code = exitFine
	}
	switch t.flags.output {
	case "json":
		if err := t.printJSON(r); err != nil {
			return err
		}
	case "mermaid":
		if err := j.report.Plan().Mermaid(t.stdout); err != nil {
			return err
		}
	default:
		t.printText(j, r)
	}
	for _, err := range unjoin(j.err) {
		if len(j.report.Rounds) == 0 || !told(ctx, err) {
			t.complain(err)
		}
	}
	t.printInterrupted(ctx, j)
	return nil
}

// unjoin returns the errors that errors.Join joined, on all levels.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var list []error
	for _, e := range joined.Unwrap() {
		list = append(list, unjoin(e)...)
	}
	return list
}

// told reports whether an error has been said already: with its Service, with its step, or as the interruption.
func told(ctx context.Context, err error) bool {
	switch err.(type) { //nolint:errorlint // reading again, for one, wraps the error of a call and was not told
	case *provider.ServiceError, *provider.OpError:
		return true
	default:
		return ctx.Err() != nil && errors.Is(err, context.Cause(ctx))
	}
}
