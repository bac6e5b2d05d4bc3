package check

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// newRequest makes an http-check "send" rule, whose blanks are filled in, into a step.
func newRequest(h *config.HealthCheck, r *config.CheckRuleSend) (func(*exchange, *step, bool) bool, error) {
	request := &httpRequest{method: r.Method, uri: constant(r.URI), body: constant(r.Body), state: h.SendState}
	// Headers used to be hidden behind the version, and configurations still have them there.
	version, hidden, _ := strings.Cut(r.Version, "\r\n")
	request.version = version
	for line := range strings.SplitSeq(hidden, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			request.add(name, constant(strings.TrimSpace(value)))
		}
	}
	for _, f := range []struct {
		format string
		to     *func(*exchange) string
	}{{r.URIFormat, &request.uri}, {r.BodyFormat, &request.body}} {
		if f.format == "" {
			continue
		}
		text, err := formatted(f.format)
		if err != nil {
			return nil, err
		}
		*f.to = text
	}
	for _, header := range r.Headers {
		value, err := formatted(header.Value)
		if err != nil {
			return nil, err
		}
		request.add(header.Name, value)
	}
	return func(x *exchange, s *step, _ bool) bool {
		x.noBody = request.method == "HEAD"
		return x.send(request.bytes(x), s)
	}, nil
}

func constant(text string) func(*exchange) string { return func(*exchange) string { return text } }

func formatted(format string) (func(*exchange) string, error) {
	f, err := config.ParseCheckFormat(format)
	return func(x *exchange) string { return x.format(&f) }, err
}

// httpRequest is one request, as RFC 9112 has it. Names of headers are sent in lower case, as HAProxy does.
type httpRequest struct {
	method, version string
	uri, body       func(*exchange) string
	headers         []requestHeader
	state           bool // "http-check send-state"
}

type requestHeader struct {
	name  string
	value func(*exchange) string
}

// add takes a header, but for those that the body decides.
func (r *httpRequest) add(name string, value func(*exchange) string) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name != "content-length" && name != "transfer-encoding" {
		r.headers = append(r.headers, requestHeader{name, value})
	}
}

// bytes writes the request.
func (r *httpRequest) bytes(x *exchange) []byte {
	persistent := r.version != "HTTP/1.0" // a connection of 1.1 stays, unless it is said otherwise
	connection, host := "close", ""
	b := make([]byte, 0, 512)
	var headers []byte
	for _, h := range r.headers {
		value := oneLine(h.value(x))
		switch h.name {
		case "connection":
			connection = strings.ToLower(value)
			continue
		case "host":
			host = value
		}
		headers = append(append(append(append(headers, h.name...), ": "...), value...), "\r\n"...)
	}
	b = append(append(append(b, r.method...), ' '), withAuthority(oneLine(r.uri(x)), host)...)
	b = append(append(append(b, ' '), r.version...), "\r\n"...)
	b = append(b, headers...)
	if r.state {
		b = append(b, "x-haproxy-server-state: "+serverState(x.server, x.target, x.server.checker.options.Node)+"\r\n"...)
	}
	body := r.body(x)
	if body != "" {
		b = append(append(append(b, "content-length: "...), strconv.Itoa(len(body))...), "\r\n"...)
	}
	if persistent == (connection == "close") || connection != "close" && connection != "keep-alive" {
		b = append(append(append(b, "connection: "...), connection...), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, body...)
}

// oneLine keeps what a format brought in from adding lines to a request.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		if c == '\r' || c == '\n' || c == 0 {
			return -1
		}
		return c
	}, text)
}

// withAuthority gives an absolute URI the authority that the Host header has (the manual, "http-check send").
func withAuthority(uri, host string) string {
	scheme, rest, absolute := strings.Cut(uri, "://")
	if !absolute || host == "" || strings.ContainsAny(scheme, "/?") {
		return uri
	}
	path := ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		path = rest[i:]
	}
	return scheme + "://" + host + path
}

// serverState tells a server how it is seen, in the fields that the manual names at "http-check send-state".
func serverState(s *Server, t *Target, node string) string {
	status := s.server.Status()
	word := "UP"
	full := status.Health == status.Rise+status.Fall-1
	switch status.Operation {
	case backend.Stopped:
		word, full = "DOWN", status.Health == 0
	case backend.Stopping:
		word = "NOLB"
	}
	if !full {
		if status.Health < status.Rise {
			word += fmt.Sprintf(" %d/%d", status.Health, status.Rise)
		} else {
			word += fmt.Sprintf(" %d/%d", status.Health-status.Rise+1, status.Fall)
		}
	}
	address, port := "unix", "unix"
	if !t.Traffic.IsUnix() {
		address, port = t.Traffic.Addr().String(), strconv.Itoa(int(t.Traffic.Port()))
	}
	weight, served := 0, 0
	for _, other := range s.backend.Servers() {
		served += other.Served()
		if other.Usable() {
			weight += other.Weight()
		}
	}
	own := 0
	if s.server.Usable() {
		own = s.server.Weight()
	}
	return fmt.Sprintf("%s; address=%s; port=%s; name=%s/%s; node=%s; weight=%d/%d; scur=%d/%d; qcur=%d",
		word, address, port, s.proxy.Name, s.name, node, own, weight, s.server.Served(), served, s.server.Queued())
}
