package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/azlb/azlb/annotations"
	"github.com/azlb/azlb/internal/safetext"
)

// translateText translates the Services in one file. What is not of a Service, and what of one stays, keeps its bytes.
func translateText(data []byte, opts *annotations.AWSOptions, found func(string, []annotations.AWSFinding)) (string, error) {
	var out strings.Builder
	line := 1
	for _, part := range documents(string(data)) {
		text, err := translateDocument(part, opts, found)
		if err != nil {
			return "", errors.New(safetext.Reason(err, []byte(part), line))
		}
		if text, err = visible(text, line); err != nil {
			return "", err
		}
		out.WriteString(text)
		line += strings.Count(part, "\n")
	}
	return out.String(), nil
}

// visible returns a document that begins at a line of its file with what nobody sees in it written as escapes, as JSON can. In YAML they would
// mean something else, so there it is an error.
func visible(text string, line int) (string, error) {
	if strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(text, "---")), "{") {
		return string(safetext.JSON([]byte(text))), nil
	}
	for _, r := range text {
		switch {
		case r == '\n':
			line++
		case r == '\r' || r == '\t' || r == '\ufeff' || unicode.IsSpace(r) && !unicode.IsControl(r) || unicode.Is(unicode.Variation_Selector, r):
		case !safetext.Printable(string(r)):
			return "", fmt.Errorf("line %d: a character that nobody sees, %U: write the text in double quotes, with \"%s\" in its place", line, r, safetext.Quote(string(r)))
		}
	}
	return text, nil
}

// documents cuts a file before each line that separates documents.
func documents(data string) []string {
	var parts []string
	var current strings.Builder
	for line := range strings.Lines(data) {
		if rest, ok := strings.CutPrefix(line, "---"); ok && (strings.TrimSpace(rest) == "" || rest[0] == ' ' || rest[0] == '\t') && current.Len() > 0 {
			parts = append(parts, current.String())
			current.Reset()
		}
		current.WriteString(line)
	}
	return append(parts, current.String())
}

// translateDocument translates the Services in one document. Lines are edited where that gives what the YAML library would give; otherwise,
// such as in JSON, it writes the document.
func translateDocument(text string, opts *annotations.AWSOptions, found func(string, []annotations.AWSFinding)) (string, error) {
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return "", err
	}
	e := &editor{lines: slices.Collect(strings.Lines(text)), change: map[int][]string{}}
	changed := false
	for _, node := range services(&root) {
		svc, err := serviceOf(node)
		if err != nil {
			return "", err
		}
		out, findings := annotations.FromAWS(svc, opts)
		found(nameOf(*svc).String(), findings)
		if reflect.DeepEqual(svc, out) {
			continue
		}
		changed = true
		s := &serviceEdit{editor: e, node: node, in: svc, out: out, findings: findings}
		s.edit()
	}
	if !changed {
		return text, nil
	}
	return e.result(&root)
}

// services returns the mappings that are Services: the document itself or the items of a list.
func services(node *yaml.Node) []*yaml.Node {
	if node.Kind == yaml.DocumentNode && len(node.Content) > 0 {
		node = node.Content[0]
	}
	switch kind := scalar(node, "kind"); kind {
	case "Service":
		return []*yaml.Node{node}
	case "List", "ServiceList":
		var list []*yaml.Node
		if items := value(node, "items"); items != nil {
			for _, item := range items.Content {
				if kind == "ServiceList" {
					list = append(list, item)
				} else {
					list = append(list, services(item)...)
				}
			}
		}
		return list
	}
	return nil
}

