package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Evaluate tells whether the condition of an .if or .elif is met. An empty one is not.
//
//	condition = term { "||" term }
//	term      = factor { "&&" factor }
//	factor    = "!" factor | "(" condition ")" | integer | predicate [ "(" argument { "," argument } ")" ]
//
// The whole text is read before anything is decided, so an unknown predicate is an error wherever it stands. Arguments
// may be quoted once more here, for a line's own quotes are gone by now: see [EvaluateLine].
func Evaluate(expr string, env *Env) (bool, error) {
	if expr == "" {
		return false, nil
	}
	p := &conditionParser{text: expr, env: env}
	met, err := p.condition()
	if err != nil {
		return false, err
	}
	if p.space(); p.at < len(p.text) {
		return false, p.fail("unexpected '%s'", p.text[p.at:])
	}
	return met, nil
}

// EvaluateLine is Evaluate for a text as it would stand after .if in a file, with its quotes and variables: the argument
// of -cc.
func EvaluateLine(text string, env *Env) (bool, error) {
	words, problem := splitWords(text, env.Lookup)
	if problem != nil {
		return false, fmt.Errorf("%s, at position %d", problem.text, problem.at+1)
	}
	return Evaluate(joinWords(words), env)
}

// maxDepth bounds the recursion of a condition.
const maxDepth = 100

// conditionParser reads a condition from left to right and evaluates as it goes; that is cheap and changes nothing, so
// nothing is gained by leaving parts out.
type conditionParser struct {
	text  string
	at    int
	env   *Env
	depth int
}

func (p *conditionParser) condition() (bool, error) {
	met, err := p.term()
	for err == nil && p.take("||") {
		var right bool
		right, err = p.term()
		met = met || right
	}
	return met, err
}

func (p *conditionParser) term() (bool, error) {
	met, err := p.factor()
	for err == nil && p.take("&&") {
		var right bool
		right, err = p.factor()
		met = met && right
	}
	return met, err
}

func (p *conditionParser) factor() (bool, error) {
	if p.depth++; p.depth > maxDepth {
		return false, p.fail("more than %d nested parentheses and negations", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("!"):
		met, err := p.factor()
		return !met, err
	case p.take("("):
		met, err := p.condition()
		if err == nil && !p.take(")") {
			err = p.fail("no ')' to end what stands in parentheses")
		}
		return met, err
	}
	p.space()
	start := p.at
	if met, found := p.integer(); found {
		return met, nil
	}
	for p.at < len(p.text) && isNameByte(p.text[p.at]) {
		p.at++
	}
	name := p.text[start:p.at]
	if name == "" {
		return false, p.fail("a condition is missing")
	}
	run, found := predicates[name]
	if !found {
		p.at = start
		return false, p.fail("unknown predicate '%s'%s", name, didYouMean(name, predicateNames))
	}
	arguments, err := p.arguments()
	if err != nil {
		return false, err
	}
	if len(arguments) != run.arguments {
		p.at = start
		return false, p.fail("'%s' takes %d argument(s) in parentheses, not %d", name, run.arguments, len(arguments))
	}
	met, err := run.evaluate(p.env, arguments)
	if err != nil {
		p.at = start
		return false, p.fail("'%s': %v", name, err)
	}
	return met, nil
}

// integer reads an optional sign and digits: any number but zero is true, however large.
func (p *conditionParser) integer() (met, found bool) {
	next := p.at
	if next < len(p.text) && (p.text[next] == '-' || p.text[next] == '+') {
		next++
	}
	if next == len(p.text) || !isDigit(p.text[next]) {
		return false, false
	}
	for ; next < len(p.text) && isDigit(p.text[next]); next++ {
		met = met || p.text[next] != '0'
	}
	p.at = next
	return met, true
}

// arguments reads what stands in parentheses behind a predicate. As in HAProxy, spaces belong to the arguments, and
// nothing between the parentheses is one empty argument: what defined("$UNSET") becomes.
func (p *conditionParser) arguments() ([]string, error) {
	if p.at == len(p.text) || p.text[p.at] != '(' {
		return nil, nil
	}
	p.at++
	const escaped, meant = `\"' nrt`, "\\\"' \n\r\t"
	var all []string
	var one strings.Builder
	quote := byte(0)
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && (c == ',' || c == ')'):
			all = append(all, one.String())
			one.Reset()
			if c == ')' {
				p.at++
				return all, nil
			}
		case quote != '\'' && c == '\\' && p.at+1 < len(p.text) && strings.IndexByte(escaped, p.text[p.at+1]) >= 0:
			p.at++
			one.WriteByte(meant[strings.IndexByte(escaped, p.text[p.at])])
		default:
			one.WriteByte(c)
		}
		p.at++
	}
	if quote != 0 {
		return nil, p.fail("the quote %c is never closed", quote)
	}
	return nil, p.fail("no ')' after the arguments")
}

func (p *conditionParser) space() {
	for p.at < len(p.text) && isSpaceOrLine(p.text[p.at]) {
		p.at++
	}
}

// take skips spaces and then the token, if it comes next.
func (p *conditionParser) take(token string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *conditionParser) fail(format string, args ...any) error {
	return errors.New(fmt.Sprintf(format, args...) + " in the condition '" + p.text + "', at position " + strconv.Itoa(p.at+1))
}
