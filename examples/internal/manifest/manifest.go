// Package manifest reads Kubernetes manifests for the examples: Services, Nodes, EndpointSlices and Namespaces from files of one or several
// YAML or JSON documents, List kinds included.
//
// It is strict, since a Service that was misread is a Service to delete: a field that the API does not know, a value of the wrong type, a
// key or an object given twice and a document that cannot be read are errors. Every [Error] says where it is.
package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/azlb/azlb/lb"
)

// What can be wrong with a manifest, besides what the decoder says.
var (
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
	return where + ": " + e.Err.Error()
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
func Load(paths []string, stdin io.Reader) (*Set, error) {
	set := &Set{}
	var errs []error
	for _, path := range paths {
		errs = append(errs, set.load(path, stdin))
	}
	return set, errors.Join(errs...)
}

func (s *Set) load(path string, stdin io.Reader) error {
	if path == "-" {
		data, err := io.ReadAll(stdin)
		return errors.Join(err, s.Add("stdin", data))
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = manifestsIn(path); err != nil {
			return err
		}
	}
	var errs []error
	for _, file := range files {
		data, err := os.ReadFile(file)
		errs = append(errs, err)
		if err == nil {
			errs = append(errs, s.Add(file, data))
		}
	}
	return errors.Join(errs...)
}

// manifestsIn lists the YAML and JSON files of a directory, not those below it, by name.
func manifestsIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(e.Name()))) {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no file ends in .yaml, .yml or .json", dir)
	}
	return files, nil
}

// Add reads the documents in data. file is what errors call it. What could be read is in s even if there is an error.
func (s *Set) Add(file string, data []byte) error {
	var errs []error
	for _, doc := range split(data) {
		at := &Error{File: file, Document: doc.number, Line: doc.line}
		errs = append(errs, s.decode(at, doc.data))
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

// decode adds the object in one document, or the items of a list. at is copied for each error.
func (s *Set) decode(at *Error, data []byte) error {
	object, kind, err := decoder.Decode(data, nil, nil)
	if runtime.IsNotRegisteredError(err) {
		return s.other(at, data, err)
	}
	if strict, ok := runtime.AsStrictDecodingError(err); ok {
		at.Object = title(object, kind)
		var errs []error
		for _, err := range strict.Errors() {
			errs = append(errs, at.because(err))
		}
		return errors.Join(errs...)
	}
	if err != nil {
		return at.because(err)
	}
	return s.add(at, object, kind)
}

// other deals with a kind that the scheme does not know: one of a group that it knows is a mistake, any other is none of our business.
func (s *Set) other(at *Error, data []byte, err error) error {
	var meta metav1.TypeMeta
	if body, bad := utilyaml.ToJSON(data); bad != nil || json.Unmarshal(body, &meta) != nil {
		return at.because(err)
	}
	kind := meta.GroupVersionKind()
	if scheme.IsGroupRegistered(kind.Group) {
		return at.because(fmt.Errorf("%w %s of %s", ErrKind, kind.Kind, meta.APIVersion))
	}
	s.Skipped = append(s.Skipped, fmt.Sprintf("%s: document %d: %s of %s", at.File, at.Document, kind.Kind, meta.APIVersion))
	return nil
}

// because returns a copy of e with a cause.
func (e *Error) because(err error) error {
	c := *e
	c.Err = err
	return &c
}

// add adds one decoded object.
func (s *Set) add(at *Error, object runtime.Object, kind *schema.GroupVersionKind) error {
	switch o := object.(type) {
	case *corev1.List:
		var errs []error
		for _, item := range o.Items {
			errs = append(errs, s.decode(&Error{File: at.File, Document: at.Document, Line: at.Line}, item.Raw))
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
		return addItems(s, at, kind.Kind, []corev1.Service{*o}, &s.Objects.Services)
	case *corev1.Node:
		return addItems(s, at, kind.Kind, []corev1.Node{*o}, &s.Objects.Nodes)
	case *discoveryv1.EndpointSlice:
		return addItems(s, at, kind.Kind, []discoveryv1.EndpointSlice{*o}, &s.Objects.EndpointSlices)
	case *corev1.Namespace:
		return addItems(s, at, kind.Kind, []corev1.Namespace{*o}, &s.Objects.Namespaces)
	default:
		s.Skipped = append(s.Skipped, fmt.Sprintf("%s: document %d: %s", at.File, at.Document, title(object, kind)))
		return nil
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
		if err := s.claim(at, title(object, &schema.GroupVersionKind{Kind: kind})); err != nil {
			errs = append(errs, err)
			continue
		}
		*list = append(*list, items[i])
	}
	return errors.Join(errs...)
}

// claim notes that an object was read, or says where it was read before.
func (s *Set) claim(at *Error, object string) error {
	if s.places == nil {
		s.places = map[string]string{}
	}
	if before, ok := s.places[object]; ok {
		e := *at
		e.Object = object
		return e.because(fmt.Errorf("%w: first in %s", ErrDuplicate, before))
	}
	s.places[object] = fmt.Sprintf("%s, document %d", at.File, at.Document)
	return nil
}

// title names an object by kind, namespace and name as far as they are known.
func title(object runtime.Object, kind *schema.GroupVersionKind) string {
	name := ""
	if o, ok := object.(metav1.Object); ok {
		name = strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/")
	}
	if kind == nil {
		return name
	}
	return strings.TrimSpace(kind.Kind + " " + name)
}
