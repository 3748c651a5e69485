package annotations

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
)

func itoa(n int) string { return strconv.Itoa(n) }

// wants reports that a person has to supply a value, unless the Service has it already.
func (t *translator) wants(s awsSetting, keys ...string) {
	for _, key := range keys {
		if t.has(key) {
			t.shadow(s, key)
			return
		}
	}
	t.drop(s)
}

// readSubnets deals with subnets, of which only an internal Service names one.
func (t *translator) readSubnets(s awsSetting) {
	if !t.internal {
		t.say(s, awsNote{verdict: Native, severity: SeverityInfo}, "left out; a public Service is in no subnet")
		return
	}
	t.wants(s, KeySubnet)
}

// readEIP deals with elastic IP addresses, which internal load balancers do not have.
func (t *translator) readEIP(s awsSetting) {
	if t.internal {
		t.say(s, awsNote{verdict: None, severity: SeverityInfo, kind: ErrNoEffect}, "left out; an internal Service has no public address, on AWS neither")
		return
	}
	t.wants(s, KeyPIPName, KeyPIPPrefix, KeyIPv4)
}

// readPrivateIPv4 deals with private addresses, which public load balancers do not have.
func (t *translator) readPrivateIPv4(s awsSetting) {
	if !t.internal {
		t.say(s, awsNote{verdict: None, severity: SeverityInfo, kind: ErrNoEffect}, "left out; a public Service has no private address, on AWS neither")
		return
	}
	t.wants(s, KeyIPv4)
}

// readIPv6Addresses deals with IPv6 addresses.
func (t *translator) readIPv6Addresses(s awsSetting) { t.wants(s, KeyIPv6, KeyPIPNameIPv6) }

// readSticky turns session affinity on. Without a type it is that by address, the only one a network load balancer has.
func (t *translator) readSticky(s awsSetting) {
	for _, other := range t.settings {
		if other.key == s.key && other.attribute == "stickiness.type" && !strings.EqualFold(other.value, "source_ip") {
			t.say(s, awsNote{verdict: None, severity: SeverityWarning, effect: Different}, "left out; a client is known by its address alone")
			return
		}
	}
	t.out.Spec.SessionAffinity = corev1.ServiceAffinityClientIP
	t.say(s, awsNote{severity: SeverityInfo, becomes: []Became{{Field: "spec.sessionAffinity", Value: string(corev1.ServiceAffinityClientIP)}}}, "%s", s.row.Doc)
}

// ARM takes 50 tags, of which azlb writes up to three: the Services, the cluster, and the owner of the DNS label.
const maxAWSTags = 50 - 3

// readTags writes the tags that ARM takes for the public IP.
func (t *translator) readTags(s awsSetting) {
	switch {
	case s.value == "":
		t.drop(s)
		return
	case t.internal:
		t.say(s, awsNote{verdict: None, severity: SeverityWarning, effect: Different}, "left out; an internal Service has no public IP, and the load balancer is shared")
		return
	case t.has(KeyPIPTags):
		t.shadow(s, KeyPIPTags)
		return
	}
	tags, lost := armTags(items(s.value))
	n := awsNote{severity: SeverityWarning, effect: Different}
	if tags != "" {
		n.becomes = t.put(KeyPIPTags, tags)
	} else {
		n.verdict = None
	}
	text := s.row.Doc
	if len(lost) > 0 {
		text += "; Azure does not take " + strings.Join(lost, ", ")
	}
	t.say(s, n, "%s", text)
}

// armTags returns the pairs that ARM takes, the last of each key, and those that it does not take.
func armTags(pairs []string) (tags string, lost []string) {
	var list []Tag
	for _, item := range pairs {
		if item == "" {
			continue
		}
		if !strings.Contains(item, "=") {
			item += "="
		}
		tag, ok := pair(item)
		if !ok || !armTag(tag) {
			lost = append(lost, item)
			continue
		}
		for i := range list {
			if strings.EqualFold(list[i].Key, tag.Key) {
				lost, list = append(lost, list[i].Key+"="+list[i].Value), append(list[:i:i], list[i+1:]...)
				break
			}
		}
		list = append(list, tag)
	}
	for len(list) > maxAWSTags {
		last := list[len(list)-1]
		lost, list = append(lost, last.Key+"="+last.Value), list[:len(list)-1]
	}
	var texts []string
	for _, tag := range list {
		texts = append(texts, tag.Key+"="+tag.Value)
	}
	return strings.Join(texts, ","), lost
}

// armTag reports whether ARM takes a tag.
func armTag(t Tag) bool {
	return !isReserved(t.Key) && len(t.Key) <= 512 && len(t.Value) <= 256 && utf8.ValidString(t.Key+t.Value) &&
		!strings.ContainsAny(t.Key, `<>%&\?/`) && !strings.ContainsFunc(t.Key+t.Value, unicode.IsControl) && !strings.EqualFold(strings.TrimSpace(t.Value), "null")
}
