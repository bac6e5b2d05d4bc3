package config

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CheckExpression is a sample expression in the part that makes sense in a check: a source, and converters after commas.
//
//	str(TEXT) int(N) bool(B) bin(HEX)   constants
//	var(SCOPE.NAME) env(NAME)           variables of checks, of the environment
//	be_name be_id srv_name srv_id hostname
//	res.payload(OFFSET,LENGTH) res.len  what the server answered; LENGTH 0: up to the end
//	status res.body res.body_len        of an HTTP answer; the body as far as it has come
//
//	lower upper length hex cut_crlf ltrim(CHARACTERS) rtrim(CHARACTERS) bytes(OFFSET[,LENGTH])
//	add(N) sub(N)                       of numbers
type CheckExpression struct {
	source     string
	arguments  []string
	converters []converter
}

type converter struct {
	name      string
	arguments []string
	numbers   [2]int64
}

// kinds of values, for what a converter can take.
const (
	anyKind = iota
	aText
	aNumber
)

// sources and converters tell how many arguments there may be, how many of the first ones are numbers, and what comes of it.
type function struct {
	least, most int
	numeric     bool
	takes       int
	gives       int
}

var sources = map[string]function{
	"str": {least: 1, most: 1, gives: aText}, "int": {least: 1, most: 1, numeric: true, gives: aNumber}, "bool": {least: 1, most: 1, gives: aNumber},
	"bin": {least: 1, most: 1, gives: aText}, "var": {least: 1, most: 1, gives: anyKind}, "env": {least: 1, most: 1, gives: aText},
	"be_name": {gives: aText}, "be_id": {gives: aNumber}, "srv_name": {gives: aText}, "srv_id": {gives: aNumber}, "hostname": {gives: aText},
	"res.payload": {least: 2, most: 2, numeric: true, gives: aText}, "res.len": {gives: aNumber}, "status": {gives: aNumber},
	"res.body": {gives: aText}, "res.body_len": {gives: aNumber},
}

var converters = map[string]function{
	"lower": {gives: aText}, "upper": {gives: aText}, "length": {gives: aNumber}, "hex": {takes: aText, gives: aText}, "cut_crlf": {gives: aText},
	"ltrim": {least: 1, most: 1, gives: aText}, "rtrim": {least: 1, most: 1, gives: aText},
	"bytes": {least: 1, most: 2, numeric: true, gives: aText},
	"add":   {least: 1, most: 1, numeric: true, takes: aNumber, gives: aNumber}, "sub": {least: 1, most: 1, numeric: true, takes: aNumber, gives: aNumber},
}

const expressionHelp = "checks know str, int, bool, bin, var, env, be_name, be_id, srv_name, srv_id, hostname, res.payload, res.len, " +
	"status, res.body and res.body_len"

const converterHelp = "checks know lower, upper, length, hex, cut_crlf, ltrim, rtrim, bytes, add and sub"

// ParseCheckExpression reads an expression.
func ParseCheckExpression(text string) (CheckExpression, error) {
	e, rest, err := parseExpression(text, "")
	if err == nil && rest != "" {
		err = fmt.Errorf("'%s' is too much at the end of '%s'", rest, text)
	}
	return e, err
}

// parseExpression reads up to the end of the text or to a character of stop, and gives the rest.
func parseExpression(text, stop string) (e CheckExpression, rest string, err error) {
	name, arguments, rest, err := parseCall(text, stop)
	if err != nil {
		return e, rest, err
	}
	known, ok := sources[name]
	if !ok {
		if name == "" {
			return e, rest, fmt.Errorf("an expression is missing: %s", expressionHelp)
		}
		return e, rest, fmt.Errorf("'%s' is not supported: %s", name, expressionHelp)
	}
	e.source, e.arguments = name, arguments
	numbers, err := known.check(name, arguments)
	if err == nil {
		err = e.checkSource(numbers)
	}
	kind := known.gives
	for err == nil && strings.HasPrefix(rest, ",") {
		if name, arguments, rest, err = parseCall(rest[1:], stop); err != nil {
			break
		}
		c, ok := converters[name]
		if !ok {
			return e, rest, fmt.Errorf("the converter '%s' is not supported: %s", name, converterHelp)
		}
		if numbers, err = c.check(name, arguments); err != nil {
			break
		}
		switch {
		case c.takes == aNumber && kind == aText:
			return e, rest, fmt.Errorf("'%s' needs a number before it", name)
		case c.takes == aText && kind == aNumber:
			return e, rest, fmt.Errorf("'%s' needs a text before it", name)
		case name == "bytes" && (numbers[0] < 0 || numbers[1] < 0):
			return e, rest, fmt.Errorf("'bytes' expects numbers from 0 up")
		}
		kind = c.gives
		e.converters = append(e.converters, converter{name, arguments, numbers})
	}
	return e, rest, err
}

// checkSource looks at the arguments, and keeps them in the form that Value uses.
func (e *CheckExpression) checkSource(numbers [2]int64) error {
	switch e.source {
	case "var":
		return checkVariable(e.arguments[0])
	case "env":
		if e.arguments[0] == "" {
			return fmt.Errorf("'env' expects the name of a variable")
		}
	case "int":
		e.arguments[0] = strconv.FormatInt(numbers[0], 10)
	case "bool":
		switch strings.ToLower(e.arguments[0]) {
		case "1", "true", "yes":
			e.arguments[0] = "1"
		case "0", "false", "no":
			e.arguments[0] = "0"
		default:
			return fmt.Errorf("'bool' expects true or false, not '%s'", e.arguments[0])
		}
	case "bin":
		b, err := DecodeHex(e.arguments[0])
		e.arguments[0] = string(b)
		return err
	case "res.payload":
		if numbers[0] < 0 || numbers[1] < 0 || numbers[0] > 1<<30 || numbers[1] > 1<<30 {
			return fmt.Errorf("'res.payload' expects an offset and a length from 0 up")
		}
	}
	return nil
}