// serviceOf decodes a Service. The files were checked before, so what is left to fail is what only this reader does not take.
func serviceOf(node *yaml.Node) (*corev1.Service, error) {
	var m map[string]any
	if err := node.Decode(&m); err != nil {
		return nil, err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	svc := &corev1.Service{}
	if err := json.Unmarshal(data, svc); err != nil {
		return nil, fmt.Errorf("line %d: %w", node.Line, err)
	}
	if svc.Namespace == "" {
		svc.Namespace = metav1.NamespaceDefault
	}
	return svc, nil
}

// entry returns the index of a key in a mapping, or -1.
func entry(node *yaml.Node, key string) int {
	if node == nil || node.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func value(node *yaml.Node, key string) *yaml.Node {
	if i := entry(node, key); i >= 0 {
		return node.Content[i+1]
	}
	return nil
}

func scalar(node *yaml.Node, key string) string {
	if v := value(node, key); v != nil {
		return v.Value
	}
	return ""
}

// editor changes lines, as far as it can, while the nodes are changed too.
type editor struct {
	lines  []string
	change map[int][]string // line, counted from 1, to what takes its place
	lost   bool             // there is a change that lines cannot make
}

// result returns the lines if they say the same as the nodes, and the nodes otherwise.
func (e *editor) result(root *yaml.Node) (string, error) {
	var want any
	if err := root.Decode(&want); err != nil {
		return "", err
	}
	var b strings.Builder
	for i, line := range e.lines {
		if with, ok := e.change[i+1]; ok {
			b.WriteString(strings.Join(with, ""))
			continue
		}
		b.WriteString(line)
	}
	var got any
	if !e.lost && yaml.Unmarshal([]byte(b.String()), &got) == nil && reflect.DeepEqual(got, want) {
		return b.String(), nil
	}
	for _, line := range e.lines {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "---") {
			if line[0] == '{' {
				quote(root)
			}
			break
		}
	}
	return encode(root, strings.HasPrefix(e.lines[0], "---"))
}

// quote writes every text between double quotes, as JSON has to.
func quote(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!str" {
		node.Style = yaml.DoubleQuotedStyle
	}
	if node.Kind == yaml.MappingNode || node.Kind == yaml.SequenceNode {
		node.Style = yaml.FlowStyle
	}
	for _, child := range node.Content {
		quote(child)
	}
}

// encode writes a document with the YAML library, which keeps comments but not blank lines.
func encode(root *yaml.Node, separator bool) (string, error) {
	var b bytes.Buffer
	if separator {
		b.WriteString("---\n")
	}
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(root); err != nil {
		return "", err
	}
	return b.String(), enc.Close()
}

// serviceEdit carries the changes of one Service over to its nodes and lines.
type serviceEdit struct {
	*editor
	node     *yaml.Node
	in, out  *corev1.Service
	findings []annotations.AWSFinding
}

func (s *serviceEdit) edit() {
	s.annotations()
	spec := value(s.node, "spec")
	s.field(spec, "loadBalancerClass", text1(s.in.Spec.LoadBalancerClass), text1(s.out.Spec.LoadBalancerClass))
	s.field(spec, "ipFamilyPolicy", text1(s.in.Spec.IPFamilyPolicy), text1(s.out.Spec.IPFamilyPolicy))
	s.list(spec, "ipFamilies", texts(s.in.Spec.IPFamilies), texts(s.out.Spec.IPFamilies))
	s.field(spec, "sessionAffinity", string(s.in.Spec.SessionAffinity), string(s.out.Spec.SessionAffinity))
	s.list(spec, "loadBalancerSourceRanges", s.in.Spec.LoadBalancerSourceRanges, s.out.Spec.LoadBalancerSourceRanges)
}

func text1[T ~string](v *T) string {
	if v == nil {
		return ""
	}
	return string(*v)
}

func texts[T ~string](list []T) []string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}

