package config

import "strings"

// checkOptionKeywords choose what the checks of a proxy's servers speak; the last one counts.
func checkOptionKeywords() []Keyword {
	plain := func(name string, kind CheckKind, summary string) Keyword {
		return Keyword{Name: "option " + name, Sections: inBackends, Default: "checks only connect", Summary: summary, Example: "option " + name,
			behaviour: checkOption(kind, nil, nil)}
	}
	return []Keyword{
		plain("tcp-check", CheckTCP, "Checks follow the `tcp-check` lines of the section; without any they only connect."),
		{Name: "option httpchk", Sections: inBackends, Syntax: "[<uri> | <method> <uri> [<version>]]", Default: "checks only connect; with it OPTIONS / HTTP/1.0",
			Summary: "Checks send an HTTP request over plain TCP and expect an answer with status 200 to 399, unless `http-check` lines say otherwise.",
			Example: "option httpchk GET /healthz HTTP/1.1", maximum: 3, behaviour: checkOption(CheckHTTP, parseHTTPRequest, printHTTPRequest)},
		{Name: "option smtpchk", Sections: inBackends, Syntax: "[HELO | EHLO <domain>]", Default: "checks only connect; with it HELO localhost",
			Summary: "Checks greet an SMTP server, and expect codes that begin with 2.", Example: "option smtpchk EHLO lb.example.org", maximum: 2, behaviour: checkOption(CheckSMTP, parseSMTPHello, printSMTPHello)},
		{Name: "option pgsql-check", Sections: inBackends, Syntax: "user <name>", Default: "checks only connect",
			Summary: "Checks begin a PostgreSQL session for a user, and are content with a question for the password.", Example: "option pgsql-check user sluice", minimum: 2, maximum: 2,
			behaviour: checkOption(CheckPostgreSQL, parseCheckUser, func(p *printer) { p.write("user", p.proxy.Health.User) })},
		{Name: "option mysql-check", Sections: inBackends, Syntax: "[user <name> [post-41 | pre-41]]", Default: "checks only connect; with a user post-41",
			Summary: "Checks log in to a MySQL server as a user without a password. Without a user they only read its greeting, which many servers punish by blocking the host.",
			Example: "option mysql-check user sluice", maximum: 3, behaviour: checkOption(CheckMySQL, parseMySQLUser, printMySQLUser)},
		plain("redis-check", CheckRedis, "Checks send PING to a Redis server and expect +PONG."),
		plain("ldap-check", CheckLDAP, "Checks bind to an LDAPv3 server anonymously and expect success."),
		plain("ssl-hello-chk", CheckSSLHello, "Checks send an SSLv3 client hello and expect a server hello. Servers of today refuse SSLv3 with an alert; see `tcp-check` for something better."),
		plain("spop-check", CheckSPOP, "Checks shake hands with an agent of the stream processing offload protocol."),
		{Name: "option external-check", Sections: inBackends, Default: "checks only connect", Summary: "Checks run the program of `external-check command`. Needs `external-check` in the global section, and `insecure-fork-wanted` for it to work.",
			Example: "option external-check", behaviour: checkOption(CheckExternal, nil, nil)},
		{Name: "external-check command", Sections: inBackends, Syntax: "<path>", Summary: "Program that is run as a check; exit status 0 passes. Its arguments are address and port of the proxy's first listener and of the server.",
			Example: "external-check command /usr/local/bin/check-db", minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.proxy.Health.ExternalCommand })},
		{Name: "external-check path", Sections: inBackends, Syntax: "<path>", Default: "empty", Summary: "PATH of the program in its environment, where its own path is looked for too if it does not begin with a slash.",
			Example: "external-check path /usr/bin:/bin", minimum: 1, maximum: 1, behaviour: text(func(t target) *string { return &t.proxy.Health.ExternalPath })},
	}
}

// checkOption sets a kind of check. arguments reads what belongs to it.
func checkOption(kind CheckKind, arguments func(*statement), print func(*printer)) behaviour {
	return behaviour{
		parse: func(s *statement) {
			h := &s.proxy.Health
			h.Pos, h.Kind, h.requestInherited = s.pos, kind, false
			h.Method, h.URI, h.Version, h.User, h.MySQLPre41, h.Hello, h.Domain = "", "", "", "", false, "", ""
			if arguments != nil {
				arguments(s)
			}
		},
		print: func(p *printer) {
			switch {
			case p.proxy.Health.Kind != kind:
			case print != nil:
				print(p)
			default:
				p.write()
			}
		},
	}
}

