package annotations

import (
	"slices"
	"strings"
)

// AWSKey is one row of the registry of AWS keys: what a key, a value of it, or an attribute in its list does there and becomes here. A key
// may have several rows; the first whose Case fits decides.
type AWSKey struct {
	Name       string            // with its prefix; {protocol}-{n} stands for protocol and number of a service port
	Case       string            // values, with commas between, or the attribute, or attribute=value, a.* for all that begin so; empty: any
	Reader     AWSImplementation // who reads it; zero: both
	Verdict    Verdict
	Severity   Severity // of the finding at most, where the setting asks for something
	Does       string   // what it does on AWS; continues "on AWS it"
	Becomes    string   // what says the same on Azure; for Input, what wants a value; empty: nothing
	Conversion string   // how the value changes; empty: it does not
	Doc        string   // what is different; one sentence or two, without the dot at the end

	fits func(value string) bool // instead of Case, where that is a description
	read func(*translator, awsSetting)
}

// awsSetting is a setting of a Service: a key of AWS or an attribute in its list.
type awsSetting struct {
	row                   *AWSKey
	key, attribute, value string
	protocol              string // of the key of a listener
	port                  string
}

// AWSKeys returns the registry of the keys that AWS reads.
func AWSKeys() []AWSKey { return slices.Clone(awsRegistry) }

// awsPrefix begins the keys of AWS; actionsPrefix those that weigh target groups.
const (
	awsPrefix     = Prefix + "aws-load-balancer-"
	actionsPrefix = Prefix + "actions."
)

// isAWS reports whether only AWS reads a key.
func isAWS(key string) bool {
	return strings.HasPrefix(key, Prefix+"aws-") || strings.HasPrefix(key, actionsPrefix)
}

// genericAWS replaces protocol and port of a key by a placeholder.
func genericAWS(key string) (name, protocol, port string) {
	for _, prefix := range []string{awsPrefix + "listener-attributes.", actionsPrefix} {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			if protocol, port, ok = strings.Cut(rest, "-"); ok {
				return prefix + "{protocol}-{n}", protocol, port
			}
		}
	}
	return key, "", ""
}

// listsAttributes reports whether the key holds attributes with values.
func (k *AWSKey) listsAttributes() bool {
	name := strings.TrimPrefix(k.Name, awsPrefix)
	return name == "attributes" || name == "target-group-attributes" || strings.HasPrefix(name, "listener-attributes.")
}

// settingsOf reads one annotation of AWS into its settings, at least one. An attribute or a value that no row fits has a setting without a
// row, or with one that says what the key is for.
func settingsOf(key, value string) []awsSetting {
	name, protocol, port := genericAWS(key)
	s := awsSetting{key: key, value: strings.TrimSpace(value), protocol: protocol, port: port}
	first := slices.IndexFunc(awsRegistry, func(k AWSKey) bool { return k.Name == name })
	if first < 0 {
		return []awsSetting{s}
	}
	if !awsRegistry[first].listsAttributes() || s.value == "" {
		s.row = rowOf(name, s)
		return []awsSetting{s}
	}
	var list []awsSetting
	for _, item := range items(value) {
		if item == "" {
			continue
		}
		at := s
		at.attribute, at.value, _ = strings.Cut(item, "=")
		at.attribute, at.value = strings.TrimSpace(at.attribute), strings.TrimSpace(at.value)
		at.row = rowOf(name, at)
		list = append(list, at)
	}
	if list == nil {
		s.row = rowOf(name, s)
		list = []awsSetting{s}
	}
	return list
}

// rowOf returns the row of a setting, or nil.
func rowOf(name string, s awsSetting) *AWSKey {
	for i := range awsRegistry {
		if k := &awsRegistry[i]; k.Name == name && k.fit(s) {
			return k
		}
	}
	return nil
}

// fit reports whether a row is about a setting of its key.
func (k *AWSKey) fit(s awsSetting) bool {
	if k.fits != nil {
		return k.fits(s.value)
	}
	if k.Case == "" {
		return true
	}
	if !k.listsAttributes() {
		return slices.ContainsFunc(items(k.Case), func(v string) bool { return strings.EqualFold(v, s.value) })
	}
	attribute, value, fixed := strings.Cut(k.Case, "=")
	if prefix, ok := strings.CutSuffix(attribute, "*"); ok {
		return strings.HasPrefix(s.attribute, prefix)
	}
	return s.attribute == attribute && (!fixed || strings.EqualFold(s.value, value))
}
