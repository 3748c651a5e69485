package lb

import (
	"bufio"
	"io"
	"strings"
)

// Explain writes the portrait for people: one block per thing, with where each value comes from, and the findings at the end. The text may
// change between versions.
func (p Portrait) Explain(w io.Writer) error {
	e := explainer{w: bufio.NewWriter(w)}
	e.portrait(p)
	return e.w.Flush()
}

// summary is the portrait in one line.
func (p Portrait) summary() string {
	kind := "external"
	if p.Internal {
		kind = "internal"
	}
	if !p.Held && p.Why != "" {
		return "gets nothing: " + p.Why
	}
	var list []string
	for _, a := range p.Ingress {
		list = append(list, a.String())
	}
	if len(list) == 0 {
		list = []string{"no address"}
	}
	text := kind + ", " + strings.Join(list, ", ")
	if p.Held {
		text += "; held, it keeps what it has: " + p.Why
	}
	return text
}

func (e explainer) portrait(p Portrait) {
	e.printf("Service %s: %s\n", p.Service, p.summary())
	for _, one := range p.LoadBalancers {
		e.piece(one, one.Text)
	}
	for _, f := range p.Frontends {
		address := "(known after apply)"
		if f.Address.Known() {
			address = f.Address.String()
		}
		e.piece(f.Piece, address)
	}
	for _, one := range p.PublicIPs {
		e.piece(one, one.Text)
	}
	for _, r := range p.Rules {
		e.piece(r.Piece, r.Text)
	}
	for _, one := range p.Probes {
		e.piece(one, one.Text)
	}
	for _, one := range p.Pools {
		e.piece(one, one.Text)
	}
	for _, one := range p.SecurityRules {
		e.piece(one, one.Text)
	}
	for _, l := range p.PrivateLinkServices {
		e.link(l)
	}
	for _, one := range p.Subnets {
		e.piece(one, one.Text)
	}
	if len(p.Removed) > 0 {
		e.printf("\ngives up:\n")
	}
	for _, id := range p.Removed {
		e.printf("  - %s\n", nameOf(id))
	}
	if len(p.Findings) > 0 {
		e.printf("\nfindings:\n")
	}
	for _, f := range p.Findings {
		e.printf("  %s\n", f)
	}
}

// piece writes one thing: what it is and will be, who has a part in it, and its settings.
func (e explainer) piece(p Piece, text string) {
	sign := map[Action]string{Create: " (to be created)", Update: " (to be changed)"}[p.Action]
	e.printf("\n%s%s: %s\n", nameOf(p.ID), sign, text)
	if (p.Asked != Origin{}) {
		e.setting("asked for by", "", p.Asked.String())
	}
	if len(p.SharedWith) > 0 {
		names := make([]string, len(p.SharedWith))
		for i, name := range p.SharedWith {
			names[i] = name.String()
		}
		e.setting("shared with", atMost(names, 5), "")
	}
	for _, s := range p.Settings {
		value := s.Value
		if value == "" {
			value = "none"
		} else {
			value = atMost(strings.Split(value, ", "), 5)
		}
		e.setting(s.Name, value, s.Origin.String())
	}
}

func (e explainer) setting(name, value, from string) {
	if value == "" {
		value, from = from, ""
	}
	if from != "" {
		from = "  (" + from + ")"
	}
	e.printf("  %-19s  %s%s\n", name, value, from)
}

// link writes a private link service with what consumers have to do with it.
func (e explainer) link(l LinkPiece) {
	e.piece(l.Piece, l.Text)
	if l.Owner.Name != "" {
		e.setting("owner", l.Owner.String(), "")
	}
	alias := l.Alias
	if alias == "" {
		alias = "(known after apply)"
	}
	e.setting("alias", alias, "")
	if len(l.Connections) == 0 {
		e.setting("connections", "none", "")
	}
	for _, c := range l.Connections {
		status := c.Status
		if strings.EqualFold(status, "Pending") {
			status += ", waits for approval"
		}
		e.setting("connection", c.Name, status)
	}
}
