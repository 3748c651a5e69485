// Gen writes the manual of the annotations from their registry; "go generate ./annotations" runs it.
package main

import (
	"bytes"
	"flag"
	"log"
	"os"

	"github.com/azlb/azlb/annotations"
)

func main() {
	out := flag.String("o", "", "file to write")
	flag.Parse()
	var b bytes.Buffer
	if err := annotations.WriteMarkdown(&b); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, b.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
