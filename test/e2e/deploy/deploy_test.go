// Package deploy_test gives a real API server the manifests of the hosts in examples.
package deploy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/azlb/azlb/test/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// manifests are the documents of one deploy.yaml.
type manifests struct {
	account    corev1.ServiceAccount
	roles      []rbacv1.ClusterRole
	cluster    []rbacv1.ClusterRoleBinding
	bindings   []rbacv1.RoleBinding
	deployment appsv1.Deployment
}

func read(t *testing.T, file string) (m manifests) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for doc := range strings.SplitSeq(string(data), "\n---\n") {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
			t.Fatal(err)
		}
		switch kind.Kind {
		case "ServiceAccount":
			m.account = strict[corev1.ServiceAccount](t, doc)
		case "ClusterRole":
			m.roles = append(m.roles, strict[rbacv1.ClusterRole](t, doc))
		case "ClusterRoleBinding":
			m.cluster = append(m.cluster, strict[rbacv1.ClusterRoleBinding](t, doc))
		case "RoleBinding":
			m.bindings = append(m.bindings, strict[rbacv1.RoleBinding](t, doc))
		case "Deployment":
			m.deployment = strict[appsv1.Deployment](t, doc)
		default:
			t.Errorf("a %s, which this test does not know", kind.Kind)
		}
	}
	return m
}

func strict[T any](t *testing.T, doc string) (v T) {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(doc), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestManifests: the API server takes them, the account may ask who collects metrics and nothing beyond its work, and the pods are of the
// strictest kind that the API server knows, with limits.
func TestManifests(t *testing.T) {
	c := harness.Start(t)
	if _, err := c.Client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "strict", Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ccm", "controller"} {
		t.Run(name, func(t *testing.T) {
			m := read(t, filepath.Join(harness.Root(t), "examples", name, "deploy.yaml"))
			create(t, c, m)
			access(t, c, m)
			spec := m.deployment.Spec.Template.Spec
			for _, container := range spec.Containers {
				if r := container.Resources; r.Limits.Cpu().IsZero() || r.Limits.Memory().IsZero() || r.Requests.Memory().IsZero() {
					t.Errorf("container %s has the resources %v, want requests and limits", container.Name, r)
				}
				if s := container.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
					t.Errorf("container %s may write its file system", container.Name)
				}
				for _, arg := range container.Args {
					if strings.Contains(arg, "always-allow") {
						t.Errorf("%s lets anybody in", arg)
					}
				}
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-"}, Spec: spec}
			if _, err := c.Client.CoreV1().Pods("strict").Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
				t.Errorf("in a namespace for restricted pods: %v", err)
			}
		})
	}
}

func create(t *testing.T, c *harness.ControlPlane, m manifests) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	options := metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}
	_, err := c.Client.CoreV1().ServiceAccounts(m.account.Namespace).Create(t.Context(), &m.account, options)
	check(err)
	for i := range m.roles {
		_, err := c.Client.RbacV1().ClusterRoles().Create(t.Context(), &m.roles[i], options)
		check(err)
	}
	for i := range m.cluster {
		_, err := c.Client.RbacV1().ClusterRoleBindings().Create(t.Context(), &m.cluster[i], options)
		check(err)
	}
	for i := range m.bindings {
		_, err := c.Client.RbacV1().RoleBindings(m.bindings[i].Namespace).Create(t.Context(), &m.bindings[i], options)
		check(err)
	}
	_, err = c.Client.AppsV1().Deployments(m.deployment.Namespace).Create(t.Context(), &m.deployment, options)
	check(err)
}

// access asks the API server what the account may do.
func access(t *testing.T, c *harness.ControlPlane, m manifests) {
	t.Helper()
	user := "system:serviceaccount:" + m.account.Namespace + ":" + m.account.Name
	for _, tt := range []struct {
		verb, group, resource, sub string
		want                       bool
	}{
		{"create", "authentication.k8s.io", "tokenreviews", "", true},
		{"create", "authorization.k8s.io", "subjectaccessreviews", "", true},
		{"list", "", "services", "", true},
		{"patch", "", "services", "status", true},
		{"delete", "", "services", "", false},
		{"list", "", "secrets", "", false},
		{"patch", "", "nodes", "", false},
	} {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: tt.verb, Group: tt.group, Resource: tt.resource, Subresource: tt.sub},
		}}
		ask := func() bool {
			t.Helper()
			got, err := c.Client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return got.Status.Allowed
		}
		if tt.want { // a new binding takes the API server a moment
			harness.Eventually(t, tt.verb+" of "+tt.resource, ask)
		} else if ask() {
			t.Errorf("%s may %s %s", user, tt.verb, tt.resource)
		}
	}
}
