package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/examples/internal/manifest"
	"github.com/azlb/azlb/lb"
)

// objects reads the manifests. Anything wrong with any of them is an error: a Service that is not there is one to delete.
func (t *tool) objects() (lb.Objects, error) {
	set, err := t.manifests().Load(t.flags.files, t.stdin)
	if err != nil {
		return lb.Objects{}, advise(err)
	}
	if t.flags.verbose {
		for _, s := range set.Skipped {
			t.tell("skipped %s\n", s)
		}
	}
	t.madeUp(set.Objects)
	completeObjects(set)
	return set.Objects, nil
}

// madeUp warns of Services that no API server has seen, where it matters: their uid, of which names in Azure are made, and the node ports
// that are probed will not be those of the cluster.
func (t *tool) madeUp(in lb.Objects) {
	var names []string
	for _, s := range in.Services {
		if s.UID == "" && wanted(s) {
			names = append(names, nameOf(s).String())
		}
	}
	if len(names) > 0 && !t.flags.fake && t.flags.cloudConfig != "" {
		t.tell("azlb: without metadata.uid, so uid and node ports are made up and will not be those of the cluster: %s\n", firstFew(names, 5))
	}
}

// completeObjects fills in what an API server would have. A Service that asks for no node ports has none.
func completeObjects(set *manifest.Set) {
	before := make([]corev1.Service, len(set.Objects.Services))
	for i := range set.Objects.Services {
		before[i] = *set.Objects.Services[i].DeepCopy()
	}
	set.Complete()
	for i := range set.Objects.Services {
		svc := &set.Objects.Services[i]
		if allocate := svc.Spec.AllocateLoadBalancerNodePorts; allocate == nil || *allocate {
			continue
		}
		for j := range svc.Spec.Ports {
			svc.Spec.Ports[j].NodePort = before[i].Spec.Ports[j].NodePort
		}
	}
}

// config reads azure.json: the cluster, and the text for those who look for credentials in it.
func (t *tool) config() (lb.Cluster, []byte, error) {
	data, err := os.ReadFile(t.flags.cloudConfig)
	if err != nil {
		return lb.Cluster{}, nil, fmt.Errorf("--cloud-config: %w", err)
	}
	cluster, err := lb.ParseCluster(data, t.flags.clusterName)
	if err != nil {
		return lb.Cluster{}, nil, fmt.Errorf("%s: %w", t.flags.cloudConfig, err)
	}
	if cluster.Correct, err = corrections(t.flags.correct); err != nil {
		return lb.Cluster{}, nil, fmt.Errorf("--correct: %w", err)
	}
	if t.flags.policy != "" {
		text, err := os.ReadFile(t.flags.policy)
		if err != nil {
			return lb.Cluster{}, nil, fmt.Errorf("--policy: %w", err)
		}
		if cluster.Policy, err = lb.ParsePolicy(text); err != nil {
			return lb.Cluster{}, nil, fmt.Errorf("%s: %w", t.flags.policy, err)
		}
	}
	return cluster, data, nil
}

// corrections reads the kinds of --correct.
func corrections(names []string) ([]lb.Correction, error) {
	var list []lb.Correction
	for _, name := range names {
		kind := lb.Correction(name)
		switch {
		case name == "all":
			list = append(list, lb.Corrections()...)
		case slices.Contains(lb.Corrections(), kind):
			list = append(list, kind)
		default:
			return nil, fmt.Errorf("%q: want all or some of %v", name, lb.Corrections())
		}
	}
	return list, nil
}

// kept returns in without Services that would only give up what they have.
func kept(in lb.Objects) lb.Objects {
	in.KeepGone = true
	in.Services = slices.DeleteFunc(slices.Clone(in.Services), func(s corev1.Service) bool { return !wanted(s) })
	return in
}

// wanted reports whether a Service asks for a load balancer.
func wanted(s corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.DeletionTimestamp == nil
}

// served returns the names of the Services of type LoadBalancer that are ours, sorted.
func served(c lb.Cluster, in lb.Objects) []types.NamespacedName {
	var names []types.NamespacedName
	for _, s := range in.Services {
		class := ""
		if s.Spec.LoadBalancerClass != nil {
			class = *s.Spec.LoadBalancerClass
		}
		if wanted(s) && class == c.Class {
			names = append(names, nameOf(s))
		}
	}
	slices.SortFunc(names, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	return names
}

func nameOf(s corev1.Service) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}
