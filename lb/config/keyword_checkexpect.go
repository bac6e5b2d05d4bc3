package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// checkMatches are the words of "expect". http and tcp tell whose they are.
var checkMatches = []struct {
	name      string
	match     CheckMatch
	tcp, http bool
}{
	{"string", MatchString, true, true}, {"rstring", MatchRegexp, true, true}, {"string-lf", MatchStringFormat, true, true},
	{"binary", MatchBinary, true, false}, {"rbinary", MatchRegexpBinary, true, false}, {"binary-lf", MatchBinaryFormat, true, false},
	{"status", MatchStatus, false, true}, {"rstatus", MatchRegexpStatus, false, true},
	{"hdr", MatchHeader, false, true}, {"fhdr", MatchFullHeader, false, true},
}

// Statuses that an "expect" may end with.
var (
	okStatuses      = []string{"L7OK", "L7OKC", "L6OK", "L4OK"}
	errorStatuses   = []string{"L7OKC", "L7RSP", "L7STS", "L6RSP", "L4CON"}
	timeoutStatuses = []string{"L7TOUT", "L6TOUT", "L4TOUT"}
)

// parseCheckExpect reads "expect" of both families. Options may stand on both sides of the match.
func parseCheckExpect(s *statement) {
	e := &CheckRuleExpect{MinRecv: -1}
	r := &CheckRule{Action: ActionExpect, Expect: e}
	for i := 0; i < len(s.args); {
		word := s.text(i)
		if match, not, used := s.matchWord(i); match != 0 {
			if e.Match != 0 {
				s.alert("has a second thing to look for, '%s': a line looks for one", word)
				return
			}
			e.Match, e.Not = match, not
			more, ok := s.pattern(e, i+used)
			if !ok {
				return
			}
			i += used + more
			continue
		}
		if !slices.Contains(expectOptions, word) {
			s.unknownWord(strings.TrimPrefix(word, "!"), append(s.matchNames(), expectOptions...)...)
			return
		}
		if s.text(i+1) == "" {
			s.alert("'%s' needs an argument", word)
			return
		}
		if !s.expectOption(r, word, i+1) {
			return
		}
		i += 2
	}
	if e.Match == 0 {
		s.alert("expects one of %s", quoteAll(s.matchNames()))
		return
	}
	s.addRule(r)
}

var expectOptions = []string{"min-recv", "comment", "ok-status", "error-status", "tout-status", "on-success", "on-error", "status-code"}

// matchWord reads "[!] MATCH" from argument i on, and says how many words that took.
func (s *statement) matchWord(i int) (match CheckMatch, not bool, used int) {
	word, not := strings.CutPrefix(s.text(i), "!")
	used = 1
	if word == "" {
		word, used = s.text(i+1), 2
	}
	family, _ := s.action()
	for _, m := range checkMatches {
		if m.name == word && (m.tcp && family == "tcp-check" || m.http && family == "http-check") {
			return m.match, not, used
		}
	}
	return 0, false, 0
}

func (s *statement) matchNames() []string {
	family, _ := s.action()
	var list []string
	for _, m := range checkMatches {
		if m.tcp && family == "tcp-check" || m.http && family == "http-check" {
			list = append(list, m.name)
		}
	}
	return list
}

// expectOption reads an option whose value is argument i.
func (s *statement) expectOption(r *CheckRule, word string, i int) (ok bool) {
	e, value := r.Expect, s.text(i)
	switch word {
	case "comment":
		r.Comment = value
	case "min-recv":
		e.MinRecv, ok = s.number(i, -1, math.MaxInt32)
		return ok
	case "ok-status":
		e.OKStatus, ok = s.one(i, okStatuses...)
		return ok
	case "error-status":
		e.ErrorStatus, ok = s.one(i, errorStatuses...)
		return ok
	case "tout-status":
		e.TimeoutStatus, ok = s.one(i, timeoutStatuses...)
		return ok
	case "on-success":
		e.OnSuccess = value
		return s.validFormat(value, false)
	case "on-error":
		e.OnError = value
		return s.validFormat(value, false)
	case "status-code":
		e.StatusCode = value
		if _, err := ParseCheckExpression(value); err != nil {
			s.fail(err)
			return false
		}
	}
	return true
}

