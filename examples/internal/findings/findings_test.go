package findings

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/azlb/azlb/lb"
)

// TestNews: what stays is said once, what goes and comes back is said again, and Services do not answer for each other.
func TestNews(t *testing.T) {
	web, api := types.NamespacedName{Namespace: "shop", Name: "web"}, types.NamespacedName{Namespace: "shop", Name: "api"}
	var told Told
	for i, step := range []struct {
		name  types.NamespacedName
		texts []string
		want  []string
	}{
		{web, []string{"a", "b"}, []string{"a", "b"}},
		{web, []string{"a", "b"}, []string{}},
		{api, []string{"a"}, []string{"a"}},
		{web, []string{"b", "c"}, []string{"c"}},
		{web, nil, nil},
		{web, []string{"b"}, []string{"b"}},
	} {
		if d := cmp.Diff(step.want, told.News(step.name, step.texts)); d != "" {
			t.Errorf("step %d (-want +got):\n%s", i, d)
		}
	}
}

func TestTexts(t *testing.T) {
	name := types.NamespacedName{Namespace: "shop", Name: "web"}
	list := []lb.Finding{
		{Service: name, Field: "spec.type", Err: errors.New("no usable node")},
		{Service: name, Field: "spec.type", Err: errors.New("no usable node")},
		{Err: errors.New("of the cluster")},
	}
	if d := cmp.Diff([]string{"spec.type: no usable node", "of the cluster"}, Texts(list)); d != "" {
		t.Errorf("texts (-want +got):\n%s", d)
	}
	if got := Of(list, types.NamespacedName{}); len(got) != 1 || got[0].Err.Error() != "of the cluster" {
		t.Errorf("of the cluster: %v", got)
	}
}

func TestCut(t *testing.T) {
	for n := 4; n < 14; n++ {
		if got := Cut("äöüäöü", n); len(got) > n || !utf8.ValidString(got) || n >= 12 && got != "äöüäöü" {
			t.Errorf("%d bytes: %q", n, got)
		}
	}
}
