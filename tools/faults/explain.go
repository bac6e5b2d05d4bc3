package main

import "regexp"

// explanation is a difference that is known: lines that match it may be in one log only.
type explanation struct {
	line *regexp.Regexp // of "severity|text"
	text string
}

var explanations = []explanation{}

// explain tells why the i-th row is in one log only.
func explain(rows []row, i int) (string, bool) {
	for _, e := range explanations {
		if e.line.MatchString(rows[i].text) {
			return e.text, true
		}
	}
	return "**not explained**", false
}
