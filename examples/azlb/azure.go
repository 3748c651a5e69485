package main

import (
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/azlb/azlb/examples/internal/signin"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider/azure"
)

// openAzure returns Azure itself, with the credentials and endpoints that azure.json names.
func (t *tool) openAzure(cluster lb.Cluster, config []byte) (*session, error) {
	var reads, writes atomic.Int64
	backend, err := signin.Open(cluster, config, &azure.Options{Logger: t.logger(), Observer: func(c azure.Call) {
		if c.Method == http.MethodGet {
			reads.Add(1)
		} else {
			writes.Add(1)
		}
	}})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.flags.cloudConfig, err)
	}
	counts := func() requests { return requests{int(reads.Load()), int(writes.Load())} }
	return &session{Provider: backend, counts: counts, finish: func() error { return nil }}, nil
}
