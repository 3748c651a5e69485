package azure_test

import (
	"slices"
	"testing"
	"time"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
	"github.com/azlb/azlb/internal/lbtest"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
	"github.com/azlb/azlb/provider/azure"
)

// doors are the two ways to the fake.
var doors = map[string]func(testing.TB, *fake.Cloud) provider.Provider{
	"direct": func(_ testing.TB, c *fake.Cloud) provider.Provider { return c },
	"ARM": func(t testing.TB, c *fake.Cloud) provider.Provider {
		b, err := azure.New(anyone{"t"}, &azure.Options{Transport: armfake.Transport(c), Clock: c.Clock()})
		if err != nil {
			t.Fatal(err)
		}
		return b
	},
}

// misfortune is one fault that strikes one write, and what it takes to get over it.
type misfortune struct {
	name  string
	on    string // type of the resource that is written; empty: load balancers
	fault fake.Fault
	syncs int           // calls of Sync after which everything is as wanted
	puts  int           // PUTs of resources of that type in all, without fault one
	met   int           // retries and failed steps
	waits time.Duration // at least, in virtual time
}

// misfortunes has every way in which a write can go wrong.
var misfortunes = []misfortune{
	{"throttled for a second", "", fake.Fault{Status: 429, Code: "SubscriptionRequestsThrottled", RetryAfter: time.Second}, 1, 2, 1, time.Second},
	{"throttled for half a minute", "", fake.Fault{Status: 429, Code: "TooManyRequests", RetryAfter: 30 * time.Second}, 1, 2, 1, 30 * time.Second},
	{"throttled for two minutes", "", fake.Fault{Status: 429, Code: "TooManyRequests", RetryAfter: 2 * time.Minute}, 1, 2, 1, 2 * time.Minute},
	{"throttled for three days", "", fake.Fault{Status: 429, Code: "TooManyRequests", RetryAfter: 72 * time.Hour}, 1, 2, 1, 72 * time.Hour},
	{"superseded at once", "", fake.Fault{Status: 409, Code: "CanceledAndSupersededDueToAnotherOperation"}, 1, 2, 1, 0},
	{"superseded in the end", "", fake.Fault{Late: true, Code: "CanceledAndSupersededDueToAnotherOperation"}, 1, 1, 1, 0},
	{"failed in the end, may be sent again", "", fake.Fault{Late: true, Code: "RetryableErrorDueToAnotherOperation"}, 1, 2, 1, 0},
	{"failed in the end, for a reason of Azure's", "", fake.Fault{Late: true, Code: "InternalServerError"}, 1, 2, 1, 0},
	{"failed in the end, for a reason of ours", "", fake.Fault{Late: true, Code: "SubnetIsFull"}, 1, 2, 1, 0},
	{"public IP failed in the end", armid.PublicIPAddresses, fake.Fault{Late: true, Code: "PublicIPCountLimitReached"}, 2, 3, 1, 0},
	{"security group failed in the end", armid.NetworkSecurityGroups, fake.Fault{Late: true, Code: "SecurityRuleCountLimitReached"}, 1, 2, 1, 0},
	{"fault of the server", "", fake.Fault{Status: 503, Code: "ServiceUnavailable"}, 1, 2, 1, 0},
	{"stuck", "", fake.Fault{Delay: time.Hour}, 1, 1, 1, 15 * time.Minute},
	{"connection lost before", "", fake.Fault{Drop: fake.DropBefore}, 1, 2, 1, 0},
	{"connection lost after", "", fake.Fault{Drop: fake.DropAfter}, 1, 1, 1, 0},
	{"another writer in between", "", fake.Fault{Meanwhile: touch}, 1, 2, 1, 0},
}

