package armwire

// StripReadOnly removes from o, a body of the resource type typ or of a child, what a client cannot write: what [ReadOnly] lists. The id and
// the name of o itself stay. A type that is not known, or a value of a wrong JSON type, is passed over.
func StripReadOnly(typ string, o Object) {
	s, _, ok := shapeOf(typ)
	if ok {
		s.strip(commonReadOnly, o, true)
	}
}

// ReadOnly returns the paths that [StripReadOnly] removes from a body of the resource type typ: keys joined by dots, [] for each element of
// a list, such as properties.probes[].id. It returns nil for a type that is not known.
func ReadOnly(typ string) []string {
	s, _, ok := shapeOf(typ)
	if !ok {
		return nil
	}
	return s.paths(nil, "", commonReadOnly)
}

// stripBody removes from a body that is about to be written what makes ARM refuse or decide by stale data: back-references, states, ETags.
// Ids and what says which network interfaces are in a pool stay.
func stripBody(typ string, o Object) {
	s, _, ok := shapeOf(typ)
	if ok {
		s.strip(commonReadOnly, o, false)
	}
}

func (s shape) strip(common []path, o Object, all bool) {
	for _, list := range [][]path{common, s.readOnly} {
		for _, p := range list {
			if all || !p.echo {
				unset(o, p.at)
			}
		}
	}
	for _, c := range s.children {
		for _, e := range objects(o, c.at) {
			c.strip(c.common(), e, all)
		}
	}
}

// common returns what is read-only in a child whatever its kind.
func (c child) common() []path {
	if c.kind == "" {
		return nil
	}
	return childReadOnly
}

func (s shape) paths(list []string, prefix string, common []path) []string {
	for _, paths := range [][]path{common, s.readOnly} {
		for _, p := range paths {
			list = append(list, prefix+p.at)
		}
	}
	for _, c := range s.children {
		list = c.paths(list, prefix+c.at+"[].", c.common())
	}
	return list
}
