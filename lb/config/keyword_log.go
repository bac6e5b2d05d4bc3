package config

import (
	"net"
	"slices"
	"strconv"
	"strings"
)

// logKeywords say what is logged, where to, and in which form.
func logKeywords() []Keyword {
	return []Keyword{
		{Name: "log", Sections: InGlobal | inProxies, Syntax: "global | <target> [len <bytes>] [format <format>] [sample <ranges>:<size>] <facility> [<level> [<minlevel>]]",
			Default: "none; len 1024, format local, level debug, minlevel emerg",
			Summary: "Where log lines go: `host[:port]` (UDP), a path (unix datagram), `stdout`, `stderr`, `fd@N`, `ring@NAME` (a [ring section](#ring-keywords)). `log global` takes the targets that the global section has so far; `no log` drops those of the defaults.",
			Example: "log 127.0.0.1:514 format rfc5424 local0 info", minimum: 0, maximum: -1, negatable: true, behaviour: behaviour{parse: parseLog, print: printLogs}},
		{Name: "log-tag", Sections: InGlobal | inProxies, Syntax: "<text>", Default: "sluice", Summary: "Name of the program in log lines.", Example: "log-tag shop",
			minimum: 1, maximum: 1, behaviour: text(logTag)},
		{Name: "log-send-hostname", Sections: InGlobal, Syntax: "[<name>]", Default: "off", Summary: "A host name stands in log lines whose format has a place for it; by default the system's.", Example: "log-send-hostname lb1",
			maximum: 1, behaviour: behaviour{parse: parseSendHostname, print: printSendHostname}},
		{Name: "log-format", Sections: inFrontends, Syntax: "<format>", Default: "none", Summary: "Form of the log line, with the variables of TCP mode. Takes the place of `option tcplog`.", Example: `log-format "%ci:%cp [%t] %ft %b/%s %ts"`,
			minimum: 1, maximum: 1, behaviour: logFormat(func(t target) *string { return &t.proxy.LogFormat }, func(p *Proxy) { p.Options.TCPLog, p.LogJSON, p.LogJSONItems = false, false, nil })},
		{Name: "error-log-format", Sections: inFrontends, Syntax: "<format>", Default: "as for other connections", Summary: "Form of the log line of connections that failed before data went through.", Example: `error-log-format "%ci:%cp [%t] %ft error"`,
			minimum: 1, maximum: 1, behaviour: logFormat(func(t target) *string { return &t.proxy.ErrorLogFormat }, func(*Proxy) {})},
		{Name: "log-format-json", Sections: InGlobal | inProxies, Syntax: "[<field> | <name>=<format>]...", Default: "off",
			Summary: "Log lines are JSON objects, one per line: an extension of sluice's. Without arguments, all fields that [docs/logs.md](logs.md) lists; otherwise those named, and own ones with a format each. Messages about the proxy's servers are objects too. In `backend` and `global` it is about messages only, and takes no arguments.",
			Example: "log-format-json", maximum: -1, negatable: true, behaviour: behaviour{parse: parseLogJSON, print: printLogJSON}},
	}
}

func logTag(t target) *string {
	if t.proxy != nil {
		return &t.proxy.LogTag
	}
	return &t.global.LogTag
}

// logFormat fills a string that the caller of Load knows how to check.
func logFormat(at func(target) *string, also func(*Proxy)) behaviour {
	b := text(at)
	return behaviour{
		parse: func(s *statement) {
			if check := s.options.CheckLogFormat; check != nil {
				if err := check(s.text(0), s.env); err != nil {
					s.fail(err)
					return
				}
			}
			also(s.proxy)
			b.parse(s)
		},
		print: b.print,
	}
}

// logJSON are the switch and the items. The items are nil where there are none to have.
func (t target) logJSON() (on *bool, items *[]string) {
	if t.proxy == nil {
		return &t.global.LogJSON, nil
	}
	if t.proxy.Kind&Frontend == 0 {
		return &t.proxy.LogJSON, nil
	}
	return &t.proxy.LogJSON, &t.proxy.LogJSONItems
}

