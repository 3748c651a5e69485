package azure

import (
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// ScaleSets makes clients for Options.ScaleSets. Package vmss, a module of its own, has one: whoever has no scale sets, or pools of addresses,
// needs no more of the Azure SDK than the network client. Everybody else needs it, and so does a program that is told by an azure.json what
// there is: scale sets with pools of network interfaces are the default of AKS.
type ScaleSets interface {
	// Client returns the client of one subscription. It must use o as it is: bodies go past the SDK's models in its pipeline, so that nothing
	// unknown is lost in them, and retries, polls and records are those of the backend.
	Client(subscription string, cred azcore.TokenCredential, o *arm.ClientOptions) (ScaleSetClient, error)
}

// ScaleSetClient makes the calls of Microsoft.Compute that pools of scale sets need. A PUT sends an empty model: the body comes from the
// pipeline. token, unless it is empty, resumes an operation.
type ScaleSetClient interface {
	List(group string) Pager
	Get(ctx context.Context, group, set string) error
	Put(ctx context.Context, group, set, token string) (Poller, error)
	// Instances lists with instance views.
	Instances(group, set string) Pager
	Instance(ctx context.Context, group, set, instance string) error
	PutInstance(ctx context.Context, group, set, instance, token string) (Poller, error)
}

// Pager is a list in pages.
type Pager interface {
	More() bool
	Next(ctx context.Context) error
}

// Poller is a long-running operation.
type Poller interface {
	Done() bool
	Poll(ctx context.Context) (*http.Response, error)
	ResumeToken() (string, error)
	Wait(ctx context.Context) error // returns at once when it is done
}

type scaleSetPoller struct{ Poller }

func (p scaleSetPoller) result(ctx context.Context) error { return p.Wait(ctx) }

func scaleSetPolled(p Poller, err error) (poller, error) {
	if err != nil {
		return nil, err
	}
	return scaleSetPoller{p}, nil
}

// scaleSetClient returns the client of a subscription, nil if scale sets are not served.
func (b *Backend) scaleSetClient(subscription string) (ScaleSetClient, error) {
	if b.options.ScaleSets == nil {
		return nil, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	key := strings.ToLower(subscription)
	if c := b.scaleSets[key]; c != nil {
		return c, nil
	}
	c, err := b.options.ScaleSets.Client(subscription, b.credentialFor(subscription), b.clientOptions())
	if err == nil {
		b.scaleSets[key] = c
	}
	return c, err
}

// scaleSetAccess is how scale sets and their instances are read and written.
func scaleSetAccess(c ScaleSetClient, id lb.ID) access {
	set, name := id.Top().Name(), id.Name()
	if id.Is(armid.ScaleSets) {
		return access{
			get: func(c2 call) error { return c.Get(c2.ctx, c2.group, set) },
			put: func(c2 call) (poller, error) { return scaleSetPolled(c.Put(c2.ctx, c2.group, set, c2.token)) },
		}
	}
	return access{
		get: func(c2 call) error { return c.Instance(c2.ctx, c2.group, set, name) },
		put: func(c2 call) (poller, error) {
			return scaleSetPolled(c.PutInstance(c2.ctx, c2.group, set, name, c2.token))
		},
	}
}

// foundSets are scale sets and their instances.
type foundSets struct{ models, instances *found }

// scaleSets lists the scale sets of some groups, and the instances of those in uniform mode.
func (o *observation) scaleSets(groups []lb.ID) foundSets {
	all := foundSets{&found{}, &found{}}
	for _, group := range distinct(groups) {
		client, err := o.b.scaleSetClient(group.Subscription())
		if err != nil {
			o.fail(err)
		}
		if client == nil {
			o.unserved(group)
			continue
		}
		o.read(lb.Unknown{Scope: group, Type: armid.ScaleSets, Action: armid.ScaleSets + "/read"}, func() error {
			sets, err := o.b.pages(o.ctx, group, armid.ScaleSets, client.List(group.ResourceGroup()))
			o.add(all.models, sets...)
			for _, set := range sets {
				if armwire.Uniform(set) {
					o.instances(client, lb.ID(text(set, "id")), all.instances)
				}
			}
			return err
		})
	}
	return all
}

// unserved says that nobody reads the scale sets of a group.
func (o *observation) unserved(group lb.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unknown = append(o.unknown, lb.Unknown{
		Scope: group, Type: armid.ScaleSets, Action: armid.ScaleSets + "/read",
		Remedy: "set azure.Options.ScaleSets (vmss.Clients{} of github.com/azlb/azlb/provider/azure/vmss)",
	})
}

func (o *observation) instances(client ScaleSetClient, set lb.ID, to *found) {
	o.read(lb.Unknown{Scope: set, Type: armid.ScaleSetInstances, Action: armid.ScaleSetInstances + "/read"}, func() error {
		list, err := o.b.pages(o.ctx, set, armid.ScaleSetInstances, client.Instances(set.ResourceGroup(), set.Name()))
		o.add(to, list...)
		return err
	})
}

// pages reads a list and keeps each of its resources for the write that may follow.
func (b *Backend) pages(ctx context.Context, scope lb.ID, typ string, pages Pager) ([]armwire.Object, error) {
	since := b.cache.now()
	x := exchange{target: scope, typ: typ}
	ctx = x.in(ctx)
	var all []armwire.Object
	for pages.More() {
		x.page = nil
		if err := pages.Next(ctx); err != nil {
			return nil, err
		}
		all = append(all, x.page...)
	}
	all = once(all)
	b.cache.keepList(scope, typ, all, since)
	return all, nil
}