// check complains about the arguments.
func (f function) check(name string, arguments []string) (numbers [2]int64, err error) {
	switch n := len(arguments); {
	case n < f.least || n > f.most:
		if f.least == f.most {
			return numbers, fmt.Errorf("'%s' expects %d arguments, not %d", name, f.least, n)
		}
		return numbers, fmt.Errorf("'%s' expects %d to %d arguments, not %d", name, f.least, f.most, n)
	case f.numeric:
		for i, a := range arguments {
			if numbers[i], err = decimal(a); err != nil {
				return numbers, fmt.Errorf("'%s' expects numbers: %w", name, err)
			}
		}
	}
	return numbers, nil
}

// parseCall reads "name" or "name(argument,...)". An argument may stand in quotes, and a backslash protects one character.
func parseCall(text, stop string) (name string, arguments []string, rest string, err error) {
	end := strings.IndexAny(text, "(,"+stop)
	if end < 0 {
		return strings.TrimSpace(text), nil, "", nil
	}
	name = strings.TrimSpace(text[:end])
	if text[end] != '(' {
		return name, nil, text[end:], nil
	}
	var argument []byte
	var quote byte
	for i := end + 1; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(text):
			i++
			argument = append(argument, text[i])
		case quote != 0:
			argument = append(argument, c)
		case c == '\'' || c == '"':
			quote = c
		case c == ',':
			arguments, argument = append(arguments, string(argument)), nil
		case c == ')':
			if len(arguments) > 0 || len(argument) > 0 || i > end+1 {
				arguments = append(arguments, string(argument))
			}
			return name, arguments, text[i+1:], nil
		default:
			argument = append(argument, c)
		}
	}
	return name, nil, "", fmt.Errorf("')' is missing after '%s'", text)
}

// Constant tells whether the value does not depend on anything.
func (e CheckExpression) Constant() bool {
	return slices.Contains([]string{"str", "int", "bool", "bin"}, e.source)
}

// Value evaluates the expression. false: there is no value, such as that of a variable that is not set. Numbers come in
// decimal digits.
func (e CheckExpression) Value(v *CheckValues) (string, bool) {
	value, ok := e.sourceValue(v)
	for _, c := range e.converters {
		if !ok {
			break
		}
		value, ok = c.apply(value)
	}
	return value, ok
}

func (e CheckExpression) sourceValue(v *CheckValues) (string, bool) {
	look := v.Variable
	switch e.source {
	case "str", "int", "bool", "bin":
		return e.arguments[0], true
	case "env":
		look = v.Environment
		fallthrough
	case "var":
		if look == nil {
			return "", false
		}
		return look(e.arguments[0])
	case "be_name":
		return v.Backend, true
	case "be_id":
		return strconv.Itoa(v.BackendID), true
	case "srv_name":
		return v.Server, true
	case "srv_id":
		return strconv.Itoa(v.ServerID), true
	case "hostname":
		return v.Host, true
	case "process":
		return strconv.Itoa(v.Process), true
	case "res.len":
		return strconv.Itoa(len(v.Payload)), true
	case "res.body":
		return string(v.Payload), v.Status != 0
	case "res.body_len":
		return strconv.Itoa(len(v.Payload)), v.Status != 0
	case "status":
		return strconv.Itoa(v.Status), v.Status != 0
	case "res.payload":
		offset, length := atoi(e.arguments[0]), atoi(e.arguments[1])
		if offset > len(v.Payload) || offset+length > len(v.Payload) {
			return "", false
		}
		if length == 0 {
			length = len(v.Payload) - offset
		}
		return string(v.Payload[offset : offset+length]), true
	}
	return "", false
}

// apply gives the value after one converter.
func (c converter) apply(value string) (string, bool) {
	switch c.name {
	case "lower":
		return mapBytes(value, lower), true
	case "upper":
		return mapBytes(value, upper), true
	case "length":
		return strconv.Itoa(len(value)), true
	case "hex":
		return strings.ToUpper(hex.EncodeToString([]byte(value))), true
	case "cut_crlf":
		if at := strings.IndexAny(value, "\r\n"); at >= 0 {
			value = value[:at]
		}
		return value, true
	case "ltrim":
		return trimBytes(value, c.arguments[0], true), true
	case "rtrim":
		return trimBytes(value, c.arguments[0], false), true
	case "bytes":
		if c.numbers[0] > int64(len(value)) {
			return "", false
		}
		value = value[c.numbers[0]:]
		if len(c.arguments) > 1 && c.numbers[1] < int64(len(value)) {
			value = value[:c.numbers[1]]
		}
		return value, true
	}
	n, err := decimal(value) // add, sub
	if err != nil {
		return "", false
	}
	if c.name == "sub" {
		return strconv.FormatInt(n-c.numbers[0], 10), true
	}
	return strconv.FormatInt(n+c.numbers[0], 10), true
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c + 'A' - 'a'
	}
	return c
}

// mapBytes is for what may be no UTF-8.
func mapBytes(text string, change func(byte) byte) string {
	b := []byte(text)
	for i, c := range b {
		b[i] = change(c)
	}
	return string(b)
}

func trimBytes(text, characters string, left bool) string {
	if left {
		for text != "" && strings.IndexByte(characters, text[0]) >= 0 {
			text = text[1:]
		}
		return text
	}
	for text != "" && strings.IndexByte(characters, text[len(text)-1]) >= 0 {
		text = text[:len(text)-1]
	}
	return text
}