func parseLogJSON(s *statement) {
	on, items := s.target().logJSON()
	switch {
	case s.no && len(s.args) > 0:
		s.alert("takes no arguments after 'no', but there is '%s'", s.text(0))
		return
	case items == nil && len(s.args) > 0:
		s.alert("takes no fields such as '%s' in a '%s' section, where it is about messages only", s.text(0), s.place.Names()[0])
		return
	}
	if check := s.options.CheckLogJSON; check != nil && !s.no {
		if err := check(s.texts(), s.env); err != nil {
			s.fail(err)
			return
		}
	}
	*on = !s.no
	if items == nil {
		return
	}
	*items = nil
	if !s.no {
		if len(s.args) > 0 {
			*items = s.texts()
		}
		s.proxy.LogFormat, s.proxy.Options.TCPLog = "", false
	}
}

func printLogJSON(p *printer) {
	on, items := p.target.logJSON()
	switch {
	case !*on:
	case items == nil:
		p.write()
	default:
		p.write(*items...)
	}
}

func parseSendHostname(s *statement) {
	s.global.SendHostname, s.global.LogSendHostname = true, s.text(0)
}

func printSendHostname(p *printer) {
	switch g := p.global; {
	case g.LogSendHostname != "":
		p.write(g.LogSendHostname)
	case g.SendHostname:
		p.write()
	}
}

var (
	logFormats = []string{"local", "rfc3164", "rfc5424", "priority", "short", "raw", "timed", "iso"}
	facilities = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp", "audit", "alert", "cron2",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	levels = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
)

// logs are those of the proxy, or of the global section.
func (t target) logs() *[]LogTarget {
	if t.proxy != nil {
		return &t.proxy.Logs
	}
	return &t.global.Logs
}

func parseLog(s *statement) {
	logs := s.target().logs()
	switch {
	case s.no && len(s.args) > 0:
		s.alert("takes no arguments after 'no', but there is '%s'", s.text(0))
	case s.no:
		*logs = nil
	case s.text(0) == "global" && len(s.args) == 1:
		if s.proxy == nil {
			s.alert("global has no meaning in the global section itself")
			return
		}
		for _, l := range s.global.Logs {
			if !slices.ContainsFunc(*logs, func(have LogTarget) bool { return have.Pos == l.Pos }) {
				*logs = append(*logs, l)
			}
		}
	default:
		if l, ok := s.logTarget(); ok {
			*logs = append(*logs, l)
		}
	}
}

func (s *statement) logTarget() (LogTarget, bool) {
	l := LogTarget{Pos: s.pos, Length: 1024, Level: "debug", MinLevel: "emerg"}
	if len(s.args) < 2 {
		s.alert("expects %s", s.key.Syntax)
		return l, false
	}
	if !s.logAddress(&l) {
		return l, false
	}
	i := 1
	for ; i+1 < len(s.args); i += 2 {
		option, ok := s.text(i), true
		switch option {
		case "len":
			l.Length, ok = s.number(i+1, 80, 65535)
		case "format":
			l.Format, ok = s.one(i+1, logFormats...)
		case "sample":
			l.Sample, ok = s.sample(s.text(i + 1))
		default:
			option = ""
		}
		if !ok {
			return l, false
		}
		if option == "" {
			break
		}
	}
	var ok bool
	if l.Facility, ok = s.one(i, facilities...); !ok {
		return l, false
	}
	if i++; i < len(s.args) {
		if l.Level, ok = s.one(i, levels...); !ok {
			return l, false
		}
	}
	if i++; i < len(s.args) {
		if l.MinLevel, ok = s.one(i, levels...); !ok {
			return l, false
		}
	}
	if i++; i < len(s.args) {
		s.alert("has an unexpected argument '%s'", s.text(i))
		return l, false
	}
	return l, true
}

