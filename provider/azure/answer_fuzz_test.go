package azure_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// FuzzAnswers lets anything answer one request of a write, and what a list is asked for. Nothing panics; a read that does not show the resource
// is followed by no write, and a list that is none is not taken for one.
func FuzzAnswers(f *testing.F) {
	types := keptTypes()
	stages := []stage{reading, writing, polling, following, looking}
	for i, k := range types {
		f.Add(uint8(i), uint8(0), armwire.Format(k.object(f, "e")))
	}
	first := types[0].object(f, "e") // of the others TestBrokenAnswers tries them all
	for _, all := range []map[string]string{lbtest.BrokenResources(first, types[0].at), lbtest.BrokenLists(first, types[0].at)} {
		for _, answer := range all {
			f.Add(uint8(0), uint8(len(answer)), []byte(answer))
		}
	}
	for _, answer := range lbtest.BrokenStates() {
		f.Add(uint8(0), uint8(2), []byte(answer))
	}
	f.Fuzz(func(t *testing.T, which, at uint8, data []byte) {
		k, answer := types[int(which)%len(types)], string(data)
		where := stages[int(at)%len(stages)]
		for _, op := range k.ops() {
			world := &oneResource{t: t, kept: k, at: where, broken: &answer}
			receipt, err := backendOf(t, world).Do(t.Context(), op)
			if err == nil && !strings.EqualFold(string(receipt.Target), string(k.id)) {
				t.Errorf("%T: receipt of %s", op, receipt.Target)
			}
			if where == reading && world.writes() > 0 && !shows(data, k.id) {
				t.Errorf("%T: a write after %q", op, data)
			}
		}
		door := &instead{of: func(*http.Request) bool { return true }, answer: answer}
		scope := lb.Scope{LoadBalancers: []lb.ID{group}, PublicIPs: []lb.ID{group}, Interfaces: []lb.ID{group}, Machines: []lb.ID{group}}
		seen, err := backendOf(t, door).Observe(t.Context(), scope)
		if err == nil && !lists(data) {
			t.Errorf("%q observed as %v", data, seen)
		}
	})
}

func backendOf(t *testing.T, door interface {
	Do(*http.Request) (*http.Response, error)
},
) *azure.Backend {
	t.Helper()
	b, err := azure.New(anyone{"t"}, &azure.Options{Transport: door, Clock: fake.New(nil).Clock(), Rates: provider.NewRates(provider.Budget{})})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// shows reports whether data is a resource id that can be written, as far as anybody can tell who does not know its type.
func shows(data []byte, id lb.ID) bool {
	var o struct {
		ID, ETag   string
		Properties map[string]any
	}
	return json.Unmarshal(data, &o) == nil && strings.EqualFold(o.ID, string(id)) && o.ETag != "" && o.Properties != nil
}

// lists reports whether data is a list of resources that have ids.
func lists(data []byte) bool {
	var o struct {
		Value []struct{ ID string }
	}
	return json.Unmarshal(data, &o) == nil && o.Value != nil && !slices.ContainsFunc(o.Value, func(e struct{ ID string }) bool { return e.ID == "" })
}
