package annotations

// Row returns the name and case of the row of the registry that a finding comes from, empty if there is none.
func (f AWSFinding) Row() string {
	if f.row == nil {
		return ""
	}
	return f.row.Name + " " + f.row.Case
}