// annotations replaces each key of AWS by what it became, where it stood.
func (s *serviceEdit) annotations() {
	meta := value(s.node, "metadata")
	node := value(meta, "annotations")
	if node == nil || node.Kind != yaml.MappingNode || len(node.Content) == 0 {
		s.firstAnnotations(meta)
		return
	}
	placed := s.placed(node)
	var content []*yaml.Node
	last := 0
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, v := node.Content[i], node.Content[i+1]
		last = max(last, v.Line)
		keep, now := s.out.Annotations[key.Value], v
		if _, ok := s.out.Annotations[key.Value]; ok {
			if keep != v.Value {
				now = quoted(keep)
				s.replace(key, v, []string{lineOf(key, key.Value, keep)})
			}
			content = append(content, key, now)
		}
		var lines []string
		for _, name := range placed[key.Value] {
			content = append(content, plain(name), quoted(s.out.Annotations[name]))
			lines = append(lines, lineOf(key, name, s.out.Annotations[name]))
		}
		if _, ok := s.out.Annotations[key.Value]; ok {
			if lines != nil {
				s.after(v.Line, lines)
			}
			continue
		}
		s.replace(key, v, lines)
		s.keepComments(&content, len(placed[key.Value]), key, v)
	}
	node.Content = content
	if len(content) == 0 {
		i := entry(meta, "annotations")
		s.remove(meta.Content[i])
		meta.Content = slices.Delete(meta.Content, i, i+2)
	}
}

// keepComments hands the comments of a key that goes over to the first one that comes instead, in the nodes.
func (s *serviceEdit) keepComments(content *[]*yaml.Node, added int, key, v *yaml.Node) {
	if added == 0 || len(*content) < 2*added {
		return
	}
	first := (*content)[len(*content)-2*added]
	first.HeadComment, first.FootComment = key.HeadComment, key.FootComment
	(*content)[len(*content)-2*added+1].LineComment = v.LineComment
}