// logAddress reads the first argument.
func (s *statement) logAddress(l *LogTarget) bool {
	text, ok := s.expanded(0)
	if !ok {
		return false
	}
	if text == "stdout" || text == "stderr" {
		l.Network = text
		return true
	}
	if name, ring := strings.CutPrefix(text, "ring@"); ring {
		l.Network, l.Address = "ring", name
		return true
	}
	for _, later := range []string{"tcp@", "tcp4@", "tcp6@", "tcp:", "backend@", "stream+", "sockpair@"} {
		if strings.HasPrefix(text, later) {
			s.alert("target '%s' is not supported by sluice: for TCP, name a 'ring' section with 'server' lines as 'ring@<name>'", later)
			return false
		}
	}
	for _, prefix := range [][2]string{{"udp@", ""}, {"udp4@", "ipv4@"}, {"udp6@", "ipv6@"}, {"dgram+", ""}} {
		if rest, ok := strings.CutPrefix(text, prefix[0]); ok {
			text = prefix[1] + rest
			break
		}
	}
	a, err := ParseAddress(text, AddressOptions{AllowPort: true, AllowUnix: true, AllowInherited: true})
	if err != nil {
		s.fail(err)
		return false
	}
	switch a.Family {
	case Inherited:
		l.Network, l.FD = "fd", a.FD
	case Unix:
		l.Network, l.Address = "unixgram", a.Path
	case Abstract:
		l.Network, l.Address = "unixgram", "@"+a.Path
	default:
		if a.Port == 0 {
			a.Port, a.PortEnd = 514, 514
		}
		host := a.Host
		if host == "" && a.IP.IsValid() {
			host = a.IP.String()
		}
		if host == "" {
			host = "127.0.0.1"
		}
		l.Network, l.Address = "udp", net.JoinHostPort(host, strconv.Itoa(a.Port))
	}
	return true
}

// sample reads "1,3-5:10".
func (s *statement) sample(text string) (*Sample, bool) {
	ranges, size, ok := strings.Cut(text, ":")
	n, err := strconv.ParseUint(size, 10, 31)
	sample := &Sample{Size: int(n)}
	if !ok || err != nil || n == 0 {
		s.alert("sample expects <ranges>:<size>, such as 1,3-5:10, not '%s'", text)
		return nil, false
	}
	for _, part := range strings.Split(ranges, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		low, err1 := strconv.ParseUint(first, 10, 31)
		high, err2 := strconv.ParseUint(last, 10, 31)
		if err1 != nil || err2 != nil || low == 0 || high < low || high > n {
			s.alert("sample expects ranges of numbers from 1 to its size %d, not '%s'", n, part)
			return nil, false
		}
		for _, have := range sample.Ranges {
			if int(low) <= have[1] && int(high) >= have[0] {
				s.alert("sample has ranges that overlap at '%s'", part)
				return nil, false
			}
		}
		sample.Ranges = append(sample.Ranges, [2]int{int(low), int(high)})
	}
	slices.SortFunc(sample.Ranges, func(a, b [2]int) int { return a[0] - b[0] })
	return sample, true
}

func printLogs(p *printer) {
	for _, l := range *p.target.logs() {
		words := []string{l.Network}
		switch l.Network {
		case "udp":
			host, port, _ := net.SplitHostPort(l.Address)
			words[0] = Address{Host: host, IP: parseIP(host), Port: atoi(port), PortEnd: atoi(port)}.String()
		case "unixgram":
			words[0] = "unix@" + l.Address
			if name, ok := strings.CutPrefix(l.Address, "@"); ok {
				words[0] = "abns@" + name
			}
		case "fd":
			words[0] = "fd@" + strconv.Itoa(l.FD)
		case "ring":
			words[0] = "ring@" + l.Address
		}
		words = append(words, "len", strconv.Itoa(l.Length), "format", l.Format)
		if l.Sample != nil {
			words = append(words, "sample", l.Sample.String())
		}
		p.write(append(words, l.Facility, l.Level, l.MinLevel)...)
	}
}

// String is the form that the configuration has.
func (s *Sample) String() string {
	var parts []string
	for _, r := range s.Ranges {
		part := strconv.Itoa(r[0])
		if r[1] != r[0] {
			part += "-" + strconv.Itoa(r[1])
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",") + ":" + strconv.Itoa(s.Size)
}
