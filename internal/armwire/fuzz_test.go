package armwire

import "testing"

// seed adds what was recorded and some oddities.
func seed(f *testing.F) {
	for typ := range shapes {
		f.Add(Format(recorded(f, typ)[0]))
	}
	f.Add([]byte(`{"properties":{"probes":[null,{}],"securityRules":[[]],"subnets":{"a":1}},"tags":[],"zones":"1"}`))
}

func FuzzDecode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := Parse(data)
		if err != nil {
			return
		}
		for typ, dec := range decoders {
			if v, err := dec(o); err == nil && text(v) == "" {
				t.Errorf("%s: the value cannot be printed", typ)
			}
			c := Clone(o)
			FillDefaults(typ, c)
			once := text(c)
			FillDefaults(typ, c)
			if text(c) != once {
				t.Errorf("%s: filling in twice differs", typ)
			}
			StripReadOnly(typ, c)
		}
	})
}

// FuzzOverlay runs every operation on any body: no panic, raw stays, and what is written is as wanted.
func FuzzOverlay(f *testing.F) {
	seed(f)
	for _, r := range rows(f) {
		f.Add([]byte(r.before))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		raw, err := Parse(data)
		if err != nil {
			return
		}
		saved := text(raw)
		for _, row := range rows(t) {
			r, err := Prepare(row.op, raw)
			if err != nil || r.Body == nil {
				continue
			}
			if again, err := Prepare(row.op, r.Body); err != nil || again.Verdict != Done {
				t.Errorf("%T on %s wrote %s, which is %v %v", row.op, data, text(r.Body), again.Verdict, err)
			}
		}
		if text(raw) != saved {
			t.Errorf("raw was changed from %s to %s", saved, text(raw))
		}
	})
}
