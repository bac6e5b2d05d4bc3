package config

import (
	"math"
	"strings"
	"time"
)

// newResolvers is a section of which nothing is said.
func newResolvers(pos Pos, name string) *Resolvers {
	const usual = 30 * time.Second
	return &Resolvers{Pos: pos, Name: name, Retries: 3, TimeoutResolve: time.Second, TimeoutRetry: time.Second, HoldValid: 10 * time.Second,
		HoldNX: usual, HoldOther: usual, HoldRefused: usual, HoldTimeout: usual, AcceptedPayload: 512}
}

func (l *loader) openResolvers(line Line) {
	name := l.sectionName(line)
	l.dns = newResolvers(line.Pos, name)
	for _, other := range l.config.Resolvers {
		if name != "" && other.Name == name {
			l.alertAt(line.Pos, "resolvers '%s' has the same name as the one at %s:%d", name, other.Pos.File, other.Pos.Line)
			return
		}
	}
	l.config.Resolvers = append(l.config.Resolvers, l.dns)
}

func (l *loader) openMailers(line Line) {
	name := l.sectionName(line)
	l.mail = &Mailers{Pos: line.Pos, Name: name, Timeout: 10 * time.Second}
	for _, other := range l.config.Mailers {
		if name != "" && other.Name == name {
			l.alertAt(line.Pos, "mailers '%s' has the same name as the one at %s:%d", name, other.Pos.File, other.Pos.Line)
			return
		}
	}
	l.config.Mailers = append(l.config.Mailers, l.mail)
}

// sectionName reads the name of a section that is no proxy.
func (l *loader) sectionName(line Line) string {
	words := line.Words
	if len(words) == 1 {
		l.alertAt(line.Pos, "'%s' expects a name", words[0].Text)
		return ""
	}
	if len(words) > 2 {
		l.alertAt(line.Pos, "'%s' has an unexpected argument '%s'", words[0].Text, words[2].Text)
	}
	l.checkName(line.Pos, words[1].Text)
	return words[1].Text
}

// resolversKeywords are those of resolvers sections.
func resolversKeywords() []Keyword {
	timeout := func(name, summary string, at func(*Resolvers) *time.Duration) Keyword {
		t := func(t target) *time.Duration { return at(t.dns) }
		b := span(t, time.Millisecond, time.Second)
		return Keyword{Name: "timeout " + name, Sections: InResolvers, Syntax: "<time>", Unit: "ms", Default: "1s", Summary: summary, Example: "timeout " + name + " 5s",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: positive(t, b.parse), print: b.print}}
	}
	return []Keyword{
		{Name: "nameserver", Sections: InResolvers, Syntax: "<name> [udp@ | tcp@]<address>:<port>", Summary: "A name server; all of a section are asked at once, and the first good answer counts. `tcp@` asks over TCP only; over UDP, an answer that was cut short is asked for again over TCP.",
			Example: "nameserver dns1 10.0.0.53:53", minimum: 2, maximum: -1, behaviour: behaviour{parse: parseNameServer, print: printNameServers}},
		{Name: "parse-resolv-conf", Sections: InResolvers, Default: "off", Summary: "The name servers of /etc/resolv.conf are asked too.", Example: "parse-resolv-conf",
			behaviour: toggle(func(t target) *bool { return &t.dns.ParseResolvConf }, false)},
		{Name: "hold", Sections: InResolvers, Syntax: "{ valid | obsolete | nx | refused | timeout | other } <time>", Unit: "ms", Default: "valid 10s, obsolete 0, the others 30s",
			Summary: "How long the last good answer goes on counting: after an answer that there is no such name (`nx`), a refusal, silence, or another failure. `obsolete`: how long an address that is missing in a good answer goes on counting.",
			Example: "hold nx 10s", minimum: 2, maximum: 2, behaviour: behaviour{parse: parseHold, print: printHolds}},
		{Name: "resolve_retries", Sections: InResolvers, Syntax: "<number>", Unit: "queries", Default: "3", Summary: "Queries that are sent for one resolution before it has failed.", Example: "resolve_retries 5",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.dns.Retries }, 1, math.MaxInt32, 3)},
		{Name: "accepted_payload_size", Sections: InResolvers, Syntax: "<512..65535>", Unit: "bytes", Default: "512", Summary: "Size of an answer over UDP that is announced to the name servers (EDNS).", Example: "accepted_payload_size 4096",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: parsePayload, print: number(func(t target) *int { return &t.dns.AcceptedPayload }, 512, 65535, 512).print}},
		timeout("resolve", "Time between two resolutions of a name.", func(r *Resolvers) *time.Duration { return &r.TimeoutResolve }),
		timeout("retry", "Time that a query waits for an answer before the next one is sent.", func(r *Resolvers) *time.Duration { return &r.TimeoutRetry }),
	}
}

