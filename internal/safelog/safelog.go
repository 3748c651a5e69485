// Package safelog keeps what others wrote from reaching a log raw: not every handler quotes values, and none all that a terminal acts on.
package safelog

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/azlb/azlb/internal/safetext"
)

// Wrap returns a logger whose records have every text in them quoted, by [safetext.Quote], on their way to the handler of l. What is printable
// stays what it was, values of other types included.
func Wrap(l *slog.Logger) *slog.Logger {
	if _, ok := l.Handler().(handler); ok {
		return l
	}
	return slog.New(handler{l.Handler()})
}

type handler struct{ slog.Handler }

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	safe := slog.NewRecord(r.Time, r.Level, safetext.Quote(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		safe.AddAttrs(quote(a))
		return true
	})
	return h.Handler.Handle(ctx, safe)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	safe := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		safe[i] = quote(a)
	}
	return handler{h.Handler.WithAttrs(safe)}
}

func (h handler) WithGroup(name string) slog.Handler { return handler{h.Handler.WithGroup(name)} }

// quote returns a with its key and value quoted where they need to be.
func quote(a slog.Attr) slog.Attr {
	a.Key, a.Value = safetext.Quote(a.Key), a.Value.Resolve()
	switch a.Value.Kind() {
	case slog.KindGroup:
		group := a.Value.Group()
		safe := make([]slog.Attr, len(group))
		for i, one := range group {
			safe[i] = quote(one)
		}
		a.Value = slog.GroupValue(safe...)
	case slog.KindString, slog.KindAny:
		if text := fmt.Sprint(a.Value.Any()); !safetext.Printable(text) {
			a.Value = slog.StringValue(safetext.Quote(text))
		}
	}
	return a
}
