package safetext

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// MaxValue is the number of characters of a value that [Value] shows. An annotation may have 256 KB, and what is shown ends in Events, whose text has
// 1 KB, and in logs.
const MaxValue = 200

// Value is v in double quotes, quoted. Of a longer one than [MaxValue] the start is shown, and how long it is.
func Value(v string) string {
	at, n := len(v), 0
	for i := range v {
		if n == MaxValue {
			at = i
			break
		}
		n++
	}
	text := Quote(strconv.Quote(v[:at]))
	if at < len(v) {
		text = fmt.Sprintf("%s… (%d characters)", text, utf8.RuneCountInString(v))
	}
	return text
}