// TestMisfortunes lets one write go wrong in every way there is, through both doors. The call that meets it, or the next one, converges in
// state Succeeded, and no write is sent more often than that takes.
func TestMisfortunes(t *testing.T) {
	for door, open := range doors {
		for _, m := range misfortunes {
			t.Run(door+"/"+m.name, func(t *testing.T) {
				if m.name == "stuck" && door == "direct" {
					m.met = 0 // this door returns when the operation has ended, so that waiting is all there is
				}
				m.run(t, open)
			})
		}
	}
}

func (m misfortune) run(t *testing.T, open func(testing.TB, *fake.Cloud) provider.Provider) {
	if m.on == "" {
		m.on = armid.LoadBalancers
	}
	c, met := lbtest.Cloud(), 0
	azure := open(t, c)
	r := provider.NewReconciler(azure, lbtest.Cluster(), &provider.Options{Clock: c.Clock(), OnEvent: func(e provider.Event) {
		switch e := e.(type) {
		case provider.StepRetried:
			met++
		case provider.StepDone:
			if e.Err != nil {
				met++
			}
		}
	}})
	in := lb.Objects{Services: lbtest.Services(2), Nodes: lbtest.Nodes(2)}
	if _, err := r.Sync(t.Context(), in); err != nil { // so that there is something to be in the way of
		t.Fatal(err)
	}
	c.ResetRequests()
	m.fault.Method, m.fault.Path = "PUT", "/"+lb.ID(m.on).Name()+"/"
	c.Inject(m.fault)
	start := c.Clock().Now()
	in.Services = lbtest.Services(4)
	if n := syncs(t, r, in); n != m.syncs {
		t.Errorf("%d calls, want %d", n, m.syncs)
	}
	if met != m.met {
		t.Errorf("met %d times, want %d", met, m.met)
	}
	if waited := c.Clock().Now().Sub(start); waited < m.waits || waited > 4*m.waits+5*time.Minute {
		t.Errorf("took %v, want %v and not much more", waited, m.waits)
	}
	if n := putsOf(c, m.on); n != m.puts {
		t.Errorf("%d PUTs, want %d", n, m.puts)
	}
	if err := c.Clock().Sleep(t.Context(), m.fault.Delay); err != nil { // what was stuck comes to its end
		t.Fatal(err)
	}
	report, err := r.Sync(t.Context(), in)
	if err != nil || len(report.Plan().Steps) > 0 {
		t.Errorf("afterwards: %v, plan %v", err, report.Plan())
	}
	for _, id := range c.IDs() {
		if state := stateOf(t, c, id); state != "Succeeded" {
			t.Errorf("%s is in state %s", id, state)
		}
	}
}

// syncs calls Sync until there is no error, and returns how often that was.
func syncs(t *testing.T, r *provider.Reconciler, in lb.Objects) int {
	t.Helper()
	for n := 1; ; n++ {
		if _, err := r.Sync(t.Context(), in); err == nil {
			return n
		} else if n > 5 {
			t.Fatalf("no end: %v", err)
		}
	}
}

// stateOf returns the provisioning state of a resource as the cloud shows it, without a request in the journal of the test.
func stateOf(t *testing.T, c *fake.Cloud, id lb.ID) string {
	t.Helper()
	answer, err := c.Call(t.Context(), fake.Call{Method: "GET", ID: id})
	if err != nil {
		t.Fatal(err)
	}
	properties, _ := answer.Body["properties"].(map[string]any)
	state, _ := properties["provisioningState"].(string)
	return state
}

// touch is somebody else who tags the load balancer.
func touch(c *fake.Cloud) {
	for _, id := range c.IDs() {
		if id.Is(armid.LoadBalancers) {
			// It is there, so this cannot fail.
			_ = c.Merge(id, map[string]any{"tags": map[string]any{"touched": "yes"}})
		}
	}
}

// putsOf counts the PUTs of resources of a type and their children.
func putsOf(c *fake.Cloud, typ string) int {
	list := slices.DeleteFunc(c.Requests(), func(r fake.Request) bool {
		return r.Method != "PUT" || !lb.ID(r.Path).Top().Is(typ)
	})
	return len(list)
}