// placed says which new annotations stand where which old one stood. Those that come from none are at the first that goes, else at the end.
func (s *serviceEdit) placed(node *yaml.Node) map[string][]string {
	placed, done := map[string][]string{}, map[string]bool{}
	anchor := node.Content[len(node.Content)-2].Value
	for i := len(node.Content) - 2; i >= 0; i -= 2 {
		if _, ok := s.out.Annotations[node.Content[i].Value]; !ok {
			anchor = node.Content[i].Value
		}
	}
	place := func(f annotations.AWSFinding, at string) {
		for _, b := range f.Becomes {
			_, before := s.in.Annotations[b.Key]
			if _, now := s.out.Annotations[b.Key]; now && !before && !done[b.Key] {
				done[b.Key] = true
				placed[at] = append(placed[at], b.Key)
			}
		}
	}
	for _, f := range s.findings {
		if f.Key == "" {
			place(f, anchor)
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		for _, f := range s.findings {
			if f.Key == node.Content[i].Value {
				place(f, f.Key)
			}
		}
	}
	return placed
}

// firstAnnotations gives annotations to a Service that has none.
func (s *serviceEdit) firstAnnotations(meta *yaml.Node) {
	var names []string
	for name := range s.out.Annotations {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return
	}
	if meta == nil || len(meta.Content) == 0 || value(meta, "annotations") != nil {
		s.lost = true
	} else {
		first := meta.Content[0]
		lines := []string{indent(first) + "annotations:\n"}
		for _, name := range names {
			lines = append(lines, indent(first)+"  "+name+": "+strconv.Quote(s.out.Annotations[name])+"\n")
		}
		s.before(first, lines)
	}
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, name := range names {
		node.Content = append(node.Content, plain(name), quoted(s.out.Annotations[name]))
	}
	if i := entry(meta, "annotations"); i >= 0 {
		meta.Content[i+1] = node
	} else if meta != nil {
		meta.Content = append(meta.Content, plain("annotations"), node)
	}
}

// field sets or removes a field with one text.
func (s *serviceEdit) field(spec *yaml.Node, name, was, is string) {
	if was == is || spec == nil {
		return
	}
	i := entry(spec, name)
	switch {
	case is == "":
		s.replace(spec.Content[i], spec.Content[i+1], nil)
		spec.Content = slices.Delete(spec.Content, i, i+2)
	case i >= 0:
		s.replace(spec.Content[i], spec.Content[i+1], []string{indent(spec.Content[i]) + name + ": " + is + "\n"})
		spec.Content[i+1] = plain(is)
	default:
		s.insert(spec, name, is, plain(is))
	}
}

// list sets a field with several texts.
func (s *serviceEdit) list(spec *yaml.Node, name string, was, is []string) {
	if slices.Equal(was, is) || spec == nil {
		return
	}
	node := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, v := range is {
		node.Content = append(node.Content, plain(v))
	}
	i := entry(spec, name)
	if i < 0 {
		s.insert(spec, name, "["+strings.Join(is, ", ")+"]", node)
		return
	}
	old := spec.Content[i+1]
	if len(old.Content) == len(is) {
		for j, item := range old.Content {
			s.swap(item, is[j])
			item.Value = is[j]
		}
		return
	}
	s.lost = s.lost || old.Line != spec.Content[i].Line
	s.replace(spec.Content[i], old, []string{indent(spec.Content[i]) + name + ": [" + strings.Join(is, ", ") + "]\n"})
	spec.Content[i+1] = node
}

// insert adds a field after the type of the Service.
func (s *serviceEdit) insert(spec *yaml.Node, name, text string, node *yaml.Node) {
	i := max(entry(spec, "type"), 0)
	if len(spec.Content) == 0 {
		s.lost = true
		spec.Content = append(spec.Content, plain(name), node)
		return
	}
	s.after(spec.Content[i+1].Line, []string{indent(spec.Content[i]) + name + ": " + text + "\n"})
	spec.Content = slices.Insert(spec.Content, i+2, plain(name), node)
}

// The lines. What they cannot do is found out by comparing with the nodes.

// at returns what is to stand in the place of a line so far.
func (e *editor) at(line int) []string {
	if with, ok := e.change[line]; ok {
		return with
	}
	return []string{e.lines[line-1]}
}

func (e *editor) after(line int, lines []string) {
	with := e.at(line)
	if n := len(with); n > 0 && !strings.HasSuffix(with[n-1], "\n") {
		with[n-1] += "\n"
	}
	e.change[line] = append(with, lines...)
}

func (e *editor) before(key *yaml.Node, lines []string) {
	e.change[key.Line] = append(slices.Clone(lines), e.at(key.Line)...)
}

// remove takes the line of a key away.
func (e *editor) remove(key *yaml.Node) { e.replace(key, key, nil) }

// replace puts lines in the place of an entry of one line. A comment at its end stays: at the first of the lines, or by itself.
func (e *editor) replace(key, v *yaml.Node, lines []string) {
	lines = slices.Clone(lines)
	if comment := v.LineComment; comment != "" {
		if len(lines) > 0 {
			lines[0] = strings.TrimSuffix(lines[0], "\n") + " " + comment + "\n"
		} else {
			lines = []string{indent(key) + comment + "\n"}
		}
	}
	// What was put there after the entry stays after it.
	if with, ok := e.change[key.Line]; ok {
		lines = append(lines, with[min(1, len(with)):]...)
	}
	e.change[key.Line] = lines
}

// swap changes one text on its line.
func (e *editor) swap(item *yaml.Node, text string) {
	with := slices.Clone(e.at(item.Line))
	if len(with) > 0 && item.Value != text {
		with[0] = strings.Replace(with[0], item.Value, text, 1)
	}
	e.change[item.Line] = with
}

func indent(key *yaml.Node) string { return strings.Repeat(" ", key.Column-1) }

func lineOf(at *yaml.Node, key, v string) string {
	return indent(at) + key + ": " + strconv.Quote(v) + "\n"
}

func plain(v string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v} }

func quoted(v string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v, Style: yaml.DoubleQuotedStyle}
}
