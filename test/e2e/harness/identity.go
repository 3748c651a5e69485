package harness

import (
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Token makes a service account that may do what rules say, and nothing else, and returns a token of it.
func (c *ControlPlane) Token(t testing.TB, name string, rules ...rbacv1.PolicyRule) string {
	t.Helper()
	const namespace = metav1.NamespaceDefault
	meta := metav1.ObjectMeta{Name: name}
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	_, err := c.Client.CoreV1().ServiceAccounts(namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	if err == nil && len(rules) > 0 {
		_, err = c.Client.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	}
	if err == nil && len(rules) > 0 {
		role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: role, Subjects: []rbacv1.Subject{account}}
		_, err = c.Client.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	request, err := c.Client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return request.Status.Token
}

// Metrics returns what a program answers at url to somebody who may get metrics, and checks that nobody else gets them.
func (c *ControlPlane) Metrics(t testing.TB, url string) string {
	t.Helper()
	collector := c.Token(t, "collector", rbacv1.PolicyRule{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}})
	for who, token := range map[string]string{"nobody": "", "a stranger": c.Token(t, "stranger"), "who makes a token up": "made.up.token"} {
		// A token that nobody gave out is 401 or, where the API server's answer about it counts as a fault, 500.
		if status, body := getAs(t, url, token); status < http.StatusUnauthorized || strings.Contains(body, "azlb_") {
			t.Errorf("%s to %s: %d %.200s, want a refusal", url, who, status, body)
		}
	}
	status, body := http.StatusForbidden, ""
	Eventually(t, "metrics for who may get them", func() bool { // a new binding takes the API server a moment
		status, body = getAs(t, url, collector)
		return status == http.StatusOK
	})
	return body
}

// getAs gets url with a token, if there is one. Certificates are not checked: programs make their own.
func getAs(t testing.TB, url, token string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // see above
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
