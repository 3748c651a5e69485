package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

type object = armwire.Object

// kinds are the children of load balancers.
var kinds = []string{
	armid.FrontendIPConfigurations, armid.BackendAddressPools, armid.LoadBalancingRules, armid.Probes,
	armid.OutboundRules, armid.InboundNATRules,
}

// mark is the start of the names of fields and tags that only others write.
const mark = "x"

// Meddle is somebody else changing something in Azure that is not ours, without asking anybody.
func (w *World) Meddle(c *fake.Cloud) {
	w.serial++
	switch w.rng.IntN(10) {
	case 0, 1:
		w.meddleFrontend(c)
	case 2:
		w.meddleUse(c)
	case 3:
		w.meddleSecurity(c)
	case 4:
		w.meddlePublicIP(c)
	case 5:
		w.meddleChild(c)
	case 6, 7:
		w.meddleField(c)
	case 8:
		w.meddleRemove(c)
	default:
		w.meddleTag(c)
	}
}

func number(n int) json.Number { return json.Number(fmt.Sprint(n)) }

func ref(id lb.ID) object { return object{"id": string(id)} }

// change rewrites a resource; it is made first if it is not there and fresh is not nil.
func (w *World) change(c *fake.Cloud, id lb.ID, fresh object, edit func(body, properties object)) {
	body, ok := c.Body(id)
	if !ok {
		if fresh == nil {
			return
		}
		body = fresh
	}
	properties, _ := body["properties"].(object)
	if properties == nil {
		properties = object{}
		body["properties"] = properties
	}
	edit(body, properties)
	w.must(c.Put(id, body))
}

func children(properties object, kind string) []object {
	list, _ := properties[kind].([]any)
	var out []object
	for _, e := range list {
		if o, ok := e.(object); ok {
			out = append(out, o)
		}
	}
	return out
}

func add(properties object, kind string, child object) {
	list, _ := properties[kind].([]any)
	properties[kind] = append(slices.Clone(list), child)
}

