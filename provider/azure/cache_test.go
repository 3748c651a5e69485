package azure

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

const (
	inGroup  = lb.ID("/subscriptions/s/resourceGroups/g")
	balancer = inGroup + "/providers/Microsoft.Network/loadBalancers/l"
	poolOne  = balancer + "/backendAddressPools/one"
	poolTwo  = balancer + "/backendAddressPools/two"
	publicIP = inGroup + "/providers/Microsoft.Network/publicIPAddresses/ip"
)

// hand is a clock that is moved by hand.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time                                   { return h.now }
func (h *hand) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

func body(t *testing.T, text string) armwire.Object {
	t.Helper()
	o, err := armwire.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func whole(t *testing.T, etag string) armwire.Object {
	t.Helper()
	return body(t, `{"id":"`+string(balancer)+`","etag":"`+etag+`","properties":{"backendAddressPools":[
		{"id":"`+string(poolOne)+`","name":"one","etag":"`+etag+`"},{"id":"`+string(poolTwo)+`","name":"TWO"}]}}`)
}

// state says what the cache knows of id.
func state(c *cache, id lb.ID) string {
	switch e, ok := c.lookup(id); {
	case !ok:
		return "unknown"
	case e.body == nil:
		return "absent"
	default:
		return e.etag
	}
}

func TestCache(t *testing.T) {
	list := func(t *testing.T, c *cache, etag string, since mark) {
		t.Helper()
		c.keepList(inGroup, armid.LoadBalancers, []armwire.Object{whole(t, etag)}, since)
	}
	other := inGroup + "/providers/microsoft.network/LOADBALANCERS/other"
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, c *cache, clock *hand)
		want map[lb.ID]string
	}{
		{"nothing is known at first", func(*testing.T, *cache, *hand) {}, map[lb.ID]string{balancer: "unknown", poolOne: "unknown"}},
		{"a list tells of what is in it and of what is not", func(t *testing.T, c *cache, _ *hand) {
			list(t, c, "1", c.now())
		}, map[lb.ID]string{
			balancer: "1", other: "absent", poolOne: "1", poolTwo: "unknown", balancer + "/backendAddressPools/three": "absent",
			other + "/backendAddressPools/x": "unknown", publicIP: "unknown",
		}},
		{"what was listed without an ETag is read by itself", func(t *testing.T, c *cache, _ *hand) {
			list(t, c, "", c.now())
		}, map[lb.ID]string{balancer: "unknown"}},
		{"everything grows old", func(t *testing.T, c *cache, clock *hand) {
			list(t, c, "1", c.now())
			clock.now = clock.now.Add(time.Minute)
		}, map[lb.ID]string{balancer: "unknown", other: "unknown", poolOne: "unknown"}},
		{"a list asked for before a write does not undo it", func(t *testing.T, c *cache, _ *hand) {
			since := c.now()
			c.written(balancer, whole(t, "2"), "2", []lb.ID{publicIP})
			list(t, c, "1", since)
			c.keepList(inGroup, armid.PublicIPAddresses, []armwire.Object{body(t, `{"id":"`+string(publicIP)+`","etag":"1"}`)}, since)
		}, map[lb.ID]string{balancer: "2", publicIP: "unknown"}},
		{"nor does a read", func(t *testing.T, c *cache, _ *hand) {
			since := c.now()
			c.written(balancer, nil, "", nil)
			c.keep(balancer, whole(t, "1"), "1", since)
		}, map[lb.ID]string{balancer: "absent"}},
		{"a list asked for after a write does", func(t *testing.T, c *cache, _ *hand) {
			c.written(balancer, whole(t, "2"), "2", nil)
			list(t, c, "3", c.now())
		}, map[lb.ID]string{balancer: "3"}},
		{"an older list that comes late does not replace a newer one", func(t *testing.T, c *cache, _ *hand) {
			older := c.now()
			list(t, c, "2", c.now())
			list(t, c, "1", older)
		}, map[lb.ID]string{balancer: "2"}},
		{"a pool's write puts what is beside it in doubt", func(t *testing.T, c *cache, _ *hand) {
			list(t, c, "1", c.now())
			c.written(poolOne, body(t, `{"etag":"2"}`), "2", nil)
		}, map[lb.ID]string{balancer: "unknown", poolOne: "2", poolTwo: "unknown"}},
		{"a load balancer's write tells of its pools", func(t *testing.T, c *cache, _ *hand) {
			c.written(poolOne, body(t, `{"etag":"1"}`), "1", nil)
			c.written(balancer, whole(t, "2"), "2", nil)
		}, map[lb.ID]string{balancer: "2", poolOne: "2"}},
		{"a pool asked for before the load balancer's write is not believed", func(t *testing.T, c *cache, _ *hand) {
			since := c.now()
			c.written(balancer, whole(t, "2"), "2", nil)
			c.keep(poolOne, body(t, `{"etag":"1"}`), "1", since)
		}, map[lb.ID]string{poolOne: "2"}},
		{"forgotten is in doubt, whatever lists said", func(t *testing.T, c *cache, _ *hand) {
			list(t, c, "1", c.now())
			c.forget(poolOne, other)
		}, map[lb.ID]string{balancer: "unknown", poolOne: "unknown", other: "unknown"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := &hand{now: time.Unix(1e9, 0)}
			c := newCache(clock, time.Minute)
			tt.do(t, c, clock)
			got := map[lb.ID]string{}
			for id := range tt.want {
				got[id] = state(c, id)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("known (-want +got):\n%s", d)
			}
		})
	}
}

func TestMoved(t *testing.T) {
	with := func(frontend, ip string) armwire.Object {
		return body(t, `{"id":"`+string(balancer)+`","properties":{"frontendIPConfigurations":[{"name":"`+frontend+`","id":"`+string(balancer)+
			`/frontendIPConfigurations/`+frontend+`","properties":{"publicIPAddress":{"id":"`+ip+`"}}}],"loadBalancingRules":[{"name":"r","id":"`+
			string(balancer)+`/loadBalancingRules/r","properties":{"frontendIPConfiguration":{"id":"`+string(balancer)+`/frontendIPConfigurations/x"}}}]}}`)
	}
	ip := lb.ID(publicIP.Key())
	for name, tt := range map[string]struct {
		before, after armwire.Object
		want          []lb.ID
	}{
		"created":                     {nil, with("f", string(publicIP)), []lb.ID{ip}},
		"deleted":                     {with("f", string(publicIP)), nil, []lb.ID{ip}},
		"the same in another case":    {with("f", string(publicIP)), with("F", ip.Key()), nil},
		"moved to another frontend":   {with("f", string(publicIP)), with("g", string(publicIP)), []lb.ID{ip, ip}},
		"nothing before, none after":  {nil, nil, nil},
		"what is no id is no mention": {nil, with("f", "nonsense"), nil},
	} {
		if d := cmp.Diff(tt.want, moved(balancer, tt.before, tt.after)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
