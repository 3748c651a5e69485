package vmss_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
	"github.com/azlb/azlb/provider/azure/vmss"
)

// instead answers what a path is asked for in place of a cloud.
type instead struct {
	next interface {
		Do(*http.Request) (*http.Response, error)
	}
	path, answer string

	mu     sync.Mutex
	met    bool
	writes []string
}

func (i *instead) Do(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if req.Method != http.MethodGet {
		i.writes = append(i.writes, req.Method+" "+req.URL.Path)
	}
	if req.Method != http.MethodGet || !strings.EqualFold(req.URL.Path, i.path) {
		return i.next.Do(req)
	}
	i.met = true
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(bytes.NewReader([]byte(i.answer))), ContentLength: int64(len(i.answer)),
	}, nil
}

// TestBrokenScaleSets: whatever comes with status 200 instead of scale sets, instances or one of them is an error. Nothing is written and nothing
// concluded: to read it as empty would be to take every node out of its pools.
func TestBrokenScaleSets(t *testing.T) {
	w := open(t, 2, vmss.Clients{})
	w.sync()
	seen, err := w.backend.Observe(t.Context(), lb.ScopeOf(w.cluster, w.in))
	if err != nil || len(seen.Interfaces) != 3 {
		t.Fatalf("%v: %d interfaces, want a model and two instances", err, len(seen.Interfaces))
	}
	w.in.Nodes[1].Labels["node.kubernetes.io/exclude-from-external-load-balancers"] = "true" // so that there is something to do
	tried := 0
	for _, member := range seen.Interfaces {
		body, _ := w.Cloud.Body(member.ID)
		at, list := "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations", string(w.set.GroupID())+"/providers/"+armid.ScaleSets
		if member.ID.Is(armid.ScaleSetInstances) {
			at, list = "properties.networkProfileConfiguration.networkInterfaceConfigurations", string(w.set)+"/virtualMachines"
		}
		leave := lb.PutNetworkInterface{Before: member.NetworkInterface, After: lb.NetworkInterface{ID: member.ID}}
		for _, c := range member.IPConfigurations {
			leave.After.IPConfigurations = append(leave.After.IPConfigurations, lb.IPConfiguration{Name: c.Name})
		}
		answers := lbtest.BrokenLists(body, at)
		if member.ID.Is(armid.ScaleSetInstances) {
			delete(answers, "on it: another resource") // whose name does not follow from its id
		}
		for what, answer := range answers {
			tried++
			b, door := w.behind(list, answer)
			_, err := provider.NewReconciler(b, w.cluster, &provider.Options{Clock: w.Cloud.Clock()}).Sync(t.Context(), w.in)
			if err == nil || !door.met || len(door.writes) > 0 {
				t.Errorf("%s: a list, %s: %v, writes %v", member.ID.Name(), what, err, door.writes)
			}
		}
		for what, answer := range lbtest.BrokenResources(body, at) {
			tried++
			b, door := w.behind(string(member.ID), answer)
			if _, err := b.Do(t.Context(), leave); provider.KindOf(err) != provider.Retry || !door.met || len(door.writes) > 0 {
				t.Errorf("%s: %s: %v, writes %v", member.ID.Name(), what, err, door.writes)
			}
		}
	}
	if tried < 25*2*3 {
		t.Errorf("%d answers tried", tried)
	}
}

// behind is a backend that is answered what a path is asked for.
func (w *world) behind(path, answer string) (*azure.Backend, *instead) {
	w.t.Helper()
	door := &instead{next: armfake.Transport(w.Cloud), path: path, answer: answer}
	b, err := azure.New(credential{}, &azure.Options{Transport: door, Clock: w.Cloud.Clock(), ScaleSets: vmss.Clients{}})
	if err != nil {
		w.t.Fatal(err)
	}
	return b, door
}
