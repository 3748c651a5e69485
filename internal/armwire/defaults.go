package armwire

import "github.com/azlb/azlb/lb/armid"

// FillDefaults adds to o, a body of the resource type typ (also of a child, such as Microsoft.Network/loadBalancers/backendAddressPools),
// what ARM fills in where a client leaves it out or gives null: defaults, provisioningState, type, the name after the id; and in children
// the same and the id, if o has one. What is there stays. A type that is not known, or a value of a wrong JSON type, is passed over.
func FillDefaults(typ string, o Object) {
	s, typ, ok := shapeOf(typ)
	if !ok || o == nil {
		return
	}
	if id, _ := o["id"].(string); id != "" {
		fillIn(o, "name", armid.ID(id).Name())
	}
	s.fill(typ, o)
}

func (s shape) fill(typ string, o Object) {
	if typ != "" {
		fillIn(o, "type", typ)
		fillIn(o, "properties.provisioningState", "Succeeded")
	}
	for _, f := range s.fills {
		if value(o, f.at) == nil {
			fillIn(o, f.at, f.make(o))
		}
	}
	id, _ := o["id"].(string)
	for _, c := range s.children {
		for _, e := range objects(o, c.at) {
			c.fillOne(typ, id, e)
		}
	}
}

// fillOne fills one child of the resource with the given type and id.
func (c child) fillOne(typ, parent string, o Object) {
	if c.kind == "" {
		c.fill("", o)
		return
	}
	if name, _ := o["name"].(string); name != "" && parent != "" {
		fillIn(o, "id", string(armid.ID(parent).Child(c.kind, name)))
	}
	if id, _ := o["id"].(string); id != "" {
		fillIn(o, "name", armid.ID(id).Name())
	}
	c.fill(typ+"/"+c.kind, o)
}

func fillIn(o Object, at string, v any) {
	if v != nil && value(o, at) == nil {
		set(o, at, v)
	}
}

// lookup returns what is at a path of o, or what ARM fills in there.
func (s shape) lookup(o Object, at string) any {
	if v := value(o, at); v != nil {
		return v
	}
	for _, f := range s.fills {
		if f.at == at {
			return f.make(o)
		}
	}
	return nil
}
