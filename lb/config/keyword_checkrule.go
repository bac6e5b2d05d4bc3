package config

import (
	"slices"
	"strconv"
	"strings"
)

// checkRuleKeywords are the lines of the scripts that checks follow.
func checkRuleKeywords() []Keyword {
	const (
		connectSyntax = "[default] [port <port | expression>] [addr <address>] [send-proxy] [via-socks4] [linger] [comment <text>]"
		expectOptions = "[min-recv <bytes>] [comment <text>] [ok-status <status>] [error-status <status>] [tout-status <status>] [on-success <format>] [on-error <format>] [status-code <expression>] [!] "
		expectSummary = " With `!` that fails the check. `ok-status` is L7OK, L7OKC, L6OK or L4OK; `error-status` L7OKC, L7RSP, L7STS, L6RSP or L4CON; `tout-status` L7TOUT, L6TOUT or L4TOUT. " +
			"Regular expressions have [RE2's syntax](https://golang.org/s/re2syntax)."
		variableSummary = "The scope is `proc` (the process), `sess` or `check` (this run of the check). A condition is one of ifexists, ifnotexists, ifempty, ifnotempty, ifset, ifnotset, ifgt, iflt. "
	)
	line := func(family, action, syntax, summary, example string, minimum int, parse func(*statement)) Keyword {
		return Keyword{Name: family + " " + action, Sections: inBackends, Syntax: syntax, Summary: summary, Example: family + " " + action + example,
			minimum: minimum, maximum: -1, behaviour: behaviour{parse: parse}}
	}
	var list []Keyword
	for _, family := range []string{"tcp-check", "http-check"} {
		connect := line(family, "connect", connectSyntax, "Opens a new connection; what was open is closed, with a reset unless `linger` says otherwise. With `default` the server's own settings hold for what is not said here. If there is a `connect` in a script, it also begins it.", " port 5433 linger", 0, parseCheckConnect)
		connect.print = printCheckRules(family)
		list = append(list, connect,
			line(family, "comment", "<text>", "A text for the step below, for the message of its failure.", " 'the greeting'", 1, parseCheckComment),
			line(family, "set-var", "(<scope>.<name>[,<condition>]...) <expression>", "Sets a variable. "+variableSummary+"See [expressions of checks](#formats-and-expressions-of-checks).", "(check.port) int(3306)", 1, parseCheckVariable),
			line(family, "set-var-fmt", "(<scope>.<name>[,<condition>]...) <format>", "Sets a variable to a text. "+variableSummary+"See [formats of checks](#formats-and-expressions-of-checks).", "(check.who) %s@%H", 1, parseCheckVariable),
			line(family, "unset-var", "(<scope>.<name>)", "Forgets a variable.", "(check.port)", 0, parseCheckVariable))
	}
	return append(list,
		line("tcp-check", "send", "<text> [comment <text>]", "Sends a text.", ` PING\r\n`, 1, parseCheckSend),
		line("tcp-check", "send-lf", "<format> [comment <text>]", "Sends what a format gives.", ` "HELLO %s\r\n"`, 1, parseCheckSend),
		line("tcp-check", "send-binary", "<hexadecimal> [comment <text>]", "Sends bytes that are written in hexadecimal digits.", " 50494e470d0a", 1, parseCheckSend),
		line("tcp-check", "send-binary-lf", "<format> [comment <text>]", "Sends the bytes whose hexadecimal digits a format gives.", " %[var(check.token)]0a", 1, parseCheckSend),
		line("tcp-check", "expect", expectOptions+"{ string <text> | rstring <regex> | string-lf <format> | binary <hexadecimal> | rbinary <regex> | binary-lf <format> }",
			"Waits until a text, some bytes or a regular expression is found in what the server sent. `rbinary` looks at the bytes in hexadecimal digits."+expectSummary, ` rstring "^\+(OK|PONG)"`, 1, parseCheckExpect),
		line("http-check", "send", "[meth <method>] [uri <uri> | uri-lf <format>] [ver <version>] [hdr <name> <format>]... [body <text> | body-lf <format>] [comment <text>]",
			"Sends a request. For the first one, `option httpchk` gives what is not said here. Content-Length and, unless a `hdr` gives one, Connection are added.", " meth GET uri /healthz ver HTTP/1.1 hdr Host www.example.org", 0, parseHTTPSend),
		line("http-check", "expect", expectOptions+"{ status <codes> | rstatus <regex> | hdr | fhdr { name | name-lf } [-m <method>] <name> [{ value | value-lf } [-m <method>] <value>] | string <text> | rstring <regex> | string-lf <format> }",
			"What the answer must have: a status out of a list with ranges, a header (`fhdr` takes its whole value, `hdr` each part between commas; `-m` is str, beg, end, sub or reg), or something in its body. Without a line after the last request it is a status of 200 to 399."+expectSummary, " status 200,204,300-399", 1, parseCheckExpect),
		Keyword{Name: "http-check disable-on-404", Sections: inBackends, Default: "off", Summary: "An answer with status 404 takes the server out of new connections (NOLB) and keeps those that it has.", Example: "http-check disable-on-404",
			behaviour: toggle(func(t target) *bool { return &t.proxy.Health.DisableOn404 }, false)},
		Keyword{Name: "http-check send-state", Sections: inBackends, Default: "off", Summary: "Requests tell the server its state, in a header X-Haproxy-Server-State.", Example: "http-check send-state",
			behaviour: toggle(func(t target) *bool { return &t.proxy.Health.SendState }, false)})
}