// meddleFrontend gives a load balancer, perhaps a new one, a frontend of its own with all that belongs to it.
func (w *World) meddleFrontend(c *fake.Cloud) {
	id := pick(w, external, external, internal, balancer("theirs"))
	name := fmt.Sprintf("Theirs-%d", w.serial)
	source := object{"privateIPAllocationMethod": "Dynamic", "subnet": ref(network.Child(armid.Subnets, "apps"))}
	if id == external {
		ip := publicIP("rg", fmt.Sprintf("their-ip-%d", w.serial))
		w.must(c.Put(ip, object{
			"location": "westeurope", "sku": object{"name": "Standard"},
			"properties": object{"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
		}))
		source = object{"publicIPAddress": ref(ip)}
	}
	fresh := object{"location": "westeurope", "sku": object{"name": "Standard"}}
	frontend, pool := id.Child(armid.FrontendIPConfigurations, name), id.Child(armid.BackendAddressPools, name)
	w.change(c, id, fresh, func(_, p object) {
		add(p, armid.FrontendIPConfigurations, object{"name": name, "properties": source, "xForeign": object{"deep": []any{"list"}}})
		add(p, armid.BackendAddressPools, object{"name": name, "properties": object{"xForeign": true}})
		add(p, armid.Probes, object{"name": name, "properties": object{
			"protocol": "Tcp", "port": number(22), "intervalInSeconds": number(15), "numberOfProbes": number(2),
		}})
		add(p, armid.LoadBalancingRules, object{"name": name, "properties": object{
			"frontendIPConfiguration": ref(frontend), "backendAddressPool": ref(pool), "probe": ref(id.Child(armid.Probes, name)),
			"protocol": "Tcp", "frontendPort": number(2000), "backendPort": number(2000), "xForeign": number(w.serial),
		}})
		if w.chance(2) {
			add(p, armid.InboundNATRules, object{"name": name, "properties": object{
				"frontendIPConfiguration": ref(frontend), "protocol": "Tcp", "frontendPort": number(2022), "backendPort": number(22),
			}})
		}
	})
}

// meddleUse lets an outbound or NAT rule use a frontend, and a pool, that may be ours.
func (w *World) meddleUse(c *fake.Cloud) {
	id := pick(w, balancers...)
	name := fmt.Sprintf("uses-%d", w.serial)
	w.change(c, id, nil, func(_, p object) {
		frontends, pools := children(p, armid.FrontendIPConfigurations), children(p, armid.BackendAddressPools)
		if len(frontends) == 0 || len(pools) == 0 {
			return
		}
		frontend := id.Child(armid.FrontendIPConfigurations, pick(w, frontends...)["name"].(string))
		if allPorts(p, frontend) {
			return // Azure would not let them
		}
		pool := id.Child(armid.BackendAddressPools, pick(w, pools...)["name"].(string))
		if id == external && w.chance(2) {
			add(p, armid.OutboundRules, object{"name": name, "properties": object{
				"frontendIPConfigurations": []any{ref(frontend)}, "backendAddressPool": ref(pool), "protocol": "All",
			}})
			return
		}
		add(p, armid.InboundNATRules, object{"name": name, "properties": object{
			"frontendIPConfiguration": ref(frontend), "protocol": "Tcp", "frontendPort": number(3000 + w.serial), "backendPort": number(22),
		}})
	})
}

// allPorts reports whether a rule has every port of a frontend.
func allPorts(properties object, frontend lb.ID) bool {
	return slices.ContainsFunc(children(properties, armid.LoadBalancingRules), func(rule object) bool {
		p, _ := rule["properties"].(object)
		at, _ := p["frontendIPConfiguration"].(object)
		id, _ := at["id"].(string)
		return p["protocol"] == "All" && frontend.Equal(lb.ID(id))
	})
}

func (w *World) meddleSecurity(c *fake.Cloud) {
	w.change(c, securityGroup, nil, func(body, p object) {
		used := map[string]bool{}
		for _, r := range children(p, armid.SecurityRules) {
			rp, _ := r["properties"].(object)
			used[fmt.Sprint(rp["direction"], rp["priority"])] = true
		}
		priority, direction := pick(w, 110, 300, 499)+w.serial%7, pick(w, "Inbound", "Outbound")
		if priority -= priority / 500 * 10; used[direction+fmt.Sprint(priority)] {
			return
		}
		add(p, armid.SecurityRules, object{"name": fmt.Sprintf("theirs-%d", w.serial), "xForeign": "here", "properties": object{
			"priority": number(priority), "direction": direction, "access": pick(w, "Allow", "Deny"), "protocol": "Tcp",
			"sourceAddressPrefix": "192.0.2.0/24", "sourcePortRange": "*", "destinationAddressPrefix": "10.9.9.9", "destinationPortRange": "22",
			"xForeign": number(w.serial),
		}})
	})
}

func (w *World) meddlePublicIP(c *fake.Cloud) {
	tags := object{}
	if w.chance(2) {
		tags = object{"x-theirs": "1", "k8s-azure-cluster-name": "another", "k8s-azure-service": "default/svc-1"}
	}
	w.must(c.Put(publicIP("rg", fmt.Sprintf("free-%d", w.serial)), object{
		"location": "westeurope", "sku": object{"name": "Standard"}, "tags": tags, "xForeign": "free",
		"properties": object{"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"},
	}))
}

// meddleChild marks a child, ours or not, of a load balancer or of the security group.
func (w *World) meddleChild(c *fake.Cloud) {
	id := pick(w, external, internal, securityGroup)
	w.change(c, id, nil, func(_, p object) {
		var all []object
		for _, kind := range append(slices.Clone(kinds), armid.SecurityRules) {
			all = append(all, children(p, kind)...)
		}
		if len(all) == 0 {
			return
		}
		pick(w, inside(pick(w, all...))...)["xForeign"] = number(w.serial)
	})
}

// inside returns o and every object in it.
func inside(o object) []object {
	all := []object{o}
	for _, k := range slices.Sorted(maps.Keys(o)) {
		for _, below := range objectsOf(o[k]) {
			all = append(all, inside(below)...)
		}
	}
	return all
}

// objectsOf returns the objects that v is or holds.
func objectsOf(v any) []object {
	switch v := v.(type) {
	case object:
		return []object{v}
	case []any:
		var list []object
		for _, e := range v {
			if o, ok := e.(object); ok {
				list = append(list, o)
			}
		}
		return list
	default:
		return nil
	}
}

// anything returns the id of any load balancer, security group or public IP.
func (w *World) anything(c *fake.Cloud) lb.ID {
	ids := slices.DeleteFunc(c.IDs(), func(id lb.ID) bool {
		return !id.Is(armid.LoadBalancers) && !id.Is(armid.NetworkSecurityGroups) && !id.Is(armid.PublicIPAddresses)
	})
	return pick(w, ids...)
}

func (w *World) meddleField(c *fake.Cloud) {
	w.change(c, w.anything(c), nil, func(body, p object) {
		at := []object{body, p}
		for _, k := range []string{"sku", "dnsSettings", "publicIPPrefix"} {
			at = append(append(at, objectsOf(p[k])...), objectsOf(body[k])...)
		}
		pick(w, at...)["xForeign"+pick(w, "A", "B")] = object{"serial": number(w.serial), "none": nil, "list": []any{}}
	})
}

func (w *World) meddleTag(c *fake.Cloud) {
	w.change(c, w.anything(c), nil, func(body, _ object) {
		tags, _ := body["tags"].(object)
		tags = maps.Clone(tags)
		if tags == nil {
			tags = object{}
		}
		tags["x-"+pick(w, "a", "B")] = fmt.Sprint(w.serial)
		body["tags"] = tags
	})
}

// Respell is somebody else, in one of four worlds, writing names of ours in capitals, which for ARM are the same names.
func (w *World) Respell(c *fake.Cloud) {
	if w.spelling.IntN(4) > 0 {
		return
	}
	for _, id := range []lb.ID{external, internal, securityGroup} {
		w.change(c, id, nil, func(_, p object) {
			for _, kind := range append(slices.Clone(kinds), armid.SecurityRules) {
				for _, child := range children(p, kind) {
					if name, _ := child["name"].(string); owned(kind, child) && w.spelling.IntN(2) == 0 {
						delete(child, "id") // follows from the name
						child["name"] = strings.ToUpper(name)
					}
				}
			}
		})
	}
}

// meddleRemove takes away what others made: a NAT or outbound rule, or a security rule.
func (w *World) meddleRemove(c *fake.Cloud) {
	w.change(c, pick(w, external, internal, securityGroup), nil, func(_, p object) {
		kind := pick(w, armid.OutboundRules, armid.InboundNATRules, armid.SecurityRules)
		list, _ := p[kind].([]any)
		for i, e := range list {
			if o, ok := e.(object); ok && !owned(kind, o) {
				p[kind] = slices.Delete(slices.Clone(list), i, i+1)
				return
			}
		}
	})
}

// owned reports whether a child of a load balancer or security group is ours.
func owned(kind string, child object) bool {
	name, _ := child["name"].(string)
	name = strings.ToLower(name)
	switch kind {
	case armid.SecurityRules:
		return strings.HasPrefix(name, "k8s-azure-lb")
	case armid.BackendAddressPools:
		return name == "kubernetes" || name == "kubernetes-ipv6"
	case armid.OutboundRules, armid.InboundNATRules:
		return false
	default:
		return baseOf(name) != "" || name == "cluster-service-shared-health-probe"
	}
}

// baseOf returns what names of a Service's children begin with, or nothing.
func baseOf(name string) string {
	if len(name) < 32 || len(name) > 32 && name[32] != '-' || !strings.HasPrefix(strings.ToLower(name), "a") {
		return ""
	}
	if strings.Trim(strings.ToLower(name[1:32]), "0123456789abcdef") != "" {
		return ""
	}
	return strings.ToLower(name[:32])
}

// foreign is what is not ours in a cloud, by the key of the resource that it is in.
type foreign map[string]*foreignParts

// foreignParts is what is not ours in one resource, by a key that says where it is. What is inside something of ours may go with it, whose
// key within tells.
type foreignParts map[string]foreignPart

type foreignPart struct {
	value  any
	within string
}

// foreignOf reads what is not ours.
func foreignOf(c *fake.Cloud) foreign {
	f := foreign{}
	f.read(c, c.IDs()...)
	return f
}

// after returns f with these resources read again.
func (f foreign) after(c *fake.Cloud, ids ...lb.ID) foreign {
	f = maps.Clone(f)
	f.read(c, ids...)
	return f
}

func (f foreign) read(c *fake.Cloud, ids ...lb.ID) {
	for _, id := range ids {
		delete(f, id.Key())
		if body, ok := c.Body(id); ok {
			parts := foreignParts{}
			parts.resource(id, body)
			f[id.Key()] = &parts
		}
	}
}

func (f foreignParts) put(key, within string, v any) { f[key] = foreignPart{value: v, within: within} }

// resource enters one resource.
func (f foreignParts) resource(id lb.ID, body object) {
	key := id.Key()
	armwire.StripReadOnly(id.Type(), body)
	switch {
	case id.Equal(external), id.Equal(internal), id.Equal(securityGroup):
		f.put(key, key, nil)
		f.shared(key, body)
	case id.Is(armid.PublicIPAddresses):
		f.publicIP(key, body)
	case id.Top().Is(armid.NetworkInterfaces), id.Top().Is(armid.ScaleSets):
		leavePools(body)
		f.put(key, "", body)
	default:
		f.put(key, "", body)
	}
}

// shared enters what others have in a resource that we write too.
func (f foreignParts) shared(key string, body object) {
	properties, _ := body["properties"].(object)
	f.marks(key, key, body)
	f.tags(key, body)
	for _, kind := range append(slices.Clone(kinds), armid.SecurityRules) {
		for _, child := range children(properties, kind) {
			name, _ := child["name"].(string)
			at := key + "/" + kind + "/" + strings.ToLower(name)
			if !owned(kind, child) {
				f.put(at, "", child)
				continue
			}
			f.put(at, at, nil)
			f.marks(at, at, child)
		}
	}
}

// publicIP enters a public IP: wholly if nobody of ours has it, else what others wrote into it.
func (f foreignParts) publicIP(key string, body object) {
	tags, _ := body["tags"].(object)
	name := key[strings.LastIndex(key, "/")+1:]
	switch {
	case strings.HasPrefix(name, "looks-"): // whatever its tags say
		f.put(key, "", body)
	case strings.HasPrefix(name, "user-"):
		// Ours are the tags of its users and the DNS label.
		properties, _ := body["properties"].(object)
		f.tags(key, body)
		delete(properties, "dnsSettings")
		delete(body, "tags")
		f.put(key, "", body)
	case tags["k8s-azure-cluster-name"] == "kubernetes":
		f.put(key, key, nil)
		f.marks(key, key, body)
		f.tags(key, body)
	default:
		f.put(key, "", body)
	}
}

// marks enters the marks in o and below; what is reached through an id, a name or an address goes with it.
func (f foreignParts) marks(at, within string, o object) {
	for k, v := range o {
		switch {
		case strings.HasPrefix(k, mark):
			f.put(at+"."+k, within, v)
		case k == "tags" || slices.Contains(kinds, k) || k == armid.SecurityRules:
		default:
			for _, below := range objectsOf(v) {
				path := at + "." + k + identity(below)
				f.put(path, path, nil)
				f.marks(path, path, below)
			}
		}
	}
}

// identity tells objects below one key apart.
func identity(o object) string {
	text := fmt.Sprint(o["id"], o["name"])
	if p, ok := o["properties"].(object); ok {
		text += fmt.Sprint(p["ipAddress"])
	}
	return strings.ToLower("(" + text + ")")
}

func (f foreignParts) tags(key string, body object) {
	tags, _ := body["tags"].(object)
	for k, v := range tags {
		if strings.HasPrefix(k, mark+"-") {
			f.put(key+".tags."+k, key, v)
		}
	}
}

// forget takes out what was in resources of ours that were deleted, perhaps to be made anew.
func (f foreign) forget(report provider.Report) {
	for _, round := range report.Rounds {
		for i, step := range round.Steps {
			switch op := round.Plan.Steps[i].Op.(type) {
			case lb.DeletePublicIP, lb.DeleteLoadBalancer:
				if parts := f[op.Target().Key()]; parts != nil && step.State == provider.StateDone {
					maps.DeleteFunc(*parts, func(_ string, p foreignPart) bool { return p.within != "" })
				}
			}
		}
	}
}

// lost compares what was there with what is there now.
func (f foreign) lost(now foreign) []string {
	var out []string
	for key, was := range f {
		switch is := now[key]; is {
		case was: // not read again
		case nil:
			out = append(out, was.lost(nil)...)
		default:
			out = append(out, was.lost(*is)...)
		}
	}
	slices.Sort(out)
	return out
}

func (f foreignParts) lost(now foreignParts) []string {
	var out []string
	for key, was := range f {
		is, there := now[key]
		if _, home := now[was.within]; !there && was.within != "" && (key == was.within || !home) {
			continue
		}
		if !there || !reflect.DeepEqual(is.value, was.value) {
			out = append(out, fmt.Sprintf("%s was %v, is %v", key, was.value, is.value))
		}
	}
	return out
}
