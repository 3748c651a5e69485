package armwire

import (
	"fmt"
	"strings"

	"github.com/azlb/azlb/lb"
)

// Verdict is what has to be done for an operation.
type Verdict uint8

// The verdicts.
const (
	Done     Verdict = iota + 1 // the resource already is as the operation wants it
	Write                       // write Result.Body, or delete
	Conflict                    // neither what was planned against nor what is wanted: plan anew
)

// String returns the name of v.
func (v Verdict) String() string {
	switch v {
	case Done:
		return "Done"
	case Write:
		return "Write"
	case Conflict:
		return "Conflict"
	default:
		return fmt.Sprintf("Verdict(%d)", uint8(v))
	}
}

// Result is the outcome of [Prepare].
type Result struct {
	Verdict  Verdict
	Body     Object // what to write; nil for a deletion and without a write
	Delete   bool   // the write is a DELETE
	TagsOnly bool   // the write is a PATCH of tags
	Action   string // the write is a POST of this action, with Body as its request
}

// Prepare compares raw, the latest body of op.Target() or nil if there is none, with what op was planned against and what it wants.
// Only our part of raw counts: the children that Before or After name, the tags under their keys. Equal to After is [Done], equal to
// Before is [Write] with our part of After laid over raw, so that everything else survives; anything else is [Conflict]. So is a rule that
// neither names on a frontend which moves. It leaves raw alone.
//
// What equals After is written once more if the last operation on it failed: it shows what was asked for, and may do something else.
//
// Never compared and never changed in what exists: location, extended location and the zones of public IPs.
// Errors: a body that does not decode, an address that is still a reference, an operation that is not known.
func Prepare(op lb.Op, raw Object) (Result, error) {
	switch op := op.(type) {
	case lb.PutLoadBalancer:
		return putLoadBalancer(op, raw)
	case lb.DeleteLoadBalancer:
		return deleteLoadBalancer(op, raw)
	case lb.PutBackendPool:
		return putBackendPool(op, raw)
	case lb.DeleteBackendPool:
		return deleteBackendPool(op, raw)
	case lb.MigrateBackendPools:
		return migrateBackendPools(op, raw)
	case lb.PutPublicIP:
		return putPublicIP(op, raw)
	case lb.TagPublicIP:
		return putTags(raw, op.Before, op.After)
	case lb.DeletePublicIP:
		return deletePublicIP(op, raw)
	case lb.PutSecurityGroup:
		return putSecurityGroup(op, raw)
	case lb.PutSecurityRule:
		return putSecurityRule(op, raw)
	case lb.DeleteSecurityRule:
		return deleteSecurityRule(op, raw)
	case lb.TagResource:
		return putTags(raw, op.Before, op.After)
	case lb.PutPrivateLinkService:
		return putPrivateLinkService(op, raw)
	case lb.DeletePrivateLinkService:
		return deletePrivateLinkService(op, raw)
	case lb.DeleteEndpointConnection:
		return deleteEndpointConnection(op, raw)
	case lb.PutSubnetPolicy:
		return putSubnetPolicy(op, raw)
	case lb.PutNetworkInterface:
		return putNetworkInterface(op, raw)
	default:
		return Result{}, fmt.Errorf("operation %T is not known here", op)
	}
}

// match says whether our part of a body equals what was planned against and what is wanted.
type match struct{ before, after bool }

func (m match) and(n match) match { return match{m.before && n.before, m.after && n.after} }

// both compares one value with the two of an operation.
func both[T any](have, before, after T, equal func(a, b T) bool) match {
	return match{equal(have, before), equal(have, after)}
}

// create is the result for a resource that is not there: body if op creates it, else a conflict, since what was planned against is gone.
func create(creates bool, body func() Object) Result {
	if !creates {
		return Result{Verdict: Conflict}
	}
	return Result{Verdict: Write, Body: body()}
}

// update is the result for a resource that is there. Something that was to be created and is there already is either as wanted or has been
// made by someone else.
func update(m match, creates bool, raw Object, typ string, lay func(Object)) Result {
	switch {
	case m.after && !failed(raw):
		return Result{Verdict: Done}
	case !m.after && (creates || !m.before):
		return Result{Verdict: Conflict}
	}
	body := Clone(raw)
	lay(body)
	stripBody(typ, body)
	return Result{Verdict: Write, Body: body}
}

// remove is the result for a deletion: what is there must be what was planned against.
func remove(raw Object, same bool) Result {
	switch {
	case raw == nil:
		return Result{Verdict: Done}
	case same:
		return Result{Verdict: Write, Delete: true}
	default:
		return Result{Verdict: Conflict}
	}
}

// children compares those of have that before or after name with both.
func children[T any](have, before, after []T, name func(T) string, equal func(a, b T) bool) match {
	is, was, want := byKey(have, name), byKey(before, name), byKey(after, name)
	m := match{before: true, after: true}
	for key, h := range is {
		b, inBefore := was[key]
		a, inAfter := want[key]
		if inBefore || inAfter {
			m = m.and(match{inBefore && equal(h, b), inAfter && equal(h, a)})
		}
	}
	return m.and(match{within(was, is), within(want, is)})
}

func byKey[T any](list []T, name func(T) string) map[string]T {
	m := make(map[string]T, len(list))
	for _, e := range list {
		m[strings.ToLower(name(e))] = e
	}
	return m
}

// within reports whether every key of part is one of whole.
func within[T any](part, whole map[string]T) bool {
	for key := range part {
		if _, ok := whole[key]; !ok {
			return false
		}
	}
	return true
}

// only reports whether every element of have is in before, and equal.
func only[T any](have, before []T, name func(T) string, equal func(a, b T) bool) bool {
	was := byKey(before, name)
	for _, h := range have {
		if b, ok := was[strings.ToLower(name(h))]; !ok || !equal(h, b) {
			return false
		}
	}
	return true
}

// sameSet reports whether a and b have the same elements by key, however often and in whatever order.
func sameSet[T any](a, b []T, key func(T) string) bool {
	is, want := byKey(a, key), byKey(b, key)
	return within(is, want) && within(want, is)
}

func self(s string) string { return s }

func idKey(id lb.ID) string { return id.Key() }

// putTags makes the tags under our keys equal after and leaves the others.
func putTags(raw Object, before, after lb.Tags) (Result, error) {
	if raw == nil {
		return Result{Verdict: Conflict}, nil
	}
	have, err := decode("resource", raw, view.tags)
	if err != nil {
		return Result{}, err
	}
	r := update(tagMatch(have, before, after), false, Object{"tags": raw["tags"]}, "", func(o Object) { layTags(o, before, after) })
	r.TagsOnly = r.Verdict == Write
	return r, nil
}

func tagMatch(have, before, after lb.Tags) match {
	return children(have, before, after, tagKey, sameTag)
}

func tagKey(t lb.Tag) string { return t.Key }

func sameTag(a, b lb.Tag) bool { return a.Value == b.Value }
