package config

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
)

// CompileCheckPattern makes an "rstring", "rbinary", "rstatus" or "-m reg" pattern ready. The syntax is RE2's
// (https://golang.org/s/re2syntax): that of PCRE, which HAProxy has, without references to groups and without looking around,
// and its cost is linear in what the server sent. "$" is, as there, also before a line feed that ends the text.
func CompileCheckPattern(pattern string) (*regexp.Regexp, error) {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		var reason *syntax.Error
		if errors.As(err, &reason) {
			switch reason.Code {
			case syntax.ErrInvalidPerlOp, syntax.ErrInvalidEscape, syntax.ErrInvalidNamedCapture:
				return nil, fmt.Errorf("the regular expression '%s' is not possible (%s): back references, and looking ahead or behind, are not supported", pattern, err)
			}
		}
		return nil, fmt.Errorf("the regular expression '%s' is wrong: %w", pattern, err)
	}
	r, err := regexp.Compile(dollars(tree).String())
	if err != nil {
		return nil, fmt.Errorf("the regular expression '%s' is wrong: %w", pattern, err)
	}
	return r, nil
}

// dollars lets each "$" allow for a last line feed.
func dollars(tree *syntax.Regexp) *syntax.Regexp {
	if tree.Op == syntax.OpEndText && tree.Flags&syntax.WasDollar != 0 {
		feed := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{'\n'}}
		end := &syntax.Regexp{Op: syntax.OpEndText}
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{{Op: syntax.OpQuest, Sub: []*syntax.Regexp{feed}}, end}}
	}
	for i, sub := range tree.Sub {
		tree.Sub[i] = dollars(sub)
	}
	return tree
}
