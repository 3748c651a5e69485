// Gen writes the manuals of the annotations from their registries; "go generate ./annotations" runs it.
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
	aws := flag.Bool("aws", false, "the keys of AWS instead of those of Azure")
	flag.Parse()
	write := annotations.WriteMarkdown
	if *aws {
		write = annotations.WriteAWSMarkdown
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, b.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