// family and action are the two words of the keyword.
func (s *statement) action() (family, action string) {
	family, action, _ = strings.Cut(s.key.Name, " ")
	return family, action
}

// addRule puts a rule at the end of the script, unless it cannot stand there.
func (s *statement) addRule(r *CheckRule) {
	h := &s.proxy.Health
	family, _ := s.action()
	r.Pos = s.pos
	list, inherited := &h.tcpRules, &h.tcpInherited
	if family == "http-check" {
		list, inherited = &h.httpRules, &h.httpInherited
	}
	if *inherited {
		*list, *inherited = nil, false
	}
	if family == "http-check" && h.requestInherited {
		h.requestInherited = false
		if h.Method != "" || h.URI != "" || h.Version != "" {
			s.warn("begins a script of this section's own, for which the request of 'option httpchk' in its defaults does not hold: repeat the option if it should")
		}
		h.Method, h.URI, h.Version = "", "", ""
	}
	last := lastStep(*list)
	if isStep(r) && last >= 0 {
		if problem := misplacedStep(family, *list, last, r); problem != "" {
			s.alert("%s", problem)
			return
		}
	}
	*list = append(*list, r)
}

// misplacedStep tells why a step cannot follow the last one.
func misplacedStep(family string, list []*CheckRule, last int, r *CheckRule) string {
	first := list[nextStep(list, 0)].Action
	before := list[last].Action
	switch {
	case r.Action == ActionConnect && first != ActionConnect:
		return "must also be the first step of the script, if there is one in it"
	case family == "tcp-check":
	case r.Action == ActionSend && before != ActionConnect:
		return "needs a 'connect' right before it: one connection is for one request"
	case r.Action == ActionExpect && before == ActionConnect:
		return "needs a 'send' before it"
	case r.Action == ActionConnect && before != ActionExpect:
		return "needs an 'expect' before it"
	}
	return ""
}

func parseCheckConnect(s *statement) {
	r := &CheckRule{Action: ActionConnect, Connect: &CheckRuleConnect{}}
	for i := 0; i < len(s.args); i++ {
		word, value := s.text(i), s.text(i+1)
		switch word {
		case "default":
			r.Connect.Default = true
			continue
		case "send-proxy":
			r.Connect.SendProxy = true
			continue
		case "via-socks4":
			r.Connect.ViaSOCKS4 = true
			continue
		case "linger":
			r.Connect.Linger = true
			continue
		case "ssl", "sni", "alpn":
			s.alert("'%s' %s", word, noTLS)
			return
		case "proto":
			s.alert("'%s' %s", word, noHTTP)
			return
		case "comment", "port", "addr":
		default:
			s.unknownWord(word, "default", "port", "addr", "send-proxy", "via-socks4", "linger", "comment")
			return
		}
		if value == "" {
			s.alert("'%s' needs an argument", word)
			return
		}
		i++
		switch word {
		case "comment":
			r.Comment = value
		case "port":
			if !s.validPort(value) {
				return
			}
			r.Connect.Port = value
		case "addr":
			a, ok := s.address(i, AddressOptions{AllowPort: true, AllowUnix: true})
			if !ok {
				return
			}
			r.Connect.Address = &a
		}
	}
	s.addRule(r)
}

// unknownWord complains about an argument that is none.
func (s *statement) unknownWord(word string, of ...string) {
	s.alert("expects some of %s, not '%s'%s", quoteAll(of), word, didYouMean(word, of))
}

