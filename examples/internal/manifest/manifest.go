// Package manifest reads Kubernetes manifests for the examples: Services, Nodes, EndpointSlices and Namespaces from files of one or several
// YAML or JSON documents, List kinds included.
//
// It is strict, since a Service that was misread is a Service to delete: a field that the API does not know, a value of the wrong type, a
// key or an object given twice, a document that cannot be read or is no Kubernetes object, and folders with manifests in them that are not
// read are errors. Every [Error] says where it is, and nothing of what is in the document but kind, name and field: it may be a secret that
// is in the wrong place.
package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"

	"github.com/azlb/azlb/internal/safetext"
	"github.com/azlb/azlb/lb"
)

// What can be wrong with a manifest, besides what the decoder says.
var (
	ErrObject    = errors.New("not a Kubernetes object")
	ErrSyntax    = errors.New("cannot be read")
	ErrKind      = errors.New("unknown kind")
	ErrName      = errors.New("metadata.name: required")
	ErrDuplicate = errors.New("given twice")
)

// Error is one thing that is wrong with one document.
type Error struct {
	File     string
	Document int    // counted from 1; those without content do not count
	Line     int    // where the document begins, counted from 1
	Object   string // such as Service default/web; empty if that is not known
	Err      error  // names the field where there is one
}

func (e *Error) Error() string {
	where := fmt.Sprintf("%s: document %d (line %d)", e.File, e.Document, e.Line)
	if e.Object != "" {
		where += ": " + e.Object
	}
	return safetext.Quote(where) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Set is what manifests hold.
type Set struct {
	Objects lb.Objects
	// Skipped are objects of other kinds, which do not matter here.
	Skipped []string

	places map[string]string // object to where it was read
}

// Load reads files, all manifests of directories, and stdin where a path is -. It goes on after an error and joins all of them.
func Load(paths []string, stdin io.Reader) (*Set, error) { return Reader{}.Load(paths, stdin) }

// Reader reads manifests. The zero value reads no folders below a directory, and refuses a directory that has manifests there.
type Reader struct {
	// Recursive reads the folders below directories too.
	Recursive bool
}

// Load is [Load] with the settings of r.
func (r Reader) Load(paths []string, stdin io.Reader) (*Set, error) {
	set := &Set{}
	var errs []error
	for _, path := range paths {
		errs = append(errs, r.load(set, path, stdin))
	}
	return set, errors.Join(errs...)
}

func (r Reader) load(set *Set, path string, stdin io.Reader) error {
	if path == "-" {
		data, err := io.ReadAll(stdin)
		return errors.Join(err, set.Add("stdin", data))
	}
	files, err := r.Files(path)
	errs := []error{err}
	for _, file := range files {
		data, err := os.ReadFile(file)
		errs = append(errs, err)
		if err == nil {
			errs = append(errs, set.Add(file, data))
		}
	}
	return errors.Join(errs...)
}

// Add reads the documents in data. file is what errors call it. What could be read is in s even if there is an error.
func (s *Set) Add(file string, data []byte) error {
	var errs []error
	for _, doc := range split(data) {
		at := &Error{File: file, Document: doc.number, Line: doc.line}
		errs = append(errs, s.decode(at, "", doc.data))
	}
	return errors.Join(errs...)
}

var decoder, scheme = func() (runtime.Decoder, *runtime.Scheme) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer(), scheme
}()

// decode adds the object in one document, or the items of a list, of which field is one. at is copied for each error.
func (s *Set) decode(at *Error, field string, data []byte) error {
	meta, err := typeOf(data)
	if err != nil {
		return at.because(inItem(field, at.reason(err, data)))
	}
	kind := meta.GroupVersionKind()
	switch {
	case kind.Kind == "" || kind.Version == "":
		return at.because(inItem(field, fmt.Errorf("%w: %s", ErrObject, missing(meta))))
	case !scheme.Recognizes(kind) && scheme.IsGroupRegistered(kind.Group):
		return at.because(inItem(field, fmt.Errorf("%w %s of %s", ErrKind, shown(kind.Kind, kindWord), shown(meta.APIVersion, versionWord))))
	case !reads(kind):
		s.Skipped = append(s.Skipped, safetext.Sprintf("%s: document %d: %s of %s", at.File, at.Document, shown(kind.Kind, kindWord), shown(meta.APIVersion, versionWord)))
		return nil
	}
	object, _, err := decoder.Decode(data, nil, nil)
	if strict, ok := runtime.AsStrictDecodingError(err); ok {
		at.Object = title(object, kind.Kind)
		var errs []error
		for _, err := range strict.Errors() {
			errs = append(errs, at.because(inItem(field, errors.New(safetext.Reason(err, data, at.Line)))))
		}
		return errors.Join(errs...)
	}
	if err != nil {
		at.Object = kind.Kind
		return at.because(inItem(field, at.reason(err, data)))
	}
	return s.add(at, object, kind.Kind)
}

// typeOf reads what an object says of itself.
func typeOf(data []byte) (metav1.TypeMeta, error) {
	fields, err := fieldsOf(data)
	if err != nil {
		return metav1.TypeMeta{}, err
	}
	var meta metav1.TypeMeta
	for name, field := range map[string]*string{"apiVersion": &meta.APIVersion, "kind": &meta.Kind} {
		if len(fields[name]) > 0 && json.Unmarshal(fields[name], field) != nil {
			return metav1.TypeMeta{}, fmt.Errorf("%w: %s: want a text", ErrObject, name)
		}
	}
	return meta, nil
}

