package lb

import "slices"

// fieldState is the field of a change that writes something again because the last operation on it failed.
const fieldState = "ProvisioningState"

// stateField is the change of that field.
func stateField(failed bool) []FieldChange {
	if !failed {
		return nil
	}
	return []FieldChange{{Field: fieldState, Before: "Failed", After: "Succeeded"}}
}

// again adds to changes, those of the resource id and its children, that id is written again: the causes are those of the whole.
func (d *differ) again(changes []Change, id ID) []Change {
	state := d.failedChange(id)
	for i, c := range changes {
		if !c.Ref.Equal(id) {
			continue
		}
		changes[i].Fields = fieldList(slices.Concat(c.Fields, state.Fields)).sorted()
		changes[i].Causes = sortedCauses(slices.Concat(c.Causes, state.Causes))
		return changes
	}
	return slices.Insert(changes, 0, state)
}

// updateOf is the change of fields of the resource id, which is written again if the last operation on it failed.
func (d *differ) updateOf(id ID, fields []FieldChange, failed bool) Change {
	change := d.why.change(Update, id, fieldList(fields).sorted())
	switch {
	case !failed:
		return change
	case len(fields) == 0:
		return d.failedChange(id)
	default:
		return d.again([]Change{change}, id)[0]
	}
}

// failedChange is the change of a resource that is written again.
func (d *differ) failedChange(id ID) Change {
	c := d.why.change(Update, id, stateField(true))
	c.Causes = slices.Clone(c.Causes)
	for i := range c.Causes {
		c.Causes[i].Reason = ReasonFailed
	}
	c.Causes = sortedCauses(c.Causes)
	return c
}

// wants reports whether list has something with this id: then it is ours to write, not only to take something from.
func wants[T any](list []T, id func(T) ID, which ID) bool {
	return slices.ContainsFunc(list, func(e T) bool { return id(e).Equal(which) })
}
