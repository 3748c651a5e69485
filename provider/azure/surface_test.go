package azure_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestSDKIsInNoSignature keeps the SDK's network package, which has a new major version every few months, out of what hosts see.
func TestSDKIsInNoSignature(t *testing.T) {
	out, err := exec.Command("go", "doc", "-all", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go doc: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "armnetwork") {
			t.Errorf("exported: %s", line)
		}
	}
}
