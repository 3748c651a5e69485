package fake

import (
	"strings"
	"unicode/utf8"

	"github.com/azlb/azlb/internal/armwire"
	"github.com/azlb/azlb/lb"
	"github.com/azlb/azlb/lb/armid"
	"github.com/azlb/azlb/provider"
)

// commonRules hold for every type.
var commonRules = []rule{
	// Grammar and length of names: at most 80 characters for nearly everything (ARM naming rules).
	{"names", "", onPut(checkNames)},
	// The children of one kind have different names, in any case.
	{"child-names", "", onPut(checkChildNames)},
	// A resource has a location, which cannot be changed.
	{"location", "", onPut(checkLocation)},
	// At most 50 tags, keys of 512 and values of 256 characters, keys different in any case (ARM naming rules).
	{"tags", "", onPut(checkTags)},
	// The SKU of load balancers and public IPs cannot be changed, but for the upgrade of a static public IP that nothing has.
	{"sku-immutable", "", onUpdate(checkSKUChange)},
	// What the last operation on failed cannot be referred to (ReferencedResourceNotProvisioned, as users report it).
	{"failed-reference", "", onPut(checkReferencesFailed)},
	// Azure creates no Basic load balancers and public IPs since 2025-09-30 (announcement of its retirement).
	{RuleBasicSKU, "", onPut(checkBasicSKU)},
}

func checkNames(w *write) *provider.OpError {
	ids := []lb.ID{w.id}
	for _, kind := range childKinds(w.id) {
		for _, o := range objects(w.new, "properties", kind) {
			ids = append(ids, idOf(o))
		}
	}
	for _, id := range ids {
		if err := armid.CheckName(id.Type(), id.Name()); err != nil {
			return refuse(400, "InvalidResourceName", id, "Resource name %s is invalid: %v.", id.Name(), err)
		}
	}
	return nil
}

func checkChildNames(w *write) *provider.OpError {
	for _, kind := range childKinds(w.id) {
		seen := map[string]bool{}
		for _, o := range objects(w.new, "properties", kind) {
			name := strings.ToLower(text(o, "name"))
			if seen[name] {
				return refuse(400, "DuplicateResourceName", idOf(o),
					"Resource %s has two child resources with the same name (%s).", w.id, name)
			}
			seen[name] = true
		}
	}
	return nil
}

func checkLocation(w *write) *provider.OpError {
	location := text(w.new, "location")
	switch {
	case location == "":
		return refuse(400, "LocationRequired", "", "The location property is required for %s.", w.id)
	case w.old != nil && !equalFold(location, text(w.old, "location")):
		return refuse(409, "InvalidResourceLocation", "", "The resource %s already exists in location '%s'.", w.id, text(w.old, "location"))
	case w.old != nil && !equalFold(text(w.new, "extendedLocation", "name"), text(w.old, "extendedLocation", "name")):
		return refuse(409, "InvalidResourceLocation", "",
			"The resource %s already exists in extended location '%s'.", w.id, text(w.old, "extendedLocation", "name"))
	default:
		return nil
	}
}

func checkTags(w *write) *provider.OpError {
	tags := object(w.new, "tags")
	if len(tags) > 50 {
		return refuse(400, "TooManyTags", "", "Resource %s has %d tags; at most 50 are allowed.", w.id, len(tags))
	}
	seen := map[string]bool{}
	for key, value := range tags {
		s, isText := value.(string)
		switch {
		case key == "" || utf8.RuneCountInString(key) > 512:
			return refuse(400, "InvalidTagNameLength", "", "The name of a tag of %s must have 1 to 512 characters.", w.id)
		case strings.ContainsAny(key, `<>%&\?/`):
			return refuse(400, "InvalidTagNameCharacters", "", "The tag name '%s' of %s has reserved characters.", key, w.id)
		case !isText || utf8.RuneCountInString(s) > 256:
			return refuse(400, "InvalidTagValueLength", "",
				"The value of tag '%s' of %s must be text of at most 256 characters.", key, w.id)
		case seen[strings.ToLower(key)]:
			return refuse(400, "DuplicateTagName", "", "The tag name '%s' of %s is there twice; tag names are case-insensitive.", key, w.id)
		}
		seen[strings.ToLower(key)] = true
	}
	return nil
}

// sku returns the SKU of a load balancer or public IP; without one Azure takes Basic.
func sku(o armwire.Object) string {
	if name := text(o, "sku", "name"); name != "" {
		return name
	}
	return "Basic"
}

func hasSKU(id lb.ID) bool { return id.Is(armid.LoadBalancers) || id.Is(armid.PublicIPAddresses) }

func checkSKUChange(w *write) *provider.OpError {
	if w.id.Is(armid.PublicIPAddresses) && equalFold(sku(w.new), "Standard") && equalFold(text(w.new, "properties", "publicIPAllocationMethod"), "Static") &&
		text(w.old, "properties", "ipConfiguration", "id") == "" {
		return nil // a static address that nothing has can be upgraded
	}
	if hasSKU(w.id) && !equalFold(sku(w.old), sku(w.new)) {
		return refuse(400, "SkuCannotBeChanged", "", "The SKU of %s cannot be changed from %s to %s.", w.id, sku(w.old), sku(w.new))
	}
	return nil
}

func checkReferencesFailed(w *write) *provider.OpError {
	var failed lb.ID // the first, so that the answer is always the same
	for e := range edgesOf(w.new) {
		top := e.to.Top()
		r := w.c.resources[top.Key()]
		if r != nil && !top.Equal(w.id) && text(r.body, "properties", provisioningState) == failedState && (failed == "" || armid.Compare(r.id, failed) < 0) {
			failed = r.id
		}
	}
	if failed == "" {
		return nil
	}
	return refuse(429, "ReferencedResourceNotProvisioned", failed, "Cannot proceed with operation because resource %s used by resource %s is not "+
		"in Succeeded state. Resource is in %s state.", failed, w.id, failedState)
}

func checkBasicSKU(w *write) *provider.OpError {
	switch {
	case w.old != nil || !hasSKU(w.id) || !equalFold(sku(w.new), "Basic"):
		return nil
	case w.id.Is(armid.PublicIPAddresses):
		return refuse(400, "IPv4BasicSkuPublicIpCountLimitReached", "",
			"Cannot create more than 0 IPv4 Basic SKU public IP addresses: %s.", w.id)
	default:
		return refuse(400, "BasicSkuLoadBalancerNotAllowed", "", "Load balancer %s: SKU Basic is retired.", w.id)
	}
}
