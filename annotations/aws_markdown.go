package annotations

import (
	"fmt"
	"io"
	"strings"
)

//go:generate go run ./internal/gen -aws -o ../docs/aws.md

const awsHead = `<!-- Made by "go generate ./annotations" from the registry of the keys of AWS in that package. Do not edit. -->

# Services that come from AWS

On Azure an annotation of AWS is neither an error nor a warning: it does nothing. This page says what each one means here.
` + "`azlb translate -f FILE`" + ` writes the manifest for Azure, with comments and formatting kept, and a table of what a person should know;
` + "`annotations.FromAWS`" + ` does it in code. ` + "`azlb lint`" + ` reports keys of AWS on a Service that is already on Azure.

Every key begins with ` + "`" + Prefix + "`" + `. *Read by* is who reads it on AWS: **classic**, the cloud provider, in-tree or not, with
classic load balancers and network load balancers of type ` + "`nlb`" + `; **controller**, the AWS Load Balancer Controller and EKS Auto Mode; or both.

| verdict | meaning |
| --- | --- |
| exact | the same effect; the value is copied or converted |
| lossy | the nearest setting differs in scope, range or effect |
| native | Azure does it by itself, or a field of the Service says it |
| input | a value is wanted that only a person knows |
| none | no counterpart; an error where security or reachability depends on it |

## Who can reach the Service

The defaults are opposite. Without a scheme the AWS Load Balancer Controller makes a load balancer internal, the cloud provider makes a public
one, and so does Azure. A Service is for the controller if its class, its type (` + "`external`, `nlb-ip`" + `) or a key says so that the
controller alone reads; for the cloud provider if only such a key of its own does. Where nothing says it, the translated Service is internal,
with an error: ` + "`--implementation`" + ` or ` + "`--default-scheme`" + ` decide. A Service without anything of AWS stays as it is, with a warning.

- Security groups and prefix lists have no counterpart. Where they alone said who may reach the Service, it is closed with the range
  ` + "`" + ClosedRange + "`" + `, which nobody has, until somebody writes the ranges.
- Source ranges of an internal Service do not keep the virtual network out, as AWS does; ` + "`" + `azure-deny-all-except-load-balancer-source-ranges` + "`" + ` is
  added. Without ranges the controller lets in the addresses of the VPC, Azure the virtual network with all that is peered or connected.
- A Service of two families gets an address of each, while AWS gives IPv4 alone unless it is asked for both.

## What no annotation says

- ` + "`spec.loadBalancerClass`" + ` of AWS goes; the field cannot be changed, so the Service has to be made anew.
- The status has an ` + "`ip`" + ` instead of a ` + "`hostname`" + `. Scripts and CNAME records that read it have to change; ` + "`azure-dns-label-name`" + ` gives a public address a name.
- A port with ` + "`appProtocol: http`" + ` or ` + "`https`" + ` is probed over it at ` + "`/`" + `; AWS checks TCP. The translation writes tcp where AWS had no protocol.
- HTTP probes take status 200 alone; the controller takes 200–399. One threshold serves both directions.
- A key of Azure that is there already stays, and what AWS has for it is reported as decided. Translating once more changes nothing.

## Conversions

Idle timeout: ` + "`minutes = min(100, max(4, ceil(seconds / 60)))`" + `. Up, since a shorter one breaks quiet connections.

| seconds on AWS | minutes on Azure |
| --- | --- |
| 60 (classic default) | 4 |
| 240 | 4 |
| 350 (network load balancer default) | 6 |
| 4000 | 67 |
| 6000 | 100 |

Health probes: interval ` + "`max(5, i)`" + `, threshold ` + "`max(2, unhealthy)`" + `. Their product has to stay below 120: the threshold is lowered first, not
below 2, then the interval. 30 s and 10 become 30 s and 3; 300 s and 2 become 59 s and 2.

Switches: the controller takes what Go reads as a boolean, Azure ` + "`true`" + ` alone; ` + "`true`" + ` and ` + "`false`" + ` are written.
`

// WriteAWSMarkdown writes the registry of the keys of AWS as the manual of those who come from there.
func WriteAWSMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString(awsHead)
	b.WriteString("\n## Keys\n\n| key | read by | verdict | what it does on AWS | on Azure | remarks |\n| --- | --- | --- | --- | --- | --- |\n")
	for i := range awsRegistry {
		k := &awsRegistry[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", k.title(), k.readers(), k.weight(), cell(k.Does), cell(k.Becomes), cell(k.remark()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// title is the key with the case that the row is about.
func (k *AWSKey) title() string {
	text := "`" + short(k.Name) + "`"
	if k.Case != "" && k.fits == nil {
		return text + " `" + k.Case + "`"
	}
	return strings.TrimSpace(text + " " + k.Case)
}

func (k *AWSKey) readers() string {
	if k.Reader == AWSDetect {
		return "both"
	}
	return k.Reader.String()
}

// weight is the verdict, with the severity where it is an error that nothing does it here.
func (k *AWSKey) weight() string {
	if k.Verdict == None && k.Severity == SeverityError {
		return "none, **error**"
	}
	return k.Verdict.String()
}

// remark is what is different, and how the value changes.
func (k *AWSKey) remark() string {
	var parts []string
	for _, text := range []string{k.Conversion, k.Doc} {
		if text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, ". ")
}
