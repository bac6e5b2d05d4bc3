package config

import (
	"errors"
	"fmt"
	"strings"
)

// variable is one reference to an environment variable, as written.
type variable struct {
	name        string
	fallback    string // of "${NAME-fallback}"
	hasFallback bool
	list        bool // "${NAME[*]}": each of the words that the value holds is a word of the line
	end         int  // index of the first byte after the reference
}

// scanVariable reads the reference whose '$' is at text[at].
func scanVariable(text string, at int) (variable, *wordError) {
	next := at + 1
	brace := next < len(text) && text[next] == '{'
	if brace {
		next++
	}
	start := next
	if next < len(text) && text[next] == '.' {
		next++
	}
	if next == len(text) || !isNameByte(text[next]) || isDigit(text[next]) {
		return variable{}, &wordError{start, "the name of a variable must start with a letter or an underscore"}
	}
	for next < len(text) && isNameByte(text[next]) {
		next++
	}
	v := variable{name: text[start:next], end: next}
	if !brace {
		return v, nil
	}
	if next < len(text) && text[next] == '[' {
		if !strings.HasPrefix(text[next:], "[*]") {
			return variable{}, &wordError{next, "only '[*]' may stand between the name of a variable and the closing brace"}
		}
		v.list = true
		next += len("[*]")
	}
	if next < len(text) && text[next] == '-' {
		length := strings.IndexByte(text[next:], '}')
		if length < 0 {
			return variable{}, &wordError{at, "no closing brace after the name of a variable"}
		}
		v.fallback, v.hasFallback = text[next+1:next+length], true
		next += length
	}
	if next == len(text) || text[next] != '}' {
		return variable{}, &wordError{at, "no closing brace after the name of a variable"}
	}
	v.end = next + 1
	return v, nil
}

// value looks the variable up: an existing one keeps its value even if that is empty, and without a fallback a missing
// one is empty.
func (v variable) value(look func(name string) (string, bool)) string {
	if value, found := look(v.name); found || !v.hasFallback {
		return value
	}
	return v.fallback
}

// ExpandAddress replaces the $NAME, ${NAME} and ${NAME-default} that are left in a word: HAProxy resolves variables in
// addresses also outside of double quotes. A missing variable without a default is empty. What a variable holds is not
// searched for further variables.
func ExpandAddress(text string, env *Env) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	var out strings.Builder
	whole := text
	for {
		dollar := strings.IndexByte(text, '$')
		if dollar < 0 {
			out.WriteString(text)
			return out.String(), nil
		}
		out.WriteString(text[:dollar])
		v, problem := scanVariable(text, dollar)
		switch {
		case problem != nil:
			return "", fmt.Errorf("%s in '%s'", problem.text, whole)
		case v.name[0] == '.':
			return "", fmt.Errorf("'%s' is known only within double quotes", v.name)
		case v.list:
			return "", fmt.Errorf("'%s[*]' is known only within double quotes", v.name)
		}
		out.WriteString(v.value(env.Lookup))
		if out.Len() > maxExpansion {
			return "", errors.New(expansionTooLong)
		}
		text = text[v.end:]
	}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isNameByte(c byte) bool {
	return c == '_' || isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
