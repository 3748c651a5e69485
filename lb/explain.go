package lb

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb/armid"
)

// Explain writes the plan for people: who loses what, then one block per step with what is written, its risks and the steps it waits for, below it every
// change with its reason, and the findings at the end. The same plan gives the same text; the text itself may change between versions.
func (p Plan) Explain(w io.Writer) error {
	e := explainer{w: bufio.NewWriter(w)}
	e.plan(p)
	return e.w.Flush()
}

// ExplainOrder is [Plan.Explain] with the reason of each wait: after which step, and by which rule.
func (p Plan) ExplainOrder(w io.Writer) error {
	e := explainer{w: bufio.NewWriter(w), order: true}
	e.plan(p)
	return e.w.Flush()
}

// explainer writes the text of a plan. Errors of writing stay in the buffered writer until Flush.
type explainer struct {
	w     *bufio.Writer
	order bool // say why a step waits
}

// printf writes with everything quoted that comes from elsewhere: annotations, names and messages of Azure may hold anything.
func (e explainer) printf(format string, args ...any) { safetext.Fprintf(e.w, format, args...) }

func (e explainer) plan(p Plan) {
	losses := p.Losses()
	for _, l := range losses {
		e.printf("%s loses %s\n", l.Who(), l.refsText())
	}
	if len(losses) > 0 {
		e.printf("\n")
	}
	if len(p.Steps) == 0 {
		e.printf("nothing to do\n")
	} else {
		e.printf("%s: %s\n", count(len(p.Steps), "step"), summary(p))
	}
	for i, s := range p.Steps {
		e.step(i, s)
	}
	if len(p.Findings) > 0 {
		e.printf("\nfindings:\n")
	}
	for _, f := range p.Findings {
		e.printf("  %s\n", f)
	}
}

// count prints a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// summary counts changes and steps with risks.
func summary(p Plan) string {
	actions, risks := map[Action]int{}, map[Risk]int{}
	for _, s := range p.Steps {
		for _, c := range s.Op.Why() {
			actions[c.Action]++
		}
		for _, r := range s.Risks {
			risks[r]++
		}
	}
	text := fmt.Sprintf("%d to create, %d to update, %d to delete", actions[Create], actions[Update], actions[Delete])
	var marks []string
	for _, r := range []Risk{RiskAddress, RiskExposure, RiskTraffic} {
		if risks[r] > 0 {
			marks = append(marks, fmt.Sprintf("%s in %s", r, count(risks[r], "step")))
		}
	}
	if len(marks) > 0 {
		text += "; risks: " + strings.Join(marks, ", ")
	}
	return text
}

// step writes the block of one step: the line of the write, then its changes.
func (e explainer) step(i int, s Step) {
	e.printf("\n%d. %s %s", i+1, verb(s.Op), nameOf(s.Op.Target()))
	if len(s.Risks) > 0 {
		e.printf("  [risk: %s]", joinRisks(s.Risks))
	}
	if len(s.After) > 0 {
		e.printf("  (after %s)", stepNumbers(s.After))
	}
	e.printf("\n")
	if e.order {
		e.waits(s)
	}
	details, common := describe(s.Op), commonReasons(s.Op.Why())
	for _, c := range s.Op.Why() {
		e.change(c, details, common == nil)
	}
	for _, line := range common {
		e.printf("     %s\n", line)
	}
}

// waits writes why a step waits for others, and what it could not wait for.
func (e explainer) waits(s Step) {
	for k, name := range s.Why {
		if k < len(s.After) {
			e.printf("     after %d by %s: %s\n", s.After[k]+1, name, name.Text())
		}
	}
	for _, name := range s.Waived {
		e.printf("     cannot keep %s: %s\n", name, name.Text())
	}
}

// commonReasons returns the reasons that two or more changes have in common, so that they are printed once; nil if they differ.
func commonReasons(changes []Change) []string {
	if len(changes) < 2 {
		return nil
	}
	for _, c := range changes[1:] {
		if !slices.Equal(c.Causes, changes[0].Causes) {
			return nil
		}
	}
	return reasons(changes[0].Causes)
}

func joinRisks(risks []Risk) string {
	text := make([]string, len(risks))
	for i, r := range risks {
		text[i] = string(r)
	}
	return strings.Join(text, ", ")
}

// stepNumbers prints indices as numbers from one, with runs drawn together: 1–3, 7.
func stepNumbers(after []int) string {
	var parts []string
	for i := 0; i < len(after); {
		j := i
		for j+1 < len(after) && after[j+1] == after[j]+1 {
			j++
		}
		switch {
		case j > i+1:
			parts = append(parts, fmt.Sprintf("%d–%d", after[i]+1, after[j]+1))
		case j == i+1:
			parts = append(parts, strconv.Itoa(after[i]+1), strconv.Itoa(after[j]+1))
		default:
			parts = append(parts, strconv.Itoa(after[i]+1))
		}
		i = j + 1
	}
	return strings.Join(parts, ", ")
}

