// Package property checks properties with the same drawn values in each run, so that whether a test passes depends on the code alone.
//
// Other values are looked for on purpose, with the seed 0 for one that nobody knows:
//
//	go test ./lb -rapid.seed=0 -rapid.checks=5000
package property

import (
	"flag"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// Check is [rapid.Check], which without -rapid.seed draws other values in each run.
func Check(t *testing.T, holds func(*rapid.T)) {
	t.Helper()
	if err := steady(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, holds)
}

// steady sets a seed unless the command line does.
var steady = sync.OnceValue(func() error {
	const name = "rapid.seed"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return nil
	}
	return flag.Set(name, "1")
})
