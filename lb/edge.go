package lb

// Edge is the name of a rule by which a step of a plan waits for another one. Names are interface; the table of docs/operations.md has them all.
type Edge string

// EdgeOneParent is between two writes below one parent: Azure takes one of them at a time.
const EdgeOneParent Edge = "one-parent"

// Text says what the rule is, for people; the name itself if it is none of this version.
func (e Edge) Text() string {
	if e == EdgeOneParent {
		return "Azure takes one write below a parent at a time"
	}
	for _, r := range orderRules {
		if r.name == e {
			return r.text
		}
	}
	return string(e)
}
