// Controller serves Services of type LoadBalancer that have a loadBalancerClass of their own, with azlb on controller-runtime. It is a
// template: small enough to be read, and complete.
//
//	go run . --kubeconfig ~/.kube/config --cloud-config azure.json --cluster-name kubernetes
//
// README.md beside this file says how to run it in a cluster, and what to change for a controller of your own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/azlb/azlb/examples/internal/signin"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// flags are those of the command line; controller-runtime has one more, --kubeconfig.
type flags struct {
	cloudConfig, clusterName, class, budget string
	workers                                 int
	metrics, certs, health                  string
	elect                                   bool
	namespace                               string // of the lease
	lease, renew, retry                     time.Duration
	log                                     zap.Options
}

func (f *flags) bind(set *flag.FlagSet) {
	set.StringVar(&f.cloudConfig, "cloud-config", "", "azure.json of the cluster")
	set.StringVar(&f.clusterName, "cluster-name", "kubernetes", "name of the cluster, which is in the names of everything in Azure")
	set.StringVar(&f.class, "load-balancer-class", domain+"/azure", "spec.loadBalancerClass of the Services to serve")
	set.StringVar(&f.budget, "arm-budget", "recommended", signin.BudgetUsage)
	set.IntVar(&f.workers, "concurrent-reconciles", 100, "how many Services are worked on at a time; they are planned together")
	set.StringVar(&f.metrics, "metrics-bind-address", ":8443", "address of /metrics, over TLS and for those who may get it; 0: none")
	set.StringVar(&f.certs, "metrics-cert-dir", "", "directory with the tls.crt and tls.key of /metrics; empty: made at the start")
	set.StringVar(&f.health, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0: none")
	set.BoolVar(&f.elect, "leader-elect", true, "work only while no other process does")
	set.StringVar(&f.namespace, "leader-elect-namespace", "", "namespace of the lease; empty: that of the pod")
	set.DurationVar(&f.lease, "leader-elect-lease-duration", 15*time.Second, "how long another process waits for one that is gone")
	set.DurationVar(&f.renew, "leader-elect-renew-deadline", 10*time.Second, "how long a process tries to stay the one before it gives up")
	set.DurationVar(&f.retry, "leader-elect-retry-period", 2*time.Second, "how often it tries")
	f.log.BindFlags(set)
}

func main() {
	var f flags
	f.bind(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&f.log)))
	if err := run(ctrl.SetupSignalHandler(), f); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, f flags) error {
	m, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{
		// Whoever asks for metrics says who they are, and the API server says whether they may.
		Metrics: metricsserver.Options{
			BindAddress: f.metrics, SecureServing: true, CertDir: f.certs, FilterProvider: filters.WithAuthenticationAndAuthorization,
		},
		HealthProbeBindAddress: f.health,
		LeaderElection:         f.elect, LeaderElectionID: "azlb-controller", LeaderElectionNamespace: f.namespace, LeaderElectionReleaseOnCancel: true,
		LeaseDuration: &f.lease, RenewDeadline: &f.renew, RetryPeriod: &f.retry,
	})
	if err != nil {
		return err
	}
	tracing, flush, err := newTracing(ctx)
	if err != nil {
		return err
	}
	backend, cluster, err := signin.OpenFile(f.cloudConfig, f.clusterName, f.budget, azure.Options{
		Logger: slog.New(logr.ToSlogHandler(m.GetLogger().WithName("azure"))), Tracing: tracing, Observer: newRequestMetrics(metrics.Registry),
	})
	if err != nil {
		return err
	}
	cluster.Class = f.class
	c := &controller{Client: m.GetClient(), cluster: cluster}
	c.events = &narrator{reader: m.GetClient(), recorder: m.GetEventRecorder("azlb"), metrics: newEventMetrics(metrics.Registry)}
	c.azure = provider.NewReconciler(backend, cluster, &provider.Options{
		Logger: slog.New(logr.ToSlogHandler(m.GetLogger().WithName("azlb"))), OnEvent: c.events.tell,
	})
	// The lease is given up after this has returned, and it returns when writes under way have ended.
	err = m.Add(manager.RunnableFunc(func(ctx context.Context) error {
		<-ctx.Done()
		return c.azure.Close()
	}))
	if err := errors.Join(err, c.register(m, f.workers), m.AddHealthzCheck("ping", healthz.Ping), m.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return err
	}
	return errors.Join(m.Start(ctx), flush(context.WithoutCancel(ctx)))
}
