package lb

import "github.com/azlb/azlb/annotations"

// Keys that findings and causes name.
const (
	keyAdditional = annotations.KeyAdditionalPublicIPs
	keyIdle       = annotations.KeyIdleTimeout
	keyReset      = annotations.KeyDisableTCPReset
	keyFloating   = annotations.KeyDisableFloatingIP
)

// sourceKeys are the annotations that say who may reach a Service, the most telling first.
var sourceKeys = []string{annotations.KeyAllowedIPRanges, annotations.KeySourceRanges, annotations.KeyAllowedServiceTags}
