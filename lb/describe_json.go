package lb

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
)

// portraitJSON is the JSON form of a portrait. Its names are interface.
type portraitJSON struct {
	Service             string        `json:"service"`
	Summary             string        `json:"summary"` // for people
	Held                bool          `json:"held"`
	Why                 string        `json:"why"`
	Ingress             []string      `json:"ingress"` // empty for an address that is not known yet
	LoadBalancers       []pieceJSON   `json:"loadBalancers"`
	Frontends           []pieceJSON   `json:"frontends"`
	PublicIPs           []pieceJSON   `json:"publicIPs"`
	Rules               []pieceJSON   `json:"rules"`
	Probes              []pieceJSON   `json:"probes"`
	Pools               []pieceJSON   `json:"pools"`
	SecurityRules       []pieceJSON   `json:"securityRules"`
	PrivateLinkServices []pieceJSON   `json:"privateLinkServices"`
	Subnets             []pieceJSON   `json:"subnets"`
	Removed             []ID          `json:"removed"`
	Findings            []findingJSON `json:"findings"`
}

type pieceJSON struct {
	ID         ID            `json:"id"`
	Action     Action        `json:"action"` // create, update, or empty: it is as it should be
	Text       string        `json:"text"`
	Asked      *originJSON   `json:"asked"` // null: it is kept
	Settings   []settingJSON `json:"settings"`
	SharedWith []string      `json:"sharedWith"`

	Address     *string          `json:"address,omitempty"`  // of frontends; empty until it is known
	Frontend    ID               `json:"frontend,omitempty"` // of rules, as the next two
	Pool        ID               `json:"pool,omitempty"`
	Probe       ID               `json:"probe,omitempty"`
	Owner       string           `json:"owner,omitempty"` // of private link services, as the rest
	Alias       string           `json:"alias,omitempty"`
	Connections []connectionJSON `json:"connections,omitempty"`
}

type settingJSON struct {
	Name  string     `json:"name"`
	Value string     `json:"value"`
	From  originJSON `json:"from"`
}

type originJSON struct {
	Source Source `json:"source"`
	Field  string `json:"field"`
	Note   string `json:"note"`
}

type connectionJSON struct {
	Name   string `json:"name"`
	Status string `json:"status"`
}

// MarshalJSON returns the portrait with a list for every kind of thing. Lists are never null.
func (p Portrait) MarshalJSON() ([]byte, error) {
	out := portraitJSON{
		Service: p.Service.String(), Summary: p.summary(), Held: p.Held, Why: p.Why, Ingress: []string{}, Removed: append([]ID{}, p.Removed...),
		LoadBalancers: piecesJSON(p.LoadBalancers), PublicIPs: piecesJSON(p.PublicIPs), Probes: piecesJSON(p.Probes), Pools: piecesJSON(p.Pools),
		SecurityRules: piecesJSON(p.SecurityRules), Subnets: piecesJSON(p.Subnets),
		Frontends: []pieceJSON{}, Rules: []pieceJSON{}, PrivateLinkServices: []pieceJSON{}, Findings: []findingJSON{},
	}
	for _, a := range p.Ingress {
		out.Ingress = append(out.Ingress, addrText(a.IP))
	}
	for _, f := range p.Frontends {
		one := f.json()
		one.Address = new(addrText(f.Address.IP))
		out.Frontends = append(out.Frontends, one)
	}
	for _, r := range p.Rules {
		one := r.json()
		one.Frontend, one.Pool, one.Probe = r.Frontend, r.Pool, r.Probe
		out.Rules = append(out.Rules, one)
	}
	for _, l := range p.PrivateLinkServices {
		one := l.json()
		one.Owner, one.Alias = nameText(l.Owner), l.Alias
		for _, c := range l.Connections {
			one.Connections = append(one.Connections, connectionJSON{c.Name, c.Status})
		}
		out.PrivateLinkServices = append(out.PrivateLinkServices, one)
	}
	for _, f := range p.Findings {
		out.Findings = append(out.Findings, findingJSON{Service: nameText(f.Service), Field: f.Field, Severity: f.Severity.String(), Error: fmt.Sprint(f.Err)})
	}
	return json.Marshal(out)
}

func nameText(name types.NamespacedName) string {
	if name.Name == "" {
		return ""
	}
	return name.String()
}

func piecesJSON(list []Piece) []pieceJSON {
	out := []pieceJSON{}
	for _, p := range list {
		out = append(out, p.json())
	}
	return out
}

func (p Piece) json() pieceJSON {
	out := pieceJSON{ID: p.ID, Action: p.Action, Text: p.Text, Settings: []settingJSON{}, SharedWith: []string{}}
	if (p.Asked != Origin{}) {
		out.Asked = new(originJSON(p.Asked))
	}
	for _, s := range p.Settings {
		out.Settings = append(out.Settings, settingJSON{s.Name, s.Value, originJSON(s.Origin)})
	}
	for _, name := range p.SharedWith {
		out.SharedWith = append(out.SharedWith, name.String())
	}
	return out
}