// change writes one change: what, fields and, if asked, reasons.
func (e explainer) change(c Change, details map[string]string, withReasons bool) {
	sign := map[Action]string{Create: "+", Update: "~", Delete: "-"}[c.Action]
	e.printf("   %s %s", sign, nameOf(c.Ref))
	if text := details[c.Ref.Key()]; text != "" && c.Action == Create {
		e.printf(": %s", text)
	}
	e.printf("\n")
	for _, f := range c.Fields {
		e.printf("       %s: %s\n", f.Field, f)
	}
	if !withReasons {
		return
	}
	for _, line := range reasons(c.Causes) {
		e.printf("       %s\n", line)
	}
}

// longList is from how many entries on only the difference of two lists is printed.
const longList = 4

// String returns "before → after"; of long lists, only what comes and goes.
func (f FieldChange) String() string {
	before, after := strings.Split(f.Before, ", "), strings.Split(f.After, ", ")
	if max(len(before), len(after)) < longList {
		return shortValue(f.Before) + " → " + shortValue(f.After)
	}
	var moves []string
	for _, a := range missing(after, before) {
		moves = append(moves, "+"+shortValue(a))
	}
	for _, b := range missing(before, after) {
		moves = append(moves, "-"+shortValue(b))
	}
	return fmt.Sprintf("%s → %s (%s)", strconv.Itoa(entries(before)), strconv.Itoa(entries(after)), atMost(moves, 10))
}

func entries(list []string) int {
	if len(list) == 1 && list[0] == "" {
		return 0
	}
	return len(list)
}

// missing returns the entries of list that other lacks.
func missing(list, other []string) []string {
	has := map[string]bool{"": true}
	for _, s := range other {
		has[s] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return has[s] })
}

// atMost joins list, cut after n entries.
func atMost(list []string, n int) string {
	if len(list) > n {
		list = append(slices.Clone(list[:n]), fmt.Sprintf("and %d more", len(list)-n))
	}
	return strings.Join(list, ", ")
}

// shortValue prints ids by their name and the empty value as none.
func shortValue(s string) string {
	if s == "" {
		return "none"
	}
	if _, err := armid.Parse(s); err == nil {
		return ID(s).Name()
	}
	return s
}

// reasons prints causes, one line per reason and field, with the Services that share them.
func reasons(causes []Cause) []string {
	type group struct {
		reason Reason
		field  string
	}
	services := map[group][]string{}
	var order []group
	for _, c := range causes {
		g := group{c.Reason, c.Field}
		if _, ok := services[g]; !ok {
			order = append(order, g)
		}
		name := ""
		if c.Service.Name != "" {
			name = c.Service.String()
		}
		services[g] = append(services[g], name)
	}
	var lines []string
	for _, g := range order {
		line := reasonText(g.reason, services[g])
		if g.field != "" {
			line += " (" + fieldText(g.field) + ")"
		}
		lines = append(lines, line)
	}
	if len(lines) > 3 {
		lines = append(lines[:3], fmt.Sprintf("and %s", count(len(lines)-3, "more reason")))
	}
	return lines
}

// fieldText says of a field of the configuration that it is one: its name alone reads like a field of the Service.
func fieldText(field string) string {
	key, _, _ := strings.Cut(field, "[")
	if configurationKeys[key] {
		return "azure.json " + field
	}
	return field
}

// reasonText prints a reason as a sentence about services; the empty one stands for the configuration or the nodes.
func reasonText(r Reason, services []string) string {
	services = slices.DeleteFunc(slices.Compact(slices.Clone(services)), func(s string) bool { return s == "" })
	who := atMost(services, 3)
	one := len(services) == 1
	choose := func(single, many, nobody string) string {
		switch {
		case who == "":
			return nobody
		case one:
			return who + " " + single
		default:
			return who + " " + many
		}
	}
	switch r {
	case ReasonService:
		return choose("asks for it", "ask for it", "asked for")
	case ReasonGone:
		return choose("is gone", "are gone", "its Service is gone")
	case ReasonNotWanted:
		return choose("does not ask for it any more", "do not ask for it any more", "not asked for any more")
	case ReasonConfiguration:
		return withServices("configuration", who)
	case ReasonNodes:
		return withServices("nodes joined or left", who)
	case ReasonUnused:
		return withServices("nothing uses it any more", who)
	case ReasonRecreate:
		return withServices("cannot be changed in place", who)
	case ReasonFailed:
		return withServices("the last operation on it failed, so it is written again", who)
	default:
		return withServices(string(r), who)
	}
}

func withServices(text, who string) string {
	if who == "" {
		return text
	}
	return text + ": " + who
}
