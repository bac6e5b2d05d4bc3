package check

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// fromRules makes the steps of "tcp-check" and "http-check" lines.
func (sc *script) fromRules(h *config.HealthCheck) error {
	numbers := make(map[config.Pos]int, len(h.Rules))
	for i, r := range h.Rules {
		numbers[r.Pos] = i + 1
	}
	http := h.Kind == config.CheckHTTP
	sc.located = !http
	said := false
	for _, r := range h.Script() {
		s := step{number: numbers[r.Pos], comment: r.Comment}
		var err error
		switch r.Action {
		case config.ActionConnect:
			var c *connectStep
			if c, s.what, err = newConnect(r.Connect); err == nil {
				s.do = c.do
			}
		case config.ActionSend:
			s.what, said = "send", true
			if http {
				s.do, err = newRequest(h, r.Send)
			} else {
				s.do, err = newSend(r.Send)
			}
		case config.ActionExpect:
			said = true
			err = newExpect(h, r.Expect, &s)
		case config.ActionSetVar:
			s.do, err = newSetVariable(r)
		case config.ActionUnsetVar:
			s.do = unsetVariable(r.Variable)
		default:
			continue
		}
		if err != nil {
			return err
		}
		sc.steps = append(sc.steps, s)
	}
	if !http && len(h.Rules) > 0 {
		sc.okText = "(tcp-check)"
	}
	if !said {
		sc.okStatus = backend.CheckL4OK
	}
	return nil
}

// newSend reads a "send" rule of tcp-check.
func newSend(r *config.CheckRuleSend) (func(*exchange, *step, bool) bool, error) {
	if r.Format == "" {
		return sendBytes(r.Data), nil
	}
	f, err := config.ParseCheckFormat(r.Format)
	return func(x *exchange, s *step, _ bool) bool {
		data := f.Append(nil, x.know())
		if r.Hex {
			binary, err := config.DecodeHex(string(data))
			if err != nil {
				return x.fail(backend.CheckSocketError, err.Error()+x.script.where(s))
			}
			data = binary
		}
		return x.send(data, s)
	}, err
}

func sendBytes(data []byte) func(*exchange, *step, bool) bool {
	return func(x *exchange, s *step, _ bool) bool { return x.send(data, s) }
}

// send sends data. What came before it is forgotten: an answer to this is what is waited for next.
func (x *exchange) send(data []byte, s *step) bool {
	x.forget()
	if !x.conn.Open() {
		return x.fail(backend.CheckSocketError, "there is no connection"+x.script.where(s))
	}
	if _, err := x.conn.Write(data); err != nil {
		return x.broken(err, s)
	}
	return true
}

// newSetVariable reads "set-var" and "set-var-fmt".
func newSetVariable(r *config.CheckRule) (func(*exchange, *step, bool) bool, error) {
	var value func(x *exchange) (string, bool)
	if r.Format {
		f, err := config.ParseCheckFormat(r.Expression)
		if err != nil {
			return nil, err
		}
		value = func(x *exchange) (string, bool) { return x.format(&f), true }
	} else {
		e, err := config.ParseCheckExpression(r.Expression)
		if err != nil {
			return nil, err
		}
		value = func(x *exchange) (string, bool) { return e.Value(x.know()) }
	}
	return func(x *exchange, _ *step, _ bool) bool {
		if text, ok := value(x); ok && x.allow(r, text) {
			x.set(r.Variable, text)
		}
		return true
	}, nil
}

// allow tells whether the conditions of a set-var hold: "set-var" among the converters in the manual's section 7.3.1.
func (x *exchange) allow(r *config.CheckRule, value string) bool {
	old, set := x.look(r.Variable)
	for _, c := range r.Conditions {
		holds := true
		switch c {
		case "ifexists":
			holds = set || strings.HasPrefix(r.Variable, "proc.") // those of scope "proc" exist from the start
		case "ifnotexists":
			holds = !set && !strings.HasPrefix(r.Variable, "proc.")
		case "ifempty":
			holds = value == ""
		case "ifnotempty":
			holds = value != ""
		case "ifset":
			holds = set
		case "ifnotset":
			holds = !set
		case "ifgt":
			holds = compareNumbers(old, value, 1)
		case "iflt":
			holds = compareNumbers(old, value, -1)
		}
		if !holds {
			return false
		}
	}
	return true
}

// compareNumbers tells whether a is greater (sign 1) or less (-1) than b. What is no number is not compared: true.
func compareNumbers(a, b string, sign int) bool {
	m, err1 := strconv.ParseInt(a, 10, 64)
	n, err2 := strconv.ParseInt(b, 10, 64)
	return err1 != nil || err2 != nil || cmp.Compare(m, n) == sign
}

// set gives a variable its value; "proc" is shared by all checks.
func (x *exchange) set(name, value string) {
	if strings.HasPrefix(name, "proc.") {
		x.server.checker.variables.Store(name, value)
		return
	}
	if x.variables == nil {
		x.variables = make(map[string]string)
	}
	x.variables[name] = value
}

func unsetVariable(name string) func(*exchange, *step, bool) bool {
	return func(x *exchange, _ *step, _ bool) bool {
		if strings.HasPrefix(name, "proc.") {
			x.server.checker.variables.Delete(name)
		} else {
			delete(x.variables, name)
		}
		return true
	}
}

// upperHex is the form in which rbinary sees a response.
func upperHex(b []byte) []byte {
	return bytes.ToUpper(hex.AppendEncode(make([]byte, 0, 2*len(b)), b))
}