// parseHTTPRequest reads the request. As in HAProxy it goes before that of an "http-check send" above it.
func parseHTTPRequest(s *statement) {
	h := &s.proxy.Health
	switch len(s.args) {
	case 1:
		h.URI = s.text(0)
	case 2, 3:
		h.Method, h.URI, h.Version = s.text(0), s.text(1), s.text(2)
	}
	if strings.ContainsAny(h.Version, "\r\n") {
		s.alert("cannot hide headers behind the version: use 'http-check send hdr <name> <value>'")
		return
	}
	if len(s.args) == 3 && !s.validVersion(h.Version) {
		return
	}
	if !s.validRequestWord("method", h.Method) || !s.validRequestWord("URI", h.URI) {
		return
	}
	if h.httpInherited { // the lines of the defaults go with the request that they were made for
		h.httpRules, h.httpInherited = nil, false
	}
	for _, rule := range h.httpRules {
		if rule.Action == ActionSend {
			above := *rule.Send
			if h.Method != "" {
				above.Method = ""
			}
			if h.URI != "" {
				above.URI, above.URIFormat = "", ""
			}
			if h.Version != "" {
				above.Version = ""
			}
			rule.Send = &above
			break
		}
	}
}

// validVersion complains about a version of HTTP that checks do not speak.
func (s *statement) validVersion(version string) bool {
	if version == "HTTP/1.0" || version == "HTTP/1.1" {
		return true
	}
	s.alert("expects HTTP/1.0 or HTTP/1.1 as the version, not '%s'", version)
	return false
}

// validRequestWord complains about what would make another request line.
func (s *statement) validRequestWord(what, word string) bool {
	for _, c := range []byte(word) {
		if c <= ' ' || c == 0x7f {
			s.alert("has a blank or a control character in its %s '%s'", what, word)
			return false
		}
	}
	return true
}

func printHTTPRequest(p *printer) {
	h := &p.proxy.Health
	switch {
	case h.Method != "" && h.Version != "":
		p.write(h.Method, h.URI, h.Version)
	case h.Method != "":
		p.write(h.Method, h.URI)
	case h.URI != "":
		p.write(h.URI)
	default:
		p.write()
	}
}

// parseSMTPHello takes HELO for every other word, as HAProxy does, but says so.
func parseSMTPHello(s *statement) {
	h := &s.proxy.Health
	h.Hello, h.Domain = "HELO", "localhost"
	switch len(s.args) {
	case 1:
		s.warn("has no domain after '%s': 'HELO localhost' is sent", s.text(0))
	case 2:
		h.Domain = s.text(1)
		if !s.validRequestWord("domain", h.Domain) {
			return
		}
		if s.text(0) == "EHLO" {
			h.Hello = "EHLO"
		} else if s.text(0) != "HELO" {
			s.warn("knows HELO and EHLO, and takes '%s' for HELO", s.text(0))
		}
	}
}

func printSMTPHello(p *printer) {
	if h := &p.proxy.Health; h.Hello == "HELO" && h.Domain == "localhost" {
		p.write()
	} else {
		p.write(h.Hello, h.Domain)
	}
}

func parseCheckUser(s *statement) {
	if _, ok := s.one(0, "user"); !ok {
		return
	}
	if s.text(1) == "" {
		s.alert("expects the name of a user")
	}
	s.proxy.Health.User = s.text(1)
}

func parseMySQLUser(s *statement) {
	switch len(s.args) {
	case 0:
		return
	case 1:
		if _, ok := s.one(0, "user"); ok {
			s.alert("expects the name of a user")
		}
		return
	case 3:
		if _, ok := s.one(2, "post-41", "pre-41"); !ok {
			return
		}
		s.proxy.Health.MySQLPre41 = s.text(2) == "pre-41"
	}
	parseCheckUser(s)
}

func printMySQLUser(p *printer) {
	switch h := &p.proxy.Health; {
	case h.MySQLPre41:
		p.write("user", h.User, "pre-41")
	case h.User != "":
		p.write("user", h.User)
	default:
		p.write()
	}
}
