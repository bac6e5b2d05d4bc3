package config

import "strings"

// Quote gives a text that a [Reader] reads back as the one word given. A word must not hold a NUL byte.
//
// What an address holds is searched for variables once more after its quotes are gone: see [ExpandAddress].
func Quote(word string) string {
	if word != "" && strings.IndexFunc(word, needsQuote) < 0 {
		return word
	}
	if !strings.ContainsAny(word, "'\r\n") {
		return "'" + word + "'"
	}
	var out strings.Builder
	out.WriteByte('"')
	for i := 0; i < len(word); i++ {
		switch c := word[i]; c {
		case '\n':
			out.WriteString(`\n`)
		case '\r':
			out.WriteString(`\r`)
		case '"', '\\', '$':
			out.WriteByte('\\')
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}

func needsQuote(r rune) bool {
	// A byte order mark at the start of a file is not taken for a part of its first word.
	return r <= ' ' || r == 0x7f || r == '\ufeff' || strings.ContainsRune(`#'"\`, r)
}