// fieldsOf returns the fields of an object, none if data is something else, such as a list. The error is that of the parser.
func fieldsOf(data []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) == nil {
		return fields, nil
	}
	body, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, err
	}
	_ = json.Unmarshal(body, &fields) // a list or a text has none
	return fields, nil
}

// missing says what a document lacks for being an object.
func missing(meta metav1.TypeMeta) string {
	switch {
	case meta.Kind != "":
		return "no apiVersion"
	case meta.APIVersion != "":
		return "no kind"
	default:
		return "neither apiVersion nor kind"
	}
}

// reads reports whether objects of this kind are read. Of all others nothing but their kind is looked at.
func reads(kind schema.GroupVersionKind) bool {
	switch strings.TrimSuffix(kind.Kind, "List") {
	case "", "Service", "Node", "Namespace":
		return kind.Group == ""
	case "EndpointSlice":
		return kind.Group == discoveryv1.GroupName
	default:
		return false
	}
}

// What kinds, versions and names look like. Anything else in their place is not shown.
var (
	kindWord    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,62}$`)
	versionWord = regexp.MustCompile(`^[a-z0-9.-]{1,253}(/[a-z0-9]{1,63})?$`)
	nameWord    = regexp.MustCompile(`^[a-z0-9.-]{1,253}$`)
)

// shown returns text if it looks as it should.
func shown(text string, like *regexp.Regexp) string {
	if like.MatchString(text) {
		return text
	}
	return "(not shown)"
}

// reason is err without anything of the document. A text that is not one of ours is the decoder's.
func (e *Error) reason(err error, data []byte) error {
	if errors.Is(err, ErrObject) {
		return err
	}
	if fields := wrongAnnotations(data); len(fields) > 0 {
		return errors.Join(fields...)
	}
	return fmt.Errorf("%w: %s", ErrSyntax, safetext.Reason(err, data, e.Line))
}

// inItem says which item of a list it is that is wrong.
func inItem(field string, err error) error {
	if field == "" {
		return err
	}
	return fmt.Errorf("%s: %w", field, err)
}

// because returns a copy of e with a cause.
func (e *Error) because(err error) error {
	c := *e
	c.Err = err
	return &c
}

// add adds one decoded object.
func (s *Set) add(at *Error, object runtime.Object, kind string) error {
	switch o := object.(type) {
	case *corev1.List:
		var errs []error
		for i, item := range o.Items {
			errs = append(errs, s.decode(&Error{File: at.File, Document: at.Document, Line: at.Line}, fmt.Sprintf("items[%d]", i), item.Raw))
		}
		return errors.Join(errs...)
	case *corev1.ServiceList:
		return addItems(s, at, "Service", o.Items, &s.Objects.Services)
	case *corev1.NodeList:
		return addItems(s, at, "Node", o.Items, &s.Objects.Nodes)
	case *discoveryv1.EndpointSliceList:
		return addItems(s, at, "EndpointSlice", o.Items, &s.Objects.EndpointSlices)
	case *corev1.NamespaceList:
		return addItems(s, at, "Namespace", o.Items, &s.Objects.Namespaces)
	case *corev1.Service:
		return addItems(s, at, kind, []corev1.Service{*o}, &s.Objects.Services)
	case *corev1.Node:
		return addItems(s, at, kind, []corev1.Node{*o}, &s.Objects.Nodes)
	case *discoveryv1.EndpointSlice:
		return addItems(s, at, kind, []discoveryv1.EndpointSlice{*o}, &s.Objects.EndpointSlices)
	case *corev1.Namespace:
		return addItems(s, at, kind, []corev1.Namespace{*o}, &s.Objects.Namespaces)
	default:
		return at.because(fmt.Errorf("%w %s", ErrKind, shown(kind, kindWord)))
	}
}

// addItems appends objects of one kind to list, each with its namespace set and none twice.
func addItems[T any, P interface {
	*T
	metav1.Object
	runtime.Object
}](s *Set, at *Error, kind string, items []T, list *[]T) error {
	var errs []error
	for i := range items {
		object := P(&items[i])
		if object.GetName() == "" {
			errs = append(errs, at.because(fmt.Errorf("%s: %w", kind, ErrName)))
			continue
		}
		if object.GetNamespace() == "" && (kind == "Service" || kind == "EndpointSlice") {
			object.SetNamespace(metav1.NamespaceDefault)
		}
		if err := s.claim(at, object, kind); err != nil {
			errs = append(errs, err)
			continue
		}
		*list = append(*list, items[i])
	}
	return errors.Join(errs...)
}

// claim notes that an object was read, or says where it was read before.
func (s *Set) claim(at *Error, object metav1.Object, kind string) error {
	if s.places == nil {
		s.places = map[string]string{}
	}
	key := kind + " " + object.GetNamespace() + "/" + object.GetName()
	if before, ok := s.places[key]; ok {
		e := *at
		e.Object = title(object, kind)
		return e.because(fmt.Errorf("%w: first in %s", ErrDuplicate, before))
	}
	s.places[key] = safetext.Sprintf("%s, document %d", at.File, at.Document)
	return nil
}

// title names an object by kind, namespace and name as far as they are known.
func title(object any, kind string) string {
	if o, ok := object.(metav1.Object); ok && o.GetName() != "" {
		name := shown(o.GetName(), nameWord)
		if o.GetNamespace() != "" {
			name = shown(o.GetNamespace(), nameWord) + "/" + name
		}
		return kind + " " + name
	}
	return kind
}
