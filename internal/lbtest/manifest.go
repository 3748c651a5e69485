package lbtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/azlb/azlb/lb"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// decoder is strict: a field that the API does not know is an error.
var decoder = func() runtime.Decoder {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), discoveryv1.AddToScheme(scheme)); err != nil {
		panic(err)
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}()

// Read reads manifests of one or several YAML documents, complete ones: uids and node ports are in them.
func Read(data []byte) (lb.Objects, error) {
	var in lb.Objects
	docs := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for n := 1; ; n++ {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return in, nil
		}
		if err != nil {
			return in, err
		}
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		object, _, err := decoder.Decode(doc, nil, nil)
		if err != nil {
			return in, fmt.Errorf("document %d: %w", n, err)
		}
		switch o := object.(type) {
		case *corev1.Service:
			in.Services = append(in.Services, *o)
		case *corev1.Node:
			in.Nodes = append(in.Nodes, *o)
		case *corev1.Namespace:
			in.Namespaces = append(in.Namespaces, *o)
		case *discoveryv1.EndpointSlice:
			in.EndpointSlices = append(in.EndpointSlices, *o)
		default:
			return in, fmt.Errorf("document %d: want Service, Node, Namespace or EndpointSlice: %T", n, object)
		}
	}
}