// parseNameServer reads an address, whose prefix may be one of datagram or stream sockets.
func parseNameServer(s *statement) {
	name := s.text(0)
	if !s.validName(name) {
		return
	}
	text, ok := s.expanded(1)
	if !ok {
		return
	}
	server := NameServer{Pos: s.pos, Name: name}
	prefix, rest, found := strings.Cut(text, "@")
	switch strings.TrimPrefix(prefix, "dgram+") {
	case "udp", "udp4", "udp6":
		text = "ip" + strings.TrimPrefix(strings.TrimPrefix(prefix, "dgram+"), "udp") + "@" + rest
		if strings.HasPrefix(text, "ip4") || strings.HasPrefix(text, "ip6") {
			text = "ipv" + text[2:]
		}
	default:
		server.TCP = found && (strings.HasPrefix(prefix, "tcp") || strings.HasPrefix(prefix, "stream+"))
		text = strings.TrimPrefix(text, "dgram+")
	}
	a, err := ParseAddress(text, AddressOptions{AllowPort: true, RequirePort: true})
	switch {
	case err != nil:
		s.fail(err)
		return
	case a.Host != "" && !a.IP.IsValid():
		s.alert("'%s' expects an IP address, not the name '%s', which nobody could resolve yet", name, a.Host)
		return
	case len(s.args) > 2:
		s.alert("'%s' has an unexpected argument '%s': parameters of a name server are not supported", name, s.text(2))
		return
	}
	for _, other := range s.dns.NameServers {
		if other.Name == name {
			s.alert("'%s' is already the name of the one at %s:%d", name, other.Pos.File, other.Pos.Line)
			return
		}
	}
	a.Family = AnyFamily // the address tells
	if a.Host == "" && a.IP.Is6() {
		a.Host = a.IP.String()
	}
	server.Address = a
	s.dns.NameServers = append(s.dns.NameServers, server)
}

func printNameServers(p *printer) {
	for _, n := range p.dns.NameServers {
		prefix := ""
		if n.TCP {
			prefix = "tcp@"
		}
		p.write(n.Name, prefix+n.Address.String())
	}
}

// holds are the words of "hold", with their defaults.
var holds = []struct {
	name     string
	standard time.Duration
	at       func(*Resolvers) *time.Duration
}{
	{"valid", 10 * time.Second, func(r *Resolvers) *time.Duration { return &r.HoldValid }},
	{"obsolete", 0, func(r *Resolvers) *time.Duration { return &r.HoldObsolete }},
	{"nx", 30 * time.Second, func(r *Resolvers) *time.Duration { return &r.HoldNX }},
	{"refused", 30 * time.Second, func(r *Resolvers) *time.Duration { return &r.HoldRefused }},
	{"timeout", 30 * time.Second, func(r *Resolvers) *time.Duration { return &r.HoldTimeout }},
	{"other", 30 * time.Second, func(r *Resolvers) *time.Duration { return &r.HoldOther }},
}

func parseHold(s *statement) {
	var names []string
	for _, h := range holds {
		if h.name == s.text(0) {
			if d, ok := s.duration(1, time.Millisecond); ok {
				*h.at(s.dns) = d
			}
			return
		}
		names = append(names, h.name)
	}
	s.one(0, names...)
}

func printHolds(p *printer) {
	for _, h := range holds {
		if d := *h.at(p.dns); d != h.standard {
			p.write(h.name, FormatDuration(d))
		}
	}
}

// parsePayload takes less than 512 for 512, as RFC 6891 (6.2.3) asks of the other side.
func parsePayload(s *statement) {
	n, ok := s.number(0, 12, 65535)
	if ok && n < 512 {
		s.warn("counts as 512 if it is less, not %d", n)
		n = 512
	}
	if ok {
		s.dns.AcceptedPayload = n
	}
}

// mailersKeywords are those of mailers sections.
func mailersKeywords() []Keyword {
	timeout := func(t target) *time.Duration { return &t.mail.Timeout }
	b := span(timeout, time.Millisecond, 10*time.Second)
	return []Keyword{
		{Name: "mailer", Sections: InMailers, Syntax: "<name> <address>:<port>", Summary: "A mail server. Each message goes to all of a section.", Example: "mailer smtp1 10.0.0.25:25",
			minimum: 2, maximum: 2, behaviour: behaviour{parse: parseMailer, print: printMailers}},
		{Name: "timeout mail", Sections: InMailers, Syntax: "<time>", Unit: "ms", Default: "10s", Summary: "Time for the delivery of a message to one server.", Example: "timeout mail 20s",
			minimum: 1, maximum: 1, behaviour: behaviour{parse: positive(timeout, b.parse), print: b.print}},
	}
}

func parseMailer(s *statement) {
	if !s.validName(s.text(0)) {
		return
	}
	if a, ok := s.address(1, AddressOptions{AllowPort: true, RequirePort: true}); ok {
		s.mail.Mailers = append(s.mail.Mailers, Mailer{s.pos, s.text(0), a})
	}
}

func printMailers(p *printer) {
	for _, m := range p.mail.Mailers {
		p.write(m.Name, m.Address.String())
	}
}