// validPort complains about what is neither a port nor an expression.
func (s *statement) validPort(text string) bool {
	if n, err := strconv.Atoi(text); err == nil {
		if n < 1 || n > 65535 {
			s.alert("expects a port from 1 to 65535 or an expression, not '%s'", text)
			return false
		}
		return true
	}
	_, err := ParseCheckExpression(text)
	if err != nil {
		s.alert("expects a port from 1 to 65535 or an expression, not '%s': %v", text, err)
	}
	return err == nil
}

// rest reads "[comment TEXT]" from argument i on.
func (s *statement) comment(i int) (string, bool) {
	switch {
	case len(s.args) <= i:
		return "", true
	case s.text(i) != "comment":
		s.alert("has an unexpected argument '%s'", s.text(i))
	case s.text(i+1) == "":
		s.alert("'comment' needs an argument")
	case len(s.args) > i+2:
		s.alert("has an unexpected argument '%s'", s.text(i+2))
	default:
		return s.text(i + 1), true
	}
	return "", false
}

func parseCheckSend(s *statement) {
	comment, ok := s.comment(1)
	if !ok {
		return
	}
	text := s.text(0)
	if text == "" {
		s.alert("expects %s, not an empty word", s.key.Syntax)
		return
	}
	send := &CheckRuleSend{}
	_, action := s.action()
	switch action {
	case "send":
		send.Data = []byte(text)
	case "send-binary":
		b, err := DecodeHex(text)
		if err != nil {
			s.fail(err)
			return
		}
		send.Data = b
	default:
		send.Format, send.Hex = text, action == "send-binary-lf"
		if !s.validFormat(text, send.Hex) {
			return
		}
	}
	s.addRule(&CheckRule{Action: ActionSend, Comment: comment, Send: send})
}

// validFormat complains about a format, and about digits in it that cannot be hexadecimal ones.
func (s *statement) validFormat(text string, hex bool) bool {
	f, err := ParseCheckFormat(text)
	if err == nil && hex && f.Constant() {
		_, err = DecodeHex(string(f.Append(nil, &CheckValues{})))
	}
	if err != nil {
		s.fail(err)
	}
	return err == nil
}

func parseCheckComment(s *statement) {
	if len(s.args) > 1 {
		s.alert("has an unexpected argument '%s' (a text with blanks needs quotes)", s.text(1))
		return
	}
	if s.text(0) == "" {
		s.alert("expects a text")
		return
	}
	s.addRule(&CheckRule{Action: ActionComment, Comment: s.text(0)})
}

// setConditions are what may stand behind a variable's name.
var setConditions = []string{"ifexists", "ifnotexists", "ifempty", "ifnotempty", "ifset", "ifnotset", "ifgt", "iflt"}

// parseCheckVariable reads set-var, set-var-fmt and unset-var. What stands in parentheses is part of the keyword's word.
func parseCheckVariable(s *statement) {
	_, action := s.action()
	_, inner, open := strings.Cut(s.word, "(")
	inner, closed := strings.CutSuffix(inner, ")")
	if !open || !closed {
		s.alert("expects %s", s.key.Syntax)
		return
	}
	conditions := strings.Split(inner, ",")
	r := &CheckRule{Action: ActionSetVar, Variable: conditions[0]}
	if err := checkVariable(r.Variable); err != nil {
		s.fail(err)
		return
	}
	for _, c := range conditions[1:] {
		if !slices.Contains(setConditions, c) {
			s.alert("has an unknown condition '%s'; there are %s", c, quoteAll(setConditions))
			return
		}
		r.Conditions = append(r.Conditions, c)
	}
	most := 1
	var err error
	switch {
	case action == "unset-var":
		r.Action, most = ActionUnsetVar, 0
		if len(r.Conditions) > 0 {
			s.alert("has no conditions")
			return
		}
	case action == "set-var-fmt":
		r.Expression, r.Format = s.text(0), true
		_, err = ParseCheckFormat(r.Expression)
	default:
		r.Expression = s.text(0)
		_, err = ParseCheckExpression(r.Expression)
	}
	switch {
	case len(s.args) > most:
		s.alert("has an unexpected argument '%s'", s.text(most))
	case err != nil:
		s.fail(err)
	default:
		s.addRule(r)
	}
}

// printCheckRules writes all lines of a family in their order.
func printCheckRules(family string) func(*printer) {
	kind := CheckTCP
	if family == "http-check" {
		kind = CheckHTTP
	}
	return func(p *printer) {
		if p.proxy.Health.Kind != kind {
			return
		}
		for _, r := range p.proxy.Health.Rules {
			name, words := r.words(kind)
			p.writeAs(family+" "+name, words...)
		}
	}
}
