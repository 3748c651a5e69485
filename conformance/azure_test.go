package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/conformance/internal/statediff"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// pause is the time between two steps, long enough that nothing read before is fresh.
const pause = 10 * time.Minute

// waived are the rules of the fake that the recorded Azure did not have; references and recordings disagree there.
var waived = []fake.Rule{fake.RuleBasicSKU, fake.RuleIPv6Only, fake.RuleProtocolAllWithPort, fake.RuleServiceOnIPPool}

// newCloud returns an Azure with the content of a seed.json or state.json.
func newCloud(s scenario, state []byte) (*fake.Cloud, error) {
	addresses := map[string]netip.Addr{}
	for id, addr := range s.addresses {
		addresses[string(id)] = addr
	}
	known := slices.DeleteFunc(slices.Clone(waived), func(r fake.Rule) bool { return !slices.Contains(fake.Rules(), r) })
	etags := fnv.New32() // both ways occur in Azure; which one is nothing that was recorded
	etags.Write([]byte(s.name))
	cloud := fake.New(&fake.Options{
		PublicAddresses: addresses, Waive: known,
		InstanceMovesScaleSet: etags.Sum32()&1 > 0, ScaleSetMovesInstances: etags.Sum32()&2 > 0,
	})
	return cloud, cloud.Load(state)
}

// options are those of every call: waiting costs nothing.
func options(cloud *fake.Cloud) *provider.Options {
	return &provider.Options{Clock: cloud.Clock(), MaxRemovals: -1, AllowEmpty: true}
}

// apply does to cloud what happened behind the provider's back.
func (s side) apply(cloud *fake.Cloud) error {
	for _, raw := range s.Resources {
		var body map[string]any
		if err := json.Unmarshal(raw, &body); err != nil {
			return err
		}
		id, _ := body["id"].(string)
		put := cloud.Put
		if body["merge"] == true {
			put = cloud.Merge
		}
		delete(body, "merge")
		if err := put(lb.ID(id), body); err != nil {
			return err
		}
	}
	for _, id := range s.Delete {
		if err := cloud.Delete(id); err != nil {
			return err
		}
	}
	for _, f := range s.Faults {
		fault, err := f.scripted()
		if err != nil {
			return err
		}
		cloud.Inject(fault)
	}
	return nil
}

// scripted translates a fault.
func (f sideFault) scripted() (fake.Fault, error) {
	fault := fake.Fault{Method: f.Method, Path: f.Path, Count: f.Count}
	switch f.Action.Type {
	case "status":
		fault.Status, fault.Code, fault.Message = f.Action.Status, f.Action.Code, f.Action.Message
	case "conflict":
		fault.Status, fault.Code = http.StatusConflict, "AnotherOperationInProgress"
	case "precondition":
		fault.Status, fault.Code = http.StatusPreconditionFailed, "PreconditionFailed"
	default:
		return fault, fmt.Errorf("unknown action %q of a fault", f.Action.Type)
	}
	return fault, nil
}

// planned is what planning came to.
type planned struct {
	plan     lb.Plan
	want     lb.Desired
	findings []lb.Finding
}

// planFor plans for in on what p has.
func planFor(ctx context.Context, p provider.Provider, c lb.Cluster, in lb.Objects) (planned, error) {
	seen, err := p.Observe(ctx, lb.ScopeOf(c, in))
	if err != nil {
		return planned{}, err
	}
	want, findings := lb.Build(c, in, seen)
	want = lb.Adopt(seen, want)
	plan, err := lb.Diff(seen, want)
	return planned{plan: plan, want: want, findings: findings}, err
}

// text prints plan and findings for whoever looks for the reason of a failure.
func (p planned) text(title string) string {
	return explain(title, p.plan) + findingsText(p.findings)
}

func explain(title string, plan lb.Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s: %d steps\n", title, len(plan.Steps))
	if err := plan.Explain(&b); err != nil {
		fmt.Fprintln(&b, "explain:", err)
	}
	return b.String()
}

func findingsText(findings []lb.Finding) string {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintln(&b, "finding:", f)
	}
	return b.String()
}

// steps returns one difference for each step of a plan that should have none.
func steps(path string, plan lb.Plan) []statediff.Difference {
	var list []statediff.Difference
	for _, s := range plan.Steps {
		list = append(list, statediff.Difference{
			Path: path + ".steps[" + statediff.Label(string(s.Op.Target())) + "]", Want: statediff.Absent, Got: describe(s.Op),
		})
	}
	return list
}

// describe tells an operation on a few lines: every change with its fields.
func describe(op lb.Op) string {
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(fmt.Sprintf("%T", op), "lb."))
	for _, c := range op.Why() {
		fmt.Fprintf(&b, "\n         %s %s", c.Action, statediff.Label(string(c.Ref)))
		for _, f := range c.Fields {
			fmt.Fprintf(&b, "\n           %s: %s → %s", f.Field, f.Before, f.After)
		}
	}
	return b.String()
}

// problem is a difference that is no place in the state.
func problem(path string, err error) statediff.Difference {
	return statediff.Difference{Path: path, Want: "no error", Got: err.Error()}
}

// withStatuses returns in with the given statuses in its Services.
func withStatuses(in lb.Objects, status func(types.NamespacedName) corev1.LoadBalancerStatus) lb.Objects {
	in.Services = slices.Clone(in.Services)
	for i := range in.Services {
		in.Services[i].Status.LoadBalancer = status(nameOf(in.Services[i]))
	}
	return in
}

func nameOf(s corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}

// statusText is what is compared of a status, in the order in which it is.
func statusText(status corev1.LoadBalancerStatus) string {
	if len(status.Ingress) == 0 {
		return statediff.Absent
	}
	data, err := json.Marshal(status.Ingress)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// compareStatus appends a difference if got is not the recorded status.
func compareStatus(name types.NamespacedName, want, got corev1.LoadBalancerStatus, diffs []statediff.Difference) []statediff.Difference {
	w, g := statusText(want), statusText(got)
	if w == g {
		return diffs
	}
	return append(diffs, statediff.Difference{Path: "status[" + name.String() + "].loadBalancer", Want: w, Got: g})
}
