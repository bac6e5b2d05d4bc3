package check

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// httpResponse is what has been understood of an HTTP/1 response. RFC 9112.
type httpResponse struct {
	state   httpState
	code    int
	reason  string
	headers []httpHeader
	body    []byte // as far as it came, without chunks' sizes
	whole   bool   // body is all of it
}

type httpState uint8

const (
	httpShort   httpState = iota // the header section goes on
	httpInvalid                  // this is not HTTP
	httpHeaders                  // the header section is complete
)

type httpHeader struct{ name, value string }

// parseHTTP reads a response from its start. noBody: it answers a HEAD.
func parseHTTP(data []byte, noBody bool) (r httpResponse) {
	line, rest, ok := cutLine(data)
	if !ok {
		if !couldBeStatus(data) {
			r.state = httpInvalid
		}
		return r
	}
	r.state = httpInvalid
	if !r.status(line) {
		return r
	}
	for {
		line, rest, ok = cutLine(rest)
		if !ok {
			r.state = httpShort
			return r
		}
		if len(line) == 0 {
			break
		}
		if !r.header(line) {
			return r
		}
	}
	length, chunked, ok := r.framing()
	if !ok {
		return r
	}
	r.state = httpHeaders
	switch {
	case noBody || r.code/100 == 1 || r.code == 204 || r.code == 304:
		r.whole = true
	case chunked:
		var good bool
		if r.body, r.whole, good = unchunk(rest); !good {
			r.state = httpInvalid
		}
	case length >= 0 && len(rest) >= length:
		r.body, r.whole = rest[:length], true
	default:
		r.body = rest
	}
	return r
}

// cutLine takes a line off, which may end without CR, as every server before 1.1 was allowed to think.
func cutLine(data []byte) (line, rest []byte, ok bool) {
	line, rest, ok = bytes.Cut(data, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest, ok
}

// couldBeStatus tells whether data may be the beginning of a status line.
func couldBeStatus(data []byte) bool {
	const name = "HTTP/"
	n := min(len(data), len(name))
	return string(data[:n]) == name[:n]
}

// status reads "HTTP/d.d code reason", the last of which may be missing.
func (r *httpResponse) status(line []byte) bool {
	version, rest, _ := strings.Cut(string(line), " ")
	code, reason, _ := strings.Cut(rest, " ")
	if len(version) != len("HTTP/1.1") || !strings.HasPrefix(version, "HTTP/") || version[6] != '.' || !digit(version[5]) || !digit(version[7]) {
		return false
	}
	n, err := strconv.ParseUint(code, 10, 16)
	r.code, r.reason = int(n), strings.TrimSpace(reason)
	return err == nil
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// header reads one field line, or one that continues the line before (RFC 9112, 5.2).
func (r *httpResponse) header(line []byte) bool {
	if line[0] == ' ' || line[0] == '\t' {
		if len(r.headers) == 0 {
			return false
		}
		last := &r.headers[len(r.headers)-1]
		last.value = strings.TrimSpace(last.value + " " + strings.Trim(string(line), " \t"))
		return true
	}
	name, value, ok := strings.Cut(string(line), ":")
	if !ok || name == "" || strings.ContainsAny(name, " \t\x00") {
		return false
	}
	r.headers = append(r.headers, httpHeader{strings.ToLower(name), strings.Trim(value, " \t")})
	return true
}

// framing finds the body's length, -1 for "until the end", or that it is in chunks. Lengths that contradict each other are an error.
func (r *httpResponse) framing() (length int, chunked, ok bool) {
	length = -1
	for _, h := range r.headers {
		switch h.name {
		case "transfer-encoding":
			chunked = strings.EqualFold(lastOf(h.value), "chunked")
		case "content-length":
			for _, v := range strings.Split(h.value, ",") {
				n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 62)
				if err != nil || length >= 0 && length != int(n) {
					return 0, false, false
				}
				length = int(n)
			}
		}
	}
	return length, chunked, true
}

func lastOf(list string) string {
	return strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
}

// unchunk joins the chunks of data that have come (RFC 9112, 7.1). ok is false where a size is none.
func unchunk(data []byte) (body []byte, whole, ok bool) {
	for {
		line, rest, found := cutLine(data)
		if !found {
			return body, false, len(data) <= maxChunkLine
		}
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 62)
		if err != nil {
			return body, false, false
		}
		if size == 0 {
			return body, true, true
		}
		if uint64(len(rest)) < size {
			return append(body, rest...), false, true
		}
		body = append(body, rest[:size]...)
		data = bytes.TrimPrefix(bytes.TrimPrefix(rest[size:], []byte("\r")), []byte("\n"))
	}
}

// maxChunkLine bounds the line of a chunk's size, with its extensions, in bytes.
const maxChunkLine = 1024

