package safelog_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/azlb/azlb/internal/safelog"
	"github.com/google/go-cmp/cmp"
)

// recorder keeps what reaches a handler.
type recorder struct {
	slog.Handler
	got map[string]any
}

func (r recorder) Handle(_ context.Context, record slog.Record) error {
	r.got["message"] = record.Message
	record.Attrs(func(a slog.Attr) bool { r.enter(a); return true })
	return nil
}

func (r recorder) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		r.enter(a)
	}
	return r
}

func (r recorder) enter(a slog.Attr) {
	if a.Value.Kind() == slog.KindGroup {
		for _, one := range a.Value.Group() {
			r.enter(one)
		}
		return
	}
	r.got[a.Key] = a.Value.Any()
}

func TestWrap(t *testing.T) {
	plain := errors.New("fine")
	r := recorder{slog.Default().Handler(), map[string]any{}}
	l := safelog.Wrap(safelog.Wrap(slog.New(r)))
	l.With("with", "a\x1b").Info("m\n", "error", errors.New("b\nc"), "plain", plain, "n", 3, slog.Group("g", "in", "d\u202e", "k\n", true))
	want := map[string]any{
		"message": `m\n`, "with": `a\x1b`, "error": `b\nc`, "plain": plain, "n": int64(3), "in": `d\u202e`, `k\n`: true,
	}
	if d := cmp.Diff(want, r.got, cmp.Comparer(func(a, b error) bool { return a == b })); d != "" { //nolint:errorlint // the same one
		t.Errorf("recorded (-want +got):\n%s", d)
	}
}
