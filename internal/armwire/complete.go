package armwire

import (
	"errors"
	"fmt"

	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
)

// ErrBody: a body does not decode, since something in it is of another kind than ARM's.
var ErrBody = errors.New("the body does not decode")

// always has, by type, what ARM shows in every body, whatever is in it, and of which kind it is. Without it the body is not that of the
// resource, or not all of it: to read what is missing as empty would be to conclude that the resource has nothing.
var always = map[string][]part{
	armid.LoadBalancers: {
		{frontendsAt, isList},
		{poolsAt, isList},
		{rulesAt, isList},
		{probesAt, isList},
	},
	armid.PublicIPAddresses:     {{"properties.publicIPAllocationMethod", isText}, {"properties.publicIPAddressVersion", isText}},
	armid.NetworkSecurityGroups: {{securityRulesAt, isList}},
	armid.VirtualNetworks:       {{"properties.subnets", isList}},
	armid.NetworkInterfaces:     {{ipConfigurationsAt, isList}},
	securityRuleType:            {{"properties.access", isText}, {"properties.direction", isText}, {"properties.protocol", isText}},
	connectionType:              {{"properties.privateLinkServiceConnectionState", isObject}},
}

// part is something in a body.
type part struct {
	at   string
	kind kind
}

type kind string

const (
	isList   kind = "a list"
	isText   kind = "a text"
	isObject kind = "an object"
)

func (k kind) has(v any) bool {
	ok := false
	switch k {
	case isList:
		_, ok = v.([]any)
	case isText:
		_, ok = v.(string)
	case isObject:
		var o Object
		o, ok = v.(Object)
		ok = ok && o != nil
	}
	return ok
}

// Complete reports what o, which is to be the body of a resource of the type typ or of a child, lacks of what ARM shows in every one: its
// properties, by type what is in them, and the same of its children. Nil means that what o does not show is not there. Of a type that is not
// known only the properties are asked for.
func Complete(typ string, o Object) error {
	s, spelled, _ := shapeOf(typ)
	return s.complete(spelled, o)
}

func (s shape) complete(typ string, o Object) error {
	if p := value(o, "properties"); !isObject.has(p) {
		return missing("properties", isObject)
	}
	for _, p := range always[typ] {
		if !p.kind.has(value(o, p.at)) {
			return missing(p.at, p.kind)
		}
	}
	for _, c := range s.children {
		list, ok := value(o, c.at).([]any)
		if !ok && value(o, c.at) != nil {
			return missing(c.at, isList)
		}
		for i, e := range list {
			child, _ := e.(Object)
			switch {
			case child == nil:
				return missing(fmt.Sprintf("%s[%d]", c.at, i), isObject)
			case c.kind == "":
				continue
			}
			if err := c.complete(typ+"/"+c.kind, child); err != nil {
				return fmt.Errorf("%s[%d].%w", c.at, i, err)
			}
		}
	}
	return nil
}

func missing(at string, want kind) error { return fmt.Errorf("%s: want %s", at, want) }

// Readable reports why the body of the resource or child id does not decode, with [ErrBody]. Of a type that is not decoded here, everything does.
func Readable(id lb.ID, o Object) error {
	var err error
	switch {
	case id.Is(armid.LoadBalancers):
		_, err = LoadBalancer(o)
	case id.Is(poolType):
		_, err = decode(poolType, o, readPool)
	case id.Is(armid.PublicIPAddresses):
		_, err = PublicIP(o)
	case id.Is(armid.PublicIPPrefixes):
		_, err = PublicIPPrefix(o)
	case id.Is(armid.NetworkSecurityGroups):
		_, err = SecurityGroup(o)
	case id.Is(securityRuleType):
		_, err = decode(securityRuleType, o, readSecurityRule)
	case id.Is(armid.VirtualNetworks):
		_, err = Network(o)
	case id.Is(subnetType):
		_, err = decode(subnetType, o, func(v view) lb.SeenSubnet { return readSubnet(v, "") })
	case id.Is(armid.NetworkInterfaces):
		_, err = Interface(o)
	case id.Is(armid.PrivateLinkServices):
		_, err = PrivateLinkService(o)
	case id.Is(connectionType):
		_, err = decode(connectionType, o, view.connectionStatus)
	case id.Is(armid.ScaleSets):
		_, err = ScaleSet(o)
	case id.Is(armid.ScaleSetInstances):
		_, err = Instance(o)
	case id.Is(armid.VirtualMachines):
		_, err = Machine(o)
	}
	return err
}
