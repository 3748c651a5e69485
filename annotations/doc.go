// Package annotations reads what a Kubernetes Service asks of its Azure load balancer.
//
// A Service of type LoadBalancer speaks to Azure through annotations, texts that nothing checks: a switch spelled "yes", a range with host
// bits, a key with a letter too few all pass the API server, and what they were to achieve, or to prevent, is lost in silence. This package
// says what every key means, turns the texts into types, and reports everything that is wrong at once.
//
// # One table
//
// [Keys] is the registry: each key with its grammar, default, scope, conflicts, and what an unusable value does. [Parse] and [Lint] read
// that table, and docs/annotations.md is written from it by "go generate", so the three cannot differ.
//
// # Parse
//
// [Parse] gives a [Config] and an error that joins one [*Error] per unusable value:
//
//	cfg, err := annotations.Parse(svc)
//	for _, e := range annotations.Errors(err) {
//		fmt.Println(e.Field(), e.Outcome, e.Err)
//	}
//
// The Config is safe to use all the same, because each error has an [Outcome]. [Hold]: where a guess could move an address, cut traffic or
// expose the Service, it is to stay as it is in Azure. [Close]: a source that cannot be read is dropped and the access closed, never
// widened. [Default]: the value is as good as absent. [Findings] makes findings of the errors.
//
// # Lint
//
// [Lint] is for webhooks and checks before a commit. It adds what is no error but probably not as intended: misspelt keys with the key that was
// meant, keys of other clouds, keys without effect on this Service, contradictions, deprecated keys, and traps such as an HTTP probe that
// asks for / because nobody named a path.
//
// # From AWS
//
// [AWSKeys] is the registry of what AWS reads, and docs/aws.md is written from it. [FromAWS] makes a Service for Azure of one for AWS, with a
// finding about every key, and never shows it to more than could reach it there.
//
// # Promises
//
// The same Service gives the same result, in the same order; the Service is not modified; no text makes these functions panic; a value that
// cannot be read never widens who may reach a Service.
package annotations
