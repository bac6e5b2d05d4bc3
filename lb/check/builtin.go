package check

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// The protocols that need no script. Each is a script all the same: connect, send, and expectations that know the protocol.
// Step numbers are those of the texts that HAProxy gives ("TCPCHK got an empty response at step 5").
//
// Some answers cannot become right any more, and yet HAProxy waits for its time limit; here they end the check at once:
//
//   - SMTP: a reply to HELO or EHLO that is not 2xx: L7STS with its code
//   - MySQL: a first packet that is neither a greeting nor an error: L7RSP
//   - Redis: an error reply: L7STS with its text
//   - SPOP: a frame that is longer than what was offered: L7RSP

// builtIn makes the script of a protocol.
func (sc *script) builtIn(h *config.HealthCheck) {
	// Servers of these count or log a connection that ends with a reset.
	polite := h.Kind == config.CheckSMTP || h.Kind == config.CheckMySQL || h.Kind == config.CheckPostgreSQL
	sc.steps = []step{{do: (&connectStep{standard: true, linger: polite}).do}}
	switch h.Kind {
	case config.CheckSMTP:
		sc.smtp(h)
	case config.CheckPostgreSQL:
		sc.say(postgresStartup(h.User))
		sc.hear(3, expectation{judge: judgePostgres})
	case config.CheckMySQL:
		sc.hear(2, expectation{judge: judgeMySQLGreeting})
		if h.User != "" {
			sc.say(mysqlLogin(h.User, h.MySQLPre41))
			sc.hear(4, expectation{judge: judgeMySQLResult})
		}
	case config.CheckRedis:
		sc.say([]byte("*1\r\n$4\r\nPING\r\n"))
		sc.hear(2, expectation{judge: judgeRedis, status: ruleStatus{failed: backend.CheckL7Failed}})
		sc.okText = "Redis server is ok"
	case config.CheckLDAP:
		sc.say(ldapBind)
		sc.hear(2, expectation{judge: judgeLDAP})
	case config.CheckSSLHello:
		sc.okStatus = backend.CheckL6OK
		sc.say(sslHello)
		sc.hear(2, expectation{judge: judgeSSL, status: ruleStatus{failed: backend.CheckL6Invalid}})
		sc.steps[2].timeout = backend.CheckL6Timeout
	case config.CheckSPOP:
		sc.say(spopHello)
		sc.hear(2, expectation{judge: judgeSPOP})
	}
}

func (sc *script) say(data []byte) { sc.steps = append(sc.steps, step{do: sendBytes(data)}) }

// hear adds an expectation. An empty response is refused before its judge is asked.
func (sc *script) hear(number int, e expectation) {
	judge, kept := e.judge, &e
	e.judge = func(x *exchange, data []byte, final bool) verdict {
		if len(data) == 0 {
			kept.empty(x, &step{number: number})
			return refused
		}
		return judge(x, data, final)
	}
	sc.steps = append(sc.steps, step{do: kept.do, number: number})
}

// refuse ends the check with a status and a text.
func (x *exchange) refuse(status backend.CheckStatus, text string) verdict {
	x.fail(status, text)
	return refused
}

// firstLine is data up to the first line's end.
func firstLine(data []byte) string {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return string(bytes.TrimRight(line, "\r"))
}

// smtp says HELO or EHLO, and QUIT. RFC 5321.
func (sc *script) smtp(h *config.HealthCheck) {
	failed := ruleStatus{failed: backend.CheckL7Failed}
	sc.hear(2, expectation{judge: judgeSMTPBanner})
	sc.say([]byte(h.Hello + " " + h.Domain + "\r\n"))
	sc.hear(5, expectation{judge: judgeSMTPReply, status: failed})
	sc.say([]byte("QUIT\r\n"))
	sc.hear(7, expectation{judge: judgeSMTPReply, status: failed})
}

// judgeSMTPBanner wants a banner of one line; HAProxy takes no other.
func judgeSMTPBanner(x *exchange, data []byte, final bool) verdict {
	line := firstLine(data)
	complete := bytes.IndexByte(data, '\n') >= 0 || final
	code, ok := smtpCode(line)
	switch {
	case !complete:
		return undecided
	case !ok || len(line) > 3 && line[3] != ' ':
		return x.refuse(backend.CheckL7Invalid, line)
	case code/100 != 2:
		x.result.Code = code
		return x.refuse(backend.CheckL7Failed, smtpText(line))
	}
	return met
}

// judgeSMTPReply wants a reply of 2xx, of one line or several. The check's code and text are those of the last one.
func judgeSMTPReply(x *exchange, data []byte, final bool) verdict {
	for rest := data; ; {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found && (!final || len(line) == 0) {
			if final {
				return x.refuse(backend.CheckL7Failed, firstLine(data))
			}
			return undecided
		}
		text := string(bytes.TrimRight(line, "\r"))
		code, ok := smtpCode(text)
		x.result.Code = code
		switch {
		case !ok:
			return x.refuse(backend.CheckL7Failed, text)
		case code/100 != 2:
			return x.refuse(backend.CheckL7Failed, smtpText(text))
		case len(text) == 3 || text[3] != '-':
			x.okText = smtpText(text)
			return met
		}
		rest = after
	}
}

func smtpCode(line string) (int, bool) {
	if len(line) < 3 {
		return 0, false
	}
	code, err := strconv.ParseUint(line[:3], 10, 16)
	return int(code), err == nil && code >= 100
}

func smtpText(line string) string {
	if len(line) < 4 {
		return ""
	}
	return strings.TrimSpace(line[4:])
}

// judgeRedis wants "+PONG" (https://redis.io/docs/latest/develop/reference/protocol-spec/).
func judgeRedis(x *exchange, data []byte, final bool) verdict {
	if bytes.Contains(data, []byte("+PONG")) {
		return met
	}
	if final || data[0] == '-' && bytes.IndexByte(data, '\n') >= 0 {
		return x.refuse(backend.CheckL7Failed, firstLine(data))
	}
	return undecided
}