// pattern reads what is looked for from argument i on, and says how many words that took.
func (s *statement) pattern(e *CheckRuleExpect, i int) (used int, ok bool) {
	text := s.text(i)
	if text == "" {
		s.alert("expects something to look for after '%s'", s.text(i-1))
		return 0, false
	}
	e.Pattern = text
	var err error
	switch e.Match {
	case MatchHeader, MatchFullHeader:
		e.Pattern = ""
		return s.headerPattern(e, i)
	case MatchRegexp, MatchRegexpBinary, MatchRegexpStatus:
		_, err = CompileCheckPattern(text)
	case MatchBinary:
		var b []byte
		b, err = DecodeHex(text)
		e.Pattern = string(b)
	case MatchStringFormat, MatchBinaryFormat:
		return 1, s.validFormat(text, e.Match == MatchBinaryFormat)
	case MatchStatus:
		e.Pattern = ""
		e.Codes, ok = s.codes(text)
		return 1, ok
	}
	if err != nil {
		s.fail(err)
	}
	return 1, err == nil
}

// codes reads "200,300-399". A comma may stand at the end, as in HAProxy.
func (s *statement) codes(text string) ([][2]int, bool) {
	var list [][2]int
	for _, part := range strings.Split(strings.TrimSuffix(text, ","), ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		low, err1 := strconv.ParseUint(first, 10, 16)
		high, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || high < low {
			s.alert("expects status codes and ranges such as 200,300-399, not '%s'", part)
			return nil, false
		}
		list = append(list, [2]int{int(low), int(high)})
	}
	return list, true
}

// headerPattern reads "{name|name-lf} [-m METHOD] NAME [{value|value-lf} [-m METHOD] VALUE]".
func (s *statement) headerPattern(e *CheckRuleExpect, i int) (used int, ok bool) {
	start := i
	if i, ok = s.nameMatch(&e.Header, i, "name"); !ok {
		return 0, false
	}
	if word := s.text(i); word == "value" || word == "value-lf" {
		if i, ok = s.nameMatch(&e.HeaderValue, i, "value"); !ok {
			return 0, false
		}
	}
	return i - start, true
}

// nameMatch reads one half of a header's pattern, and gives the index behind it.
func (s *statement) nameMatch(m *CheckNameMatch, i int, word string) (int, bool) {
	if s.text(i) != word && s.text(i) != word+"-lf" {
		s.alert("expects '%s' or '%s-lf' before what a header is looked for by, not '%s'", word, word, s.text(i))
		return 0, false
	}
	*m = CheckNameMatch{Set: true, Method: "str", Format: s.text(i) != word}
	i++
	if s.text(i) == "-m" {
		var ok bool
		if m.Method, ok = s.one(i+1, "str", "beg", "end", "sub", "reg"); !ok {
			return 0, false
		}
		i += 2
	}
	m.Text = s.text(i)
	switch {
	case m.Text == "":
		s.alert("expects a %s to look for", word)
		return 0, false
	case m.Format && m.Method == "reg":
		s.alert("cannot have a format as a regular expression: '-m reg' goes with '%s'", word)
		return 0, false
	case m.Format:
		return i + 1, s.validFormat(m.Text, false)
	case m.Method == "reg":
		if _, err := CompileCheckPattern(m.Text); err != nil {
			s.fail(err)
			return 0, false
		}
	}
	return i + 1, true
}

// words gives the arguments of the line.
func (e *CheckRuleExpect) words() []string {
	var w []string
	if e.MinRecv >= 0 {
		w = append(w, "min-recv", strconv.Itoa(e.MinRecv))
	}
	for _, option := range [][2]string{{"ok-status", e.OKStatus}, {"error-status", e.ErrorStatus}, {"tout-status", e.TimeoutStatus},
		{"on-success", e.OnSuccess}, {"on-error", e.OnError}, {"status-code", e.StatusCode}} {
		if option[1] != "" {
			w = append(w, option[0], option[1])
		}
	}
	if e.Not {
		w = append(w, "!")
	}
	for _, m := range checkMatches {
		if m.match == e.Match {
			w = append(w, m.name)
		}
	}
	switch e.Match {
	case MatchHeader, MatchFullHeader:
		return append(append(w, e.Header.words("name")...), e.HeaderValue.words("value")...)
	case MatchBinary:
		return append(w, hexText([]byte(e.Pattern)))
	case MatchStatus:
		var codes []string
		for _, c := range e.Codes {
			code := strconv.Itoa(c[0])
			if c[1] != c[0] {
				code += "-" + strconv.Itoa(c[1])
			}
			codes = append(codes, code)
		}
		return append(w, strings.Join(codes, ","))
	}
	return append(w, e.Pattern)
}

func (m CheckNameMatch) words(word string) []string {
	if !m.Set {
		return nil
	}
	if m.Format {
		word += "-lf"
	}
	if m.Method != "str" {
		return []string{word, "-m", m.Method, m.Text}
	}
	return []string{word, m.Text}
}
