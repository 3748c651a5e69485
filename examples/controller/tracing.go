package main

import (
	"context"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/tracing"
	"github.com/Azure/azure-sdk-for-go/sdk/tracing/azotel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/trace"
)

// newTracing returns what makes spans of requests to Azure, for the collector that OTEL_EXPORTER_OTLP_ENDPOINT names; without it, nothing
// does. flush sends what is left.
func newTracing(ctx context.Context) (_ tracing.Provider, flush func(context.Context) error, _ error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT")+os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return tracing.Provider{}, func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return tracing.Provider{}, nil, err
	}
	spans := trace.NewTracerProvider(trace.WithBatcher(exporter))
	return azotel.NewTracingProvider(spans, nil), spans.Shutdown, nil
}
