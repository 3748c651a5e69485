package azure_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/tracing"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider/azure"
)

// TestTracing: every call of the SDK is a span of the caller's provider, and every span ends.
func TestTracing(t *testing.T) {
	var mu sync.Mutex
	var started []string
	open := 0
	spans := tracing.NewTracer(func(ctx context.Context, name string, _ *tracing.SpanOptions) (context.Context, tracing.Span) {
		mu.Lock()
		defer mu.Unlock()
		started = append(started, name)
		open++
		return ctx, tracing.NewSpan(tracing.SpanImpl{End: func() {
			mu.Lock()
			defer mu.Unlock()
			open--
		}})
	}, nil)
	a := newARM(t)
	b := a.backend(t, azure.Options{Tracing: tracing.NewProvider(func(string, string) tracing.Tracer { return spans }, nil)})
	if _, err := b.Observe(t.Context(), lb.Scope{PublicIPs: []lb.ID{armid.Group(group.Subscription(), group.ResourceGroup())}}); err != nil {
		t.Fatal(err)
	}
	do(t, b, create)
	if !slices.Contains(started, "PublicIPAddressesClient.BeginCreateOrUpdate") || open != 0 {
		t.Errorf("spans %q, %d open; want one of the write, and none open", started, open)
	}
}
