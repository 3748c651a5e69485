package main

import (
	"net/http"

	"github.com/azlb/azlb/fake"
	"github.com/azlb/azlb/fake/armfake"
)

// armHandler answers ARM requests from the state of c.
func armHandler(c *fake.Cloud) http.Handler { return armfake.Handler(c, nil) }
