package main

import "regexp"

// explanation is a difference that is known: lines that match it may be in one log only.
type explanation struct {
	line *regexp.Regexp // of "severity|text"
	both bool           // only where the other log has such a line too, in another wording or place
	text string
}

var explanations = []explanation{
	{
		regexp.MustCompile(`^notice\|Server agent/a is UP, reason: Layer[47] check passed`), true,
		"The server is up as soon as its agent and its checks agree. The line names the one whose result came last, and which that is " +
			"is chance where a check ends just as the agent has spoken.",
	},
}

// explain tells why the i-th row is in one log only.
func explain(rows []row, i int) (string, bool) {
	for _, e := range explanations {
		if e.line.MatchString(rows[i].text) && (!e.both || hasOther(rows, i, e.line)) {
			return e.text, true
		}
	}
	return "**not explained**", false
}

// hasOther tells whether the log that does not have the i-th row has one of its own that matches.
func hasOther(rows []row, i int, match *regexp.Regexp) bool {
	for _, r := range rows {
		if r.differs() && (r.at[0] == none) != (rows[i].at[0] == none) && match.MatchString(r.text) {
			return true
		}
	}
	return false
}
