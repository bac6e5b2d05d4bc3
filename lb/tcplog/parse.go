package tcplog

import (
	"fmt"
	"slices"
	"strings"
)

// FormatError says what is wrong with a log-format string, and where.
type FormatError struct {
	Offset int    // of the byte where the trouble begins, from 1
	Reason string // whole sentence without a full stop
}

func (e *FormatError) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Reason) }

// ParseFormat reads a log-format string (manual 8.2.6), quotes and backslashes already taken off by the reader of the
// configuration. An error is a *FormatError. Runs of blanks become one space, "%%" is a percent sign, and a name ends
// where its letters and digits end. Variables of the environment are looked up now; nil: in this process's.
func ParseFormat(s string, env Environment) (*Format, error) {
	p := parser{text: s, env: env}
	for p.at < len(s) {
		var err error
		switch c := s[p.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			p.space()
		case c == '%':
			err = p.variable()
		default:
			p.literal(s[p.at : p.at+1])
			p.at++
		}
		if err != nil {
			return nil, err
		}
	}
	return &p.format, nil
}

type parser struct {
	text  string
	at    int
	env   Environment
	flags flags // as %o set them

	format Format
}

func (p *parser) fail(offset int, format string, a ...any) error {
	return &FormatError{Offset: offset + 1, Reason: fmt.Sprintf(format, a...)}
}

func (p *parser) space() {
	p.at++
	if parts := p.format.parts; len(parts) == 0 || parts[len(parts)-1].variable != space {
		p.format.add(part{variable: space})
	}
}

func (p *parser) literal(text string) {
	if parts := p.format.parts; len(parts) > 0 && parts[len(parts)-1].variable == literal {
		parts[len(parts)-1].text += text
		return
	}
	p.format.add(part{variable: literal, text: text})
}

// variable reads what begins with a percent sign: "%%", "%name" or "%{flags}name".
func (p *parser) variable() error {
	start := p.at
	p.at++
	if strings.HasPrefix(p.text[p.at:], "%") {
		p.at++
		p.literal("%")
		return nil
	}
	flags := p.flags
	if strings.HasPrefix(p.text[p.at:], "{") {
		var err error
		if flags, err = p.braces(); err != nil {
			return err
		}
	}
	if strings.HasPrefix(p.text[p.at:], "[") {
		e, length, err := parseExpression(p.text[p.at+1:], p.env)
		if err != nil {
			err.Offset = min(p.at+2+err.Offset, len(p.text))
			return err
		}
		p.at += 1 + length
		p.format.add(part{variable: sampled, flags: flags, expression: e})
		return nil
	}
	end := p.at
	for end < len(p.text) && isAlphanumeric(p.text[end]) {
		end++
	}
	name := p.text[p.at:end]
	p.at = end
	if name == "" {
		return p.fail(start, "a variable's name must follow '%s'; a percent sign itself is written '%%%%'", p.text[start:end])
	}
	v, known := names[name]
	switch {
	case !known:
		return p.fail(start, "unknown variable '%%%s'%s; a percent sign itself is written '%%%%'", name, suggest(name))
	case v == httpOnly:
		return p.fail(start, "HTTP variable '%%%s' has no value in a TCP balancer", name)
	case v == propagate:
		p.flags = flags
	default:
		p.format.add(part{variable: v, flags: flags})
	}
	return nil
}

// braces reads "{+Q,-X}" and returns the flags in force with these changes.
func (p *parser) braces() (flags, error) {
	start := p.at
	length := strings.IndexByte(p.text[start:], '}')
	if length < 0 {
		return 0, p.fail(start, "missing '}' after '%s'", p.text[start:])
	}
	p.at = start + length + 1
	result := p.flags
	for offset := start + 1; offset < p.at-1; {
		word := p.text[offset : p.at-1]
		if i := strings.IndexAny(word, ", "); i >= 0 {
			word = word[:i]
		}
		if word != "" {
			flag := map[string]flags{"Q": quoted, "X": hex, "E": escaped}[word[1:]]
			switch {
			case flag != 0 && word[0] == '+':
				result |= flag
			case flag != 0 && word[0] == '-':
				result &^= flag
			default:
				return 0, p.fail(offset, "unknown flag '%s'; known: +Q +X +E, or with '-' to take them off", word)
			}
		}
		offset += len(word) + 1
	}
	return result, nil
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// suggest finds a name that differs in case only, or one that begins the unknown name: "%tsfoo" is "%ts" run into text.
func suggest(name string) string {
	var same []string
	for known, v := range names {
		if strings.EqualFold(known, name) && v != httpOnly {
			same = append(same, known)
		}
	}
	if len(same) > 0 {
		return fmt.Sprintf(" (did you mean '%%%s'?)", slices.Min(same))
	}
	for i := len(name) - 1; i > 0; i-- {
		if v, ok := names[name[:i]]; ok && v != httpOnly {
			return fmt.Sprintf(" (did you mean '%%%s' followed by a text that is no letter or digit?)", name[:i])
		}
	}
	return ""
}
