package armid

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/azlb/azlb/internal/safetext"
)

// CheckName reports whether ARM takes name for a resource or child of type typ, which is one of the constants or what [ID.Type] returns.
//
// Names of virtual networks have 2 to 64 characters, all others here 1 to 80. They are ASCII letters, digits, _ . and -, start with a
// letter or digit and end with a letter, digit or _. The error wraps [ErrSyntax] and says what was wanted.
func CheckName(typ, name string) error {
	least, most := nameLength(typ)
	if len(name) < least || len(name) > most {
		return fmt.Errorf("%w: want %d to %d characters, have %d", ErrSyntax, least, most, utf8.RuneCountInString(name))
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune("_.-", r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(name[i:])
		return fmt.Errorf("%w: want letters, digits, _ . and - only, have %q", ErrSyntax, r)
	}
	if !isAlnum(rune(name[0])) {
		return fmt.Errorf("%w: want a letter or digit at the start, have %q", ErrSyntax, name[0])
	}
	if last := rune(name[len(name)-1]); !isAlnum(last) && last != '_' {
		return fmt.Errorf("%w: want a letter, digit or _ at the end, have %q", ErrSyntax, last)
	}
	return nil
}

// nameLength returns the bounds of the length of a name.
func nameLength(typ string) (least, most int) {
	if strings.EqualFold(typ, VirtualNetworks) {
		return 2, 64
	}
	return 1, 80
}

// isAlnum reports whether r is an ASCII letter or digit.
func isAlnum(r rune) bool {
	return '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
}

// CheckGroup reports whether ARM takes name for a resource group: 1 to 90 letters and digits, of any script, _ - . ( and ), not ending with
// a full stop. The error wraps [ErrSyntax] and says what was wanted.
func CheckGroup(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 90 {
		return fmt.Errorf("%w: want 1 to 90 characters, have %d", ErrSyntax, n)
	}
	for _, r := range name {
		if !isGroupRune(r) {
			return fmt.Errorf("%w: want letters, digits, _ - . ( and ) only, have %q", ErrSyntax, r)
		}
	}
	if strings.HasSuffix(name, ".") {
		return fmt.Errorf("%w: want no full stop at the end", ErrSyntax)
	}
	return nil
}

// isGroupRune follows ARM, which looks at 16-bit characters, so that letters beyond them are none.
func isGroupRune(r rune) bool {
	if r > 0xFFFF || r == utf8.RuneError {
		return false
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-.()", r)
}

// CheckSubscription reports whether name can be the id of a subscription: ASCII letters, digits and -. ARM gives out GUIDs; anything else
// of that alphabet is let through, since it cannot leave its segment.
func CheckSubscription(name string) error {
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isAlnum(r) && r != '-' }) {
		return fmt.Errorf("%w: want the id of a subscription", ErrSyntax)
	}
	return nil
}

// Check reports whether every part of id fits its grammar: the form of [Parse], the subscription, the resource group, and each name by the
// type of what it names. The error wraps [ErrSyntax] and names the part.
func (id ID) Check() error {
	if _, err := Parse(string(id)); err != nil {
		return err
	}
	if err := CheckSubscription(id.Subscription()); err != nil {
		return fmt.Errorf("subscription %s: %w", safetext.Value(id.Subscription()), err)
	}
	if err := CheckGroup(id.ResourceGroup()); err != nil {
		return fmt.Errorf("resource group %s: %w", safetext.Value(id.ResourceGroup()), err)
	}
	for part := id; part.Type() != ""; part = part.Parent() {
		if err := CheckName(part.Type(), part.Name()); err != nil {
			return fmt.Errorf("%s %s: %w", part.Type(), safetext.Value(part.Name()), err)
		}
	}
	return nil
}