// http makes the judge of an http-check rule.
func (e *expectation) http(h *config.HealthCheck, r *config.CheckRuleExpect) error {
	var holds func(x *exchange, res *httpResponse) bool
	var err error
	onBody := false
	switch r.Match {
	case config.MatchStatus:
		holds = func(_ *exchange, res *httpResponse) bool { return inRanges(res.code, r.Codes) }
	case config.MatchRegexpStatus:
		pattern, wrong := config.CompileCheckPattern(r.Pattern)
		holds, err = func(_ *exchange, res *httpResponse) bool { return pattern.MatchString(strconv.Itoa(res.code)) }, wrong
	case config.MatchHeader, config.MatchFullHeader:
		holds, err = newHeaderMatch(r)
	case config.MatchString:
		onBody = true
		holds = func(_ *exchange, res *httpResponse) bool { return bytes.Contains(res.body, []byte(r.Pattern)) }
	case config.MatchRegexp:
		onBody = true
		pattern, wrong := config.CompileCheckPattern(r.Pattern)
		holds, err = func(_ *exchange, res *httpResponse) bool { return pattern.Match(res.body) }, wrong
	default:
		onBody = true
		f, wrong := config.ParseCheckFormat(r.Pattern)
		holds, err = func(x *exchange, res *httpResponse) bool { return bytes.Contains(res.body, f.Append(nil, x.know())) }, wrong
	}
	e.judge = func(x *exchange, data []byte, final bool) verdict {
		res := parseHTTP(data, x.noBody)
		switch {
		case res.state == httpInvalid || res.state == httpShort && final:
			x.fail(backend.CheckL7Invalid, "")
			return refused
		case res.state == httpShort:
			return undecided
		}
		x.values.Status, x.result.Code = res.code, res.code
		// "Note also that a stopped server will stay stopped even if it replies 404s."
		if h.DisableOn404 && res.code == 404 && x.server.server.Status().Operation != backend.Stopped {
			x.result.Status = backend.CheckL7Conditional
			return met
		}
		x.answer = res.body
		if onBody {
			return e.judgeBody(x, &res, holds, final)
		}
		if holds(x, &res) != e.not {
			return met
		}
		x.fail(backend.CheckL7Failed, res.reason)
		return refused
	}
	return err
}

func (e *expectation) judgeBody(x *exchange, res *httpResponse, holds func(*exchange, *httpResponse) bool, final bool) verdict {
	final = final || res.whole
	if len(res.body) == 0 {
		if !final {
			return undecided
		}
		x.fail(backend.CheckL7Invalid, "HTTP content check could not find a response body")
		return refused
	}
	if len(res.body) < e.least && !final {
		return undecided
	}
	found := holds(x, res)
	switch {
	case !found && !final && e.least < 0:
		return undecided
	case found != e.not:
		return met
	case e.not:
		x.fail(backend.CheckL7Invalid, "HTTP check matched unwanted content")
	default:
		x.fail(backend.CheckL7Invalid, "HTTP content check did not match")
	}
	return refused
}

func inRanges(code int, ranges [][2]int) bool {
	for _, r := range ranges {
		if code >= r[0] && code <= r[1] {
			return true
		}
	}
	return false
}

// newHeaderMatch reads "hdr" and "fhdr": one header of a matching name must have a matching value, if one is asked for. With
// "hdr", a value is one of those between the commas.
func newHeaderMatch(r *config.CheckRuleExpect) (func(*exchange, *httpResponse) bool, error) {
	name, err := newTextMatch(r.Header, true)
	if err != nil {
		return nil, err
	}
	value, err := newTextMatch(r.HeaderValue, false)
	if err != nil {
		return nil, err
	}
	return func(x *exchange, res *httpResponse) bool {
		for _, h := range res.headers {
			if !name(x, h.name) {
				continue
			}
			if !r.HeaderValue.Set {
				return true
			}
			values := []string{h.value}
			if r.Match == config.MatchHeader {
				values = splitList(h.value)
			}
			for _, v := range values {
				if value(x, v) {
					return true
				}
			}
		}
		return false
	}, nil
}

// splitList cuts a list at its commas, but not at those within quotes.
func splitList(list string) []string {
	var items []string
	start, quoted := 0, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			items, start = append(items, strings.TrimSpace(list[start:i])), i+1
		}
	}
	return append(items, strings.TrimSpace(list[min(start, len(list)):]))
}

// newTextMatch makes a comparison; fold: case does not matter.
func newTextMatch(m config.CheckNameMatch, fold bool) (func(*exchange, string) bool, error) {
	if m.Method == "reg" {
		text := m.Text
		if fold {
			text = "(?i)" + text
		}
		pattern, err := config.CompileCheckPattern(text)
		return func(_ *exchange, s string) bool { return pattern.MatchString(s) }, err
	}
	compare := map[string]func(s, text string) bool{"beg": strings.HasPrefix, "end": strings.HasSuffix, "sub": strings.Contains}[m.Method]
	if compare == nil {
		compare = func(s, text string) bool { return s == text }
	}
	wanted := func(*exchange) string { return m.Text }
	if m.Format {
		f, err := config.ParseCheckFormat(m.Text)
		if err != nil {
			return nil, err
		}
		wanted = func(x *exchange) string { return x.format(&f) }
	}
	return func(x *exchange, s string) bool {
		text := wanted(x)
		if fold {
			text = strings.ToLower(text)
		}
		return compare(s, text)
	}, nil
}
