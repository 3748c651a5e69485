package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"sync"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// session is the Azure of one invocation. It remembers what was read last.
type session struct {
	provider.Provider
	clock  provider.Clock // nil: real time
	counts func() requests
	finish func() error // called at the end, whatever happened
	memory bool

	mu   sync.Mutex
	seen lb.Observed
}

// requests counts calls.
type requests struct {
	Reads  int `json:"reads"`
	Writes int `json:"writes"`
}

// Observe reads and remembers.
func (s *session) Observe(ctx context.Context, scope lb.Scope) (lb.Observed, error) {
	seen, err := s.Provider.Observe(ctx, scope)
	if err == nil {
		s.mu.Lock()
		s.seen = seen
		s.mu.Unlock()
	}
	return seen, err
}

// last is what was read last.
func (s *session) last() lb.Observed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// open returns the Azure that the flags ask for.
func (t *tool) open(cluster lb.Cluster, config []byte, in lb.Objects) (*session, error) {
	if !t.flags.fake {
		return t.openAzure(cluster, config)
	}
	azure, err := t.openFake(cluster, in, func(*fake.Options) {})
	if err != nil {
		return nil, err
	}
	return &session{
		Provider: azure, clock: azure.Clock(), memory: true,
		counts: func() requests { return count(azure.Requests()) },
		finish: func() error { return t.dumpFake(azure) },
	}, nil
}

func count(journal []fake.Request) requests {
	var n requests
	for _, r := range journal {
		if r.Method == http.MethodGet {
			n.Reads++
		} else {
			n.Writes++
		}
	}
	return n
}

// contested are rules of the fake about which references and recordings of Azure disagree. Planning warns about these cases.
var contested = []fake.Rule{fake.RuleBasicSKU, fake.RuleIPv6Only, fake.RuleProtocolAllWithPort, fake.RuleServiceOnIPPool}

// openFake returns an Azure in memory: with the state of --load, or else with what the configuration names and the Services need.
func (t *tool) openFake(cluster lb.Cluster, in lb.Objects, tune func(*fake.Options)) (*fake.Cloud, error) {
	options := &fake.Options{}
	if !t.flags.strict {
		options.Waive = contested
	}
	if err := t.readAddresses(options); err != nil {
		return nil, err
	}
	tune(options)
	azure := fake.New(options)
	if t.flags.load != "" {
		data, err := os.ReadFile(t.flags.load)
		switch {
		case err == nil:
			if err := azure.Load(data); err != nil {
				return nil, fmt.Errorf("--load: %s: %w", t.flags.load, err)
			}
			return azure, nil
		case !errors.Is(err, fs.ErrNotExist) || t.flags.load != t.flags.dump:
			// A file that --dump is going to write may be missing the first time.
			return nil, fmt.Errorf("--load: %w", err)
		}
	}
	state, err := emptyState(cluster, in)
	if err != nil {
		return nil, err
	}
	return azure, azure.Load(state)
}

func (t *tool) readAddresses(o *fake.Options) error {
	if t.flags.addresses == "" {
		return nil
	}
	data, err := os.ReadFile(t.flags.addresses)
	if err != nil {
		return fmt.Errorf("--addresses: %w", err)
	}
	o.PublicAddresses = map[string]netip.Addr{}
	if err := json.Unmarshal(data, &o.PublicAddresses); err != nil {
		return fmt.Errorf("--addresses: %s: want an object of addresses by resource id: %s", t.flags.addresses, safetext.Reason(err, data, 1))
	}
	return nil
}

// dumpFake writes the state of azure to the file of --dump, whole or not at all.
func (t *tool) dumpFake(azure *fake.Cloud) error {
	if t.flags.dump == "" {
		return nil
	}
	data, err := azure.Dump()
	if err != nil {
		return fmt.Errorf("--dump: %w", err)
	}
	if err := writeWhole(t.flags.dump, data, 0o644); err != nil {
		return fmt.Errorf("--dump: %w", err)
	}
	return nil
}
