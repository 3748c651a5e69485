// Azlb is the command-line tool of the library: it checks manifests, shows what they mean for Azure, and brings Azure in step with them.
//
//	azlb lint  -f services.yaml
//	azlb plan  --cloud-config azure.json -f manifests/
//	azlb apply --cloud-config azure.json -f manifests/
//	azlb explain default/web --cloud-config azure.json -f manifests/
//	azlb annotations
//	azlb translate -f services.yaml
//	azlb serve --cloud-config azure.json
//
// With --fake everything happens on an Azure in memory. The README beside this file has a session with it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes. They are interface.
const (
	exitFine    = 0 // nothing to do, or all done
	exitError   = 1 // anything went wrong, or an error finding of any Service
	exitChanges = 2 // plan: there is something to do
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end, the second one gets the end at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the tool without the process around it. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := &tool{stdin: stdin, stdout: stdout, stderr: stderr}
	return t.run(ctx, args)
}

func (t *tool) run(ctx context.Context, args []string) int {
	root := t.command()
	root.SetArgs(args)
	root.SetIn(t.stdin)
	root.SetOut(t.stdout)
	root.SetErr(t.stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		t.complain(err)
		return exitError
	}
	return t.code
}
