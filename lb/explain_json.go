package lb

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/azlb/azlb/internal/safetext"
)

// planJSON is the JSON form of a plan. Its names are interface.
type planJSON struct {
	Losses   []lossJSON    `json:"losses"`
	Steps    []stepJSON    `json:"steps"`
	Findings []findingJSON `json:"findings"`
}

// lossJSON has either a Service or a uid.
type lossJSON struct {
	Service string `json:"service,omitempty"`
	UID     string `json:"uid,omitempty"` // without its last digit
	Refs    []ID   `json:"refs"`
}

type stepJSON struct {
	Op      string       `json:"op"`
	Target  ID           `json:"target"`
	After   []int        `json:"after"` // indices in steps, from 0
	Why     []Edge       `json:"why"`   // of each entry of after
	Waived  []Edge       `json:"waived,omitempty"`
	Risk    []Risk       `json:"risk"`
	Changes []changeJSON `json:"changes"`
}

type changeJSON struct {
	Action  Action      `json:"action"`
	Ref     ID          `json:"ref"`
	Fields  []fieldJSON `json:"fields"`
	Service string      `json:"service"` // of the first cause; empty for configuration and nodes
	Field   string      `json:"field"`
	Reason  Reason      `json:"reason"`
	Also    []string    `json:"also"` // other Services that asked
}

type fieldJSON struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}

type findingJSON struct {
	Service  string `json:"service"`
	Field    string `json:"field"`
	Severity string `json:"severity"`
	Error    string `json:"error"`
}

// MarshalJSON returns the plan as {"losses": [...], "steps": [...], "findings": [...]}. Lists are never null.
func (p Plan) MarshalJSON() ([]byte, error) {
	out := planJSON{Losses: []lossJSON{}, Steps: []stepJSON{}, Findings: []findingJSON{}}
	for _, l := range p.Losses() {
		one := lossJSON{UID: l.UID, Refs: l.Refs}
		if l.Service.Name != "" {
			one.Service = l.Service.String()
		}
		out.Losses = append(out.Losses, one)
	}
	for _, s := range p.Steps {
		name, err := opName(s.Op)
		if err != nil {
			return nil, err
		}
		step := stepJSON{
			Op: name, Target: s.Op.Target(), After: append([]int{}, s.After...), Why: append([]Edge{}, s.Why...), Waived: s.Waived, Risk: append([]Risk{}, s.Risks...),
			Changes: []changeJSON{},
		}
		for _, c := range s.Op.Why() {
			step.Changes = append(step.Changes, c.json())
		}
		out.Steps = append(out.Steps, step)
	}
	for _, f := range p.Findings {
		one := findingJSON{Field: f.Field, Severity: f.Severity.String(), Error: fmt.Sprint(f.Err)}
		if f.Service.Name != "" {
			one.Service = f.Service.String()
		}
		out.Findings = append(out.Findings, one)
	}
	data, err := json.Marshal(out)
	return safetext.JSON(data), err
}

func (c Change) json() changeJSON {
	out := changeJSON{Action: c.Action, Ref: c.Ref, Fields: []fieldJSON{}, Also: []string{}}
	for _, f := range c.Fields {
		out.Fields = append(out.Fields, fieldJSON(f))
	}
	seen := map[string]bool{}
	for i, cause := range c.Causes {
		name := ""
		if cause.Service.Name != "" {
			name = cause.Service.String()
		}
		if i == 0 {
			out.Service, out.Field, out.Reason = name, cause.Field, cause.Reason
		} else if name != "" && !seen[name] {
			out.Also = append(out.Also, name)
		}
		seen[name] = true
	}
	return out
}

// Mermaid writes the plan as a Mermaid flowchart: a node per step, an arrow from every step to those that wait for it. Steps with risks
// have a thick border.
func (p Plan) Mermaid(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "flowchart TD")
	if len(p.Steps) == 0 {
		fmt.Fprintln(out, `    none["nothing to do"]`)
	}
	risky := false
	for i, s := range p.Steps {
		label := mermaidText(fmt.Sprintf("%d. %s %s", i+1, verb(s.Op), nameOf(s.Op.Target())))
		class := ""
		if len(s.Risks) > 0 {
			label += "<br/>risk: " + joinRisks(s.Risks)
			class, risky = ":::risk", true
		}
		fmt.Fprintf(out, "    s%d[\"%s\"]%s\n", i+1, label, class)
	}
	for i, s := range p.Steps {
		for _, a := range s.After {
			fmt.Fprintf(out, "    s%d --> s%d\n", a+1, i+1)
		}
	}
	if risky {
		fmt.Fprintln(out, "    classDef risk stroke-width:3px")
	}
	return out.Flush()
}

// mermaidText makes text safe inside a quoted label, which may end up in a page.
func mermaidText(text string) string { return mermaidEntities.Replace(safetext.Quote(text)) }

var mermaidEntities = strings.NewReplacer(`"`, "#quot;", "#", "#35;", "<", "#lt;", ">", "#gt;", "&", "#amp;", "`", "#96;")
