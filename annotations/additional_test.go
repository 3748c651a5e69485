package annotations_test

import (
	"testing"

	"github.com/azlb/azlb/annotations"
)

// TestNobodysAddresses: what can be the address of no Service is none beside its own either.
func TestNobodysAddresses(t *testing.T) {
	for _, address := range []string{
		"168.63.129.16", "::ffff:168.63.129.16", "169.254.0.1", "169.254.169.254", "127.0.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1",
		"255.255.255.255", "::", "::1", "fe80::1", "ff02::1", "64:ff9b::a9fe:a9fe",
	} {
		cfg, err := annotations.Parse(service(annotations.KeyAdditionalPublicIPs, "20.5.5.5,"+address))
		errs := annotations.Errors(err)
		if len(errs) != 1 || errs[0].Outcome != annotations.Hold || len(cfg.PublicIP.Additional) != 1 {
			t.Errorf("%s: got %v and %v, want it refused", address, cfg.PublicIP.Additional, err)
		}
	}
}
