package vmss

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/azlb/azlb/provider/azure"
)

// Clients makes clients of Microsoft.Compute. The zero value is ready.
type Clients struct{}

var _ azure.ScaleSets = Clients{}

// Client returns the client of one subscription. It touches no network.
func (Clients) Client(subscription string, cred azcore.TokenCredential, o *arm.ClientOptions) (azure.ScaleSetClient, error) {
	sets, err := armcompute.NewVirtualMachineScaleSetsClient(subscription, cred, o)
	if err != nil {
		return nil, err
	}
	instances, err := armcompute.NewVirtualMachineScaleSetVMsClient(subscription, cred, o)
	if err != nil {
		return nil, err
	}
	return client{sets, instances}, nil
}

type client struct {
	sets      *armcompute.VirtualMachineScaleSetsClient
	instances *armcompute.VirtualMachineScaleSetVMsClient
}

func (c client) List(group string) azure.Pager {
	return pager[armcompute.VirtualMachineScaleSetsClientListResponse]{c.sets.NewListPager(group, nil)}
}

func (c client) Get(ctx context.Context, group, set string) error {
	_, err := c.sets.Get(ctx, group, set, nil)
	return err
}

func (c client) Put(ctx context.Context, group, set, token string) (azure.Poller, error) {
	return polled(c.sets.BeginCreateOrUpdate(ctx, group, set, armcompute.VirtualMachineScaleSet{},
		&armcompute.VirtualMachineScaleSetsClientBeginCreateOrUpdateOptions{ResumeToken: token}))
}

func (c client) Instances(group, set string) azure.Pager {
	return pager[armcompute.VirtualMachineScaleSetVMsClientListResponse]{c.instances.NewListPager(group, set,
		&armcompute.VirtualMachineScaleSetVMsClientListOptions{Expand: to.Ptr("instanceView")})}
}

func (c client) Instance(ctx context.Context, group, set, instance string) error {
	_, err := c.instances.Get(ctx, group, set, instance,
		&armcompute.VirtualMachineScaleSetVMsClientGetOptions{Expand: to.Ptr(armcompute.InstanceViewTypesInstanceView)})
	return err
}

func (c client) PutInstance(ctx context.Context, group, set, instance, token string) (azure.Poller, error) {
	return polled(c.instances.BeginUpdate(ctx, group, set, instance, armcompute.VirtualMachineScaleSetVM{},
		&armcompute.VirtualMachineScaleSetVMsClientBeginUpdateOptions{ResumeToken: token}))
}

type pager[T any] struct{ *runtime.Pager[T] }

// Next reads the next page; what is in it is the pipeline's.
func (p pager[T]) Next(ctx context.Context) error {
	_, err := p.NextPage(ctx)
	return err
}

type poller[T any] struct{ *runtime.Poller[T] }

// Wait returns how an operation that is done ended.
func (p poller[T]) Wait(ctx context.Context) error {
	_, err := p.Result(ctx)
	return err
}

func polled[T any](p *runtime.Poller[T], err error) (azure.Poller, error) {
	if err != nil {
		return nil, err
	}
	return poller[T]{p}, nil
}
