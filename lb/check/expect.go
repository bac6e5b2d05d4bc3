package check

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// verdict is what an expectation makes of a response so far.
type verdict uint8

const (
	undecided verdict = iota // more of the response may decide
	met
	refused
)

// expectation is an "expect" step. Either match is set, of a rule, or judge, of a built-in protocol or of HTTP.
type expectation struct {
	match  func(x *exchange, data []byte) bool
	not    bool
	least  int    // min-recv; -1: none
	exact  int    // length of the exact text that is sought; 0: none
	shown  string // how texts name the pattern: "'foo'", "(regex)"
	status ruleStatus

	// judge decides by all of the response so far; final: nothing will follow. A refusal sets x.result.
	judge func(x *exchange, data []byte, final bool) verdict
}

// ruleStatus is what a rule says of statuses and texts. Unknown and nil: the usual.
type ruleStatus struct {
	ok, failed         backend.CheckStatus
	onSuccess, onError *config.CheckFormat
	code               *config.CheckExpression
}

func (r *ruleStatus) read(e *config.CheckRuleExpect) error {
	r.ok, _ = backend.ParseCheckStatus(e.OKStatus)
	r.failed, _ = backend.ParseCheckStatus(e.ErrorStatus)
	var err error
	for _, f := range []struct {
		text string
		to   **config.CheckFormat
	}{{e.OnSuccess, &r.onSuccess}, {e.OnError, &r.onError}} {
		if f.text != "" && err == nil {
			var format config.CheckFormat
			format, err = config.ParseCheckFormat(f.text)
			*f.to = &format
		}
	}
	if e.StatusCode != "" && err == nil {
		var code config.CheckExpression
		code, err = config.ParseCheckExpression(e.StatusCode)
		r.code = &code
	}
	return err
}

// newExpect reads an "expect" rule into s.
func newExpect(h *config.HealthCheck, r *config.CheckRuleExpect, s *step) error {
	e := &expectation{not: r.Not, least: r.MinRecv}
	s.timeout, _ = backend.ParseCheckStatus(r.TimeoutStatus)
	s.do = e.do
	if err := e.status.read(r); err != nil {
		return err
	}
	if h.Kind == config.CheckHTTP {
		return e.http(h, r)
	}
	switch r.Match {
	case config.MatchString, config.MatchBinary:
		pattern := []byte(r.Pattern)
		e.exact = len(pattern)
		e.match = func(_ *exchange, data []byte) bool { return bytes.Contains(data, pattern) }
		if e.shown, s.what = "'"+r.Pattern+"'", "expect string '"+r.Pattern+"'"; r.Match == config.MatchBinary {
			e.shown, s.what = "(binary)", "expect binary '"+r.Pattern+"'"
		}
	case config.MatchRegexp, config.MatchRegexpBinary:
		pattern, err := config.CompileCheckPattern(r.Pattern)
		if err != nil {
			return err
		}
		if e.shown, s.what = "(regex)", "expect regex"; r.Match == config.MatchRegexpBinary {
			e.shown, s.what = "(binary regex)", "expect binary regex"
			e.match = func(_ *exchange, data []byte) bool { return pattern.Match(upperHex(data)) }
		} else {
			e.match = func(_ *exchange, data []byte) bool { return pattern.Match(data) }
		}
	default:
		f, err := config.ParseCheckFormat(r.Pattern)
		if err != nil {
			return err
		}
		if e.shown, s.what = "(log-format string)", "expect log-format string"; r.Match == config.MatchBinaryFormat {
			e.shown, s.what = "(log-format binary)", "expect log-format binary"
		}
		e.match = func(x *exchange, data []byte) bool {
			pattern := f.Append(nil, x.know())
			if r.Match == config.MatchBinaryFormat {
				var err error
				if pattern, err = config.DecodeHex(string(pattern)); err != nil {
					return false
				}
			}
			return bytes.Contains(data, pattern)
		}
	}
	return nil
}

func (e *expectation) do(x *exchange, s *step, last bool) bool {
	for {
		final := x.ended || x.full
		if len(x.response) > 0 || final {
			if outcome := e.decide(x, s, final); outcome == refused {
				return false
			} else if outcome == met {
				if last {
					e.succeed(x)
				}
				return true
			}
		}
		if err := x.more(); err != nil {
			return x.broken(err, s)
		}
	}
}

func (e *expectation) decide(x *exchange, s *step, final bool) verdict {
	if e.judge != nil {
		outcome := e.judge(x, x.response, final)
		if outcome == refused {
			e.worded(x, s)
		}
		return outcome
	}
	if len(x.response) == 0 {
		e.empty(x, s)
		return refused
	}
	if least := e.needed(); least > len(x.response) && !final {
		return undecided
	}
	found := e.match(x, x.response)
	switch {
	case !found && !final && e.least < 0:
		return undecided
	case found != e.not:
		return met
	}
	verb := "did not match content "
	if e.not {
		verb = "matched unwanted content "
	}
	x.result.Status, x.result.Text = backend.CheckL7Invalid, "TCPCHK "+verb+e.shown+" at step "+strconv.Itoa(s.number)
	e.worded(x, s)
	return refused
}

// needed is how many bytes must have come before it is worth a look. An exact text needs no more than its own length.
func (e *expectation) needed() int {
	if e.exact > 0 && e.least >= 0 {
		return min(e.least, e.exact)
	}
	return max(e.least, e.exact)
}

// empty refuses a response of no bytes.
func (e *expectation) empty(x *exchange, s *step) {
	status := e.status.failed
	if status == backend.CheckUnknown {
		status = backend.CheckL7Invalid
	}
	text := "TCPCHK got an empty response at step " + strconv.Itoa(s.number)
	if s.comment != "" {
		text += " comment: '" + s.comment + "'"
	}
	x.result.Code = 0
	x.fail(status, text)
}

// worded gives a refusal the status and the text that the rule has for it, and the comment.
func (e *expectation) worded(x *exchange, s *step) {
	if e.status.failed != backend.CheckUnknown && x.result.Status != backend.CheckL7Conditional {
		x.result.Status = e.status.failed
	}
	if e.status.onError != nil {
		x.result.Text = x.format(e.status.onError)
	}
	if s.comment != "" {
		x.result.Text = strings.TrimLeft(x.result.Text+" comment: "+s.comment, " ")
	}
	e.code(x)
}

// succeed ends the check well, at the last step.
func (e *expectation) succeed(x *exchange) {
	if x.result.Status == backend.CheckUnknown {
		x.succeed()
	}
	if e.status.ok != backend.CheckUnknown {
		x.result.Status = e.status.ok
	}
	if e.status.onSuccess != nil {
		x.result.Text = x.format(e.status.onSuccess)
	}
	e.code(x)
}

// code evaluates "status-code".
func (e *expectation) code(x *exchange) {
	if e.status.code == nil {
		return
	}
	if value, ok := e.status.code.Value(x.know()); ok {
		if n, err := strconv.Atoi(value); err == nil {
			x.result.Code = n
		}
	}
}
