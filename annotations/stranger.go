package annotations

import (
	"slices"
	"strings"
)

// stranger looks at a key that is not in the registry: one of another cloud, a misspelt or unknown one of Azure, or none of our business.
func (l *linter) stranger(key string) {
	if isAWS(key) {
		return // linter.aws
	}
	if cloud := otherCloud(key); cloud != "" {
		l.warn(key, ErrOtherCloud, "%s reads it", cloud)
		return
	}
	near := nearest(key)
	k, _, known := lookup(near)
	switch {
	case !known && !ours(key):
	case !known:
		l.warn(key, ErrUnknown, "nothing reads it")
	case k.Dead:
		l.warn(key, ErrUnknown, "nothing reads it, nor %s, which it resembles", near)
	default:
		// A slip of the pen: what was asked for is not done, which is as bad as an unusable value of the key that was meant.
		l.add(k.Outcome.Severity(), annotationField(key), ErrUnknown, "nothing reads it; did you mean %s?", near)
	}
}

// ours reports whether a key is one that only an Azure load balancer could be meant by.
func ours(key string) bool {
	name, ok := strings.CutPrefix(key, Prefix)
	return ok && (strings.HasPrefix(strings.ToLower(name), "azure-") || isPortKey(name))
}

// isPortKey reports whether name looks like a key of a port.
func isPortKey(name string) bool {
	rest, ok := strings.CutPrefix(name, "port_")
	return ok && rest != "" && isDigit(rune(rest[0]))
}

// nearest returns the known key that is spelled most like key: with the wrong or no prefix, in other case, with its words in other order, or
// with a few slips; or nothing.
func nearest(key string) string {
	name := key[strings.LastIndexByte(key, '/')+1:]
	lower := strings.ToLower(name)
	if len(name) > maxSpelled || !strings.HasPrefix(key, Prefix) && !strings.HasPrefix(lower, "azure-") {
		return ""
	}
	generalized, port := generic(Prefix + lower)
	lower = short(generalized)
	words := sortedWords(lower)
	near, best := "", limit(lower)+1
	for _, known := range spellings {
		d := distance(lower, known.short, best-1)
		if words == known.words {
			d = min(d, 1)
		}
		if d < best {
			best, near = d, known.name
		}
	}
	return PortKey(near, port)
}

// maxSpelled is the length up to which a name is compared with those of the registry. None there is half as long.
const maxSpelled = 128

// spelling is a key of a registry in the forms that others are compared with.
type spelling struct{ name, short, words string }

// spellings are those of the registry, in its order.
var spellings = spellingsOf(registry, func(k Key) string { return k.Name })

func spellingsOf[T any](rows []T, name func(T) string) []spelling {
	list := make([]spelling, len(rows))
	for i, row := range rows {
		list[i] = spelling{name(row), short(name(row)), sortedWords(short(name(row)))}
	}
	return list
}

// limit is the number of slips that a key of this length may have: one in six letters, at most five.
func limit(name string) int { return min(len(name)/6, 5) }

// sortedWords returns the words of a key in order.
func sortedWords(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' })
	slices.Sort(words)
	return strings.Join(words, "-")
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour to get from a to b (Damerau and Levenshtein, no
// letter touched twice), or most+1 if it takes more than most. The texts have at most [maxSpelled] bytes.
func distance(a, b string, most int) int {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	var rows [3][maxSpelled + 2]uint8
	before, row, next := &rows[0], &rows[1], &rows[2]
	far := uint8(most + 1)
	for j := range len(b) + 1 {
		row[j] = uint8(j)
	}
	for i := range len(a) {
		// Cells further than most from the diagonal cost more than that, so only those beside it are worked out.
		low, high := max(0, i-most), min(len(b), i+most+1)
		next[low] = far
		if low == 0 {
			next[0] = uint8(i + 1)
		}
		least := next[low]
		for j := low; j < high; j++ {
			cost := uint8(1)
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
			least = min(least, next[j+1])
		}
		next[high+1] = far // beyond the band, for the next row
		if least > far {   // a swap may still save one
			return most + 1
		}
		before, row, next = row, next, before
	}
	return min(int(row[len(b)]), most+1)
}

// clouds are the beginnings of the keys that other controllers of load balancers read.
var clouds = []struct{ prefix, cloud string }{
	{Prefix + "alibaba-cloud-", "Alibaba Cloud"},
	{Prefix + "alicloud-", "Alibaba Cloud"},
	{Prefix + "do-loadbalancer-", "DigitalOcean"},
	{"kubernetes.digitalocean.com/", "DigitalOcean"},
	{Prefix + "oci-load-balancer", "Oracle Cloud"},
	{"oci.oraclecloud.com/", "Oracle Cloud"},
	{"oci-network-load-balancer.oraclecloud.com/", "Oracle Cloud"},
	{"service.kubernetes.io/ibm-", "IBM Cloud"},
	{Prefix + "linode-loadbalancer-", "Linode"},
	{Prefix + "vultr-loadbalancer-", "Vultr"},
	{Prefix + "scw-loadbalancer-", "Scaleway"},
	{Prefix + "exoscale-loadbalancer-", "Exoscale"},
	{Prefix + "openstack-internal-load-balancer", "OpenStack"},
	{"loadbalancer.openstack.org/", "OpenStack"},
	{"load-balancer.hetzner.cloud/", "Hetzner Cloud"},
	{"service.kubernetes.io/qcloud-loadbalancer-", "Tencent Cloud"},
	{"service.cloud.tencent.com/", "Tencent Cloud"},
	{"kubernetes.io/elb.", "Huawei Cloud"},
	{"cloud.google.com/", "Google Cloud"},
	{"networking.gke.io/", "Google Cloud"},
	{"metallb.io/", "MetalLB"},
	{"metallb.universe.tf/", "MetalLB"},
}

// otherCloud returns who reads a key, if another cloud does.
func otherCloud(key string) string {
	for _, c := range clouds {
		if strings.HasPrefix(key, c.prefix) {
			return c.cloud
		}
	}
	return ""
}
