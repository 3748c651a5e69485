package conformance

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/azlb/azlb/lb"
)

// decoder decodes strictly: a field it does not know is an error.
var decoder = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// decodeObjects reads the documents of a steps/NN-name.yaml.
func decodeObjects(manifest []byte) (lb.Objects, error) {
	var in lb.Objects
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(manifest)))
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return in, nil
		}
		if err != nil {
			return in, err
		}
		object, _, err := decoder.Decode(doc, nil, nil)
		if runtime.IsMissingKind(err) && len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		if err != nil {
			return in, err
		}
		switch o := object.(type) {
		case *corev1.Service:
			in.Services = append(in.Services, *o)
		case *corev1.Node:
			in.Nodes = append(in.Nodes, *o)
		case *discoveryv1.EndpointSlice:
			in.EndpointSlices = append(in.EndpointSlices, *o)
		case *corev1.Namespace:
			in.Namespaces = append(in.Namespaces, *o)
		default:
			return in, fmt.Errorf("unexpected %T", o)
		}
	}
}
