package manifest

import (
	"bytes"
	"encoding/json"
	"strings"
)

// document is one document of a file.
type document struct {
	number, line int
	data         []byte
}

// split cuts a file into its documents; those without content are left out and do not count. YAML documents are separated by lines that
// begin with ---; one that is JSON may hold several objects, one after the other.
func split(data []byte) []document {
	var docs []document
	current, number := document{line: 1}, 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		number++
		rest, ok := separator(line)
		if !ok {
			current.data = append(current.data, line...)
			continue
		}
		docs = append(docs, objects(current)...)
		current = document{line: number, data: rest}
		if blank(rest) {
			current = document{line: number + 1}
		}
	}
	docs = append(docs, objects(current)...)
	for i := range docs {
		docs[i].number = i + 1
	}
	return docs
}

// separator returns what follows --- on a line that separates documents.
func separator(line []byte) (rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(line, []byte("---"))
	if !ok || len(rest) > 0 && !bytes.ContainsAny(rest[:1], " \t\r\n") {
		return nil, false
	}
	return bytes.Clone(rest), true
}

// objects returns the JSON objects in d, or d itself if it is something else, or nothing if it is blank.
func objects(d document) []document {
	if blank(d.data) {
		return nil
	}
	if !bytes.HasPrefix(bytes.TrimSpace(d.data), []byte("{")) {
		return []document{d}
	}
	var all []document
	in := json.NewDecoder(bytes.NewReader(d.data))
	for in.More() {
		var raw json.RawMessage
		if in.Decode(&raw) != nil {
			return []document{d} // a mapping in YAML's flow style, or broken: the decoder will say
		}
		start := in.InputOffset() - int64(len(raw))
		all = append(all, document{line: d.line + bytes.Count(d.data[:start], []byte("\n")), data: raw})
	}
	return all
}

// blank reports whether a document has nothing but comments and white space.
func blank(data []byte) bool {
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return false
		}
	}
	return true
}
