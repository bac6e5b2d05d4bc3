package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// CheckValues is what a check knows while it runs: where its formats and expressions take their values from.
type CheckValues struct {
	Variable            func(name string) (string, bool) // "check.port"; nil: none is set
	Environment         func(name string) (string, bool) // nil: none is set
	Payload             []byte                           // what has come in answer to the last step that sent
	Status              int                              // of the HTTP answer; 0: none
	Server, Backend     string                           // names
	ServerID, BackendID int
	Host                string // this machine's name
	Process             int    // this process's number
}

// CheckFormat is a log format in the part that makes sense in a check. Besides text there are
//
//	%%            a percent sign
//	%b %s         the names of the backend and the server
//	%H %pid       the names of this machine and the number of this process
//	%[expression] what ParseCheckExpression reads; nothing if it has no value
type CheckFormat struct{ parts []formatPart }

// formatPart is text, or an expression.
type formatPart struct {
	text       string
	expression *CheckExpression
}

// formatAliases are the short forms.
var formatAliases = map[string]string{"b": "be_name", "s": "srv_name", "H": "hostname", "pid": "process"}

const formatHelp = "a check's formats hold text, %%, %b, %s, %H, %pid and %[expression]"

// ParseCheckFormat reads a format. The error says what is wrong, and where it is another of HAProxy's forms, what there is instead.
func ParseCheckFormat(text string) (CheckFormat, error) {
	var f CheckFormat
	for rest := text; rest != ""; {
		at := strings.IndexByte(rest, '%')
		if at < 0 {
			f.add(rest)
			break
		}
		f.add(rest[:at])
		rest = rest[at+1:]
		switch {
		case rest == "":
			return f, fmt.Errorf("'%s' ends in a single '%%'; '%%%%' stands for the character", text)
		case rest[0] == '%':
			f.add("%")
			rest = rest[1:]
		case rest[0] == '[':
			e, after, err := parseExpression(rest[1:], "]")
			if err != nil {
				return f, fmt.Errorf("in '%s': %w", text, err)
			}
			if !strings.HasPrefix(after, "]") {
				return f, fmt.Errorf("in '%s': ']' is missing", text)
			}
			f.parts = append(f.parts, formatPart{expression: &e})
			rest = after[1:]
		case rest[0] == '{':
			return f, fmt.Errorf("in '%s': flags in '%%{}' are not supported: %s", text, formatHelp)
		default:
			end := 0
			for end < len(rest) && (isNameByte(rest[end]) && rest[end] != '-' && rest[end] != '.') {
				end++
			}
			source := formatAliases[rest[:end]]
			if source == "" {
				return f, fmt.Errorf("in '%s': '%%%s' is not supported: %s", text, rest[:end], formatHelp)
			}
			f.parts = append(f.parts, formatPart{expression: &CheckExpression{source: source}})
			rest = rest[end:]
		}
	}
	return f, nil
}

// add puts text at the end.
func (f *CheckFormat) add(text string) {
	if n := len(f.parts); n > 0 && f.parts[n-1].expression == nil {
		f.parts[n-1].text += text
	} else if text != "" {
		f.parts = append(f.parts, formatPart{text: text})
	}
}

// Append writes the outcome behind b. What has no value leaves nothing.
func (f CheckFormat) Append(b []byte, v *CheckValues) []byte {
	for _, p := range f.parts {
		if p.expression == nil {
			b = append(b, p.text...)
			continue
		}
		if value, ok := p.expression.Value(v); ok {
			b = append(b, value...)
		}
	}
	return b
}

// Constant tells whether the outcome does not depend on the values.
func (f CheckFormat) Constant() bool {
	for _, p := range f.parts {
		if p.expression != nil && !p.expression.Constant() {
			return false
		}
	}
	return true
}

// DecodeHex turns hexadecimal digits in pairs into bytes; the error names the digit that is none or has no partner.
func DecodeHex(text string) ([]byte, error) {
	b := make([]byte, 0, len(text)/2)
	for i := 0; i < len(text); i += 2 {
		for _, c := range []byte(text[i:min(i+2, len(text))]) {
			if hexValue(c) < 0 {
				return nil, fmt.Errorf("'%s' is not hexadecimal: there is a %q", text, c)
			}
		}
		if i+1 == len(text) {
			return nil, fmt.Errorf("'%s' has an odd number of hexadecimal digits", text)
		}
		b = append(b, byte(hexValue(text[i])<<4|hexValue(text[i+1])))
	}
	return b, nil
}

var errNoVariable = errors.New("a variable's name begins with 'proc.', 'sess.' or 'check.', and goes on with letters, digits, '.' and '_'")

// checkVariable looks at the name of a variable, with its scope.
func checkVariable(name string) error {
	scope, rest, _ := strings.Cut(name, ".")
	if rest == "" || scope != "proc" && scope != "sess" && scope != "check" {
		return fmt.Errorf("'%s' is not the name of a variable that checks have: %w", name, errNoVariable)
	}
	for _, c := range []byte(rest) {
		if c == '-' || !isNameByte(c) && c != '.' {
			return fmt.Errorf("'%s' is not the name of a variable: %w", name, errNoVariable)
		}
	}
	return nil
}

// decimal reads a whole number that may have a sign.
func decimal(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("'%s' is not a whole number", text)
	}
	return n, nil
}
