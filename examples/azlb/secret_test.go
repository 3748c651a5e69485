package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/azlb/azlb/examples/internal/manifest"
	"github.com/azlb/azlb/examples/internal/signin"
	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/provider"
)

// secret stands for one: nothing may say it.
const secret = "S3CRET-MARK"

// documents with a secret in them, by who reads them.
var secrets = map[string]string{
	"azure.json": `{"tenantId": "t", "subscriptionId": "00000000-0000-4000-8000-000000000001", "resourceGroup": "g", "location": "w",
 "aadClientId": "x", "aadClientSecret": "` + secret + `", "loadBalancerSku": "standard", "clusterServiceSharedLoadBalancerHealthProbePort": 1}
`,
	"azure.yaml": "tenantId: t\nsubscriptionId: 00000000-0000-4000-8000-000000000001\nresourceGroup: g\naadClientSecret: \"" + secret + "\"\naadClientCertPassword: '" + secret + "'\n",
	"manifest.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  password: " + secret + "\n---\napiVersion: v1\nkind: Service\nmetadata:\n" +
		"  name: web\n  annotations:\n    example.com/token: " + secret + "\nspec:\n  type: LoadBalancer\n  ports:\n  - {name: http, port: 80}\n",
	"state.json": `{"resourceGroups": [], "resources": [{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/v",
 "properties": {"osProfile": {"adminPassword": "` + secret + `"}}}]}
`,
}

// ways of breaking a document: each is a document that somebody could have by a slip, or by an editor that was killed.
func broken(text string, n int) string {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	at := rng.IntN(len(text))
	switch n % 8 {
	case 0:
		return text[:at]
	case 1:
		return text[:at] + text[min(len(text), at+1):]
	case 2:
		return text[:at] + string(`{}[]",:'&*!|>%@ `[rng.IntN(16)]) + text[at:]
	case 3:
		return text[:at] + "\n" + text[at:]
	case 4:
		return strings.Replace(text, `"`+secret, secret, 1)
	case 5:
		return text[:at] + "\t" + text[at:]
	case 6:
		return strings.Replace(text, secret, `["`+secret+`", {"`+secret+`": 1}]`, 1)
	default:
		return text[at:] + text[:at]
	}
}

// TestNoSecretIsShown feeds every reader with secrets in documents that are broken in a hundred ways.
func TestNoSecretIsShown(t *testing.T) {
	for name, text := range secrets {
		failed := 0
		for n := range 100 {
			data := []byte(broken(text, n))
			set := &manifest.Set{}
			_, parsed := lb.ParseCluster(data, "")
			_, policy := lb.ParsePolicy(data)
			_, opened := signin.Open(lb.Cluster{}, data, nil)
			_, copied := configFor(data, "http://127.0.0.1:1")
			_, object := armwire.Parse(data)
			answer := provider.ParseError(http.StatusBadRequest, nil, data)
			for reader, err := range map[string]error{
				"manifest": set.Add(name, data), "ParseCluster": parsed, "ParsePolicy": policy, "signin": opened, "configFor": copied, "armwire": object,
				"fake.Load": fake.New(nil).Load(data), "ParseError": answer,
			} {
				if err == nil {
					continue
				}
				failed++
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%s of %s says %v\nof\n%s", reader, name, err, data)
				}
			}
			if said := fmt.Sprint(set.Skipped); strings.Contains(said, secret) {
				t.Errorf("skipped: %s", said)
			}
		}
		if failed < 100 {
			t.Errorf("%s: %d readings failed: the documents are hardly broken", name, failed)
		}
	}
}

// TestCommandsSayNoSecret gives such documents to the commands, in every place where one may land by mistake.
func TestCommandsSayNoSecret(t *testing.T) {
	dir := t.TempDir()
	for name, text := range secrets {
		for n := range 8 {
			file := filepath.Join(dir, name)
			if err := os.WriteFile(file, []byte(broken(text, n)), 0o600); err != nil {
				t.Fatal(err)
			}
			config := []string{"--cloud-config", "testdata/shop/azure.json", "-f", "testdata/shop/services.yaml", "-v"}
			for _, args := range [][]string{
				{"lint", "-f", file},
				{"plan", "--fake", "--cloud-config", file, "-f", "testdata/shop/services.yaml", "-v"},
				append([]string{"plan", "--fake", "--load", file}, config...),
				append([]string{"plan", "--fake", "--policy", file}, config...),
				append([]string{"plan", "--fake", "--addresses", file}, config...),
				append([]string{"plan", "--fake", "-f", file}, config...),
			} {
				var out, errs bytes.Buffer
				code := run(t.Context(), args, strings.NewReader(""), &out, &errs)
				if said := out.String() + errs.String(); strings.Contains(said, secret) {
					t.Errorf("%s: exit %d, says %s", strings.Join(args, " "), code, said)
				}
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "azure.json")); errors.Is(err, os.ErrNotExist) {
		t.Error("nothing was written")
	}
}
